"""Videos of JPK instruments: ``.h5-jpk``, read with h5py alone."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ...errors import FileFormatError, UnknownNameError, listing
from .afm.scan import Scan, ScanChannel, checked_shape, square_nm
from .bundle import existing, reading, refuse_bomb
from .image_stack import ImageStack

if TYPE_CHECKING:
    from numpy.typing import NDArray

SUFFIX = ".h5-jpk"
DEFAULT_CHANNEL = "height_trace"
"""What is read where no channel is named."""

_GRID = "position-pattern.grid."
_SCALING = "net-encoder.scaling."
"""From stored numbers to the unit that the instrument was calibrated in."""
_BAND_PX = 2**22
_FAULTS = (OSError, RuntimeError, LookupError, TypeError, ValueError, ArithmeticError)


class _Channel(NamedTuple):
    group: Any
    measurement: Any


@dataclass(frozen=True)
class VideoFrames:
    """The frames of a channel: columns of numbers, from the lowest row up.

    Parameters
    ----------
    path : Path
        The file.
    key : str
        The dataset.
    shape : tuple of int
        ``(T, H, W)`` that it must have.
    factor, offset : float
        A frame is ``stored * factor + offset``.
    """

    path: Path
    key: str
    shape: tuple[int, int, int]
    factor: float
    offset: float

    def __call__(self, t: int) -> NDArray[np.float64]:
        """Read one frame, float64 ``(H, W)``.

        Raises
        ------
        FileFormatError
            If the dataset is another one by now.
        """
        import h5py  # type: ignore[import-untyped]

        frames, height, width = self.shape
        with h5py.File(self.path, "r") as file:
            found = file[self.key]
            if found.shape != (height * width, frames):
                raise FileFormatError(f"{self.path}: {self.key} is another one since the file was opened")
            column = found[:, t]
        made: NDArray[np.float64] = column.reshape(height, width)[::-1] * self.factor + self.offset
        return made


def read_h5_jpk(path: str | Path, channel: str = "") -> ImageStack:
    """Read one channel of a ``.h5-jpk`` video.

    Numbers are in the unit that the instrument was calibrated in, lengths in nm; the unit is in the provenance. The
    first row of a frame is the one furthest up. Times are those at which the frames began, from the first one on; they
    are unknown where the file does not state them.

    Parameters
    ----------
    path : str or Path
        The file.
    channel : str
        Name and direction, such as ``"height_trace"`` (the default) or ``"measuredHeight_retrace"``.

    Returns
    -------
    ImageStack
        float64 ``(T, H, W)``.

    Raises
    ------
    DatasetNotFoundError
        If there is no such file.
    UnknownNameError
        If there is no such channel.
    FileFormatError
        Naming file and key, if the file is not what JPK writes, or its pixels are not square.
    """
    import h5py

    path = existing(path)
    channel = channel or DEFAULT_CHANNEL
    with reading(path, "a .h5-jpk video", *_FAULTS), h5py.File(path, "r") as file:
        channels = _channels(path, file)
        if channel in channels:
            return _read(path, channel, channels[channel])
    raise UnknownNameError("channel", channel, sorted(channels), str(path))


def open_h5_jpk(path: str | Path) -> Scan:
    """Read what a ``.h5-jpk`` video says of itself; frames are read when they are asked for.

    Numbers, times and names are as :func:`read_h5_jpk` gives them.

    Raises
    ------
    DatasetNotFoundError
        If there is no such file.
    FileFormatError
        As :func:`read_h5_jpk`, for any of the channels.
    """
    import h5py

    path = existing(path)
    with reading(path, f"a {SUFFIX} video", *_FAULTS), h5py.File(path, "r") as file:
        channels = _channels(path, file)
        if not channels:
            raise FileFormatError(f"{path}: it holds no channel")
        made, shapes = [], set()
        for name, found in channels.items():
            stored, shape = _frames(path, found)
            factor, offset, unit = _scaling(path, found.group)
            made.append(ScanChannel(name, unit, VideoFrames(path, stored.name, shape, factor, offset)))
            shapes.add(shape)
        if len(shapes) != 1:
            raise FileFormatError(f"{path}: its channels differ in size: {listing(map(str, sorted(shapes)))}")
        measurement = next(iter(channels.values())).measurement
        times = [began for began, _, _ in _times(path, measurement, shape[0])]
        known = [time for time in times if time is not None]
        return Scan(
            path=path,
            channels=tuple(made),
            default=DEFAULT_CHANNEL if DEFAULT_CHANNEL in channels else made[0].name,
            shape=shape,
            pixel_size_nm=_pixel_size_nm(path, measurement, shape[2], shape[1]),
            times_s=tuple(known) if len(known) == len(times) else None,
        )


def _channels(path: Path, file: Any) -> Mapping[str, _Channel]:
    """List the channels as ``<name>_<trace or retrace>``."""
    channels: dict[str, _Channel] = {}
    measurements = [name for name in file if name.startswith("Measurement_")]
    if len(measurements) != 1:
        raise FileFormatError(f"{path}: it holds {len(measurements)} measurements, expected one")
    measurement = file[measurements[0]]
    for key in measurement:
        if key.startswith("Channel_"):
            group = measurement[key]
            direction = "retrace" if _text(path, group, "retrace") == "true" else "trace"
            channels[f"{_text(path, group, 'channel.name')}_{direction}"] = _Channel(group, measurement)
    return channels


def _frames(path: Path, found: _Channel) -> tuple[Any, tuple[int, int, int]]:
    """Give the dataset of a channel's frames, and their shape ``(T, H, W)``."""
    names = [name for name in found.group if name != "thumbnail"]
    if len(names) != 1:
        raise FileFormatError(f"{path}: {found.group.name} holds {listing(names)}, expected one dataset of frames")
    stored = found.group[names[0]]
    width, height = (int(_number(path, found.measurement, f"{_GRID}{axis}length")) for axis in "ij")
    if stored.ndim != 2 or stored.dtype.kind not in "iuf" or stored.shape[0] != width * height or 0 in stored.shape:
        raise FileFormatError(
            f"{path}: {stored.name} is {stored.dtype} {stored.shape}, expected numbers ({width * height}, frames)"
        )
    refuse_bomb(path, stored.size * stored.dtype.itemsize)
    return stored, checked_shape(path, stored.shape[1], height, width, 0)


def _read(path: Path, channel: str, found: _Channel) -> ImageStack:
    stored, (count, height, width) = _frames(path, found)
    pixel_size_nm = _pixel_size_nm(path, found.measurement, width, height)
    data, unit = _scaled(path, found.group, stored, height, width)
    frames = [
        {"timestamp": time, "frame_pixel_size_nm": pixel_size_nm, "frame_duration_s": lasted, "start_epoch_ms": start}
        for time, lasted, start in _times(path, found.measurement, count)
    ]
    provenance = {"acquisition": {"unit": unit, "format": "h5-jpk"}}
    return ImageStack(data, pixel_size_nm, channel, frames, provenance=provenance, file_path=path)


def _scaling(path: Path, group: Any) -> tuple[float, float, str]:
    """Give factor and offset from stored numbers to a unit, and that unit."""
    factor, offset = (_number(path, group, _SCALING + key) for key in ("multiplier", "offset"))
    unit = _text(path, group, _SCALING + "unit.unit")
    if factor == 0 or not (math.isfinite(factor) and math.isfinite(offset)):
        raise FileFormatError(f"{path}: {group.name}: its numbers are scaled by {factor:g} from {offset:g}")
    return (factor * 1e9, offset * 1e9, "nm") if unit == "m" else (factor, offset, unit)


def _scaled(path: Path, group: Any, stored: Any, height: int, width: int) -> tuple[NDArray[np.float64], str]:
    """Read the frames in physical units: columns of numbers, from the lowest row up."""
    factor, offset, unit = _scaling(path, group)
    frames = stored.shape[1]
    data = np.empty((frames, height, width))
    rows = max(1, _BAND_PX // (width * frames))
    for low in range(0, height, rows):
        high = min(low + rows, height)
        band = stored[low * width : high * width].T.reshape(frames, high - low, width)
        data[:, height - high : height - low] = band[:, ::-1] * factor + offset
    return data, unit


def _pixel_size_nm(path: Path, measurement: Any, width: int, height: int) -> float:
    across = _number(path, measurement, f"{_GRID}ulength") / width * 1e9
    down = _number(path, measurement, f"{_GRID}vlength") / height * 1e9
    return square_nm(path, across, down)


def _times(path: Path, measurement: Any, frames: int) -> Iterator[tuple[float | None, float | None, int | None]]:
    """Give for each frame when it began, s from the first one, how long it took, s, and when it began, epoch ms."""
    starts, ends = (_epoch_ms(path, measurement, f"meta-data/{name}-times", frames) for name in ("start", "end"))
    for index in range(frames):
        began = None if starts is None else (starts[index] - starts[0]) / 1000
        lasted = None if starts is None or ends is None else (ends[index] - starts[index]) / 1000
        yield began, lasted, None if starts is None else starts[index]


def _epoch_ms(path: Path, measurement: Any, key: str, frames: int) -> list[int] | None:
    """Read one time for each frame; ``None`` where the file has none."""
    if key not in measurement:
        return None
    stated = measurement[key]
    if stated.dtype.kind not in "iu" or stated.size != frames:
        raise FileFormatError(f"{path}: {key} is {stated.dtype} {stated.shape}, expected one time for {frames} frames")
    times: list[int] = stated[()].ravel().tolist()
    return times


def _number(path: Path, group: Any, key: str) -> float:
    value = np.asarray(group.attrs.get(key))
    if value.dtype.kind not in "iuf" or value.size != 1:
        raise FileFormatError(f"{path}: {group.name}: attribute {key} is {group.attrs.get(key)!r}, expected a number")
    return float(value.item())


def _text(path: Path, group: Any, key: str) -> str:
    value = group.attrs.get(key)
    if isinstance(value, bytes):
        value = value.decode("utf-8")
    if not isinstance(value, str):
        raise FileFormatError(f"{path}: {group.name}: attribute {key} is {value!r}, expected text")
    return value.strip()

"""Videos of JPK instruments: ``.h5-jpk``, read with h5py alone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ...errors import FileFormatError, UnknownNameError, listing
from .bundle import existing, reading, refuse_bomb
from .image_stack import ImageStack

if TYPE_CHECKING:
    from numpy.typing import NDArray

DEFAULT_CHANNEL = "height_trace"
"""What is read where no channel is named."""

_GRID = "position-pattern.grid."
_SCALING = "net-encoder.scaling."
"""From stored numbers to the unit that the instrument was calibrated in."""
_SQUARE = 0.01
"""Relative difference of width and height up to which a pixel counts as square."""
_BAND_PX = 2**22
_FAULTS = (OSError, RuntimeError, KeyError, TypeError, ValueError)


class _Channel(NamedTuple):
    group: Any
    measurement: Any


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
    import h5py  # type: ignore[import-untyped]

    path = existing(path)
    channel = channel or DEFAULT_CHANNEL
    with reading(path, "a .h5-jpk video", *_FAULTS), h5py.File(path, "r") as file:
        channels = _channels(path, file)
        if channel in channels:
            return _read(path, channel, channels[channel])
    raise UnknownNameError("channel", channel, sorted(channels), str(path))


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


def _read(path: Path, channel: str, found: _Channel) -> ImageStack:
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
    pixel_size_nm = _pixel_size_nm(path, found.measurement, width, height)
    data, unit = _scaled(path, found.group, stored, height, width)
    frames = [
        {"timestamp": time, "frame_pixel_size_nm": pixel_size_nm, "frame_duration_s": lasted, "start_epoch_ms": start}
        for time, lasted, start in _times(path, found.measurement, stored.shape[1])
    ]
    provenance = {"acquisition": {"unit": unit, "format": "h5-jpk"}}
    return ImageStack(data, pixel_size_nm, channel, frames, provenance=provenance, file_path=path)


def _scaled(path: Path, group: Any, stored: Any, height: int, width: int) -> tuple[NDArray[np.float64], str]:
    """Read the frames in physical units: columns of numbers, from the lowest row up."""
    factor, offset = (_number(path, group, _SCALING + key) for key in ("multiplier", "offset"))
    unit = _text(path, group, _SCALING + "unit.unit")
    if unit == "m":
        factor, offset, unit = factor * 1e9, offset * 1e9, "nm"
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
    if abs(across - down) > _SQUARE * across:
        raise FileFormatError(f"{path}: its pixels are {across:g} × {down:g} nm; only square ones can be read")
    return across


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

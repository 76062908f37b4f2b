"""Images as NPZ and HDF5: an array for the pixels, one for each mask, and what is known of them.

A file of one channel and one plane holds its frames as ``(T, Y, X)``, as the bundles of a stack do, and opens as one;
others hold ``(T, C, Z, Y, X)``. ``axes`` says which.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from ..errors import PlanError
from ..files import to_json
from .source import ImageSource
from .stack.bundle import FRAMES, PROVENANCE, escaped
from .stack.zip_writer import MemberStream, ZipWriter, npy_header, write_array

if TYPE_CHECKING:
    from numpy.typing import NDArray

PixelType = Literal["source", "float32"]
_LABELS = "labels__"
_LABEL_TYPE = np.dtype("<u4")
_LARGEST_LABEL = 2**32 - 1
_LEVEL = 1
_CHUNK_BYTES = 2**20


def write_npz(path: Path, source: ImageSource, dtype: PixelType = "source") -> None:
    """Write an image as NPZ, band by band; the same image makes the same bytes, and no array is pickled.

    Parameters
    ----------
    path : Path
        The file, written over.
    source : ImageSource
        The image. ``data`` are its pixels, ``labels__<mask>`` its masks (uint32, ``(Y, X)``, or ``(Z, Y, X)``),
        ``channels`` its channel names, ``timestamps`` its times in s, ``pixel_size_nm``, ``z_step_um`` and
        ``position_um`` (x, y) what they say; NaN where unknown.
    dtype : "source" or "float32"
        What the pixels are written as.

    Raises
    ------
    PlanError
        Naming the image, if a number is too large for float32, or a label negative or above 2³² − 1.
    """
    kind = _kind(source, dtype)
    axes, shape = _axes(source)
    with path.open("wb") as stream:
        archive = ZipWriter(stream)
        with archive.member("data.npy") as member:
            member.write(npy_header(shape, kind))
            rows = _piece_rows(source, kind)
            for t, c, z in source.planes():
                for band in source.bands(t, c, z, source.band_rows(rows)):
                    _pack(member, _cast(band, kind, source), rows)
        for name in source.labels:
            with archive.member(f"{_LABELS}{escaped(name)}.npy") as member:
                member.write(npy_header(_label_shape(source), _LABEL_TYPE))
                rows = _piece_rows(source, _LABEL_TYPE)
                for _, band in _label_bands(source, name, rows):
                    _pack(member, band, rows)
        for key, value in _known(source, axes).items():
            write_array(archive, key, value)
        archive.finish()


def write_h5(path: Path, source: ImageSource, dtype: PixelType = "source") -> None:
    """Write an image as HDF5, band by band; the same image makes the same bytes.

    Parameters
    ----------
    path : Path
        The file, written over.
    source : ImageSource
        The image. ``/data`` are its pixels, ``/labels/<mask>`` its masks (uint32), the root's attributes name axes,
        channels, pixel size, step in z and position (NaN where unknown); ``element_size_um`` of ``/data`` is what
        Fiji and ilastik read, with 1 for a step in z that is unknown, as they have it.
    dtype : "source" or "float32"
        What the pixels are written as.

    Raises
    ------
    PlanError
        Naming the image, if a number is too large for float32, or a label negative or above 2³² − 1.
    """
    import h5py  # type: ignore[import-untyped]

    kind = _kind(source, dtype)
    axes, shape = _axes(source)
    known = _known(source, axes)
    with h5py.File(path, "w") as file:
        data = _dataset(file, "data", shape, kind)
        for t, c, z in source.planes():
            at = (t,) if len(shape) == 3 else (t, c, z)
            rows = source.band_rows(data.chunks[-2])
            for number, band in enumerate(source.bands(t, c, z, rows)):
                data[(*at, slice(number * rows, number * rows + len(band)))] = _cast(band, kind, source)
        if source.pixel_size_um is not None:
            data.attrs["element_size_um"] = [source.z_step_um or 1.0, source.pixel_size_um, source.pixel_size_um]
        group = file.create_group("labels", track_order=True)
        for name in source.labels:
            made = _dataset(group, escaped(name), _label_shape(source), _LABEL_TYPE)
            for at, band in _label_bands(source, name, made.chunks[-2]):
                made[at] = band
        file.create_dataset("timestamps", data=known["timestamps"], track_times=False)
        for key in (FRAMES, PROVENANCE):
            text = str(known[key]).encode()
            file.create_dataset(key, data=np.array(text, h5py.string_dtype("utf-8", len(text))), track_times=False)
        for key in ("axes", "channel", "pixel_size_nm", "z_step_um"):
            file.attrs[key] = known[key].item()
        file.attrs["position_um"] = known["position_um"]
        file.attrs["channels"] = list(source.channels)


def _kind(source: ImageSource, dtype: PixelType) -> np.dtype[Any]:
    return (np.dtype(np.float32) if dtype == "float32" else source.dtype).newbyteorder("<")


def _axes(source: ImageSource) -> tuple[str, tuple[int, ...]]:
    times, channels, depth, height, width = source.shape
    if channels == depth == 1:
        return "TYX", (times, height, width)
    return "TCZYX", source.shape


def _known(source: ImageSource, axes: str) -> dict[str, NDArray[Any]]:
    """Give what is known beside the pixels, as small arrays."""
    times = source.times_s or (math.nan,) * source.shape[0]
    frames = [{"timestamp": time} if math.isfinite(time) else {} for time in times]
    size, step = source.pixel_size_um, source.z_step_um
    return {
        "axes": np.array(axes),
        "channel": np.array(", ".join(source.channels)),
        "channels": np.array(source.channels),
        "timestamps": np.array(times, np.float64),
        "pixel_size_nm": np.array(math.nan if size is None else size * 1000, np.float64),
        "z_step_um": np.array(math.nan if step is None else step, np.float64),
        "position_um": np.array(source.position_um or (math.nan, math.nan), np.float64),
        FRAMES: np.array(_text(frames)),
        PROVENANCE: np.array(_text(source.provenance)),
    }


def _text(value: object) -> str:
    """Write strict JSON; half of a surrogate pair, as in the name of a file that is no UTF-8, as its escape."""
    return to_json(value, indent=None).encode("utf-8", "backslashreplace").decode()


def _cast(band: NDArray[Any], kind: np.dtype[Any], source: ImageSource) -> NDArray[Any]:
    """Bring pixels to the type they are written as, rows one after the other in memory."""
    try:
        with np.errstate(over="raise"):
            return np.ascontiguousarray(band, kind)
    except FloatingPointError:
        raise PlanError(
            [f"image {source.name}: a number is too large for {kind.name}; dtype = source keeps it"]
        ) from None


def _label_shape(source: ImageSource) -> tuple[int, ...]:
    _, _, depth, height, width = source.shape
    return (height, width) if depth == 1 else (depth, height, width)


def _label_bands(source: ImageSource, name: str, multiple: int) -> Iterator[tuple[tuple[Any, ...], NDArray[Any]]]:
    """Read a mask from the top, and say where in its array each band goes; masks have no times of their own."""
    _, _, depth, height, _ = source.shape
    rows = source.band_rows(multiple)
    for z in range(depth):
        for top in range(0, height, rows):
            bottom = min(top + rows, height)
            at = (slice(top, bottom),) if depth == 1 else (z, slice(top, bottom))
            found = source.labels[name](0, z, top, bottom)
            if found.min() < 0 or found.max() > _LARGEST_LABEL:
                raise PlanError(
                    [
                        f"image {source.name}, mask {name}: labels go from {found.min()} to {found.max()}, "
                        f"expected 0 to {_LARGEST_LABEL}"
                    ]
                )
            yield at, np.ascontiguousarray(found, _LABEL_TYPE)


def _piece_rows(source: ImageSource, kind: np.dtype[Any]) -> int:
    return max(1, _CHUNK_BYTES // (source.shape[4] * kind.itemsize))


def _pack(member: MemberStream, band: NDArray[Any], rows: int) -> None:
    """Pack rows in pieces of one height, on which the packed bytes depend; so they do not depend on that of a band."""
    for top in range(0, len(band), rows):
        member.write(band[top : top + rows].data.cast("B"))


def _dataset(group: Any, name: str, shape: tuple[int, ...], kind: np.dtype[Any]) -> Any:
    height, width = shape[-2:]
    rows = min(height, max(1, _CHUNK_BYTES // (width * kind.itemsize)))
    return group.create_dataset(
        name,
        shape,
        kind,
        chunks=(*(1,) * (len(shape) - 2), rows, width),
        compression="gzip",
        compression_opts=_LEVEL,
        shuffle=kind.itemsize > 1,
        track_times=False,
    )

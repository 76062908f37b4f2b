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

from ..files import to_json
from .source import ImageSource
from .stack.bundle import FRAMES, PROVENANCE, escaped
from .stack.zip_writer import ZipWriter, npy_header, write_array

if TYPE_CHECKING:
    from numpy.typing import NDArray

PixelType = Literal["source", "float32"]
_LABELS = "labels__"
_LEVEL = 1
_CHUNK_BYTES = 2**20


def write_npz(path: Path, source: ImageSource, dtype: PixelType = "source") -> None:
    """Write an image as NPZ, band by band; the same image makes the same bytes, and no array is pickled.

    Parameters
    ----------
    path : Path
        The file, written over.
    source : ImageSource
        The image. ``data`` are its pixels, ``labels__<mask>`` its masks (int32, ``(Y, X)``, or ``(Z, Y, X)``),
        ``channels`` its channel names, ``timestamps`` its times in s (NaN where unknown), ``pixel_size_nm`` NaN
        where unknown.
    dtype : "source" or "float32"
        What the pixels are written as.
    """
    kind = _kind(source, dtype)
    axes, shape = _axes(source)
    with path.open("wb") as stream:
        archive = ZipWriter(stream)
        with archive.member("data.npy") as member:
            member.write(npy_header(shape, kind))
            for t, c, z in source.planes():
                for band in source.bands(t, c, z, source.band_rows()):
                    member.write(np.ascontiguousarray(band, kind).data.cast("B"))
        for name in source.labels:
            with archive.member(f"{_LABELS}{escaped(name)}.npy") as member:
                member.write(npy_header(_label_shape(source), np.dtype("<i4")))
                for _, band in _label_bands(source, name):
                    member.write(np.ascontiguousarray(band, "<i4").data.cast("B"))
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
        The image. ``/data`` are its pixels, ``/labels/<mask>`` its masks (int32), the root's attributes name axes,
        channels and pixel size; ``element_size_um`` of ``/data`` is what Fiji and ilastik read.
    dtype : "source" or "float32"
        What the pixels are written as.
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
                data[(*at, slice(number * rows, number * rows + len(band)))] = band
        if source.pixel_size_um is not None:
            data.attrs["element_size_um"] = [source.z_step_um or 1.0, source.pixel_size_um, source.pixel_size_um]
        group = file.create_group("labels", track_order=True)
        for name in source.labels:
            made = _dataset(group, escaped(name), _label_shape(source), np.dtype("<i4"))
            for at, band in _label_bands(source, name):
                made[at] = band
        file.create_dataset("timestamps", data=known["timestamps"], track_times=False)
        for key in (FRAMES, PROVENANCE):
            text = str(known[key]).encode()
            file.create_dataset(key, data=np.array(text, h5py.string_dtype("utf-8", len(text))), track_times=False)
        for key in ("pixel_size_nm", "channel", "axes"):
            file.attrs[key] = known[key].item()
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
    size = source.pixel_size_um
    return {
        "axes": np.array(axes),
        "channel": np.array(", ".join(source.channels)),
        "channels": np.array(source.channels),
        "timestamps": np.array(times, np.float64),
        "pixel_size_nm": np.array(math.nan if size is None else size * 1000, np.float64),
        FRAMES: np.array(to_json(frames, indent=None)),
        PROVENANCE: np.array(to_json(source.provenance, indent=None)),
    }


def _label_shape(source: ImageSource) -> tuple[int, ...]:
    _, _, depth, height, width = source.shape
    return (height, width) if depth == 1 else (depth, height, width)


def _label_bands(source: ImageSource, name: str) -> Iterator[tuple[tuple[Any, ...], NDArray[Any]]]:
    """Read a mask from the top, and say where in its array each band goes; masks have no times of their own."""
    _, _, depth, height, _ = source.shape
    rows = source.band_rows()
    for z in range(depth):
        for top in range(0, height, rows):
            bottom = min(top + rows, height)
            at = (slice(top, bottom),) if depth == 1 else (z, slice(top, bottom))
            yield at, source.labels[name](0, z, top, bottom)


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

"""OME-TIFF: planes in tiles with their smaller levels, written band by band."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from tempfile import SpooledTemporaryFile
from typing import IO, TYPE_CHECKING, Any

import numpy as np

from ...errors import PlanError, UnknownNameError
from ...files import to_json
from ..source import ImageSource
from .ome_xml import PIXEL_TYPES, ome_xml

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Bands = Iterator[NDArray[Any]]

PROVENANCE_TAG = 65000
"""Holds the provenance, as JSON."""
LAYERS_TAG = 65001
"""Holds the names of processed layers, as a JSON list."""

COMPRESSIONS: dict[str, dict[str, Any]] = {
    "zstd": {"compression": "zstd", "compressionargs": {"level": 1}},
    "deflate": {"compression": "adobe_deflate", "compressionargs": {"level": 1}},
    "lzw": {"compression": "lzw"},
    "none": {},
}
"""How to ask tifffile for each; higher levels save little more, at a fraction of the speed."""

_LEVELS_ABOVE = 1024
_SMALLEST_LEVEL = 512
_HELD = 2**26
"""Bytes: of tiles that wait to be encoded, of a level that waits to be written (the rest goes to disk), of a band."""
_MOST_THREADS = 8
_CLASSIC_BYTES = 2**32 - 2**25
"""What the offsets of a classic TIFF reach, less room for its tags."""
_WORST_GROWTH = 1.5
"""What LZW makes of noise: codes of up to 12 bits for 8."""
_PAGE_BYTES = 512
_TILE_BYTES = 16
_UNDEFINED = 7
_CM_UM = 10_000
_LARGEST = 2**32 - 1
_EXACT = 2**53
"""Whole numbers beyond this are not all exact in float64."""


def write_ome_tiff(
    path: str | os.PathLike[str],
    source: ImageSource,
    *,
    compression: str = "zstd",
    tile: int = 512,
    pyramid: bool = True,
    extratags: Sequence[tuple[int, bytes]] = (),
    threads: int | None = None,
) -> None:
    """Write an image as OME-TIFF, axes TCZYX, little-endian; the same image makes the same bytes.

    Parameters
    ----------
    path : path-like
        The file to make. A level that is too large to be held waits in a nameless file in the same folder.
    source : ImageSource
        Pixels and what is known of them; its labels are not written. ``bool`` becomes ``uint8`` (0 and 1),
        ``float16`` becomes ``float32``, whole numbers of 64 bits become ``float64``: OME-TIFF has none of them.
    compression : str
        ``zstd``, ``deflate``, ``lzw`` or ``none``; without loss. Whole numbers are compressed as differences.
    tile : int
        Side of a tile, px, a multiple of 16. Where the image is smaller, the tile shrinks to it.
    pyramid : bool
        Whether planes of more than 1024 px get levels, as SubIFDs: each is the mean of 2 × 2 px of the one before
        (at an odd edge, of the px there are; NaN does not count; whole numbers are rounded, halves upward),
        until the longer side is at most 512 px.
    extratags : sequence of (int, bytes)
        More private tags of the first page; 65000, the provenance as JSON, is always there.
    threads : int, optional
        How many may compress; by default as many as there are processors, up to 8. The bytes are the same.

    Raises
    ------
    PlanError
        If the pixels are of a type that OME-TIFF cannot hold, or whole numbers too large to be exact.
    UnknownNameError
        If there is no such compression.
    ValueError
        If `tile` is no multiple of 16, or what is known of the image cannot be true; see
        :func:`~napari_slicemap.images.tiff.ome_xml.ome_xml`.
    """
    import tifffile

    if compression not in COMPRESSIONS:
        raise UnknownNameError("compression", compression, COMPRESSIONS)
    if tile < 16 or tile % 16:
        raise ValueError(f"tile is {tile} px, expected a multiple of 16")
    dtype = ome_dtype(source.dtype, f"image {source.name}")
    # half of a surrogate pair, as in the name of a file that is no UTF-8, is written as JSON's escape of it
    provenance = to_json(source.provenance, indent=None).encode("utf-8", "backslashreplace")
    tags = [(PROVENANCE_TAG, provenance), *extratags]
    sizes = level_sizes(source.shape[3:]) if pyramid else [source.shape[3:]]
    pages = _Pages(source, dtype, sizes, tile, compression, threads or min(_MOST_THREADS, _processors()))
    first = {
        "description": ome_xml(source, dtype),
        "software": "napari-slicemap",
        "extratags": [(code, _UNDEFINED, len(value), value, True) for code, value in tags],
    }
    big = pages.most_bytes + len(first["description"]) + sum(len(value) for _, value in tags) > _CLASSIC_BYTES
    with tifffile.TiffWriter(path, bigtiff=big, byteorder="<", ome=False) as tif:
        if len(pages.sizes) == 1:
            pages.write_flat(tif, first)
            return
        for number, (t, c, z) in enumerate(source.planes()):
            pages.write_levels(tif, Path(path).parent, (t, c, z), first if number == 0 else {"software": False})


def ome_dtype(dtype: np.dtype[Any], where: str) -> np.dtype[Any]:
    """Give the type that pixels of a type become in OME-TIFF.

    Raises
    ------
    PlanError
        Naming `where`, if there is none.
    """
    kind = {"bool": "uint8", "float16": "float32", "int64": "float64", "uint64": "float64"}.get(dtype.name, dtype.name)
    if kind not in PIXEL_TYPES:
        raise PlanError([f"{where}: OME-TIFF holds no pixels of type {dtype.name} (there is {', '.join(PIXEL_TYPES)})"])
    return np.dtype(kind)


def ome_pixels(pixels: NDArray[Any], where: str) -> NDArray[Any]:
    """Bring pixels to the type of :func:`ome_dtype`.

    Raises
    ------
    PlanError
        Naming `where`, also if a whole number is too large to be exact.
    """
    dtype = ome_dtype(pixels.dtype, where)
    wide = pixels.dtype.kind in "iu" and dtype.kind == "f"
    if wide and pixels.size and (pixels.max() > _EXACT or pixels.min() < -_EXACT):
        raise PlanError(
            [f"{where}: OME-TIFF holds {pixels.dtype.name} as float64, which is not exact for numbers beyond ±2⁵³"]
        )
    return pixels.astype(dtype, copy=False)


def level_sizes(shape: Sequence[int]) -> list[tuple[int, int]]:
    """List the ``(height, width)`` of a plane and of its smaller levels, px."""
    height, width = shape
    sizes = [(height, width)]
    if max(sizes[0]) > _LEVELS_ABOVE:
        while max(sizes[-1]) > _SMALLEST_LEVEL:
            sizes.append((-(-sizes[-1][0] // 2), -(-sizes[-1][1] // 2)))
    return sizes


def halved(rows: NDArray[Any]) -> NDArray[Any]:
    """Give the mean of each 2 × 2 px.

    Parameters
    ----------
    rows : ndarray, (h, w)
        Whole numbers of up to 32 bits, or floats. NaN counts as no pixel.

    Returns
    -------
    ndarray, ((h + 1) // 2, (w + 1) // 2)
        Same dtype; whole numbers rounded to the nearest, halves upward.
    """
    height, width = rows.shape
    if height % 2 or width % 2:
        # at an odd edge: a mean does not change where each of its pixels stands twice
        rows = np.pad(rows, ((0, height % 2), (0, width % 2)), mode="edge")
    a, b, c, d = (rows[y::2, x::2] for y in (0, 1) for x in (0, 1))
    if rows.dtype.kind in "iu":
        wide = np.dtype(f"{rows.dtype.kind}{2 * rows.dtype.itemsize}")
        sums = np.add(a, b, dtype=wide)
        sums += c
        sums += d
        sums += 2
        sums >>= 2
        rounded: NDArray[Any] = sums.astype(rows.dtype)
        return rounded
    with np.errstate(invalid="ignore", over="ignore"):  # 0/0 and inf − inf are NaN, as they should be
        means = np.add(a, b, dtype=np.float64)
        means += c
        means += d
        means /= 4
        unsure = np.isnan(means)
        if unsure.any():
            cells = np.stack([part[unsure] for part in (a, b, c, d)]).astype(np.float64)
            means[unsure] = np.nansum(cells, axis=0) / np.count_nonzero(~np.isnan(cells), axis=0)
        made: NDArray[Any] = means.astype(rows.dtype)
    return made


@dataclass(frozen=True)
class _Pages:
    """Writes the planes of an image; `sizes` are those of its levels."""

    source: ImageSource
    dtype: np.dtype[Any]
    sizes: Sequence[tuple[int, ...]]
    tile: int
    compression: str
    threads: int

    @property
    def most_bytes(self) -> int:
        """What the pages can take up at most, bytes."""
        bytes_of_plane = 0.0
        for height, width in self.sizes:
            down, across = self.tile_shape(height, width)
            count = -(-height // down) * -(-width // across)
            bytes_of_plane += count * (down * across * self.dtype.itemsize * _WORST_GROWTH + _TILE_BYTES) + _PAGE_BYTES
        return math.ceil(bytes_of_plane * math.prod(self.source.shape[:3]))

    def tile_shape(self, height: int, width: int) -> tuple[int, int]:
        """Give ``(height, width)`` of a tile, px."""
        down, across = (min(self.tile, -(-size // 16) * 16) for size in (height, width))
        return down, across

    def write_flat(self, tif: Any, first: dict[str, Any]) -> None:
        """Write all planes at once, without levels: one page after the other."""
        height, width = self.sizes[0]
        tile = self.tile_shape(height, width)
        tiles = (one for plane in self.source.planes() for one in _tiles(self._bands(plane, tile[0]), tile))
        shape = (math.prod(self.source.shape[:3]), height, width)
        tif.write(tiles, shape=shape, **self._common(0), **first)

    def write_levels(self, tif: Any, folder: Path, plane: tuple[int, int, int], first: dict[str, Any]) -> None:
        """Write one plane and its levels, each of which is made while the one before is written."""
        more = {**first, "subifds": len(self.sizes) - 1}
        with ExitStack() as held:
            bands = self._bands(plane, self.tile_shape(*self.sizes[0])[0])
            for level, size in enumerate(self.sizes):
                tile = self.tile_shape(*size)
                last = level == len(self.sizes) - 1
                # the folder of the file has room for it, where that for temporary files may have none
                waiting = held.enter_context(SpooledTemporaryFile(_HELD, dir=str(folder)))
                bands = bands if last else _halving(bands, waiting)
                tif.write(_tiles(bands, tile), shape=size, **self._common(level), **more)
                if not last:
                    below = self.sizes[level + 1]
                    bands = _kept_bands(waiting, below, self.dtype, self.tile_shape(*below)[0])
                more = {"software": False, "subfiletype": 1}

    def _bands(self, plane: tuple[int, int, int], multiple: int) -> Bands:
        where = f"image {self.source.name}"
        for band in self.source.bands(*plane, self.source.band_rows(multiple)):
            yield ome_pixels(band, where)

    def _common(self, level: int) -> dict[str, Any]:
        """Say to tifffile what all pages of a level have in common."""
        compressed = self.compression != "none"
        return {
            "dtype": self.dtype,
            "tile": self.tile_shape(*self.sizes[level]),
            "photometric": "minisblack",
            # floats as they are: not every reader undoes the differences of floats
            "predictor": compressed and self.dtype.kind in "iu",
            "metadata": None,
            "maxworkers": self.threads,
            "buffersize": _HELD,
            **COMPRESSIONS[self.compression],
            **resolution(self.source.pixel_size_um, 2**level),
        }


def resolution(pixel_size_um: float | None, downsample: int = 1) -> dict[str, Any]:
    """Say to tifffile how many pixels there are to a cm; nothing, where TIFF's fractions of 32 bits cannot."""
    if pixel_size_um is not None:
        per_cm = Fraction(_CM_UM) / (Fraction(pixel_size_um) * downsample)
        if Fraction(1, _LARGEST) <= per_cm <= _LARGEST:
            near = per_cm.limit_denominator(math.floor(_LARGEST / max(per_cm, Fraction(1))))
            return {"resolutionunit": "CENTIMETER", "resolution": ((near.numerator, near.denominator),) * 2}
    return {"resolutionunit": "NONE", "resolution": ((1, 1), (1, 1))}


def _tiles(bands: Bands, tile: tuple[int, int]) -> Iterator[NDArray[Any]]:
    """Cut bands, whose heights but the last are multiples of a tile's, row of tiles by row of tiles.

    Those at the edges are filled up here: tifffile mistakes the axes of a tile of one column.
    """
    down, across = tile
    for band in bands:
        for top in range(0, band.shape[0], down):
            for left in range(0, band.shape[1], across):
                part = band[top : top + down, left : left + across]
                missing = [(0, size - there) for size, there in zip(tile, part.shape, strict=True)]
                yield np.pad(part, missing, mode="edge") if part.shape != tile else part


def _halving(bands: Bands, kept: IO[bytes]) -> Bands:
    """Pass bands on, each once its half is kept; all but the last have an even number of rows."""
    for band in bands:
        kept.write(halved(band).tobytes())
        yield band


def _kept_bands(kept: IO[bytes], size: tuple[int, ...], dtype: np.dtype[Any], multiple: int) -> Bands:
    """Read a level back in bands."""
    height, width = size
    row = width * dtype.itemsize
    rows = multiple * max(1, _HELD // (row * multiple))
    kept.seek(0)
    for top in range(0, height, rows):
        count = min(rows, height - top)
        yield np.frombuffer(kept.read(count * row), dtype).reshape(count, width)


def _processors() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1

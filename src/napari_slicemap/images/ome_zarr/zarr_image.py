"""Zarr arrays and OME-Zarr images as planes; zarr-python reads the metadata."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from ...errors import listing
from ..format_tools import (
    Recent,
    Tiling,
    describe,
    duration_s,
    evenly,
    named,
    plain_axes,
    plane_index,
    positive,
    refuse_changed,
)
from ..image import ImageInfo, file_state
from ..plane import Chunks, under
from .groups import V2_ARRAY, V2_ATTRIBUTES, V3, group_attributes
from .metadata import OWN
from .multiscales import Level, Multiscales
from .omero import channel_names
from .zarr_chunks import chunks_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..cache import Allocate
    from ..region import Window
    from .zarr_chunks import ChunkFiles, Place

_KIND = "a Zarr image"
_LARGEST_CHUNK = 2**30
_METADATA = (V3, V2_ARRAY, V2_ATTRIBUTES)


@dataclass(frozen=True)
class ZarrImage:
    """A Zarr array (v2, v3), or the full resolution of an OME-Zarr image.

    Parameters
    ----------
    path : Path
        The folder of the array or of the image.
    third : "C" or "Z"
        What the first axis of a bare array of three dimensions is, unless the array names its axes.
    level : str
        Path within an OME-Zarr image of the level to read instead of its full resolution.
    """

    path: Path
    third: Literal["C", "Z"] = "C"
    level: str = ""

    @cached_property
    def info(self) -> ImageInfo:
        """Metadata, read at the first use.

        Raises
        ------
        TileReadError
            Naming the folder, if it is missing or no Zarr image.
        """
        with named(self.path, _KIND):
            return self._opened().info

    @property
    def key(self) -> Hashable:
        """Of the metadata as it is now; chunks that are written later do not change it."""
        return "zarr", self.path, self.third, self.level, *map(file_state, self._metadata)

    @cached_property
    def _metadata(self) -> list[Path]:
        """The files that say how the pixels are stored: those of the image, and of the array that is read."""
        files = [self.path / name for name in _METADATA]
        there = [file for file in files if file.exists()]
        return [*there, *self._array_metadata()] if there else files

    def _array_metadata(self) -> list[Path]:
        try:
            multiscales = Multiscales.read(group_attributes(self.path))
            level = None if multiscales is None else _level(multiscales, self.level)
        except (OSError, ValueError):  # opening it says what is wrong, by name
            return []
        files = [] if level is None else [self.path / level.path / name for name in (V3, V2_ARRAY)]
        return [file for file in files if file.exists()] or files

    def chunks(self, channel: int, t: int, z: int) -> Chunks:
        """Give the chunks of one plane; see :class:`~napari_slicemap.images.image.ImageFile`."""
        info, key = self.info, self.key
        with named(self.path, _KIND):
            opened = _OPENED.get(key, self._open)
            refuse_changed(self.path, info, opened.info)
            at = plane_index(info.axes, opened.array.shape, channel, t, z)

        def read(places: Sequence[tuple[int, int]], allocate: Allocate) -> list[NDArray[Any]]:
            with named(self.path, _KIND):
                return opened.read(at, places, allocate)

        return Chunks(key, info.chunk_shape, read)

    def read_planes(self, z: Sequence[int], window: Window, out: NDArray[Any], *, channel: int, t: int) -> None:
        """Read a window of several planes, decoding each stored chunk once.

        Parameters
        ----------
        z : sequence of int
            Which planes.
        window : Window
            Within them, px.
        out : ndarray, (len(z), H, W)
            Where the pixels are put, cast to its dtype.
        channel, t : int
            Channel and time point.

        Raises
        ------
        TileReadError
            Naming the folder.
        """
        info = self.info
        with named(self.path, _KIND):
            opened = self._opened()
            refuse_changed(self.path, info, opened.info)
            for layer, planes in opened.layers(z).items():
                at = plane_index(info.axes, opened.array.shape, channel, t, z[planes[0]])
                opened.read_layer(at, [z[n] for n in planes], window, [out[n] for n in planes], layer)

    @property
    def stored_chunk(self) -> tuple[int, int, int]:
        """Planes, rows and columns of a stored chunk; those at the ends of the image may hold less of it.

        Raises
        ------
        TileReadError
            Naming the folder, if it is no Zarr image.
        """
        with named(self.path, _KIND):
            opened = self._opened()
        rows, columns = (opened.shape[opened.info.axes.index(axis)] for axis in "YX")
        return opened.depth, rows, columns

    def attributes(self) -> dict[str, Any]:
        """Read what the image says of itself beside its pixels, as stored.

        Raises
        ------
        TileReadError
            Naming the folder, if it is no Zarr image.
        """
        import zarr

        with named(self.path, _KIND):
            self._opened()
            found: dict[str, Any] = zarr.open(self.path, mode="r").attrs.asdict()
            return found

    def _opened(self) -> _Opened:
        return _OPENED.get(self.key, self._open)

    def _open(self) -> _Opened:
        if not self.path.is_dir():
            if self.path.exists():
                raise ValueError("it is a file, and not a folder")
            raise FileNotFoundError(self.path)
        import zarr

        try:
            found = zarr.open(self.path, mode="r")
        except FileNotFoundError:
            raise ValueError(f"it holds no Zarr metadata ({', '.join(_METADATA)})") from None
        if isinstance(found, zarr.Array):
            return _opened(found, self.path, _named_axes(found, self.third))
        return _open_multiscale(found, self.path, self.level)


@dataclass(frozen=True)
class _Opened:
    """What is kept of an array.

    Parameters
    ----------
    info : ImageInfo
        Metadata.
    array : zarr.Array
        The array.
    shape : tuple of int
        Of each of its chunks; those at the edges are stored in full.
    tiling : Tiling
        Of one plane into its chunks.
    chunks : ChunkFiles or None
        Reads them; ``None`` where they are left to zarr-python.
    """

    info: ImageInfo
    array: Any
    shape: Place
    tiling: Tiling
    chunks: ChunkFiles | None

    @cached_property
    def straight(self) -> bool:
        """Whether each stored chunk is a chunk of one plane, and can be decoded without a copy."""
        chunks, axes = self.chunks, self.info.axes
        return (
            chunks is not None
            and not chunks.shared
            and chunks.sharding is None
            and chunks.encoding.into is not None
            and self.tiling.group == (1, 1)
            and axes.endswith("YX")
        )

    def read(self, at: tuple[Any, ...], places: Sequence[tuple[int, int]], allocate: Allocate) -> list[NDArray[Any]]:
        """Decode chunks of the plane at an index."""
        dtype, tiling = self.info.dtype, self.tiling
        if self.straight and self.chunks is not None:
            # stored in full at the edges, too
            whole = [allocate(tiling.segment, dtype) for _ in places]
            first = self._stored_at(at, 0, 0)[:-2]  # Y and X come last
            self.chunks.read_straight([(*first, row, column) for row, column in places], whole)
            rows, columns = tiling.count
            return [
                chunk if row + 1 < rows and column + 1 < columns else _cut(chunk, *tiling.cut(row, column))
                for chunk, (row, column) in zip(whole, places, strict=True)
            ]
        made = [allocate(tiling.cut(row, column), dtype) for row, column in places]
        for (row, column), out in zip(places, made, strict=True):
            tiling.chunk(row, column, out, partial(self._segment, at))
        return made

    @cached_property
    def depth(self) -> int:
        """Planes in a stored chunk."""
        return self.shape[self.info.axes.index("Z")] if "Z" in self.info.axes else 1

    def layers(self, z: Sequence[int]) -> dict[int, list[int]]:
        """Sort places in `z` by the layer of stored chunks that each plane lies in."""
        found: dict[int, list[int]] = defaultdict(list)
        for n, plane in enumerate(z):
            found[plane // self.depth].append(n)
        return found

    def read_layer(
        self, at: tuple[Any, ...], z: Sequence[int], window: Window, out: Sequence[NDArray[Any]], layer: int
    ) -> None:
        """Read planes that share their stored chunks; ``at`` is the index of one of them."""
        axes, shape = self.info.axes, self.shape
        y, x = axes.index("Y"), axes.index("X")
        for (row, column), (top, left, part) in zip(*under(window, (shape[y], shape[x])), strict=True):
            chunk = self._whole(at, row, column, layer)
            for n, plane in zip(z, out, strict=True):
                cut = chunk[n % self.depth][part]
                plane[top : top + cut.shape[0], left : left + cut.shape[1]] = cut

    def _whole(self, at: tuple[Any, ...], row: int, column: int, layer: int) -> NDArray[Any]:
        """Decode one stored chunk in all its depth: ``(Z, Y, X)``."""
        axes, shape = self.info.axes, self.shape
        taken = list(at)
        if "Z" in axes:
            taken[axes.index("Z")] = slice(None)
        if self.chunks is None:
            for axis, n in (("Z", layer), ("Y", row), ("X", column)):
                if axis in axes:
                    size = shape[axes.index(axis)]
                    taken[axes.index(axis)] = slice(n * size, (n + 1) * size)
            found = np.asarray(self.array[tuple(taken)])
        else:
            inner = tuple(n if isinstance(n, slice) else n % size for n, size in zip(taken, shape, strict=True))
            found = self.chunks.read(self._stored_at(at, row, column), keep=False)[inner]
        kept = [axis for axis in axes if axis in "ZYX"]
        found = found.transpose([kept.index(axis) for axis in "ZYX" if axis in kept])
        return found if "Z" in axes else found[None]

    def _stored_at(self, at: tuple[Any, ...], row: int, column: int) -> Place:
        """Say which stored chunk holds one of a plane's."""
        axes = self.info.axes
        place = [0 if isinstance(n, slice) else n // size for n, size in zip(at, self.shape, strict=True)]
        place[axes.index("Y")], place[axes.index("X")] = row, column
        return tuple(place)

    def _segment(self, at: tuple[Any, ...], row: int, column: int, out: NDArray[Any]) -> None:
        """Decode the part of one stored chunk that lies in a plane."""
        axes, shape = self.info.axes, self.shape
        y, x = axes.index("Y"), axes.index("X")
        if self.chunks is None:
            part = list(at)
            part[y] = slice(row * shape[y], (row + 1) * shape[y])
            part[x] = slice(column * shape[x], (column + 1) * shape[x])
            found = np.asarray(self.array[tuple(part)])
        else:
            inner = tuple(n if isinstance(n, slice) else n % size for n, size in zip(at, shape, strict=True))
            found = self.chunks.read(self._stored_at(at, row, column))[inner]
        height, width = out.shape
        out[...] = (found.T if x < y else found)[:height, :width]


def _cut(chunk: NDArray[Any], height: int, width: int) -> NDArray[Any]:
    return chunk[:height, :width]


_OPENED: Recent[_Opened] = Recent(2048)


# --- metadata ------------------------------------------------------------------------------------------------
def _opened(
    array: Any,
    folder: Path,
    axes: str,
    names: Sequence[str] = (),
    pixel_size_um: float | None = None,
    **known: Any,
) -> _Opened:
    dtype = np.dtype(array.dtype)
    described = describe(axes, array.shape, dtype, (0, 0), names, pixel_size_um)  # before the chunks are looked at
    if (size := math.prod(array.chunks) * dtype.itemsize) > _LARGEST_CHUNK:
        raise ValueError(f"its chunks are of {size} bytes each, more than the {_LARGEST_CHUNK} that are read at once")
    y, x = axes.index("Y"), axes.index("X")
    tiling = Tiling((array.shape[y], array.shape[x]), (array.chunks[y], array.chunks[x]))
    info = replace(described, chunk_shape=tiling.chunk_shape, **known)
    return _Opened(info, array, tuple(array.chunks), tiling, chunks_of(array, folder, math.prod(tiling.segment)))


def _named_axes(array: Any, third: str) -> str:
    """Give the axes of a bare array: as it names them, or else by their number."""
    names = [str(name).upper() for name in getattr(array.metadata, "dimension_names", None) or ()]
    if names and set(names) <= set("TCZYX"):
        return "".join(names)
    return f"{third}YX" if array.ndim == 3 else plain_axes(array.shape)


def _open_multiscale(group: Any, folder: Path, level_path: str) -> _Opened:
    """Open one level of an OME-Zarr image, its full resolution unless another is named."""
    import zarr

    attributes = group.attrs.asdict()
    multiscales = Multiscales.read(attributes)
    if multiscales is None:
        raise ValueError(
            f"it is a group without an image (no multiscales); state the image or array within it, as {folder.name}/0"
        )
    level = _level(multiscales, level_path)
    try:
        array = zarr.open_array(folder / level.path, mode="r")
    except FileNotFoundError:
        which = "its full resolution" if level == multiscales.levels[0] else "one of its levels"
        raise ValueError(f"{which}, the array {level.path!r}, is missing") from None
    axes = multiscales.axes(array.shape)
    own = attributes.get(OWN)
    times = own.get("times_s") if isinstance(own, dict) else None
    if times is None and "T" in axes:
        times = evenly(_step_s(multiscales, level), array.shape[axes.index("T")])
    return _opened(
        array,
        folder / level.path,
        axes,
        channel_names(attributes),
        multiscales.pixel_size_um(level),
        z_step_um=multiscales.step_um(level, "Z"),
        times_s=None if times is None else tuple(math.nan if time is None else float(time) for time in times),
    )


def _level(multiscales: Multiscales, path: str) -> Level:
    if not path:
        return multiscales.levels[0]
    found = [level for level in multiscales.levels if level.path == path]
    if not found:
        raise ValueError(f"it has no level {path!r} (there is {listing(one.path for one in multiscales.levels)})")
    return found[0]


def _step_s(multiscales: Multiscales, level: Level) -> float | None:
    """Give the time from time point to time point, s; a scale without a unit says nothing."""
    step, unit = multiscales.step(level, "T"), multiscales.unit("T")
    one = duration_s(unit.removesuffix("s") if unit.endswith(("seconds", "minutes", "hours", "days")) else unit)
    return None if step is None else positive(step * one)

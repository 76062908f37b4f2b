"""The tiles of each slice, as the scanner left them: folders of raw tiles, or mosaics in which a chunk is a tile."""

from __future__ import annotations

import math
import os
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar, get_args

from ...errors import DatasetNotFoundError, FileFormatError, TileReadError, listing
from ...images.oct.tile import RawTile, find_raw_tiles
from ...images.ome_zarr.listing import slice_of_name
from ...images.ome_zarr.zarr_image import ZarrImage
from ...images.region import Window
from ..ids import own_ids
from ..slice_values import id_key
from ..volumes import SliceVolume, find_volumes

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from .profile import TileVolume

_T = TypeVar("_T")

Axis = Literal["x", "y"]
"""Along which A-lines follow one another in the picture of a slice: ``"x"`` along its rows, ``"y"`` down."""
AXES: tuple[Axis, ...] = get_args(Axis)
METADATA = "galvo"
"""The attribute of a mosaic that states ``axis`` and ``n_extra``."""
RAW_AXIS: Axis = "x"
"""Of raw tiles: A-lines go along x, B-scans down."""


@dataclass(frozen=True)
class GridTile:
    """One tile of a slice.

    Parameters
    ----------
    name : str
        As messages and reports call it.
    row, column : int
        Its place in the grid of the slice.
    shape : tuple of int
        ``(Z, A-lines, B-scans)``.
    open : callable
        Gives its pixels, read when they are sliced.
    """

    name: str
    row: int
    column: int
    shape: tuple[int, int, int]
    open: Callable[[], TileVolume]


@dataclass(frozen=True)
class TileSlice:
    """All tiles of one slice.

    Parameters
    ----------
    slice_id : str
        The slice.
    path : Path
        The mosaic, or the folder that holds the raw tiles.
    kind : "raw" or "mosaic"
        Which of them it is.
    axis : "x" or "y"
        Along which A-lines follow one another in the picture.
    lines : int
        A-lines of a whole tile, those of the return included.
    n_extra : int
        A-lines of the return.
    tiles : tuple of GridTile
        Row by row.
    """

    slice_id: str
    path: Path
    kind: Literal["raw", "mosaic"]
    axis: Axis
    lines: int
    n_extra: int
    tiles: tuple[GridTile, ...]

    @cached_property
    def whole(self) -> tuple[int, ...]:
        """Tiles that have all their A-lines, by index: a mosaic's last ones may be cut short."""
        return tuple(n for n, tile in enumerate(self.tiles) if tile.shape[1] == self.lines)


TileSlices = OrderedDict[str, TileSlice]


def find_tile_slices(
    source: str | os.PathLike[str],
    *,
    axis: Axis | None = None,
    n_extra: int | None = None,
    only: Iterable[str] | None = None,
) -> TileSlices:
    """Find the tiles of each slice.

    Parameters
    ----------
    source : path-like
        A folder of raw tiles, ``tile_x<NN>_y<NN>_z<NN>``, in it or in its folders ``z<NN>``; a folder of mosaics,
        ``*z<NN>*.ome.zarr``; or one mosaic.
    axis : "x" or "y", optional
        Along which A-lines follow one another in mosaics; what their metadata say if not given. Those of raw tiles
        go along x.
    n_extra : int, optional
        A-lines of the return; what the metadata say if not given.
    only : iterable of str, optional
        Which slices, matched by number; all if not given. The others are not opened, so they may be broken.

    Returns
    -------
    OrderedDict of str to TileSlice
        By slice id, in order.

    Raises
    ------
    DatasetNotFoundError
        If there is no such folder, or it holds neither.
    FileFormatError
        Naming the mosaic or tile, if it does not say where its A-lines are, or what it says cannot be.
    TileReadError
        Naming the mosaic or tile, if it cannot be read.
    UnknownNameError
        If there are no tiles of a slice of `only`.
    """
    folder = Path(source)
    if not folder.is_dir():
        what = "it is a file, expected a folder" if folder.exists() else "there is no such folder"
        raise DatasetNotFoundError(f"{folder}: {what}")
    if axis not in (None, *AXES):
        raise FileFormatError(f"axis is {axis!r}, expected x or y")
    if is_zarr(folder):
        slice_id = slice_of_name(folder)
        if slice_id is None:
            raise FileFormatError(f"{folder}: its name does not say which slice it is, expected *z<NN>*.ome.zarr")
        chosen = _chosen({slice_id: SliceVolume(slice_id, folder)}, only)
        return OrderedDict((one, mosaic_slice(volume, axis, n_extra)) for one, volume in chosen.items())
    if raw := find_raw_tiles(folder):
        if axis not in (None, RAW_AXIS):
            raise FileFormatError(f"{folder}: A-lines of raw tiles go along {RAW_AXIS}, and axis is {axis}")
        return _raw_slices(folder, raw, n_extra, only)
    if any(is_zarr(one) for one in folder.iterdir()):
        volumes = _chosen(find_volumes(folder), only)
        return OrderedDict((one, mosaic_slice(volume, axis, n_extra)) for one, volume in volumes.items())
    raise DatasetNotFoundError(
        f"{folder}: it holds neither raw tiles (folders tile_x<NN>_y<NN>_z<NN>, in it or in folders z<NN>) nor mosaics "
        f"(*z<NN>*.ome.zarr); there is {listing(sorted(one.name for one in folder.iterdir()))}"
    )


def _chosen(found: Mapping[str, _T], only: Iterable[str] | None) -> dict[str, _T]:
    asked = set(found) if only is None else set(own_ids(found, only, "tiles"))
    return {one: tiles for one, tiles in found.items() if one in asked}


def is_zarr(path: Path) -> bool:
    """Say whether a path is named as a Zarr image is."""
    return path.suffix.lower() == ".zarr" and not path.name.startswith(".") and path.is_dir()


# --- raw tiles -----------------------------------------------------------------------------------------------
def _raw_slices(folder: Path, tiles: Iterable[RawTile], n_extra: int | None, only: Iterable[str] | None) -> TileSlices:
    by_id: dict[str, list[RawTile]] = {}
    for tile in tiles:
        by_id.setdefault(tile.place.z, []).append(tile)  # each number is written in one way
    made = (_raw_slice(folder, own, n_extra) for own in _chosen(by_id, only).values())
    return OrderedDict((one.slice_id, one) for one in sorted(made, key=lambda one: id_key(one.slice_id)))


def _raw_slice(folder: Path, tiles: list[RawTile], n_extra: int | None) -> TileSlice:
    first, info = tiles[0], tiles[0].info
    for tile in tiles[1:]:
        own = tile.info
        if (own.nx, own.n_extra) != (info.nx, info.n_extra):
            raise FileFormatError(
                f"{tile.path}: it has {own.nx} A-lines and {own.n_extra} of the return, and {first.path.name} "
                f"{info.nx} and {info.n_extra}: tiles of one slice have as many"
            )
    lines = info.nx + info.n_extra
    extra = _checked_extra(info.n_extra if n_extra is None else n_extra, lines, first.path)
    made = [
        GridTile(
            tile.path.name,
            tile.place.y,
            tile.place.x,
            (tile.info.depth, lines, tile.info.ny * tile.info.n_repeat),
            tile.volume,
        )
        for tile in sorted(tiles, key=lambda one: (one.place.y, one.place.x))
    ]
    # tiles lie in the folder itself or in one of its folders for each slice
    home = first.path.parent if {tile.path.parent for tile in tiles} == {first.path.parent} else folder
    return TileSlice(first.place.z, home, "raw", RAW_AXIS, lines, extra, tuple(made))


# --- mosaics -------------------------------------------------------------------------------------------------
def mosaic_slice(volume: SliceVolume, axis: Axis | None = None, n_extra: int | None = None) -> TileSlice:
    """Cut a mosaic into its tiles: one for each stored chunk of its plane.

    Parameters
    ----------
    volume : SliceVolume
        The mosaic, an OME-Zarr image.
    axis, n_extra
        As :func:`find_tile_slices` takes them.

    Raises
    ------
    FileFormatError, TileReadError
        As :func:`find_tile_slices` says.
    """
    path = volume.path
    if not is_zarr(path):
        raise FileFormatError(f"{path}: it is no OME-Zarr image, so it does not say where one tile ends")
    depth, height, width = volume.shape
    image = ZarrImage(path, third="Z")
    stated = _stated(image)
    axis, extra = axis or stated.get("axis"), stated.get("n_extra") if n_extra is None else n_extra
    if axis is None or extra is None:
        missing = [said for said, value in (("axis (x or y)", axis), ("n_extra", extra)) if value is None]
        raise FileFormatError(
            f'{path}: its metadata do not say where its A-lines are ("{METADATA}": {{"axis", "n_extra"}}); '
            f"state {' and '.join(missing)}"
        )
    planes, rows, columns = image.stored_chunk
    lines = columns if axis == "x" else rows
    _checked_extra(extra, lines, path)
    made = []
    for row, column in _grid(height, width, rows, columns):
        window = Window(column * columns, min(width, (column + 1) * columns), row * rows, min(height, (row + 1) * rows))
        pixels = partial(_MosaicTile, volume, window, axis, (planes, rows, columns))
        down, across = window.shape
        shape = (depth, across, down) if axis == "x" else (depth, down, across)
        made.append(GridTile(f"row {row}, column {column}", row, column, shape, pixels))
    made_slice = TileSlice(volume.slice_id, path, "mosaic", axis, lines, extra, tuple(made))
    if not made_slice.whole:
        raise FileFormatError(
            f"{path}: its chunks have {lines} A-lines, and it has none whole; a chunk is to be a tile"
        )
    return made_slice


def _grid(height: int, width: int, rows: int, columns: int) -> Iterable[tuple[int, int]]:
    return ((y, x) for y in range(math.ceil(height / rows)) for x in range(math.ceil(width / columns)))


def _stated(image: ZarrImage) -> dict[str, Any]:
    """Read what a mosaic says of its A-lines."""
    stated = image.attributes().get(METADATA) or {}
    if not isinstance(stated, dict):
        raise FileFormatError(f'{image.path}: its "{METADATA}" is {stated!r}, expected {{"axis": "x", "n_extra": 40}}')
    axis, extra = stated.get("axis"), stated.get("n_extra")
    if axis not in (None, *AXES):
        raise FileFormatError(f'{image.path}: the axis of its "{METADATA}" is {axis!r}, expected x or y')
    if extra is not None and (isinstance(extra, bool) or not isinstance(extra, int)):
        raise FileFormatError(f'{image.path}: n_extra of its "{METADATA}" is {extra!r}, expected a whole number')
    return stated


def _checked_extra(n_extra: int, lines: int, path: Path) -> int:
    if not 0 < n_extra < lines:
        raise FileFormatError(
            f"{path}: a tile has {lines} A-lines and the return {n_extra}: expected at least 1, and fewer of them"
        )
    return n_extra


class _MosaicTile:
    """A tile of a mosaic, ``(Z, A-lines, B-scans)``, read when it is sliced; its chunks are those stored."""

    def __init__(self, volume: SliceVolume, window: Window, axis: Axis, stored: tuple[int, int, int]) -> None:
        self._volume, self._window, self._along_x = volume, window, axis == "x"
        self.shape = self._turned((volume.shape[0], *window.shape))
        self.dtype: np.dtype[Any] = volume.dtype
        self.chunks = self._turned(stored)

    def _turned(self, zyx: tuple[int, int, int]) -> tuple[int, int, int]:
        z, y, x = zyx
        return (z, x, y) if self._along_x else zyx

    def __getitem__(self, index: tuple[slice, slice, slice]) -> NDArray[Any]:
        """Give the pixels of a tuple of three slices."""
        ranges = [range(*one.indices(size)) for one, size in zip(index, self.shape, strict=True)]
        if any(one.step != 1 for one in ranges):
            raise TileReadError(f"{self._volume.path}: pixels are read side by side, and not by steps")
        z, y, x = self._turned_back(ranges)
        at = self._window
        window = Window(at.x0 + x.start, at.x0 + x.stop, at.y0 + y.start, at.y0 + y.stop)
        found = self._volume.planes(z, window)
        return found.transpose(0, 2, 1) if self._along_x else found

    def _turned_back(self, ranges: list[range]) -> tuple[range, range, range]:
        z, lines, scans = ranges
        return (z, scans, lines) if self._along_x else (z, lines, scans)

"""Placement: from stage µm to whole pixels of one map's canvas, once, in float64."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain
from typing import TYPE_CHECKING

import numpy as np

from ..errors import PixelSizeUnknownError, PlacementError, TileReadError
from ..images.acquisition import StageY, TilePosition
from ..images.fov import SAME_PIXEL_SIZE, Fov
from ..images.region import LARGEST_PX, Window
from ..images.tiles.position_table import PositionTable
from .index import TileIndex
from .placing import Boxes, MadeOnce, boxes_of, round_px, usual_pixel_size

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True)
class PlacedTile:
    """One FOV on the canvas of a map.

    Parameters
    ----------
    name : str
        The FOV's name.
    window : Window
        What it covers, map px.
    ratio : float
        FOV pixels per map pixel; 1.0 where the pixel sizes are the same.
    fov : Fov or None
        ``None`` where the map names a FOV that is not on disk.
    source : str
        File and entry that placed it.
    """

    name: str
    window: Window
    ratio: float
    fov: Fov | None
    source: str = ""


@dataclass(frozen=True)
class Placement:
    """The tiles of one map on its canvas.

    Parameters
    ----------
    map_id : str
        The map.
    tiles : sequence of PlacedTile
        In painting order.
    pixel_size_um : float or None
        Size of a map px in µm; ``None`` where unknown.
    bounds_um : tuple of float or None
        ``(x_min, x_max, y_min, y_max)``, stage µm: the union of the tiles.
    stage_y : "down" or "up"
        Which way stage y grows as seen on the map.
    slice_id : str
        The slice that the map shows.
    """

    map_id: str
    tiles: Sequence[PlacedTile]
    pixel_size_um: float | None
    bounds_um: tuple[float, float, float, float] | None
    stage_y: StageY
    slice_id: str

    @cached_property
    def windows(self) -> NDArray[np.int64]:
        """``x0, x1, y0, y1`` of each tile, map px: int64 ``(N, 4)``."""
        if isinstance(self.tiles, _PlacedTiles):
            return self.tiles.boxes.windows
        numbers = chain.from_iterable(tile.window for tile in self.tiles)
        return np.fromiter(numbers, np.int64, 4 * len(self.tiles)).reshape(-1, 4)

    @property
    def names(self) -> list[str]:
        """Names of the FOVs, in painting order."""
        if isinstance(self.tiles, _PlacedTiles):
            return list(self.tiles.positions.fovs)
        return [tile.name for tile in self.tiles]

    @cached_property
    def shape(self) -> tuple[int, int]:
        """``(height, width)`` of the canvas, map px."""
        return int(self.windows[:, 3].max()), int(self.windows[:, 1].max())

    @cached_property
    def _index(self) -> TileIndex:
        return TileIndex(self.windows)

    def visible(self, window: Window) -> list[int]:
        """List the indices of the tiles that share a pixel with a window (map px), in painting order."""
        found: list[int] = self._index.touching(window).tolist()
        return found

    def stage_um(self, x: float, y: float) -> tuple[float, float]:
        """Take a point from map px to stage µm.

        Raises
        ------
        PixelSizeUnknownError
            If the map has no pixel size.
        """
        if self.pixel_size_um is None or self.bounds_um is None:
            raise PixelSizeUnknownError(f"map {self.map_id}: its pixel size is unknown, so there is no stage position")
        x_min, _, y_min, y_max = self.bounds_um
        along = y * self.pixel_size_um
        return x_min + x * self.pixel_size_um, y_max - along if self.stage_y == "up" else y_min + along


class _PlacedTiles(MadeOnce[PlacedTile]):
    """Tiles that were placed at once, each made when it is asked for."""

    def __init__(self, positions: PositionTable, boxes: Boxes, fovs: Mapping[str, Fov]) -> None:
        super().__init__(len(positions))
        self.positions, self.boxes, self._fovs = positions, boxes, fovs

    def _make(self, index: int) -> PlacedTile:
        name, window = self.positions.fovs[index], Window(*self.boxes.windows[index].tolist())
        ratio = float(self.boxes.ratios[index])
        return PlacedTile(name, window, ratio, self._fovs.get(name), self.positions.source(index))


@dataclass(frozen=True)
class _Tile:
    """A tile before placement: its box ``(left, right, low, high)`` in stage µm or in px."""

    position: TilePosition
    fov: Fov | None
    size_px: tuple[int, int]
    pixel_size_um: float | None
    box: tuple[float, float, float, float]


def place(
    map_id: str,
    positions: Sequence[TilePosition],
    fovs: Mapping[str, Fov],
    *,
    stage_y: StageY = "down",
    pixel_size_um: float | None = None,
    slice_id: str = "",
    strict: bool = False,
) -> Placement:
    """Place the FOVs of one map.

    Parameters
    ----------
    map_id : str
        The map.
    positions : sequence of TilePosition
        Of this map, in painting order; all in stage µm or all in map px.
    fovs : mapping of str to Fov
        The FOVs on disk by name.
    stage_y : "down" or "up"
        Which way stage y grows as seen on the map.
    pixel_size_um : float, optional
        Size of a map px; by default the one that most tiles have (the finest of those, if in doubt).
    slice_id : str
        The slice that the map shows; the map's id by default.
    strict : bool
        Refuse tiles of another pixel size instead of resampling them.

    Returns
    -------
    Placement

    Raises
    ------
    PlacementError
        If sizes are missing, stage and pixel positions are mixed, a tile lies so far from the others that no canvas
        holds both, or (`strict`) pixel sizes differ.
    """
    if not positions:
        raise PlacementError(f"map {map_id}: it has no tile")
    if isinstance(positions, PositionTable) and not strict:
        boxes = boxes_of(positions, stage_y, pixel_size_um)
        if boxes is not None:  # what is wrong is found, and told, tile by tile
            return Placement(
                map_id,
                _PlacedTiles(positions, boxes, fovs),
                boxes.pixel_size_um,
                boxes.bounds_um,
                stage_y if positions.in_um else "down",
                slice_id or map_id,
            )
    sizes = [_pixel_size(position, fovs.get(position.fov)) for position in positions]
    base = pixel_size_um or usual_pixel_size(Counter(size for size in sizes if size))
    # what cannot be read has the usual pixel size: the map keeps its place, and says so when its pixels are wanted
    tiles = [
        _tile(map_id, position, fovs.get(position.fov), base if size is None else size or None)
        for position, size in zip(positions, sizes, strict=True)
    ]
    in_px = {tile.position.origin_px is not None for tile in tiles}
    if len(in_px) > 1:
        raise PlacementError(f"map {map_id}: some tiles are placed in px and some in stage µm; use one of them")
    if strict:
        _refuse_odd_sizes(map_id, tiles, base)
    stage = False in in_px
    unit = base if stage and base is not None else 1.0
    left, right = min(tile.box[0] for tile in tiles), max(tile.box[1] for tile in tiles)
    low, high = min(tile.box[2] for tile in tiles), max(tile.box[3] for tile in tiles)
    # positions in map px have y downwards by their own definition
    stage_y = stage_y if stage else "down"
    placed = []
    for tile in tiles:
        ratio = _ratio(tile, base)
        y = high - tile.box[3] if stage_y == "up" else tile.box[2] - low
        found = [(tile.box[0] - left) / unit, y / unit, *(size / ratio for size in tile.size_px)]
        if not all(value <= LARGEST_PX / 2 for value in found):  # nor is what is no number
            raise PlacementError(f"map {map_id}: {tile.position.source} puts FOV {tile.position.fov} out of all bounds")
        x0, y0, width, height = map(round_px, found)
        window = Window(x0, x0 + max(1, width), y0, y0 + max(1, height))
        placed.append(PlacedTile(tile.position.fov, window, ratio, tile.fov, tile.position.source))
    if not stage:  # a tile of another pixel size covers as many map px as it is resampled to
        right = left + max(tile.window.x1 for tile in placed)
        high = low + max(tile.window.y1 for tile in placed)
    scale = 1.0 if stage else base
    bounds = None if scale is None else (left * scale, right * scale, low * scale, high * scale)
    return Placement(map_id, tuple(placed), base, bounds, stage_y, slice_id or map_id)


def _pixel_size(position: TilePosition, fov: Fov | None) -> float | None:
    """Give the pixel size in µm: 0 where the image states none, ``None`` where there is none to ask."""
    if position.pixel_size_um:
        return position.pixel_size_um
    try:
        return None if fov is None else fov.pixel_size_um or 0.0
    except TileReadError:
        return None


def _tile(map_id: str, position: TilePosition, fov: Fov | None, pixel_size: float | None) -> _Tile:
    size = position.size_px or (fov.size_px if fov else None)
    if size is None:
        raise PlacementError(f"map {map_id}: FOV {position.fov} is not on disk, and {position.source} states no size")
    if position.origin_px is not None:
        x, y = position.origin_px
        return _Tile(position, fov, size, pixel_size, (x, x + size[0], y, y + size[1]))
    if position.center_um is None:
        raise PlacementError(f"map {map_id}: {position.source} gives FOV {position.fov} no position")
    if pixel_size is None:
        raise PlacementError(
            f"map {map_id}: FOV {position.fov} lies at a stage position, but its pixel size is unknown; "
            f"state fovSizeMicrons in {position.source}, or pixel_size_um in slicemap.toml"
        )
    (x, y), half_x, half_y = position.center_um, size[0] * pixel_size / 2, size[1] * pixel_size / 2
    return _Tile(position, fov, size, pixel_size, (x - half_x, x + half_x, y - half_y, y + half_y))


def _ratio(tile: _Tile, base: float | None) -> float:
    if base is None or tile.pixel_size_um is None:
        return 1.0
    ratio = base / tile.pixel_size_um
    return 1.0 if abs(ratio - 1.0) <= SAME_PIXEL_SIZE else ratio


def _refuse_odd_sizes(map_id: str, tiles: Sequence[_Tile], base: float | None) -> None:
    for tile in tiles:
        if _ratio(tile, base) != 1.0:
            raise PlacementError(
                f"map {map_id}: FOV {tile.position.fov} has {tile.pixel_size_um:g} µm/px, the map {base:g} µm/px"
            )

"""``VirtualMap``: the tiles of one map as one picture, any part of it at any downsampling."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from ..errors import PixelSizeUnknownError, TileReadError, UnknownNameError
from ..images.area import nearest, resample, resample_nearest
from ..images.fov import Fov, ZChoice
from ..images.region import Grid, Region, Window, inside
from ..maps.placement import PlacedTile, Placement
from .cache import PlaneCache
from .channels import ChannelSettings, check_settings, hex_color
from .fov import annotation_colors, render_fov_to_array, with_alpha
from .overlap import Overlap, blend_weights, owner_of_pixels
from .overlays import Overlay
from .scene import Pixels, blank_labels, paint, stack_cells

if TYPE_CHECKING:
    from numpy.typing import NDArray

OnMissing = Literal["raise", "mark"]


@dataclass(frozen=True)
class Rendering:
    """A part of a map as a picture.

    Parameters
    ----------
    image : ndarray of uint8, (H, W, 3) or (H, W, 4)
        The picture.
    covered : ndarray of bool, (H, W)
        Which of its pixels show data.
    missing : tuple of str
        Tiles that could not be read and are hatched, with the reason.
    """

    image: NDArray[np.uint8]
    covered: NDArray[np.bool_]
    missing: tuple[str, ...]

    @property
    def empty_fraction(self) -> float:
        """The share of the picture that shows no data, 0–1."""
        return 1.0 - float(self.covered.mean())


class VirtualMap:
    """The FOVs of one map, seen as one image that is put together where it is looked at.

    Parameters
    ----------
    placement : Placement
        Where the tiles lie.
    cache : PlaneCache, optional
        Where decoded planes are kept.
    """

    def __init__(self, placement: Placement, cache: PlaneCache | None = None) -> None:
        self.placement = placement
        self.cache = cache or PlaneCache()

    def __repr__(self) -> str:
        height, width = self.shape
        return f"<VirtualMap {self.map_id}: {len(self.placement.tiles)} tiles, {width} × {height} px>"

    @property
    def map_id(self) -> str:
        """The map's id."""
        return self.placement.map_id

    @property
    def slice_id(self) -> str:
        """The slice that the map shows."""
        return self.placement.slice_id

    @property
    def shape(self) -> tuple[int, int]:
        """``(height, width)`` of the canvas in level-0 px."""
        return self.placement.shape

    @property
    def bounds(self) -> Window:
        """The whole canvas, map px."""
        height, width = self.shape
        return Window(0, width, 0, height)

    @property
    def channels(self) -> tuple[str, ...]:
        """Every channel that a tile has, in order of appearance."""
        return tuple(dict.fromkeys(c for t in self.placement.tiles if t.fov for c in t.fov.channels))

    @property
    def fov_names(self) -> list[str]:
        """Names of the FOVs on the map, in painting order."""
        return [tile.name for tile in self.placement.tiles]

    def map_bounds(self) -> tuple[float, float, float, float]:
        """Give ``(x_min, x_max, y_min, y_max)``, stage µm: the union of the tiles.

        Raises
        ------
        PixelSizeUnknownError
            If the map has no pixel size.
        """
        if self.placement.bounds_um is None:
            raise PixelSizeUnknownError(f"map {self.map_id}: its pixel size is unknown, so are its bounds in µm")
        return self.placement.bounds_um

    def base_pixel_size_um(self) -> float | None:
        """Give the size of a level-0 px in µm, or ``None`` where unknown."""
        return self.placement.pixel_size_um

    def collect_visible_tiles(self, region: Region) -> list[PlacedTile]:
        """List the tiles that share a pixel with a region (map px), in painting order."""
        return [self.placement.tiles[index] for index in self.placement.visible(region.window())]

    def locate(self, x: float, y: float, overlap: Overlap = "last") -> str | None:
        """Name the FOV that painted the pixel at a point (map px); ``None`` where no tile lies."""
        column, row = math.floor(x), math.floor(y)
        pixel = Window(column, column + 1, row, row + 1)
        owner = int(owner_of_pixels(self.placement, pixel, overlap)[0, 0])
        return None if owner < 0 else self.placement.tiles[owner].name

    def invalidate(self, fov: str) -> None:
        """Forget the pixels of a FOV, because its files changed."""
        self.cache.drop(fov)

    def render_region(
        self,
        region: Region | None,
        channel_settings: Mapping[str, ChannelSettings],
        *,
        downsample: int = 1,
        overlap: Overlap = "last",
        overlays: Sequence[Overlay] = (),
        on_missing: OnMissing = "raise",
        alpha: bool = False,
        t: int = 0,
        z: ZChoice = 0,
        levels: Literal["exact"] = "exact",
    ) -> NDArray[np.uint8]:
        """Render a part of the map; the picture alone of :meth:`render`, which see."""
        if levels != "exact":
            raise ValueError(f"levels is {levels!r}, expected 'exact': this map has no stored levels")
        return self.render(
            region,
            channel_settings,
            downsample=downsample,
            overlap=overlap,
            overlays=overlays,
            on_missing=on_missing,
            alpha=alpha,
            t=t,
            z=z,
        ).image

    def render(
        self,
        region: Region | None,
        channel_settings: Mapping[str, ChannelSettings],
        *,
        downsample: int = 1,
        overlap: Overlap = "last",
        overlays: Sequence[Overlay] = (),
        on_missing: OnMissing = "raise",
        alpha: bool = False,
        background: str = "#000000",
        t: int = 0,
        z: ZChoice = 0,
    ) -> Rendering:
        """Render a part of the map.

        The raw channels are assembled by the overlap rule, averaged over the cells of a grid that starts at the
        map's corner, composited once, and then drawn over. Rendering a region equals cropping the rendering of
        the whole map at the same downsampling.

        Parameters
        ----------
        region : Region or None
            Map px, half-open; ``None`` for the whole map. Fractional bounds go outward to whole pixels, once.
            What lies beyond the map is background.
        channel_settings : mapping of str to ChannelSettings
            How each channel is shown.
        downsample : int
            Size of an output px in map px, at least 1.
        overlap : "last", "first", "nearest-centre" or "blend"
            Who paints where tiles overlap.
        overlays : sequence of Overlay
            Annotations, masks and shapes to draw.
        on_missing : "raise" or "mark"
            What to do about a tile that cannot be read: fail, or hatch it and report it.
        alpha : bool
            Add an alpha channel that is 0 where no tile lies.
        background : str
            Colour where no tile lies.
        t : int
            Time point.
        z : int or "max" or "mean"
            Plane or projection.

        Returns
        -------
        Rendering
            ``ceil(x_max / d) − floor(x_min / d)`` columns, rows alike.

        Raises
        ------
        RegionError
            If the region lies wholly outside the map.
        TileReadError, UnknownNameError
            Naming the FOV that cannot be read or lacks a channel or mask (``on_missing="raise"``).
        """
        check_settings(channel_settings)
        window = self.bounds if region is None else inside(region, self.bounds, f"map {self.map_id}")
        grid = Grid(downsample)
        cells = grid.cells(window)
        scene = _MapScene(self, overlap, on_missing, t, z, grid.pixels(cells))
        painted = paint(scene, channel_settings, cells, grid, overlays, background=hex_color(background))
        image = with_alpha(painted.image, painted.covered) if alpha else painted.image
        return Rendering(image, painted.covered, tuple((scene.unlabelled | scene.failures).values()))

    def read_stack(
        self,
        channels: Sequence[str],
        cells: Window,
        grid: Grid,
        *,
        overlap: Overlap = "last",
        on_missing: OnMissing = "raise",
        t: int = 0,
        z: ZChoice = 0,
    ) -> NDArray[Any]:
        """Read channels of cells of any grid, uncomposited, as a viewer wants them.

        Parameters
        ----------
        channels : sequence of str
            Which channels.
        cells : Window
            Cells of `grid`; they may reach beyond the map.
        grid : Grid
            Step and origin in map px.
        overlap, on_missing, t, z
            As for :meth:`render`; a tile marked as missing reads as 0.

        Returns
        -------
        ndarray, (C, h, w)
            Source dtype at step 1, float32 above; 0 where no tile lies.
        """
        return stack_cells(_MapScene(self, overlap, on_missing, t, z, grid.pixels(cells)), channels, cells, grid)

    def read_labels(
        self, name: str, cells: Window, grid: Grid, *, on_missing: OnMissing = "raise"
    ) -> NDArray[np.int64]:
        """Read a mask's labels of cells of any grid, as a viewer wants them.

        Parameters
        ----------
        name : str
            The mask.
        cells : Window
            Cells of `grid`; they may reach beyond the map.
        grid : Grid
            Step and origin in map px.
        on_missing : "raise" or "mark"
            What to do about a FOV without that mask: fail, or leave it blank.

        Returns
        -------
        ndarray of int64, (h, w)
            0 is background. FOVs number their cells apart.
        """
        made = np.zeros(cells.shape, np.int64)
        inner = cells & grid.cells(self.bounds)
        if not inner.empty:
            window = grid.pixels(inner) & self.bounds
            labels = _MapScene(self, "last", on_missing, 0, 0, window).labels("mask", name, window)
            made[inner.slices_in(cells)] = np.maximum(nearest(labels, window, grid), 0)
        return made


@dataclass
class _MapScene:
    """A map as a scene, for one rendering: remembers which tiles could not be read."""

    map: VirtualMap
    overlap: Overlap
    on_missing: OnMissing
    t: int
    z: ZChoice
    asked: Window  # map px of the picture: outlines look beyond them, where a missing tile is no fault
    failures: dict[int, str] = field(default_factory=dict)
    unlabelled: dict[int, str] = field(default_factory=dict)

    @property
    def bounds(self) -> Window:
        return self.map.bounds

    def owners(self, window: Window) -> NDArray[np.int32]:
        return owner_of_pixels(self.map.placement, window, self.overlap)

    def unreadable(self) -> frozenset[int]:
        return frozenset(self.failures)

    def pixels(self, channels: Sequence[str], window: Window) -> Pixels:
        owner = self.owners(window)
        if not channels:  # all are invisible
            return Pixels(np.zeros((0, *window.shape), np.uint8), owner)
        if self.overlap == "blend":
            return Pixels(self._blended(channels, window), owner)
        parts = []
        for index in self.map.placement.visible(window):
            shared = self.map.placement.tiles[index].window & window
            mine = owner[shared.slices_in(window)] == index
            if mine.any() and (stack := self._tile_stack(index, channels, shared)) is not None:
                parts.append((shared.slices_in(window), mine, stack))
        dtype = np.result_type(*{stack.dtype for *_, stack in parts}) if parts else np.dtype(np.float32)
        made = np.zeros((len(channels), *window.shape), dtype)
        for (rows, cols), mine, stack in parts:
            made[:, rows, cols][:, mine] = stack[:, mine]
        return Pixels(made, owner)

    def _blended(self, channels: Sequence[str], window: Window) -> NDArray[np.float32]:
        total = np.zeros((len(channels), *window.shape))
        weight = np.zeros((len(channels), *window.shape))
        for index in self.map.placement.visible(window):
            tile = self.map.placement.tiles[index].window
            shared = tile & window
            stack = self._tile_stack(index, channels, shared)
            if stack is None:
                continue
            rows, cols = shared.slices_in(window)
            share = np.where(np.isnan(stack), 0.0, blend_weights(tile, shared))
            total[:, rows, cols] += (
                np.nan_to_num(stack.astype(np.float64), nan=0.0, posinf=np.inf, neginf=-np.inf) * share
            )
            weight[:, rows, cols] += share
        # where every tile is NaN, so is the mean
        mean = np.divide(total, weight, out=np.full_like(total, np.nan), where=weight > 0)
        made: NDArray[np.float32] = mean.astype(np.float32)
        return made

    def _tile_stack(self, index: int, channels: Sequence[str], shared: Window) -> NDArray[Any] | None:
        """Read ``(C, H, W)`` of a part of a tile on the map's grid; ``None`` if it failed and is to be marked."""
        tile = self.map.placement.tiles[index]
        try:
            return self._read_tile(tile, channels, shared)
        except (TileReadError, UnknownNameError) as error:
            if self.on_missing == "raise":
                raise
            self.failures[index] = str(error)
            return None

    def _read_tile(self, tile: PlacedTile, channels: Sequence[str], shared: Window) -> NDArray[Any]:
        fov = _fov_of(tile, self.map.map_id)
        local = shared.shifted(-tile.window.x0, -tile.window.y0)
        settings = dict.fromkeys(channels, _ANY)
        if tile.ratio == 1.0:
            return render_fov_to_array(
                fov, settings, region=local.region, composite=False, t=self.t, z=self.z, cache=self.map.cache
            )
        whole = render_fov_to_array(fov, settings, composite=False, t=self.t, z=self.z, cache=self.map.cache)
        rows, cols = local.slices_in(Window(0, 0, 0, 0))
        return resample(whole, tile.ratio, tile.window.shape)[:, rows, cols]

    def labels(self, kind: Literal["mask", "annotation"], name: str, window: Window) -> NDArray[np.int64]:
        made, owner = blank_labels(window), self.owners(window)
        for index in self.map.placement.visible(window):
            tile = self.map.placement.tiles[index]
            shared = tile.window & window
            mine = owner[shared.slices_in(window)] == index
            if mine.any() and (labels := self._tile_labels(index, kind, name, shared)) is not None:
                made[shared.slices_in(window)][mine] = labels[mine]
        return made

    def _tile_labels(
        self, index: int, kind: Literal["mask", "annotation"], name: str, shared: Window
    ) -> NDArray[Any] | None:
        tile = self.map.placement.tiles[index]
        local = shared.shifted(-tile.window.x0, -tile.window.y0)
        try:
            fov = _fov_of(tile, self.map.map_id)
            if tile.ratio == 1.0:
                return fov.read_labels(kind, name, local)
            whole = fov.read_labels(kind, name, fov.bounds)
        except (TileReadError, UnknownNameError) as error:
            if (tile.window & self.asked).empty:
                return None
            if self.on_missing == "raise":
                raise
            self.unlabelled[index] = str(error)  # the pixels are there: no reason to hatch them
            return None
        return resample_nearest(whole, tile.ratio, tile.window.shape)[local.slices_in(Window(0, 0, 0, 0))]

    def colors(self, name: str, tile: int) -> dict[int, str]:
        if tile in self.failures or tile in self.unlabelled:
            return {}
        return annotation_colors(_fov_of(self.map.placement.tiles[tile], self.map.map_id), name)


# channels read uncomposited have no look; the settings only name them
_ANY = ChannelSettings("#ffffff", (0.0, 1.0))


def _fov_of(tile: PlacedTile, map_id: str) -> Fov:
    if tile.fov is None:
        raise TileReadError(f"FOV {tile.name}: map {map_id} names it ({tile.source}), but it is not on disk")
    return tile.fov

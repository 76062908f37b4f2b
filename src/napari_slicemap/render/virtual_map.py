"""``VirtualMap``: the tiles of one map as one picture, any part of it at any downsampling."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypedDict, Unpack

import numpy as np

from ..errors import PixelSizeUnknownError
from ..images.cache import ChunkCache
from ..images.fov import ZChoice
from ..images.region import Grid, Region, Window, inside
from ..maps.placement import PlacedTile, Placement
from .channels import ChannelSettings, check_settings, hex_color
from .map_scene import MapScene
from .map_scene import OnMissing as OnMissing
from .overlap import Overlap, empty_fraction, owner_of_pixels
from .overlays import Overlay
from .picture import Picture
from .scene import nearest_cells, paint, stack_cells
from .stored import StoredLevels

if TYPE_CHECKING:
    from numpy.typing import NDArray

Levels = Literal["exact", "stored"]


class RenderOptions(TypedDict, total=False):
    """What :meth:`VirtualMap.picture` can be told by keyword."""

    downsample: int
    overlap: Overlap
    overlays: Sequence[Overlay]
    on_missing: OnMissing
    alpha: bool
    background: str
    t: int
    z: ZChoice
    levels: Levels


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
    cache : ChunkCache, optional
        Where decoded chunks are kept.
    stored : StoredLevels, optional
        Coarse levels of this map.
    """

    def __init__(
        self, placement: Placement, cache: ChunkCache | None = None, stored: StoredLevels | None = None
    ) -> None:
        self.placement = placement
        self.cache = ChunkCache() if cache is None else cache
        self.stored = stored

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
        return self.placement.names

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
        found = next((tile.fov for tile in self.placement.tiles if tile.name == fov and tile.fov), None)
        if found is not None:
            self.cache.drop({plane.path for plane in found.all_planes()})
        if self.stored is not None:
            self.stored.forget()

    def render_region(
        self,
        region: Region | None,
        channel_settings: Mapping[str, ChannelSettings],
        **options: Unpack[RenderOptions],
    ) -> NDArray[np.uint8]:
        """Render a part of the map: uint8 ``(H, W, 3)``, or ``(H, W, 4)`` with ``alpha=True``.

        See :meth:`picture` for the parameters and what is raised; by default what it names is ``downsample=1``,
        ``overlap="last"``, ``overlays=()``, ``on_missing="raise"``, ``alpha=False``, ``background="#000000"``,
        ``t=0``, ``z=0``, ``levels="exact"``.
        """
        return self.picture(region, channel_settings, **options).array()

    def render(
        self,
        region: Region | None,
        channel_settings: Mapping[str, ChannelSettings],
        **options: Unpack[RenderOptions],
    ) -> Rendering:
        """Render a part of the map, and say what of it shows data and what could not be read; see :meth:`picture`."""
        with_alpha: RenderOptions = {**options, "alpha": True}
        picture = self.picture(region, channel_settings, **with_alpha)
        rgba = picture.array()
        image = rgba if options.get("alpha") else rgba[..., :3]
        return Rendering(image, rgba[..., 3] > 0, tuple(picture.missing))

    def picture(
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
        levels: Levels = "exact",
    ) -> Picture:
        """Give a part of the map as a picture that is painted when its rows are asked for.

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
        levels : "exact" or "stored"
            Read the tiles, or coarse levels where they are kept and fit: at their own steps the same to rounding,
            and nearly so at multiples of them. Where there are none, the tiles are read.

        Returns
        -------
        Picture
            ``ceil(x_max / d) − floor(x_min / d)`` columns, rows alike. Painting it may raise, too.

        Raises
        ------
        RegionError
            If the region lies wholly outside the map.
        TileReadError, UnknownNameError
            Naming the FOV that cannot be read or lacks a channel or mask (``on_missing="raise"``).
        """
        check_settings(channel_settings)
        window = self.bounds if region is None else inside(region, self.bounds, f"map {self.map_id}")
        grid, color = Grid(downsample), hex_color(background)
        cells = grid.cells(window)
        shown = [name for name, one in channel_settings.items() if one.visible]
        scene = self._scene(grid, cells, shown, overlap, on_missing, t, z, levels)

        def rows(top: int, bottom: int) -> NDArray[np.uint8]:
            band = Window(cells.x0, cells.x1, cells.y0 + top, cells.y0 + bottom)
            rgba = paint(scene, channel_settings, band, grid, overlays, background=color)
            return rgba if alpha else rgba[..., :3]

        height, width = cells.shape
        return Picture(
            shape=(height, width, 4 if alpha else 3),
            paint=rows,
            empty_fraction=empty_fraction(self.placement, cells, grid),
            missing=scene.missing,
            level=scene.stored_step(),
        )

    def _scene(
        self,
        grid: Grid,
        cells: Window,
        channels: Sequence[str],
        overlap: Overlap = "last",
        on_missing: OnMissing = "raise",
        t: int = 0,
        z: ZChoice = 0,
        levels: Levels = "exact",
    ) -> MapScene:
        if levels not in ("exact", "stored"):
            raise ValueError(f"levels is {levels!r}, expected exact or stored")
        level = None
        if levels == "stored" and self.stored is not None and (self.stored.overlap, t, z) == (overlap, 0, 0):
            level = self.stored.fitting(math.gcd(grid.step, grid.x0, grid.y0), channels)
        return MapScene(self.placement, self.cache, overlap, on_missing, t, z, grid.pixels(cells), level)

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
        levels: Levels = "exact",
        missing: dict[str, str] | None = None,
    ) -> NDArray[Any]:
        """Read channels of cells of any grid, uncomposited, as a viewer or a data file wants them.

        Parameters
        ----------
        channels : sequence of str
            Which channels.
        cells : Window
            Cells of `grid`; they may reach beyond the map.
        grid : Grid
            Step and origin in map px.
        overlap, on_missing, t, z, levels
            As for :meth:`picture`; a tile marked as missing reads as 0.
        missing : dict of str to str, optional
            Where the FOVs that could not be read, and why, are put.

        Returns
        -------
        ndarray, (C, h, w)
            Source dtype at step 1, float32 above; 0 where no tile lies.
        """
        scene = self._scene(grid, cells, channels, overlap, on_missing, t, z, levels)
        stack = stack_cells(scene, channels, cells, grid)
        if missing is not None:
            missing |= scene.reasons()
        return stack

    def pixel_dtype(
        self, channels: Sequence[str], cells: Window, grid: Grid, *, overlap: Overlap = "last", z: ZChoice = 0
    ) -> np.dtype[Any]:
        """Give the dtype that holds what :meth:`read_stack` gives, for any part of some cells."""
        if grid.step > 1:
            return np.dtype(np.float32)
        scene = self._scene(grid, cells, channels, overlap, "mark", 0, z)
        return scene.dtype(channels, self.placement.visible(grid.pixels(cells)))

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
            scene = self._scene(grid, cells, (), on_missing=on_missing)
            labels = nearest_cells(lambda window: scene.labels("mask", name, window), inner, grid, self.bounds)
            made[inner.slices_in(cells)] = np.maximum(labels, 0)
        return made

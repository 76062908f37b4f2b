"""Maps side by side on one canvas: each slice is a page, at its place in stage µm."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from ..dataset import Dataset
from ..images.acquisition import TilePosition
from ..images.region import Grid, Window
from ..maps.placement import place
from ..render.virtual_map import VirtualMap
from ..rois.frames import Frame

_MOST_STRETCHED = 16
"""FOVs share a canvas in µm where the coarsest pixel is at most this many times the finest."""


@dataclass(frozen=True)
class Page:
    """One map (or, where a dataset has no maps, one FOV) on the canvas.

    Parameters
    ----------
    map : VirtualMap
        On the canvas's pixel grid.
    fov : str
        The FOV that the page shows alone; empty for a map.
    dx, dy : int
        Where the map's corner lies on the canvas, canvas px.
    scale : float
        Canvas px per px of the map as the dataset has it.
    """

    map: VirtualMap
    fov: str
    dx: int
    dy: int
    scale: float

    @property
    def title(self) -> str:
        """What the page is called."""
        if self.fov:
            return f"FOV {self.fov}"
        same = self.map.slice_id == self.map.map_id
        return f"slice {self.map.slice_id}" + ("" if same else f" · map {self.map.map_id}")

    @property
    def frame(self) -> Frame:
        """What an ROI on the page is drawn on."""
        return Frame(fov=self.fov) if self.fov else Frame(map_id=self.map.map_id)

    @property
    def window(self) -> Window:
        """What the page covers of the canvas, canvas px."""
        return self.map.bounds.shifted(self.dx, self.dy)

    def grid(self, step: int) -> Grid:
        """Give the canvas's cells of `step` px in the map's own px."""
        return Grid(step, -self.dx, -self.dy)

    def to_canvas(self, x: float, y: float) -> tuple[float, float]:
        """Take a point from px of the map (or FOV) to canvas px."""
        return x * self.scale + self.dx, y * self.scale + self.dy


@dataclass(frozen=True)
class Pages:
    """All pages and the canvas they share.

    Parameters
    ----------
    pages : tuple of Page
        In the order of the slider.
    pixel_size_um : float or None
        Size of a canvas px, µm; ``None`` where the pixel size of a map (or FOV) is unknown, or where those of FOVs
        differ too much. Pages then share a corner.
    corner_um : tuple of float
        World ``(y, x)`` of the canvas's corner: stage µm, y turned over where the stage points up.
    """

    pages: tuple[Page, ...]
    pixel_size_um: float | None
    corner_um: tuple[float, float]

    @property
    def shape(self) -> tuple[int, int, int]:
        """``(pages, height, width)`` in canvas px."""
        return (
            len(self.pages),
            max(page.window.y1 for page in self.pages),
            max(page.window.x1 for page in self.pages),
        )

    @property
    def scale(self) -> tuple[float, float, float]:
        """World units per data unit: pages, µm, µm (px where the pixel size is unknown)."""
        size = self.pixel_size_um or 1.0
        return 1.0, size, size

    @property
    def translate(self) -> tuple[float, float, float]:
        """World position of the centre of the first px."""
        size = self.pixel_size_um or 1.0
        return 0.0, self.corner_um[0] + size / 2, self.corner_um[1] + size / 2

    @property
    def units(self) -> tuple[str, str, str]:
        """Unit of each axis, for napari."""
        unit = "pixel" if self.pixel_size_um is None else "micrometer"
        return "pixel", unit, unit

    def index_of(self, map_id: str) -> int:
        """Give the number of a map's page, -1 if it has none."""
        found = (n for n, page in enumerate(self.pages) if not page.fov and page.map.map_id == map_id)
        return next(found, -1)


def pages_of(dataset: Dataset) -> Pages:
    """Lay out the maps of a dataset; where it has none, its FOVs one after the other.

    Raises
    ------
    PlacementError, TileReadError
        If a FOV's size cannot be told.
    """
    if not dataset.maps:
        size = _common_size({fov.pixel_size_um for fov in dataset.distinct_fovs})
        return Pages(tuple(_fov_page(dataset, name, size) for name in dataset.fovs), size, (0.0, 0.0))
    sizes = [one.base_pixel_size_um() for one in dataset.maps.values()]
    known = [size for size in sizes if size is not None]
    if len(known) < len(sizes):
        return Pages(tuple(Page(one, "", 0, 0, 1.0) for one in dataset.maps.values()), None, (0.0, 0.0))
    size = min(known)
    corners = {map_id: _corner(one) for map_id, one in dataset.maps.items()}
    top, left = min(y for y, _ in corners.values()), min(x for _, x in corners.values())
    pages = tuple(
        Page(
            map=dataset.map_at(map_id, size),
            fov="",
            dx=round((corners[map_id][1] - left) / size),
            dy=round((corners[map_id][0] - top) / size),
            scale=(one.base_pixel_size_um() or size) / size,
        )
        for map_id, one in dataset.maps.items()
    )
    return Pages(pages, size, (top, left))


def _corner(one: VirtualMap) -> tuple[float, float]:
    """Give the world ``(y, x)`` of a map's top-left corner; world y always grows downwards."""
    x_min, _, y_min, y_max = one.map_bounds()
    return (-y_max if one.placement.stage_y == "up" else y_min), x_min


def _fov_page(dataset: Dataset, name: str, size: float | None) -> Page:
    """Give the page of a FOV alone, on a canvas whose pixels are of a size (µm), or are its own."""
    own = dataset.fovs[name].pixel_size_um
    alone = TilePosition(name, name, f"FOV {name}", origin_px=(0, 0), pixel_size_um=own)
    shown = VirtualMap(place(name, [alone], dataset.fovs, pixel_size_um=size), dataset.cache)
    return Page(shown, name, 0, 0, 1.0 if own is None or size is None else own / size)


def _common_size(sizes: Collection[float | None]) -> float | None:
    """Give the size of pixel (µm) that FOVs can be shown at side by side; ``None`` if only their own pixels will do."""
    known = [size for size in sizes if size is not None]
    if not known or len(known) < len(sizes) or max(known) > _MOST_STRETCHED * min(known):
        return None
    return min(known)

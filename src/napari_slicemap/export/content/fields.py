"""Where pixels are read from: cells of a FOV or of a map, to a data format alike."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from ...dataset import Dataset
from ...errors import RegionError, SlicemapError
from ...images.fov import Fov, ZChoice
from ...images.region import Grid, Window, inside
from ...render.channels import ChannelSettings
from ...render.fov import render_fov_to_array
from ...render.scene import nearest_cells
from ...render.virtual_map import VirtualMap
from ..choosing.items import ExportItem
from ..plan import ExportPlan

if TYPE_CHECKING:
    from numpy.typing import NDArray

# channels read uncomposited have no look; the settings only name them
_ANY = ChannelSettings("#ffffff", (0.0, 1.0))


class Field(Protocol):
    """What pixels are read from: cells of a FOV or of a map."""

    @property
    def cells(self) -> Window:
        """The cells of the output, of the grid that belongs to the FOV or map."""

    @property
    def times(self) -> int:
        """Number of time points."""

    @property
    def depth(self) -> int:
        """Number of planes."""

    @property
    def times_s(self) -> tuple[float, ...] | None:
        """Of each time point, s, if known."""

    @property
    def z_step_um(self) -> float | None:
        """From plane to plane, µm, if known."""

    @property
    def notes(self) -> tuple[str, ...]:
        """What the reader of the output should know."""

    def dtype(self, channels: Sequence[str], z: ZChoice | str) -> np.dtype[Any]:
        """Give what holds the pixels of some channels."""

    def read(self, channel: str, cells: Window, t: int, z: Any) -> NDArray[Any]:
        """Read cells of one plane ``(h, w)``; 0 where nothing lies."""

    def read_labels(self, name: str, cells: Window) -> NDArray[Any]:
        """Read cells of a mask: int64 ``(h, w)``; 0 where nothing lies."""

    def position_um(self) -> tuple[float, float] | None:
        """Give the centre of the first cell, stage µm, if known."""


def field_of(item: ExportItem, plan: ExportPlan, dataset: Dataset, unread: dict[str, str]) -> Field:
    """Give what an item's pixels are read from.

    Parameters
    ----------
    item : ExportItem
        On a FOV or a map.
    plan : ExportPlan
        What to do about tiles that cannot be read.
    dataset : Dataset
        Where they are.
    unread : dict of str to str
        Where FOVs that could not be read, and why, are put.

    Returns
    -------
    Field

    Raises
    ------
    RegionError
        If the item lies wholly outside the data.
    """
    if item.fov:
        return _OnFov.of(item, dataset)
    one = dataset.maps[item.map_id]
    window = one.bounds if item.region is None else inside(item.region, one.bounds, f"map {item.map_id}")
    grid = Grid(item.downsample)
    return _OnMap(item, plan, dataset, one, grid, grid.cells(window), unread)


@dataclass(frozen=True)
class _OnFov:
    """Cells of a FOV; beyond it they are 0."""

    fov: Fov
    dataset: Dataset
    grid: Grid
    cells: Window
    notes: tuple[str, ...]

    @classmethod
    def of(cls, item: ExportItem, dataset: Dataset) -> _OnFov:
        fov = dataset.fovs[item.fov]
        window = fov.bounds if item.region is None else inside(item.region, fov.bounds, f"FOV {fov.name}")
        crop = item.kind == "cell"
        # crops of one size must stay of one size, wherever their centre falls on the FOV's grid
        grid = Grid(item.downsample, *((window.x0, window.y0) if crop else (0, 0)))
        beyond = (window & fov.bounds) != window
        what = "padded with 0" if crop else "cut at its edge"
        notes = (f"reaches beyond FOV {fov.name}; {what}",) if beyond else ()
        cells = grid.cells(window if crop else window & fov.bounds)
        return cls(fov, dataset, grid, cells, notes)

    @property
    def times(self) -> int:
        return self.fov.shape[0]

    @property
    def depth(self) -> int:
        return self.fov.shape[2]

    @property
    def times_s(self) -> tuple[float, ...] | None:
        return self.fov.times_s

    @property
    def z_step_um(self) -> float | None:
        return self.fov.z_step_um

    def dtype(self, channels: Sequence[str], z: Any) -> np.dtype[Any]:
        return np.dtype(np.float32) if self.grid.step > 1 else self.fov.pixel_dtype(channels, z)

    def read(self, channel: str, cells: Window, t: int, z: Any) -> NDArray[Any]:
        window = self.grid.pixels(cells)
        if (window & self.fov.bounds).empty:
            return np.zeros(cells.shape, self.dtype([channel], z))
        stack: NDArray[Any] = render_fov_to_array(
            self.fov,
            {channel: _ANY},
            region=window.region,
            composite=False,
            downsample=self.grid.step,
            grid_origin=(self.grid.x0, self.grid.y0),
            pad=True,
            t=t,
            z=z,
            cache=self.dataset.cache,
        )
        plane: NDArray[Any] = stack[0]
        return plane

    def read_labels(self, name: str, cells: Window) -> NDArray[Any]:
        made = np.zeros(cells.shape, np.int64)
        inner = cells & self.grid.cells(self.fov.bounds)
        if not inner.empty:
            made[inner.slices_in(cells)] = nearest_cells(
                lambda window: self.fov.read_labels("mask", name, window, cache=self.dataset.cache),
                inner,
                self.grid,
                self.fov.bounds,
            )
        return made

    def position_um(self) -> tuple[float, float] | None:
        owner = self.dataset.map_of(self.fov.name)
        if owner is None or owner.base_pixel_size_um() is None:
            return None
        tile = next(tile for tile in owner.placement.tiles if tile.name == self.fov.name)
        corner, half = self.grid.pixels(self.cells), self.grid.step / 2
        return owner.placement.stage_um(
            tile.window.x0 + (corner.x0 + half) / tile.ratio, tile.window.y0 + (corner.y0 + half) / tile.ratio
        )


@dataclass(frozen=True)
class _OnMap:
    """Cells of a map; where no tile lies they are 0."""

    item: ExportItem
    plan: ExportPlan
    dataset: Dataset
    map: VirtualMap
    grid: Grid
    cells: Window
    unread: dict[str, str]

    @property
    def _fovs(self) -> list[Fov]:
        region = self.grid.pixels(self.cells).region
        return [tile.fov for tile in self.map.collect_visible_tiles(region) if tile.fov]

    def _first(self) -> Fov:
        for fov in self._fovs:
            try:
                _ = fov.shape
            except SlicemapError:  # it is told by name when its pixels are read
                continue
            return fov
        raise RegionError(f"map {self.map.map_id}: no tile that can be read lies in the region")

    @property
    def times(self) -> int:
        return self._first().shape[0]

    @property
    def depth(self) -> int:
        return self._first().shape[2]

    @property
    def times_s(self) -> tuple[float, ...] | None:
        return self._first().times_s

    @property
    def z_step_um(self) -> float | None:
        return self._first().z_step_um

    @property
    def notes(self) -> tuple[str, ...]:
        return ()

    def dtype(self, channels: Sequence[str], z: Any) -> np.dtype[Any]:
        return self.map.pixel_dtype(
            channels, self.cells, self.grid, overlap=self.dataset.project.overlap, z=0 if z == "all" else z
        )

    def read(self, channel: str, cells: Window, t: int, z: Any) -> NDArray[Any]:
        stack = self.map.read_stack(
            [channel],
            cells,
            self.grid,
            overlap=self.dataset.project.overlap,
            on_missing=self.plan.on_missing,
            t=t,
            z=z,
            missing=self.unread,
        )
        plane: NDArray[Any] = stack[0]
        return plane

    def read_labels(self, name: str, cells: Window) -> NDArray[Any]:
        return self.map.read_labels(name, cells, self.grid, on_missing=self.plan.on_missing)

    def position_um(self) -> tuple[float, float] | None:
        if self.map.base_pixel_size_um() is None:
            return None
        corner, half = self.grid.pixels(self.cells), self.grid.step / 2
        return self.map.placement.stage_um(corner.x0 + half, corner.y0 + half)

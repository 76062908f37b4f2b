"""One item to the pixels themselves, uncomposited: what the data formats take."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from ...dataset import Dataset
from ...errors import PlanError, RegionError, SlicemapError
from ...images.fov import Fov, ZChoice
from ...images.region import Grid, Window, inside
from ...images.source import ImageSource
from ...render.channels import ChannelSettings
from ...render.fov import render_fov_to_array
from ...render.profile import Profile
from ...render.scene import nearest_cells
from ...render.virtual_map import VirtualMap
from ..choosing.items import ExportItem
from ..plan import ExportPlan
from .clip import inside_rows
from .inputs import channels_of, sources_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

# channels read uncomposited have no look; the settings only name them
_ANY = ChannelSettings("#ffffff", (0.0, 1.0))


@dataclass(frozen=True)
class PixelData:
    """The pixels of an item, read while they are written.

    Parameters
    ----------
    source : ImageSource
        The pixels, and what a file should say of them.
    notes : tuple of str
        What the reader of the file should know, as far as it is known before the pixels are read.
    sources : tuple of Path
        Files of images and labels they may have been read from.
    provenance : mapping
        How it was made: what a writer embeds.
    unread : dict of str to str
        FOVs that could not be read and are 0, and why; complete once all was read.
    told : list of str
        What a writer could not keep; complete once all was written.
    """

    source: ImageSource
    notes: tuple[str, ...] = ()
    sources: tuple[Path, ...] = ()
    provenance: Mapping[str, Any] = field(default_factory=dict)
    unread: dict[str, str] = field(default_factory=dict)
    told: list[str] = field(default_factory=list)

    @property
    def level(self) -> int:
        """1: the pixels themselves are read."""
        return 1

    @property
    def shape(self) -> tuple[int, ...]:
        """``(T, C, Z, Y, X)``."""
        return self.source.shape

    @property
    def pixel_size_um(self) -> float | None:
        """Of a px, µm."""
        return self.source.pixel_size_um

    @property
    def missing(self) -> tuple[str, ...]:
        """Tiles that could not be read and are 0; complete once all was read."""
        return tuple(self.unread.values())

    @property
    def warnings(self) -> tuple[str, ...]:
        """What the reader of the file should know; complete once all was written."""
        return (*(f"not readable: {reason}" for reason in self.missing), *self.notes, *dict.fromkeys(self.told))

    def tell(self, warning: str) -> None:
        """Note what a format has no place for; for writers."""
        self.told.append(warning)


def read_item(item: ExportItem, plan: ExportPlan, profile: Profile, dataset: Dataset) -> PixelData:
    """Give the pixels of one item of a plan: the channels of the profile as the microscope left them.

    Parameters
    ----------
    item : ExportItem
        The item; a stack along slices has its slices along Z.
    plan : ExportPlan
        Masks that it names become labels; scale bar, caption and shapes have no place in data.
    profile : Profile
        Which channels, in which order, and how a viewer may show them.
    dataset : Dataset
        Where the pixels are.

    Returns
    -------
    PixelData
        Source dtype at downsample 1, float32 above; 0 where there is no tile and outside a clipped shape.

    Raises
    ------
    SlicemapError
        Naming what could not be read or found.
    """
    settings = channels_of(item, profile)
    unread: dict[str, str] = {}
    fields = [_field(member, plan, dataset, unread) for member in item.members or (item,)]
    first = fields[0]
    height, width = first.cells.shape
    if item.members:
        times, depth = 1, len(fields)
    else:
        times = first.times if plan.t == "all" or item.kind == "stack" else 1
        depth = first.depth if plan.z == "all" else 1
    names = list(settings)

    def choice(t: int, z: int) -> tuple[_Field, int, ZChoice]:
        if item.members:
            return fields[z], _one(plan.t, "t"), _plane(plan.z)
        return first, t if times > 1 or plan.t == "all" else _one(plan.t, "t"), z if plan.z == "all" else plan.z

    shape = _shape(item, first)

    def read(t: int, c: int, z: int, top: int, bottom: int) -> NDArray[Any]:
        one, time, plane = choice(t, z)
        band = Window(one.cells.x0, one.cells.x1, one.cells.y0 + top, one.cells.y0 + bottom)
        made = one.read(names[c], band, time, plane).astype(dtype, copy=False)
        return made if shape is None else np.where(inside_rows(shape, top, bottom, width), made, 0)

    def labels(name: str) -> Callable[[int, int, int, int], NDArray[Any]]:
        def read_labels(t: int, z: int, top: int, bottom: int) -> NDArray[Any]:  # noqa: ARG001 - masks have no times
            one = fields[z] if item.members else first
            band = Window(one.cells.x0, one.cells.x1, one.cells.y0 + top, one.cells.y0 + bottom)
            found = one.read_labels(name, band)
            return found if shape is None else np.where(inside_rows(shape, top, bottom, width), found, 0)

        return read_labels

    dtype = np.result_type(*{one.dtype(names, plan.z) for one in fields})
    source = ImageSource(
        name=item.stem,
        shape=(times, len(names), depth, height, width),
        dtype=dtype,
        channels=tuple(names),
        read=read,
        pixel_size_um=item.output_pixel_size_um,
        z_step_um=dataset.project.slice_thickness_um if item.members else (first.z_step_um if depth > 1 else None),
        times_s=first.times_s if times > 1 else None,
        position_um=first.position_um(),
        labels={name: labels(name) for name in plan.overlays.masks},
        settings={name: _look(one) for name, one in settings.items()},
    )
    notes = tuple(dict.fromkeys(note for one in fields for note in one.notes))
    files = tuple(dict.fromkeys(path for one in fields for path in one.sources))
    return PixelData(source, notes, files, unread=unread)


def _one(t: int | str, axis: str) -> int:
    if isinstance(t, str):
        raise PlanError([f"{axis} = {t}: a stack along slices shows one; say which"])
    return t


def _plane(z: ZChoice | str) -> ZChoice:
    if z == "all":
        raise PlanError(["z = all: a stack along slices has its slices along z; choose one plane, max or mean"])
    return z  # type: ignore[return-value]


def _look(settings: ChannelSettings) -> dict[str, Any]:
    low, high = settings.contrast_limits
    return {
        "color": settings.color,
        "contrast_limits": [low, high],
        "gamma": settings.gamma,
        "visible": settings.visible,
    }


def _shape(item: ExportItem, one: _Field) -> NDArray[np.float64] | None:
    """Give the shape to clip to, in px of the output."""
    if item.upright:
        raise RegionError(f"{item.stem}: turning upright makes new pixels; data are clipped to box or polygon")
    if not item.shape:
        return None
    return np.array(item.shape, np.float64) / item.downsample - (one.cells.x0, one.cells.y0)


# --- FOVs and maps alike ------------------------------------------------------------------------------------------
class _Field(Protocol):
    """What pixels are read from: cells of a FOV or of a map."""

    @property
    def cells(self) -> Window: ...
    @property
    def times(self) -> int: ...
    @property
    def depth(self) -> int: ...
    @property
    def times_s(self) -> tuple[float, ...] | None: ...
    @property
    def z_step_um(self) -> float | None: ...
    @property
    def notes(self) -> tuple[str, ...]: ...
    @property
    def sources(self) -> tuple[Path, ...]: ...
    def dtype(self, channels: Sequence[str], z: ZChoice | str) -> np.dtype[Any]: ...
    def read(self, channel: str, cells: Window, t: int, z: Any) -> NDArray[Any]: ...
    def read_labels(self, name: str, cells: Window) -> NDArray[Any]: ...
    def position_um(self) -> tuple[float, float] | None: ...


def _field(item: ExportItem, plan: ExportPlan, dataset: Dataset, unread: dict[str, str]) -> _Field:
    if item.fov:
        return _OnFov.of(item, plan, dataset)
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
    sources: tuple[Path, ...]

    @classmethod
    def of(cls, item: ExportItem, plan: ExportPlan, dataset: Dataset) -> _OnFov:
        fov = dataset.fovs[item.fov]
        window = fov.bounds if item.region is None else inside(item.region, fov.bounds, f"FOV {fov.name}")
        crop = item.kind == "cell"
        # crops of one size must stay of one size, wherever their centre falls on the FOV's grid
        grid = Grid(item.downsample, *((window.x0, window.y0) if crop else (0, 0)))
        beyond = (window & fov.bounds) != window
        what = "padded with 0" if crop else "cut at its edge"
        notes = (f"reaches beyond FOV {fov.name}; {what}",) if beyond else ()
        cells = grid.cells(window if crop else window & fov.bounds)
        return cls(fov, dataset, grid, cells, notes, tuple(sources_of([fov], plan)))

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

    @property
    def sources(self) -> tuple[Path, ...]:
        return tuple(sources_of(self._fovs, self.plan))

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

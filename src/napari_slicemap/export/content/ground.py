"""From an item to what lies below everything that is drawn: channels, annotations and masks, where it was asked for."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypedDict

import numpy as np

from ...dataset import Dataset
from ...errors import PlanError, RegionError
from ...images.fov import Fov, ZChoice
from ...images.region import Grid, Region, Window, inside
from ...render.channels import ChannelSettings, rgb
from ...render.drawings import Points
from ...render.fov import render_fov_to_array
from ...render.overlays import Overlay
from ...render.picture import Picture
from ...render.virtual_map import VirtualMap
from ..choosing.items import ExportItem
from ..plan import ExportPlan
from .upright import Turn, turned

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True)
class Ground:
    """Channels, annotations and masks as a picture, and where it lies in its frame.

    Parameters
    ----------
    picture : Picture
        RGB.
    grid : Grid
        Px of the frame (turned, where there is a `turn`) that each px of the picture covers.
    cells : Window
        Those of the grid that the picture shows.
    notes : tuple of str
        What the reader of the figure should know.
    turn : Turn or None
        How it was turned.
    """

    picture: Picture
    grid: Grid
    cells: Window
    notes: tuple[str, ...]
    turn: Turn | None = None

    def in_px(self, points: Points) -> Points:
        """Take points of the (turned) frame to px of the picture: its first one reaches from 0 to 1."""
        corner, step = self.grid.pixels(self.cells), self.grid.step
        return tuple(((x - corner.x0) / step, (y - corner.y0) / step) for x, y in points)


def ground_of(
    item: ExportItem,
    plan: ExportPlan,
    channels: Mapping[str, ChannelSettings],
    dataset: Dataset,
    overlays: Sequence[Overlay],
) -> Ground:
    """Render an item, all but what is drawn over it.

    Parameters
    ----------
    item : ExportItem
        The item.
    plan : ExportPlan
        How.
    channels : mapping of str to ChannelSettings
        How each channel is shown.
    dataset : Dataset
        Where the pixels are.
    overlays : sequence of Overlay
        Annotations and masks.

    Returns
    -------
    Ground
        Painted on demand.

    Raises
    ------
    SlicemapError
        Naming what could not be read or found, or that the item lies wholly outside the data.
    """
    return (_on_fov if item.fov else _on_map)(item, plan, channels, dataset, overlays)


class _When(TypedDict):
    t: int
    z: ZChoice


def _when(plan: ExportPlan) -> _When:
    if plan.t == "all" or plan.z == "all":
        raise PlanError(["one picture shows one time point and one plane; choose a t, and a z or a projection"])
    return {"t": plan.t, "z": plan.z}


def _on_fov(
    item: ExportItem,
    plan: ExportPlan,
    channels: Mapping[str, ChannelSettings],
    dataset: Dataset,
    overlays: Sequence[Overlay],
) -> Ground:
    fov = dataset.fovs[item.fov]

    when = _when(plan)

    def cells_of(grid: Grid) -> Callable[[Window], NDArray[np.uint8]]:
        def render(region: Region) -> NDArray[np.uint8]:
            return render_fov_to_array(
                fov,
                channels,
                region=region,
                downsample=grid.step,
                overlays=overlays,
                grid_origin=(grid.x0, grid.y0),
                pad=True,
                background=plan.background,
                **when,
                cache=dataset.cache,
            )

        return _cells_within(render, grid, fov.bounds, plan)

    if item.upright:
        grid, turn = Grid(item.downsample), Turn.of(item.shape, item.downsample)
        _check_inside(turn, item, fov.bounds)
        picture = turned(turn, cells_of(grid))
        return _upright(picture, turn, (_edge_note(item, fov),))
    crop = item.kind == "cell" and item.region is not None
    window = fov.bounds if item.region is None else inside(item.region, fov.bounds, f"FOV {fov.name}")
    # crops of one size must stay of one size, wherever their centre falls on the FOV's grid
    grid = Grid(item.downsample, *((window.x0, window.y0) if crop else (0, 0)))
    cells, painted = grid.cells(window if crop else window & fov.bounds), cells_of(grid)
    height, width = cells.shape
    picture = Picture(
        (height, width, 3),
        lambda top, bottom: painted(Window(cells.x0, cells.x1, cells.y0 + top, cells.y0 + bottom)),
    )
    beyond = (window & fov.bounds) != window
    what = "padded with background" if crop else "cut at its edge"
    notes = (f"reaches beyond FOV {fov.name}; {what}",) if beyond else ()
    return Ground(picture, grid, cells, notes)


def _on_map(
    item: ExportItem,
    plan: ExportPlan,
    channels: Mapping[str, ChannelSettings],
    dataset: Dataset,
    overlays: Sequence[Overlay],
) -> Ground:
    one = dataset.maps[item.map_id]

    when = _when(plan)

    def render(region: Region | None) -> Picture:
        return one.picture(
            region,
            channels,
            downsample=item.downsample,
            overlap=dataset.project.overlap,
            overlays=overlays,
            on_missing=plan.on_missing,
            background=plan.background,
            **when,
            levels=plan.levels,
        )

    grid = Grid(item.downsample)
    turn = Turn.of(item.shape, item.downsample) if item.upright else None
    if turn is None:
        picture = render(item.region)
        empty = picture.empty_fraction
    else:
        _check_inside(turn, item, one.bounds)
        picture = _turned_map(turn, render, item, one, plan)
        empty = _empty_share(item, one)
    if empty == 1:  # within the map's bounds, but in a gap: black would pass for a result
        raise RegionError(f"map {item.map_id}: no tile lies in the region {item.region or 'of the whole map'}")
    partly = item.region is not None and empty > 0
    notes = (f"{empty:.1%} of the picture shows no tile",) if partly else ()
    if turn is not None:
        return _upright(replace(picture, empty_fraction=empty), turn, notes)
    cells = grid.cells(one.bounds if item.region is None else item.region.window())
    return Ground(picture, grid, cells, notes)


# --- upright ------------------------------------------------------------------------------------------------------
def _upright(picture: Picture, turn: Turn, notes: Sequence[str]) -> Ground:
    height, width, _ = picture.shape
    said = [note for note in notes if note]
    if abs(turn.degrees) > 1e-9:
        said.append(f"turned {'counter-' if turn.degrees < 0 else ''}clockwise by {abs(turn.degrees):.4g}°")
    return Ground(picture, Grid(turn.step), Window(0, width, 0, height), tuple(said), turn)


def _cells_within(
    render: Callable[[Region], NDArray[np.uint8]], grid: Grid, bounds: Window, plan: ExportPlan
) -> Callable[[Window], NDArray[np.uint8]]:
    """Render cells of a frame, wherever they lie."""
    blank = np.array([round(255 * part) for part in rgb(plan.background)], np.uint8)

    def cells_of(cells: Window) -> NDArray[np.uint8]:
        pixels = grid.pixels(cells)
        if (pixels & bounds).empty:
            return np.broadcast_to(blank, (*cells.shape, 3))
        return render(pixels.region)

    return cells_of


def _turned_map(
    turn: Turn, render: Callable[[Region | None], Picture], item: ExportItem, one: VirtualMap, plan: ExportPlan
) -> Picture:
    """Turn a part of a map; a tile that cannot be read is told once, however many squares it lies in."""
    missing: list[str] = []
    level = render(item.region).level

    def painted(region: Region) -> NDArray[np.uint8]:
        picture = render(region)
        image = picture.array()
        missing.extend(reason for reason in picture.missing if reason not in missing)
        return image

    picture = turned(turn, _cells_within(painted, Grid(turn.step), one.bounds, plan), missing)
    return replace(picture, level=level)


def _empty_share(item: ExportItem, one: VirtualMap) -> float:
    """Give the share of a turned box where no tile lies, 0–1."""
    import shapely

    box = shapely.Polygon(item.shape)
    x, y = zip(*item.shape, strict=True)
    tiles = one.collect_visible_tiles(Region(min(x), max(x), min(y), max(y)))
    covered = shapely.union_all([shapely.box(w.x0, w.y0, w.x1, w.y1) for w in (tile.window for tile in tiles)])
    share = float(shapely.intersection(box, covered).area / box.area)
    return 0.0 if share > 1 - 1e-9 else 1.0 - share


def _check_inside(turn: Turn, item: ExportItem, bounds: Window) -> None:
    import shapely

    where = f"FOV {item.fov}" if item.fov else f"map {item.map_id}"
    frame = shapely.box(bounds.x0, bounds.y0, bounds.x1, bounds.y1)
    if shapely.intersection(shapely.Polygon(item.shape), frame).area == 0:
        raise RegionError(f"{where}: the box around {turn.centre} lies wholly outside the data ({bounds})")


def _edge_note(item: ExportItem, fov: Fov) -> str:
    """Say that a turned box reaches beyond its FOV."""
    x, y = (np.array(along) for along in zip(*item.shape, strict=True))
    bounds = fov.bounds
    within = min(x.min() - bounds.x0, bounds.x1 - x.max(), y.min() - bounds.y0, bounds.y1 - y.max()) > -1e-6
    return "" if within else f"reaches beyond FOV {fov.name}; padded with background"

"""One item to pixels: the same for a file, a preview and a test."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..dataset import Dataset
from ..errors import RegionError
from ..images.fov import Fov
from ..images.region import Grid, Window
from ..render.fov import render_fov_to_array
from ..render.overlays import AnnotationOverlay, MaskOverlay, Overlay, RoiOverlay
from ..render.picture import Picture
from ..render.profile import AnnotationStyle, MaskStyle, Profile
from ..render.scale_bar import fitted_scale_bar, place_scale_bar
from .items import ExportItem
from .plan import ExportPlan

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True)
class Figure:
    """A picture to be written, painted while it is.

    Parameters
    ----------
    picture : Picture
        RGB or RGBA.
    pixel_size_um : float or None
        Size of its px, µm.
    notes : tuple of str
        What the reader of the figure should know, as far as it is known before the picture is painted.
    sources : tuple of Path
        Files of images and labels it may have been read from.
    """

    picture: Picture
    pixel_size_um: float | None
    notes: tuple[str, ...] = ()
    sources: tuple[Path, ...] = ()

    @property
    def missing(self) -> tuple[str, ...]:
        """Tiles that could not be read and are hatched; complete once the picture was painted."""
        return tuple(self.picture.missing)

    @property
    def warnings(self) -> tuple[str, ...]:
        """What the reader of the figure should know; complete once the picture was painted."""
        return (*(f"not readable: {reason}" for reason in self.missing), *self.notes)


def render_item(item: ExportItem, plan: ExportPlan, profile: Profile, dataset: Dataset) -> Figure:
    """Render one item of a plan: channels, overlays, clip, scale bar.

    A FOV is rendered at once; a map is painted as it is written, and fails then where a tile cannot be read.

    Parameters
    ----------
    item : ExportItem
        The item.
    plan : ExportPlan
        How.
    profile : Profile
        Channel settings and mask styles; never those of the screen.
    dataset : Dataset
        Where the pixels are.

    Returns
    -------
    Figure

    Raises
    ------
    SlicemapError
        Naming what could not be read, found or drawn.
    """
    overlays = overlays_of(item, plan, profile, dataset)
    draft = (
        _on_fov(item, plan, profile, dataset, overlays) if item.fov else _on_map(item, plan, profile, dataset, overlays)
    )
    picture, notes = draft.picture, [*draft.notes, *_line_notes(item, dataset)]
    if item.shape:
        picture = _clipped(picture, item, dataset.fovs.get(item.fov))
    if plan.scale_bar.enabled:
        picture, warning = _with_scale_bar(picture, item, plan)
        notes += [warning] if warning else []
    return Figure(picture, item.output_pixel_size_um, tuple(notes), draft.sources)


def _on_fov(
    item: ExportItem, plan: ExportPlan, profile: Profile, dataset: Dataset, overlays: Sequence[Overlay]
) -> Figure:
    fov = dataset.fovs[item.fov]
    crop = item.kind == "cell" and item.region is not None
    window = item.region.window() if item.region is not None else fov.bounds
    image = render_fov_to_array(
        fov,
        profile.channels,
        region=item.region,
        downsample=item.downsample,
        overlays=overlays,
        # crops of one size must stay of one size, wherever their centre falls on the FOV's grid
        grid_origin=(window.x0, window.y0) if crop else (0, 0),
        pad=crop,
        background=plan.background,
        t=plan.t,
        z=plan.z,
        cache=dataset.cache,
    )
    beyond = (window & fov.bounds) != window
    what = "padded with background" if crop else "cut at its edge"
    notes = (f"reaches beyond FOV {fov.name}; {what}",) if beyond else ()
    return Figure(Picture.of(image), None, notes, tuple(_sources([fov], plan)))


def _on_map(
    item: ExportItem, plan: ExportPlan, profile: Profile, dataset: Dataset, overlays: Sequence[Overlay]
) -> Figure:
    one = dataset.maps[item.map_id]
    picture = one.picture(
        item.region,
        profile.channels,
        downsample=item.downsample,
        overlap=dataset.project.overlap,
        overlays=overlays,
        on_missing=plan.on_missing,
        background=plan.background,
        t=plan.t,
        z=plan.z,
        levels=plan.levels,
    )
    if picture.empty_fraction == 1:  # within the map's bounds, but in a gap: black would pass for a result
        raise RegionError(f"map {item.map_id}: no tile lies in the region {item.region or 'of the whole map'}")
    partly = item.region is not None and picture.empty_fraction > 0
    notes = (f"{picture.empty_fraction:.1%} of the picture shows no tile",) if partly else ()
    tiles = one.placement.tiles if item.region is None else one.collect_visible_tiles(item.region)
    return Figure(picture, None, notes, tuple(_sources([tile.fov for tile in tiles if tile.fov], plan)))


def _line_notes(item: ExportItem, dataset: Dataset) -> list[str]:
    """Say how much room a line's box leaves around the line itself."""
    if item.roi_id not in dataset.rois or (roi := dataset.rois[item.roi_id]).kind != "line":
        return []
    padding = min(x for x, _ in roi.points) - roi.x_min
    return [f"a line is exported as the box around it, with {padding:g} px on each side"]


def _sources(fovs: Sequence[Fov], plan: ExportPlan) -> list[Path]:
    """List the files behind pictures of FOVs: images, and the labels that the plan draws."""
    made: list[Path] = []
    for fov in fovs:
        made += fov.sources()
        made += [fov.masks[name].path for name in plan.overlays.masks if name in fov.masks]
        for name in plan.overlays.annotations:
            if found := fov.annotations.get(name):
                made += [found.plane.path] + ([found.table] if found.table else [])
    return list(dict.fromkeys(made))


def overlays_of(item: ExportItem, plan: ExportPlan, profile: Profile, dataset: Dataset) -> list[Overlay]:
    """List what a plan draws over an item, styled by the profile."""
    made: list[Overlay] = [
        AnnotationOverlay(name, alpha=profile.annotations.get(name, AnnotationStyle()).alpha)
        for name in plan.overlays.annotations
    ]
    for name in plan.overlays.masks:
        style = profile.masks.get(name, MaskStyle())
        made.append(MaskOverlay(name, style.mode, style.color, style.alpha, style.thickness_px))
    if plan.overlays.rois:
        shown = [
            roi for roi in dataset.rois
            if (roi.fov == item.fov if item.fov else not roi.fov and roi.map_id == item.map_id)
        ]  # fmt: skip
        made += [RoiOverlay([list(roi.points)], closed=roi.kind != "line") for roi in shown]
    return made


def _with_scale_bar(picture: Picture, item: ExportItem, plan: ExportPlan) -> tuple[Picture, str]:
    """Draw the plan's scale bar as the picture is painted; give a warning of what does not fit, too."""
    height, width, _ = picture.shape
    size = item.output_pixel_size_um
    bar = fitted_scale_bar(plan.scale_bar, width, None if size is None else size * 1000)
    placed, warning = place_scale_bar((height, width), bar, plan.scale_bar)
    return (picture if placed is None else picture.changed(placed.stamp)), warning


def _clipped(picture: Picture, item: ExportItem, fov: Fov | None) -> Picture:
    """Make a picture transparent outside the item's shape, as it is painted."""
    window = Window(0, 0, 0, 0) if item.region is None else item.region.window()
    cells = Grid(item.downsample).cells(window if fov is None else window & fov.bounds)
    # the shape in px of the picture: the first one reaches from 0 to 1
    points = np.array(item.shape, np.float64) / item.downsample - (cells.x0, cells.y0)

    def clip(rows: NDArray[np.uint8], top: int) -> NDArray[np.uint8]:
        made = np.zeros((*rows.shape[:2], 4), np.uint8)
        made[..., :3] = rows[..., :3]
        for row, line in enumerate(made[..., 3]):
            for first, last in _inside(points, top + row + 0.5, len(line)):
                line[first:last] = 255
        return made

    return picture.changed(clip, samples=4)


def _inside(points: NDArray[np.float64], y: float, width: int) -> list[tuple[int, int]]:
    """List the spans of columns whose centres lie inside a closed shape, by the even-odd rule.

    Parameters
    ----------
    points : ndarray of float64, (N, 2)
        Corners ``(x, y)``.
    y : float
        Where the row is cut.
    width : int
        Columns of the row.

    Returns
    -------
    list of (int, int)
        Half-open.
    """
    (x0, y0), (x1, y1) = points.T, np.roll(points, -1, axis=0).T
    cut = (y0 <= y) != (y1 <= y)
    crossings = x0[cut] + (y - y0[cut]) * (x1[cut] - x0[cut]) / (y1[cut] - y0[cut])
    columns = np.clip(np.ceil(np.sort(crossings) - 0.5), 0, width).astype(int).tolist()
    return list(zip(columns[::2], columns[1::2], strict=True))

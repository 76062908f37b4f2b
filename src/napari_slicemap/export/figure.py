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
from ..render.fov import render_fov_to_array, with_alpha
from ..render.overlays import AnnotationOverlay, MaskOverlay, Overlay, RoiOverlay
from ..render.profile import AnnotationStyle, MaskStyle, Profile
from ..render.scale_bar import draw_scale_bar, fitted_scale_bar
from .items import ExportItem
from .plan import ExportPlan

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True)
class Figure:
    """A picture to be written.

    Parameters
    ----------
    image : ndarray of uint8, (H, W, 3) or (H, W, 4)
        RGB or RGBA.
    pixel_size_um : float or None
        Size of its px, µm.
    warnings : tuple of str
        What the reader of the figure should know.
    missing : tuple of str
        Tiles that could not be read and are hatched.
    sources : tuple of Path
        Files of images and labels it may have been read from.
    """

    image: NDArray[np.uint8]
    pixel_size_um: float | None
    warnings: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    sources: tuple[Path, ...] = ()


def render_item(item: ExportItem, plan: ExportPlan, profile: Profile, dataset: Dataset) -> Figure:
    """Render one item of a plan: channels, overlays, clip, scale bar.

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
    image, warnings = draft.image, [*draft.warnings, *_line_notes(item, dataset)]
    if item.shape:
        image = with_alpha(image, _inside_shape(item, dataset.fovs.get(item.fov), image.shape[:2]))
    if plan.scale_bar.enabled:
        size = item.output_pixel_size_um
        bar = fitted_scale_bar(plan.scale_bar, image.shape[1], None if size is None else size * 1000)
        image, warning = draw_scale_bar(image, bar, plan.scale_bar)
        warnings += [warning] if warning else []
    return Figure(image, item.output_pixel_size_um, tuple(warnings), draft.missing, draft.sources)


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
    warnings = (f"reaches beyond FOV {fov.name}; {what}",) if beyond else ()
    return Figure(image, None, warnings, sources=tuple(_sources([fov], plan)))


def _on_map(
    item: ExportItem, plan: ExportPlan, profile: Profile, dataset: Dataset, overlays: Sequence[Overlay]
) -> Figure:
    one = dataset.maps[item.map_id]
    made = one.render(
        item.region,
        profile.channels,
        downsample=item.downsample,
        overlap=dataset.project.overlap,
        overlays=overlays,
        on_missing=plan.on_missing,
        background=plan.background,
        t=plan.t,
        z=plan.z,
    )
    if made.empty_fraction == 1:  # within the map's bounds, but in a gap: black would pass for a result
        raise RegionError(f"map {item.map_id}: no tile lies in the region {item.region or 'of the whole map'}")
    warnings = [f"not readable: {reason}" for reason in made.missing]
    if item.region is not None and made.empty_fraction > 0:
        warnings.append(f"{made.empty_fraction:.1%} of the picture shows no tile")
    tiles = one.placement.tiles if item.region is None else one.collect_visible_tiles(item.region)
    sources = _sources([tile.fov for tile in tiles if tile.fov], plan)
    return Figure(made.image, None, tuple(warnings), made.missing, tuple(sources))


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


def _inside_shape(item: ExportItem, fov: Fov | None, shape: tuple[int, int]) -> NDArray[np.bool_]:
    """Say which output px have their centre inside the item's shape."""
    from skimage.draw import polygon2mask

    window = Window(0, 0, 0, 0) if item.region is None else item.region.window()
    cells = Grid(item.downsample).cells(window if fov is None else window & fov.bounds)
    d = item.downsample
    # polygon2mask puts pixel centres at whole numbers, a region at halves
    points = [(y / d - cells.y0 - 0.5, x / d - cells.x0 - 0.5) for x, y in item.shape]
    made: NDArray[np.bool_] = polygon2mask(shape, points)
    return made

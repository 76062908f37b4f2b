"""One item to pixels: the same for a file, a preview and a test."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from ...dataset import Dataset
from ...errors import UnknownNameError
from ...images.region import Window
from ...render.channels import ChannelSettings
from ...render.drawings import Drawing, Points, Shape, shapes_within
from ...render.overlays import (
    AnnotationOverlay,
    MaskOverlay,
    Overlay,
    RoiOverlay,
    draw_shapes,
    output_thickness,
)
from ...render.picture import Picture
from ...render.profile import AnnotationStyle, MaskStyle, Profile
from ...render.scale_bar import fitted_scale_bar, place_scale_bar
from ..choosing.items import ExportItem
from ..plan import ExportPlan
from .caption import lay_out
from .clip import inside_rows
from .ground import Ground, ground_of
from .inputs import channels_of
from .upright import Turn

if TYPE_CHECKING:
    from numpy.typing import NDArray

_OPAQUE = {"jpg"}
"""Formats without transparency."""


@dataclass(frozen=True)
class Figure:
    """A picture to be written, painted while it is.

    Parameters
    ----------
    picture : Picture
        RGB or RGBA, with everything drawn into it.
    pixel_size_um : float or None
        Size of its px, µm.
    notes : tuple of str
        What the reader of the figure should know, as far as it is known before the picture is painted.
    plain : Picture or None
        The same without its `drawings`, for formats that draw these themselves; of the same shape. ``None`` where
        nothing is drawn.
    drawings : tuple of Drawing
        Shapes, bars and text in px of the picture, the lowest first.
    provenance : mapping
        What is put into the file about how it was made; fit for strict JSON. Nothing where empty.
    name : str
        What the figure is called.
    background : str
        Colour for formats without transparency, ``#rrggbb``.
    """

    picture: Picture
    pixel_size_um: float | None
    notes: tuple[str, ...] = ()
    plain: Picture | None = None
    drawings: tuple[Drawing, ...] = ()
    provenance: Mapping[str, Any] = field(default_factory=dict)
    name: str = ""
    background: str = "#000000"

    @property
    def shape(self) -> tuple[int, int, int]:
        """``(height, width, 3 or 4)``."""
        return self.picture.shape

    @property
    def level(self) -> int:
        """Downsampling of the stored level that it is made from; 1 where the tiles themselves are read."""
        return self.picture.level

    @property
    def ground(self) -> Picture:
        """What the `drawings` are to be drawn on."""
        return self.picture if self.plain is None else self.plain

    @property
    def missing(self) -> tuple[str, ...]:
        """Tiles that could not be read and are hatched; complete once the picture was painted."""
        return tuple(dict.fromkeys((*self.picture.missing, *self.ground.missing)))

    @property
    def warnings(self) -> tuple[str, ...]:
        """What the reader of the figure should know; complete once the picture was painted."""
        return (*(f"not readable: {reason}" for reason in self.missing), *self.notes)


def render_item(item: ExportItem, plan: ExportPlan, profile: Profile, dataset: Dataset) -> Figure:
    """Render one item of a plan: channels, overlays, clip, scale bar, caption.

    It is painted as it is written, and fails then where something cannot be read.

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
    channels = _channels(item, profile)
    overlays = overlays_of(item, plan, profile, dataset)
    below = [one for one in overlays if not isinstance(one, RoiOverlay)]
    ground = ground_of(item, plan, channels, dataset, below)
    drawn = [_turned(one, ground.turn) for one in overlays if isinstance(one, RoiOverlay)]
    picture = _with_shapes(ground, drawn) if drawn else ground.picture
    plain = ground.picture
    clip: Points = ()
    if item.shape and ground.turn is None:
        clip = ground.in_px(item.shape)
        picture, plain = _clipped(picture, clip), _clipped(plain, clip)
    made = Figure(
        picture,
        item.output_pixel_size_um,
        (*ground.notes, *_line_notes(item, dataset)),
        plain=plain,
        drawings=tuple(_shapes(ground, drawn, clip)),
        name=item.stem,
        background=plan.background,
    )
    if plan.format in _OPAQUE and picture.shape[2] == 4:
        made = replace(made, notes=(*made.notes, f"{plan.format} has no transparency; {plan.background} lies outside"))
    if plan.scale_bar.enabled:
        made = _with_scale_bar(made, plan)
    made = captioned(made, item, channels, plan)
    return made if made.drawings else replace(made, plain=None)


def captioned(figure: Figure, item: ExportItem, channels: Mapping[str, ChannelSettings], plan: ExportPlan) -> Figure:
    """Put the title of an item and the legend of its visible channels above a figure, as far as a plan asks for them.

    Parameters
    ----------
    figure : Figure
        Without them.
    item : ExportItem
        Whose title it is.
    channels : mapping of str to ChannelSettings
        Those that are shown.
    plan : ExportPlan
        Whether to name them, and the colour of the strip.

    Returns
    -------
    Figure
        Higher by the strip; what cannot be written is noted.
    """
    height, width, _ = figure.picture.shape
    named = {name: one for name, one in channels.items() if one.visible and plan.caption.legend}
    caption, warnings = lay_out(item.title, named, (height, width), plan.background)
    noted = replace(figure, notes=(*figure.notes, *warnings))
    if caption is None:
        return noted
    return replace(
        noted,
        picture=caption.above(figure.picture),
        plain=caption.above(figure.ground, written=False),
        drawings=(*(one.shifted(caption.height) for one in figure.drawings), *caption.texts),
    )


def _channels(item: ExportItem, profile: Profile) -> Mapping[str, ChannelSettings]:
    for name in item.channels:
        if name not in profile.channels:
            raise UnknownNameError("channel", name, profile.channels, where=f"profile {profile.name}")
    return channels_of(item, profile)


# --- what is drawn ------------------------------------------------------------------------------------------------
def _turned(overlay: RoiOverlay, turn: Turn | None) -> RoiOverlay:
    if turn is None:
        return overlay
    return replace(overlay, shapes=[list(turn.placed(tuple(shape))) for shape in overlay.shapes])


def _with_shapes(ground: Ground, overlays: Sequence[RoiOverlay]) -> Picture:
    """Draw shapes as the picture is painted."""
    cells = ground.cells

    def draw(rows: NDArray[np.uint8], top: int) -> NDArray[np.uint8]:
        made = rows.copy()
        for overlay in overlays:
            part = Window(cells.x0, cells.x1, cells.y0 + top, cells.y0 + top + len(rows))
            draw_shapes(made, overlay, ground.grid, part)
        return made

    return ground.picture.changed(draw)


def _shapes(ground: Ground, overlays: Sequence[RoiOverlay], clip: Points) -> list[Shape]:
    """Give the shapes as lines, cut to what the picture shows."""
    height, width, _ = ground.picture.shape
    whole = ((0.0, 0.0), (float(width), 0.0), (float(width), float(height)), (0.0, float(height)))
    made: list[Shape] = []
    for one in overlays:
        points = [ground.in_px(tuple(shape)) for shape in one.shapes]
        thickness = output_thickness(one.thickness_px, ground.grid.step)
        made += shapes_within(points, one.closed, one.color, thickness, [whole, clip] if clip else [whole])
    return made


def _with_scale_bar(figure: Figure, plan: ExportPlan) -> Figure:
    """Draw the plan's scale bar as the picture is painted; what does not fit is noted."""
    height, width, _ = figure.picture.shape
    size = figure.pixel_size_um
    bar = fitted_scale_bar(plan.scale_bar, width, None if size is None else size * 1000)
    placed, warning = place_scale_bar((height, width), bar, plan.scale_bar)
    noted = replace(figure, notes=(*figure.notes, *([warning] if warning else [])))
    if placed is None:
        return noted
    return replace(noted, picture=figure.picture.changed(placed.stamp), drawings=(*figure.drawings, *placed.drawings))


def _line_notes(item: ExportItem, dataset: Dataset) -> list[str]:
    """Say how much room a line's box leaves around the line itself."""
    if item.roi_id not in dataset.rois or (roi := dataset.rois[item.roi_id]).kind != "line":
        return []
    padding = min(x for x, _ in roi.points) - roi.x_min
    return [f"a line is exported as the box around it, with {padding:g} px on each side"]


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


def _clipped(picture: Picture, shape: Points) -> Picture:
    """Make a picture transparent outside a shape in px of it, as it is painted."""
    points = np.array(shape, np.float64)

    def clip(rows: NDArray[np.uint8], top: int) -> NDArray[np.uint8]:
        made = np.empty((*rows.shape[:2], 4), np.uint8)
        made[..., :3] = rows[..., :3]
        made[..., 3] = 255 * inside_rows(points, top, top + len(rows), rows.shape[1]).view(np.uint8)
        return made

    return picture.changed(clip, samples=4)

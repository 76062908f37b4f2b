"""Contact sheets: many items on one picture, in a grid, at one scale, each with what it is below it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from ...dataset import Dataset
from ...render.channels import rgb
from ...render.drawings import Drawing, Text, drawable, font
from ...render.picture import Picture, opaque
from ...render.profile import Profile
from ...render.scale_bar import PlacedScaleBar, fitted_scale_bar, place_scale_bar
from ..choosing.items import ExportItem
from ..plan import ExportPlan
from .caption import SMALLEST_TEXT, ink_on
from .figure import Figure, captioned, render_item
from .inputs import channels_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

_TEXT_SHARE, _LARGEST_TEXT = 0.09, 24
"""Height of the labels: a share of the width of an item, up to so many px."""
_BAR_ITEMS = 4
"""The bar is a share of the sheet's width, or of that of so many items: else it would be longer than an item."""


@dataclass(frozen=True)
class _Layout:
    """Where things lie on a sheet, px."""

    left: tuple[int, ...]  # of each item
    top: tuple[int, ...]
    size: tuple[int, int]  # (height, width)
    texts: tuple[Text, ...]
    bar: PlacedScaleBar | None


def render_sheet(item: ExportItem, plan: ExportPlan, profile: Profile, dataset: Dataset) -> Figure:
    """Render a contact sheet: its members as they would be alone, but for scale bar and caption, which it has once.

    The scale bar is below all members, in the colour of the labels. Members are painted when the sheet is, so that one
    of many large ones needs little memory.

    Parameters
    ----------
    item : ExportItem
        Of kind ``sheet``.
    plan, profile, dataset
        As for :func:`~.figure.render_item`.

    Returns
    -------
    Figure

    Raises
    ------
    SlicemapError
        Naming what could not be read, found or drawn.
    """
    # the scale bar and the caption are the sheet's
    alone = plan.model_copy(
        update={
            "scale_bar": plan.scale_bar.model_copy(update={"enabled": False}),
            "caption": plan.caption.model_copy(update={"title": "", "legend": False}),
        }
    )
    members = [one.model_copy(update={"channels": item.channels, "title": ""}) for one in item.members]
    figures = [render_item(one, alone, profile, dataset) for one in members]
    labels = [drawable(_label(one, dataset)) for one in members]
    layout, warning = _laid_out(item, figures, labels if plan.contact_sheet.labels else [], plan)
    drawings: list[Drawing] = []
    for figure, x, y in zip(figures, layout.left, layout.top, strict=True):
        drawings += [one.shifted(y, x) for one in figure.drawings]
    drawings += layout.texts
    if layout.bar is not None:
        drawings += layout.bar.drawings
    made = Figure(
        _painted(figures, layout, plan.background, drawn=True),
        item.output_pixel_size_um,
        tuple(dict.fromkeys([*(note for one in figures for note in one.notes), *([warning] if warning else [])])),
        plain=_painted(figures, layout, plan.background, drawn=False),
        drawings=tuple(drawings),
        name=item.stem,
        background=plan.background,
    )
    made = captioned(made, item, channels_of(item, profile), plan)
    return made if made.drawings else replace(made, plain=None)


def _label(item: ExportItem, dataset: Dataset) -> str:
    """Say what an item is."""
    if item.label is not None:
        return f"{item.fov}: {item.label}"
    if item.roi_id in dataset.rois:
        return dataset.rois[item.roi_id].label
    return item.fov or item.map_id


def _laid_out(
    item: ExportItem, figures: Sequence[Figure], labels: Sequence[str], plan: ExportPlan
) -> tuple[_Layout, str]:
    """Find a place for everything; columns are as wide as the widest item or label, so nothing is cut."""
    gap, count = plan.contact_sheet.gap_px, len(figures)
    columns = plan.contact_sheet.columns or math.ceil(math.sqrt(count))
    columns = min(columns, count)
    widest = max(figure.shape[1] for figure in figures)
    size = min(max(SMALLEST_TEXT, round(_TEXT_SHARE * widest)), _LARGEST_TEXT)
    ascent, descent = font(size).getmetrics()
    line = ascent + descent if labels else 0
    lengths = [math.ceil(font(size).getlength(label)) for label in labels]
    step = max([widest, *lengths]) + gap
    left = tuple(gap + step * (number % columns) for number in range(count))
    heights = [
        max(figure.shape[0] for figure in figures[start : start + columns]) for start in range(0, count, columns)
    ]
    starts = [gap + sum(heights[:row]) + row * (line + gap) for row in range(len(heights))]
    top = tuple(starts[number // columns] for number in range(count))
    ink = ink_on(plan.background)
    texts = tuple(
        Text(label, x, y + heights[number // columns] + ascent, length, size, ink)
        for number, (label, length, x, y) in enumerate(zip(labels, lengths, left, top, strict=True) if labels else [])
    )
    width, height = gap + step * columns, starts[-1] + heights[-1] + line + gap
    if not plan.scale_bar.enabled:
        return _Layout(left, top, (height, width), texts, None), ""
    pixel = item.output_pixel_size_um
    room = min(width, _BAR_ITEMS * widest)
    bar = fitted_scale_bar(plan.scale_bar, room, None if pixel is None else pixel * 1000)
    # on a strip of its own below all items it hides nothing, and is drawn in what shows there
    style = plan.scale_bar.model_copy(update={"color": ink})
    placed, warning = place_scale_bar((max(heights), width), bar, style)
    if placed is None:
        return _Layout(left, top, (height, width), texts, None), warning
    moved = placed.shifted(height - placed.top)
    return _Layout(left, top, (height + len(placed.ink) + gap, width), texts, moved), warning


def _painted(figures: Sequence[Figure], layout: _Layout, background: str, *, drawn: bool) -> Picture:
    """Give the sheet as a picture that is painted on demand, with or without what is drawn."""
    height, width = layout.size
    ground = np.array([round(255 * part) for part in rgb(background)], np.uint8)

    def paint(top: int, bottom: int) -> NDArray[np.uint8]:
        made = np.empty((bottom - top, width, 3), np.uint8)
        made[...] = ground
        for number, (info, x, y) in enumerate(zip(figures, layout.left, layout.top, strict=True)):
            first, last = max(top, y), min(bottom, y + info.shape[0])
            if first < last:
                figure = figures[number]
                rows = (figure.picture if drawn else figure.ground).paint(first - y, last - y)
                made[first - top : last - top, x : x + figure.shape[1]] = opaque(rows, background)
        if drawn:
            for text in layout.texts:
                text.stamp(made, top)
            if layout.bar is not None:
                made = layout.bar.stamp(made, top)
        return made

    # the pictures' own lists, which fill up while maps are painted: a figure's is made anew whenever it is asked for
    missing = _All([figure.picture.missing for figure in figures])
    return Picture((height, width, 3), paint, missing=missing, level=max(figure.level for figure in figures))


class _All(Sequence[str]):
    """What several sequences hold, also what they come to hold later."""

    def __init__(self, parts: Sequence[Sequence[str]]) -> None:
        self._parts = parts

    def __len__(self) -> int:
        return sum(map(len, self._parts))

    def __getitem__(self, index: int) -> str:  # type: ignore[override]
        return [one for part in self._parts for one in part][index]

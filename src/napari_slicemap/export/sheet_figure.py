"""Contact sheets: many items on one picture, in a grid, at one scale, each with what it is below it."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..dataset import Dataset
from ..render.channels import rgb
from ..render.drawings import Drawing, Text, drawable, font
from ..render.picture import Picture
from ..render.profile import Profile
from ..render.scale_bar import PlacedScaleBar, fitted_scale_bar, place_scale_bar
from .cancelling import check
from .caption import SMALLEST_TEXT, ink_on
from .figure import Figure, captioned, render_item
from .inputs import channels_of
from .items import ExportItem
from .movie import flattened
from .plan import ExportPlan

if TYPE_CHECKING:
    from numpy.typing import NDArray

_TEXT_SHARE, _LARGEST_TEXT = 0.09, 24
"""Height of the labels: a share of the width of an item, up to so many px."""
_BAR_ITEMS = 4
"""The bar is a share of the sheet's width, or of that of so many items: else it would be longer than an item."""
_HELD_BYTES = 2**28
"""Of members that are rendered already: room for a row of large ones, which several bands cross."""


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

    The scale bar is below all members, in the colour of the labels. Members are rendered when they are painted; only
    some of them are kept, so that a sheet of many large ones needs little memory.

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
    figures = _Figures(members, lambda one: render_item(one, alone, profile, dataset))
    infos = [_Info.of(figure) for figure in figures]
    labels = [drawable(_label(one, dataset)) for one in members]
    layout, warning = _laid_out(item, infos, labels if plan.contact_sheet.labels else [], plan)
    drawings: list[Drawing] = []
    for info, x, y in zip(infos, layout.left, layout.top, strict=True):
        drawings += [one.shifted(y, x) for one in info.drawings]
    drawings += layout.texts
    if layout.bar is not None:
        drawings += layout.bar.drawings
    made = Figure(
        _painted(figures, infos, layout, plan.background, drawn=True),
        item.output_pixel_size_um,
        tuple(dict.fromkeys([*(note for one in infos for note in one.notes), *([warning] if warning else [])])),
        tuple(dict.fromkeys(path for one in infos for path in one.sources)),
        plain=_painted(figures, infos, layout, plan.background, drawn=False),
        drawings=tuple(drawings),
        name=item.stem,
        background=plan.background,
    )
    made = captioned(made, item, channels_of(item, profile), plan)
    return made if made.drawings else replace(made, plain=None)


@dataclass(frozen=True)
class _Info:
    """What is known of a member's figure without its pixels; `missing` fills up while a map is painted."""

    shape: tuple[int, int, int]
    notes: tuple[str, ...]
    sources: tuple[Path, ...]
    drawings: tuple[Drawing, ...]
    missing: Sequence[str]
    level: int

    @classmethod
    def of(cls, figure: Figure) -> _Info:
        # the picture's own list: the figure's is made anew whenever it is asked for
        missing = figure.picture.missing
        return cls(figure.shape, figure.notes, figure.sources, figure.drawings, missing, figure.level)


class _Figures:
    """The figures of members, rendered when they are asked for.

    Those of maps hold no pixels until they are painted, and all stay. Those of FOVs may: they stay while there is
    room, and those that were not wanted for the longest time make room for others.
    """

    def __init__(self, members: Sequence[ExportItem], render: Callable[[ExportItem], Figure]) -> None:
        self._members, self._render = members, render
        self._kept: dict[int, Figure] = {}
        self._bytes = 0

    def __iter__(self) -> Iterator[Figure]:
        return (self[number] for number in range(len(self._members)))

    def __getitem__(self, number: int) -> Figure:
        figure = self._kept.pop(number, None)
        if figure is None:
            check()
            figure = self._render(self._members[number])
            self._bytes += self._cost(number, figure)
        self._kept[number] = figure  # as the last one
        held = [one for one in self._kept if self._members[one].fov and one != number]
        while self._bytes > _HELD_BYTES and held:
            oldest = held.pop(0)
            self._bytes -= self._cost(oldest, self._kept.pop(oldest))
        return figure

    def _cost(self, number: int, figure: Figure) -> int:
        return math.prod(figure.shape) if self._members[number].fov else 0


def _label(item: ExportItem, dataset: Dataset) -> str:
    """Say what an item is."""
    if item.label is not None:
        return f"{item.fov}: {item.label}"
    if item.roi_id in dataset.rois:
        return dataset.rois[item.roi_id].label
    return item.fov or item.map_id


def _laid_out(item: ExportItem, infos: Sequence[_Info], labels: Sequence[str], plan: ExportPlan) -> tuple[_Layout, str]:
    """Find a place for everything; columns are as wide as the widest item or label, so nothing is cut."""
    gap, count = plan.contact_sheet.gap_px, len(infos)
    columns = plan.contact_sheet.columns or math.ceil(math.sqrt(count))
    columns = min(columns, count)
    widest = max(info.shape[1] for info in infos)
    size = min(max(SMALLEST_TEXT, round(_TEXT_SHARE * widest)), _LARGEST_TEXT)
    ascent, descent = font(size).getmetrics()
    line = ascent + descent if labels else 0
    lengths = [math.ceil(font(size).getlength(label)) for label in labels]
    step = max([widest, *lengths]) + gap
    left = tuple(gap + step * (number % columns) for number in range(count))
    heights = [max(info.shape[0] for info in infos[start : start + columns]) for start in range(0, count, columns)]
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


def _painted(figures: _Figures, infos: Sequence[_Info], layout: _Layout, background: str, *, drawn: bool) -> Picture:
    """Give the sheet as a picture that is painted on demand, with or without what is drawn."""
    height, width = layout.size
    ground = np.array([round(255 * part) for part in rgb(background)], np.uint8)

    def paint(top: int, bottom: int) -> NDArray[np.uint8]:
        made = np.empty((bottom - top, width, 3), np.uint8)
        made[...] = ground
        for number, (info, x, y) in enumerate(zip(infos, layout.left, layout.top, strict=True)):
            first, last = max(top, y), min(bottom, y + info.shape[0])
            if first < last:
                figure = figures[number]
                rows = (figure.picture if drawn else figure.ground).paint(first - y, last - y)
                rows = rows if rows.shape[2] == 3 else flattened(rows, background)
                made[first - top : last - top, x : x + info.shape[1]] = rows
        if drawn:
            for text in layout.texts:
                text.stamp(made, top)
            if layout.bar is not None:
                made = layout.bar.stamp(made, top)
        return made

    missing = _All([info.missing for info in infos])
    return Picture((height, width, 3), paint, missing=missing, level=max(info.level for info in infos))


class _All(Sequence[str]):
    """What several sequences hold, also what they come to hold later."""

    def __init__(self, parts: Sequence[Sequence[str]]) -> None:
        self._parts = parts

    def __len__(self) -> int:
        return sum(map(len, self._parts))

    def __getitem__(self, index: int) -> str:  # type: ignore[override]
        return [one for part in self._parts for one in part][index]

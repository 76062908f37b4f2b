"""Where the dots, lines and words of a plot lie on the page; px of the picture, y downwards."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING, TypeGuard

if TYPE_CHECKING:
    from .page import Plot

_LEFT, _RIGHT, _TOP, _BOTTOM = 58.0, 14.0, 28.0, 24.0
_HEIGHT = 128.0
_ROW_WIDTH, _WIDEST_STEP, _LEAST_WIDTH = 900.0, 24.0, 200.0
_LONGEST_ROW = 250  # slices: in more of them, a dot could no longer be pointed at
_CHARACTER = 7.0  # width of one of an id
_INTERVALS = 4  # of an axis, about


@dataclass(frozen=True)
class Mark:
    """A mark of an axis: where it is, and what it says."""

    at: float
    label: str


@dataclass(frozen=True)
class Dot:
    """A slice: the middle of its place, the height of its dot (``None``: no value), and what pointing at it says."""

    x: float
    y: float | None
    used: bool
    words: str


@dataclass(frozen=True)
class Panel:
    """One row of a plot: its dots, the ids below them, and its slices in words."""

    dots: tuple[Dot, ...]
    ids: tuple[Mark, ...]
    words: str


@dataclass(frozen=True)
class Chart:
    """A plot, laid out.

    Parameters
    ----------
    title, axis, summary : str
        The heading, the label of the axis, and the values in one sentence.
    panels : tuple of Panel
        Its rows; they share the axis.
    marks : tuple of Mark
        Of the axis of values.
    limit : Mark or None
        The dashed line.
    zero : float or None
        Where zero is, if the axis holds it: stems lead from there to the dots.
    step, radius : float
        From slice to slice, and of a dot.
    width, left, right, top, bottom, height : float
        Of the field that the dots lie in: its width and height, and the margins around it.
    """

    title: str
    axis: str
    summary: str
    panels: tuple[Panel, ...]
    marks: tuple[Mark, ...]
    limit: Mark | None
    zero: float | None
    step: float
    radius: float
    width: float
    left: float = _LEFT
    right: float = _RIGHT
    top: float = _TOP
    bottom: float = _BOTTOM
    height: float = _HEIGHT


def chart(plot: Plot) -> Chart:
    """Lay out a plot.

    Parameters
    ----------
    plot : Plot
        What to draw.

    Returns
    -------
    Chart
        Up to 250 slices lie in one row; more of them are spread evenly over several.
    """
    known = [value for value in plot.values if _is_number(value)]
    marks = axis_marks([*known, *([] if plot.limit is None else [plot.limit])])
    low, high = marks[0], marks[-1]

    def at(value: float) -> float:
        return _TOP + _HEIGHT * (high - value) / (high - low)

    rows = max(1, math.ceil(len(plot.ids) / _LONGEST_ROW))
    length = max(1, math.ceil(len(plot.ids) / rows))
    step = min(_WIDEST_STEP, _ROW_WIDTH / length)
    dots = [
        Dot(_LEFT + step * (n % length + 0.5), at(value) if _is_number(value) else None, used, _words(one, value, used))
        for n, (one, value, used) in enumerate(zip(plot.ids, plot.values, plot.used, strict=True))
    ]
    return Chart(
        title=plot.title,
        axis=plot.axis,
        summary=_summary(plot),
        panels=tuple(
            _panel(plot.ids[n : n + length], dots[n : n + length], step) for n in range(0, max(1, len(dots)), length)
        ),
        marks=tuple(Mark(at(one), label) for one, label in zip(marks, _labels(marks), strict=True)),
        limit=None if plot.limit is None else Mark(at(plot.limit), f"{plot.limit_label} {plot.limit:.6g}".strip()),
        zero=at(0) if low <= 0 <= high else None,
        step=step,
        radius=min(4.5, max(1.5, step * 0.36)),
        width=max(_LEAST_WIDTH, step * length),
    )


def axis_marks(values: Sequence[float]) -> list[float]:
    """Choose the numbers to write at an axis: about five round ones that enclose all values, and 0 if it is not far.

    Parameters
    ----------
    values : sequence of float
        Finite; there may be none.

    Returns
    -------
    list of float
        At least two, ascending, equally far apart.
    """
    low, high = min(values, default=0.0), max(values, default=0.0)
    if low <= high / 2 and high >= low / 2:
        low, high = min(low, 0.0), max(high, 0.0)
    largest = max(abs(low), abs(high))
    if high - low <= 1e-9 * largest:  # all the same: a round step above and below
        low, high = low - largest / 10, high + largest / 10
    if high == low:
        return [0.0, 1.0]
    step = _round_up((high - low) / _INTERVALS)
    # a value that is a mark but for the last digit of a float asks for no mark more
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [number * step for number in range(first, last + 1)]


def _round_up(number: float) -> float:
    """Give the next of … 0.1, 0.2, 0.5, 1, 2, 5, 10 … that is not below a number."""
    power = math.floor(math.log10(number))
    digits = next(one for one in (1, 2, 5, 10) if one * 10.0**power >= number * (1 - 1e-9))
    return float(f"{digits}e{power}")  # 2 * 10.0**-1 is no 0.2 for every power


def _labels(marks: Sequence[float]) -> list[str]:
    """Write the marks with as many decimals as their step has."""
    step = marks[1] - marks[0]
    decimals = max(0, -math.floor(math.log10(step) + 1e-9))
    if decimals > 4 or max(map(abs, marks)) >= 1e6:
        return [f"{mark:.4g}" for mark in marks]
    return [f"{mark + 0.0:.{decimals}f}" for mark in marks]


def _panel(ids: Sequence[str], dots: Sequence[Dot], step: float) -> Panel:
    """Write so many ids below a row that they do not touch."""
    if not ids:
        return Panel((), (), "no slices")
    room = max(map(len, ids)) * _CHARACTER + 6
    every = next(n * 10**power for power in range(9) for n in (1, 2, 5) if n * 10**power * step >= room)
    shown = tuple(Mark(dot.x, one) for one, dot in list(zip(ids, dots, strict=True))[::every])
    return Panel(tuple(dots), shown, f"slices {ids[0]} to {ids[-1]}")


def _words(slice_id: str, value: float | None, used: bool) -> str:
    said = f"{value:.6g}" if _is_number(value) else "no value"
    return f"slice {slice_id}: {said}{'' if used else ' (excluded)'}"


def _summary(plot: Plot) -> str:
    """Say the range and the middle of the slices that are used, and how many have no value."""
    of_used = [value for value, used in zip(plot.values, plot.used, strict=True) if used and _is_number(value)]
    if not of_used:
        return "no slice that is used has a value"
    parts = [f"used slices: median {median(of_used):.4g}, {min(of_used):.4g} to {max(of_used):.4g}"]
    missing = sum(not _is_number(value) for value in plot.values)
    return "; ".join(parts + ([f"{missing} of {len(plot.ids)} slices have no value"] if missing else []))


def _is_number(value: float | None) -> TypeGuard[float]:
    return value is not None and math.isfinite(value)

"""The ROC curves of an evaluation as an SVG: returns found against false alarms, by threshold."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ..reports.templating import template
from .evaluation import OWN, PLAIN, Evaluation

if TYPE_CHECKING:
    from .evaluate import RocPoint

_TEMPLATE = Path(__file__).parent / "templates" / "roc.svg.j2"
_WIDTH, _HEIGHT = 720, 440
_LEFT, _RIGHT, _TOP, _BOTTOM = 62, 700, 38, 384
_NONE = 64.0  # px at the left for points without any false alarm, which the logarithm has no place for
_LOOKS = {OWN: ("this detection", "#0072b2"), PLAIN: ("the plain formula", "#b34700")}


@dataclass(frozen=True)
class Point:
    """A place in the picture, px, and the threshold it is of."""

    x: float
    y: float
    label: str


@dataclass(frozen=True)
class Mark:
    """A mark of an axis: where it is, px, and what it says."""

    at: float
    label: str


@dataclass(frozen=True)
class Curve:
    """A line of the picture: all its points, those at each tenth, and the one at the threshold."""

    name: str
    colour: str
    dashed: bool
    dots: tuple[Point, ...]
    tenths: tuple[Point, ...]
    threshold: Point


@dataclass(frozen=True)
class RocPicture:
    """The picture, laid out."""

    title: str
    words: str
    threshold: str
    curves: tuple[Curve, ...]
    across: tuple[Mark, ...]
    up: tuple[Mark, ...]
    legend: float
    width: int = _WIDTH
    height: int = _HEIGHT
    left: int = _LEFT
    right: int = _RIGHT
    top: int = _TOP
    bottom: int = _BOTTOM


def roc_svg(found: Evaluation) -> str:
    """Draw the ROC curves of both detectors.

    Parameters
    ----------
    found : Evaluation
        What was measured.

    Returns
    -------
    str
        The text of an SVG file; the same figures give the same text. The axis of false alarms is logarithmic, and none
        at all has a place of its own.
    """
    return template(_TEMPLATE).render(picture=lay_out(found))


def lay_out(found: Evaluation) -> RocPicture:
    """Say where everything lies."""
    known = {
        (name, least): curve
        for name, tiles in found.of_tiles.items()
        for least, curve in sorted(tiles.curves.items(), reverse=True)
        if all(math.isfinite(one.recall) and math.isfinite(one.false_alarms) for one in curve)
    }
    points = [point for curve in known.values() for point in curve]
    scale = _Scale.of(points)
    curves = [_curve(found, scale, *key, curve) for key, curve in known.items()]
    clean = found.of_tiles[OWN].strong.clean
    return RocPicture(
        title="Returns found against false alarms, single tiles",
        words="; ".join(
            f"{one.name}: {_said(known[key], found.threshold)}" for key, one in zip(known, curves, strict=True)
        )
        or f"too few tiles: {clean} of them clean",
        threshold=f"{found.threshold:g}",
        curves=tuple(curves),
        across=scale.across,
        up=scale.up,
        legend=_BOTTOM - 18.0 * (len(curves) + 1),
    )


@dataclass(frozen=True)
class _Scale:
    """The axes: the lowest decade of false alarms, the room left of it, px, and the lowest recall."""

    decade: int
    room: float
    floor: float

    @classmethod
    def of(cls, points: Sequence[RocPoint]) -> _Scale:
        alarms = [one.false_alarms for one in points if one.false_alarms > 0]
        recall = min((one.recall for one in points), default=0.0)
        return cls(
            decade=min(-1, math.floor(math.log10(min(alarms, default=0.1)) + 1e-9)),
            room=_NONE if len(alarms) < len(points) else 0.0,
            floor=min(0.5, math.floor(recall * 10 + 1e-9) / 10),
        )

    def point(self, one: RocPoint) -> Point:
        return Point(self._x(one.false_alarms), self._y(one.recall), f"{one.threshold:g}")

    def _x(self, alarms: float) -> float:
        if alarms == 0:
            return _LEFT + 0.4 * self.room
        return _RIGHT + (_RIGHT - _LEFT - self.room) * math.log10(alarms) / -self.decade

    def _y(self, recall: float) -> float:
        return _TOP + (_BOTTOM - _TOP) * (1 - recall) / (1 - self.floor)

    @property
    def across(self) -> tuple[Mark, ...]:
        decades = [10.0**power for power in range(self.decade, 1)]
        marks = [Mark(self._x(one), f"{100 * one:.6g} %") for one in decades]
        return (*([Mark(self._x(0), "none")] if self.room else []), *marks)

    @property
    def up(self) -> tuple[Mark, ...]:
        tenths = range(round(self.floor * 10), 11)
        return tuple(Mark(self._y(one / 10), f"{10 * one} %") for one in tenths)


def _curve(found: Evaluation, scale: _Scale, name: str, least: float, curve: Sequence[RocPoint]) -> Curve:
    who, colour = _LOOKS[name]
    return Curve(
        name=f"{who}, contrast ≥ {least:.0%}",
        colour=colour,
        dashed=least == min(found.of_tiles[name].curves),
        dots=tuple(scale.point(one) for one in curve),
        tenths=tuple(scale.point(one) for one in curve if math.isclose(one.threshold * 10, round(one.threshold * 10))),
        threshold=scale.point(_at(curve, found.threshold)),
    )


def _at(curve: Sequence[RocPoint], threshold: float) -> RocPoint:
    return min(curve, key=lambda one: abs(one.threshold - threshold))


def _said(curve: Sequence[RocPoint], threshold: float) -> str:
    point = _at(curve, threshold)
    return f"{point.recall:.1%} found and {point.false_alarms:.1%} false alarms at {point.threshold:g}"

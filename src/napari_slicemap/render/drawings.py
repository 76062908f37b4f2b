"""What is drawn on top of a picture, as lines, boxes and text: for formats that keep them apart from its pixels."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from .channels import rgb
from .fonts import FONT

if TYPE_CHECKING:
    from numpy.typing import NDArray

Points = tuple[tuple[float, float], ...]

_NO_CHARACTER = "\U000f0000"
"""Of a private plane: fonts draw it as they draw whatever they lack."""


@dataclass(frozen=True)
class Rim:
    """What sets a drawing off from any ground: around it, and below it.

    Parameters
    ----------
    width_px : float
        How far it reaches out, px of the picture.
    color : str
        ``#rrggbb``.
    alpha : float
        0–1.
    """

    width_px: float
    color: str
    alpha: float = 1.0


@dataclass(frozen=True)
class Shape:
    """A line through points.

    Parameters
    ----------
    points : tuple of (float, float)
        ``(x, y)``, px of the picture from its upper left corner; the centre of its first px is ``(0.5, 0.5)``.
    closed : bool
        Whether the last point joins the first.
    color : str
        ``#rrggbb``.
    width_px : float
        Thickness, px of the picture.
    """

    points: Points
    closed: bool
    color: str
    width_px: float

    def shifted(self, dy: float, dx: float = 0) -> Shape:
        """Move down, and to the right, by so many px."""
        return replace(self, points=tuple((x + dx, y + dy) for x, y in self.points))


@dataclass(frozen=True)
class Bar:
    """A filled box.

    Parameters
    ----------
    x, y, width, height : float
        Upper left corner and size, px of the picture.
    color : str
        ``#rrggbb``.
    rim : Rim or None
        Around it.
    """

    x: float
    y: float
    width: float
    height: float
    color: str
    rim: Rim | None = None

    def shifted(self, dy: float, dx: float = 0) -> Bar:
        """Move down, and to the right, by so many px."""
        return replace(self, x=self.x + dx, y=self.y + dy)


@dataclass(frozen=True)
class Text:
    """A line of text in the bundled font.

    Parameters
    ----------
    text : str
        Characters that can be drawn; see :func:`drawable`.
    x, baseline : float
        Where its first letter begins and its letters stand, px of the picture.
    length_px : float
        How far it runs, px of the picture.
    size_px : int
        Height of the font, px of the picture.
    color : str
        ``#rrggbb``.
    rim : Rim or None
        Around it.
    """

    text: str
    x: float
    baseline: float
    length_px: float
    size_px: int
    color: str
    rim: Rim | None = None

    def shifted(self, dy: float, dx: float = 0) -> Text:
        """Move down, and to the right, by so many px."""
        return replace(self, x=self.x + dx, baseline=self.baseline + dy)

    @property
    def box(self) -> tuple[float, float, float, float]:
        """``(left, top, right, bottom)`` of what is drawn, px of the picture."""
        left, top, right, bottom = font(self.size_px).getbbox(self.text, anchor="ls")
        reach = 0 if self.rim is None else self.rim.width_px
        x, y = self.x, self.baseline
        return x + left - reach, y + top - reach, x + right + reach, y + bottom + reach

    def stamp(self, rows: NDArray[np.uint8], top: int) -> None:
        """Draw what falls onto some rows of a picture, in place; the same however the picture is cut.

        Parameters
        ----------
        rows : ndarray of uint8, (h, W, 3) or (h, W, 4)
            Rows over the whole width. Alpha is left alone.
        top : int
            Row of the picture where they begin.
        """
        _, first, _, last = self.box
        above, below = max(math.floor(first) - top, 0), min(math.ceil(last) - top, len(rows))
        if above >= below:
            return
        part = rows[above:below, :, :3]
        at = (round(self.x), round(self.baseline) - top - above)
        if self.rim is not None:
            width = max(1, round(self.rim.width_px))
            _mix(part, _coverage(part, self, at, width) * self.rim.alpha, self.rim.color)
        _mix(part, _coverage(part, self, at, 0), self.color)


Drawing = Shape | Bar | Text


@lru_cache(maxsize=64)
def font(size_px: int) -> Any:
    """Give the bundled font at a height in px, as Pillow draws it."""
    from PIL import ImageFont

    # the basic layout engine gives the same pixels whether or not the system has libraqm
    return ImageFont.truetype(FONT, size_px, layout_engine=ImageFont.Layout.BASIC)


def drawable(text: str) -> str:
    """Give a text on one line without characters that cannot be drawn.

    Blanks of any kind, line ends among them, become one space; control characters and halves of characters become
    the replacement character.
    """
    shown = "".join(one if one.isprintable() or one.isspace() else "\N{REPLACEMENT CHARACTER}" for one in text)
    return " ".join(shown.split())


def lacking(text: str) -> str:
    """Give the characters of a text that the bundled font does not have, each once."""
    absent = _glyph(_NO_CHARACTER)
    return "".join(one for one in dict.fromkeys(text) if not one.isspace() and _glyph(one) == absent)


def shapes_within(
    shapes: Sequence[Points], closed: bool, color: str, width_px: float, within: Sequence[Points]
) -> list[Shape]:
    """Give the parts of shapes that lie inside all of some others.

    Parameters
    ----------
    shapes : sequence of points
        Px of the picture. Lines of closed ones run inside them, by half their thickness from their box.
    closed : bool
        Whether the last point of each joins its first.
    color : str
        ``#rrggbb``.
    width_px : float
        Thickness of the lines, px.
    within : sequence of points
        The shapes that they are cut to, each filled by the even-odd rule.

    Returns
    -------
    list of Shape
        A shape that is cut is open; one that lies outside is left out.
    """
    import shapely

    ground = shapely.intersection_all([shapely.make_valid(shapely.Polygon(one)) for one in within])
    shapely.prepare(ground)
    made: list[Shape] = []
    for shape in shapes:
        points = _drawn_in(shape, width_px / 2) if closed else shape
        line = shapely.LinearRing(points) if closed else shapely.LineString(points)
        if ground.covers(line):
            made.append(Shape(points, closed, color, width_px))
            continue
        shared = shapely.line_merge(shapely.intersection(shapely.LineString(line.coords), ground))
        parts = [part for part in shapely.get_parts(shared) if part.geom_type == "LineString"]
        made += [Shape(tuple((x, y) for x, y in part.coords), False, color, width_px) for part in parts]
    return made


def _drawn_in(points: Points, by: float) -> Points:
    """Keep points away from the far sides of their box, so that a line of some thickness stays inside."""
    (x_min, y_min), (x_max, y_max) = (tuple(map(end, zip(*points, strict=True))) for end in (min, max))
    x_by, y_by = min(by, (x_max - x_min) / 2), min(by, (y_max - y_min) / 2)
    return tuple((min(max(x, x_min + x_by), x_max - x_by), min(max(y, y_min + y_by), y_max - y_by)) for x, y in points)


def _coverage(part: NDArray[np.uint8], text: Text, at: tuple[int, int], stroke: int) -> NDArray[np.float64]:
    """Rasterise text over rows of a picture: coverage 0–1."""
    from PIL import Image, ImageDraw

    canvas = Image.new("L", (part.shape[1], part.shape[0]))
    ImageDraw.Draw(canvas).text(at, text.text, fill=255, font=font(text.size_px), anchor="ls", stroke_width=stroke)
    return np.asarray(canvas) / 255


def _mix(part: NDArray[np.uint8], share: NDArray[np.float64], color: str) -> None:
    """Mix a colour into pixels ``(h, W, 3)`` by its share (0–1), in place."""
    touched = share > 0
    weight = share[touched][:, None]
    part[touched] = np.rint((1 - weight) * part[touched] + weight * 255 * np.array(rgb(color))).astype(np.uint8)


@lru_cache(maxsize=4096)
def _glyph(one: str) -> bytes:
    return bytes(font(32).getmask(one))

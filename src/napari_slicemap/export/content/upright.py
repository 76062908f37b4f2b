"""Rotated boxes turned upright: each px of the picture is read where it lies in the frame."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ...errors import RegionError
from ...images.region import Window, blocks
from ...render.picture import Picture

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ...render.drawings import Points

_BLOCK = 512
"""Side of the squares that a picture is turned in, px: it bounds the box of the source that each one needs."""


@dataclass(frozen=True)
class Turn:
    """How a rotated box stands in its frame.

    Parameters
    ----------
    centre : tuple of float
        Its centre, px of the frame.
    along : tuple of float
        Unit vector along its top, from left to right as seen upright, in the frame. Down is at a right angle to
        it, as in the frame: nothing is mirrored.
    shape : tuple of int
        ``(height, width)`` upright, output px.
    step : int
        Size of an output px in px of the frame.
    """

    centre: tuple[float, float]
    along: tuple[float, float]
    shape: tuple[int, int]
    step: int

    @classmethod
    def of(cls, corners: Sequence[tuple[float, float]], step: int) -> Turn:
        """Read four corners ``(x, y)``, px of the frame: the side from the first to the second becomes the top.

        Corners that go round the other way are read from the second to the first: turning mirrors nothing.

        Raises
        ------
        RegionError
            If there are not four corners, or the box has no width or height.
        """
        if len(corners) != 4:
            raise RegionError(f"a box that is turned upright has 4 corners, this one has {len(corners)}")
        box = np.array(corners, np.float64)
        top, right, bottom, left = np.roll(box, -1, axis=0) - box
        width, height = (float(np.hypot(*one) + np.hypot(*other)) / 2 for one, other in ((top, bottom), (right, left)))
        if not min(width, height) > 0 or not np.hypot(*top) > 0:
            raise RegionError(f"a box that is turned upright needs a width and a height, this one has {corners}")
        along = top / np.hypot(*top)
        if along[0] * right[1] - along[1] * right[0] < 0:
            along = -along
        x, y = box.mean(axis=0)
        # half but for rounding is half
        rows, columns = (max(1, math.floor(round(side / step, 9) + 0.5)) for side in (height, width))
        return cls((float(x), float(y)), (float(along[0]), float(along[1])), (rows, columns), step)

    @property
    def degrees(self) -> float:
        """How far the frame is turned, clockwise as seen, so that the box stands upright: −180 to 180."""
        return -math.degrees(math.atan2(self.along[1], self.along[0]))

    def placed(self, points: Points) -> Points:
        """Give where points of the frame come to lie: frame-sized px from the picture's upper left corner."""
        (height, width), (ux, uy), (cx, cy) = self.shape, self.along, self.centre
        middle = width * self.step / 2, height * self.step / 2
        return tuple(
            (middle[0] + (x - cx) * ux + (y - cy) * uy, middle[1] - (x - cx) * uy + (y - cy) * ux) for x, y in points
        )

    def sources(self, part: Window) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Give where the centres of px of the picture lie in the frame: columns and rows of cells, ``(h, w)`` each.

        A cell is `step` px wide, the first one begins at 0, and whole numbers are the centres of cells.
        """
        (height, width), (ux, uy) = self.shape, self.along
        x = (np.arange(part.x0, part.x1) + 0.5 - width / 2)[None, :]
        y = (np.arange(part.y0, part.y1) + 0.5 - height / 2)[:, None]
        return (
            x * ux - y * uy + (self.centre[0] / self.step - 0.5),
            x * uy + y * ux + (self.centre[1] / self.step - 0.5),
        )


def turned(turn: Turn, render: Callable[[Window], NDArray[np.uint8]], missing: Sequence[str] = ()) -> Picture:
    """Give a picture turned upright, painted on demand in squares of bounded size.

    Parameters
    ----------
    turn : Turn
        Where the box lies.
    render : callable
        Gives cells of the frame, uint8 ``(h, w, 3)``; also such as lie beyond the data.
    missing : sequence of str
        Tiles that `render` could not read; it may grow while the picture is painted.

    Returns
    -------
    Picture
        RGB; each px the bilinear mean of the four cells around the place of its centre.
    """

    def paint(top: int, bottom: int) -> NDArray[np.uint8]:
        rows = Window(0, width, top, bottom)
        made = np.empty((*rows.shape, 3), np.uint8)
        for block in blocks(rows, _BLOCK):
            made[block.slices_in(rows)] = _sampled(render, *turn.sources(block))
        return made

    height, width = turn.shape
    return Picture((height, width, 3), paint, missing=missing)


def _sampled(
    render: Callable[[Window], NDArray[np.uint8]], x: NDArray[np.float64], y: NDArray[np.float64]
) -> NDArray[np.uint8]:
    """Read cells at fractional places, bilinear."""
    # whole but for rounding is whole: a turn by a right angle then reads its cells as they are
    x, y = np.round(x, 9), np.round(y, 9)
    left, top = np.floor(x).astype(np.int64), np.floor(y).astype(np.int64)
    box = Window(int(left.min()), int(left.max()) + 2, int(top.min()), int(top.max()) + 2)
    cells = render(box)
    right_share, lower_share = (x - left)[..., None], (y - top)[..., None]
    column, row = left - box.x0, top - box.y0
    upper = cells[row, column] * (1 - right_share) + cells[row, column + 1] * right_share
    lower = cells[row + 1, column] * (1 - right_share) + cells[row + 1, column + 1] * right_share
    made: NDArray[np.uint8] = np.rint(upper * (1 - lower_share) + lower * lower_share).astype(np.uint8)
    return made

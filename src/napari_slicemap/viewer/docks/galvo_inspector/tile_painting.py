"""How tiles are painted: as grey pictures, and where their A-lines come to lie."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from qtpy.QtCore import QRect, QRectF
from qtpy.QtGui import QImage, qRgb, qRgba

from .patches import NOTHING, Axis

if TYPE_CHECKING:
    from numpy.typing import NDArray

_TABLE = [qRgb(value, value, value) for value in (0, *np.linspace(0, 255, 255).round().astype(int).tolist())]
_TABLE[NOTHING] = qRgba(0, 0, 0, 0)


def image_of(picture: NDArray[np.uint8]) -> QImage:
    """Make an image of grey values as :func:`~.patches.grey` gives them; seen through where there is nothing.

    Parameters
    ----------
    picture : ndarray, (Y, X), uint8
        At least one px.
    """
    height, width = picture.shape
    kept = np.ascontiguousarray(picture)
    made = QImage(kept.data, width, height, width, QImage.Format.Format_Indexed8)
    made.setColorTable(_TABLE)
    # another format is a copy of its own, which QImage needs: it does not keep the array
    return made.convertToFormat(QImage.Format.Format_ARGB32_Premultiplied)


def along(target: QRect, axis: Axis, lines: int, start: float, stop: float) -> QRectF:
    """Give the part of a painted tile from one A-line to before another.

    Parameters
    ----------
    target : QRect
        Where the tile is painted.
    axis : "x" or "y"
        Along which A-lines follow one another.
    lines : int
        A-lines of the tile.
    start, stop : float
        A-lines.
    """
    if axis == "x":
        step = target.width() / lines
        return QRectF(target.x() + start * step, target.y(), (stop - start) * step, target.height())
    step = target.height() / lines
    return QRectF(target.x(), target.y() + start * step, target.width(), (stop - start) * step)

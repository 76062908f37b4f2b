"""Small helps for what is painted by hand: grey pictures, text, the marks of the return."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from qtpy.QtCore import QRect, QRectF, QSize, Qt
from qtpy.QtGui import QColor, QFont, QImage, QPainter, QPen, qRgb, qRgba
from qtpy.QtWidgets import QWidget

from .patches import NOTHING, Axis

if TYPE_CHECKING:
    from numpy.typing import NDArray

TEXT_PX = 11
"""Height of small text."""
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


def fitted(size: QSize, room: QRect) -> QRect:
    """Give the largest rectangle of the shape of `size` in the middle of `room`."""
    made = size.scaled(room.size(), Qt.AspectRatioMode.KeepAspectRatio)
    made = QSize(max(1, made.width()), max(1, made.height()))
    return QRect(
        room.x() + (room.width() - made.width()) // 2,
        room.y() + (room.height() - made.height()) // 2,
        made.width(),
        made.height(),
    )


def scaled_for(image: QImage, target: QRect, widget: QWidget) -> QImage:
    """Scale an image for where it is painted: averaged where it gets smaller, px as squares where larger."""
    ratio = widget.devicePixelRatioF()
    size = QSize(round(target.width() * ratio), round(target.height() * ratio))
    smaller = size.width() < image.width() or size.height() < image.height()
    mode = Qt.TransformationMode.SmoothTransformation if smaller else Qt.TransformationMode.FastTransformation
    made = image.scaled(size, Qt.AspectRatioMode.IgnoreAspectRatio, mode)
    made.setDevicePixelRatio(ratio)
    return made


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


def small_font(widget: QWidget, *, bold: bool = False) -> QFont:
    """Give a widget's font in the size of small text."""
    made = QFont(widget.font())
    made.setPixelSize(TEXT_PX)
    made.setBold(bold)
    return made


def say(painter: QPainter, room: QRect, text: str, colour: QColor, align: Any = Qt.AlignmentFlag.AlignLeft) -> None:
    """Write a line, cut short with an ellipsis where it does not fit."""
    painter.setPen(QPen(colour))
    cut = painter.fontMetrics().elidedText(text, Qt.TextElideMode.ElideRight, room.width())
    painter.drawText(room, align | Qt.AlignmentFlag.AlignVCenter, cut)

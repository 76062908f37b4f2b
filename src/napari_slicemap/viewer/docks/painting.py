"""Small helps for what is painted by hand: where a picture fits, its size, small text."""

from __future__ import annotations

from typing import Any

from qtpy.QtCore import QRect, QSize, Qt
from qtpy.QtGui import QColor, QFont, QImage, QPainter, QPen
from qtpy.QtWidgets import QWidget

TEXT_PX = 11
"""Height of small text."""


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

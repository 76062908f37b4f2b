"""A picture of tiles that is computed only when it is seen."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from qtpy.QtCore import QRect, QSize, Qt
from qtpy.QtGui import QImage, QPainter, QPaintEvent, QPen, QResizeEvent
from qtpy.QtWidgets import QSizePolicy, QWidget

from ..colours import THEME, Colours, colours_of
from ..painting import fitted, say, scaled_for, small_font
from .patches import Axis
from .tile_painting import along, image_of

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_HEIGHT_PX, _CAPTION_PX, _MARK_PX = 150, 16, 6


@dataclass(frozen=True)
class Scene:
    """What a pane shows.

    Parameters
    ----------
    make : callable or None
        Gives the grey values ``(Y, X)``, uint8; ``None`` for no picture.
    caption : str
        Beneath the picture, or in the middle of the pane without one.
    room : tuple of int or None
        ``(Y, X)`` of a larger picture that this one is shown at the scale of, from its upper left corner.
    marks : tuple of int
        A-lines to mark at the rim.
    axis : "x" or "y"
        Along which A-lines follow one another.
    lines : int
        A-lines of the picture that has marks.
    """

    make: Callable[[], NDArray[np.uint8]] | None = None
    caption: str = ""
    room: tuple[int, int] | None = None
    marks: tuple[int, ...] = ()
    axis: Axis = "y"
    lines: int = 1


class Pane(QWidget):
    """Shows a scene as large as there is room."""

    def __init__(self) -> None:
        super().__init__()
        self._scene = Scene()
        self._image: QImage | None = None
        self._scaled: QImage | None = None
        self._colours = colours_of(THEME)
        self.setMinimumSize(QSize(60, _HEIGHT_PX))
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)

    @property
    def caption(self) -> str:
        """What stands beneath the picture, or instead of it."""
        return self._scene.caption

    def set_scene(self, scene: Scene) -> None:
        """Show another scene."""
        self._scene, self._image, self._scaled = scene, None, None
        self.setAccessibleName(scene.caption)
        self.setToolTip(scene.caption)
        self.update()

    def set_colours(self, colours: Colours) -> None:
        """Paint in other colours."""
        self._colours = colours
        self.update()

    def resizeEvent(self, event: QResizeEvent) -> None:  # noqa: N802 - Qt's name
        """Scale the picture again."""
        super().resizeEvent(event)
        self._scaled = None

    def paintEvent(self, _event: QPaintEvent) -> None:  # noqa: N802 - Qt's name
        """Make the picture, if that has not been done, and paint it."""
        painter = QPainter(self)
        painter.setFont(small_font(self))
        scene = self._scene
        if scene.make is None:
            say(painter, self.rect(), scene.caption, self._colours.faint, Qt.AlignmentFlag.AlignHCenter)
        else:
            target = self._paint_picture(painter, scene.make)
            for mark in scene.marks:
                self._paint_mark(painter, along(target, scene.axis, scene.lines, mark, mark).toRect())
            beneath = QRect(0, self.height() - _CAPTION_PX, self.width(), _CAPTION_PX)
            say(painter, beneath, scene.caption, self._colours.text, Qt.AlignmentFlag.AlignHCenter)
        painter.end()

    def _paint_picture(self, painter: QPainter, make: Callable[[], NDArray[np.uint8]]) -> QRect:
        """Paint the picture, and give where it is."""
        if self._image is None:
            self._image = image_of(make())
        size = self._image.size()
        height, width = self._scene.room or (size.height(), size.width())
        whole = fitted(
            QSize(width, height), self.rect().adjusted(_MARK_PX, _MARK_PX, -_MARK_PX, -_CAPTION_PX - _MARK_PX)
        )
        shown = QSize(
            max(1, round(size.width() * whole.width() / width)), max(1, round(size.height() * whole.height() / height))
        )
        target = QRect(whole.topLeft(), shown)
        if self._scaled is None or self._scaled.devicePixelRatio() != self.devicePixelRatioF():
            self._scaled = scaled_for(self._image, target, self)
        painter.drawImage(target.topLeft(), self._scaled)
        return target

    def _paint_mark(self, painter: QPainter, line: QRect) -> None:
        """Paint the two ends of a line beside the picture, whose px stay as they are."""
        painter.setPen(QPen(self._colours.band, 2))
        if self._scene.axis == "x":
            x, top, bottom = line.left(), line.top(), line.bottom()
            painter.drawLine(x, top - _MARK_PX, x, top - 1)
            painter.drawLine(x, bottom + 1, x, bottom + _MARK_PX)
        else:
            y, left, right = line.top(), line.left(), line.right()
            painter.drawLine(left - _MARK_PX, y, left - 1, y)
            painter.drawLine(right + 1, y, right + _MARK_PX, y)

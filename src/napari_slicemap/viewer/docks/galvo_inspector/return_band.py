"""The band of the return in a plot over A-lines: a region of fixed width that moves round their ring."""

from __future__ import annotations

from typing import Any

from qtpy.QtCore import QPointF, QRectF, Qt, Signal
from qtpy.QtGui import QColor, QPainter, QPainterPath
from qtpy.QtWidgets import QGraphicsSceneHoverEvent, QGraphicsSceneMouseEvent

# isort: split
import pyqtgraph as pg  # takes the binding of Qt that is imported already

from .ring import band_edges, band_pieces, shift_at

_GRAB_PX = 5  # beside an edge


class ReturnBand(pg.GraphicsObject):
    """A region of A-lines that is dragged by its inside or by an edge; over the end of the A-lines it is in two pieces.

    A-line `i` reaches from ``i - 0.5`` to ``i + 0.5``.
    """

    moved = Signal(int)
    """The first A-line, each time that it changes in a drag."""
    settled = Signal()
    """A drag that moved the band has ended."""

    def __init__(self) -> None:
        super().__init__()
        self._lines, self._length, self._start = 2, 1, 0
        self._low, self._high = 0.0, 1.0
        self._outline: int | None = None
        self._grabbed, self._moved, self._hovered = 0, False, False
        self._line, self._fill = QColor("white"), QColor("grey")
        self.setAcceptHoverEvents(True)
        self.setAcceptedMouseButtons(Qt.MouseButton.LeftButton)
        self.setCursor(Qt.CursorShape.SizeHorCursor)

    def set_ring(self, lines: int, length: int, low: float, high: float) -> None:
        """Say how many A-lines there are, how many the band takes, and from where to where it is painted."""
        self.prepareGeometryChange()
        self._lines, self._length, self._low, self._high = lines, length, low, high

    def set_start(self, start: int) -> None:
        """Put the first A-line of the band somewhere."""
        self.prepareGeometryChange()
        self._start = start
        self.update()

    def set_outline(self, start: int | None) -> None:
        """Outline a band elsewhere, too, from its first A-line; ``None`` for none."""
        self._outline = start
        self.update()

    def set_colours(self, line: QColor, fill: QColor) -> None:
        """Paint edges and region in these colours."""
        self._line, self._fill = line, fill
        self.update()

    def boundingRect(self) -> QRectF:  # noqa: N802 - Qt's name
        """Give the room of all A-lines: the band may be anywhere in it."""
        return QRectF(-0.5, self._low, self._lines, self._high - self._low)

    def shape(self) -> QPainterPath:
        """Give what can be grabbed: the band, and a little beside its edges."""
        beside = _GRAB_PX * abs(self.pixelWidth() or 0)
        made = QPainterPath()
        for piece in self._rects(self._start):
            made.addRect(piece.adjusted(-beside, 0, beside, 0))
        return made

    def collidesWithPath(self, path: QPainterPath, *_: Any) -> bool:  # noqa: N802 - Qt's name
        """Tell whether the mouse, here a small path, is over the band: of what a plot clips, Qt asks for no shape."""
        return self.shape().intersects(path)

    def paint(self, painter: QPainter, *_: Any) -> None:
        """Paint the region, both edges, and the outline of the band elsewhere."""
        for piece in self._rects(self._start):
            painter.fillRect(piece, self._fill)
        for edge in band_edges(self._lines, self._length, shift_at(self._lines, self._length, self._start)):
            painter.setPen(pg.mkPen(self._line, width=3 if self._hovered else 2))
            painter.drawLine(self._point(edge, self._low), self._point(edge, self._high))
        if self._outline is not None:
            painter.setPen(pg.mkPen(self._line, width=1, style=Qt.PenStyle.DashLine))
            for piece in self._rects(self._outline):
                painter.drawRect(piece)

    def _rects(self, start: int) -> list[QRectF]:
        pieces = band_pieces(self._lines, self._length, shift_at(self._lines, self._length, start))
        return [QRectF(first - 0.5, self._low, stop - first, self._high - self._low) for first, stop in pieces]

    def _point(self, edge: int, value: float) -> QPointF:
        return QPointF(edge - 0.5, value)

    # --- the mouse ----------------------------------------------------------------------------------------------
    def hoverEnterEvent(self, _event: QGraphicsSceneHoverEvent) -> None:  # noqa: N802 - Qt's name
        """Show that it can be grabbed."""
        self._hovered = True
        self.update()

    def hoverLeaveEvent(self, _event: QGraphicsSceneHoverEvent) -> None:  # noqa: N802 - Qt's name
        """Show that it would not be grabbed here."""
        self._hovered = False
        self.update()

    def mousePressEvent(self, event: QGraphicsSceneMouseEvent) -> None:  # noqa: N802 - Qt's name
        """Take hold of the band."""
        self._grabbed, self._moved = self._start, False
        event.accept()

    def mouseMoveEvent(self, event: QGraphicsSceneMouseEvent) -> None:  # noqa: N802 - Qt's name
        """Move the band by as many whole A-lines as the mouse has gone."""
        gone = event.pos().x() - event.buttonDownPos(Qt.MouseButton.LeftButton).x()
        start = (self._grabbed + round(gone)) % self._lines
        if start != self._start:
            self._moved = True
            self.set_start(start)
            self.moved.emit(start)

    def mouseReleaseEvent(self, event: QGraphicsSceneMouseEvent) -> None:  # noqa: N802 - Qt's name
        """Let go of the band."""
        event.accept()
        if self._moved:
            self._moved = False
            self.settled.emit()

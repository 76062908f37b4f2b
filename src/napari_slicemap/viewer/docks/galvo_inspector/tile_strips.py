"""The tiles of a slice that were looked at, as a row of pictures to choose from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QRect, QSize, Qt, Signal
from qtpy.QtGui import QImage, QPainter, QPaintEvent, QPen
from qtpy.QtWidgets import QAbstractButton, QButtonGroup, QFrame, QHBoxLayout, QLabel, QScrollArea, QVBoxLayout, QWidget

from ..colours import THEME, Colours, clear, colours_of
from ..painting import fitted, say, scaled_for, small_font
from .patches import Axis, as_picture, grey, limits_of
from .ring import band_edges, band_pieces
from .tile_painting import along, image_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

_WIDTH_PX, _PICTURE_PX, _LINE_PX, _FRAME_PX = 112, 80, 15, 4
_HEIGHT_PX = _PICTURE_PX + 2 * _LINE_PX + 2 * _FRAME_PX
_BEST = "★"
_EMPTY = "No tiles were looked at"


@dataclass(frozen=True)
class Strip:
    """A tile that was looked at.

    Parameters
    ----------
    name : str
        As it is called in the caption.
    aip : ndarray, (A-lines, B-scans)
        The mean over depth: real numbers.
    confidence : float
        That the return was found where `shift` says, 0 to 1.
    shift : int
        As found in this tile.
    best : bool
        Whether this tile decided for the slice.
    """

    name: str
    aip: NDArray[Any]
    confidence: float
    shift: int
    best: bool = False


class TileStrips(QWidget):
    """A row of pictures of tiles, the return outlined in each; a click or an arrow key chooses one."""

    chosen = Signal(int)
    """The tile that somebody chose, by its number among those given."""

    def __init__(self) -> None:
        super().__init__()
        self._colours: Colours = colours_of(THEME)
        self._buttons: list[_Button] = []
        self._group = QButtonGroup(self)
        self._group.idClicked.connect(self.chosen.emit)
        self._empty = QLabel(_EMPTY)
        self._row = QWidget()
        self._room = QHBoxLayout(self._row)
        self._room.setContentsMargins(0, 0, 0, 0)
        self._room.setSpacing(4)
        self._room.addWidget(self._empty)
        self._room.addStretch(1)
        self._scroll = QScrollArea()
        self._scroll.setFrameShape(QFrame.Shape.NoFrame)
        self._scroll.setWidgetResizable(True)
        self._scroll.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self._scroll.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self._scroll.setWidget(self._row)
        # room for the bar beneath, which is as high as the theme makes it
        self.setFixedHeight(_HEIGHT_PX + self._scroll.horizontalScrollBar().sizeHint().height() + 2)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self._scroll)
        self.setAccessibleName("Tiles that were looked at")
        self.set_theme(THEME)

    @property
    def current(self) -> int | None:
        """The tile that is chosen; ``None`` where there is none."""
        number = self._group.checkedId()
        return None if number < 0 else number

    def set_tiles(self, strips: Sequence[Strip], n_extra: int, axis: Axis) -> None:
        """Show tiles; the best one is chosen, in silence.

        Parameters
        ----------
        strips : sequence of Strip
            From left to right. Black and white are the same for all.
        n_extra : int
            A-lines of the return.
        axis : "x" or "y"
            Along which A-lines follow one another in the pictures.
        """
        for button in self._buttons:
            self._group.removeButton(button)
            self._room.removeWidget(button)
            button.deleteLater()
        limits = limits_of(strip.aip for strip in strips)
        self._buttons = [_Button(strip, limits, n_extra, axis) for strip in strips]
        for number, button in enumerate(self._buttons):
            button.set_colours(self._colours)
            self._group.addButton(button, number)
            self._room.insertWidget(number, button, alignment=Qt.AlignmentFlag.AlignTop)
        self._empty.setVisible(not strips)
        if strips:
            self.choose(next((number for number, strip in enumerate(strips) if strip.best), 0))

    def choose(self, number: int) -> None:
        """Choose a tile, in silence."""
        self._buttons[number].setChecked(True)
        self._scroll.ensureWidgetVisible(self._buttons[number])

    def set_shift(self, shift: int | None) -> None:
        """Outline the return where a shift says in all tiles; ``None`` shows where each tile has it itself."""
        for button in self._buttons:
            button.set_shift(shift)

    def clear(self, why: str = _EMPTY) -> None:
        """Show no tiles, and say why."""
        self.set_tiles((), 1, "y")
        self._empty.setText(why)

    def set_theme(self, theme: str) -> None:
        """Paint in the colours of a theme of napari, by its name."""
        self._colours = colours_of(theme)
        self._empty.setFont(small_font(self))
        self._empty.setStyleSheet(f"color: {self._colours.faint.name()};")
        for button in self._buttons:
            button.set_colours(self._colours)


class _Button(QAbstractButton):
    """The picture of a tile with its caption."""

    def __init__(self, strip: Strip, limits: tuple[float, float], n_extra: int, axis: Axis) -> None:
        super().__init__()
        self._strip, self._n_extra, self._axis = strip, n_extra, axis
        self._image = image_of(as_picture(grey(strip.aip, limits), axis))
        self._target = fitted(self._image.size(), QRect(_FRAME_PX, _FRAME_PX, _WIDTH_PX - 2 * _FRAME_PX, _PICTURE_PX))
        self._scaled: QImage | None = None
        self._shift = strip.shift
        self._colours = colours_of(THEME)
        self.setCheckable(True)
        self.setAutoExclusive(True)
        self.setFixedSize(_WIDTH_PX, _HEIGHT_PX)
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        decided = "\nThis tile decided for the slice." if strip.best else ""
        self.setToolTip(
            f"{strip.name}\nconfidence {strip.confidence:.3f}, found at shift {strip.shift} in this tile{decided}"
        )
        self.setAccessibleName(f"Tile {strip.name}, confidence {strip.confidence:.2f}, shift {strip.shift}")

    def set_shift(self, shift: int | None) -> None:
        """Outline the return elsewhere."""
        self._shift = self._strip.shift if shift is None else shift
        self.update()

    def set_colours(self, colours: Colours) -> None:
        """Paint in other colours."""
        self._colours = colours
        self.update()

    def sizeHint(self) -> QSize:  # noqa: N802 - Qt's name
        return self.size()

    def paintEvent(self, _event: QPaintEvent) -> None:  # noqa: N802 - Qt's name
        painter = QPainter(self)
        if self._scaled is None or self._scaled.devicePixelRatio() != self.devicePixelRatioF():
            self._scaled = scaled_for(self._image, self._target, self)
        painter.drawImage(self._target.topLeft(), self._scaled)
        self._paint_band(painter)
        self._paint_caption(painter)
        if self.isChecked() or self.hasFocus():
            width = 2 if self.isChecked() else 1
            style = Qt.PenStyle.SolidLine if self.isChecked() else Qt.PenStyle.DotLine
            painter.setPen(QPen(self._colours.accent, width, style))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawRect(self.rect().adjusted(1, 1, -1, -1))
        painter.end()

    def _paint_band(self, painter: QPainter) -> None:
        lines = len(self._strip.aip)
        if not 0 < self._n_extra < lines:
            return
        for start, stop in band_pieces(lines, self._n_extra, self._shift):
            painter.fillRect(along(self._target, self._axis, lines, start, stop), clear(self._colours.on_picture, 40))
        painter.setPen(QPen(self._colours.on_picture, 1))
        for edge in band_edges(lines, self._n_extra, self._shift):
            line = along(self._target, self._axis, lines, edge, edge).toRect()
            painter.drawLine(line.topLeft(), line.bottomLeft() if self._axis == "x" else line.topRight())

    def _paint_caption(self, painter: QPainter) -> None:
        strip, width = self._strip, _WIDTH_PX - 2 * _FRAME_PX
        first = QRect(_FRAME_PX, _FRAME_PX + _PICTURE_PX, width, _LINE_PX)
        painter.setFont(small_font(self))
        say(painter, first, strip.name, self._colours.text)
        painter.setFont(small_font(self, bold=strip.best))
        said = f"{strip.confidence:.2f} · shift {strip.shift}"
        second, colour = first.translated(0, _LINE_PX), self._colours.text if strip.best else self._colours.faint
        say(painter, second, f"{_BEST} {said}" if strip.best else said, colour)

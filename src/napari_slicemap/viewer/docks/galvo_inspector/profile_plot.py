"""The plot of a tile's intensity from A-line to A-line, with the band of the return to drag."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from qtpy.QtCore import QPointF, Qt, Signal
from qtpy.QtGui import QFocusEvent, QFont, QKeyEvent, QPainter, QPaintEvent, QPen
from qtpy.QtWidgets import QHBoxLayout, QLabel, QSizePolicy, QVBoxLayout, QWidget

# isort: split
import pyqtgraph as pg  # takes the binding of Qt that is imported already

from ..colours import THEME, Colours, clear, colours_of
from ..painting import TEXT_PX, small_font
from .return_band import ReturnBand
from .ring import band_start, shift_at

if TYPE_CHECKING:
    from numpy.typing import NDArray

_HEIGHT_PX = 150
_AXIS_PX, _OVER_PX = 46, 12
_MARGIN = 0.08  # of the range of values, above and below
_STEPS = {Qt.Key.Key_Left: -1, Qt.Key.Key_Right: 1}
_FAR = 10  # A-lines, with Shift
_EMPTY = "No tile to show"


class ProfilePlot(QWidget):
    """Mean intensity of each A-line of a tile, and the band of the return, which is moved with the mouse or by keys.

    Dragging the band or one of its edges moves it by whole A-lines, round the ring that they are; the arrow keys move
    it by one, with Shift by ten.
    """

    shift_changed = Signal(int)
    """The shift that the band stands for, while it is moved."""
    shift_settled = Signal(int)
    """The shift that the band stands for, when a drag ends or a key is released."""

    def __init__(self) -> None:
        super().__init__()
        self._profile: NDArray[np.float64] = np.empty(0)
        self._n_extra = self._shift = 0
        self._detected: int | None = None
        self._keyed = False
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setMinimumHeight(_HEIGHT_PX)
        self.setAccessibleName("Profile over A-lines")
        self.setToolTip(
            "Drag the band to where the mirror flies back. ← and → move it by one A-line, with Shift by ten."
        )
        self.said, self.hovered = QLabel(), QLabel()
        self.said.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self._view = _View(self)
        self._box = self._view.addViewBox(row=0, col=1, enableMenu=False)
        self._axes = {side: pg.AxisItem(side) for side in ("left", "bottom")}
        self._curve = pg.PlotCurveItem(antialias=True)
        self._spot = pg.ScatterPlotItem(size=7)
        self.band = ReturnBand()
        self._build()
        self.set_theme(THEME)
        self.clear()

    def _build(self) -> None:
        head = QHBoxLayout()
        head.setContentsMargins(2, 0, 2, 0)
        head.addWidget(self.said, 1)
        head.addWidget(self.hovered)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(2, 2, 2, 2)
        layout.setSpacing(0)
        layout.addLayout(head)
        layout.addWidget(self._view, 1)
        self._view.addItem(self._axes["left"], row=0, col=0)
        self._view.addItem(self._axes["bottom"], row=1, col=1)
        for axis in self._axes.values():
            axis.linkToView(self._box)
            axis.enableAutoSIPrefix(False)
            axis.setStyle(tickLength=-4, tickTextOffset=3, hideOverlappingLabels=_OVER_PX)
        self._axes["left"].setWidth(_AXIS_PX)
        self._axes["bottom"].setHeight(32)
        self._box.setMouseEnabled(x=False, y=False)
        for item in (self.band, self._curve, self._spot):
            self._box.addItem(item, ignoreBounds=True)
        self._spot.setZValue(2)
        self.band.moved.connect(self._on_moved)
        self.band.settled.connect(lambda: self.shift_settled.emit(self._shift))
        self._view.pointed.connect(self._on_pointed)

    @property
    def shift(self) -> int:
        """A-lines by which rolling the tile puts the band at the end."""
        return self._shift

    def set_tile(self, profile: NDArray[Any], n_extra: int, shift: int, detected: int | None = None) -> None:
        """Show a tile.

        Parameters
        ----------
        profile : ndarray, (A-lines,)
            Mean intensity of each; one that is not finite leaves a gap.
        n_extra : int
            A-lines of the return: at least 1, and fewer than there are.
        shift : int
            Where the band stands.
        detected : int, optional
            The shift that was detected: outlined where the band stands elsewhere.

        Raises
        ------
        ValueError
            If the return does not fit into the profile.
        """
        made = np.asarray(profile, dtype=np.float64)
        if made.ndim != 1 or not 0 < n_extra < len(made):
            raise ValueError(
                f"a return of {n_extra} A-lines in a profile of shape {made.shape}, expected fewer A-lines"
            )
        self._profile, self._n_extra, self._detected = made, n_extra, detected
        self.setEnabled(True)
        self._show_axes(True)
        self._curve.setData(np.arange(len(made)), made, connect="finite")
        low, high = _range_of(made)
        self._box.setRange(xRange=(-0.5, len(made) - 0.5), yRange=(low, high), padding=0)
        self.band.set_ring(len(made), n_extra, low, high)
        self.band.setVisible(True)
        self._point_at(None)
        self.set_shift(shift)

    def set_shift(self, shift: int) -> None:
        """Move the band, in silence."""
        lines = len(self._profile)
        if not lines:
            return
        self._shift = shift % lines
        self.band.set_start(band_start(lines, self._n_extra, shift))
        detected = None if self._detected is None else self._detected % lines
        elsewhere = detected is not None and detected != self._shift
        self.band.set_outline(
            band_start(lines, self._n_extra, detected) if detected is not None and elsewhere else None
        )
        self.said.setText(
            f"Override: shift {self._shift}, detected {detected}" if elsewhere else f"Shift {self._shift}"
        )
        self.said.setFont(small_font(self, bold=elsewhere))
        self.said.setStyleSheet(self._style(self._colours.band if elsewhere else self._colours.text))

    def clear(self, why: str = _EMPTY) -> None:
        """Show no tile, and say why."""
        self._profile = np.empty(0)
        self._curve.setData([], [])
        self.band.setVisible(False)
        self._point_at(None)
        self.said.setText(why)
        self.said.setFont(small_font(self))
        self.said.setStyleSheet(self._style(self._colours.faint))
        self._show_axes(False)
        self.setEnabled(False)

    def _show_axes(self, shown: bool) -> None:
        for axis in self._axes.values():
            axis.setVisible(shown)

    def set_theme(self, theme: str) -> None:
        """Paint in the colours of a theme of napari, by its name."""
        self._colours: Colours = colours_of(theme)
        font = QFont(self.font())
        font.setPixelSize(TEXT_PX - 1)
        self._view.setBackground(self._colours.background)
        for side, axis in self._axes.items():
            axis.setPen(QPen(self._colours.faint, 0))
            axis.setTextPen(self._colours.text)
            axis.setTickFont(font)
            axis.setLabel(
                "A-line" if side == "bottom" else "intensity",
                **{"color": self._colours.text.name(), "font-size": f"{TEXT_PX}px"},
            )
        self._curve.setPen(pg.mkPen(self._colours.text, width=1.2))
        self._spot.setBrush(self._colours.text)
        self._spot.setPen(pg.mkPen(self._colours.background, width=1))
        self.band.set_colours(self._colours.band, clear(self._colours.band, 60))
        self.hovered.setFont(small_font(self))
        self.hovered.setStyleSheet(self._style(self._colours.text))
        if len(self._profile):
            self.set_shift(self._shift)
        else:
            self.said.setStyleSheet(self._style(self._colours.faint))
        self.update()

    def _style(self, colour: Any) -> str:
        return f"color: {colour.name()}; font-size: {TEXT_PX}px; background: transparent;"

    # --- moving the band ----------------------------------------------------------------------------------------
    def _on_moved(self, start: int) -> None:
        self._move_to(shift_at(len(self._profile), self._n_extra, start))

    def _move_to(self, shift: int) -> None:
        if shift % len(self._profile) != self._shift:
            self.set_shift(shift)
            self.shift_changed.emit(self._shift)

    def keyPressEvent(self, event: QKeyEvent) -> None:  # noqa: N802 - Qt's name
        """Move the band; other keys are for whom this is part of."""
        step = _STEPS.get(Qt.Key(event.key()))
        held = event.modifiers() & ~Qt.KeyboardModifier.KeypadModifier
        known = (Qt.KeyboardModifier.NoModifier, Qt.KeyboardModifier.ShiftModifier)
        if step is None or held not in known or not len(self._profile):
            super().keyPressEvent(event)
            return
        far = held == Qt.KeyboardModifier.ShiftModifier
        self._keyed = True
        self._move_to(self._shift - step * (_FAR if far else 1))  # to the right is a smaller shift

    def keyReleaseEvent(self, event: QKeyEvent) -> None:  # noqa: N802 - Qt's name
        """End a move by keys."""
        if event.isAutoRepeat() or Qt.Key(event.key()) not in _STEPS:
            super().keyReleaseEvent(event)
            return
        self._settle()

    def focusInEvent(self, event: QFocusEvent) -> None:  # noqa: N802 - Qt's name
        """Show where the keys go."""
        super().focusInEvent(event)
        self.update()

    def focusOutEvent(self, event: QFocusEvent) -> None:  # noqa: N802 - Qt's name
        """End a move by keys whose release nobody will see."""
        super().focusOutEvent(event)
        self._settle()
        self.update()

    def _settle(self) -> None:
        if self._keyed:
            self._keyed = False
            self.shift_settled.emit(self._shift)

    # --- what is seen -------------------------------------------------------------------------------------------
    def _on_pointed(self, where: QPointF | None) -> None:
        inside = where is not None and self._box.sceneBoundingRect().contains(where)
        self._point_at(round(self._box.mapSceneToView(where).x()) if inside else None)

    def _point_at(self, line: int | None) -> None:
        seen = line is not None and 0 <= line < len(self._profile) and np.isfinite(self._profile[line])
        self.hovered.setText(f"A-line {line}: {self._profile[line]:.4g}" if seen else "")
        self._spot.setData([line], [self._profile[line]]) if seen else self._spot.setData([], [])

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: N802 - Qt's name
        """Frame the plot while it has the focus."""
        super().paintEvent(event)
        if self.hasFocus():
            painter = QPainter(self)
            painter.setPen(QPen(self._colours.accent, 1))
            painter.drawRect(self.rect().adjusted(0, 0, -1, -1))
            painter.end()


class _View(pg.GraphicsLayoutWidget):
    """What the plot is painted on; the wheel scrolls the dock, and keys go to the plot."""

    pointed = Signal(object)

    def __init__(self, plot: QWidget) -> None:
        super().__init__(plot)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.viewport().setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.setMinimumWidth(0)
        self.ci.layout.setContentsMargins(0, 4, 8, 0)
        self.ci.layout.setSpacing(0)
        self.scene().sigMouseMoved.connect(self.pointed.emit)

    def wheelEvent(self, event: Any) -> None:  # noqa: N802 - Qt's name
        event.ignore()

    def leaveEvent(self, event: Any) -> None:  # noqa: N802 - Qt's name
        super().leaveEvent(event)
        self.pointed.emit(None)


def _range_of(profile: NDArray[np.float64]) -> tuple[float, float]:
    known = profile[np.isfinite(profile)]
    if not known.size:
        return 0.0, 1.0
    low, high = float(known.min()), float(known.max())
    margin = _MARGIN * (high - low) or max(abs(high), 1.0) * _MARGIN
    return low - margin, high + margin

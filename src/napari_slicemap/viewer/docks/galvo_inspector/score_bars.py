"""The three parts of a score as bars, the confidence that comes of them, and what they mean in words."""

from __future__ import annotations

from qtpy.QtCore import QRectF, QSize, Qt
from qtpy.QtGui import QColor, QPainter, QPaintEvent, QPen
from qtpy.QtWidgets import QGridLayout, QLabel, QSizePolicy, QWidget

from ....slices.galvo import THRESHOLD, GalvoScore
from ....slices.galvo.score import ANOMALY_SHARE, CONTRAST_SHARE, SHARPNESS_SHARE
from ..colours import THEME, Colours, clear, colours_of
from ..painting import TEXT_PX, small_font
from .sentences import CONSIDER, Edges, Sentences, sentences_of

_BAR_PX, _ROW_PX, _SPARE_PX = 12, 20, 4
_ROWS = {
    "contrast": (
        f"contrast × {CONTRAST_SHARE:.2f}",
        "How far the return differs from the image beside it; full at 15 %.",
    ),
    "sharpness": (
        f"sharpness × {SHARPNESS_SHARE:.2f}",
        "The step at both edges against a typical step from one A-line to the next.",
    ),
    "anomaly": (
        f"anomaly × {ANOMALY_SHARE:.2f}",
        "The step at both edges against how much it varies from B-scan to B-scan.",
    ),
    "tiles": ("agreement", "How far the other tiles show the return at the same place."),
    "confidence": (
        "confidence",
        "The three parts, weighed and added, less where other tiles disagree. Below 0.5 leave the slice, from 0.5 "
        "have a look, from 0.6 fix it. The line is the threshold.",
    ),
}


class ScoreBars(QWidget):
    """Bars from 0 to 1 with a sentence each: the parts of a score, agreement of tiles, and the confidence."""

    def __init__(self) -> None:
        super().__init__()
        self._rows = {name: _Row(*said, bands=name == "confidence") for name, said in _ROWS.items()}
        layout = QGridLayout(self)
        layout.setContentsMargins(2, 2, 2, 2)
        layout.setHorizontalSpacing(6)
        layout.setVerticalSpacing(0)
        layout.setColumnStretch(1, 1)
        layout.setColumnStretch(3, 3)
        for number, row in enumerate(self._rows.values()):
            for column, widget in enumerate((row.name, row.bar, row.value, row.sentence)):
                layout.addWidget(widget, number, column)
            layout.setRowMinimumHeight(number, _ROW_PX)
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Fixed)
        self.setAccessibleName("Parts of the score")
        self.set_theme(THEME)
        self.clear()

    def set_score(
        self,
        score: GalvoScore,
        edges: Edges | None = None,
        *,
        share: float | None = None,
        confidence: float | None = None,
        threshold: float = THRESHOLD,
    ) -> None:
        """Show a score; parameters are those of :func:`~.sentences.sentences_of`."""
        total = score.score if confidence is None else confidence
        said = sentences_of(score, edges, share=share, confidence=confidence, threshold=threshold)
        values = {
            "contrast": score.contrast,
            "sharpness": score.sharpness,
            "anomaly": score.anomaly,
            "tiles": share,
            "confidence": total,
        }
        self._rows["confidence"].bar.threshold = threshold
        self._show(values, said)

    def clear(self, why: str = "") -> None:
        """Show no score, and say why."""
        self._show(dict.fromkeys(_ROWS), Sentences("", "", "", "", why))

    def set_theme(self, theme: str) -> None:
        """Paint in the colours of a theme of napari, by its name."""
        colours = colours_of(theme)
        for row in self._rows.values():
            row.set_colours(colours, self)

    def _show(self, values: dict[str, float | None], said: Sentences) -> None:
        for name, row in self._rows.items():
            row.show(values[name], getattr(said, name))


class _Row:
    """A bar, its name, its number and its sentence."""

    def __init__(self, name: str, tip: str, *, bands: bool) -> None:
        self.name, self.value, self.sentence = QLabel(name), QLabel("0.00"), _Sentence()
        self.bar = _Bar(bands=bands)
        self._bold = bands
        self.value.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        self._tip = tip
        for widget in (self.name, self.bar, self.value):
            widget.setToolTip(tip)

    def show(self, value: float | None, sentence: str) -> None:
        self.bar.value = value
        self.bar.setAccessibleName(f"{self.name.text()}: {'none' if value is None else f'{value:.2f}'}")
        self.bar.update()
        self.value.setText("–" if value is None else f"{value:.2f}")
        self.sentence.say(sentence, self._tip)

    def set_colours(self, colours: Colours, like: QWidget) -> None:
        self.bar.colours = colours
        self.bar.update()
        font = small_font(like, bold=self._bold)
        for label in (self.name, self.value, self.sentence):
            label.setFont(font)
            label.setStyleSheet(f"color: {colours.text.name()}; font-size: {TEXT_PX}px;")
        self.value.setFixedWidth(self.value.fontMetrics().horizontalAdvance("0.00") + 8)


class _Sentence(QLabel):
    """A line of text that is content with any width: what does not fit is in its tooltip."""

    def __init__(self) -> None:
        super().__init__()
        self._whole = ""
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)

    def say(self, text: str, tip: str) -> None:
        self._whole = text
        self.setToolTip(f"{text}\n{tip}" if text else tip)
        self.setAccessibleName(text)
        self._fit()

    def resizeEvent(self, event: object) -> None:  # noqa: N802 - Qt's name
        super().resizeEvent(event)
        self._fit()

    def _fit(self) -> None:
        room = self.contentsRect().width() - _SPARE_PX
        self.setText(self.fontMetrics().elidedText(self._whole, Qt.TextElideMode.ElideRight, room))


class _Bar(QWidget):
    """A bar from 0 to 1."""

    def __init__(self, *, bands: bool) -> None:
        super().__init__()
        self._bands = bands
        self.value: float | None = None
        self.threshold = THRESHOLD
        self.colours = colours_of(THEME)
        self.setMinimumSize(QSize(56, _BAR_PX + 4))
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)

    def paintEvent(self, _event: QPaintEvent) -> None:  # noqa: N802 - Qt's name
        painter = QPainter(self)
        top = (self.height() - _BAR_PX) / 2
        for start, stop, colour in self._zones():
            painter.fillRect(self._part(start, stop, top), clear(colour, 70) if self._bands else colour)
        if self.value is not None:
            painter.fillRect(self._part(0, self.value, top + 2, _BAR_PX - 4), self._fill(self.value))
        if self._bands:
            x = self._part(0, self.threshold, top).right()
            painter.setPen(QPen(self.colours.text, 2))
            painter.drawLine(round(x), 0, round(x), self.height())
        painter.end()

    def _zones(self) -> tuple[tuple[float, float, QColor], ...]:
        if not self._bands:
            return ((0, 1, self.colours.track),)
        colours = self.colours
        return (0, CONSIDER, colours.leave), (CONSIDER, THRESHOLD, colours.consider), (THRESHOLD, 1, colours.fix)

    def _fill(self, value: float) -> QColor:
        if not self._bands:
            return self.colours.bar
        return next(colour for _, stop, colour in self._zones() if value < stop or stop == 1)

    def _part(self, start: float, stop: float, top: float, height: float = _BAR_PX) -> QRectF:
        return QRectF(start * self.width(), top, (stop - start) * self.width(), height)

"""Shows how the first item, or another one, will look."""

from __future__ import annotations

from typing import Any

import numpy as np
from qtpy.QtCore import QRect, QSize, Qt, Signal
from qtpy.QtGui import QColor, QImage, QPainter
from qtpy.QtWidgets import QSizePolicy, QToolButton, QVBoxLayout, QWidget

from ....errors import SlicemapError
from ....export.running.prepare import Prepared
from ..background import Background
from ..parts import bullets, row, small, words_of
from .preview import Preview, preview_of

_LIGHT, _DARK, _CHECK_PX = QColor(204, 204, 204), QColor(153, 153, 153), 8
_HEIGHT_PX = 280


class PreviewBox(QWidget):
    """A picture of one item of a plan, made in the background, and what goes with it in words.

    Parameters
    ----------
    background : Background
        Makes the pictures; a newer wish stops an older one.
    """

    shown = Signal(object)
    """The :class:`Preview` that is shown now; ``None`` where there is none."""

    def __init__(self, background: Background) -> None:
        super().__init__()
        self._background = background
        self._prepared: Prepared | None = None
        self._number = 0
        self.preview: Preview | None = None
        self.image = _Image()
        self.caption = small()
        self._back, self._on = (
            _arrow(Qt.ArrowType.LeftArrow, "Item before"),
            _arrow(Qt.ArrowType.RightArrow, "Next item"),
        )
        self.title = small()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(6, 0, 0, 4)
        layout.addLayout(row(self._back, self._on, self.title))
        layout.addWidget(self.image)
        layout.addWidget(self.caption)
        self._back.clicked.connect(lambda: self._step(-1))
        self._on.clicked.connect(lambda: self._step(1))
        background.returned.connect(self._on_made)
        self._suit()

    @property
    def wanted(self) -> bool:
        """Whether anybody could see it."""
        return self.isVisible()

    def set_prepared(self, prepared: Prepared | None, why: str = "") -> None:
        """Show the items of another plan; ``None`` where there is none, and why."""
        same = prepared is not None and self._prepared is not None and _look(prepared) == _look(self._prepared)
        self._prepared = prepared
        if prepared is None:
            self._number = 0
            self._background.stop()
            self._show(None, why)
        elif not same or self.preview is None:
            self._number = min(self._number, len(prepared.resolution.items) - 1)
            self._ask()
        self._suit()

    def _step(self, by: int) -> None:
        self._number += by
        self._suit()
        self._ask()

    def _suit(self) -> None:
        count = 0 if self._prepared is None else len(self._prepared.resolution.items)
        self._back.setEnabled(self._number > 0)
        self._on.setEnabled(self._number + 1 < count)
        name = self._prepared.outputs[self._number].name if self._prepared is not None else ""
        self.title.setText(f"{self._number + 1} of {count}:  {name}" if name else "")

    def _ask(self) -> None:
        prepared, number = self._prepared, self._number
        if prepared is None or not self.wanted:
            self.preview = None
            return

        def make(asked: Any) -> Preview | list[str]:
            try:
                return preview_of(prepared, number, asked)
            except SlicemapError as error:
                if asked():
                    raise
                return words_of(error)

        self.caption.setText("Rendering…")
        self._background.ask(make)

    def showEvent(self, event: Any) -> None:  # noqa: N802 - Qt's name
        """Make the picture that nobody looked at before."""
        super().showEvent(event)
        if self.preview is None:
            self._ask()

    def _on_made(self, made: Preview | list[str]) -> None:
        if isinstance(made, list):
            self._show(None, bullets(made))
            return
        height, width = made.shape
        said = [f"{width} × {height} px", *([made.note] if made.note else []), *made.warnings]
        self._show(made, "\n".join(said))

    def _show(self, preview: Preview | None, words: str) -> None:
        self.preview = preview
        self.image.set_image(None if preview is None else preview.image)
        self.caption.setText(words)
        self.shown.emit(preview)


def _look(prepared: Prepared) -> tuple[object, ...]:
    """Give what decides how items look: the same gives the same pictures."""
    without = {"output_folder": "", "overwrite": "refuse"}
    return prepared.plan.model_copy(update=without), prepared.recipe.profile, prepared.resolution.items


class _Image(QWidget):
    """A picture as wide as there is room, on squares where it is transparent."""

    def __init__(self) -> None:
        super().__init__()
        self._image: QImage | None = None
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setAccessibleName("Preview")

    def set_image(self, image: np.ndarray[Any, np.dtype[np.uint8]] | None) -> None:
        """Show RGBA, premultiplied; ``None`` shows nothing."""
        if image is None:
            self._image = None
        else:
            height, width, _ = image.shape
            kept = np.ascontiguousarray(image)
            # a copy: QImage does not keep the array
            self._image = QImage(
                kept.data, width, height, 4 * width, QImage.Format.Format_RGBA8888_Premultiplied
            ).copy()
        self._fit()
        self.update()

    def _fit(self) -> None:
        self.setFixedHeight(0 if self._image is None else max(1, self._target().height()))

    def _target(self) -> QRect:
        """Give where the picture goes: small ones are enlarged by whole numbers, so that px stay px."""
        if self._image is None:
            return QRect()
        size = self._image.size()
        room = QSize(max(1, self.width()), _HEIGHT_PX)
        times = min(room.width() // size.width(), room.height() // size.height())
        fitted = size * times if times >= 1 else size.scaled(room, Qt.AspectRatioMode.KeepAspectRatio)
        return QRect((room.width() - fitted.width()) // 2, 0, fitted.width(), fitted.height())

    def resizeEvent(self, event: Any) -> None:  # noqa: N802 - Qt's name
        super().resizeEvent(event)
        if event.size().width() != event.oldSize().width():
            self._fit()

    def paintEvent(self, event: Any) -> None:  # noqa: N802 - Qt's name
        super().paintEvent(event)
        if self._image is None:
            return
        painter, target = QPainter(self), self._target()
        painter.fillRect(target, _LIGHT)
        for y in range(target.top(), target.bottom() + 1, _CHECK_PX):
            for x in range(target.left(), target.right() + 1, _CHECK_PX):
                if (x - target.left() + y - target.top()) // _CHECK_PX % 2:
                    painter.fillRect(QRect(x, y, _CHECK_PX, _CHECK_PX) & target, _DARK)
        smaller = target.width() < self._image.width()
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform, smaller)
        painter.drawImage(target, self._image)
        painter.end()


def _arrow(kind: Any, tip: str) -> QToolButton:
    made = QToolButton()
    made.setArrowType(kind)
    made.setToolTip(tip)
    made.setAutoRaise(True)
    return made

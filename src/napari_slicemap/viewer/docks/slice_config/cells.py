"""How cells are drawn and typed into: bars, dots, badges, checkboxes, editors that keep the focus until they fit."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from qtpy.QtCore import QEvent, QModelIndex, QPoint, QRect, QSize, Qt, QTimer, Signal
from qtpy.QtGui import QColor, QFocusEvent, QImage, QKeyEvent, QPainter, QPolygon
from qtpy.QtWidgets import (
    QCheckBox,
    QComboBox,
    QLineEdit,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionButton,
    QStyleOptionViewItem,
    QTableView,
    QWidget,
)

from ....errors import FileFormatError
from ....slices.decision import is_used
from ....slices.galvo.decisions import band
from ....slices.slice_config import validate_value
from ..colours import THEME, Colours, clear, colours_of
from ..painting import fitted, say, small_font
from ..patient import fill_editor
from .columns import GALVO_SCORE, WORDS, Column, badges_of
from .model import SliceModel

_BOX_PX, _DOT_PX, _BAR_PX, _NUMBER_PX, _TICK_PX, _CORNER_PX = 14, 9, 5, 36, 14, 6
_TYPED_PX = 220
_LEAVING = (Qt.Key.Key_Return, Qt.Key.Key_Enter, Qt.Key.Key_Tab, Qt.Key.Key_Backtab)
_ELSEWHERE = (Qt.FocusReason.ActiveWindowFocusReason, Qt.FocusReason.PopupFocusReason)
_COLUMN = "slice table column"


class Cells(QStyledItemDelegate):
    """Draws the cells of the slice table, and edits them.

    Parameters
    ----------
    view : QTableView
        The table, with a :class:`SliceModel`.
    picture : callable
        Gives the small picture of a slice, ``None`` where there is none yet.
    """

    refused = Signal(str)
    """What is typed does not fit: why; empty when that is over."""

    def __init__(self, view: QTableView, picture: Callable[[str], QImage | None]) -> None:
        super().__init__(view)
        self._view, self._picture = view, picture
        self._box = QCheckBox(view)  # checkboxes as the theme has them; those of tables can hardly be seen
        self._box.hide()
        self._colours: Colours = colours_of(THEME)

    @property
    def _model(self) -> SliceModel:
        model: SliceModel = self._view.model()
        return model

    def set_theme(self, theme: str) -> None:
        """Paint in the colours of a theme of napari, by its name."""
        self._colours = colours_of(theme)

    # --- drawing ------------------------------------------------------------------------------------------------
    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: QModelIndex) -> None:
        """Draw a cell: what is beneath its content is the style's."""
        # without text or checkbox, which initStyleOption() would ask the model for, seven times a cell
        self._view.style().drawControl(QStyle.ControlElement.CE_ItemViewItem, option, painter, self._view)
        slice_id, column = self._model.ids[index.row()], self._model.columns[index.column()]
        row = self._model.row(slice_id)
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setFont(self._view.font())
        chosen = bool(option.state & QStyle.StateFlag.State_Selected)
        ink = self._colours.text if chosen or is_used(row) else self._colours.leave
        room = option.rect.adjusted(5, 0, -4, 0)
        if column.kind in ("use", "decision"):
            self._paint_box(painter, self.box(column, option.rect), row.get(column.column, column.kind == "use"))
        elif column.kind == "score":
            self._paint_score(painter, room, column, row, ink)
        elif column.kind == "galvo":
            self._paint_galvo(painter, option.rect, slice_id, column, row, ink)
        elif column.kind == "flags":
            self._paint_badges(painter, room, row)
        elif column.kind == "picture":
            self._paint_picture(painter, option.rect.adjusted(2, 2, -2, -2), slice_id)
        else:
            say(painter, room, column.text(row), ink)
        self._paint_marks(painter, option.rect, slice_id, column)
        painter.restore()

    def box(self, column: Column, cell: QRect) -> QRect:
        """Give where the checkbox of a cell is."""
        made = QRect(0, 0, _BOX_PX, _BOX_PX)
        made.moveCenter(cell.center())
        if column.kind == "galvo":
            made.moveLeft(cell.left() + 5 + _DOT_PX + 5 + _NUMBER_PX + 2)
        return made

    def _paint_box(self, painter: QPainter, place: QRect, decided: object) -> None:
        tick = QStyleOptionButton()
        tick.rect = place
        state = (
            QStyle.StateFlag.State_NoChange
            if decided is None
            else (QStyle.StateFlag.State_On if decided else QStyle.StateFlag.State_Off)
        )
        tick.state = QStyle.StateFlag.State_Enabled | state
        self._box.style().drawPrimitive(QStyle.PrimitiveElement.PE_IndicatorCheckBox, tick, painter, self._box)

    def _paint_score(self, painter: QPainter, room: QRect, column: Column, row: Any, ink: QColor) -> None:
        score = row.get(column.column)
        if score is None:
            say(painter, room, "–", self._colours.leave)
            return
        say(painter, QRect(room.left(), room.top(), _NUMBER_PX + 4, room.height()), f"{score:.3f}", ink)
        left = room.left() + _NUMBER_PX + 6
        bar = QRect(left, room.center().y() - _BAR_PX // 2, max(0, room.right() - left), _BAR_PX)
        painter.fillRect(bar, self._colours.track)
        painter.fillRect(QRect(bar.topLeft(), QSize(round(bar.width() * score), _BAR_PX)), self._colours.bar)

    def _paint_galvo(
        self, painter: QPainter, cell: QRect, slice_id: str, column: Column, row: Any, ink: QColor
    ) -> None:
        score = row.get(GALVO_SCORE)
        left, middle = cell.left() + 5, cell.center().y()
        painter.setPen(Qt.PenStyle.NoPen)
        if score is not None:
            painter.setBrush(getattr(self._colours, band(score)))  # leave, consider or fix
            painter.drawEllipse(QRect(left, middle - _DOT_PX // 2, _DOT_PX, _DOT_PX))
        words = QRect(left + _DOT_PX + 5, cell.top(), _NUMBER_PX, cell.height())
        say(painter, words, "–" if score is None else f"{score:.3f}", ink if score is not None else self._colours.leave)
        box = self.box(column, cell)
        self._paint_box(painter, box, row.get(column.column))
        if slice_id in self._model.applied:
            say(painter, QRect(box.right() + 5, cell.top(), _TICK_PX, cell.height()), "✓", ink)

    def _paint_badges(self, painter: QPainter, room: QRect, row: Any) -> None:
        painter.setFont(small_font(self._view))
        left, metrics = room.left(), painter.fontMetrics()
        badges = badges_of(row)
        for number, badge in enumerate(badges):
            rest = len(badges) - number
            width = metrics.horizontalAdvance(badge.text) + 10
            if number and left + width > room.right():
                say(painter, QRect(left, room.top(), 24, room.height()), f"+{rest}", self._colours.faint)
                return
            width = min(width, room.right() - left)
            place = QRect(left, room.center().y() - 7, width, 15)
            colour = self._colours.fix if badge.is_bad else self._colours.accent
            painter.setPen(colour)
            painter.setBrush(clear(colour, 40))
            painter.drawRoundedRect(place, 4, 4)
            say(painter, place.adjusted(5, 0, -3, 0), badge.text, self._colours.text)
            left += width + 4

    def _paint_picture(self, painter: QPainter, room: QRect, slice_id: str) -> None:
        image = self._picture(slice_id)
        if image is not None:
            painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
            painter.drawImage(fitted(image.size(), room), image)

    def _paint_marks(self, painter: QPainter, cell: QRect, slice_id: str, column: Column) -> None:
        """Mark what is not saved: a bar at the slice's id, a corner in its cells."""
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(self._colours.consider)
        if column.kind == "id" and self._model.is_edited(slice_id):
            painter.drawRect(QRect(cell.left(), cell.top() + 2, 3, cell.height() - 4))
        elif column.column and self._model.is_edited(slice_id, [column.column]):
            painter.drawPolygon(_corner(cell.right(), cell.top() + 1))

    # --- clicking -----------------------------------------------------------------------------------------------
    def editorEvent(self, event: Any, _model: Any, option: Any, index: QModelIndex) -> bool:  # noqa: N802 - Qt's name
        """Turn a checkbox over when it is clicked on."""
        column = self._model.columns[index.column()]
        ours = event.type() == QEvent.Type.MouseButtonRelease and event.button() == Qt.MouseButton.LeftButton
        if not ours or column.kind not in ("use", "decision", "galvo"):
            return False
        if not self.box(column, option.rect).adjusted(-4, -4, 4, 4).contains(event.position().toPoint()):
            return False
        on = self._model.data(index, Qt.ItemDataRole.CheckStateRole) == Qt.CheckState.Checked
        new = Qt.CheckState.Unchecked if on else Qt.CheckState.Checked
        return self._model.setData(index, new, Qt.ItemDataRole.CheckStateRole)

    # --- typing -------------------------------------------------------------------------------------------------
    def createEditor(self, parent: QWidget, _option: Any, index: QModelIndex) -> QWidget:  # noqa: N802 - Qt's name
        """Make an editor: a list of words, or a line."""
        column = self._model.columns[index.column()]
        editor: QWidget
        if column.kind == "word":
            editor = QComboBox(parent)
            for word in ("", *WORDS[column.column]):
                editor.addItem(word, word)
        else:
            editor = QLineEdit(parent)
            editor.setFrame(False)
            if column.kind == "score":
                editor.setPlaceholderText("0 to 1")
            editor.textEdited.connect(lambda _text: self.refused.emit(""))
        editor.setProperty(_COLUMN, column.column)
        return editor

    def updateEditorGeometry(self, editor: QWidget, option: Any, index: QModelIndex) -> None:  # noqa: N802 - Qt's name
        """Give text room to be read while it is typed, over the cells at its left where its own is narrow."""
        super().updateEditorGeometry(editor, option, index)
        place = editor.geometry()
        if self._model.columns[index.column()].kind == "text" and place.width() < _TYPED_PX:
            place.setLeft(max(0, min(place.right(), self._view.viewport().width() - 1) - _TYPED_PX))
            editor.setGeometry(place)

    def setEditorData(self, editor: QWidget, index: QModelIndex) -> None:  # noqa: N802 - Qt's name
        """Begin with what the cell has; what is being typed stays when the table is refreshed."""
        fill_editor(editor, self._model.data(index, Qt.ItemDataRole.EditRole))

    def setModelData(self, editor: QWidget, model: Any, index: QModelIndex) -> None:  # noqa: N802 - Qt's name
        """Keep what was typed."""
        if self._why_not(editor):
            return
        text = editor.currentText() if isinstance(editor, QComboBox) else editor.text()
        if text != model.data(index, Qt.ItemDataRole.EditRole):
            model.setData(index, text, Qt.ItemDataRole.EditRole)

    def eventFilter(self, editor: Any, event: QEvent) -> bool:  # noqa: N802 - Qt's name
        """Keep the focus in an editor until what it holds fits, or Escape leaves it."""
        if isinstance(event, QKeyEvent) and event.type() == QEvent.Type.KeyPress:
            if event.key() == Qt.Key.Key_Escape:
                self.refused.emit("")
            elif event.key() in _LEAVING and self._refuses(editor):
                return True
        elif isinstance(event, QFocusEvent) and event.type() == QEvent.Type.FocusOut and editor.isVisible():
            if event.reason() in _ELSEWHERE and isinstance(editor, QLineEdit):
                return False  # another window: it is still being typed
            if self._refuses(editor):
                QTimer.singleShot(0, editor.setFocus)
                return True
        return bool(super().eventFilter(editor, event))

    @property
    def is_refusing(self) -> bool:
        """Whether what is being typed does not fit."""
        editors = self._view.viewport().findChildren(QLineEdit)
        return any(one.isVisible() and self._why_not(one) for one in editors if one.property(_COLUMN))

    def _refuses(self, editor: QWidget) -> bool:
        why = self._why_not(editor)
        self.refused.emit(why)
        return bool(why)

    def _why_not(self, editor: QWidget) -> str:
        """Say why a cell cannot hold what an editor does; empty if it can."""
        if not isinstance(editor, QLineEdit):
            return ""
        try:
            validate_value(editor.property(_COLUMN), editor.text())
        except FileFormatError as error:
            return f"{error}. Escape leaves the cell as it was."
        return ""


def _corner(right: int, top: int) -> QPolygon:
    return QPolygon([QPoint(right - _CORNER_PX, top), QPoint(right, top), QPoint(right, top + _CORNER_PX)])

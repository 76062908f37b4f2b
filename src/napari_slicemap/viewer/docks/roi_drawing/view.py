"""The table of ROIs as it is seen, and the editors of its cells."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from qtpy.QtCore import QEvent, QItemSelection, QItemSelectionModel, QModelIndex, QSize, Qt, Signal
from qtpy.QtGui import QImage, QKeyEvent, QPainter
from qtpy.QtWidgets import (
    QAbstractItemView,
    QComboBox,
    QCompleter,
    QHeaderView,
    QLineEdit,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QTableView,
    QWidget,
)

from ..patient import PatientTable, fill_editor
from .rows import COLUMNS, COMMENT, NAME, PICTURE, PROFILE, TAGS, RoiRows

PICTURE_PX = 34
_ROW_PX = PICTURE_PX + 4
_ROWS_SHOWN = 4
_WIDTHS = (PICTURE_PX + 4, 62, 40, 78, 84, 66, 42, 84, 110, 160)
_SELECT = QItemSelectionModel.SelectionFlag
_NONE = "(default)"


class RoiView(PatientTable):
    """The table; several ROIs can be selected.

    Parameters
    ----------
    rows : RoiRows
        What it shows.
    profiles, tags : callable
        Give the profiles that there are, and the tags in use.
    """

    selected = Signal(object)
    """Ids of the ROIs that somebody selected."""
    opened = Signal(str)
    """Somebody wants to see this ROI."""
    delete_asked = Signal()
    """Somebody wants the selected ROIs to be removed."""
    moved = Signal()
    """Other rows are in sight."""

    def __init__(self, rows: RoiRows, profiles: Callable[[], Sequence[str]], tags: Callable[[], Sequence[str]]) -> None:
        super().__init__()
        self.rows = rows
        rows.setParent(self)
        self._quiet, self._wanted = False, frozenset[str]()
        self.setModel(rows)
        rows.calmly = self.calmly
        self._delegates: dict[int, QStyledItemDelegate] = {
            PICTURE: _Picture(self),
            NAME: _Line(self),
            COMMENT: _Line(self),
            PROFILE: _Choice(self, profiles),
            TAGS: _Words(self, tags),
        }
        for column, delegate in self._delegates.items():
            self.setItemDelegateForColumn(column, delegate)
        self._look()
        self.selectionModel().selectionChanged.connect(self._on_selection)
        self.doubleClicked.connect(self._on_double_click)
        self.verticalScrollBar().valueChanged.connect(lambda _: self.moved.emit())

    def _look(self) -> None:
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        triggers = QAbstractItemView.EditTrigger
        self.setEditTriggers(triggers.EditKeyPressed | triggers.SelectedClicked)
        self.setShowGrid(False)
        self.setWordWrap(False)
        self.setTabKeyNavigation(False)
        self.setHorizontalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setAccessibleName("ROIs")
        self.setToolTip("Double-click to look at an ROI; F2, or a click on a selected cell, edits it")
        self.verticalHeader().setVisible(False)
        self.verticalHeader().setDefaultSectionSize(_ROW_PX)
        header = self.horizontalHeader()
        header.setHighlightSections(False)
        header.setDefaultAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
        header.setMinimumSectionSize(24)
        header.setSectionResizeMode(QHeaderView.ResizeMode.Interactive)
        header.setStretchLastSection(True)
        for column, width in enumerate(_WIDTHS):
            self.setColumnWidth(column, width)
        header.setSortIndicator(-1, Qt.SortOrder.AscendingOrder)
        self.setSortingEnabled(True)
        self.setMinimumHeight(_ROW_PX * _ROWS_SHOWN)

    # --- selection ------------------------------------------------------------------------------------------
    def show_selected(self, roi_ids: Iterable[str]) -> None:
        """Select rows in silence, and bring the first of them into sight."""
        self._wanted = frozenset(roi_ids)
        self.calmly(self._select_wanted)

    def _select_wanted(self) -> None:
        numbers = [number for number, one in enumerate(self.rows.rows) if one.roi.roi_id in self._wanted]
        if numbers == self._selected_rows():
            return
        chosen = QItemSelection()
        for first, last in _runs(numbers):
            chosen.select(self.rows.index(first, 0), self.rows.index(last, len(COLUMNS) - 1))
        self._quiet = True
        self.selectionModel().select(chosen, _SELECT.ClearAndSelect)
        if numbers:
            self.selectionModel().setCurrentIndex(self.rows.index(numbers[0], 1), _SELECT.NoUpdate)
            self.scrollTo(self.rows.index(numbers[0], 1))
        self._quiet = False

    def _on_selection(self, *_: object) -> None:
        if not self._quiet:
            self.selected.emit([self.rows.rows[number].roi.roi_id for number in self._selected_rows()])

    def _selected_rows(self) -> list[int]:
        """List the selected rows by their ranges: Qt itself would ask each row whether it is selected."""
        ranges = self.selectionModel().selection()
        return sorted({number for one in ranges for number in range(one.top(), one.bottom() + 1)})

    def in_sight(self) -> list[str]:
        """List the ids of the ROIs whose rows are in sight."""
        if not self.rows.rows:
            return []
        first = max(0, self.rowAt(0))
        last = self.rowAt(self.viewport().height() - 1)
        last = len(self.rows.rows) - 1 if last < 0 else last
        return [one.roi.roi_id for one in self.rows.rows[first : last + 1]]

    # --- keys and clicks ------------------------------------------------------------------------------------
    def _on_double_click(self, index: QModelIndex) -> None:
        self.opened.emit(self.rows.rows[index.row()].roi.roi_id)

    def keyPressEvent(self, event: QKeyEvent) -> None:  # noqa: N802 - Qt's name
        """Look at an ROI with Return, and remove the selected ones with Delete."""
        index = self.currentIndex()
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter) and index.isValid():
            self.opened.emit(self.rows.rows[index.row()].roi.roi_id)
        elif event.key() == Qt.Key.Key_Delete:
            self.delete_asked.emit()
        else:
            super().keyPressEvent(event)

    def resizeEvent(self, event: Any) -> None:  # noqa: N802 - Qt's name
        """Tell that other rows are in sight."""
        super().resizeEvent(event)
        self.moved.emit()


def _runs(numbers: Sequence[int]) -> list[tuple[int, int]]:
    """Join rows that follow one another."""
    made: list[tuple[int, int]] = []
    for number in numbers:
        if made and made[-1][1] == number - 1:
            made[-1] = (made[-1][0], number)
        else:
            made.append((number, number))
    return made


class _Picture(QStyledItemDelegate):
    """Paints the picture of an ROI in the middle of its cell."""

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: QModelIndex) -> None:
        """Paint a cell: what is beneath the picture is the style's."""
        beneath = QStyleOptionViewItem(option)
        self.initStyleOption(beneath, index)
        beneath.features &= ~QStyleOptionViewItem.ViewItemFeature.HasDecoration
        beneath.text = ""
        view: Any = self.parent()
        view.style().drawControl(view.style().ControlElement.CE_ItemViewItem, beneath, painter, view)
        image = index.data(Qt.ItemDataRole.DecorationRole)
        if isinstance(image, QImage):
            size = (QSize(image.size()) / image.devicePixelRatio()).boundedTo(option.rect.size())
            room = option.rect
            left = room.x() + (room.width() - size.width()) // 2
            painter.drawImage(left, room.y() + (room.height() - size.height()) // 2, image)


class _Line(QStyledItemDelegate):
    """Lets a cell be edited; what is being typed stays when the table is filled anew."""

    def setEditorData(self, editor: QWidget, index: QModelIndex) -> None:  # noqa: N802 - Qt's name
        """Show what the ROI has."""
        fill_editor(editor, str(index.data(Qt.ItemDataRole.EditRole)))


class _Choice(_Line):
    """Lets a profile be chosen from those that there are."""

    def __init__(self, view: QTableView, profiles: Callable[[], Sequence[str]]) -> None:
        super().__init__(view)
        self._profiles = profiles

    def createEditor(self, parent: QWidget, _option: Any, index: QModelIndex) -> QWidget:  # noqa: N802 - Qt's name
        """Make the list, with the profile that the ROI has even if there is none of that name."""
        box = QComboBox(parent)
        own = str(index.data(Qt.ItemDataRole.EditRole))
        box.addItem(_NONE, "")
        for name in dict.fromkeys([*self._profiles(), *([own] if own else [])]):
            box.addItem(name, name)
        box.activated.connect(lambda _: (self.commitData.emit(box), self.closeEditor.emit(box)))
        return box

    def setModelData(self, editor: Any, model: Any, index: QModelIndex) -> None:  # noqa: N802 - Qt's name
        """Give the ROI the profile that was chosen."""
        model.setData(index, editor.currentData())


class _Words(_Line):
    """Lets tags be written, and completes the one that is being written."""

    def __init__(self, view: QTableView, tags: Callable[[], Sequence[str]]) -> None:
        super().__init__(view)
        self._tags = tags

    def createEditor(self, parent: QWidget, _option: Any, _index: QModelIndex) -> QWidget:  # noqa: N802 - Qt's name
        """Make the line."""
        line = QLineEdit(parent)
        completer = LastWord(list(self._tags()), line)
        line.setCompleter(completer)
        return line

    def eventFilter(self, watched: Any, event: QEvent) -> bool:  # noqa: N802 - Qt's name
        """Leave the line open while the list of tags has the focus."""
        completer = watched.completer() if isinstance(watched, QLineEdit) else None
        if event.type() == QEvent.Type.FocusOut and completer is not None and completer.popup().isVisible():
            return False
        return bool(super().eventFilter(watched, event))


class LastWord(QCompleter):
    """Completes the last one of several words with commas between them."""

    def __init__(self, words: Sequence[str], parent: QWidget) -> None:
        super().__init__(list(words), parent)
        self.setCaseSensitivity(Qt.CaseSensitivity.CaseInsensitive)

    def splitPath(self, path: str) -> list[str]:  # noqa: N802 - Qt's name
        """Give the word that is being written."""
        return [path.rsplit(",", 1)[-1].strip()]

    def pathFromIndex(self, index: QModelIndex) -> str:  # noqa: N802 - Qt's name
        """Give the whole line with the word completed."""
        line: Any = self.widget()
        before = line.text().rsplit(",", 1)[0] + ", " if "," in line.text() else ""
        return before + str(index.data())

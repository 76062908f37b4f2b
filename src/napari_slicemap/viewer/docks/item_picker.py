"""A table of items to tick, with a filter."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from qtpy.QtCore import QModelIndex, Qt, Signal
from qtpy.QtGui import QColor, QKeySequence, QShortcut
from qtpy.QtWidgets import (
    QAbstractItemView,
    QCheckBox,
    QHBoxLayout,
    QHeaderView,
    QLineEdit,
    QPushButton,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionButton,
    QStyleOptionViewItem,
    QTableView,
    QVBoxLayout,
    QWidget,
)

from .row_model import RowModel

_ROW_PX = 22
_GREY = QColor(128, 128, 128)  # seen on both themes
_ROWS_SHOWN = 6
_ROWS_MEASURED = 100
_WIDEST_PX = 220
_TICK_PLACE = QStyle.SubElement.SE_ItemViewItemCheckIndicator


@dataclass(frozen=True)
class Pick:
    """One item that can be ticked.

    Parameters
    ----------
    key : str
        What a plan calls it.
    cells : tuple of str
        What the columns show; the first is its name.
    note : str
        Why it would be left out, if it would; shown greyed.
    """

    key: str
    cells: tuple[str, ...]
    note: str = ""


class PickModel(RowModel[Pick]):
    """Items in the order of the dataset; sorting and filtering change what is shown, never that order."""

    ticks_changed = Signal()

    def __init__(self, columns: Sequence[str]) -> None:
        super().__init__(columns)
        self._picks: list[Pick] = []
        self._ticked: set[str] = set()
        self._filter = ""
        self._sorted: tuple[int, bool] | None = None

    # --- items ----------------------------------------------------------------------------------------------------
    def set_picks(self, picks: Iterable[Pick]) -> None:
        """Replace the items; those that were ticked and are still there, or come back, stay ticked."""
        self._picks = list(picks)
        self._show()
        self.ticks_changed.emit()

    def ticked(self) -> list[str]:
        """List the keys of the ticked items, in the order of the dataset."""
        return [pick.key for pick in self._picks if pick.key in self._ticked]

    def tick(self, keys: Iterable[str], on: bool = True) -> None:
        """Tick items, or take their ticks away."""
        self._ticked = self._ticked | set(keys) if on else self._ticked - set(keys)
        if self.rows:
            self.dataChanged.emit(self.index(0, 0), self.index(len(self.rows) - 1, 0))
        self.ticks_changed.emit()

    def tick_only(self, keys: Iterable[str]) -> None:
        """Tick these items and no others."""
        self._ticked = set()
        self.tick(keys)

    @property
    def total(self) -> int:
        """Number of items, shown or not."""
        return len(self._picks)

    def keys(self) -> list[str]:
        """List the keys of all items, in the order of the dataset."""
        return [pick.key for pick in self._picks]

    def is_ticked(self, row: int) -> bool:
        """Say whether a row that is shown is ticked."""
        return self.rows[row].key in self._ticked

    def keys_shown(self) -> list[str]:
        """List the keys of the rows, as they are shown."""
        return [pick.key for pick in self.rows]

    def set_filter(self, text: str) -> None:
        """Show only the items that hold all of these words, in whatever column."""
        self._filter = text
        self._show()

    def _show(self) -> None:
        words = self._filter.lower().split()
        self.beginResetModel()
        self.rows = [pick for pick in self._picks if _holds(pick, words)]
        if self._sorted is not None:
            column, falling = self._sorted
            self.rows.sort(key=lambda pick: _natural(pick.cells[column]), reverse=falling)
        self.endResetModel()

    # --- what Qt asks ---------------------------------------------------------------------------------------------
    def data(self, index: QModelIndex, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """Give what a cell shows."""
        pick, column = self.rows[index.row()], index.column()
        if role == Qt.ItemDataRole.DisplayRole:
            return pick.cells[column]
        if role == Qt.ItemDataRole.CheckStateRole and column == 0:
            return Qt.CheckState.Checked if pick.key in self._ticked else Qt.CheckState.Unchecked
        if role == Qt.ItemDataRole.ToolTipRole:
            return f"{pick.cells[column]}\n{pick.note}" if pick.note else pick.cells[column]
        if role == Qt.ItemDataRole.ForegroundRole and pick.note:
            return _GREY
        return None

    def setData(self, index: QModelIndex, value: Any, role: int = Qt.ItemDataRole.EditRole) -> bool:  # noqa: N802
        """Tick, or take the tick away."""
        if role != Qt.ItemDataRole.CheckStateRole:
            return False
        self.tick([self.rows[index.row()].key], Qt.CheckState(value) == Qt.CheckState.Checked)
        return True

    def flags(self, index: QModelIndex) -> Any:
        """Say that the first column has ticks."""
        made = Qt.ItemFlag.ItemIsEnabled | Qt.ItemFlag.ItemIsSelectable
        return made | Qt.ItemFlag.ItemIsUserCheckable if index.column() == 0 else made

    def sort(self, column: int, order: Any = Qt.SortOrder.AscendingOrder) -> None:
        """Show the rows in the order of a column."""
        self._sorted = None if column < 0 else (column, order == Qt.SortOrder.DescendingOrder)
        self._show()


def _holds(pick: Pick, words: Sequence[str]) -> bool:
    text = " ".join((*pick.cells, pick.note)).lower()
    return all(word in text for word in words)


def _natural(text: str) -> list[tuple[bool, int, str]]:
    """Sort ``r2`` before ``r10``."""
    parts = re.split(r"(\d+)", text.lower())
    return [(part.isdecimal(), int(part) if part.isdecimal() else 0, part) for part in parts if part]


class _Table(QTableView):
    """Space ticks, or takes the ticks from, all rows that are selected."""

    def keyPressEvent(self, event: Any) -> None:  # noqa: N802 - Qt's name
        rows = [index.row() for index in self.selectionModel().selectedRows()]
        if event.key() != Qt.Key.Key_Space or not rows:
            super().keyPressEvent(event)
            return
        model: PickModel = self.model()
        keys = model.keys_shown()
        model.tick([keys[row] for row in rows], not all(model.is_ticked(row) for row in rows))


class _Ticks(QStyledItemDelegate):
    """Draws ticks as the check boxes of the theme are; those of a table can hardly be seen on a dark one."""

    def __init__(self, table: QTableView) -> None:
        super().__init__(table)
        self._box = QCheckBox(table)
        self._box.hide()

    def paint(self, painter: Any, option: Any, index: QModelIndex) -> None:
        """Draw a cell, and its tick over the one of the table."""
        super().paint(painter, option, index)
        shown = QStyleOptionViewItem(option)
        self.initStyleOption(shown, index)
        style, tick = self._box.style(), QStyleOptionButton()
        tick.rect = style.subElementRect(_TICK_PLACE, shown, option.widget)
        on = shown.checkState == Qt.CheckState.Checked
        tick.state = QStyle.StateFlag.State_Enabled | (QStyle.StateFlag.State_On if on else QStyle.StateFlag.State_Off)
        style.drawPrimitive(QStyle.PrimitiveElement.PE_IndicatorCheckBox, tick, painter, self._box)


class ItemPicker(QWidget):
    """Items with a checkbox each; "All" and "None" act on those that the filter shows.

    Parameters
    ----------
    what : str
        What the items are, such as ``"maps"``.
    columns : sequence of str
        Titles of the columns.
    """

    changed = Signal()

    def __init__(self, what: str, columns: Sequence[str]) -> None:
        super().__init__()
        self.filter = QLineEdit()
        self.filter.setPlaceholderText(f"Filter {what}…  ( / )")
        self.filter.setToolTip(f"Show only the {what} that hold these words, in whatever column")
        self.filter.setClearButtonEnabled(True)
        self.model = PickModel(columns)
        self.table = _table(self.model)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 4, 0, 0)
        layout.setSpacing(4)
        layout.addLayout(self._top())
        layout.addWidget(self.table)
        self.filter.textChanged.connect(self.model.set_filter)
        self.model.ticks_changed.connect(self.changed)
        slash = QShortcut(QKeySequence("/"), self)
        slash.setContext(Qt.ShortcutContext.WidgetWithChildrenShortcut)
        slash.activated.connect(self.filter.setFocus)

    def _top(self) -> QHBoxLayout:
        top = QHBoxLayout()
        top.setSpacing(4)
        top.addWidget(self.filter, 1)
        for text, on, tip in (
            ("All", True, "Tick all that are shown"),
            ("None", False, "Take the ticks from all that are shown"),
        ):
            button = QPushButton(text)
            button.setMaximumWidth(52)
            button.setToolTip(tip)
            button.clicked.connect(lambda _=False, on=on: self.model.tick(self.model.keys_shown(), on))
            top.addWidget(button)
        return top

    def set_picks(self, picks: Iterable[Pick]) -> None:
        """Replace the items; those that were ticked and are still there stay ticked."""
        self.model.set_picks(picks)

    def ticked(self) -> list[str]:
        """List the keys of the ticked items, in the order of the dataset."""
        return self.model.ticked()

    def tick(self, keys: Iterable[str]) -> None:
        """Tick these items and no others."""
        self.model.tick_only(keys)


def _table(model: PickModel) -> QTableView:
    table = _Table()
    table.setModel(model)
    table.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
    table.setShowGrid(False)
    table.setWordWrap(False)
    table.setToolTip("Space ticks the selected rows; click a title to sort")
    table.verticalHeader().setVisible(False)
    table.verticalHeader().setDefaultSectionSize(_ROW_PX)
    header = table.horizontalHeader()
    header.setHighlightSections(False)
    header.setDefaultAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
    header.setResizeContentsPrecision(_ROWS_MEASURED)
    header.setMaximumSectionSize(_WIDEST_PX)
    header.setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
    header.setStretchLastSection(True)
    table.setItemDelegateForColumn(0, _Ticks(table))
    header.setSortIndicator(-1, Qt.SortOrder.AscendingOrder)
    table.setSortingEnabled(True)
    table.setMinimumHeight(_ROW_PX * (_ROWS_SHOWN + 1) + 6)
    table.setMaximumHeight(_ROW_PX * 2 * _ROWS_SHOWN)
    return table

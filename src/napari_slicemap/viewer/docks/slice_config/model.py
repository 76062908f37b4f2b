"""The table model: rows of the session's slice table, sorted and filtered here, so that the file's order stays."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from itertools import compress
from operator import is_not
from typing import Any

from qtpy.QtCore import QAbstractTableModel, QModelIndex, Qt, Signal
from qtpy.QtGui import QBrush, QColor

from ....errors import FileFormatError, PlanError
from ....slices.decision import is_used, why_excluded
from ....slices.filtering import slice_test
from ....slices.slice_values import number_of
from ...slice_edits import SliceEdits
from .columns import Column, badges_of, columns_of

_GREY = QBrush(QColor(128, 128, 128))  # is read on both themes
_FEW = 30
"""Rows that are drawn anew one by one; of more, all are."""
_NOT_TYPED = frozenset({"id", "picture", "flags", "use", "decision", "galvo"})
"""Kinds of columns that nothing is typed into."""


class SliceModel(QAbstractTableModel):
    """The slice table with its edits.

    Parameters
    ----------
    edits : SliceEdits
        Of the session: gives the rows, and takes every change.
    """

    refused = Signal(str)
    """A value does not fit its cell: why, in words."""

    def __init__(self, edits: SliceEdits) -> None:
        super().__init__()
        self._edits = edits
        self._rows: Mapping[str, dict[str, Any]] = {}
        self.ids: list[str] = []
        self._places: dict[str, int] = {}
        self.columns: tuple[Column, ...] = columns_of(())
        self.applied: Mapping[str, str] = {}
        self.used = 0
        """How many slices are used."""
        self._filter = ""
        self.filter_fault = ""
        """Why the filter cannot be used any more, if that is so: all slices are shown then."""
        self._sorted: tuple[str, bool] | None = None
        self.calmly: Callable[[Callable[[], object]], object] = lambda command: command()
        """How to do what moves rows: a view may want that to wait."""

    # --- rows ---------------------------------------------------------------------------------------------------
    def refresh(self) -> None:
        """Show the session's table as it is now; rows stay where they are while it has the same slices and columns."""
        rows = self._edits.rows or {}
        columns = columns_of(next(iter(rows.values()), {}))
        if columns == self.columns and list(rows) == list(self._rows):
            before, self._rows = self._rows, rows
            # rows that nobody edited are the same objects
            changed = list(compress(rows, map(is_not, rows.values(), before.values())))
            self.used += sum(is_used(rows[one]) - is_used(before[one]) for one in changed)
            self._repaint(changed if len(changed) <= _FEW else None)
            return
        self.calmly(self._begin_anew)

    def _begin_anew(self) -> None:
        self.beginResetModel()
        self._rows = self._edits.rows or {}
        self.columns = columns_of(next(iter(self._rows.values()), {}))
        self.used = sum(map(is_used, self._rows.values()))
        self._arrange()
        self.endResetModel()

    def set_applied(self, applied: Mapping[str, str]) -> None:
        """Take slice → where its galvo fix was written to."""
        self.applied = applied
        self._repaint()

    def set_filter(self, text: str) -> None:
        """Show only the slices that a line of text asks for.

        Raises
        ------
        PlanError
            If it is a condition that cannot be read; what is shown stays.
        """
        slice_test(text, next(iter(self._rows.values()), {}))
        self._filter = text
        self.calmly(self._anew)

    def sort(self, column: int, order: Any = Qt.SortOrder.AscendingOrder) -> None:
        """Show the rows in the order of a column; cells that say nothing come last."""
        known = 0 <= column < len(self.columns)
        self._sorted = (self.columns[column].key, order == Qt.SortOrder.DescendingOrder) if known else None
        self.calmly(self._anew)

    def _anew(self) -> None:
        self.beginResetModel()
        self._arrange()
        self.endResetModel()

    def _arrange(self) -> None:
        self.filter_fault = ""
        try:
            test = slice_test(self._filter, next(iter(self._rows.values()), {}))
        except PlanError as error:  # it named a column that the table does not have any more
            test = slice_test("", ())
            self.filter_fault = f"All slices are shown: {'; '.join(error.faults)}"
        shown = [one for one, row in self._rows.items() if test(row)]
        key, falling = self._sorted or ("", False)
        column = next((one for one in self.columns if one.key == key), None)
        if column is not None:
            keys = {one: column.key_of(one, self._rows[one]) for one in shown}
            said = sorted((one for one in shown if keys[one] is not None), key=keys.__getitem__, reverse=falling)
            shown = said + [one for one in shown if keys[one] is None]
        self.ids = shown
        self._places = {slice_id: row for row, slice_id in enumerate(shown)}

    def _repaint(self, slice_ids: Iterable[str] | None = None) -> None:
        """Have rows drawn anew; all, if none are named."""
        last = len(self.columns) - 1
        if slice_ids is None and self.ids:
            self.dataChanged.emit(self.index(0, 0), self.index(len(self.ids) - 1, last))
        for row in filter(lambda row: row >= 0, map(self.row_of, slice_ids or ())):
            self.dataChanged.emit(self.index(row, 0), self.index(row, last))

    def row_of(self, slice_id: str) -> int:
        """Give the row that shows a slice, matched by number; -1 where none does."""
        if slice_id in self._rows:
            return self._places.get(slice_id, -1)
        wanted = number_of(slice_id)
        return next((n for n, one in enumerate(self.ids) if number_of(one) == wanted), -1)

    def place_of(self, slice_id: str) -> int:
        """Give the row that shows a slice of this very id; -1 where none does."""
        return self._places.get(slice_id, -1)

    def row(self, slice_id: str) -> Mapping[str, Any]:
        """Give a slice's row of the table."""
        return self._rows.get(slice_id, {})

    def number_of_column(self, key: str) -> int:
        """Give the place of a column."""
        return next(n for n, one in enumerate(self.columns) if one.key == key)

    @property
    def total(self) -> int:
        """How many slices the table has, shown or not."""
        return len(self._rows)

    def is_edited(self, slice_id: str, columns: Iterable[str] = ()) -> bool:
        """Say whether a row, or one of these columns of it, is not saved."""
        return (
            any(name in self._edits.edits.get(slice_id, {}) for name in columns)
            if columns
            else (slice_id in self._edits.edits)
        )

    # --- what Qt asks -------------------------------------------------------------------------------------------
    def rowCount(self, parent: QModelIndex | None = None) -> int:  # noqa: N802 - Qt's name
        """Count the rows that are shown."""
        return 0 if parent is not None and parent.isValid() else len(self.ids)

    def columnCount(self, parent: QModelIndex | None = None) -> int:  # noqa: N802 - Qt's name
        """Count the columns, hidden ones too."""
        return 0 if parent is not None and parent.isValid() else len(self.columns)

    def headerData(self, section: int, orientation: Any, role: int = Qt.ItemDataRole.DisplayRole) -> Any:  # noqa: N802
        """Give the title of a column, and what it means."""
        if orientation != Qt.Orientation.Horizontal:
            return None
        if role == Qt.ItemDataRole.DisplayRole:
            return self.columns[section].title
        return self.columns[section].tip if role == Qt.ItemDataRole.ToolTipRole else None

    def data(self, index: QModelIndex, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """Give what a cell shows; how it is drawn is the view's."""
        slice_id, column = self.ids[index.row()], self.columns[index.column()]
        row = self._rows[slice_id]
        if role in (Qt.ItemDataRole.DisplayRole, Qt.ItemDataRole.EditRole):
            return column.text(row)
        if role == Qt.ItemDataRole.ToolTipRole:
            return self._tip(slice_id, column, row)
        if role == Qt.ItemDataRole.ForegroundRole and not is_used(row):
            return _GREY
        if role == Qt.ItemDataRole.CheckStateRole and column.kind in ("use", "decision", "galvo"):
            return Qt.CheckState.Checked if row.get(column.column, column.kind == "use") else Qt.CheckState.Unchecked
        return None

    def _tip(self, slice_id: str, column: Column, row: Mapping[str, Any]) -> str:
        said = []
        if column.kind == "flags":
            said = [one.why for one in badges_of(row)]
        elif column.kind in ("use", "id", "picture"):
            said = [why_excluded(row)]
        elif column.kind == "galvo":
            fix = row.get(column.column)
            decided = "nobody has decided" if fix is None else "to be fixed" if fix else "left as it is"
            said = [f"confidence {column.text(row) or 'not known'}; {decided}"]
            if slice_id in self.applied:
                said.append(f"the fix was written to {self.applied[slice_id]}")
        else:
            said = [column.text(row)]
        if column.column and self.is_edited(slice_id, [column.column]):
            said.append(f"not saved; the file says {self._edits.on_disk(slice_id, column.column) or 'nothing'}")
        return "\n".join(filter(None, said))

    def setData(self, index: QModelIndex, value: Any, role: int = Qt.ItemDataRole.EditRole) -> bool:  # noqa: N802
        """Edit a cell."""
        slice_id, column = self.ids[index.row()], self.columns[index.column()]
        if role == Qt.ItemDataRole.CheckStateRole:
            value = Qt.CheckState(value) == Qt.CheckState.Checked
        if slice_id not in (self._edits.rows or {}):
            self.refused.emit(f"slice {slice_id} is no longer in the table, so its {column.column} cannot be edited")
            return False
        try:
            self._edits.set_value([slice_id], column.column, value)
        except FileFormatError as error:
            self.refused.emit(str(error))
            return False
        return True

    def flags(self, index: QModelIndex) -> Any:
        """Say what can be done with a cell."""
        made = Qt.ItemFlag.ItemIsEnabled | Qt.ItemFlag.ItemIsSelectable
        kind = self.columns[index.column()].kind
        if kind in ("use", "decision", "galvo"):
            return made | Qt.ItemFlag.ItemIsUserCheckable
        return made if kind in _NOT_TYPED else made | Qt.ItemFlag.ItemIsEditable

"""The menus of the dock: of rows, of columns, and *More*."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

from qtpy.QtCore import QPoint, Qt
from qtpy.QtWidgets import QFileDialog, QMenu, QWidget

from ....slices.edits import FLAGS
from .columns import PICTURE
from .editing import Editing
from .view import SliceTable

_CSV = "Slice tables (*.csv)"


class Menus:
    """Makes the menus as they are asked for.

    Parameters
    ----------
    parent : QWidget
        The dock.
    table : SliceTable
        Rows and columns.
    editing : Editing
        Does what is chosen.
    """

    def __init__(self, parent: QWidget, table: SliceTable, editing: Editing) -> None:
        self._parent, self._table, self._editing = parent, table, editing
        self.more = QMenu(parent)
        self.more.aboutToShow.connect(self._fill_more)
        self.rows = QMenu(parent)
        self.columns = QMenu(parent)
        self.flags = QMenu("Clear flag", parent)
        for flag in FLAGS:
            self._add(self.flags, flag, partial(editing.clear_flag, flag), f"Clear what says {flag}")

    def show_rows(self, at: QPoint) -> None:
        """Show what can be done with the selected rows."""
        if not self._table.selected:
            return
        menu, do = self.rows, self._editing
        menu.clear()
        self._add(menu, "Use", lambda: do.set_use(True))
        self._add(menu, "Leave out", lambda: do.set_use(False))
        menu.addSeparator()
        self._add(menu, "Edit note\tE", self._table.edit_note)
        self._add(menu, "Append note…\tShift+E", do.ask_note)
        menu.addMenu(self.flags)
        menu.addSeparator()
        self._add(menu, "Audit trail…", do.show_trail)
        menu.popup(at)

    def show_flags(self) -> None:
        """Show which flags of the selected rows can be cleared."""
        table = self._table
        if table.selected:
            place = table.visualRect(table.currentIndex()).bottomLeft()
            self.flags.popup(table.viewport().mapToGlobal(place))

    def show_columns(self, at: QPoint) -> None:
        """Show which columns can be shown."""
        self.columns.clear()
        self._fill_columns(self.columns)
        self.columns.popup(at)

    def _fill_columns(self, menu: QMenu) -> None:
        for column in self._table.rows_model.columns:
            if column.key == "slice_id":
                continue
            title = "thumbnails" if column.key == PICTURE else column.key
            action = menu.addAction(title)
            action.setCheckable(True)
            action.setChecked(column.key in self._table.shown_columns)
            action.toggled.connect(partial(self._table.show_column, column.key))
        menu.addSeparator()
        self._add(menu, "Order of the file", lambda: self._table.sortByColumn(-1, Qt.SortOrder.AscendingOrder))

    def _fill_more(self) -> None:
        menu, do = self.more, self._editing
        menu.clear()
        columns = menu.addMenu("Columns")
        self._fill_columns(columns)
        menu.addSeparator()
        self._add(menu, "Import…", self._import, "Take over what another slice table says, as edits to be saved")
        self._add(menu, "Export…", self._export, "Write the table as it is shown to another file")
        menu.addSeparator()
        self._add(menu, "Look at the file", do.look, "Take over what something else wrote")
        self._add(menu, "Discard unsaved edits", do.discard, "Go back to what is saved")

    def _import(self) -> None:
        path, _ = QFileDialog.getOpenFileName(self._parent, "Import a slice table", "", _CSV)
        if path:
            self._editing.import_from(Path(path))

    def _export(self) -> None:
        path, _ = QFileDialog.getSaveFileName(self._parent, "Export the slice table", "slice_config.csv", _CSV)
        if path:
            self._editing.export_to(Path(path))

    @staticmethod
    def _add(menu: QMenu, text: str, command: Callable[[], object], tip: str = "") -> None:
        action = menu.addAction(text)
        action.setToolTip(tip)
        action.triggered.connect(lambda _checked=False: command())

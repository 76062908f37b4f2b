"""Dialogs of the table: cells that somebody else changed, and who changed what."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import QAbstractItemView, QDialog, QHeaderView, QTableWidget, QTableWidgetItem, QVBoxLayout, QWidget

from ....slices.audit import Entry
from ....slices.edits import Clash
from ..parts import button, counted, row, small

_NOTHING = "–"


class ClashDialog(QDialog):
    """Asks what to do about cells that were edited here, and changed in the file since.

    Parameters
    ----------
    parent : QWidget
        The dock.
    name : str
        Of the file.
    clashes : sequence of Clash
        The cells.
    """

    reload_asked = Signal()
    """The cells are to be as the file has them."""
    keep_asked = Signal()
    """They are to be written as they were edited here."""

    def __init__(self, parent: QWidget, name: str, clashes: Sequence[Clash]) -> None:
        super().__init__(parent)
        self.clashes = tuple(clashes)
        self.setWindowTitle("The slice table was changed")
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setModal(True)
        several = len(clashes) > 1
        self.message = small(
            f"{counted(len(clashes), 'cell')} that you edited {'were' if several else 'was'} changed in {name} by "
            "something else since. Nothing is written yet."
        )
        self.message.setStyleSheet("")
        self.table = _table(
            ("Slice", "Column", "It was", "In the file", "Yours"),
            ((one.slice_id, one.column, one.was, one.theirs, one.mine) for one in clashes),
        )
        self.table.hide()
        self.reload = button("Reload", "Take these cells from the file; your other edits are saved")
        self.keep = button("Keep mine", "Write yours over what the file has in these cells; your other edits, too")
        self.difference = button("Show difference", "List the cells")
        self.cancel = button("Cancel", "Save nothing now; your edits stay")
        layout = QVBoxLayout(self)
        layout.addWidget(self.message)
        layout.addWidget(self.table, 1)
        layout.addLayout(row(self.reload, self.keep, self.difference, None, self.cancel))
        self.difference.clicked.connect(self._show)
        self.reload.clicked.connect(lambda: self._answer(self.reload_asked))
        self.keep.clicked.connect(lambda: self._answer(self.keep_asked))
        self.cancel.clicked.connect(self.close)
        self.cancel.setDefault(True)
        self.resize(460, 120)

    def _show(self) -> None:
        self.table.show()
        self.difference.setEnabled(False)
        self.resize(max(self.width(), 560), 320)

    def _answer(self, signal: object) -> None:
        self.close()
        signal.emit()  # type: ignore[attr-defined]


class TrailDialog(QDialog):
    """Shows who changed what of a slice, the newest first.

    Parameters
    ----------
    parent : QWidget
        The dock.
    slice_id : str
        The slice.
    entries : iterable of Entry
        Of its audit trail, in the order of time.
    """

    def __init__(self, parent: QWidget, slice_id: str, entries: Iterable[Entry]) -> None:
        super().__init__(parent)
        entries = list(entries)
        self.setWindowTitle(f"Audit trail of slice {slice_id}")
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        said = counted(len(entries), "change") if entries else "Nothing was changed in place yet"
        self.table = _table(
            ("When (UTC)", "Who", "Column", "From", "To"),
            (
                (one.time.replace("T", " ").rstrip("Z"), one.by, one.column, one.old, one.new)
                for one in reversed(entries)
            ),
        )
        self.table.setVisible(bool(entries))
        close = button("Close", "Close")
        close.clicked.connect(self.close)
        layout = QVBoxLayout(self)
        layout.addWidget(small(f"{said}. Edits are on record once they are saved."))
        layout.addWidget(self.table, 1)
        layout.addLayout(row(None, close))
        self.resize(620, 320 if entries else 100)


def _table(titles: Sequence[str], lines: Iterable[Sequence[str]]) -> QTableWidget:
    lines = list(lines)
    made = QTableWidget(len(lines), len(titles))
    made.setHorizontalHeaderLabels(list(titles))
    made.verticalHeader().setVisible(False)
    made.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
    made.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
    made.setShowGrid(False)
    for number, cells in enumerate(lines):
        for column, text in enumerate(cells):
            item = QTableWidgetItem(text or _NOTHING)
            item.setToolTip(text)
            made.setItem(number, column, item)
    made.horizontalHeader().setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
    made.horizontalHeader().setStretchLastSection(True)
    return made

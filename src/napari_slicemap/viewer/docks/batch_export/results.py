"""The table of what would be written, and of what was."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from qtpy.QtCore import QModelIndex, Qt, QUrl
from qtpy.QtGui import QDesktopServices
from qtpy.QtWidgets import QAbstractItemView, QHeaderView, QTableView, QVBoxLayout, QWidget

from ....dataset import Dataset
from ....errors import SlicemapError
from ....export.running.checks import estimated_bytes
from ....export.running.prepare import Prepared
from ....export.running.runner import ExportResult
from ..parts import size_text, small, time_text
from ..row_model import RowModel

_COLUMNS = ("", "File", "Size", "Time")
_SIGNS = {"planned": "·", "done": "✓", "failed": "✗", "skipped": "–"}
_MEANING = {"planned": "would be written", "done": "written", "failed": "failed", "skipped": "left as it was"}
_ROW_PX, _ROWS_SHOWN = 22, 6


@dataclass(frozen=True)
class Line:
    """A row of the table.

    Parameters
    ----------
    item_id : str
        Of the item.
    path : Path
        Its file.
    state : "planned", "done", "failed" or "skipped"
        How it stands.
    size, time : str
        In words.
    said : str
        What went wrong, or what the reader should know.
    """

    item_id: str
    path: Path
    state: str
    size: str = ""
    time: str = ""
    said: str = ""


def planned_lines(prepared: Prepared, dataset: Dataset) -> list[Line]:
    """List what a run would do: what it would write, of what size at most, and what it would leave as it is."""
    made = []
    for item, target in zip(prepared.resolution.items, prepared.targets, strict=True):
        if target.done is not None:
            made.append(Line(item.item_id, target.output, "skipped", size_text(target.done.bytes), said="done already"))
            continue
        try:
            size, said = f"≤ {size_text(estimated_bytes(item, dataset))}", ""
        except SlicemapError as error:  # its image cannot be read: it will fail by name
            size, said = "?", str(error)
        made.append(Line(item.item_id, target.output, "planned", size, said=said))
    return made


def line_of(result: ExportResult) -> Line:
    """Say how an item went."""
    state = "skipped" if result.skipped else "done" if result.ok else "failed"
    said = result.error or "; ".join(result.metadata.get("warnings", []))
    size = size_text(result.bytes) if result.ok else ""
    return Line(result.item_id, result.output_path, state, size, time_text(result.seconds), said)


class Lines(RowModel[Line]):
    """The rows, in the order of the plan where that is known."""

    def __init__(self) -> None:
        super().__init__(_COLUMNS)
        self._numbers: dict[str, int] = {}

    def put(self, lines: Iterable[Line]) -> None:
        """Replace all rows."""
        self.beginResetModel()
        self.rows = list(lines)
        self._numbers = {line.item_id: row for row, line in enumerate(self.rows)}
        self.endResetModel()

    def take(self, lines: Sequence[Line]) -> int:
        """Put lines in the place of those of the same items, or after them; give the last row that changed."""
        row = -1
        for line in lines:
            row = self._numbers.get(line.item_id, len(self.rows))
            if row < len(self.rows):
                self.rows[row] = line
                self.dataChanged.emit(self.index(row, 0), self.index(row, len(_COLUMNS) - 1))
                continue
            self.beginInsertRows(QModelIndex(), row, row)
            self.rows.append(line)
            self._numbers[line.item_id] = row
            self.endInsertRows()
        return row

    def data(self, index: QModelIndex, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """Give what a cell shows."""
        line, column = self.rows[index.row()], index.column()
        if role == Qt.ItemDataRole.DisplayRole:
            return (_SIGNS[line.state], line.path.name, line.size, line.time)[column]
        if role == Qt.ItemDataRole.ToolTipRole:
            return line.said or f"{line.path}: {_MEANING[line.state]}"
        if role == Qt.ItemDataRole.TextAlignmentRole and column >= 2:
            return Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
        if role == Qt.ItemDataRole.TextAlignmentRole and column == 0:
            return Qt.AlignmentFlag.AlignCenter
        return None


class Results(QWidget):
    """The table, and beneath it in full what is said of the selected row."""

    def __init__(self) -> None:
        super().__init__()
        self.model = Lines()
        self.table = _table(self.model)
        self.said = small()
        self.said.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.said.setMinimumHeight(0)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(6, 0, 0, 4)
        layout.addWidget(self.table)
        layout.addWidget(self.said)
        self.table.selectionModel().currentRowChanged.connect(self._say)
        self.model.dataChanged.connect(lambda *_: self._say(self.table.currentIndex()))
        self.model.modelReset.connect(lambda: self.said.setText(""))
        self.table.doubleClicked.connect(self._open)

    @property
    def lines(self) -> list[Line]:
        """The rows."""
        return self.model.rows

    def told(self) -> str:
        """Say how many rows stand how."""
        counts = Counter(line.state for line in self.lines)
        return ", ".join(f"{counts[state]} {_MEANING[state]}" for state in _SIGNS if counts[state])

    def put(self, lines: Iterable[Line]) -> None:
        """Replace all rows."""
        self.model.put(lines)

    def take(self, lines: Sequence[Line]) -> None:
        """Put lines in the place of those of the same items, and scroll there."""
        if lines:
            self.table.scrollTo(self.model.index(self.model.take(lines), 0))

    def show_first_failed(self) -> None:
        """Select the first row that failed, so that its reason is read."""
        failed = [row for row, line in enumerate(self.lines) if line.state == "failed"]
        if failed:
            self.table.selectRow(failed[0])

    def _say(self, current: QModelIndex, _before: object = None) -> None:
        if not current.isValid():
            return
        line = self.lines[current.row()]
        self.said.setText(f"{line.path.name}: {line.said or _MEANING[line.state]}")

    def _open(self, index: QModelIndex) -> None:
        path = self.lines[index.row()].path
        if path.exists():
            QDesktopServices.openUrl(QUrl.fromLocalFile(str(path)))


def _table(model: Lines) -> QTableView:
    table = QTableView()
    table.setModel(model)
    table.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
    table.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
    table.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
    table.setShowGrid(False)
    table.setWordWrap(False)
    table.setToolTip("Double-click opens a file")
    table.verticalHeader().setVisible(False)
    table.verticalHeader().setDefaultSectionSize(_ROW_PX)
    header = table.horizontalHeader()
    header.setHighlightSections(False)
    header.setDefaultAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
    header.setMinimumSectionSize(24)
    header.setSectionResizeMode(QHeaderView.ResizeMode.Fixed)
    header.setSectionResizeMode(1, QHeaderView.ResizeMode.Stretch)
    for column, width in ((0, 26), (2, 78), (3, 64)):
        table.setColumnWidth(column, width)
    table.setMinimumHeight(_ROW_PX * (_ROWS_SHOWN + 1))
    table.setMaximumHeight(_ROW_PX * 2 * _ROWS_SHOWN)
    return table

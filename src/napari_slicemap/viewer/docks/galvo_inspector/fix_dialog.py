"""The dialog *Apply fixes*: lists what would be written and where, and writes it in the background."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from qtpy.QtCore import Qt, QUrl, Signal
from qtpy.QtGui import QDesktopServices
from qtpy.QtWidgets import (
    QAbstractItemView,
    QCheckBox,
    QDialog,
    QFileDialog,
    QHeaderView,
    QLabel,
    QLineEdit,
    QProgressBar,
    QTableWidget,
    QTableWidgetItem,
    QVBoxLayout,
    QWidget,
)

from ....errors import SlicemapError
from ....export.running.cancelling import Asked
from ....slices import slice_config
from ....slices.galvo.fixing import FixPlan, FixReport, SliceFix, note_applied, plan_fix, run_fix
from ....slices.galvo.tile_slices import TileSlices
from ...galvo_places import GalvoPlaces
from ..background import Background
from ..parts import bullets, button, counted, row, small, unexpected, words_of
from .reading import read_records_of

_COLUMNS = ("Slice", "What", "Folders that are written")
_SIZE = 620, 420
_BY = {"reviewer": "a reviewer decided", "detection": "the detection decided", "request": "as asked for"}


@dataclass(frozen=True)
class Planned:
    """What a fix would do, in rows of a table; or what is in its way.

    Parameters
    ----------
    plan : FixPlan or None
        The plan, if nothing is in its way.
    rows : tuple of tuple of str
        Slice, what is done, folders.
    faults : tuple of str
        What is in the way.
    """

    plan: FixPlan | None = None
    rows: tuple[tuple[str, str, str], ...] = ()
    faults: tuple[str, ...] = ()


def plan_from(places: GalvoPlaces, slices: TileSlices, asked: Asked) -> Planned:
    """Plan what the slice table decides, as it is on disk now."""
    try:
        rows: Mapping[str, Any] = slice_config.read(places.table) if places.table.is_file() else {}
        known = read_records_of(places, [*rows, *slices], asked)
        if known.faults:
            return Planned(faults=known.faults)
        plan = plan_fix(slices, rows, known.records, source=places.tiles)
        fixes = tuple((one.slice_id, _what(one), _where(one)) for one in plan.fixes)
    except SlicemapError as error:
        if asked():
            raise
        return Planned(faults=tuple(words_of(error)))
    return Planned(plan, fixes + tuple((one, f"left: {why}", "") for one, why in plan.left.items()))


def _what(fix: SliceFix) -> str:
    note = f"; {fix.note}" if fix.note else ""
    return f"rolled by {fix.shift} A-lines ({_BY[fix.by]}{note})"


def _where(fix: SliceFix) -> str:
    first, *others = fix.names
    return f"{first.as_posix()} and {len(others)} more" if others else first.as_posix()


def write_fixes(plan: FixPlan, out: Path, with_others: bool, diagnostics: Path, lane: Background, asked: Asked) -> Any:
    """Write fixes and note them; a fault that is known by name is an answer."""
    try:
        report = run_fix(plan, out, with_others=with_others, on_progress=lambda *done: lane.tell(done), cancelled=asked)
        note_applied(report, diagnostics)
    except SlicemapError as error:
        if asked():
            raise
        return tuple(words_of(error))
    return report


class FixDialog(QDialog):
    """Lists what the decisions come to, and writes it to a folder of its own.

    Parameters
    ----------
    parent : QWidget
        The dock.
    places : GalvoPlaces
        Where tiles, table and records are.
    slices : OrderedDict of str to TileSlice
        Slices that have tiles.
    folder : Path
        Where fixed tiles go, unless another folder is chosen.
    """

    planned = Signal(object)
    """The :class:`Planned` that is listed now."""
    written = Signal(object)
    """The :class:`FixReport` of a run; ``None`` where it did not come to its end."""

    def __init__(self, parent: QWidget, places: GalvoPlaces, slices: TileSlices, folder: Path) -> None:
        super().__init__(parent)
        self._places = places
        self._plan: FixPlan | None = None
        self._lane = Background()
        self.setWindowTitle("Apply fixes")
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.table = _table()
        self.folder = QLineEdit(str(folder))
        self.folder.setAccessibleName("Folder to write to")
        self.others = QCheckBox("Copy the slices that are not fixed, too")
        self.others.setToolTip("So that the folder can take the place of the tiles that it was made of")
        self.message = small("Reading what is decided…")
        self.message.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.progress = QProgressBar()
        self.progress.setVisible(False)
        self.choose = button("Choose…", "Choose another folder")
        self.write = button("Write fixes", "Write fixed tiles into the folder; the tiles themselves stay as they are")
        self.stop = button("Cancel", "Stop; writing again goes on where this ended")
        self.show_folder = button("Open folder", "Show the folder")
        self.leave = button("Close", "Close this dialog (Escape)")
        self._lay_out()
        self._connect()
        self._suit()
        self._lane.ask(partial(plan_from, places, slices))

    def _lay_out(self) -> None:
        layout = QVBoxLayout(self)
        layout.addWidget(small("Tiles are never written over: fixed ones go into a folder of their own."))
        layout.addWidget(self.table, 1)
        layout.addLayout(row(QLabel("Folder"), self.folder, self.choose))
        layout.addWidget(self.others)
        layout.addWidget(self.message)
        layout.addWidget(self.progress)
        layout.addLayout(row(self.write, self.stop, None, self.show_folder, self.leave))
        self.resize(*_SIZE)

    def _connect(self) -> None:
        self._lane.returned.connect(self._on_answer)
        self._lane.advanced.connect(self._on_advance)
        self._lane.failed.connect(self._on_accident)
        self._lane.ended.connect(self._suit)
        self.destroyed.connect(self._lane.close)
        self.write.clicked.connect(lambda *_: self.start())
        self.stop.clicked.connect(lambda *_: self.cancel())
        self.leave.clicked.connect(lambda *_: self.close())
        self.choose.clicked.connect(lambda *_: self._choose())
        self.show_folder.clicked.connect(
            lambda *_: QDesktopServices.openUrl(QUrl.fromLocalFile(str(Path(self.folder.text()))))
        )

    def start(self) -> None:
        """Write what is listed."""
        if self._plan is None or self._lane.busy:
            return
        out = Path(self.folder.text()).expanduser().absolute()
        self.progress.setRange(0, 0)
        self.message.setText("Writing…")
        others, diagnostics = self.others.isChecked(), self._places.diagnostics
        self._lane.ask(partial(write_fixes, self._plan, out, others, diagnostics, self._lane))
        self._suit()

    def cancel(self) -> None:
        """Stop writing."""
        self._lane.stop()
        self.message.setText("Cancelled. The tiles are as they were; writing again goes on where this ended.")

    def done(self, result: int) -> None:
        """Stop what is being done, and close."""
        self._lane.close()
        super().done(result)

    def closeEvent(self, event: Any) -> None:  # noqa: N802 - Qt's name
        """Stop what is being done."""
        self._lane.close()
        super().closeEvent(event)

    # --- answers --------------------------------------------------------------------------------------------------
    def _on_answer(self, answer: Planned | FixReport | tuple[str, ...]) -> None:
        if isinstance(answer, Planned):
            self._plan = answer.plan
            self._list(answer)
            self.planned.emit(answer)
        elif isinstance(answer, FixReport):
            self.message.setText(bullets(answer.lines()))
            self.written.emit(answer)
        else:
            self.message.setText(bullets(answer))
            self.written.emit(None)

    def _list(self, planned: Planned) -> None:
        self.table.setRowCount(len(planned.rows))
        for number, cells in enumerate(planned.rows):
            for column, text in enumerate(cells):
                item = QTableWidgetItem(text)
                item.setToolTip(text)
                self.table.setItem(number, column, item)
        fixes = 0 if planned.plan is None else len(planned.plan.fixes)
        self.message.setText(bullets(planned.faults) or f"{counted(fixes, 'slice')} to fix.")

    def _on_advance(self, done: tuple[int, int]) -> None:
        self.progress.setRange(0, done[1])
        self.progress.setValue(done[0])

    def _on_accident(self, error: Exception) -> None:
        self.message.setText(unexpected(error))
        raise error

    def _choose(self) -> None:
        chosen = QFileDialog.getExistingDirectory(self, "Folder to write fixed tiles to", self.folder.text())
        if chosen:
            self.folder.setText(chosen)

    def _suit(self) -> None:
        busy, ready = self._lane.busy, self._plan is not None and bool(self._plan.fixes)
        self.write.setEnabled(ready and not busy)
        self.stop.setEnabled(ready and busy)
        self.progress.setVisible(ready and busy)
        for field in (self.folder, self.choose, self.others):
            field.setEnabled(not busy)


def _table() -> QTableWidget:
    table = QTableWidget(0, len(_COLUMNS))
    table.setHorizontalHeaderLabels(_COLUMNS)
    table.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
    table.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
    table.setShowGrid(False)
    table.setTabKeyNavigation(False)
    table.verticalHeader().setVisible(False)
    table.setAccessibleName("What is written")
    header = table.horizontalHeader()
    header.setDefaultAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
    header.setSectionResizeMode(0, QHeaderView.ResizeMode.ResizeToContents)
    header.setSectionResizeMode(1, QHeaderView.ResizeMode.Stretch)
    header.setSectionResizeMode(2, QHeaderView.ResizeMode.ResizeToContents)
    return table

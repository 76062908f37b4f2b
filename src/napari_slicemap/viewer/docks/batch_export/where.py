"""Where files go, what they are called, and who does the work."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from qtpy.QtCore import QSignalBlocker, Signal
from qtpy.QtWidgets import (
    QCheckBox,
    QComboBox,
    QFileDialog,
    QLineEdit,
    QMenu,
    QPushButton,
    QSpinBox,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from ....dataset import Dataset
from ....export.plan import NAME_FIELDS
from ....export.running.strategies import RUNNERS
from ..parts import choose, form, narrow, row, small

_OVERWRITE = (("refuse: stop", "refuse"), ("overwrite them", "overwrite"), ("rename: keep both", "rename"))
_RUNNERS = {
    "serial": "one after the other",
    "threads": "several at a time",
    "dask": "in other processes (dask)",
}
_TEMPLATE = "{stem}"
_MOST_WORKERS = 1024


@dataclass(frozen=True)
class Labour:
    """Who does the work; the files are the same.

    Parameters
    ----------
    runner : str
        ``"serial"``, ``"threads"`` or ``"dask"``.
    workers : int or None
        How many items at a time; ``None`` for as many as there are processors.
    scheduler : str or None
        Address of a dask cluster that is there already.
    resume : bool
        Take up what an earlier run into the same folder has done.
    """

    runner: str = "serial"
    workers: int | None = None
    scheduler: str | None = None
    resume: bool = False

    def words(self) -> list[str]:
        """Write it as options of ``slicemap export``."""
        made = ["--runner", self.runner] if self.runner != "serial" else []
        made += ["--workers", str(self.workers)] if self.workers is not None else []
        made += ["--scheduler", self.scheduler] if self.scheduler else []
        return made + (["--resume"] if self.resume else [])


class Where(QWidget):
    """The settings of folder, names and runner."""

    changed = Signal()

    def __init__(self) -> None:
        super().__init__()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 4)
        self._form = form()
        layout.addLayout(self._form)
        self._add_names()
        self._add_labour()
        for signal in (
            self.folder.textChanged,
            self.template.textChanged,
            self.overwrite.currentIndexChanged,
            self.runner.currentIndexChanged,
            self.workers.valueChanged,
            self.scheduler.textChanged,
            self.resume.toggled,
        ):
            signal.connect(lambda *_: self.changed.emit())

    def _add_names(self) -> None:
        self.folder = QLineEdit()
        self.folder.setToolTip("Output folder; that of the dataset where empty")
        browse = QPushButton("…")
        browse.setMaximumWidth(32)
        browse.setToolTip("Choose the output folder")
        browse.clicked.connect(self._browse)
        self.template = QLineEdit(_TEMPLATE)
        self.template.setToolTip("What files are called, before their suffix; fields stand in braces")
        fields = QToolButton()
        fields.setText("{ }")
        fields.setToolTip("Put a field into the name")
        fields.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        menu = QMenu(fields)
        for name in NAME_FIELDS:
            menu.addAction(name, partial(self._insert, name))
        fields.setMenu(menu)
        self.example = small()
        self.overwrite = narrow(QComboBox())
        for text, value in _OVERWRITE:
            self.overwrite.addItem(text, value)
        self.overwrite.setToolTip("What to do about files that are in the folder already")
        self._form.addRow("Folder", row(self.folder, browse))
        self._form.addRow("Names", row(self.template, fields))
        self._form.addRow("", self.example)
        self._form.addRow("Existing files", self.overwrite)

    def _add_labour(self) -> None:
        self.resume = QCheckBox("Resume: leave files that are done")
        self.resume.setToolTip("Files that an earlier run into this folder has finished from the same data are left")
        self.runner = narrow(QComboBox())
        for name in RUNNERS:
            self.runner.addItem(_RUNNERS[name], name)
        self.runner.setToolTip("How items are done; the files are the same, to the byte")
        self.workers = QSpinBox()
        self.workers.setRange(0, _MOST_WORKERS)
        self.workers.setSpecialValueText("as many as processors")
        self.workers.setToolTip("How many items at a time")
        self.scheduler = QLineEdit()
        self.scheduler.setPlaceholderText("tcp://… (none: started here)")
        self.scheduler.setToolTip("Address of a dask cluster that is there already; it has its own workers")
        self._form.addRow(self.resume)
        self._form.addRow("Items are done", self.runner)
        self._labour_rows = [self._form.rowCount(), self._form.rowCount() + 1]
        self._form.addRow("At a time", self.workers)
        self._form.addRow("Cluster", self.scheduler)
        self.runner.currentIndexChanged.connect(self._suit_runner)
        self._suit_runner()

    def _suit_runner(self, *_: object) -> None:
        for number, name in zip(self._labour_rows, (("threads", "dask"), ("dask",)), strict=True):
            self._form.setRowVisible(number, self.runner.currentData() in name)

    def _insert(self, name: str) -> None:
        self.template.insert(f"{{{name}}}")
        self.template.setFocus()

    def _browse(self) -> None:
        chosen = QFileDialog.getExistingDirectory(self, "Output folder", self.folder.text())
        if chosen:
            self.folder.setText(chosen)

    def fill(self, dataset: Dataset | None) -> None:
        """Show which folder an empty field stands for."""
        self.folder.setPlaceholderText("" if dataset is None else str(dataset.places.written("exports")))

    def show_names(self, outputs: Sequence[Path]) -> None:
        """Show what the first files will be called."""
        first = ", ".join(path.name for path in outputs[:3])
        self.example.setText(f"{first}{', …' if len(outputs) > 3 else ''}")
        self.example.setToolTip("\n".join(str(path) for path in outputs[:20]))

    def labour(self) -> Labour:
        """Say who does the work."""
        runner = self.runner.currentData()
        workers = self.workers.value() if runner != "serial" else 0
        scheduler = self.scheduler.text().strip() if runner == "dask" else ""
        return Labour(runner, workers or None, scheduler or None, self.resume.isChecked())

    def show_labour(self, labour: Labour) -> None:
        """Show who does the work."""
        with QSignalBlocker(self):
            choose(self.runner, labour.runner)
            self.workers.setValue(labour.workers or 0)
            self.scheduler.setText(labour.scheduler or "")
            self.resume.setChecked(labour.resume)
            self._suit_runner()

    def told(self) -> str:
        """Say in few words what is set."""
        folder = self.folder.text().strip() or self.folder.placeholderText()
        return Path(folder).name if folder else ""

    # --- to and from a plan ---------------------------------------------------------------------------------------
    def wishes(self) -> dict[str, Any]:
        """Give the part of a plan that is set here."""
        return {
            "output_folder": self.folder.text().strip(),
            "name_template": self.template.text().strip(),
            "overwrite": self.overwrite.currentData(),
        }

    def show_plan(self, plan: Mapping[str, Any]) -> None:
        """Show the part of a plan that is set here."""
        with QSignalBlocker(self):
            self.folder.setText(plan.get("output_folder", ""))
            self.template.setText(plan.get("name_template", _TEMPLATE))
            choose(self.overwrite, plan.get("overwrite", "refuse"))
        self.changed.emit()

"""The Batch export dock: what, how, check, run. It makes a plan, and the runner does the rest."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import napari
from napari.qt.threading import FunctionWorker, create_worker
from qtpy.QtCore import Qt, QTimer, QUrl, Signal
from qtpy.QtGui import QDesktopServices, QGuiApplication
from qtpy.QtWidgets import (
    QCheckBox,
    QComboBox,
    QFileDialog,
    QFormLayout,
    QGroupBox,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QProgressBar,
    QPushButton,
    QSpinBox,
    QTableWidget,
    QTableWidgetItem,
    QTabWidget,
    QVBoxLayout,
    QWidget,
)

from ...dataset import Dataset
from ...errors import PlanError, SlicemapError
from ...export.plan import ExportPlan, OverlayChoice, Select
from ...export.run import ExportReport, prepare, run_export
from ...export.runner import ExportResult
from ...export.shell import shell_command
from ...export.writers import writers
from ...render.scale_bar import ScaleBarStyle
from ..session import session_of
from .item_picker import ItemPicker

_KINDS = (("maps", "Maps"), ("rois", "ROIs"), ("fovs", "FOVs"), ("cells", "Cells"))
_CHECK_AFTER_MS = 150  # while somebody is still typing or ticking, checking each step would be in the way


class BatchExportDock(QWidget):
    """Exports FOVs, ROIs, cells and maps through the same plan as the shell.

    Parameters
    ----------
    napari_viewer : napari.Viewer
        The viewer whose session is shown.
    """

    finished = Signal(object)
    """The :class:`ExportReport` of a run that ended."""
    _advanced = Signal(object, int, int)

    def __init__(self, napari_viewer: napari.Viewer) -> None:
        super().__init__()
        self._session = session_of(napari_viewer)
        self._cancelled = threading.Event()
        self._worker: FunctionWorker | None = None
        self._report: ExportReport | None = None
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(_CHECK_AFTER_MS)
        self._timer.timeout.connect(self.check)
        self._pickers = {key: ItemPicker(title) for key, title in _KINDS}
        layout = QVBoxLayout(self)
        layout.addWidget(self._what())
        layout.addWidget(self._how())
        layout.addWidget(self._run_box())
        self._advanced.connect(self._on_advance)
        self._session.opened.connect(self._fill)
        self._session.rois_changed.connect(self._fill_items)
        self._session.profiles_changed.connect(self._fill_profiles)
        self._fill()

    # --- widgets --------------------------------------------------------------------------------------------
    def _what(self) -> QGroupBox:
        box = QGroupBox("What")
        layout = QVBoxLayout(box)
        self.tabs = QTabWidget()
        for key, title in _KINDS:
            self.tabs.addTab(self._pickers[key], title)
            self._pickers[key].changed.connect(self._changed)
        self.excluded = QCheckBox("Take slices that the slice table excludes")
        self.excluded.toggled.connect(self._changed)
        layout.addWidget(self.tabs)
        layout.addWidget(self.excluded)
        return box

    def _how(self) -> QGroupBox:
        box = QGroupBox("How")
        form = QFormLayout(box)
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        self.profile = QComboBox()
        self.format = QComboBox()
        for name, writer in writers().items():
            self.format.addItem(name, name)
            self.format.setItemData(self.format.count() - 1, writer.summary, Qt.ItemDataRole.ToolTipRole)
        self.downsample = QSpinBox()
        self.downsample.setRange(1, 1024)
        self.downsample.setPrefix("1 : ")
        self.cell_size = QSpinBox()
        self.cell_size.setRange(8, 4096)
        self.cell_size.setValue(128)
        self.cell_size.setSuffix(" px")
        self.scale_bar, self.shapes = QCheckBox("Scale bar"), QCheckBox("ROI shapes")
        self.scale_bar.setChecked(True)
        self._masks = QHBoxLayout()
        self.mask_boxes: dict[str, QCheckBox] = {}
        self.clip = QCheckBox("Transparent outside the shape (polygons)")
        self.overwrite = QComboBox()
        for text, value in (("stop", "refuse"), ("replace them", "overwrite"), ("keep both", "rename")):
            self.overwrite.addItem(text, value)
        self.overwrite.setToolTip("What to do about files that are already in the folder")
        form.addRow("Profile", self.profile)
        form.addRow("Format", self.format)
        form.addRow("Downsample", self.downsample)
        form.addRow("Cell crops", self.cell_size)
        form.addRow("Draw", _row(self.scale_bar, self.shapes))
        form.addRow("Outlines", self._masks)
        form.addRow("ROIs", self.clip)
        form.addRow("Folder", self._folder_row())
        form.addRow("Existing files", self.overwrite)
        for signal in (
            self.profile.currentIndexChanged,
            self.format.currentIndexChanged,
            self.downsample.valueChanged,
            self.cell_size.valueChanged,
            self.scale_bar.toggled,
            self.shapes.toggled,
            self.clip.toggled,
            self.overwrite.currentIndexChanged,
            self.folder.textChanged,
        ):
            signal.connect(self._changed)
        return box

    def _folder_row(self) -> QHBoxLayout:
        self.folder = QLineEdit()
        browse = QPushButton("…")
        browse.setMaximumWidth(32)
        browse.setToolTip("Choose the output folder")
        browse.clicked.connect(self._browse)
        return _row(self.folder, browse)

    def _run_box(self) -> QGroupBox:
        box = QGroupBox("Check and run")
        layout = QVBoxLayout(box)
        self.message = QLabel()
        self.message.setWordWrap(True)
        self.message.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.progress = QProgressBar()
        self.progress.setVisible(False)
        self.export_button, self.cancel_button = QPushButton("Export"), QPushButton("Cancel")
        self.open_button, self.copy_button = QPushButton("Open folder"), QPushButton("Copy shell command")
        self.cancel_button.setEnabled(False)
        self.results = QTableWidget(0, 3)
        self.results.setHorizontalHeaderLabels(["", "Item", "Seconds"])
        self.results.verticalHeader().setVisible(False)
        self.results.horizontalHeader().setSectionResizeMode(1, self.results.horizontalHeader().ResizeMode.Stretch)
        self.results.setEditTriggers(QTableWidget.EditTrigger.NoEditTriggers)
        self.results.setColumnWidth(0, 28)
        self.results.setColumnWidth(2, 64)
        layout.addWidget(self.message)
        layout.addLayout(_row(self.export_button, self.cancel_button))
        layout.addWidget(self.progress)
        layout.addWidget(self.results)
        layout.addLayout(_row(self.open_button, self.copy_button))
        self.export_button.clicked.connect(self.start)
        self.cancel_button.clicked.connect(self._cancelled.set)
        self.open_button.clicked.connect(self._open_folder)
        self.copy_button.clicked.connect(self.copy_command)
        return box

    # --- session to widgets -----------------------------------------------------------------------------------
    def _fill(self) -> None:
        self._fill_items()
        self._fill_profiles()
        dataset = self._session.dataset
        while self._masks.count():
            self._masks.takeAt(0).widget().deleteLater()
        names = {name for fov in dataset.fovs.values() for name in fov.masks} if dataset else set()
        self.mask_boxes = {name: QCheckBox(name) for name in sorted(names)}
        for box in self.mask_boxes.values():
            box.toggled.connect(self._changed)
            self._masks.addWidget(box)
        self.folder.setText(str(dataset.places.written("exports")) if dataset else "")
        self._changed()

    def _fill_items(self) -> None:
        dataset = self._session.dataset
        items = _items_of(dataset) if dataset else {key: [] for key, _ in _KINDS}
        for number, (key, title) in enumerate(_KINDS):
            self._pickers[key].set_items(items[key])
            self.tabs.setTabText(number, f"{title} ({len(items[key])})")

    def _fill_profiles(self) -> None:
        names = self._session.dataset.profiles.names if self._session.dataset else []
        chosen = self.profile.currentText() or self._session.profile_name
        self.profile.blockSignals(True)
        self.profile.clear()
        self.profile.addItems(names)
        self.profile.setCurrentText(chosen if chosen in names else self._session.profile_name)
        self.profile.blockSignals(False)
        self._changed()

    # --- widgets to plan --------------------------------------------------------------------------------------
    def picker(self, kind: str) -> ItemPicker:
        """Give the list of ``"maps"``, ``"rois"``, ``"fovs"`` or ``"cells"``."""
        return self._pickers[kind]

    def plan(self) -> ExportPlan:
        """Make the plan that the widgets describe.

        Raises
        ------
        PlanError
            If nothing is ticked, or nothing is open.
        """
        dataset = self._session.dataset
        if dataset is None:
            raise PlanError(["Open an acquisition first: drag its folder into napari, or File ▸ Open Sample."])
        selects = self._selects(dataset)
        if not selects:
            raise PlanError(["Tick what to export."])
        return ExportPlan(
            profile=self.profile.currentText(),
            format=self.format.currentData(),
            output_folder=self.folder.text().strip(),
            downsample=self.downsample.value(),
            overwrite=self.overwrite.currentData(),
            include_excluded=self.excluded.isChecked(),
            select=tuple(selects),
            scale_bar=ScaleBarStyle(enabled=self.scale_bar.isChecked()),
            overlays=OverlayChoice(
                masks=tuple(name for name, box in self.mask_boxes.items() if box.isChecked()),
                rois=self.shapes.isChecked(),
            ),
        )

    def _selects(self, dataset: Dataset) -> list[Select]:
        clip = "polygon" if self.clip.isChecked() else "box"
        rois = [dataset.rois[roi_id] for roi_id in self.picker("rois").ticked() if roi_id in dataset.rois]
        choices: list[tuple[str, list[str], dict[str, Any]]] = [
            ("map", self.picker("maps").ticked(), {}),
            ("map-roi", [roi.roi_id for roi in rois if roi.on == "map"], {"clip": clip}),
            ("fov-roi", [roi.roi_id for roi in rois if roi.on == "fov"], {"clip": clip}),
            ("fov", self.picker("fovs").ticked(), {}),
            ("cell", self.picker("cells").ticked(), {"size_px": self.cell_size.value()}),
        ]
        return [Select(kind=kind, ids=tuple(ids), **more) for kind, ids, more in choices if ids]

    # --- check ------------------------------------------------------------------------------------------------
    def _changed(self, *_: object) -> None:
        self._timer.start()

    def check(self) -> None:
        """Say what would be written, or what is in the way of it."""
        if self._worker is not None:
            return
        try:
            plan = self.plan()
            prepared = prepare(plan, self._dataset())
        except SlicemapError as error:
            self.message.setText(_bullets(_faults(error)))
            self.export_button.setEnabled(False)
            self.copy_button.setEnabled(False)
            return
        items = prepared.resolution.items
        lines = [f"{len(items)} file{'s' if len(items) != 1 else ''}, such as {prepared.outputs[0].name}"]
        lines += [f"Left out: {reason}" for reason in prepared.resolution.left_out[:4]]
        self.message.setText("\n".join(lines))
        self.export_button.setEnabled(True)
        self.copy_button.setEnabled(True)

    def _dataset(self) -> Dataset:
        if self._session.dataset is None:
            raise SlicemapError("no acquisition is open")
        return self._session.dataset

    # --- run --------------------------------------------------------------------------------------------------
    def start(self) -> None:
        """Export in the background."""
        if self._worker is not None:
            return
        try:
            plan = self.plan()
            dataset = self._dataset()
        except SlicemapError as error:
            self.message.setText(str(error))
            return
        self._cancelled.clear()
        self.results.setRowCount(0)
        self.progress.setVisible(True)
        self.progress.setRange(0, 0)
        self._set_running(True)
        self._worker = create_worker(
            _export_or_fault, plan, dataset, on_progress=self._advanced.emit, cancel=self._cancelled.is_set
        )
        self._worker.returned.connect(self._on_returned)
        self._worker.finished.connect(self._on_finished)
        self._worker.start()

    def _set_running(self, running: bool) -> None:
        self.export_button.setEnabled(not running)
        self.cancel_button.setEnabled(running)

    def _on_advance(self, result: ExportResult, done: int, total: int) -> None:
        self.progress.setRange(0, total)
        self.progress.setValue(done)
        self.progress.setFormat(f"{done} of {total}")
        row = self.results.rowCount()
        self.results.insertRow(row)
        warnings = "; ".join(result.metadata.get("warnings", []))
        cells = ("✓" if result.ok else "✗", result.output_path.name, f"{result.seconds:.2f}")
        for column, text in enumerate(cells):
            item = QTableWidgetItem(text)
            item.setToolTip(result.error or warnings or str(result.output_path))
            self.results.setItem(row, column, item)
        self.results.scrollToBottom()

    def _on_returned(self, report: ExportReport | list[str]) -> None:
        if isinstance(report, list):
            self._report = None
            self.message.setText(_bullets(report))
            return
        counts = report.counts
        lines = [f"{counts['ok']} written, {counts['failed']} failed"]
        if counts["cancelled"]:
            lines[0] += f", {counts['cancelled']} not done (cancelled)"
        lines += [f"✗ {result.item_id}: {result.error}" for result in report.results if not result.ok][:4]
        self.message.setText("\n".join(lines))
        self._report = report

    def _on_finished(self) -> None:
        self._worker = None
        self.progress.setVisible(False)
        self._set_running(False)
        self.finished.emit(self._report)

    # --- small commands ---------------------------------------------------------------------------------------
    def copy_command(self) -> str:
        """Put the shell command that does the same on the clipboard, and give it."""
        command = shell_command(self.plan(), self._dataset().path.resolve())
        QGuiApplication.clipboard().setText(command)
        return command

    def _browse(self) -> None:
        chosen = QFileDialog.getExistingDirectory(self, "Output folder", self.folder.text())
        if chosen:
            self.folder.setText(chosen)

    def _open_folder(self) -> None:
        folder = Path(self.folder.text()).expanduser()
        standing = next(parent for parent in (folder, *folder.parents) if parent.exists())
        QDesktopServices.openUrl(QUrl.fromLocalFile(str(standing)))

    def closeEvent(self, event: Any) -> None:  # noqa: N802 - Qt's name
        """Stop a run and stop listening."""
        self._cancelled.set()
        self._timer.stop()
        for signal, slot in (
            (self._session.opened, self._fill),
            (self._session.rois_changed, self._fill_items),
            (self._session.profiles_changed, self._fill_profiles),
        ):
            signal.disconnect(slot, missing_ok=True)
        super().closeEvent(event)


def _export_or_fault(plan: ExportPlan, dataset: Dataset, **how: Any) -> ExportReport | list[str]:
    """Run an export; a fault that we know by name is an answer, not an accident of the thread."""
    try:
        return run_export(plan, dataset, **how)
    except SlicemapError as error:
        return _faults(error)


def _faults(error: SlicemapError) -> list[str]:
    return error.faults if isinstance(error, PlanError) else [str(error)]


def _bullets(faults: list[str]) -> str:
    return "\n".join(f"• {fault}" for fault in faults[:6])


def _row(*widgets: QWidget) -> QHBoxLayout:
    row = QHBoxLayout()
    row.setContentsMargins(0, 0, 0, 0)
    for widget in widgets:
        row.addWidget(widget)
    return row


def _items_of(dataset: Dataset) -> dict[str, list[tuple[str, str, str]]]:
    """List what can be exported, with the reason where the slice table excludes it."""

    def why(map_id: str) -> str:
        one = dataset.maps.get(map_id)
        reason = dataset.why_excluded(one.slice_id) if one else ""
        return f"excluded: {reason}" if reason else ""

    def why_fov(name: str) -> str:
        owner = dataset.map_of(name)
        return why(owner.map_id) if owner else ""

    counts = {} if dataset.cells is None else dataset.cells["fov"].value_counts().to_dict()
    return {
        "maps": [(map_id, f"map {map_id}", why(map_id)) for map_id in dataset.maps],
        "rois": [
            (roi.roi_id, f"{roi.label} on {'FOV ' + roi.fov if roi.fov else 'map ' + roi.map_id}", "")
            for roi in dataset.rois
        ],
        "fovs": [(name, name, why_fov(name)) for name in dataset.fovs],
        "cells": [(fov, f"{counts[fov]} cells of {fov}", why_fov(fov)) for fov in dataset.fovs if fov in counts],
    }

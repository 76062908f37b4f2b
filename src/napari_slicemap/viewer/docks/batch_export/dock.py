"""The dock itself: its parts, what they tell each other, and what they ask of the session."""

from __future__ import annotations

import shlex
from functools import partial
from pathlib import Path
from typing import Any

import napari
import pydantic
from qtpy.QtCore import Qt, QTimer, QUrl, Signal
from qtpy.QtGui import QDesktopServices, QGuiApplication
from qtpy.QtWidgets import QScrollArea, QVBoxLayout, QWidget

from ....dataset import Dataset
from ....errors import PlanError, SlicemapError
from ....export.plan import ExportPlan
from ....export.shell import shell_command
from ....files import explain
from ...session import session_of
from ..background import Background
from ..dock import Dock
from ..empty import Pages
from ..item_picker import ItemPicker, Pick
from ..parts import Section, bullets, guard_wheel, unexpected, without_argument, words_of
from . import work
from .desk import Desk
from .drawn import Drawn
from .exporting import Exporting
from .how import How
from .items import cell_picks
from .keeping import Kept, keep, kept_of
from .plan_files import PlanFiles, tell_fault
from .preview_box import PreviewBox
from .results import Results
from .what import What
from .where import Where

_CHECK_AFTER_MS = 150  # while somebody is still typing or ticking, checking each step would be in the way
_SHOWN_FAULTS = 6
_WIDTH_PX = 360


class BatchExportDock(Dock):
    """Exports FOVs, ROIs, cells, maps and stacks through the same plan as the shell.

    Parameters
    ----------
    napari_viewer : napari.Viewer
        The viewer whose session is shown.
    """

    finished = Signal(object)
    """The :class:`ExportReport` of a run that ended; ``None`` where nothing was begun."""
    checked = Signal(object)
    """What a check found; see :class:`~.work.Checked`."""

    def __init__(self, napari_viewer: napari.Viewer) -> None:
        super().__init__()
        self._session = session_of(napari_viewer)
        self._lanes = {name: Background() for name in ("check", "preview", "run", "cells")}
        self._found: work.Checked | None = None
        self._check_later = False
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(_CHECK_AFTER_MS)
        self._timer.timeout.connect(self.check)
        self.what, self.how, self.drawn, self.where = What(), How(), Drawn(), Where()
        self.preview, self.results, self.desk = PreviewBox(self._lanes["preview"]), Results(), Desk()
        self.exporting = Exporting(self._lanes["run"], self.desk, self.results)
        self.plan_files = PlanFiles(self)
        self._lay_out()
        self._connect()
        self._fill()
        self._take_up()

    # --- parts ----------------------------------------------------------------------------------------------------
    def _lay_out(self) -> None:
        self.sections = {
            "what": Section("What", self.what, expanded=True),
            "how": Section("How", self.how, expanded=True),
            "drawn": Section("Drawn", self.drawn, expanded=False),
            "where": Section("Names and folder", self.where, expanded=False),
            "preview": Section("Preview", self.preview, expanded=False),
            "results": Section("Files", self.results, expanded=False),
        }
        inner = QWidget()
        column = QVBoxLayout(inner)
        column.setContentsMargins(4, 4, 4, 4)
        column.setSpacing(2)
        for section in self.sections.values():
            column.addWidget(section)
        column.addStretch(1)
        scroll = QScrollArea()
        scroll.setWidgetResizable(True)
        scroll.setFrameShape(QScrollArea.Shape.NoFrame)
        scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        scroll.setWidget(inner)
        self.pages = Pages(self, self._session)
        layout = QVBoxLayout(self.pages.content)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        layout.addWidget(scroll, 1)
        layout.addWidget(self.desk)
        self.setMinimumWidth(_WIDTH_PX)
        self.desk.plan.setMenu(self.plan_files.menu)
        self.desk.add_shortcuts(self)
        guard_wheel(inner)

    def _connect(self) -> None:
        for part in (self.what, self.how, self.drawn, self.where):
            part.changed.connect(self._changed)
        self.how.format_changed.connect(self._suit_format)
        for lane, returned in (
            ("check", self._on_checked),
            ("cells", self._on_cells),
        ):
            self._lanes[lane].returned.connect(returned)
        for lane in self._lanes.values():
            lane.failed.connect(self._on_accident)
            # the lane outlives the dock, and stops when Qt frees it
            self.destroyed.connect(lane.close)
        self.exporting.begun.connect(self._on_begun)
        self.exporting.ended.connect(self._on_ended)
        for button, command in (
            (self.desk.export, self.start),
            (self.desk.dry_run, self.show_dry_run),
            (self.desk.cancel, self.exporting.cancel),
            (self.desk.retry, self._retry),
            (self.desk.open, self._open_folder),
            (self.desk.copy, self._copy),
        ):
            button.clicked.connect(partial(without_argument, command))
        self._session.opened.connect(self._fill)
        self._session.rois_changed.connect(self._fill_rois)
        self._session.slices_changed.connect(self._fill_decided)
        self._session.profiles_changed.connect(self._fill_profiles)

    def picker(self, kind: str) -> ItemPicker:
        """Give the table of ``"maps"``, ``"rois"``, ``"fovs"``, ``"cells"``, ``"series"`` or ``"slices"``."""
        return self.what.pickers[kind]

    # --- session to widgets ---------------------------------------------------------------------------------------
    def _fill(self) -> None:
        dataset = self._session.dataset
        self.pages.suit()
        self._fill_decided()
        self._fill_profiles()
        self.drawn.fill(dataset)
        self.where.fill(dataset)
        self._suit_format()
        self.results.put([])
        self.exporting.forget()
        self._suit_buttons()
        self._changed()

    def _fill_decided(self) -> None:
        """Fill in all that the slice table may exclude; the cell table may be long, so its rows come later."""
        dataset = self._session.dataset
        self.what.fill(dataset)
        self._changed()
        if dataset is not None:
            self._lanes["cells"].ask(lambda _: _cells_or_fault(dataset))

    def _fill_rois(self) -> None:
        self.what.fill_rois()
        self._changed()

    def _fill_profiles(self) -> None:
        self.how.fill(self._session.dataset, self._session.profile_name)
        self._changed()

    def _on_cells(self, found: list[Pick] | str) -> None:
        if isinstance(found, str):
            tell_fault(self, "The cell table cannot be read", [found])
            return
        self.what.fill_cells(found)

    def _suit_format(self) -> None:
        self.drawn.suit(self.how.writer)

    # --- widgets to plan, and back --------------------------------------------------------------------------------
    def _wishes(self) -> dict[str, Any]:
        parts = (self.what, self.how, self.drawn, self.where)
        return {key: value for part in parts for key, value in part.wishes().items()}

    def plan(self) -> ExportPlan:
        """Make the plan that the widgets describe.

        Raises
        ------
        PlanError
            If nothing is ticked, nothing is open, or what is written in a field is not what it asks for.
        """
        self._dataset()
        wishes = self._wishes()
        if not wishes["select"]:
            raise PlanError(["Tick what to export."])
        try:
            return ExportPlan.model_validate(wishes)
        except pydantic.ValidationError as error:
            raise PlanError(explain(error, ExportPlan).split("; ")) from None

    def show_plan(self, plan: ExportPlan) -> list[str]:
        """Show a plan in the widgets.

        Returns
        -------
        list of str
            What it says that the dock cannot show: the files would be others.
        """
        if self._session.dataset is not None:
            self.what.fill_cells(cell_picks(self._session.dataset))
        self._show_wishes(plan.model_dump(exclude_defaults=True))
        return work.lost(plan, self._wishes(), self._session.dataset)

    def _show_wishes(self, wishes: dict[str, Any]) -> None:
        for part in (self.how, self.what, self.drawn, self.where):
            part.show_plan(wishes)
        self._suit_format()
        self._changed()

    def _dataset(self) -> Dataset:
        if self._session.dataset is None:
            raise PlanError(["Open an acquisition first: drag its folder into napari, or File ▸ Open Sample."])
        return self._session.dataset

    # --- check ----------------------------------------------------------------------------------------------------
    def _changed(self, *_: object) -> None:
        for name, part in (("how", self.how), ("drawn", self.drawn), ("where", self.where), ("what", self.what)):
            self.sections[name].set_summary(part.told())
        self._timer.start()

    def check(self) -> None:
        """Find out in the background what would be written, or what is in the way of it."""
        self._timer.stop()
        self._check_later = self.exporting.running
        if self._check_later:
            return
        try:
            plan, dataset, labour = self.plan(), self._dataset(), self.where.labour()
        except SlicemapError as error:
            self._lanes["check"].stop()
            self._on_checked(work.Checked(faults=tuple(words_of(error))))
            return
        self._lanes["check"].ask(lambda _: work.check(plan, dataset, labour))

    def _on_checked(self, found: work.Checked) -> None:
        if self.exporting.running:
            return
        self._found = found
        if found.prepared is None:
            self.desk.say([bullets(found.faults, _SHOWN_FAULTS)])
        else:
            self.desk.say(work.told_of_check(found))
        self.where.show_names(found.prepared.outputs if found.prepared is not None else ())
        self.preview.set_prepared(found.prepared)
        self._suit_buttons()
        self.checked.emit(found)

    def show_dry_run(self) -> None:
        """List what would be written, what would be left as it is, and how large it may be."""
        if self._found is not None:
            self.results.put(self._found.lines)
            self.sections["results"].set_summary(self.results.told())
            self.sections["results"].set_expanded(True)

    # --- run ------------------------------------------------------------------------------------------------------
    def start(self) -> None:
        """Export in the background."""
        try:
            plan, dataset, labour = self.plan(), self._dataset(), self.where.labour()
        except SlicemapError as error:
            tell_fault(self, "This cannot be exported yet", words_of(error))
            return
        self.exporting.start(plan, dataset, labour)

    def _retry(self) -> None:
        self.exporting.retry(self._dataset())

    def _on_begun(self) -> None:
        self._check_later = False
        self._timer.stop()
        self.sections["results"].set_expanded(True)
        self._suit_buttons()

    def _on_ended(self, ran: work.Ran | None) -> None:
        self._suit_buttons()
        self.sections["results"].set_summary(self.results.told())
        if ran is not None and ran.report is None:
            tell_fault(self, "Nothing was exported", list(ran.faults))
        if self._check_later:  # something was changed meanwhile
            self._timer.start()
        self.finished.emit(None if ran is None else ran.report)

    def _suit_buttons(self) -> None:
        running, desk = self.exporting.running, self.desk
        ready = not running and self._found is not None and self._found.prepared is not None
        for button in (desk.export, desk.dry_run, desk.copy):
            button.setEnabled(ready)
        desk.cancel.setEnabled(running)
        desk.plan.setEnabled(not running)
        desk.retry.setEnabled(self.exporting.can_retry)
        desk.open.setEnabled(self._session.dataset is not None)

    # --- small commands -------------------------------------------------------------------------------------------
    def copy_command(self) -> str:
        """Put the shell command that does the same on the clipboard, and give it.

        Raises
        ------
        PlanError
            If no command says it all; a saved plan does.
        """
        words = self.where.labour().words()
        command = shell_command(self.plan(), self._dataset().path.resolve())
        command += f" {shlex.join(words)}" if words else ""
        QGuiApplication.clipboard().setText(command)
        return command

    def _copy(self) -> None:
        try:
            self.copy_command()
        except SlicemapError as error:
            tell_fault(self, "There is no such shell command", words_of(error))
        else:
            self.desk.say(["The command is on the clipboard: paste it into a terminal."])

    def _open_folder(self) -> None:
        folder = Path(self.where.folder.text() or self.where.folder.placeholderText()).expanduser().absolute()
        standing = next(parent for parent in (folder, *folder.parents) if parent.exists())
        QDesktopServices.openUrl(QUrl.fromLocalFile(str(standing)))

    def _on_accident(self, error: Exception) -> None:
        self.desk.say([unexpected(error)])
        self._suit_buttons()
        raise error

    # --- closing --------------------------------------------------------------------------------------------------
    def _take_up(self) -> None:
        """Show what the dock before this one showed."""
        kept = kept_of(self._session)
        if kept is None:
            return
        self._show_wishes(kept.wishes)
        self.where.show_labour(kept.labour)
        self.what.tabs.setCurrentIndex(kept.tab)
        for name, expanded in kept.expanded.items():
            self.sections[name].set_expanded(expanded)

    def _keep(self) -> None:
        expanded = {name: section.isExpanded() for name, section in self.sections.items()}
        keep(self._session, Kept(self._wishes(), self.where.labour(), self.what.tabs.currentIndex(), expanded))

    def _leave(self) -> None:
        self._keep()
        self._timer.stop()
        for lane in self._lanes.values():
            lane.close()
        for signal, slot in (
            (self._session.opened, self._fill),
            (self._session.rois_changed, self._fill_rois),
            (self._session.slices_changed, self._fill_decided),
            (self._session.profiles_changed, self._fill_profiles),
        ):
            signal.disconnect(slot, missing_ok=True)


def _cells_or_fault(dataset: Dataset) -> list[Pick] | str:
    """Read the cell table; what is wrong with it is an answer."""
    try:
        return cell_picks(dataset)
    except SlicemapError as error:
        return str(error)

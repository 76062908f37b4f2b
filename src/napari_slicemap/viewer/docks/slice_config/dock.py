"""The dock itself: its parts, what they tell each other, and what they ask of the session."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from functools import partial
from typing import Any

import napari
from qtpy.QtCore import QEvent
from qtpy.QtGui import QKeySequence
from qtpy.QtWidgets import QDialog, QStackedLayout, QVBoxLayout, QWidget

from ....dataset import Dataset
from ....errors import PlanError, SlicemapError
from ....export.running.cancelling import Asked
from ....slices.diagnostics import diagnostics_path
from ....slices.slice_values import number_of
from ...file_watch import FileWatch
from ...galvo_places import GalvoPlaces
from ...session import session_of
from ..background import Background
from ..dock import Dock
from ..empty import NothingOpen
from ..galvo_inspector.reading import Records, read_records_of
from ..parts import add_shortcut, bullets, counted, unexpected, without_argument, words_of
from .desk import Desk, EmptyState, FilterLine, Offer
from .editing import Editing
from .menus import Menus
from .model import SliceModel
from .thumbnails import Thumbnails
from .view import SliceTable

_WIDTH_PX = 420
_NO_TABLE = "No slice table yet. Generate one from this dataset: {} will be in it, and used but for those left out."
_NO_NUMBERS = "No slice table: it knows slices by their numbers, such as 03, and here one is called {}."
_NO_SLICES = "No slice table yet, and the dataset has no slices to make one of: its FOVs lie on no map."


class SliceConfigDock(Dock):
    """Shows the slice table, and edits it; the viewer follows the row, and the row the viewer.

    Parameters
    ----------
    napari_viewer : napari.Viewer
        The viewer whose session is shown.
    """

    def __init__(self, napari_viewer: napari.Viewer) -> None:
        super().__init__()
        self._session = session_of(napari_viewer)
        self._lanes = {"records": Background(), "thumbnails": Background()}
        self.thumbnails = Thumbnails(self._session, self._lanes["thumbnails"], self)
        self.model = SliceModel(self._session.edits)
        self.model.setParent(self)
        self.table = SliceTable(self.model, self.thumbnails.get)
        self.filter, self.desk, self.empty = FilterLine(), Desk(), EmptyState()
        self.nothing = NothingOpen(self._session)
        self.editing = Editing(self._session, self.table, self.desk)
        self.menus = Menus(self, self.table, self.editing)
        self.offer = Offer(
            ("Take them up", "Make these edits again; nothing is written until you save", self.editing.take_up),
            ("Discard", "Forget these edits", self._session.edits.forget_left_behind),
        )
        self.watch = FileWatch(self)
        self._read_of: object = None
        self._lay_out()
        self._connect()
        self._add_keys()
        self._on_theme()
        self._fill()

    # --- parts --------------------------------------------------------------------------------------------------
    def _lay_out(self) -> None:
        full, inner = QWidget(), QVBoxLayout()
        full.setLayout(inner)
        inner.setContentsMargins(0, 0, 0, 0)
        inner.setSpacing(2)
        inner.addWidget(self.filter)
        inner.addWidget(self.offer)
        inner.addWidget(self.table, 1)
        inner.addWidget(self.desk)
        self.pages = QStackedLayout(self)
        self.pages.addWidget(full)
        self.pages.addWidget(self.empty)
        self.pages.addWidget(self.nothing)
        self.desk.more.setMenu(self.menus.more)
        self.setMinimumWidth(_WIDTH_PX)

    def _connect(self) -> None:
        self._lanes["records"].returned.connect(self._on_records)
        for lane in self._lanes.values():
            lane.failed.connect(self._on_accident)
            self.destroyed.connect(lane.close)  # the lane outlives the dock, and stops when Qt frees it
        self.thumbnails.changed.connect(self.table.viewport().update)
        self.filter.asked.connect(self.set_filter)
        self.filter.left.connect(self.table.setFocus)
        self.table.chosen.connect(self._on_chosen)
        self.table.toggle_asked.connect(self.editing.toggle_use)
        self.table.note_asked.connect(self.table.edit_note)
        self.table.append_asked.connect(self.editing.ask_note)
        self.table.flags_asked.connect(self.menus.show_flags)
        self.table.menu_asked.connect(self.menus.show_rows)
        self.table.columns_asked.connect(self.menus.show_columns)
        self.table.cells.refused.connect(self.desk.say)
        self.model.refused.connect(self.desk.say)
        self.model.modelReset.connect(self._count)
        self.watch.changed.connect(self.editing.look)
        self.empty.asked.connect(self._generate)
        for button, command in (
            (self.desk.save, self.editing.save),
            (self.desk.undo, self.editing.undo),
            (self.desk.redo, self.editing.redo),
        ):
            button.clicked.connect(partial(without_argument, command))
        session = self._session
        session.undo_stack.indexChanged.connect(self._on_history)
        for signal, slot in self._heard:
            signal.connect(slot)
        self._theme_event = session.viewer.events.theme
        self._theme_event.connect(self._on_theme)

    @property
    def _heard(self) -> tuple[tuple[Any, Callable[..., None]], ...]:
        """What the session says → who listens."""
        session = self._session
        return (
            (session.closing, self.table.finish),
            (session.opened, self._fill),
            (session.slices_changed, self._on_slices),
            (session.page_changed, self._on_page),
            (session.profiles_changed, self._on_profiles),
            (session.edits.changed, self._on_edits),
            (session.edits.refused, self.desk.say),
        )

    def _add_keys(self) -> None:
        for keys, command in (
            ("/", self.filter.line.setFocus),
            ("Ctrl+Z", self.editing.undo),
            ("Ctrl+Shift+Z", self.editing.redo),
        ):
            add_shortcut(keys, self, command)
        add_shortcut("Escape", self.filter, self.table.setFocus)

    # --- what is shown ------------------------------------------------------------------------------------------
    def _fill(self) -> None:
        """Begin anew, with the dataset that is open."""
        edits = self._session.edits
        self.thumbnails.forget()
        self.model.set_applied({})
        self.watch.watch(edits.table)
        self.desk.say(bullets(edits.faults))
        self._read_of = None
        self._on_slices()
        self._on_edits()
        self._on_page(0)

    def _on_slices(self) -> None:
        """Follow the slice table."""
        dataset, edits = self._session.dataset, self._session.edits
        self.model.refresh()
        self._count()
        if edits.rows is None:
            self.empty.say(*_empty_words([] if dataset is None else dataset.slice_ids))
        was, now = self.pages.currentIndex(), 2 if dataset is None else int(edits.rows is None)
        self.pages.setCurrentIndex(now)
        if was and not now:
            self._on_page(0)
        if edits.disk is not self._read_of:
            self._read_of = edits.disk
            self._read_records()

    def _count(self) -> None:
        model = self.model
        shown = f" · {len(model.ids)} shown" if len(model.ids) != model.total else ""
        self.filter.count.setText(f"{model.used} of {model.total} used{shown}")
        if model.filter_fault:
            self.filter.say(model.filter_fault)

    def set_filter(self, text: str) -> None:
        """Show the slices that a line of text asks for; say beneath it what is wrong with that."""
        try:
            self.model.set_filter(text)
        except PlanError as error:
            self.filter.say("; ".join(error.faults))
            return
        self.filter.say("")
        self._count()
        self._on_page(0)

    def _on_edits(self) -> None:
        """Say how much is not saved, and what was left behind."""
        left = self._session.edits.left_behind
        count = sum(len(cells) for one in left for cells in one.edits.values())
        when = " and ".join(_clock(one.time) for one in left)
        self.offer.say(f"{counted(count, 'unsaved edit')} from {when}" if left else "")
        self.editing.suit()

    def _on_history(self, _index: int = 0) -> None:
        self.editing.suit()

    def _on_profiles(self) -> None:
        self.thumbnails.forget()
        self.table.viewport().update()

    def _read_records(self) -> None:
        """Find out which fixes were written."""
        dataset = self._session.dataset
        if dataset is not None and dataset.slices is not None:
            self._lanes["records"].ask(partial(_records_of, dataset, list(dataset.slices)))

    def _on_records(self, found: Records) -> None:
        applied = {one: record.applied.path for one, record in found.records.items() if record.applied is not None}
        self.model.set_applied(applied)

    # --- rows and slider ----------------------------------------------------------------------------------------
    def _on_page(self, _number: int) -> None:
        """Follow the slider."""
        shown, current = self._session.slice_id, self.table.current
        if shown and not (current and number_of(shown) == number_of(current)):
            self.table.choose(shown)

    def _on_chosen(self, slice_id: str) -> None:
        self._session.show_slice(slice_id)

    def _generate(self, exclude: list[str], first: int) -> None:
        try:
            made = self._session.edits.generate(exclude, first)
        except SlicemapError as error:
            self.empty.why.setText(bullets(words_of(error)))
            return
        self.watch.watch(self._session.edits.table)
        self.desk.say(f"{self._session.edits.table} was made: {counted(made, 'slice')}.")

    # --- looks and closing --------------------------------------------------------------------------------------
    def _on_theme(self, *_: object) -> None:
        self.table.set_theme(self._session.viewer.theme)

    def _on_accident(self, error: Exception) -> None:
        self.desk.say(unexpected(error))
        raise error

    def event(self, event: QEvent) -> bool:
        """Take Ctrl+S before the window's menu does, and look at the file when the window comes to the front."""
        if event.type() == QEvent.Type.ShortcutOverride and event.matches(QKeySequence.StandardKey.Save):
            event.accept()
            return True
        if event.type() == QEvent.Type.WindowActivate:
            self.editing.look()
        return bool(super().event(event))

    def keyPressEvent(self, event: Any) -> None:  # noqa: N802 - Qt's name
        """Save by Ctrl+S."""
        if event.matches(QKeySequence.StandardKey.Save):
            self.editing.save()
        else:
            super().keyPressEvent(event)

    def _leave(self) -> None:
        self.table.finish()
        self.filter.stop()
        self.watch.watch(None)
        self._session.undo_stack.indexChanged.disconnect(self._on_history)
        for dialog in self.findChildren(QDialog):
            dialog.close()
        self.thumbnails.forget()
        for lane in self._lanes.values():
            lane.close()
        for signal, slot in self._heard:
            signal.disconnect(slot, missing_ok=True)
        self._theme_event.disconnect(self._on_theme)


def _empty_words(slice_ids: list[str]) -> tuple[str, bool]:
    """Say why there is no table, and whether one can be generated of these slices."""
    if not slice_ids:
        return _NO_SLICES, False
    unfit = next((one for one in slice_ids if not one.isdecimal()), "")
    if unfit:
        return _NO_NUMBERS.format(unfit), False
    return _NO_TABLE.format(counted(len(slice_ids), "slice")), True


def _records_of(dataset: Dataset, slice_ids: list[str], asked: Asked) -> Records:
    """Read what is on record of the slices that there is a file of; to look for thousands would take long."""
    places = GalvoPlaces.of(dataset)
    there = {path.name for path in places.diagnostics.glob("slice_*.json")}
    known = [one for one in slice_ids if diagnostics_path(places.diagnostics, one).name in there]
    return read_records_of(places, known, asked)


def _clock(time: str) -> str:
    """Say when, in local time: the hour today, the day before that."""
    then = datetime.fromisoformat(time).astimezone()
    return f"{then:%H:%M}" if then.date() == datetime.now(then.tzinfo).date() else f"{then:%Y-%m-%d %H:%M}"

"""The dock itself: its parts, what they tell each other, and what they ask of the session."""

from __future__ import annotations

from functools import partial

import napari
from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import QScrollArea, QSplitter, QVBoxLayout, QWidget

from ....slices.galvo.decisions import Finding
from ....slices.galvo.record import GalvoRecord
from ....slices.slice_values import number_of
from ...desk import is_behind
from ...session import session_of
from ..background import Background
from ..dock import Dock
from ..empty import Pages
from ..parts import add_shortcut, bullets, guard_wheel, unexpected, without_argument
from .deciding import Deciding
from .desk import AllSlices, Desk
from .detecting import Detecting
from .fix_dialog import FixDialog
from .held_key import HeldKey
from .ledger import Ledger
from .looking import Looking
from .panels import Panels
from .reading import Records, Shelf, read_records_of, read_shelf
from .slice_list import SliceList

_WIDTH_PX = 420
_NO_TILES = (
    "slicemap.toml names no folder of tiles. State where they are, relative to the data:\n"
    '• raw_tiles = "raw_tiles", a folder of tile_x<NN>_y<NN>_z<NN>, or\n'
    '• mosaics = "mosaics", a folder of *z<NN>*.ome.zarr in which each chunk is a tile.'
)


class GalvoInspectorDock(Dock):
    """Looks at the mirror's return slice by slice, and decides which slices are to be fixed.

    Parameters
    ----------
    napari_viewer : napari.Viewer
        The viewer whose session is shown.
    """

    listed = Signal()
    """The slices and what is on record of them have been read."""
    detected = Signal(str)
    """A detection in all slices ended: how, in words."""

    def __init__(self, napari_viewer: napari.Viewer) -> None:
        super().__init__()
        self._session = session_of(napari_viewer)
        self.ledger = Ledger(self._session)
        self.slices, self.all, self.panels, self.desk = SliceList(), AllSlices(), Panels(), Desk()
        self.looking = Looking(self.ledger, self.panels)
        self.deciding = Deciding(self._session, self.ledger, self.panels, self.desk)
        own = {name: Background() for name in ("shelf", "records", "detect")}
        self.detecting = Detecting(own["detect"], self._session.galvo, self.all)
        self._lanes = own | self.looking.lanes
        self._may_lead = True
        self._lay_out()
        self._connect()
        self._add_keys()
        self._on_theme()
        self._fill()

    # --- parts ----------------------------------------------------------------------------------------------------
    def _lay_out(self) -> None:
        above, upper = QWidget(), QVBoxLayout()
        above.setLayout(upper)
        upper.setContentsMargins(0, 0, 0, 0)
        upper.setSpacing(0)
        upper.addWidget(self.slices, 1)
        upper.addWidget(self.all)
        self.scroll = QScrollArea()
        self.scroll.setWidgetResizable(True)
        self.scroll.setFrameShape(QScrollArea.Shape.NoFrame)
        self.scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.scroll.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.scroll.setWidget(self.panels)
        self.splitter = QSplitter(Qt.Orientation.Vertical)
        self.splitter.addWidget(above)
        self.splitter.addWidget(self.scroll)
        self.splitter.setChildrenCollapsible(False)
        self.splitter.setStretchFactor(1, 1)
        self.pages = Pages(self, self._session)
        layout = QVBoxLayout(self.pages.content)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        layout.addWidget(self.splitter, 1)
        layout.addWidget(self.desk)
        self.setMinimumWidth(_WIDTH_PX)
        guard_wheel(self.panels)

    def _connect(self) -> None:
        self._lanes["shelf"].returned.connect(self._on_shelf)
        self._lanes["records"].returned.connect(self._on_records)
        for one in self._lanes.values():
            one.failed.connect(self._on_accident)
            # the lane outlives the dock, and stops when Qt frees it
            self.destroyed.connect(one.close)
        self.slices.chosen.connect(self._on_chosen)
        self.looking.shown.connect(self._on_shown)
        self.panels.shift_changed.connect(self.deciding.suit)
        self.detecting.found.connect(self._on_found)
        self.detecting.ended.connect(self._on_detected)
        for button, command in (
            (self.all.detect, self.detect_all),
            (self.all.cancel, self.detecting.cancel),
            (self.all.apply, self.show_fixes),
            (self.desk.accept, self.deciding.accept),
            (self.desk.reject, self.deciding.reject),
            (self.desk.withdraw, self.deciding.withdraw),
            (self.desk.previous, partial(self.step, -1)),
            (self.desk.next, partial(self.step, 1)),
            (self.desk.undo, self.deciding.undo),
            (self.desk.redo, self.deciding.redo),
        ):
            button.clicked.connect(partial(without_argument, command))
        self.desk.note.returnPressed.connect(self._on_note)
        session = self._session
        session.opened.connect(self._fill)
        session.slices_changed.connect(self._on_slices)
        session.page_changed.connect(self._on_page)
        session.galvo.refused.connect(self.desk.say)
        self._theme_event = session.viewer.events.theme
        self._theme_event.connect(self._on_theme)

    def _add_keys(self) -> None:
        for keys, command in (
            ("A", self.deciding.accept),
            ("R", self.deciding.reject),
            ("N", partial(self.step, 1)),
            ("P", partial(self.step, -1)),
            ("E", self.desk.note.setFocus),
            ("Ctrl+Z", self.deciding.undo),
            ("Ctrl+Shift+Z", self.deciding.redo),
            ("Ctrl+.", self.detecting.cancel),
        ):
            add_shortcut(keys, self, command)
        add_shortcut("Escape", self.desk.note, self.slices.setFocus)
        self.held = HeldKey("B", self, self._show_before)

    # --- slices and records ---------------------------------------------------------------------------------------
    def _fill(self) -> None:
        """Begin anew, with the dataset that is open."""
        self.pages.suit()
        for part in (self.ledger, self.looking, self.deciding):
            part.forget()
        for lane in ("shelf", "records", "detect"):
            self._lanes[lane].stop()
        self.slices.put([])
        self.desk.say("")
        self._suit()
        dataset = self._session.dataset
        if dataset is None:
            self.panels.clear("")
            return
        self.panels.clear("Looking for tiles…")
        self._lanes["shelf"].ask(partial(read_shelf, dataset))

    def _on_shelf(self, shelf: Shelf) -> None:
        if self._session.dataset is None:
            return
        self.ledger.shelf = shelf
        self._refresh()
        if not shelf.slices:
            faults = [*shelf.faults, *self._session.dataset.places.absent()]
            self.panels.clear("There are no tiles to look at", bullets(faults) or _NO_TILES)
        else:
            self.desk.say(bullets(shelf.faults))
            here = self.slices.line(self._session.slice_id)
            if self.slices.current:
                self.looking.choose(self.slices.current)
            else:
                self._may_lead = not self._session.remembering.as_seen
                self.slices.choose(here.slice_id if here is not None and here.has_tiles else next(iter(shelf.slices)))
                self._may_lead = True
        self.listed.emit()

    def _on_slices(self) -> None:
        """Follow the slice table; what is on record may be other things, too."""
        dataset, shelf = self._session.dataset, self.ledger.shelf
        if dataset is None or shelf is None:
            return
        # that of the chosen slice at once, so that nothing flickers
        now = read_records_of(shelf.places, [self.slices.current], lambda: False).records
        self._take({one: own for one, own in shelf.records.items() if one != self.slices.current} | now)
        if any(number_of(one) in map(number_of, dataset.slice_ids) for one in shelf.slices if not self._has_row(one)):
            self._lanes["shelf"].ask(partial(read_shelf, dataset))  # the table calls slices otherwise now
        else:
            self._read_records()

    def _read_records(self, *_: object) -> None:
        shelf = self.ledger.shelf
        if shelf is not None:
            self._lanes["records"].ask(partial(read_records_of, shelf.places, self.ledger.slice_ids))

    def _has_row(self, slice_id: str) -> bool:
        dataset = self._session.dataset
        return dataset is not None and slice_id in dataset.slice_ids

    def _on_records(self, found: Records) -> None:
        if self.ledger.shelf is None or found.places != self.ledger.shelf.places:
            return
        if found.faults:
            self.desk.say(bullets(found.faults))
        self._take(found.records)
        self.listed.emit()

    def _take(self, records: dict[str, GalvoRecord]) -> None:
        self.ledger.take(records)
        self._refresh()
        self.looking.refresh()
        self.deciding.suit()

    def _refresh(self) -> None:
        self.slices.put(self.ledger.lines())
        self._suit()

    def _suit(self) -> None:
        for button in (self.all.detect, self.all.apply):
            button.setEnabled(bool(self.ledger.slices))
        self.deciding.suit()

    # --- the chosen slice -----------------------------------------------------------------------------------------
    def _on_page(self, _number: int) -> None:
        """Follow the slider."""
        shown, chosen = self._session.slice_id, self.slices.current
        if shown and not (chosen and number_of(shown) == number_of(chosen)):
            self.slices.choose(shown)

    def _on_chosen(self, slice_id: str) -> None:
        self.desk.say("")
        self.looking.choose(slice_id)
        self.deciding.choose(slice_id)
        if self._may_lead and not is_behind(self):  # else nobody chose it: the map stays where it is
            self._session.show_slice(slice_id)

    def _on_shown(self, _slice_id: str) -> None:
        """Say in the list what was found."""
        self._refresh()

    def _on_note(self) -> None:
        self.deciding.keep_note()
        self.slices.setFocus()

    def step(self, by: int) -> None:
        """Go to the next slice that has tiles, or to the previous one."""
        if not self.slices.step(by):
            self.desk.say("This is the last slice with tiles." if by > 0 else "This is the first slice with tiles.")

    def _show_before(self, before: bool) -> None:
        self.scroll.ensureWidgetVisible(self.panels.before_after)
        self.panels.before_after.show_before(before)

    # --- all slices -----------------------------------------------------------------------------------------------
    def detect_all(self) -> None:
        """Look for the return in every slice, in the background."""
        dataset = self._session.dataset
        if dataset is not None and self.detecting.start(self.ledger.slices, dataset):
            self.desk.say("Detecting in the background: what a person decided stays. Undo does not take it back.")

    def _on_found(self, finding: Finding) -> None:
        if self.detecting.dataset is self._session.dataset:
            self.ledger.take_found(finding.slice_id, finding.record)
            self._refresh()

    def _on_detected(self, said: str) -> None:
        if self.detecting.dataset is self._session.dataset:
            self.desk.say(said)
        self.detected.emit(said)

    def show_fixes(self) -> FixDialog | None:
        """List what the decisions come to, in a dialog that writes it if asked to."""
        places = self._session.galvo.places
        if places is None or not self.ledger.slices:
            return None
        dialog = FixDialog(self, places, self.ledger.slices, places.fixed)
        dialog.written.connect(self._read_records)
        dialog.show()
        return dialog

    # --- looks and closing ----------------------------------------------------------------------------------------
    def _on_theme(self, *_: object) -> None:
        theme = self._session.viewer.theme
        self.slices.set_theme(theme)
        self.panels.set_theme(theme)

    def _on_accident(self, error: Exception) -> None:
        self.desk.say(unexpected(error))
        raise error

    def _leave(self) -> None:
        self.held.release()
        self.looking.stop()
        for dialog in self.findChildren(FixDialog):
            dialog.close()
        for lane in self._lanes.values():
            lane.close()
        session = self._session
        for signal, slot in (
            (session.opened, self._fill),
            (session.slices_changed, self._on_slices),
            (session.page_changed, self._on_page),
            (session.galvo.refused, self.desk.say),
        ):
            signal.disconnect(slot, missing_ok=True)
        self._theme_event.disconnect(self._on_theme)
        self.detecting.leave()
        self.deciding.leave()

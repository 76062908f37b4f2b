"""The dock itself: its parts, what they tell each other, and what they ask of the session."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import napari
from qtpy.QtCore import QEvent, Qt
from qtpy.QtWidgets import QLabel, QLineEdit, QVBoxLayout

from ....errors import SlicemapError
from ....rois.roi import Roi
from ...session import session_of
from ..background import Background
from ..dock import Dock
from ..empty import Pages
from ..parts import (
    add_shortcut,
    bullets,
    button,
    counted,
    guard_wheel,
    redo,
    row,
    small,
    undo,
    undo_buttons,
    unexpected,
    without_argument,
    words_of,
)
from .copy_dialog import CopyDialog
from .files import ask_export, ask_import
from .hand import Hand
from .rows import RoiRows
from .thumbnails import Thumbnails
from .tools import TOOLS, Tools
from .view import RoiView

_WIDTH_PX = 420
_NO_ROIS = "No ROIs yet. Choose a tool above and draw on the map; they are saved as you draw."


class RoiDrawingDock(Dock):
    """Draws ROIs, and lists them.

    Parameters
    ----------
    napari_viewer : napari.Viewer
        The viewer whose session is shown.
    """

    def __init__(self, napari_viewer: napari.Viewer) -> None:
        super().__init__()
        self._session = session_of(napari_viewer)
        self._marking = self._session.marking
        self.tools, self.rows = Tools(), RoiRows(self._marking)
        self.view = RoiView(self.rows, self._profiles, self._marking.tags)
        self.hand = Hand(self._session, self.tools)
        self._lane = Background()
        self.thumbnails = Thumbnails(self._session, self.view, self._lane)
        self._lay_out()
        self._connect()
        self._add_keys()
        self._on_theme()
        self._fill()

    # --- parts ----------------------------------------------------------------------------------------------------
    def _lay_out(self) -> None:
        self.filter = QLineEdit()
        self.filter.setPlaceholderText("Filter ROIs…  ( / )")
        self.filter.setToolTip("Show only the ROIs that hold these words, in whatever column")
        self.filter.setClearButtonEnabled(True)
        self.count, self.message = QLabel(), small()
        self.message.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.look = button("Look at", "Show the selected ROI, as a double-click does (Return)")
        self.copy = button("Copy to slices…", "Copy the selected ROIs to the same place of other slices")
        self.delete = button("Delete", "Remove the selected ROIs (Delete)")
        self.take_in = button("Import…", "Take ROIs from a table, GeoJSON of QuPath, or shapes of napari")
        self.hand_out = button("Export…", "Write the selected ROIs, or all that are shown, to a file")
        self.undo, self.redo = undo_buttons()
        self.pages = Pages(self, self._session)
        layout = QVBoxLayout(self.pages.content)
        layout.setContentsMargins(4, 0, 4, 4)
        layout.setSpacing(4)
        layout.addWidget(self.tools)
        layout.addLayout(row(self.filter, self.count))
        layout.addWidget(self.view, 1)
        layout.addWidget(self.message)
        layout.addLayout(row(self.look, self.copy, self.delete, None, self.undo, self.redo, spacing=4))
        layout.addLayout(row(self.take_in, self.hand_out, None, spacing=4))
        self.setMinimumWidth(_WIDTH_PX)
        guard_wheel(self.tools)

    def _connect(self) -> None:
        session, marking = self._session, self._marking
        self.filter.textChanged.connect(self._on_filter)
        self.tools.pattern_given.connect(self._on_pattern)
        self.rows.refused.connect(self.say)
        self.rows.arranged.connect(self._on_arranged)
        self.view.selected.connect(self._on_selected)
        self.view.opened.connect(self.look_at)
        self.view.delete_asked.connect(self.remove)
        self.hand.refused.connect(self.say)
        self.thumbnails.made.connect(self.rows.tell_pictures)
        self._lane.failed.connect(self._on_accident)
        # the lane outlives the dock, and stops when Qt frees it
        self.destroyed.connect(self._lane.close)
        for pressed, command in (
            (self.look, self.look_at),
            (self.copy, self.ask_copy),
            (self.delete, self.remove),
            (self.take_in, self._ask_import),
            (self.hand_out, self._ask_export),
            (self.undo, self.undo_last),
            (self.redo, self.redo_last),
        ):
            pressed.clicked.connect(partial(without_argument, command))
        session.undo_stack.indexChanged.connect(self._suit)
        session.closing.connect(self.view.finish)
        session.opened.connect(self._fill)
        session.rois_changed.connect(self._on_rois)
        session.profiles_changed.connect(self.thumbnails.forget)
        marking.selection_changed.connect(self._on_selection)
        marking.told.connect(self.say)
        self._theme_event = session.viewer.events.theme
        self._theme_event.connect(self._on_theme)

    def _add_keys(self) -> None:
        for tool in TOOLS:
            add_shortcut(tool.key, self, partial(self.hand.take, tool.name))
        for keys, command in (
            ("/", self.filter.setFocus),
            ("Escape", partial(self.hand.take, "select")),
            ("Ctrl+Z", self.undo_last),
            ("Ctrl+Shift+Z", self.redo_last),
        ):
            add_shortcut(keys, self, command)

    # --- session to widgets ---------------------------------------------------------------------------------------
    def _fill(self) -> None:
        """Begin anew, with the dataset that is open."""
        self.pages.suit()
        self.hand.follow()
        self.tools.pattern.setText(self._marking.pattern)
        self.thumbnails.forget()
        self.say("")
        self._on_rois()

    def _on_rois(self) -> None:
        self.rows.put(self._session.rois)
        self.thumbnails.ask()
        shown, total = len(self.rows.rows), self.rows.total
        self.count.setText(counted(total, "ROI") if shown == total else f"{shown} of {counted(total, 'ROI')}")
        if not total or self.message.text() == _NO_ROIS:
            self.say("" if total else _NO_ROIS)
        self._suit()

    def _on_selection(self) -> None:
        self.view.show_selected(self._marking.selected)
        self._suit()

    def _on_arranged(self) -> None:
        self.view.show_selected(self._marking.selected)
        self.thumbnails.ask()

    def _suit(self, *_: object) -> None:
        chosen, opened = bool(self._marking.selected), self._session.dataset is not None
        for one in (self.look, self.delete):
            one.setEnabled(chosen)
        several = self._session.dataset is not None and len(self._session.dataset.maps) > 1
        self.copy.setEnabled(chosen and several)
        self.take_in.setEnabled(opened)
        self.hand_out.setEnabled(self.rows.total > 0)
        self.tools.setEnabled(opened)
        stack = self._session.undo_stack
        self.undo.setEnabled(stack.canUndo())
        self.undo.setToolTip(f"Undo {stack.undoText() or 'the last change'} (Ctrl+Z)")
        self.redo.setEnabled(stack.canRedo())

    def say(self, text: str) -> None:
        """Show a message."""
        self.message.setText(text)
        self.message.setVisible(bool(text))

    def _profiles(self) -> list[str]:
        dataset = self._session.dataset
        return [] if dataset is None else list(dataset.profiles.names)

    # --- commands -------------------------------------------------------------------------------------------------
    def chosen(self) -> list[Roi]:
        """List the selected ROIs, in the order of the file."""
        wanted = set(self._marking.selected)
        return [roi for roi in self._session.rois if roi.roi_id in wanted]

    def look_at(self, roi_id: str = "") -> None:
        """Show an ROI; the first of the selected ones if none is named."""
        wanted = roi_id or next(iter(self._marking.selected), "")
        if wanted:
            self._try(partial(self._marking.look_at, wanted))

    def remove(self) -> None:
        """Remove the selected ROIs."""
        self._marking.remove(self._marking.selected)

    def undo_last(self) -> None:
        """Undo the last change of the session."""
        undo(self._session.undo_stack, self.say)

    def redo_last(self) -> None:
        """Make the change again that was undone last."""
        redo(self._session.undo_stack, self.say)

    def ask_copy(self) -> CopyDialog | None:
        """Ask to which slices the selected ROIs are copied."""
        dataset, rois = self._session.dataset, self.chosen()
        if dataset is None or not rois:
            return None
        found = (self._marking.ground.placement(roi) for roi in rois)
        places = {"" if one is None else one.map_id for one in found}
        dialog = CopyDialog(self, dataset, len(rois), places if len(places) == 1 else set())
        ids = [roi.roi_id for roi in rois]
        dialog.agreed.connect(lambda maps: self._try(partial(self._copy_to, ids, maps)))
        dialog.open()
        return dialog

    def _copy_to(self, roi_ids: list[str], map_ids: list[str]) -> None:
        made = self._marking.copy_to(roi_ids, map_ids)
        self.say(f"{counted(len(made), 'copy') if len(made) == 1 else f'{len(made)} copies'} made.")

    def _ask_import(self) -> None:
        self._say_if(ask_import(self, self._session))

    def _ask_export(self) -> None:
        rois = self.chosen() or [one.roi for one in self.rows.rows]
        self._say_if(ask_export(self, self._session, rois))

    def _say_if(self, text: str) -> None:
        if text:
            self.say(text)

    def _on_selected(self, roi_ids: list[str]) -> None:
        self._marking.select(roi_ids)

    def _on_filter(self, text: str) -> None:
        self.rows.set_filter(text)
        self._on_rois()

    def _on_pattern(self, pattern: str) -> None:
        if self._try(partial(self._marking.set_pattern, pattern)):
            self.say("")
        else:
            self.tools.pattern.setText(self._marking.pattern)

    def _try(self, command: Callable[[], object]) -> bool:
        """Do something; what is in the way of it is said in words."""
        try:
            command()
        except SlicemapError as error:
            self.say(bullets(words_of(error)))
            return False
        return True

    # --- looks and closing ----------------------------------------------------------------------------------------
    def _on_theme(self, *_: object) -> None:
        self.tools.set_theme(self._session.viewer.theme)

    def _on_accident(self, error: Exception) -> None:
        self.say(unexpected(error))
        raise error

    def changeEvent(self, event: QEvent) -> None:  # noqa: N802 - Qt's name
        """Look for what other programs wrote, too."""
        super().changeEvent(event)
        if event.type() == QEvent.Type.ActivationChange and self.isActiveWindow():
            self._marking.look_for_changes()

    def _leave(self) -> None:
        session, marking = self._session, self._marking
        self.view.finish()
        self.hand.leave()
        self.thumbnails.stop()
        for dialog in self.findChildren(CopyDialog):
            dialog.close()
        self._lane.close()
        for signal, slot in (
            (session.closing, self.view.finish),
            (session.opened, self._fill),
            (session.rois_changed, self._on_rois),
            (session.profiles_changed, self.thumbnails.forget),
            (marking.selection_changed, self._on_selection),
            (marking.told, self.say),
        ):
            signal.disconnect(slot, missing_ok=True)
        session.undo_stack.indexChanged.disconnect(self._suit)
        self._theme_event.disconnect(self._on_theme)

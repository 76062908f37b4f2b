"""Decides about the chosen slice: what is pressed on the desk is written at once, and can be undone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from qtpy.QtCore import QObject

from ....errors import SlicemapError
from ...session import Session
from ..parts import bullets, redo, undo, words_of
from .desk import Desk
from .ledger import Ledger
from .panels import Panels


class Deciding(QObject):
    """Sends the session what somebody decides, and says what came of it.

    Parameters
    ----------
    session : Session
        Writes decisions, and keeps the undo history.
    ledger : Ledger
        Knows how slices stand.
    panels : Panels
        Show the slice, and where the band stands.
    desk : Desk
        Buttons, note and message.
    """

    def __init__(self, session: Session, ledger: Ledger, panels: Panels, desk: Desk) -> None:
        super().__init__(desk)
        self._session, self._ledger, self._panels, self._desk = session, ledger, panels, desk
        self._slice_id = ""
        self._notes: dict[str, str] = {}
        session.undo_stack.indexChanged.connect(self.suit_history)

    def forget(self) -> None:
        """Forget all slices: another dataset is open."""
        self._slice_id = ""
        self._notes.clear()
        self._desk.note.clear()

    def leave(self) -> None:
        """Stop listening."""
        self._session.undo_stack.indexChanged.disconnect(self.suit_history)

    def choose(self, slice_id: str) -> None:
        """Decide about another slice; what is typed about one waits until it is chosen again."""
        self._notes[self._slice_id] = self._desk.note.text()
        self._slice_id = slice_id
        self._desk.note.setText(self._notes.pop(slice_id, ""))
        self.suit()

    # --- commands -----------------------------------------------------------------------------------------------
    def accept(self) -> None:
        """Have the slice fixed by the shift that the band stands for."""
        if self._desk.accept.isEnabled():
            shift = self._panels.shift.value()
            self._decide(f"Slice {self._slice_id} is to be fixed by {shift} A-lines", fix=True, shift=shift)

    def reject(self) -> None:
        """Leave the slice as it is."""
        if self._desk.reject.isEnabled():
            self._decide(f"Slice {self._slice_id} is left as it is", fix=False)

    def withdraw(self) -> None:
        """Take back what a person decided about the slice."""
        if self._desk.withdraw.isEnabled():
            self._decide(f"Nobody has decided about slice {self._slice_id}", fix=None)

    def keep_note(self) -> None:
        """Add what is typed to the notes of the slice."""
        note = self._desk.note.text().strip()
        if self._slice_id and note:
            self._try(f"Noted for slice {self._slice_id}", self._session.galvo.note, self._slice_id, note)

    def undo(self) -> None:
        """Undo the last change of the session."""
        undo(self._session.undo_stack, self._desk.say)

    def redo(self) -> None:
        """Make the change again that was undone last."""
        redo(self._session.undo_stack, self._desk.say)

    def _decide(self, said: str, **decision: Any) -> None:
        found = None if self._panels.look is None else self._panels.look.found
        note = self._desk.note.text().strip()
        shown = self._ledger.standing(self._slice_id)
        self._try(said, self._session.galvo.decide, self._slice_id, note=note, found=found, shown=shown, **decision)

    def _try(self, said: str, command: Callable[..., None], *given: Any, **named: Any) -> None:
        """Change something, and say so, or why not."""
        places = self._session.galvo.places
        is_new = places is not None and not places.table.exists()
        try:
            command(*given, **named)
        except SlicemapError as error:
            self._desk.say(bullets(words_of(error)))
            return
        self._desk.note.clear()
        if places is not None:
            made = ", which was not there yet" if is_new else ""
            self._desk.say(f"{said}: written to {places.table.name}{made}.")

    # --- what can be done ---------------------------------------------------------------------------------------
    def suit(self, *_: object) -> None:
        """Enable what can be done with the slice as it stands."""
        look, desk = self._panels.look, self._desk
        seen = look is not None and self._panels.tile is not None
        likeliest = look.record.likeliest if look is not None else None
        now = self._ledger.standing(self._slice_id) if self._slice_id else None
        desk.suit(
            can_accept=seen,
            can_reject=now is not None,
            can_withdraw=now is not None and now.by == "reviewer",
            override=seen and likeliest is not None and self._panels.shift.value() != likeliest,
        )
        self.suit_history()

    def suit_history(self, *_: object) -> None:
        """Enable undo and redo, and name what they would do."""
        stack, desk = self._session.undo_stack, self._desk
        for button, can, what, keys in (
            (desk.undo, stack.canUndo(), f"Undo: {stack.undoText()}", "Ctrl+Z"),
            (desk.redo, stack.canRedo(), f"Make again: {stack.redoText()}", "Ctrl+Shift+Z"),
        ):
            button.setEnabled(can)
            button.setToolTip(f"{what if can else what.partition(':')[0]} ({keys})")

"""What the keys, buttons and menus of the dock do; each says what came of it, or why not."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from qtpy.QtCore import QObject
from qtpy.QtWidgets import QInputDialog, QWidget

from ....errors import SlicemapError
from ....slices.audit import read_trail
from ....slices.edits import FLAGS, Clash, Imported
from ....slices.ids import id_ranges
from ...session import Session
from ...slice_edits import SeenOnDisk, SliceEdits
from ..parts import bullets, counted, redo, undo, words_of
from .desk import Desk
from .dialogs import ClashDialog, TrailDialog
from .view import SliceTable


class Editing(QObject):
    """Sends the session what somebody edits, saves, imports or takes back.

    Parameters
    ----------
    session : Session
        Holds the edits and the undo history.
    table : SliceTable
        Knows which slices are selected.
    desk : Desk
        Shows messages.
    """

    def __init__(self, session: Session, table: SliceTable, desk: Desk) -> None:
        super().__init__(desk)
        self._session, self._table, self._desk = session, table, desk

    @property
    def _edits(self) -> SliceEdits:
        return self._session.edits

    @property
    def _window(self) -> QWidget:
        return self._desk.parentWidget() or self._desk

    def suit(self) -> None:
        """Say how much is not saved, and what can be undone."""
        stack = self._session.undo_stack
        self._desk.suit(self._edits.count, undo=stack.undoText(), redo=stack.redoText())

    # --- selected rows ------------------------------------------------------------------------------------------
    def toggle_use(self) -> None:
        """Use the selected slices, or none of them if all are used."""
        self._try(lambda: self._edits.toggle_use(self._table.selected))

    def set_use(self, use: bool) -> None:
        """Use the selected slices, or leave them out."""
        self._try(lambda: self._edits.set_value(self._table.selected, "use", use))

    def append_note(self, note: str) -> None:
        """Add to the notes of the selected slices."""
        if note.strip():
            self._try(lambda: self._edits.append_note(self._table.selected, note))

    def ask_note(self) -> QInputDialog | None:
        """Ask for what is to be added to the notes of the selected slices."""
        count = len(self._table.selected)
        if not count:
            return None
        dialog = QInputDialog(self._window)
        dialog.setWindowTitle("Append note")
        dialog.setLabelText(f"Add to the notes of {counted(count, 'slice')}:")
        dialog.textValueSelected.connect(self.append_note)
        dialog.finished.connect(dialog.deleteLater)
        dialog.open()
        return dialog

    def clear_flag(self, flag: str) -> None:
        """Clear a flag of the selected slices."""
        slices = self._table.selected
        cells = dict.fromkeys(slices, FLAGS[flag])
        self._try(lambda: self._edits.change(f"clear {flag} of {counted(len(slices), 'slice')}", cells))

    def show_trail(self) -> TrailDialog | None:
        """Show who changed what of the current slice."""
        slice_id, table = self._table.current, self._edits.table
        if not slice_id or table is None:
            return None
        try:
            entries = read_trail(table, slice_id)
        except (SlicemapError, OSError) as error:
            self._desk.say(str(error))
            return None
        dialog = TrailDialog(self._window, slice_id, entries)
        dialog.open()
        return dialog

    # --- history ------------------------------------------------------------------------------------------------
    def undo(self) -> None:
        """Undo the last change of the session."""
        undo(self._session.undo_stack, self._desk.say)

    def redo(self) -> None:
        """Make the change again that was undone last."""
        redo(self._session.undo_stack, self._desk.say)

    # --- the file -----------------------------------------------------------------------------------------------
    def save(self) -> ClashDialog | None:
        """Write the edits into the table; where the file has other cells by now, ask first."""
        if not self._edits.count:
            self._desk.say("There is nothing to save.")
            return None
        return self._save(keep_mine=False)

    def _save(self, *, keep_mine: bool) -> ClashDialog | None:
        try:
            seen = self._edits.see()
            saved = self._edits.save(keep_mine=keep_mine)
        except SlicemapError as error:
            self._desk.say(bullets(words_of(error)))
            return None
        if saved.clashes:
            return self._ask(saved.clashes)
        self._desk.say(f"Saved {counted(saved.count, 'cell')} to {self._name}. {'' if seen is None else _taken(seen)}")
        return None

    def _ask(self, clashes: tuple[Clash, ...]) -> ClashDialog:
        self._desk.say("")
        dialog = ClashDialog(self._window, self._name, clashes)
        dialog.reload_asked.connect(lambda: self._give_way(clashes))
        dialog.keep_asked.connect(lambda: self._save(keep_mine=True))
        dialog.open()
        return dialog

    def _give_way(self, clashes: tuple[Clash, ...]) -> None:
        self._edits.give_way(clashes)
        if self._edits.count:
            self._save(keep_mine=False)
        else:
            self._desk.say(f"{counted(len(clashes), 'cell')} taken from {self._name}; there is nothing left to save.")

    def look(self) -> None:
        """Take over what something else wrote into the file, and say so."""
        try:
            seen = self._edits.see()
        except SlicemapError as error:
            self._desk.say(f"{self._name} was changed by something else: {'; '.join(words_of(error))}")
            return
        if seen is None:
            return
        said = f"{self._name} was changed by something else. {_taken(seen)}"
        if seen.clashes:
            where = ", ".join(f"{one.column} of slice {one.slice_id}" for one in seen.clashes[:3])
            said += f" You edited {where}, too: saving asks which one to keep."
        self._desk.say(said)

    @property
    def _name(self) -> str:
        return "the slice table" if self._edits.table is None else self._edits.table.name

    def discard(self) -> None:
        """Take back every edit that is not saved."""
        self._try(self._edits.discard, "What was not saved is taken back; undo makes it again.")

    def import_from(self, path: Path) -> None:
        """Take over what another table says, as edits."""

        def take() -> None:
            found = self._edits.compare(path)
            self._edits.take_import(found, path.name)
            self._desk.say(_imported(found, path.name))

        self._try(take)

    def export_to(self, path: Path) -> None:
        """Write the table as it is shown to another file."""
        self._try(lambda: self._edits.export(path), f"Exported to {path}.")

    def take_up(self) -> None:
        """Make the edits again that an earlier session left unsaved."""
        wanted = sum(len(cells) for one in self._edits.left_behind for cells in one.edits.values())

        def take() -> None:
            made = self._edits.take_up()
            rest = wanted - made
            said = f" {rest} could not be: their slices are gone, or they stand there already." if rest > 0 else ""
            self._desk.say(f"{counted(made, 'edit')} taken up, to be saved.{said}")

        self._try(take)

    def _try(self, command: Callable[[], object], said: str = "") -> None:
        """Change something; say why not, where that is so."""
        self._desk.say(said)
        try:
            command()
        except (SlicemapError, OSError) as error:
            self._desk.say(bullets(words_of(error)))


def _taken(seen: SeenOnDisk) -> str:
    slices = len({one["slice_id"] for one in seen.changes})
    return f"{counted(len(seen.changes), 'cell')} of {counted(slices, 'slice')} taken over from it."


def _imported(found: Imported, name: str) -> str:
    cells = sum(map(len, found.cells.values()))
    said = [f"{counted(cells, 'cell')} of {counted(len(found.cells), 'slice')} taken from {name}, to be saved."]
    if found.unknown:
        said.append(f"Not in this table, and left out: {id_ranges(found.unknown)}.")
    if found.absent:
        said.append(f"Not in {name}: {id_ranges(found.absent)}.")
    return " ".join(said)

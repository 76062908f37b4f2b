"""The slice table as it is edited in one session: on disk, not saved yet, saved, and left behind by a crash.

Edits lie over the table as read from disk, so that neither a decision that is written at once nor a table read anew
drops them. Each is in the journal before the next one can be made.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from psygnal import Signal
from qtpy.QtGui import QUndoCommand

from ..dataset import Dataset
from ..slices import slice_config
from ..slices.edits import Cells, Clash, Edits, Imported, Saved, count_edits, disk_text, edited, import_cells, put_cells
from ..slices.journal import Journal, LeftBehind
from ..slices.slice_config import cell_text, stamp
from .slice_file import LeftEdits, SeenOnDisk, SliceFile, Table
from .telling import tell

if TYPE_CHECKING:
    from .session import Session

__all__ = ["SeenOnDisk", "SliceEdits"]

NOTES = "notes"
_FOLDER = "edits"


class SliceEdits:
    """Edits the slice table of a session; each edit is a step of the undo history, and nothing is written until saved.

    Parameters
    ----------
    session : Session
        Holds the dataset, whose slice table is shown with the edits, and the undo history.
    """

    changed = Signal()
    """There are more or fewer edits to save, or edits left behind."""
    refused = Signal(str)
    """Something could not be done that nobody waits for an answer of: why, in words."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._file, self._left = SliceFile(), LeftEdits()
        self._edits: Edits = {}
        self._journal: Journal | None = None

    # --- what there is ------------------------------------------------------------------------------------------
    @property
    def rows(self) -> Table | None:
        """The table as it is shown: as on disk, with the edits over it; ``None`` where there is none."""
        dataset = self._session.dataset
        return None if dataset is None else dataset.slices

    @property
    def table(self) -> Path | None:
        """The file of the table; ``None`` where no dataset is open."""
        return self._file.path

    @property
    def disk(self) -> Table | None:
        """The table as it was last read from the file, or written."""
        return self._file.rows

    @property
    def edits(self) -> Edits:
        """The edits that are not saved."""
        return self._edits

    @property
    def count(self) -> int:
        """How many cells are not saved."""
        return count_edits(self._edits)

    @property
    def left_behind(self) -> tuple[LeftBehind, ...]:
        """Edits that earlier sessions left unsaved, by time."""
        return self._left.found

    @property
    def faults(self) -> tuple[str, ...]:
        """Which of those cannot be read, and why, in words."""
        return self._left.faults

    def on_disk(self, slice_id: str, column: str) -> str:
        """Give a cell as it was last read from the file."""
        return self._file.text(slice_id, column)

    def is_edited(self, slice_id: str, column: str) -> bool:
        """Say whether a cell is not saved."""
        return column in self._edits.get(slice_id, {})

    # --- what the session tells ---------------------------------------------------------------------------------
    def begin(self, dataset: Dataset) -> None:
        """Follow the table of a dataset that was opened."""
        self.leave()
        places = dataset.places
        table = places.saved("slice_config") or places.written("slice_config")
        self._file.follow(table, dataset.slices)
        folder = places.written("cache") / _FOLDER
        self._journal = Journal(folder, table)
        self._left.look(folder, table, dataset.slices or {})
        self.changed.emit()

    def leave(self) -> None:
        """Follow no table any more; what is not saved stays in the journal."""
        if self._edits and self._session.dataset is not None:
            self._session.dataset.slices = self.disk  # it may be opened again
        self._left.leave()
        if self._journal is not None:
            self._journal.leave()
        self._file.leave()
        self._edits, self._journal = {}, None

    def over(self, rows: Table | None) -> Table | None:
        """Give a table that was read from disk as it is shown: with the edits over it."""
        if rows is not self.disk:
            self._keep(self._file.take(rows, self._edits))
        return None if rows is None else edited(rows, self._edits)

    # --- editing ------------------------------------------------------------------------------------------------
    def change(self, name: str, cells: Cells) -> int:
        """Edit cells, as one step of the undo history.

        Parameters
        ----------
        name : str
            What the step is called.
        cells : mapping of str to mapping
            Slice id → column → value.

        Returns
        -------
        int
            How many cells are other ones now; where none is, there is no step.

        Raises
        ------
        FileFormatError
            Naming the slice, the column and what was expected; nothing is changed then.
        """
        rows = self.rows
        if rows is None:
            return 0
        put_cells(rows, {}, cells)  # refuses what does not fit, before anything is changed
        before: dict[str, dict[str, Any]] = {}
        after: dict[str, dict[str, Any]] = {}
        for slice_id, given in cells.items():
            for column, value in given.items():
                typed = slice_config.validate_value(column, value)
                if cell_text(column, typed) != disk_text(rows, slice_id, column):
                    before.setdefault(slice_id, {})[column] = rows[slice_id].get(column)
                    after.setdefault(slice_id, {})[column] = typed
        if after:
            self._session.undo_stack.push(_Edit(self, name, before, after))
        return sum(map(len, after.values()))

    def set_value(self, slice_ids: Iterable[str], column: str, value: object) -> int:
        """Set one column of slices; see :meth:`change`."""
        ids = list(slice_ids)
        return self.change(f"{column} of {_named(ids)}", {one: {column: value} for one in ids})

    def toggle_use(self, slice_ids: Iterable[str]) -> int:
        """Use all of these slices; or none of them, if all are used."""
        rows = self.rows or {}
        ids = [one for one in slice_ids if one in rows]
        use = not all(rows[one].get("use", True) for one in ids)
        return self.change(f"{'use' if use else 'exclude'} {_named(ids)}", {one: {"use": use} for one in ids})

    def append_note(self, slice_ids: Iterable[str], note: str) -> int:
        """Add to the notes of slices what does not stand there already."""
        rows, ids = self.rows or {}, list(slice_ids)
        cells = {
            one: {NOTES: stamp({one: rows[one]}, one, {NOTES: note}, append_notes=True)[one][NOTES]} for one in ids
        }
        return self.change(f"note on {_named(ids)}", cells)

    def take_import(self, found: Imported, name: str) -> int:
        """Take over what another table says, as edits."""
        return self.change(f"import {name}", found.cells)

    def discard(self) -> int:
        """Go back to what is on disk; this can be undone, but for slices that the table lacks by now."""
        disk = self.disk or {}
        self._drop_gone()
        cells = {one: {column: disk[one].get(column) for column in own} for one, own in self._edits.items()}
        return self.change("discard unsaved edits", cells)

    def give_way(self, clashes: Iterable[Clash]) -> int:
        """Take back the edits of cells that the file has otherwise by now, or has no more."""
        self._drop_gone()
        cells: dict[str, dict[str, Any]] = {}
        for clash in clashes:
            if clash.slice_id in self._edits:
                cells.setdefault(clash.slice_id, {})[clash.column] = clash.theirs
        return self.change("take over what is in the file", cells)

    def _drop_gone(self) -> None:
        """Forget the edits of slices that the table lacks: there is nothing to show them in."""
        rows = self.disk or {}
        self._keep({one: own for one, own in self._edits.items() if one in rows})

    def put(self, cells: Cells, instead_of: Cells) -> None:
        """Show cells otherwise; those that are not what they are to be put `instead_of` stay, and that is said."""
        rows, disk = self.rows, self.disk
        if rows is None or disk is None:
            return
        fresh: dict[str, dict[str, Any]] = {}
        others = []
        for slice_id, own in cells.items():
            for column, value in own.items():
                expected = cell_text(column, instead_of[slice_id][column])
                if slice_id in rows and disk_text(rows, slice_id, column) == expected:
                    fresh.setdefault(slice_id, {})[column] = value
                else:
                    others.append(f"{column} of slice {slice_id}")
        self._keep(put_cells(disk, self._edits, fresh))
        self._session.set_slices(disk)
        if others:
            tell(self.refused, f"{', '.join(others[:3])} changed since, and stays as it is")

    def _keep(self, edits: Edits) -> None:
        """Take other edits, and put them on disk; without that, they are kept while the session lives."""
        before, self._edits = self._edits, edits
        if before == edits or self._journal is None:
            return
        try:
            self._journal.note(before, edits)
        except OSError as error:
            why = error.strerror or error
            tell(self.refused, f"A crash would lose this edit: {self._journal.path.parent} cannot be written ({why})")
        self.changed.emit()

    # --- the file -----------------------------------------------------------------------------------------------
    def save(self, *, keep_mine: bool = False) -> Saved:
        """Write the edits into the file as it is by now; where it refuses, they stay. See :meth:`SliceFile.save`."""
        saved = self._file.save(self._edits, keep_mine=keep_mine)
        if self._edits:
            self._session.set_slices(saved.rows)
        return saved

    def see(self) -> SeenOnDisk | None:
        """Take over what something else wrote into the file, if it did; see :meth:`SliceFile.see`."""
        seen = self._file.see(self._edits)
        if seen is not None:
            self._session.set_slices(seen.rows)
        return seen

    def generate(self, exclude: Iterable[str] = (), exclude_first: int = 1) -> int:
        """Make the table of a dataset that has none, and give how many slices it has: :meth:`SliceFile.generate`."""
        dataset = self._session.dataset
        rows = self._file.generate(() if dataset is None else dataset.slice_ids, exclude, exclude_first)
        self._session.set_slices(rows)
        return len(rows)

    def compare(self, path: Path) -> Imported:
        """Find what another table says otherwise; see :func:`~napari_slicemap.slices.edits.import_cells`."""
        return import_cells(self.rows or {}, path)

    def export(self, path: Path) -> None:
        """Write the table as it is shown, edits included, to another file; see :meth:`SliceFile.export`."""
        self._file.export(path, self.rows or {})

    # --- after a crash ------------------------------------------------------------------------------------------
    def take_up(self) -> int:
        """Make the edits again that earlier sessions left unsaved, as one step; give how many cells change by that."""
        made = self.change("take up unsaved edits", self._left.cells(self.rows or {}))
        self._keep(self._left.as_of_then(self._edits))
        self.forget_left_behind()
        return made

    def forget_left_behind(self) -> None:
        """Delete the edits that earlier sessions left unsaved."""
        self._left.forget()
        self.changed.emit()


class _Edit(QUndoCommand):
    """An edit: the cells as they were and as they are."""

    def __init__(self, edits: SliceEdits, name: str, before: Cells, after: Cells) -> None:
        super().__init__(name)
        self._edits, self._before, self._after = edits, before, after

    def redo(self) -> None:
        """Make it; Qt calls this when it is pushed, too."""
        self._edits.put(self._after, self._before)

    def undo(self) -> None:
        """Undo it; after a save, that is an edit to save in turn."""
        self._edits.put(self._before, self._after)


def _named(slice_ids: list[str]) -> str:
    return f"slice {slice_ids[0]}" if len(slice_ids) == 1 else f"{len(slice_ids)} slices"

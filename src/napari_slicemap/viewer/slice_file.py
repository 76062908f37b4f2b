"""What is on disk of a slice table: its file, which others write, too, and edits that were left unsaved."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ..errors import PlanError, SlicemapError, in_words
from ..slices import slice_config
from ..slices.edits import (
    Cells,
    Clash,
    Edits,
    Saved,
    changed_elsewhere,
    clashes_of,
    disk_text,
    each_edit,
    save_edits,
    settled,
)
from ..slices.generate import new_table
from ..slices.journal import LeftBehind, find_left_behind
from ..slices.table_file import open_table

_Stamp = tuple[int, int, int] | None
Table = Mapping[str, dict[str, Any]]
"""Slice id → row, as :func:`~napari_slicemap.slices.slice_config.read` gives it."""


@dataclass(frozen=True)
class SeenOnDisk:
    """What something else did to the file.

    Parameters
    ----------
    rows : mapping of str to dict
        The table as it is on disk now.
    changes : tuple of dict
        Cells that were taken over, as :func:`~napari_slicemap.slices.table_file.changes` lists them.
    clashes : tuple of Clash
        Those of them that are edited here, too.
    """

    rows: Table
    changes: tuple[dict[str, str], ...]
    clashes: tuple[Clash, ...]


class SliceFile:
    """The file of the slice table that is open in a session; others may write it, too.

    To see, save or generate does not change :attr:`rows`: what counts from then on is given to :meth:`take`.
    """

    def __init__(self) -> None:
        self.path: Path | None = None
        """The file; ``None`` where no table is followed."""
        self.rows: Table | None = None
        """The table as it was last read from the file, or written; ``None`` where there is none."""
        self._stamp: _Stamp = None
        self._backed_up: set[Path] = set()

    def follow(self, path: Path, rows: Table | None) -> None:
        """Follow a file, which need not be there, and which says `rows`."""
        self.path, self.rows, self._stamp = path, rows, _stamp_of(path)

    def leave(self) -> None:
        """Follow no file any more."""
        self.path = self.rows = self._stamp = None

    def take(self, rows: Table | None, edits: Edits) -> Edits:
        """Go on with what was read or written, and give those of the edits that it does not have already."""
        self.rows = rows
        return settled(rows or {}, edits)

    def text(self, slice_id: str, column: str) -> str:
        """Give a cell as it was last read; empty where there is no such row."""
        return disk_text(self.rows or {}, slice_id, column)

    def see(self, edits: Edits) -> SeenOnDisk | None:
        """Read the file anew if something else wrote it.

        Parameters
        ----------
        edits : mapping
            What is edited here.

        Returns
        -------
        SeenOnDisk or None
            What changed; ``None`` where nothing did.

        Raises
        ------
        SlicemapError
            If it is gone, cannot be read, or is no slice table any more. That is said once for each time that
            something wrote it.
        """
        if self.path is None:
            return None
        with in_words(self.path, "read"):
            now = _stamp_of(self.path)
            if now == self._stamp:
                return None
            self._stamp = now
            if now is None:
                raise PlanError([f"{self.path} is gone; what is shown was read before"])
            fresh = slice_config.read(self.path)
        found = changed_elsewhere(self.rows or {}, fresh)
        if not found and self.rows is not None:
            return None
        return SeenOnDisk(fresh, tuple(found), tuple(clashes_of(fresh, settled(fresh, edits))))

    def save(self, edits: Edits, *, keep_mine: bool = False) -> Saved:
        """Write edits into the file as it is by now; the session's first ones leave a backup.

        Parameters
        ----------
        edits : mapping
            The edits.
        keep_mine : bool
            Write cells that the file has otherwise by now, too.

        Returns
        -------
        Saved
            With the clashes that are in the way, if there are any: nothing is written then.

        Raises
        ------
        SlicemapError
            If it cannot be written, in words.
        """
        if self.path is None or not edits:
            return Saved(self.rows or {}, 0)
        saved = save_edits(self.path, edits, keep_mine=keep_mine, backup=self.path not in self._backed_up)
        if not saved.clashes:
            self._backed_up.add(self.path)
        return saved

    def generate(self, slice_ids: Iterable[str], exclude: Iterable[str], exclude_first: int) -> Table:
        """Write a table of slices to where there is none.

        Parameters
        ----------
        slice_ids : iterable of str
            The slices.
        exclude : iterable of str
            Those to leave out, noted as ``manually_excluded``.
        exclude_first : int
            How many to leave out at the beginning, noted as ``calibration_slice``.

        Returns
        -------
        mapping of str to dict
            The table.

        Raises
        ------
        SlicemapError
            If it cannot be made, in words.
        """
        if self.path is None:
            raise SlicemapError("there is no dataset open, so there are no slices to make a table of")
        rows = new_table(slice_ids, exclude=exclude, exclude_first=exclude_first)
        with in_words(self.path), open_table(None, self.path) as job:
            job.save(rows)
        return rows

    def export(self, path: Path, rows: Table) -> None:
        """Write a table to another file.

        Raises
        ------
        SlicemapError
            If it cannot be written, or is the file of this table.
        """
        if self.path is not None and path.resolve() == self.path.resolve() and path.exists():
            raise PlanError([f"{path} is the table that is open; Save writes it, and its audit trail"])
        with in_words(path):
            slice_config.write(path, rows)


class LeftEdits:
    """Edits of a slice table that earlier sessions left unsaved."""

    def __init__(self) -> None:
        self.found: tuple[LeftBehind, ...] = ()
        """Those that there are, by time."""
        self.faults: tuple[str, ...] = ()
        """Which cannot be read, and why, in words."""

    def look(self, folder: Path, table: Path, rows: Table) -> None:
        """Find what was left, in the folder of journals, of edits of a table; what its rows have already is saved."""
        found, faults = find_left_behind(folder, table)
        self.faults = tuple(f"Unsaved edits of an earlier session cannot be read: {fault}" for fault in faults)
        left = [replace(one, edits=settled(rows, one.edits)) for one in found]
        self.found = tuple(one for one in left if one.edits)
        for one in left:
            if not one.edits:
                one.forget()

    def leave(self) -> None:
        """Let go of them; they can be found again."""
        for one in self.found:
            one.leave()
        self.found = self.faults = ()

    def forget(self) -> None:
        """Delete them."""
        for one in self.found:
            one.forget()
        self.found = ()

    def cells(self, rows: Table) -> Cells:
        """Give what was edited in the slices of a table, the latest edit of each cell."""
        cells: dict[str, dict[str, Any]] = {}
        for one in self.found:
            for slice_id, column, edit in each_edit(one.edits):
                if slice_id in rows:
                    cells.setdefault(slice_id, {})[column] = edit.value
        return cells

    def as_of_then(self, edits: Edits) -> Edits:
        """Let edits know what the file said when they were first made: what it says otherwise now is a clash."""
        was = {(one, column): edit.was for left in self.found for one, column, edit in each_edit(left.edits)}
        return {
            one: {column: replace(edit, was=was.get((one, column), edit.was)) for column, edit in own.items()}
            for one, own in edits.items()
        }


def _stamp_of(path: Path) -> _Stamp:
    """Give what tells a file from another one of its name, without reading it."""
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino

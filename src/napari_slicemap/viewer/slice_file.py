"""The file of a slice table: what it says, when something else writes it, and what is in the way of saving."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import PlanError, in_words
from ..slices import slice_config
from ..slices.edits import Clash, Edits, Saved, changed_elsewhere, clashes_of, disk_text, save_edits, settled
from ..slices.generate import new_table
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
    """The file of a slice table, which others may write, too.

    Reading or writing it does not change :attr:`rows`: who does it says which rows count from then on.

    Parameters
    ----------
    path : Path
        The file; it need not be there.
    rows : mapping of str to dict, or None
        What it says; ``None`` where it is not there.
    """

    def __init__(self, path: Path, rows: Table | None) -> None:
        self.path = path
        self.rows = rows
        """The table as it was last read or written; ``None`` where there was none."""
        self._stamp = _stamp_of(path)
        self._backed_up = False

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
        """Write edits into the file as it is by now; it is copied to ``<name>.bak`` before the first ones.

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
        saved = save_edits(self.path, edits, keep_mine=keep_mine, backup=not self._backed_up)
        if not saved.clashes:
            self._backed_up = True
        return saved

    def generate(self, slice_ids: Iterable[str], exclude: Iterable[str], exclude_first: int) -> Table:
        """Write a table of slices where there is none.

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
            If it cannot be written, in words, or is there already.
        """
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
        if path.resolve() == self.path.resolve() and path.exists():
            raise PlanError([f"{path} is the table that is open; Save writes it, and its audit trail"])
        with in_words(path):
            slice_config.write(path, rows)


def _stamp_of(path: Path) -> _Stamp:
    """Give what tells a file from another one of its name, without reading it."""
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino

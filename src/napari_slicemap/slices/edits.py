"""Edits of a slice table that are not saved yet, and saving them into a table that others change, too.

An edit remembers what its cell said on disk when it was made. So what others change in other cells is taken over, and
what they change in the same one is noticed.
"""

from __future__ import annotations

import os
import shutil
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import FileFormatError, PlanError, in_words
from ..files import atomic_path, read_columns
from . import slice_config
from .slice_config import SliceRow, cell_text, stamp_many
from .slice_values import number_of, undecided, validate_value
from .table_file import changes, open_table

Rows = Mapping[str, Mapping[str, Any]]
Cells = Mapping[str, Mapping[str, Any]]
"""Slice id → column → value."""

FLAGS: Mapping[str, Mapping[str, Any]] = {
    "auto-excluded": {"auto_excluded": False, "auto_exclude_reason": ""},
    "rehomed": {"rehomed": False, "rehoming_reliable": None},
    "interpolated": {
        "interpolated": False,
        "interpolation_failed": False,
        "interpolation_method_used": "",
        "interpolation_fallback_reason": "",
    },
    "galvo fix": {"galvo_fix": None},
}
"""What a stage may have stamped on a slice → what its cells are once that is cleared."""


@dataclass(frozen=True)
class Edit:
    """A cell that was edited.

    Parameters
    ----------
    was : str
        What the file had there when it was edited.
    value : bool, float, str or None
        What it is to be, as :func:`~.slice_config.validate_value` gives it.
    """

    was: str
    value: Any


Edits = Mapping[str, Mapping[str, Edit]]
"""Slice id → column → edit."""


@dataclass(frozen=True)
class Clash:
    """A cell that was edited here, and changed in the file since.

    Parameters
    ----------
    slice_id, column : str
        Where.
    was, theirs, mine : str
        What it said before both, what the file says now, and what was edited here.
    """

    slice_id: str
    column: str
    was: str
    theirs: str
    mine: str


@dataclass(frozen=True)
class Saved:
    """What came of saving.

    Parameters
    ----------
    rows : mapping of str to dict
        The table as it is on disk now.
    count : int
        How many cells were written.
    clashes : tuple of Clash
        What is in the way; nothing was written then.
    """

    rows: Mapping[str, SliceRow]
    count: int
    clashes: tuple[Clash, ...] = ()


def count_edits(edits: Edits) -> int:
    """Count the edited cells."""
    return sum(map(len, edits.values()))


def each_edit(edits: Edits) -> Iterator[tuple[str, str, Edit]]:
    """Go through the edited cells: slice, column, edit."""
    for slice_id, cells in edits.items():
        for column, edit in cells.items():
            yield slice_id, column, edit


def disk_text(rows: Rows, slice_id: str, column: str) -> str:
    """Give a cell as the file has it; empty where there is no such row."""
    row = rows.get(slice_id)
    return "" if row is None else cell_text(column, row.get(column, undecided(column)))


def put_cells(rows: Rows, edits: Edits, cells: Cells) -> Edits:
    """Edit cells; one that comes to what the file says is no edit any more.

    Parameters
    ----------
    rows : mapping of str to mapping
        The table as read from disk.
    edits : mapping
        The edits so far; they are not changed.
    cells : mapping of str to mapping
        Slice id, as the table has it → column → value, as :func:`~.slice_config.validate_value` takes it.

    Returns
    -------
    mapping
        The edits with these.

    Raises
    ------
    FileFormatError
        Naming the slice, the column and what was expected.
    """
    made = dict(edits)
    for slice_id, given in cells.items():
        kept = dict(made.get(slice_id, {}))
        for column, value in given.items():
            typed = _validated(slice_id, column, value)
            on_disk = disk_text(rows, slice_id, column)
            if slice_id in rows and cell_text(column, typed) == on_disk:
                kept.pop(column, None)
            else:
                before = kept.get(column)
                kept[column] = Edit(on_disk if before is None else before.was, typed)
        if kept:
            made[slice_id] = kept
        else:
            made.pop(slice_id, None)
    return made


def _validated(slice_id: str, column: str, value: Any) -> Any:
    if column == "slice_id":
        raise FileFormatError(f"slice {slice_id}: its id cannot be changed; maps and tiles are found by it")
    try:
        return validate_value(column, value)
    except FileFormatError as error:
        raise FileFormatError(f"slice {slice_id}: {error}") from None


def settled(rows: Rows, edits: Edits) -> Edits:
    """Leave out the edits that the table, read anew, has already."""
    made = {}
    for slice_id, cells in edits.items():
        kept = {
            column: edit
            for column, edit in cells.items()
            if slice_id not in rows or disk_text(rows, slice_id, column) != cell_text(column, edit.value)
        }
        if kept:
            made[slice_id] = kept
    return made


def clashes_of(rows: Rows, edits: Edits) -> list[Clash]:
    """List the edited cells that the table, read anew, has otherwise than when they were edited."""
    found = []
    for slice_id, column, edit in each_edit(edits):
        theirs, mine = disk_text(rows, slice_id, column), cell_text(column, edit.value)
        if (theirs != edit.was and theirs != mine) or slice_id not in rows:
            found.append(Clash(slice_id, column, edit.was, theirs, mine))
    return found


def edited(rows: Rows, edits: Edits) -> dict[str, SliceRow]:
    """Give the table as it will be when its edits are saved; rows without edits are the same objects.

    Parameters
    ----------
    rows : mapping of str to mapping
        The table as read from disk; it is not changed.
    edits : mapping
        Its edits; those of slices that it lacks are left out.
    """
    own = {slice_id: cells for slice_id, cells in edits.items() if slice_id in rows}
    columns = next(iter(rows.values()), {})
    values = {slice_id: {name: edit.value for name, edit in cells.items()} for slice_id, cells in own.items()}
    if any(name not in columns for cells in own.values() for name in cells):
        return stamp_many(rows, values)  # a new column, which every row is given
    made: dict[str, SliceRow] = dict(rows)  # type: ignore[arg-type]  # an ordered one takes several times as long
    for slice_id, cells in values.items():
        made[slice_id] = {**rows[slice_id], **cells}
    return made


def changed_elsewhere(before: Rows, after: Rows) -> list[dict[str, str]]:
    """List the cells that differ, as :func:`~.table_file.changes`; in long tables that takes little."""
    ids = [one for one in OrderedDict.fromkeys([*before, *after]) if before.get(one) != after.get(one)]
    return changes(*({one: rows[one] for one in ids if one in rows} for rows in (before, after)))


# --- saving ------------------------------------------------------------------------------------------------
def save_edits(
    table: str | os.PathLike[str], edits: Edits, *, keep_mine: bool = False, backup: bool = False, by: str = ""
) -> Saved:
    """Write edits into a table as it is on disk by now; its other cells stay as they are.

    Parameters
    ----------
    table : path-like
        The slice table; its audit trail gets a line for each cell.
    edits : mapping
        The edits.
    keep_mine : bool
        Write cells that the file has otherwise since they were edited, too; without it, nothing is written then.
    backup : bool
        Copy the table as it was to ``<table>.bak`` first.
    by : str
        Who does it; the user's name if not given.

    Returns
    -------
    Saved

    Raises
    ------
    PlanError
        If the table is gone, cannot be written, or something else is writing it.
    FileFormatError
        If it is no slice table any more; nothing is written.
    """
    path = Path(table)
    with in_words(path, beside=True):
        try:
            with open_table(path, None, in_place=True, by=by) as job:
                found = clashes_of(job.rows, edits)
                if found and not keep_mine:
                    return Saved(job.rows, 0, tuple(found))
                values = {one: {name: edit.value for name, edit in cells.items()} for one, cells in edits.items()}
                rows = stamp_many(job.rows, values, add=True)
                if backup:
                    with atomic_path(backup_path(path)) as temporary:
                        shutil.copyfile(path, temporary)
                job.save(rows)
                return Saved(rows, count_edits(edits))
        except FileNotFoundError:
            why = f"{path} is not there any more; export the table to that name, then open it again"
            raise PlanError([why]) from None


def backup_path(table: Path) -> Path:
    """Give the copy of a table as it was before the first save: ``slice_config.csv.bak``."""
    return table.with_name(f"{table.name}.bak")


# --- taking over another table -----------------------------------------------------------------------------
@dataclass(frozen=True)
class Imported:
    """What another table says otherwise.

    Parameters
    ----------
    cells : mapping of str to mapping
        Slice id → column → value.
    unknown : tuple of str
        Slices of the other table that this one lacks; nothing is taken over from them.
    absent : tuple of str
        Slices of this table that the other one lacks.
    """

    cells: Cells
    unknown: tuple[str, ...]
    absent: tuple[str, ...]


def import_cells(rows: Rows, other: str | os.PathLike[str]) -> Imported:
    """Find what another slice table says otherwise, in the columns that it has.

    Parameters
    ----------
    rows : mapping of str to mapping
        The table.
    other : path-like
        The file of another one; ids match by number.

    Raises
    ------
    FileFormatError, FileNotFoundError
        If it is no slice table.
    """
    theirs = slice_config.read(other)
    columns = [name for name in read_columns(other)[0] if name != "slice_id"]
    own = {number_of(one): one for one in rows}
    cells: dict[str, dict[str, Any]] = {}
    for given, row in theirs.items():
        slice_id = own.pop(number_of(given), None)
        if slice_id is None:
            continue
        found = {name: row[name] for name in columns if cell_text(name, row[name]) != disk_text(rows, slice_id, name)}
        if found:
            cells[slice_id] = found
    known = set(map(number_of, rows))
    return Imported(cells, tuple(one for one in theirs if number_of(one) not in known), tuple(own.values()))

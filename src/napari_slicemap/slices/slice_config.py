r"""The table of per-slice decisions, ``slice_config.csv``: read, stamp, filter, write.

In memory a table is an ordered mapping of slice id → row, a row a plain dict of typed values: text for
``slice_id``, notes, reasons and unknown columns, ``bool | None`` for decisions, ``float | None`` for scores.
A row holds the columns that its file has, and always ``slice_id`` and ``use``.

The canonical form is what :func:`write` writes, and such a file is read and written back byte for byte:

- ``slice_id``, ``use``, the other canonical columns that the table has, then unknown ones in file order;
- UTF-8, no byte-order mark, ``\n``, quotes only where CSV needs them, no blanks around cells or blank lines;
- ids of at least two digits, ``true``/``false``, empty for unknown;
- ``quality_score`` with exactly three decimals: it is rounded on entry, so memory and file never differ;
- ``galvo_confidence`` with the digits it was read (or typed) with while nobody changes it; a computed number
  gets three decimals, and as many more as it takes to lose nothing: ``galvo_fix`` was decided on all of them.

Cells are stripped of outer blanks when read. A line break inside a quoted cell is kept, but none is stamped.
"""

from __future__ import annotations

import os
import re
from collections import OrderedDict
from decimal import Decimal
from functools import cache, partial
from typing import TYPE_CHECKING, Any

from ..errors import FileFormatError, UnknownNameError
from ..files import Row, read_table, table_text, write_text
from .decision import is_used, says, why_excluded
from .fragments import read_fragments
from .slice_values import (
    CANONICAL_COLUMNS,
    CHECKS,
    INTERPOLATION_FALLBACK_REASONS,
    INTERPOLATION_METHODS,
    AsRead,
    id_key,
    number_of,
    read_text_cell,
    refuse,
    undecided,
    validate_value,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

SliceRow = dict[str, Any]
SliceRows = OrderedDict[str, SliceRow]

_NOTE_JOINT = "; "
_WITHOUT_IMAGE = {"use": False, "notes": "there is no image of it"}


# --- reading -----------------------------------------------------------------------------------------------
def read(path: str | os.PathLike[str]) -> SliceRows:
    """Read a slice table.

    Parameters
    ----------
    path : path-like
        A CSV with at least the column ``slice_id``; without ``use``, every slice is used.

    Returns
    -------
    OrderedDict of str to dict
        Slice id → typed row, in the order of the file; none for a file that is a header only.

    Raises
    ------
    FileFormatError
        Naming file, line, column and what was expected: no ``slice_id`` column, a slice that stands twice,
        a row of the wrong length, or a cell that its column cannot hold.
    FileNotFoundError
        If there is no such file.
    """
    table = read_table(path, required=["slice_id"])
    columns = list(table[0].cells) if table else []
    _check_names(columns, f"{os.fspath(path)}: header")
    # few texts are distinct in a column, so remembering what they mean makes long tables fast
    readers = {name: cache(partial(validate_value, name)) for name in columns if name in CHECKS}
    rows: SliceRows = OrderedDict()
    first: dict[str, str] = {}
    for line in table:
        row = _read_row(line, readers)
        slice_id = row["slice_id"]
        if (before := first.setdefault(number_of(slice_id), line.where)) is not line.where:
            expected = f"each slice once; it stands in {before} already"
            raise FileFormatError(f"{line.where}: slice_id is {line['slice_id']!r}, expected {expected}")
        rows[slice_id] = row
    return rows


def _read_row(line: Row, readers: Mapping[str, Callable[[str], Any]]) -> SliceRow:
    row: SliceRow = {**line.cells}
    row.setdefault("use", True)
    try:
        for column, typed in readers.items():
            row[column] = typed(row[column])
    except FileFormatError as error:
        raise FileFormatError(f"{line.where} (slice {line['slice_id']}): {error}") from None
    return row


def _check_names(columns: Iterable[str], where: str) -> None:
    for number, name in enumerate(columns, 1):
        if name in CANONICAL_COLUMNS:
            continue
        if not name.strip():
            raise FileFormatError(f"{where}: column {number} has no name; name it or remove it")
        if name != name.strip() or "\n" in name or "\r" in name:
            raise FileFormatError(f"{where}: column {name!r}, expected one line without outer blanks")
        # a column `Use` kept as unknown would silently mean that all slices are used
        if (meant := re.sub(r"[\s-]+", "_", name).lower()) in CANONICAL_COLUMNS:
            raise FileFormatError(f"{where}: column {name!r}, expected it to be called {meant!r}")


# --- writing -----------------------------------------------------------------------------------------------
def write(path: str | os.PathLike[str], rows: Mapping[str, Mapping[str, Any]]) -> None:
    """Write a slice table in its canonical form (see the module), atomically.

    Parameters
    ----------
    path : path-like
        The file to make or replace.
    rows : mapping of str to mapping
        Slice id → row, in the order to write. Columns are those that any row has; where a row lacks one, its
        cell is empty (`use`: ``true``).

    Raises
    ------
    FileFormatError
        Naming file, slice, column and what was expected. Nothing is written then.
    """
    columns = _columns(rows)
    _check_names(columns, os.fspath(path))
    lines: dict[str, dict[str, str]] = {}
    for slice_id, row in rows.items():
        try:
            line = {name: cell_text(name, row.get(name, undecided(name))) for name in columns[1:]}
            line["slice_id"] = _own_id(slice_id, row)
        except FileFormatError as error:
            raise FileFormatError(f"{path}: slice {slice_id}: {error}") from None
        if lines.setdefault(number_of(line["slice_id"]), line) is not line:
            raise FileFormatError(f"{path}: slice {slice_id}: stands twice, expected each slice once")
    write_text(path, table_text(columns, lines.values()))


def _columns(rows: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """List slice_id, use, the other canonical columns that any row has, then the unknown ones."""
    seen: dict[str, Any] = {"slice_id": None, "use": None}
    for row in rows.values():
        seen.update(row)
    known = [name for name in CANONICAL_COLUMNS if name in seen]
    return known + [name for name in seen if name not in CANONICAL_COLUMNS]


def _own_id(key: str, row: Mapping[str, Any]) -> str:
    """Give the id of a row, which is its key in the table."""
    slice_id: str = validate_value("slice_id", key)
    stated = row.get("slice_id", slice_id)
    if validate_value("slice_id", stated) != slice_id:
        refuse("slice_id", stated, f"{slice_id!r}, as the row's key in the table")
    return slice_id


def cell_text(column: str, value: object) -> str:
    """Give a cell as the file has it: text of any column, from a value that the column can hold.

    Raises
    ------
    FileFormatError
        Naming the column, the value and what was expected.
    """
    if column not in CHECKS:
        return read_text_cell(column, value)
    held = validate_value(column, value)
    if held is None or isinstance(held, str):
        return held or ""
    if isinstance(held, bool):
        return "true" if held else "false"
    return held.text if isinstance(held, AsRead) else _decimals(held)


def _decimals(score: float) -> str:
    """Write three decimals, or as many as it takes to lose nothing."""
    text = f"{score:.3f}"
    return text if float(text) == score else f"{Decimal(repr(score)):f}"


# --- stamping ----------------------------------------------------------------------------------------------
def stamp(
    rows: Mapping[str, Mapping[str, Any]],
    slice_id: str,
    values: Mapping[str, object],
    append_notes: bool = False,
    add: bool = False,
) -> SliceRows:
    """Write values into the row of one slice: as :func:`stamp_many`, parameters, result and errors alike."""
    return stamp_many(rows, {slice_id: values}, append_notes=append_notes, add=add)


def stamp_many(
    rows: Mapping[str, Mapping[str, Any]],
    values: Mapping[str, Mapping[str, object]],
    append_notes: bool = False,
    add: bool = False,
) -> SliceRows:
    """Write values into the rows of several slices; all other values stay.

    Parameters
    ----------
    rows : mapping of str to mapping
        The table; it is not changed.
    values : mapping of str to mapping
        Slice id → column → value, each as :func:`validate_value` takes it. Ids match by number.
    append_notes : bool
        Join new notes to the old with ``"; "``, leaving out those that stand there already, instead of
        replacing the old.
    add : bool
        Append a row for an id that is not in the table, used unless `values` says otherwise.

    Returns
    -------
    OrderedDict of str to dict
        New rows in the same order. A column new to the table is given to every row, empty where not stamped
        (`use`: true), as the file will have it.

    Raises
    ------
    UnknownNameError
        If an id is not in the table and `add` is false.
    FileFormatError
        Naming slice, column and what was expected.
    """
    stamped: SliceRows = OrderedDict((slice_id, dict(row)) for slice_id, row in rows.items())
    own = {number_of(slice_id): slice_id for slice_id in stamped}
    for given, new in values.items():
        asked = validate_value("slice_id", given)
        slice_id = own.setdefault(number_of(asked), asked)
        if slice_id not in stamped:
            if not add:
                raise UnknownNameError("slice", slice_id, stamped, "slice table")
            stamped[slice_id] = {"slice_id": slice_id, "use": True}
        try:
            stamped[slice_id].update(_new_values(stamped[slice_id], slice_id, new, append_notes))
        except FileFormatError as error:
            raise FileFormatError(f"slice {slice_id}: {error}") from None
    return _rectangular(stamped)


def _new_values(row: SliceRow, slice_id: str, new: Mapping[str, object], append_notes: bool) -> SliceRow:
    _check_names(new, "stamp")
    made = {column: validate_value(column, value) for column, value in new.items()}
    if number_of(made.pop("slice_id", slice_id)) != number_of(slice_id):
        refuse("slice_id", new["slice_id"], f"{slice_id!r}: stamping renames no slice")
    if append_notes and "notes" in made:
        made["notes"] = _joined(row.get("notes") or "", made["notes"])
    return made


def _joined(old: str, new: str) -> str:
    notes = old.split(_NOTE_JOINT) if old else []
    for note in new.split(_NOTE_JOINT):
        if note and note not in notes:
            notes.append(note)
    return _NOTE_JOINT.join(notes)


def _rectangular(rows: SliceRows) -> SliceRows:
    """Give every row every column, so that what is in memory is what will be read from the file."""
    columns = _columns(rows)
    for row in rows.values():
        if len(row) < len(columns):
            row.update({name: undecided(name) for name in columns if name not in row})
    return rows


def merge_fragments(
    rows: Mapping[str, Mapping[str, Any]],
    folder_or_paths: str | os.PathLike[str] | Iterable[str | os.PathLike[str]],
    *,
    expected: Iterable[str] = (),
    add: bool = False,
    check_outputs: bool = False,
) -> SliceRows:
    """Stamp what came of interpolating slices: all fragments in one step, or none.

    Parameters
    ----------
    rows : mapping of str to mapping
        The table; it is not changed.
    folder_or_paths : path-like or iterable of path-like
        A folder of fragments, ``slice_z<NN>_manifest.csv``, or the fragments.
    expected : iterable of str
        Slices that must have a fragment.
    add : bool
        Give a slice that is not in the table a row, `use` false, as it has no image of its own. In a table sorted by
        id it takes its place.
    check_outputs : bool
        Refuse fragments that name an image which is not there.

    Returns
    -------
    OrderedDict of str to dict
        New rows, with interpolated, interpolation_failed, interpolation_method_used and
        interpolation_fallback_reason of those slices.

    Raises
    ------
    PlanError
        Naming every fragment that is missing, stands twice, or names an image that is not there.
    FileFormatError
        Naming file, line and column of what is wrong in a fragment.
    UnknownNameError
        If a slice is not in the table and `add` is false.
    """
    found = read_fragments(folder_or_paths, expected=expected, check_outputs=check_outputs)
    known = {number_of(slice_id) for slice_id in rows}
    stamps = {
        slice_id: fragment.stamps() | ({} if number_of(slice_id) in known else _WITHOUT_IMAGE)
        for slice_id, fragment in found.items()
    }
    stamped = stamp_many(rows, stamps, add=add)
    in_order = list(rows) == sorted(rows, key=id_key)
    return OrderedDict((one, stamped[one]) for one in (sorted(stamped, key=id_key) if in_order else stamped))


# --- deciding ----------------------------------------------------------------------------------------------
def filter_slices_to_use(rows: Mapping[str, Mapping[str, Any]]) -> SliceRows:
    """Keep the rows whose `use` is true (or not there), as copies, in order.

    `auto_excluded` is not asked: pass the result of :func:`force_skip_slices` where it should count.
    """
    return OrderedDict((slice_id, dict(row)) for slice_id, row in rows.items() if says(row, "use"))


def force_skip_slices(rows: Mapping[str, Mapping[str, Any]]) -> SliceRows:
    """Give all rows, as copies, with `use` false where `auto_excluded` is true."""
    skipped: SliceRows = OrderedDict((slice_id, dict(row)) for slice_id, row in rows.items())
    for row in skipped.values():
        if says(row, "auto_excluded"):
            row["use"] = False
    return _rectangular(skipped)


__all__ = [
    "CANONICAL_COLUMNS",
    "INTERPOLATION_FALLBACK_REASONS",
    "INTERPOLATION_METHODS",
    "SliceRow",
    "SliceRows",
    "cell_text",
    "filter_slices_to_use",
    "force_skip_slices",
    "id_key",
    "is_used",
    "merge_fragments",
    "read",
    "stamp",
    "stamp_many",
    "validate_value",
    "why_excluded",
    "write",
]

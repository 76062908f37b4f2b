"""What somebody decides who looks at slices: leave some out, put them back in, say something about them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ..errors import PlanError, UnknownNameError
from .ids import own_ids
from .slice_config import CANONICAL_COLUMNS, SliceRows, id_key, is_used, stamp, stamp_many

MANUALLY_EXCLUDED = "manually_excluded"
CALIBRATION_SLICE = "calibration_slice"

Rows = Mapping[str, Mapping[str, Any]]


def exclude_slices(rows: Rows, slice_ids: Iterable[str], note: str = MANUALLY_EXCLUDED) -> SliceRows:
    """Leave slices out: `use` becomes false.

    Parameters
    ----------
    rows : mapping of str to mapping
        The table; it is not changed.
    slice_ids : iterable of str
        Which, matched by number: "3" is "03".
    note : str
        Why; it is added to the notes, unless it stands there already.

    Returns
    -------
    OrderedDict of str to dict
        New rows, in the same order.

    Raises
    ------
    UnknownNameError
        If the table has no such slice.
    """
    said = {"notes": note} if note else {}
    return stamp_many(rows, {one: {"use": False, **said} for one in slice_ids}, append_notes=True)


def exclude_first(rows: Rows, count: int) -> SliceRows:
    """Leave the first slices out, by number, with the note ``calibration_slice``.

    Parameters
    ----------
    rows : mapping of str to mapping
        The table; it is not changed.
    count : int
        How many; 0 for none.

    Returns
    -------
    OrderedDict of str to dict
        New rows, in the same order.

    Raises
    ------
    PlanError
        If there are not so many slices.
    """
    if not 0 <= count <= len(rows):
        raise PlanError([f"cannot leave out the first {count} slices: expected a number from 0 to {len(rows)}"])
    return exclude_slices(rows, sorted(rows, key=id_key)[:count], CALIBRATION_SLICE)


def use_slices(rows: Rows, slice_ids: Iterable[str], note: str = "") -> SliceRows:
    """Put slices back in, whatever left them out: `use` becomes true, and `auto_excluded` false where it was true.

    The note ``manually_excluded`` goes, as it is true no longer; what else stands in the notes stays.

    Parameters
    ----------
    rows : mapping of str to mapping
        The table; it is not changed.
    slice_ids : iterable of str
        Which, matched by number.
    note : str
        Why; it is added to the notes.

    Returns
    -------
    OrderedDict of str to dict
        New rows, in the same order.

    Raises
    ------
    UnknownNameError
        If the table has no such slice.
    """
    made: SliceRows = stamp_many(rows, {})
    for slice_id in dict.fromkeys(own_ids(rows, slice_ids)):
        row = made[slice_id]
        row["use"] = True
        if not is_used(row):
            row.update(auto_excluded=False)
            if "auto_exclude_reason" in row:
                row["auto_exclude_reason"] = ""
        if notes := row.get("notes"):
            row["notes"] = "; ".join(one for one in notes.split("; ") if one != MANUALLY_EXCLUDED)
        if note:
            made = stamp(made, slice_id, {"notes": note}, append_notes=True)
    return made


def stamp_slices(
    rows: Rows,
    slice_ids: Iterable[str],
    values: Mapping[str, object],
    note: str = "",
    new_columns: bool = False,
) -> SliceRows:
    """Write the same values into the rows of some slices.

    Parameters
    ----------
    rows : mapping of str to mapping
        The table; it is not changed.
    slice_ids : iterable of str
        Which, matched by number.
    values : mapping of str to value
        Column → value, as text or typed; ``""`` empties a cell.
    note : str
        Added to the notes.
    new_columns : bool
        Make columns that are neither canonical nor in the table; if not, they are taken for slips of the pen.

    Returns
    -------
    OrderedDict of str to dict
        New rows, in the same order.

    Raises
    ------
    UnknownNameError
        If the table has no such slice or column.
    FileFormatError
        Naming slice, column and what was expected.
    """
    known = dict.fromkeys([*CANONICAL_COLUMNS, *(column for row in rows.values() for column in row)])
    for column in values:
        if column not in known and not new_columns:
            raise UnknownNameError("column", column, known, "slice table")
    chosen = own_ids(rows, slice_ids)
    made = stamp_many(rows, dict.fromkeys(chosen, values))
    return stamp_many(made, {one: {"notes": note} for one in chosen}, append_notes=True) if note else made

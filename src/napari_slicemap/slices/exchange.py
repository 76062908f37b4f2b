"""The slice table for tools that read ``slice_id`` and ``use`` and know no other decision, and back from them."""

from __future__ import annotations

import os
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from typing import Any

from ..errors import UnknownNameError
from ..files import read_columns
from . import slice_config
from .decision import is_used
from .slice_config import SliceRows
from .slice_values import number_of

Rows = Mapping[str, Mapping[str, Any]]
_DECISION = ("slice_id", "use")


def for_pipelines(rows: Rows, columns: Iterable[str] | None = (), *, used_only: bool = False) -> SliceRows:
    """Give a table that a reconstruction pipeline reads.

    Parameters
    ----------
    rows : mapping of str to mapping
        The table; it is not changed.
    columns : iterable of str, optional
        Of those it has, after ``slice_id`` and ``use``; ``None`` for all of them.
    used_only : bool
        Leave out the rows of slices that are not used.

    Returns
    -------
    OrderedDict of str to dict
        In the same order. `use` is what all decisions come to: false where a slice is auto-excluded, too.

    Raises
    ------
    UnknownNameError
        Naming a column that the table does not have.
    """
    there = list(dict.fromkeys(name for row in rows.values() for name in row))
    wanted = there if columns is None else list(columns)
    if rows and (unknown := next((name for name in wanted if name not in there), None)):
        raise UnknownNameError("column", unknown, there, where="slice table")
    kept = [name for name in wanted if name not in _DECISION]
    made: SliceRows = OrderedDict()
    for slice_id, row in rows.items():
        used = is_used(row)
        if used or not used_only:
            made[slice_id] = {"slice_id": slice_id, "use": used, **{name: row.get(name) for name in kept}}
    return made


def merged(
    rows: Rows, path: str | os.PathLike[str], columns: Iterable[str] | None = None, *, add: bool = False
) -> SliceRows:
    """Take over what another tool wrote into a table of its own; all other values and rows stay.

    Parameters
    ----------
    rows : mapping of str to mapping
        The table; it is not changed.
    path : path-like
        The other table. Ids match by number: ``3`` is ``03``.
    columns : iterable of str, optional
        Which of its columns; all that it has if not given. Its empty cells are passed over: they decide nothing.
    add : bool
        Append rows for slices that the table lacks.

    Returns
    -------
    OrderedDict of str to dict
        New rows.

    Raises
    ------
    FileFormatError
        Naming file, line and column of what is wrong in the other table.
    UnknownNameError
        If a slice is not in the table and `add` is false, or a column is not in the other table.
    """
    theirs = slice_config.read(path)
    there = [name for name in read_columns(path)[0] if name != "slice_id"]
    wanted = there if columns is None else list(columns)
    if unknown := next((name for name in wanted if name not in there), None):
        raise UnknownNameError("column", unknown, there, where=os.fspath(path))
    stamps = {
        slice_id: {name: row[name] for name in wanted if row[name] not in (None, "")}
        for slice_id, row in theirs.items()
    }
    known = {number_of(slice_id) for slice_id in rows}
    if not add and (strange := next((one for one in stamps if number_of(one) not in known), None)):
        raise UnknownNameError("slice", strange, rows, where="slice table")
    return slice_config.stamp_many(rows, stamps, add=add)

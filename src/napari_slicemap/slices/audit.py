"""The audit trail of a slice table, read: who changed which cell, when, from what to what."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from ..files import read_table
from .slice_values import number_of
from .table_file import AUDIT_COLUMNS, audit_path


@dataclass(frozen=True)
class Entry:
    """One cell that was changed.

    Parameters
    ----------
    time : str
        When, ISO 8601 UTC.
    slice_id, column : str
        Where.
    old, new : str
        What stood in the file, and what stands there since.
    by : str
        Who.
    """

    time: str
    slice_id: str
    column: str
    old: str
    new: str
    by: str


def read_trail(table: str | os.PathLike[str], slice_id: str | None = None) -> list[Entry]:
    """Read the audit trail of a table, in the order of time; none where nothing was changed in place.

    Parameters
    ----------
    table : path-like
        The slice table.
    slice_id : str, optional
        Only what concerns this slice, matched by number.

    Raises
    ------
    FileFormatError
        If the file beside the table is no audit trail.
    """
    path = audit_path(Path(table))
    if not path.is_file():
        return []
    found = [Entry(**{name: row[name] for name in AUDIT_COLUMNS}) for row in read_table(path, AUDIT_COLUMNS)]
    return found if slice_id is None else [one for one in found if number_of(one.slice_id) == number_of(slice_id)]

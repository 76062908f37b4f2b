"""Whose word stands in the slice table, in words; and whose does not, where the table says the contrary."""

from __future__ import annotations

from .decisions import FIX, Row, is_reviewed
from .record import DETECTION, IN_TABLE, GalvoRecord


def decider(row: Row, record: GalvoRecord | None) -> str:
    """Name who decided what the table says of a slice; ``""`` if nobody has.

    Parameters
    ----------
    row : mapping
        Of the slice table.
    record : GalvoRecord or None
        What is known of it.

    Returns
    -------
    str
        The person, ``"the slice table"`` where that says something else than the person or the detection had decided,
        or ``"detection"``.
    """
    if row.get(FIX) is None:
        return ""
    if not is_reviewed(row, record):
        return DETECTION
    return IN_TABLE if record is None or record.word != row[FIX] else record.decided_by


def unheard(row: Row, record: GalvoRecord | None) -> str:
    """Say what a person had decided, where the table says the contrary; ``""`` where it does not.

    The table is an earlier one then, or somebody changed it since; which of them cannot be told.
    """
    fix = row.get(FIX)
    if record is None or record.word is None or fix is None or record.word == fix:
        return ""
    how = f"to fix it by {record.reviewer_shift} A-lines" if record.word else "to leave it"
    return f"{record.decided_by} had decided {how}, and the table says otherwise"

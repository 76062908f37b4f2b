"""What is known of the slices of one table, on its way to another whose diagnostics lie elsewhere."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..slice_config import SliceRows, stamp_many
from .decisions import FIX, Row, is_reviewed
from .record import Applied, GalvoRecord, read_record


def carried(
    rows: Mapping[str, Row], known: str | os.PathLike[str], folder: str | os.PathLike[str]
) -> tuple[SliceRows, dict[str, GalvoRecord]]:
    """Say what is to stand in a table that is made of another one, and in its diagnostics.

    A person's decision goes with the slice. One that only the diagnostics of the new table know, since that was there
    before and is made anew, is put back where no person decided in the table that it is made of.

    Parameters
    ----------
    rows : mapping of str to mapping
        The table that it is made of; it is not changed.
    known, folder : path-like
        Folders of the diagnostics of that table, and of the new one.

    Returns
    -------
    OrderedDict of str to dict, and dict of str to GalvoRecord
        The new table, and slice id → what is known of it; nothing where both folders are one, and all stays.

    Raises
    ------
    FileFormatError
        If there is a record that cannot be read.
    """
    stamps: dict[str, dict[str, object]] = {}
    records: dict[str, GalvoRecord] = {}
    if Path(known).resolve() == Path(folder).resolve():
        return stamp_many(rows, stamps), records
    for one, row in rows.items():
        own, there = read_record(known, one), read_record(folder, one)
        if own is not None and own.applied is not None:
            own = own.model_copy(update={"applied": _as_seen_from(folder, own.applied, known)})
        if there is not None and there.word is not None and not _decided(row, own):
            word = {"reviewer_shift": there.reviewer_shift, "decided_by": there.decided_by, "replaces": None}
            own = (own or there).model_copy(update=word)
            stamps[one] = {FIX: there.word}
        elif own is None and row.get(FIX) is None:
            own = there
        if own is not None:
            records[one] = own
    return stamp_many(rows, stamps), records


def _decided(row: Row, record: GalvoRecord | None) -> bool:
    return is_reviewed(row, record) or (record is not None and record.word is not None)


def _as_seen_from(folder: str | os.PathLike[str], applied: Applied, known: str | os.PathLike[str]) -> Applied:
    """Say where a fix lies, as seen from another folder than before."""
    return applied.model_copy(update={"path": relative_place(Path(known, applied.path), Path(folder))})


def relative_place(path: Path, folder: Path) -> str:
    """Say where a path lies as seen from a folder."""
    try:
        return Path(os.path.relpath(path.resolve(), folder.resolve())).as_posix()
    except ValueError:  # on another drive there is no way from one to the other
        return path.resolve().as_posix()


def put_back(before: Mapping[str, Row], after: Mapping[str, Row], folder: str | os.PathLike[str]) -> dict[str, str]:
    """Name the slices in which a table got what a person had decided before → the person.

    Parameters
    ----------
    before, after : mapping of str to mapping
        The table as it was read, and as it was written.
    folder : path-like
        Of the diagnostics, as written.
    """
    made: dict[str, str] = {}
    for one, row in after.items():
        fix: Any = row.get(FIX)
        if fix is None or fix == before[one].get(FIX):
            continue
        record = read_record(folder, one)
        if record is not None and record.word == fix:
            made[one] = record.decided_by
    return made

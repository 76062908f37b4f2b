"""The journal of edits that are not saved yet: after a crash, they can be taken up again.

A line for each edit, on disk before the next one can be made; a line that a crash cut short does not count. While its
session lives, a journal is locked, so that what is found unlocked was left behind.
"""

from __future__ import annotations

import hashlib
import json
import os
import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from ..errors import FileFormatError
from ..files import FileModel, explain, now_iso, sync_folder, utf8
from .edits import Edit, Edits, each_edit
from .slice_config import cell_text, validate_value

VERSION = 1


class _Head(FileModel):
    version: int
    table: str


class _Line(FileModel):
    """Cells as ``(slice, column, what the file has, what it is to be)``; to be ``None`` takes an edit back."""

    time: str
    cells: tuple[tuple[str, str, str, str | None], ...]


class Journal:
    """Where one session puts the edits of one table that it has not saved yet.

    Parameters
    ----------
    folder : Path
        Of the journals; made when the first edit is.
    table : Path
        The table.
    """

    def __init__(self, folder: Path, table: Path) -> None:
        self._table = table
        self.path = folder / f"{_stem(table)}-{uuid.uuid4().hex[:12]}.jsonl"
        self._lock: Any = None

    def note(self, before: Edits, after: Edits) -> None:
        """Put what changed on disk; where nothing is left to save, the journal goes.

        Parameters
        ----------
        before, after : mapping
            The edits as they were and as they are.

        Raises
        ------
        OSError
            If it cannot be written.
        """
        if not after:
            self.remove()
            return
        cells = _differences(before if self._lock is not None else {}, after)
        if not cells:
            return
        text = json.dumps({"time": now_iso(), "cells": cells}, ensure_ascii=False) + "\n"
        is_new = self._lock is None
        if is_new:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._lock = _locked(self.path)
            head = json.dumps({"version": VERSION, "table": str(self._table)}, ensure_ascii=False)
            text = f"{head}\n{text}"
        with self.path.open("ab") as stream:
            stream.write(utf8(text))
            stream.flush()
            os.fsync(stream.fileno())
        if is_new:
            sync_folder(self.path.parent)

    def remove(self) -> None:
        """Forget everything: it is saved, or nobody wants it."""
        if self._lock is not None:
            self.path.unlink(missing_ok=True)
            self.leave()

    def leave(self) -> None:
        """Let go of the journal; what is in it can be found again."""
        if self._lock is not None:
            _unlock(self._lock, self.path)
            self._lock = None


@dataclass(frozen=True)
class LeftBehind:
    """Edits that a session left unsaved.

    Parameters
    ----------
    path : Path
        The journal; it is held until :meth:`forget` or :meth:`leave`.
    time : str
        Of the last edit, ISO 8601 UTC.
    edits : mapping
        Slice id → column → edit.
    lock : object
        Keeps other sessions from it.
    """

    path: Path
    time: str
    edits: Edits
    lock: Any

    def forget(self) -> None:
        """Delete it, because its edits were taken up, or nobody wants them."""
        self.path.unlink(missing_ok=True)
        self.leave()

    def leave(self) -> None:
        """Let go of it; it can be found again."""
        _unlock(self.lock, self.path)


def find_left_behind(folder: Path, table: Path) -> tuple[list[LeftBehind], list[str]]:
    """Find the edits of a table that sessions left unsaved, those of sessions that still live aside.

    Parameters
    ----------
    folder : Path
        Of the journals.
    table : Path
        The table.

    Returns
    -------
    found : list of LeftBehind
        By time.
    faults : list of str
        What is wrong with journals that cannot be read; they stay where they are.
    """
    found, faults = [], []
    for path in sorted(folder.glob(f"{_stem(table)}-*.jsonl")):
        try:
            lock = _try_lock(path)
            if lock is None:
                continue
            time, edits = read_journal(path)
        except (FileFormatError, OSError) as error:
            faults.append(str(error))
            continue  # the lock goes with its object
        one = LeftBehind(path, time, edits, lock)
        if edits:
            found.append(one)
        else:
            one.forget()
    return sorted(found, key=lambda one: one.time), faults


def read_journal(path: Path) -> tuple[str, Edits]:
    """Read a journal: the time of its last edit, and the edits that it comes to.

    Raises
    ------
    FileFormatError
        Naming the file and the line.
    """
    head, *lines = path.read_bytes().split(b"\n")[:-1] or [b""]  # what follows the last line end was cut short
    if not head:
        return "", {}
    version = _model(_Head, head, f"{path}, line 1").version
    if version != VERSION:
        raise FileFormatError(f"{path}: version {version}, expected {VERSION}")
    edits: dict[str, dict[str, Edit]] = {}
    time = ""
    for number, text in enumerate(lines, 2):
        where = f"{path}, line {number}"
        line = _model(_Line, text, where)
        time = line.time
        for slice_id, column, was, value in line.cells:
            own = edits.setdefault(slice_id, {})
            own.pop(column, None)
            if value is not None:
                own[column] = Edit(was, _typed(column, value, where))
    return time, {slice_id: cells for slice_id, cells in edits.items() if cells}


def _model(model: type[Any], text: bytes, where: str) -> Any:
    try:
        return model.model_validate_json(text)
    except ValidationError as error:
        raise FileFormatError(f"{where}: {explain(error, model)}") from None


def _typed(column: str, value: str, where: str) -> Any:
    try:
        return validate_value(column, value)
    except FileFormatError as error:
        raise FileFormatError(f"{where}: {error}") from None


def _differences(before: Edits, after: Edits) -> list[tuple[str, str, str, str | None]]:
    """List the cells whose edit changed; those taken back with ``None``."""
    put = [
        (slice_id, column, edit.was, cell_text(column, edit.value))
        for slice_id, column, edit in _changed(before, after)
    ]
    gone = [
        (slice_id, column, edit.was, None)
        for slice_id, column, edit in each_edit(before)
        if column not in after.get(slice_id, {})
    ]
    return [*gone, *put]


def _changed(before: Edits, after: Edits) -> Iterable[tuple[str, str, Edit]]:
    for slice_id, cells in after.items():
        old = before.get(slice_id, {})
        if old is not cells:
            yield from ((slice_id, column, edit) for column, edit in cells.items() if old.get(column) != edit)


def _stem(table: Path) -> str:
    """Name the journals of a table by its path."""
    return f"slice_edits-{hashlib.sha256(utf8(str(table.resolve()))).hexdigest()[:12]}"


def _locked(path: Path) -> Any:
    lock = _try_lock(path)
    if lock is None:
        raise OSError(f"{path} is locked by another process")
    return lock


def _try_lock(path: Path) -> Any:
    """Lock a journal, until it is unlocked or the process ends; ``None`` where somebody else has."""
    from filelock import FileLock, Timeout

    lock = FileLock(path.with_suffix(".lock"), timeout=0, thread_local=False)
    try:
        lock.acquire()
    except Timeout:
        return None
    return lock


def _unlock(lock: Any, path: Path) -> None:
    lock.release()
    if not path.exists():
        path.with_suffix(".lock").unlink(missing_ok=True)

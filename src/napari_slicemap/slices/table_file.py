"""Changing a slice table on disk: one writer at a time, nothing lost, every change in place on record.

A stage takes a table and writes another one; or it changes a table in place, and then the audit trail beside it,
``<table>.audit.csv``, gets a line for each cell.
"""

from __future__ import annotations

import getpass
import os
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..errors import FileFormatError, PlanError
from ..files import now_iso, sha256, sync_folder, table_text, utf8
from . import slice_config
from .places import why_no_folder
from .slice_config import SliceRows

AUDIT_COLUMNS = ("time", "slice_id", "column", "old", "new", "by")


@dataclass(frozen=True)
class TableJob:
    """A table that is being worked on; see :func:`open_table`.

    Parameters
    ----------
    rows : OrderedDict of str to dict
        The table as read; empty where none was given.
    target : Path or None
        The file that :meth:`save` writes.
    state : str or None
        SHA-256 of the target as it was found; ``None`` where it was not there.
    in_place : bool
        The target is the table that was read: its changes go on record.
    by : str
        Who changes it, for the audit trail.
    """

    rows: SliceRows
    target: Path | None
    state: str | None = None
    in_place: bool = False
    by: str = field(default_factory=getpass.getuser)

    def save(self, rows: Mapping[str, Mapping[str, Any]]) -> None:
        """Write the table, once; in place, the audit trail gets a line for each cell that changed.

        Raises
        ------
        FileFormatError
            If a row does not fit its columns, or the audit trail is none; nothing is written.
        PlanError
            If there is nowhere to write to, or the file was changed by something else in the meantime.
        """
        if self.target is None:
            raise PlanError(["no table to write to: name OUT, or give --config with --in-place"])
        if _state(self.target) != self.state:
            raise PlanError(
                [f"{self.target} was changed by something else while this ran; nothing is written, run again"]
            )
        if not self.in_place:
            slice_config.write(self.target, rows)
            return
        try:
            changed = changes(self.rows, rows)
        except FileFormatError as error:
            raise FileFormatError(f"{self.target}: {error}") from None
        with _audited(audit_path(self.target), changed, self.by):
            slice_config.write(self.target, rows)


@contextmanager
def open_table(
    config: str | os.PathLike[str] | None,
    out: str | os.PathLike[str] | None,
    *,
    in_place: bool = False,
    force: bool = False,
    by: str = "",
    reads: Iterable[str | os.PathLike[str]] = (),
) -> Iterator[TableJob]:
    """Read a slice table and keep others from writing where the result will go.

    Parameters
    ----------
    config : path-like or None
        The table to begin with; ``None`` for none.
    out : path-like or None
        The table to write; ``None`` with `in_place`, or where nothing is to be written.
    in_place : bool
        Write the result over `config`; where that is a link, over the table that it points to.
    force : bool
        Replace `out` if it is there.
    by : str
        Who does it, for the audit trail; the user's name if not given.
    reads : iterable of path-like
        What else the command reads: `out` may not take the place of any of it, `force` or not.

    Yields
    ------
    TableJob
        With the rows read and the way to save others.

    Raises
    ------
    PlanError
        If the paths do not go together, `out` is there already, or somebody else is writing there.
    FileFormatError, FileNotFoundError
        If `config` is no slice table.
    """
    target = _target(config, out, in_place)
    _keep(target, reads)
    with _locked(target):
        # asked under the lock, so that another command's table is not taken for none; and before it is read, so that
        # what changes it in between is noticed
        state = None if target is None else _state(target)
        if state is not None and not in_place and not force:
            raise PlanError([f"{target} is there already; --force replaces it"])
        rows: SliceRows = OrderedDict() if config is None else slice_config.read(config)
        yield TableJob(rows, target, state, in_place, by or getpass.getuser())


def _state(target: Path) -> str | None:
    return sha256(target) if target.exists() else None


def _target(config: str | os.PathLike[str] | None, out: str | os.PathLike[str] | None, in_place: bool) -> Path | None:
    if in_place:
        if config is None or out is not None:
            raise PlanError(["--in-place changes the table named by --config, and takes no OUT"])
        target = Path(config).resolve()
        if not target.exists():
            raise FileNotFoundError(f"{config}: there is no such file")
        return target
    if out is None:
        return None
    target = Path(out)
    if config is not None and target.exists() and Path(config).exists() and target.samefile(config):
        raise PlanError([f"{target} is the table to begin with, too; say --in-place to change it"])
    if target.is_dir():
        raise PlanError([f"{target} is a folder; name the table to write, such as {target / 'slice_config.csv'}"])
    if why := why_no_folder(target.parent):
        raise PlanError([why])
    target.parent.mkdir(parents=True, exist_ok=True)
    return target


def _keep(target: Path | None, reads: Iterable[str | os.PathLike[str]]) -> None:
    """Refuse to write over what is read."""
    if target is None or not target.exists():
        return
    for path in map(Path, reads):
        if path.exists() and target.samefile(path):
            raise PlanError([f"{target} is read by this command; name another file for the slice table"])


@contextmanager
def _locked(target: Path | None) -> Iterator[None]:
    """Keep other commands from the table; the lock ends with the process, however that ends."""
    if target is None:
        yield
        return
    from filelock import FileLock, Timeout

    lock = FileLock(target.with_name(f".{target.name}.lock"), timeout=0)
    try:
        lock.acquire()
    except Timeout:
        raise PlanError([f"{target} is being written by another command; wait until it ends"]) from None
    except OSError as error:
        raise PlanError([f"{target} cannot be written: {error.strerror}"]) from None
    try:
        yield
    finally:
        lock.release()


# --- the audit trail -------------------------------------------------------------------------------------
def audit_path(table: Path) -> Path:
    """Give the audit trail of a table: ``slice_config.audit.csv`` beside ``slice_config.csv``."""
    return table.with_name(f"{table.stem}.audit.csv")


def changes(before: Mapping[str, Mapping[str, Any]], after: Mapping[str, Mapping[str, Any]]) -> list[dict[str, str]]:
    """List the cells that differ between two tables, slices matched by id.

    Parameters
    ----------
    before, after : mapping of str to mapping
        Slice id → row.

    Returns
    -------
    list of dict
        ``slice_id, column, old, new`` as in the files; a slice that only one table has differs in ``slice_id``, and
        in every cell that says something.
    """
    found = []
    for slice_id in OrderedDict.fromkeys([*before, *after]):
        old, new = before.get(slice_id, {}), after.get(slice_id, {})
        for column in OrderedDict.fromkeys([*old, *new]):
            if old.get(column) is new.get(column):
                continue  # nearly all cells of a table: their text would take long
            try:
                was, becomes = (_text(row, column) for row in (old, new))
            except FileFormatError as error:
                raise FileFormatError(f"slice {slice_id}: {error}") from None
            if was != becomes:
                found.append({"slice_id": slice_id, "column": column, "old": was, "new": becomes})
    return found


def _text(row: Mapping[str, Any], column: str) -> str:
    return slice_config.cell_text(column, row[column]) if column in row else ""


@contextmanager
def _audited(trail: Path, changed: list[dict[str, str]], by: str) -> Iterator[None]:
    """Put changes on record before they are made, and take them off again if they fail."""
    if not changed:
        yield
        return
    time = now_iso()
    text = table_text(AUDIT_COLUMNS, ({"time": time, **one, "by": by} for one in changed))
    header, _, lines = text.partition("\n")
    old = trail.stat().st_size if trail.exists() else 0
    if old:
        _check_trail(trail, header)
    try:
        with trail.open("ab") as stream:
            stream.write(utf8(lines if old else text))
            stream.flush()
            os.fsync(stream.fileno())
        yield
    except BaseException:
        if old:
            os.truncate(trail, old)
        else:
            trail.unlink(missing_ok=True)
        raise
    sync_folder(trail.parent)


def _check_trail(trail: Path, header: str) -> None:
    """Refuse to append to a file that is no audit trail, or whose last line was cut short."""
    content = trail.read_bytes()
    first = content.split(b"\n", 1)[0].decode("utf-8", "replace").rstrip("\r")
    if first != header or not content.endswith(b"\n"):
        raise FileFormatError(
            f"{trail}: it is no audit trail, expected a header {header} and whole lines; move it away"
        )

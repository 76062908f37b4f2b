"""Detection and decisions over whole slices, from tiles to files: what the shell, a script and napari share.

A detection is written records first, then the table, when all slices have been looked at. An end in between leaves the
table as it was, and records that know what stands there. A decision is written table first: the table is what counts.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from ...errors import CancelledError, PlanError
from ..generate import new_table
from ..ids import own_ids
from ..places import why_no_folder
from ..progress import OnProgress
from ..slice_config import SliceRows
from ..slice_values import number_of
from ..table_file import TableJob, open_table
from .carrying import carried, put_back
from .decisions import (
    Finding,
    GalvoSettings,
    Row,
    Standing,
    decide,
    find_returns,
    finding_of,
    is_reviewed,
    stamp_findings,
    standing,
)
from .record import GalvoRecord, read_record, read_records, write_record
from .tile_slices import TileSlices

DETECT = "slicemap galvo detect"
"""Who changes the table, for the audit trail, where a detection does."""


@dataclass(frozen=True)
class GalvoRun:
    """What a detection came to.

    Parameters
    ----------
    rows : OrderedDict of str to dict
        The table, stamped.
    findings : tuple of Finding
        Of each slice that was looked at.
    without_tiles : tuple of str
        Slices of the table that have no tiles; none where certain slices were asked for.
    without_row : tuple of str
        Slices with tiles that the table lacks; they were not looked at.
    put_back : mapping of str to str
        Slices whose record knows a person's decision that the table did not have → the person.
    """

    rows: SliceRows
    findings: tuple[Finding, ...]
    without_tiles: tuple[str, ...] = ()
    without_row: tuple[str, ...] = ()
    put_back: Mapping[str, str] = field(default_factory=dict)

    def standing(self, finding: Finding) -> Standing:
        """Say what is decided of a slice now."""
        return standing(self.rows[finding.slice_id], finding.record)


def default_diagnostics(table: str | os.PathLike[str]) -> Path:
    """Give the folder of diagnostics that belongs to a table, unless something else is said: the one beside it."""
    return Path(table).parent / "diagnostics"


def look_at(
    slices: TileSlices,
    rows: Mapping[str, Row],
    known: str | os.PathLike[str] | None,
    settings: GalvoSettings | None = None,
    *,
    slice_ids: Iterable[str] = (),
    on_progress: OnProgress | None = None,
    cancelled: Callable[[], bool] = lambda: False,
) -> GalvoRun:
    """Find the return in the slices of a table, and stamp it; nothing is written.

    Parameters
    ----------
    slices : OrderedDict of str to TileSlice
        Slice id → tiles.
    rows : mapping of str to mapping
        The slice table, ids matched by number; it is not changed.
    known : path-like or None
        Folder of the diagnostics that are known of it; ``None`` for none.
    settings : GalvoSettings, optional
        How.
    slice_ids : iterable of str
        Which slices; all that have tiles and a row if none is named.
    on_progress : callable, optional
        Told how many slices are done.
    cancelled : callable
        Asked before each slice.

    Returns
    -------
    GalvoRun

    Raises
    ------
    UnknownNameError
        If a slice that was named has no tiles, or no row.
    FileFormatError, StackError, TileReadError
        Naming the file or tile.
    CancelledError
        If it was cancelled.
    """
    named = own_ids(slices, slice_ids, "tiles")
    own_ids(rows, named)
    in_table = {number_of(one) for one in rows}
    chosen = TileSlices((one, slices[one]) for one in dict.fromkeys(named or slices) if number_of(one) in in_table)
    found = tuple(find_returns(chosen, rows, known, settings, on_progress=on_progress, cancelled=cancelled))
    if len(found) < len(chosen):
        raise CancelledError("cancelled; nothing was written")
    have_tiles = {number_of(one) for one in slices}
    return GalvoRun(
        stamp_findings(rows, found),
        found,
        () if named else tuple(one for one in rows if number_of(one) not in have_tiles),
        tuple(one for one in slices if number_of(one) not in in_table),
        {
            one.slice_id: one.record.decided_by
            for one in found
            if one.reviewed and not is_reviewed(rows[one.slice_id], one.record)
        },
    )


def save_findings(
    job: TableJob,
    rows: Mapping[str, Row],
    findings: Iterable[Finding],
    folder: str | os.PathLike[str],
    known: str | os.PathLike[str] | None = None,
) -> tuple[SliceRows, tuple[Finding, ...]]:
    """Write what was found: the records first, then the table. What a person has decided by now stays.

    Parameters
    ----------
    job : TableJob
        The table to write.
    rows : mapping of str to mapping
        The table as it is now.
    findings : iterable of Finding
        Of slices of the table.
    folder : path-like
        Of the diagnostics, to write to.
    known : path-like, optional
        Of those that are known of `rows`; `folder` if not given.

    Returns
    -------
    tuple of OrderedDict and tuple of Finding
        The table as written, and the findings with what was decided in the meantime.

    Raises
    ------
    UnknownNameError
        If the table lacks a slice.
    FileFormatError, PlanError, OSError
        If something cannot be written; the table is as it was then.
    """
    source = folder if known is None else known
    rows, records = carried(rows, source, folder)
    found = tuple(findings)
    latest = records or read_records(source, [one.slice_id for one in found])
    now = tuple(
        finding_of(one.slice_id, one.tiles, one.detection, rows.get(one.slice_id, {}), latest.get(one.slice_id))
        for one in found
    )
    stamped = stamp_findings(rows, now)
    for slice_id, record in (records | {one.slice_id: one.record for one in now}).items():
        write_record(folder, slice_id, record)
    job.save(stamped)
    written = {one.slice_id: one.record.model_copy(update={"replaces": None}) for one in now}
    for one in now:
        if one.record.replaces is not None:
            write_record(folder, one.slice_id, written[one.slice_id])
    return stamped, tuple(replace(one, record=written[one.slice_id]) for one in now)


def detect_galvo_slices(
    slices: TileSlices,
    config: str | os.PathLike[str] | None = None,
    out: str | os.PathLike[str] | None = None,
    *,
    in_place: bool = False,
    force: bool = False,
    settings: GalvoSettings | None = None,
    slice_ids: Iterable[str] = (),
    known: str | os.PathLike[str] | None = None,
    diagnostics: str | os.PathLike[str] | None = None,
    on_progress: OnProgress | None = None,
    cancelled: Callable[[], bool] = lambda: False,
    by: str = DETECT,
) -> GalvoRun:
    """Find the return in slices, stamp the slice table, and write the numbers behind it.

    Parameters
    ----------
    slices : OrderedDict of str to TileSlice
        From :func:`~.tile_slices.find_tile_slices`.
    config : path-like, optional
        The table to begin with; made of `slices` if not given.
    out : path-like, optional
        The table to write. Without it and `in_place`, nothing is written at all.
    in_place : bool
        Change `config`.
    force : bool
        Replace `out` if it is there.
    settings : GalvoSettings, optional
        How.
    slice_ids : iterable of str
        Which slices; all that have tiles and a row if none is named.
    known, diagnostics : path-like, optional
        Folders of the diagnostics that belong to `config`, and to the table that is written; those beside them if not
        given. If only `diagnostics` is given, it is both.
    on_progress, cancelled
        As :func:`look_at` takes them.
    by : str
        Who does it, for the audit trail.

    Returns
    -------
    GalvoRun

    Raises
    ------
    PlanError
        If the paths do not go together, or somebody else is writing the table.
    UnknownNameError, FileFormatError, StackError, TileReadError, CancelledError
        As :func:`look_at` says; nothing is written then.
    """
    target = config if in_place else out
    folder = diagnostics or (None if target is None else default_diagnostics(target))
    if folder is not None and target is not None and (why := why_no_folder(Path(folder))):
        raise PlanError([why])
    begin = config or target
    known = known or diagnostics or (None if begin is None else default_diagnostics(begin))
    with open_table(config, out, in_place=in_place, force=force, by=by) as job:
        rows = new_table(slices, exclude_first=0) if config is None else job.rows
        run = look_at(slices, rows, known, settings, slice_ids=slice_ids, on_progress=on_progress, cancelled=cancelled)
        if job.target is None or folder is None:
            return run
        stamped, findings = save_findings(job, rows, run.findings, folder, known)
    return replace(run, rows=stamped, findings=findings, put_back=put_back(rows, stamped, folder))


# --- a person's word -----------------------------------------------------------------------------------------
@dataclass(frozen=True)
class Decided:
    """What a person decided of slices.

    Parameters
    ----------
    before, rows : OrderedDict of str to dict
        The table as it was, and as it is now.
    records : mapping of str to GalvoRecord or None
        Slice id → what is known of it now.
    put_back : mapping of str to str
        Other slices, whose record knows a person's decision that the table did not have → the person.
    """

    before: SliceRows
    rows: SliceRows
    records: Mapping[str, GalvoRecord | None]
    put_back: Mapping[str, str] = field(default_factory=dict)


def decide_galvo_slices(
    config: str | os.PathLike[str],
    slice_ids: Iterable[str],
    out: str | os.PathLike[str] | None = None,
    *,
    fix: bool | None,
    by: str,
    shift: int | None = None,
    note: str = "",
    in_place: bool = False,
    force: bool = False,
    known: str | os.PathLike[str] | None = None,
    diagnostics: str | os.PathLike[str] | None = None,
) -> Decided:
    """Write a person's decision on slices into the table and the records; the detection leaves it alone from then on.

    Parameters
    ----------
    config : path-like
        The table.
    slice_ids : iterable of str
        Which slices, matched by number.
    out : path-like, optional
        The table to write; with `in_place` none.
    fix, shift, note, by
        As :func:`~.decisions.decide` takes them.
    in_place : bool
        Change `config`.
    force : bool
        Replace `out` if it is there.
    known, diagnostics : path-like, optional
        As :func:`detect_galvo_slices` takes them.

    Returns
    -------
    Decided

    Raises
    ------
    PlanError, UnknownNameError, FileFormatError
        As :func:`~.decisions.decide` says, or if the paths do not go together; nothing is written then.
    """
    folder = Path(diagnostics or default_diagnostics(config if in_place or out is None else out))
    known = known or diagnostics or default_diagnostics(config)
    if why := why_no_folder(folder) or _why_not_written(folder):
        raise PlanError([why])
    with open_table(config, out, in_place=in_place, force=force, by=by) as job:
        rows, others = carried(job.rows, known, folder)
        records: dict[str, GalvoRecord | None] = {}
        for one in dict.fromkeys(own_ids(rows, slice_ids)):
            before = others.get(one) or read_record(known, one)
            rows, records[one] = decide(rows, one, before, fix=fix, shift=shift, note=note, by=by)
        for one, known_of_it in others.items():
            if one not in records:  # before the table, which would lack it if this ended in between
                write_record(folder, one, known_of_it)
        job.save(rows)
        for one, record in records.items():
            if record is not None:
                write_record(folder, one, record)
    back = put_back(job.rows, rows, folder)
    return Decided(job.rows, rows, records, {one: by for one, by in back.items() if one not in records})


def _why_not_written(folder: Path) -> str:
    """Say why nothing can be written to a folder; ``""`` where something can."""
    there = next(one for one in (folder, *folder.parents) if one.exists())
    return "" if os.access(there, os.W_OK) else f"{folder} cannot be written to"

"""Doing what was planned: writing fixed tiles, or taking fixes back, and noting it in the diagnostics."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ....errors import PlanError
from ...places import why_no_folder
from ...progress import OnProgress, Progress
from ...slice_values import number_of
from ..carrying import relative_place
from ..record import Applied, read_record, write_record
from .job import Job
from .plan import FixPlan
from .undo import UndoPlan
from .work import Outcome, State, Worker, clear_away, locked, state_of


@dataclass(frozen=True)
class SliceDone:
    """What became of a slice.

    Parameters
    ----------
    slice_id : str
        The slice.
    source, path : Path
        The mosaic, or the folder of raw tiles, that was read, and the one that was written.
    shift : int or None
        A-lines by which the fix rolls it, or had rolled it; ``None`` for a copy.
    outcome : "written" or "there already"
        Whether there was anything to do.
    """

    slice_id: str
    source: Path
    path: Path
    shift: int | None
    outcome: Outcome


@dataclass(frozen=True)
class FixReport:
    """What was done.

    Parameters
    ----------
    done : tuple of SliceDone
        Slices fixed, or whose fix was taken back.
    copied : tuple of SliceDone
        Slices copied as they are.
    """

    done: tuple[SliceDone, ...]
    copied: tuple[SliceDone, ...] = ()

    def lines(self) -> list[str]:
        """Say in words what was written."""
        copies = [f"{one.outcome}, a copy: {one.path} (slice {one.slice_id})" for one in self.copied]
        return [f"{one.outcome}: {one.path} (slice {one.slice_id})" for one in self.done] + copies

    def as_data(self) -> list[dict[str, Any]]:
        """Give it fit for strict JSON."""
        return [
            {
                "slice_id": one.slice_id,
                "source": one.source,
                "path": one.path,
                "shift": one.shift,
                "outcome": one.outcome,
            }
            for one in (*self.done, *self.copied)
        ]


def run_fix(
    plan: FixPlan,
    out: str | os.PathLike[str],
    *,
    with_others: bool = False,
    force: bool = False,
    on_progress: OnProgress | None = None,
    cancelled: Callable[[], bool] = lambda: False,
    workers: int | None = None,
) -> FixReport:
    """Write fixed tiles; those they are made of are only read.

    A run that was cancelled, killed or ran out of space is taken up where it ended by the next run of the same plan.

    Parameters
    ----------
    plan : FixPlan
        From :func:`~.plan.plan_fix`.
    out : path-like
        Folder to write to: mosaics under their names, raw tiles under theirs, in ``z<NN>`` where they lie in one.
    with_others : bool
        Also copy the slices that are not fixed, so that `out` can take the place of the source.
    force : bool
        Replace what is there.
    on_progress : callable, optional
        Told how much is done.
    cancelled : callable
        Asked before each file.
    workers : int, optional
        Threads; one per processor, as long as the memory of their chunks allows, if not given.

    Returns
    -------
    FixReport

    Raises
    ------
    PlanError
        If `out` is, holds or lies in the source, something else is there, another command is writing there, the disk
        is full, or a tile changes meanwhile.
    FileFormatError, TileReadError
        Naming what cannot be read.
    CancelledError
        If it was cancelled.
    """
    return _run(plan, Path(out), with_others, force, on_progress, cancelled, workers)


def run_undo(
    plan: UndoPlan,
    out: str | os.PathLike[str],
    *,
    with_others: bool = False,
    force: bool = False,
    on_progress: OnProgress | None = None,
    cancelled: Callable[[], bool] = lambda: False,
    workers: int | None = None,
) -> FixReport:
    """Write tiles as they were before their fix; the fixed ones are only read.

    Parameters
    ----------
    plan : UndoPlan
        From :func:`~.undo.plan_undo`.
    out, with_others, force, on_progress, cancelled, workers
        As :func:`run_fix` takes them.

    Returns
    -------
    FixReport

    Raises
    ------
    PlanError, FileFormatError, TileReadError, CancelledError
        As :func:`run_fix` says.
    """
    return _run(plan, Path(out), with_others, force, on_progress, cancelled, workers)


def _run(
    plan: FixPlan | UndoPlan,
    out: Path,
    with_others: bool,
    force: bool,
    on_progress: OnProgress | None,
    cancelled: Callable[[], bool],
    workers: int | None,
) -> FixReport:
    slices = plan.jobs(with_others)
    _check_out(plan, slices, out)
    if not slices:
        return FixReport(())
    shifts = {one.slice_id: one.shift for one in plan.fixes}
    with locked(out):
        to_do = _to_do(slices, out, force)
        progress = Progress(on_progress, sum(job.weight for jobs in to_do.values() for job in jobs))
        worker = Worker(out, progress, cancelled, workers)
        made: list[SliceDone] = []
        for slice_id, jobs in slices.items():
            for job in jobs:
                if job in to_do[slice_id]:
                    worker.do(job)
                else:
                    clear_away(job, out)
            outcome: Outcome = "written" if to_do[slice_id] else "there already"
            read, written = _whole(jobs[0].source), _whole(out / jobs[0].name)
            made.append(SliceDone(slice_id, read, written, shifts.get(slice_id), outcome))
    return FixReport(
        tuple(one for one in made if one.shift is not None), tuple(one for one in made if one.shift is None)
    )


def _whole(path: Path) -> Path:
    """Give the mosaic, or the folder that a raw tile lies in."""
    return path if path.suffix.lower() == ".zarr" else path.parent


def _to_do(slices: Mapping[str, list[Job]], out: Path, force: bool) -> dict[str, list[Job]]:
    """List the jobs that are left; refuse what is there and is something else."""
    states = {one: [(job, state_of(job, out)) for job in jobs] for one, jobs in slices.items()}
    if force:
        return {one: list(jobs) for one, jobs in slices.items()}
    others = [out / job.name for jobs in states.values() for job, state in jobs if state == "other"]
    if others:
        raise PlanError(
            [f"{path} is there already, and not what this would write now; --force replaces it" for path in others]
        )
    return {one: [job for job, state in jobs if state == "absent"] for one, jobs in states.items()}


def targets(plan: FixPlan | UndoPlan, out: str | os.PathLike[str], *, with_others: bool = False) -> dict[Path, State]:
    """Say which folders a run would write, and what is there now; nothing is written.

    Parameters
    ----------
    plan : FixPlan or UndoPlan
        The plan.
    out, with_others
        As :func:`run_fix` takes them.

    Returns
    -------
    dict of Path to str
        Folder → ``"absent"``, ``"same"`` (there already, and left alone) or ``"other"`` (in the way).

    Raises
    ------
    PlanError, FileFormatError, TileReadError
        As :func:`run_fix` says.
    """
    slices = plan.jobs(with_others)
    _check_out(plan, slices, Path(out))
    return {Path(out) / job.name: state_of(job, Path(out)) for jobs in slices.values() for job in jobs}


def _check_out(plan: FixPlan | UndoPlan, slices: Mapping[str, list[Job]], out: Path) -> None:
    """Refuse a folder that is, holds or lies in what is read."""
    if why := why_no_folder(out):
        raise PlanError([why])
    place = out.resolve()
    sources = [*([plan.source] if plan.source else []), *(job.source for jobs in slices.values() for job in jobs)]
    for source in (one.resolve() for one in sources):
        if place == source or place in source.parents or source in place.parents:
            how = "is" if place == source else "holds" if place in source.parents else "lies in"
            raise PlanError([f"{out} {how} {source}, which is only read; choose another folder to write to"])


# --- the diagnostics ----------------------------------------------------------------------------------------------
def note_applied(report: FixReport, folder: str | os.PathLike[str]) -> list[str]:
    """Note in the diagnostics which slices were fixed, and where to.

    Parameters
    ----------
    report : FixReport
        From :func:`run_fix`.
    folder : path-like
        Of the diagnostics. Slices of which nothing is known there are left out.

    Returns
    -------
    list of str
        The slices that were noted.

    Raises
    ------
    FileFormatError
        Naming a file that is no diagnostics.
    """
    noted = []
    for one in report.done:
        record = read_record(folder, one.slice_id)
        if record is None or one.shift is None:
            continue
        applied = Applied(shift=one.shift, path=relative_place(one.path, Path(folder)))
        if record.applied != applied:
            write_record(folder, one.slice_id, record.model_copy(update={"applied": applied}))
        noted.append(one.slice_id)
    return noted


def note_undone(
    report: FixReport, folder: str | os.PathLike[str], slice_ids: Mapping[str, Any] | None = None
) -> list[str]:
    """Note in the diagnostics that fixes were taken back; a record that names another fix, which is there, stays.

    Parameters
    ----------
    report : FixReport
        From :func:`run_undo`.
    folder : path-like
        Of the diagnostics.
    slice_ids : mapping of str, optional
        The slice table: ids are written as it has them.

    Returns
    -------
    list of str
        The slices that were noted.

    Raises
    ------
    FileFormatError
        Naming a file that is no diagnostics.
    """
    own = {number_of(one): one for one in slice_ids or ()}
    noted = []
    for one in report.done:
        slice_id = own.get(number_of(one.slice_id), one.slice_id)
        record = read_record(folder, slice_id)
        if record is None or record.applied is None:
            continue
        applied = Path(folder, record.applied.path)
        if applied.exists() and not applied.samefile(one.source):
            continue
        write_record(folder, slice_id, record.model_copy(update={"applied": None}))
        noted.append(slice_id)
    return noted

"""Making folders so that a run may be killed at any moment: the source is whole, and the next run goes on.

A folder is made in a hidden one beside it, ``.<name>.fixing``, which also says of what state of the source each file is
made. When all files are there and durable, it takes its name. One run at a time works in a folder.
"""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from threading import get_ident
from typing import Any, Literal

from ....errors import CancelledError, FileFormatError, PlanError, SlicemapError
from ....files import read_json, sync_folder, write_json
from ...progress import Progress
from .job import FileStep, Job, LateStep, Stamp, files_of, stamp_of

LOCK_FILE = ".galvo-fix.lock"
Outcome = Literal["written", "there already"]
State = Literal["absent", "same", "other"]

_VERSION = 1
_PLAN, _MADE, _PARTS, _REPLACED = "plan.json", "made", "parts", "replaced"
_TEMPORARY = ".slicemap-"
_MEMORY = 2**30
"""Bytes that the threads should not hold together, unless told how many there are to be."""
_COPIES = 3
"""Of a chunk, in memory while it is rolled."""
_OF_THE_DISK = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EFBIG, errno.EIO}


@contextmanager
def locked(out: Path) -> Iterator[None]:
    """Keep other runs out of a folder, which is made.

    The lock is the system's, on a file that stays: it ends with the process, however that ends.

    Raises
    ------
    PlanError
        If another run is writing there, or nothing can be written.
    """
    from filelock import FileLock, Timeout

    try:
        out.mkdir(parents=True, exist_ok=True)
        lock = FileLock(out / LOCK_FILE, timeout=0)
        lock.acquire()
    except Timeout:
        raise PlanError([f"another command is writing fixed tiles into {out}; wait until it ends"]) from None
    except OSError as error:
        raise PlanError([f"{out} cannot be written to: {error.strerror}; choose another folder"]) from None
    try:
        yield
    finally:
        lock.release()


def state_of(job: Job, out: Path) -> State:
    """Say whether what a job is to make is there already: all of it, and no older than what it is made of.

    Raises
    ------
    PlanError
        If a link, or a file, has its name.
    """
    target = out / job.name
    if target.is_symlink() or (target.exists() and not target.is_dir()):
        raise PlanError(
            [f"{target} is a {'link' if target.is_symlink() else 'file'}; take it away, or choose another OUT"]
        )
    if not target.is_dir():
        return "absent"
    there = files_of(target)
    for name, content in job.marks.items():
        if name not in there or (target / name).read_bytes() != content:
            return "other"
    for step in job.steps:
        if step.name not in there or there[step.name][1] < step.stamp[1]:
            return "other"
    known = {*job.marks, *(step.name for step in job.steps), *(step.name for step in job.late)}
    added = {name for name in there.keys() - known if not any(part.startswith(".") for part in Path(name).parts)}
    return "other" if added else "same"


def work_folder(target: Path) -> Path:
    """Give the hidden folder in which another is made."""
    return target.with_name(f".{target.name}.fixing")


def clear_away(job: Job, out: Path) -> None:
    """Remove what a run left that was killed right after its folder had taken its name."""
    work = work_folder(out / job.name)
    if (work / _PLAN).is_file() and _stamps_before(job, work):
        shutil.rmtree(work)


@dataclass(frozen=True)
class Worker:
    """Does one job after the other.

    Parameters
    ----------
    out : Path
        Where the folders go.
    progress : Progress
        Told how many bytes are done.
    cancelled : callable
        Asked before each file.
    workers : int or None
        Threads; as many as there are processors, and as their memory allows, if not given.
    """

    out: Path
    progress: Progress
    cancelled: Callable[[], bool]
    workers: int | None = None

    def do(self, job: Job) -> None:
        """Make a folder, from where an earlier run of the same job ended; it replaces one that is there.

        Raises
        ------
        PlanError
            If the disk is full or the like, or the source changes meanwhile. What is done is kept for the next run.
        CancelledError
            If it is cancelled; what is done is kept, too.
        TileReadError
            Naming a file that cannot be read.
        """
        target = self.out / job.name
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            self._do(job, target, work_folder(target))
        except OSError as error:
            if isinstance(error, SlicemapError) or error.errno not in _OF_THE_DISK:
                raise
            raise PlanError(
                [f"{target} cannot be written: {error.strerror}; {job.source} is as it was, run again to go on"]
            ) from None

    def _do(self, job: Job, target: Path, work: Path) -> None:
        there = _taken_up(job, work)
        self.progress.add(sum(step.stamp[0] for step in job.steps if step.name in there))
        self._each(job, partial(self._step, work), [step for step in job.steps if step.name not in there])
        self.progress.add(sum(step.weight for step in job.late if step.name in there))
        self._each(job, partial(self._late, work), [step for step in job.late if step.name not in there])
        for name, content in job.marks.items():
            with _written(work, name) as part:
                part.write_bytes(content)
        _take_place(work, target)

    def _step(self, work: Path, step: FileStep) -> None:
        with _written(work, step.name) as part:
            step.write(step.source, part)
            if stamp_of(step.source) != step.stamp:
                raise PlanError([f"{step.source} was changed while it was read; run again"])
        self.progress.add(step.stamp[0])

    def _late(self, work: Path, step: LateStep) -> None:
        with _written(work, step.name) as part:
            step.write(work / _MADE, part)
        self.progress.add(step.weight)

    def _each(self, job: Job, do: Callable[[Any], None], steps: Iterable[FileStep | LateStep]) -> None:
        """Do steps side by side, few at a time."""
        count = self.workers or threads_for(job.chunk_bytes)
        waiting: set[Future[None]] = set()
        with ThreadPoolExecutor(count, thread_name_prefix="slicemap-fix") as pool:
            try:
                for step in steps:
                    if self.cancelled():
                        raise CancelledError(f"cancelled; what is done of {job.name} is kept, run again to go on")
                    if len(waiting) >= count:
                        done, waiting = wait(waiting, return_when=FIRST_COMPLETED)
                        _checked(done)
                    waiting.add(pool.submit(do, step))
                _checked(wait(waiting).done)
            finally:
                for one in waiting:
                    one.cancel()


def _checked(done: Iterable[Future[None]]) -> None:
    for one in done:
        one.result()


def threads_for(chunk_bytes: int) -> int:
    """Say how many threads to use where nobody does: one per processor, as long as they need no GB of memory."""
    return max(1, min(os.cpu_count() or 1, _MEMORY // max(1, _COPIES * chunk_bytes)))


@contextmanager
def _written(work: Path, name: str) -> Iterator[Path]:
    """Give a file to write, which is not there yet; where there is one then, it gets its name when it is durable."""
    part = work / _PARTS / str(get_ident())  # one for each thread
    part.unlink(missing_ok=True)
    yield part
    if not part.exists():
        return
    with part.open("rb+") as stream:
        os.fsync(stream.fileno())
    path = work / _MADE / name
    path.parent.mkdir(parents=True, exist_ok=True)
    part.replace(path)


def _taken_up(job: Job, work: Path) -> set[str]:
    """Prepare the hidden folder, and name the files in it that are done; all others that are in it go."""
    stamps = {step.name: step.stamp for step in job.steps}
    made = work / _MADE
    before = _stamps_before(job, work)
    there = set(files_of(made)) if made.is_dir() else set()
    done = {name for name in there if name in stamps and before.get(name) == stamps[name]}
    if done.issuperset(stamps):  # late files are made of all others
        done |= there & {step.name for step in job.late}
    for name in sorted(there - done):
        (made / name).unlink()
    write_json(work / _PLAN, {"version": _VERSION, **_said(job), "files": stamps})
    shutil.rmtree(work / _PARTS, ignore_errors=True)
    for folder in (made, work / _PARTS):
        folder.mkdir(exist_ok=True)
    return done


def _said(job: Job) -> dict[str, Any]:
    return {"source": str(job.source.resolve()), "job": dict(job.said)}


def _stamps_before(job: Job, work: Path) -> dict[str, Stamp]:
    """Read of what state of the source the files in a hidden folder were made; nothing if it was another job.

    Raises
    ------
    PlanError
        If the folder is none of ours.
    """
    file = work / _PLAN
    if not file.exists():
        if work.exists() and any(not one.name.startswith(_TEMPORARY) for one in work.iterdir()):
            raise PlanError([f"{work} is in the way: it is no work that a fix began; take it away"])
        return {}
    try:
        said = read_json(file)
        version = said["version"]
        stamps = {name: (size, changed) for name, (size, changed) in said["files"].items()}
    except (FileFormatError, TypeError, KeyError, ValueError, AttributeError):
        raise PlanError([f"{file} is not as a fix writes it; take {work} away"]) from None
    if version != _VERSION or {key: said.get(key) for key in _said(job)} != _said(job):
        return {}
    return stamps


def _take_place(work: Path, target: Path) -> None:
    """Make all that was written durable, and give it its name; a folder that has it makes room first."""
    made, aside = work / _MADE, work / _REPLACED
    for folder, _, _ in os.walk(made):
        sync_folder(Path(folder))
    if target.exists():
        if aside.exists():
            shutil.rmtree(aside)
        target.rename(aside)
    made.rename(target)
    sync_folder(target.parent)
    shutil.rmtree(work)

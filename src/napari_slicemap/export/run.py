"""``run_export``: check, run, report."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path

from ..dataset import Dataset
from ..errors import PlanError, SlicemapError
from .choosing.items import ExportItem
from .plan import ExportPlan
from .records.shared_record import Journal, fold
from .running.checks import estimated_bytes, noted
from .running.lock import locked, remove_leftovers
from .running.outputs import Target
from .running.prepare import Prepared as Prepared
from .running.prepare import prepare as prepare
from .running.results import RESULTS_FILE, counted, write_results
from .running.results import ExportReport as ExportReport
from .running.resume import DONE_FOLDER, note_begun, note_ended
from .running.runner import ExportResult, JobItem, JobRunner, Strategy, one_line
from .running.strategies import find_strategy, strategy_faults
from .running.work import describe, describe_cell, make

_TOGETHER, _GROUPS = 32, 64
"""Small items that are made durable together at most, and groups that a run has at least to share out."""
_SMALL_BYTES = 2**20
"""Pixels of an item that is small: what goes with it costs more than they do."""

Progress = Callable[[ExportResult, int, int], None]


def run_export(
    plan: ExportPlan,
    dataset: Dataset,
    *,
    runner: str = "serial",
    workers: int | None = None,
    scheduler: str | None = None,
    resume: bool = False,
    on_progress: Progress | None = None,
    cancel: Callable[[], bool] | None = None,
) -> ExportReport:
    """Export what a plan asks for.

    Parameters
    ----------
    plan : ExportPlan
        What, how and where to.
    dataset : Dataset
        From what. Workers in other processes open it by its path: what is on disk is what counts there.
    runner : "serial", "threads" or "dask"
        One item after the other; several at a time in threads; or in processes of dask.distributed. The files are
        the same, to the byte.
    workers : int, optional
        With threads or dask: how many items at a time; as many as there are processors by default. Processes are
        started anew, so a script that asks for dask needs ``if __name__ == "__main__":``.
    scheduler : str, optional
        With dask: address of a cluster that is there already, such as ``tcp://10.0.0.1:8786``.
    resume : bool
        Skip items whose output an earlier run into the same folder has finished, if it is whole and would be made
        from the same item, plan, profile, sources and software.
    on_progress : callable, optional
        ``on_progress(result, done, total)`` after each item, as they come to an end.
    cancel : callable, optional
        Asked before each item and within long ones; once it says true, the rest is left undone.

    Returns
    -------
    ExportReport
        An item that fails does not stop the others; its result says why.

    Raises
    ------
    PlanError
        If the request is wrong, or another run is writing into the folder; all faults are listed, and nothing was
        written.
    """
    faults = strategy_faults(runner, workers, scheduler)
    prepared = noted(faults, lambda: prepare(plan, dataset, resume=resume))
    if faults:
        raise PlanError(faults)
    return run_prepared(prepared, find_strategy(runner, workers, scheduler), on_progress, cancel)


def run_prepared(
    prepared: Prepared,
    strategy: Strategy,
    on_progress: Progress | None = None,
    cancel: Callable[[], bool] | None = None,
) -> ExportReport:
    """Run a plan that passed every check; see :func:`run_export`.

    Raises
    ------
    PlanError
        If another run is writing into the folder.
    """
    folder = prepared.folder
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise PlanError([f"{folder} cannot be made: {error.strerror}; choose another output folder"]) from None
    with locked(folder):
        try:
            _clear_up(folder)
            prepared = replace(prepared, targets=prepared.choose_targets())  # files may have come since
            run = _Run(prepared, on_progress)
            run.begin()
        except OSError as error:
            raise PlanError([one_line(error, folder)]) from None
        return run.go(strategy, cancel)


def _clear_up(folder: Path) -> None:
    """Put in order what a run that was killed has left."""
    (folder / DONE_FOLDER).mkdir(exist_ok=True)
    remove_leftovers(folder)
    remove_leftovers(folder / DONE_FOLDER)
    fold(folder)


class _Run:
    """One run into a folder that is locked."""

    def __init__(self, prepared: Prepared, on_progress: Progress | None) -> None:
        self.prepared, self.folder = prepared, prepared.folder
        self.left = prepared.left()
        self.items = prepared.resolution.items
        self._on_progress = on_progress
        self.problems: list[str] = []
        pairs = zip(self.items, prepared.targets, strict=True)
        self._skipped = {item.item_id: _skipped(item, target) for item, target in pairs if target.done}
        self.jobs: JobRunner | None = None

    def begin(self) -> None:
        """Note what is going to be written."""
        note_begun(self.folder, [target.output for _, target in self.left])

    def go(self, strategy: Strategy, cancel: Callable[[], bool] | None) -> ExportReport:
        """Run the items that are left, and tell of all."""
        try:
            with self._journal() as journal:
                self.jobs = self._runner(strategy, cancel, journal)
                for number, result in enumerate(self._skipped.values(), 1):
                    self._tell(result, number)
                self.jobs.run()
        finally:  # an interrupted run tells of the files that it wrote, too
            self._end()
        results = self._results()
        counts = counted(results, len(self.items))
        return ExportReport(tuple(results), counts, self.prepared.resolution.left_out, tuple(self.problems))

    @contextmanager
    def _journal(self) -> Iterator[Journal | None]:
        if not self.prepared.shares_record or not self.left:
            yield None
            return
        with closing(Journal(self.folder, self.prepared.recipe.run_part)) as journal:
            yield journal

    def _runner(self, strategy: Strategy, cancel: Callable[[], bool] | None, journal: Journal | None) -> JobRunner:
        return JobRunner(
            [self._job(item, target.output) for item, target in self.left],
            on_progress=lambda result, done, _: self._tell(result, len(self._skipped) + done),
            cancel=cancel,
            strategy=strategy,
            group_size=self._group_size(),
            keep=None if journal is None else journal.keep,
        )

    def _group_size(self) -> int:
        """Say how many items are run as one: small ones only, and not so many that others would have nothing to do."""
        dataset, size = self.prepared.recipe.opened.dataset, min(_TOGETHER, len(self.left) // _GROUPS)
        if size <= 1 or self.prepared.writer.folder:
            return 1
        try:
            small = all(estimated_bytes(item, dataset) <= _SMALL_BYTES for item, _ in self.left)
        except SlicemapError:  # its size cannot be told; it will fail by name when it is rendered
            return 1
        return size if small else 1

    def _job(self, item: ExportItem, output: Path) -> JobItem:
        recipe = self.prepared.recipe
        shared = self.prepared.shares_record
        return JobItem(
            item_id=item.item_id,
            execute=partial(make, recipe, item),
            output_path=output,
            metadata={"kind": item.kind},
            describe=partial(describe_cell, output) if shared else partial(describe, recipe, output),
            folder=self.prepared.writer.folder,
        )

    def _tell(self, result: ExportResult, done: int) -> None:
        if self._on_progress is not None:
            self._on_progress(result, done, len(self.items))

    def _results(self) -> list[ExportResult]:
        """Give the results of all items that were done, in the order of the plan."""
        new = {} if self.jobs is None else {result.item_id: result for result in self.jobs.results}
        found = {**self._skipped, **new}
        return [found[item.item_id] for item in self.items if item.item_id in found]

    def _end(self) -> None:
        """Write the tables of the run; if that fails, the report tells of it."""
        results = self._results()
        finished = [result.output_path for result in results if result.ok]
        with self._told("the removal of temporary files"):  # a worker in another process may have been killed
            remove_leftovers(self.folder)
            remove_leftovers(self.folder / DONE_FOLDER)
        with self._told("the record of the cell crops"):
            fold(self.folder)
        with self._told("what is kept for resuming"):
            note_ended(self.folder, finished)
        with self._told(RESULTS_FILE):
            write_results(self.folder, results)

    @contextmanager
    def _told(self, what: str) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            self.problems.append(f"{what} is incomplete: {one_line(error, self.folder)}")


def _skipped(item: ExportItem, target: Target) -> ExportResult:
    assert target.done is not None
    metadata = {"kind": item.kind, "warnings": list(target.done.warnings)}
    return ExportResult(item.item_id, True, target.output, metadata=metadata, bytes=target.done.bytes, skipped=True)

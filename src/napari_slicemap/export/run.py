"""``run_export``: check, resolve, run, report."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from functools import cached_property, partial
from pathlib import Path

from ..dataset import Dataset
from ..errors import PlanError
from ..render.profile import Profile
from .checks import (
    checked_options,
    chosen_profile,
    folder_faults,
    map_faults,
    name_faults,
    noted,
    output_folder,
    side_faults,
    space_faults,
)
from .content import faults_of
from .items import ExportItem
from .lock import locked, remove_leftovers
from .outputs import Target, choose_targets
from .plan import ExportPlan
from .resolve import Resolution, resolve
from .results import RESULTS_FILE, counted, earlier_rows, write_results
from .results import ExportReport as ExportReport
from .resume import DONE_FOLDER, note_begun, note_ended
from .runner import ExportResult, JobItem, JobRunner, Strategy, one_line
from .shared_record import Journal, fold, read_runs
from .strategies import find_strategy, strategy_faults
from .work import Opened, Recipe, describe, describe_cell, make
from .writers import Writer, find_writer

MANY_CELLS = 100
"""From so many cell crops on, a run has one record for all of them."""
_TOGETHER = 32
"""Cell crops that are made durable together."""

Progress = Callable[[ExportResult, int, int], None]


@dataclass(frozen=True)
class Prepared:
    """A plan that passed every check.

    Parameters
    ----------
    plan : ExportPlan
        The plan.
    resolution : Resolution
        Its items.
    recipe : Recipe
        What they share: plan, profile as found now, options, dataset.
    writer : Writer
        Of the format.
    folder : Path
        Where to.
    targets : tuple of Target
        One for each item: its file, and whether an earlier run has done it.
    resume : bool
        Whether what an earlier run has done is taken up.
    """

    plan: ExportPlan
    resolution: Resolution
    recipe: Recipe
    writer: Writer
    folder: Path
    targets: tuple[Target, ...]
    resume: bool = False

    @property
    def outputs(self) -> tuple[Path, ...]:
        """The file of each item."""
        return tuple(target.output for target in self.targets)

    @cached_property
    def shares_record(self) -> bool:
        """Whether the items are so many cell crops that they share one record."""
        items = self.resolution.items
        return len(items) >= MANY_CELLS and all(item.kind == "cell" for item in items)

    def choose_targets(self) -> tuple[Target, ...]:
        """Choose the files by what is there now; see :func:`~.outputs.choose_targets`."""
        recipe = self.recipe if self.resume else None
        items, suffix = self.resolution.items, self.writer.suffix
        return tuple(choose_targets(items, suffix, self.folder, self.plan.overwrite, recipe))


def prepare(plan: ExportPlan, dataset: Dataset, *, resume: bool = False) -> Prepared:
    """Check everything that can be checked before anything runs. Writes nothing.

    Parameters
    ----------
    plan : ExportPlan
        What is asked for.
    dataset : Dataset
        What there is.
    resume : bool
        Take up what an earlier run into the same folder has done.

    Returns
    -------
    Prepared

    Raises
    ------
    PlanError
        Listing all faults at once.
    """
    faults: list[str] = []
    profile = noted(faults, lambda: chosen_profile(plan, dataset))
    resolution = noted(faults, lambda: resolve(plan, dataset))
    faults += name_faults(plan, profile, dataset)
    if resolution is not None:
        faults += map_faults(resolution, dataset)
    return prepare_items(plan, dataset, profile, resolution, faults, resume=resume)


def prepare_items(
    plan: ExportPlan,
    dataset: Dataset,
    profile: Profile | None,
    resolution: Resolution | None,
    faults: Sequence[str] = (),
    *,
    resume: bool = False,
    levels: Mapping[str, int] | None = None,
) -> Prepared:
    """Check what concerns items that are known already; see :func:`prepare`.

    Parameters
    ----------
    plan, dataset
        How, and from what.
    profile : Profile or None
        The profile; ``None`` where a fault says why there is none.
    resolution : Resolution or None
        The items; likewise.
    faults : sequence of str
        What was found wrong before.
    resume : bool
        As for :func:`prepare`.
    levels : mapping of str to int, optional
        Item → the stored level that it must be made from.

    Returns
    -------
    Prepared

    Raises
    ------
    PlanError
        Listing all faults at once.
    """
    faults = list(faults)
    writer = noted(faults, lambda: find_writer(plan.format))
    options = noted(faults, lambda: checked_options(writer, plan)) if writer else None
    folder = output_folder(plan, dataset)
    faults += folder_faults(folder)
    noted(faults, lambda: earlier_rows(folder))
    noted(faults, lambda: read_runs(folder))
    if resolution is not None and writer is not None:
        faults += faults_of(resolution.items, plan, writer)
        faults += side_faults(resolution.items, writer, dataset)
    made: Prepared | None = None
    if writer is not None and options is not None and profile is not None and resolution is not None:
        recipe = Recipe(plan, profile, options, Opened(dataset), levels or {})
        made = Prepared(plan, resolution, recipe, writer, folder, (), resume)
        targets = noted(faults, made.choose_targets)
        made = None if targets is None else replace(made, targets=targets)
    if resolution is not None:
        todo = [item for item, _ in _left(made)] if made else resolution.items
        faults += space_faults(todo, folder, dataset)
    if faults or made is None:
        raise PlanError(list(dict.fromkeys(faults)))
    return made


def _left(prepared: Prepared) -> list[tuple[ExportItem, Target]]:
    """Give the items that are still to be done."""
    pairs = zip(prepared.resolution.items, prepared.targets, strict=True)
    return [(item, target) for item, target in pairs if target.done is None]


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
        self.left = _left(prepared)
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
            group_size=1 if journal is None else _TOGETHER,
            keep=None if journal is None else journal.keep,
        )

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

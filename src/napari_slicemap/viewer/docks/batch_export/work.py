"""What the dock does in the background: check a plan, run it, do again what failed."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from ....dataset import Dataset
from ....errors import SlicemapError
from ....export.choosing.resolve import Resolution, resolve
from ....export.plan import ExportPlan
from ....export.run import run_export, run_prepared
from ....export.running.cancelling import Asked
from ....export.running.checks import checked_options, chosen_profile
from ....export.running.prepare import Prepared, prepare, prepare_items
from ....export.running.results import ExportReport
from ....export.running.runner import ExportResult
from ....export.running.strategies import find_strategy, strategy_faults
from ....export.writers import find_writer
from ..parts import counted, size_text, time_text, words_of
from .fitting import told_of_misfits
from .results import Line, planned_lines
from .where import Labour

Tell = Callable[[object], None]
_TIME_LEFT_AFTER_S = 3.0


@dataclass(frozen=True)
class Checked:
    """What a plan comes to, or what is in its way.

    Parameters
    ----------
    prepared : Prepared or None
        The plan, if nothing is in its way.
    lines : tuple of Line
        What would be done.
    faults : tuple of str
        What is in the way.
    misfits : tuple of str
        Which items would fail, because the profile has channels that they lack.
    """

    prepared: Prepared | None = None
    lines: tuple[Line, ...] = ()
    faults: tuple[str, ...] = ()
    misfits: tuple[str, ...] = ()


def check(plan: ExportPlan, dataset: Dataset, labour: Labour) -> Checked:
    """Check a plan as a run would, and list what it would do; nothing is written."""
    faults = strategy_faults(labour.runner, labour.workers, labour.scheduler)
    prepared = None
    try:
        prepared = prepare(plan, dataset, resume=labour.resume)
    except SlicemapError as error:
        faults += words_of(error)
    if faults or prepared is None:
        return Checked(faults=tuple(faults))
    misfits = told_of_misfits(prepared.resolution.items, chosen_profile(plan, dataset), dataset)
    return Checked(prepared, tuple(planned_lines(prepared, dataset)), misfits=tuple(misfits))


@dataclass(frozen=True)
class Advance:
    """How far a run is."""

    result: ExportResult
    done: int
    total: int


@dataclass(frozen=True)
class Ran:
    """A run that ended.

    Parameters
    ----------
    plan : ExportPlan
        What was asked for.
    labour : Labour
        Who did it.
    report : ExportReport or None
        How it went; ``None`` where nothing was begun.
    faults : tuple of str
        Why nothing was begun.
    """

    plan: ExportPlan
    labour: Labour
    report: ExportReport | None = None
    faults: tuple[str, ...] = ()

    @property
    def failed(self) -> tuple[str, ...]:
        """The items that failed."""
        return () if self.report is None else tuple(one.item_id for one in self.report.results if not one.ok)


def run(plan: ExportPlan, dataset: Dataset, labour: Labour, asked: Asked, tell: Tell) -> Ran:
    """Run a plan; a fault that is known by name is an answer, not an accident of the thread."""
    try:
        report = run_export(
            plan,
            dataset,
            runner=labour.runner,
            workers=labour.workers,
            scheduler=labour.scheduler,
            resume=labour.resume,
            on_progress=lambda result, done, total: tell(Advance(result, done, total)),
            cancel=asked,
        )
    except SlicemapError as error:
        return Ran(plan, labour, faults=tuple(words_of(error)))
    return Ran(plan, labour, report)


def retry(before: Ran, dataset: Dataset, asked: Asked, tell: Tell) -> Ran:
    """Do again what failed, under the names that it had: they are chosen among all items of the plan."""
    labour = before.labour
    try:
        failed = set(before.failed)
        left = tuple(item for item in resolve(before.plan, dataset).items if item.item_id in failed)
        profile = chosen_profile(before.plan, dataset)
        prepared = prepare_items(before.plan, dataset, profile, Resolution(left, ()))
        strategy = find_strategy(labour.runner, labour.workers, labour.scheduler)
        report = run_prepared(prepared, strategy, lambda result, done, total: tell(Advance(result, done, total)), asked)
    except SlicemapError as error:
        return Ran(before.plan, labour, before.report, tuple(words_of(error)))
    return Ran(before.plan, labour, report)


@dataclass
class Clock:
    """Says how long a run will still take, once it has taken a while."""

    started: float = field(default_factory=time.monotonic)

    def left(self, done: int, total: int) -> str:
        """Give ``"3 of 36, about 12 s left"``; without the time while that is a guess."""
        taken = time.monotonic() - self.started
        if done == 0 or done == total or taken < _TIME_LEFT_AFTER_S:
            return f"{done} of {total}"
        return f"{done} of {total}, about {time_text(max(10.0, taken / done * (total - done)))} left"


def told_of_check(checked: Checked) -> list[str]:
    """Say what a run would do."""
    assert checked.prepared is not None
    prepared = checked.prepared
    todo = [line for line in checked.lines if line.state == "planned"]
    said = f"{counted(len(todo), 'file')} into {prepared.folder}"
    if skipped := len(checked.lines) - len(todo):
        said += f"; {skipped} done already"
    return [said, *checked.misfits, *(f"Left out: {reason}" for reason in prepared.resolution.left_out)]


def told_of_run(ran: Ran) -> list[str]:
    """Say how a run went."""
    if ran.report is None:
        return list(ran.faults)
    counts, results = ran.report.counts, ran.report.results
    said = f"{counts['ok']} written"
    said += f" ({size_text(sum(one.bytes for one in results if one.ok and not one.skipped))})" if counts["ok"] else ""
    said += f", {counts['failed']} failed"
    said += f", {counts['skipped']} done already" if counts["skipped"] else ""
    said += f", {counts['cancelled']} not done (cancelled)" if counts["cancelled"] else ""
    failed = [f"✗ {one.item_id}: {one.error}" for one in results if not one.ok]
    return [said, *ran.report.problems, *failed]


def lost(plan: ExportPlan, wishes: dict[str, Any], dataset: Dataset | None) -> list[str]:
    """Say what of a plan the widgets do not say after they were made to show it.

    Parameters
    ----------
    plan : ExportPlan
        What was to be shown.
    wishes : dict
        What the widgets say now, as the content of a plan.
    dataset : Dataset or None
        What there is: items are compared, and not how they were chosen.

    Returns
    -------
    list of str
        Nothing where both mean the same.
    """
    if not wishes["select"]:
        return ["items that this dataset does not have"]
    shown = ExportPlan.model_validate(wishes)
    said = [
        f"{name} = {getattr(plan, name)}"
        for name in ExportPlan.model_fields
        if name not in ("select", "options") and getattr(plan, name) != getattr(shown, name)
    ]
    try:
        options = [checked_options(find_writer(one.format), one) for one in (plan, shown)]
    except SlicemapError as error:
        return [*said, *words_of(error)]
    said += [] if options[0] == options[1] else [f"options = {plan.options}"]
    if dataset is not None and _items(plan, dataset) != _items(shown, dataset):
        said.append("a choice of items, or an order, that the tables cannot hold")
    return said


def _items(plan: ExportPlan, dataset: Dataset) -> Any:
    try:
        return resolve(plan, dataset).items
    except SlicemapError as error:  # compared as well: the same plan has the same faults
        return words_of(error)

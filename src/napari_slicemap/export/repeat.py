"""``repeat_export``: an output once more, from the record beside it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from ..dataset import Dataset, open_dataset
from ..errors import FileFormatError, PlanError, SlicemapError, UnknownNameError
from ..files import read_json
from ..render.profile import Profile
from .choosing.items import ExportItem
from .choosing.resolve import Resolution
from .plan import ExportPlan, Overwrite
from .records.provenance import origin_of
from .records.shared_record import runs_in, single_records
from .run import Progress, run_prepared
from .running.prepare import Prepared, prepare_items
from .running.results import ExportReport
from .running.strategies import find_strategy

ChangedSources = Literal["refuse", "accept"]
_KEYS = ("item", "plan", "profile", "dataset", "sources", "map", "region", "level")


@dataclass(frozen=True)
class _Record:
    item: ExportItem
    plan: ExportPlan
    profile: Profile
    dataset: str
    origin: Mapping[str, Any]
    level: int


def repeat_export(
    sidecar: str | os.PathLike[str],
    output_folder: str | os.PathLike[str] | None = None,
    *,
    dataset: Dataset | None = None,
    item: str = "",
    changed_sources: ChangedSources = "refuse",
    overwrite: Overwrite | None = None,
    runner: str = "serial",
    workers: int | None = None,
    scheduler: str | None = None,
    resume: bool = False,
    on_progress: Progress | None = None,
    cancel: Callable[[], bool] | None = None,
) -> ExportReport:
    """Repeat outputs as their record says: item, plan and profile are those of then, and so are the pixels.

    Parameters
    ----------
    sidecar : path-like
        ``<output>.provenance.json``, or the ``export.provenance.json`` that cell crops share.
    output_folder : path-like, optional
        Where to; the record's own folder by default.
    dataset : Dataset, optional
        Where the data are now, if not where they were.
    item : str
        Of a record of many items: the one to repeat, such as ``cell:r1c1_cell_7``; all of them by default.
    changed_sources : "refuse" or "accept"
        What to do if a source file has another size or time than then, or the map lies otherwise.
    overwrite : "refuse", "overwrite" or "rename", optional
        What to do about files that are there; as in the plan by default.
    runner, workers, scheduler, resume, on_progress, cancel
        As for :func:`~.run.run_export`.

    Returns
    -------
    ExportReport

    Raises
    ------
    FileFormatError
        If the file is no record.
    UnknownNameError
        If it has no such item.
    PlanError
        Listing all that has changed, or that is wrong with the request.
    """
    strategy = find_strategy(runner, workers, scheduler)
    prepared = prepare_repeat(
        sidecar,
        output_folder,
        dataset=dataset,
        item=item,
        changed_sources=changed_sources,
        overwrite=overwrite,
        resume=resume,
    )
    return run_all(prepared, lambda one, tell: run_prepared(one, strategy, tell, cancel), on_progress)


def run_all(
    prepared: Sequence[Prepared], run: Callable[[Prepared, Progress], ExportReport], on_progress: Progress | None
) -> ExportReport:
    """Run plans one after the other, and report on them as on one.

    Parameters
    ----------
    prepared : sequence of Prepared
        The plans.
    run : callable
        ``run(prepared, on_progress)`` runs one.
    on_progress : callable, optional
        Told of the items of all of them.

    Returns
    -------
    ExportReport
    """
    total, reports = sum(len(one.targets) for one in prepared), list[ExportReport]()
    for one in prepared:
        before = sum(len(report.results) for report in reports)

        def tell(result: Any, done: int, _: int, before: int = before) -> None:
            if on_progress is not None:
                on_progress(result, before + done, total)

        reports.append(run(one, tell))
    keys = ("ok", "failed", "skipped", "cancelled")
    return ExportReport(
        tuple(result for report in reports for result in report.results),
        {key: sum(report.counts[key] for report in reports) for key in keys},
        problems=tuple(problem for report in reports for problem in report.problems),
    )


def prepare_repeat(
    sidecar: str | os.PathLike[str],
    output_folder: str | os.PathLike[str] | None = None,
    *,
    dataset: Dataset | None = None,
    item: str = "",
    changed_sources: ChangedSources = "refuse",
    overwrite: Overwrite | None = None,
    resume: bool = False,
) -> list[Prepared]:
    """Check what :func:`repeat_export` is to do. Writes nothing.

    Returns
    -------
    list of Prepared
        One for each plan and profile that the records name.
    """
    if changed_sources not in ("refuse", "accept"):
        raise PlanError([f"changed sources: {changed_sources!r} is neither refuse nor accept"])
    path = Path(sidecar)
    folder = path.parent if output_folder is None else Path(output_folder)
    records = _chosen(list(_read(path)), item, path)
    opened: dict[str, Dataset] = {}
    faults: list[str] = []
    made: list[Prepared] = []
    for group in _alike(records):
        try:
            there = dataset or _opened(opened, group[0].dataset)
            if changed_sources == "refuse":
                _refuse_changes(group, there, moved=dataset is not None)
            said = {"output_folder": str(folder), **({"overwrite": overwrite} if overwrite else {})}
            plan = group[0].plan.model_copy(update=said)
            levels = {one.item.item_id: one.level for one in group} if changed_sources == "refuse" else {}
            items = Resolution(tuple(one.item for one in group), ())
            made.append(prepare_items(plan, there, group[0].profile, items, resume=resume, levels=levels))
        except PlanError as error:
            faults += error.faults
        except SlicemapError as error:
            faults.append(str(error))
    if faults:
        raise PlanError(list(dict.fromkeys(faults)))
    return made


def _opened(opened: dict[str, Dataset], path: str) -> Dataset:
    if path not in opened:
        opened[path] = open_dataset(path)
    return opened[path]


def _refuse_changes(records: Sequence[_Record], dataset: Dataset, *, moved: bool) -> None:
    found = dict.fromkeys(change for one in records for change in _changes(one, dataset, moved=moved))
    if found:
        raise PlanError([f"{change}; --changed-sources accept takes it as it is" for change in found])


# --- records ------------------------------------------------------------------------------------------------------
def _read(path: Path) -> Iterator[_Record]:
    """Read the records in a file."""
    try:
        data = read_json(path)
    except FileNotFoundError:
        raise FileFormatError(f"{path}: there is no such record") from None
    shared = isinstance(data, dict) and "runs" in data
    for record in single_records(runs_in(data, path)) if shared else [data]:
        missing = [key for key in _KEYS if not isinstance(record, dict) or key not in record]
        if missing:
            raise FileFormatError(f"{path}: this is no record of an export: it lacks {', '.join(missing)}")
        if wrong := _wrong_parts(record):
            raise FileFormatError(
                f"{path}: this is no record of an export: {', '.join(wrong)} is not what it should be"
            )
        yield _Record(
            item=ExportItem.from_data(record["item"], f"{path}: item"),
            plan=ExportPlan.from_data(record["plan"], f"{path}: plan"),
            profile=Profile.from_data(record["profile"], f"{path}: profile"),
            dataset=record["dataset"]["path"],
            origin={key: record[key] for key in ("sources", "map", "region")},
            level=record["level"],
        )


def _wrong_parts(record: Mapping[str, Any]) -> list[str]:
    """List the parts of a record, of those that no model checks, that are of another kind."""
    dataset, sources, level = record["dataset"], record["sources"], record["level"]
    right = {
        "dataset": isinstance(dataset, dict) and isinstance(dataset.get("path"), str),
        "sources": isinstance(sources, list)
        and all(isinstance(one, dict) and {"path", "size", "mtime"} <= set(one) for one in sources)
        and all(isinstance(one["path"], str) for one in sources),
        "level": isinstance(level, int) and level >= 1,
    }
    return [name for name, fine in right.items() if not fine]


def _chosen(records: list[_Record], item: str, path: Path) -> list[_Record]:
    if not item:
        return records
    found = [record for record in records if record.item.item_id == item]
    if not found:
        raise UnknownNameError("item", item, [record.item.item_id for record in records], where=str(path))
    return found


def _alike(records: Sequence[_Record]) -> list[list[_Record]]:
    """Put records together that name the same plan, profile and dataset."""
    made: list[list[_Record]] = []
    for record in records:
        same = (record.plan, record.profile, record.dataset)
        group = next((one for one in made if (one[0].plan, one[0].profile, one[0].dataset) == same), None)
        if group is None:
            made.append([record])
        else:
            group.append(record)
    return made


# --- what has changed ---------------------------------------------------------------------------------------------
def _changes(record: _Record, dataset: Dataset, *, moved: bool) -> list[str]:
    """List what an output was made from that is no more what it was."""
    stem = record.item.stem
    now = origin_of(record.item, record.plan, dataset)
    recorded: list[dict[str, Any]] = record.origin["sources"]
    if len(recorded) != len(now["sources"]):
        names = {Path(one["path"]).name if moved else one["path"] for one in now["sources"]}
        gone = [one["path"] for one in recorded if (Path(one["path"]).name if moved else one["path"]) not in names]
        which = f": {gone[0]} is none of them" if gone else ""
        return [f"{stem} was made from {len(recorded)} files, and would now be made from {len(now['sources'])}{which}"]
    made = []
    for then, one in zip(recorded, now["sources"], strict=True):
        if not moved and then["path"] != one["path"]:
            made.append(f"{stem} was made from {then['path']}, and would now be made from {one['path']}")
        elif (then["size"], then["mtime"]) != (one["size"], one["mtime"]):
            made.append(f"{one['path']} {_difference(then, one)} since {stem} was made")
    made += [
        f"{stem} was made with the {key} {record.origin[key]}, which is now {now[key]}"
        for key in ("map", "region")
        if record.origin[key] != now[key]
    ]
    return made


def _difference(then: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    if now["size"] is None:
        return "has gone"
    if then["size"] is None:
        return "has come"
    if then["size"] != now["size"]:
        return f"has changed ({then['size']} bytes, now {now['size']})"
    return "has another time of change"

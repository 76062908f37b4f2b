"""``run_export``: check, resolve, run, report."""

from __future__ import annotations

import math
import os
import shutil
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pydantic

from ..dataset import Dataset
from ..errors import PlanError, SlicemapError, UnknownNameError, listing
from ..files import FileModel, explain, read_table, table_text, write_text
from ..render.profile import Profile
from .figure import render_item
from .items import ExportItem, Resolution, resolve
from .plan import ExportPlan
from .provenance import record, write_sidecar
from .runner import ExportResult, JobItem, JobRunner
from .writers import Writer, find_writer

RESULTS_FILE, LOG_FILE = "export_results.csv", "export.log"
RESULT_COLUMNS = (
    "item_id",
    "kind",
    "ok",
    "skipped",
    "output_path",
    "error",
    "seconds",
    "bytes",
    "warnings",
    "started_at",
)


@dataclass(frozen=True)
class ExportReport:
    """How an export went.

    Parameters
    ----------
    results : tuple of ExportResult
        One for each item that was begun, in order.
    counts : dict of str to int
        ``ok``, ``failed``, ``skipped``, ``cancelled``.
    left_out : tuple of str
        What was chosen but left out, with the reason.
    """

    results: tuple[ExportResult, ...]
    counts: Mapping[str, int]
    left_out: tuple[str, ...] = ()


@dataclass(frozen=True)
class Prepared:
    """A plan that passed every check.

    Parameters
    ----------
    plan : ExportPlan
        The plan.
    resolution : Resolution
        Its items.
    profile : Profile
        The profile as found now: later edits do not reach the run.
    writer : Writer
        Of the format.
    options : FileModel
        The writer's, validated.
    folder : Path
        Where to.
    outputs : tuple of Path
        One for each item.
    """

    plan: ExportPlan
    resolution: Resolution
    profile: Profile
    writer: Writer
    options: FileModel
    folder: Path
    outputs: tuple[Path, ...]


def prepare(plan: ExportPlan, dataset: Dataset) -> Prepared:
    """Check everything that can be checked before anything runs. Writes nothing.

    Parameters
    ----------
    plan : ExportPlan
        What is asked for.
    dataset : Dataset
        What there is.

    Returns
    -------
    Prepared

    Raises
    ------
    PlanError
        Listing all faults at once.
    """
    faults: list[str] = []
    writer = _noted(faults, lambda: find_writer(plan.format))
    options = _noted(faults, lambda: _options(writer, plan)) if writer else None
    profile = _noted(faults, lambda: _profile(plan, dataset))
    resolution = _noted(faults, lambda: resolve(plan, dataset))
    folder = _folder(plan, dataset)
    faults += _folder_faults(folder)
    _noted(faults, lambda: _earlier_rows(folder))
    faults += _name_faults(plan, profile, dataset)
    outputs: tuple[Path, ...] = ()
    if resolution is not None:
        faults += _map_faults(resolution, dataset)
        faults += _space_faults(resolution.items, folder, dataset)
        if writer is not None:
            faults += _side_faults(resolution.items, writer, dataset)
            outputs = _outputs(resolution.items, writer, folder, plan, faults)
    if faults or writer is None or options is None or profile is None or resolution is None:
        raise PlanError(faults)
    return Prepared(plan, resolution, profile, writer, options, folder, outputs)


def run_export(
    plan: ExportPlan,
    dataset: Dataset,
    *,
    runner: str = "serial",
    on_progress: Callable[[ExportResult, int, int], None] | None = None,
    cancel: Callable[[], bool] | None = None,
) -> ExportReport:
    """Export what a plan asks for.

    Parameters
    ----------
    plan : ExportPlan
        What, how and where to.
    dataset : Dataset
        From what.
    runner : "serial"
        How items are run.
    on_progress : callable, optional
        ``on_progress(result, done, total)`` after each item.
    cancel : callable, optional
        Asked before each item; once it says true, the rest is left undone.

    Returns
    -------
    ExportReport
        An item that fails does not stop the others; its result says why.

    Raises
    ------
    PlanError
        If the request is wrong; all faults are listed, and nothing was written.
    """
    if runner != "serial":
        raise PlanError([f"unknown runner {runner!r} (there is serial)"])
    prepared = prepare(plan, dataset)
    jobs = [
        JobItem(
            item_id=item.item_id,
            execute=partial(_execute, prepared, dataset, item),
            output_path=output,
            metadata={"kind": item.kind},
            finish=write_sidecar,
        )
        for item, output in zip(prepared.resolution.items, prepared.outputs, strict=True)
    ]
    prepared.folder.mkdir(parents=True, exist_ok=True)
    job = JobRunner(jobs, on_progress=on_progress, cancel=cancel)
    try:
        results = job.run()
    finally:  # an interrupted run tells of the files that it wrote, too
        _write_results(prepared.folder, job.results)
    counts = {
        "ok": sum(result.ok and not result.skipped for result in results),
        "failed": sum(not result.ok for result in results),
        "skipped": sum(result.skipped for result in results),
        "cancelled": len(jobs) - len(results),
    }
    return ExportReport(tuple(results), counts, prepared.resolution.left_out)


def _execute(prepared: Prepared, dataset: Dataset, item: ExportItem, path: Path) -> dict[str, Any]:
    """Render one item while it is written to `path`; give what its result should carry."""
    figure = render_item(item, prepared.plan, prepared.profile, dataset)
    prepared.writer.write(path, figure, prepared.options)
    # only now: what could not be read is known once the picture was painted
    made = record(item, prepared.plan, prepared.profile, dataset, figure)
    return {"warnings": list(figure.warnings), "shape": figure.picture.shape, "provenance": made}


# --- checks -----------------------------------------------------------------------------------------------------
def _noted(faults: list[str], find: Callable[[], Any]) -> Any:
    """Find something, or note why it cannot be found and give ``None``."""
    try:
        return find()
    except PlanError as error:
        faults += error.faults
    except SlicemapError as error:
        faults.append(str(error))
    return None


def _options(writer: Writer, plan: ExportPlan) -> FileModel:
    try:
        return writer.Options.model_validate(plan.options)
    except pydantic.ValidationError as error:
        raise PlanError([f"options of {writer.name}: {explain(error, writer.Options)}"]) from None


def _profile(plan: ExportPlan, dataset: Dataset) -> Profile:
    if plan.profile:
        return dataset.profiles[plan.profile]
    profile = dataset.profiles.get_default()
    if profile is None:
        raise PlanError([f"dataset {dataset.name} has no profile yet; `slicemap init` makes one from percentiles"])
    return profile


def _name_faults(plan: ExportPlan, profile: Profile | None, dataset: Dataset) -> list[str]:
    """List names that no FOV has; a name that only some FOVs lack fails their items alone."""
    there: list[tuple[str, Sequence[str], set[str]]] = [
        ("channel", list(profile.channels) if profile else [], set(dataset.channels)),
        ("mask", plan.overlays.masks, {name for fov in dataset.fovs.values() for name in fov.masks}),
        (
            "annotation",
            plan.overlays.annotations,
            {n for fov in dataset.fovs.values() for n in fov.annotations},
        ),
    ]
    where = {"channel": f"profile {profile.name}"} if profile else {}
    return [
        str(UnknownNameError(kind, name, sorted(known), where=where.get(kind, "")))
        for kind, names, known in there
        for name in names
        if name not in known
    ]


def _map_faults(resolution: Resolution, dataset: Dataset) -> list[str]:
    if not resolution.items:
        return ["nothing to export: " + ("; ".join(resolution.left_out) or "the choice is empty")]
    unplaced = {item.map_id for item in resolution.items if not item.fov} - set(dataset.maps)
    return [str(UnknownNameError("map", name, dataset.maps)) for name in sorted(unplaced)]


def _folder(plan: ExportPlan, dataset: Dataset) -> Path:
    if not plan.output_folder:
        return dataset.places.written("exports")
    folder = Path(plan.output_folder)
    with suppress(RuntimeError):  # "~name" where nobody is called so is a folder of that name
        folder = folder.expanduser()
    return folder


def _folder_faults(folder: Path) -> list[str]:
    standing = next(parent for parent in (folder, *folder.absolute().parents) if parent.exists())
    if not standing.is_dir():
        return [f"{standing} is a file; the output folder cannot be made there"]
    if not os.access(standing, os.W_OK):
        return [f"{standing} cannot be written to; choose another output folder"]
    return []


def _outputs(
    items: Sequence[ExportItem], writer: Writer, folder: Path, plan: ExportPlan, faults: list[str]
) -> tuple[Path, ...]:
    outputs = [folder / f"{item.stem}{writer.suffix}" for item in items]
    standing = [path.name for path in outputs if path.exists()]
    if standing and plan.overwrite == "refuse":
        faults.append(f"{folder} already holds {listing(standing, 3)}; choose another folder, or overwrite or rename")
    if plan.overwrite == "rename":
        outputs = _renamed(outputs)
    return tuple(outputs)


def _renamed(outputs: Sequence[Path]) -> list[Path]:
    made: list[Path] = []
    taken = {path for path in outputs if not path.exists()}
    for path in outputs:
        candidate, number = path, 2
        while candidate.exists() or (candidate != path and candidate in taken):
            candidate, number = path.with_name(f"{path.stem}_{number}{path.suffix}"), number + 1
        taken.add(candidate)
        made.append(candidate)
    return made


def estimated_shape(item: ExportItem, dataset: Dataset) -> tuple[int, int]:
    """Give ``(height, width)`` of an item's picture, px, which where a region reaches beyond its FOV is less."""
    if item.region is not None:
        height, width = item.region.window().shape
    elif item.fov:
        width, height = dataset.fovs[item.fov].size_px
    else:
        height, width = dataset.maps[item.map_id].shape
    return math.ceil(height / item.downsample), math.ceil(width / item.downsample)


def estimated_bytes(item: ExportItem, dataset: Dataset) -> int:
    """Give the size of an item's pixels as RGBA, which its file seldom exceeds."""
    return 4 * math.prod(estimated_shape(item, dataset))


def _side_faults(items: Sequence[ExportItem], writer: Writer, dataset: Dataset) -> list[str]:
    """List items whose pictures are wider or higher than the format can hold."""
    made = []
    for item in items:
        with suppress(SlicemapError):  # its size cannot be told; it will fail by name when it is rendered
            height, width = estimated_shape(item, dataset)
            if max(height, width) > writer.largest_side:
                made.append(
                    f"{item.stem}: {width} × {height} px is more than {writer.name} holds "
                    f"({writer.largest_side} px a side); choose a larger downsample"
                )
    return made


def _space_faults(items: Sequence[ExportItem], folder: Path, dataset: Dataset) -> list[str]:
    needed = 0
    for item in items:
        try:
            needed += estimated_bytes(item, dataset)
        except SlicemapError:  # its size cannot be told; it will fail by name when it is rendered
            continue
    standing = next(parent for parent in (folder, *folder.absolute().parents) if parent.exists())
    free = shutil.disk_usage(standing).free
    if needed > free:
        return [f"{folder}: {needed / 2**30:.1f} GiB may be needed, but only {free / 2**30:.1f} GiB are free"]
    return []


# --- results ------------------------------------------------------------------------------------------------------
def _write_results(folder: Path, results: Sequence[ExportResult]) -> None:
    """Write ``export_results.csv``; rows of earlier runs into the folder stay, unless done anew."""
    path = folder / RESULTS_FILE
    rows = [_result_row(folder, result) for result in results]
    done = {row["output_path"] for row in rows}
    kept = [row for row in _earlier_rows(folder) if row["output_path"] not in done]
    write_text(path, table_text(RESULT_COLUMNS, [*kept, *rows]))
    traces = [f"{r.started_at} {r.item_id}: {r.error}\n{r.traceback}" for r in results if r.traceback]
    if traces:
        with (folder / LOG_FILE).open("a", encoding="utf-8") as log:
            log.write("\n".join(traces) + "\n")


def _earlier_rows(folder: Path) -> list[dict[str, str]]:
    path = folder / RESULTS_FILE
    return [row.cells for row in read_table(path, RESULT_COLUMNS)] if path.is_file() else []


def _result_row(folder: Path, result: ExportResult) -> dict[str, object]:
    return {
        "item_id": result.item_id,
        "kind": result.metadata.get("kind", ""),
        "ok": str(result.ok).lower(),
        "skipped": str(result.skipped).lower(),
        "output_path": result.output_path.relative_to(folder).as_posix(),
        "error": result.error,
        "seconds": f"{result.seconds:.3f}",
        "bytes": result.bytes,
        "warnings": "; ".join(result.metadata.get("warnings", [])),
        "started_at": result.started_at,
    }

"""Processing of a stack from file to files: check, read, process, write, record."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from ...errors import PlanError, SlicemapError, listing
from ...files import json_safe, now_iso, to_json
from ...images.stack.image_stack import ImageStack
from ...images.stack.processing import Progress, apply_steps, check_steps
from ...images.stack.steps import find_step
from ..records.provenance import output_part, sidecar_path, sidecar_text, software
from ..running.checks import folder_faults
from ..running.runner import ExportResult, JobItem, JobRunner
from .bundles import bundle_path, stack_stem, write_bundle
from .process_plan import GifStyle, ProcessPlan

T = TypeVar("T")


@dataclass(frozen=True)
class Prepared:
    """A plan that passed every check.

    Parameters
    ----------
    plan : ProcessPlan
        The plan.
    stack : ImageStack
        As read.
    stem : str
        Of the files: with a number where they are renamed, and ``_filtered`` where processed frames are written.
    outputs : mapping of str to Path
        Format → file.
    """

    plan: ProcessPlan
    stack: ImageStack
    stem: str
    outputs: Mapping[str, Path]


# --- checks: everything before anything is written ----------------------------------------------------------------
def prepare(plan: ProcessPlan, faults: Sequence[str] = ()) -> Prepared:
    """Read the stack, and check everything that can be checked. Writes nothing.

    Parameters
    ----------
    plan : ProcessPlan
        What is asked for.
    faults : sequence of str
        What was found wrong before, to be listed with what is found here.

    Returns
    -------
    Prepared

    Raises
    ------
    PlanError
        Listing all faults at once.
    """
    faults = [*faults, *folder_faults(plan.output_folder)]
    _noted(faults, lambda: check_steps(plan.processing))
    known = not faults  # else nobody knows what the outputs are called
    stack = _noted(faults, lambda: _read(plan))
    if stack is not None and "gif" in plan.formats:
        faults += _gif_faults(plan, stack)
    made = _noted(faults, lambda: _outputs(plan, stack)) if known and stack is not None else None
    if faults or stack is None or made is None:
        raise PlanError(faults)
    return Prepared(plan, stack, *made)


def _noted(faults: list[str], find: Callable[[], T]) -> T | None:
    """Find something, or note why it cannot be found and give ``None``."""
    try:
        return find()
    except PlanError as error:
        faults += error.faults
    except (SlicemapError, OSError) as error:
        faults.append(str(error))
    return None


def _read(plan: ProcessPlan) -> ImageStack:
    from ...images.stack.reading import read_stack

    stack = read_stack(plan.source, plan.channel)
    if plan.raw:
        stack.raw()
    return stack


def _gif_faults(plan: ProcessPlan, stack: ImageStack) -> list[str]:
    """Find out what can be known of the GIF before the steps are run; limits wait for what they give."""
    from ..movies.timing import delays_ms
    from .figures import stack_frames

    faults: list[str] = []
    shown = stack.raw() if plan.raw else stack
    style = plan.gif.model_dump(exclude={"zmin", "zmax", "fps"})
    for check in (
        lambda: delays_ms(shown.times_s, str(shown), plan.gif.fps),
        lambda: stack_frames(shown, zmin=0, zmax=1, **style),
    ):
        _noted(faults, check)
    return faults


def _outputs(plan: ProcessPlan, stack: ImageStack) -> tuple[str, Mapping[str, Path]]:
    """Give the stem of the files and the files; to rename, with the first number that none of them has."""
    filters = any(find_step(step.name).step_type == "filter" for step in plan.processing)
    filtered = not plan.raw and (stack.is_processed or filters)
    number = 0
    while True:
        number += 1
        stem = stack_stem(plan.name if number == 1 else f"{plan.name}_{number}", filtered=filtered)
        outputs: dict[str, Path] = {one: _output(plan.output_folder, stem, one) for one in plan.formats}
        standing = [path.name for path in outputs.values() if path.exists()]
        if standing and plan.overwrite == "refuse":
            where = f"{plan.output_folder} already holds {listing(standing, 3)}"
            raise PlanError([f"{where}; choose another folder or name, or overwrite or rename"])
        if not standing or plan.overwrite == "overwrite":
            return stem, outputs


def _output(folder: Path, stem: str, format_name: str) -> Path:
    return folder / f"{stem}.gif" if format_name == "gif" else bundle_path(folder, stem, format_name)


# --- doing it -----------------------------------------------------------------------------------------------------
def run(prepared: Prepared, *, on_progress: Callable[[Progress], None] | None = None) -> list[ExportResult]:
    """Process the stack, and write each output with its record.

    Parameters
    ----------
    prepared : Prepared
        From :func:`prepare`.
    on_progress : callable, optional
        Told after each frame of each step.

    Returns
    -------
    list of ExportResult
        One for each output; one that fails does not stop the others.
    """
    times: dict[int, str] = {}

    def tell(progress: Progress) -> None:
        if progress.frame == progress.frames:
            times[progress.step] = now_iso()
        if on_progress is not None:
            on_progress(progress)

    plan, stack = prepared.plan, prepared.stack
    stack = stack.raw() if plan.raw else apply_steps(stack, plan.processing, on_progress=tell)
    jobs = [
        JobItem(
            item_id=f"stack:{prepared.stem}",
            execute=partial(_write, stack, one, plan.gif),
            output_path=path,
            metadata={"kind": "stack"},
            describe=partial(_described, stack, one, plan, times, path),
        )
        for one, path in prepared.outputs.items()
    ]
    return JobRunner(jobs).run()


def _write(stack: ImageStack, format_name: str, gif: GifStyle, path: Path) -> dict[str, Any]:
    """Write one output to `path`; give what its result should carry."""
    warnings = [note for step in stack.steps for note in _notes(step)]
    if format_name == "gif":
        from .gif import write_stack_gif

        record = {"version": 1, "item": _item(stack, format_name), "gif": gif, "history": stack.provenance}
        warnings += write_stack_gif(path, stack, **gif.model_dump(), comment=to_json(record, indent=None))
    else:
        # a format may have a suffix of its own, which the temporary file has not
        write_bundle(path, stack, format_name).replace(path)
    return {"warnings": warnings}


def _described(
    stack: ImageStack,
    format_name: str,
    plan: ProcessPlan,
    times: Mapping[int, str],
    output: Path,
    temporary: Path,
    metadata: Mapping[str, Any],
) -> tuple[Mapping[str, Any], Mapping[Path, str]]:
    """Give the sidecar of an output that is written, but has no name yet."""
    record = stack_record(stack, format_name, plan, times, metadata["warnings"])
    return metadata, {sidecar_path(output): sidecar_text(record, output_part(output, temporary))}


def _notes(step: Any) -> list[str]:
    found = step.get("notes", []) if isinstance(step, Mapping) else []
    return [f"step {step['index']} {step['name']}: {note}" for note in found]


def stack_record(
    stack: ImageStack, format_name: str, plan: ProcessPlan, times: Mapping[int, str], warnings: Sequence[str]
) -> dict[str, Any]:
    """Describe how an output of a stack was made, but for the output itself.

    Parameters
    ----------
    stack : ImageStack
        What was written.
    format_name : str
        As what.
    plan : ProcessPlan
        What was asked for.
    times : mapping of int to str
        Step index → when it was done, ISO 8601 UTC. Times stand here and not in the output itself, whose bytes are
        the same whenever it is made again.
    warnings : sequence of str
        What could not be done.

    Returns
    -------
    dict
        Fit for strict JSON.
    """
    stat = plan.source.stat()
    made = {
        "version": 1,
        "software": software(),
        "item": _item(stack, format_name),
        "plan": plan,
        "profile": None,
        "sources": [{"path": plan.source.resolve(), "size": stat.st_size, "mtime": stat.st_mtime}],
        "map": None,
        "region": None,
        "pixel_size_um": float(stack.pixel_size_nm) / 1000,
        "downsample": 1,
        "missing_tiles": [],
        "warnings": list(warnings),
        "history": _timed(stack.provenance, times),
    }
    safe: dict[str, Any] = json_safe(made)
    return safe


def _item(stack: ImageStack, format_name: str) -> dict[str, Any]:
    return {"kind": "stack", "name": stack.name, "channel": stack.channel, "format": format_name}


def _timed(provenance: Mapping[str, Any], times: Mapping[int, str]) -> dict[str, Any]:
    """Give the history of a stack, with the time of each step that was done just now."""
    if not times:
        return dict(provenance)
    processing = provenance["processing"]
    steps = [
        {**one, "timestamp": times[one["index"]]} if one.get("index") in times else one for one in processing["steps"]
    ]
    return {**provenance, "processing": {**processing, "steps": steps}}

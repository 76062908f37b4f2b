"""Before a conversion: every check, all faults at once, and what an earlier run has done."""

from __future__ import annotations

import shutil
from dataclasses import dataclass, replace
from pathlib import Path

from ...dataset import Dataset
from ...errors import PlanError, TileReadError
from ...images.ome_zarr.collection import Collection
from ..plan import ExportPlan
from ..records.sources import sources_of
from ..running.checks import folder_faults, noted
from ..running.drafts import size_of
from .plan import ConvertPlan, ImageTask, export_plan, not_carried, tasks_of
from .state import State, Workplace, out_faults, record_of, still_true
from .unfinished import UnfinishedImage

_WITH_LEVELS = 4 / 3
"""Px of an image and its coarser levels for each px of the image."""


@dataclass(frozen=True)
class Conversion:
    """A conversion that passed every check.

    Parameters
    ----------
    plan : ConvertPlan
        What was asked for.
    dataset : Dataset
        From what.
    out : Path
        Where to.
    tasks : tuple of ImageTask
        The images.
    done : frozenset of str
        Paths of those that an earlier run has finished.
    finished : bool
        All is there: nothing is left to do.
    state : State
        What it is begun with.
    force : bool
        What is there is to be replaced.
    notes : tuple of str
        What the output has no place for.
    """

    plan: ConvertPlan
    dataset: Dataset
    out: Path
    tasks: tuple[ImageTask, ...]
    done: frozenset[str]
    finished: bool
    state: State
    force: bool
    notes: tuple[str, ...]

    @property
    def single(self) -> bool:
        """Whether the output is one image, and no collection."""
        return len(self.tasks) == 1

    def path_of(self, task: ImageTask) -> Path:
        """Give where an image lies once the conversion is finished."""
        return self.out if self.single else self.out / task.path


def prepare_conversion(dataset: Dataset, out: Path, plan: ConvertPlan, *, force: bool = False) -> Conversion:
    """Check everything that can be checked before anything runs. Writes nothing.

    Raises
    ------
    PlanError
        Listing all faults at once.
    """
    faults = out_faults(out, dataset)
    tasks = noted(faults, lambda: tasks_of(export_plan(plan, dataset), dataset))
    if tasks is not None and not tasks:
        faults.append(f"dataset {dataset.name} has no {'FOV' if plan.kind == 'fov' else 'map'} to convert")
    faults += folder_faults(out.absolute().parent)
    if faults:
        raise PlanError(faults)
    state = State.of(plan, tasks, dataset)
    notes = tuple(not_carried(plan, tasks, dataset))
    made = Conversion(plan, dataset, out, tuple(tasks), frozenset(), False, state, force, notes)
    made = made if force else _taken_up(made)
    pixels = sum(_bytes_of(task, dataset) for task in tasks if task.path not in made.done)
    there = sum(size_of(one.folder) for one in _unfinished(made) if one.worth_keeping)
    needed = (pixels * _WITH_LEVELS - there) / 2**30
    free = shutil.disk_usage(next(one for one in out.absolute().parents if one.exists())).free / 2**30
    if needed > free:
        raise PlanError([f"{out}: {needed:.1f} GiB may be needed, but only {free:.1f} GiB are free"])
    return made


def _unfinished(conversion: Conversion) -> list[UnfinishedImage]:
    """List where images are that are not done, if they were begun."""
    left = (task for task in conversion.tasks if task.path not in conversion.done and not conversion.force)
    return [UnfinishedImage(written_at(conversion, task)[-1]) for task in left]


def _taken_up(conversion: Conversion) -> Conversion:
    """Find out what an earlier run has done.

    Raises
    ------
    PlanError
        If what is there was not made of the same.
    """
    out, tasks = conversion.out, conversion.tasks
    begun = Workplace(out).begun()
    if begun is not None:
        begun.check(conversion.state, out)
        there = (task.path for task in tasks if any(path.is_dir() for path in written_at(conversion, task)))
        return replace(conversion, done=frozenset(there))
    if not out.exists() or not any(out.iterdir()):
        return conversion
    collection = Collection.read(out)
    if collection is not None and collection.unfinished:
        raise PlanError([f"{out} is unfinished, and what was kept to go on with it is gone; --force begins it anew"])
    said = Collection.of_image(out) if conversion.single else collection
    of = export_plan(conversion.plan, conversion.dataset)
    if said != collection_of(conversion) or not all(_is_current(conversion, of, task) for task in tasks):
        raise PlanError([f"{out} is there already, and not what would be written now; --force replaces it"])
    return replace(conversion, done=frozenset(task.path for task in tasks), finished=True)


def _is_current(conversion: Conversion, of: ExportPlan, task: ImageTask) -> bool:
    """Say whether a finished image is what would be written now."""
    dataset = conversion.dataset
    record = record_of(task, conversion.plan, of, dataset)
    return still_true(conversion.path_of(task), record, sources_of(task.item, of, dataset))


def written_at(conversion: Conversion, task: ImageTask) -> list[Path]:
    """Give where an image lies once it was written; a single one before and after it became the output."""
    path = conversion.path_of(task)
    return [path, Workplace(conversion.out).image] if conversion.single else [path]


def _bytes_of(task: ImageTask, dataset: Dataset) -> int:
    """Give the size of the pixels of an image; 0 where its files cannot be read, and it will fail by name."""
    item = task.item
    try:
        if item.fov:
            first = dataset.fovs[item.fov]
            width, height = first.size_px
            channels = len(first.channels)
        else:
            one = dataset.maps[item.map_id]
            height, width = one.shape
            first = next(tile.fov for tile in one.placement.tiles if tile.fov)
            channels = len(one.channels)
        times, _, depth, *_ = first.shape
        size = next(iter(first.planes.values())).dtype.itemsize
    except (TileReadError, StopIteration):
        return 0
    return times * channels * depth * size * width * height


def collection_of(conversion: Conversion, unfinished: bool = False) -> Collection:
    """Give what is said of the places of all images; a single one says it itself, of ``"."``."""
    dataset, tasks = conversion.dataset, conversion.tasks
    images = {"." if conversion.single else task.path: task.place for task in tasks}
    stage_y = dataset.stage_y if dataset.stage_y_stated else None
    return Collection(stage_y=stage_y, unfinished=unfinished, images=images)

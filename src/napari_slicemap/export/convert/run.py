"""``convert_dataset``: check, write, read back, name."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from ...dataset import Dataset
from ...errors import PlanError, TileReadError, listing
from ...files import sync_folder
from ...images.image import ImageInfo
from ...images.ome_zarr.checkpoints import Checkpoints, has_checkpoints
from ...images.ome_zarr.collection import Collection
from ...images.ome_zarr.metadata import OWN, collection_attributes, series_attributes
from ...images.ome_zarr.writer import write_ome_zarr
from ...images.ome_zarr.zarr_image import ZarrImage
from ...images.source import ImageSource
from ..plan import ExportPlan
from ..running import cancelling
from ..running.checks import noted
from ..running.drafts import size_of
from ..running.lock import remove_leftovers
from ..running.results import ExportReport, counted
from ..running.runner import ExportResult, JobItem, JobRunner, Strategy, in_series
from ..running.strategies import find_strategy, strategy_faults
from ..running.work import Opened
from .checking import Witness, read_back
from .metadata_xml import write_metadata_xml
from .pixels import read_image
from .plan import OME_GROUP, ConvertPlan, ImageTask, export_plan
from .prepare import Conversion, collection_of, prepare_conversion, written_at
from .state import Workplace, record_of, state_of
from .unfinished import UnfinishedImage

Progress = Callable[[ExportResult, int, int], None]


def convert_dataset(
    dataset: Dataset,
    out: str | os.PathLike[str],
    plan: ConvertPlan | None = None,
    *,
    runner: str | None = None,
    workers: int | None = None,
    scheduler: str | None = None,
    force: bool = False,
    on_progress: Progress | None = None,
    cancel: Callable[[], bool] | None = None,
) -> ExportReport:
    """Convert a dataset to OME-Zarr; each image takes its name once it was read back and found to be right.

    One image becomes `out` itself. Several become a collection (``bioformats2raw.layout`` 3) that opens as the same
    maps. A conversion that was stopped goes on when it is started again.

    Parameters
    ----------
    dataset : Dataset
        From what.
    out : path-like
        Where to: a folder called ``something.ome.zarr``.
    plan : ConvertPlan, optional
        What, and how; every FOV by default.
    runner : "serial", "threads" or "dask", optional
        As in :func:`~napari_slicemap.run_export`; threads by default, where there are several images.
    workers, scheduler
        As in :func:`~napari_slicemap.run_export`.
    force : bool
        Replace OME-Zarr that is there.
    on_progress : callable, optional
        ``on_progress(result, done, total)`` after each image.
    cancel : callable, optional
        Asked before each image and within it; once it says true, the rest is left undone.

    Returns
    -------
    ExportReport
        An image that fails does not stop the others; the collection stays marked as unfinished then.

    Raises
    ------
    PlanError
        If the request is wrong; all faults are listed, and nothing was written.
    """
    faults = strategy_faults(runner or "threads", workers, scheduler)
    conversion = noted(faults, lambda: prepare_conversion(dataset, Path(out), plan or ConvertPlan(), force=force))
    if faults:
        raise PlanError(faults)
    return run_conversion(conversion, choose_strategy(conversion, runner, workers, scheduler), on_progress, cancel)


def choose_strategy(
    conversion: Conversion, runner: str | None, workers: int | None = None, scheduler: str | None = None
) -> Strategy:
    """Choose how: the one named; else threads, and for a single image, which uses all processors itself, none."""
    if runner is None and workers is None and not scheduler and len(conversion.tasks) - len(conversion.done) <= 1:
        return in_series
    return find_strategy(runner or ("dask" if scheduler else "threads"), workers, scheduler)


# --- running --------------------------------------------------------------------------------------------------
def run_conversion(
    conversion: Conversion,
    strategy: Strategy = in_series,
    on_progress: Progress | None = None,
    cancel: Callable[[], bool] | None = None,
) -> ExportReport:
    """Run a conversion that passed every check; see :func:`convert_dataset`.

    Raises
    ------
    PlanError
        If another one is writing the output.
    """
    skipped = {task.path: _skipped(conversion, task) for task in conversion.tasks if task.path in conversion.done}
    total = len(conversion.tasks)

    def tell(result: ExportResult, done: int, _: int = 0) -> None:
        if on_progress is not None:
            on_progress(_named(conversion, result), len(skipped) + done, total)

    for number, result in enumerate(skipped.values(), 1 - len(skipped)):
        tell(result, number)

    def tell_made(result: ExportResult, done: int, _: int) -> None:
        if result.ok:
            UnfinishedImage(result.output_path).discard()
        tell(result, done)

    made: list[ExportResult] = []
    if not conversion.finished:
        workplace = Workplace(conversion.out)
        with workplace.locked():
            _begin(conversion, workplace)
            jobs = _jobs(conversion)
            made = JobRunner(jobs, on_progress=tell_made, cancel=cancel, strategy=strategy).run()
            if len(made) + len(skipped) == total and all(result.ok for result in made):
                _finish(conversion, workplace, made)
            elif conversion.single and not UnfinishedImage(workplace.image).worth_keeping:
                workplace.end()
    found = {**{f"image:{path}": one for path, one in skipped.items()}, **{one.item_id: one for one in made}}
    ids = [f"image:{task.path}" for task in conversion.tasks]
    results = [_named(conversion, found[one]) for one in ids if one in found]
    return ExportReport(tuple(results), counted(results, total))


def _skipped(conversion: Conversion, task: ImageTask) -> ExportResult:
    path = next(path for path in written_at(conversion, task) if path.is_dir())
    metadata: dict[str, Any] = {"kind": conversion.plan.kind, "warnings": []}
    return ExportResult(f"image:{task.path}", True, path, metadata=metadata, bytes=size_of(path), skipped=True)


def _named(conversion: Conversion, result: ExportResult) -> ExportResult:
    """Give a result with the path that its image has in the end."""
    return replace(result, output_path=conversion.out) if conversion.single else result


def _begin(conversion: Conversion, workplace: Workplace) -> None:
    """Write what an unfinished conversion is known by, or check that it is what this one goes on with."""
    if conversion.force:
        workplace.clear()
    begun = workplace.begun()
    if begun is not None:
        begun.check(conversion.state, conversion.out)  # somebody else may have begun since
        for task in conversion.tasks:
            UnfinishedImage(written_at(conversion, task)[-1]).settle()
        remove_leftovers(workplace.folder)
        remove_leftovers(conversion.out)
    workplace.begin(conversion.state)
    if not conversion.single:
        _write_collection(conversion, unfinished=True)


def _write_collection(conversion: Conversion, *, unfinished: bool) -> None:
    """Write the groups that tell of all images; over those that are there, too."""
    import zarr

    version = conversion.plan.options.version
    collection = collection_of(conversion, unfinished)
    attributes = {**collection_attributes(version), **collection.attributes()}
    series = series_attributes([task.path for task in conversion.tasks], version)
    for path, said in ((conversion.out / OME_GROUP, series), (conversion.out, attributes)):
        group = zarr.open_group(path, mode="a", zarr_format=2 if version == "0.4" else 3)
        group.attrs.put(said)
        sync_folder(path)


def _finish(conversion: Conversion, workplace: Workplace, made: Sequence[ExportResult]) -> None:
    """Let the output be what it was meant to be, and forget that it was unfinished."""
    if conversion.single:
        if workplace.image.exists():  # or else it was killed right after this
            workplace.image.rename(conversion.out)
            sync_folder(conversion.out.absolute().parent)
    else:
        known: dict[str, ImageInfo] = {result.item_id: result.metadata["info"] for result in made}
        images = {
            task.path: (task.place.fov, known.get(f"image:{task.path}") or ZarrImage(conversion.out / task.path).info)
            for task in conversion.tasks
        }
        write_metadata_xml(conversion.out / OME_GROUP, images)
        _write_collection(conversion, unfinished=False)
    workplace.end()


def _jobs(conversion: Conversion) -> list[JobItem]:
    opened = Opened(conversion.dataset)
    alone = collection_of(conversion) if conversion.single else None
    recipe = _Recipe(opened, conversion.plan, export_plan(conversion.plan, conversion.dataset), alone)
    left = [task for task in conversion.tasks if task.path not in conversion.done]
    return [
        JobItem(
            item_id=f"image:{task.path}",
            execute=partial(_make, recipe, task, conversion.state.sources[task.path], target),
            output_path=target,
            metadata={"kind": conversion.plan.kind},
            folder=True,
        )
        for task, target in ((task, written_at(conversion, task)[-1]) for task in left)
    ]


@dataclass(frozen=True)
class _Recipe:
    """What all images share."""

    opened: Opened
    plan: ConvertPlan
    of: ExportPlan
    alone: Collection | None


def _make(recipe: _Recipe, task: ImageTask, state: str, target: Path, folder: Path) -> Mapping[str, Any]:
    """Write one image into a folder and read it back; a long one elsewhere first, from where it can be gone on with."""
    dataset = recipe.opened.dataset
    _check_unchanged(task, state, dataset)
    pixels = read_image(task, recipe.of, dataset)
    witness = Witness()
    source = replace(
        pixels.source,
        read=cancelling.checked(pixels.source.read),
        provenance=record_of(task, recipe.plan, recipe.of, dataset),
    )
    if has_checkpoints(source):
        draft = UnfinishedImage(target)
        with draft.kept_after(OSError):
            _write(recipe, draft.image, witness.watched(source), draft.begin(source, state, pixels, witness))
        with draft.kept_after():
            info = _checked(draft.image, source, witness, task, state, dataset)
            draft.move_to(folder)
    else:
        _write(recipe, folder, witness.watched(source))
        info = _checked(folder, source, witness, task, state, dataset)
    same = info.channel_names == source.channels
    renamed = [] if same else [f"its channels are called {listing(info.channel_names)}"]
    return {"warnings": [*pixels.warnings, *renamed], "info": info}


def _write(recipe: _Recipe, folder: Path, source: ImageSource, checkpoints: Checkpoints | None = None) -> None:
    options = recipe.plan.options
    write_ome_zarr(
        folder,
        source,
        version=options.version,
        compression=options.compression,
        chunk=options.chunk,
        checkpoints=checkpoints,
    )
    if recipe.alone is not None:
        _say_place(folder, recipe.alone)


def _checked(
    folder: Path, source: ImageSource, witness: Witness, task: ImageTask, state: str, dataset: Dataset
) -> ImageInfo:
    info = read_back(folder, source, witness, check=cancelling.check)
    _check_unchanged(task, state, dataset)
    return info


def _say_place(folder: Path, place: Collection) -> None:
    """Let an image that lies in no collection say itself what a collection would."""
    import zarr

    group = zarr.open_group(folder, mode="r+")
    own: Any = group.attrs[OWN]
    group.attrs[OWN] = {**own, "collection": place.attributes()[OWN]}


def _check_unchanged(task: ImageTask, state: str, dataset: Dataset) -> None:
    if state_of(task, dataset) != state:
        raise TileReadError(f"{task.place.fov}: its files have changed since the conversion was begun")

"""The quality of all slices of a run."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import pairwise
from typing import TYPE_CHECKING

from ...errors import PlanError
from ..progress import OnProgress, Progress
from ..reports.thumbnails import volume_png
from .arrays import CPU, Arrays
from .calibration import calibration_slices
from .pipeline import Pipeline, SliceQuality
from .score import NONE, SAMPLE_DEPTH, check_overlap, sample_planes

if TYPE_CHECKING:
    from ..volumes import SliceVolume

SliceQualities = OrderedDict[str, SliceQuality]


def scan_quality(
    volumes: Mapping[str, SliceVolume],
    sample_depth: int = SAMPLE_DEPTH,
    *,
    exclude_first: int = 1,
    detect_calibration: bool = False,
    workers: int = 1,
    arrays: Arrays = CPU,
    thumbnails: bool = False,
    on_progress: OnProgress | None = None,
) -> SliceQualities:
    """Score every slice of a run against its neighbours.

    The neighbours of a slice are the nearest before and after it that there are images of, other than calibration
    slices. Whether a table uses them is not asked: a slice that was excluded still shows what its neighbours should
    look like, and the scores do not change with decisions.

    Parameters
    ----------
    volumes : mapping of str to SliceVolume
        Slice id → image, in the order of the run.
    sample_depth : int
        How many planes of each slice are compared.
    exclude_first, detect_calibration
        Which are calibration slices; see :func:`calibration_slices`.
    workers : int
        Threads; the numbers are the same with any.
    arrays : Arrays
        Where to work.
    thumbnails : bool
        Make a small picture of each slice, too.
    on_progress : callable, optional
        Called with the slices done and all there are.

    Returns
    -------
    OrderedDict of str to SliceQuality
        In the order of `volumes`. The same numbers as :func:`assess_slice_quality` gives for each.

    Raises
    ------
    PlanError
        If fewer than two slices are left to compare.
    StackError
        If two neighbours have less than 7 × 7 px in common; both files are named.
    TileReadError
        Naming the image that cannot be read.
    ValueError
        If a number is out of its range.
    """
    if workers < 1:
        raise ValueError(f"workers is {workers}, expected at least 1")
    shapes = {slice_id: volume.shape for slice_id, volume in volumes.items()}
    depths = {slice_id: shape[0] for slice_id, shape in shapes.items()}
    left_out = calibration_slices(depths, exclude_first, detect_calibration)
    run = [slice_id for slice_id in volumes if slice_id not in left_out]
    if len(run) < 2:
        are = "is" if len(run) == 1 else "are"
        raise PlanError(
            [
                f"{len(run)} of {len(volumes)} slices {are} to be scored, and to compare takes at least two; "
                "the others are calibration slices (--exclude-first says how many)"
            ]
        )
    for first, second in pairwise(run):
        paths = [str(volumes[one].path) for one in (first, second)]
        check_overlap(paths[0], shapes[first], paths[1], shapes[second])
    samples = {slice_id: sample_planes(depths[slice_id], sample_depth) for slice_id in run}
    found: dict[str, SliceQuality] = {}
    tell = Progress(on_progress, len(volumes))
    with _pool(workers) as pool:
        pipeline = Pipeline(volumes, shapes, run, samples, arrays, pool, workers, thumbnails)
        for slice_id in left_out:
            found[slice_id] = _calibration(volumes[slice_id], thumbnails)
            tell.add(1)
        for slice_id, quality in pipeline.run():
            found[slice_id] = quality
            tell.add(1)
    return OrderedDict((slice_id, found[slice_id]) for slice_id in volumes)


@contextmanager
def _pool(workers: int) -> Iterator[ThreadPoolExecutor]:
    """Give threads that stop at the first error, and leave nothing running."""
    pool = ThreadPoolExecutor(workers, thread_name_prefix="slicemap-quality")
    try:
        yield pool
    finally:
        pool.shutdown(cancel_futures=True)


def _calibration(volume: SliceVolume, thumbnail: bool) -> SliceQuality:
    png = volume_png(volume) if thumbnail else b""
    return SliceQuality(NONE, volume.shape, z_step_um=volume.z_step_um, calibration=True, thumbnail=png)

"""ROIs as small pictures, rendered by what renders their exports."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from ....dataset import Dataset
from ....errors import SlicemapError
from ....export.choosing.resolve import resolve
from ....export.content.figure import render_item
from ....export.plan import ExportPlan
from ....export.running.cancelling import Asked, stopped_by
from ....images.region import MOST_DOWNSAMPLE
from ....rois.roi import Roi

if TYPE_CHECKING:
    from numpy.typing import NDArray


def picture_of(roi: Roi, dataset: Dataset, profile: str, side_px: int) -> NDArray[np.uint8]:
    """Render an ROI as its export would be, at the downsampling at which it has at most so many px a side.

    Parameters
    ----------
    roi : Roi
        One of the dataset's.
    dataset : Dataset
        Where its pixels are.
    profile : str
        Taken where the ROI has none, or one that is not there.
    side_px : int
        The most px of a side, but for one or two where the box lies across cells.

    Returns
    -------
    ndarray of uint8, (h, w, 3) or (h, w, 4)
        What ``slicemap export`` writes at that downsampling; tiles that cannot be read are hatched.

    Raises
    ------
    SlicemapError
        If it lies wholly outside the data, or what it is on is not there.
    """
    longest = max(roi.x_max - roi.x_min, roi.y_max - roi.y_min)
    name = roi.profile if roi.profile in dataset.profiles.names else profile
    plan = ExportPlan.model_validate(
        {
            "profile": name,
            "select": [{"kind": "fov-roi" if roi.fov else "map-roi", "ids": [roi.roi_id]}],
            "downsample": min(MOST_DOWNSAMPLE, max(1, math.ceil(longest / side_px))),
            "on_missing": "mark",
            "include_excluded": True,
        }
    )
    item = resolve(plan, dataset).items[0]
    return render_item(item, plan, dataset.profiles[name], dataset).picture.array()


def make_pictures(
    rois: Sequence[Roi],
    dataset: Dataset,
    profile: str,
    side_px: int,
    tell: Callable[[tuple[Roi, NDArray[np.uint8] | None]], None],
    asked: Asked,
) -> None:
    """Render ROIs one after the other, and hand each one over; ``None`` where there is nothing to see.

    Raises
    ------
    CancelledError
        If it was stopped.
    """
    with stopped_by(asked):
        for roi in rois:
            if asked():
                return
            try:
                made = picture_of(roi, dataset, profile, side_px)
            except SlicemapError:  # the table says what is wrong with it
                tell((roi, None))
                continue
            tell((roi, np.ascontiguousarray(made[..., :3])))

"""A run of slices as one stack: every map on one canvas, by stage position."""

from __future__ import annotations

from collections.abc import Sequence

from ...dataset import Dataset
from ...errors import PlanError, listing
from ...images.fov import SAME_PIXEL_SIZE
from ...images.region import Region
from .items import ExportItem


def stacked(frames: Sequence[ExportItem], dataset: Dataset) -> ExportItem:
    """Make one item of the frames of a stack along slices.

    Each frame shows the same rectangle of the stage: that of an ROI on one of the maps, or what all maps cover
    together. A frame lies on its map's own grid of output px, so it may be off by up to half an output px.

    Parameters
    ----------
    frames : sequence of ExportItem
        One for each map, in order, all at one downsampling; at least one.
    dataset : Dataset
        Where the maps are.

    Returns
    -------
    ExportItem
        With the frames as its members.

    Raises
    ------
    PlanError
        If the maps' pixel sizes or stage directions differ, or a map lies wholly outside the rectangle.
    """
    first = frames[0]
    _refuse_unlike(frames, dataset)
    step = first.downsample
    boxes = [_box(frame, dataset) for frame in frames]
    if first.roi_id:
        roi = dataset.rois[first.roi_id]
        x0, y0, *_ = _box(ExportItem(item_id="", kind="map", stem="", map_id=roi.map_id), dataset)
        wanted = (x0 + roi.x_min, y0 + roi.y_min, x0 + roi.x_max, y0 + roi.y_max)
    else:
        wanted = (
            min(box[0] for box in boxes),
            min(box[1] for box in boxes),
            max(box[2] for box in boxes),
            max(box[3] for box in boxes),
        )
    width = max(1, round((wanted[2] - wanted[0]) / step)) * step
    height = max(1, round((wanted[3] - wanted[1]) / step)) * step
    members, faults = [], []
    for frame, (left, top, right, bottom) in zip(frames, boxes, strict=True):
        x, y = (round((start - edge) / step) * step for start, edge in ((wanted[0], left), (wanted[1], top)))
        if x >= right - left or y >= bottom - top or x + width <= 0 or y + height <= 0:
            faults.append(f"map {frame.map_id} lies wholly outside what the stack {first.stem} shows")
        members.append(
            frame.model_copy(
                update={
                    "item_id": f"map:{frame.map_id}",
                    "kind": "map",
                    "region": Region(x, x + width, y, y + height),
                    "roi_id": "",
                }
            )
        )
    if faults:
        raise PlanError(faults)
    return first.model_copy(update={"map_id": "", "members": tuple(members)})


def _refuse_unlike(frames: Sequence[ExportItem], dataset: Dataset) -> None:
    sizes = {frame.pixel_size_um for frame in frames}
    known = sorted(size for size in sizes if size is not None)
    if len(sizes) > 1 and (None in sizes or known[-1] / known[0] - 1 > SAME_PIXEL_SIZE):
        said = listing("unknown" if frame.pixel_size_um is None else f"{frame.pixel_size_um:g}" for frame in frames)
        raise PlanError([f"the maps of stack {frames[0].stem} differ in pixel size ({said} µm), so they make no stack"])
    if len({dataset.maps[frame.map_id].placement.stage_y for frame in frames}) > 1:
        raise PlanError([f"the maps of stack {frames[0].stem} differ in the direction of stage y"])


def _box(item: ExportItem, dataset: Dataset) -> tuple[float, float, float, float]:
    """Give ``(left, top, right, bottom)`` of a map on the common canvas, map px; from 0 where no stage is known."""
    placement = dataset.maps[item.map_id].placement
    height, width = placement.shape
    size, bounds = placement.pixel_size_um, placement.bounds_um
    if size is None or bounds is None:
        return 0.0, 0.0, float(width), float(height)
    left, top = bounds[0] / size, (-bounds[3] if placement.stage_y == "up" else bounds[2]) / size
    return left, top, left + width, top + height

"""What each choice of a plan comes to, before exclusion, scale and names."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

from ...dataset import Dataset
from ...errors import PlanError, UnknownNameError
from ...files import safe_stem
from ...images.region import Region
from ...rois.roi import Roi
from ..plan import Select
from .cell_choice import chosen_cells
from .items import ExportItem


def drafts(select: Select, dataset: Dataset) -> Iterator[ExportItem]:
    """List the items of a choice; those of a stack along slices are its frames.

    Raises
    ------
    PlanError
        Listing what does not exist.
    """
    if select.kind == "fov":
        for name in _known("FOV", select, dataset.fovs):
            yield ExportItem(item_id="", kind="fov", stem=safe_stem(name), fov=name)
    elif select.kind == "map":
        for map_id in _known("map", select, dataset.maps):
            yield ExportItem(item_id="", kind="map", stem=f"map_{safe_stem(map_id)}", map_id=map_id)
    elif select.kind == "cell":
        yield from _cells(select, dataset)
    elif select.kind == "stack":
        yield from _frames(select, dataset) if select.along == "slices" else _series(select, dataset)
    else:
        for roi in _chosen_rois(select, dataset):
            yield _roi_item(roi, select)


def _known(kind: str, select: Select, there: Mapping[str, Any]) -> list[str]:
    """Give the names chosen, each once; all that do not exist are told at once."""
    names = list(there) if select.all else list(dict.fromkeys(select.ids))
    if strangers := [name for name in names if name not in there]:
        raise PlanError([str(UnknownNameError(kind, name, there)) for name in strangers])
    return names


def _chosen_rois(select: Select, dataset: Dataset) -> list[Roi]:
    wanted = select.kind.removesuffix("-roi")
    chosen: dict[str, Roi] = {}
    faults: list[str] = []
    for name in select.ids:
        try:
            found = dataset.rois.find(name)
        except UnknownNameError as error:
            faults.append(str(error))
            continue
        for roi in found:
            chosen[roi.roi_id] = roi
            if roi.on != wanted:
                where = f"is on {roi.on} {roi.fov or roi.map_id}" if roi.on else "names neither a FOV nor a map"
                faults.append(f"ROI {roi.label} {where}, so it is no {select.kind}")
    if faults:
        raise PlanError(faults)
    for roi in dataset.rois:
        if (select.all or set(select.tags) & set(roi.tags)) and roi.on == wanted:
            chosen[roi.roi_id] = roi
    if not chosen:
        raise PlanError([f"no {select.kind} fits the choice; the dataset has {len(dataset.rois)} ROIs"])
    return list(chosen.values())


def _roi_item(roi: Roi, select: Select) -> ExportItem:
    where = safe_stem(roi.fov) if roi.fov else f"map_{safe_stem(roi.map_id)}"
    if select.clip == "upright" and roi.kind not in ("rectangle", "rotated-rectangle"):
        raise PlanError(
            [f"ROI {roi.label} is a {roi.kind}; only boxes can be turned upright, choose clip box or polygon"]
        )
    upright = select.clip == "upright" and roi.kind == "rotated-rectangle"
    return ExportItem(
        item_id="",
        kind=select.kind,
        stem=f"{where}_roi_{safe_stem(roi.label)}",
        fov=roi.fov,
        map_id="" if roi.fov else roi.map_id,
        region=roi.region,
        shape=roi.points if upright or (select.clip == "polygon" and roi.kind != "line") else (),
        upright=upright,
        roi_id=roi.roi_id,
    )


def _cells(select: Select, dataset: Dataset) -> Iterator[ExportItem]:
    chosen = chosen_cells(select, dataset)
    half = select.size_px // 2
    for fov, label, x, y in zip(chosen["fov"], chosen["label"], chosen["x"], chosen["y"], strict=True):
        # the centroid's pixel goes to the middle of the square
        x0, y0 = math.floor(x + 0.5) - half, math.floor(y + 0.5) - half
        yield ExportItem(
            item_id="",
            kind="cell",
            stem=f"{safe_stem(fov)}_cell_{label}",
            fov=fov,
            region=Region(x0, x0 + select.size_px, y0, y0 + select.size_px),
            label=int(label),
        )


# --- stacks ---------------------------------------------------------------------------------------------------
def _series(select: Select, dataset: Dataset) -> Iterator[ExportItem]:
    """List FOVs over time, each one a stack."""
    roi = _crop(select, dataset, "fov")
    names = _known("FOV", select, dataset.fovs)
    for name in names:
        stem = safe_stem(name) + ("" if roi is None else f"_roi_{safe_stem(roi.label)}")
        yield ExportItem(
            item_id="",
            kind="stack",
            stem=stem,
            fov=name,
            region=None if roi is None else roi.region,
            roi_id="" if roi is None else roi.roi_id,
        )


def _frames(select: Select, dataset: Dataset) -> Iterator[ExportItem]:
    """List the maps of a run of slices, in order; what part of each one is shown is found out later."""
    roi = _crop(select, dataset, "map")
    for map_id in _known("map", select, dataset.maps):
        yield ExportItem(
            item_id="",
            kind="stack",
            stem=safe_stem(select.name) + ("" if roi is None else f"_roi_{safe_stem(roi.label)}"),
            map_id=map_id,
            roi_id="" if roi is None else roi.roi_id,
        )


def _crop(select: Select, dataset: Dataset, on: str) -> Roi | None:
    """Give the ROI that each frame is cut to."""
    if not select.roi:
        return None
    found = dataset.rois.find(select.roi)
    if len(found) > 1:
        raise PlanError([f"{len(found)} ROIs are called {select.roi}; name the one for the stack by its id"])
    if found[0].on != on:
        place = "a FOV" if on == "fov" else "a map"
        raise PlanError([f"ROI {found[0].label} is not on {place}, as a stack along {select.along} needs it"])
    return found[0]

"""What there is to export in a dataset, as rows to tick."""

from __future__ import annotations

from ....dataset import Dataset
from ....render.virtual_map import VirtualMap
from ....rois.roi import Roi
from ..item_picker import Pick

COLUMNS = {
    "maps": ("Map", "Size (px)", "FOVs", "Note"),
    "rois": ("ROI", "On", "Kind", "Tags"),
    "fovs": ("FOV", "Map", "Note"),
    "cells": ("FOV", "Cells", "Map"),
    "series": ("FOV", "Map", "Note"),
    "slices": ("Map", "Slice", "Note"),
}
"""Kind of item → titles of its columns."""


def picks_of(dataset: Dataset) -> dict[str, list[Pick]]:
    """List what can be ticked, all but cells, which are in a table that may be long, and ROIs, which change often.

    Parameters
    ----------
    dataset : Dataset
        The dataset; of its images nothing is read.

    Returns
    -------
    dict of str to list of Pick
        A row notes why the slice table excludes it.
    """
    maps = [(name, one, _why(name, dataset)) for name, one in dataset.maps.items()]
    fovs = [
        Pick(name, (name, _map_of(name, dataset), why), why)
        for name, why in ((name, _why_fov(name, dataset)) for name in dataset.fovs)
    ]
    return {
        "maps": [Pick(name, (name, _size(one), str(len(one.fov_names)), why), why) for name, one, why in maps],
        "fovs": fovs,
        "series": fovs,
        "slices": [Pick(name, (name, one.slice_id, why), why) for name, one, why in maps],
    }


def _size(one: VirtualMap) -> str:
    height, width = one.shape
    return f"{width} × {height}"


def roi_picks(dataset: Dataset) -> list[Pick]:
    """List the ROIs, with why the slice table excludes what they are on."""
    places = {(roi.fov, roi.map_id) for roi in dataset.rois}  # thousands of ROIs lie on few maps
    why = {(fov, map_id): _why_fov(fov, dataset) if fov else _why(map_id, dataset) for fov, map_id in places}
    return [_roi_pick(roi, why[roi.fov, roi.map_id]) for roi in dataset.rois]


def _roi_pick(roi: Roi, why: str) -> Pick:
    where = f"FOV {roi.fov}" if roi.fov else f"map {roi.map_id}"
    return Pick(roi.roi_id, (roi.label, where, roi.kind, ", ".join(roi.tags)), why)


def cell_picks(dataset: Dataset) -> list[Pick]:
    """List the FOVs that have cells; reads the cell table.

    Raises
    ------
    FileFormatError
        Naming file, line and column of the table.
    """
    if dataset.cells is None:
        return []
    counts = dataset.cells["fov"].value_counts().to_dict()
    return [
        Pick(name, (name, str(counts[name]), _map_of(name, dataset)), _why_fov(name, dataset))
        for name in dataset.fovs
        if name in counts
    ]


def _map_of(fov: str, dataset: Dataset) -> str:
    """Name the map that a FOV lies on, or nothing."""
    owner = dataset.map_of(fov)
    return "" if owner is None else owner.map_id


def _why(map_id: str, dataset: Dataset) -> str:
    reason = dataset.why_excluded(dataset.maps[map_id].slice_id) if map_id in dataset.maps else ""
    return f"excluded: {reason}" if reason else ""


def _why_fov(fov: str, dataset: Dataset) -> str:
    return _why(_map_of(fov, dataset), dataset)

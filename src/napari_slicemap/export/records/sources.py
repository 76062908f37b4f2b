"""The files that an item is made from, and how to know that one has changed."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from ...dataset import Dataset
from ...images.fov import Fov
from ..choosing.items import ExportItem
from ..plan import ExportPlan


def sources_of(item: ExportItem, plan: ExportPlan, dataset: Dataset) -> list[Path]:
    """List the files that an item may be read from.

    Parameters
    ----------
    item, plan, dataset
        What is made, how, and from what.

    Returns
    -------
    list of Path
        Images, the labels that the plan draws with their tables, and the ROI table if it draws ROIs; each once.
    """
    made = _of_fovs(_fovs(item, dataset), plan)
    rois = dataset.places.saved("rois") if plan.overlays.rois else None
    return list(dict.fromkeys([*made, *([rois] if rois else [])]))


def _of_fovs(fovs: Iterable[Fov], plan: ExportPlan) -> list[Path]:
    """List the files behind FOVs: images, and the labels that a plan draws."""
    made: list[Path] = []
    for fov in fovs:
        made += fov.sources()
        made += [fov.masks[name].path for name in plan.overlays.masks if name in fov.masks]
        for name in plan.overlays.annotations:
            if found := fov.annotations.get(name):
                made += [found.plane.path] + ([found.table] if found.table else [])
    return list(dict.fromkeys(made))


def _fovs(item: ExportItem, dataset: Dataset) -> Iterable[Fov]:
    if item.members:
        return [fov for member in item.members for fov in _fovs(member, dataset)]
    if item.fov:
        return [dataset.fovs[item.fov]] if item.fov in dataset.fovs else []
    if item.map_id not in dataset.maps:
        return []
    one = dataset.maps[item.map_id]
    tiles = one.placement.tiles if item.region is None else one.collect_visible_tiles(item.region)
    return [tile.fov for tile in tiles if tile.fov]


def identity(path: Path) -> dict[str, Any]:
    """Give what tells whether a file is as it was: ``path``, ``size`` (bytes) and ``mtime`` (s); ``None`` if gone."""
    try:
        found = os.stat(path)  # noqa: PTH116 - for each source of each cell
    except OSError:  # a missing tile that is marked, or a link that leads nowhere: reading it says which
        return {"path": path.as_posix(), "size": None, "mtime": None}
    return {"path": path.as_posix(), "size": found.st_size, "mtime": found.st_mtime}


def relative_name(path: str | Path, dataset: Dataset) -> str:
    """Name a source within its dataset: the same wherever the dataset lies."""
    for folder in (dataset.places.data_folder, dataset.places.home):
        if Path(path).is_relative_to(folder):
            return Path(path).relative_to(folder).as_posix()
    return Path(path).name

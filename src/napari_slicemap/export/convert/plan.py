"""What is converted, and how: a plan, and the images that it comes to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from ...dataset import Dataset
from ...files import FileModel, distinct_stems, safe_stem
from ...images.acquisition import TilePosition
from ...images.ome_zarr.collection import CollectionImage
from ...render.virtual_map import OnMissing, VirtualMap
from ..choosing.items import ExportItem
from ..choosing.resolve import resolve
from ..plan import ExportPlan, OverlayChoice, Select
from ..writers.ome_zarr import OmeZarrOptions

OME_GROUP = "OME"
"""The group of a collection that says where its images lie."""
_TAKEN = (OME_GROUP, "labels", "zarr.json")
"""Names within a collection that mean something else."""


class ConvertPlan(FileModel):
    """What to convert to OME-Zarr, and how.

    Parameters
    ----------
    kind : "fov" or "map"
        Each FOV as an image of its own, or each map as one mosaic, put together by the dataset's overlap rule.
    ids : tuple of str
        Names of FOVs or ids of maps; all of them where empty. Slices that the slice table excludes are converted,
        too.
    on_missing : "raise" or "mark"
        Maps: what to do about a tile that cannot be read: fail the mosaic, or leave the tile 0 and tell.
    options : OmeZarrOptions
        Version of OME-Zarr, compression, side of a chunk.
    """

    kind: Literal["fov", "map"] = "fov"
    ids: tuple[str, ...] = ()
    on_missing: OnMissing = "raise"
    options: OmeZarrOptions = OmeZarrOptions()


@dataclass(frozen=True)
class ImageTask:
    """One image to write.

    Parameters
    ----------
    path : str
        Within the collection.
    item : ExportItem
        What it shows.
    place : CollectionImage
        What the collection says of it.
    """

    path: str
    item: ExportItem
    place: CollectionImage


def export_plan(plan: ConvertPlan, dataset: Dataset) -> ExportPlan:
    """Give the plan of an export of the same pixels: all channels, times, planes, masks and annotations."""
    fovs = dataset.fovs.values()
    return ExportPlan(
        format="ome-zarr",
        t="all",
        z="all",
        on_missing=plan.on_missing,
        include_excluded=True,
        overlays=OverlayChoice(
            masks=tuple(dict.fromkeys(name for fov in fovs for name in fov.masks)),
            annotations=tuple(dict.fromkeys(name for fov in fovs for name in fov.annotations)),
        ),
        options=plan.options.model_dump(),
        select=(Select(kind=plan.kind, ids=plan.ids, all=not plan.ids),),
    )


def tasks_of(plan: ExportPlan, dataset: Dataset) -> list[ImageTask]:
    """List the images that a plan comes to, with the path and place of each; FOVs of a map in painting order.

    Raises
    ------
    PlanError
        Naming the FOVs or maps that do not exist.
    """
    first: dict[str, tuple[str, TilePosition]] = {}
    for map_id, tiles in dataset.positions.items():
        for tile in tiles:
            first.setdefault(tile.fov, (map_id, tile))
    order = {name: n for n, name in enumerate(first)}
    items = sorted(resolve(plan, dataset).items, key=lambda item: order.get(item.fov, len(order)))
    paths = image_paths([item.fov or item.map_id for item in items])
    return [ImageTask(path, item, _place_of(item, first, dataset)) for item, path in zip(items, paths, strict=True)]


def image_paths(names: Sequence[str]) -> list[str]:
    """Name the group of each image: readable, all different, and none that means something else."""
    stems = [safe_stem(name) for name in names]
    plain = [stem if stem[0].isalnum() else f"image{stem}" for stem in stems]
    return distinct_stems([*_TAKEN, *plain])[len(_TAKEN) :]


def _place_of(item: ExportItem, first: Mapping[str, tuple[str, TilePosition]], dataset: Dataset) -> CollectionImage:
    if item.fov:
        return _place_of_fov(item.fov, first.get(item.fov), dataset)
    in_px = any(tile.origin_px is not None for tile in dataset.positions[item.map_id])
    return _place_of_map(dataset.maps[item.map_id], in_px)


def _place_of_fov(fov: str, found: tuple[str, TilePosition] | None, dataset: Dataset) -> CollectionImage:
    if found is None:
        return CollectionImage(fov=fov)
    map_id, tile = found
    return CollectionImage(
        fov=fov,
        map_id=map_id,
        slice_id=_slice_id(dataset.maps[map_id]),
        center_um=tile.center_um,
        origin_px=tile.origin_px if tile.center_um is None else None,
    )


def _place_of_map(one: VirtualMap, in_px: bool) -> CollectionImage:
    (height, width), (x, y) = one.shape, (0.0, 0.0)
    bounds, size = one.placement.bounds_um, one.base_pixel_size_um()
    if bounds is not None and size is not None:
        x, y = bounds[0] / size, bounds[2] / size
    return CollectionImage(
        fov=one.map_id,
        map_id=one.map_id,
        slice_id=_slice_id(one),
        center_um=None if in_px else one.placement.stage_um(width / 2, height / 2),
        origin_px=(x, y) if in_px else None,
    )


def _slice_id(one: VirtualMap) -> str:
    return "" if one.slice_id == one.map_id else one.slice_id


def not_carried(plan: ConvertPlan, tasks: Sequence[ImageTask], dataset: Dataset) -> list[str]:
    """List in words what the images have no place for."""
    said = []
    if plan.kind == "fov":
        chosen = {task.item.fov for task in tasks}
        tiles = [(map_id, tile.fov) for map_id, tiles in dataset.positions.items() for tile in tiles]
        placed = {task.place.fov: task.place.map_id for task in tasks}
        again = sum(fov in chosen and placed[fov] != map_id for map_id, fov in tiles)
        absent = len({fov for _, fov in tiles} - set(dataset.fovs))
        said += [f"{again} further places of FOVs that lie on several maps"] if again else []
        said += [f"{absent} FOVs that maps name but that are not on disk"] if absent else []
    elif any(fov.masks for fov in dataset.fovs.values()):
        said += ["that FOVs number their cells apart: on a mosaic two cells may have one number"]
    return said


def left_behind(dataset: Dataset) -> list[str]:
    """List the tables beside the images, which a conversion does not copy."""
    there = {
        "cells": dataset.cells_path is not None,
        "ROIs": len(dataset.rois) > 0,
        "slice table": dataset.slices is not None,
        "profiles": bool(dataset.profiles.names),
    }
    return [name for name, has in there.items() if has]

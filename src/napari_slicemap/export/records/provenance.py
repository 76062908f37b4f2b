"""The record that lets somebody repeat an output: a sidecar beside each file, and the part that is embedded in it."""

from __future__ import annotations

import hashlib
import json
import platform
from collections.abc import Mapping
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...dataset import Dataset
from ...files import json_safe, now_iso, utf8
from ...render.engine import compiled
from ...render.profile import Profile
from ..choosing.items import ExportItem
from ..plan import ExportPlan
from ..running.drafts import digest_of, size_of
from .sources import identity, relative_name, sources_of

if TYPE_CHECKING:
    from ..content.making import Content

SIDECAR_SUFFIX = ".provenance.json"
_LIBRARIES = (
    "napari-slicemap",
    "numpy",
    "scipy",
    "scikit-image",
    "tifffile",
    "imagecodecs",
    "isal",
    "pillow",
    "pandas",
)
_NOT_OF_THE_PIXELS = {"select", "output_folder", "overwrite", "name_template", "include_excluded"}
"""What a plan says of where outputs go and of which there are, and not of what is in them."""


def sidecar_path(output: Path) -> Path:
    """Give ``<output>.provenance.json``."""
    return output.with_name(output.name + SIDECAR_SUFFIX)


@cache
def software() -> dict[str, str | None]:
    """Give the versions of Python and of the libraries that make pixels and files.

    ``numba`` is ``None`` where pictures are made without it: a pixel may then differ by 1 in 255.
    """
    libraries = {name: version(name) for name in _LIBRARIES}
    return {"python": platform.python_version(), **libraries, "numba": version("numba") if compiled() else None}


def record(item: ExportItem, plan: ExportPlan, profile: Profile, dataset: Dataset, content: Content) -> dict[str, Any]:
    """Describe how an output was made, but for the output itself.

    Parameters
    ----------
    item, plan, profile, dataset
        What it was made from.
    content : Content
        What was made.

    Returns
    -------
    dict
        JSON-safe; what is unknown is ``None``.
    """
    return {**run_part(plan, profile, dataset), **item_part(origin_of(item, plan, dataset), content)}


def run_part(plan: ExportPlan, profile: Profile, dataset: Dataset) -> dict[str, Any]:
    """Give the part of a :func:`record` that all items of a run share."""
    made: dict[str, Any] = json_safe(
        {
            "version": 1,
            "software": software(),
            "dataset": {"name": dataset.name, "path": dataset.path.resolve(), "layout": dataset.layout},
            "plan": plan,
            "profile": profile,
        }
    )
    return made


def item_part(origin: Mapping[str, Any], content: Content) -> dict[str, Any]:
    """Give the part of a :func:`record` that is an item's own, from its :func:`origin_of` and what was made."""
    return {
        **origin,
        # 1 where the tiles were read, else the downsampling of the stored level that was
        "level": content.level,
        "missing_tiles": list(content.missing),
        "warnings": list(content.warnings),
    }


def origin_of(item: ExportItem, plan: ExportPlan, dataset: Dataset) -> dict[str, Any]:
    """Say what an item is made from: the item, its source files as they are now, and where its pixels lie.

    Returns
    -------
    dict
        JSON-safe: ``item``, ``sources`` (path, size in bytes, mtime in s), ``map``, ``region``, ``pixel_size_um``,
        ``downsample``.
    """
    return {
        "item": item.model_dump(mode="json"),
        "sources": [identity(path) for path in sources_of(item, plan, dataset)],
        "map": _map(item, dataset),
        "region": _region(item, dataset),
        "pixel_size_um": item.output_pixel_size_um,
        "downsample": item.downsample,
    }


def embedded(item: ExportItem, plan: ExportPlan, profile: Profile, dataset: Dataset) -> dict[str, Any]:
    """Describe how an output is made, for the file itself: the same whenever, wherever and however it is run.

    Parameters
    ----------
    item, plan, profile, dataset
        What it is made from.

    Returns
    -------
    dict
        JSON-safe. No times and no absolute paths; sources are named within the dataset, with their size in bytes.
        Of the plan it has what decides on the pixels.
    """
    shared = embedded_run_part(plan, profile, dataset)
    return {**shared, **embedded_item_part(origin_of(item, plan, dataset), dataset)}


def embedded_run_part(plan: ExportPlan, profile: Profile, dataset: Dataset) -> dict[str, Any]:
    """Give the part of :func:`embedded` that all items of a run share."""
    made: dict[str, Any] = json_safe(
        {
            "version": 1,
            "software": software(),
            # the name that it was given: that of its folder says where it lies
            "dataset": {"name": dataset.project.name, "layout": dataset.layout},
            "plan": plan.model_dump(exclude=_NOT_OF_THE_PIXELS),
            "profile": profile,
        }
    )
    return made


def embedded_item_part(origin: Mapping[str, Any], dataset: Dataset) -> dict[str, Any]:
    """Give the part of :func:`embedded` that is an item's own, from its :func:`origin_of`."""
    named = [{"path": relative_name(one["path"], dataset), "size": one["size"]} for one in origin["sources"]]
    return {**origin, "sources": named}


def token(shared: str, origin: Mapping[str, Any]) -> str:
    """Give what stays the same as long as an output need not be made anew.

    Parameters
    ----------
    shared : str
        What all items of the run share, as text.
    origin : mapping
        The item's :func:`origin_of`.

    Returns
    -------
    str
        SHA-256 of all that decides on the output: item, profile, plan, options, versions, and the path, size and
        time of each source.
    """
    return hashlib.sha256(utf8(f"{shared}\n{json.dumps(origin, ensure_ascii=False)}")).hexdigest()


def output_part(output: Path, temporary: Path) -> dict[str, Any]:
    """Describe a finished file (or folder) that is still at `temporary`: its name, ``bytes`` and ``sha256``."""
    return {"path": output.name, "bytes": size_of(temporary), "sha256": digest_of(temporary)}


def sidecar_text(made: Mapping[str, Any], output: Mapping[str, Any]) -> str:
    """Write the sidecar of a finished file from its :func:`record` and :func:`output_part`."""
    whole = {**made, "created_at": now_iso(), "output": output}
    return json.dumps(whole, ensure_ascii=False, allow_nan=False, indent=2) + "\n"


def _map(item: ExportItem, dataset: Dataset) -> dict[str, Any] | None:
    one = dataset.maps.get(item.map_id)
    if one is None:
        return None
    return {
        "id": one.map_id,
        "slice_id": one.slice_id,
        "bounds_um": None if one.placement.bounds_um is None else list(one.placement.bounds_um),
        "stage_y": one.placement.stage_y,
        "overlap": dataset.project.overlap,
    }


def _region(item: ExportItem, dataset: Dataset) -> dict[str, Any] | None:
    if item.region is None:
        return None
    pixels = [item.region.x_min, item.region.x_max, item.region.y_min, item.region.y_max]
    if item.fov:
        return {"fov_px": pixels}
    placement = dataset.maps[item.map_id].placement
    stage = None
    if placement.pixel_size_um is not None:
        x0, y0 = placement.stage_um(item.region.x_min, item.region.y_min)
        x1, y1 = placement.stage_um(item.region.x_max, item.region.y_max)
        stage = [min(x0, x1), max(x0, x1), min(y0, y1), max(y0, y1)]
    return {"map_px": pixels, "stage_um": stage}

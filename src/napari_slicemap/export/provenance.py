"""The record that lets somebody repeat an output: a sidecar beside each file."""

from __future__ import annotations

import platform
from collections.abc import Mapping
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

from ..dataset import Dataset
from ..files import now_iso, sha256, write_json
from ..render.engine import compiled
from ..render.profile import Profile
from .figure import Figure
from .items import ExportItem
from .plan import ExportPlan

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


def sidecar_path(output: Path) -> Path:
    """Give ``<output>.provenance.json``."""
    return output.with_name(output.name + ".provenance.json")


@cache
def software() -> dict[str, str | None]:
    """Give the versions of Python and of the libraries that make pixels and files.

    ``numba`` is ``None`` where pictures are made without it: a pixel may then differ by 1 in 255.
    """
    libraries = {name: version(name) for name in _LIBRARIES}
    return {"python": platform.python_version(), **libraries, "numba": version("numba") if compiled() else None}


def record(item: ExportItem, plan: ExportPlan, profile: Profile, dataset: Dataset, figure: Figure) -> dict[str, Any]:
    """Describe how an output was made, but for the output itself.

    Parameters
    ----------
    item, plan, profile, dataset
        What it was made from.
    figure : Figure
        What was made.

    Returns
    -------
    dict
        Fit for strict JSON; what is unknown is ``None``.
    """
    return {
        "version": 1,
        "software": software(),
        "dataset": {"name": dataset.name, "path": dataset.path.resolve(), "layout": dataset.layout},
        "item": item,
        "plan": plan,
        "profile": profile,
        "sources": [_identity(path) for path in figure.sources],
        "map": _map(item, dataset),
        "region": _region(item, dataset),
        "pixel_size_um": item.output_pixel_size_um,
        "downsample": item.downsample,
        # 1 where the tiles were read, else the downsampling of the stored level that was
        "level": figure.picture.level,
        "missing_tiles": figure.missing,
        "warnings": figure.warnings,
    }


def write_sidecar(output: Path, metadata: Mapping[str, Any]) -> None:
    """Write the sidecar of a finished file; `metadata` holds the :func:`record` as ``provenance``."""
    made = {
        **metadata["provenance"],
        "created_at": now_iso(),
        "output": {"path": output.name, "bytes": output.stat().st_size, "sha256": sha256(output)},
    }
    write_json(sidecar_path(output), made)


def _identity(path: Path) -> dict[str, Any]:
    if not path.exists():  # a missing tile that was marked
        return {"path": path, "size": None, "mtime": None}
    stat = path.stat()
    return {"path": path, "size": stat.st_size, "mtime": stat.st_mtime}


def _map(item: ExportItem, dataset: Dataset) -> dict[str, Any] | None:
    one = dataset.maps.get(item.map_id)
    if one is None:
        return None
    return {
        "id": one.map_id,
        "slice_id": one.slice_id,
        "bounds_um": one.placement.bounds_um,
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

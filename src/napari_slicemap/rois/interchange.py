"""ROIs from and to files of other tools; which one it is, the file says."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from ..errors import FileFormatError, PlanError
from ..files import read_columns
from .drawing import NAME_PATTERN, next_names
from .frames import Frame, Frames, Imported
from .geojson import read_geojson, write_geojson
from .magc import SUFFIX as MAGC
from .magc import read_magc
from .napari_shapes import is_shapes, read_shapes, write_shapes
from .ome_rois import read_ome_rois, write_ome_rois
from .roi import Roi
from .table import RoiTable
from .ueler import read_roi_manager

Format = Literal["csv", "geojson", "shapes", "ome-xml"]
"""Our own table, QuPath's GeoJSON, the table of vertices that napari saves shapes as, or OME-XML."""

FORMATS: tuple[Format, ...] = get_args(Format)
_OWN_COLUMNS = {"roi_id", "kind", "map_id"}
_UELER_COLUMN = "roi_kind"
_OME_SUFFIXES = (".ome", ".xml", ".tif", ".tiff")
_BY_SUFFIX: dict[str, Format] = {
    ".csv": "csv",
    ".geojson": "geojson",
    ".json": "geojson",
    ".ome": "ome-xml",
    ".xml": "ome-xml",
}


def read_rois(path: str | os.PathLike[str], frames: Frames) -> Imported:
    """Read ROIs from a file: ``rois.csv``, UELer's ``roi_manager.csv``, napari shapes, GeoJSON, OME-XML or ``.magc``.

    Parameters
    ----------
    path : path-like
        ``.csv``, ``.geojson``, ``.json``, ``.ome.xml`` (or ``.ome.tif``, for what is in it), or ``.magc`` (or a
        folder of them).
    frames : Frames
        The maps by number, and what shapes are on of which the file does not say it.

    Returns
    -------
    Imported

    Raises
    ------
    FileFormatError
        Naming file and line, or the formats that there are.
    TileReadError
        Naming a TIFF file that is none.
    """
    path = Path(path)
    suffix = path.suffix.lower()
    if suffix in (".geojson", ".json"):
        return read_geojson(path, frames)
    if suffix == MAGC or path.is_dir():
        return read_magc(path, frames)
    if suffix in _OME_SUFFIXES:
        return read_ome_rois(path, frames)
    if suffix != ".csv":
        raise FileFormatError(
            f"{path}: {suffix or 'no suffix'}; expected .csv, .geojson, .json, .ome.xml, .magc or .ome.tif"
        )
    columns = list(read_columns(path)[0])
    if is_shapes(columns):
        return read_shapes(path, frames)
    if _UELER_COLUMN in columns:
        return Imported(tuple(read_roi_manager(path)))
    if set(columns) >= _OWN_COLUMNS:
        return Imported(tuple(RoiTable.read(path)))
    raise FileFormatError(
        f"{path}: these columns are neither those of rois.csv ({', '.join(sorted(_OWN_COLUMNS))} …) nor those of "
        "napari shapes (index, shape-type, vertex-index, axis-0 …)"
    )


def write_rois(
    path: str | os.PathLike[str], rois: Sequence[Roi], frames: Frames, file_format: Format | None = None
) -> list[str]:
    """Write ROIs to a file, atomically.

    Parameters
    ----------
    path : path-like
        The file.
    rois : sequence of Roi
        In order.
    frames : Frames
        Numbers the maps.
    file_format : "csv", "geojson", "shapes" or "ome-xml", optional
        By the suffix if not given: ``.csv`` is our own table.

    Returns
    -------
    list of str
        What was left out, and why.

    Raises
    ------
    PlanError
        If there is no such format.
    """
    suffix = Path(path).suffix.lower()
    wanted = file_format or _BY_SUFFIX.get(suffix)
    if wanted == "csv":
        RoiTable(rois).write(path)
    elif wanted == "geojson":
        write_geojson(path, rois, frames)
    elif wanted == "ome-xml":
        write_ome_rois(path, rois, frames)
    elif wanted == "shapes":
        planes = set(frames.planes)
        write_shapes(path, [roi for roi in rois if Frame.of(roi) in planes], frames)
        left = (roi for roi in rois if Frame.of(roi) not in planes)
        return [f"ROI {roi.label} is left out: it is on {Frame.of(roi).title}, which is no plane" for roi in left]
    else:
        raise PlanError(
            [f"{path}: name a file that ends in .csv, .geojson or .ome.xml, or a format: {', '.join(FORMATS)}"]
        )
    return []


@dataclass(frozen=True)
class Merge:
    """What importing would do to a table.

    Parameters
    ----------
    new : tuple of Roi
        Of ids that the table lacks, each with a name.
    changed : tuple of Roi
        Of ids that it has, with other content.
    same : int
        How many it has just so.
    """

    new: tuple[Roi, ...]
    changed: tuple[Roi, ...]
    same: int


def merge(table: RoiTable, rois: Iterable[Roi], pattern: str = NAME_PATTERN) -> Merge:
    """Find out what importing ROIs would do to a table; those without a name get one by a pattern.

    Raises
    ------
    PlanError
        If the pattern is none, or an id stands twice among the ROIs.
    """
    listed = list(rois)
    ids = [roi.roi_id for roi in listed]
    if twice := next((one for one in ids if ids.count(one) > 1), None) if len(set(ids)) < len(ids) else None:
        raise PlanError([f"ROI id {twice} stands twice in what is to be imported"])
    new = [roi for roi in listed if roi.roi_id not in table]
    changed = tuple(roi for roi in listed if roi.roi_id in table and roi != table[roi.roi_id])
    taken = [roi.name for roi in (*table, *listed)]
    names = iter(next_names(taken, sum(not roi.name for roi in new), pattern))
    named = (roi if roi.name else roi.model_copy(update={"name": next(names)}) for roi in new)
    return Merge(tuple(named), changed, len(listed) - len(new) - len(changed))

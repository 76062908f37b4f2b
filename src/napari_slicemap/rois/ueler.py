"""ROIs of UELer: ``.UELer/roi_manager.csv``."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pydantic

from ..errors import FileFormatError
from ..files import Row, explain, read_table
from .roi import LINE_PADDING_PX, Geometry, Roi, box_of
from .table import RoiTable, split_tags, text_cell

_REQUIRED = ("roi_id", "x_min", "x_max", "y_min", "y_max")


def read_roi_manager(path: Path) -> RoiTable:
    """Read UELer's ROI table.

    View bookmarks become rectangles. Drawn shapes become polygons or lines, and their padded box is computed
    anew from the vertices. Palettes and widget states have no counterpart here and are left behind.

    Parameters
    ----------
    path : Path
        ``roi_manager.csv``.

    Returns
    -------
    RoiTable

    Raises
    ------
    FileFormatError
        Naming file and line.
    """
    rois = []
    for row in read_table(path, _REQUIRED):
        try:
            rois.append(_roi(row))
        except pydantic.ValidationError as error:
            raise FileFormatError(f"{row.where}: {explain(error)}") from None
    try:
        return RoiTable(rois)
    except ValueError as error:
        raise FileFormatError(f"{path}: {error}") from None


def _roi(row: Row) -> Roi:
    geometry = _geometry(row)
    fields: dict[str, Any] = {
        "roi_id": row["roi_id"],
        "name": text_cell(row, "name"),
        "fov": text_cell(row, "fov"),
        "map_id": _map_id(text_cell(row, "map_id")),
        "profile": text_cell(row, "marker_set"),
        "tags": split_tags(text_cell(row, "tags"), ","),
        "comment": text_cell(row, "comment"),
    }
    fields |= {name: row[name] for name in ("created_at", "updated_at") if text_cell(row, name)}
    if geometry is None:
        box: dict[str, Any] = {name: row.number(name) for name in ("x_min", "x_max", "y_min", "y_max")}
        return Roi.model_validate({**fields, **box, "kind": "rectangle"})
    box = box_of(geometry.points, 0.0 if geometry.closed else LINE_PADDING_PX)
    return Roi.model_validate({**fields, **box, "kind": geometry.type, "geometry": geometry})


def _map_id(text: str) -> str:
    """Undo what pandas does to a column of ids with gaps: "7" comes back as "7.0"."""
    return text.removesuffix(".0") if text.removesuffix(".0").isdigit() else text


def _geometry(row: Row) -> Geometry | None:
    """Read the vertices of a drawn shape; a view bookmark (or an empty kind) has none."""
    if text_cell(row, "roi_kind") in ("", "view") and not text_cell(row, "geometry"):
        return None
    try:
        found = json.loads(row["geometry"])
        points = _points(found)
        closed = bool(found.get("closed", False)) if isinstance(found, dict) else False
    except (TypeError, ValueError, LookupError, AttributeError) as error:
        raise FileFormatError(f"{row.where}: geometry cannot be read ({error})") from None
    return Geometry(type="polygon" if closed else "line", closed=closed, points=tuple(points))


def _points(found: Any) -> Sequence[tuple[float, float]]:
    raw = found if isinstance(found, list) else found.get("points", found.get("vertices"))
    if raw is None:
        raise ValueError("it has no points")
    return [(float(p["x"]), float(p["y"])) if isinstance(p, dict) else (float(p[0]), float(p[1])) for p in raw]

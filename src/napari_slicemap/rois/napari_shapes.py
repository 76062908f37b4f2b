"""ROIs as the table of vertices that napari saves a Shapes layer as: shapes only, without names."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

import pydantic

from ..errors import FileFormatError
from ..files import Row, explain, read_table, table_text, write_text
from .frames import Frame, Frames, Imported
from .roi import Kind, Roi, roi_from_points

COLUMNS = ("index", "shape-type", "vertex-index", "axis-0", "axis-1", "axis-2")
_REQUIRED = COLUMNS[:5]
_KINDS: dict[str, Kind] = {"rectangle": "rectangle", "polygon": "polygon", "path": "line", "line": "line"}
_CENTRE = 0.5
"""A layer's whole numbers are the centres of pixels, those of a region their corners."""


def write_shapes(path: str | os.PathLike[str], rois: Iterable[Roi], frames: Frames) -> None:
    """Write the shapes of ROIs as napari does, atomically: map number, y and x of each vertex.

    Parameters
    ----------
    path : path-like
        The file; napari wants it to end in ``.csv``.
    rois : iterable of Roi
        Their names, tags, profiles and comments have no place in it.
    frames : Frames
        Numbers the maps. ROIs on FOVs of a map are left out by :func:`~.interchange.write_rois`.
    """
    write_text(Path(path), table_text(COLUMNS, _rows(rois, frames)))


def _rows(rois: Iterable[Roi], frames: Frames) -> Iterator[dict[str, object]]:
    for index, roi in enumerate(rois):
        shape_type = {"rotated-rectangle": "rectangle", "line": "path"}.get(roi.kind, roi.kind)
        number = frames.number_of(Frame.of(roi))
        for vertex, (x, y) in enumerate(roi.points):
            numbers = zip(COLUMNS[3:], (float(number), y - _CENTRE, x - _CENTRE), strict=True)
            shape = {"index": index, "shape-type": shape_type, "vertex-index": vertex}
            yield {**shape, **{name: repr(value) for name, value in numbers}}


def is_shapes(columns: Iterable[str]) -> bool:
    """Say whether a table of these columns is one of shapes."""
    return set(_REQUIRED) <= set(columns)


def read_shapes(path: str | os.PathLike[str], frames: Frames) -> Imported:
    """Read shapes that napari saved.

    Parameters
    ----------
    path : path-like
        The file. With three axes the first one is the number of the map; with two, shapes are on the default.
    frames : Frames
        The maps by number, and the default.

    Returns
    -------
    Imported
        ROIs without names; ellipses and shapes without area are among the problems.

    Raises
    ------
    FileFormatError
        Naming file, line and column.
    """
    shapes: dict[str, list[Row]] = {}
    for row in read_table(path, _REQUIRED):
        shapes.setdefault(row["index"], []).append(row)
    rois, problems = [], []
    for index, rows in shapes.items():
        try:
            rois.append(_roi(rows, frames))
        except pydantic.ValidationError as error:
            problems.append(f"{path}: shape {index}: {explain(error)}")
        except FileFormatError:
            raise
        except ValueError as error:
            problems.append(f"{path}: shape {index}: {error}")
    return Imported(tuple(rois), tuple(problems))


def _roi(rows: list[Row], frames: Frames) -> Roi:
    shape_type = rows[0]["shape-type"]
    if shape_type not in _KINDS:
        raise ValueError(f"{shape_type!r} cannot be an ROI; expected {', '.join(_KINDS)}")
    rows = sorted(rows, key=lambda row: _needed(row, "vertex-index"))
    deep = bool(rows[0]["axis-2"])
    y_axis, x_axis = ("axis-1", "axis-2") if deep else ("axis-0", "axis-1")
    points = [(_needed(row, x_axis) + _CENTRE, _needed(row, y_axis) + _CENTRE) for row in rows]
    frame = _frame({round(_needed(row, "axis-0")) for row in rows}, frames) if deep else frames.default
    if frame is None:
        raise ValueError("the file does not say which map or FOV it is on; name one")
    return roi_from_points(points, _KINDS[shape_type], **frame.fields)


def _frame(numbers: set[int], frames: Frames) -> Frame:
    if len(numbers) > 1:
        raise ValueError("it lies on several maps at once")
    number = numbers.pop()
    if not 0 <= number < len(frames.planes):
        raise ValueError(f"it is on map number {number}, and there are {len(frames.planes)}")
    return frames.planes[number]


def _needed(row: Row, column: str) -> float:
    value = row.number(column)
    if value is None:
        raise FileFormatError(f"{row.where}: {column} is empty, expected a number")
    return value

"""Shapes of OME-XML and the vertices of ROIs."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from xml.etree import ElementTree as ET

from ..images.tiff.ome_xml import xml_text
from .roi import Kind, Roi

Vertices = list[tuple[float, float]]
_ELLIPSE_VERTICES = 72
_MATRIX = re.compile(r"\s*matrix\((?P<numbers>[^()]*)\)\s*")
_SQUARE = 1e-6
"""Cosine up to which an angle counts as a right one."""


class NoRoiError(ValueError):
    """A shape that cannot be an ROI; the message says why."""


def write_shape(union: ET.Element, roi: Roi, shape_id: str) -> None:
    """Add the shape of an ROI: a ``Rectangle``, ``Polygon`` or ``Polyline``, with the name as its text."""
    stated = {"ID": shape_id} | ({"Text": xml_text(roi.name)} if roi.name else {})
    width, height = roi.x_max - roi.x_min, roi.y_max - roi.y_min
    # a corner and a size of floats need not give the other corner again; vertices do
    if roi.geometry is None and (roi.x_min + width, roi.y_min + height) == (roi.x_max, roi.y_max):
        box = {"X": roi.x_min, "Y": roi.y_min, "Width": width, "Height": height}
        ET.SubElement(union, "Rectangle", stated | {key: repr(value) for key, value in box.items()})
        return
    points = " ".join(f"{x!r},{y!r}" for x, y in roi.points)
    ET.SubElement(union, "Polyline" if roi.kind == "line" else "Polygon", stated | {"Points": points})


def points_of(shape: ET.Element) -> tuple[Kind, Vertices, str]:
    """Read a shape.

    Parameters
    ----------
    shape : Element
        Of any year's schema.

    Returns
    -------
    kind : str
        Of the ROI.
    points : list of (float, float)
        Vertices ``(x, y)``, px of the image.
    note : str
        What had to change, or empty.

    Raises
    ------
    NoRoiError
        If it can be no ROI: a point, a label, a mask, or its numbers are none.
    """
    name = shape.tag.rpartition("}")[2]
    kind, points = _plain(name, shape)
    moved = _transformed(points, shape)
    if kind == "rectangle" and not _right_angled(moved):
        kind = "polygon"
    note = f"its ellipse has become a polygon of {len(moved)} points" if name == "Ellipse" else ""
    return kind, moved, note


def _plain(name: str, shape: ET.Element) -> tuple[Kind, Vertices]:
    if name == "Rectangle":
        x, y, width, height = (_number(shape, key) for key in ("X", "Y", "Width", "Height"))
        return "rectangle", [(x, y), (x + width, y), (x + width, y + height), (x, y + height)]
    if name == "Polygon":
        return "polygon", _points(shape)
    if name == "Polyline":
        return "line", _points(shape)
    if name == "Line":
        return "line", [(_number(shape, f"X{end}"), _number(shape, f"Y{end}")) for end in "12"]
    if name == "Ellipse":
        x, y, across, down = (_number(shape, key) for key in ("X", "Y", "RadiusX", "RadiusY"))
        if not (across > 0 and down > 0):
            raise NoRoiError(f"its ellipse has radii of {across:g} and {down:g} px, expected above 0")
        turns = (2 * math.pi * n / _ELLIPSE_VERTICES for n in range(_ELLIPSE_VERTICES))
        return "polygon", [(x + across * math.cos(turn), y + down * math.sin(turn)) for turn in turns]
    raise NoRoiError(f"a {name} cannot be an ROI; rectangles, polygons, ellipses and lines can")


def _number(shape: ET.Element, key: str) -> float:
    stated = shape.get(key)
    try:
        return float(stated or "")
    except ValueError:
        raise NoRoiError(f"its {key} is {stated!r}, expected a number") from None


def _points(shape: ET.Element) -> Vertices:
    stated = shape.get("Points") or ""
    try:
        pairs = [one.split(",") for one in stated.split()]
        points = [(float(x), float(y)) for x, y in pairs]
    except ValueError:
        points = []
    if not points:
        raise NoRoiError(f"its points are {stated[:40]!r}, expected pairs x,y")
    return points


def _transformed(points: Vertices, shape: ET.Element) -> Vertices:
    """Move vertices as the shape's affine transform says: an element since 2015, a text before."""
    element, text = shape.find("{*}Transform"), shape.get("Transform")
    if element is not None:
        a, c, e, b, d, f = (_number(element, key) for key in ("A00", "A01", "A02", "A10", "A11", "A12"))
    elif text and text != "none":
        found = _MATRIX.fullmatch(text)
        numbers = re.split(r"[\s,]+", found["numbers"].strip()) if found else []
        try:
            a, b, c, d, e, f = map(float, numbers)
        except ValueError:
            raise NoRoiError(f"its transform is {text[:40]!r}, expected matrix(a b c d e f)") from None
    else:
        return points
    return [(a * x + c * y + e, b * x + d * y + f) for x, y in points]


def _right_angled(points: Sequence[tuple[float, float]]) -> bool:
    (ax, ay), (bx, by), (cx, cy), _ = points
    one, other = (bx - ax, by - ay), (cx - bx, cy - by)
    size = math.hypot(*one) * math.hypot(*other)
    return abs(one[0] * other[0] + one[1] * other[1]) <= _SQUARE * size

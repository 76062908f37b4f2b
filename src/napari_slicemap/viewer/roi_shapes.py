"""ROIs as shapes of napari, and shapes as ROIs: vertices, kinds, colours."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..rois.roi import Kind, Points, Roi
from .roi_places import Place

_KINDS: dict[str, Kind] = {
    "rectangle": "rectangle",
    "polygon": "polygon",
    "ellipse": "polygon",
    "path": "line",
    "line": "line",
}
_ELLIPSE_POINTS = 64


def vertices_of(roi: Roi, place: Place) -> NDArray[np.float64]:
    """Give the vertices of an ROI as its layer has them.

    Parameters
    ----------
    roi : Roi
        The ROI.
    place : Place
        Where what it is on lies on the canvas.

    Returns
    -------
    ndarray, (n, 3), float64
        ``(page, y, x)``, canvas px; whole numbers are the centres of px.
    """
    return np.array([(place.number, y - 0.5, x - 0.5) for x, y in place.to_canvas(roi.points)])


def shape_type_of(roi: Roi) -> str:
    """Say which of napari's shapes shows an ROI."""
    if roi.kind in ("rectangle", "rotated-rectangle") and len(roi.points) == 4:
        return "rectangle"
    return "path" if roi.kind == "line" else "polygon"


def shape_of(vertices: Any, shape_type: str) -> tuple[Points, Kind]:
    """Give the points of a drawn shape, and what it is; an ellipse becomes a polygon.

    Parameters
    ----------
    vertices : array-like, (n, 3)
        ``(page, y, x)``, as :func:`vertices_of` gives them.
    shape_type : str
        napari's name of the shape.

    Returns
    -------
    points : tuple of (float, float)
        ``(x, y)``, canvas px; whole numbers are the corners of px.
    kind : str
        Of the ROI that it makes.
    """
    corners = np.asarray(vertices, dtype=float)
    if shape_type == "ellipse":
        corners = _ellipse(corners)
    return tuple((float(x) + 0.5, float(y) + 0.5) for _, y, x in corners), _KINDS[shape_type]


def rgba(colour: str) -> tuple[float, ...]:
    """Take a colour ``#rrggbb`` or ``#rrggbbaa`` apart: 0 to 1 each."""
    digits = colour.removeprefix("#").ljust(8, "f")
    return tuple(int(digits[n : n + 2], 16) / 255 for n in (0, 2, 4, 6))


def looks_the_same(one: Roi, other: Roi) -> bool:
    """Say whether two ROIs are drawn alike: on the same map or FOV, of one kind, with the same vertices."""
    frames = (one.fov, one.map_id) == (other.fov, other.map_id)
    return frames and one.kind == other.kind and (one.points is other.points or same_points(one.points, other.points))


def same_points(points: Points, others: Points) -> bool:
    """Say whether two shapes have the same vertices, up to what drawing rounds off."""
    return len(points) == len(others) and np.allclose(points, others, atol=1e-4, rtol=0)


def _ellipse(corners: NDArray[np.float64]) -> NDArray[np.float64]:
    """Give vertices of the ellipse within four corners, since ROIs know polygons only."""
    center = corners.mean(axis=0)
    across, down = (corners[1] - corners[0]) / 2, (corners[3] - corners[0]) / 2
    angle = np.linspace(0, 2 * np.pi, _ELLIPSE_POINTS, endpoint=False)[:, None]
    made: NDArray[np.float64] = center + np.cos(angle) * across + np.sin(angle) * down
    return made

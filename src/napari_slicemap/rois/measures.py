"""How large an ROI is, and how much of it lies where there is no data."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise

from ..images.region import Window
from ..maps.placement import Placement
from .roi import Points, Roi

_UM2_PER_MM2 = 1e6
_AS_MM2 = 1e5
"""Areas from here on, µm², are said in mm²."""
_AS_MM = 1e4
"""Lengths from here on, µm, are said in mm."""


@dataclass(frozen=True)
class Measures:
    """The size of an ROI.

    Parameters
    ----------
    width, height : float
        Sides of a rectangle, turned or not, the longer one of a turned one first; of other shapes those of the box
        around their vertices.
    area : float or None
        Of the shape; ``None`` for a line.
    length : float or None
        Along a line; ``None`` for shapes.
    unit : str
        ``"µm"``, or ``"px"`` where the pixel size is unknown. The area is in its square.
    """

    width: float
    height: float
    area: float | None
    length: float | None
    unit: str

    @property
    def size_text(self) -> str:
        """Width and height, such as ``"25 × 31.2 µm"``."""
        return f"{_number(self.width)} × {_number(self.height)} {self.unit}"

    @property
    def extent_text(self) -> str:
        """The area, in mm² where it is large, or the length of a line."""
        if self.area is None:
            length = self.length or 0.0
            if self.unit == "µm" and length >= _AS_MM:
                return f"{_number(length / 1000)} mm"
            return f"{_number(length)} {self.unit}"
        if self.unit == "µm" and self.area >= _AS_MM2:
            return f"{_number(self.area / _UM2_PER_MM2)} mm²"
        return f"{_number(self.area)} {self.unit}²"


def measure(roi: Roi, pixel_size_um: float | None) -> Measures:
    """Measure an ROI.

    Parameters
    ----------
    roi : Roi
        The ROI.
    pixel_size_um : float or None
        Size of a px of its frame, µm; ``None`` where unknown: the measures are in px then.

    Returns
    -------
    Measures
    """
    points, size = roi.points, pixel_size_um or 1.0
    unit = "px" if pixel_size_um is None else "µm"
    if roi.kind in ("rectangle", "rotated-rectangle") and len(points) == 4:
        first, second = math.dist(points[0], points[1]), math.dist(points[1], points[2])
        upright = roi.kind == "rectangle"
        sides = (roi.x_max - roi.x_min, roi.y_max - roi.y_min) if upright else (max(first, second), min(first, second))
    else:
        xs, ys = zip(*points, strict=True)
        sides = (max(xs) - min(xs), max(ys) - min(ys))
    if roi.kind == "line":
        length = sum(math.dist(a, b) for a, b in pairwise(points))
        return Measures(sides[0] * size, sides[1] * size, None, length * size, unit)
    return Measures(sides[0] * size, sides[1] * size, area_px(points) * size**2, None, unit)


def area_px(points: Points) -> float:
    """Give the area within vertices ``(x, y)``, px²; parts that lie over one another count once.

    A shape that crosses itself has the area of what its outline encloses.
    """
    import shapely

    shape = shapely.Polygon(points)
    return float(shape.area if shape.is_valid else shapely.make_valid(shape).area)


def empty_share(roi: Roi, covered: Iterable[Window]) -> float:
    """Give the share of an ROI that lies where there is no data.

    Parameters
    ----------
    roi : Roi
        The ROI.
    covered : iterable of Window
        Rectangles with data, px of its frame; they may lie over one another.

    Returns
    -------
    float
        0 to 1: of its area, or of the length of a line.
    """
    import shapely

    windows = [one for one in covered if not one.empty]
    if any(_holds(one, roi.points) for one in windows):  # nearly always: no geometry needs to be worked out
        return 0.0
    shape = shapely.LineString(roi.points) if roi.kind == "line" else shapely.make_valid(shapely.Polygon(roi.points))
    data = shapely.union_all([shapely.box(one.x0, one.y0, one.x1, one.y1) for one in windows])
    left = shape.difference(data)
    whole, part = (shape.length, left.length) if roi.kind == "line" else (shape.area, left.area)
    return float(part / whole) if whole else float(not left.is_empty)


def _holds(window: Window, points: Points) -> bool:
    return all(window.x0 <= x <= window.x1 and window.y0 <= y <= window.y1 for x, y in points)


def share_text(share: float) -> str:
    """Write a share such as ``"12 %"``: nothing where it is 0, and little is never said to be nothing."""
    if share <= 0:
        return ""
    return "< 1 %" if share < 0.01 else f"{min(100 * share, 100):.0f} %"


def tiles_under(roi: Roi, placement: Placement) -> list[Window]:
    """List the tiles with data that share a pixel with an ROI of a map, map px."""
    there = (placement.tiles[index] for index in placement.visible(roi.region.window()))
    return [tile.window for tile in there if tile.fov is not None]


def _number(value: float) -> str:
    """Write a measure with three digits, and no fewer than it has before the point."""
    if value == 0 or abs(value) >= 100:
        return f"{value:.0f}"
    return f"{value:.{max(0, 2 - math.floor(math.log10(abs(value))))}f}".rstrip("0").rstrip(".")

"""Shapes that are drawn by few points, names for them, and copies at the same place of other slices."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from string import Formatter

from ..errors import PixelSizeUnknownError, PlanError
from ..files import now_iso
from ..maps.placement import Placement
from .roi import Points, Roi, roi_from_points

NAME_PATTERN = "ROI_{n:03d}"
"""How ROIs are called unless somebody says otherwise."""


def stamp_roi(x: float, y: float, width_px: float, height_px: float, **fields: str) -> Roi:
    """Make a rectangle of a fixed size around a point.

    Parameters
    ----------
    x, y : float
        Its middle, px of the frame.
    width_px, height_px : float
        Its size, px.
    **fields
        As for :func:`~.roi.roi_from_points`.

    Raises
    ------
    pydantic.ValidationError
        (a ``ValueError``) if it is empty.
    """
    left, right, top, bottom = x - width_px / 2, x + width_px / 2, y - height_px / 2, y + height_px / 2
    return roi_from_points([(left, top), (right, top), (right, bottom), (left, bottom)], "rectangle", **fields)


def rectangle_on(points: Sequence[Sequence[float]]) -> Points:
    """Give the turned rectangle that somebody means by a few points.

    Parameters
    ----------
    points : sequence of (float, float)
        Three: the ends of one side, and a point on the side across. More: the smallest rectangle around them.

    Returns
    -------
    tuple of (float, float)
        Four corners; of three points the first two are kept.

    Raises
    ------
    ValueError
        If they lie on one line.
    """
    if len(points) == 3:
        (ax, ay), (bx, by), (cx, cy) = ((float(x), float(y)) for x, y in points)
        side = math.hypot(bx - ax, by - ay)
        across = ((bx - ax) * (cy - ay) - (by - ay) * (cx - ax)) / side if side else 0.0
        if across == 0:
            raise ValueError("its points lie on one line, so it has no area")
        dx, dy = -(by - ay) / side * across, (bx - ax) / side * across
        return (ax, ay), (bx, by), (bx + dx, by + dy), (ax + dx, ay + dy)
    import shapely

    envelope = shapely.MultiPoint(points).minimum_rotated_rectangle
    if not isinstance(envelope, shapely.Polygon):
        raise ValueError("its points lie on one line, so it has no area")
    return tuple((float(x), float(y)) for x, y in envelope.exterior.coords[:4])


def check_pattern(pattern: str) -> str:
    """Check a pattern for names, such as ``ROI_{n:03d}``, and give it back.

    Raises
    ------
    PlanError
        If it holds anything in braces but ``n``, or no ``n`` at all: names would not differ.
    """
    example = f"write {{n}} for the number, such as {NAME_PATTERN}"
    try:
        fields = [name for _, name, _, _ in Formatter().parse(pattern) if name is not None]
        if fields != ["n"]:
            raise PlanError([f"pattern {pattern!r}: expected one number; {example}"])
        if pattern.format(n=1) == pattern.format(n=2):
            raise PlanError([f"pattern {pattern!r}: its number does not show; {example}"])
    except ValueError as error:
        raise PlanError([f"pattern {pattern!r}: {error}; {example}"]) from None
    return pattern


def next_names(taken: Iterable[str], count: int, pattern: str = NAME_PATTERN) -> list[str]:
    """Give the first names of a pattern that are not taken.

    Raises
    ------
    PlanError
        If the pattern is none.
    """
    check_pattern(pattern)
    there, made, number = set(taken), list[str](), 1
    while len(made) < count:
        name = pattern.format(n=number)
        if name not in there:
            made.append(name)
        number += 1
    return made


def copy_to_map(roi: Roi, source: Placement, target: Placement, name: str) -> Roi:
    """Copy an ROI to the same stage µm of another map.

    Parameters
    ----------
    roi : Roi
        On `source`, or on a FOV that lies on it.
    source, target : Placement
        The maps.
    name : str
        Of the copy. It has an id and times of its own, and all else of the ROI.

    Returns
    -------
    Roi
        On the target map.

    Raises
    ------
    PixelSizeUnknownError
        If a map has no pixel size: then it has no stage µm.
    PlanError
        If the FOV of the ROI does not lie on the map.
    """
    if target.pixel_size_um is None or target.bounds_um is None:
        raise PixelSizeUnknownError(f"map {target.map_id}: its pixel size is unknown, so there is no stage position")
    x_min, _, y_min, y_max = target.bounds_um
    size, up = target.pixel_size_um, target.stage_y == "up"
    made = []
    for x, y in _on_map(roi, source):
        x_um, y_um = source.stage_um(x, y)
        made.append(((x_um - x_min) / size, ((y_max - y_um) if up else (y_um - y_min)) / size))
    drawn = roi_from_points(made, roi.kind, name=name, map_id=target.map_id)
    now = now_iso()
    more = {"profile": roi.profile, "tags": roi.tags, "comment": roi.comment, "created_at": now, "updated_at": now}
    return drawn.model_copy(update=more)


def _on_map(roi: Roi, source: Placement) -> Points:
    """Give the vertices of an ROI in px of a map; those of a FOV lie where its tile does."""
    if not roi.fov:
        return roi.points
    tile = next((tile for tile in source.tiles if tile.name == roi.fov), None)
    if tile is None:
        raise PlanError([f"ROI {roi.label}: FOV {roi.fov} does not lie on map {source.map_id}"])
    return tuple((tile.window.x0 + x / tile.ratio, tile.window.y0 + y / tile.ratio) for x, y in roi.points)

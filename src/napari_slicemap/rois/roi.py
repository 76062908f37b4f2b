"""One region of interest."""

from __future__ import annotations

import math
import uuid
from collections.abc import Sequence
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, field_validator, model_validator

from ..files import FileModel, now_iso
from ..images.region import LARGEST_PX, Region

Kind = Literal["rectangle", "rotated-rectangle", "polygon", "line"]
Points = tuple[tuple[float, float], ...]


def _finite(value: float) -> float:
    if not math.isfinite(value):
        raise ValueError("expected a finite number")
    if abs(value) > LARGEST_PX:
        raise ValueError(f"{value:g} is no px; expected one within ±{LARGEST_PX:g}")
    return value


_Bound = Annotated[float, AfterValidator(_finite)]


class Geometry(FileModel):
    """A shape's vertices ``[x, y]`` in the ROI's frame (FOV px or map px)."""

    type: Literal["rectangle", "rotated-rectangle", "polygon", "line"] = "polygon"
    closed: bool = True
    points: Points

    @field_validator("points")
    @classmethod
    def _are_px(cls, points: Points) -> Points:
        for point in points:
            for value in point:
                _finite(value)
        return points

    @model_validator(mode="after")
    def _enough(self) -> Geometry:
        least = 3 if self.closed else 2
        if len(self.points) < least:
            raise ValueError(f"{len(self.points)} points, expected at least {least}")
        return self


class Roi(FileModel, str_strip_whitespace=True):
    """A named region on a FOV (`fov` set, FOV px) or on a map (`fov` empty, `map_id` set, map px).

    Parameters
    ----------
    roi_id : str
        UUID4, never reused.
    name : str
        What people call it; need not be unique.
    fov, map_id : str
        The frame. With both empty the ROI is kept, but cannot be exported.
    kind : str
        ``rectangle``, ``rotated-rectangle``, ``polygon`` or ``line``.
    x_min, x_max, y_min, y_max : float
        Box, half-open, px of the frame; it encloses the shape.
    geometry : Geometry or None
        The shape; a plain rectangle needs none.
    profile : str
        Profile to show it with, or empty.
    tags : tuple of str
        Words to find it by.
    comment : str
        Free text.
    created_at, updated_at : str
        ISO 8601 UTC.
    """

    roi_id: Annotated[str, Field(min_length=1)] = Field(default_factory=lambda: str(uuid.uuid4()))
    name: str = ""
    fov: str = ""
    map_id: str = ""
    kind: Kind = "rectangle"
    x_min: _Bound
    x_max: _Bound
    y_min: _Bound
    y_max: _Bound
    geometry: Geometry | None = None
    profile: str = ""
    tags: tuple[str, ...] = ()
    comment: str = ""
    created_at: str = Field(default_factory=now_iso)
    updated_at: str = Field(default_factory=now_iso)

    @field_validator("tags")
    @classmethod
    def _single_words(cls, tags: tuple[str, ...]) -> tuple[str, ...]:
        if joined := [tag for tag in tags if ";" in tag]:
            raise ValueError(f"tag {joined[0]!r} holds ';', which separates tags in rois.csv")
        return tuple(dict.fromkeys(tag for tag in tags if tag))

    @model_validator(mode="after")
    def _box_is_one(self) -> Roi:
        if self.x_max <= self.x_min or self.y_max <= self.y_min:
            raise ValueError("the box is empty; x_min must lie below x_max and y_min below y_max")
        if self.kind != "rectangle" and self.geometry is None:
            raise ValueError(f"a {self.kind} needs its geometry")
        return self

    @property
    def region(self) -> Region:
        """The box."""
        return Region(self.x_min, self.x_max, self.y_min, self.y_max)

    @property
    def points(self) -> Points:
        """The shape's vertices, px of the frame; a rectangle's corners where there is no geometry."""
        if self.geometry is not None:
            return self.geometry.points
        return (
            (self.x_min, self.y_min),
            (self.x_max, self.y_min),
            (self.x_max, self.y_max),
            (self.x_min, self.y_max),
        )

    @property
    def label(self) -> str:
        """Its name, or its id where it has none."""
        return self.name or self.roi_id

    @property
    def on(self) -> Literal["fov", "map", ""]:
        """What it is drawn on; empty where neither a FOV nor a map is named."""
        return "fov" if self.fov else "map" if self.map_id else ""


LINE_PADDING_PX = 4.0
"""Space around a line's vertices: its box is what gets exported, and must not be empty."""


def box_of(points: Sequence[Sequence[float]], padding: float = 0.0) -> dict[str, float]:
    """Give the box ``x_min … y_max`` that encloses vertices ``(x, y)``, with padding in px."""
    xs, ys = [point[0] for point in points], [point[1] for point in points]
    return {
        "x_min": min(xs) - padding,
        "x_max": max(xs) + padding,
        "y_min": min(ys) - padding,
        "y_max": max(ys) + padding,
    }


def roi_from_points(points: Sequence[Sequence[float]], kind: Kind, **fields: str) -> Roi:
    """Make an ROI of a drawn shape.

    Parameters
    ----------
    points : sequence of (float, float)
        Vertices ``(x, y)``, px of the frame.
    kind : str
        What was drawn. A rectangle whose sides are not upright becomes a rotated one.
    **fields
        ``name``, ``fov``, ``map_id``, ``profile``, ``comment``.

    Returns
    -------
    Roi

    Raises
    ------
    pydantic.ValidationError
        (a ``ValueError``) if the shape is empty.
    """
    vertices = tuple((float(x), float(y)) for x, y in points)
    if kind == "rectangle" and not _upright(vertices):
        kind = "rotated-rectangle"
    box = box_of(vertices, LINE_PADDING_PX if kind == "line" else 0.0)
    geometry = None if kind == "rectangle" else Geometry(type=kind, closed=kind != "line", points=vertices)
    return Roi.model_validate({**fields, **box, "kind": kind, "geometry": geometry})


def _upright(points: Points) -> bool:
    box = box_of(points)
    return all(
        min(abs(x - box["x_min"]), abs(x - box["x_max"])) < 1e-6
        and min(abs(y - box["y_min"]), abs(y - box["y_max"])) < 1e-6
        for x, y in points
    )

"""Rectangles in pixels, and the grid that downsampling averages over."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Annotated, NamedTuple

from pydantic import Field, field_validator, model_validator

from ..errors import RegionError
from ..files import value_object

LARGEST_PX = 2**53
"""How far from the origin a pixel may lie: beyond it a float no longer tells one from the next."""

MOST_DOWNSAMPLE = 2**16
"""A larger one would make a dot of any image there is."""

Downsample = Annotated[int, Field(ge=1, le=MOST_DOWNSAMPLE)]
"""Size of an output px in source px."""


@value_object
class Region:
    """A rectangle, half-open, in px of the frame that the context names (FOV px or map px).

    Parameters
    ----------
    x_min, x_max, y_min, y_max : float
        Bounds in px, ``x_min < x_max`` and ``y_min < y_max``. Pixel ``i`` covers ``[i, i + 1)``.

    Raises
    ------
    pydantic.ValidationError
        (a ``ValueError``) if a bound is not finite, lies beyond :data:`LARGEST_PX`, or the rectangle is empty.
    """

    x_min: float
    x_max: float
    y_min: float
    y_max: float

    @field_validator("x_min", "x_max", "y_min", "y_max")
    @classmethod
    def _finite(cls, value: float) -> float:
        if not math.isfinite(value):
            raise ValueError("a region's bounds must be finite numbers")
        if abs(value) > LARGEST_PX:
            raise ValueError(f"a region's bounds are px within ±{LARGEST_PX:g}, not {value:g}")
        return value

    @model_validator(mode="after")
    def _not_empty(self) -> Region:
        if self.x_max <= self.x_min or self.y_max <= self.y_min:
            raise ValueError(f"the region {self} is empty; x_min must lie below x_max and y_min below y_max")
        return self

    def __str__(self) -> str:
        return f"x {self.x_min:g}–{self.x_max:g}, y {self.y_min:g}–{self.y_max:g} px"

    @property
    def width(self) -> float:
        """Width in px."""
        return self.x_max - self.x_min

    @property
    def height(self) -> float:
        """Height in px."""
        return self.y_max - self.y_min

    def window(self) -> Window:
        """Go outward to whole pixels: floor and ceil, once."""
        return Window(math.floor(self.x_min), math.ceil(self.x_max), math.floor(self.y_min), math.ceil(self.y_max))


class Window(NamedTuple):
    """A rectangle of whole pixels, half-open; it may be empty.

    Parameters
    ----------
    x0, x1, y0, y1 : int
        First column and one past the last, first row and one past the last, px.
    """

    x0: int
    x1: int
    y0: int
    y1: int

    @property
    def shape(self) -> tuple[int, int]:
        """``(height, width)`` in px, never negative."""
        return max(0, self.y1 - self.y0), max(0, self.x1 - self.x0)

    @property
    def empty(self) -> bool:
        """Whether it holds no pixel."""
        return 0 in self.shape

    @property
    def region(self) -> Region:
        """The same rectangle as a :class:`Region`."""
        return Region(self.x0, self.x1, self.y0, self.y1)

    def __and__(self, other: Window) -> Window:
        """Give what both windows share; it may be empty."""
        return Window(max(self.x0, other.x0), min(self.x1, other.x1), max(self.y0, other.y0), min(self.y1, other.y1))

    def shifted(self, dx: int, dy: int) -> Window:
        """Move by whole pixels."""
        return Window(self.x0 + dx, self.x1 + dx, self.y0 + dy, self.y1 + dy)

    def grown(self, by: int) -> Window:
        """Grow by `by` pixels on each side."""
        return Window(self.x0 - by, self.x1 + by, self.y0 - by, self.y1 + by)

    def slices_in(self, outer: Window) -> tuple[slice, slice]:
        """Give the ``(rows, columns)`` slices of this window in an array that holds `outer`."""
        return (
            slice(self.y0 - outer.y0, self.y1 - outer.y0),
            slice(self.x0 - outer.x0, self.x1 - outer.x0),
        )

    def __str__(self) -> str:
        return f"x {self.x0}–{self.x1}, y {self.y0}–{self.y1} px"


@value_object
class Grid:
    """The cells that a downsampled image averages over: squares of `step` px that start at the origin.

    Regions that share a grid meet without a seam, because a cell belongs to the grid and not to the region.

    Parameters
    ----------
    step : int
        Downsampling factor, at least 1.
    x0, y0 : int
        Where cell (0, 0) begins, px.
    """

    step: int = 1
    x0: int = 0
    y0: int = 0

    @field_validator("step")
    @classmethod
    def _at_least_one(cls, step: int) -> int:
        if step < 1:
            raise ValueError(f"downsample is {step}, expected a whole number of at least 1")
        return step

    def cells(self, window: Window) -> Window:
        """Give the cells that a window of px touches: ``ceil(x_max/d) − floor(x_min/d)`` columns."""
        d = self.step
        return Window(
            (window.x0 - self.x0) // d,
            -((self.x0 - window.x1) // d),
            (window.y0 - self.y0) // d,
            -((self.y0 - window.y1) // d),
        )

    def pixels(self, cells: Window) -> Window:
        """Give the px that a window of cells covers."""
        d = self.step
        return Window(cells.x0 * d + self.x0, cells.x1 * d + self.x0, cells.y0 * d + self.y0, cells.y1 * d + self.y0)


def blocks(cells: Window, side: int) -> Iterator[Window]:
    """Cut a window into squares of at most `side`, row by row.

    They start at multiples of `side`, wherever the window starts, so that neighbouring windows are cut alike.
    """
    for top in range(cells.y0 // side * side, cells.y1, side):
        for left in range(cells.x0 // side * side, cells.x1, side):
            yield Window(left, left + side, top, top + side) & cells


def inside(region: Region, bounds: Window, what: str) -> Window:
    """Take a region to whole pixels, and refuse one that lies wholly outside.

    Raises
    ------
    RegionError
        If no pixel of the region lies within `bounds`.
    """
    window = region.window()
    if (window & bounds).empty:
        raise RegionError(f"{what}: the region {region} lies wholly outside the data ({bounds})")
    return window

"""A slice moved by a shift: where its pixels go, and what they are when the shift is no whole number of px.

A slice of width W at the cumulative shift dx is drawn dx px to the right of the slice that the shifts begin with
(dy px further down). Let k be the whole number nearest to dx (the lower one of two) and r = k − dx, so that
−0.5 ≤ r < 0.5. The slice then covers the columns k … k + W − 1 of the common frame, as many as it has, and column
k + i holds the linear interpolation at i + r of its own columns s::

    (1 − r) · s[i] + r · s[i + 1]      for r ≥ 0
    (1 + r) · s[i] − r · s[i − 1]      for r < 0

where a column beyond the edge is the edge's. Rows likewise, rows first. Pixels that the slice does not cover are 0.
For whole numbers r = 0: the pixels are copied. Shifts are taken to a millionth of a px: sums of decimals leave noise.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ...images.region import Window

if TYPE_CHECKING:
    from numpy.typing import NDArray

_DECIMALS = 6

RowReader = Callable[[int, int], "NDArray[Any]"]
"""``read(top, bottom)`` gives rows of a plane, ``(bottom - top, W)``."""


@dataclass(frozen=True)
class Placed:
    """Where a slice lies in the common frame.

    Parameters
    ----------
    window : Window
        The px of the frame that it covers, as many as it has.
    rest : tuple of float
        ``(x, y)`` from −0.5 up to 0.5: px of the slice at which its first pixel in the frame is taken.
    """

    window: Window
    rest: tuple[float, float]


def place(shift: tuple[float, float], height: int, width: int) -> Placed:
    """Say where a slice of a size lies.

    Parameters
    ----------
    shift : tuple of float
        ``(dx, dy)``, cumulative, px: to the right and down.
    height, width : int
        Of the slice, px.
    """
    (left, across), (top, down) = map(_whole_and_rest, shift)
    return Placed(Window(left, left + width, top, top + height), (across, down))


def _whole_and_rest(shift: float) -> tuple[int, float]:
    near = round(shift, _DECIMALS)
    whole = math.ceil(near - 0.5)
    return whole, round(whole - near, _DECIMALS)


def union(windows: Iterable[Window]) -> Window:
    """Give the smallest window that holds all of them, of which there is at least one."""
    x0, x1, y0, y1 = zip(*windows, strict=True)
    return Window(min(x0), max(x1), min(y0), max(y1))


def shifted_rows(read: RowReader, placed: Placed, canvas: Window, top: int, bottom: int) -> NDArray[Any]:
    """Make rows of the canvas from those of a slice.

    Parameters
    ----------
    read : callable
        Rows of one plane of the slice; asked for those that are needed only.
    placed : Placed
        Where the slice lies.
    canvas : Window
        All of the canvas, in the frame of `placed`.
    top, bottom : int
        First row and one past the last, px of the canvas.

    Returns
    -------
    ndarray, (bottom - top, width of the canvas)
        Of the slice's dtype, in memory of its own; 0 where the slice is not. Whole numbers are rounded, half to
        even; those of 64 bits to the precision of floats.
    """
    window = placed.window.shifted(-canvas.x0, -canvas.y0)
    first, last = max(top, window.y0), min(bottom, window.y1)
    if first >= last:
        return np.zeros((bottom - top, canvas.shape[1]), read(0, 0).dtype)
    own = _interpolated(read, placed, first - window.y0, last - window.y0)
    made = np.zeros((bottom - top, canvas.shape[1]), own.dtype)
    made[first - top : last - top, window.x0 : window.x1] = own
    return made


def _interpolated(read: RowReader, placed: Placed, first: int, last: int) -> NDArray[Any]:
    """Give the slice's rows as the frame takes them."""
    across, down = placed.rest
    height, width = placed.window.shape
    above, below = max(first - (down < 0), 0), min(last + (down > 0), height)
    rows = read(above, below)
    if not across and not down:
        return rows
    made = rows.astype(_held_dtype(rows.dtype))
    if down:
        near = made[first - above : last - above]
        made = _mixed(near, made[_beside(first, last, down, height) - above], down)
    if across:
        made = _mixed(made, made[:, _beside(0, width, across, width)], across)
    return _as_stored(made, rows.dtype)


def _beside(first: int, last: int, rest: float, size: int) -> NDArray[np.intp]:
    """Give the neighbours that a range of rows or columns is mixed with; at the edge, the edge itself."""
    return np.clip(np.arange(first, last) + (1 if rest > 0 else -1), 0, size - 1)


def _mixed(near: NDArray[Any], far: NDArray[Any], rest: float) -> NDArray[Any]:
    made: NDArray[Any] = near * near.dtype.type(1 - abs(rest))
    far *= far.dtype.type(abs(rest))
    made += far
    return made


def _held_dtype(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """Choose what is computed with: whole numbers need doubles, or halves would be rounded the wrong way."""
    return np.dtype(np.float32) if dtype.kind == "f" and dtype.itemsize <= 4 else np.dtype(np.float64)


def _as_stored(made: NDArray[Any], dtype: np.dtype[Any]) -> NDArray[Any]:
    if dtype.kind in "biu":
        np.rint(made, out=made)
    if dtype.kind in "iu":
        limits = np.iinfo(dtype)
        # the largest of 64 bits lies between two floats, of which the upper one is out of range
        top = np.nextafter(float(limits.max), 0) if dtype.itemsize == 8 else limits.max
        made.clip(limits.min, top, out=made)
    return made.astype(dtype, copy=False)

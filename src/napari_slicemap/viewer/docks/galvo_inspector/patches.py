"""Pictures of tiles as arrays: the return cut off, tiles put together, intensities made grey."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from ....slices.galvo import fix_galvo_shift

if TYPE_CHECKING:
    from numpy.typing import NDArray

Axis = Literal["x", "y"]
"""Along which A-lines follow one another in a picture: ``"x"`` from left to right, ``"y"`` from top to bottom."""

NOTHING = 0
"""Grey value of a px where there is no tile."""
_PERCENTILES = 1.0, 99.5
_ENOUGH_PX = 200_000  # of all planes, to take percentiles from


def without_return(aip: NDArray[Any], lines: int, n_extra: int, shift: int | None) -> NDArray[Any]:
    """Give the A-lines that are kept of a tile: all but the last `n_extra`.

    Parameters
    ----------
    aip : ndarray, (A-lines, B-scans)
        Of any dtype. One that is cut short, with fewer A-lines than a whole tile, is never rolled.
    lines, n_extra : int
        A-lines of a whole tile, and of the return within.
    shift : int or None
        A-lines to roll by before; ``None`` rolls nothing, as if the return were at the end already.

    Returns
    -------
    ndarray, (at most lines - n_extra, B-scans)
    """
    moved = aip if shift is None or len(aip) < lines else fix_galvo_shift(aip, shift, 0)
    return moved[: lines - n_extra]


def as_picture(aip: NDArray[Any], axis: Axis) -> NDArray[Any]:
    """Turn a projection ``(A-lines, B-scans)`` into a picture ``(rows, columns)``."""
    return aip.T if axis == "x" else aip


def compose(
    tiles: Mapping[tuple[int, int], NDArray[np.uint8]], axis: Axis, lines: int, n_extra: int, shift: int | None
) -> NDArray[np.uint8]:
    """Put tiles of a mosaic together, the return cut off from each.

    Parameters
    ----------
    tiles : mapping of (row, column) to ndarray, (A-lines, B-scans), uint8
        Grey values of at least one tile.
    axis : "x" or "y"
        Along which A-lines follow one another.
    lines, n_extra, shift
        As in :func:`without_return`.

    Returns
    -------
    ndarray, (Y, X), uint8
        From the first row and column to the last; :data:`NOTHING` where there is no tile.
    """
    kept = {place: as_picture(without_return(aip, lines, n_extra, shift), axis) for place, aip in tiles.items()}
    tops = _starts((row, picture.shape[0]) for (row, _), picture in kept.items())
    lefts = _starts((column, picture.shape[1]) for (_, column), picture in kept.items())
    made = np.full((tops[-1], lefts[-1]), NOTHING, dtype=np.uint8)
    first_row, first_column = min(row for row, _ in kept), min(column for _, column in kept)
    for (row, column), picture in kept.items():
        y, x = tops[row - first_row], lefts[column - first_column]
        made[y : y + picture.shape[0], x : x + picture.shape[1]] = picture
    return made


def _starts(sizes: Iterable[tuple[int, int]]) -> list[int]:
    """Give where each row (or column) begins, from the first there is, and where the last ends.

    One without a tile is as large as the largest.
    """
    largest: dict[int, int] = {}
    for place, size in sizes:
        largest[place] = max(size, largest.get(place, 0))
    usual = max(largest.values())
    every = [largest.get(place, usual) for place in range(min(largest), max(largest) + 1)]
    return [0, *np.cumsum(every).tolist()]


def limits_of(planes: Iterable[NDArray[Any]]) -> tuple[float, float]:
    """Give the intensities that are black and white: percentiles 1 and 99.5 of all planes together.

    Parameters
    ----------
    planes : iterable of ndarray
        Real numbers; px that are not finite do not count. Of many px, every so manieth is looked at.

    Returns
    -------
    tuple of float
        The second is larger than the first; ``(0, 1)`` without a px that counts.
    """
    flat = [np.asarray(plane).reshape(-1) for plane in planes]
    step = max(1, sum(one.size for one in flat) // _ENOUGH_PX)
    seen = np.concatenate([one[::step].astype(np.float64) for one in flat]) if flat else np.empty(0)
    seen = seen[np.isfinite(seen)]
    if not seen.size:
        return 0.0, 1.0
    low, high = (float(one) for one in np.percentile(seen, _PERCENTILES))
    return low, high if high > low else low + 1.0


def grey(plane: NDArray[Any], limits: tuple[float, float]) -> NDArray[np.uint8]:
    """Map intensities to grey values from 1, black, to 255, white.

    Parameters
    ----------
    plane : ndarray
        Real numbers of any shape; a px that is not a number is black.
    limits : tuple of float
        Black, and white.
    """
    low, high = limits
    part = (np.asarray(plane, dtype=np.float64) - low) / (high - low)
    made: NDArray[np.uint8] = np.rint(1 + 254 * np.clip(np.nan_to_num(part, nan=0.0), 0, 1)).astype(np.uint8)
    return made

"""What lies inside a shape, by rows of pixels."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


def inside_rows(points: NDArray[np.float64], top: int, bottom: int, width: int) -> NDArray[np.bool_]:
    """Say which pixels have their centres inside a closed shape, by the even-odd rule.

    Parameters
    ----------
    points : ndarray of float64, (N, 2)
        Corners ``(x, y)``, px.
    top, bottom : int
        First row, and one past the last.
    width : int
        Columns, from 0.

    Returns
    -------
    ndarray of bool, (bottom - top, width)
    """
    made = np.zeros((bottom - top, width), bool)
    for row, line in enumerate(made):
        for first, last in _spans(points, top + row + 0.5, width):
            line[first:last] = True
    return made


def _spans(points: NDArray[np.float64], y: float, width: int) -> list[tuple[int, int]]:
    """List the half-open spans of columns whose centres lie inside, where a row is cut at `y`."""
    (x0, y0), (x1, y1) = points.T, np.roll(points, -1, axis=0).T
    cut = (y0 <= y) != (y1 <= y)
    crossings = x0[cut] + (y - y0[cut]) * (x1[cut] - x0[cut]) / (y1[cut] - y0[cut])
    columns = np.clip(np.ceil(np.sort(crossings) - 0.5), 0, width).astype(int).tolist()
    return list(zip(columns[::2], columns[1::2], strict=True))

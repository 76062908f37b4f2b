"""Which tiles touch a rectangle: buckets on a grid, so that a million tiles are not looked through one by one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..images.region import Window

if TYPE_CHECKING:
    from numpy.typing import NDArray

_ENTRIES_A_TILE = 8
"""Buckets grow until tiles lie in so many of them on average at most, and until there are so many a tile."""


class TileIndex:
    """Tiles by where they lie.

    Parameters
    ----------
    windows : ndarray of int64, (N, 4)
        ``x0, x1, y0, y1`` of each tile, px.
    """

    def __init__(self, windows: NDArray[np.int64]) -> None:
        self._windows = windows
        x0, x1, y0, y1 = windows.T
        self._corner = int(x0.min()), int(y0.min())
        extent = int(x1.max()) - self._corner[0], int(y1.max()) - self._corner[1]
        size = int(max(1, np.median(x1 - x0), np.median(y1 - y0)))
        most = _ENTRIES_A_TILE * len(windows) + 1024
        while True:
            first_x, last_x = (x0 - self._corner[0]) // size, (x1 - 1 - self._corner[0]) // size
            first_y, last_y = (y0 - self._corner[1]) // size, (y1 - 1 - self._corner[1]) // size
            across, down = last_x - first_x + 1, last_y - first_y + 1
            self._columns, self._rows = extent[0] // size + 1, extent[1] // size + 1
            # in floats: the product of two large numbers would wrap around
            if float((across.astype(float) * down).sum()) <= most and self._columns * self._rows <= most:
                break
            size *= 2
        self._size = size
        entries = across * down
        tile = np.repeat(np.arange(len(windows)), entries)
        # each tile's entries are counted 0, 1, 2 … and laid out row by row over the buckets it touches
        number = np.arange(len(tile)) - np.repeat(np.cumsum(entries) - entries, entries)
        step_y, step_x = np.divmod(number, np.repeat(across, entries))
        bucket = (np.repeat(first_y, entries) + step_y) * self._columns + np.repeat(first_x, entries) + step_x
        order = np.argsort(bucket, kind="stable")
        self._tiles = tile[order]
        self._starts = np.zeros(self._columns * self._rows + 1, np.int64)
        np.cumsum(np.bincount(bucket, minlength=len(self._starts) - 1), out=self._starts[1:])

    def touching(self, window: Window) -> NDArray[np.int64]:
        """Give the numbers of the tiles that share a pixel with a window, ascending."""
        left, top = self._corner
        x0, x1 = max(0, (window.x0 - left) // self._size), min(self._columns - 1, (window.x1 - 1 - left) // self._size)
        y0, y1 = max(0, (window.y0 - top) // self._size), min(self._rows - 1, (window.y1 - 1 - top) // self._size)
        if window.empty or x0 > x1 or y0 > y1:
            return np.zeros(0, np.int64)
        # the buckets of one row follow each other
        spans = [
            self._tiles[self._starts[row * self._columns + x0] : self._starts[row * self._columns + x1 + 1]]
            for row in range(int(y0), int(y1) + 1)
        ]
        found = np.unique(np.concatenate(spans) if len(spans) > 1 else spans[0])
        left, right, top, bottom = self._windows[found].T
        touches = (left < window.x1) & (right > window.x0) & (top < window.y1) & (bottom > window.y0)
        chosen: NDArray[np.int64] = found[touches]
        return chosen

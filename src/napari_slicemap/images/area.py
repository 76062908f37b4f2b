"""Downsampling: area means of pixels, nearest pixels of labels, resampling of odd pixel sizes."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from .region import Grid, Window


def area_mean(
    stack: NDArray[Any], window: Window, grid: Grid, valid: NDArray[np.bool_] | None = None
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Average the pixels of each grid cell; cells at an edge average the pixels that exist.

    Parameters
    ----------
    stack : ndarray, (C, H, W)
        Pixels of `window`, any real dtype. NaN pixels count as not existing.
    window : Window
        Where the pixels lie, px. Cells that reach beyond it are averaged over what lies inside.
    grid : Grid
        The cells.
    valid : ndarray of bool, (H, W), optional
        Pixels that exist (all by default).

    Returns
    -------
    means : ndarray of float32, (C, h, w)
        One value a cell of ``grid.cells(window)``; NaN where a channel has no pixel at all.
    covered : ndarray of bool, (h, w)
        Whether a cell holds any pixel that exists.
    """
    rows, cols = _cell_starts(window, grid)
    pixels = stack.astype(np.float64)
    exists = np.ones(stack.shape[-2:], bool) if valid is None else valid
    counted = exists & ~np.isnan(pixels) if stack.dtype.kind == "f" else np.broadcast_to(exists, stack.shape)
    with np.errstate(invalid="ignore", divide="ignore"):  # inf − inf and 0/0 are NaN, as they should be
        sums = _sum_cells(np.where(counted, pixels, 0.0), rows, cols)
        counts = _sum_cells(counted.astype(np.float64), rows, cols)
        means = (sums / counts).astype(np.float32)
    return means, _sum_cells(exists.astype(np.float64), rows, cols) > 0


def _cell_starts(window: Window, grid: Grid) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Give the first row and column of each cell within the window's array."""
    cells, d = grid.cells(window), grid.step
    rows = np.arange(cells.y0, cells.y1) * d + grid.y0 - window.y0
    cols = np.arange(cells.x0, cells.x1) * d + grid.x0 - window.x0
    return np.maximum(rows, 0), np.maximum(cols, 0)


def _sum_cells(stack: NDArray[np.float64], rows: NDArray[np.intp], cols: NDArray[np.intp]) -> NDArray[np.float64]:
    summed: NDArray[np.float64] = np.add.reduceat(np.add.reduceat(stack, rows, axis=-2), cols, axis=-1)
    return summed


def nearest(stack: NDArray[Any], window: Window, grid: Grid) -> NDArray[Any]:
    """Take one pixel of each cell: the one at (or just above and left of) its centre.

    Parameters
    ----------
    stack : ndarray, (…, H, W)
        Pixels or labels of `window`.
    window : Window
        Where they lie, px.
    grid : Grid
        The cells.

    Returns
    -------
    ndarray, (…, h, w)
        Same dtype. A cell cut by the window gives its pixel nearest to that centre.
    """
    cells, d = grid.cells(window), grid.step
    middle = (d - 1) // 2
    rows = np.arange(cells.y0, cells.y1) * d + middle + grid.y0 - window.y0
    cols = np.arange(cells.x0, cells.x1) * d + middle + grid.x0 - window.x0
    height, width = stack.shape[-2:]
    taken: NDArray[Any] = stack[..., rows.clip(0, height - 1)[:, None], cols.clip(0, width - 1)[None, :]]
    return taken


def resample(stack: NDArray[Any], ratio: float, shape: tuple[int, int]) -> NDArray[np.float32]:
    """Bring pixels onto a grid of another pixel size, each new pixel the mean of the area it covers.

    Parameters
    ----------
    stack : ndarray, (C, H, W)
        Pixels, any real dtype. NaN spreads to the pixels that touch it.
    ratio : float
        Old pixels per new pixel (new pixel size / old pixel size).
    shape : tuple of int
        ``(height, width)`` wanted.

    Returns
    -------
    ndarray of float32, (C, height, width)
    """
    down = _area_weights(stack.shape[-2], shape[0], ratio)
    across = _area_weights(stack.shape[-1], shape[1], ratio)
    made = [down @ (across @ plane.T.astype(np.float64)).T for plane in stack]
    return np.stack(made).astype(np.float32)


def resample_nearest(labels: NDArray[Any], ratio: float, shape: tuple[int, int]) -> NDArray[Any]:
    """Bring labels onto a grid of another pixel size by their nearest pixel; same dtype."""
    index = [
        np.floor((np.arange(n) + 0.5) * ratio).astype(np.intp).clip(0, m - 1)
        for n, m in zip(shape, labels.shape, strict=True)
    ]
    taken: NDArray[Any] = labels[index[0][:, None], index[1][None, :]]
    return taken


def _area_weights(old: int, new: int, ratio: float) -> Any:
    """Build the sparse (new, old) matrix whose row i is the share of old pixels under new pixel i."""
    from scipy.sparse import csr_array

    edges = np.clip(np.arange(new + 1) * ratio, 0, old)
    data, columns, pointers = [], [], [0]
    for low, high in pairwise(edges):
        first, last = int(np.floor(low)), max(int(np.ceil(high)), int(np.floor(low)) + 1)
        under = np.arange(min(first, old - 1), min(last, old))
        share = np.minimum(under + 1, high) - np.maximum(under, low)
        # a last row that only just leaves the tile covers nothing of it: it repeats the last old pixel
        share = share if share.sum() > 1e-9 else np.ones(under.size) / under.size
        data.append(share / share.sum())
        columns.append(under)
        pointers.append(pointers[-1] + under.size)
    return csr_array((np.concatenate(data), np.concatenate(columns), pointers), shape=(new, old))

"""Downsampling: area means of pixels, nearest pixels of labels, resampling of odd pixel sizes."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from .region import Window

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from .region import Grid


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
    sums, counts = cell_sums(stack, window, grid, valid)
    exists = np.ones(window.shape, bool) if valid is None else valid
    rows, columns = cell_edges(window, grid)
    with np.errstate(invalid="ignore", divide="ignore"):  # inf − inf and 0/0 are NaN, as they should be
        means = (sums / counts).astype(np.float32)
    return means, _reduced(exists.astype(np.float64), rows, columns) > 0


def cell_sums(
    stack: NDArray[Any], window: Window, grid: Grid, valid: NDArray[np.bool_] | None = None
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Add up the pixels of each grid cell, and count them.

    Parameters
    ----------
    stack, window, grid, valid
        As for :func:`area_mean`.

    Returns
    -------
    sums, counts : ndarray of float64, (C, h, w)
    """
    rows, columns = cell_edges(window, grid)
    pixels = stack.astype(np.float64)
    exists = np.ones(stack.shape[-2:], bool) if valid is None else valid
    counted = exists & ~np.isnan(pixels) if stack.dtype.kind == "f" else np.broadcast_to(exists, stack.shape)
    with np.errstate(invalid="ignore"):  # inf − inf is NaN, as it should be
        sums = _reduced(np.where(counted, pixels, 0.0), rows, columns)
    return sums, _reduced(counted.astype(np.float64), rows, columns)


def cell_edges(window: Window, grid: Grid) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Give the rows and columns, within the window's array, between which the cells lie: h + 1 and w + 1 of them."""
    cells, d = grid.cells(window), grid.step
    rows = np.arange(cells.y0, cells.y1 + 1, dtype=np.int64) * d + grid.y0 - window.y0
    columns = np.arange(cells.x0, cells.x1 + 1, dtype=np.int64) * d + grid.x0 - window.x0
    height, width = window.shape
    return rows.clip(0, height), columns.clip(0, width)


def _reduced(pixels: NDArray[np.float64], rows: NDArray[np.int64], columns: NDArray[np.int64]) -> NDArray[np.float64]:
    made: NDArray[np.float64] = np.add.reduceat(np.add.reduceat(pixels, rows[:-1], axis=-2), columns[:-1], axis=-1)
    return made


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


def resample(
    read: Callable[[Window], NDArray[Any]], size: tuple[int, int], ratio: float, window: Window
) -> NDArray[np.float32]:
    """Bring pixels onto a grid of another pixel size, each new pixel the mean of the area it covers.

    Parameters
    ----------
    read : callable
        Reads ``(C, H, W)`` old pixels of a window, any real dtype. NaN spreads to the pixels that touch it.
    size : tuple of int
        ``(width, height)`` of the whole image, old px.
    ratio : float
        Old pixels per new pixel (new pixel size / old pixel size).
    window : Window
        The part wanted, new px.

    Returns
    -------
    ndarray of float32, (C, H, W)
        A pixel is the same whichever window it is asked in.
    """
    x0, across = _area_weights(size[0], ratio, window.x0, window.x1)
    y0, down = _area_weights(size[1], ratio, window.y0, window.y1)
    stack = read(Window(x0, x0 + across.shape[1], y0, y0 + down.shape[1]))
    made = [down @ (across @ plane.T.astype(np.float64)).T for plane in stack]
    return np.stack(made).astype(np.float32)


def resample_nearest(
    read: Callable[[Window], NDArray[Any]], size: tuple[int, int], ratio: float, window: Window
) -> NDArray[Any]:
    """Bring labels ``(H, W)`` onto a grid of another pixel size by their nearest pixel; see :func:`resample`."""
    columns, rows = (
        np.floor((np.arange(low, high) + 0.5) * ratio).astype(np.intp).clip(0, old - 1)
        for low, high, old in ((window.x0, window.x1, size[0]), (window.y0, window.y1, size[1]))
    )
    labels = read(Window(int(columns[0]), int(columns[-1]) + 1, int(rows[0]), int(rows[-1]) + 1))
    taken: NDArray[Any] = labels[(rows - rows[0])[:, None], (columns - columns[0])[None, :]]
    return taken


def _area_weights(old: int, ratio: float, start: int, stop: int) -> tuple[int, Any]:
    """Give the share of old pixels under the new pixels from `start` to `stop`.

    Returns
    -------
    first : int
        The first old pixel that has a share.
    weights : sparse array, (new, old pixels from the first)
        Rows sum to 1.
    """
    from scipy.sparse import csr_array

    edges = np.clip(np.arange(start, stop + 1) * ratio, 0, old)
    low, high = edges[:-1], edges[1:]
    first = np.minimum(np.floor(low).astype(np.int64), old - 1)
    last = np.minimum(np.maximum(np.ceil(high).astype(np.int64), first + 1), old)
    counts = last - first
    rows = np.concatenate([[0], np.cumsum(counts)])
    under = np.arange(rows[-1]) - np.repeat(rows[:-1] - first, counts)
    share = np.minimum(under + 1, np.repeat(high, counts)) - np.maximum(under, np.repeat(low, counts))
    sums = np.add.reduceat(share, rows[:-1])
    # a last pixel that only just leaves the image covers nothing of it: it repeats the last old pixel
    share = np.where(
        np.repeat(sums, counts) > 1e-9, share / np.repeat(np.maximum(sums, 1e-9), counts), 1 / np.repeat(counts, counts)
    )
    return int(first[0]), csr_array((share, under - first[0], rows), shape=(stop - start, int(last[-1] - first[0])))

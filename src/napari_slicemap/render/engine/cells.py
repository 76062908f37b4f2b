"""Sums and means of the pixels of cells."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ...images import area
from .choice import COMPOSITED, kernels, plain_array, plain_mask

if TYPE_CHECKING:
    from types import ModuleType

    from numpy.typing import NDArray

    from ...images.region import Grid, Window


def area_means(
    stack: NDArray[Any], window: Window, grid: Grid, valid: NDArray[np.bool_] | None = None
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Average the pixels of each grid cell; see :func:`napari_slicemap.images.area.area_mean`.

    Parameters
    ----------
    stack : ndarray, (C, H, W)
        Pixels of `window`, any real dtype. NaN pixels count as not existing.
    window : Window
        Where the pixels lie, px.
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
    kernel = kernels()
    if kernel is None or not stack.size:
        with np.errstate(over="ignore"):
            return area.area_mean(stack, window, grid, valid)
    shape = (len(stack), *grid.cells(window).shape)
    means, counts = np.empty(shape, np.float32), np.empty(shape)
    _sum_quickly(kernel, stack, window, grid, valid, np.empty((0, 0, 0)), counts, means)
    return means, _covered(window, grid, valid, counts, stack.dtype)


def _covered(
    window: Window, grid: Grid, valid: NDArray[np.bool_] | None, counts: NDArray[np.float64], dtype: np.dtype[Any]
) -> NDArray[np.bool_]:
    if valid is None:
        return np.ones(grid.cells(window).shape, bool)
    if dtype.kind != "f":  # nothing but the mask keeps a pixel out
        some: NDArray[np.bool_] = counts[0] > 0
        return some
    rows, columns = area.cell_edges(window, grid)
    across = np.logical_or.reduceat(valid, columns[:-1], axis=-1)
    there: NDArray[np.bool_] = np.logical_or.reduceat(across, rows[:-1], axis=-2)
    return there


def cell_sums(
    stack: NDArray[Any], window: Window, grid: Grid, valid: NDArray[np.bool_] | None = None
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Add up the pixels of each grid cell, and count them.

    Sums and counts of four cells add up to those of the cell they make at twice the step.

    Parameters
    ----------
    stack, window, grid, valid
        As for :func:`area_means`.

    Returns
    -------
    sums, counts : ndarray of float64, (C, h, w)
    """
    shape = (len(stack), *grid.cells(window).shape)
    sums, counts = np.zeros(shape), np.zeros(shape)
    if not stack.size:
        return sums, counts
    kernel = kernels()
    if kernel is None:
        with np.errstate(over="ignore"):
            return area.cell_sums(stack, window, grid, valid)
    _sum_quickly(kernel, stack, window, grid, valid, sums, counts, np.empty((0, 0, 0), np.float32))
    return sums, counts


def _sum_quickly(
    kernel: ModuleType,
    stack: NDArray[Any],
    window: Window,
    grid: Grid,
    valid: NDArray[np.bool_] | None,
    sums: NDArray[np.float64],
    counts: NDArray[np.float64],
    means: NDArray[np.float32],
) -> None:
    if stack.shape[-2:] != window.shape or (valid is not None and valid.shape != window.shape):
        raise ValueError(f"got pixels {stack.shape}, expected those of a window {window.shape}")
    pixels = plain_array(stack, COMPOSITED)
    columns = np.empty(pixels.shape[-1], np.int32 if pixels.dtype.itemsize <= 2 else np.float64)
    mask = np.zeros((0, 0), bool) if valid is None else plain_mask(valid)
    run = kernel.sum_cells(pixels.dtype.name, columns.dtype.name)
    run(pixels, mask, pixels.dtype.kind == "f", *area.cell_edges(window, grid), columns, sums, counts, means)

"""Loops that add up the pixels of cells."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numba import types

from .base import array, compiled, jit

_ROWS_AT_ONCE = 32768
"""Rows of 16-bit pixels whose sum an int32 can hold."""


@jit
def _add_row(sums, row):  # type: ignore[no-untyped-def]
    for x in range(sums.size):
        if row[x] == row[x]:
            sums[x] += sums.dtype.type(row[x])


@jit
def _add_row_where(sums, row, valid):  # type: ignore[no-untyped-def]
    for x in range(sums.size):
        if valid[x] & (row[x] == row[x]):
            sums[x] += sums.dtype.type(row[x])


@jit
def _count_row(counts, row):  # type: ignore[no-untyped-def]
    for x in range(counts.size):
        counts[x] += np.int32(row[x] == row[x])


@jit
def _count_row_where(counts, row, valid):  # type: ignore[no-untyped-def]
    for x in range(counts.size):
        counts[x] += np.int32(valid[x] & (row[x] == row[x]))


@jit
def _gather(cells, columns, edges):  # type: ignore[no-untyped-def]
    """Add up the columns of each cell, from left to right."""
    for i in range(cells.size):
        total = 0
        for x in range(edges[i], edges[i + 1]):
            total += columns[x]
        cells[i] += total


@jit
def _sum_row_of_cells(total, stack, c, valid, low, high, columns, column_sums):  # type: ignore[no-untyped-def]
    total[:] = 0
    for top in range(low, high, _ROWS_AT_ONCE):
        column_sums[:] = 0
        for y in range(top, min(top + _ROWS_AT_ONCE, high)):
            if valid.size > 0:
                _add_row_where(column_sums, stack[c, y], valid[y])
            else:
                _add_row(column_sums, stack[c, y])
        _gather(total, column_sums, columns)


@jit
def _count_row_of_cells(count, stack, c, valid, low, high, columns, column_counts):  # type: ignore[no-untyped-def]
    count[:] = 0
    column_counts[:] = 0
    for y in range(low, high):
        if valid.size > 0:
            _count_row_where(column_counts, stack[c, y], valid[y])
        else:
            _count_row(column_counts, stack[c, y])
    _gather(count, column_counts, columns)


def _cells(stack, valid, nans, rows, columns, column_sums, sums, counts, means):  # type: ignore[no-untyped-def]
    column_counts = np.empty(stack.shape[2], np.int32)
    total, count = np.empty(columns.size - 1), np.empty(columns.size - 1)
    for c in range(stack.shape[0]):
        for j in range(rows.size - 1):
            low, high = rows[j], rows[j + 1]
            _sum_row_of_cells(total, stack, c, valid, low, high, columns, column_sums)
            if not nans and valid.size == 0:
                for i in range(count.size):
                    count[i] = (high - low) * (columns[i + 1] - columns[i])
            elif nans or c == 0:
                _count_row_of_cells(count, stack, c, valid, low, high, columns, column_counts)
            else:  # the mask alone keeps pixels out, in each channel the same
                count[:] = counts[0, j]
            counts[c, j] = count
            if means.size > 0:
                for i in range(count.size):
                    means[c, j, i] = np.float32(total[i] / count[i])
            else:
                sums[c, j] = total


def sum_cells(dtype: Any, columns: Any) -> Callable[..., None]:
    """Give the summation for a dtype of pixels, with column sums in another (int32 for 8 and 16 bits, or float64).

    It is called with ``stack`` (C, H, W), ``valid`` (bool (H, W); empty for all), ``nans`` (whether there can be
    any), ``rows`` and ``columns`` (int64, the h + 1 and w + 1 edges of cells), ``column_sums`` ((W,), scratch), and the
    results, each (C, h, w): ``sums`` and ``counts`` (float64) and ``means`` (float32). Of ``sums`` and ``means`` one is
    filled, and the other empty.
    """
    return compiled(
        _cells,
        *(array(dtype, 3), array(np.bool_, 2), types.boolean, array(np.int64, 1), array(np.int64, 1)),
        *(array(columns, 1, writable=True), array(np.float64, 3, writable=True)),
        *(array(np.float64, 3, writable=True), array(np.float32, 3, writable=True)),
    )

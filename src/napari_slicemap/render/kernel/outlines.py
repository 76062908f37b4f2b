"""Loops that find outlines and mix colours in."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numba import types

from .base import array, compiled, jit


@jit
def _apart(one, other, all_known):  # type: ignore[no-untyped-def]
    """Whether a pixel differs from a neighbour that some tile covers."""
    return (one != other) & (all_known | (other != -1))


@jit
def _edge_row(edge, up, row, down, all_known):  # type: ignore[no-untyped-def]
    last = row.size - 1
    left, here, right, inner = row[: last - 1], row[1:last], row[2:], edge[1:last]
    above, below = up[1:last], down[1:last]
    for x in range(inner.size):
        one = here[x]
        inner[x] = (one > 0) & (
            _apart(one, above[x], all_known)
            | _apart(one, below[x], all_known)
            | _apart(one, left[x], all_known)
            | _apart(one, right[x], all_known)
        )
    for x in (0, last):
        # at the border a pixel is its own neighbour, from which it does not differ
        one, before, after = row[x], row[max(x - 1, 0)], row[min(x + 1, last)]
        edge[x] = (one > 0) & (
            _apart(one, up[x], all_known)
            | _apart(one, down[x], all_known)
            | _apart(one, before, all_known)
            | _apart(one, after, all_known)
        )


@jit
def _drop_tile_borders(edge, up, row, down, all_known, owner_up, owner, owner_down):  # type: ignore[no-untyped-def]
    """Look again at the few pixels found: between two tiles only background makes a boundary."""
    last = row.size - 1
    for x in range(row.size):
        if edge[x]:
            one, mine, before, after = row[x], owner[x], max(x - 1, 0), min(x + 1, last)
            edge[x] = (
                (_apart(one, up[x], all_known) & ((mine == owner_up[x]) | (up[x] <= 0)))
                | (_apart(one, down[x], all_known) & ((mine == owner_down[x]) | (down[x] <= 0)))
                | (_apart(one, row[before], all_known) & ((mine == owner[before]) | (row[before] <= 0)))
                | (_apart(one, row[after], all_known) & ((mine == owner[after]) | (row[after] <= 0)))
            )


def _edges(edge, labels, all_known, owner):  # type: ignore[no-untyped-def]
    height = labels.shape[0]
    for y in range(height):
        # at the border a row is its own neighbour, from which it does not differ
        above, below = max(y - 1, 0), min(y + 1, height - 1)
        _edge_row(edge[y], labels[above], labels[y], labels[below], all_known)
        if owner.size > 0:
            _drop_tile_borders(
                *(edge[y], labels[above], labels[y], labels[below], all_known),
                *(owner[above], owner[y], owner[below]),
            )


def edges(dtype: Any) -> Callable[..., None]:
    """Give the search for 1 px inner boundaries of a dtype of labels.

    It is called with ``edge`` (bool (H, W), filled), ``labels`` (H, W), whether all labels are known (no -1 can
    occur, as in unsigned ones), ``owner`` (int32 (H, W); empty for none).
    """
    return compiled(_edges, array(np.bool_, 2, writable=True), array(dtype, 2), types.boolean, array(np.int32, 2))


@jit
def _widen_row(wider, up, row, down, labels):  # type: ignore[no-untyped-def]
    for x in range(row.size):
        wider[x] = (row[x] | up[x] | down[x]) & (labels[x] > 0)
    for x in range(row.size - 1):
        wider[x] |= row[x + 1] & (labels[x] > 0)
    for x in range(row.size - 1):
        wider[x + 1] |= row[x] & (labels[x + 1] > 0)


def _widen(wider, edge, labels):  # type: ignore[no-untyped-def]
    height = labels.shape[0]
    for y in range(height):
        _widen_row(wider[y], edge[max(y - 1, 0)], edge[y], edge[min(y + 1, height - 1)], labels[y])


def widen(dtype: Any) -> Callable[..., None]:
    """Give the growth of boundaries by 1 px within a dtype of labels.

    It is called with ``wider`` (bool (H, W), filled), ``edge`` (bool (H, W)), ``labels`` (H, W).
    """
    return compiled(_widen, array(np.bool_, 2, writable=True), array(np.bool_, 2), array(dtype, 2))


@jit
def _blend_row(canvas, chosen, tables):  # type: ignore[no-untyped-def]
    for x in range(canvas.size):
        if chosen[x] > 0:
            pixel = canvas[x]
            canvas[x] = (
                tables[0, pixel & np.uint32(255)]
                | tables[1, (pixel >> np.uint32(8)) & np.uint32(255)]
                | tables[2, (pixel >> np.uint32(16)) & np.uint32(255)]
                | (pixel & np.uint32(0xFF000000))
            )


def _blend(canvas, pitch, chosen, tables):  # type: ignore[no-untyped-def]
    height, width = chosen.shape
    for y in range(height):
        _blend_row(canvas[y * pitch : y * pitch + width], chosen[y], tables)


def blend(dtype: Any) -> Callable[..., None]:
    """Give the mixing-in of a colour where a mask (bool) is set or a dtype of labels is above 0.

    It is called with ``canvas`` (uint32, 1-D, from its first pixel to its last), ``pitch`` (px between its rows),
    ``chosen`` (height, width), ``tables`` (uint32 (3, 256): red, green and blue after by before, each in its place).
    """
    return compiled(_blend, array(np.uint32, 1, writable=True), types.int64, array(dtype, 2), array(np.uint32, 2))

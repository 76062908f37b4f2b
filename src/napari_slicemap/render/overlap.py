"""Who paints a pixel where tiles overlap."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from ..images.region import Grid, Window
from ..maps.placement import Placement

if TYPE_CHECKING:
    from numpy.typing import NDArray

Overlap = Literal["last", "first", "nearest-centre", "blend"]
"""The later tile, the earlier one, the one whose centre is nearest, or a mean that fades towards the edges."""

OVERLAPS: tuple[Overlap, ...] = ("last", "first", "nearest-centre", "blend")


@dataclass(frozen=True)
class Layout:
    """How tiles share a window.

    Parameters
    ----------
    painted : tuple of int
        Tiles to paint one over the other; those that would be hidden wholly are left out.
    contested : tuple of (Window, tuple of int)
        Rectangles in which that is not enough, each with the tiles that cover it: the rule decides pixel by pixel.
    full : bool
        Whether some tile covers every pixel.
    """

    painted: tuple[int, ...]
    contested: tuple[tuple[Window, tuple[int, ...]], ...]
    full: bool


def lay_out(placement: Placement, window: Window, overlap: Overlap) -> Layout:
    """Work out which tiles paint a window, without looking at its pixels.

    The edges of the tiles cut the window into a few rectangles; within each of them the same tiles lie.

    Parameters
    ----------
    placement : Placement
        The tiles.
    window : Window
        Map px, not empty.
    overlap : Overlap
        The rule.

    Returns
    -------
    Layout

    Raises
    ------
    ValueError
        If there is no such rule.
    """
    if overlap not in OVERLAPS:
        raise ValueError(f"overlap is {overlap!r}, expected last, first, nearest-centre or blend")
    there = placement.visible(window)
    if len(there) <= 1:
        return Layout(tuple(there), (), bool(there) and (placement.tiles[there[0]].window & window) == window)
    shared = _clipped(placement.windows[there], window)
    xs, ys = (
        np.unique([window.x0, window.x1, *shared[:, :2].flat]),
        np.unique([window.y0, window.y1, *shared[:, 2:].flat]),
    )
    spans = [(slice(*np.searchsorted(ys, tile[2:])), slice(*np.searchsorted(xs, tile[:2]))) for tile in shared]
    count = np.zeros((len(ys) - 1, len(xs) - 1), np.int32)
    for span in spans:
        count[span] += 1
    full = bool(count.all())
    if overlap in ("last", "first"):
        order = there if overlap == "last" else there[::-1]
        top = np.full(count.shape, -1, np.int64)
        for index, span in zip(order, spans if overlap == "last" else spans[::-1], strict=True):
            top[span] = index
        seen = set(np.unique(top).tolist())
        return Layout(tuple(index for index in order if index in seen), (), full)
    alone = tuple(index for index, span in zip(there, spans, strict=True) if (count[span] == 1).any())
    return Layout(alone, tuple(_contested(count, xs, ys, there, shared)), full)


def _clipped(windows: NDArray[np.int64], window: Window) -> NDArray[np.int64]:
    low, high = [window.x0, window.x0, window.y0, window.y0], [window.x1, window.x1, window.y1, window.y1]
    return np.clip(windows, low, high)


def _contested(
    count: NDArray[np.int32],
    xs: NDArray[np.int64],
    ys: NDArray[np.int64],
    there: Sequence[int],
    shared: NDArray[np.int64],
) -> list[tuple[Window, tuple[int, ...]]]:
    """List the rectangles that several tiles cover, with those tiles."""
    made = []
    for row, column in np.argwhere(count > 1).tolist():
        rect = Window(int(xs[column]), int(xs[column + 1]), int(ys[row]), int(ys[row + 1]))
        covers = (
            (shared[:, 0] <= rect.x0)
            & (shared[:, 1] >= rect.x1)
            & (shared[:, 2] <= rect.y0)
            & (shared[:, 3] >= rect.y1)
        )
        made.append((rect, tuple(there[n] for n in np.flatnonzero(covers).tolist())))
    return made


def owner_of_pixels(placement: Placement, window: Window, overlap: Overlap) -> NDArray[np.int32]:
    """Say which tile paints each pixel.

    Parameters
    ----------
    placement : Placement
        The tiles.
    window : Window
        Map px.
    overlap : Overlap
        The rule. For ``"blend"`` it is the tile with the greatest weight.

    Returns
    -------
    ndarray of int32, (H, W)
        Index into ``placement.tiles``; -1 where no tile lies.

    Raises
    ------
    ValueError
        If there is no such rule.
    """
    layout = lay_out(placement, window, overlap)
    owner = np.full(window.shape, -1, np.int32)
    for index in layout.painted:
        owner[(placement.tiles[index].window & window).slices_in(window)] = index
    for rect, tiles in layout.contested:
        owner[rect.slices_in(window)] = owner_of_contested(placement, rect, tiles, overlap)
    return owner


def owner_of_contested(placement: Placement, rect: Window, tiles: Sequence[int], overlap: Overlap) -> NDArray[np.int32]:
    """Say which of the tiles that cover a rectangle paints each of its pixels; the earlier one of equals."""
    owner = np.full(rect.shape, -1, np.int32)
    best = np.full(rect.shape, np.inf)
    for index in tiles:
        tile = placement.tiles[index].window
        cost = _distance(tile, rect) if overlap == "nearest-centre" else -blend_weights(tile, rect)
        closer = cost < best
        owner[closer] = index
        best[closer] = np.broadcast_to(cost, rect.shape)[closer]
    return owner


def _distance(tile: Window, shared: Window) -> NDArray[np.float64]:
    """Give the squared distance of each pixel's centre from the tile's centre."""
    y, x = np.ogrid[shared.y0 : shared.y1, shared.x0 : shared.x1]
    made: NDArray[np.float64] = (x + 0.5 - (tile.x0 + tile.x1) / 2) ** 2 + (y + 0.5 - (tile.y0 + tile.y1) / 2) ** 2
    return made


def blend_weights(tile: Window, shared: Window) -> NDArray[np.float64]:
    """Give the weight of a tile at each pixel of `shared`: distance to its nearest edges, across × down."""
    y, x = np.ogrid[shared.y0 : shared.y1, shared.x0 : shared.x1]
    across = np.minimum(x + 0.5 - tile.x0, tile.x1 - x - 0.5)
    down = np.minimum(y + 0.5 - tile.y0, tile.y1 - y - 0.5)
    made: NDArray[np.float64] = across * down
    return made


_FEW = 256


def empty_fraction(placement: Placement, cells: Window, grid: Grid) -> float:
    """Give the share of a grid's cells in which no tile has a pixel, 0–1."""
    there = placement.visible(grid.pixels(cells))
    d = grid.step
    x0, x1, y0, y1 = (placement.windows[there] - np.array([grid.x0, grid.x0, grid.y0, grid.y0])).T
    touched = np.stack([x0 // d, -(-x1 // d), y0 // d, -(-y1 // d)], 1)
    return 1.0 - _covered(touched, cells) / (cells.shape[0] * cells.shape[1])


def _covered(rects: NDArray[np.int64], window: Window) -> int:
    """Give the area of the union of rectangles within a window."""
    rects = _clipped(rects, window)
    rects = rects[(rects[:, 0] < rects[:, 1]) & (rects[:, 2] < rects[:, 3])]
    height, width = window.shape
    # the edges of many rectangles would cut each other into very many pieces
    if len(rects) > _FEW and min(height, width) > 1:
        x, y = (window.x0 + window.x1) // 2, (window.y0 + window.y1) // 2
        quarters = [
            Window(left, right, top, bottom)
            for left, right in ((window.x0, x), (x, window.x1))
            for top, bottom in ((window.y0, y), (y, window.y1))
        ]
        return sum(_covered(rects, quarter) for quarter in quarters)
    xs, ys = np.unique(rects[:, :2]), np.unique(rects[:, 2:])
    there = np.zeros((max(0, len(ys) - 1), max(0, len(xs) - 1)), bool)
    for x0, x1, y0, y1 in zip(
        *(np.searchsorted(edges, rects[:, n]) for edges, n in ((xs, 0), (xs, 1), (ys, 2), (ys, 3))), strict=True
    ):
        there[y0:y1, x0:x1] = True
    return int(np.diff(ys) @ there @ np.diff(xs)) if there.size else 0

"""Which tiles of a map overlap by enough to be compared."""

from __future__ import annotations

import heapq
import math
from typing import NamedTuple

from ...images.region import Window
from ..placement import Placement

_REACH = 8
"""By default a tile is looked for as far off as this part of its longer side, and no farther than it overlaps."""
_LEAST_REACH_PX = 8
_MOST = 8
"""Neighbours that a tile is compared with, of those after it: more say no more, where tiles lie on one heap."""


class Neighbours(NamedTuple):
    """Two tiles that overlap, by their numbers on the map.

    Parameters
    ----------
    first, second : int
        Numbers, `first` < `second`.
    across : bool
        Whether they lie side by side; one above the other if not.
    allowed_px : float
        The largest shift that may be found, map px.
    shared_px : int
        Pixels that both cover; below 0 where they lie apart.
    """

    first: int
    second: int
    across: bool
    allowed_px: float
    shared_px: int


def neighbours(placement: Placement, max_shift_px: float | None) -> list[Neighbours]:
    """List the pairs of tiles that share at least half of an edge, as files place them, 8 for a tile at most.

    Parameters
    ----------
    placement : Placement
        The map.
    max_shift_px : float, optional
        The largest shift that may be found; tiles that near to each other count as well. No more is allowed than the
        longest side of a tile. By default as far as two tiles overlap, an eighth of their longer side at most, and
        8 px at least.

    Returns
    -------
    list of Neighbours
        Ordered by their numbers.
    """
    if max_shift_px is not None:
        left, right, top, bottom = placement.windows.T
        max_shift_px = min(max_shift_px, float(max((right - left).max(), (bottom - top).max())))
    grown = 0 if max_shift_px is None else math.ceil(max_shift_px)
    found: list[Neighbours] = []
    for first, tile in enumerate(placement.tiles):
        after = [second for second in placement.visible(tile.window.grown(grown)) if second > first]
        pairs = [pair for second in after if (pair := _pair(placement, first, second, grown, max_shift_px)) is not None]
        found += sorted(heapq.nlargest(_MOST, pairs, key=lambda pair: pair.shared_px))
    return found


def _pair(placement: Placement, first: int, second: int, grown: int, max_shift_px: float | None) -> Neighbours | None:
    one, other = placement.tiles[first].window, placement.tiles[second].window
    height, width = _shared(one, other)
    across = height * min(one.shape[1], other.shape[1]) >= width * min(one.shape[0], other.shape[0])
    along, deep = (height, width) if across else (width, height)
    edge = min(one.shape[0], other.shape[0]) if across else min(one.shape[1], other.shape[1])
    # what only meets at a corner shares too little to go by
    if 2 * along < edge or deep <= -grown:
        return None
    longer = max(*one.shape, *other.shape)
    allowed = float(max(_LEAST_REACH_PX, min(deep, longer // _REACH))) if max_shift_px is None else max_shift_px
    return Neighbours(first, second, across, allowed, along * deep)


def _shared(one: Window, other: Window) -> tuple[int, int]:
    """Give how many rows and columns two windows share; below 0 by as much as they lie apart."""
    return min(one.y1, other.y1) - max(one.y0, other.y0), min(one.x1, other.x1) - max(one.x0, other.x0)

"""Who paints a pixel where tiles overlap."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np

from ..images.region import Window
from ..maps.placement import Placement

if TYPE_CHECKING:
    from numpy.typing import NDArray

Overlap = Literal["last", "first", "nearest-centre", "blend"]
"""The later tile, the earlier one, the one whose centre is nearest, or a mean that fades towards the edges."""


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
    if overlap not in ("last", "first", "nearest-centre", "blend"):
        raise ValueError(f"overlap is {overlap!r}, expected last, first, nearest-centre or blend")
    owner = np.full(window.shape, -1, np.int32)
    best = np.full(window.shape, np.inf)
    for index in placement.visible(window):
        tile = placement.tiles[index].window
        at = (tile & window).slices_in(window)
        if overlap == "last":
            owner[at] = index
        elif overlap == "first":
            owner[at] = np.where(owner[at] < 0, index, owner[at])
        else:
            shared = tile & window
            cost = _distance(tile, shared) if overlap == "nearest-centre" else -blend_weights(tile, shared)
            closer = cost < best[at]
            owner[at] = np.where(closer, index, owner[at])
            best[at] = np.where(closer, cost, best[at])
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

"""Positions of all tiles at once, from how far each pair of them is off.

Each tile i gets the move m that minimises the sum of ``w · |m_j − m_i − s_ij|²`` over the pairs, s being how far
a pair is off: a sparse system of linear equations, solved directly, some times over. What is left of a pair, r, gives
it the weight ``w = (μ / (μ + r²))²``, with μ shrinking from the largest r² there is to 1 px² (graduated non-convexity,
Yang et al. 2020): pairs that the others contradict come to nothing. They are dropped, and the rest is solved with equal
weights. Pairs that say nothing are held, by next to no weight, at what is usual of the map: the median of the trusted
pairs that lie alike.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

CONTRADICTED_PX = 3.0
"""A pair that ends up farther off than this is contradicted by the others."""

_SLACK = 1e-6
"""Weight of a pair that says nothing, beside 1 of one that does."""
_SHRINK = 1.25
"""μ shrinks by this much from one round to the next."""
_AT_LAST = 5
"""Rounds at the smallest μ."""
_FEWEST = 3
"""Pairs that it takes to say what is usual."""


def solve(
    count: int,
    pairs: NDArray[np.int64],
    shifts: NDArray[np.float64],
    trusted: NDArray[np.bool_],
    across: NDArray[np.bool_],
) -> tuple[NDArray[np.float64], NDArray[np.bool_], NDArray[np.float64]]:
    """Solve for the moves of tiles.

    Parameters
    ----------
    count : int
        Number of tiles.
    pairs : ndarray of int64, (P, 2)
        Numbers of the tiles of each pair.
    shifts : ndarray of float64, (P, 2)
        ``x, y`` by which the second is off beside the first, px; of pairs that are not trusted it is passed over.
    trusted : ndarray of bool, (P,)
        Which pairs count.
    across : ndarray of bool, (P,)
        Which pairs lie side by side; the others lie one above the other.

    Returns
    -------
    moves : ndarray of float64, (count, 2)
        ``x, y`` to move each tile by, px. Where tiles hang together by pairs their mean is 0; tiles of which no pair is
        trusted, nor of those they hang together with, stay.
    kept : ndarray of bool, (P,)
        Which trusted pairs the others do not contradict.
    left : ndarray of float64, (P,)
        By how much the moves miss the shift of each pair, px; of pairs that do not count, what is usual of the map.
    """
    shifts = np.where(trusted[:, None], shifts, _usual(shifts, trusted, across))
    group = _groups(count, pairs)
    kept = trusted.copy()
    left = _missed(_moves(count, pairs, shifts, np.where(kept, 1.0, _SLACK), group), pairs, shifts)
    scale = float((left[kept] ** 2).max(initial=1.0))
    for _ in range(math.ceil(math.log(scale, _SHRINK)) + _AT_LAST):
        weights = np.where(kept, (scale / (scale + left**2)) ** 2, _SLACK)
        left = _missed(_moves(count, pairs, shifts, weights, group), pairs, shifts)
        scale = max(1.0, scale / _SHRINK)
    kept &= left <= CONTRADICTED_PX
    # those that are left agree, and each counts the same
    shifts = np.where(kept[:, None] == trusted[:, None], shifts, _usual(shifts, kept, across))
    moves = _moves(count, pairs, shifts, np.where(kept, 1.0, _SLACK), group)
    moves[~np.isin(group, group[pairs[kept, 0]])] = 0.0
    return moves, kept, _missed(moves, pairs, shifts)


def _usual(shifts: NDArray[np.float64], trusted: NDArray[np.bool_], across: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Give what is usual of pairs that lie alike, ``(P, 2)``; 0 where too few are trusted to say so."""
    made = np.zeros_like(shifts)
    for way in (across, ~across):
        if (trusted & way).sum() >= _FEWEST:
            made[way] = np.median(shifts[trusted & way], axis=0)
    return made


def _groups(count: int, pairs: NDArray[np.int64]) -> NDArray[np.int32]:
    """Give each tile the number of its group: the tiles that it hangs together with by pairs."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    links = coo_array((np.ones(len(pairs)), (pairs[:, 0], pairs[:, 1])), shape=(count, count))
    group: NDArray[np.int32] = connected_components(links, directed=False)[1]
    return group


def _moves(
    count: int,
    pairs: NDArray[np.int64],
    shifts: NDArray[np.float64],
    weights: NDArray[np.float64],
    group: NDArray[np.int32],
) -> NDArray[np.float64]:
    """Minimise the weighted squares; the first tile of each group is held, then its mean is taken away."""
    from scipy.sparse import coo_array
    from scipy.sparse.linalg import splu

    moves = np.zeros((count, 2))
    _, held = np.unique(group, return_index=True)
    free = np.ones(count, bool)
    free[held] = False
    if free.any():
        number: NDArray[Any] = np.arange(len(pairs))
        ends = np.concatenate([pairs[:, 1], pairs[:, 0]])
        signs = np.concatenate([np.ones(len(pairs)), -np.ones(len(pairs))])
        differences = coo_array((signs, (np.concatenate([number, number]), ends)), shape=(len(pairs), count)).tocsr()
        weighted = differences.T.multiply(weights[None, :]).tocsr()
        normal = (weighted @ differences)[free][:, free]
        moves[free] = splu(normal.tocsc()).solve((weighted @ shifts)[free])
    sizes = np.bincount(group)
    for axis in (0, 1):
        moves[:, axis] -= (np.bincount(group, moves[:, axis]) / sizes)[group]
    return moves


def _missed(moves: NDArray[np.float64], pairs: NDArray[np.int64], shifts: NDArray[np.float64]) -> NDArray[np.float64]:
    difference = moves[pairs[:, 1]] - moves[pairs[:, 0]] - shifts
    return np.hypot(difference[:, 0], difference[:, 1])

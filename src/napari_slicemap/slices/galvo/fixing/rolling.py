"""Rolling the A-lines of tiles, whole ones and those that a mosaic's end cuts short."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

_BLOCK_BYTES = 8 * 2**20
"""About as much is rolled at once: a second copy of a whole tile would cost as much as the tile."""


def roll_of_part(shift: int, n_extra: int, lines: int, kept: int) -> int:
    """Say how to roll the first A-lines of a tile, so that whatever they hold of the return goes to their end.

    The return is at A-lines ``b`` to ``b + n_extra - 1``, counted around the end, with
    ``b = (lines - n_extra - shift) % lines``. A-lines stay in their order around the ring.

    Parameters
    ----------
    shift : int
        A-lines by which a whole tile is rolled.
    n_extra : int
        A-lines of the return.
    lines : int
        A-lines of a whole tile.
    kept : int
        A-lines that there are, 1 to `lines`.

    Returns
    -------
    int
        0 to ``kept - 1``: 0 where there is nothing of the return, or nothing else; ``shift % lines`` for a whole tile.
    """
    first = (lines - n_extra - shift) % lines
    around = first + n_extra - lines  # A-lines of the return at the start of the tile
    if around <= 0 and first >= kept:
        return 0
    end = around if around > 0 else first + n_extra
    return (kept - min(end, kept)) % kept


@dataclass(frozen=True)
class Roll:
    """How the tiles of a slice are rolled.

    Parameters
    ----------
    shift : int
        A-lines by which the fix rolls a whole tile.
    n_extra, lines : int
        A-lines of the return, and of a whole tile with them.
    back : bool
        Take the fix back.
    """

    shift: int
    n_extra: int
    lines: int
    back: bool = False

    def of(self, kept: int) -> int:
        """Give by how much to roll a tile that has so many of its A-lines."""
        by = roll_of_part(self.shift, self.n_extra, self.lines, kept)
        return -by if self.back else by


def rolled(pixels: NDArray[Any], by: int, axis: int, kept: int) -> NDArray[Any]:
    """Roll the first `kept` entries along an axis; those behind them stay.

    Parameters
    ----------
    pixels : ndarray
        Writable; it is changed where it lies in C order.
    by : int
        How far.
    axis : int
        Which axis, from 0.
    kept : int
        How many entries take part.

    Returns
    -------
    ndarray
        `pixels`, or a copy of it in C order; same bytes for every px, whatever they mean.
    """
    made = np.ascontiguousarray(pixels)
    if by % kept == 0:
        return made
    flat = made.reshape(math.prod(made.shape[:axis]), *made.shape[axis:])
    step = max(1, _BLOCK_BYTES * len(flat) // made.nbytes)
    for start in range(0, len(flat), step):
        part = flat[start : start + step, :kept]
        part[...] = np.roll(part, by, axis=1)
    return made

"""Move the mirror's return to the end of the A-lines, where it is cut off."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ...errors import StackError

if TYPE_CHECKING:
    from numpy.typing import NDArray


def fix_galvo_shift(volume: NDArray[Any], shift: int, axis: int) -> NDArray[Any]:
    """Roll a tile along its A-lines; a fix by ``-shift`` undoes it, px for px.

    Parameters
    ----------
    volume : ndarray
        A tile, or its projection, of any shape and dtype.
    shift : int
        A-lines to roll by, as :func:`detect_galvo_shift` found.
    axis : int
        The axis of A-lines: 1 of a raw tile ``(Z, A-lines, B-scans)``.

    Returns
    -------
    ndarray
        A new array of the same shape and dtype.

    Raises
    ------
    StackError
        If the array has no such axis.
    """
    made = np.asarray(volume)
    if not -made.ndim <= axis < made.ndim:
        raise StackError(f"axis {axis} is not of an array of shape {made.shape}: expected 0 to {made.ndim - 1}")
    return np.roll(made, shift, axis=axis)

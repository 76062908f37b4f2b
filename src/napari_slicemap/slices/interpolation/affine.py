"""2-D affine motions, their fractional powers, and images moved by them.

A motion is a 3 × 3 matrix that takes a point ``(x, y, 1)`` of one image to the same point of another, px, whole numbers
being pixel centres. Powers are ``T^α = exp(α log T)`` (Higham 2008), the same about whatever origin they are taken.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from ...images.region import Window

if TYPE_CHECKING:
    from numpy.typing import NDArray

_SLAB_PX = 2**20
"""Pixels that are moved at a time."""
_MARGIN = 2
"""Px read around what should be enough, against rounding."""


def power(motion: NDArray[np.float64], exponent: float) -> NDArray[np.float64]:
    """Take a real power of a motion.

    Parameters
    ----------
    motion : ndarray, (3, 3) float64
        Last row 0, 0, 1.
    exponent : float
        0 gives no motion, 1 the motion itself, 0.5 half of it, −1 the way back.

    Returns
    -------
    ndarray, (3, 3) float64

    Raises
    ------
    ValueError
        If the motion mirrors, or turns by half a turn: then there is no real power of it.
    """
    from scipy.linalg import expm, logm

    turned = np.linalg.eigvals(motion[:2, :2])
    if np.any((np.abs(turned.imag) <= 1e-12 * np.abs(turned)) & (turned.real <= 0)):
        raise ValueError(f"a motion with eigenvalues {turned.tolist()} has no real power; they must not be 0 or below")
    made = np.asarray(expm(exponent * np.real(logm(motion))), np.float64)
    made[2] = 0, 0, 1
    return made


def rescaled(motion: NDArray[np.float64], step: int) -> NDArray[np.float64]:
    """Turn a motion between images reduced by `step` into one between the images themselves.

    A px of a reduced image is the mean of a square of `step` px, so that its centre lies (step − 1)/2 px off.
    """
    grid = np.array([[step, 0, (step - 1) / 2], [0, step, (step - 1) / 2], [0, 0, 1]], np.float64)
    return np.asarray(grid @ motion @ np.linalg.inv(grid), np.float64)


def move(
    read: Callable[[Window], NDArray[Any]],
    shape: tuple[int, int],
    motion: NDArray[np.float64],
    top: int,
    bottom: int,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Move an image, and give some rows of the result, by linear interpolation.

    Parameters
    ----------
    read : callable
        Gives a window of the image, ``(H, W)`` real numbers; pixels that are not finite count as not there.
    shape : tuple of int
        ``(H, W)`` of the image, and of the result.
    motion : ndarray, (3, 3) float64
        Where a point of the image goes.
    top, bottom : int
        First row of the result and one past the last.

    Returns
    -------
    values, cover : ndarray, (bottom - top, W) float64
        `cover` is the share of each px, 0 to 1, that the image covers; `values` are the sums over that share, so that
        ``values / cover`` is the image, at its border, too. They are the same however the rows are cut.
    """
    made = np.zeros((2, bottom - top, shape[1]), np.float64)
    back = np.asarray(np.linalg.inv(motion), np.float64)
    rows = max(1, _SLAB_PX // shape[1])
    for start in range(top, bottom, rows):
        end = min(start + rows, bottom)
        made[:, start - top : end - top] = _moved(read, shape, back, start, end)
    return made[0], made[1]


def _moved(
    read: Callable[[Window], NDArray[Any]],
    shape: tuple[int, int],
    back: NDArray[np.float64],
    top: int,
    bottom: int,
) -> NDArray[np.float64]:
    from scipy.ndimage import map_coordinates

    height, width = shape
    y, x = np.arange(top, bottom, dtype=np.float64)[:, None], np.arange(width, dtype=np.float64)
    from_x = back[0, 0] * x + back[0, 1] * y + back[0, 2]
    from_y = back[1, 0] * x + back[1, 1] * y + back[1, 2]
    window = Window(
        max(0, int(np.floor(from_x.min())) - _MARGIN),
        min(width, int(np.ceil(from_x.max())) + _MARGIN + 1),
        max(0, int(np.floor(from_y.min())) - _MARGIN),
        min(height, int(np.ceil(from_y.max())) + _MARGIN + 1),
    )
    if window.empty:
        return np.zeros((2, bottom - top, width))
    pixels = np.asarray(read(window), np.float64)
    there = np.isfinite(pixels)
    at = np.stack([from_y - window.y0, from_x - window.x0])
    # beyond a window that was cut out lies more of the image, but nothing of it is asked for
    parts = (np.where(there, pixels, 0.0), there.astype(np.float64))
    return np.stack([map_coordinates(one, at, order=1, mode="grid-constant", cval=0.0) for one in parts])

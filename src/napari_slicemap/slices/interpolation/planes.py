"""Which plane of the slice before is registered to which of the slice after.

Planes are compared as means of squares of ``step`` px, the smallest step that makes their longer side at most 2048 px.
The foreground of a plane are the pixels above Otsu's threshold of square roots, taken of all candidate planes of the
slice together with their darkest and brightest 0.1 % clipped: an empty plane beside planes of tissue has next to none,
and a few bright specks do not hide dim tissue.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ...images.region import Window

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..volumes import SliceVolume

SEARCHED = 5
"""Planes of each slice that are compared: the last ones of the slice before, the first ones of the slice after."""
MIN_FOREGROUND = 0.1
"""Of a plane, to be compared."""
_LONGER_SIDE = 2048
_BAND_BYTES = 2**26


@dataclass(frozen=True)
class Candidates:
    """Planes of one slice, reduced.

    Parameters
    ----------
    z : tuple of int
        Which planes, those next to the gap first.
    pixels : ndarray, (len(z), H, W) float32
        Their means over squares of px; NaN where a px is not finite.
    foreground : tuple of float
        Share of each plane, 0 to 1.
    """

    z: tuple[int, ...]
    pixels: NDArray[np.float32]
    foreground: tuple[float, ...]

    @property
    def fit(self) -> list[int]:
        """Indices of the planes with foreground enough."""
        return [n for n, share in enumerate(self.foreground) if share >= MIN_FOREGROUND]


@dataclass(frozen=True)
class PlanePair:
    """The pair of planes that is registered.

    Parameters
    ----------
    before, after : ndarray, (H, W) float32
        The planes, reduced.
    z_before, z_after : int
        Which ones they are, each in its slice.
    ncc : float
        Of the two as they lie.
    """

    before: NDArray[np.float32]
    after: NDArray[np.float32]
    z_before: int
    z_after: int
    ncc: float


def step_of(shape: tuple[int, ...]) -> int:
    """Give the side of the squares of px that planes ``(…, H, W)`` are compared in."""
    return math.ceil(max(shape[-2:]) / _LONGER_SIDE)


def candidates(volume: SliceVolume, z: Sequence[int]) -> Candidates:
    """Read the planes of a slice that may be registered.

    Parameters
    ----------
    volume : SliceVolume
        The slice.
    z : sequence of int
        Its planes, those next to the gap first.

    Raises
    ------
    TileReadError
        Naming the file, if it cannot be read.
    """
    pixels = _reduced(volume, z)
    return Candidates(tuple(z), pixels, _foreground(pixels))


def _reduced(volume: SliceVolume, z: Sequence[int]) -> NDArray[np.float32]:
    _, height, width = volume.shape
    step = step_of(volume.shape)
    rows, columns = height // step, width // step
    made = np.empty((len(z), rows, columns), np.float32)
    together = max(1, _BAND_BYTES // (len(z) * step * width * volume.dtype.itemsize))
    for top in range(0, rows, together):
        bottom = min(top + together, rows)
        block = volume.planes(z, Window(0, columns * step, top * step, bottom * step))
        squares = block.reshape(len(z), bottom - top, step, columns, step)
        made[:, top:bottom] = squares.mean(axis=(2, 4), dtype=np.float64)
    made[~np.isfinite(made)] = np.nan
    return made


def _foreground(pixels: NDArray[np.float32]) -> tuple[float, ...]:
    from skimage.filters import threshold_otsu

    finite = pixels[np.isfinite(pixels)]
    if not finite.size:
        return (0.0,) * len(pixels)
    low, high = np.percentile(finite, (0.1, 99.9))
    if low == high:
        return (0.0,) * len(pixels)
    threshold = low + threshold_otsu(np.sqrt(np.clip(finite, low, high) - low)) ** 2
    return tuple(float((plane > threshold).mean()) for plane in pixels)


def ncc(one: NDArray[Any], other: NDArray[Any], where: NDArray[np.bool_] | None = None) -> float:
    """Give the normalised cross-correlation of two planes, −1 to 1: Pearson's r over the px that both have.

    Parameters
    ----------
    one, other : ndarray, (H, W)
        The planes; px that are not finite in both are left out.
    where : ndarray, (H, W) bool, optional
        The px to compare.

    Returns
    -------
    float
        0 where one of them is constant, or no px is left.
    """
    both = np.isfinite(one) & np.isfinite(other)
    if where is not None:
        both &= where
    if not both.any():
        return 0.0
    a, b = (np.asarray(plane[both], np.float64) for plane in (one, other))
    a, b = a - a.mean(), b - b.mean()
    scale = math.sqrt(float((a * a).sum()) * float((b * b).sum()))
    # rounding leaves a trace of constant planes
    return float((a * b).sum()) / scale if scale > 1e-12 * a.size else 0.0


def best_pair(before: Candidates, after: Candidates) -> PlanePair | None:
    """Choose the pair of planes that are most alike; of equals, those next to the gap.

    Returns
    -------
    PlanePair or None
        ``None`` where one of the slices has no plane with foreground enough.
    """
    found: PlanePair | None = None
    for i in before.fit:
        for j in after.fit:
            alike = ncc(before.pixels[i], after.pixels[j])
            if found is None or alike > found.ncc:
                found = PlanePair(before.pixels[i], after.pixels[j], before.z[i], after.z[j], alike)
    return found

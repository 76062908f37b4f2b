"""Projections of tiles whose return is known, from tissue that is made here."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

LINES, EXTRA, COLUMNS = 120, 30, 90
COUNT = LINES + EXTRA


def tissue(seed: int = 0, lines: int = COUNT, columns: int = COLUMNS, level: float = 100.0) -> np.ndarray:
    """Smooth tissue with fibres, and speckle of 4 %."""
    rng = np.random.default_rng(seed)
    wide = ndimage.gaussian_filter(rng.normal(size=(lines, columns)), 12, mode="wrap")
    fine = ndimage.gaussian_filter(rng.normal(size=(lines, columns)), 2, mode="wrap")
    smooth = level * np.exp(0.25 * wide / wide.std() + 0.1 * fine / fine.std())
    return smooth * (1 + 0.04 * rng.standard_normal(smooth.shape))


def with_return(image: np.ndarray, first: int, change: float = -0.35, extra: int = EXTRA) -> np.ndarray:
    """The return from A-line `first`, around the end if need be, brighter or darker by `change` of itself."""
    made = image.copy()
    made[(first + np.arange(extra)) % len(image)] *= 1 + change
    return made


def shift_of(first: int, count: int = COUNT, extra: int = EXTRA) -> int:
    return (count - extra - first) % count

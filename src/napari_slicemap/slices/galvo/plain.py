"""The plain formula for the return, from the mean profile alone: what :mod:`.score` is measured against.

The profile is the mean over B-scans, smoothed by a median over five A-lines; the return begins where the product of the
absolute steps at both edges is largest. The score has the same parts and weights, of the profile only. Edges of tissue
fool it: it is here to be measured, and decides nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from .profile import checked_projection
from .score import ANOMALY_SHARE, CONTRAST_SHARE, FULL_CONTRAST, SHARPNESS_SHARE

if TYPE_CHECKING:
    from numpy.typing import NDArray

_SMOOTHED = range(-2, 3)
_FULL_SHARPNESS = 4.0
_FULL_ANOMALY = 1.5


def detect_plainly(aip: NDArray[Any], n_pixel_return: int) -> tuple[int, float]:
    """Find the return from the mean profile.

    Parameters
    ----------
    aip : ndarray, (A-lines, B-scans)
        The mean over depth.
    n_pixel_return : int
        A-lines of the return.

    Returns
    -------
    tuple of int and float
        The shift that puts the return at the end, and the score from 0 to 1.

    Raises
    ------
    StackError
        As :func:`~napari_slicemap.slices.galvo.galvo_artifact_score` does.
    """
    mean = checked_projection(aip, n_pixel_return).mean(axis=1)
    count = len(mean)
    profile = np.median(np.stack([np.roll(mean, by) for by in _SMOOTHED]), axis=0)
    steps = np.abs(profile - np.roll(profile, 1))
    product = steps * np.roll(steps, -n_pixel_return)
    first = int(np.argmax(product))
    back = (first + np.arange(n_pixel_return)) % count
    image, inside = np.delete(profile, back), profile[back]
    difference = abs(float(image.mean() - inside.mean()))
    contrast = _part(difference, abs(float(image.mean())) * FULL_CONTRAST)
    sharpness = _part(float(np.sqrt(product[first])), _FULL_SHARPNESS * float(np.median(steps)))
    anomaly = _part(difference, _FULL_ANOMALY * float(image.std()))
    score = CONTRAST_SHARE * contrast + SHARPNESS_SHARE * sharpness + ANOMALY_SHARE * anomaly
    return (count - n_pixel_return - first) % count, score


def _part(value: float, full: float) -> float:
    return min(1.0, value / full) if full > 0 else float(value > 0)

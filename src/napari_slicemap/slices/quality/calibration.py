"""Calibration slices: the first of a run are cut and imaged to set up, and are often thicker than the others."""

from __future__ import annotations

from collections.abc import Mapping
from statistics import median

THICKNESS_RATIO = 1.5
"""A calibration slice has more planes than this many times the median."""
_LOOKED_AT = 3


def calibration_slices(depths: Mapping[str, int], exclude_first: int = 1, detect: bool = False) -> tuple[str, ...]:
    """Find the calibration slices of a run.

    Parameters
    ----------
    depths : mapping of str to int
        Slice id → number of z planes, in the order of the run.
    exclude_first : int
        So many of the first slices are calibration slices.
    detect : bool
        So are those of the first three that are over 1.5 times as thick as the median of all slices.

    Returns
    -------
    tuple of str
        Their ids, in the order of the run.

    Raises
    ------
    ValueError
        If `exclude_first` is negative.
    """
    if exclude_first < 0:
        raise ValueError(f"exclude_first is {exclude_first}, expected 0 or more")
    ids = list(depths)
    found = set(ids[:exclude_first])
    if detect and depths:
        middle = median(depths.values())
        found |= {one for one in ids[:_LOOKED_AT] if depths[one] / middle > THICKNESS_RATIO}
    return tuple(one for one in ids if one in found)

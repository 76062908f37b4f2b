"""Whether a slice takes part, and why not: what one row of the slice table comes to."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from .slice_values import read_flag


def is_used(row: Mapping[str, Any]) -> bool:
    """Say whether a slice takes part: `use` is true (or not there) and `auto_excluded` is not."""
    return says(row, "use") and not says(row, "auto_excluded")


def why_excluded(row: Mapping[str, Any]) -> str:
    """Say in words why a slice is left out; ``""`` for one that is used.

    Parameters
    ----------
    row : mapping of str to value
        A row of the table.

    Returns
    -------
    str
        Such as ``"use is false: calibration_slice"`` or ``"auto_excluded: noisy cluster (3 consecutive)"``,
        both joined by ``"; "`` where both hold.
    """
    reasons = []
    if not says(row, "use"):
        reasons.append(": ".join(filter(None, ["use is false", row.get("notes")])))
    if says(row, "auto_excluded"):
        reasons.append(": ".join(filter(None, ["auto_excluded", row.get("auto_exclude_reason")])))
    return "; ".join(reasons)


def says(row: Mapping[str, Any], column: str) -> bool:
    """Read a decision of a row: `use` is true where it is not there, any other empty one false.

    Raises
    ------
    FileFormatError
        If it is neither true nor false, as text or typed: the text ``"false"`` alone would be truthy.
    """
    value = row.get(column, column == "use")
    return bool(read_flag(column, value.item() if isinstance(value, np.generic) else value))

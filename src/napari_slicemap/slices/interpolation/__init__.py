"""Single missing slices, made of their neighbours, or left as gaps with a reason."""

from .gaps import Gap, Gaps, Hole, find_gaps, gaps_of, single_missing
from .interpolate import Interpolated, interpolate_slice, interpolate_slices
from .morph import Gate, Morph, register_neighbours

__all__ = [
    "Gap",
    "Gaps",
    "Gate",
    "Hole",
    "Interpolated",
    "Morph",
    "find_gaps",
    "gaps_of",
    "interpolate_slice",
    "interpolate_slices",
    "register_neighbours",
    "single_missing",
]

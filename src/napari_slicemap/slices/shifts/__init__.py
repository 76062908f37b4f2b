"""How far each slice lies from the one before: the shifts file, places by summing, and stage artefacts undone."""

from .cumulative import build_cumulative_shifts, why_unplaced
from .rehoming import Correction, Rehoming, detect_rehoming, stamp_rehoming
from .table import Shifts, Step, read_shifts, shift_id, shifts_of, write_shifts

__all__ = [
    "Correction",
    "Rehoming",
    "Shifts",
    "Step",
    "build_cumulative_shifts",
    "detect_rehoming",
    "read_shifts",
    "shift_id",
    "shifts_of",
    "stamp_rehoming",
    "why_unplaced",
    "write_shifts",
]

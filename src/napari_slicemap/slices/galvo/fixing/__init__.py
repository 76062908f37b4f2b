"""Writing tiles whose return is at the end, where it is cut off, and taking that back, byte for byte."""

from .plan import FixPlan, SliceFix, plan_fix
from .rolling import roll_of_part
from .run import FixReport, SliceDone, note_applied, note_undone, run_fix, run_undo, targets
from .undo import SliceUndo, UndoPlan, plan_undo

__all__ = [
    "FixPlan",
    "FixReport",
    "SliceDone",
    "SliceFix",
    "SliceUndo",
    "UndoPlan",
    "note_applied",
    "note_undone",
    "plan_fix",
    "plan_undo",
    "roll_of_part",
    "run_fix",
    "run_undo",
    "targets",
]

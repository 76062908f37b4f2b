"""The mirror's return in raw tiles: find it, say how sure that is, and move it to the end, where it is cut off."""

from .detect import (
    MIN_INTENSITY,
    N_SAMPLES,
    THRESHOLD,
    SliceDetection,
    TileDetection,
    detect_galvo_for_slice,
    detect_galvo_shift,
    inspect_slice,
)
from .fix import fix_galvo_shift
from .profile import TileVolume, average_projection
from .score import GalvoScore, galvo_artifact_score

__all__ = [
    "MIN_INTENSITY",
    "N_SAMPLES",
    "THRESHOLD",
    "GalvoScore",
    "SliceDetection",
    "TileDetection",
    "TileVolume",
    "average_projection",
    "detect_galvo_for_slice",
    "detect_galvo_shift",
    "fix_galvo_shift",
    "galvo_artifact_score",
    "inspect_slice",
]

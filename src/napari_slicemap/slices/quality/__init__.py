"""The quality of slices: scores from agreement with their neighbours, stamped, reported, and put on record."""

from .arrays import CPU, Arrays, choose_arrays, find_gpu
from .calibration import calibration_slices
from .pipeline import SliceQuality
from .scan import SliceQualities, scan_quality
from .score import Comparison, QualityResult, assess_slice_quality, sample_planes

__all__ = [
    "CPU",
    "Arrays",
    "Comparison",
    "QualityResult",
    "SliceQualities",
    "SliceQuality",
    "assess_slice_quality",
    "calibration_slices",
    "choose_arrays",
    "find_gpu",
    "sample_planes",
    "scan_quality",
]

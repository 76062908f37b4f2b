"""Slices in one common space: which of them, how they agree, where each lies, and its pixels there."""

from ..choice import Choice, choose_slices
from .align import Alignment, align_mosaics, plan_alignment

__all__ = ["Alignment", "Choice", "align_mosaics", "choose_slices", "plan_alignment"]

"""Slices in one common space: which of them, how they agree, where each lies, and its pixels there."""

from .align import Alignment, align_mosaics, plan_alignment
from .choice import Choice, choose_slices

__all__ = ["Alignment", "Choice", "align_mosaics", "choose_slices", "plan_alignment"]

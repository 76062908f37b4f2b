"""One volume of all slices to use."""

from .plan import Stack, plan_stack
from .stack import stack_slices

__all__ = ["Stack", "plan_stack", "stack_slices"]

"""``slicemap slices``: the table of decisions, and every command that stamps it; one module per topic."""

from .app import slices

__all__ = ["slices"]

"""``slicemap galvo``: the mirror's return in the tiles of a scanner, from finding it to the fix and back."""

from .app import galvo

__all__ = ["galvo"]

"""From arrays to pixels, the fast way where numba is installed and the obvious numpy way where it is not.

Both give the same pictures (colours within 1 of 255, all else the same). numba is imported at the first call, and
with ``SLICEMAP_NUMBA=0`` in the environment never.

A canvas is a uint32 array ``(h, w)``, one pixel each, whose bytes in memory are red, green, blue, alpha. It may be a
view of a larger one as long as each row is contiguous, so that threads can fill blocks of one picture.
"""

from .cells import area_means, cell_sums
from .choice import SWITCH, as_bytes, compiled
from .colour import Piece, composite_into, composite_pieces
from .outlines import blend_into, draw_mask_into, outline

__all__ = [
    "SWITCH",
    "Piece",
    "area_means",
    "as_bytes",
    "blend_into",
    "cell_sums",
    "compiled",
    "composite_into",
    "composite_pieces",
    "draw_mask_into",
    "outline",
]

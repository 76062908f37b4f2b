"""The compiled inner loops behind :mod:`.engine`. Importing this module imports numba.

Each loop works on plain contiguous arrays, releases the GIL and runs in one thread: callers cut their work into
blocks and run those in threads of their own. What a loop computes for a pixel does not depend on where in the array
that pixel lies. `contract` is the only liberty taken with floating point, since NaN and infinities are real data.

Machine code is kept on disk beside this file (or in the user's cache folder), one version for each dtype in use.
"""

from .cells import sum_cells
from .colour import GAMMAS, HEADROOM, LINEAR_CHANNELS, composite_linear, composite_rows
from .outlines import blend, edges, widen

__all__ = [
    "GAMMAS",
    "HEADROOM",
    "LINEAR_CHANNELS",
    "blend",
    "composite_linear",
    "composite_rows",
    "edges",
    "sum_cells",
    "widen",
]

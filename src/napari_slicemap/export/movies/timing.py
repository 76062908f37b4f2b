"""How long each frame of a movie is shown."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from ...errors import StackError

if TYPE_CHECKING:
    from numpy.typing import NDArray

_ALONE_MS = 1000.0
"""How long the only frame of a movie is shown."""


def delays_ms(
    times_s: Sequence[float] | NDArray[np.float64], what: str, fps: float | None = None, speed: float = 1.0
) -> list[float]:
    """Find out how long each frame is to be shown.

    Parameters
    ----------
    times_s : sequence of float
        Time of each frame, s; NaN where it is unknown. They decide, unless `fps` is given. The last frame lasts as
        long as the one before.
    what : str
        What the frames are of, for messages.
    fps : float, optional
        Frames per second; then neither the times nor `speed` matter.
    speed : float
        How many times faster than it happened.

    Returns
    -------
    list of float
        Delays in ms, one for each frame.

    Raises
    ------
    StackError
        If `fps` or `speed` is not above 0, or times are missing or do not increase.
    """
    for name, value in (("fps", fps), ("speed", speed)):
        if value is not None and not (math.isfinite(value) and value > 0):
            raise StackError(f"{what}: {name} is {value}, expected a number above 0")
    times = np.asarray(times_s, np.float64)
    if fps is not None:
        return [1000 / fps] * len(times)
    unknown = np.flatnonzero(~np.isfinite(times))
    if len(unknown):
        raise StackError(f"{what}: {len(unknown)} of {len(times)} frames have no time (first: {unknown[0]}); give fps")
    steps = np.diff(times)
    if (steps <= 0).any():
        late = int(np.argmax(steps <= 0)) + 1
        raise StackError(
            f"{what}: the times do not increase (frame {late} at {times[late]:g} s "
            f"follows {times[late - 1]:g} s); give fps"
        )
    delays = [float(step) * 1000 / speed for step in steps]
    return [*delays, delays[-1] if delays else _ALONE_MS]

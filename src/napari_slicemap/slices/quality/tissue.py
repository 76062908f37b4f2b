"""How deep tissue is seen in a slice."""

from __future__ import annotations

import math
from collections.abc import Sequence


def tissue_depth(planes: Sequence[int], variances: Sequence[float]) -> float:
    """Say how deep tissue is seen in a slice.

    Contrast fades with depth. The depth is where the standard deviation of a plane's pixels falls below 1/e (37 %) of
    that of the sampled plane that has most, for the last time; between sampled planes it is interpolated linearly.

    Parameters
    ----------
    planes : sequence of int
        The z planes sampled, growing, counted from 0.
    variances : sequence of float
        Of the pixels of each of them.

    Returns
    -------
    float
        In planes: as many as the slice has up to its last sampled plane if all is tissue, 0 if no plane varies.
    """
    deviations = [math.sqrt(one) for one in variances]
    least = max(deviations) / math.e
    if not least:
        return 0.0
    last = max(n for n, one in enumerate(deviations) if one >= least)
    if last + 1 == len(planes):
        return float(planes[last] + 1)
    part = (deviations[last] - least) / (deviations[last] - deviations[last + 1])
    return planes[last] + part * (planes[last + 1] - planes[last]) + 1

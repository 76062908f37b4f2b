"""The quality of a slice: how well it agrees with the slices before and after it.

``score = 0.5 · SSIM + 0.3 · edge + 0.2 · variance``, each from 0 to 1, and 1.0 for a slice whose neighbours equal it:

- SSIM: the planes of the slice's own sample (:func:`sample_planes`), each against the same plane of a neighbour
  that is deep enough; the mean over planes, then over neighbours, and 0 if that is negative;
- edge: Pearson's correlation of Sobel magnitudes, the slice's middle plane (``depth // 2``) against the mean of the
  neighbours' middle planes; 0 if it is negative;
- variance: ``min(1, 2 / (1 + |ln(var / var_ref)|))``, `var` over the sampled planes together, `var_ref` the mean of the
  neighbours', each over the same planes; 0 if `var_ref` is 0;
- a slice without data (the deviation of its sampled planes is below 1e-6) scores 0 throughout.

Planes of different size are compared where they overlap, counted from the first row and column. A px that is not
finite counts as the smallest finite one of its plane.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ...errors import StackError
from .arrays import CPU, Arrays
from .plane import WINDOW, Moments, edge_agreement, finite, plane_of, ssim

if TYPE_CHECKING:
    from numpy.typing import NDArray

SSIM_SHARE, EDGE_SHARE, VARIANCE_SHARE = 0.5, 0.3, 0.2
SAMPLE_DEPTH = 5
"""Planes that are compared, unless another number is asked for."""
NO_DATA = 1e-6
"""A slice whose pixels deviate by less has no data."""


@dataclass(frozen=True)
class QualityResult:
    """How well a slice agrees with its neighbours; each number from 0 to 1.

    Parameters
    ----------
    score : float
        ``0.5 · ssim + 0.3 · edge + 0.2 · variance``.
    ssim, edge, variance : float
        Its parts.
    """

    score: float
    ssim: float
    edge: float
    variance: float


NONE = QualityResult(0.0, 0.0, 0.0, 0.0)
"""Of a slice without data, and of a calibration slice."""


@dataclass(frozen=True)
class Comparison:
    """A slice against one neighbour.

    Parameters
    ----------
    planes : tuple of int
        The z planes of the slice's sample that the neighbour has, too.
    ssim : tuple of float
        Of each of them, from -1 to 1.
    variance : float
        Of the neighbour's pixels over these planes.
    """

    planes: tuple[int, ...]
    ssim: tuple[float, ...]
    variance: float


def sample_planes(depth: int, sample_depth: int = SAMPLE_DEPTH) -> tuple[int, ...]:
    """Choose the planes of a slice that are compared: evenly from the first to the last, none of them twice.

    Parameters
    ----------
    depth : int
        Planes of the slice.
    sample_depth : int
        How many to choose; all where there are fewer.

    Raises
    ------
    ValueError
        If either is below 1.
    """
    if min(depth, sample_depth) < 1:
        raise ValueError(f"depth is {depth} and sample_depth {sample_depth}, expected at least 1 of each")
    return tuple(dict.fromkeys(np.linspace(0, depth - 1, min(depth, sample_depth), dtype=int).tolist()))


def assess_slice_quality(
    volume: NDArray[Any],
    before: NDArray[Any] | None,
    after: NDArray[Any] | None,
    sample_depth: int = SAMPLE_DEPTH,
) -> QualityResult:
    """Score a slice against its neighbours (see the module for how).

    Parameters
    ----------
    volume : ndarray, (Z, Y, X)
        The slice, real numbers of any dtype.
    before, after : ndarray, (Z, Y, X), or None
        The slices before and after it, ``None`` for one that does not exist. Depth, height and width may differ.
    sample_depth : int
        How many planes are compared.

    Returns
    -------
    QualityResult

    Raises
    ------
    StackError
        (a ``ValueError``) If there is no neighbour, an array is no volume of real numbers, or less than 7 × 7 px are
        common to the slice and a neighbour.
    ValueError
        If `sample_depth` is below 1.
    """
    named = {"volume": volume, "before": before, "after": after}
    volumes = {name: _checked(name, given) for name, given in named.items() if given is not None}
    if len(volumes) < 2:
        raise StackError("a slice is scored against its neighbours: give the slice before it, the one after, or both")
    own = volumes.pop("volume")
    planes = sample_planes(len(own), sample_depth)
    mine = {z: plane_of(own[z], CPU) for z in planes}
    comparisons = []
    for name, other in volumes.items():
        check_overlap("volume", own.shape, name, other.shape)
        shared = [z for z in planes if z < len(other)]
        theirs = {z: plane_of(other[z], CPU) for z in shared}
        comparisons.append(
            compared(
                shared,
                {z: ssim(mine[z], theirs[z], CPU) for z in shared},
                {z: plane.moments for z, plane in theirs.items()},
            )
        )
    middles = [middle_of(one, CPU) for one in (own, *volumes.values())]
    edge = edge_agreement(middles[0], middles[1:], CPU)
    return combine(pooled_variance(plane.moments for plane in mine.values()), comparisons, edge)


def _checked(name: str, volume: Any) -> NDArray[Any]:
    made = np.asarray(volume)
    if made.ndim != 3 or not made.size or made.dtype.kind not in "biuf":
        raise StackError(
            f"{name}: shape {made.shape} and dtype {made.dtype}, expected a volume (Z, Y, X) of real numbers"
        )
    return made


def check_overlap(name: str, shape: Sequence[int], other: str, other_shape: Sequence[int]) -> None:
    """Refuse two volumes ``(Z, Y, X)`` that have too few px in common.

    Raises
    ------
    StackError
        Naming both.
    """
    height, width = (min(sizes) for sizes in zip(shape[1:], other_shape[1:], strict=True))
    if min(height, width) < WINDOW:
        raise StackError(
            f"{name} and {other} have {height} × {width} px in common, and to compare them takes {WINDOW} × {WINDOW}"
        )


def middle_of(volume: NDArray[Any], arrays: Arrays) -> Any:
    """Give the middle plane of a volume, finite, where it is worked on."""
    return finite(arrays.put(volume[len(volume) // 2]), arrays)[0]


def compared(planes: Iterable[int], ssim_of: Mapping[int, float], neighbour: Mapping[int, Moments]) -> Comparison:
    """Put together what was found of a slice and one neighbour.

    Parameters
    ----------
    planes : iterable of int
        The planes that count.
    ssim_of : mapping of int to float
        Plane → similarity.
    neighbour : mapping of int to tuple of float
        Plane → mean and variance of the neighbour's pixels.
    """
    chosen = tuple(planes)
    return Comparison(chosen, tuple(ssim_of[z] for z in chosen), pooled_variance(neighbour[z] for z in chosen))


def pooled_variance(moments: Iterable[Moments]) -> float:
    """Give the variance of all pixels of some planes of one shape, from the mean and variance of each."""
    each = list(moments)
    mean = _mean([one for one, _ in each])
    return _mean([spread + (one - mean) * (one - mean) for one, spread in each])


def combine(variance: float, comparisons: Sequence[Comparison], edge: float) -> QualityResult:
    """Work out the score.

    Parameters
    ----------
    variance : float
        Of the slice's sampled planes.
    comparisons : sequence of Comparison
        With each neighbour, one or more.
    edge : float
        Agreement of edges, from -1 to 1.
    """
    if math.sqrt(variance) < NO_DATA:
        return NONE
    similarity = max(0.0, _mean([_mean(one.ssim) for one in comparisons]))
    edges = max(0.0, edge)
    likeness = variance_agreement(variance, _mean([one.variance for one in comparisons]))
    score = SSIM_SHARE * similarity + EDGE_SHARE * edges + VARIANCE_SHARE * likeness
    return QualityResult(score, similarity, edges, likeness)


def variance_agreement(variance: float, reference: float) -> float:
    """Give ``min(1, 2 / (1 + |ln(variance / reference)|))``; 0 where one of them is 0."""
    if not variance or not reference:
        return 0.0
    return min(1.0, 2 / (1 + abs(math.log(variance) - math.log(reference))))


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)

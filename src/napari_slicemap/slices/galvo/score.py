"""How sure it is that the A-lines of the mirror's return lie at a given place of a raw tile.

``score = 0.50 · contrast + 0.30 · sharpness + 0.20 · anomaly``, each from 0 to 1:

- contrast: ``min(1, rel / 0.15)``, `rel` the relative difference ``|image - return| / image`` at the edges;
- sharpness: ``min(1, step / (4 · typical))``, the step at the edges against what the profile's steps typically are;
- anomaly: ``min(1, z / 1.5)``, `z` the difference of levels three A-lines to either side of the edges, in units of how
  much it varies between B-scans;

each times the evidence for the pair of edges. The edges of a return are one A-line high, opposite, of like size, and
the same in nearly every B-scan; edges of tissue are not, although the mean profile may not tell them apart:

- step: of the two steps (weighted medians over B-scans of the step in log intensity, less the trend), the smaller one,
  and 0 if both go the same way;
- similarity: the smaller over the larger;
- agreement: how much of the step the B-scans share, ``Σ w (|d| - |d - step|) / Σ w step``: 1 if all step as far, 0 if
  as many step against it; the geometric mean of both edges;
- lasting: 0 to 1 as the difference of levels three A-lines to either side of the edges is 0.25 to 0.6 of the step;
- ``evidence = lasting · min(1, step · agreement · similarity / (1.3 · rival))``, `rival` the largest product of step
  and agreement among the A-lines that lie beside neither the edges nor the largest such product of the others, and
  0.01 more.

So a lone step, a gradient or one stripe scores next to nothing, and a bright return counts as a dark one does.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from .profile import StepProfile, checked_projection, step_profile

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from .profile import Floats

CONTRAST_SHARE, SHARPNESS_SHARE, ANOMALY_SHARE = 0.50, 0.30, 0.20
FULL_CONTRAST = 0.15
"""Relative difference that counts in full."""
_FULL_SHARPNESS = 4.0  # steps at the edges in units of a typical one
_FULL_ANOMALY = 1.5
_LASTING = (0.25, 0.6)  # of the step: a stripe of one A-line has a third
_FULL_EVIDENCE = 1.3  # of the rival; chosen so that fewer than one clean tile in a hundred passes 0.6
_LEAST_STEP, _LEAST_RIVAL = 0.005, 0.01  # of log intensity: in a tile without noise, less is nothing to speak of
_LEVEL = 3  # A-lines whose mean is the level beside an edge
_BESIDE = np.arange(-1, 2)  # A-lines whose steps an edge takes part in


@dataclass(frozen=True)
class GalvoScore:
    """How sure it is that a return lies at a place, and why; each number but `shift` from 0 to 1.

    Parameters
    ----------
    score : float
        ``0.50 · contrast + 0.30 · sharpness + 0.20 · anomaly``.
    contrast, sharpness, anomaly : float
        Its parts, each times the evidence.
    shift : int
        A-lines by which rolling the tile puts this place at the end.
    agreement, similarity, evidence : float
        Of the two edges (see the module).
    relative_difference : float
        ``|image - return| / image``, measured at the edges.
    """

    score: float
    contrast: float
    sharpness: float
    anomaly: float
    shift: int
    agreement: float = 0.0
    similarity: float = 0.0
    evidence: float = 0.0
    relative_difference: float = 0.0


@dataclass(frozen=True)
class EdgePairs:
    """Each place where a return might begin, by its first A-line.

    Parameters
    ----------
    step : ndarray, (A-lines,), float64
        The step in log intensity that both edges have at least, up or down as the first one; 0 if both go one way.
    similarity, agreement : ndarray, (A-lines,), float64
        From 0 to 1.
    strength : ndarray, (A-lines,), float64
        Log likelihood gained by the two edges, if steps have Laplace's distribution, times their similarity.
    """

    step: Floats
    similarity: Floats
    agreement: Floats
    strength: Floats


def galvo_artifact_score(aip: NDArray[Any], n_pixel_return: int, shift: int | None = None) -> GalvoScore:
    """Score the return of the mirror in the projection of a raw tile (see the module for how).

    Parameters
    ----------
    aip : ndarray, (A-lines, B-scans)
        The mean over depth: real numbers of any dtype. A px that is not finite counts as the smallest finite one.
    n_pixel_return : int
        A-lines of the return.
    shift : int, optional
        A-lines by which rolling the tile would put the return at the end: the place to score. By default the
        likeliest.

    Returns
    -------
    GalvoScore
        All 0 for a tile that is the same throughout, or whose mean is not above 0.

    Raises
    ------
    StackError
        (a ``ValueError``) If `aip` is no projection of real numbers, or has no more A-lines than the return.
    """
    image = checked_projection(aip, n_pixel_return)
    count = len(image)
    nothing = GalvoScore(0.0, 0.0, 0.0, 0.0, 0 if shift is None else shift % count)
    if image.mean() <= 0:
        return nothing
    profile = step_profile(image)
    pairs = edge_pairs(profile, n_pixel_return)
    first = int(np.argmax(pairs.strength)) if shift is None else (count - n_pixel_return - shift) % count
    return _scored(profile, pairs, n_pixel_return, first) if pairs.strength[first] > 0 else nothing


def edge_pairs(profile: StepProfile, n_pixel_return: int) -> EdgePairs:
    """Compare the step into each A-line with the one `n_pixel_return` A-lines on."""
    before = profile.step
    after = np.roll(before, -n_pixel_return)
    smaller, larger = (pick(np.abs(before), np.abs(after)) for pick in (np.minimum, np.maximum))
    step = np.where(before * after < 0, smaller, 0.0) * np.sign(before)
    similarity = np.divide(smaller, larger, out=np.zeros_like(larger), where=larger > 0)
    gain, most = _gain(profile.columns, profile.weights, step)
    # the second edge goes back: seen from its own A-line, the step is that of the place n_pixel_return before
    gain_after, most_after = (
        np.roll(one, -n_pixel_return) for one in _gain(profile.columns, profile.weights, -np.roll(step, n_pixel_return))
    )
    both, limit = np.sqrt(gain * gain_after), np.sqrt(most * most_after)
    agreement = np.divide(both, limit, out=np.zeros_like(both), where=limit > 0)
    return EdgePairs(step, similarity, np.minimum(agreement, 1.0), both * similarity)


def _gain(columns: Floats, weights: Floats, step: Floats) -> tuple[Floats, Floats]:
    """Give what a common step explains of the steps of all B-scans, at least 0, and the most it could."""
    explained = (weights * (np.abs(columns) - np.abs(columns - step[:, None]))).sum(axis=1)
    return np.maximum(explained, 0.0), np.abs(step) * weights.sum(axis=1)


def _scored(profile: StepProfile, pairs: EdgePairs, n_pixel_return: int, first: int) -> GalvoScore:
    count = len(profile.step)
    step = float(pairs.step[first])
    agreement, similarity = float(pairs.agreement[first]), float(pairs.similarity[first])
    typical, rival = _other_steps(profile, [first, first + n_pixel_return])
    level, spread = _levels(profile.log, n_pixel_return, first, step)
    lasting = float(np.interp(level / abs(step), _LASTING, (0, 1)))
    evidence = lasting * min(1.0, abs(step) * agreement * similarity / (_FULL_EVIDENCE * rival))
    difference = abs(float(np.expm1(step)))
    contrast = evidence * min(1.0, difference / FULL_CONTRAST)
    sharpness = evidence * min(1.0, abs(step) / (_FULL_SHARPNESS * typical))
    anomaly = evidence * min(1.0, level / ((spread + _LEAST_STEP) * _FULL_ANOMALY))
    score = CONTRAST_SHARE * contrast + SHARPNESS_SHARE * sharpness + ANOMALY_SHARE * anomaly
    shift = (count - n_pixel_return - first) % count
    return GalvoScore(score, contrast, sharpness, anomaly, shift, agreement, similarity, evidence, difference)


def _other_steps(profile: StepProfile, edges: list[int]) -> tuple[float, float]:
    """Give the size of a typical step, and the rival (see the module), away from the edges."""
    elsewhere = np.ones(len(profile.step), dtype=bool)
    elsewhere[np.add.outer(edges, _BESIDE) % len(profile.step)] = False
    if not elsewhere.any():
        return _LEAST_STEP, _LEAST_RIVAL
    typical = 1.4826 * float(np.median(np.abs(profile.step)[elsewhere])) + _LEAST_STEP
    gain, _ = _gain(profile.columns, profile.weights, profile.step)
    shared = np.where(elsewhere, gain / profile.weights.sum(axis=1), 0.0)
    # one edge of tissue may be there, or one A-line that is dead, which steps down and up again
    shared[(np.argmax(shared) + _BESIDE) % len(shared)] = 0.0
    return typical, float(shared.max()) + _LEAST_RIVAL


def _levels(log: Floats, n_pixel_return: int, first: int, step: float) -> tuple[float, float]:
    """Give the difference of levels at both edges, in the direction of `step`, and its spread between B-scans."""
    count = len(log)
    size = max(1, min(_LEVEL, n_pixel_return, count - n_pixel_return))
    near = np.arange(size)
    ends = (first, first + n_pixel_return - size), (first - size, first + n_pixel_return)
    inside, outside = (np.mean([log[(start + near) % count].mean(axis=0) for start in pair], axis=0) for pair in ends)
    difference = (inside - outside) * np.sign(step)
    middle = float(np.median(difference))
    spread = 1.4826 * float(np.median(np.abs(difference - middle)))
    return max(0.0, middle), spread

"""Says what the parts of a score mean, in words for somebody who knows the microscope."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ....slices.galvo import THRESHOLD, GalvoScore
from ....slices.galvo.profile import checked_projection, step_profile
from .ring import band_start

if TYPE_CHECKING:
    from numpy.typing import NDArray

CONSIDER = 0.5
"""Confidence from which a slice is worth a look."""
_BESIDE = 3  # A-lines on either side of an edge
_LEAST_STEP = 0.005  # of log intensity: without noise there is no typical step
_IN_FULL = 0.999
_TOGETHER = 0.85  # tiles that all score the threshold have such a share


@dataclass(frozen=True)
class Edges:
    """What the edges of the band look like in a projection.

    Parameters
    ----------
    darker : bool
        Whether the return is darker than the image beside it, rather than brighter.
    times : float
        The step at the weaker edge, in units of a typical step between A-lines.
    """

    darker: bool
    times: float


@dataclass(frozen=True)
class Sentences:
    """One sentence for each bar, without a full stop."""

    contrast: str
    sharpness: str
    anomaly: str
    tiles: str
    confidence: str


def edges_of(aip: NDArray[Any], n_extra: int, shift: int) -> Edges:
    """Measure the edges of the band at a place.

    Parameters
    ----------
    aip : ndarray, (A-lines, B-scans)
        The mean over depth: real numbers of any dtype.
    n_extra : int
        A-lines of the return.
    shift : int
        A-lines by which rolling the tile puts the band at the end.

    Raises
    ------
    StackError
        If `aip` is no projection of real numbers, or has no more A-lines than the return.
    """
    image = checked_projection(aip, n_extra)
    lines = len(image)
    start = band_start(lines, n_extra, shift)
    stop = start + n_extra
    near = np.arange(min(_BESIDE, n_extra, lines - n_extra))
    inside = image[np.concatenate([start + near, stop - 1 - near]) % lines].mean()
    outside = image[np.concatenate([start - 1 - near, stop + near]) % lines].mean()
    if image.mean() <= 0:
        return Edges(bool(inside < outside), 0.0)
    steps = np.abs(step_profile(image).step)
    edges = np.array([start, stop]) % lines
    typical = 1.4826 * float(np.median(np.delete(steps, edges))) if lines > 2 else 0.0
    return Edges(bool(inside < outside), float(steps[edges].min()) / (typical + _LEAST_STEP))


def sentences_of(
    score: GalvoScore,
    edges: Edges | None = None,
    *,
    share: float | None = None,
    confidence: float | None = None,
    threshold: float = THRESHOLD,
) -> Sentences:
    """Say what a score and its parts mean.

    Parameters
    ----------
    score : GalvoScore
        Of the place to speak of.
    edges : Edges, optional
        Of that place; without, nothing is said of dark or bright and of typical steps.
    share : float, optional
        How far the other tiles agree, 0 to 1, as :class:`~napari_slicemap.slices.galvo.TileDetection` has it: 1 where
        there is no other; ``None`` says the same.
    confidence : float, optional
        The score weighed by what other tiles say; by default the score.
    threshold : float
        Confidence at which a return counts as found.
    """
    total = score.score if confidence is None else confidence
    return Sentences(
        _contrast(score, edges),
        _sharpness(score, edges),
        _anomaly(score),
        _tiles(share),
        _verdict(total, threshold, score),
    )


def _contrast(score: GalvoScore, edges: Edges | None) -> str:
    if score.relative_difference == 0:
        return "no difference there"
    size = f"{100 * score.relative_difference:.0f} %"
    if edges is None:
        return f"return differs by {size}"
    return f"return {size} {'darker' if edges.darker else 'brighter'}"


def _sharpness(score: GalvoScore, edges: Edges | None) -> str:
    if score.relative_difference == 0:
        return "no pair of edges here"
    part = _part(score.sharpness, score)
    said = "sharp" if part >= _IN_FULL else "fairly sharp" if part >= CONSIDER else "blurred"
    if edges is None:
        return f"both edges {said}"
    return f"{said}, {edges.times:.0f} × a typical step" if edges.times >= 1.5 else f"{said}, like any other step"


def _anomaly(score: GalvoScore) -> str:
    if score.evidence == 0:
        return "nothing that stands out"
    part = _part(score.anomaly, score)
    if part >= _IN_FULL:
        return "clear of the B-scans' scatter"
    return "barely above B-scan scatter" if part >= CONSIDER else "lost in the B-scans' scatter"


def _tiles(share: float | None) -> str:
    if share is None or share == 1:  # with another tile, it stays below
        return "no other tile to compare"
    if share == 0:
        return "no other tile agrees"
    which = "the" if share >= _TOGETHER else "most" if share >= CONSIDER else "few"
    return f"{which} other tiles agree"


def _verdict(total: float, threshold: float, score: GalvoScore) -> str:
    if total >= threshold:
        return "fix: reaches the threshold"
    doubt = _doubt(score)
    said = "consider" if total >= CONSIDER else "leave"
    return f"{said}: {doubt}" if doubt else f"{said}: below the threshold"


def _doubt(score: GalvoScore) -> str:
    """Say what speaks most against the pair of edges; nothing where the evidence is good."""
    if score.evidence >= 0.8:
        return ""
    if score.evidence == 0:
        return "no return here"
    if min(score.similarity, score.agreement) >= 0.8:
        return "tissue edges as strong"
    return "the two edges differ" if score.similarity < score.agreement else "B-scans disagree"


def _part(value: float, score: GalvoScore) -> float:
    """Give a part as it would be if the evidence were full."""
    return value / score.evidence if score.evidence > 0 else 0.0

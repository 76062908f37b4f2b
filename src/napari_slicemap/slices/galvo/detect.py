"""Find the mirror's return in a raw tile, and in a slice of many tiles.

All tiles of a slice have the return at the same place. So some of them are looked at, background left out, and the
confidence of each is weighed by what the others say:

``confidence = score · w``, `w` 0.5 up to a share of 0.4, and rising from there to 1 at a share of 0.6

`share` is the sum of the scores of the other tiles that have the return within one A-line of the same place, over the
sum of ``score + 0.1`` of all others: a tile that shows nothing agrees with none. It is 1 where there is no other tile.
The tile of the best confidence gives the shift.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ...errors import StackError
from .profile import TileVolume, average_projection, checked_projection
from .score import GalvoScore, galvo_artifact_score

if TYPE_CHECKING:
    from numpy.typing import NDArray

THRESHOLD = 0.6
"""Confidence at which a return counts as found."""
N_SAMPLES = 5
"""Tiles that are looked at."""
MIN_INTENSITY = 20.0
"""Mean intensity below which a tile is background."""
_CANDIDATES = 3  # for each tile to look at, as some are background
_WEIGHT = (0.4, 0.6), (0.5, 1.0)  # of a score, by the share of tiles that agree
LEAST_VOTE = 0.1
"""Added to the score of each other tile, so that one that shows no return speaks against any place."""

Tiles = Sequence[TileVolume | Callable[[], TileVolume]]
"""Raw tiles ``(Z, A-lines, B-scans)``, or functions that open one: those not looked at are never opened."""


@dataclass(frozen=True)
class TileDetection:
    """What was found in one tile.

    Parameters
    ----------
    index : int
        The tile, as it was given.
    mean_intensity : float
        Of all its pixels.
    score : GalvoScore
        Of the likeliest place of the return, with its shift.
    share : float
        How far the other tiles agree, from 0 to 1 (see the module).
    confidence : float
        The score, weighed by `share`.
    """

    index: int
    mean_intensity: float
    score: GalvoScore
    share: float
    confidence: float


@dataclass(frozen=True)
class SliceDetection:
    """What was found in the tiles of a slice.

    Parameters
    ----------
    shift : int
        A-lines by which rolling each tile puts the return at its end; 0 if nothing was found.
    confidence : float
        The best of the tiles, from 0 to 1.
    found : bool
        Whether the confidence is at least the threshold.
    n_extra : int
        A-lines of the return.
    threshold : float
        That it was held to.
    best : TileDetection or None
        The tile that decided; ``None`` if all were background.
    tiles : tuple of TileDetection
        All that were looked at, by index.
    background : tuple of int
        Tiles that were opened and left out as background, by index.
    """

    shift: int
    confidence: float
    found: bool
    n_extra: int
    threshold: float
    best: TileDetection | None
    tiles: tuple[TileDetection, ...]
    background: tuple[int, ...]


def detect_galvo_shift(aip: NDArray[Any], n_pixel_return: int) -> tuple[int, float]:
    """Find the mirror's return in the projection of a raw tile.

    Parameters
    ----------
    aip : ndarray, (A-lines, B-scans)
        The mean over depth: real numbers of any dtype.
    n_pixel_return : int
        A-lines of the return.

    Returns
    -------
    tuple of int and float
        The A-lines by which rolling the tile puts the return at its end, from 0 to A-lines - 1, and how sure that is,
        from 0 to 1 (see :func:`galvo_artifact_score`). A tile that is the same throughout gives ``(0, 0.0)``.

    Raises
    ------
    StackError
        (a ``ValueError``) If `aip` is no projection of real numbers, or has no more A-lines than the return.

    Examples
    --------
    >>> import numpy as np
    >>> aip = np.full((60, 40), 100.0)
    >>> aip[20:32] = 65  # 12 A-lines of return, from A-line 20
    >>> detect_galvo_shift(aip, 12)
    (28, 1.0)
    """
    found = galvo_artifact_score(aip, n_pixel_return)
    return found.shift, found.score


def detect_galvo_for_slice(
    tiles: Tiles,
    n_extra: int,
    threshold: float = THRESHOLD,
    n_samples: int = N_SAMPLES,
    axial_resolution: float | None = None,
    min_intensity: float = MIN_INTENSITY,
) -> tuple[int, float]:
    """Find the mirror's return in a slice; :func:`inspect_slice` tells from what.

    Parameters
    ----------
    tiles, n_extra, threshold, n_samples, min_intensity
        As in :func:`inspect_slice`.
    axial_resolution : float, optional
        From plane to plane of the tiles, µm. All planes are averaged, so the result is the same for any.

    Returns
    -------
    tuple of int and float
        The shift and its confidence; below the threshold 0 and the best confidence there is.

    Raises
    ------
    StackError
        If a tile is no volume of real numbers, or has no more A-lines than the return; it is named.
    ValueError
        If `threshold`, `n_samples` or `axial_resolution` is none that can be.
    """
    if axial_resolution is not None and not axial_resolution > 0:
        raise ValueError(f"axial_resolution is {axial_resolution}, expected a length in µm above 0")
    found = inspect_slice(tiles, n_extra, threshold, n_samples, min_intensity)
    return found.shift, found.confidence


def inspect_slice(
    tiles: Tiles,
    n_extra: int,
    threshold: float = THRESHOLD,
    n_samples: int = N_SAMPLES,
    min_intensity: float = MIN_INTENSITY,
) -> SliceDetection:
    """Find the mirror's return in a slice, and say from which tiles (see the module for how).

    Parameters
    ----------
    tiles : sequence
        Raw tiles ``(Z, A-lines, B-scans)`` in the order of the slice: arrays, memory maps, arrays read when sliced, or
        functions that open one. They are averaged a block at a time.
    n_extra : int
        A-lines of the return.
    threshold : float
        Confidence, from 0 to 1, at which a return counts as found.
    n_samples : int
        Tiles to look at; up to three times as many, spread over the slice, are opened to find so many that are not
        background.
    min_intensity : float
        Mean intensity, in the unit of the pixels, below which a tile is background.

    Returns
    -------
    SliceDetection

    Raises
    ------
    StackError
        If a tile is no volume of real numbers, or has no more A-lines than the return; it is named.
    ValueError
        If `threshold` is not from 0 to 1, or `n_samples` below 1.
    """
    if not 0 <= threshold <= 1 or n_samples < 1:
        raise ValueError(
            f"threshold is {threshold} and n_samples {n_samples}, expected 0 to 1, and at least 1 tile to look at"
        )
    seen: list[_Look] = []
    background = []
    for index in candidates(len(tiles), n_samples):
        if len(seen) == n_samples:
            break
        look = _look_at(tiles[index], index, n_extra, min_intensity)
        if look is None:
            background.append(index)
            continue
        if seen and look.lines != seen[0].lines:
            raise StackError(
                f"tile {index} has {look.lines} A-lines and tile {seen[0].index} has {seen[0].lines}: "
                "tiles of one slice have as many"
            )
        seen.append(look)
    weighed = _weigh(sorted(seen, key=lambda one: one.index))
    best = max(weighed, key=lambda one: one.confidence, default=None)
    confidence = best.confidence if best else 0.0
    found = best is not None and confidence >= threshold
    shift = best.score.shift if best and found else 0
    return SliceDetection(shift, confidence, found, n_extra, threshold, best, weighed, tuple(sorted(background)))


def candidates(count: int, n_samples: int = N_SAMPLES) -> tuple[int, ...]:
    """Choose the tiles that may be opened, in the order to open them: each third of them is spread over the slice.

    Parameters
    ----------
    count : int
        Tiles there are.
    n_samples : int
        Tiles to look at; up to three times as many are chosen.
    """
    wanted = min(count, _CANDIDATES * n_samples)
    # the middle of each of as many equal parts: the rim of a slice is mostly background
    spread = [int((2 * one + 1) * count // (2 * wanted)) for one in range(wanted)]
    return tuple(index for start in (1, 0, 2) for index in spread[start::_CANDIDATES])


@dataclass(frozen=True)
class _Look:
    """A tile that is not background."""

    index: int
    lines: int
    mean: float
    score: GalvoScore


def _look_at(
    tile: TileVolume | Callable[[], TileVolume], index: int, n_extra: int, min_intensity: float
) -> _Look | None:
    try:
        aip = checked_projection(average_projection(tile() if callable(tile) else tile), n_extra)
        mean = float(aip.mean())
        return None if mean < min_intensity else _Look(index, len(aip), mean, galvo_artifact_score(aip, n_extra))
    except StackError as error:
        raise StackError(f"tile {index}: {error}") from error


def _weigh(seen: Sequence[_Look]) -> tuple[TileDetection, ...]:
    """Weigh each tile by what the others say."""
    shifts = np.array([one.score.shift for one in seen])
    scores = np.array([one.score.score for one in seen])
    made = []
    for place, one in enumerate(seen):
        apart = np.abs(shifts - one.score.shift)
        agrees = np.minimum(apart, one.lines - apart) <= 1
        others = np.arange(len(seen)) != place
        total = float((scores[others] + LEAST_VOTE).sum())
        share = float(scores[others & agrees].sum()) / total if total else 1.0
        confidence = one.score.score * float(np.interp(share, *_WEIGHT))
        made.append(TileDetection(one.index, one.mean, one.score, share, confidence))
    return tuple(made)

"""How well the mirror's return is found: figures and ROC points from synthetic tiles, for any way to find it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from .detect import MIN_INTENSITY, THRESHOLD, detect_galvo_shift, inspect_slice
from .plain import detect_plainly
from .synthetic import DISTURBANCES, SyntheticTile, make_tile

if TYPE_CHECKING:
    from numpy.typing import NDArray

Detector = Callable[["NDArray[Any]", int], tuple[int, float]]
"""From a projection ``(A-lines, B-scans)`` and the A-lines of the return, the shift and the confidence."""

DETECTORS: dict[str, Detector] = {"columns": detect_galvo_shift, "plain": detect_plainly}
"""By name: as this package finds the return, from all B-scans, and as the plain formula does, from their mean."""
N_EXTRA = (20, 81)
"""Least number of A-lines of a return, and the number it stays below."""
CONTRASTS = (0.05, 0.60)
"""From the weakest return to the strongest, bright or dark."""


@dataclass(frozen=True)
class Trial:
    """What a detector made of one tile, or of one slice.

    Parameters
    ----------
    contrast : float
        Of the return, bright or dark, 0 to 1; 0 without one.
    disturbance : str
        What was in the tissue, a name of :data:`~.synthetic.DISTURBANCES`.
    off : int or None
        A-lines by which the shift was missed; ``None`` without a return.
    confidence : float
        That the detector gave.
    """

    contrast: float
    disturbance: str
    off: int | None
    confidence: float


@dataclass(frozen=True)
class Figures:
    """Parts of trials, each from 0 to 1; not a number where there is no trial.

    Parameters
    ----------
    exact, within_one : float
        Returns whose shift is right, and right or one A-line off, at whatever confidence.
    recall : float
        Returns with a confidence at or above the threshold.
    false_alarms : float
        Clean ones with a confidence at or above the threshold.
    returns, clean : int
        How many of each there were.
    """

    exact: float
    within_one: float
    recall: float
    false_alarms: float
    returns: int
    clean: int


@dataclass(frozen=True)
class RocPoint:
    """At one threshold, the parts of returns and of clean ones that reach it."""

    threshold: float
    recall: float
    false_alarms: float


def tile_trials(
    textures: Sequence[NDArray[Any]],
    count: int,
    seed: int,
    detectors: dict[str, Detector] = DETECTORS,
    *,
    disturbed: bool = False,
    min_intensity: float = MIN_INTENSITY,
) -> dict[str, list[Trial]]:
    """Try detectors on the same tiles, half of them clean, background left out.

    Parameters
    ----------
    textures : sequence of ndarray, (Y, X)
        Images of tissue, none of them negative.
    count : int
        Tiles to make.
    seed : int
        The same seed makes the same tiles.
    detectors : dict of str to callable
        By name.
    disturbed : bool
        Whether the tissue of tiles with a return is disturbed, too; that of clean ones always is, each way in turn.
    min_intensity : float
        Mean intensity below which a tile is background, in the unit of the textures.

    Returns
    -------
    dict of str to list of Trial
        By detector.
    """
    rng = np.random.default_rng(seed)
    made: dict[str, list[Trial]] = {name: [] for name in detectors}
    for number in range(count):
        name = _disturbance(number // 2) if disturbed or number % 2 else "none"
        contrast = None if number % 2 else _contrast(rng)
        tile = make_tile(textures, rng, int(rng.integers(*N_EXTRA)), contrast, name)
        if tile.aip.mean() < min_intensity:
            continue
        for detector, find in detectors.items():
            shift, confidence = find(tile.aip, tile.n_extra)
            made[detector].append(_trial(tile, name, shift, confidence))
    return made


def slice_trials(
    textures: Sequence[NDArray[Any]],
    count: int,
    seed: int,
    *,
    tiles: int = 15,
    least_contrast: float = CONTRASTS[0],
    disturbed: bool = False,
    threshold: float = THRESHOLD,
) -> list[Trial]:
    """Try :func:`inspect_slice` on slices of some tiles, half of the slices clean.

    Tiles of a slice have the same size, shift and contrast, and each another piece of tissue, disturbed in its own way.
    Parameters are those of :func:`tile_trials`; `least_contrast` is that of the weakest return.
    """
    rng = np.random.default_rng(seed)
    made = []
    for number in range(count):
        contrast = None if number % 2 else _contrast(rng, least_contrast)
        n_extra, layout = int(rng.integers(*N_EXTRA)), int(rng.integers(2**32))
        names = [_disturbance(number + one) if disturbed or contrast is None else "none" for one in range(tiles)]
        one_slice = list(_slice_of(textures, rng, layout, n_extra, contrast, names))
        found = inspect_slice([tile.aip[None] for tile in one_slice], n_extra, threshold)
        shift = found.best.score.shift if found.best else 0
        made.append(_trial(one_slice[0], "none", shift, found.confidence))
    return made


def figures(trials: Sequence[Trial], threshold: float = THRESHOLD, least_contrast: float = 0.0) -> Figures:
    """Sum trials up; of the returns, those of at least some contrast."""
    returns = [one for one in trials if one.off is not None and one.contrast >= least_contrast]
    clean = [one for one in trials if one.off is None]
    return Figures(
        exact=_part([one.off == 0 for one in returns]),
        within_one=_part([one.off is not None and one.off <= 1 for one in returns]),
        recall=_part([one.confidence >= threshold for one in returns]),
        false_alarms=_part([one.confidence >= threshold for one in clean]),
        returns=len(returns),
        clean=len(clean),
    )


def roc(trials: Sequence[Trial], least_contrast: float = 0.0, points: int = 101) -> tuple[RocPoint, ...]:
    """Give recall and false alarms at thresholds from 0 to 1."""
    made = []
    for threshold in np.linspace(0, 1, points).round(6).tolist():
        at = figures(trials, threshold, least_contrast)
        made.append(RocPoint(threshold, at.recall, at.false_alarms))
    return tuple(made)


def _disturbance(number: int) -> str:
    return list(DISTURBANCES)[number % len(DISTURBANCES)]


def _contrast(rng: np.random.Generator, least: float = CONTRASTS[0]) -> float:
    return float(rng.choice([-1, 1]) * rng.uniform(least, CONTRASTS[1]))


def _slice_of(
    textures: Sequence[NDArray[Any]],
    rng: np.random.Generator,
    layout: int,
    n_extra: int,
    contrast: float | None,
    names: Sequence[str],
) -> Iterator[SyntheticTile]:
    for name in names:
        yield make_tile(textures, rng, n_extra, contrast, name, np.random.default_rng(layout))


def _trial(tile: SyntheticTile, disturbance: str, shift: int, confidence: float) -> Trial:
    if tile.shift is None:
        return Trial(0.0, disturbance, None, confidence)
    apart = abs(shift - tile.shift)
    return Trial(abs(tile.contrast), disturbance, min(apart, len(tile.aip) - apart), confidence)


def _part(true: Sequence[bool]) -> float:
    return sum(true) / len(true) if true else float("nan")

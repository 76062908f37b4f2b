"""How far detection can be trusted: all figures at once, of tiles and of slices, beside those of the plain formula."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from multiprocessing import get_context
from typing import TYPE_CHECKING, Any

import numpy as np

from ...errors import StackError
from ..progress import OnProgress, Progress
from .detect import THRESHOLD
from .evaluate import Figures, RocPoint, Trial, figures, roc, slice_trials, tile_trials
from .synthetic import DISTURBANCES

if TYPE_CHECKING:
    from numpy.typing import NDArray

OWN, PLAIN = "columns", "plain"
"""The detectors compared, as :data:`~.evaluate.DETECTORS` calls them."""
CLEAR, STRONG = 0.15, 0.20
"""Least contrast at which the shift is held to be right, and at which a return is held to be found."""
ROC_CONTRASTS = (0.10, 0.20)
"""Least contrasts of the returns that a ROC curve is drawn for."""
TILES_PER_SLICE = 15
TILES, SLICES, SEED = 2000, 1000, 1
"""How much is tried if nothing else is asked for."""
_VERSION = 1
_TILE_BLOCK, _SLICE_BLOCK = 100, 20  # tried with one seed each: multiples of twice the number of disturbances


@dataclass(frozen=True)
class TileFigures:
    """How well returns are found in single tiles.

    Parameters
    ----------
    clear, strong : Figures
        Returns of a contrast of at least 15 and 20 %; the clean tiles are all of them.
    clean : mapping of str to Figures
        The clean tiles by what is in their tissue, a name of :data:`~.synthetic.DISTURBANCES`.
    curves : mapping of float to tuple of RocPoint
        Least contrast → its ROC curve, by threshold.
    """

    clear: Figures
    strong: Figures
    clean: Mapping[str, Figures]
    curves: Mapping[float, tuple[RocPoint, ...]]


@dataclass(frozen=True)
class Aim:
    """A figure, and what it should be.

    Parameters
    ----------
    what : str
        In words.
    value : float
        What was measured, 0 to 1; not a number if nothing was.
    plain : float or None
        The same of the plain formula; ``None`` where it is not measured.
    target : float
        What `value` should be at least, or at most.
    at_least : bool
        Which of the two.
    count : int
        Of how many tiles or slices.
    """

    what: str
    value: float
    plain: float | None
    target: float
    at_least: bool
    count: int

    @property
    def met(self) -> bool | None:
        """Whether it is so; ``None`` if nothing was measured."""
        if math.isnan(self.value):
            return None
        return self.value >= self.target if self.at_least else self.value <= self.target


@dataclass(frozen=True)
class Evaluation:
    """All figures of one evaluation.

    Parameters
    ----------
    tiles, slices : int
        How many were made; half of them have a return.
    background : int
        Tiles that were left out as background.
    seed : int
        The same seed, counts and textures give the same figures.
    disturbed : bool
        Whether there is what may be mistaken for a return beside the returns, too.
    threshold : float
        Confidence that recall and false alarms are counted at.
    of_tiles : mapping of str to TileFigures
        ``"columns"``, as returns are found here, and ``"plain"``, by the plain formula.
    of_slices : Figures
        Slices of fifteen tiles, with returns of a contrast of at least 20 %.
    """

    tiles: int
    slices: int
    background: int
    seed: int
    disturbed: bool
    threshold: float
    of_tiles: Mapping[str, TileFigures]
    of_slices: Figures

    @property
    def aims(self) -> tuple[Aim, ...]:
        """The figures that detection is held to, where nothing is put into the tissue beside a return."""
        own, plain, whole = self.of_tiles[OWN], self.of_tiles[PLAIN], self.of_slices
        exact, near = (own.clear.exact, plain.clear.exact), (own.clear.within_one, plain.clear.within_one)
        recall, alarms = (own.strong.recall, plain.strong.recall), (own.strong.false_alarms, plain.strong.false_alarms)
        clear, strong, clean = own.clear.returns, own.strong.returns, own.strong.clean
        return (
            Aim(f"shift exact, tiles of contrast ≥ {CLEAR:.0%}", *exact, 0.97, True, clear),
            Aim(f"shift within one A-line, contrast ≥ {CLEAR:.0%}", *near, 0.98, True, clear),
            Aim(f"recall, tiles of contrast ≥ {STRONG:.0%}", *recall, 0.92, True, strong),
            Aim("false alarms, clean tiles", *alarms, 0.01, False, clean),
            Aim(f"recall, slices of contrast ≥ {STRONG:.0%}", whole.recall, None, 0.99, True, whole.returns),
            Aim("false alarms, clean slices", whole.false_alarms, None, 0.002, False, whole.clean),
        )

    def as_data(self) -> dict[str, Any]:
        """Give all of it fit for strict JSON."""
        return {
            "version": _VERSION,
            "tiles": self.tiles,
            "background_tiles": self.background,
            "slices": self.slices,
            "tiles_per_slice": TILES_PER_SLICE,
            "seed": self.seed,
            "disturbed": self.disturbed,
            "threshold": self.threshold,
            "aims": [{**asdict(one), "met": None if self.disturbed else one.met} for one in self.aims],
            "of_tiles": {name: _tiles_data(one) for name, one in self.of_tiles.items()},
            "of_slices": {f"contrast_{STRONG:.2f}": asdict(self.of_slices)},
        }


def _tiles_data(found: TileFigures) -> dict[str, Any]:
    return {
        f"contrast_{CLEAR:.2f}": asdict(found.clear),
        f"contrast_{STRONG:.2f}": asdict(found.strong),
        "clean": {name: {"false_alarms": one.false_alarms, "clean": one.clean} for name, one in found.clean.items()},
        "roc": {f"contrast_{least:.2f}": [asdict(point) for point in curve] for least, curve in found.curves.items()},
    }


def evaluate(
    textures: Sequence[NDArray[Any]],
    tiles: int = TILES,
    slices: int = SLICES,
    seed: int = SEED,
    *,
    disturbed: bool = False,
    threshold: float = THRESHOLD,
    workers: int = 1,
    on_progress: OnProgress | None = None,
) -> Evaluation:
    """Measure how well returns are found in synthetic tiles and slices; see :mod:`.synthetic` for how they are made.

    Half of the tiles and slices have a return, the others are clean. In clean ones there is what may be mistaken for a
    return, each kind in turn.

    Parameters
    ----------
    textures : sequence of ndarray, (Y, X)
        Images of tissue, such as :func:`~.textures.read_textures` gives.
    tiles, slices : int
        How many to make.
    seed : int
        The same seed makes the same ones, 0 or more.
    disturbed : bool
        Whether the tissue beside a return is disturbed, too, which makes it harder to find.
    threshold : float
        Confidence, 0 to 1, at which a return counts as found.
    workers : int
        Processes; the figures do not depend on it. Above 1, a script of your own needs the usual
        ``if __name__ == "__main__":``.
    on_progress : callable, optional
        Told how much is done.

    Returns
    -------
    Evaluation

    Raises
    ------
    StackError
        If there is no texture, or all tiles are background.
    ValueError
        If a count, the seed or the threshold is none that can be.
    """
    if not textures:
        raise StackError("there is no texture to make tiles of")
    if tiles < 2 or slices < 2 or seed < 0 or workers < 1 or not 0 <= threshold <= 1:
        raise ValueError(
            f"tiles is {tiles}, slices {slices}, seed {seed}, workers {workers} and threshold {threshold}, expected "
            "at least 2, 2, 0 and 1, and 0 to 1"
        )
    tell = Progress(on_progress, tiles + slices * TILES_PER_SLICE)
    jobs = [_Job("tiles", disturbed, *one) for one in _blocks(tiles, _TILE_BLOCK, (seed, 0))]
    jobs += [_Job("slices", disturbed, *one) for one in _blocks(slices, _SLICE_BLOCK, (seed, 1))]
    of_tiles: dict[str, list[Trial]] = {OWN: [], PLAIN: []}
    of_slices: list[Trial] = []
    with _mapping(textures, min(workers, len(jobs))) as mapped:
        for job, made in zip(jobs, mapped(jobs), strict=True):
            for name, trials in made.items():
                (of_slices if job.kind == "slices" else of_tiles[name]).extend(trials)
            tell.add(job.count * (TILES_PER_SLICE if job.kind == "slices" else 1))
    if not of_tiles[OWN]:
        raise StackError("all tiles made of the textures are background: too dark")
    return Evaluation(
        tiles=tiles,
        slices=slices,
        background=tiles - len(of_tiles[OWN]),
        seed=seed,
        disturbed=disturbed,
        threshold=threshold,
        of_tiles={name: _summed(trials, threshold) for name, trials in of_tiles.items()},
        of_slices=figures(of_slices, threshold, STRONG),
    )


def _summed(trials: Sequence[Trial], threshold: float) -> TileFigures:
    clean = {name: [one for one in trials if one.off is None and one.disturbance == name] for name in DISTURBANCES}
    return TileFigures(
        clear=figures(trials, threshold, CLEAR),
        strong=figures(trials, threshold, STRONG),
        clean={name: figures(own, threshold) for name, own in clean.items()},
        curves={least: roc(trials, least) for least in ROC_CONTRASTS},
    )


# --- the work, in blocks that do not depend on who does them ---------------------------------------------------
@dataclass(frozen=True)
class _Job:
    kind: str
    disturbed: bool
    count: int
    seed: int


def _blocks(count: int, size: int, key: tuple[int, int]) -> Iterator[tuple[int, int]]:
    """Cut a count into blocks, each with a seed of its own."""
    for number, start in enumerate(range(0, count, size)):
        state = np.random.SeedSequence((*key, number)).generate_state(1, np.uint64)
        yield min(size, count - start), int(state[0])


def _try(job: _Job, textures: Sequence[NDArray[Any]]) -> dict[str, list[Trial]]:
    if job.kind == "tiles":
        return tile_trials(textures, job.count, job.seed, disturbed=job.disturbed)
    trials = slice_trials(
        textures, job.count, job.seed, tiles=TILES_PER_SLICE, least_contrast=STRONG, disturbed=job.disturbed
    )
    return {OWN: trials}


Mapped = Callable[[Sequence[_Job]], Iterator[dict[str, list[Trial]]]]


@contextmanager
def _mapping(textures: Sequence[NDArray[Any]], workers: int) -> Iterator[Mapped]:
    """Give what does jobs in their order: this process, or several others."""
    if workers == 1:
        yield lambda jobs: (_try(job, textures) for job in jobs)
        return
    # threads would wait for one another: the arrays are small
    pool = ProcessPoolExecutor(workers, get_context("spawn"), _take, (tuple(textures),))
    try:
        yield lambda jobs: pool.map(_try_there, jobs)
    finally:
        pool.shutdown(cancel_futures=True)


_taken: tuple[NDArray[Any], ...] = ()
"""The textures, in a process that works for another."""


def _take(textures: tuple[NDArray[Any], ...]) -> None:
    global _taken
    _taken = textures


def _try_there(job: _Job) -> dict[str, list[Trial]]:
    return _try(job, _taken)

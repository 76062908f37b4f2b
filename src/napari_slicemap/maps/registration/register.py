"""Registration of one map: neighbours compared, positions solved, and what they rest on kept."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import islice
from typing import TYPE_CHECKING, Any

import numpy as np

from ...errors import CancelledError, PlacementError, TileReadError
from ...images.acquisition import TilePosition
from ...images.fov import Fov, ZChoice
from ...images.region import Window
from ..placement import PlacedTile, Placement
from .matching import CHANCE, FINEST_PX, LEAST_SCORE, Match, match, reach
from .neighbours import Neighbours, neighbours
from .result import OverlapPair, Registration
from .solving import solve

if TYPE_CHECKING:
    from numpy.typing import NDArray

METHOD = "normalised cross-correlation of overlaps, robust least squares"

_SELDOM = 0.05
"""Probability from which on so many pairs as agree may agree by chance."""


def register_map(
    placement: Placement,
    positions: Sequence[TilePosition],
    *,
    channel: str | None = None,
    t: int = 0,
    z: ZChoice = 0,
    max_shift_px: float | None = None,
    least_score: float = LEAST_SCORE,
    workers: int = 1,
    on_progress: Callable[[int, int], None] | None = None,
    cancel: Callable[[], bool] | None = None,
) -> Registration:
    """Refine where the tiles of a map lie by what neighbours show of the same ground.

    Parameters
    ----------
    placement : Placement
        The map as files place it.
    positions : sequence of TilePosition
        What it was placed by, tile for tile; refined positions are in the same frame.
    channel : str, optional
        What is compared; the first channel of the first FOV by default.
    t : int
        Time point.
    z : int or "max" or "mean"
        Plane or projection.
    max_shift_px : float, optional
        How far two neighbours may be off along either axis, map px; see
        :func:`napari_slicemap.maps.registration.neighbours.neighbours` for what is allowed by default.
    least_score : float
        From which score on a pair is trusted.
    workers : int
        Pairs compared at a time, each in a thread; the result is the same for any number.
    on_progress : callable, optional
        Told ``(pairs done, pairs in all)``.
    cancel : callable, optional
        Asked between pairs whether to stop.

    Returns
    -------
    Registration
        Tiles that no trusted pair places keep their place beside their neighbours.

    Raises
    ------
    PlacementError
        If positions and tiles are not the same, or `max_shift_px` is no number above 0.
    UnknownNameError
        If a FOV lacks the channel.
    RegionError
        If t or z does not exist.
    CancelledError
        If it was cancelled.
    """
    if [position.fov for position in positions] != [tile.name for tile in placement.tiles]:
        raise PlacementError(f"map {placement.map_id}: its positions are not those of its tiles")
    if max_shift_px is not None and not 0 < max_shift_px < math.inf:
        raise PlacementError(f"map {placement.map_id}: the largest shift is {max_shift_px:g} px, expected more than 0")
    channel = channel or _first_channel(placement)
    comparing = _Comparing(placement, _corners(placement, positions), channel, t, z)
    found = [pair for pair in neighbours(placement, max_shift_px) if comparing.can(pair)]
    matches: list[Match | None] = []
    for done, one in enumerate(_in_threads(comparing.compare, found, workers), 1):
        if cancel is not None and cancel():
            raise CancelledError(f"the registration of map {placement.map_id} was cancelled")
        matches.append(one)
        if on_progress is not None:
            on_progress(done, len(found))
    settings = {
        "method": METHOD,
        "channel": channel,
        "t": t,
        "z": z,
        "max_shift_px": max_shift_px,
        "least_score": least_score,
        "detail_sigma_px": FINEST_PX,
        "stage_y": placement.stage_y,
    }
    return _result(comparing, positions, found, matches, least_score, settings)


def _first_channel(placement: Placement) -> str:
    """Give the first channel of the first FOV on disk; where there is none, nothing is compared, by no channel."""
    return next((tile.fov.channels[0] for tile in placement.tiles if tile.fov is not None), "")


def _corners(placement: Placement, positions: Sequence[TilePosition]) -> NDArray[np.float64]:
    """Give the top left corner of each tile from the map's, map px, with its fraction: ``(N, 2)``."""
    made = np.zeros((len(positions), 2))
    size, bounds = placement.pixel_size_um, placement.bounds_um
    for number, (position, tile) in enumerate(zip(positions, placement.tiles, strict=True)):
        if position.origin_px is not None:
            made[number] = position.origin_px
        elif position.center_um is not None and size is not None and bounds is not None:
            (x, y), (height, width) = position.center_um, tile.window.shape
            down = bounds[3] - y if placement.stage_y == "up" else y - bounds[2]
            made[number] = (x - bounds[0]) / size - width / 2, down / size - height / 2
    return made


class _Comparing:
    """Compares pairs of tiles of one map; what cannot be read is kept in :attr:`problems`."""

    def __init__(self, placement: Placement, corners: NDArray[np.float64], channel: str, t: int, z: ZChoice) -> None:
        self.placement, self.corners = placement, corners
        self._channel, self._t, self._z = channel, t, z
        self.problems: dict[str, None] = {}

    def can(self, pair: Neighbours) -> bool:
        """Say whether both tiles can be compared; of each that cannot, a problem says why."""
        first, second = (self._fits(self.placement.tiles[number]) for number in (pair.first, pair.second))
        return first and second

    def _fits(self, tile: PlacedTile) -> bool:
        if tile.fov is None:
            self._tell(f"FOV {tile.name} is not on disk; it was not compared")
        elif tile.ratio != 1.0:
            self._tell(f"FOV {tile.name} has another pixel size than the map; it was not compared")
        return tile.fov is not None and tile.ratio == 1.0

    def compare(self, pair: Neighbours) -> Match | None:
        """Give how far the second tile is off its place beside the first; ``None`` where one cannot be read."""
        first, second = (self.placement.tiles[number] for number in (pair.first, pair.second))
        beside = self.corners[pair.second] - self.corners[pair.first]
        offset = int(np.rint(beside[0])), int(np.rint(beside[1]))
        where = reach(first.window.shape[::-1], second.window.shape[::-1], offset, pair.allowed_px)
        try:
            pixels = self._read(first, where.first), self._read(second, where.second)
        except TileReadError as error:
            self._tell(str(error))
            return None
        found = match(*pixels, where, pair.allowed_px)
        # from the whole px of the arrays to the place that files state
        x, y = (found.shift[axis] + offset[axis] - float(beside[axis]) for axis in (0, 1))
        return found._replace(shift=(x, y))

    def _read(self, tile: PlacedTile, window: Window) -> NDArray[Any]:
        fov: Fov = tile.fov  # type: ignore[assignment]  # can() has seen to it
        pixels: NDArray[Any] = fov.read_window([self._channel], window, self._t, self._z)[0]
        return pixels

    def _tell(self, problem: str) -> None:
        self.problems.setdefault(f"map {self.placement.map_id}: {problem}")


def _in_threads(
    do: Callable[[Neighbours], Match | None], pairs: Iterable[Neighbours], workers: int
) -> Iterator[Match | None]:
    """Give results in order; at most two pairs a thread are taken up in advance."""
    if workers <= 1:
        yield from map(do, pairs)
        return
    waiting = iter(pairs)
    with ThreadPoolExecutor(workers, thread_name_prefix="slicemap-register") as pool:
        try:
            begun = [pool.submit(do, pair) for pair in islice(waiting, 2 * workers)]
            while begun:
                yield begun.pop(0).result()
                begun += [pool.submit(do, pair) for pair in islice(waiting, 1)]
        finally:
            pool.shutdown(cancel_futures=True)


def _result(
    comparing: _Comparing,
    positions: Sequence[TilePosition],
    found: Sequence[Neighbours],
    matches: Sequence[Match | None],
    least_score: float,
    settings: dict[str, Any],
) -> Registration:
    placement = comparing.placement
    known = [one or Match((0.0, 0.0), 0.0, 0.0) for one in matches]
    trusted = np.array([one.score >= least_score for one in known], bool)
    problems, agreeing = list(comparing.problems), int(trusted.sum())
    if agreeing and _by_chance(agreeing, len(known)):
        problems.append(f"{agreeing} of {len(known)} pairs agree, as many as would by chance: it stays as it is")
        trusted[:] = False
    numbers = np.array([(pair.first, pair.second) for pair in found], np.int64).reshape(-1, 2)
    shifts = np.array([one.shift for one in known], np.float64).reshape(-1, 2)
    across = np.array([pair.across for pair in found], bool)
    moves, kept, left = solve(len(positions), numbers, shifts, trusted, across)
    pairs = tuple(
        _told(placement, comparing.corners, pair, one, bool(was), bool(is_kept))
        for pair, one, was, is_kept in zip(found, known, trusted, kept, strict=True)
    )
    placed = set(numbers[kept].ravel().tolist())
    return Registration(
        map_id=placement.map_id,
        positions=tuple(_moved(placement, *one) for one in zip(positions, moves.tolist(), strict=True)),
        moves_px=tuple((float(x), float(y)) for x, y in moves),
        pairs=pairs,
        stayed=tuple(tile.name for number, tile in enumerate(placement.tiles) if number not in placed),
        rms_px=float(np.sqrt(np.mean(left[kept] ** 2))) if kept.any() else None,
        settings=settings,
        problems=tuple(problems),
    )


def _by_chance(agreeing: int, pairs: int) -> bool:
    """Say whether so many of the pairs of tiles that share nothing would agree once in twenty maps, or oftener."""
    from scipy.stats import binom

    return bool(binom.sf(agreeing - 1, pairs, CHANCE) >= _SELDOM)


def _told(
    placement: Placement,
    corners: NDArray[np.float64],
    pair: Neighbours,
    found: Match,
    trusted: bool,
    kept: bool,
) -> OverlapPair:
    beside = corners[pair.second] - corners[pair.first]
    return OverlapPair(
        first=placement.tiles[pair.first].name,
        second=placement.tiles[pair.second].name,
        nominal_px=(float(beside[0]), float(beside[1])),
        shift_px=found.shift,
        correlation=found.correlation,
        score=found.score,
        trusted=kept,
        why_not="" if kept else "contradicted by its neighbours" if trusted else "no better than by chance",
    )


def _moved(placement: Placement, position: TilePosition, move: tuple[float, float]) -> TilePosition:
    x, y = move
    if position.origin_px is not None:
        return replace(position, origin_px=(position.origin_px[0] + x, position.origin_px[1] + y))
    if position.center_um is None or placement.pixel_size_um is None:
        raise PlacementError(f"map {placement.map_id}: {position.source} gives FOV {position.fov} no position")
    size = placement.pixel_size_um
    up = -1 if placement.stage_y == "up" else 1
    return replace(position, center_um=(position.center_um[0] + x * size, position.center_um[1] + up * y * size))

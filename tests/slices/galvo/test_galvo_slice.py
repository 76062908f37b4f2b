"""The return in a slice: which tiles are looked at, and how they agree."""

from __future__ import annotations

import numpy as np
import pytest
from tiles import COLUMNS, COUNT, EXTRA, shift_of, tissue, with_return

from napari_slicemap.errors import StackError
from napari_slicemap.slices.galvo import detect_galvo_for_slice, galvo_artifact_score, inspect_slice
from napari_slicemap.slices.galvo.detect import candidates

DEPTH = np.array([1.5, 1.0, 0.5])[:, None, None]
EMPTY = np.full((3, COUNT, COLUMNS), 4.0)


def tile(seed: int, first: int | None = 40, change: float = -0.35) -> np.ndarray:
    image = tissue(seed)
    return (image if first is None else with_return(image, first, change)) * DEPTH


# --- what is found -------------------------------------------------------------------------------------------
def test_tiles_that_agree() -> None:
    found = inspect_slice([tile(seed) for seed in range(5)], EXTRA)
    assert (found.found, found.shift, found.n_extra, found.threshold) == (True, shift_of(40), EXTRA, 0.6)
    assert [one.index for one in found.tiles] == [0, 1, 2, 3, 4]
    scores = [one.score.score for one in found.tiles]
    assert found.tiles[0].share == pytest.approx(sum(scores[1:]) / (sum(scores[1:]) + 0.4))
    assert found.tiles[0].share > 0.8
    assert found.best in found.tiles
    assert found.confidence == found.best.confidence == max(one.score.score for one in found.tiles)
    for one in found.tiles:
        assert one.score == galvo_artifact_score(tile(one.index).mean(axis=0), EXTRA)
        assert one.mean_intensity == pytest.approx(tile(one.index).mean())


def test_the_short_way_says_the_same() -> None:
    tiles = [tile(seed) for seed in range(5)]
    found = inspect_slice(tiles, EXTRA)
    assert detect_galvo_for_slice(tiles, EXTRA) == (found.shift, found.confidence)
    assert detect_galvo_for_slice(tiles, EXTRA, axial_resolution=3.5) == (found.shift, found.confidence)


def test_below_the_threshold_there_is_no_shift_and_the_best_confidence() -> None:
    tiles = [tile(seed, change=-0.08) for seed in range(5)]
    found = inspect_slice(tiles, EXTRA, threshold=0.95)
    assert (found.found, found.shift) == (False, 0)
    assert 0.3 < found.confidence < 0.95
    assert detect_galvo_for_slice(tiles, EXTRA, threshold=0.95) == (0, found.confidence)
    assert found.best is not None
    assert found.best.score.shift == shift_of(40)


def test_a_confidence_at_the_threshold_counts() -> None:
    tiles = [tile(seed, change=-0.08) for seed in range(5)]
    confidence = inspect_slice(tiles, EXTRA).confidence
    assert inspect_slice(tiles, EXTRA, threshold=confidence).found


def test_one_tile_against_four_does_not_decide() -> None:
    tiles = [tile(0), *(tile(seed, first=None) for seed in range(1, 5))]
    alone = inspect_slice(tiles[:1], EXTRA)
    found = inspect_slice(tiles, EXTRA)
    assert alone.found
    assert found.tiles[0].score == alone.tiles[0].score
    assert found.confidence < 0.6 <= alone.confidence
    assert found.tiles[0].confidence == pytest.approx(alone.confidence / 2)


def test_a_tile_that_shows_nothing_agrees_with_none() -> None:
    flat = np.full((2, COUNT, COLUMNS), 50.0)  # its likeliest shift is given as 0
    found = inspect_slice([tile(0, first=COUNT - EXTRA), flat], EXTRA)
    assert [one.score.shift for one in found.tiles] == [0, 0]
    assert found.tiles[0].share == 0
    assert found.confidence == found.tiles[0].score.score / 2


def test_places_agree_within_one_a_line_around_the_end_too() -> None:
    firsts = [COUNT - EXTRA, COUNT - EXTRA + 1, COUNT - EXTRA - 1]  # shifts 0, the last one, 1
    found = inspect_slice([tile(seed, first) for seed, first in enumerate(firsts)], EXTRA)
    assert [one.score.shift for one in found.tiles] == [0, COUNT - 1, 1]
    assert found.tiles[0].share > 0.8
    assert 0.3 < found.tiles[1].share < 0.6


def test_the_same_tiles_give_the_same_result() -> None:
    tiles = [tile(seed) for seed in range(7)]
    assert inspect_slice(tiles, EXTRA) == inspect_slice(tiles, EXTRA)


# --- which tiles are looked at -------------------------------------------------------------------------------
def test_background_is_left_out() -> None:
    found = inspect_slice([EMPTY, tile(1), EMPTY, tile(3), EMPTY], EXTRA)
    assert [one.index for one in found.tiles] == [1, 3]
    assert found.background == (0, 2, 4)
    assert found.found


def test_the_least_intensity_is_in_the_unit_of_the_pixels() -> None:
    tiles = [tile(seed) / 1000 for seed in range(3)]
    assert inspect_slice(tiles, EXTRA).background == (0, 1, 2)
    assert inspect_slice(tiles, EXTRA, min_intensity=0.02).found


@pytest.mark.parametrize("tiles", [[], [EMPTY] * 3], ids=["no tiles", "only background"])
def test_nothing_to_look_at(tiles: list[np.ndarray]) -> None:
    found = inspect_slice(tiles, EXTRA)
    assert (found.shift, found.confidence, found.found, found.best, found.tiles) == (0, 0.0, False, None, ())
    assert detect_galvo_for_slice(tiles, EXTRA) == (0, 0.0)
    assert not inspect_slice(tiles, EXTRA, threshold=0).found


def test_tiles_are_opened_when_they_are_looked_at() -> None:
    opened = []

    def opening(index: int):
        def opens() -> np.ndarray:
            opened.append(index)
            return EMPTY if index < 6 else tile(index)

        return opens

    found = inspect_slice([opening(index) for index in range(40)], EXTRA, n_samples=4)
    looked_at = [one.index for one in found.tiles]
    assert len(looked_at) == 4
    assert sorted(opened) == sorted([*looked_at, *found.background])
    assert len(opened) <= 12


@pytest.mark.parametrize("count", [1, 2, 4, 5, 14, 15, 16, 100, 1000])
def test_candidates_are_spread_over_the_slice(count: int) -> None:
    chosen = candidates(count, 5)
    assert len(set(chosen)) == len(chosen) == min(count, 15)
    assert all(0 <= index < count for index in chosen)
    first = sorted(chosen[: max(1, len(chosen) // 3)])
    assert max(np.diff([0, *first, count])) <= 0.34 * count + 1 or len(first) < 3


# --- what cannot be --------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"threshold": 1.5}, "threshold is 1.5"),
        ({"threshold": float("nan")}, "threshold is nan"),
        ({"n_samples": 0}, "n_samples 0"),
        ({"axial_resolution": 0.0}, "axial_resolution is 0.0, expected a length in µm above 0"),
    ],
)
def test_settings_that_cannot_be_are_refused(change: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        detect_galvo_for_slice([tile(0)], EXTRA, **change)


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        pytest.param(np.ones((COUNT, COLUMNS)), r"tile 1: a tile has shape \(150, 90\)", id="a projection"),
        pytest.param(np.full((2, EXTRA, 9), 99.0), "tile 1: the return has 30 A-lines, the tile 30", id="too small"),
        pytest.param(
            tile(0)[:, 1:],
            "tile [01] has 1(49|50) A-lines and tile [01] has 1(49|50): tiles of one slice",
            id="another size",
        ),
    ],
)
def test_a_tile_that_cannot_be_is_named(bad: np.ndarray, message: str) -> None:
    with pytest.raises(StackError, match=message):
        inspect_slice([tile(0), bad], EXTRA)

"""How well returns are found, in tissue of real textures."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import tifffile
from tiles import tissue

from napari_slicemap.slices.galvo import detect_galvo_shift
from napari_slicemap.slices.galvo.evaluate import Trial, figures, roc, slice_trials, tile_trials
from napari_slicemap.slices.galvo.plain import detect_plainly
from napari_slicemap.slices.galvo.synthetic import DISTURBANCES, make_tile, resampled

TEXTURES = [tissue(seed, 200, 220) for seed in range(3)]


# --- synthetic tiles -----------------------------------------------------------------------------------------
@pytest.mark.parametrize("name", DISTURBANCES)
def test_a_tile_with_a_return_has_it_where_it_says(name: str) -> None:
    found = 0
    for seed in range(8):
        made = make_tile(TEXTURES, np.random.default_rng(seed), 30, -0.45, name)
        found += detect_galvo_shift(made.aip, 30)[0] == made.shift
        assert (made.aip.dtype, made.n_extra, made.contrast) == (np.float32, 30, -0.45)
        assert 130 <= len(made.aip) <= 190
    assert found >= 7


def test_a_clean_tile_has_none() -> None:
    made = make_tile(TEXTURES, np.random.default_rng(0), 30)
    assert (made.shift, made.contrast) == (None, 0.0)
    assert detect_galvo_shift(made.aip, 30)[1] < 0.5


def test_the_same_seed_makes_the_same_tile() -> None:
    one, two = (make_tile(TEXTURES, np.random.default_rng(5), 30, 0.2, "vessels") for _ in range(2))
    np.testing.assert_array_equal(one.aip, two.aip)


def test_rows_are_read_between_rows() -> None:
    plane = np.array([[0.0, 10.0], [2.0, 20.0], [4.0, 0.0]])
    assert resampled(plane, np.array([0.0, 0.25, 2.0])).tolist() == [[0, 10], [0.5, 12.5], [4, 0]]


# --- figures -------------------------------------------------------------------------------------------------
TRIALS = [
    Trial(0.1, "none", 40, 0.1),
    Trial(0.2, "none", 0, 0.7),
    Trial(0.3, "none", 1, 0.9),
    Trial(0.0, "edge", None, 0.65),
    Trial(0.0, "none", None, 0.2),
]


def test_figures_are_parts_of_the_trials() -> None:
    made = figures(TRIALS)
    assert [made.exact, made.within_one, made.recall] == pytest.approx([1 / 3, 2 / 3, 2 / 3])
    assert (made.false_alarms, made.returns, made.clean) == (0.5, 3, 2)
    strong = figures(TRIALS, threshold=0.8, least_contrast=0.2)
    assert (strong.exact, strong.recall, strong.false_alarms, strong.returns) == (0.5, 0.5, 0.0, 2)
    assert math.isnan(figures([]).exact)


def test_a_roc_goes_from_all_to_none() -> None:
    points = roc(TRIALS, points=5)
    assert [one.threshold for one in points] == [0, 0.25, 0.5, 0.75, 1]
    assert (points[0].recall, points[0].false_alarms) == (1, 1)
    assert (points[-1].recall, points[-1].false_alarms) == (0, 0)
    assert points[2].false_alarms == 0.5


def test_both_ways_see_the_same_tiles() -> None:
    made = tile_trials(TEXTURES, 40, 0)
    assert list(made) == ["columns", "plain"]
    assert [(one.contrast, one.disturbance) for one in made["columns"]] == [
        (one.contrast, one.disturbance) for one in made["plain"]
    ]
    assert {one.disturbance for one in made["plain"] if one.off is None} == set(DISTURBANCES)


def test_background_is_left_out_of_the_trials() -> None:
    assert tile_trials([texture / 100 for texture in TEXTURES], 20, 0)["columns"] == []


def test_the_plain_formula_finds_a_return_and_takes_a_step_for_one() -> None:
    aip = np.full((100, 20), 50.0)
    aip[30:50] *= 0.7
    assert detect_plainly(aip, 20) == (50, 1.0)
    stepped = tissue(0, 150, 90)
    stepped[60:] *= 2
    assert detect_plainly(stepped, 30)[1] > 0.6
    assert detect_galvo_shift(stepped, 30)[1] < 0.5


# --- on real texture -----------------------------------------------------------------------------------------
@pytest.fixture(scope="module")
def textures(real_data: Path) -> list[np.ndarray]:
    sections = sorted((real_data / "brain_sections").glob("*.tif"))[20:250:5]
    cells = sorted((real_data / "mist").glob("ImageName_*.tif"))
    return [tifffile.imread(path) for path in [*sections, *cells]]


def hold(made: dict[str, list[Trial]], recall: float) -> None:
    """What is promised of tiles; of the plain formula, that it is worse."""
    own, plain = made["columns"], made["plain"]
    clear = figures(own, least_contrast=0.15)
    assert clear.exact >= 0.97
    assert clear.within_one >= 0.98
    strong = figures(own, least_contrast=0.2)
    assert strong.recall >= recall
    assert strong.false_alarms <= 0.01
    assert figures(plain, least_contrast=0.15).exact < clear.exact - 0.1
    assert figures(plain).false_alarms > 0.4


def test_returns_are_found_in_real_texture(textures: list[np.ndarray]) -> None:
    hold(tile_trials(textures, 500, 1), recall=0.92)


def test_slices_are_told_apart(textures: list[np.ndarray]) -> None:
    made = slice_trials(textures, 40, 1, least_contrast=0.2)
    found = figures(made)
    assert (found.recall, found.false_alarms, found.exact) == (1, 0, 1)


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_two_thousand_tiles_of_each_kind(textures: list[np.ndarray], seed: int) -> None:
    hold(tile_trials(textures, 4000, seed), recall=0.92)


@pytest.mark.slow
def test_returns_are_found_beside_other_edges_too(textures: list[np.ndarray]) -> None:
    disturbed = tile_trials(textures, 4000, 4, disturbed=True)["columns"]
    assert figures(disturbed, least_contrast=0.15).exact >= 0.97
    assert figures(disturbed, least_contrast=0.2).recall >= 0.75


@pytest.mark.slow
def test_five_hundred_slices_of_each_kind(textures: list[np.ndarray]) -> None:
    found = figures(slice_trials(textures, 1000, 1, least_contrast=0.2))
    assert found.recall >= 0.99
    assert found.false_alarms <= 0.002

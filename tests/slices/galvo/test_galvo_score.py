"""The place and the score of the mirror's return in one tile."""

from __future__ import annotations

import math
from dataclasses import astuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tiles import COLUMNS, COUNT, EXTRA, LINES, shift_of, tissue, with_return

from napari_slicemap.errors import SlicemapError, StackError
from napari_slicemap.slices.galvo import detect_galvo_shift, fix_galvo_shift, galvo_artifact_score


# --- where it is ---------------------------------------------------------------------------------------------
@pytest.mark.parametrize("first", [0, 1, 47, LINES - 1, LINES, LINES + 1, COUNT - 10, COUNT - 1])
@pytest.mark.parametrize("change", [-0.6, -0.2, 0.2, 0.6], ids=["very dark", "dark", "bright", "very bright"])
def test_a_return_is_found_wherever_it_is(first: int, change: float) -> None:
    shift, confidence = detect_galvo_shift(with_return(tissue(), first, change), EXTRA)
    assert shift == shift_of(first)
    assert confidence >= 0.6
    assert type(shift) is int
    assert type(confidence) is float


def test_the_fix_puts_the_return_at_the_end() -> None:
    raw = with_return(tissue(), 40, -0.5)
    fixed = fix_galvo_shift(raw, detect_galvo_shift(raw, EXTRA)[0], axis=0)
    np.testing.assert_array_equal(fixed[-EXTRA:], raw[40 : 40 + EXTRA])
    assert detect_galvo_shift(fixed, EXTRA)[0] == 0


DTYPES = [
    pytest.param(lambda aip: aip.astype(np.uint16), id="uint16"),
    pytest.param(lambda aip: aip.astype(np.uint8), id="uint8"),
    pytest.param(lambda aip: aip.astype(np.float32), id="float32"),
    pytest.param(lambda aip: aip.astype(">f4"), id="big-endian"),
    pytest.param(lambda aip: np.asfortranarray(aip), id="Fortran order"),
    pytest.param(lambda aip: aip * 1e-6, id="small numbers"),
    pytest.param(lambda aip: aip * 1e6, id="large numbers"),
    pytest.param(lambda aip: np.where(np.arange(COLUMNS) % 9, aip, np.nan), id="some not finite"),
    pytest.param(lambda aip: np.where(np.arange(COLUMNS) % 9, aip, -5), id="some below 0"),
    pytest.param(lambda aip: np.where(np.arange(COLUMNS) < 30, 0, aip), id="a third empty"),
]


@pytest.mark.parametrize("as_given", DTYPES)
def test_any_real_numbers_do(as_given) -> None:
    aip = as_given(with_return(tissue(), 40, -0.3))
    before = aip.copy()
    shift, confidence = detect_galvo_shift(aip, EXTRA)
    assert shift == shift_of(40)
    assert confidence >= 0.6
    np.testing.assert_array_equal(aip, before)


@pytest.mark.parametrize("row", [0, 20, 50, 100])
@pytest.mark.parametrize("value", [0.0, np.nan, 5e3], ids=["black", "unknown", "saturated"])
def test_one_dead_a_line_does_not_hide_a_return(row: int, value: float) -> None:
    raw = with_return(tissue(), 40, -0.3)
    raw[row] = value
    shift, confidence = detect_galvo_shift(raw, EXTRA)
    assert shift == shift_of(40)
    assert confidence >= 0.6


@pytest.mark.parametrize("extra", [1, 2, 3, 12, 60, LINES + 25, COUNT - 6])
def test_a_return_may_have_any_width(extra: int) -> None:
    shift, confidence = detect_galvo_shift(with_return(tissue(), 50, -0.5, extra), extra)
    assert shift == shift_of(50, extra=extra)
    assert confidence >= 0.6


@given(roll=st.integers(-2 * COUNT, 2 * COUNT), seed=st.integers(0, 20), change=st.sampled_from([-0.5, -0.2, 0.2, 0.5]))
def test_to_roll_a_tile_changes_its_shift_by_as_much(roll: int, seed: int, change: float) -> None:
    raw = with_return(tissue(seed), 40, change)
    shift, confidence = detect_galvo_shift(raw, EXTRA)
    rolled, same = detect_galvo_shift(np.roll(raw, roll, axis=0), EXTRA)
    assert rolled == (shift - roll) % COUNT
    assert same == pytest.approx(confidence, rel=1e-9)


# --- how sure it is ------------------------------------------------------------------------------------------
def test_the_score_is_the_sum_of_its_parts() -> None:
    found = galvo_artifact_score(with_return(tissue(), 40, -0.12), EXTRA)
    assert found.score == pytest.approx(0.5 * found.contrast + 0.3 * found.sharpness + 0.2 * found.anomaly)
    assert found.relative_difference == pytest.approx(0.12, abs=0.02)
    assert 0.6 < found.contrast / found.evidence < 1
    assert (found.evidence, found.shift) == (1, shift_of(40))


def test_nothing_but_a_return_scores_in_full() -> None:
    aip = np.full((60, 48), 100.0)
    aip[20:32] = 65
    found = galvo_artifact_score(aip, 12)
    assert astuple(found) == pytest.approx((1, 1, 1, 1, 28, 1, 1, 1, 0.35))


@pytest.mark.parametrize("change", [0.006, 0.015])
def test_each_part_is_measured_as_written(change: float) -> None:
    aip = np.full((60, 48), 100.0)
    aip[20:32] *= 1 - change
    found, step = galvo_artifact_score(aip, 12), -math.log(1 - change)
    expected = [min(1, part) for part in (step / (1.3 * 0.01), change / 0.15, step / (4 * 0.005), step / (1.5 * 0.005))]
    parts = [one / found.evidence for one in (found.contrast, found.sharpness, found.anomaly)]
    assert [found.evidence, *parts] == pytest.approx(expected)


def test_bright_and_dark_count_alike() -> None:
    dark, bright = (galvo_artifact_score(with_return(tissue(), 40, one), EXTRA).score for one in (1 / 1.25 - 1, 0.25))
    assert dark == pytest.approx(bright, abs=0.02)


def test_more_contrast_scores_more() -> None:
    scores = [
        galvo_artifact_score(with_return(tissue(), 40, -one), EXTRA).score for one in (0.03, 0.06, 0.1, 0.14, 0.3)
    ]
    assert scores == sorted(scores)
    assert scores[0] < 0.5 < 0.9 < scores[-1]


def test_another_place_can_be_scored() -> None:
    raw = with_return(tissue(), 40, -0.4)
    there = galvo_artifact_score(raw, EXTRA, shift_of(40))
    assert there == galvo_artifact_score(raw, EXTRA) == galvo_artifact_score(raw, EXTRA, shift_of(40) - COUNT)
    elsewhere = [galvo_artifact_score(raw, EXTRA, shift).score for shift in range(COUNT) if shift != there.shift]
    assert max(elsewhere) < 0.1


def stepped(row: int, change: float) -> np.ndarray:
    made = tissue()
    made[row:] *= 1 + change
    return made


def striped(*stripes: tuple[int, int]) -> np.ndarray:
    made = tissue()
    for row, width in stripes:
        made[row : row + width] *= 0.5
    return made


def slanted(slope: float) -> np.ndarray:
    y, x = np.mgrid[:COUNT, :COLUMNS]
    band = (y - slope * x) % COUNT
    return np.where((band > 40) & (band <= 40 + EXTRA), 0.5, 1) * tissue()


NO_RETURN = [
    pytest.param(tissue(), id="tissue"),
    pytest.param(stepped(60, -0.5), id="a step down"),
    pytest.param(stepped(60, 0.6), id="a step up"),
    pytest.param(stepped(60, 3.0), id="the edge of tissue"),
    pytest.param(tissue() * np.linspace(0.3, 1.5, COUNT)[:, None], id="a gradient"),
    pytest.param(striped((60, 1)), id="a stripe of one A-line"),
    pytest.param(striped((60, 8)), id="a stripe"),
    pytest.param(striped((60, EXTRA - 2)), id="a stripe nearly as wide as the return"),
    pytest.param(striped((60, EXTRA + 2)), id="a stripe just wider than the return"),
    pytest.param(striped((40, 1), (40 + EXTRA, 1)), id="two stripes as far apart as the return is wide"),
    pytest.param(striped((40, 1), (40 + EXTRA - 1, 1)), id="two stripes, an edge of each where the return has one"),
    pytest.param(striped((20, 6), (90, 11)), id="two stripes"),
    pytest.param(slanted(0.5), id="a slanting band"),
    pytest.param(np.random.default_rng(0).normal(100, 30, (COUNT, COLUMNS)), id="noise"),
    pytest.param(np.full((COUNT, COLUMNS), 50.0), id="all the same"),
    pytest.param(np.zeros((COUNT, COLUMNS)), id="all 0"),
    pytest.param(np.full((COUNT, COLUMNS), np.nan), id="nothing finite"),
    pytest.param(-tissue(), id="all below 0"),
]


@pytest.mark.parametrize("aip", NO_RETURN)
def test_what_is_no_return_stays_below_one_half(aip: np.ndarray) -> None:
    assert detect_galvo_shift(aip, EXTRA)[1] < 0.5


@pytest.mark.parametrize("value", [0, 70, np.nan])
def test_a_tile_without_anything_gives_no_shift(value: float) -> None:
    assert detect_galvo_shift(np.full((COUNT, COLUMNS), value, dtype=np.float32), EXTRA) == (0, 0.0)


# --- the plain way -------------------------------------------------------------------------------------------
def plain_median(values: list[float], weights: list[float]) -> float:
    total = 0.0
    for value, weight in sorted(zip(values, weights, strict=True)):
        total += weight
        if total >= sum(weights) / 2 - 1e-12:
            return value
    raise AssertionError


def plainly(aip: np.ndarray, extra: int, first: int) -> list[float]:
    """Agreement, similarity and evidence of one place, A-line by A-line, as the formulas are written."""
    count, columns = aip.shape
    log = np.log(np.maximum(aip, 0.01 * aip.mean()))
    step = [[log[a, c] - log[a - 1, c] for c in range(columns)] for a in range(count)]
    around = [by for by in range(-8, 9) if by]
    weight = [
        [1 / (0.05 + sum(abs(step[(a + by) % count][c]) for by in around) / 16) for c in range(columns)]
        for a in range(count)
    ]
    middle = [plain_median(step[a], weight[a]) for a in range(count)]
    trend = [float(np.median([middle[(a + by) % count] for by in (-2, -1, 1, 2)])) for a in range(count)]
    height = [middle[a] - trend[a] for a in range(count)]
    edges = first, (first + extra) % count
    smaller, larger = sorted(abs(height[edge]) for edge in edges)

    def gained(row: int, own: float) -> float:
        pairs = zip(step[row], weight[row], strict=True)
        return max(0.0, sum(w * (abs(d - trend[row]) - abs(d - trend[row] - own)) for d, w in pairs)) / sum(weight[row])

    shares = [gained(edge, math.copysign(smaller, height[edge])) / smaller for edge in edges]
    beside = {(edge + by) % count for edge in edges for by in (-1, 0, 1)}
    others = {a: gained(a, height[a]) for a in range(count) if a not in beside}
    largest = max(others, key=others.__getitem__)
    rival = max(own for a, own in others.items() if (a - largest + 1) % count > 2) + 0.01
    agreement = math.sqrt(shares[0] * shares[1])
    inside = [(first + by) % count for by in (0, 1, 2, extra - 3, extra - 2, extra - 1)]
    outside = [(first + by) % count for by in (-3, -2, -1, extra, extra + 1, extra + 2)]
    level = abs(np.median([log[inside, c].mean() - log[outside, c].mean() for c in range(columns)]))
    lasting = min(1.0, max(0.0, (level / smaller - 0.25) / 0.35))
    return [agreement, smaller / larger, lasting * min(1.0, smaller * agreement * smaller / larger / (1.3 * rival))]


@pytest.mark.parametrize("first", [5, 30, 44])
@pytest.mark.parametrize("change", [-0.1, 0.3])
def test_it_is_what_the_formulas_say(first: int, change: float) -> None:
    aip = with_return(tissue(3, 50, 24), first, change, 10)
    found = galvo_artifact_score(aip, 10, shift_of(first, 50, 10))
    assert [found.agreement, found.similarity, found.evidence] == pytest.approx(plainly(aip, 10, first))


# --- what cannot be scored -----------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("aip", "extra", "message"),
    [
        pytest.param(np.ones((4, 60, 20)), 12, r"shape \(4, 60, 20\) .* expected \(A-lines, B-scans\)", id="a volume"),
        pytest.param(np.ones((60, 0)), 12, r"shape \(60, 0\)", id="empty"),
        pytest.param(np.ones((60, 20), dtype=complex), 12, "complex128, expected .* real numbers", id="complex"),
        pytest.param(np.ones((60, 20)), 60, "the return has 60 A-lines, the tile 60", id="all return"),
        pytest.param(np.ones((60, 20)), 0, "the return has 0 A-lines", id="no return"),
        pytest.param(np.ones((60, 20)), -3, "the return has -3 A-lines", id="below 0"),
    ],
)
def test_what_is_no_projection_is_refused(aip: np.ndarray, extra: int, message: str) -> None:
    with pytest.raises(StackError, match=message):
        detect_galvo_shift(aip, extra)
    assert issubclass(StackError, SlicemapError | ValueError)

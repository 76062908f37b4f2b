"""Where slices lie: the sums of steps, by id, whichever slices are selected."""

from __future__ import annotations

from decimal import Decimal

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_slicemap.errors import FileFormatError, PlanError, UnknownNameError
from napari_slicemap.slices.shifts import build_cumulative_shifts, shifts_of, why_unplaced

STEPS = [(10, 5), (8, 3), (12, 7), (5, 2), (9, 4)]


def table(steps=STEPS, ids=None, um_per_px=1.0, px=True, mm=True) -> pd.DataFrame:
    """Pairs of neighbours; the px are those of images of `um_per_px`."""
    ids = list(range(len(steps) + 1)) if ids is None else ids
    made = pd.DataFrame({"fixed_id": ids[:-1], "moving_id": ids[1:]})
    for axis, name in enumerate("xy"):
        lengths = np.array([step[axis] for step in steps], float)
        if px:
            made[f"{name}_shift"] = lengths
        if mm:
            made[f"{name}_shift_mm"] = lengths * um_per_px / 1000
    return made


@pytest.mark.parametrize(
    ("selected", "expected"),
    [
        pytest.param([0, 2, 4], [(0, 0), (18, 8), (35, 17)], id="every other"),
        pytest.param([2, 4], [(18, 8), (35, 17)], id="the first left out: others lie where they lay"),
        pytest.param([5, 0], [(44, 21), (0, 0)], id="in the order asked"),
        pytest.param([], [], id="none"),
    ],
)
@pytest.mark.parametrize(
    "source",
    [
        pytest.param({}, id="px and mm"),
        pytest.param({"px": False}, id="mm only"),
        pytest.param({"mm": False}, id="px only"),
    ],
)
def test_slices_left_out_move_no_other(selected, expected, source):
    assert build_cumulative_shifts(table(**source), selected, 1.0) == dict(zip(selected, expected, strict=True))


def test_mm_become_pixels_of_the_images_to_shift():
    shifts = table(um_per_px=1.5)
    assert build_cumulative_shifts(shifts, [4], 1.5) == {4: (35, 17)}
    assert build_cumulative_shifts(shifts, [4], 3.0) == {4: (17.5, 8.5)}
    assert build_cumulative_shifts(table(mm=False), [4], 3.0) == {4: (35, 17)}, "px are taken as they are"


def test_keys_are_the_ids_as_passed():
    asked = ["02", 2, "2.0", np.int64(4), 4.5 - 0.5]
    made = build_cumulative_shifts(table(), asked, 1.0)
    assert list(made) == list(dict.fromkeys(asked))
    assert made["02"] == made[2] == made["2.0"] == (18, 8)
    assert made[4] == (35, 17)


def test_ids_need_not_be_consecutive_nor_rows_in_order():
    shifts = table(ids=[1, 3, 4, 9, 10, 12]).sample(frac=1, random_state=3)
    assert build_cumulative_shifts(shifts, ["01", "04", "12"], 1.0) == {"01": (0, 0), "04": (18, 8), "12": (44, 21)}


def test_a_file_is_taken_too(tmp_path):
    path = tmp_path / "shifts_xy.csv"
    table(ids=[float(n) for n in range(6)]).to_csv(path, index=False)
    assert build_cumulative_shifts(path, ["00", "02", "04"], 1.0) == {"00": (0, 0), "02": (18, 8), "04": (35, 17)}
    assert build_cumulative_shifts(str(path), [5], 1.0) == {5: (44, 21)}


def test_a_slice_that_is_not_in_the_file():
    with pytest.raises(UnknownNameError, match=r"unknown slice '7'.*00, 01, 02, 03, 04, 05"):
        build_cumulative_shifts(table(), [0, 7], 1.0)
    with pytest.warns(UserWarning, match="slice 7 left out: shifts: slice 07 is not in it"):
        assert build_cumulative_shifts(table(), [7, 1], 1.0, strict=False) == {1: (10, 5)}


def test_a_pair_that_is_missing():
    gap = table().drop(index=2)
    assert build_cumulative_shifts(gap, [0, 1, 2], 1.0) == {0: (0, 0), 1: (10, 5), 2: (18, 8)}, "beyond the range"
    with pytest.raises(FileFormatError, match="no pair 02 → 03, so slice 03, 05 has no place"):
        build_cumulative_shifts(gap, [0, 3, 5], 1.0)
    with pytest.warns(UserWarning, match="slice 3, 5 left out: shifts: no pair 02 → 03"):
        assert build_cumulative_shifts(gap, [0, 3, 5], 1.0, strict=False) == {0: (0, 0)}
    assert why_unplaced(shifts_of(gap), ["01", "3", "08"]) == {
        "3": "shifts: no pair 02 → 03",
        "08": "shifts: slice 08 is not in it",
    }


@pytest.mark.parametrize("resolution", [0, -1, float("nan"), float("inf"), 1e-320])
def test_a_resolution_that_is_none(resolution):
    with pytest.raises(PlanError, match="µm per pixel"):
        build_cumulative_shifts(table([(1e7, 1)]), [1], resolution)


def test_an_id_that_is_none():
    with pytest.raises(FileFormatError, match="'one', expected a whole number"):
        build_cumulative_shifts(table(), ["one"], 1.0)


decimals = st.decimals(-100, 100, places=4)


@settings(max_examples=60, deadline=None)
@given(
    steps=st.lists(st.tuples(decimals, decimals), min_size=1, max_size=12),
    resolution=st.decimals("0.1", "20", places=3),
    data=st.data(),
)
def test_sums_are_exact_whatever_is_selected(steps, resolution, data):
    shifts = table([(float(x * 1000), float(y * 1000)) for x, y in steps], px=False)
    shifts["x_shift_mm"], shifts["y_shift_mm"] = ([float(step[axis]) for step in steps] for axis in (0, 1))
    chosen = data.draw(st.sets(st.integers(0, len(steps))))
    made = build_cumulative_shifts(shifts, chosen, float(resolution))
    for one in chosen:
        sums = [sum((step[axis] for step in steps[:one]), Decimal(0)) for axis in (0, 1)]
        assert made[one] == tuple(float(total * 1000 / resolution) for total in sums)

"""What a pixel becomes when a slice is moved, against the formula written out pixel by pixel."""

from __future__ import annotations

import math
from functools import partial
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from builders import pixels
from napari_slicemap.images.region import Window
from napari_slicemap.slices.aligning.shifting import place, shifted_rows, union

SHIFTS = st.tuples(*[st.floats(-40, 40, allow_nan=False)] * 2)


def rows_of(data: np.ndarray, top: int, bottom: int) -> np.ndarray:
    assert 0 <= top <= bottom <= len(data)
    return data[top:bottom]


def moved(data: np.ndarray, shift: tuple[float, float], canvas: Window | None = None, band: int = 1000) -> np.ndarray:
    """The whole canvas, made in bands."""
    placed = place(shift, *data.shape)
    canvas = placed.window if canvas is None else canvas
    height = canvas.shape[0]
    read = partial(rows_of, data)
    bands = [shifted_rows(read, placed, canvas, top, min(top + band, height)) for top in range(0, height, band)]
    return np.concatenate(bands)


def obvious(data: np.ndarray, shift: tuple[float, float], canvas: Window) -> np.ndarray:
    """Linear interpolation pixel by pixel, the edge drawn out by half a pixel."""
    height, width = data.shape
    held = np.pad(data.astype(np.float64), 1, mode="edge")
    made = np.zeros(canvas.shape)
    for row in range(canvas.shape[0]):
        for column in range(canvas.shape[1]):
            y, x = canvas.y0 + row - shift[1], canvas.x0 + column - shift[0]
            if -0.5 <= y < height - 0.5 and -0.5 <= x < width - 0.5:
                above, left = math.floor(y), math.floor(x)
                down, across = y - above, x - left
                square = held[above + 1 : above + 3, left + 1 : left + 3]
                made[row, column] = np.array([1 - down, down]) @ square @ np.array([1 - across, across])
    return made


# --- whole shifts --------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.uint16, np.uint64, np.float32, np.float64, bool])
def test_a_whole_shift_copies(dtype: Any) -> None:
    data = pixels(1, (9, 7)).astype(dtype) if dtype is not bool else pixels(1, (9, 7)) % 2 == 0
    canvas = Window(-3, 12, -2, 11)
    made = moved(data, (2.0, -1.0), canvas)
    expected = np.zeros((13, 15), dtype)
    expected[1:10, 5:12] = data
    np.testing.assert_array_equal(made, expected)
    assert made.dtype == data.dtype


def test_sums_of_decimals_are_whole_shifts() -> None:
    data = pixels(2, (9, 7), np.float64)
    assert 0.1 + 0.2 != 0.3
    np.testing.assert_array_equal(moved(data, ((0.1 + 0.2) * 10, 4 - 1e-9)), data)
    assert place((3.0000000001, -4), 9, 7) == place((3, -4), 9, 7)


# --- shifts between pixels -----------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("shift", "window", "rest"),
    [
        pytest.param((0.25, 0.0), Window(0, 7, 0, 9), (-0.25, 0.0), id="a quarter to the right"),
        pytest.param((0.75, 0.0), Window(1, 8, 0, 9), (0.25, 0.0), id="three quarters"),
        pytest.param((0.5, -0.5), Window(0, 7, -1, 8), (-0.5, -0.5), id="halves go to the lower px"),
        pytest.param((-2.2, 3.7), Window(-2, 5, 4, 13), (0.2, 0.3), id="both"),
    ],
)
def test_where_a_slice_lies(shift: tuple[float, float], window: Window, rest: tuple[float, float]) -> None:
    placed = place(shift, 9, 7)
    assert placed.window == window
    assert placed.rest == pytest.approx(rest)


def test_a_step_between_two_pixels() -> None:
    step = np.array([[0, 0, 100, 100]], np.uint8)
    np.testing.assert_array_equal(moved(step, (0.25, 0)), [[0, 0, 75, 100]])
    np.testing.assert_array_equal(moved(step, (0.75, 0)), [[0, 25, 100, 100]])
    np.testing.assert_array_equal(moved(step.T, (0, 0.25)), [[0], [0], [75], [100]])


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.uint16, np.float32, np.float64])
@pytest.mark.parametrize("shift", [(0.3, 0.0), (0.0, -1.6), (0.5, 0.5), (-2.45, 3.9), (7.25, -0.75)])
def test_shifts_between_pixels(shift: tuple[float, float], dtype: Any) -> None:
    data = pixels(3, (11, 13)).astype(dtype)
    canvas = Window(-5, 22, -4, 17)
    made, expected = moved(data, shift, canvas), obvious(data, shift, canvas)
    assert made.dtype == data.dtype
    if data.dtype.kind == "f":
        np.testing.assert_allclose(made, expected, rtol=1e-6 if dtype is np.float32 else 1e-12, atol=1e-9)
    else:
        # half to even, but for what the last digits of a float make of a half
        apart = np.abs(made - expected)
        assert apart.max() <= 0.5 + 1e-6


def test_halves_are_rounded_to_even() -> None:
    data = np.array([[0, 1, 2, 3, 6, 7]], np.uint8)
    np.testing.assert_array_equal(moved(data, (0.5, 0)), [[0, 0, 2, 2, 4, 6]])


def test_truths_are_rounded_too() -> None:
    data = np.array([[False, True, True, False, False]])
    made = moved(data, (0.25, 0))
    assert made.dtype == bool
    np.testing.assert_array_equal(made, data)


@pytest.mark.parametrize("end", ["min", "max"])
@pytest.mark.parametrize("dtype", [np.uint8, np.int32, np.int64, np.uint64])
def test_the_largest_numbers_do_not_turn_over(dtype: Any, end: str) -> None:
    value = int(getattr(np.iinfo(dtype), end))
    made = moved(np.full((4, 5), value, dtype), (0.3, 0.7))
    assert made.min() == made.max()
    assert abs(int(made[0, 0]) - value) <= (2**11 if np.dtype(dtype).itemsize == 8 else 0)


def test_edges_do_not_darken_and_nothing_rings() -> None:
    made = moved(np.full((5, 6), 1000, np.uint16), (3.4, -2.6), Window(-2, 14, -6, 8))
    assert sorted(np.unique(made)) == [0, 1000]
    assert (made == 1000).sum() == 30


def test_a_pixel_that_is_no_number_spreads_to_its_neighbour_only() -> None:
    data = np.ones((5, 5), np.float32)
    data[2, 2] = np.nan
    np.testing.assert_array_equal(np.argwhere(np.isnan(moved(data, (1.0, 0.0)))), [[2, 2]])
    np.testing.assert_array_equal(np.argwhere(np.isnan(moved(data, (0.25, 0.0)))), [[2, 2], [2, 3]])


@given(shift=SHIFTS, band=st.integers(1, 9), seed=st.integers(0, 99))
def test_rows_come_out_the_same_however_they_are_cut(shift: tuple[float, float], band: int, seed: int) -> None:
    data = pixels(seed, (8, 5))
    canvas = union([place(shift, 8, 5).window, Window(0, 5, 0, 8)])
    np.testing.assert_array_equal(moved(data, shift, canvas, band), moved(data, shift, canvas))


# --- the canvas ----------------------------------------------------------------------------------------------------
@given(
    slices=st.lists(
        st.tuples(SHIFTS, st.integers(1, 30), st.integers(1, 30)),
        min_size=1,
        max_size=6,
    )
)
def test_the_canvas_is_the_union_of_all_slices(slices: list[tuple[tuple[float, float], int, int]]) -> None:
    placed = [place(*one) for one in slices]
    canvas = union(one.window for one in placed)
    for (shift, height, width), one in zip(slices, placed, strict=True):
        assert one.window.shape == (height, width)
        assert one.window & canvas == one.window
        # no px lies further than half a px from where the shift puts it
        assert abs(one.window.x0 - shift[0]) <= 0.5 + 1e-6
        assert abs(one.window.y0 - shift[1]) <= 0.5 + 1e-6
        drawn = moved(np.ones((height, width), np.uint8), shift, canvas)
        assert drawn.shape == canvas.shape
        assert drawn.sum() == height * width
    # nothing more than what they cover: each side touches one
    for side in ("x0", "x1", "y0", "y1"):
        assert getattr(canvas, side) in {getattr(one.window, side) for one in placed}


def test_three_slices() -> None:
    windows = [place(shift, 50, 60).window for shift in ((0, 0), (18, 8), (35, 17))]
    assert union(windows) == Window(0, 95, 0, 67)

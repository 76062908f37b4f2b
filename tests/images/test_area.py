"""Downsampling and resampling against slow, obvious loops."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_slicemap.images.area import area_mean, nearest, resample, resample_nearest
from napari_slicemap.images.region import Grid, Window


@st.composite
def cases(draw: st.DrawFn) -> tuple[np.ndarray, Window, Grid]:
    height, width, step = (draw(st.integers(1, top)) for top in (13, 13, 6))
    x, y, gx, gy = (draw(st.integers(-9, 9)) for _ in range(4))
    dtype = draw(st.sampled_from([np.uint8, np.uint16, np.int16, np.uint32, np.float32, np.float64]))
    rng = np.random.default_rng(draw(st.integers(0, 99)))
    stack = rng.integers(0, 200, (2, height, width)).astype(dtype)
    return stack, Window(x, x + width, y, y + height), Grid(step, gx, gy)


def slow_mean(stack: np.ndarray, window: Window, grid: Grid, valid: np.ndarray) -> np.ndarray:
    cells = grid.cells(window)
    made = np.full((len(stack), *cells.shape), np.nan)
    for row, column in np.ndindex(cells.shape):
        cell = grid.pixels(Window(cells.x0 + column, cells.x0 + column + 1, cells.y0 + row, cells.y0 + row + 1))
        at = (cell & window).slices_in(window)
        for channel, plane in enumerate(stack):
            values = [float(v) for v, ok in zip(plane[at].flat, valid[at].flat, strict=True) if ok and not np.isnan(v)]
            if values:
                made[channel, row, column] = sum(values) / len(values)
    return made


@given(cases(), st.integers(0, 99), st.floats(0, 1))
def test_area_mean_is_the_mean_of_the_pixels_that_exist(
    case: tuple[np.ndarray, Window, Grid], seed: int, gaps: float
) -> None:
    stack, window, grid = case
    rng = np.random.default_rng(seed)
    valid = rng.random(window.shape) >= gaps
    if stack.dtype.kind == "f":
        stack = np.where(rng.random(stack.shape) < gaps / 2, np.nan, stack)
    means, covered = area_mean(stack, window, grid, valid)
    expected = slow_mean(stack, window, grid, valid)
    np.testing.assert_allclose(means, expected, rtol=1e-6)
    assert means.dtype == np.float32
    exists = slow_mean(np.ones((1, *window.shape)), window, grid, valid)[0]
    np.testing.assert_array_equal(covered, ~np.isnan(exists))


@given(cases())
def test_nearest_takes_the_pixel_at_the_middle_of_the_cell(case: tuple[np.ndarray, Window, Grid]) -> None:
    stack, window, grid = case
    cells, made = grid.cells(window), nearest(stack, window, grid)
    assert made.dtype == stack.dtype
    assert made.shape == (2, *cells.shape)
    for row, column in np.ndindex(cells.shape):
        y = (cells.y0 + row) * grid.step + grid.y0 + (grid.step - 1) // 2
        x = (cells.x0 + column) * grid.step + grid.x0 + (grid.step - 1) // 2
        y, x = min(max(y, window.y0), window.y1 - 1), min(max(x, window.x0), window.x1 - 1)
        np.testing.assert_array_equal(made[:, row, column], stack[:, y - window.y0, x - window.x0])


@pytest.mark.parametrize(
    ("values", "mean"),
    [
        pytest.param([65535] * 4, 65535, id="no overflow in uint16"),
        pytest.param([0, 0, 0, 1], 0.25, id="no rounding"),
        pytest.param([np.nan, 2, 4, np.nan], 3, id="NaN counts for nothing"),
        pytest.param([np.inf, 1, 1, 1], np.inf, id="inf stays"),
        pytest.param([np.nan] * 4, np.nan, id="nothing but NaN"),
    ],
)
def test_one_cell(values: list[float], mean: float) -> None:
    dtype = np.uint16 if np.isfinite(values).all() else np.float32
    stack = np.array(values, dtype).reshape(1, 2, 2)
    np.testing.assert_equal(area_mean(stack, Window(0, 2, 0, 2), Grid(2))[0].item(), float(mean))


def slow_resample(plane: np.ndarray, ratio: float, shape: tuple[int, int]) -> np.ndarray:
    made = np.zeros(shape)
    for row, column in np.ndindex(shape):
        total = area = 0.0
        for y, x in np.ndindex(plane.shape):
            high = min(y + 1, (row + 1) * ratio) - max(y, row * ratio)
            wide = min(x + 1, (column + 1) * ratio) - max(x, column * ratio)
            if high > 0 and wide > 0:
                total, area = total + plane[y, x] * high * wide, area + high * wide
        made[row, column] = total / area
    return made


@given(st.integers(1, 7), st.integers(1, 7), st.floats(0.34, 3.0), st.integers(0, 99))
def test_resample_is_the_mean_of_the_area_covered(height: int, width: int, ratio: float, seed: int) -> None:
    plane = np.random.default_rng(seed).integers(0, 1000, (height, width)).astype(np.uint16)
    # whole new pixels within the old ones; the ragged last one is tested below
    shape = (max(1, math.floor(height / ratio)), max(1, math.floor(width / ratio)))
    made = resample(reading(plane[None]), (width, height), ratio, Window(0, shape[1], 0, shape[0]))
    np.testing.assert_allclose(made[0], slow_resample(plane, ratio, shape), rtol=1e-5)


def reading(stack: np.ndarray) -> Callable[[Window], np.ndarray]:
    return lambda window: stack[..., *window.slices_in(Window(0, 0, 0, 0))]


@given(st.integers(1, 30), st.floats(0.34, 3.0), st.data())
def test_a_resampled_pixel_is_the_same_in_any_window(size: int, ratio: float, data: st.DataObject) -> None:
    stack = np.random.default_rng(size).random((2, size, size))
    wide = max(1, round(size / ratio))
    whole = resample(reading(stack), (size, size), ratio, Window(0, wide, 0, wide))
    labels = resample_nearest(reading(stack[0]), (size, size), ratio, Window(0, wide, 0, wide))
    x, y = data.draw(st.integers(0, wide - 1)), data.draw(st.integers(0, wide - 1))
    part = Window(x, data.draw(st.integers(x + 1, wide)), y, data.draw(st.integers(y + 1, wide)))
    at = part.slices_in(Window(0, 0, 0, 0))
    np.testing.assert_array_equal(resample(reading(stack), (size, size), ratio, part), whole[:, *at])
    np.testing.assert_array_equal(resample_nearest(reading(stack[0]), (size, size), ratio, part), labels[at])


@given(st.integers(1, 9), st.floats(0.3, 3.5))
def test_resample_keeps_a_flat_image_flat(size: int, ratio: float) -> None:
    wide = max(1, round(size / ratio))  # the size that placement asks for, which may reach past the edge
    made = resample(reading(np.full((1, size, size), 7.0)), (size, size), ratio, Window(0, wide, 0, wide))
    np.testing.assert_allclose(made, 7.0, rtol=1e-6)


def test_resample_by_two_is_the_area_mean() -> None:
    stack = np.random.default_rng(0).random((2, 8, 6))
    means, _ = area_mean(stack, Window(0, 6, 0, 8), Grid(2))
    np.testing.assert_allclose(resample(reading(stack), (6, 8), 2.0, Window(0, 3, 0, 4)), means, rtol=1e-6)


@pytest.mark.parametrize(
    ("ratio", "expected"),
    [
        pytest.param(0.5, [1, 1, 2, 2, 3, 3], id="finer"),
        pytest.param(1.5, [1, 3], id="coarser"),
        pytest.param(3.0, [2], id="one for all"),
    ],
)
def test_labels_are_never_mixed(ratio: float, expected: list[int]) -> None:
    labels = np.array([[1, 2, 3]], np.uint16)
    made = resample_nearest(reading(labels), (3, 1), ratio, Window(0, len(expected), 0, 1))
    assert made.dtype == np.uint16
    assert made[0].tolist() == expected

"""Motions, their powers, and images moved by them."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.linalg import fractional_matrix_power
from tissue import SHAPE, motion, tissue

from napari_slicemap.images.region import Window
from napari_slicemap.slices.interpolation import affine
from napari_slicemap.slices.interpolation.affine import move, power, rescaled


@st.composite
def motions(draw: st.DrawFn) -> np.ndarray:
    """Turns below half a turn, scales and shears that mirror nothing, shifts."""
    number = st.floats(-0.3, 0.3)
    linear = [[1 + draw(number), draw(number)], [draw(number), 1 + draw(number)]]
    shift = (draw(st.floats(-200, 200)), draw(st.floats(-200, 200)))
    return motion(draw(st.floats(-120, 120)), shift, linear)


@settings(max_examples=12)  # scipy takes 5 ms for a logarithm
@given(motions(), st.floats(-1.5, 1.5), st.floats(-1.5, 1.5))
def test_powers_add_up(moved, one, other):
    np.testing.assert_allclose(power(moved, one) @ power(moved, other), power(moved, one + other), atol=1e-6)


@settings(max_examples=12)  # scipy takes 5 ms for a logarithm
@given(motions())
def test_half_twice_is_whole_and_back_is_the_inverse(moved):
    np.testing.assert_allclose(power(moved, 0.5) @ power(moved, 0.5), moved, atol=1e-7)
    np.testing.assert_allclose(power(moved, -1) @ moved, np.eye(3), atol=1e-7)
    np.testing.assert_allclose(power(moved, 0.3), fractional_matrix_power(moved, 0.3).real, atol=1e-7)
    assert (power(moved, 0) == np.eye(3)).all(), "no motion must leave pixels as they are, bit by bit"
    assert (power(moved, 0.7)[2] == (0, 0, 1)).all()


@settings(max_examples=12)  # scipy takes 5 ms for a logarithm
@given(motions(), st.floats(-50, 50), st.floats(-50, 50))
def test_the_origin_does_not_matter(moved, x, y):
    there = np.array([[1, 0, x], [0, 1, y], [0, 0, 1]])
    about = np.linalg.inv(there) @ moved @ there
    np.testing.assert_allclose(there @ power(about, 0.5) @ np.linalg.inv(there), power(moved, 0.5), atol=1e-6)


def test_half_of_a_turn_is_half_the_angle():
    half = power(motion(30), 0.5)
    assert math.degrees(math.atan2(half[1, 0], half[0, 0])) == pytest.approx(15)


@pytest.mark.parametrize(
    "linear",
    [
        pytest.param([[-1, 0], [0, 1]], id="a mirror"),
        pytest.param([[-1, 0], [0, -1]], id="half a turn"),
        pytest.param([[-1, 0], [0, -2]], id="half a turn and stretching"),
        pytest.param([[1, 2], [2, 4]], id="all onto a line"),
    ],
)
def test_motions_without_real_powers_are_refused(linear):
    with pytest.raises(ValueError, match="no real power"):
        power(motion(linear=linear), 0.5)


def test_a_motion_of_reduced_images_moves_the_centres_of_their_squares():
    reduced = motion(10, (3, -2))
    whole = rescaled(reduced, 4)
    x, y = 11.0, 7.0
    there = reduced @ (x, y, 1)
    centre = whole @ (4 * x + 1.5, 4 * y + 1.5, 1)
    np.testing.assert_allclose(centre[:2], 4 * there[:2] + 1.5)


# --- moving images ------------------------------------------------------------------------------------------
def moved(image: np.ndarray, by: np.ndarray, top: int = 0, bottom: int | None = None) -> tuple[np.ndarray, np.ndarray]:
    def read(window: Window) -> np.ndarray:
        return image[window.y0 : window.y1, window.x0 : window.x1]

    return move(read, image.shape, by, top, image.shape[0] if bottom is None else bottom)


def test_no_motion_changes_no_bit():
    image = tissue(noise=3)
    values, cover = moved(image, np.eye(3))
    assert (values == image).all()
    assert (cover == 1).all()


def test_whole_px_move_whole_px():
    image = tissue()
    values, cover = moved(image, motion(shift=(5, -3)))
    assert (values[:-3, 5:] == image[3:, :-5]).all()
    assert (cover[:-3, 5:] == 1).all()
    assert not cover[-3:].any()
    assert not cover[:, :5].any()


def test_borders_do_not_darken():
    values, cover = moved(np.full(SHAPE, 700.0), motion(7, (0.5, 0.25)))
    np.testing.assert_allclose(values[cover > 1e-6] / cover[cover > 1e-6], 700)
    assert 0 < (cover < 1).mean() < 0.5


def test_tissue_goes_where_the_motion_takes_it():
    by = motion(4, (3.5, -2.25), [[1.03, 0.02], [0, 0.98]])
    values, cover = moved(tissue(), by)
    off = np.abs(values - tissue(by))[cover == 1]
    # linear interpolation flattens peaks, in an image from 20 to about 1500
    assert off.mean() < 2
    assert off.max() < 120


def test_rows_are_the_same_however_they_are_cut(monkeypatch):
    image, by = tissue(noise=9), motion(4, (3.3, -2.7))
    whole = moved(image, by)
    monkeypatch.setattr(affine, "_SLAB_PX", 300)
    np.testing.assert_array_equal(whole, moved(image, by))
    for cuts in ((0, 1, 50, 96), (0, 33, 66, 96)):
        parts = [moved(image, by, top, bottom) for top, bottom in pairwise(cuts)]
        np.testing.assert_array_equal(whole, np.concatenate(parts, axis=1))


def test_px_that_are_not_finite_are_not_there():
    image = tissue()
    image[20:30, 40:60] = np.nan
    image[5, 5] = np.inf
    values, cover = moved(image, motion(shift=(0.5, 0)))
    assert np.isfinite(values).all()
    assert not cover[20:30, 41:60].any()
    np.testing.assert_allclose(cover[25, [40, 60]], 0.5)


def test_what_is_moved_out_of_sight_covers_nothing():
    values, cover = moved(tissue(), motion(shift=(1000, 0)))
    assert not values.any()
    assert not cover.any()

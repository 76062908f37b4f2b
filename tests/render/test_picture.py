"""``Picture``: the same rows however they are cut."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_slicemap.render.picture import Picture


def image_of(height, width, samples=3):
    return np.random.default_rng(0).integers(0, 256, (height, width, samples), dtype=np.uint8)


def on_demand(image, asked):
    """A picture that notes which rows it was asked for."""

    def paint(top, bottom):
        asked.append((top, bottom))
        return image[top:bottom]

    return Picture(image.shape, paint)


def test_an_image_becomes_a_picture():
    image = image_of(7, 5, 4)
    made = Picture.of(image)
    assert made.shape == (7, 5, 4)
    assert (made.empty_fraction, made.missing) == (0.0, ())
    np.testing.assert_array_equal(made.array(), image)
    np.testing.assert_array_equal(made.paint(2, 3), image[2:3])


@given(height=st.integers(1, 40), rows=st.integers(1, 50))
def test_bands_go_from_the_top_to_the_bottom(height, rows):
    image, asked = image_of(height, 3), []
    bands = list(on_demand(image, asked).bands(rows))
    np.testing.assert_array_equal(np.concatenate(bands), image)
    assert asked == [(top, min(top + rows, height)) for top in range(0, height, rows)]


@pytest.mark.parametrize(("pixels", "height"), [(1, 1), (40, 10), (10**6, 23)])
def test_by_default_bands_are_of_moderate_size(monkeypatch, pixels, height):
    monkeypatch.setattr("napari_slicemap.render.picture._BAND_PIXELS", pixels)
    assert next(Picture.of(image_of(23, 4)).bands()).shape == (height, 4, 3)


@given(height=st.integers(1, 40), rows=st.integers(1, 50), pixels=st.integers(1, 400))
def test_strips_are_of_one_height_whatever_the_bands(height, rows, pixels):
    image, asked = image_of(height, 3), []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("napari_slicemap.render.picture._BAND_PIXELS", pixels)
        strips = list(on_demand(image, asked).strips(rows))
    assert [len(strip) for strip in strips[:-1]] == [rows] * (len(strips) - 1)
    assert all(strip.flags.c_contiguous for strip in strips)
    np.testing.assert_array_equal(np.concatenate(strips), image)
    assert [top for top, _ in asked] == [0, *(bottom for _, bottom in asked[:-1])], "each row is painted once"
    assert asked[-1][1] == height
    assert max(bottom - top for top, bottom in asked) * 3 <= max(pixels, rows * 3)


def test_a_strip_is_its_own():
    image = image_of(4, 3)
    before = image.copy()
    next(Picture.of(image).strips(2))[:] = 0
    np.testing.assert_array_equal(image, before)


@given(height=st.integers(1, 30), cuts=st.lists(st.integers(0, 30)))
def test_changes_know_where_they_are(height, cuts):
    """Each row gets its own number as alpha, wherever the picture is cut."""

    def number(rows, top):
        alpha = np.broadcast_to(np.arange(top, top + len(rows), dtype=np.uint8)[:, None, None], (*rows.shape[:2], 1))
        return np.concatenate([rows, alpha], axis=2)

    image = image_of(height, 3)
    made = Picture(image.shape, lambda a, b: image[a:b], 0.25, ["tile"]).changed(number, samples=4)
    assert (made.shape, made.empty_fraction, made.missing) == ((height, 3, 4), 0.25, ["tile"])
    edges = sorted({0, height, *(cut for cut in cuts if cut < height)})
    parts = [made.paint(top, bottom) for top, bottom in pairwise(edges)]
    np.testing.assert_array_equal(np.concatenate(parts), made.array())
    assert made.array()[:, 0, 3].tolist() == list(range(height))
    assert made.changed(lambda rows, _: rows).shape == (height, 3, 4)


def test_what_is_missing_is_told_once_it_is_painted():
    missing = []

    def paint(top, bottom):
        missing.append(f"row {top}")
        return np.zeros((bottom - top, 2, 3), np.uint8)

    made = Picture((2, 2, 3), paint, missing=missing).changed(lambda rows, _: rows)
    assert list(made.missing) == []
    list(made.bands(1))
    assert list(made.missing) == ["row 0", "row 1"]

"""Lines, boxes and text that are kept apart from a picture."""

from itertools import pairwise

import numpy as np
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st

from napari_slicemap.render.drawings import Bar, Rim, Shape, Text, drawable, font, lacking, shapes_within
from napari_slicemap.render.scale_bar import ScaleBar, ScaleBarStyle, draw_scale_bar, place_scale_bar

SQUARE = ((0.0, 0.0), (100.0, 0.0), (100.0, 80.0), (0.0, 80.0))

TEXTS = [
    pytest.param("a  b\n\tc", "a b c", id="blanks become one space"),
    pytest.param("a\u00a0b\u2028c", "a b c", id="blanks of other kinds"),
    pytest.param("\x00a\x1b", "\ufffda\ufffd", id="control characters"),
    pytest.param("\ud800", "\ufffd", id="half a character"),
    pytest.param("  µ 切 ", "µ 切", id="the rest stays"),
    pytest.param(" \n ", "", id="nothing"),
]


@pytest.mark.parametrize(("text", "expected"), TEXTS)
def test_what_can_be_drawn(text, expected):
    assert drawable(text) == expected


def test_what_the_font_lacks():
    assert lacking("Δ µm: 切切 片 β") == "切片"
    assert lacking("CD45 α-SMA é ± ²") == ""


@pytest.mark.parametrize("rim", [None, Rim(2, "#000000", 0.75)])
@given(cuts=st.lists(st.integers(1, 59)))
def test_text_is_the_same_however_the_picture_is_cut(rim, cuts):
    text = Text("Ågµ|", 20, 40, 60, 24, "#40ff10", rim)
    image = np.random.default_rng(0).integers(0, 256, (60, 120, 3), dtype=np.uint8)
    whole = image.copy()
    text.stamp(whole, 0)
    changed = (whole != image).any(axis=-1)
    assert changed.any()
    parts = []
    for top, bottom in pairwise(sorted({0, 60, *cuts})):
        rows = image[top:bottom].copy()
        text.stamp(rows, top)
        parts.append(rows)
    np.testing.assert_array_equal(np.concatenate(parts), whole)
    left, top, right, bottom = text.box
    rows, columns = np.nonzero(changed)
    assert left <= columns.min() <= columns.max() < right
    assert top <= rows.min() <= rows.max() < bottom


def test_drawings_move():
    assert Shape(((1, 2), (3, 4)), False, "#ffffff", 1).shifted(10, 5).points == ((6, 12), (8, 14))
    moved = Bar(1, 2, 3, 4, "#ffffff").shifted(10, 5)
    assert (moved.x, moved.y, moved.width, moved.height) == (6, 12, 3, 4)
    assert Text("a", 1, 2, 3, 8, "#ffffff").shifted(10).baseline == 12


# --- shapes ---------------------------------------------------------------------------------------------------
def test_a_shape_inside_stays_whole_and_its_line_stays_in_it():
    box = ((10.0, 10.0), (30.0, 10.0), (30.0, 20.0), (10.0, 20.0))
    (found,) = shapes_within([box], True, "#ff0000", 2, [SQUARE])
    assert found == Shape(((11, 11), (29, 11), (29, 19), (11, 19)), True, "#ff0000", 2)
    (line,) = shapes_within([box], False, "#ff0000", 2, [SQUARE])
    assert (line.points, line.closed) == (box, False)


def test_a_shape_that_is_cut_is_open_and_one_outside_is_left_out():
    across = ((50.0, 30.0), (150.0, 30.0), (150.0, 50.0), (50.0, 50.0))
    away = ((200.0, 200.0), (220.0, 200.0), (210.0, 230.0))
    (found,) = shapes_within([across, away], True, "#ff0000", 0.5, [SQUARE])
    assert not found.closed
    assert sorted(found.points) == [(50.25, 30.25), (50.25, 49.75), (100, 30.25), (100, 49.75)]


def test_a_ground_whose_lines_cross_is_filled_by_the_even_odd_rule():
    bow = ((0.0, 0.0), (20.0, 20.0), (20.0, 0.0), (0.0, 20.0))
    inside = [((1.0, 10.0), (4.0, 10.0))]
    outside = [((10.0, 1.0), (10.0, 4.0))]
    assert len(shapes_within(inside, False, "#ffffff", 1, [bow])) == 1
    assert shapes_within(outside, False, "#ffffff", 1, [bow]) == []
    assert shapes_within(inside, False, "#ffffff", 1, [bow, SQUARE, ((50.0, 0.0), (60.0, 0.0), (55.0, 9.0))]) == []


points = st.tuples(st.integers(-50, 150), st.integers(-50, 150)).map(lambda p: (float(p[0]), float(p[1])))


@given(shape=st.lists(points, min_size=3, max_size=6, unique=True), closed=st.booleans())
def test_what_is_shown_lies_inside_and_is_all_of_it(shape, closed):
    found = shapes_within([tuple(shape)], closed, "#ffffff", 0.0, [SQUARE])
    ground = shapely.box(0, 0, 100, 80)
    line = shapely.LinearRing(shape) if closed else shapely.LineString(shape)
    expected = shapely.intersection(shapely.LineString(line.coords), ground)
    drawn = [shapely.LineString([*one.points, one.points[0]] if one.closed else one.points) for one in found]
    assert all(one.within(ground.buffer(1e-6)) for one in drawn)
    assert shapely.union_all(drawn).length == pytest.approx(shapely.union_all([expected]).length, abs=1e-6)


# --- the scale bar --------------------------------------------------------------------------------------------
@pytest.mark.parametrize("position", ["lower-right", "lower-left", "upper-right", "upper-left"])
@pytest.mark.parametrize("size", [64, 300, 1000])
@pytest.mark.parametrize("label", [True, False])
def test_the_scale_bar_as_drawings_lies_where_its_pixels_are(position, size, label):
    bar = ScaleBar(size / 8, 1.0, "20 µm")
    style = ScaleBarStyle(position=position, color="#ff00ff", label=label)
    image = np.full((size, size, 3), 90, np.uint8)
    made, warning = draw_scale_bar(image, bar, style)
    assert warning == ""
    placed, _ = place_scale_bar((size, size), bar, style)
    inked = (made == (255, 0, 255)).all(axis=-1)
    box = placed.drawings[0]
    assert isinstance(box, Bar)
    assert inked[box.y : box.y + box.height, box.x : box.x + box.width].all()
    assert (box.width, box.rim.color) == (round(size / 8), "#000000")
    assert len(placed.drawings) == 1 + label
    inked[box.y : box.y + box.height, box.x : box.x + box.width] = False
    assert inked.any() == label
    if label:
        text = placed.drawings[1]
        assert text.length_px == font(text.size_px).getlength("20 µm")
        alone = np.zeros_like(image)
        Text(text.text, text.x, text.baseline, text.length_px, text.size_px, "#ff00ff").stamp(alone, 0)
        np.testing.assert_array_equal((alone == (255, 0, 255)).all(axis=-1), inked)
    moved = placed.shifted(7)
    assert (moved.top, moved.drawings[0].y) == (placed.top + 7, box.y + 7)

"""Sizes in µm, and how much of an ROI shows data."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_slicemap.images.region import Window
from napari_slicemap.rois.measures import empty_share, measure, share_text
from napari_slicemap.rois.roi import roi_from_points

SQUARE = [(0, 0), (10, 0), (10, 10), (0, 10)]


def drawn(points, kind="polygon"):
    return roi_from_points(points, kind, map_id="7")


MEASURED = [
    pytest.param(drawn([(0, 0), (40, 0), (40, 30), (0, 30)], "rectangle"), "20 × 15 µm", "300 µm²", id="rectangle"),
    pytest.param(drawn([(0, 0), (3, 4), (-5, 10), (-8, 6)], "rectangle"), "5 × 2.5 µm", "12.5 µm²", id="turned"),
    pytest.param(drawn([(0, 0), (4, 0), (0, 4)]), "2 × 2 µm", "2 µm²", id="triangle"),
    pytest.param(drawn([(0, 0), (4, 4), (4, 0), (0, 4)]), "2 × 2 µm", "2 µm²", id="crossing itself"),
    pytest.param(drawn([(0, 0), (6, 8), (6, 18)], "line"), "3 × 9 µm", "10 µm", id="line"),
    pytest.param(drawn([(0, 0), (2000, 0), (2000, 200), (0, 200)]), "1000 × 100 µm", "0.1 mm²", id="large"),
    pytest.param(drawn([(0, 0), (30000, 0)], "line"), "15000 × 0 µm", "15 mm", id="long"),
    pytest.param(drawn([(0, 0), (0.1, 0), (0.1, 0.1)]), "0.05 × 0.05 µm", "0.00125 µm²", id="tiny"),
]


@pytest.mark.parametrize(("roi", "size", "extent"), MEASURED)
def test_measures_in_words(roi, size, extent):
    made = measure(roi, 0.5)
    assert (made.size_text, made.extent_text) == (size, extent)
    assert (made.area is None) == (roi.kind == "line") == (made.length is not None)


def test_without_a_pixel_size_it_is_px():
    made = measure(drawn(SQUARE), None)
    assert (made.size_text, made.extent_text) == ("10 × 10 px", "100 px²")


EMPTY = [
    pytest.param(drawn(SQUARE), [Window(0, 20, 0, 20)], 0.0, id="within a tile"),
    pytest.param(drawn(SQUARE), [Window(0, 5, 0, 20), Window(4, 20, 0, 20)], 0.0, id="across two tiles"),
    pytest.param(drawn(SQUARE), [Window(0, 5, 0, 20)], 0.5, id="half out"),
    pytest.param(drawn(SQUARE), [], 1.0, id="nowhere"),
    pytest.param(drawn([(0, 0), (10, 0), (0, 10)]), [Window(0, 5, 0, 5)], 0.5, id="triangle"),
    pytest.param(drawn([(0, 5), (20, 5)], "line"), [Window(0, 15, 0, 20)], 0.25, id="line"),
    pytest.param(drawn([(0, 0), (4, 4), (4, 0), (0, 4)]), [Window(0, 2, 0, 4)], 0.5, id="crossing itself"),
]


@pytest.mark.parametrize(("roi", "covered", "share"), EMPTY)
def test_empty_share(roi, covered, share):
    assert empty_share(roi, covered) == pytest.approx(share)


@given(
    x=st.integers(-20, 20),
    y=st.integers(-20, 20),
    tiles=st.lists(st.tuples(st.integers(-20, 20), st.integers(-20, 20)), max_size=4),
)
def test_empty_share_is_what_counting_pixels_gives(x, y, tiles):
    covered = [Window(left, left + 12, top, top + 9) for left, top in tiles]
    roi = drawn([(x, y), (x + 10, y), (x + 10, y + 6), (x, y + 6)], "rectangle")
    pixels = [(a, b) for a in range(x, x + 10) for b in range(y, y + 6)]
    bare = sum(not any(one.x0 <= a < one.x1 and one.y0 <= b < one.y1 for one in covered) for a, b in pixels)
    assert math.isclose(empty_share(roi, covered), bare / len(pixels), abs_tol=1e-9)


@pytest.mark.parametrize(
    ("share", "text"),
    [(0.0, ""), (0.004, "< 1 %"), (0.124, "12 %"), (1.0, "100 %")],
)
def test_share_in_words(share, text):
    assert share_text(share) == text

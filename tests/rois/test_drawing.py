"""Stamps, turned rectangles, names, and copies to other maps."""

import math

import numpy as np
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st

from napari_slicemap.errors import PixelSizeUnknownError, PlanError
from napari_slicemap.images.region import Region, Window
from napari_slicemap.maps.placement import PlacedTile, Placement
from napari_slicemap.rois.drawing import check_pattern, copy_to_map, next_names, rectangle_on, stamp_roi
from napari_slicemap.rois.roi import LINE_PADDING_PX, roi_from_points


def test_a_stamp_lies_around_its_point():
    made = stamp_roi(50.5, 20, 40, 10, name="s", map_id="7")
    assert (made.kind, made.name, made.map_id, made.region) == ("rectangle", "s", "7", Region(30.5, 70.5, 15, 25))


def test_three_points_are_a_side_and_the_side_across():
    assert rectangle_on([(0, 0), (4, 0), (3, 2)]) == ((0, 0), (4, 0), (4, 2), (0, 2))
    assert rectangle_on([(0, 0), (4, 0), (3, -2)]) == ((0, 0), (4, 0), (4, -2), (0, -2))


place = st.tuples(st.integers(-50, 50), st.integers(-50, 50))


@given(points=st.lists(place, min_size=3, max_size=6))
def test_a_turned_rectangle_is_one(points):
    try:
        corners = rectangle_on(points)
    except ValueError:
        assert shapely.MultiPoint(points).convex_hull.area == 0 or points[0] == points[1]
        return
    a, b, c, d = (np.array(one) for one in corners)
    assert np.dot(b - a, c - b) == pytest.approx(0, abs=1e-6)
    np.testing.assert_allclose(a + c, b + d, atol=1e-9)
    if len(points) == 3:
        assert corners[:2] == tuple(points[:2])
        across = (c - b) / np.hypot(*(c - b))
        assert np.dot(np.array(points[2]) - c, across) == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        pytest.param("ROI", "expected one number", id="no number"),
        pytest.param("{n}{n}", "expected one number", id="two"),
        pytest.param("{x}", "expected one number", id="unknown field"),
        pytest.param("{}", "expected one number", id="no name"),
        pytest.param("ROI_{n", "write {n}", id="no end"),
        pytest.param("{n:q}", "write {n}", id="no such form"),
        pytest.param("{n!r:.0}", "does not show", id="a number that never shows"),
    ],
)
def test_a_pattern_that_names_nothing_is_refused(pattern, message):
    with pytest.raises(PlanError, match=message):
        check_pattern(pattern)


def test_names_are_the_first_free_ones():
    assert next_names(["ROI_001", "ROI_003"], 3) == ["ROI_002", "ROI_004", "ROI_005"]
    assert next_names([], 2, "core {n}") == ["core 1", "core 2"]


def placement(map_id, x, y, size=0.5, stage_y="down", tiles=()):
    window = Window(0, 200, 0, 100)
    bounds = None if size is None else (x, x + 200 * size, y, y + 100 * size)
    made = tiles or (PlacedTile(f"t{map_id}", window, 1.0, None),)
    return Placement(map_id, made, size, bounds, stage_y, map_id)


def stage(roi, where):
    return [where.stage_um(*point) for point in roi.points]


@pytest.mark.parametrize(
    "target",
    [
        pytest.param(placement("2", 7, -3), id="elsewhere"),
        pytest.param(placement("2", 7, -3, size=0.2), id="other px"),
        pytest.param(placement("2", 7, -3, stage_y="up"), id="upside down"),
    ],
)
@pytest.mark.parametrize("kind", ["rectangle", "polygon", "line"])
def test_a_copy_lies_at_the_same_stage_place(target, kind):
    source = placement("1", 0, 0)
    roi = roi_from_points([(10, 10), (50, 10), (50, 40), (10, 40)], kind, name="a", map_id="1", profile="p")
    roi = roi.model_copy(update={"tags": ("t",), "comment": "c", "updated_at": "then"})
    made = copy_to_map(roi, source, target, "b")
    np.testing.assert_allclose(
        stage(made, target) if kind != "rectangle" else sorted(stage(made, target)),
        stage(roi, source) if kind != "rectangle" else sorted(stage(roi, source)),
        atol=1e-9,
    )
    assert (made.name, made.map_id, made.kind, made.tags, made.comment) == ("b", "2", kind, ("t",), "c")
    assert made.roi_id != roi.roi_id
    assert made.updated_at != "then"
    if kind == "line":
        assert made.x_min == pytest.approx(min(x for x, _ in made.points) - LINE_PADDING_PX)


def test_an_roi_of_a_fov_is_copied_from_where_its_tile_lies():
    tile = PlacedTile("t", Window(100, 150, 20, 60), 2.0, None)
    source, target = placement("1", 0, 0, tiles=(tile,)), placement("2", 0, 0)
    roi = roi_from_points([(10, 10), (20, 10), (20, 30), (10, 30)], "rectangle", fov="t")
    made = copy_to_map(roi, source, target, "b")
    assert (made.fov, made.map_id, made.region) == ("", "2", Region(105, 110, 25, 35))
    assert math.isclose(made.region.width * 2, roi.region.width)


def test_what_has_no_stage_place_is_not_copied():
    roi = roi_from_points([(0, 0), (5, 0), (5, 5)], "polygon", map_id="1")
    with pytest.raises(PixelSizeUnknownError, match="map 2: its pixel size is unknown"):
        copy_to_map(roi, placement("1", 0, 0), placement("2", 0, 0, size=None), "b")
    stray = roi_from_points([(0, 0), (5, 0), (5, 5)], "polygon", fov="x", name="r")
    with pytest.raises(PlanError, match="ROI r: FOV x does not lie on map 1"):
        copy_to_map(stray, placement("1", 0, 0), placement("2", 0, 0), "b")

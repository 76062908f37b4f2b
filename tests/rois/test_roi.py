"""One ROI: what it may be, and how drawn shapes become one."""

import math
import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_slicemap import Region, Roi
from napari_slicemap.rois.roi import LINE_PADDING_PX, Geometry, roi_from_points

BOX = {"x_min": 1, "x_max": 5, "y_min": 2, "y_max": 4}
TRIANGLE = {"type": "polygon", "points": [[1, 2], [5, 2], [1, 4]]}

REFUSED = [
    pytest.param({"x_max": 1}, "the box is empty", id="no width"),
    pytest.param({"y_max": 0}, "the box is empty", id="upside down"),
    pytest.param({"x_min": math.nan}, "x_min.*finite number", id="NaN"),
    pytest.param({"x_max": math.inf}, "x_max.*finite number", id="infinite"),
    pytest.param({"x_min": None}, "x_min", id="no bound"),
    pytest.param({"kind": "circle"}, "kind.*rectangle", id="unknown kind"),
    pytest.param({"kind": "polygon"}, "a polygon needs its geometry", id="polygon without points"),
    pytest.param({"kind": "line"}, "a line needs its geometry", id="line without points"),
    pytest.param({"roi_id": ""}, "roi_id", id="empty id"),
    pytest.param({"roi_id": "  "}, "roi_id", id="blank id"),
    pytest.param({"color": "red"}, "color", id="unknown key"),
    pytest.param({"tags": ["a;b"]}, "tag 'a;b' holds ';'", id="a tag that would become two"),
    pytest.param({"geometry": {**TRIANGLE, "points": [[1, 2], [5, 2]]}}, "2 points, expected at least 3", id="points"),
    pytest.param({"geometry": {**TRIANGLE, "points": [[1, 2], [5, 2], [1, math.nan]]}}, "finite", id="NaN point"),
    pytest.param({"geometry": {**TRIANGLE, "points": [[1, 2, 3]] * 3}}, "points", id="three coordinates"),
    pytest.param({"geometry": {**TRIANGLE, "holes": []}}, "holes", id="unknown key of the geometry"),
]


@pytest.mark.parametrize(("fields", "message"), REFUSED)
def test_refused(fields, message):
    with pytest.raises(ValueError, match=f"(?s){message}"):
        Roi.model_validate({**BOX, **fields})


def test_texts_lose_outer_blanks_as_they_would_in_the_file():
    roi = Roi(**BOX, name=" core ", fov="a ", comment="\n x \n", tags=(" t ", "t", "", "u"))
    assert (roi.name, roi.fov, roi.comment, roi.tags) == ("core", "a", "x", ("t", "u"))


def test_ids_are_new_uuids():
    ids = {Roi(**BOX).roi_id for _ in range(20)}
    assert len(ids) == 20
    assert {uuid.UUID(one).version for one in ids} == {4}


@pytest.mark.parametrize(
    ("fields", "on", "label"),
    [
        pytest.param({"fov": "a", "map_id": "7"}, "fov", "id1", id="a FOV goes first"),
        pytest.param({"map_id": "7", "name": "x"}, "map", "x", id="map"),
        pytest.param({}, "", "id1", id="nothing"),
    ],
)
def test_what_it_is_on_and_is_called(fields, on, label):
    roi = Roi(roi_id="id1", **BOX, **fields)
    assert (roi.on, roi.label) == (on, label)


def test_region_and_corners_of_a_rectangle():
    roi = Roi(**BOX)
    assert roi.region == Region(1, 5, 2, 4)
    assert roi.points == ((1, 2), (5, 2), (5, 4), (1, 4))


DRAWN = [
    pytest.param([(1, 1), (5, 1), (5, 3), (1, 3)], "rectangle", "rectangle", id="upright"),
    pytest.param([(1, 1 + 1e-9), (5, 1), (5, 3), (1, 3)], "rectangle", "rectangle", id="upright but for rounding"),
    pytest.param([(2, 0), (4, 2), (2, 4), (0, 2)], "rectangle", "rotated-rectangle", id="turned"),
    pytest.param([(0, 0), (4, 0), (4, 4)], "polygon", "polygon", id="polygon"),
    pytest.param([(0, 0), (4, 0)], "line", "line", id="an upright line is no empty box"),
]


@pytest.mark.parametrize(("points", "drawn", "kind"), DRAWN)
def test_drawn_shapes(points, drawn, kind):
    roi = roi_from_points(points, drawn, name="n", map_id="7")
    assert (roi.kind, roi.name, roi.map_id) == (kind, "n", "7")
    assert (roi.geometry is None) == (kind == "rectangle")
    if kind == "line":
        assert not roi.geometry.closed
        assert roi.region == Region(-LINE_PADDING_PX, 4 + LINE_PADDING_PX, -LINE_PADDING_PX, LINE_PADDING_PX)


coordinates = st.floats(-1e6, 1e6)


@given(points=st.lists(st.tuples(coordinates, coordinates), min_size=3, max_size=7))
def test_the_box_encloses_the_shape(points):
    try:
        roi = roi_from_points(points, "polygon")
    except ValueError:
        assert len({x for x, _ in points}) == 1 or len({y for _, y in points}) == 1
        return
    assert all(roi.x_min <= x <= roi.x_max and roi.y_min <= y <= roi.y_max for x, y in points)
    assert roi.points == tuple(points)


def test_an_empty_shape_is_refused():
    with pytest.raises(ValueError, match="the box is empty"):
        roi_from_points([(1, 1), (1, 1), (1, 1)], "polygon")
    with pytest.raises(ValueError, match="2 points, expected at least 3"):
        Geometry(points=((0, 0), (1, 1)))

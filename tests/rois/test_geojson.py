"""GeoJSON as QuPath has it: written so that it opens there, read as it comes from there."""

import json

import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st

from napari_slicemap.errors import FileFormatError
from napari_slicemap.rois.frames import Frame, Frames
from napari_slicemap.rois.geojson import read_geojson, write_geojson
from napari_slicemap.rois.roi import Roi, roi_from_points

MAPS = (Frame(map_id="00"), Frame(map_id="01"), Frame(map_id="02"))
FRAMES = Frames(MAPS, MAPS[1])
RING = [[1, 2], [5, 2], [5, 4], [1, 4], [1, 2]]


def write(tmp_path, data):
    path = tmp_path / "a.geojson"
    path.write_text(json.dumps(data), encoding="utf-8")
    return path


def feature(geometry=None, **properties):
    geometry = geometry or {"type": "Polygon", "coordinates": [RING]}
    return {"type": "Feature", "id": "PathAnnotationObject", "geometry": geometry, "properties": properties}


words = st.text(st.characters(codec="utf-8", exclude_characters=";\r"), max_size=12).map(str.strip)
number = st.floats(-1e6, 1e6)
shapes = st.one_of(
    st.tuples(st.just("rectangle"), st.tuples(number, number).map(lambda p: _box(*p))),
    st.tuples(st.just("polygon"), st.lists(st.tuples(number, number), min_size=3, max_size=6)),
    st.tuples(st.just("line"), st.lists(st.tuples(number, number), min_size=2, max_size=5)),
)


def _box(x, y):
    return [(x, y), (x + 10, y), (x + 10, y + 5), (x, y + 5)]


@st.composite
def rois(draw):
    kind, points = draw(shapes)
    fields = {name: draw(words) for name in ("name", "comment", "profile")}
    tags = tuple(draw(st.lists(words, max_size=3)))
    frame = draw(st.sampled_from([*MAPS, Frame(fov="f 1")]))
    try:
        made = roi_from_points(points, kind, **frame.fields)
    except ValueError:
        made = roi_from_points(_box(0, 0), "rectangle", **frame.fields)
    return Roi.model_validate(made.model_dump() | fields | {"tags": tags})


@given(made=st.lists(rois(), max_size=4))
def test_what_is_written_comes_back(tmp_path_factory, made):
    path = tmp_path_factory.mktemp("round") / "r.geojson"
    write_geojson(path, made, FRAMES)
    found = read_geojson(path, FRAMES)
    assert (list(found.rois), found.problems) == (made, ())


def test_others_read_what_is_written(tmp_path):
    made = [
        roi_from_points([(1, 2), (5, 2), (5, 4), (1, 4)], "rectangle", name="a", map_id="02"),
        roi_from_points([(0, 0), (3, 4)], "line", name="b", map_id="00"),
    ]
    made[0] = made[0].model_copy(update={"tags": ("tumour", "x"), "comment": "seen"})
    path = tmp_path / "r.geojson"
    write_geojson(path, made, FRAMES)
    collection = shapely.from_geojson(path.read_text("utf-8"))
    assert [one.geom_type for one in collection.geoms] == ["Polygon", "LineString"]
    assert (collection.geoms[0].area, collection.geoms[1].length) == (8, 5)
    first = json.loads(path.read_text("utf-8"))["features"][0]
    assert first["id"] == made[0].roi_id
    assert first["geometry"]["plane"] == {"c": -1, "z": 2, "t": 0}
    assert first["properties"]["objectType"] == "annotation"
    assert first["properties"]["classification"] == {"name": "tumour"}
    assert first["properties"]["metadata"]["ANNOTATION_DESCRIPTION"] == "seen"


FOREIGN = [
    pytest.param([feature(name="T")], "T", "rectangle", "01", (), id="a bare list, as older versions"),
    pytest.param(feature(), "", "rectangle", "01", (), id="one feature"),
    pytest.param(
        {"type": "FeatureCollection", "features": [feature(classification={"name": "Tumor", "colorRGB": -3670016})]},
        "", "rectangle", "01", ("Tumor",), id="a class",
    ),
    pytest.param(
        [feature(classification={"names": ["Tumor", "Positive"]})], "", "rectangle", "01", ("Tumor", "Positive"),
        id="a derived class",
    ),
    pytest.param(
        [feature(classification={"name": "Tumor: Positive"})], "", "rectangle", "01", ("Tumor", "Positive"),
        id="a derived class, joined",
    ),
    pytest.param(
        [feature({"type": "Polygon", "coordinates": [[[0, 0], [4, 1], [2, 5], [0, 0]]], "plane": {"z": 2}})],
        "", "polygon", "02", (), id="a plane",
    ),
    pytest.param(
        [feature({"type": "LineString", "coordinates": [[0, 0], [4, 1]], "plane": {"c": -1, "z": 0, "t": 0}})],
        "", "line", "01", (), id="a line on the plane that all have",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("data", "name", "kind", "map_id", "tags"), FOREIGN)
def test_files_of_qupath(tmp_path, data, name, kind, map_id, tags):
    found = read_geojson(write(tmp_path, data), FRAMES)
    (roi,) = found.rois
    assert found.problems == ()
    assert (roi.name, roi.kind, roi.map_id, roi.tags) == (name, kind, map_id, tags)
    assert len(roi.roi_id) == 36


HOLE = {"type": "Polygon", "coordinates": [RING, [[2, 2], [3, 2], [3, 3], [2, 2]]]}
PROBLEMS = [
    pytest.param(feature({"type": "MultiPolygon", "coordinates": [[RING]]}, name="T"), '1 "T": a MultiPolygon', id="m"),
    pytest.param(feature({"type": "Point", "coordinates": [1, 2]}), "object 1: a Point cannot", id="point"),
    pytest.param(feature(HOLE), "it has holes", id="hole"),
    pytest.param(feature({"type": "Polygon", "coordinates": []}), "no coordinates", id="nothing"),
    pytest.param(feature({"type": "Polygon", "coordinates": [["x"]]}), "no pairs of numbers", id="text"),
    pytest.param(feature({"type": "Polygon", "coordinates": [[[0, 0], [1, 1]]]}), "expected at least 3", id="two"),
    pytest.param(
        feature({"type": "Polygon", "coordinates": [RING], "plane": {"z": 9}}), "plane z = 9, and there are 3", id="z"
    ),
    pytest.param(feature(objectType="detection"), "1 objects of type detection are no annotations", id="detection"),
]


@pytest.mark.parametrize(("data", "message"), PROBLEMS)
def test_what_cannot_be_an_roi_is_named_and_the_rest_is_read(tmp_path, data, message):
    found = read_geojson(write(tmp_path, [data, feature(name="good")]), FRAMES)
    assert [roi.name for roi in found.rois] == ["good"]
    (problem,) = found.problems
    assert message in problem
    assert "a.geojson" in problem


def test_without_a_default_the_map_must_be_said(tmp_path):
    found = read_geojson(write(tmp_path, [feature()]), Frames(MAPS))
    assert found.rois == ()
    assert "does not say which map or FOV" in found.problems[0]


@pytest.mark.parametrize("data", [{"type": "Topology"}, "text", 3, [5]])
def test_what_is_no_geojson_is_refused(tmp_path, data):
    with pytest.raises(FileFormatError, match=r"a\.geojson"):
        read_geojson(write(tmp_path, data), FRAMES)

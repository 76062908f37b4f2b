"""Which file it is, the file says; shapes of napari; what importing does to a table."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_slicemap.errors import FileFormatError, PlanError
from napari_slicemap.rois.frames import Frame, Frames
from napari_slicemap.rois.interchange import merge, read_rois, write_rois
from napari_slicemap.rois.roi import roi_from_points
from napari_slicemap.rois.table import RoiTable

MAPS = (Frame(map_id="00"), Frame(map_id="01"))
FRAMES = Frames(MAPS, MAPS[0])
HEAD = "index,shape-type,vertex-index,axis-0,axis-1"


def square(x=0.0, kind="polygon", **fields):
    return roi_from_points([(x, 0), (x + 4, 0), (x + 4, 3), (x, 3)], kind, **({"map_id": "01"} | fields))


@pytest.mark.parametrize(
    ("name", "file_format"), [("r.csv", None), ("r.geojson", None), ("r.json", "geojson"), ("r.ome.xml", None)]
)
def test_all_of_an_roi_comes_back(tmp_path, name, file_format):
    rois = [square(name="a", profile="p", comment="c, d"), square(kind="rectangle", name="b", map_id="", fov="f")]
    assert write_rois(tmp_path / name, rois, FRAMES, file_format) == []
    assert list(read_rois(tmp_path / name, FRAMES).rois) == rois


@given(
    points=st.lists(st.tuples(st.floats(-1e5, 1e5), st.floats(-1e5, 1e5)), min_size=3, max_size=5),
    kind=st.sampled_from(["polygon", "line"]),
    number=st.integers(0, 1),
)
def test_shapes_come_back_as_shapes(tmp_path_factory, points, kind, number):
    try:
        roi = roi_from_points(points, kind, **MAPS[number].fields)
    except ValueError:
        return
    path = tmp_path_factory.mktemp("shapes") / "s.csv"
    write_rois(path, [roi], FRAMES, "shapes")
    (found,) = read_rois(path, FRAMES).rois
    assert (found.kind, found.map_id, found.name) == (kind, roi.map_id, "")
    for one, other in zip(found.points, roi.points, strict=True):
        assert one == pytest.approx(other, abs=1e-9)


def test_rois_on_fovs_have_no_plane_among_maps(tmp_path):
    left_out = write_rois(tmp_path / "s.csv", [square(), square(map_id="", fov="f", name="x")], FRAMES, "shapes")
    assert left_out == ["ROI x is left out: it is on FOV f, which is no plane"]
    assert len(read_rois(tmp_path / "s.csv", FRAMES).rois) == 1


def test_a_layer_of_two_axes_goes_on_the_default(tmp_path):
    path = tmp_path / "s.csv"
    rows = "".join(f"0.0,rectangle,{n},{y},{x}\n" for n, (y, x) in enumerate([(1, 1), (1, 5), (4, 5), (4, 1)]))
    path.write_text(f"{HEAD}\n{rows}", encoding="utf-8")
    (roi,) = read_rois(path, FRAMES).rois
    assert (roi.map_id, roi.x_min, roi.x_max, roi.y_min, roi.y_max) == ("00", 1.5, 5.5, 1.5, 4.5)


SHAPES = [
    pytest.param("0,ellipse,0,1,1\n", "'ellipse' cannot be an ROI", id="ellipse"),
    pytest.param("0,polygon,0,1,1\n0,polygon,1,2,2\n", "expected at least 3", id="two points"),
]


@pytest.mark.parametrize(("rows", "message"), SHAPES)
def test_shapes_that_are_no_rois_are_named(tmp_path, rows, message):
    path = tmp_path / "s.csv"
    path.write_text(f"{HEAD}\n{rows}", encoding="utf-8")
    found = read_rois(path, FRAMES)
    assert found.rois == ()
    assert message in found.problems[0]


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        pytest.param("0,path,0,0,1,x\n", "axis-2 is 'x', expected a number", id="text"),
        pytest.param("0,path,,0,1,2\n", "vertex-index is empty", id="empty"),
    ],
)
def test_a_broken_table_of_shapes_is_refused(tmp_path, rows, message):
    path = tmp_path / "s.csv"
    path.write_text(f"{HEAD},axis-2\n{rows}", encoding="utf-8")
    with pytest.raises(FileFormatError, match=message):
        read_rois(path, FRAMES)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        pytest.param("r.txt", "", "expected .csv, .geojson, .json, .ome.xml, .magc", id="suffix"),
        pytest.param("r.csv", "a,b\n1,2\n", "these columns are neither", id="another table"),
    ],
)
def test_other_files_are_refused(tmp_path, name, content, message):
    (tmp_path / name).write_text(content, encoding="utf-8")
    with pytest.raises(FileFormatError, match=message):
        read_rois(tmp_path / name, FRAMES)


def test_a_format_must_be_told(tmp_path):
    with pytest.raises(PlanError, match=r"ends in \.csv, \.geojson or \.ome\.xml"):
        write_rois(tmp_path / "r.xyz", [square()], FRAMES)


def test_merging_counts_and_names():
    a, b, c = square(name="ROI_001"), square(1, name="b"), square(2)
    table = RoiTable([a, b])
    changed = b.model_copy(update={"comment": "new"})
    what = merge(table, [a, changed, c])
    assert (what.same, what.changed) == (1, (changed,))
    assert [roi.name for roi in what.new] == ["ROI_002"]
    assert what.new[0].roi_id == c.roi_id
    with pytest.raises(PlanError, match="stands twice"):
        merge(table, [c, c])

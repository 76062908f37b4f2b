"""UELer's ``roi_manager.csv``: 24 columns, as pandas writes them."""

import json

import pandas as pd
import pytest

from napari_slicemap import Region, RoiTable
from napari_slicemap.errors import FileFormatError
from napari_slicemap.rois.roi import LINE_PADDING_PX
from napari_slicemap.rois.ueler import read_roi_manager

COLUMNS = [
    "roi_id",
    "fov",
    "map_id",
    "x",
    "y",
    "width",
    "height",
    "x_min",
    "x_max",
    "y_min",
    "y_max",
    "marker_set",
    "tags",
    "annotation_palette",
    "mask_color_set",
    "mask_visibility",
    "widget_states",
    "comment",
    "created_at",
    "updated_at",
    "name",
    "roi_kind",
    "geometry",
    "style",
]
LINE = json.dumps({"points": [[10, 10], [20, 15]], "closed": False})
POLYGON = json.dumps({"vertices": [{"x": 0, "y": 0}, {"x": 8, "y": 0}, {"x": 8, "y": 6}], "closed": True})


def write(path, *rows):
    base = {
        "roi_id": "u1",
        "fov": "a",
        "x_min": 1.0,
        "x_max": 9.0,
        "y_min": 2.0,
        "y_max": 7.0,
        "marker_set": "tissue",
        "tags": "tumour, edge",
        "created_at": "2025-01-01T00:00:00",
        "roi_kind": "view",
    }
    pd.DataFrame([{**base, **row} for row in rows], columns=COLUMNS).to_csv(path, index=False)
    return path


def test_there_are_24_columns(tmp_path):
    assert len(pd.read_csv(write(tmp_path / "m.csv", {})).columns) == 24


def test_a_view_bookmark_becomes_a_rectangle(tmp_path):
    (one,) = read_roi_manager(write(tmp_path / "m.csv", {"comment": "look", "name": "b1"}))
    assert (one.roi_id, one.name, one.fov, one.map_id) == ("u1", "b1", "a", "")
    assert (one.kind, one.region, one.geometry) == ("rectangle", Region(1, 9, 2, 7), None)
    assert (one.profile, one.tags, one.comment) == ("tissue", ("tumour", "edge"), "look")
    assert one.created_at == "2025-01-01T00:00:00"


def test_a_column_of_map_ids_with_gaps_comes_back_whole(tmp_path):
    """Pandas turns 7 beside an empty cell into 7.0; the map is still called 7."""
    path = write(tmp_path / "m.csv", {"map_id": 7, "fov": None}, {"roi_id": "u2", "map_id": None})
    assert "7.0" in path.read_text()
    assert [(one.map_id, one.on) for one in read_roi_manager(path)] == [("7", "map"), ("", "fov")]


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        pytest.param("7.0", "7", id="a number of pandas"),
        pytest.param("v1.0", "v1.0", id="a name that only ends so"),
        pytest.param("007", "007", id="zeros in front"),
        pytest.param("7.5", "7.5", id="another number"),
        pytest.param("nan", "", id="nan"),
    ],
)
def test_map_ids(tmp_path, cell, expected):
    (one,) = read_roi_manager(write(tmp_path / "m.csv", {"map_id": cell}))
    assert one.map_id == expected


def test_a_polygon_keeps_its_vertices_and_its_box_is_computed_anew(tmp_path):
    (one,) = read_roi_manager(write(tmp_path / "m.csv", {"roi_kind": "polygon", "geometry": POLYGON}))
    assert (one.kind, one.points, one.region) == ("polygon", ((0, 0), (8, 0), (8, 6)), Region(0, 8, 0, 6))


def test_a_lines_padded_box_is_computed_anew(tmp_path):
    row = {"roi_kind": "line", "geometry": LINE, "x_min": 0.0, "x_max": 500.0}
    (one,) = read_roi_manager(write(tmp_path / "m.csv", row))
    pad = LINE_PADDING_PX
    assert (one.kind, one.region) == ("line", Region(10 - pad, 20 + pad, 10 - pad, 15 + pad))


def test_what_was_imported_survives_our_own_file(tmp_path):
    table = read_roi_manager(
        write(
            tmp_path / "m.csv",
            {},
            {"roi_id": "u2", "roi_kind": "line", "geometry": LINE, "fov": None, "map_id": 7},
            {"roi_id": "u3", "roi_kind": "polygon", "geometry": POLYGON},
        )
    )
    table.write(tmp_path / "rois.csv")
    assert RoiTable.read(tmp_path / "rois.csv") == table


BROKEN = [
    pytest.param({"roi_id": None}, "line 2: roi_id", id="no id"),
    pytest.param({"x_min": None}, "line 2: x_min", id="no bound"),
    pytest.param({"x_min": "left"}, "line 2: x_min is 'left'", id="no number"),
    pytest.param({"x_max": 1.0}, "line 2: the box is empty", id="empty box"),
    pytest.param({"roi_kind": "polygon"}, "line 2: geometry cannot be read", id="no geometry"),
    pytest.param({"geometry": "{oops"}, "line 2: geometry cannot be read", id="no JSON"),
    pytest.param({"geometry": "null"}, "line 2: geometry cannot be read", id="null"),
    pytest.param({"geometry": "5"}, "line 2: geometry cannot be read", id="a number"),
    pytest.param({"geometry": "{}"}, "line 2: geometry cannot be read .it has no points", id="no points"),
    pytest.param({"geometry": '{"points": [[1]]}'}, "line 2: geometry cannot be read", id="one coordinate"),
    pytest.param({"geometry": '{"points": [{"x": 1}]}'}, "line 2: geometry cannot be read", id="no y"),
    pytest.param({"geometry": '{"points": [["a", 1]]}'}, "line 2: geometry cannot be read", id="no coordinate"),
    pytest.param({"geometry": '{"points": [[1, 2]]}'}, "line 2: .*1 points, expected at least 2", id="one point"),
    pytest.param({"geometry": '{"points": 3}'}, "line 2: geometry cannot be read", id="points a number"),
]


@pytest.mark.parametrize(("row", "message"), BROKEN)
def test_a_broken_row_is_told(tmp_path, row, message):
    path = write(tmp_path / "m.csv", row)
    with pytest.raises(FileFormatError, match=message) as caught:
        read_roi_manager(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_an_id_twice_is_told(tmp_path):
    with pytest.raises(FileFormatError, match=r"m.csv: ROI id u1 stands twice"):
        read_roi_manager(write(tmp_path / "m.csv", {}, {}))

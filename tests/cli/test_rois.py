"""``slicemap rois``: listed, written for other tools, taken from them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
import shapely

from napari_slicemap.rois.roi import Roi, roi_from_points
from napari_slicemap.rois.table import RoiTable

if TYPE_CHECKING:
    from pathlib import Path

    from .conftest import Shell


def square(x: float, name: str, **fields: str) -> Roi:
    points = [(x, 4), (x + 20, 4), (x + 20, 14), (x, 14)]
    return roi_from_points(points, "rectangle", name=name, **(fields or {"map_id": "7"}))


@pytest.fixture
def marked(own: Path) -> Path:
    """The acquisition with an ROI within a map of 76 px, one half out of it, one on a FOV, and one on nothing."""
    tagged = square(4, "in").model_copy(update={"tags": ("figure",)})
    rois = [tagged, square(66, "out"), square(4, "fov", fov="a"), square(4, "lost", map_id="77")]
    RoiTable(rois).write(own / "rois.csv")
    return own


def test_list_says_size_slice_and_what_is_empty(slicemap: Shell, marked: Path) -> None:
    code, out, _ = slicemap("rois", "list", marked, "--json")
    facts = {one["name"]: one for one in json.loads(out)}
    assert code == 0
    assert list(facts) == ["in", "out", "fov", "lost"]
    assert facts["in"]["slice_id"] == facts["out"]["slice_id"] == facts["fov"]["slice_id"] == "07"
    assert facts["in"]["area"] == pytest.approx(200 * 0.25)
    assert (facts["in"]["empty"], facts["out"]["empty"], facts["fov"]["empty"]) == (0, 0.5, 0)
    assert facts["out"]["empty_text"] == "50 %"
    assert "unknown map '77'" in facts["lost"]["fault"]
    _, text, _ = slicemap("rois", "list", marked, "--tags", "figure")
    assert "50 µm²" in text
    assert "out" not in text


def test_geojson_goes_out_and_in(slicemap: Shell, marked: Path, tmp_path: Path) -> None:
    before = (marked / "rois.csv").read_bytes()
    file = tmp_path / "r.geojson"
    assert slicemap("rois", "export", marked, file)[1].startswith("4 ROIs written")
    assert len(shapely.from_geojson(file.read_text("utf-8")).geoms) == 4
    assert slicemap("rois", "export", marked, file)[0] == 2
    assert slicemap("rois", "export", marked, file, "--force")[0] == 0
    assert "0 new, 0 replaced, 4 as they were" in slicemap("rois", "import", marked, file)[1]
    assert (marked / "rois.csv").read_bytes() == before
    RoiTable().write(marked / "rois.csv")
    code, out, err = slicemap("rois", "import", marked, file)
    assert (code, out) == (0, "4 new, 0 replaced, 0 as they were\n")
    assert "ROI lost: unknown map '77'" in err
    assert (marked / "rois.csv").read_bytes() == before


def test_known_ids_are_replaced_only_if_asked(slicemap: Shell, marked: Path, tmp_path: Path) -> None:
    rois = list(RoiTable.read(marked / "rois.csv"))
    RoiTable([rois[0].model_copy(update={"comment": "new"})]).write(tmp_path / "r.csv")
    _, out, _ = slicemap("rois", "import", marked, tmp_path / "r.csv")
    assert "1 of known ids left as they are" in out
    assert list(RoiTable.read(marked / "rois.csv")) == rois
    assert "1 replaced" in slicemap("rois", "import", marked, tmp_path / "r.csv", "--replace")[1]
    assert [one.comment for one in RoiTable.read(marked / "rois.csv")] == ["new", "", "", ""]


def test_shapes_of_others_go_where_they_are_told(slicemap: Shell, marked: Path, tmp_path: Path) -> None:
    file = tmp_path / "s.csv"
    rows = "".join(f"0,polygon,{n},{y},{x}\n" for n, (y, x) in enumerate([(1, 1), (1, 5), (4, 5)]))
    file.write_text(f"index,shape-type,vertex-index,axis-0,axis-1\n{rows}", "utf-8")
    code, out, err = slicemap("rois", "import", marked, file)
    assert (code, out) == (0, "0 new, 0 replaced, 0 as they were\n")
    assert "does not say which map or FOV" in err
    slicemap("rois", "import", marked, file, "--map", "8", "--names", "core {n}")
    slicemap("rois", "import", marked, file, "--fov", "b")
    made = list(RoiTable.read(marked / "rois.csv"))[4:]
    assert [(one.name, one.map_id, one.fov) for one in made] == [("core 1", "8", ""), ("ROI_001", "", "b")]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        pytest.param(("--map", "nowhere"), "unknown map 'nowhere'", id="map"),
        pytest.param(("--map", "7", "--fov", "a"), "exclude one another", id="both"),
        pytest.param(("--names", "core"), "expected one number", id="pattern"),
    ],
)
def test_what_cannot_be_imported_is_told(
    slicemap: Shell, marked: Path, tmp_path: Path, words: tuple[str, ...], message: str
) -> None:
    file = tmp_path / "s.csv"
    rows = "".join(f"0,polygon,{n},0,{y},{x}\n" for n, (y, x) in enumerate([(1, 1), (1, 5), (4, 5)]))
    file.write_text(f"index,shape-type,vertex-index,axis-0,axis-1,axis-2\n{rows}", "utf-8")
    before = (marked / "rois.csv").read_bytes()
    code, _, err = slicemap("rois", "import", marked, file, *words)
    assert code == 2
    assert message in err
    assert (marked / "rois.csv").read_bytes() == before


def test_a_format_that_is_none_is_told(slicemap: Shell, marked: Path, tmp_path: Path) -> None:
    code, _, err = slicemap("rois", "export", marked, tmp_path / "r.csv", "--format", "svg")
    assert code == 2
    assert "--format svg: there is csv, geojson, shapes, ome-xml" in err


def test_a_wafer_file_goes_where_it_is_told_and_is_known_again(slicemap: Shell, marked: Path, tmp_path: Path) -> None:
    file = tmp_path / "w.magc"
    file.write_text("[sections.0000]\npolygon = 1,2,5,2,5,4\n[landmarks.0000]\nlocation = 1,1\n")
    code, _, err = slicemap("rois", "import", marked, file)
    assert code == 2
    assert "there is no map w; name the one that shows this wafer" in err
    code, out, err = slicemap("rois", "import", marked, file, "--map", "8")
    assert (code, out) == (0, "1 new, 0 replaced, 0 as they were\n")
    assert "landmarks (1) have no counterpart here" in err
    assert slicemap("rois", "import", marked, file, "--map", "8")[1] == "0 new, 0 replaced, 1 as they were\n"
    assert list(RoiTable.read(marked / "rois.csv"))[-1].map_id == "8"


def test_ome_xml_says_itself_what_rois_are_on(slicemap: Shell, marked: Path, tmp_path: Path) -> None:
    file = tmp_path / "r.ome.xml"
    before = list(RoiTable.read(marked / "rois.csv"))
    assert slicemap("rois", "export", marked, file)[1].startswith("4 ROIs written")
    RoiTable().write(marked / "rois.csv")
    assert slicemap("rois", "import", marked, file)[1].startswith("4 new")
    assert list(RoiTable.read(marked / "rois.csv")) == before

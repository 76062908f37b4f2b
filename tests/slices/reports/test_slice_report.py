"""The report of a slice table."""

import json

import numpy as np
import pytest
import zarr
from html_reading import parse

from napari_slicemap.errors import DatasetNotFoundError, FileFormatError, PlanError
from napari_slicemap.slices import slice_config
from napari_slicemap.slices.diagnostics import write_diagnostics
from napari_slicemap.slices.reports.slice_report import write_slice_report

TABLE = """\
slice_id,use,quality_score,galvo_confidence,rehomed,auto_excluded,auto_exclude_reason,notes,depth_um,stain
00,false,0.000,,,,,calibration_slice,12,DAPI
01,true,0.800,0.25,true,,,,12.5,none
02,false,0.300,0.75,,,,low_quality (quality_score<0.4),,DAPI
03,true,0.600,,,true,<script>noisy</script>,,-3e1,DAPI
05,true,0.700,,,,,,7,DAPI
"""


@pytest.fixture
def table(tmp_path):
    path = tmp_path / "slice_config.csv"
    path.write_text(TABLE, encoding="utf-8")
    return path


@pytest.fixture
def diagnostics(tmp_path):
    folder = tmp_path / "diagnostics"
    for slice_id, ssim in (("01", 0.5), ("02", 0.25), ("03", float("nan"))):
        write_diagnostics(
            folder,
            slice_id,
            "quality",
            {"ssim": ssim, "planes": [1, 2], "ok": True, "depth": 3, "score": 0.5, "neighbours": {"02": {"ssim": 0.1}}},
        )
    write_diagnostics(folder, "02", "galvo", {"parts": {"contrast": 0.5}, "axis": "x"})
    return folder


@pytest.fixture
def mosaics(tmp_path):
    folder = tmp_path / "mosaics"
    for slice_id in ("1", "02", "03"):
        array = zarr.create_array(
            folder / f"mosaic_z{slice_id}.zarr", shape=(3, 60, 90), chunks=(1, 60, 90), dtype="u2"
        )
        array[:] = np.random.default_rng(1).integers(0, 900, (3, 60, 90))
    return folder


def page_of(path):
    return parse(path.read_text(encoding="utf-8"))


def plots_of(page):
    """Give title → what each slice says."""
    return {
        figure.all("h3")[0].words: [one.all("title")[0].words for one in figure.all("g", class_="slice")]
        for figure in page.all("figure", class_="plot")
    }


def test_every_stamp_and_reason_stands_in_the_page(table, tmp_path):
    write_slice_report(table, tmp_path / "report.html")
    page = page_of(tmp_path / "report.html")
    header = [cell.words for cell in page.all("thead")[0].all("th")]
    assert header == ["slice_id", "decision", "why", *TABLE.splitlines()[0].split(",")[1:]]
    cells = {row.children[0].words: [one.words for one in row.children] for row in page.all("tbody")[0].children}
    assert list(cells) == ["00", "01", "02", "03", "05"]
    for line in TABLE.splitlines()[1:]:
        slice_id, *rest = line.split(",")
        assert cells[slice_id][3:] == [rest[0], *rest[1:]], slice_id
    assert {one: row[1:3] for one, row in cells.items()} == {
        "00": ["excluded", "use is false: calibration_slice"],
        "01": ["used", ""],
        "02": ["excluded", "use is false: low_quality (quality_score<0.4)"],
        "03": ["excluded", "auto_excluded: <script>noisy</script>"],
        "05": ["used", ""],
    }
    facts = dict(zip(*([one.words for one in page.all(tag)] for tag in ("dt", "dd")), strict=True))
    assert facts["Used"] == "2 of 5 slices"
    assert facts["Not in the table"] == "04"
    assert "00 (use is false: calibration_slice)" in facts["Excluded"]


def test_columns_that_are_empty_are_named_once(table, tmp_path):
    table.write_text(TABLE.replace("rehomed", "galvo_fix").replace("true,,,", ",,,"), encoding="utf-8")
    report = write_slice_report(table, tmp_path / "report.html")
    assert "galvo_fix" not in report.page.table.columns
    assert report.page.facts["Empty columns"] == "galvo_fix"


def test_every_number_is_drawn(table, diagnostics, tmp_path):
    report = write_slice_report(table, tmp_path / "report.html", diagnostics=diagnostics)
    plots = plots_of(page_of(tmp_path / "report.html"))
    assert list(plots) == ["Quality score", "Galvo confidence", "depth_um", "galvo.parts.contrast", "quality.ssim"]
    assert plots["Quality score"][2:4] == ["slice 02: 0.3 (excluded)", "slice 03: 0.6 (excluded)"]
    assert plots["depth_um"] == [
        "slice 00: 12 (excluded)",
        "slice 01: 12.5",
        "slice 02: no value (excluded)",
        "slice 03: -30 (excluded)",
        "slice 05: 7",
    ]
    assert plots["quality.ssim"][1] == "slice 01: 0.5"
    assert plots["quality.ssim"][3] == "slice 03: no value (excluded)"
    assert report.page.facts["quality.depth"] == "3", "the same for all: said once"
    assert report.page.plots[0].limit == 0.4
    assert report.notes == ("no diagnostics: 00, 05",)


def test_limits_that_differ_are_not_drawn(table, tmp_path):
    rows = slice_config.stamp(slice_config.read(table), "03", {"notes": "low_quality (quality_score<0.9)"})
    slice_config.write(table, rows)
    assert write_slice_report(table, tmp_path / "report.html").page.plots[0].limit is None


def test_pictures_are_of_the_slices_that_have_an_image(table, mosaics, tmp_path):
    told = []
    report = write_slice_report(
        table, tmp_path / "report.html", mosaics=mosaics, on_progress=lambda *done: told.append(done)
    )
    figures = page_of(tmp_path / "report.html").all("div", class_="strip")[0].all("figure")
    assert [one.words for one in figures] == [
        "01 quality 0.800",
        "02 excluded quality 0.300",
        "03 excluded quality 0.600",
    ]
    assert report.notes == ("no image: 00, 05",)
    assert told == [(n, 5) for n in range(1, 6)]


def test_an_image_that_cannot_be_read_costs_its_picture_alone(table, mosaics, tmp_path):
    (mosaics / "mosaic_z02.zarr" / "zarr.json").write_text("{}")
    report = write_slice_report(table, tmp_path / "report.html", mosaics=mosaics)
    assert [one.slice_id for one in report.page.thumbnails] == ["01", "03"]
    assert "slice 02: " in report.notes[1]
    assert "mosaic_z02.zarr" in report.notes[1]
    assert "mosaic_z02.zarr" in page_of(tmp_path / "report.html").all("dl")[0].words


def test_the_twin_says_the_same_to_programs(table, diagnostics, tmp_path):
    write_slice_report(table, tmp_path / "report.html", diagnostics=diagnostics)
    data = json.loads((tmp_path / "report.json").read_text(encoding="utf-8"))
    assert data["version"] == 1
    assert data["counts"] == {"slices": 5, "used": 2, "excluded": 3}
    assert data["gaps"] == [{"first": "04", "last": "04"}]
    by_id = {one["slice_id"]: one for one in data["slices"]}
    assert by_id["03"]["why_excluded"] == "auto_excluded: <script>noisy</script>"
    assert by_id["01"]["row"]["galvo_confidence"] == 0.25
    assert by_id["01"]["row"]["auto_excluded"] is None
    assert by_id["02"]["diagnostics"]["galvo"] == {"parts": {"contrast": 0.5}, "axis": "x"}
    assert data["notes"] == ["no diagnostics: 00, 05"]


def test_the_same_run_gives_the_same_bytes_anywhere(table, diagnostics, mosaics, tmp_path):
    for name in ("a", "b/c"):
        write_slice_report(table, tmp_path / name / "report.html", diagnostics=diagnostics, mosaics=mosaics)
    for file in ("report.html", "report.json"):
        made = (tmp_path / "a" / file).read_bytes()
        assert made == (tmp_path / "b" / "c" / file).read_bytes()
        assert str(tmp_path).encode() not in made


def test_a_table_of_ids_alone_makes_a_report(tmp_path):
    (tmp_path / "ids.csv").write_text("slice_id\n00\n01\n")
    report = write_slice_report(tmp_path / "ids.csv", tmp_path / "report.html")
    assert report.page.plots == ()
    assert page_of(tmp_path / "report.html").all("tbody")[0].words == "00 used true 01 used true"


def test_a_table_without_slices_makes_a_report(tmp_path):
    (tmp_path / "none.csv").write_text("slice_id,use\n")
    write_slice_report(tmp_path / "none.csv", tmp_path / "report.html")
    assert "0 of 0 slices" in page_of(tmp_path / "report.html").all("dl")[0].words


@pytest.mark.parametrize(
    ("out", "twin", "said"),
    [
        pytest.param("there.html", None, "there.html is there already; --force replaces it", id="page-there"),
        pytest.param("new.html", "there.html", "there.html is there already", id="twin-there"),
        pytest.param("slice_config.csv", None, "the slice table itself", id="over-the-table"),
        pytest.param("new.html", "slice_config.csv", "the slice table itself", id="twin-over-the-table"),
        pytest.param("new.json", None, "cannot be both the page and its JSON", id="one-file"),
        pytest.param("folder", None, "is a folder; name a file", id="folder"),
    ],
)
def test_nothing_is_replaced_unasked(table, tmp_path, out, twin, said):
    (tmp_path / "folder").mkdir()
    (tmp_path / "there.html").write_text("mine")
    before = sorted(tmp_path.iterdir())
    with pytest.raises(PlanError, match=said):
        write_slice_report(table, tmp_path / out, json_file=twin and tmp_path / twin)
    assert sorted(tmp_path.iterdir()) == before
    assert (tmp_path / "there.html").read_text() == "mine"
    assert table.read_text() == TABLE


@pytest.mark.parametrize("out", ["slice_config.csv", "folder"])
def test_force_replaces_reports_alone(table, tmp_path, out):
    (tmp_path / "folder").mkdir()
    with pytest.raises(PlanError, match=r"table itself|is a folder"):
        write_slice_report(table, tmp_path / out, force=True)
    (tmp_path / "there.html").write_text("mine")
    write_slice_report(table, tmp_path / "there.html", force=True)
    assert page_of(tmp_path / "there.html").all("h1")


def test_what_is_missing_or_wrong_is_named(table, tmp_path):
    with pytest.raises(DatasetNotFoundError, match="nowhere: there is no such folder"):
        write_slice_report(table, tmp_path / "report.html", diagnostics=tmp_path / "nowhere")
    with pytest.raises(DatasetNotFoundError, match="nowhere: there is no such folder"):
        write_slice_report(table, tmp_path / "report.html", mosaics=tmp_path / "nowhere")
    (tmp_path / "slice_01.json").write_text("[]")
    with pytest.raises(FileFormatError, match=r"slice_01\.json"):
        write_slice_report(table, tmp_path / "report.html", diagnostics=tmp_path)
    assert not (tmp_path / "report.html").exists()
    assert not (tmp_path / "report.json").exists()

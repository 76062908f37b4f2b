"""``slicemap slices quality``: from mosaics to a stamped table, numbers per slice and a report."""

from __future__ import annotations

import csv
import json
import shutil
import sys
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from builders import write_ome_zarr
from napari_slicemap.errors import PlanError
from napari_slicemap.slices import slice_config
from napari_slicemap.slices.quality import assess_slice_quality
from napari_slicemap.slices.quality.report import QualitySettings
from napari_slicemap.slices.slice_config import CANONICAL_COLUMNS

Shell = Callable[..., tuple[int, str, str]]
IDS = ("00", "01", "02", "03", "05")
SPOILT = "03"


def volume(slice_id: str) -> np.ndarray:
    y, x = np.mgrid[:40, :44]
    n = int(slice_id)
    ground = np.random.default_rng(9).normal(0, 40, (6, 40, 44))
    made = 1000 + 300 * np.sin((x + n) / 5) * np.cos(y / 4) + ground
    if slice_id == SPOILT:
        made[:, :, 10:30] = 500
    return made.astype(np.uint16)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for slice_id in IDS:
        path = tmp_path / "mosaics" / f"mosaic_z{slice_id}.ome.zarr"
        write_ome_zarr(path, volume(slice_id), axes="zyx", pixel_size=(10.0, 10.0), chunks=(6, 16, 16))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(slicemap: Shell, *words: object, code: int = 0) -> tuple[str, str]:
    done, out, err = slicemap("slices", "quality", *words)
    assert done == code, err
    return out, err


def score(slice_id: str) -> float:
    used = IDS[1:]
    at = used.index(slice_id)
    around = [volume(used[n]) if 0 <= n < len(used) else None for n in (at - 1, at + 1)]
    return assess_slice_quality(volume(slice_id), *around).score


def cells(path: Path, column: str) -> dict[str, str]:
    with path.open(newline="") as stream:
        return {row["slice_id"]: row[column] for row in csv.DictReader(stream)}


def test_the_table_is_made_of_the_mosaics(slicemap: Shell, folder: Path) -> None:
    out, err = run(slicemap, "mosaics", "new/t.csv", "--no-use-gpu")
    table = folder / "new" / "t.csv"
    assert cells(table, "quality_score") == {"00": "0.000", **{one: f"{score(one):.3f}" for one in IDS[1:]}}
    assert cells(table, "use") == {"00": "false", **dict.fromkeys(IDS[1:], "true")}
    assert cells(table, "notes") == {"00": "calibration_slice", **dict.fromkeys(IDS[1:], "")}
    assert table.read_text().splitlines()[0] == ",".join(CANONICAL_COLUMNS)
    assert out.splitlines()[0].split() == ["slice", "score", "ssim", "edge", "variance"]
    assert "used: 4 of 5 slices" in out
    assert "excluded: 00 (use is false: calibration_slice)" in out
    assert err.splitlines() == [
        "written: new/t.csv",
        "written: new/diagnostics",
        "written: new/quality_report.html",
        "written: new/quality_report.json",
    ]


def test_slices_below_the_least_quality_are_left_out(slicemap: Shell, folder: Path) -> None:
    (folder / "t0.csv").write_text(
        "slice_id,use,notes,mine\n00,true,,a\n01,false,torn,b\n02,true,,c\n03,yes,seen,d\n05,1,,e\n"
    )
    out, _ = run(slicemap, "mosaics", "t1.csv", "--config", "t0.csv", "--min-quality", "0.6")
    table = folder / "t1.csv"
    assert score(SPOILT) < 0.6 < score("01")
    low = [one for one in IDS[1:] if score(one) < 0.6]
    assert cells(table, "use") == {
        **{one: str(one not in low).lower() for one in IDS},
        "00": "false",
        "01": "false",
    }
    assert cells(table, "notes")[SPOILT] == "seen; low_quality (quality_score<0.6)"
    assert cells(table, "notes")["01"] == "torn"
    assert cells(table, "mine") == dict(zip(IDS, "abcde", strict=True))
    assert "low_quality (quality_score<0.6)" in out


def test_a_score_is_held_against_the_limit_as_the_table_shows_it(slicemap: Shell, folder: Path) -> None:
    shown = f"{score('02'):.3f}"
    run(slicemap, "mosaics", "t.csv", "--min-quality", shown)
    assert cells(folder / "t.csv", "quality_score")["02"] == shown
    assert cells(folder / "t.csv", "use")["02"] == "true"


@pytest.mark.parametrize(
    "words",
    [
        pytest.param(["t.csv", "--update-existing"], id="--update-existing OUT"),
        pytest.param(["t.csv", "--update_existing"], id="with an underscore"),
        pytest.param(["--config", "t.csv", "--in-place"], id="--config --in-place"),
        pytest.param(["--existing-config", "t.csv", "--in-place"], id="--existing-config --in-place"),
        pytest.param(["new.csv", "--update-existing", "--existing-config", "t.csv"], id="into a new table"),
    ],
)
def test_every_other_column_and_row_stays(slicemap: Shell, folder: Path, words: list[str]) -> None:
    before = (
        "slice_id,use,quality_score,rehomed,notes,mine\n05,true,0.111,true,,é\n04,true,0.5,,no image,\n03,true,,,,x\n"
    )
    (folder / "t.csv").write_text(before)
    _, err = run(slicemap, "mosaics", *words)
    table = folder / ("new.csv" if "new.csv" in words else "t.csv")
    rows = slice_config.read(table)
    assert list(rows) == ["05", "04", "03"]
    assert rows["04"]["quality_score"] == 0.5
    assert [rows[one]["mine"] for one in rows] == ["é", "", "x"]
    assert (rows["05"]["rehomed"], rows["04"]["notes"]) == (True, "no image")
    assert rows["05"]["quality_score"] == round(score("05"), 3)
    assert "not in the table, so not stamped: slice 00–02" in err
    assert "in the table, but there is no image: slice 04" in err
    trail = folder / "t.audit.csv"
    if table.name == "t.csv":
        assert cells_changed(trail) == {("05", "quality_score"), ("03", "quality_score")}
    else:
        assert (folder / "t.csv").read_text() == before
        assert not trail.exists()


def cells_changed(trail: Path) -> set[tuple[str, str]]:
    with trail.open(newline="") as stream:
        lines = list(csv.DictReader(stream))
    assert {line["by"] for line in lines} == {"slicemap slices quality"}
    return {(line["slice_id"], line["column"]) for line in lines}


def test_nothing_is_put_back_in(slicemap: Shell, folder: Path) -> None:
    run(slicemap, "mosaics", "t.csv", "--min-quality", "1")
    assert set(cells(folder / "t.csv", "use").values()) == {"false"}
    run(slicemap, "mosaics", "t.csv", "--update-existing", "--min-quality", "0", "--exclude-first", "0")
    assert set(cells(folder / "t.csv", "use").values()) == {"false"}


def test_a_report_alone(slicemap: Shell, folder: Path) -> None:
    out, _ = run(slicemap, "mosaics", "--report-only", "--report", "r", "--min-quality", "0.6")
    assert sorted(path.name for path in folder.iterdir()) == ["mosaics", "r"]
    assert sorted(path.name for path in (folder / "r").iterdir()) == ["quality_report.html", "quality_report.json"]
    assert "low_quality" in out
    run(slicemap, "mosaics", "--report-only")
    assert sorted(path.name for path in folder.iterdir()) == ["mosaics", "r"]
    run(slicemap, "mosaics", "there/t.csv", "--report-only")
    assert sorted(path.name for path in folder.iterdir()) == ["mosaics", "r"]


class Reader(HTMLParser):
    """Text and pictures of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.text: list[str] = []
        self.pictures = 0

    def handle_data(self, data: str) -> None:
        self.text.append(data.strip())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.pictures += tag == "img"


def test_the_report_and_the_numbers_of_each_slice(slicemap: Shell, folder: Path) -> None:
    words = ["mosaics", "t.csv", "--min-quality", "0.6", "--diagnostics", "d", "--report", "r", "--json"]
    out, _ = run(slicemap, *words)
    data = json.loads((folder / "r" / "quality_report.json").read_text())
    assert json.loads(out) == data
    assert data["summary"]["calibration"] == ["00"]
    assert SPOILT in data["summary"]["below_min_quality"]
    assert data["settings"] == {
        "sample_depth": 5,
        "min_quality": 0.6,
        "exclude_first": 1,
        "detect_calibration": False,
    }
    page = Reader()
    page.feed((folder / "r" / "quality_report.html").read_text())
    assert page.pictures == len(IDS)
    assert {"Quality score", "Tissue depth", *IDS} <= set(page.text)
    numbers = json.loads((folder / "d" / "slice_03.json").read_text())
    assert numbers["quality"] == {
        name: value for name, value in data["slices"]["03"].items() if name not in ("use", "why_not")
    }
    assert numbers["quality"]["score"] == pytest.approx(score("03"))
    assert list(numbers["quality"]["neighbours"]) == ["02", "05"]
    assert numbers["quality"]["sampled_planes"] == [0, 1, 2, 3, 5]
    assert numbers["quality"]["thickness_planes"] == 6


def test_other_parts_of_the_diagnostics_stay(slicemap: Shell, folder: Path) -> None:
    (folder / "diagnostics").mkdir()
    path = folder / "diagnostics" / "slice_02.json"
    path.write_text('{"version": 1, "slice_id": "02", "galvo": {"shift": 7}}')
    run(slicemap, "mosaics", "t.csv")
    assert json.loads(path.read_text())["galvo"] == {"shift": 7}
    assert "quality" in json.loads(path.read_text())


def test_the_same_mosaics_give_the_same_bytes(slicemap: Shell, folder: Path) -> None:
    for name, workers in (("a", 1), ("b", 3)):
        run(slicemap, "mosaics", f"{name}/t.csv", "--workers", workers)
    files = sorted(path.relative_to(folder / "a") for path in (folder / "a").rglob("*.*") if path.suffix != ".lock")
    assert len(files) == 3 + len(IDS)
    for file in files:
        assert (folder / "a" / file).read_bytes() == (folder / "b" / file).read_bytes()


def test_a_thick_first_slice_is_detected(slicemap: Shell, folder: Path) -> None:
    path = folder / "mosaics" / "mosaic_z02.ome.zarr"
    shutil.rmtree(path)
    thick = np.concatenate([volume("02")] * 2)[:10]
    write_ome_zarr(path, thick, axes="zyx", pixel_size=(10.0, 10.0), chunks=(6, 16, 16))
    run(slicemap, "mosaics", "t.csv", "--detect-calibration", "--exclude-first", "0")
    assert cells(folder / "t.csv", "notes") == {one: "calibration_slice" if one == "02" else "" for one in IDS}
    assert cells(folder / "t.csv", "quality_score")["02"] == "0.000"


REFUSED = [
    pytest.param(["mosaics"], "no table to write to: name OUT", id="no table"),
    pytest.param(["mosaics", "--update-existing"], "no table is named", id="nothing to update"),
    pytest.param(["mosaics", "t.csv", "--update-existing"], "t.csv is not there", id="no such table to update"),
    pytest.param(["mosaics", "t.csv", "--config", "a", "--existing-config", "b"], "the same option", id="twice"),
    pytest.param(["mosaics", "old.csv"], "old.csv is there already; --force", id="there already"),
    pytest.param(["mosaics", "t.csv", "--config", "no.csv"], "no.csv", id="no such table"),
    pytest.param(["nowhere", "t.csv"], "nowhere: there is no such folder", id="no mosaics"),
    pytest.param(
        ["mosaics", "t.csv", "--exclude-first", "4"], "1 of 5 slices is to be scored", id="nothing to compare"
    ),
    pytest.param(["mosaics", "t.csv", "--min-quality", "2"], "equal to 1", id="quality above 1"),
]


@pytest.mark.parametrize(("words", "message"), REFUSED)
def test_refused(slicemap: Shell, folder: Path, words: list[str], message: str) -> None:
    (folder / "old.csv").write_text("slice_id\n01\n")
    _, err = run(slicemap, *words, code=2)
    assert message in err
    assert (folder / "old.csv").read_text() == "slice_id\n01\n"
    assert not (folder / "t.csv").exists()
    assert not (folder / "quality_report.html").exists()


def test_without_a_card_one_line_says_so(slicemap: Shell, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cupy", None)
    _, err = run(slicemap, "mosaics", "--report-only")
    assert err.splitlines() == ["no graphics card is used: CuPy is not installed (pip install 'napari-slicemap[gpu]')"]
    _, err = run(slicemap, "mosaics", "--report-only", "--no-use-gpu")
    assert err == ""


@pytest.mark.parametrize("least", [-0.1, 1.01, float("nan")])
def test_a_least_quality_that_no_slice_can_have_is_refused(least: float) -> None:
    with pytest.raises(PlanError, match="expected a number from 0 to 1"):
        QualitySettings(5, least, 1, False)

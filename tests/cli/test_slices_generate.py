"""``slicemap slices generate``: which source is taken, what is written, what is said."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING

import pytest

from napari_slicemap.slices import slice_config
from oct_slices import SHIFT, make_tiles, write_mosaic, write_raw
from scenes import write_dataset

if TYPE_CHECKING:
    from pathlib import Path

    from .conftest import Shell


@pytest.fixture
def run(tmp_path) -> Path:
    """A folder of sources: mosaics without 02, raw tiles, shifts, section images."""
    for name in ("mosaics/m_z00", "mosaics/m_z01", "mosaics/m_z03"):
        (tmp_path / "run" / f"{name}.ome.zarr").mkdir(parents=True)
    for name in ("tile_x00_y00_z04", "tile_x01_y00_z04", "tile_x00_y00_z05"):
        (tmp_path / "run" / "tiles" / name).mkdir(parents=True)
    (tmp_path / "run" / "sections").mkdir()
    for name in ("image_0007.tif", "image_0008.tif"):
        (tmp_path / "run" / "sections" / name).touch()
    (tmp_path / "run" / "shifts_xy.csv").write_text("fixed_id,moving_id,x_shift,y_shift\n0.0,1.0,0,0\n1.0,2.0,0,0\n")
    return tmp_path / "run"


@pytest.mark.parametrize(
    ("source", "option", "kind", "used", "unused"),
    [
        pytest.param("mosaics", None, "mosaics", ["01", "03"], ["00"], id="mosaics"),
        pytest.param("mosaics", "--from-mosaics", "mosaics", ["01", "03"], ["00"], id="mosaics, said"),
        pytest.param("mosaics", "--from_mosaics", "mosaics", ["01", "03"], ["00"], id="mosaics, with an underscore"),
        pytest.param("tiles", None, "tiles", ["05"], ["04"], id="tiles"),
        pytest.param("tiles", "--from-tiles", "tiles", ["05"], ["04"], id="tiles, said"),
        pytest.param("shifts_xy.csv", None, "shifts", ["01", "02"], ["00"], id="shifts"),
        pytest.param("shifts_xy.csv", "--from-shifts", "shifts", ["01", "02"], ["00"], id="shifts, said"),
        pytest.param("sections", None, "mosaics", ["0008"], ["0007"], id="section images"),
    ],
)
def test_sources(slicemap: Shell, run, tmp_path, source, option, kind, used, unused):
    out = tmp_path / "new" / "slice_config.csv"
    code, said, notes = slicemap("slices", "generate", run / source, out, *([option] if option else []))
    assert code == 0, notes
    rows = slice_config.read(out)
    assert [one for one, row in rows.items() if row["use"]] == used
    assert {one: row["notes"] for one, row in rows.items() if not row["use"]} == dict.fromkeys(
        unused, "calibration_slice"
    )
    first, second, third, *_ = said.splitlines()
    assert first == f"slices found in {run / source} ({kind}): {len(rows)}"
    assert second.startswith(f"used: {len(used)} of {len(rows)} slices ({used[0]}")
    assert third == f"excluded: {unused[0]} (use is false: calibration_slice)"
    assert notes == f"written: {out}\n"


def test_gaps_in_the_ids_are_told(slicemap: Shell, run, tmp_path):
    _, said, _ = slicemap("slices", "generate", run / "mosaics", tmp_path / "t.csv")
    assert said.splitlines()[-1] == "not in the table: 02"


@pytest.mark.parametrize("option", ["--from-dataset", None])
def test_a_dataset_has_no_calibration_slice(slicemap: Shell, tmp_path, option):
    source = write_dataset(tmp_path / "own")
    code, said, notes = slicemap("slices", "generate", source, tmp_path / "t.csv", *([option] if option else []))
    assert code == 0, notes
    assert {one: row["use"] for one, row in slice_config.read(tmp_path / "t.csv").items()} == dict.fromkeys(
        ["07", "08", "09"], True
    )
    assert "(dataset): 3" in said
    assert "has a slice table already" in notes, "its 09 is not to be used; a new table decides nothing"


def test_a_dataset_of_other_names_is_refused(slicemap: Shell, tmp_path):
    source = write_dataset(tmp_path / "own")
    for table in source.glob("slice_config.csv"):
        table.unlink()
    descriptors = sorted((source / "maps").glob("*.json"))
    assert descriptors
    for path in descriptors:
        data = json.loads(path.read_text())
        path.write_text(json.dumps({**data, "slice_id": f"block {path.stem}"}))
    code, _, notes = slicemap("slices", "generate", source, tmp_path / "t.csv")
    assert code == 2
    assert "block" in notes
    assert "[map_slices]" in notes


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        pytest.param(["--exclude-first", 0], {}, id="none"),
        pytest.param(
            ["--exclude_first", 2], {"00": "calibration_slice", "01": "calibration_slice"}, id="the first two"
        ),
        pytest.param(
            ["--exclude", "3,0"],
            {"00": "manually_excluded; calibration_slice", "03": "manually_excluded"},
            id="for two reasons",
        ),
        pytest.param(
            ["--exclude", "1", "--exclude", "03", "--exclude-first", 0],
            {"01": "manually_excluded", "03": "manually_excluded"},
            id="repeated",
        ),
    ],
)
def test_left_out(slicemap: Shell, run, tmp_path, options, expected):
    code, said, notes = slicemap("slices", "generate", run / "mosaics", tmp_path / "t.csv", *options)
    assert code == 0, notes
    rows = slice_config.read(tmp_path / "t.csv")
    assert {one: row["notes"] for one, row in rows.items() if not row["use"]} == expected
    assert all(note in said for note in expected.values())


def test_json(slicemap: Shell, run, tmp_path):
    _, said, _ = slicemap("slices", "generate", run / "mosaics", tmp_path / "t.csv", "--json")
    facts = json.loads(said)
    assert facts["slices"] == ["00", "01", "03"]
    assert (facts["kind"], facts["used"]) == ("mosaics", ["01", "03"])
    assert facts["gaps"] == [{"first": "02", "last": "02"}]
    assert facts["excluded"] == [{"why": "use is false: calibration_slice", "slices": ["00"]}]


def test_a_table_that_is_there_is_kept(slicemap: Shell, run, tmp_path):
    out = tmp_path / "t.csv"
    out.write_text("mine")
    code, _, notes = slicemap("slices", "generate", run / "mosaics", out)
    assert (code, out.read_text()) == (2, "mine")
    assert "--force" in notes
    code, _, _ = slicemap("slices", "generate", run / "mosaics", out, "--force")
    assert (code, list(slice_config.read(out))) == (0, ["00", "01", "03"])


@pytest.mark.parametrize(
    ("words", "says"),
    [
        pytest.param(["mosaics", "--exclude", "9"], "unknown slice '09' (there is 00, 01, 03)", id="unknown slice"),
        pytest.param(["mosaics", "--exclude", "a"], "slice_id is 'a', expected digits", id="no slice"),
        pytest.param(["mosaics", "--exclude-first", "4"], "from 0 to 3", id="too many"),
        pytest.param(["mosaics", "--from-tiles"], "holds no raw tiles", id="none of what was said"),
        pytest.param(["mosaics", "--from-dataset"], "no acquisition recognised", id="no dataset"),
        pytest.param(["mosaics", "--from-tiles", "--from-shifts"], "--from-tiles and --from-shifts", id="two at once"),
        pytest.param(["nowhere"], "no such file or folder", id="nothing there"),
    ],
)
def test_errors_are_one_line_and_nothing_is_written(slicemap: Shell, run, tmp_path, words, says):
    out = tmp_path / "t.csv"
    code, said, notes = slicemap("slices", "generate", run / words[0], out, *words[1:])
    assert (code, said) == (2, "")
    assert says in notes
    assert len(notes.splitlines()) == 1
    assert not out.exists()


@pytest.mark.parametrize("source", ["empty", "table.csv"])
def test_the_error_lists_what_was_looked_for(slicemap: Shell, run, tmp_path, source):
    (run / "empty").mkdir()
    (run / "table.csv").write_text("slice_id,use\n00,true\n")
    _, _, notes = slicemap("slices", "generate", run / source, tmp_path / "t.csv")
    for what in ("mosaics", "raw tiles", "shifts file", "section images", "acquisition", "tiles-csv"):
        assert what in notes


def test_the_sources_are_left_as_they_are(slicemap: Shell, run, tmp_path):
    before = sorted(run.rglob("*"))
    slicemap("slices", "generate", run / "mosaics", tmp_path / "t.csv")
    assert sorted(run.rglob("*")) == before
    shutil.rmtree(run)
    assert list(slice_config.read(tmp_path / "t.csv")) == ["00", "01", "03"]


# --- with the mirror's return ------------------------------------------------------------------------------------
@pytest.fixture(scope="module")
def scanned(tmp_path_factory) -> Path:
    """Slices 00 and 01 with the return inside, 02 without, as mosaics and as raw tiles; of 03 a mosaic only."""
    folder = tmp_path_factory.mktemp("scanned")
    for z, first in {"00": 20, "01": 20, "02": None, "03": 20}.items():
        tiles = make_tiles(first, rows=1)
        write_mosaic(folder / "mosaics" / f"m_z{z}.ome.zarr", tiles)
        if z != "03":
            write_raw(folder / "raw", tiles, z)
    return folder


def galvo_of(path: Path) -> dict[str, tuple[float | None, bool | None]]:
    return {one: (row["galvo_confidence"], row["galvo_fix"]) for one, row in slice_config.read(path).items()}


@pytest.mark.parametrize("option", ["--detect-galvo", "--detect_galvo"])
@pytest.mark.parametrize("source", ["mosaics", "raw"])
def test_the_return_is_detected_in_the_source(slicemap: Shell, scanned, tmp_path, source, option):
    out = tmp_path / "t.csv"
    code, said, notes = slicemap("slices", "generate", scanned / source, out, option)
    assert code == 0, notes
    rows = slice_config.read(out)
    assert rows["00"]["notes"] == "calibration_slice"
    assert {one: fix for one, (_, fix) in galvo_of(out).items()} == {
        "00": True,
        "01": True,
        "02": False,
        **({"03": True} if source == "mosaics" else {}),
    }
    found = json.loads((tmp_path / "diagnostics" / "slice_01.json").read_text())["galvo"]
    assert (found["shift"], found["decided_by"]) == (SHIFT, "detection")
    assert said.splitlines()[-1].split()[0] == max(rows)
    assert notes.splitlines() == [f"written: {out}", f"written: {tmp_path / 'diagnostics'}"]


@pytest.mark.parametrize("source", ["mosaics", "shifts.csv"])
@pytest.mark.parametrize("option", ["--tiles-dir", "--tiles_dir"])
def test_the_return_is_detected_in_other_tiles(slicemap: Shell, scanned, tmp_path, source, option):
    (tmp_path / "shifts.csv").write_text("fixed_id,moving_id,x_shift,y_shift\n0,1,0,0\n1,2,0,0\n2,3,0,0\n")
    given = scanned / source if source == "mosaics" else tmp_path / source
    code, said, notes = slicemap(
        *("slices", "generate", given, tmp_path / "t.csv", "--detect-galvo", option, scanned / "raw", "--json")
    )
    assert code == 0, notes
    assert {one: fix for one, (_, fix) in galvo_of(tmp_path / "t.csv").items()} == {
        "00": True,
        "01": True,
        "02": False,
        "03": None,
    }
    facts = json.loads(said)
    assert [one["slice_id"] for one in facts["galvo"]["slices"]] == ["00", "01", "02"]
    assert facts["galvo"]["without_tiles"] == ["03"]
    assert "in the table, but there are no tiles: slice 03" in notes


@pytest.mark.parametrize(("threshold", "fix"), [(0.0, True), (0.999, False)])
def test_the_threshold(slicemap: Shell, tmp_path, threshold, fix):
    write_raw(tmp_path / "raw", make_tiles(change=-0.04), "05")
    words = ["--detect-galvo", "--galvo-threshold", threshold, "--exclude-first", 0]
    code, _, notes = slicemap("slices", "generate", tmp_path / "raw", tmp_path / "t.csv", *words)
    assert code == 0, notes
    assert galvo_of(tmp_path / "t.csv")["05"][1] is fix
    assert json.loads((tmp_path / "diagnostics" / "slice_05.json").read_text())["galvo"]["threshold"] == threshold


def test_the_tiles_of_an_acquisition(slicemap: Shell, tmp_path):
    source = write_dataset(tmp_path / "s")
    write_raw(source / "scanned", make_tiles(rows=1), "08")
    write_mosaic(source / "mosaics" / "m_z07.ome.zarr", make_tiles(rows=1))
    (source / "slicemap.toml").write_text('version = 1\nraw_tiles = "scanned"\nmosaics = "mosaics"\n')
    code, _, notes = slicemap("slices", "generate", source, tmp_path / "t.csv", "--detect-galvo")
    assert code == 0, notes
    assert {one: fix for one, (_, fix) in galvo_of(tmp_path / "t.csv").items()} == {"07": None, "08": True, "09": None}
    assert f"the raw tiles in {source / 'scanned'} are taken, not the mosaics" in notes


def test_a_new_table_has_what_was_decided_in_the_old(slicemap: Shell, scanned, tmp_path):
    words = ["slices", "generate", scanned / "raw", tmp_path / "t.csv", "--detect-galvo"]
    slicemap(*words)
    slicemap("galvo", "decide", "1", "--shift", 31, "--by", "anna", "--config", tmp_path / "t.csv", "--in-place")
    before = json.loads((tmp_path / "diagnostics" / "slice_01.json").read_text())["galvo"]
    code, _, notes = slicemap(*words, "--force")
    assert "slice 01: the table did not have what anna decided; it is put back" in notes
    after = json.loads((tmp_path / "diagnostics" / "slice_01.json").read_text())["galvo"]
    assert (code, before["decided_by"], before["reviewer_shift"]) == (0, "anna", 31)
    assert (after["decided_by"], after["reviewer_shift"]) == ("anna", 31)
    assert galvo_of(tmp_path / "t.csv")["01"][1] is True


@pytest.mark.parametrize(
    ("source", "options", "says"),
    [
        pytest.param("raw", ["--tiles-dir", "raw"], "--tiles-dir is given without --detect-galvo", id="tiles alone"),
        pytest.param("raw", ["--galvo-threshold", "0.5"], "--galvo-threshold is given without", id="threshold alone"),
        pytest.param("s.csv", ["--detect-galvo"], "s.csv holds no tiles; name their folder with --tiles-dir", id="no"),
        pytest.param("raw", ["--detect-galvo", "--tiles-dir", "no"], "no: there is no such", id="no such folder"),
        pytest.param("raw", ["--detect-galvo", "--tiles-dir", "empty"], "neither raw tiles", id="nothing in it"),
        pytest.param("bare", ["--detect-galvo"], "state axis (x or y) and n_extra", id="mosaics that say nothing"),
    ],
)
def test_detection_that_cannot_be(slicemap: Shell, tmp_path, monkeypatch, source, options, says):
    monkeypatch.chdir(tmp_path)
    write_raw(tmp_path / "raw", make_tiles(rows=1, columns=1), "01")
    write_mosaic(tmp_path / "bare" / "m_z01.ome.zarr", make_tiles(rows=1, columns=1), galvo=None)
    (tmp_path / "empty").mkdir()
    (tmp_path / "s.csv").write_text("fixed_id,moving_id,x_shift,y_shift\n0,1,0,0\n")
    code, said, notes = slicemap("slices", "generate", source, "t.csv", *options)
    assert (code, said) == (2, "")
    assert says in notes
    assert len(notes.splitlines()) == 1
    assert not (tmp_path / "t.csv").exists()
    assert not (tmp_path / "diagnostics").exists()

"""``slicemap slices rehoming``: from shifts and a table to corrected shifts, a stamped table and a report."""

from __future__ import annotations

import json

import pytest

from napari_slicemap.slices import slice_config
from napari_slicemap.slices.shifts import build_cumulative_shifts

SHIFTS = """fixed_id,moving_id,x_shift,y_shift,x_shift_mm,y_shift_mm
0.0,1.0,10,5,0.01,0.005
1.0,2.0,885,3,0.885,0.003
2.0,3.0,12,700,0.012,0.7
3.0,4.0,5,-698,0.005,-0.698
4.0,5.0,9,4,0.009,0.004
"""
TABLE = "slice_id,use,notes\n00,false,calibration_slice\n01,true,\n02,true,\n03,true,\n04,true,\n"


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "shifts_xy.csv").write_text(SHIFTS)
    (tmp_path / "t1.csv").write_text(TABLE)
    return tmp_path


def run(slicemap, *words, code=0):
    done, out, err = slicemap("slices", "rehoming", *words)
    assert done == code, err
    return out, err


def test_a_table_is_stamped_and_the_shifts_are_corrected(slicemap, folder):
    out, err = run(slicemap, "shifts_xy.csv", "new/t2.csv", "--config", "t1.csv", "--tile_fov_mm", "0.875")
    assert out.splitlines() == [
        "01 → 02: x 0.885 mm is now 0.01 mm: +1 tile taken off",
        "02 → 03: y 0.7 mm is now 0.004 mm: glitch, now the median of 00 → 01, 01 → 02, 04 → 05",
        "03 → 04: y -0.698 mm is now 0.0035 mm: glitch, now the median of 01 → 02, 04 → 05",
        "3 of 5 steps corrected, 0 not reliable",
    ]
    assert "not in the table, so not stamped: slice 05" in err
    assert (folder / "new" / "t2.csv").read_text() == (
        "slice_id,use,rehomed,rehoming_reliable,notes\n00,false,,,calibration_slice\n"
        "01,true,false,true,\n02,true,true,true,\n03,true,true,true,\n04,true,true,true,\n"
    )
    corrected = folder / "new" / "shifts_xy_rehomed.csv"
    assert build_cumulative_shifts(corrected, ["05"], 1.0) == {"05": (46, 19.5)}
    report = json.loads((folder / "new" / "rehoming_report.json").read_text())
    assert [(one["pass"], one["axis"], one["moving_id"]) for one in report["corrections"]] == [
        (1, "x", "02"),
        (2, "y", "03"),
        (2, "y", "04"),
    ]
    assert (folder / "t1.csv").read_text() == TABLE


def test_in_place_the_changes_go_on_record(slicemap, folder):
    words = ("shifts_xy.csv", "--config", "t1.csv", "--in-place")
    out, _ = run(slicemap, *words)
    assert "01 → 02: x 0.885 mm, y 0.003 mm, not reliable: longer than 0.5 mm" in out
    rows = slice_config.read(folder / "t1.csv")
    assert (rows["02"]["rehomed"], rows["02"]["rehoming_reliable"]) == (False, False)
    trail = (folder / "t1.audit.csv").read_text()
    assert ",03,rehomed,,true,slicemap slices rehoming\n" in trail
    once = (folder / "t1.csv").read_bytes()
    run(slicemap, *words, "--force")
    assert (folder / "t1.csv").read_bytes() == once
    assert (folder / "t1.audit.csv").read_text() == trail, "nothing changed the second time"


def test_without_a_table_one_is_made_of_the_shifts(slicemap, folder):
    out, _ = run(slicemap, "shifts_xy.csv", "t.csv", "--json", "--shifts-out", "s.csv", "--report", "r.json")
    assert json.loads(out) == json.loads((folder / "r.json").read_text())
    assert list(slice_config.read(folder / "t.csv")) == ["00", "01", "02", "03", "04", "05"]
    assert (folder / "s.csv").is_file()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        pytest.param(["shifts_xy.csv"], "no table to write to", id="no table"),
        pytest.param(["none.csv", "t.csv"], "none.csv", id="no shifts"),
        pytest.param(["t1.csv", "t.csv"], "t1.csv, line 1: no column fixed_id, moving_id", id="no shifts in it"),
        pytest.param(["shifts_xy.csv", "t1.csv"], "t1.csv is there already", id="table there"),
        pytest.param(["shifts_xy.csv", "t.csv", "--report", "t1.csv"], "t1.csv is there already", id="report there"),
        pytest.param(["shifts_xy.csv", "t.csv", "--shifts-out", "shifts_xy.csv", "--force"], "name another", id="own"),
        pytest.param(["shifts_xy.csv", "t.csv", "--tile-fov-mm", "0"], "expected mm, a number above 0", id="no length"),
    ],
)
def test_what_cannot_be_done_is_said_and_nothing_is_written(slicemap, folder, words, message):
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    out, err = run(slicemap, *words, code=2)
    assert out == ""
    assert message in err
    after = {path.name: path.read_bytes() for path in folder.iterdir() if not path.name.endswith(".lock")}
    assert after == before


def test_help_teaches(slicemap):
    out, _ = run(slicemap, "--help")
    assert "--tile-fov-mm" in out
    assert "slicemap slices rehoming run/shifts_xy.csv" in out

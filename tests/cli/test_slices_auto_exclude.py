"""``slicemap slices auto-exclude``: what is decided and said."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from napari_slicemap.slices import slice_config
from napari_slicemap.slices.exclusion import METRICS_FILE
from napari_slicemap.slices.generate import new_table

if TYPE_CHECKING:
    from pathlib import Path

    from .conftest import Shell

VALUES = {"01": 0.9, "02": 0.3, "03": 0.2, "04": 0.1, "05": 0.8, "07": 0.35}


@pytest.fixture
def pairs(tmp_path) -> Path:
    for slice_id, value in VALUES.items():
        folder = tmp_path / "pairs" / f"slice_z{slice_id}"
        folder.mkdir(parents=True)
        (folder / METRICS_FILE).write_text(json.dumps({"metrics": {"z_correlation": {"value": value}}}))
    return tmp_path / "pairs"


@pytest.fixture
def table(tmp_path) -> Path:
    path = tmp_path / "slice_config.csv"
    slice_config.write(path, new_table([f"{n:02d}" for n in range(8)]))
    return path


def excluded(path: Path) -> list[str]:
    return [one for one, row in slice_config.read(path).items() if row["auto_excluded"]]


def test_what_is_decided_is_said(slicemap: Shell, pairs, table, tmp_path):
    out = tmp_path / "t1.csv"
    code, said, notes = slicemap("slices", "auto-exclude", pairs, out, "--config", table)
    assert code == 0, notes
    assert excluded(out) == ["02", "03", "04"]
    assert said.splitlines() == [
        "noisy cluster (3 consecutive): 02 (0.300), 03 (0.200), 04 (0.100)",
        "used: 4 of 8 slices (01, 05–07)",
        "excluded: 00 (use is false: calibration_slice)",
        "excluded: 02–04 (auto_excluded: noisy cluster (3 consecutive))",
    ]
    assert notes.splitlines() == ["no correlation: 00, 06", f"written: {out}"]


def test_other_limits_decide_anew(slicemap: Shell, pairs, table):
    slicemap("slices", "auto-exclude", pairs, "--config", table, "--in-place")
    words = ("slices", "auto-exclude", pairs, "--config", table, "--in-place", "--threshold", 0.25, "--min_run", 2)
    code, said, notes = slicemap(*words)
    assert code == 0, notes
    assert excluded(table) == ["03", "04"]
    assert said.splitlines()[:2] == ["noisy cluster (2 consecutive): 03 (0.200), 04 (0.100)", "no longer excluded: 02"]
    audit = table.with_name("slice_config.audit.csv").read_text()
    assert "02,auto_excluded,true,false,slicemap slices auto-exclude" in audit


def test_the_same_again_leaves_the_file_alone(slicemap: Shell, pairs, table):
    words = ("slices", "auto-exclude", pairs, "--config", table, "--in-place")
    slicemap(*words)
    audit = table.with_name("slice_config.audit.csv")
    before = table.read_bytes(), audit.read_bytes()
    assert slicemap(*words)[0] == 0
    assert (table.read_bytes(), audit.read_bytes()) == before


def test_none_is_said_too(slicemap: Shell, pairs, table, tmp_path):
    _, said, _ = slicemap("slices", "auto-exclude", pairs, tmp_path / "t1.csv", "--config", table, "--min-run", 4)
    assert said.splitlines()[0] == "no noisy cluster"
    assert excluded(tmp_path / "t1.csv") == []


def test_json(slicemap: Shell, pairs, table, tmp_path):
    code, said, _ = slicemap("slices", "auto-exclude", pairs, tmp_path / "t1.csv", "--config", table, "--json")
    facts = json.loads(said)
    assert code == 0
    (run,) = facts["runs"]
    assert {one["slice_id"]: one["z_correlation"] for one in run["slices"]} == {"02": 0.3, "03": 0.2, "04": 0.1}
    assert run["reason"] == "noisy cluster (3 consecutive)"
    assert (facts["cleared"], facts["unmeasured"], facts["used"]) == ([], ["00", "06"], ["01", "05", "06", "07"])


def test_wrong_input_is_one_line_and_nothing_is_written(slicemap: Shell, pairs, table):
    before = table.read_bytes()
    (pairs / "slice_z03" / METRICS_FILE).write_text('{"metrics": {}}')
    code, said, notes = slicemap("slices", "auto-exclude", pairs, "--config", table, "--in-place")
    assert (code, said, table.read_bytes()) == (2, "", before)
    assert f"{pairs / 'slice_z03' / METRICS_FILE}: no metrics.z_correlation" in notes
    assert len(notes.splitlines()) == 1


def test_metrics_of_another_run_are_refused(slicemap: Shell, pairs, table, tmp_path):
    slice_config.write(table, new_table(["00", "01", "02"]))
    code, _, notes = slicemap("slices", "auto-exclude", pairs, tmp_path / "t1.csv", "--config", table)
    assert code == 2
    assert "unknown slice '03' (there is 00, 01, 02)" in notes
    assert not (tmp_path / "t1.csv").exists()

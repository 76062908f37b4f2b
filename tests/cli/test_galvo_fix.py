"""``slicemap galvo fix`` and ``undo``."""

from __future__ import annotations

import hashlib
import json
import shutil

import numpy as np
import pytest
import zarr

from napari_slicemap.sample import make_sample
from napari_slicemap.slices import slice_config
from napari_slicemap.slices.galvo.record import GalvoRecord, read_record, write_record

NAME = "mosaic_grid_3d_z03.ome.zarr"
RECORD = GalvoRecord(axis="x", n_extra=12, lines=60, shift=28, confidence=0.9, threshold=0.6, likeliest=28)


def hashes(folder):
    files = (path for path in sorted(folder.rglob("*")) if path.is_file() and path.name != ".galvo-fix.lock")
    return {path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """The sample, where the detection has decided on slice 03."""
    folder = tmp_path_factory.mktemp("sample") / "run"
    make_sample(folder)
    lines = zarr.open_array(folder / "mosaics" / NAME / "0", mode="r").chunks[2]
    write_record(folder / "diagnostics", "03", RECORD.model_copy(update={"lines": lines}))
    table = folder / "slice_config.csv"
    slice_config.write(table, slice_config.stamp(slice_config.read(table), "03", {"galvo_fix": True}))
    return folder


@pytest.fixture
def run(made, tmp_path):
    return shutil.copytree(made, tmp_path / "run")


def test_a_project_is_fixed_and_comes_back(slicemap, run):
    before = hashes(run / "raw_tiles")
    code, out, err = slicemap("galvo", "fix", run, run / "fixed")
    assert (code, out) == (0, f"written: {run / 'fixed'} (slice 03)\n")
    assert f"the raw tiles in {run / 'raw_tiles'} are taken, not the mosaics" in err
    assert "fix: 03: roll by 28 A-lines (the detection decided)" in err
    applied = read_record(run / "diagnostics", "03").applied
    assert (applied.shift, applied.path) == (28, "../fixed")
    code, out, err = slicemap("galvo", "undo", run / "fixed", run / "undone")
    assert (code, out) == (0, f"written: {run / 'undone'} (slice 03)\n")
    assert "undo: 03: roll back by 28 A-lines" in err
    assert hashes(run / "undone") == before == hashes(run / "raw_tiles")
    assert read_record(run / "diagnostics", "03").applied is None


def test_mosaics_are_fixed_by_what_was_found_in_raw_tiles(slicemap, run):
    before = hashes(run / "mosaics")
    words = ("galvo", "fix", run / "mosaics", run / "fixed", "--config", run / "slice_config.csv")
    code, out, _ = slicemap(*words, "--json")
    assert code == 0
    said = json.loads(out)
    assert said["fix"][0] | {"source": ""} == {
        "slice_id": "03",
        "source": "",
        "kind": "mosaic",
        "axis": "x",
        "n_extra": 12,
        "shift": 28,
        "by": "detection",
        "note": "",
        "writes": [NAME],
    }
    assert [one["outcome"] for one in said["done"]] == ["written"]
    fixed, source = (zarr.open_array(run / one / NAME / "0", mode="r") for one in ("fixed", "mosaics"))
    lines = source.chunks[2]
    for left in range(0, source.shape[2], lines):
        tile = np.s_[:, :, left : left + lines]
        np.testing.assert_array_equal(fixed[tile], np.roll(source[tile], 28, axis=2))
    assert hashes(run / "mosaics") == before
    assert slicemap(*words)[1].startswith("there already: ")


def test_the_reviewers_word_goes_before_the_detection(slicemap, run):
    record = read_record(run / "diagnostics", "03").model_copy(update={"reviewer_shift": 30, "decided_by": "ann"})
    write_record(run / "diagnostics", "03", record)
    _, out, _ = slicemap("galvo", "fix", run, run / "fixed", "--dry-run")
    assert out.splitlines()[0] == "fix: 03: roll by 30 A-lines (the reviewer decided; detected were 28)"
    table = run / "slice_config.csv"
    slice_config.write(table, slice_config.stamp(slice_config.read(table), "03", {"galvo_fix": False}))
    code, out, err = slicemap("galvo", "fix", run, run / "fixed")
    assert (code, out) == (0, "nothing is to be done\n")
    assert "left: 03: not to be fixed, as the reviewer decided" in err
    assert not (run / "fixed").exists()


def test_a_dry_run_writes_nothing(slicemap, run):
    before = hashes(run)
    code, out, _ = slicemap("galvo", "fix", run, run / "fixed", "--dry-run")
    assert code == 0
    places = [run / "fixed" / f"tile_x{x:02d}_y{y:02d}_z03" for y in range(2) for x in range(2)]
    assert out.splitlines()[1:] == [f"would be written: {place}" for place in places]
    _, out, _ = slicemap("galvo", "fix", run, run / "fixed", "--dry-run", "--json")
    assert [one["state"] for one in json.loads(out)["targets"]] == ["absent"] * 4
    assert hashes(run) == before


def test_without_a_table_slices_and_shift_are_stated(slicemap, run, tmp_path):
    (tmp_path / "alone").mkdir()
    mosaic = shutil.copytree(run / "mosaics" / NAME, tmp_path / "alone" / NAME)
    code, _, err = slicemap("galvo", "fix", mosaic, tmp_path / "out")
    assert code == 2
    assert "no slice table says what to fix; name it with --config, or state --slices and --shift" in err
    code, _, err = slicemap("galvo", "fix", mosaic, tmp_path / "out", "--shift", 4)
    assert (code, "--shift is of certain slices: name them with --slices" in err) == (2, True)
    words = ("--slices", "3", "--shift", 4, "--axis", "y", "--n-extra", 6)
    code, _, err = slicemap("galvo", "fix", mosaic, tmp_path / "out", *words)
    assert code == 0
    assert "fix: 03: roll by 4 A-lines (as asked for)" in err
    said = zarr.open_group(tmp_path / "out" / NAME, mode="r").attrs["galvo"]["fixed"]
    assert said == {"shift": 4, "n_extra": 6, "axis": "y"}
    assert not list(tmp_path.glob("diagnostics"))


@pytest.mark.parametrize(
    ("words", "why"),
    [
        pytest.param(["fix", "mosaics", "mosaics/fixed", "-c", "slice_config.csv"], "lies in", id="into the source"),
        pytest.param(["undo", "mosaics", "out"], "none of its slices has a record of a fix", id="never fixed"),
        pytest.param(["fix", "tiles", "out", "-s", "3", "--shift", "2"], "no such", id="no source"),
        pytest.param(["undo", "tiles", "out"], "tiles: there is no such folder", id="nothing to undo"),
        pytest.param(["fix", ".", "out", "-s", "x"], "'x'", id="no slice id"),
    ],
)
def test_what_cannot_be_is_said_and_nothing_is_written(slicemap, run, monkeypatch, words, why):
    monkeypatch.chdir(run)
    before = hashes(run)
    code, out, err = slicemap("galvo", *words)
    assert (code, out) == (2, "")
    assert why in err
    assert hashes(run) == before


def test_a_fix_without_a_detection_says_what_to_run(slicemap, run):
    shutil.rmtree(run / "diagnostics")
    code, _, err = slicemap("galvo", "fix", run, run / "fixed")
    assert code == 2
    assert "slice 03: it is to be fixed, but nothing is known of its return; run `slicemap galvo detect`" in err


def test_what_is_there_is_replaced_by_force_only(slicemap, run):
    words = ("galvo", "fix", run / "mosaics", run / "fixed", "-s", "3", "--shift")
    assert slicemap(*words, 3)[0] == 0
    code, _, err = slicemap(*words, 4)
    assert code == 2
    assert f"{NAME} is there already, and not what this would write now; --force replaces it" in err
    assert slicemap(*words, 4, "--force")[0] == 0
    assert zarr.open_group(run / "fixed" / NAME, mode="r").attrs["galvo"]["fixed"]["shift"] == 4

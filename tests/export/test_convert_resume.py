"""Conversions that are stopped, killed or spoiled: what is there is right, and they go on."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import tifffile
import zarr

from builders import fov_folders, tile_table
from napari_slicemap import open_dataset
from napari_slicemap.errors import PlanError
from napari_slicemap.export.convert import run as converting
from napari_slicemap.export.convert.plan import ConvertPlan
from napari_slicemap.export.convert.run import convert_dataset
from napari_slicemap.export.convert.state import Workplace

NAMES = ("a1", "a2")


@pytest.fixture
def run(tmp_path):
    return fov_folders(tmp_path / "run", NAMES)


@pytest.fixture
def out(tmp_path):
    return tmp_path / "out.ome.zarr"


def stop_after(dataset, out, count, plan=None):
    """Convert until so many images are done."""
    done = []

    def tell(*told):
        done.append(told)

    report = convert_dataset(dataset, out, plan, runner="serial", on_progress=tell, cancel=lambda: len(done) >= count)
    assert report.counts == {"ok": count, "failed": 0, "skipped": 0, "cancelled": len(NAMES) - count}


def contents(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def hidden(out):
    return [path.name for path in out.parent.glob(f".{out.name}*")]


def test_a_stopped_conversion_goes_on(run, out, tmp_path):
    stop_after(open_dataset(run), out, 1)
    assert sorted(path.name for path in out.iterdir()) == ["OME", "a1", "zarr.json"]
    written = (out / "a1" / "zarr.json").stat().st_mtime_ns
    problems = open_dataset(out).problems
    assert problems == [f"{out}: writing it was not finished: 1 of its 2 images are there"]
    report = convert_dataset(open_dataset(run), out)
    assert [(result.item_id, result.skipped) for result in report.results] == [
        ("image:a1", True),
        ("image:a2", False),
    ]
    assert (out / "a1" / "zarr.json").stat().st_mtime_ns == written
    assert open_dataset(out).problems == []
    assert hidden(out) == []
    convert_dataset(open_dataset(run), tmp_path / "whole.ome.zarr")
    assert contents(out) == contents(tmp_path / "whole.ome.zarr")


@pytest.mark.parametrize("ids", [("a1",), ()], ids=["one image", "several"])
def test_what_was_stopped_right_before_its_end_only_ends(run, out, monkeypatch, ids):
    def stop(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(converting, "_finish", stop)
        with pytest.raises(KeyboardInterrupt):
            convert_dataset(open_dataset(run), out, ConvertPlan(ids=ids), runner="serial")
    assert out.exists() == (not ids)
    report = convert_dataset(open_dataset(run), out, ConvertPlan(ids=ids))
    assert [result.skipped for result in report.results] == [True] * len(report.results)
    assert hidden(out) == []
    made = open_dataset(out)
    assert (made.problems, list(made.maps)) == ([], ["S1"])


def test_a_finished_conversion_is_left_alone(run, out):
    convert_dataset(open_dataset(run), out)
    before = {path: path.stat().st_mtime_ns for path in out.rglob("*")}
    report = convert_dataset(open_dataset(run), out)
    assert report.counts == {"ok": 0, "failed": 0, "skipped": 2, "cancelled": 0}
    assert {path: path.stat().st_mtime_ns for path in out.rglob("*")} == before


def touch(run):
    path = run / "a2" / "CD3.tiff"
    changed = tifffile.imread(path)
    changed[0, 0] += 1
    tifffile.imwrite(path, changed)  # as many bytes as before


def unplace(run):
    (run / "maps" / "S1.json").unlink()


OTHER = "not what would be written now"


@pytest.mark.parametrize(
    ("stopped", "plan", "change", "said"),
    [
        pytest.param(True, {"options": {"compression": "lz4"}}, None, "another compression", id="settings"),
        pytest.param(True, {}, touch, "the files of a2 have changed", id="sources"),
        pytest.param(True, {}, unplace, "another places", id="places"),
        pytest.param(False, {"options": {"compression": "lz4"}}, None, OTHER, id="finished, settings"),
        pytest.param(False, {}, touch, OTHER, id="finished, sources"),
        pytest.param(False, {}, unplace, OTHER, id="finished, places"),
    ],
)
def test_with_other_settings_or_sources_it_refuses_unless_forced(run, out, stopped, plan, change, said):
    stop_after(open_dataset(run), out, 1) if stopped else convert_dataset(open_dataset(run), out)
    before = contents(out)
    if change is not None:
        change(run)
    made = ConvertPlan.model_validate(plan)
    with pytest.raises(PlanError, match=f"{said}.*--force"):
        convert_dataset(open_dataset(run), out, made)
    assert contents(out) == before
    assert convert_dataset(open_dataset(run), out, made, force=True).counts["skipped"] == 0
    wanted = open_dataset(run).fovs["a2"].read()
    np.testing.assert_array_equal(zarr.open_array(out / "a2" / "0", mode="r")[0, :, 0], wanted)
    assert hidden(out) == []


def test_what_is_unfinished_and_not_known_is_left_alone(run, out):
    stop_after(open_dataset(run), out, 1)
    shutil.rmtree(Workplace(out).folder)
    with pytest.raises(PlanError, match="is unfinished, and what was kept to go on with it is gone; --force"):
        convert_dataset(open_dataset(run), out)


def test_two_conversions_at_once_are_refused(run, out):
    dataset, told = open_dataset(run), []

    def another(*_):
        with pytest.raises(PlanError, match="another conversion is writing"):
            convert_dataset(dataset, out)
        told.append(1)

    assert convert_dataset(dataset, out, on_progress=another).counts["ok"] == 2
    assert len(told) == 2


@pytest.mark.parametrize("what", ["pixels", "labels", "chunk"])
def test_what_reads_back_otherwise_does_not_take_its_name(run, out, monkeypatch, what):
    write = converting.write_ome_zarr

    def spoil(folder, source, **options):
        write(folder, source, **options)
        if source.name != "a2":
            return
        if what == "pixels":
            zarr.open_array(folder / "0")[0, 1, 0, 3, 4] += np.uint16(1)
        elif what == "labels":
            zarr.open_array(folder / "labels" / "cell" / "0")[0, 0, 0, 3, 4] = 9
        else:
            shutil.rmtree(folder / "0" / "c" / "0" / "1")

    monkeypatch.setattr(converting, "write_ome_zarr", spoil)
    report = convert_dataset(open_dataset(run), out)
    assert [result.ok for result in report.results] == [True, False]
    assert not (out / "a2").exists()
    monkeypatch.setattr(converting, "write_ome_zarr", write)
    assert convert_dataset(open_dataset(run), out).counts == {"ok": 1, "failed": 0, "skipped": 1, "cancelled": 0}


def test_levels_that_are_not_there_are_found(tmp_path, out, monkeypatch):
    write = converting.write_ome_zarr

    def spoil(folder, source, **options):
        write(folder, source, **options)
        zarr.open_array(folder / "1").resize((1, 1, 1, 299, 4))

    monkeypatch.setattr(converting, "write_ome_zarr", spoil)
    path = tile_table(tmp_path / "run", {"t.tif": (0, 0)}, shape=(600, 8))
    (result,) = convert_dataset(open_dataset(path), out).results
    assert result.error == "image t, pixels, level 1: it is (299, 4) px, not (300, 4)"
    assert not out.exists()


def test_rows_that_read_back_otherwise_are_named(run, out, monkeypatch):
    write = converting.write_ome_zarr

    def spoil(folder, source, **options):
        write(folder, source, **options)
        zarr.open_array(folder / "0")[0, 1, 0, 3, 4] += np.uint16(1)

    monkeypatch.setattr(converting, "write_ome_zarr", spoil)
    report = convert_dataset(open_dataset(run), out, ConvertPlan(ids=("a2",)))
    assert report.results[0].error.startswith(
        "image a2, channel DAPI, t 0, z 0, rows 0 to 19: they read back otherwise"
    )


def test_a_source_that_changes_meanwhile_fails_its_image(run, out):
    dataset = open_dataset(run)
    report = convert_dataset(
        dataset, out, runner="serial", on_progress=lambda *told: touch(run) if told[1] == 1 else None
    )
    assert [result.ok for result in report.results] == [True, False]
    assert "its files have changed since" in report.results[1].error


def test_minus_zero_is_zero(tmp_path, out):
    data = np.zeros((2, 40, 40), np.float32)
    data[0], data[1, 5:] = -0.0, -0.0
    (tmp_path / "run" / "a").mkdir(parents=True)
    tifffile.imwrite(tmp_path / "run" / "a" / "a.tif", data[0])
    tifffile.imwrite(tmp_path / "run" / "a" / "b.tif", data[1])
    report = convert_dataset(open_dataset(tmp_path / "run"), out, ConvertPlan(options={"chunk": 16}))
    assert [result.error for result in report.results] == [""]


# --- killed ---------------------------------------------------------------------------------------------------
def kill(run, out, seconds):
    """Start the command, kill it some time after the first image is there, and look at what there is."""
    words = [sys.executable, "-m", "napari_slicemap", "convert", str(run), str(out), "--runner", "serial"]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        process.stdout.readline()
        time.sleep(seconds)
        process.send_signal(signal.SIGKILL)
    fovs = open_dataset(run).fovs
    for name in (name for name in NAMES if (out / name).is_dir()):
        array = zarr.open_array(out / name / "0", mode="r")
        np.testing.assert_array_equal(array[0, :, 0], fovs[name].read())


@pytest.mark.skipif(os.name != "posix", reason="there is no SIGKILL")
@pytest.mark.parametrize("kills", [1, pytest.param(30, marks=pytest.mark.slow)])
def test_a_killed_conversion_goes_on(run, out, tmp_path, kills):
    for number in range(kills):
        if out.exists():
            shutil.rmtree(out)
        kill(run, out, 0.004 * number)
        report = convert_dataset(open_dataset(run), out)
        assert report.counts["ok"] + report.counts["skipped"] == 2
        assert report.counts["skipped"] >= 1
        assert hidden(out) == []
    convert_dataset(open_dataset(run), tmp_path / "whole.ome.zarr")
    assert contents(out) == contents(tmp_path / "whole.ome.zarr")

"""Full disks, folders that cannot be written to, sources that go: each told in a line, old files whole."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest
import tifffile

from export.runs import bytes_of, temporaries
from napari_slicemap import ExportPlan, open_dataset, run_export
from napari_slicemap.errors import PlanError
from scenes import write_dataset

FOVS = {"kind": "fov", "ids": ["a", "b"]}


@pytest.fixture
def own(tmp_path):
    folder = write_dataset(tmp_path / "own")
    shutil.rmtree(folder / "maps")  # they state the size of FOVs, which changes here
    return folder


@pytest.fixture
def out(tmp_path):
    return tmp_path / "out"


def make_large(folder):
    """Make the picture of FOV a one of about 200 kB."""
    rng = np.random.default_rng(0)
    for channel in ("CD3", "DAPI"):
        tifffile.imwrite(folder / "a" / f"{channel}.tif", rng.integers(0, 1200, (256, 256), np.uint16))


@pytest.fixture
def small_disk(tmp_path):
    """A disk of 512 kB; mounting one takes rights that not everybody has."""
    folder = tmp_path / "disk"
    folder.mkdir()
    words = ["mount", "-t", "tmpfs", "-o", "size=512k", "tmpfs", str(folder)]
    try:
        subprocess.run(words, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("a disk cannot be mounted here")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def fill_up(folder, leave):
    """Fill a disk but for so many bytes."""
    free = os.statvfs(folder).f_bavail * os.statvfs(folder).f_frsize
    (folder / "filler").write_bytes(bytes(free - leave))


def test_a_disk_that_gets_full(own, small_disk, monkeypatch):
    made = ExportPlan(output_folder=str(small_disk / "out"), select=[FOVS], overwrite="overwrite")
    assert run_export(made, open_dataset(own)).counts["ok"] == 2
    before = bytes_of(small_disk / "out")
    make_large(own)
    fill_up(small_disk, 2**16)
    # what there is may be taken by others after it was looked at
    monkeypatch.setattr("shutil.disk_usage", lambda _: SimpleNamespace(free=2**40))
    report = run_export(made, open_dataset(own))
    assert [result.ok for result in report.results] == [False, True]
    assert report.results[0].error == f"{small_disk / 'out' / 'a.png'} cannot be written: No space left on device"
    assert bytes_of(small_disk / "out") == before
    assert temporaries(small_disk / "out") == []
    (small_disk / "filler").unlink()
    fill_up(small_disk, 0)
    with contextlib.suppress(PlanError):
        report = run_export(made, open_dataset(own))
        assert report.counts["ok"] == 0
        assert report.problems
    assert bytes_of(small_disk / "out") == before
    assert temporaries(small_disk / "out") == []


def test_a_disk_that_cannot_be_written_to(own, small_disk):
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    with pytest.raises(PlanError, match="cannot be written to; choose another output folder"):
        run_export(ExportPlan(output_folder=str(small_disk / "out"), select=[FOVS]), open_dataset(own))


LIMITED = """
import resource, sys
from napari_slicemap import ExportPlan, open_dataset, run_export
resource.setrlimit(resource.RLIMIT_FSIZE, (2**16, 2**16))
select = {"kind": "fov", "ids": ["a", "b"]}
plan = ExportPlan.model_validate({"output_folder": sys.argv[2], "select": [select], "overwrite": "overwrite"})
for result in run_export(plan, open_dataset(sys.argv[1])).results:
    print(result.ok, result.error)
"""


@pytest.mark.skipif(os.name != "posix", reason="there are no such limits")
def test_a_file_that_gets_too_large(own, plan, out):
    run_export(plan(FOVS), open_dataset(own))
    before = bytes_of(out)
    make_large(own)
    words = [sys.executable, "-c", LIMITED, str(own), str(out)]
    told = subprocess.run(words, check=True, capture_output=True, text=True).stdout.splitlines()
    assert told == [f"False {out / 'a.png'} cannot be written: File too large", "True "]
    assert bytes_of(out) == before
    assert temporaries(out) == []


def test_a_folder_that_cannot_be_written_to(own, plan, out, monkeypatch):
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    with pytest.raises(PlanError, match="cannot be written to; choose another output folder"):
        run_export(plan(FOVS), open_dataset(own))
    assert not out.exists()


def test_a_folder_that_cannot_be_made(own, plan, out, monkeypatch):
    def refuse(*_args, **_how):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("pathlib.Path.mkdir", refuse)
    with pytest.raises(PlanError, match=f"{out} cannot be made: Permission denied; choose another output folder"):
        run_export(plan(FOVS), open_dataset(own))


@pytest.mark.parametrize("how", [{}, {"runner": "threads", "workers": 2}], ids=["serial", "threads"])
def test_a_source_that_goes_while_items_run(own, plan, out, how):
    dataset = open_dataset(own)

    def remove(*_):
        for name in ("CD3.tif", "DAPI.tif"):
            (own / "c" / name).unlink(missing_ok=True)

    # so many before it that it is not taken up yet when the first of them is done
    first = [{"kind": "fov-roi", "all": True}, {"kind": "cell", "all": True}]
    report = run_export(plan(*first, {"kind": "fov", "ids": ["c"]}), dataset, on_progress=remove, **how)
    result = report.results[-1]
    assert (result.item_id, result.ok) == ("fov:c", False)
    assert "FOV c" in result.error
    assert "\n" not in result.error
    assert "c.png" not in bytes_of(out)
    assert temporaries(out) == []


def test_a_table_of_results_that_cannot_be_written_is_told(own, plan, out):
    out.mkdir()
    (out / "export_results.csv").mkdir()
    report = run_export(plan(FOVS), open_dataset(own))
    assert report.counts["ok"] == 2
    (problem,) = report.problems
    assert problem.startswith("export_results.csv is incomplete: ")
    assert temporaries(out) == []

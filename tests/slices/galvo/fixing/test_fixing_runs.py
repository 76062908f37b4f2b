"""Runs that are stopped, repeated, or stand in each other's way."""

from __future__ import annotations

import errno
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import zarr
from fixing_cases import EXTRA, hashes, ome, pixels, plan_of, times, write_array, write_raw

from napari_slicemap.errors import CancelledError, PlanError
from napari_slicemap.slices.galvo.fixing import (
    note_applied,
    note_undone,
    plan_fix,
    plan_undo,
    run_fix,
    run_undo,
    targets,
)
from napari_slicemap.slices.galvo.record import GalvoRecord, read_record, write_record
from napari_slicemap.slices.galvo.tile_slices import find_tile_slices

NAME = "mosaic_z03.ome.zarr"


@pytest.fixture(scope="module")
def template(tmp_path_factory):
    folder = tmp_path_factory.mktemp("template")
    for n in (3, 4):
        attributes = {**ome({"0": 1, "1": 2}, version=3), "galvo": {"axis": "x", "n_extra": EXTRA}}
        group = zarr.open_group(folder / f"mosaic_z{n:02d}.ome.zarr", mode="w", attributes=attributes)
        write_array(group, "0", pixels((2, 24, 36), "<u2", n), chunks=(2, 8, 9))
        write_array(group, "1", pixels((2, 12, 18), "<u2", n), chunks=(2, 8, 9))
    return folder


@pytest.fixture
def source(template, tmp_path):
    """Two mosaics of 12 tiles each, with a coarser level."""
    return shutil.copytree(template, tmp_path / "mosaics")


def plan(source, *ids, shift=5):
    return plan_fix(find_tile_slices(source), {}, {}, only=list(ids) or ["3"], shift=shift, source=source)


def stop_after(count):
    """Cancel before the file of such a number."""
    asked = iter(range(10**9))
    return lambda: next(asked) >= count


# --- taking up -------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("count", [0, 5, 16, 19, 21, 22], ids=lambda count: f"before file {count}")
def test_a_run_that_was_cancelled_is_taken_up(source, tmp_path, count):
    run_fix(plan(source), tmp_path / "whole")
    before, out = hashes(source), tmp_path / "out"
    with pytest.raises(CancelledError, match=r"what is done of mosaic_z03.ome.zarr is kept, run again to go on"):
        run_fix(plan(source), out, cancelled=stop_after(count), workers=1)
    assert hashes(source) == before
    assert not (out / NAME).exists()
    done = times(out / f".{NAME}.fixing" / "made")
    told = []
    run_fix(plan(source), out, on_progress=lambda *at: told.append(at))
    assert hashes(out) == hashes(tmp_path / "whole")
    assert not (out / f".{NAME}.fixing").exists()
    now = times(out / NAME)
    assert all(now[name] == at for name, at in done.items() if (out / NAME / name).is_file())
    assert sum((out / NAME / name).is_file() for name in done) >= count - 1
    assert told[-1][0] == told[-1][1] > 0
    assert told == sorted(told)


def test_what_has_changed_in_the_source_is_done_again(source, tmp_path):
    out, path = tmp_path / "out", source / NAME
    with pytest.raises(CancelledError):
        run_fix(plan(source), out, cancelled=stop_after(21), workers=1)  # a coarser chunk is there
    made = out / f".{NAME}.fixing" / "made"
    assert list(made.glob("1/c/*/*/*"))
    done = times(made)
    array = zarr.open_array(path / "0", mode="r+")
    array[:, :8, :9] = 7
    os.utime(path / "0/c/0/0/0", ns=(0, 0))  # it seems to be older than before
    (path / "0/c/0/2/3").unlink()
    with pytest.raises(CancelledError):
        run_fix(plan(source), out, cancelled=stop_after(0), workers=1)
    assert not list(made.glob("1/c/*/*/*"))
    assert not (made / "0/c/0/0/0").exists()
    assert not (made / "0/c/0/2/3").exists()
    run_fix(plan(source), out)
    run_fix(plan(source), tmp_path / "whole")
    assert hashes(out) == hashes(tmp_path / "whole")
    assert times(out / NAME)["0/c/0/1/1"] == done["0/c/0/1/1"]


def test_an_array_that_has_grown_is_begun_anew(source, tmp_path):
    array = zarr.open_array(source / NAME / "0", mode="r+")
    array.resize((2, 24, 35))
    with pytest.raises(CancelledError):
        run_fix(plan(source), tmp_path / "out", cancelled=stop_after(17), workers=1)
    array.resize((2, 24, 36))  # no chunk has changed
    run_fix(plan(source), tmp_path / "out")
    run_fix(plan(source), tmp_path / "whole")
    assert hashes(tmp_path / "out") == hashes(tmp_path / "whole")


def test_work_of_another_shift_is_not_taken_up(source, tmp_path):
    out = tmp_path / "out"
    with pytest.raises(CancelledError):
        run_fix(plan(source, shift=4), out, cancelled=stop_after(9), workers=1)
    run_fix(plan(source), out)
    run_fix(plan(source), tmp_path / "whole")
    assert hashes(out) == hashes(tmp_path / "whole")


@pytest.mark.parametrize(
    ("content", "why"),
    [
        pytest.param({"mine.txt": "mine"}, "is in the way: it is no work that a fix began", id="no plan"),
        pytest.param({"plan.json": "{}"}, "is not as a fix writes it", id="another plan"),
        pytest.param({"plan.json": "[1"}, "is not as a fix writes it", id="no JSON"),
        pytest.param({"plan.json": '{"version": 1, "files": [2]}'}, "is not as a fix writes it", id="no files"),
    ],
)
def test_a_folder_that_a_fix_did_not_make_is_left_alone(source, tmp_path, content, why):
    work = tmp_path / "out" / f".{NAME}.fixing"
    work.mkdir(parents=True)
    for name, text in content.items():
        (work / name).write_text(text)
    with pytest.raises(PlanError, match=why):
        run_fix(plan(source), tmp_path / "out")
    assert {path.name: path.read_text() for path in work.iterdir()} == content


def test_an_end_before_the_plan_was_written_is_no_harm(source, tmp_path):
    work = tmp_path / "out" / f".{NAME}.fixing"
    work.mkdir(parents=True)
    (work / ".slicemap-0123.json").write_text("{")
    run_fix(plan(source), tmp_path / "out")
    assert (tmp_path / "out" / NAME).is_dir()
    assert not work.exists()


def test_what_is_left_when_a_folder_has_its_name_goes(source, tmp_path):
    out = tmp_path / "out"
    with pytest.raises(CancelledError):
        run_fix(plan(source), out, cancelled=stop_after(3), workers=1)
    left = (out / f".{NAME}.fixing" / "plan.json").read_text()
    run_fix(plan(source), out)
    (out / f".{NAME}.fixing").mkdir()
    (out / f".{NAME}.fixing" / "plan.json").write_text(left)
    assert run_fix(plan(source), out).done[0].outcome == "there already"
    assert not (out / f".{NAME}.fixing").exists()


def test_a_full_disk_is_named_and_the_run_goes_on_later(source, tmp_path, monkeypatch):
    before, out = hashes(source), tmp_path / "out"
    real, calls = os.fsync, iter(range(1000))

    def full(handle):
        if next(calls) >= 8:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        real(handle)

    monkeypatch.setattr("napari_slicemap.slices.galvo.fixing.work.os.fsync", full)
    with pytest.raises(PlanError, match=rf"{NAME} cannot be written: No space left on device; .* run again to go on"):
        run_fix(plan(source), out)
    assert hashes(source) == before
    assert not (out / NAME).exists()
    monkeypatch.undo()
    run_fix(plan(source), out)
    run_fix(plan(source), tmp_path / "whole")
    assert hashes(out) == hashes(tmp_path / "whole")


def test_a_chunk_that_changes_while_it_is_read_stops_the_run(source, tmp_path, monkeypatch):
    def write(self, place, path, out):
        out.write_bytes(path.read_bytes())
        path.write_bytes(b"other")

    monkeypatch.setattr("napari_slicemap.slices.galvo.fixing.mosaic._Rolling._write", write)
    with pytest.raises(PlanError, match=r"0/c/0/\d/\d was changed while it was read; run again"):
        run_fix(plan(source), tmp_path / "out")


# --- what is there ---------------------------------------------------------------------------------------------------
def test_what_is_there_already_is_left_as_it_is(source, tmp_path):
    out = tmp_path / "out"
    run_fix(plan(source, "3"), out)
    (out / NAME / ".DS_Store").write_text("of a file manager")
    before = times(out / NAME)
    report = run_fix(plan(source, "3", "4"), out, with_others=True)
    assert [(one.slice_id, one.outcome) for one in report.done] == [("03", "there already"), ("04", "written")]
    assert times(out / NAME) == before
    assert [one.outcome for one in run_fix(plan(source, "3", "4"), out).done] == ["there already"] * 2


def test_an_end_while_a_folder_is_replaced_loses_nothing(source, tmp_path, monkeypatch):
    out = tmp_path / "out"
    run_fix(plan(source, shift=4), out)
    real = Path.rename

    def rename(path, target):
        if path.name == "made":
            raise KeyboardInterrupt
        return real(path, target)

    monkeypatch.setattr(Path, "rename", rename)
    with pytest.raises(KeyboardInterrupt):
        run_fix(plan(source), out, force=True)
    monkeypatch.undo()
    assert (out / f".{NAME}.fixing" / "replaced").is_dir()
    run_fix(plan(source), out)
    run_fix(plan(source), tmp_path / "whole")
    assert hashes(out) == hashes(tmp_path / "whole")


@pytest.mark.parametrize("case", ["another shift", "a newer source", "another file in it", "a chunk is missing"])
def test_what_is_there_and_something_else_is_refused(source, tmp_path, case):
    out = tmp_path / "out"
    run_fix(plan(source, shift=4 if case == "another shift" else 5), out)
    if case == "a newer source":
        later = time.time_ns() + 10**9
        os.utime(source / NAME / "0/c/0/0/0", ns=(later, later))
    elif case == "another file in it":
        (out / NAME / "notes.txt").write_text("mine")
    elif case == "a chunk is missing":
        (out / NAME / "0/c/0/0/0").unlink()
    before = hashes(out)
    with pytest.raises(PlanError, match=f"{NAME} is there already, and not what this would write now; --force"):
        run_fix(plan(source), out)
    assert targets(plan(source), out) == {out / NAME: "other"}
    assert hashes(out) == before
    run_fix(plan(source), out, force=True)
    run_fix(plan(source), tmp_path / "whole")
    assert hashes(out) == hashes(tmp_path / "whole")
    assert [path.name for path in out.iterdir() if path.name.endswith(".fixing")] == []


@pytest.mark.parametrize("kind", ["link", "file"])
def test_a_link_or_a_file_is_never_replaced(source, tmp_path, kind):
    out = tmp_path / "out"
    out.mkdir()
    if kind == "link":
        (out / NAME).symlink_to(source / NAME)
    else:
        (out / NAME).write_text("mine")
    before = hashes(source)
    with pytest.raises(PlanError, match=f"{NAME} is a {kind}; take it away"):
        run_fix(plan(source), out, force=True)
    assert hashes(source) == before


@pytest.mark.parametrize(
    ("out", "how"),
    [
        pytest.param("mosaics", "is", id="the source"),
        pytest.param(".", "holds", id="what holds it"),
        pytest.param("mosaics/fixed", "lies in", id="in the source"),
        pytest.param(f"mosaics/{NAME}/fixed", "lies in", id="in a mosaic"),
        pytest.param("link/fixed", "lies in", id="in the source, by a link"),
    ],
)
def test_nothing_is_written_into_the_source(source, tmp_path, out, how):
    (tmp_path / "link").symlink_to(source)
    before = times(tmp_path)
    with pytest.raises(PlanError, match=f"{how} .*, which is only read; choose another folder"):
        run_fix(plan(source), tmp_path / out)
    assert times(tmp_path) == before


def test_a_source_that_is_a_link_is_read(source, tmp_path):
    (tmp_path / "links").mkdir()
    (tmp_path / "links" / NAME).symlink_to(source / NAME)
    before = hashes(source)
    run_fix(plan(tmp_path / "links"), tmp_path / "out")
    run_fix(plan(source), tmp_path / "whole")
    assert hashes(tmp_path / "out") == hashes(tmp_path / "whole")
    assert hashes(source) == before


def test_other_slices_are_copied_where_they_are_asked_for(source, tmp_path):
    report = run_fix(plan(source, "4"), tmp_path / "out", with_others=True)
    assert [(one.slice_id, one.shift) for one in report.copied] == [("03", None)]
    assert hashes(tmp_path / "out" / NAME) == hashes(source / NAME)
    assert {path.stat().st_nlink for path in (tmp_path / "out").rglob("*") if path.is_file()} == {1}
    run_undo(plan_undo(tmp_path / "out"), tmp_path / "undone", with_others=True)
    assert hashes(tmp_path / "undone") == hashes(source)
    run_fix(plan(source, "4"), tmp_path / "alone")
    assert not (tmp_path / "alone" / NAME).exists()


def test_files_of_all_names_are_copied(source, tmp_path):
    for name in (".slicemap-zarr.json", "made", "plan.json", "parts/1", "zarr.json.part", "ü ß"):
        (source / NAME / name).parent.mkdir(exist_ok=True)
        (source / NAME / name).write_text(name)
    run_fix(plan(source), tmp_path / "out")
    run_undo(plan_undo(tmp_path / "out"), tmp_path / "undone")
    assert hashes(tmp_path / "undone" / NAME) == hashes(source / NAME)


def test_a_second_run_into_a_folder_is_refused(source, tmp_path):
    told = []

    def second(*_):
        if not told:
            with pytest.raises(
                PlanError, match=r"another command is writing fixed tiles into .*out; wait until it ends"
            ):
                run_fix(plan(source, "4"), tmp_path / "out")
            told.append(True)

    run_fix(plan(source), tmp_path / "out", on_progress=second)
    assert told
    run_fix(plan(source, "4"), tmp_path / "out")


# --- the diagnostics -------------------------------------------------------------------------------------------------
def test_the_diagnostics_say_where_the_fix_is_and_forget_it(source, tmp_path):
    folder = tmp_path / "run" / "diagnostics"
    record = GalvoRecord(axis="x", n_extra=EXTRA, lines=9, shift=5, confidence=0.9, threshold=0.6, likeliest=5)
    write_record(folder, "03", record)
    report = run_fix(plan(source, "3", "4"), tmp_path / "out")
    assert note_applied(report, folder) == ["03"]
    applied = read_record(folder, "03").applied
    assert (applied.shift, applied.path) == (5, f"../../out/{NAME}")
    # another fix of the same slice, elsewhere, is undone: what is noted stays
    run_fix(plan(source), tmp_path / "other")
    assert note_undone(run_undo(plan_undo(tmp_path / "other"), tmp_path / "back"), folder) == []
    assert read_record(folder, "03").applied == applied
    undone = run_undo(plan_undo(tmp_path / "out"), tmp_path / "undone")
    assert note_undone(undone, folder, {"003": {}}) == []  # the table has another name for it
    assert note_undone(undone, folder) == ["03"]
    assert read_record(folder, "03") == record
    assert read_record(folder, "04") is None


# --- killed ----------------------------------------------------------------------------------------------------------
RUN = """
import sys
from napari_slicemap.slices.galvo.fixing import plan_fix, run_fix
from napari_slicemap.slices.galvo.tile_slices import find_tile_slices
source, out = sys.argv[1:]
slices = find_tile_slices(source)
plan = plan_fix(slices, {}, {}, only=list(slices), shift=5, source=source)
print("ready", flush=True)
run_fix(plan, out, on_progress=lambda *_: print(flush=True))
print("done", flush=True)
"""


def kill(source: Path, out: Path, lines: int, seconds: float) -> bool:
    """Run a fix and kill it after some lines of progress and some time; whether it had come to its end."""
    words = [sys.executable, "-c", RUN, str(source), str(out)]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as process:
        for _ in range(lines + 1):
            process.stdout.readline()
        time.sleep(seconds)
        process.send_signal(signal.SIGKILL)
        return "done" in process.stdout.read()


def check_kills(source: Path, tmp_path: Path, moments: list[tuple[int, float]]) -> int:
    """Kill runs at some moments, one after the other into one folder and each into its own; hold all against one."""
    before = hashes(source), times(source)
    run_fix(plan_of(source, n_extra=None), tmp_path / "whole")
    expected, midst = hashes(tmp_path / "whole"), 0
    for n, (lines, seconds) in enumerate(moments):
        out = tmp_path / f"out{n}"
        ended = kill(source, out, lines, seconds)
        assert (hashes(source), times(source)) == before
        # what has its name is whole
        whole = {name: one for name, one in hashes(out).items() if not Path(name).parts[0].endswith(".fixing")}
        assert whole.items() <= expected.items()
        for name in {Path(name).parts[0] for name in whole}:
            assert hashes(out / name) == hashes(tmp_path / "whole" / name)
        midst += not ended and bool(list(out.glob(".*.fixing/made/*")))
        run_fix(plan_of(source, n_extra=None), out)
        assert hashes(out) == expected
        assert (hashes(source), times(source)) == before
    return midst


@pytest.mark.skipif(os.name != "posix", reason="there is no SIGKILL")
def test_a_fix_that_is_killed_is_taken_up(source, tmp_path):
    assert check_kills(source, tmp_path, [(1, 0.0), (9, 0.003), (17, 0.0)]) > 0


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.skipif(os.name != "posix", reason="there is no SIGKILL")
@pytest.mark.parametrize("kind", ["mosaics", "raw tiles"])
def test_a_fix_that_is_killed_at_any_moment_is_taken_up(source, tmp_path, kind):
    if kind == "raw tiles":
        source = tmp_path / "raw"
        for x, y in np.ndindex(3, 2):
            write_raw(source / f"tile_x{x:02d}_y{y:02d}_z03", [40, 40], lines=300, depth=64, seed=x + 3 * y)
    chance = random.Random(5)
    moments = [(chance.randrange(24), chance.uniform(0, 0.01)) for _ in range(25)]
    assert check_kills(source, tmp_path, moments) > 0


def test_the_plan_of_unfinished_work_says_what_it_is(source, tmp_path):
    with pytest.raises(CancelledError):
        run_fix(plan(source), tmp_path / "out", cancelled=stop_after(3), workers=1)
    said = json.loads((tmp_path / "out" / f".{NAME}.fixing" / "plan.json").read_text())
    assert said["source"] == str(source / NAME)
    assert len(said["job"].pop("array")) == 64
    assert said["job"] == {"shift": 5, "n_extra": EXTRA, "axis": "x", "back": False}

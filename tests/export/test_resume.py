"""Resuming: what was done and is unchanged is left alone, whatever ended the run before."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time

import pytest

from export.runs import bytes_of, record_of, temporaries, write_cells
from napari_slicemap import ExportPlan, open_dataset, run_export
from napari_slicemap.errors import PlanError
from napari_slicemap.export.repeat import repeat_export
from napari_slicemap.export.running.drafts import digest_of
from napari_slicemap.export.running.lock import remove_leftovers
from napari_slicemap.export.writers import writers
from scenes import write_dataset

CELLS = {"kind": "cell", "all": True, "size_px": 24}
FOVS = {"kind": "fov", "ids": ["a", "b"]}


@pytest.fixture
def own(tmp_path):
    return write_dataset(tmp_path / "own")


@pytest.fixture
def out(tmp_path):
    return tmp_path / "out"


@pytest.fixture(params=[False, True], ids=["sidecars", "one record"])
def shared(request, monkeypatch):
    """Whether the crops of a run share one record, as many of them do."""
    monkeypatch.setattr("napari_slicemap.export.running.prepare.MANY_CELLS", 3 if request.param else 100)
    return request.param


def stamps(folder):
    return {path.name: (path.stat().st_ino, path.stat().st_mtime_ns) for path in folder.glob("*.png")}


def resumed(plan, folder, **how):
    report = run_export(plan, open_dataset(folder), resume=True, **how)
    assert report.counts["failed"] == 0
    return {result.output_path.name for result in report.results if not result.skipped}


def test_what_is_done_is_left_alone(own, plan, out, shared):
    first = run_export(plan(CELLS), open_dataset(own))
    before = stamps(out)
    told = []
    again = run_export(
        plan(CELLS), open_dataset(own), resume=True, on_progress=lambda r, done, total: told.append((done, total))
    )
    total = len(first.results)
    assert again.counts == {"ok": 0, "failed": 0, "skipped": total, "cancelled": 0}
    assert stamps(out) == before
    assert told == [(number + 1, total) for number in range(total)]
    assert [(r.item_id, r.bytes, r.output_path) for r in again.results] == [
        (r.item_id, r.bytes, r.output_path) for r in first.results
    ]
    assert [r.metadata["warnings"] for r in again.results] == [r.metadata["warnings"] for r in first.results]
    rows = (out / "export_results.csv").read_text().splitlines()
    assert len(rows) == total + 1
    assert all(",true,true," in row for row in rows[1:])


CHANGES = [
    pytest.param({"downsample": 2}, id="plan"),
    pytest.param({"profile": "plain"}, id="profile"),
    pytest.param({"options": {"compress_level": 1}}, id="options"),
    pytest.param({"overlays": {"masks": ["cell"]}}, id="overlays"),
]


@pytest.mark.parametrize("changed", CHANGES)
def test_another_request_is_done_anew(own, plan, out, shared, changed):
    run_export(plan(CELLS), open_dataset(own))
    assert len(resumed(plan(CELLS, **changed), own)) == len(stamps(out))
    assert resumed(plan(CELLS, **changed), own) == set()


@pytest.mark.parametrize("changed", [{"output_folder": "elsewhere/../out"}, {"overwrite": "overwrite"}])
def test_where_to_and_what_to_do_there_is_no_other_request(own, plan, tmp_path, monkeypatch, shared, changed):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "elsewhere").mkdir()
    run_export(plan(CELLS), open_dataset(own))
    assert resumed(plan(CELLS, **changed), own) == set()


def test_other_versions_are_done_anew(own, plan, monkeypatch):
    run_export(plan(FOVS), open_dataset(own))
    monkeypatch.setattr("napari_slicemap.export.records.provenance.software", lambda: {"python": "4"})
    assert resumed(plan(FOVS), own) == {"a.png", "b.png"}


def test_a_source_that_changed_is_read_anew(own, plan):
    run_export(plan(FOVS), open_dataset(own))
    os.utime(own / "b" / "CD3.tif", (1, 1))
    assert resumed(plan(FOVS), own) == {"b.png"}


def test_an_edited_profile_is_another(own, plan):
    run_export(plan(FOVS), open_dataset(own))
    profiles = json.loads((own / "profiles.json").read_text())
    profiles["profiles"]["tissue"]["channels"]["CD3"]["gamma"] = 0.5
    (own / "profiles.json").write_text(json.dumps(profiles))
    assert resumed(plan(FOVS), own) == {"a.png", "b.png"}


HARMS = [
    pytest.param(lambda path: path.unlink(), id="gone"),
    pytest.param(lambda path: path.write_bytes(path.read_bytes()[:-9]), id="cut off"),
    pytest.param(lambda path: path.write_bytes(path.read_bytes()[:-1] + b"x"), id="one byte"),
]


@pytest.mark.parametrize("harm", HARMS)
def test_an_output_that_is_not_whole_is_made_anew(own, plan, out, shared, harm):
    run_export(plan(CELLS), open_dataset(own))
    before = bytes_of(out)
    harm(out / "a_cell_2.png")
    assert resumed(plan(CELLS), own) == {"a_cell_2.png"}
    assert bytes_of(out) == before


def test_an_output_without_its_record_is_made_anew(own, plan, out):
    run_export(plan(FOVS), open_dataset(own))
    (out / "a.png.provenance.json").unlink()
    assert resumed(plan(FOVS), own) == {"a.png"}


def test_a_mark_that_says_nothing_proves_nothing(own, plan, out):
    run_export(plan(FOVS), open_dataset(own))
    (out / ".slicemap-done" / "a.png.json").write_text("{")
    assert resumed(plan(FOVS), own) == {"a.png"}


def test_files_of_others_are_refused_still(own, plan, out):
    run_export(plan({"kind": "fov", "ids": ["a"]}), open_dataset(own))
    (out / "b.png").write_text("mine")
    with pytest.raises(PlanError, match=r"already holds b.png; choose another folder"):
        run_export(plan(FOVS), open_dataset(own), resume=True)
    assert (out / "b.png").read_text() == "mine"


def test_without_resume_what_is_there_is_refused(own, plan):
    run_export(plan(FOVS), open_dataset(own))
    with pytest.raises(PlanError, match=r"already holds a.png, b.png"):
        run_export(plan(FOVS), open_dataset(own))


def test_renamed_outputs_are_found_again(own, plan, out):
    out.mkdir()
    (out / "a.png").write_text("mine")
    run_export(plan(FOVS, overwrite="rename"), open_dataset(own))
    assert sorted(bytes_of(out)) == ["a.png", "a_2.png", "b.png"]
    assert resumed(plan(FOVS, overwrite="rename"), own) == set()
    assert resumed(plan(FOVS, overwrite="rename", downsample=2), own) == {"a_3.png", "b_2.png"}


def test_crops_that_get_sidecars_leave_the_record_and_the_other_way_round(own, plan, out, monkeypatch):
    monkeypatch.setattr("napari_slicemap.export.running.prepare.MANY_CELLS", 3)
    run_export(plan(CELLS), open_dataset(own))
    assert not list(out.glob("*.png.provenance.json"))
    monkeypatch.setattr("napari_slicemap.export.running.prepare.MANY_CELLS", 100)
    run_export(plan(CELLS, overwrite="overwrite"), open_dataset(own))
    assert len(list(out.glob("*.png.provenance.json"))) == len(bytes_of(out))
    assert resumed(plan(CELLS), own) == set()
    monkeypatch.setattr("napari_slicemap.export.running.prepare.MANY_CELLS", 3)
    run_export(plan(CELLS, overwrite="overwrite"), open_dataset(own))
    assert not list(out.glob("*.png.provenance.json"))


def test_a_cancelled_run_is_taken_up(own, plan, out, shared):
    write_cells(own, 80)
    done = []
    report = run_export(
        plan(CELLS), open_dataset(own), on_progress=lambda *_: done.append(1), cancel=lambda: len(done) >= 5
    )
    assert 0 < report.counts["ok"] < 80
    assert report.counts["cancelled"] == 80 - report.counts["ok"]
    before = stamps(out)
    assert len(resumed(plan(CELLS), own)) == 80 - len(before)
    assert {name: stamp for name, stamp in stamps(out).items() if name in before} == before


# --- what was killed ------------------------------------------------------------------------------------------
def test_what_dead_runs_have_left_is_removed_and_nothing_else(own, plan, out):
    out.mkdir()
    name = ".slicemap-" + "0" * 32
    (out / f"{name}.png").write_text("half")
    (out / f"{name}.zarr").mkdir()
    (out / f"{name}.zarr" / "c").write_text("half")
    kept = [".slicemap-notes.txt", f"x{name}.png", ".slicemap-" + "0" * 31 + ".png"]
    for other in kept:
        (out / other).write_text("mine")
    (out / f"{name}.svg").symlink_to(out / kept[0])
    run_export(plan(FOVS), open_dataset(own))
    assert not (out / f"{name}.png").exists()
    assert not (out / f"{name}.zarr").exists()
    assert all((out / other).read_text() == "mine" for other in kept)
    assert (out / f"{name}.svg").is_symlink()
    remove_leftovers(out / "none")


RUN = """
import sys
from napari_slicemap import ExportPlan, open_dataset, run_export
from napari_slicemap.export.running import prepare
prepare.MANY_CELLS = int(sys.argv[3])
select = {"kind": "cell", "all": True, "size_px": 24}
plan = ExportPlan.model_validate({"output_folder": sys.argv[2], "select": [select]})
run_export(plan, open_dataset(sys.argv[1]), on_progress=lambda *_: print(flush=True))
"""


def killed(folder, out, many, chance):
    """Run an export of 60 crops, and kill it somewhere in its midst."""
    words = [sys.executable, "-c", RUN, str(folder), str(out), str(many)]
    with subprocess.Popen(words, stdout=subprocess.PIPE) as process:
        for _ in range(chance.randrange(1, 50)):
            process.stdout.readline()
        time.sleep(chance.uniform(0, 0.01))
        process.send_signal(signal.SIGKILL)


def check_kill(tmp_path, monkeypatch, many, chance):
    """Hold a run that was killed and resumed against an undisturbed one."""
    monkeypatch.setattr("napari_slicemap.export.running.prepare.MANY_CELLS", many)
    folder = tmp_path / "own"
    if not folder.exists():
        write_cells(write_dataset(folder), 60)
        run_export(ExportPlan(output_folder=str(tmp_path / "whole"), select=[CELLS]), open_dataset(folder))
    out = tmp_path / f"out{chance.random()}"
    killed(folder, out, many, chance)
    before = stamps(out)
    report = run_export(ExportPlan(output_folder=str(out), select=[CELLS]), open_dataset(folder), resume=True)
    assert report.counts["failed"] == 0
    assert bytes_of(out) == bytes_of(tmp_path / "whole")
    assert temporaries(out) == []
    assert not (out / ".slicemap-done" / "begun.json").exists()
    skipped = {result.output_path.name for result in report.results if result.skipped}
    assert skipped <= set(before)
    assert {name: stamp for name, stamp in stamps(out).items() if name in skipped} == {n: before[n] for n in skipped}
    # with sidecars nothing that had its name is done a second time; crops are made durable, and noted, together
    named = {name for name in before if not name.startswith(".slicemap-")}
    assert len(named - skipped) <= (0 if many > 60 else 32)
    rows = (out / "export_results.csv").read_text().splitlines()
    assert len(rows) == 61
    assert len({row.split(",")[0] for row in rows}) == 61
    again = run_export(ExportPlan(output_folder=str(out), select=[CELLS]), open_dataset(folder), resume=True)
    assert again.counts["skipped"] == 60
    return len(before)


@pytest.mark.skipif(os.name != "posix", reason="there is no SIGKILL")
@pytest.mark.parametrize("many", [pytest.param(1000, id="sidecars"), pytest.param(10, id="one record")])
def test_a_killed_run_is_taken_up(tmp_path, monkeypatch, many):
    assert check_kill(tmp_path, monkeypatch, many, random.Random(3)) > 0


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.skipif(os.name != "posix", reason="there is no SIGKILL")
@pytest.mark.parametrize("many", [pytest.param(1000, id="sidecars"), pytest.param(10, id="one record")])
def test_runs_killed_at_any_moment_are_taken_up(tmp_path, monkeypatch, many):
    chance = random.Random(11)
    for _ in range(int(os.environ.get("SLICEMAP_KILLS", "5"))):
        check_kill(tmp_path, monkeypatch, many, chance)


# --- two at once ----------------------------------------------------------------------------------------------
def test_a_second_run_into_a_folder_is_refused(own, plan, out):
    told = []

    def second(*_):
        if not told:
            with pytest.raises(PlanError, match=f"another export is writing into {out}; wait until it ends") as caught:
                run_export(plan({"kind": "map", "ids": ["7"]}), open_dataset(own))
            told.append(caught)

    report = run_export(plan(FOVS), open_dataset(own), on_progress=second)
    assert told
    assert report.counts["ok"] == 2
    assert run_export(plan({"kind": "map", "ids": ["7"]}), open_dataset(own)).counts["ok"] == 1


HOLD = """
import sys, time
from pathlib import Path
from napari_slicemap.export.running.lock import locked
with locked(Path(sys.argv[1])):
    print(flush=True)
    time.sleep(60)
"""


def test_a_lock_ends_with_the_process_that_held_it(own, plan, out):
    out.mkdir()
    with subprocess.Popen([sys.executable, "-c", HOLD, str(out)], stdout=subprocess.PIPE) as process:
        process.stdout.readline()
        with pytest.raises(PlanError, match="another export is writing"):
            run_export(plan(FOVS), open_dataset(own))
        process.kill()
    assert run_export(plan(FOVS), open_dataset(own)).counts["ok"] == 2


# --- every format ---------------------------------------------------------------------------------------------
FORMATS = [pytest.param(name, id=name) for name in writers()]


@pytest.mark.parametrize("format_", FORMATS)
def test_every_format_is_the_same_in_threads_is_found_again_and_can_be_repeated(own, plan, out, tmp_path, format_):
    kinds = [{"kind": "fov", "ids": ["a", "b"]}, {"kind": "map-roi", "ids": ["r1"]}]
    asked = plan(*kinds, format=format_)
    report = run_export(asked, open_dataset(own))
    assert [result.error for result in report.results] == [""] * 3
    outputs = {result.output_path.name: digest_of(result.output_path) for result in report.results}
    again = asked.model_copy(update={"output_folder": str(tmp_path / "threads")})
    run_export(again, open_dataset(own), runner="threads", workers=2)
    assert {name: digest_of(tmp_path / "threads" / name) for name in outputs} == outputs
    assert resumed(asked, own) == set()
    for name in outputs:
        repeat_export(out / f"{name}.provenance.json", tmp_path / "repeated")
        assert digest_of(tmp_path / "repeated" / name) == outputs[name]


def test_a_folder_that_is_not_whole_is_made_anew(own, plan, out):
    asked = plan(FOVS, format="ome-zarr")
    (first, _) = run_export(asked, open_dataset(own)).results
    next(path for path in first.output_path.rglob("*") if path.is_file() and path.name != "zarr.json").unlink()
    assert resumed(asked, own) == {"a.ome.zarr"}
    assert resumed(asked, own) == set()
    assert record_of(out, "a.ome.zarr")["output"]["sha256"] == digest_of(out / "a.ome.zarr")

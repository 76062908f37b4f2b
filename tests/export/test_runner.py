"""The job runner: whole files or none, a result each."""

import os
import pickle
from functools import partial

import pytest

from napari_slicemap import JobItem, JobRunner
from napari_slicemap.errors import TileReadError
from napari_slicemap.export.runner import run_item


def write(text, path):
    path.write_text(text)
    return {"warnings": ["odd"], "length": len(text)}


def fail(error, path):
    path.write_text("half of a fi")
    raise error


def item(folder, name, execute=None, **fields):
    return JobItem(f"fov:{name}", execute or partial(write, name), folder / f"{name}.txt", {"kind": "fov"}, **fields)


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_items_run_in_order_and_each_has_a_result(tmp_path):
    told = []
    runner = JobRunner(
        [item(tmp_path, "a"), item(tmp_path, "b")], on_progress=lambda r, done, total: told.append((r, done, total))
    )
    assert runner.state == "pending"
    results = runner.run()
    assert runner.state == "completed"
    assert [(r.item_id, r.ok, r.bytes, r.error, r.traceback) for r in results] == [
        ("fov:a", True, 1, "", ""),
        ("fov:b", True, 1, "", ""),
    ]
    assert told == [(results[0], 1, 2), (results[1], 2, 2)]
    assert results[0].metadata == {"kind": "fov", "warnings": ["odd"], "length": 1}
    assert results[0].seconds >= 0
    assert results[0].started_at.endswith("Z")
    assert names(tmp_path) == ["a.txt", "b.txt"]


ERRORS = [
    pytest.param(TileReadError("FOV a: gone"), "FOV a: gone", id="one of ours says it itself"),
    pytest.param(ValueError("two\nlines"), "ValueError: two lines", id="another is named, on one line"),
    pytest.param(MemoryError(), "MemoryError: ", id="without a message"),
    pytest.param(OSError(28, "No space left on device"), "OSError: [Errno 28] No space left on device", id="full disk"),
]


@pytest.mark.parametrize(("error", "message"), ERRORS)
def test_a_failure_leaves_the_old_file_whole_and_stops_nobody(tmp_path, error, message):
    (tmp_path / "a.txt").write_text("old")
    results = JobRunner([item(tmp_path, "a", partial(fail, error)), item(tmp_path, "b")]).run()
    assert [r.ok for r in results] == [False, True]
    assert results[0].error == message
    assert type(error).__name__ in results[0].traceback
    assert results[0].metadata == {"kind": "fov"}
    assert names(tmp_path) == ["a.txt", "b.txt"]
    assert (tmp_path / "a.txt").read_text() == "old"


def test_a_failure_before_any_file_leaves_none(tmp_path):
    assert not run_item(item(tmp_path, "a", partial(fail, ValueError("x")))).ok
    assert names(tmp_path) == []


def test_a_kill_leaves_the_old_file_and_no_temporary_one(tmp_path):
    (tmp_path / "a.txt").write_text("old")
    with pytest.raises(KeyboardInterrupt, match="stop"):
        JobRunner([item(tmp_path, "a", partial(fail, KeyboardInterrupt("stop")))]).run()
    assert names(tmp_path) == ["a.txt"]
    assert (tmp_path / "a.txt").read_text() == "old"


def test_a_failed_rename_is_a_failed_item(tmp_path):
    (tmp_path / "a.txt").mkdir()
    result = run_item(item(tmp_path, "a"))
    assert not result.ok
    assert "a.txt" in result.error
    assert names(tmp_path) == ["a.txt"]


def test_a_failed_fsync_is_a_failed_item(tmp_path, monkeypatch):
    (tmp_path / "a.txt").write_text("old")
    monkeypatch.setattr(os, "fsync", lambda _: (_ for _ in ()).throw(OSError("disk full")))
    result = run_item(item(tmp_path, "a"))
    assert (result.ok, result.error) == (False, "OSError: disk full")
    assert names(tmp_path) == ["a.txt"]
    assert (tmp_path / "a.txt").read_text() == "old"


@pytest.mark.parametrize("after", [0, 1, 2])
def test_cancel_leaves_the_rest_undone(tmp_path, after):
    done = []
    runner = JobRunner(
        [item(tmp_path, name) for name in "abc"],
        on_progress=lambda *_: done.append(1),
        cancel=lambda: len(done) >= after,
    )
    assert len(runner.run()) == after
    assert runner.state == "cancelled"
    assert names(tmp_path) == ["a.txt", "b.txt", "c.txt"][:after]


def test_finish_sees_the_whole_file_and_its_failure_is_told(tmp_path):
    seen = {}

    def finish(path, metadata):
        seen.update(metadata, text=path.read_text())

    assert run_item(item(tmp_path, "a", finish=finish)).ok
    assert seen == {"kind": "fov", "warnings": ["odd"], "length": 1, "text": "a"}
    result = run_item(item(tmp_path, "b", finish=lambda *_: 1 / 0))
    assert (result.ok, result.error) == (False, "ZeroDivisionError: division by zero")


def test_folders_are_made_and_items_can_be_sent(tmp_path):
    again = pickle.loads(pickle.dumps(item(tmp_path / "new" / "folder", "a")))
    assert run_item(again).ok
    assert names(tmp_path / "new" / "folder") == ["a.txt"]


def test_new_files_have_usual_permissions_and_old_ones_keep_theirs(tmp_path):
    run_item(item(tmp_path, "a"))
    (tmp_path / "plain").write_text("x")
    assert (tmp_path / "a.txt").stat().st_mode == (tmp_path / "plain").stat().st_mode
    (tmp_path / "a.txt").chmod(0o640)
    run_item(item(tmp_path, "a"))
    assert (tmp_path / "a.txt").stat().st_mode & 0o777 == 0o640

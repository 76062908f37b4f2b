"""The job runner: whole files or none, a result each."""

import hashlib
import os
import pickle
import stat
import threading
import time
from functools import partial

import pytest

from napari_slicemap import JobItem, JobRunner
from napari_slicemap.errors import TileReadError
from napari_slicemap.export.running.cancelling import check
from napari_slicemap.export.running.drafts import digest_of
from napari_slicemap.export.running.runner import in_series, run_group, run_item
from napari_slicemap.export.running.thread_runner import Threads
from napari_slicemap.render.threads import processors


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
    pytest.param(
        OSError(28, "No space left on device"), "{file} cannot be written: No space left on device", id="disk"
    ),
]


@pytest.mark.parametrize(("error", "message"), ERRORS)
def test_a_failure_leaves_the_old_file_whole_and_stops_nobody(tmp_path, error, message):
    (tmp_path / "a.txt").write_text("old")
    results = JobRunner([item(tmp_path, "a", partial(fail, error)), item(tmp_path, "b")]).run()
    assert [r.ok for r in results] == [False, True]
    assert results[0].error == message.format(file=tmp_path / "a.txt")
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


def described(side, path, metadata):
    """Describe a file by its content, in a file beside it."""
    return {**metadata, "read": path.read_text()}, {side: f"about {path.read_text()}"}


def test_what_goes_with_a_file_is_written_with_it(tmp_path):
    (tmp_path / "a.about").write_text("old")
    result = run_item(item(tmp_path, "a", describe=partial(described, tmp_path / "a.about")))
    assert result.metadata == {"kind": "fov", "warnings": ["odd"], "length": 1, "read": "a"}
    assert (tmp_path / "a.about").read_text() == "about a"
    assert names(tmp_path) == ["a.about", "a.txt"]


def test_a_file_that_cannot_be_described_does_not_appear(tmp_path):
    (tmp_path / "b.txt").write_text("old")
    result = run_item(item(tmp_path, "b", describe=lambda *_: 1 / 0))
    assert (result.ok, result.error) == (False, "ZeroDivisionError: division by zero")
    assert (tmp_path / "b.txt").read_text() == "old"
    assert names(tmp_path) == ["b.txt"]


def test_a_side_file_that_cannot_be_written_leaves_the_old_file(tmp_path):
    (tmp_path / "a.txt").write_text("old")
    result = run_item(item(tmp_path, "a", describe=partial(described, tmp_path / "none" / "a.about")))
    assert not result.ok
    assert (tmp_path / "a.txt").read_text() == "old"
    assert names(tmp_path) == ["a.txt"]


def fill(path):
    (path / "part").mkdir()
    (path / "part" / "b").write_text("bb")
    (path / "a").write_text("a")
    return {}


def test_a_folder_as_an_output(tmp_path):
    made = JobItem("fov:z", fill, tmp_path / "z.zarr", folder=True)
    for _ in range(2):  # anew, and over an old one
        result = run_item(made)
        assert (result.ok, result.bytes) == (True, 3)
    assert names(tmp_path) == ["z.zarr"]
    # what `find . -type f | sort | xargs sha256sum | sha256sum` would say, without the dots
    lines = [f"{hashlib.sha256(text).hexdigest()}  {name}\n" for name, text in (("a", b"a"), ("part/b", b"bb"))]
    assert digest_of(tmp_path / "z.zarr") == hashlib.sha256("".join(lines).encode()).hexdigest()


# --- groups ---------------------------------------------------------------------------------------------------
def test_a_group_waits_for_the_disk_together_and_fails_apart(tmp_path, monkeypatch):
    synced = []
    real = os.fsync
    monkeypatch.setattr(os, "fsync", lambda handle: synced.append(os.fstat(handle).st_mode) or real(handle))
    results = run_group([item(tmp_path, "a"), item(tmp_path, "b", partial(fail, ValueError("x"))), item(tmp_path, "c")])
    assert [(r.item_id, r.ok) for r in results] == [("fov:a", True), ("fov:b", False), ("fov:c", True)]
    assert names(tmp_path) == ["a.txt", "c.txt"]
    assert sum(stat.S_ISREG(mode) for mode in synced) == 2
    assert sum(stat.S_ISDIR(mode) for mode in synced) == 1


def test_a_group_that_is_stopped_keeps_what_is_whole(tmp_path):
    done = []
    chosen = [item(tmp_path, name, partial(lambda n, p: done.append(n) or write(n, p), name)) for name in "abcd"]
    results = run_group(chosen, lambda: len(done) == 2)
    assert [r.item_id for r in results] == ["fov:a", "fov:b"]
    assert names(tmp_path) == ["a.txt", "b.txt"]


def wait_to_be_stopped(asked, path):
    path.write_text("half")
    asked.set()
    for _ in range(1000):  # in threads the stop goes round when the caller is next asked
        check()
        time.sleep(0.01)
    raise AssertionError("it went on")


@pytest.mark.parametrize("strategy", [in_series, Threads(2)], ids=["serial", "threads"])
def test_an_item_that_is_stopped_in_its_midst_leaves_no_file(tmp_path, strategy):
    asked = threading.Event()
    chosen = [item(tmp_path, "a"), item(tmp_path, "b", partial(wait_to_be_stopped, asked)), item(tmp_path, "c")]
    runner = JobRunner(chosen, cancel=asked.is_set, strategy=strategy)
    runner.run()
    assert runner.state == "cancelled"
    assert "b.txt" not in names(tmp_path)
    assert not [name for name in names(tmp_path) if name.startswith(".")]


# --- threads --------------------------------------------------------------------------------------------------
def test_threads_run_side_by_side_each_item_on_one_and_give_results_in_order(tmp_path):
    meeting = threading.Barrier(2, timeout=20)
    limits = []

    def meet(name, path):
        limits.append(processors())
        meeting.wait()
        return write(name, path)

    chosen = [item(tmp_path, name, partial(meet, name)) for name in "abcd"]
    told = []
    runner = JobRunner(chosen, strategy=Threads(2), on_progress=lambda r, done, total: told.append((done, total)))
    assert [r.item_id for r in runner.run()] == ["fov:a", "fov:b", "fov:c", "fov:d"]
    assert runner.state == "completed"
    assert told == [(1, 4), (2, 4), (3, 4), (4, 4)]
    assert limits == [1] * 4
    assert [r.item_id for r in runner.results] == ["fov:a", "fov:b", "fov:c", "fov:d"]


def test_threads_end_when_the_caller_is_interrupted(tmp_path):
    def stop(*_):
        raise KeyboardInterrupt("stop")

    chosen = [item(tmp_path, str(number)) for number in range(50)]
    with pytest.raises(KeyboardInterrupt, match="stop"):
        JobRunner(chosen, strategy=Threads(2), on_progress=stop).run()
    assert 1 <= len(names(tmp_path)) < 10


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

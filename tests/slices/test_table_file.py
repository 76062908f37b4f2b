"""Changing a slice table on disk: one writer at a time, nothing lost, every change on record."""

from __future__ import annotations

import csv
import errno
import getpass
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from napari_slicemap.errors import FileFormatError, PlanError
from napari_slicemap.slices import slice_config, table_file
from napari_slicemap.slices.table_file import AUDIT_COLUMNS, audit_path, changes, open_table

TABLE = "slice_id,use,quality_score,notes\n00,false,0.000,calibration_slice\n01,true,0.812,\n02,true,,\n"
TIME = "2026-01-02T03:04:05Z"
HEADER = ",".join(AUDIT_COLUMNS)

# opens a table and says so, waits for a line, stamps a note on its slice
STAMP = """
import sys
from napari_slicemap.errors import PlanError
from napari_slicemap.slices import slice_config
from napari_slicemap.slices.table_file import open_table

path, slice_id = sys.argv[1:]
try:
    with open_table(path, None, in_place=True, by="stage " + slice_id) as job:
        print("open", flush=True)
        sys.stdin.readline()
        job.save(slice_config.stamp(job.rows, slice_id, {"notes": "stamped"}))
except PlanError as error:
    sys.exit(str(error))
"""

# as many processes as slices, each until its own slice is stamped
CROWD = """
import os, sys, time
from napari_slicemap.errors import PlanError
from napari_slicemap.slices import slice_config
from napari_slicemap.slices.table_file import open_table
import filelock

path, count = sys.argv[1], int(sys.argv[2])
children = {}
for number in range(count):
    child = os.fork()
    if child:
        children[child] = number
        continue
    slice_id, refused = f"{number:02d}", 0
    while True:
        try:
            with open_table(path, None, in_place=True, by="stage " + slice_id) as job:
                time.sleep(0.01)
                job.save(slice_config.stamp(job.rows, slice_id, {"notes": "stamped by " + slice_id}))
            os._exit(1 if refused else 0)
        except PlanError as error:
            assert "is being written by another command" in str(error), error
            refused += 1
            time.sleep(0.002)
        except BaseException as error:
            print(repr(error), file=sys.stderr, flush=True)
            os._exit(2)
ends = [os.waitstatus_to_exitcode(os.wait()[1]) for _ in children]
print(max(ends), sum(ends))
"""

# appends to a trail that may grow by a few bytes only, as on a disk that is full
FULL = """
import resource, sys
from pathlib import Path
from napari_slicemap.slices import slice_config
from napari_slicemap.slices.table_file import audit_path, open_table

path = Path(sys.argv[1])
size = audit_path(path).stat().st_size if audit_path(path).exists() else 0
try:
    with open_table(path, None, in_place=True, by="me") as job:
        resource.setrlimit(resource.RLIMIT_FSIZE, (size + 40, resource.RLIM_INFINITY))
        job.save(slice_config.stamp(job.rows, "01", {"notes": "a note that is longer than what is left"}))
except OSError as error:
    print(error.strerror)
"""

posix = pytest.mark.skipif(os.name != "posix", reason="forks, limits and kills are of POSIX")


@pytest.fixture
def table(tmp_path: Path) -> Path:
    path = tmp_path / "slice_config.csv"
    path.write_text(TABLE)
    return path


@pytest.fixture
def fixed_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(table_file, "now_iso", lambda: TIME)


def stamp(path: Path, slice_id: str, by: str = "me", **values: object) -> None:
    with open_table(path, None, in_place=True, by=by) as job:
        job.save(slice_config.stamp(job.rows, slice_id, values))


def trail(path: Path) -> list[dict[str, str]]:
    with audit_path(path).open(newline="", encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


def files(folder: Path) -> dict[str, bytes]:
    """What lies in a folder, but for locks, which stay behind empty."""
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file() and path.suffix != ".lock"}


def start(script: str, *args: object) -> subprocess.Popen[str]:
    pipe = subprocess.PIPE
    return subprocess.Popen(
        [sys.executable, "-c", script, *map(str, args)], stdin=pipe, stdout=pipe, stderr=pipe, text=True
    )


# --- another process -------------------------------------------------------------------------------------
def test_of_two_processes_the_second_is_told_and_nothing_is_lost(table: Path) -> None:
    first = start(STAMP, table, "01")
    assert first.stdout is not None
    assert first.stdout.readline() == "open\n"
    second = start(STAMP, table, "02")
    _, said = second.communicate("go\n")
    assert second.returncode == 1
    assert f"{table} is being written by another command; wait until it ends" in said
    assert table.read_text() == TABLE, "refused, and yet it wrote"
    assert first.communicate("go\n") == ("", "")
    again = start(STAMP, table, "02")
    assert again.communicate("go\n") == ("open\n", "")
    rows = slice_config.read(table)
    assert [row["notes"] for row in rows.values()] == ["calibration_slice", "stamped", "stamped"]
    assert [(one["slice_id"], one["by"]) for one in trail(table)] == [("01", "stage 01"), ("02", "stage 02")]


@posix
def test_a_killed_process_frees_the_table(table: Path) -> None:
    victim = start(STAMP, table, "01")
    assert victim.stdout is not None
    assert victim.stdout.readline() == "open\n"
    with pytest.raises(PlanError, match="is being written by another command"):
        stamp(table, "02", notes="too early")
    victim.kill()
    victim.communicate()
    stamp(table, "02", notes="after")
    assert [row["notes"] for row in slice_config.read(table).values()] == ["calibration_slice", "", "after"]


@posix
def test_twenty_processes_each_stamp_their_slice(tmp_path: Path) -> None:
    count, path = 20, tmp_path / "slice_config.csv"
    path.write_text("slice_id,use,notes\n" + "".join(f"{n:02d},true,\n" for n in range(count)))
    said, error = start(CROWD, path, count).communicate()
    assert error == ""
    worst, waited = map(int, said.split())
    assert (worst, waited > 0) == (1, True), "nobody had to wait: this proves nothing"
    wanted = {f"{n:02d}": f"stamped by {n:02d}" for n in range(count)}
    assert {one: row["notes"] for one, row in slice_config.read(path).items()} == wanted
    assert {one["slice_id"]: one["new"] for one in trail(path)} == wanted
    assert all(one["by"] == f"stage {one['slice_id']}" for one in trail(path))
    assert set(files(tmp_path)) == {"slice_config.csv", "slice_config.audit.csv"}


@pytest.mark.parametrize("name", ["link.csv", "sub/../slice_config.csv", "sub/link.csv"])
def test_one_table_by_two_names_is_one_table(table: Path, name: str) -> None:
    (table.parent / "sub").mkdir()
    for link in (table.parent / "link.csv", table.parent / "sub" / "link.csv"):
        link.symlink_to(table)
    other = table.parent / name
    with open_table(table, None, in_place=True), pytest.raises(PlanError, match="is being written by another"):
        stamp(other, "01", notes="b")
    stamp(other, "01", notes="b")
    assert slice_config.read(table)["01"]["notes"] == "b"
    assert other.is_symlink() == ("link" in name), "the link itself was replaced"
    assert len(trail(table)) == 1


def test_another_writer_of_a_new_table_is_noticed(table: Path) -> None:
    out = table.parent / "out.csv"
    with open_table(table, out), pytest.raises(PlanError, match=r"out\.csv is being written by another command"):  # noqa: SIM117
        with open_table(table, out):
            pytest.fail("two may write one table")


# --- something else changes the table ----------------------------------------------------------------------
CHANGED: dict[str, Callable[[Path], object]] = {
    "another row": lambda path: path.write_text(TABLE + "03,true,,\n"),
    "the same size": lambda path: path.write_text(TABLE.replace("0.812", "0.821")),
    "removed": lambda path: path.unlink(),
    "emptied": lambda path: path.write_text(""),
}


@pytest.mark.parametrize("name", CHANGED)
def test_a_table_that_changed_underneath_is_left_alone(table: Path, name: str) -> None:
    with open_table(table, None, in_place=True) as job:
        CHANGED[name](table)
        left = files(table.parent)
        with pytest.raises(PlanError, match="was changed by something else while this ran; nothing is written"):
            job.save(slice_config.stamp(job.rows, "01", {"use": False}))
    assert files(table.parent) == left


def test_a_table_that_changes_while_it_is_read_is_left_alone(table: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read = slice_config.read

    def read_then_change(path: Any) -> slice_config.SliceRows:
        rows = read(path)
        table.write_text(TABLE + "03,true,,\n")
        return rows

    monkeypatch.setattr(slice_config, "read", read_then_change)
    with open_table(table, None, in_place=True) as job, pytest.raises(PlanError, match="was changed by something"):
        job.save(job.rows)
    assert table.read_text() == TABLE + "03,true,,\n"


@pytest.mark.parametrize("force", [False, True])
def test_an_out_that_appears_while_it_runs_is_left_alone(table: Path, force: bool) -> None:
    out = table.parent / "out.csv"
    with open_table(table, out, force=force) as job:
        out.write_text("somebody's\n")
        with pytest.raises(PlanError, match=r"out\.csv was changed by something else"):
            job.save(job.rows)
    assert out.read_text() == "somebody's\n"


def test_an_out_that_another_command_made_while_this_one_began_is_left_alone(
    table: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other command ends between this one's look at its paths and its lock."""
    out = table.parent / "out.csv"
    locked = table_file._locked

    def late(target: Path | None) -> Any:
        out.write_text("the other's\n")
        return locked(target)

    monkeypatch.setattr(table_file, "_locked", late)
    with pytest.raises(PlanError, match=r"out\.csv is there already; --force replaces it"), open_table(table, out):
        pass
    assert out.read_text() == "the other's\n"


# --- the audit trail -----------------------------------------------------------------------------------------
@pytest.mark.usefixtures("fixed_time")
def test_every_cell_that_changed_is_on_record(table: Path) -> None:
    stamp(table, "01", by="slicemap slices quality", use=False, quality_score=0.5, notes='low, "really"')
    first = (
        f"{HEADER}\n"
        f"{TIME},01,use,true,false,slicemap slices quality\n"
        f"{TIME},01,quality_score,0.812,0.500,slicemap slices quality\n"
        f'{TIME},01,notes,,"low, ""really""",slicemap slices quality\n'
    )
    assert audit_path(table).read_text() == first
    stamp(table, "02", by="Ada", rehomed=True)
    assert audit_path(table).read_text() == first + f"{TIME},02,rehomed,,true,Ada\n"
    assert table.read_text().splitlines()[2] == '01,false,0.500,,"low, ""really"""'


def test_who_did_it_is_the_user_unless_said_otherwise(table: Path) -> None:
    stamp(table, "01", by="", use=False)
    (line,) = trail(table)
    assert line["by"] == getpass.getuser()
    assert line["time"] != TIME


def test_nothing_changed_is_nothing_to_record(table: Path) -> None:
    stamp(table, "01", use=True)
    assert files(table.parent) == {"slice_config.csv": TABLE.encode()}


def test_a_new_table_has_no_trail(table: Path) -> None:
    out = table.parent / "new" / "out.csv"
    with open_table(table, out) as job:
        job.save(slice_config.stamp(job.rows, "01", {"use": False}))
    assert set(files(out.parent)) == {"out.csv"}
    assert table.read_text() == TABLE


@pytest.mark.parametrize("before", ["no trail", "a trail"])
def test_what_was_not_written_is_not_on_record(table: Path, before: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if before == "a trail":
        stamp(table, "02", use=False)
    left = files(table.parent)

    def full(*_: object) -> None:
        assert len(audit_path(table).read_bytes()) > len(left.get("slice_config.audit.csv", b"")), "not yet on record"
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(slice_config, "write", full)
    with pytest.raises(OSError, match="No space left"):
        stamp(table, "01", use=False)
    assert files(table.parent) == left


@posix
@pytest.mark.parametrize("before", ["no trail", "a trail"])
def test_a_trail_that_cannot_grow_is_not_torn(table: Path, before: str) -> None:
    if before == "a trail":
        stamp(table, "02", use=False)
    left = files(table.parent)
    said, error = start(FULL, table).communicate()
    assert (said, error) == ("File too large\n", "")
    assert files(table.parent) == left


@pytest.mark.parametrize(
    "content",
    [
        pytest.param("my,own,notes\n", id="another table"),
        pytest.param(f"{HEADER}\n{TIME},01,use,tr", id="a last line cut short"),
        pytest.param(f"x{HEADER}\n", id="another header"),
        pytest.param("\n", id="a blank line"),
    ],
)
def test_a_trail_that_is_none_is_left_alone(table: Path, content: str) -> None:
    audit_path(table).write_text(content)
    with pytest.raises(FileFormatError, match=r"audit\.csv: it is no audit trail, expected a header time,slice_id"):
        stamp(table, "01", use=False)
    assert files(table.parent) == {"slice_config.csv": TABLE.encode(), "slice_config.audit.csv": content.encode()}


def test_a_value_that_does_not_fit_is_refused_by_name(table: Path) -> None:
    with (
        open_table(table, None, in_place=True) as job,
        pytest.raises(FileFormatError, match=r"slice_config\.csv: slice 01: use is 'maybe', expected true"),
    ):
        job.save({**job.rows, "01": {"slice_id": "01", "use": "maybe"}})
    assert files(table.parent) == {"slice_config.csv": TABLE.encode()}


CHANGES = [
    pytest.param({"01": {"use": True}}, {"01": {"use": True}}, [], id="none"),
    pytest.param({"01": {"use": True}}, {"01": {"use": False}}, [("01", "use", "true", "false")], id="a decision"),
    pytest.param({"01": {}}, {"01": {"rehomed": None, "notes": ""}}, [], id="a column that says nothing"),
    pytest.param({"01": {}}, {"01": {"depth": "5"}}, [("01", "depth", "", "5")], id="a column of their own"),
    pytest.param({"01": {"depth": "5"}}, {"01": {}}, [("01", "depth", "5", "")], id="a column gone"),
    pytest.param(
        {},
        {"01": {"slice_id": "01", "use": True}},
        [("01", "slice_id", "", "01"), ("01", "use", "", "true")],
        id="a slice more",
    ),
    pytest.param({"01": {"slice_id": "01"}}, {}, [("01", "slice_id", "01", "")], id="a slice less"),
    pytest.param({"01": {"use": True}, "02": {}}, {"02": {}, "01": {"use": True}}, [], id="another order"),
]


@pytest.mark.parametrize(("before", "after", "expected"), CHANGES)
def test_changes(before: dict[str, Any], after: dict[str, Any], expected: list[tuple[str, ...]]) -> None:
    assert [tuple(one.values()) for one in changes(before, after)] == expected


# --- which paths go together ---------------------------------------------------------------------------------
def test_a_stage_takes_a_table_and_writes_another(table: Path) -> None:
    out = table.parent / "a" / "b" / "out.csv"
    with open_table(table, out) as job:
        job.save(slice_config.stamp(job.rows, "01", {"use": False}))
    assert out.read_text() == TABLE.replace("01,true", "01,false")
    with open_table(table, out, force=True) as job:
        job.save(job.rows)
    assert out.read_text() == TABLE


def test_no_table_to_begin_with_is_an_empty_one(tmp_path: Path) -> None:
    with open_table(None, tmp_path / "out.csv") as job:
        assert job.rows == {}
        job.save({"01": {"slice_id": "01", "use": True}})
    assert (tmp_path / "out.csv").read_text() == "slice_id,use\n01,true\n"


def test_work_that_fails_leaves_all_as_it_was(table: Path) -> None:
    out = table.parent / "out.csv"
    with pytest.raises(RuntimeError, match="halfway"), open_table(table, out):
        raise RuntimeError("halfway")
    assert files(table.parent) == {"slice_config.csv": TABLE.encode()}
    with open_table(table, out) as job:
        job.save(job.rows)
    assert out.read_text() == TABLE


PATHS = [
    pytest.param(
        {"config": None, "in_place": True}, PlanError, "--in-place changes the table named by --config", id="no config"
    ),
    pytest.param({"out": "out.csv", "in_place": True}, PlanError, "--in-place .* takes no OUT", id="in place, and OUT"),
    pytest.param({"out": "there.csv"}, PlanError, r"there\.csv is there already; --force replaces", id="OUT is there"),
    pytest.param({"out": "slice_config.csv"}, PlanError, "is the table to begin with, too; say --in", id="OUT is IN"),
    pytest.param(
        {"out": "slice_config.csv", "force": True}, PlanError, "is the table to begin with", id="OUT is IN, by force"
    ),
    pytest.param({"out": "sub/../slice_config.csv"}, PlanError, "is the table to begin with", id="OUT is IN, relative"),
    pytest.param({"out": "link.csv"}, PlanError, "is the table to begin with", id="OUT is IN, by a link"),
    pytest.param({"out": "hard.csv", "force": True}, PlanError, "is the table to begin with", id="OUT is IN, linked"),
    pytest.param({"out": "sub"}, PlanError, r"sub is a folder; name the table to write, such as .*sub/sl", id="folder"),
    pytest.param({"out": "there.csv/out.csv"}, PlanError, "there.csv is a file, expected a folder", id="OUT in a file"),
    pytest.param(
        {"config": None, "out": "there.csv", "force": True, "reads": ["sub", "gone", "there.csv"]},
        PlanError,
        "there.csv is read by this command; name another file",
        id="OUT is read, too",
    ),
    pytest.param({"config": "gone.csv", "out": "out.csv"}, FileNotFoundError, r"gone\.csv", id="no IN"),
    pytest.param(
        {"config": "gone.csv", "out": "there.csv"}, PlanError, r"there\.csv is there already", id="no IN, OUT is there"
    ),
    pytest.param({"config": "gone.csv", "in_place": True}, FileNotFoundError, r"gone\.csv", id="in place, no IN"),
    pytest.param({"config": "gone/a.csv", "in_place": True}, FileNotFoundError, r"a\.csv", id="in place, no folder"),
    pytest.param({"config": "sub", "in_place": True}, OSError, "sub", id="in place, IN a folder"),
    pytest.param({"config": "bad.csv", "out": "out.csv"}, FileFormatError, r"bad\.csv, line 2", id="IN is no table"),
    pytest.param({"config": "bad.csv", "in_place": True}, FileFormatError, r"bad\.csv, line 2", id="IN is bad"),
]


@pytest.mark.parametrize(("given", "kind", "message"), PATHS)
def test_paths_that_do_not_go_together(
    table: Path, given: dict[str, Any], kind: type[Exception], message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = table.parent
    monkeypatch.chdir(folder)
    (folder / "sub").mkdir()
    (folder / "there.csv").write_text("somebody's")
    (folder / "bad.csv").write_text("slice_id,use\n00,maybe\n")
    (folder / "link.csv").symlink_to(table)
    os.link(table, folder / "hard.csv")
    left = files(folder)
    options = {"config": "slice_config.csv", "out": None, **given}
    with pytest.raises(kind, match=message), open_table(options.pop("config"), options.pop("out"), **options):
        pytest.fail("it was opened")
    assert files(folder) == left


def test_nowhere_to_write_is_said_when_it_is_tried(table: Path) -> None:
    with open_table(table, None) as job:
        assert list(job.rows) == ["00", "01", "02"]
        with pytest.raises(PlanError, match="no table to write to: name OUT, or give --config with --in-place"):
            job.save(job.rows)


@pytest.mark.parametrize("in_place", [True, False], ids=["in place", "OUT"])
def test_a_folder_that_cannot_be_written_to(table: Path, in_place: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """The lock is refused by the system, whoever runs the test: root may write to any folder."""
    opened = os.open

    def refuse(path: Any, flags: int, *args: Any, **options: Any) -> int:
        if flags & os.O_CREAT:
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), path)
        return opened(path, flags, *args, **options)

    monkeypatch.setattr(os, "open", refuse)
    out = None if in_place else table.parent / "out.csv"
    with (
        pytest.raises(PlanError, match=r"\.csv cannot be written: Permission denied"),
        open_table(table, out, in_place=in_place),
    ):
        pytest.fail("it was opened")
    assert set(files(table.parent)) == {"slice_config.csv"}

"""Two commands that stamp one table at the same time: the second is told, and no row is lost or torn."""

from __future__ import annotations

import csv
import os
import subprocess
import sys
from pathlib import Path

import pytest

from napari_slicemap.slices import slice_config
from napari_slicemap.slices.table_file import open_table

COUNT = 3
BUSY = "is being written by another command; wait until it ends"
REPEATED = """
import sys
from napari_slicemap.cli import main

sys.argv = ["slicemap", *sys.argv[1:]]
for _ in range(10_000):
    try:
        main()
        break
    except SystemExit as stop:
        if not stop.code:
            break
        if stop.code != 2:
            raise
        print("told", flush=True)
"""


def command(*words: object) -> list[str]:
    return [sys.executable, "-m", "napari_slicemap", "slices", *map(str, words)]


def start(words: list[str]) -> subprocess.Popen[str]:
    return subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


@pytest.fixture
def table(tmp_path: Path) -> Path:
    path = tmp_path / "slice_config.csv"
    path.write_text("slice_id,use,notes,depth\n" + "".join(f"{n:02d},true,,{n}\n" for n in range(COUNT)))
    return path


def trail(path: Path) -> list[dict[str, str]]:
    with path.with_name("slice_config.audit.csv").open(newline="", encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


@pytest.mark.parametrize(
    "words",
    [
        pytest.param(("stamp", "--slice", "1", "--set", "use=false", "--in-place"), id="in place"),
        pytest.param(("exclude", "1", "new.csv", "--force"), id="a new table"),
    ],
)
def test_while_one_writes_another_is_told(table: Path, words: tuple[str, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(table.parent)
    before = table.read_bytes()
    in_place = "--in-place" in words
    with open_table(table, None if in_place else "new.csv", in_place=in_place, by="first") as job:
        second = subprocess.run(command(*words, "--config", table), capture_output=True, text=True)
        assert (second.returncode, second.stdout) == (2, "")
        assert second.stderr.startswith("slicemap: ")
        assert BUSY in second.stderr
        assert len(second.stderr.splitlines()) == 1
        assert table.read_bytes() == before
        job.save(slice_config.stamp(job.rows, "02", {"notes": "first"}))
    again = subprocess.run(command(*words, "--config", table), capture_output=True, text=True)
    assert again.returncode == 0, again.stderr
    rows = slice_config.read(table if in_place else table.with_name("new.csv"))
    assert rows["01"]["use"] is False
    assert rows["02"]["notes"] == ("first" if in_place else ""), "the new table is made of --config alone"


@pytest.mark.skipif(os.name != "posix", reason="a file that is open elsewhere is replaced")
def test_commands_at_the_same_time_lose_no_row(table: Path) -> None:
    """Each is repeated until it is let in; a reader never sees a table that is torn."""
    running = [
        start([sys.executable, "-c", REPEATED, *command("exclude", n, "--in-place", "--config", table)[3:]])
        for n in range(COUNT)
    ]
    sizes = set()
    while any(one.poll() is None for one in running):
        rows = slice_config.read(table)
        assert list(rows) == [f"{n:02d}" for n in range(COUNT)]
        assert [row["depth"] for row in rows.values()] == [str(n) for n in range(COUNT)]
        sizes.add(sum(row["use"] for row in rows.values()))
    said = [one.communicate() for one in running]
    assert [one.returncode for one in running] == [0] * COUNT, said
    assert all(line.endswith(BUSY) for _, err in said for line in err.splitlines() if line.startswith("slicemap: "))
    rows = slice_config.read(table)
    assert [(row["use"], row["notes"]) for row in rows.values()] == [(False, "manually_excluded")] * COUNT
    stamped = [(one["slice_id"], one["column"]) for one in trail(table)]
    assert sorted(stamped) == [(f"{n:02d}", column) for n in range(COUNT) for column in ("notes", "use")]
    assert len(sizes) > 1, "nothing was read while they wrote: this proves nothing"

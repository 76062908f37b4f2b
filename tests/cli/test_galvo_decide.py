"""``slicemap galvo decide``: a person's word in the table, the record and the audit trail."""

from __future__ import annotations

import csv
import getpass
import json
from pathlib import Path
from typing import Any

import pytest

from napari_slicemap.slices import slice_config
from napari_slicemap.slices.galvo.record import GalvoRecord, read_record, write_record
from napari_slicemap.slices.table_file import open_table

from .conftest import Shell

TABLE = (
    "slice_id,use,galvo_confidence,galvo_fix,notes,mine\n03,true,0.9,true,torn,a\n04,true,0.3,false,,b\n05,true,,,,c\n"
)
FOUND = {"axis": "x", "n_extra": 12, "lines": 60, "threshold": 0.6}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Slice 03 has a return, 04 a doubtful one, and nothing is known of 05."""
    (tmp_path / "t.csv").write_text(TABLE)
    for slice_id, found in {
        "03": {"shift": 28, "likeliest": 28, "confidence": 0.9},
        "04": {"shift": 0, "likeliest": 7, "confidence": 0.3},
    }.items():
        write_record(tmp_path / "diagnostics", slice_id, GalvoRecord(**(FOUND | found)))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(slicemap: Shell, *words: object, code: int = 0) -> tuple[str, str]:
    done, out, err = slicemap("galvo", "decide", *words)
    assert done == code, err
    return out, err


def in_place(slicemap: Shell, *words: object, code: int = 0) -> tuple[str, str]:
    return run(slicemap, *words, "--by", "anna", "--config", "t.csv", "--in-place", code=code)


def row(slice_id: str, path: str = "t.csv") -> dict[str, str]:
    with Path(path).open(newline="", encoding="utf-8") as stream:
        return next(row for row in csv.DictReader(stream) if row["slice_id"] == slice_id)


def numbers(slice_id: str, folder: str = "diagnostics") -> dict[str, Any]:
    return json.loads((Path(folder) / f"slice_{slice_id}.json").read_text())["galvo"]


@pytest.mark.parametrize(
    ("words", "fix", "shift", "says"),
    [
        pytest.param(["3", "--accept"], "true", 28, "slice 03: fix by 28 A-lines", id="accept"),
        pytest.param(
            ["03", "--reject"], "false", None, "slice 03: leave; detected: fix by 28 A-lines (before: fix)", id="reject"
        ),
        pytest.param(
            ["3", "--shift", 31], "true", 31, "slice 03: fix by 31 A-lines; detected: fix by 28 A-lines", id="a shift"
        ),
        pytest.param(
            ["3", "--accept", "--shift", 0],
            "true",
            0,
            "slice 03: fix by 0 A-lines; detected: fix by 28 A-lines",
            id="0",
        ),
        pytest.param(
            ["4", "--accept"], "true", 7, "slice 04: fix by 7 A-lines; detected: leave (before: leave)", id="likeliest"
        ),
        pytest.param(["4", "--reject"], "false", None, "slice 04: leave", id="reject what was left"),
    ],
)
def test_a_decision(slicemap: Shell, folder: Path, words: list[Any], fix: str, shift: int | None, says: str) -> None:
    out, err = in_place(slicemap, *words)
    slice_id = str(words[0]).zfill(2)
    assert out == f"{says}\n"
    assert err == "written: t.csv\n"
    assert (row(slice_id)["galvo_fix"], row(slice_id)["galvo_confidence"]) == (
        fix,
        {"03": "0.9", "04": "0.3"}[slice_id],
    )
    found = numbers(slice_id)
    assert (found["reviewer_shift"], found["decided_by"], found["confidence"]) == (
        shift,
        "anna",
        {"03": 0.9, "04": 0.3}[slice_id],
    )
    assert [line for line in Path("t.csv").read_text().splitlines() if not line.startswith(slice_id)] == [
        line for line in TABLE.splitlines() if not line.startswith(slice_id)
    ]


def test_several_slices_with_a_note(slicemap: Shell, folder: Path) -> None:
    in_place(slicemap, "3,04", "--reject", "--note", "seen; torn")
    assert (row("03")["notes"], row("04")["notes"]) == ("torn; seen", "seen; torn")
    with Path("t.audit.csv").open(newline="") as stream:
        lines = [{**line, "time": ""} for line in csv.DictReader(stream)]
    assert lines == [
        {"time": "", "slice_id": one, "column": column, "old": old, "new": new, "by": "anna"}
        for one, column, old, new in (
            ("03", "galvo_fix", "true", "false"),
            ("03", "notes", "torn", "torn; seen"),
            ("04", "notes", "", "seen; torn"),
        )
    ]


def test_who_decides_is_the_user_if_nobody_is_named(slicemap: Shell, folder: Path) -> None:
    run(slicemap, "3", "--reject", "--config", "t.csv", "--in-place")
    assert numbers("03")["decided_by"] == getpass.getuser()
    assert Path("t.audit.csv").read_text().endswith(f",{getpass.getuser()}\n")


def test_withdrawing(slicemap: Shell, folder: Path) -> None:
    before = numbers("03")
    in_place(slicemap, "3", "--shift", 31)
    out, _ = in_place(slicemap, "3", "--withdraw")
    assert out == "slice 03: nobody has decided; the next detection will (before: fix)\n"
    assert row("03")["galvo_fix"] == ""
    assert numbers("03") == before


def test_what_nothing_is_known_of_can_be_rejected(slicemap: Shell, folder: Path) -> None:
    assert in_place(slicemap, "5", "--reject")[0] == "slice 05: leave (before: –)\n"
    assert row("05")["galvo_fix"] == "false"
    assert read_record(folder / "diagnostics", "05") is None


def test_into_a_new_table(slicemap: Shell, folder: Path) -> None:
    kept = (folder / "diagnostics" / "slice_03.json").read_bytes()
    run(slicemap, "3", "new/t.csv", "--shift", 31, "--by", "anna", "--config", "t.csv")
    assert (folder / "t.csv").read_text() == TABLE
    assert (folder / "diagnostics" / "slice_03.json").read_bytes() == kept
    assert row("03", "new/t.csv")["galvo_fix"] == "true"
    assert numbers("03", "new/diagnostics")["reviewer_shift"] == 31
    assert not Path("new/t.audit.csv").exists()


def test_diagnostics_elsewhere(slicemap: Shell, folder: Path) -> None:
    (folder / "diagnostics").rename(folder / "d")
    in_place(slicemap, "3", "--shift", 31, "--diagnostics", "d")
    assert numbers("03", "d")["reviewer_shift"] == 31
    assert not (folder / "diagnostics").exists()


@pytest.mark.parametrize(
    ("words", "says"),
    [
        pytest.param(["3"], "nothing is decided; give --accept, --reject, --withdraw or --shift N", id="nothing"),
        pytest.param(["3", "--accept", "--reject"], "--accept and --reject are given; use one of them", id="both"),
        pytest.param(["3", "--reject", "--shift", 3], "--shift is given with --reject", id="reject by a shift"),
        pytest.param(["3", "--withdraw", "--shift", 3], "--shift is given with --withdraw", id="withdraw by a shift"),
        pytest.param([",", "--accept"], "no slices named", id="no slices"),
        pytest.param(["x", "--accept"], "slice_id is 'x'", id="no slice"),
        pytest.param(["77", "--accept"], "unknown slice '77'", id="unknown"),
        pytest.param(["5", "--accept"], "slice 05: nothing is known of its tiles; detect", id="nothing known"),
        pytest.param(["3,5", "--accept"], "slice 05: nothing is known of its tiles", id="of one of them"),
        pytest.param(["3", "--shift", 60], "slice 03: the shift is 60, expected 0 to 59 A-lines", id="too far"),
        pytest.param(["3", "--accept", "--by", ""], "by is ''", id="nobody"),
        pytest.param(["3", "--accept", "--by", "detection"], "expected the name of a person", id="the machine"),
        pytest.param(["3", "--accept", "--diagnostics", "t.csv"], "t.csv is a file, expected a folder", id="a file"),
        pytest.param(["3", "t2.csv", "--accept"], "takes no OUT", id="in place and OUT"),
    ],
)
def test_errors_are_one_line_and_nothing_is_written(slicemap: Shell, folder: Path, words: list[Any], says: str) -> None:
    before = {path: path.read_bytes() for path in folder.rglob("*.*") if path.is_file()}
    by = [] if "--by" in words else ["--by", "anna"]
    out, err = run(slicemap, *words, *by, "--config", "t.csv", "--in-place", code=2)
    assert out == ""
    assert says in err
    assert len(err.splitlines()) == 1
    assert {path: path.read_bytes() for path in folder.rglob("*.*") if path.is_file() and path.suffix != ".lock"} == {
        path: content for path, content in before.items() if path.suffix != ".lock"
    }


def test_neither_in_place_nor_out(slicemap: Shell, folder: Path) -> None:
    _, err = run(slicemap, "3", "--accept", "--config", "t.csv", code=2)
    assert "name OUT, or give --config with --in-place" in err
    assert (folder / "t.csv").read_text() == TABLE


def test_numbers_that_are_broken_are_named_and_the_table_stays(slicemap: Shell, folder: Path) -> None:
    (folder / "diagnostics" / "slice_03.json").write_text('{"version": 1, ')
    _, err = in_place(slicemap, "3", "--reject", code=2)
    assert "slice_03.json: line 1" in err
    assert (folder / "t.csv").read_text() == TABLE


def test_diagnostics_that_cannot_be_written_leave_the_table(
    slicemap: Shell, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.access", lambda path, _: Path(path).name != "diagnostics")
    _, err = in_place(slicemap, "3", "--reject", code=2)
    assert "diagnostics cannot be written to" in err
    assert (folder / "t.csv").read_text() == TABLE


def test_while_another_command_writes(slicemap: Shell, folder: Path) -> None:
    with open_table("t.csv", None, in_place=True) as job:
        _, err = in_place(slicemap, "3", "--reject", code=2)
        assert "is being written by another command" in err
        job.save(slice_config.stamp(job.rows, "05", {"use": False}))
    in_place(slicemap, "3", "--reject")
    assert (row("03")["galvo_fix"], row("05")["use"]) == ("false", "false")

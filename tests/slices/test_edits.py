"""Edits that are not saved yet: over a table that others change, into its file, and after a crash."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
import time
from datetime import datetime

import pytest

from napari_slicemap.errors import FileFormatError, PlanError
from napari_slicemap.slices import slice_config
from napari_slicemap.slices.audit import read_trail
from napari_slicemap.slices.edits import (
    Edit,
    changed_elsewhere,
    clashes_of,
    count_edits,
    edited,
    import_cells,
    put_cells,
    save_edits,
    settled,
)
from napari_slicemap.slices.journal import Journal, find_left_behind, read_journal

TEXT = "slice_id,use,quality_score,notes,operator\n01,true,0.810,,eva\n02,true,,folded,\n03,false,0.200,,\n"


@pytest.fixture
def table(tmp_path):
    path = tmp_path / "slice_config.csv"
    path.write_text(TEXT)
    return path


@pytest.fixture
def rows(table):
    return slice_config.read(table)


def cells(path):
    """Read a table without our reader: id → cells."""
    with path.open(encoding="utf-8", newline="") as stream:
        return {row["slice_id"]: row for row in csv.DictReader(stream)}


def edit_file(path, slice_id, column, text):
    """Change a cell as somebody else would."""
    found = cells(path)
    found[slice_id][column] = text
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, list(found[slice_id]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(found.values())


# --- in memory --------------------------------------------------------------------------------------------------
def test_edits_lie_over_the_table_and_leave_it_alone(rows):
    edits = put_cells(rows, {}, {"02": {"use": "no", "notes": "folded; dark"}, "01": {"quality_score": 0.8}})
    shown = edited(rows, edits)
    assert (shown["02"]["use"], shown["02"]["notes"], shown["01"]["quality_score"]) == (False, "folded; dark", 0.8)
    assert (rows["02"]["use"], rows["01"]["quality_score"]) == (True, 0.81)
    assert shown["03"] is rows["03"]
    assert list(shown) == list(rows)
    assert edits["02"]["notes"] == Edit("folded", "folded; dark")


def test_what_comes_to_the_same_is_no_edit(rows):
    edits = put_cells(rows, {}, {"02": {"use": False}})
    assert put_cells(rows, edits, {"02": {"use": "TRUE"}}) == {}
    assert put_cells(rows, {}, {"01": {"quality_score": "0.81"}, "02": {"quality_score": ""}}) == {}


def test_a_column_that_the_table_lacks_is_given_to_all(rows):
    shown = edited(rows, put_cells(rows, {}, {"02": {"galvo_fix": True}}))
    assert [row["galvo_fix"] for row in shown.values()] == [None, True, None]


@pytest.mark.parametrize(
    ("cell", "said"),
    [
        pytest.param({"use": ""}, "slice 02: use is empty", id="use must be decided"),
        pytest.param({"quality_score": "1.2"}, "a number from 0 to 1", id="score"),
        pytest.param({"slice_id": "07"}, "cannot be changed", id="id"),
    ],
)
def test_what_does_not_fit_is_refused(rows, cell, said):
    with pytest.raises(FileFormatError, match=said):
        put_cells(rows, {}, {"02": cell})


def test_what_others_change_is_told_from_what_is_edited_here(table, rows):
    edits = put_cells(rows, {}, {"02": {"use": False, "notes": "mine"}, "03": {"notes": "same"}})
    edit_file(table, "02", "notes", "theirs")
    edit_file(table, "03", "notes", "same")
    edit_file(table, "01", "operator", "max")
    fresh = slice_config.read(table)
    assert changed_elsewhere(rows, fresh) == [
        {"slice_id": "01", "column": "operator", "old": "eva", "new": "max"},
        {"slice_id": "02", "column": "notes", "old": "folded", "new": "theirs"},
        {"slice_id": "03", "column": "notes", "old": "", "new": "same"},
    ]
    left = settled(fresh, edits)
    assert set(left) == {"02"}
    (clash,) = clashes_of(fresh, left)
    assert (clash.slice_id, clash.column, clash.was, clash.theirs, clash.mine) == (
        "02", "notes", "folded", "theirs", "mine")  # fmt: skip
    assert edited(fresh, left)["02"]["notes"] == "mine"
    # edited again, the cell still remembers what it was before somebody else changed it
    assert clashes_of(fresh, put_cells(fresh, left, {"02": {"notes": "mine too"}}))[0].was == "folded"


# --- saving -----------------------------------------------------------------------------------------------------
def test_saving_writes_the_edited_cells_and_no_others(table, rows):
    edits = put_cells(rows, {}, {"02": {"use": False}, "03": {"notes": "dark"}})
    edit_file(table, "01", "notes", "from elsewhere")
    before = table.read_bytes()
    saved = save_edits(table, edits, backup=True, by="ann")
    assert (saved.count, saved.clashes) == (2, ())
    assert table.read_text() == (
        "slice_id,use,quality_score,notes,operator\n"
        "01,true,0.810,from elsewhere,eva\n02,false,,folded,\n03,false,0.200,dark,\n"
    )
    assert table.with_name("slice_config.csv.bak").read_bytes() == before
    trail = [(one.slice_id, one.column, one.old, one.new, one.by) for one in read_trail(table)]
    assert trail == [("02", "use", "true", "false", "ann"), ("03", "notes", "", "dark", "ann")]
    assert [one.column for one in read_trail(table, "3")] == ["notes"]
    assert slice_config.read(table) == saved.rows


def test_a_cell_that_somebody_else_changed_is_not_overwritten_unasked(table, rows):
    edits = put_cells(rows, {}, {"02": {"notes": "mine", "use": False}})
    edit_file(table, "02", "notes", "theirs")
    before = table.read_bytes()
    saved = save_edits(table, edits)
    assert [clash.theirs for clash in saved.clashes] == ["theirs"]
    assert saved.count == 0
    assert table.read_bytes() == before
    assert read_trail(table) == []
    save_edits(table, edits, keep_mine=True)
    assert (cells(table)["02"]["notes"], cells(table)["02"]["use"]) == ("mine", "false")


def test_a_row_that_is_gone_is_a_clash(table, rows):
    edits = put_cells(rows, {}, {"03": {"use": True}})
    table.write_text("slice_id,use\n01,true\n")
    assert [clash.slice_id for clash in save_edits(table, edits).clashes] == ["03"]
    save_edits(table, edits, keep_mine=True)
    assert cells(table)["03"]["use"] == "true"


@pytest.mark.parametrize(
    ("text", "error", "said"),
    [
        pytest.param(None, PlanError, "not there any more", id="gone"),
        pytest.param("slice_id,use\n01,perhaps\n", FileFormatError, "perhaps", id="broken"),
    ],
)
def test_a_file_that_is_no_table_any_more_is_left_alone(table, rows, text, error, said):
    edits = put_cells(rows, {}, {"02": {"use": False}})
    if text is None:
        table.unlink()
    else:
        table.write_text(text)
    with pytest.raises(error, match=said):
        save_edits(table, edits)
    assert (table.read_text() if table.exists() else None) == text


def test_another_table_is_imported_cell_by_cell(table, rows, tmp_path):
    other = tmp_path / "other.csv"
    other.write_text("slice_id,quality_score,notes\n2,0.5,folded\n1,0.81,\n9,0.1,new\n")
    found = import_cells(rows, other)
    assert found.cells == {"02": {"quality_score": 0.5}}
    assert (found.unknown, found.absent) == (("09",), ("03",))


# --- the journal ------------------------------------------------------------------------------------------------
def test_a_journal_gives_back_what_was_edited_last(table, rows, tmp_path):
    journal, edits = Journal(tmp_path / "cache" / "edits", table), {}
    for change in ({"02": {"use": False}}, {"03": {"notes": 'a, "b"\n ü'}}, {"02": {"use": True, "notes": ""}}):
        before, edits = edits, put_cells(rows, edits, change)
        journal.note(before, edits)
    _, found = read_journal(journal.path)
    assert found == edits
    assert count_edits(found) == 2
    assert find_left_behind(journal.path.parent, table) == ([], [])  # its session lives
    journal.leave()
    (left,), faults = find_left_behind(journal.path.parent, table)
    assert (left.edits, faults) == (edits, [])
    assert find_left_behind(journal.path.parent, table) == ([], [])  # it is being asked about
    left.forget()
    assert list(journal.path.parent.iterdir()) == []


def test_with_nothing_left_to_save_there_is_no_journal(table, rows, tmp_path):
    journal, edits = Journal(tmp_path / "edits", table), put_cells(rows, {}, {"02": {"use": False}})
    journal.note({}, edits)
    journal.note(edits, {})
    assert list((tmp_path / "edits").iterdir()) == []


def test_the_journal_of_another_table_is_not_offered(table, rows, tmp_path):
    journal = Journal(tmp_path / "edits", table)
    journal.note({}, put_cells(rows, {}, {"02": {"use": False}}))
    journal.leave()
    assert find_left_behind(tmp_path / "edits", tmp_path / "other.csv") == ([], [])


@pytest.mark.parametrize(
    ("spoil", "found", "said"),
    [
        pytest.param(lambda text: text[:-5], 1, "", id="the last line is cut short"),
        pytest.param(lambda text: text[:10], 0, "", id="the first line is cut short"),
        pytest.param(lambda _: b"", 0, "", id="empty"),
        pytest.param(lambda text: text.replace(b'"version": 1', b'"version": 9'), 0, "version 9", id="version"),
        pytest.param(lambda text: text.replace(b'"true"', b'"perhaps"', 1).replace(b'"false"', b'"so"', 1), 0, "line 2",
                     id="a value that does not fit"),
        pytest.param(lambda text: text.replace(b'"cells"', b'"cell"'), 0, "unknown key", id="a key"),
    ],
)  # fmt: skip
def test_a_journal_that_was_cut_short_or_spoiled(table, rows, tmp_path, spoil, found, said):
    journal, first = Journal(tmp_path / "edits", table), put_cells(rows, {}, {"02": {"use": False}})
    journal.note({}, first)
    journal.note(first, put_cells(rows, first, {"03": {"use": True}}))
    journal.leave()
    journal.path.write_bytes(spoil(journal.path.read_bytes()))
    left, faults = find_left_behind(tmp_path / "edits", table)
    assert sum(count_edits(one.edits) for one in left) == found
    assert said in " ".join(faults)
    assert bool(said) == bool(faults)
    assert journal.path.exists() == bool(left or faults)


_KILLED = """
import os, sys
from pathlib import Path
from napari_slicemap.slices import slice_config
from napari_slicemap.slices.edits import put_cells
from napari_slicemap.slices.journal import Journal

table, count = Path(sys.argv[1]), int(sys.argv[2])
rows, edits = slice_config.read(table), {}
journal = Journal(table.parent / "edits", table)
for number in range(count):
    before, edits = edits, put_cells(rows, edits, {f"{number:02d}": {"use": False, "notes": f"edit {number}"}})
    journal.note(before, edits)
os.kill(os.getpid(), 9)
"""


def test_a_killed_process_leaves_its_edits_behind(tmp_path):
    table = tmp_path / "slice_config.csv"
    table.write_text("slice_id,use\n" + "".join(f"{n:02d},true\n" for n in range(20)))
    for count in (1, 7, 20):
        ended = subprocess.run([sys.executable, "-c", _KILLED, str(table), str(count)], timeout=60, check=False)
        assert ended.returncode == -9
        (left,), _ = find_left_behind(tmp_path / "edits", table)
        assert left.edits == {
            f"{n:02d}": {"use": Edit("true", False), "notes": Edit("", f"edit {n}")} for n in range(count)
        }
        left.forget()


def test_times_of_a_journal_are_those_of_its_last_edit(table, rows, tmp_path):
    journal = Journal(tmp_path / "edits", table)
    journal.note({}, put_cells(rows, {}, {"02": {"use": False}}))
    line = json.loads(journal.path.read_text().splitlines()[-1])
    assert read_journal(journal.path)[0] == line["time"]
    assert abs(time.time() - datetime.fromisoformat(line["time"]).timestamp()) < 60

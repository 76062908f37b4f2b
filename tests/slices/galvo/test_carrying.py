"""What a person decided goes with the slice, from one table to the next, wherever their diagnostics lie."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from napari_slicemap.errors import PlanError
from napari_slicemap.slices import slice_config
from napari_slicemap.slices.galvo import run
from napari_slicemap.slices.galvo.carrying import carried
from napari_slicemap.slices.galvo.decisions import find_returns
from napari_slicemap.slices.galvo.fixing import plan_fix
from napari_slicemap.slices.galvo.record import Applied, GalvoRecord, read_record, write_record
from napari_slicemap.slices.galvo.reporting import write_galvo_report
from napari_slicemap.slices.galvo.tile_slices import TileSlices, find_tile_slices
from napari_slicemap.slices.galvo.whose_word import decider, unheard
from oct_slices import LINES, SHIFT, make_tiles, write_mosaic

IDS = ("02", "03", "04")
FIX = "galvo_fix"
ANNA = {"decided_by": "anna", "reviewer_shift": 31}
REJECTED = {"decided_by": "anna"}


def record_of(**changes: Any) -> GalvoRecord:
    said = {"axis": "x", "n_extra": 12, "lines": 60, "shift": 28, "likeliest": 28, "confidence": 0.9, "threshold": 0.6}
    return GalvoRecord(**(said | changes))


@pytest.fixture(scope="module")
def slices(tmp_path_factory: pytest.TempPathFactory) -> TileSlices:
    folder = tmp_path_factory.mktemp("mosaics")
    for one in IDS:
        write_mosaic(folder / f"mosaic_z{one}.ome.zarr", make_tiles(rows=1, columns=2))
    return find_tile_slices(folder)


@pytest.fixture
def table(tmp_path: Path, slices: TileSlices) -> Path:
    """A table after a detection, in a folder of its own, in which Anna chose a shift for slice 03."""
    path = tmp_path / "a" / "t1.csv"
    run.detect_galvo_slices(slices, out=path)
    run.decide_galvo_slices(path, ["03"], fix=True, shift=31, by="anna", in_place=True)
    return path


def said(table: Path) -> dict[str, tuple[bool | None, str, int | None]]:
    """Give of each slice what is decided, by whom, and the reviewer's shift."""
    records = {one: read_record(table.parent / "diagnostics", one) for one in IDS}
    return {
        one: (row[FIX], record.decided_by, record.reviewer_shift)
        for one, row in slice_config.read(table).items()
        if (record := records[one]) is not None
    }


# --- one table made of another -------------------------------------------------------------------------------
@pytest.mark.parametrize("how", ["decide", "detect"])
def test_slices_that_are_not_asked_for_go_with_the_others(
    table: Path, slices: TileSlices, tmp_path: Path, how: str
) -> None:
    out = tmp_path / "b" / "t2.csv"
    if how == "decide":
        run.decide_galvo_slices(table, ["04"], out, fix=False, by="ben")
    else:
        run.detect_galvo_slices(slices, table, out, slice_ids=["04"])
    last = (False, "ben", None) if how == "decide" else (True, "detection", None)
    assert said(out) == {"02": (True, "detection", None), "03": (True, "anna", 31), "04": last}
    again = run.detect_galvo_slices(slices, out, in_place=True)
    assert [one.reviewed for one in again.findings] == [False, True, how == "decide"]
    assert said(out)["03"] == (True, "anna", 31)


@pytest.mark.parametrize("stamped", [pytest.param(True, id="stamped"), pytest.param(False, id="bare")])
@pytest.mark.parametrize("asked", [(), ("02",)], ids=["all", "one"])
def test_a_table_made_anew_keeps_what_was_decided_in_it(
    slices: TileSlices, tmp_path: Path, stamped: bool, asked: tuple[str, ...]
) -> None:
    first, out = tmp_path / "a" / "t0.csv", tmp_path / "b" / "t1.csv"
    slice_config.write(first.parent / first.name, {one: {"slice_id": one, "use": True} for one in IDS})
    if stamped:
        run.detect_galvo_slices(slices, first, in_place=True)
    run.detect_galvo_slices(slices, first, out)
    run.decide_galvo_slices(out, ["02"], fix=True, shift=31, by="anna", in_place=True)
    run.decide_galvo_slices(out, ["03"], fix=False, by="anna", in_place=True)
    made = run.detect_galvo_slices(slices, first, out, force=True, slice_ids=asked)
    assert {one: said(out)[one] for one in ("02", "03")} == {"02": (True, "anna", 31), "03": (False, "anna", None)}
    # where the detection had written the same, there was nothing to put back but the shift
    assert made.put_back == ({"03": "anna"} if stamped else {"02": "anna", "03": "anna"})


def test_a_decision_puts_back_others_and_says_so(slices: TileSlices, table: Path, tmp_path: Path) -> None:
    out = tmp_path / "b" / "t2.csv"
    run.detect_galvo_slices(slices, out=out)
    run.decide_galvo_slices(out, ["04"], fix=False, by="ben", in_place=True)
    made = run.decide_galvo_slices(table, ["02"], out, fix=False, by="cleo", force=True)
    assert made.put_back == {"04": "ben"}
    assert said(out) == {"02": (False, "cleo", None), "03": (True, "anna", 31), "04": (False, "ben", None)}


def test_where_a_fix_lies_is_said_as_seen_from_the_new_folder(tmp_path: Path) -> None:
    known, folder = tmp_path / "a" / "diagnostics", tmp_path / "b" / "c" / "diagnostics"
    write_record(known, "03", record_of(applied=Applied(shift=28, path="../fixed/z03")))
    _, records = carried({"03": {"slice_id": "03", FIX: True}}, known, folder)
    assert records["03"].applied == Applied(shift=28, path="../../../a/fixed/z03")


def test_one_folder_stays_as_it_is(tmp_path: Path) -> None:
    write_record(tmp_path, "03", record_of(**ANNA))
    rows = {"03": {"slice_id": "03", FIX: False}}
    made, records = carried(rows, tmp_path, tmp_path / ".." / tmp_path.name)
    assert (made["03"][FIX], records) == (False, {})


# --- a table that says otherwise ------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("fix", "record", "who", "but"),
    [
        pytest.param(None, record_of(**ANNA), "", "", id="nobody"),
        pytest.param(True, None, "the slice table", "", id="no record"),
        pytest.param(True, record_of(), "detection", "", id="the detection"),
        pytest.param(False, record_of(), "the slice table", "", id="typed"),
        pytest.param(True, record_of(**ANNA), "anna", "", id="a person"),
        pytest.param(False, record_of(**REJECTED), "anna", "", id="a person who rejected"),
        pytest.param(False, record_of(**ANNA), "the slice table", "anna had decided to fix it by 31", id="no more"),
        pytest.param(True, record_of(**REJECTED), "the slice table", "anna had decided to leave it", id="yet"),
        pytest.param(True, record_of(decided_by="the slice table"), "the slice table", "", id="typed before"),
    ],
)
def test_who_decided_what_the_table_says(fix: bool | None, record: GalvoRecord | None, who: str, but: str) -> None:
    row = {FIX: fix}
    assert decider(row, record) == who
    assert unheard(row, record).startswith(but)
    assert bool(unheard(row, record)) == bool(but)


def test_a_person_is_not_said_to_have_decided_the_contrary(slices: TileSlices, tmp_path: Path) -> None:
    table = tmp_path / "t.csv"
    rows = run.detect_galvo_slices(slices, out=table).rows
    run.decide_galvo_slices(table, ["03"], fix=False, by="anna", in_place=True)
    run.decide_galvo_slices(table, ["04"], fix=True, shift=0, by="anna", in_place=True)
    rows["04"][FIX], rows["02"][FIX] = True, False
    slice_config.write(table, rows)
    records = {one: record for one in IDS if (record := read_record(tmp_path / "diagnostics", one))}
    plan = plan_fix(slices, rows, records)
    assert [(one.slice_id, one.shift) for one in plan.fixes] == [("03", SHIFT)]
    assert "anna had decided to leave it, and the table says otherwise" in plan.fixes[0].note
    made = write_galvo_report(table, tmp_path / "r.html")
    assert made.lines == (
        "fix: 03–04",
        "leave: 02",
        "against the detection: 02, 04",
        "against what a person had decided: 03",
        "still to fix: 03",
    )
    page = (tmp_path / "r.html").read_text()
    assert "the slice table (override)" in page
    assert "detection (override)" not in page


def test_a_shift_of_other_tiles_is_not_taken(slices: TileSlices, tmp_path: Path) -> None:
    write_record(tmp_path, "03", record_of(lines=LINES + 8, **ANNA))
    with pytest.raises(PlanError, match=f"anna chose to roll by 31 A-lines, of tiles that have {LINES + 8}; .*{LINES}"):
        list(find_returns(slices, {}, tmp_path))
    write_record(tmp_path, "03", record_of(lines=LINES + 8, **REJECTED))
    assert [one.reviewed for one in find_returns(slices, {}, tmp_path)] == [False, True, False]

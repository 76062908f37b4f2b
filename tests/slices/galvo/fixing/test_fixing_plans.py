"""Which slices are fixed, and by how much."""

from __future__ import annotations

import pytest
import zarr
from fixing_cases import EXTRA, ome, pixels, write_array, write_raw

from napari_slicemap.errors import PlanError, UnknownNameError
from napari_slicemap.slices.galvo.decisions import decide
from napari_slicemap.slices.galvo.fixing import plan_fix, plan_undo, run_fix
from napari_slicemap.slices.galvo.record import GalvoRecord
from napari_slicemap.slices.galvo.tile_slices import find_tile_slices

SURE = GalvoRecord(axis="x", n_extra=EXTRA, lines=12, shift=5, confidence=0.9, threshold=0.6, likeliest=5)
UNSURE = GalvoRecord(axis="x", n_extra=EXTRA, lines=12, shift=0, confidence=0.4, threshold=0.6, likeliest=3)
NOTHING = GalvoRecord(axis="x", n_extra=EXTRA, lines=12, shift=0, confidence=0, threshold=0.6)
AT_THE_END = GalvoRecord(axis="x", n_extra=EXTRA, lines=12, shift=0, confidence=0.9, threshold=0.6, likeliest=0)


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    folder = tmp_path_factory.mktemp("mosaics")
    for n in range(4):
        attributes = {**ome({"0": 1}), "galvo": {"axis": "x", "n_extra": EXTRA}}
        group = zarr.open_group(folder / f"mosaic_z{n:02d}.ome.zarr", mode="w", zarr_format=2, attributes=attributes)
        write_array(group, "0", pixels((2, 6, 24), "<u2"), chunks=(2, 6, 12))
    return folder


@pytest.fixture(scope="module")
def slices(source):
    return find_tile_slices(source)


def rows(*fix):
    return {f"{n:02d}": {"use": True, "galvo_fix": one} for n, one in enumerate(fix)}


@pytest.mark.parametrize(
    ("fix", "record", "shift", "by", "note"),
    [
        pytest.param(True, SURE, 5, "detection", "", id="detected"),
        pytest.param(
            True,
            UNSURE,
            3,
            "reviewer",
            "the likeliest shift: its confidence 0.400 is below 0.6",
            id="asked for below the threshold",
        ),
    ],
)
def test_what_is_to_be_fixed(slices, fix, record, shift, by, note):
    (found,) = plan_fix(slices, rows(fix), {"00": record}).fixes
    assert (found.slice_id, found.shift, found.by, found.note) == ("00", shift, by, note)
    assert [name.as_posix() for name in found.names] == ["mosaic_z00.ome.zarr"]


@pytest.mark.parametrize(
    ("fix", "record", "why"),
    [
        pytest.param(None, SURE, "nobody has decided", id="nobody decided"),
        pytest.param(False, SURE, "not to be fixed, as the reviewer decided", id="rejected"),
        pytest.param(False, UNSURE, "not to be fixed, as the detection decided", id="not detected"),
        pytest.param(False, None, "not to be fixed, as the reviewer decided", id="never looked at"),
        pytest.param(True, AT_THE_END, "the return is at the end already", id="at the end"),
    ],
)
def test_what_is_left(slices, fix, record, why):
    plan = plan_fix(slices, rows(fix), {} if record is None else {"00": record})
    assert plan.fixes == ()
    assert plan.left["00"].startswith(why)
    assert plan.left["03"] == "not in the table"
    assert set(plan.others) == {"00", "01", "02", "03"}


@pytest.mark.parametrize(
    ("record", "why"),
    [
        pytest.param(
            None, "slice 00: it is to be fixed, but nothing is known of its return; run `slicemap galvo", id="no record"
        ),
        pytest.param(NOTHING, "all of its tiles are background, so state the shift", id="no shift"),
        pytest.param(
            SURE.model_copy(update={"lines": 13}), "these are other tiles .A-lines of a tile: 12, and 13", id="lines"
        ),
        pytest.param(SURE.model_copy(update={"axis": "y"}), "these are other tiles .axis: x, and y where", id="axis"),
        pytest.param(
            SURE.model_copy(update={"n_extra": 3}), "other tiles .A-lines of the return: 4, and 3", id="extra"
        ),
    ],
)
def test_what_cannot_be_fixed(slices, record, why):
    with pytest.raises(PlanError, match=why):
        plan_fix(slices, rows(True), {} if record is None else {"00": record})


def test_the_reviewers_word_wins(slices):
    table, record = decide(rows(True), "00", SURE, fix=True, shift=7, by="ann")
    (found,) = plan_fix(slices, table, {"00": record}).fixes
    assert (found.shift, found.by, found.note) == (7, "reviewer", "detected were 5")
    table, record = decide(table, "00", record, fix=False, by="ann")
    assert plan_fix(slices, table, {"00": record}).left["00"] == "not to be fixed, as the reviewer decided"


def test_ids_are_matched_by_number(slices):
    plan = plan_fix(slices, {"003": {"galvo_fix": True}, "07": {"galvo_fix": True}}, {"003": SURE})
    assert [one.slice_id for one in plan.fixes] == ["003"]
    assert plan.left["07"] == "to be fixed, but it has no tiles here"
    assert [one.slice_id for one in plan_fix(slices, {}, {}, only=["3"], shift=2).fixes] == ["03"]


def test_all_faults_are_named(slices):
    with pytest.raises(PlanError) as caught:
        plan_fix(slices, rows(True, True, True), {"01": SURE})
    assert [fault[:9] for fault in caught.value.faults] == ["slice 00:", "slice 02:"]


@pytest.mark.parametrize(
    ("asked", "error", "why"),
    [
        pytest.param({"only": ["9"]}, UnknownNameError, "unknown slice '09'", id="no such tiles"),
        pytest.param({"only": ["3"]}, UnknownNameError, "slice table: unknown slice '03'", id="no such row"),
        pytest.param({"shift": 3}, PlanError, "a shift is of certain slices: name them", id="a shift for all"),
        pytest.param(
            {"only": ["1"], "shift": 12}, PlanError, "the shift is 12, expected 0 to 11 A-lines", id="too far"
        ),
    ],
)
def test_what_cannot_be_asked_for(slices, asked, error, why):
    with pytest.raises(error, match=why):
        plan_fix(slices, rows(True), {"00": SURE}, **asked)


def test_a_shift_that_is_asked_for(slices):
    plan = plan_fix(slices, rows(False, True), {}, only=["0", "2"], shift=4)
    assert [(one.slice_id, one.shift, one.by) for one in plan.fixes] == [("00", 4, "request"), ("02", 4, "request")]
    assert plan.lines() == [
        "fix: 00: roll by 4 A-lines (as asked for)",
        "fix: 02: roll by 4 A-lines (as asked for)",
        "left: 01, 03: not asked for",
    ]
    assert plan_fix(slices, {}, {}, only=["0"], shift=0).left["00"].startswith("the return is at the end already")


def test_what_is_fixed_is_not_fixed_again(slices, tmp_path):
    run_fix(plan_fix(slices, {}, {}, only=["1"], shift=5), tmp_path / "fixed")
    again = find_tile_slices(tmp_path / "fixed")
    with pytest.raises(PlanError, match=r"slice 01: .*mosaic_z01.ome.zarr is fixed already; undo that first"):
        plan_fix(again, {}, {}, only=["1"], shift=5)
    raw = tmp_path / "raw"
    write_raw(raw / "tile_x00_y00_z03", [2])
    run_fix(plan_fix(find_tile_slices(raw), {}, {}, only=["3"], shift=5), tmp_path / "fixed_raw")
    with pytest.raises(PlanError, match=r"slice 03: .*tile_x00_y00_z03 is fixed already; undo that first"):
        plan_fix(find_tile_slices(tmp_path / "fixed_raw"), {}, {}, only=["3"], shift=5)


def test_what_was_never_fixed_is_not_undone(source, slices, tmp_path):
    with pytest.raises(PlanError, match="none of its slices has a record of a fix"):
        plan_undo(source)
    with pytest.raises(PlanError, match=r"slice 01: .*mosaic_z01.ome.zarr has no record of a fix"):
        plan_undo(source, only=["1"])
    with pytest.raises(UnknownNameError, match="unknown slice '09'"):
        plan_undo(source, only=["9"])
    run_fix(plan_fix(slices, {}, {}, only=["1", "2"], shift=5), tmp_path / "fixed", with_others=True)
    plan = plan_undo(tmp_path / "fixed", only=["2"])
    assert [(one.slice_id, one.shift) for one in plan.fixes] == [("02", 5)]
    assert plan.left == dict.fromkeys(("00", "01", "03"), "not asked for")
    assert plan_undo(tmp_path / "fixed").left == dict.fromkeys(("00", "03"), "it has no record of a fix")

"""Who decides: the detection proposes, a person decides, and that stays, whatever comes in between."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from napari_slicemap.errors import CancelledError, PlanError, StackError, UnknownNameError
from napari_slicemap.slices import slice_config
from napari_slicemap.slices.galvo import run
from napari_slicemap.slices.galvo.decisions import (
    band,
    decide,
    find_returns,
    finding_of,
    is_reviewed,
    stamp_findings,
    standing,
)
from napari_slicemap.slices.galvo.detect import SliceDetection, TileDetection
from napari_slicemap.slices.galvo.record import GalvoRecord, read_record, write_record
from napari_slicemap.slices.galvo.score import GalvoScore
from napari_slicemap.slices.galvo.tile_slices import GridTile, TileSlice, TileSlices
from napari_slicemap.slices.table_file import open_table
from oct_slices import DEPTH, EXTRA, LINES, SCANS, SHIFT, make_tiles

SLICE = "03"


def slice_of(tiles: Any = None, slice_id: str = SLICE) -> TileSlice:
    made = tuple(
        GridTile(f"tile {row} {column}", row, column, tile.shape, lambda tile=tile: tile)
        for (row, column), tile in (tiles or {}).items()
    )
    return TileSlice(slice_id, Path("m"), "mosaic", "x", LINES, EXTRA, made)


def detection(shift: int = SHIFT, confidence: float = 0.9, threshold: float = 0.6) -> SliceDetection:
    """What a detection says whose best tile has the return at a place."""
    found = confidence >= threshold
    best = TileDetection(0, 80.0, GalvoScore(confidence, 1, 0.5, 0.5, shift), 1.0, confidence)
    return SliceDetection(shift if found else 0, confidence, found, EXTRA, threshold, best, (), ())


def record_of(**changes: Any) -> GalvoRecord:
    said = {"axis": "x", "n_extra": 12, "lines": 60, "shift": 28, "likeliest": 28, "confidence": 0.9, "threshold": 0.6}
    return GalvoRecord(**(said | changes))


BELOW = {"confidence": 0.55, "shift": 0}
BY_ANNA = {"decided_by": "anna"}


# --- what stands ---------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("fix", "record", "expected"),
    [
        # fix, shift, by, overridden
        pytest.param(None, None, (None, None, "", False), id="nothing"),
        pytest.param(True, None, (True, None, "reviewer", False), id="a table of another program"),
        pytest.param(None, record_of(), (None, 28, "", False), id="not stamped"),
        pytest.param(True, record_of(), (True, 28, "detection", False), id="detected"),
        pytest.param(False, record_of(**BELOW), (False, 28, "detection", False), id="not detected"),
        pytest.param(False, record_of(), (False, 28, "reviewer", True), id="a hand in the table"),
        pytest.param(True, record_of(**BELOW), (True, 28, "reviewer", True), id="fixed below the threshold"),
        pytest.param(True, record_of(**BY_ANNA), (True, 28, "reviewer", False), id="accepted"),
        pytest.param(True, record_of(**BY_ANNA, reviewer_shift=28), (True, 28, "reviewer", False), id="and the shift"),
        pytest.param(True, record_of(**BY_ANNA, reviewer_shift=31), (True, 31, "reviewer", True), id="another shift"),
        pytest.param(False, record_of(**BY_ANNA), (False, 28, "reviewer", True), id="rejected"),
        pytest.param(None, record_of(**BY_ANNA, reviewer_shift=31), (None, 28, "", False), id="emptied"),
        pytest.param(True, record_of(confidence=0, likeliest=None), (True, None, "reviewer", True), id="background"),
        pytest.param(False, record_of(replaces=False), (False, 28, "detection", False), id="interrupted"),
    ],
)
def test_what_stands(fix: bool | None, record: GalvoRecord | None, expected: tuple[Any, ...]) -> None:
    found = standing({"galvo_fix": fix}, record)
    assert (found.fix, found.shift, found.by, found.overridden) == expected
    assert is_reviewed({"galvo_fix": fix}, record) is (found.by == "reviewer")


@pytest.mark.parametrize(
    ("confidence", "threshold", "says"),
    [
        (0.0, 0.6, "leave"),
        (0.49, 0.6, "leave"),
        (0.5, 0.6, "consider"),
        (0.599, 0.6, "consider"),
        (0.6, 0.6, "fix"),
        (1.0, 0.6, "fix"),
        (0.65, 0.7, "consider"),
        (0.4, 0.3, "fix"),
    ],
)
def test_bands(confidence: float, threshold: float, says: str) -> None:
    assert band(confidence, threshold) == says


# --- deciding ------------------------------------------------------------------------------------------------
ROWS = {SLICE: {"slice_id": SLICE, "use": True, "notes": "torn", "galvo_fix": True}}


@pytest.mark.parametrize(
    ("asked", "record", "fix", "shift"),
    [
        pytest.param({"fix": True}, record_of(), True, 28, id="accept"),
        pytest.param({"fix": True, "shift": 0}, record_of(), True, 0, id="a shift of nothing"),
        pytest.param({"fix": True, "shift": 59}, record_of(), True, 59, id="the largest"),
        pytest.param({"fix": True}, record_of(**BELOW), True, 28, id="the likeliest"),
        pytest.param({"fix": True}, record_of(reviewer_shift=31, **BY_ANNA), True, 28, id="the detected again"),
        pytest.param({"fix": False}, record_of(), False, None, id="reject"),
        pytest.param(
            {"fix": False}, record_of(reviewer_shift=31, **BY_ANNA), False, None, id="reject what was accepted"
        ),
        pytest.param({"fix": None}, record_of(reviewer_shift=31, **BY_ANNA), None, None, id="withdraw"),
    ],
)
def test_deciding(asked: dict[str, Any], record: GalvoRecord, fix: bool | None, shift: int | None) -> None:
    rows, made = decide(ROWS, "3", record, note="seen; torn", by="ben", **asked)
    assert (rows[SLICE]["galvo_fix"], rows[SLICE]["notes"]) == (fix, "torn; seen")
    assert made is not None
    assert (made.reviewer_shift, made.decided_by) == (shift, "detection" if fix is None else "ben")
    assert made.model_copy(update={"reviewer_shift": None, "decided_by": ""}) == record.model_copy(
        update={"reviewer_shift": None, "decided_by": ""}
    )
    assert ROWS[SLICE]["galvo_fix"] is True, "the table that was given is not changed"


def test_what_nothing_is_known_of_can_be_rejected() -> None:
    rows, record = decide(ROWS, SLICE, None, fix=False, by="ben")
    assert (rows[SLICE]["galvo_fix"], record) == (False, None)
    assert is_reviewed(rows[SLICE], record)


@pytest.mark.parametrize(
    ("slice_id", "record", "asked", "kind", "says"),
    [
        pytest.param("04", record_of(), {"fix": True}, UnknownNameError, "unknown slice '04'", id="no such slice"),
        pytest.param(SLICE, None, {"fix": True}, PlanError, "slice 03: nothing is known of its tiles", id="no record"),
        pytest.param(
            SLICE, record_of(), {"fix": True, "shift": 60}, PlanError, "60, expected 0 to 59 A-lines", id="too far"
        ),
        pytest.param(SLICE, record_of(), {"fix": True, "shift": -1}, PlanError, "-1, expected 0", id="backwards"),
        pytest.param(
            SLICE,
            record_of(confidence=0, likeliest=None),
            {"fix": True},
            PlanError,
            "background, so state the shift",
            id="background",
        ),
        pytest.param(SLICE, record_of(), {"fix": True, "by": ""}, PlanError, "by is ''", id="nobody"),
        pytest.param(SLICE, record_of(), {"fix": True, "by": "detection"}, PlanError, "name of a person", id="no one"),
        pytest.param(
            SLICE, record_of(), {"fix": True, "by": "the slice table"}, PlanError, "of a person", id="no hand"
        ),
    ],
)
def test_what_cannot_be_decided(
    slice_id: str, record: GalvoRecord | None, asked: dict[str, Any], kind: type[Exception], says: str
) -> None:
    with pytest.raises(kind, match=says):
        decide(ROWS, slice_id, record, **{"by": "ben", **asked})


# --- detecting -----------------------------------------------------------------------------------------------
def test_slices_are_matched_by_number_and_told_one_by_one(tmp_path: Path) -> None:
    tiles = make_tiles(rows=1)
    slices = TileSlices((one, slice_of(tiles, one)) for one in ("003", "04"))
    rows = {"03": {"slice_id": "03", "galvo_fix": None}}
    done: list[tuple[int, int]] = []
    found = list(find_returns(slices, rows, tmp_path, on_progress=lambda *now: done.append(now)))
    assert [one.slice_id for one in found] == ["03", "04"]
    assert done == [(1, 2), (2, 2)]
    assert not list(tmp_path.iterdir()), "nothing is written"
    stamped = stamp_findings(rows, found, add=True)
    assert [(one, row["galvo_confidence"], row["galvo_fix"]) for one, row in stamped.items()] == [
        ("03", 1.0, True),
        ("04", 1.0, True),
    ]
    with pytest.raises(UnknownNameError, match="unknown slice '04'"):
        stamp_findings(rows, found)


def test_a_record_that_cannot_be_read_is_told_before_the_work(tmp_path: Path) -> None:
    opened: list[int] = []
    tile = GridTile("a", 0, 0, (DEPTH, LINES, SCANS), lambda: opened.append(1) or np.ones((DEPTH, LINES, SCANS)))
    slices = TileSlices((one, TileSlice(one, Path("m"), "raw", "x", LINES, EXTRA, (tile,))) for one in ("03", "04"))
    (tmp_path / "slice_04.json").write_text("{")
    with pytest.raises(ValueError, match=r"slice_04\.json"):
        list(find_returns(slices, {}, tmp_path))
    assert not opened


def test_a_tile_that_is_none_is_named_with_its_slice(tmp_path: Path) -> None:
    tile = GridTile("a", 0, 0, (DEPTH, LINES, SCANS), lambda: np.ones((DEPTH, LINES)))
    one = TileSlice(SLICE, Path("m"), "raw", "x", LINES, EXTRA, (tile,))
    with pytest.raises(StackError, match=r"m: slice 03, tile 0: a tile has shape \(3, 60\)"):
        list(find_returns({SLICE: one}, {}, tmp_path))


@pytest.mark.parametrize(("before", "written"), [(0.59996, 0.59996), (0.6004, 0.6), (0.5994, 0.599)])
def test_rounding_takes_no_confidence_past_the_threshold(tmp_path: Path, before: float, written: float) -> None:
    finding = finding_of(SLICE, slice_of(), detection(confidence=before), {}, None)
    rows = stamp_findings(ROWS, [finding])
    assert rows[SLICE]["galvo_confidence"] == written
    assert (written >= 0.6) == finding.record.suggests_fix


def test_a_cancelled_run_writes_nothing(tmp_path: Path) -> None:
    tiles = make_tiles(rows=1, columns=1)
    slices = TileSlices((one, slice_of(tiles, one)) for one in ("03", "04"))
    asked = iter([False, True])
    with pytest.raises(CancelledError, match="nothing was written"):
        run.detect_galvo_slices(slices, out=tmp_path / "t.csv", cancelled=lambda: next(asked))
    assert not [one for one in tmp_path.iterdir() if one.suffix != ".lock"]


def test_a_person_may_decide_while_tiles_are_looked_at(tmp_path: Path) -> None:
    table = tmp_path / "t.csv"
    slice_config.write(table, {SLICE: {"slice_id": SLICE, "use": True}})
    found = run.look_at(TileSlices({SLICE: slice_of(make_tiles(rows=1))}), slice_config.read(table), tmp_path)
    assert found.rows[SLICE]["galvo_fix"] is True
    write_record(tmp_path, SLICE, found.findings[0].record)
    run.decide_galvo_slices(table, [SLICE], fix=False, by="anna", in_place=True, diagnostics=tmp_path)
    with open_table(table, None, in_place=True) as job:
        rows, (finding,) = run.save_findings(job, job.rows, found.findings, tmp_path)
    assert finding.reviewed
    assert rows[SLICE]["galvo_fix"] is False
    assert slice_config.read(table) == rows
    record = read_record(tmp_path, SLICE)
    assert record is not None
    assert record.decided_by == "anna"


def test_what_belongs_to_the_first_table_goes_with_the_second(tmp_path: Path) -> None:
    for name in "ab":
        (tmp_path / name).mkdir()
    table = tmp_path / "a" / "t.csv"
    slice_config.write(table, {SLICE: {"slice_id": SLICE, "use": True}})
    slices = TileSlices({SLICE: slice_of(make_tiles(rows=1))})
    run.detect_galvo_slices(slices, table, in_place=True)
    run.decide_galvo_slices(table, [SLICE], fix=True, shift=31, by="anna", in_place=True)
    first = (tmp_path / "a" / "diagnostics" / "slice_03.json").read_bytes()
    run.detect_galvo_slices(slices, table, tmp_path / "b" / "t.csv")
    record = read_record(tmp_path / "b" / "diagnostics", SLICE)
    assert record is not None
    assert (record.decided_by, record.reviewer_shift) == ("anna", 31)
    assert (tmp_path / "a" / "diagnostics" / "slice_03.json").read_bytes() == first


# --- everything in any order ---------------------------------------------------------------------------------
class Killed(BaseException):
    """An end in the midst of writing."""


class Decisions(RuleBasedStateMachine):
    """A table and its diagnostics, and what is to stand there."""

    @initialize()
    def begin(self) -> None:
        self.disk = mock.patch(
            "os.fsync"
        )  # the order of files is what counts here, and waiting for the disk takes long
        self.disk.start()
        self.folder = Path(tempfile.mkdtemp(prefix="slicemap-decisions-"))
        self.table = self.folder / "t.csv"
        slice_config.write(self.table, {SLICE: {"slice_id": SLICE, "use": True, "galvo_fix": None}})
        self.word: bool | None = None  # a person's
        self.shift: int | None = None  # that a person chose
        self.marked = False  # the record knows of a person
        self.said: bool | None = None  # what it knows that the person decided
        self.suggested: set[bool] = set()  # what the detection wrote, or may have written

    def teardown(self) -> None:
        self.disk.stop()
        for path in sorted(self.folder.rglob("*"), reverse=True):
            path.rmdir() if path.is_dir() else path.unlink()
        self.folder.rmdir()

    @property
    def fix(self) -> bool | None:
        value: bool | None = slice_config.read(self.table)[SLICE]["galvo_fix"]
        return value

    @property
    def record(self) -> GalvoRecord | None:
        return read_record(self.folder, SLICE)

    def _detect(self, shift: int, confidence: float, threshold: float) -> GalvoRecord:
        found = detection(shift, confidence, threshold)
        with open_table(self.table, None, in_place=True) as job:
            finding = finding_of(SLICE, slice_of(), found, job.rows[SLICE], self.record)
            run.save_findings(job, job.rows, [finding], self.folder)
        return finding.record

    _shifts = st.sampled_from([0, 1, 28, 59])
    _confidences = st.sampled_from([0.0, 0.5, 0.5999, 0.6, 0.65, 1.0])
    _thresholds = st.sampled_from([0.5, 0.6, 0.7])

    @rule(shift=_shifts, confidence=_confidences, threshold=_thresholds)
    def detect(self, shift: int, confidence: float, threshold: float) -> None:
        self._put_back()
        record = self._detect(shift, confidence, threshold)
        self._looked_at(record)
        assert self.fix is (record.suggests_fix if self.word is None else self.word)
        assert self.record is not None
        assert self.record.replaces is None

    def _put_back(self) -> None:
        """A table that lacks what a person decided is given it again."""
        if self.fix is None and self.said is not None:
            self.word = self.said

    def _looked_at(self, record: GalvoRecord) -> None:
        self.suggested = {record.suggests_fix}
        self.marked = self.word is not None or (self.fix is None and self.said is not None)
        if not self.marked:
            self.shift = self.said = None

    @rule(shift=_shifts, confidence=_confidences, threshold=_thresholds)
    def detect_killed_before_the_table(self, shift: int, confidence: float, threshold: float) -> None:
        before = self.fix
        with (
            mock.patch.object(slice_config, "write", side_effect=Killed),
            pytest.raises(Killed),
        ):
            self._detect(shift, confidence, threshold)
        assert self.fix is before
        assert self.record is not None
        self._looked_at(self.record)
        if before is not None and self.word is None:
            self.suggested.add(before)

    @rule(shift=_shifts, confidence=_confidences, threshold=_thresholds)
    def detect_killed_after_the_table(self, shift: int, confidence: float, threshold: float) -> None:
        self._put_back()
        before, written = self.fix, []

        def once(*given: Any) -> Path:
            if written:
                raise Killed
            written.append(given)
            return write_record(*given)

        with mock.patch.object(run, "write_record", once):
            try:
                self._detect(shift, confidence, threshold)
            except Killed:
                assert self.word is None
                assert before is not None
        assert self.record is not None
        self._looked_at(self.record)
        if self.record.replaces is not None:
            self.suggested.add(self.record.replaces)

    @rule(fix=st.booleans(), shift=st.none() | _shifts)
    def decide(self, fix: bool, shift: int | None) -> None:
        record = self.record
        if fix and record is None:
            with pytest.raises(PlanError, match="nothing is known"):
                run.decide_galvo_slices(self.table, [SLICE], fix=True, by="anna", in_place=True, known=self.folder)
            return
        run.decide_galvo_slices(
            self.table,
            [SLICE],
            fix=fix,
            shift=shift if fix else None,
            by="anna",
            in_place=True,
            diagnostics=self.folder,
        )
        self.word, self.marked = fix, record is not None
        self.said, self.shift = (None if record is None else fix), None
        if fix and record is not None:
            self.shift = record.detected if shift is None else shift

    @rule()
    def withdraw(self) -> None:
        run.decide_galvo_slices(self.table, [SLICE], fix=None, by="anna", in_place=True, diagnostics=self.folder)
        self.word, self.shift, self.marked, self.said = None, None, False, None
        if (record := self.record) is not None:
            self.suggested = {record.suggests_fix}

    @rule(value=st.none() | st.booleans())
    def edit_by_hand(self, value: bool | None) -> None:
        before = self.fix
        rows = slice_config.stamp(slice_config.read(self.table), SLICE, {"galvo_fix": value})
        slice_config.write(self.table, rows)
        self._changed(before, value)

    @rule(fix=st.booleans())
    def decide_killed_after_the_table(self, fix: bool) -> None:
        before = self.fix
        if self.record is None:
            return
        with mock.patch.object(run, "write_record", side_effect=Killed), pytest.raises(Killed):
            run.decide_galvo_slices(self.table, [SLICE], fix=fix, by="anna", in_place=True, diagnostics=self.folder)
        self._changed(before, fix)

    def _changed(self, before: bool | None, value: bool | None) -> None:
        """Take note of a change that the record does not know of."""
        if value is None:
            self.word = None
        elif self.marked or value not in self.suggested:
            self.word = value
        elif value is not before:
            self.word = None  # what the detection says is the detection's

    @invariant()
    def a_persons_word_stands(self) -> None:
        stands = standing(slice_config.read(self.table)[SLICE], self.record)
        if self.word is None:
            assert stands.by in ("detection", "")
            return
        assert (stands.fix, stands.by) == (self.word, "reviewer")
        if self.shift is not None and self.marked:
            assert stands.shift == self.shift


TestDecisions = Decisions.TestCase
TestDecisions.settings = settings(max_examples=30, stateful_step_count=20, deadline=None)

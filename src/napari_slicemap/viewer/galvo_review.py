"""What a reviewer decides about the mirror's return: on disk at once, and undoable.

The slice table holds the decision, the record beside it (part ``galvo`` of the diagnostics) the numbers and the shift.
Each change reads both anew, writes the cells of its slice only, and leaves its lines in the audit trail; so what others
wrote in the meantime stays.
"""

from __future__ import annotations

import getpass
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from psygnal import Signal
from qtpy.QtCore import QTimer
from qtpy.QtGui import QUndoCommand, QUndoStack

from ..dataset import Dataset
from ..errors import PlanError, SlicemapError, in_words
from ..slices import slice_config
from ..slices.galvo.decisions import (
    CONFIDENCE,
    FIX,
    Finding,
    Standing,
    decide,
    finding_of,
    is_reviewed,
    stamp_findings,
    standing,
)
from ..slices.galvo.record import DETECTION, GalvoRecord, read_record, remove_record, write_record
from ..slices.galvo.run import DETECT, save_findings
from ..slices.generate import new_table
from ..slices.slice_config import SliceRows, stamp, stamp_many
from ..slices.slice_values import number_of
from ..slices.table_file import TableJob, open_table
from .galvo_places import GalvoPlaces
from .telling import tell

if TYPE_CHECKING:
    from .session import Session

NOTES = "notes"
_NAMES = {True: "accept slice", False: "reject slice", None: "withdraw the decision on slice"}

Make = Callable[[SliceRows, GalvoRecord | None], tuple[SliceRows, GalvoRecord | None]]


@dataclass(frozen=True)
class _State:
    """A slice before or after a decision: the cells that it changes, the record, and whether a person had decided."""

    cells: Mapping[str, Any]
    record: GalvoRecord | None
    reviewed: bool


@dataclass(frozen=True)
class _Change:
    """A decision that was written; `detections` counts those stored of the slice until then."""

    slice_id: str
    before: _State
    after: _State
    detections: int


class GalvoReview:
    """Writes decisions about returns for one session.

    Parameters
    ----------
    session : Session
        Holds the dataset, its slice table and the undo history.
    """

    refused = Signal(str)
    """Undoing or redoing a decision was not possible: why, in words."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._detections: dict[str, int] = {}

    @property
    def stack(self) -> QUndoStack:
        """The undo history of the session."""
        return self._session.undo_stack

    @property
    def places(self) -> GalvoPlaces | None:
        """Where the dataset keeps what is known; ``None`` where none is open."""
        dataset = self._session.dataset
        return None if dataset is None else GalvoPlaces.of(dataset)

    # --- deciding -------------------------------------------------------------------------------------------
    def decide(
        self,
        slice_id: str,
        *,
        fix: bool | None,
        shift: int | None = None,
        note: str = "",
        found: Finding | None = None,
        shown: Standing | None = None,
    ) -> None:
        """Decide whether a slice is to be fixed, and by which shift; undoable.

        Parameters
        ----------
        slice_id : str
            The slice, matched by number.
        fix : bool or None
            Whether to fix it; ``None`` withdraws what a person decided.
        shift : int, optional
            A-lines to roll by; the one detected if not given.
        note : str
            Appended to the notes of the slice.
        found : Finding, optional
            What was found just now, if that is not on record yet: it is put on record, too.
        shown : Standing, optional
            How the slice stands as the person who decides sees it: where somebody else decided since, that stays.

        Raises
        ------
        SlicemapError
            If it cannot be decided or written, in words; nothing is written then.
        """
        by = getpass.getuser()

        def make(rows: SliceRows, record: GalvoRecord | None) -> tuple[SliceRows, GalvoRecord | None]:
            own = _own_id(rows, slice_id)
            if shown is not None and (why := _decided_since(rows.get(own, {}), record, shown)):
                self._session.set_slices(rows)
                raise PlanError([f"slice {own}: {why}"])
            if found is not None:
                fresh = finding_of(own, found.tiles, found.detection, rows.get(own, {}), record)
                rows, record = stamp_findings(rows, [fresh], add=True), fresh.record
            elif own not in rows:
                rows = stamp(rows, own, {}, add=True)
            return decide(rows, own, record, fix=fix, shift=shift, note=note, by=by)

        self._change(_NAMES[fix], slice_id, make)

    def note(self, slice_id: str, note: str) -> None:
        """Append to the notes of a slice; undoable.

        Raises
        ------
        SlicemapError
            If it cannot be written, in words.
        """

        def make(rows: SliceRows, record: GalvoRecord | None) -> tuple[SliceRows, GalvoRecord | None]:
            return stamp(rows, slice_id, {NOTES: note}, append_notes=True, add=True), record

        self._change("note on slice", slice_id, make)

    def store(self, findings: Sequence[Finding], dataset: Dataset) -> None:
        """Put findings on record and into the table; a person's decisions stay. It is no part of the undo history.

        Parameters
        ----------
        findings : sequence of Finding
            Of slices of the dataset.
        dataset : Dataset
            Another one may be open by now.

        Raises
        ------
        SlicemapError
            If they cannot be written, in words; the table is as it was then.
        """
        with _table(dataset, DETECT) as (job, folder):
            own = [replace(one, slice_id=_own_id(job.rows, one.slice_id)) for one in findings]
            rows = stamp_many(job.rows, {one.slice_id: {} for one in own}, add=True)
            rows, _ = save_findings(job, rows, own, folder)
        if self._session.dataset is dataset:
            for one in own:
                self._detections[one.slice_id] = self._detections.get(one.slice_id, 0) + 1
            self._session.set_slices(rows)

    def _change(self, name: str, slice_id: str, make: Make) -> None:
        with _table(self._dataset) as (job, folder):
            slice_id = _own_id(job.rows, slice_id)
            self._check_saved(slice_id, FIX)
            before = read_record(folder, slice_id)
            rows, after = make(job.rows, before)
            old, new = job.rows.get(slice_id, {}), rows[slice_id]
            columns = [one for one in (CONFIDENCE, FIX, NOTES) if old.get(one) != new.get(one)]
            if NOTES in columns:
                self._check_saved(slice_id, NOTES)
            change = _Change(
                slice_id,
                _State({one: old.get(one) for one in columns}, before, is_reviewed(old, before)),
                _State({one: new.get(one) for one in columns}, after, is_reviewed(new, after)),
                self._detections.get(slice_id, 0),
            )
            _save(job, folder, rows, slice_id, before, after)
        self._session.set_slices(rows)
        self.stack.push(_Decision(self, f"{name} {slice_id}", change))

    # --- undoing --------------------------------------------------------------------------------------------
    def put(self, change: _Change, *, again: bool) -> bool:
        """Undo a decision, or make it `again`; say whether that was possible."""
        source, target = (change.before, change.after) if again else (change.after, change.before)
        try:
            self._check_saved(change.slice_id, FIX)
            with _table(self._dataset) as (job, folder):
                fresh = read_record(folder, change.slice_id)
                detected = self._detections.get(change.slice_id, 0) > change.detections
                row = job.rows.get(change.slice_id)
                if row is None:
                    raise PlanError([f"slice {change.slice_id} is no longer in the slice table"])
                record = _record_back(fresh, source.record, target.record, detected)
                cells = _cells_back(row, source, target, record if detected else None)
                rows = stamp(job.rows, change.slice_id, cells)
                _save(job, folder, rows, change.slice_id, fresh, record)
        except SlicemapError as error:
            tell(self.refused, "; ".join(error.faults) if isinstance(error, PlanError) else str(error))
            return False
        self._session.set_slices(rows)
        return True

    def _check_saved(self, slice_id: str, column: str) -> None:
        """Refuse to write beneath an edit that would hide it."""
        if self._session.edits.is_edited(slice_id, column):
            raise PlanError([f"slice {slice_id}: {column} is edited in the slice table; save or undo that first"])

    @property
    def _dataset(self) -> Dataset:
        dataset = self._session.dataset
        if dataset is None:
            raise SlicemapError("there is no dataset open, so there is nothing to decide")
        return dataset


class _Decision(QUndoCommand):
    """A decision that was made: it is written before it comes into the history, so that a refused one never does."""

    def __init__(self, review: GalvoReview, name: str, change: _Change) -> None:
        super().__init__(name)
        self._review, self._change, self._done = review, change, True

    def redo(self) -> None:
        """Make it again."""
        if not self._done:
            self._done = self._review.put(self._change, again=True)
            if not self._done:  # the history goes back to what is so
                QTimer.singleShot(0, self._review.stack.undo)

    def undo(self) -> None:
        """Undo it."""
        if self._done:
            self._done = not self._review.put(self._change, again=False)
            if self._done:
                QTimer.singleShot(0, self._review.stack.redo)


@contextmanager
def _table(dataset: Dataset, by: str = "") -> Iterator[tuple[TableJob, Path]]:
    """Hold the slice table, as it is on disk now, and give the folder of records with it.

    Where there is none, it is made of the slices that the dataset has.
    """
    places = GalvoPlaces.of(dataset)
    with in_words(places.table, beside=True):
        if not places.table.is_file():
            with open_table(None, places.table) as made:
                made.save(new_table(dataset.slice_ids, exclude_first=0))
        with open_table(places.table, None, in_place=True, by=by) as job:
            yield job, places.diagnostics


def _own_id(rows: Iterable[str], slice_id: str) -> str:
    """Give the id that the table has for a slice: "3" is its "03"."""
    return next((one for one in rows if number_of(one) == number_of(slice_id)), slice_id)


def _save(
    job: TableJob, folder: Path, rows: SliceRows, slice_id: str, before: GalvoRecord | None, after: GalvoRecord | None
) -> None:
    """Write the table, and then the record: the table is what counts, if this ends in between."""
    if before == after:
        job.save(rows)
        return
    folder.mkdir(parents=True, exist_ok=True)
    if not os.access(folder, os.W_OK):
        raise PlanError([f"{folder} cannot be written to; nothing is changed"])
    job.save(rows)
    if after is None:
        remove_record(folder, slice_id)
    else:
        write_record(folder, slice_id, after)


def _decided_since(row: Mapping[str, Any], record: GalvoRecord | None, shown: Standing) -> str:
    """Say what a person decided since a slice stood as shown, or nothing."""
    now = standing(row, record)
    moved = record is not None and None not in (now.shift, shown.shift) and now.shift != shown.shift
    if "reviewer" not in (now.by, shown.by) or ((now.fix, now.by) == (shown.fix, shown.by) and not moved):
        return ""
    if now.by != "reviewer":
        return "somebody else withdrew the decision since; look again, then decide"
    what = f"to fix it by {now.shift} A-lines" if now.fix else "to leave it as it is"
    return f"somebody else decided since {what}; look again, then decide"


def _record_back(
    fresh: GalvoRecord | None, source: GalvoRecord | None, target: GalvoRecord | None, detected: bool
) -> GalvoRecord | None:
    """Give the record to return to: as it was; of one that others wrote since, only what the reviewer decided."""
    if fresh == source and not detected:
        return target
    if fresh is None:
        return None
    by, shift = (DETECTION, None) if target is None else (target.decided_by, target.reviewer_shift)
    return fresh.model_copy(update={"decided_by": by, "reviewer_shift": shift})


def _cells_back(row: Mapping[str, Any], source: _State, target: _State, detected: GalvoRecord | None) -> dict[str, Any]:
    """Give the cells to return to, those that nobody else changed since; what was `detected` since stays.

    Raises
    ------
    PlanError
        If somebody else decided since.
    """
    cells = {column: value for column, value in target.cells.items() if row.get(column) == source.cells[column]}
    decided = FIX in target.cells
    if decided and FIX not in cells and (source.reviewed or detected is None):
        said = slice_config.cell_text(FIX, row.get(FIX)) or "empty"
        raise PlanError([f"slice {row['slice_id']}: somebody else set {FIX} to {said} since; nothing is changed"])
    if detected is not None:
        cells.pop(CONFIDENCE, None)
        if decided:
            cells[FIX] = target.cells[FIX] if target.reviewed else detected.suggests_fix
    return cells

"""Who decides what: the detection proposes, a person decides, and that stays.

The slice table's ``galvo_fix`` says whether a slice is to be fixed. The detection writes it where it is empty, or
where the detection itself wrote it before; what a person wrote, in napari, by a command or in a text editor, it leaves
alone. Where the table does not have what a person decided, because it is an earlier one or a new one, a detection puts
it back; to withdraw it is a decision of its own.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from ...errors import PlanError, StackError
from ..progress import OnProgress
from ..slice_config import SliceRows, stamp, stamp_many
from ..slice_values import number_of
from .detect import MIN_INTENSITY, N_SAMPLES, THRESHOLD, SliceDetection, TileDetection, inspect_slice
from .record import DETECTION, IN_TABLE, GalvoRecord, read_records
from .tile_slices import TileSlice

CONFIDENCE, FIX = "galvo_confidence", "galvo_fix"
CONSIDER = 0.5
"""Confidence from which a slice is worth a look."""

Row = Mapping[str, Any]


@dataclass(frozen=True)
class GalvoSettings:
    """How returns are looked for; see :func:`~.detect.inspect_slice`."""

    threshold: float = THRESHOLD
    n_samples: int = N_SAMPLES
    min_intensity: float = MIN_INTENSITY


@dataclass(frozen=True)
class Finding:
    """What was found in a slice, and what its record is to say.

    Parameters
    ----------
    slice_id : str
        As the table has it, where it does.
    tiles : TileSlice
        The tiles.
    detection : SliceDetection
        By index in `tiles`.
    record : GalvoRecord
        With what a person decided before.
    reviewed : bool
        A person decided, so the decision stays.
    """

    slice_id: str
    tiles: TileSlice
    detection: SliceDetection
    record: GalvoRecord
    reviewed: bool


@dataclass(frozen=True)
class Standing:
    """What is decided of a slice.

    Parameters
    ----------
    fix : bool or None
        Whether it is to be fixed; ``None`` if nobody has decided.
    shift : int or None
        A-lines by which a fix rolls its tiles: the reviewer's, else the one detected, else the likeliest.
    by : "reviewer", "detection" or ""
        Who decided.
    overridden : bool
        The reviewer chose another shift, or another decision, than the detection.
    """

    fix: bool | None
    shift: int | None
    by: Literal["reviewer", "detection", ""]
    overridden: bool


def detect_tiles(tiles: TileSlice, settings: GalvoSettings | None = None) -> SliceDetection:
    """Find the return in the tiles of a slice; those cut short along their A-lines are never looked at.

    Parameters
    ----------
    tiles : TileSlice
        The tiles.
    settings : GalvoSettings, optional
        How.

    Returns
    -------
    SliceDetection
        By index in ``tiles.tiles``.

    Raises
    ------
    StackError, TileReadError
        Naming the tile.
    """
    how = settings or GalvoSettings()
    opened = [tiles.tiles[index].open for index in tiles.whole]
    try:
        found = inspect_slice(opened, tiles.n_extra, how.threshold, how.n_samples, how.min_intensity)
    except StackError as error:
        raise StackError(f"{tiles.path}: slice {tiles.slice_id}, {error}") from error
    if len(tiles.whole) == len(tiles.tiles):
        return found

    def own(one: TileDetection) -> TileDetection:
        return TileDetection(tiles.whole[one.index], one.mean_intensity, one.score, one.share, one.confidence)

    return SliceDetection(
        found.shift,
        found.confidence,
        found.found,
        found.n_extra,
        found.threshold,
        own(found.best) if found.best else None,
        tuple(own(one) for one in found.tiles),
        tuple(tiles.whole[index] for index in found.background),
    )


def find_returns(
    slices: Mapping[str, TileSlice],
    rows: Mapping[str, Row],
    folder: str | os.PathLike[str] | None,
    settings: GalvoSettings | None = None,
    *,
    on_progress: OnProgress | None = None,
    cancelled: Callable[[], bool] = lambda: False,
) -> Iterator[Finding]:
    """Find the return in slices, one after the other; nothing is written.

    Parameters
    ----------
    slices : mapping of str to TileSlice
        Slice id → tiles.
    rows : mapping of str to mapping
        The slice table, ids matched by number; it may lack some.
    folder : path-like or None
        Of the diagnostics, where earlier records are; ``None`` for none.
    settings : GalvoSettings, optional
        How.
    on_progress : callable, optional
        Told how many slices are done.
    cancelled : callable
        Asked before each slice.

    Yields
    ------
    Finding

    Raises
    ------
    FileFormatError, StackError, TileReadError
        Naming the file or tile, and the slice.
    PlanError
        If a person chose a shift for tiles of as many A-lines as these do not have.
    """
    own = {number_of(one): one for one in rows}
    in_table = {own.get(number_of(given), given): tiles for given, tiles in slices.items()}
    # a record that cannot be read is told before the work begins
    known = {} if folder is None else read_records(folder, in_table)
    _check_same_lines(in_table, known)
    for done, (slice_id, tiles) in enumerate(in_table.items()):
        if cancelled():
            return
        detection = detect_tiles(tiles, settings)
        yield finding_of(slice_id, tiles, detection, rows.get(slice_id, {}), known.get(slice_id))
        if on_progress is not None:
            on_progress(done + 1, len(slices))


def _check_same_lines(slices: Mapping[str, TileSlice], known: Mapping[str, GalvoRecord]) -> None:
    """Refuse tiles that the shift which a person chose cannot be of."""
    faults = [
        f"slice {one}: {record.decided_by} chose to roll by {record.reviewer_shift} A-lines, of tiles that have "
        f"{record.lines}; those in {slices[one].path} have {slices[one].lines}. Withdraw that, or name another folder "
        "with --diagnostics"
        for one, record in known.items()
        if record.word and record.lines != slices[one].lines
    ]
    if faults:
        raise PlanError(faults)


def finding_of(
    slice_id: str, tiles: TileSlice, detection: SliceDetection, row: Row, before: GalvoRecord | None
) -> Finding:
    """Put together what was found in a slice and what is known of it already.

    Parameters
    ----------
    slice_id : str
        The slice.
    tiles : TileSlice
        Its tiles.
    detection : SliceDetection
        What :func:`detect_tiles` found in them.
    row : mapping
        Of the slice table.
    before : GalvoRecord or None
        The record so far: what a person decided, and the fix that was written, stay.
    """
    written = row.get(FIX)
    lost = written is None and before is not None and before.word is not None
    reviewed = lost or is_reviewed(row, before)
    record = GalvoRecord.of(tiles, detection, **_kept(before, reviewed))
    if not reviewed and written is not None and written != record.suggests_fix:
        record = record.model_copy(update={"replaces": written})
    return Finding(slice_id, tiles, detection, record, reviewed)


def _kept(before: GalvoRecord | None, reviewed: bool) -> dict[str, Any]:
    """Give what an earlier record hands on to the next."""
    kept: dict[str, Any] = {} if before is None else {"applied": before.applied}
    if reviewed:
        by = DETECTION if before is None else before.decided_by
        kept["decided_by"] = IN_TABLE if by == DETECTION else by
        kept["reviewer_shift"] = None if before is None else before.reviewer_shift
    return kept


def stamp_findings(rows: Mapping[str, Row], findings: Iterable[Finding], add: bool = False) -> SliceRows:
    """Write what was found into the table: the confidence, and the decision where no person has decided.

    Parameters
    ----------
    rows : mapping of str to mapping
        The table; it is not changed.
    findings : iterable of Finding
        From :func:`find_returns`.
    add : bool
        Append rows for slices that the table lacks.

    Raises
    ------
    UnknownNameError
        If the table lacks a slice and `add` is false.
    """
    stamps: dict[str, dict[str, object]] = {}
    for one in findings:
        stamps[one.slice_id] = {CONFIDENCE: _in_table(one.record)}
        if not one.reviewed:
            stamps[one.slice_id][FIX] = one.record.suggests_fix
        elif rows.get(one.slice_id, {}).get(FIX) is None:
            stamps[one.slice_id][FIX] = one.record.word
    return stamp_many(rows, stamps, add=add)


def _in_table(record: GalvoRecord) -> float:
    """Give the confidence with three decimals, or with all where rounding would take it past the threshold."""
    rounded = round(record.confidence, 3)
    same = (rounded >= record.threshold) == (record.confidence >= record.threshold)
    return rounded if same else record.confidence


def band(confidence: float, threshold: float = THRESHOLD) -> Literal["leave", "consider", "fix"]:
    """Say what a confidence comes to: ``"leave"``, ``"consider"`` from 0.5 on, ``"fix"`` from the threshold on."""
    if confidence >= threshold:
        return "fix"
    return "consider" if confidence >= CONSIDER else "leave"


def is_reviewed(row: Row, record: GalvoRecord | None) -> bool:
    """Say whether a person decided: the table says something that the detection did not write."""
    decided = row.get(FIX)
    if decided is None:
        return False
    if record is None or record.decided_by != DETECTION:
        return True
    return decided not in (record.suggests_fix, record.replaces)


def standing(row: Row, record: GalvoRecord | None) -> Standing:
    """Say what is decided of a slice, by whom, and by which shift a fix rolls its tiles.

    Parameters
    ----------
    row : mapping
        Of the slice table.
    record : GalvoRecord or None
        What is known of it.
    """
    fix = row.get(FIX)
    reviewed = is_reviewed(row, record)
    if record is None:
        return Standing(fix, None, "reviewer" if reviewed else "", False)
    chosen = record.reviewer_shift if reviewed else None
    shift = record.detected if chosen is None else chosen
    overridden = reviewed and (fix != record.suggests_fix or shift != record.detected)
    return Standing(fix, shift, "reviewer" if reviewed else "detection" if fix is not None else "", overridden)


def decide(
    rows: Mapping[str, Row],
    slice_id: str,
    record: GalvoRecord | None,
    *,
    fix: bool | None,
    shift: int | None = None,
    note: str = "",
    by: str,
) -> tuple[SliceRows, GalvoRecord | None]:
    """Write a person's decision into the table and the record; nothing is saved.

    Parameters
    ----------
    rows : mapping of str to mapping
        The table; it is not changed.
    slice_id : str
        The slice, matched by number.
    record : GalvoRecord or None
        What is known of it.
    fix : bool or None
        Whether it is to be fixed; ``None`` withdraws what a person decided: until the next detection, nobody has.
    shift : int, optional
        A-lines to roll by; the one detected, or likeliest, if not given.
    note : str
        Appended to the notes of the slice.
    by : str
        The person; any name but those of the detection and the table.

    Returns
    -------
    tuple of OrderedDict and GalvoRecord or None
        The new table and the new record.

    Raises
    ------
    UnknownNameError
        If the table has no such slice.
    PlanError
        If it is to be fixed and no shift is known or given, the shift does not fit its tiles, or nobody is named.
    """
    if by in ("", DETECTION, IN_TABLE):
        raise PlanError([f"by is {by!r}, expected the name of a person"])
    stamped = stamp(rows, slice_id, {FIX: fix} | ({"notes": note} if note else {}), append_notes=True)
    if record is None:
        if fix:
            raise PlanError([f"slice {slice_id}: nothing is known of its tiles; detect the return first"])
        return stamped, None
    if fix is None:
        return stamped, record.model_copy(update={"reviewer_shift": None, "decided_by": DETECTION, "replaces": None})
    chosen = None
    if fix:
        chosen = record.detected if shift is None else shift
        if chosen is None:
            raise PlanError([f"slice {slice_id}: all of its tiles are background, so state the shift"])
        if not 0 <= chosen < record.lines:
            raise PlanError([f"slice {slice_id}: the shift is {chosen}, expected 0 to {record.lines - 1} A-lines"])
    return stamped, record.model_copy(update={"reviewer_shift": chosen, "decided_by": by, "replaces": None})

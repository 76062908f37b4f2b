"""The report of the mirror's return: what was found in each slice, what was decided, and what it looks like."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...errors import PlanError
from ...files import to_json, write_text
from ..ids import id_ranges
from ..places import why_no_file
from ..progress import OnProgress
from ..reports.page import Page, Plot, Table, page_html
from ..slice_config import is_used, read
from .decisions import FIX, Row, band, standing
from .record import GalvoRecord, read_records
from .report_pictures import band_pictures
from .run import default_diagnostics
from .whose_word import decider, unheard

if TYPE_CHECKING:
    from .decisions import Standing
    from .tile_slices import TileSlice

_VERSION = 1
_DECISION = {True: "fix", False: "leave", None: ""}
_PARTS = ("contrast", "sharpness", "anomaly")
_NUMBERS = (
    "detection",
    "shift found",
    "likeliest shift",
    "reviewer's shift",
    "confidence",
    *_PARTS,
    "tiles that agree",
    "fixed",
)
"""What the table says of a slice that was looked at."""


@dataclass(frozen=True)
class GalvoReport:
    """What a report says, for people and for programs.

    Parameters
    ----------
    page : Page
        For people.
    data : dict
        For programs; fit for strict JSON.
    notes : tuple of str
        What could not be shown, and why; these stand in the page, too.
    lines : tuple of str
        What is decided, in a few words.
    """

    page: Page
    data: dict[str, Any]
    notes: tuple[str, ...]
    lines: tuple[str, ...]


def write_galvo_report(
    table: str | os.PathLike[str],
    out: str | os.PathLike[str],
    slices: Mapping[str, TileSlice] | None = None,
    *,
    diagnostics: str | os.PathLike[str] | None = None,
    json_file: str | os.PathLike[str] | None = None,
    force: bool = False,
    on_progress: OnProgress | None = None,
) -> GalvoReport:
    """Write the report of a slice table as one HTML file, and the same as JSON beside it.

    Parameters
    ----------
    table : path-like
        The slice table.
    out : path-like
        The HTML file to make. Folders are made where they do not exist.
    slices : mapping of str to TileSlice, optional
        As :func:`galvo_report` takes them.
    diagnostics : path-like, optional
        Folder of ``slice_<id>.json``; ``diagnostics`` beside the table if not given.
    json_file : path-like, optional
        The JSON file to make; `out` with the suffix ``.json`` if not given.
    force : bool
        Replace files that are there.
    on_progress : callable, optional
        Told slices done, and slices in all.

    Returns
    -------
    GalvoReport
        What was written.

    Raises
    ------
    PlanError
        If a file to write is there already, or is the table.
    FileFormatError, FileNotFoundError
        If the table or a diagnostics file is none, or the table is missing.
    """
    config, page = Path(table), Path(out)
    twin = page.with_suffix(".json") if json_file is None else Path(json_file)
    _check_targets(config, page, twin, force)
    folder = default_diagnostics(config) if diagnostics is None else diagnostics
    title = f"Galvo returns of {config.name}"
    made = galvo_report(read(config), folder, slices, title=title, on_progress=on_progress)
    text = page_html(made.page)
    write_text(twin, to_json(made.data) + "\n")
    write_text(page, text)
    return made


def _check_targets(table: Path, page: Path, twin: Path, force: bool) -> None:
    faults = [f"{page} cannot be both the page and its JSON"] if page.resolve() == twin.resolve() else []
    for target in (page, twin):
        if why := why_no_file(target):
            faults.append(why)
        elif target.exists() and table.exists() and target.samefile(table):
            faults.append(f"{target} is the slice table itself; the report cannot take its place")
        elif target.exists() and not force:
            faults.append(f"{target} is there already; --force replaces it")
    if faults:
        raise PlanError(faults)


def galvo_report(
    rows: Mapping[str, Row],
    folder: str | os.PathLike[str],
    slices: Mapping[str, TileSlice] | None = None,
    *,
    title: str = "Galvo returns",
    on_progress: OnProgress | None = None,
) -> GalvoReport:
    """Gather the report of a slice table.

    Parameters
    ----------
    rows : mapping of str to mapping
        The table.
    folder : path-like
        Of the diagnostics, where the detection wrote what it found.
    slices : mapping of str to TileSlice, optional
        The tiles, ids matched by number: each slice gets pictures of the tile that decided.
    title : str
        The heading.
    on_progress : callable, optional
        Told slices done, and slices in all.

    Returns
    -------
    GalvoReport
        The same table, diagnostics and tiles give the same report.

    Raises
    ------
    FileFormatError
        Naming the diagnostics file and the key, if one is none.
    """
    records = read_records(folder, rows)
    decided = {one: standing(row, records.get(one)) for one, row in rows.items()}
    pictures, notes = ((), []) if slices is None else band_pictures(rows, records, decided, slices, on_progress)
    if bare := [one for one in rows if one not in records]:
        notes.insert(0, f"not looked at: {id_ranges(bare)}")
    lines = _lines(rows, records, decided)
    page = Page(
        title=title,
        facts=_facts(rows, records, lines, notes),
        plots=_plots(rows, records, decided),
        thumbnails=pictures,
        table=_table(rows, records, decided),
    )
    return GalvoReport(page, _data(rows, records, decided, notes), tuple(notes), tuple(lines))


# --- in words --------------------------------------------------------------------------------------------------
def _lines(rows: Mapping[str, Row], records: Mapping[str, GalvoRecord], decided: Mapping[str, Standing]) -> list[str]:
    to_fix = [one for one, how in decided.items() if how.fix]
    parts = {
        "fix": to_fix,
        "leave": [one for one, how in decided.items() if how.fix is False],
        "not decided": [one for one, how in decided.items() if how.fix is None],
        "against the detection": [one for one, how in decided.items() if how.overridden],
        "against what a person had decided": [one for one, row in rows.items() if unheard(row, records.get(one))],
        "fixed": [one for one in decided if one in records and records[one].applied],
        "still to fix": [one for one in to_fix if not (one in records and _is_done(records[one], decided[one]))],
    }
    return [f"{what}: {id_ranges(ids)}" for what, ids in parts.items() if ids]


def _is_done(record: GalvoRecord, how: Standing) -> bool:
    """Say whether nothing is left to write: it is fixed, or its return is at the end already."""
    return how.shift == (0 if record.applied is None else record.applied.shift)


def _facts(
    rows: Mapping[str, Row], records: Mapping[str, GalvoRecord], lines: Sequence[str], notes: Sequence[str]
) -> dict[str, str]:
    facts = {"Slices": f"{len(rows)}, {len(records)} of them looked at"}
    for name, value in (
        ("Threshold", "threshold"),
        ("A-lines of the return", "n_extra"),
        ("A-lines of a tile", "lines"),
    ):
        said = sorted({getattr(one, value) for one in records.values()})
        facts |= {name: ", ".join(f"{one:g}" for one in said)} if said else {}
    for line in lines:
        what, _, ids = line.partition(": ")
        facts[what.capitalize()] = ids
    return facts | ({"Not shown": "\n".join(notes)} if notes else {})


def _plots(
    rows: Mapping[str, Row], records: Mapping[str, GalvoRecord], decided: Mapping[str, Standing]
) -> tuple[Plot, ...]:
    """Draw the confidence, its three parts, and the shift that a fix would take."""
    thresholds = {one.threshold for one in records.values()}
    limit = thresholds.pop() if len(thresholds) == 1 else None
    parts = {slice_id: one.parts for slice_id, one in records.items() if one.parts}
    drawn: list[tuple[str, str, Mapping[str, float | None], float | None]] = [
        ("Confidence", "0 to 1", {one: record.confidence for one, record in records.items()}, limit),
        ("Contrast", "0 to 1, half of the score", {one: part.contrast for one, part in parts.items()}, None),
        ("Sharpness", "0 to 1, 0.3 of the score", {one: part.sharpness for one, part in parts.items()}, None),
        ("Anomaly", "0 to 1, 0.2 of the score", {one: part.anomaly for one, part in parts.items()}, None),
        ("Shift that a fix takes", "A-lines", {one: how.shift for one, how in decided.items() if how.fix}, None),
    ]
    return tuple(
        Plot(
            title=title,
            axis=axis,
            ids=tuple(rows),
            values=tuple(values.get(one) for one in rows),
            used=tuple(is_used(row) for row in rows.values()),
            limit=line,
            limit_label="" if line is None else "threshold",
        )
        for title, axis, values, line in drawn
        if values
    )


def _table(rows: Mapping[str, Row], records: Mapping[str, GalvoRecord], decided: Mapping[str, Standing]) -> Table:
    columns = [_cells(one, row, records.get(one), decided[one]) for one, row in rows.items()]
    return Table(
        columns=tuple(columns[0]) if columns else ("slice_id",),
        rows=tuple(tuple(cells.values()) for cells in columns),
        used=tuple(is_used(row) for row in rows.values()),
    )


def _cells(slice_id: str, row: Row, record: GalvoRecord | None, how: Standing) -> dict[str, str]:
    by = decider(row, record)
    cells = {
        "slice_id": slice_id,
        "decision": _DECISION[how.fix],
        "by": f"{by} (override)" if how.overridden else by,
        "shift of a fix": _text(how.shift if how.fix else None),
    }
    known = {} if record is None else _numbers(record)
    return cells | {name: known.get(name, "") for name in _NUMBERS} | {"notes": row.get("notes") or ""}


def _numbers(record: GalvoRecord) -> dict[str, str]:
    parts = record.parts
    said = (
        band(record.confidence, record.threshold),
        _text(record.shift),
        _text(record.likeliest),
        _text(record.reviewer_shift),
        _text(record.confidence),
        *(_text(getattr(parts, name)) if parts else "" for name in _PARTS),
        _agreement(record),
        _applied(record),
    )
    return dict(zip(_NUMBERS, said, strict=True))


def _text(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}" if isinstance(value, float) else str(value)


def _agreement(record: GalvoRecord) -> str:
    """Count the tiles that have the return within one A-line of the likeliest place."""
    seen = f"{_agreeing(record)} of {len(record.tiles)}"
    return f"{seen}, {len(record.background)} background" if record.background else seen


def _agreeing(record: GalvoRecord) -> int:
    apart = [abs(one.shift - (record.likeliest or 0)) for one in record.tiles]
    return sum(min(one, record.lines - one) <= 1 for one in apart)


def _applied(record: GalvoRecord) -> str:
    return f"by {record.applied.shift}: {Path(record.applied.path).name}" if record.applied else ""


def _data(
    rows: Mapping[str, Row],
    records: Mapping[str, GalvoRecord],
    decided: Mapping[str, Standing],
    notes: Sequence[str],
) -> dict[str, Any]:
    slices = [
        {
            "slice_id": slice_id,
            "used": is_used(row),
            FIX: how.fix,
            "shift": how.shift if how.fix else None,
            "by": how.by,
            "overridden": how.overridden,
            "agreeing_tiles": _agreeing(records[slice_id]) if slice_id in records else None,
            "notes": row.get("notes") or "",
            "record": records[slice_id].model_dump(mode="json") if slice_id in records else None,
        }
        for slice_id, row, how in ((one, row, decided[one]) for one, row in rows.items())
    ]
    return {"version": _VERSION, "slices": slices, "left_out": list(notes)}

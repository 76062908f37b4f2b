"""The report of a slice table: every flag and reason, plots of every number, pictures of the slices."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...errors import DatasetNotFoundError, PlanError, TileReadError
from ...files import sha256, to_json, write_text
from ..diagnostics import read_diagnostics
from ..ids import id_ranges, ranges_text
from ..progress import OnProgress, Progress
from ..slice_config import cell_text, is_used, read, why_excluded
from ..slice_values import number_of
from ..summary import TableSummary, flags, summarise
from .numbers import plots_of, same_everywhere
from .page import Page, Table, Thumbnail, page_html

if TYPE_CHECKING:
    from ..slice_config import SliceRows
    from ..volumes import SliceVolume

_VERSION = 1


@dataclass(frozen=True)
class SliceReport:
    """What a report says, for people and for programs.

    Parameters
    ----------
    page : Page
        For people.
    data : dict
        For programs; fit for strict JSON.
    notes : tuple of str
        What could not be shown, and why; these stand in the page, too.
    summary : TableSummary
        Which slices are used, and which are not.
    """

    page: Page
    data: dict[str, Any]
    notes: tuple[str, ...]
    summary: TableSummary


def write_slice_report(
    table: str | os.PathLike[str],
    out: str | os.PathLike[str],
    *,
    diagnostics: str | os.PathLike[str] | None = None,
    mosaics: str | os.PathLike[str] | None = None,
    json_file: str | os.PathLike[str] | None = None,
    force: bool = False,
    on_progress: OnProgress | None = None,
) -> SliceReport:
    """Write the report of a slice table as one HTML file, and the same as JSON beside it.

    Parameters
    ----------
    table : path-like
        The slice table.
    out : path-like
        The HTML file to make. Folders are made where they do not exist.
    diagnostics : path-like, optional
        Folder of ``slice_<id>.json``: each number in them is plotted.
    mosaics : path-like, optional
        Folder of the slices' images: each slice gets a small picture of its middle plane.
    json_file : path-like, optional
        The JSON file to make; `out` with the suffix ``.json`` if not given.
    force : bool
        Replace files that are there.
    on_progress : callable, optional
        Told pictures done, and pictures in all.

    Returns
    -------
    SliceReport
        What was written.

    Raises
    ------
    PlanError
        If a file to write is there already, or is one that is read.
    FileFormatError, FileNotFoundError
        If the table or a diagnostics file is none, or missing.
    DatasetNotFoundError
        If there is no such folder.
    """
    page, twin = Path(out), Path(out).with_suffix(".json") if json_file is None else Path(json_file)
    _check_targets(Path(table), page, twin, force)
    report = build_slice_report(table, diagnostics=diagnostics, mosaics=mosaics, on_progress=on_progress)
    text = page_html(report.page)
    write_text(twin, to_json(report.data) + "\n")
    write_text(page, text)
    return report


def _check_targets(table: Path, page: Path, twin: Path, force: bool) -> None:
    faults = []
    for target in (page, twin):
        if target.is_dir():
            faults.append(f"{target} is a folder; name a file")
        elif target.exists() and table.exists() and target.samefile(table):
            faults.append(f"{target} is the slice table itself; the report cannot take its place")
        elif target.exists() and not force:
            faults.append(f"{target} is there already; --force replaces it")
    if page.resolve() == twin.resolve():
        faults.append(f"{page} cannot be both the page and its JSON; give one of them another name")
    if faults:
        raise PlanError(faults)


def build_slice_report(
    table: str | os.PathLike[str],
    *,
    diagnostics: str | os.PathLike[str] | None = None,
    mosaics: str | os.PathLike[str] | None = None,
    on_progress: OnProgress | None = None,
) -> SliceReport:
    """Gather the report of a slice table; parameters and errors as for :func:`write_slice_report`."""
    rows = read(table)
    summary = summarise(rows)
    numbers = {} if diagnostics is None else _diagnostics(Path(diagnostics), rows)
    pictures, notes = ((), []) if mosaics is None else _pictures(mosaics, rows, on_progress)
    if diagnostics is not None and (bare := [one for one in rows if one not in numbers]):
        notes.insert(0, f"no diagnostics: {id_ranges(bare)}")
    columns, empty = _columns(rows)
    file = {"table": Path(table).name, "sha256": sha256(table)}
    at_the_end = {"Empty columns": ", ".join(empty), "Not shown": "\n".join(notes)}
    page = Page(
        title=f"Slices of {Path(table).name}",
        facts=_facts(summary, file)
        | same_everywhere(numbers)
        | {name: said for name, said in at_the_end.items() if said},
        plots=tuple(plots_of(rows, numbers)),
        thumbnails=pictures,
        table=_flags_table(rows, columns),
    )
    data = {"version": _VERSION, **file, **_data(rows, summary, numbers), "notes": notes}
    return SliceReport(page, data, tuple(notes), summary)


def _facts(summary: TableSummary, file: Mapping[str, str]) -> dict[str, str]:
    left_out = [f"{id_ranges(ids)} ({why})" for why, ids in summary.reasons.items()]
    facts = {
        "Table": file["table"],
        "SHA-256": file["sha256"],
        "Used": f"{len(summary.used)} of {summary.total} slices",
    }
    facts["Excluded"] = "\n".join(left_out) or "none"
    if summary.interpolated:
        facts["Interpolated"] = "\n".join(summary.interpolated_lines)
    if summary.gaps:
        facts["Not in the table"] = ranges_text(summary.gaps)
    return facts


def _flags_table(rows: SliceRows, columns: Sequence[str]) -> Table:
    """Give the cells of some columns, and before them what they come to."""
    return Table(
        columns=("slice_id", "decision", "why", *columns),
        rows=tuple(
            (
                slice_id,
                "used" if is_used(row) else "excluded",
                why_excluded(row),
                *(cell_text(name, row[name]) for name in columns),
            )
            for slice_id, row in rows.items()
        ),
        used=tuple(is_used(row) for row in rows.values()),
    )


def _columns(rows: SliceRows) -> tuple[list[str], list[str]]:
    """List the columns but for the ids: those that say something of any slice, and those that are empty."""
    names = [name for name in dict.fromkeys(name for row in rows.values() for name in row) if name != "slice_id"]
    told = [name for name in names if any(cell_text(name, row[name]) for row in rows.values())]
    return told, [name for name in names if name not in told]


def _data(rows: SliceRows, summary: TableSummary, numbers: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    slices = [
        {
            "slice_id": slice_id,
            "used": is_used(row),
            "why_excluded": why_excluded(row),
            "flags": flags(row),
            "row": {name: value for name, value in row.items() if name != "slice_id"},
            "diagnostics": numbers.get(slice_id, {}),
        }
        for slice_id, row in rows.items()
    ]
    return {
        **summary.as_data(),
        "slices": slices,
    }


def _diagnostics(folder: Path, rows: SliceRows) -> dict[str, dict[str, Any]]:
    """Read what is known of each slice; slices of which nothing is known are left out."""
    if not folder.is_dir():
        raise DatasetNotFoundError(f"{folder}: there is no such folder")
    found = {slice_id: read_diagnostics(folder, slice_id) for slice_id in rows}
    return {slice_id: parts for slice_id, parts in found.items() if parts}


def _pictures(
    mosaics: str | os.PathLike[str], rows: SliceRows, on_progress: OnProgress | None
) -> tuple[tuple[Thumbnail, ...], list[str]]:
    """Make a picture of each slice that has an image, and say which have none."""
    from ..volumes import find_volumes

    volumes = {number_of(one): volume for one, volume in find_volumes(mosaics).items()}
    pictures, without, notes = [], [], []
    tell = Progress(on_progress, len(rows))
    for slice_id, row in rows.items():
        volume = volumes.get(number_of(slice_id))
        if volume is None:
            without.append(slice_id)
        else:
            try:
                pictures.append(_thumbnail(slice_id, row, volume))
            except TileReadError as error:  # the rest of the report is the more needed
                notes.append(f"slice {slice_id}: {error}")
        tell.add(1)
    if without:
        notes.insert(0, f"no image: {id_ranges(without)}")
    return tuple(pictures), notes


def _thumbnail(slice_id: str, row: Mapping[str, Any], volume: SliceVolume) -> Thumbnail:
    from .thumbnails import volume_png

    score = cell_text("quality_score", row.get("quality_score"))
    return Thumbnail(slice_id, volume_png(volume), f"quality {score}" if score else "", is_used(row))

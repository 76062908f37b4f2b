"""``slicemap galvo detect``: find the mirror's return, and stamp the slice table."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..slices.options import AsJson, Config, Force, InPlace, NewTable, note, split_ids
from .options import Diagnostics, Extra, LineAxis, Slices, Source

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from ...slices.galvo.decisions import Finding
    from ...slices.galvo.run import GalvoRun


def detect(
    source: Source,
    out: NewTable = None,
    config: Config = None,
    in_place: InPlace = False,
    threshold: Annotated[
        float, typer.Option(help="Confidence from which a return counts as found.", min=0, max=1)
    ] = 0.6,
    samples: Annotated[int, typer.Option(help="Tiles of each slice to look at.", min=1)] = 5,
    min_intensity: Annotated[
        float, typer.Option(help="Mean intensity below which a tile is background, and is not looked at.")
    ] = 20.0,
    axis: LineAxis = None,
    n_extra: Extra = None,
    slices: Slices = None,
    diagnostics: Diagnostics = None,
    report_only: Annotated[bool, typer.Option("--report-only", help="Print what is found, and write nothing.")] = False,
    force: Force = False,
    as_json: AsJson = False,
) -> None:
    """Look for the mirror's return in some tiles of each slice, and stamp the slice table.

    It gets [bold]galvo_confidence[/bold] and [bold]galvo_fix[/bold]: a slice is to be fixed if the confidence is at
    least the threshold, and the return is not at the end of the A-lines already. Where a person has decided, that
    stays. A shift in parentheses is the likeliest, and not taken.

    With an acquisition as SOURCE its own slice table is changed in place, unless another is named. Without any table,
    one is made of the slices found.

    Examples
    --------
    [bold]slicemap galvo detect run/raw_tiles t1.csv --config t0.csv[/bold]

    [bold]slicemap galvo detect run/mosaics --report-only --axis y --n-extra 40[/bold]

    [bold]slicemap galvo detect my_acquisition --slices 03,17 --threshold 0.7[/bold]
    """
    from ...files import to_json
    from ...slices.galvo.decisions import GalvoSettings
    from ...slices.galvo.run import detect_galvo_slices
    from ...slices.galvo.tile_slices import find_tile_slices
    from ..slices.progress import progress
    from .source import diagnostics_of, tile_source

    chosen = split_ids(slices)
    found = tile_source(source)
    begin, target, in_place = _tables(found.table, config, out, in_place, report_only)
    written = begin if in_place else target
    note([found.note] if found.note else [])
    with progress("looking at slices") as tell:
        run = detect_galvo_slices(
            find_tile_slices(found.folder, axis=axis, n_extra=n_extra, only=chosen or None),
            begin,
            target,
            in_place=in_place,
            force=force,
            settings=GalvoSettings(threshold, samples, min_intensity),
            slice_ids=chosen,
            known=diagnostics or (begin and diagnostics_of(begin)),
            diagnostics=diagnostics or (written and diagnostics_of(written)),
            on_progress=tell,
        )
    typer.echo(to_json(run_data(run)) if as_json else "\n".join(run_lines(run)))
    note(run_notes(run))
    if written is not None:
        note([f"written: {written}", f"written: {diagnostics or diagnostics_of(written)}"])


def _tables(
    own: Path | None, config: Path | None, out: Path | None, in_place: bool, report_only: bool
) -> tuple[Path | None, Path | None, bool]:
    """Say which table to begin with, which to write, and whether they are one; `own` is that of the project."""
    from ...errors import PlanError

    if config is None and own is not None and own.is_file():
        config, in_place = own, in_place or out is None
    elif config is None and own is not None and out is None:
        out, in_place = own, False
    if report_only:
        return config, None, False
    if out is None and not in_place:
        raise PlanError(["no table to write to: name OUT, give --config with --in-place, or --report-only"])
    return config, out, in_place


# --- what is said --------------------------------------------------------------------------------------------
def run_lines(run: GalvoRun) -> list[str]:
    """Say what was found: a line for each slice."""
    from shutil import get_terminal_size

    from ..slices.text_table import table_lines

    if not run.findings:
        return ["no slice of the table has tiles"]
    cells = [_cells(run, one) for one in run.findings]
    columns = {name: [one[name] for one in cells] for name in cells[0]}
    return ["\n".join(lines) for lines in table_lines(columns, get_terminal_size().columns)]


def _cells(run: GalvoRun, finding: Finding) -> dict[str, str]:
    from ...slices.galvo.decisions import CONFIDENCE, band
    from ...slices.galvo.whose_word import decider
    from ...slices.slice_config import cell_text

    stands, record = run.standing(finding), finding.record
    shift = "–" if stands.shift is None else str(stands.shift) if stands.fix else f"({stands.shift})"
    return {
        "slice": finding.slice_id,
        "confidence": cell_text(CONFIDENCE, run.rows[finding.slice_id][CONFIDENCE]),
        "band": band(record.confidence, record.threshold),
        "shift": shift,
        "decision": decision_words(stands.fix),
        "by": decider(run.rows[finding.slice_id], record) or record.decided_by,
        "tiles": str(len(record.tiles)),
        "background": str(len(record.background)),
    }


def decision_words(fix: bool | None) -> str:
    """Say a decision in a word."""
    return "–" if fix is None else "fix" if fix else "leave"


def run_notes(run: GalvoRun) -> Iterator[str]:
    """Say where a person's word stays, and which slices were not looked at."""
    from ...slices.galvo.whose_word import decider, unheard
    from ...slices.ids import id_ranges

    for one in run.findings:
        row = run.rows[one.slice_id]
        stands = run.standing(one)
        if one.reviewed:
            by = f" by {stands.shift} A-lines" if stands.fix and stands.shift is not None else ""
            said = f"{decision_words(stands.fix)}{by} ({decider(row, one.record)})"
            found = decision_words(one.record.suggests_fix)
            found += f" by {one.record.shift} A-lines" if one.record.suggests_fix else ""
            yield f"slice {one.slice_id}: the reviewer's word stays, {said}; detected: {found}"
        if but := unheard(row, one.record):
            yield f"slice {one.slice_id}: {but}; `slicemap galvo decide {one.slice_id}` settles it"
    for slice_id, person in run.put_back.items():
        yield f"slice {slice_id}: the table did not have what {person} decided; it is put back"
    if run.without_row:
        yield f"not in the table, so not looked at: slice {id_ranges(run.without_row)}"
    if run.without_tiles:
        yield f"in the table, but there are no tiles: slice {id_ranges(run.without_tiles)}"


def run_data(run: GalvoRun) -> Mapping[str, Any]:
    """Give what was found, fit for strict JSON."""
    return {
        "slices": [_facts(run, one) for one in run.findings],
        "without_tiles": run.without_tiles,
        "without_row": run.without_row,
        "put_back": run.put_back,
    }


def _facts(run: GalvoRun, finding: Finding) -> dict[str, Any]:
    from ...slices.galvo.decisions import band
    from ...slices.galvo.whose_word import decider

    stands, record = run.standing(finding), finding.record
    return {
        "slice_id": finding.slice_id,
        "path": finding.tiles.path,
        "band": band(record.confidence, record.threshold),
        "fix": stands.fix,
        "shift": stands.shift,
        "by": decider(run.rows[finding.slice_id], record),
        "reviewed": finding.reviewed,
        "overridden": stands.overridden,
        "galvo": record.model_dump(mode="json"),
    }

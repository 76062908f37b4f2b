"""``slicemap galvo fix`` and ``undo``: writing tiles whose return is at the end, and as they were before."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..slices.options import AsJson, note
from .options import Diagnostics, Extra, LineAxis, Slices, Source

if TYPE_CHECKING:
    from ...slices.galvo.fixing import FixPlan, FixReport, UndoPlan

_Out = Annotated[
    Path,
    typer.Argument(metavar="OUT", help="Folder to write to, beside what is read and not in it.", show_default=False),
]
_WithOthers = Annotated[
    bool,
    typer.Option("--with-others", help="Copy the other slices, too, so that OUT can take the place of the source."),
]
_DryRun = Annotated[bool, typer.Option("--dry-run", "-n", help="Say what would be written, and write nothing.")]
_Force = Annotated[bool, typer.Option("--force", "-f", help="Replace mosaics and tiles that are there already.")]
_Workers = Annotated[
    int | None,
    typer.Option(
        help="Threads; if not given, one per processor, as long as they need no GB of memory.",
        min=1,
        show_default=False,
    ),
]
_Table = Annotated[
    Path | None,
    typer.Option(
        "--config",
        "-c",
        help="Slice table that decides; that of the project if not given.",
        metavar="TABLE",
        show_default=False,
    ),
]


def fix(
    source: Source,
    out: _Out,
    config: _Table = None,
    diagnostics: Diagnostics = None,
    slices: Slices = None,
    shift: Annotated[
        int | None,
        typer.Option(
            help="Roll the slices of --slices by so many A-lines, whatever the table says.",
            min=0,
            metavar="N",
            show_default=False,
        ),
    ] = None,
    axis: LineAxis = None,
    n_extra: Extra = None,
    with_others: _WithOthers = False,
    dry_run: _DryRun = False,
    force: _Force = False,
    workers: _Workers = None,
    as_json: AsJson = False,
) -> None:
    """Write new tiles in which the mirror's return is at the end, where it is cut off; SOURCE is only read.

    The table's [bold]galvo_fix[/bold] says which slices; the shift is the reviewer's, or else the one detected.
    Everything but the pixels is copied as it is, coarser levels are made anew, and each mosaic or tile says in its
    metadata by how much it was rolled, so that [bold]undo[/bold] brings every byte back. A run that was killed goes on
    where it ended when it is run again.

    Examples
    --------
    [bold]slicemap galvo fix run/mosaics run/fixed --config run/slice_config.csv --dry-run[/bold]

    [bold]slicemap galvo fix run/mosaics run/fixed --config run/slice_config.csv --with-others[/bold]

    [bold]slicemap galvo fix run/raw_tiles run/fixed --slices 03 --shift 28[/bold]
    """
    from ...slices import slice_config
    from ...slices.galvo.fixing import note_applied, plan_fix, run_fix
    from ...slices.galvo.record import read_records
    from ...slices.galvo.tile_slices import find_tile_slices
    from ..slices.options import split_ids
    from ..slices.progress import progress
    from .source import tile_source

    only = split_ids(slices) or None
    found = tile_source(source)
    note([found.note] if found.note else [])
    table = _table(config, found.table, shift, only)
    folder = _known(diagnostics, table)
    rows = OrderedDict() if table is None else slice_config.read(table)
    records = {} if folder is None else read_records(folder, rows)
    tiles = find_tile_slices(found.folder, axis=axis, n_extra=n_extra)
    plan = plan_fix(tiles, rows, records, only=only, shift=shift, source=found.folder)
    if dry_run:
        _say_planned(plan, out, with_others, as_json)
        return
    note(plan.lines())
    with progress("fixing") as tell:
        done = run_fix(plan, out, with_others=with_others, force=force, on_progress=tell, workers=workers)
    _say_done(plan, done, as_json)
    if folder is not None and note_applied(done, folder):
        note([f"noted in {folder}"])


def undo(
    fixed: Annotated[
        Path,
        typer.Argument(metavar="FIXED", help="Folder of fixed mosaics or raw tiles, or a mosaic.", show_default=False),
    ],
    out: _Out,
    config: Annotated[
        Path | None,
        typer.Option(
            "--config",
            "-c",
            help="Slice table whose diagnostics are to forget the fix; one above FIXED if not given.",
            metavar="TABLE",
            show_default=False,
        ),
    ] = None,
    diagnostics: Annotated[
        Path | None,
        typer.Option(
            help="Diagnostics that are to forget the fix; those of the table if not given.",
            metavar="FOLDER",
            show_default=False,
        ),
    ] = None,
    slices: Slices = None,
    with_others: _WithOthers = False,
    dry_run: _DryRun = False,
    force: _Force = False,
    workers: _Workers = None,
    as_json: AsJson = False,
) -> None:
    """Write tiles as they were before their fix, byte for byte; FIXED is only read.

    Each mosaic or tile says itself by how much it was rolled; those that say nothing are left. Chunks are packed anew:
    their files are the same to the byte where the program that wrote them packs as this one does, and their pixels are
    always.

    Examples
    --------
    [bold]slicemap galvo undo run/fixed run/as_before[/bold]

    [bold]slicemap galvo undo run/fixed run/as_before --slices 03 --config run/slice_config.csv[/bold]
    """
    from ...slices import slice_config
    from ...slices.galvo.fixing import note_undone, plan_undo, run_undo
    from ..slices.options import split_ids
    from ..slices.progress import progress

    table = config or _table_beside(fixed)
    rows = {} if table is None else slice_config.read(table)
    folder = _known(diagnostics, table)
    plan = plan_undo(fixed, only=split_ids(slices) or None)
    if dry_run:
        _say_planned(plan, out, with_others, as_json)
        return
    note(plan.lines())
    with progress("taking fixes back") as tell:
        done = run_undo(plan, out, with_others=with_others, force=force, on_progress=tell, workers=workers)
    _say_done(plan, done, as_json)
    if folder is None:
        note([f"no slice table was found above {fixed}, so no diagnostics forget the fix; name it with --config"])
    elif note_undone(done, folder, rows):
        note([f"noted in {folder}"])


def _table(config: Path | None, own: Path | None, shift: int | None, only: Iterable[str] | None) -> Path | None:
    """Say which table decides; `own` is that of the project. None is needed where slices and shift are stated."""
    from ...errors import PlanError

    table = config or (own if own is not None and own.is_file() else None)
    if shift is not None and only is None:
        raise PlanError(["--shift is of certain slices: name them with --slices"])
    if table is None and shift is None:
        hint = "name it with --config, or state --slices and --shift"
        raise PlanError([f"no slice table says what to fix; {hint}"])
    return table


def _known(diagnostics: Path | None, table: Path | None) -> Path | None:
    from .source import diagnostics_of

    return diagnostics or (None if table is None else diagnostics_of(table))


def _table_beside(fixed: Path) -> Path | None:
    """Find the slice table that fixed tiles belong to, by the project that they lie in, or right beside them."""
    from ...project import PROJECT_FILE, Places, find_project

    for folder in fixed.absolute().parents:
        if (folder / PROJECT_FILE).is_file():
            project, home, _ = find_project(folder)
            return Places(project, home).saved("slice_config")
    beside = fixed.absolute().parent / "slice_config.csv"
    return beside if beside.is_file() else None


# --- what is said --------------------------------------------------------------------------------------------
_STATES = {
    "absent": "would be written",
    "same": "there already, and would be left",
    "other": "there already, and something else: --force would replace it",
}


def _say_planned(plan: FixPlan | UndoPlan, out: Path, with_others: bool, as_json: bool) -> None:
    from ...files import to_json
    from ...slices.galvo.fixing import targets

    found = targets(plan, out, with_others=with_others)
    if as_json:
        there = [{"path": path, "state": state} for path, state in found.items()]
        typer.echo(to_json({**plan.as_data(), "targets": there}))
    else:
        typer.echo("\n".join([*plan.lines(), *(f"{_STATES[state]}: {path}" for path, state in found.items())]))


def _say_done(plan: FixPlan | UndoPlan, done: FixReport, as_json: bool) -> None:
    from ...files import to_json

    data: Mapping[str, Any] = {**plan.as_data(), "done": done.as_data()}
    lines = done.lines() or ["nothing is to be done"]
    typer.echo(to_json(data) if as_json else "\n".join(lines))

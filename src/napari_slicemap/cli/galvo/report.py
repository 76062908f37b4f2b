"""``slicemap galvo report``: what was found and decided, as a page."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ..slices.options import Force, note
from .options import Diagnostics, Extra, LineAxis


def report(
    places: Annotated[
        list[Path],
        typer.Argument(
            metavar="[SOURCE] OUT.html",
            help="Raw tiles, mosaics or an acquisition, for pictures; and the page to write.",
            show_default=False,
        ),
    ],
    config: Annotated[
        Path | None,
        typer.Option(
            "--config",
            "-c",
            help="Slice table to report on; that of the project if not given.",
            metavar="TABLE",
            show_default=False,
        ),
    ] = None,
    diagnostics: Diagnostics = None,
    axis: LineAxis = None,
    n_extra: Extra = None,
    json: Annotated[
        Path | None, typer.Option(help="Where the same goes as JSON.", show_default="OUT.json", metavar="FILE")
    ] = None,
    force: Force = False,
) -> None:
    """Write a page on the galvo returns: what was found in each slice, what was decided and by whom, and pictures.

    The page is one HTML file that needs nothing else. The same is written as JSON for programs, beside it. With
    [bold]SOURCE[/bold], each slice gets the tile that decided, before and after the roll, with the return outlined.

    Examples
    --------
    [bold]slicemap galvo report raw_tiles galvo.html --config slice_config.csv[/bold]

    [bold]slicemap galvo report my_acquisition galvo.html[/bold]

    [bold]slicemap galvo report galvo.html --config slice_config.csv[/bold] (without pictures)
    """
    from contextlib import nullcontext

    from ...errors import DatasetNotFoundError, PlanError
    from ...slices.galvo.reporting import write_galvo_report
    from ...slices.galvo.tile_slices import find_tile_slices
    from ..slices.progress import progress
    from .source import diagnostics_of, tile_source

    if len(places) > 2:
        raise PlanError([f"expected SOURCE and OUT.html, got {' '.join(map(str, places))}"])
    *source, out = places
    found = tile_source(source[0]) if source else None
    table = config if config is not None or found is None else found.table
    if table is None:
        raise PlanError(["no slice table to report on: name it with --config"])
    if diagnostics is not None and not diagnostics.is_dir():
        raise DatasetNotFoundError(f"{diagnostics}: there is no such folder")
    note([found.note] if found and found.note else [])
    slices = find_tile_slices(found.folder, axis=axis, n_extra=n_extra) if found else None
    with progress("pictures") if slices else nullcontext() as tell:
        made = write_galvo_report(
            table,
            out,
            slices,
            diagnostics=diagnostics or diagnostics_of(table),
            json_file=json,
            force=force,
            on_progress=tell,
        )
    for line in made.lines:
        typer.echo(line)
    note([*made.notes, f"written: {out}", f"written: {json or out.with_suffix('.json')}"])

"""``slicemap slices report``: what was decided and why, as a page."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .options import Force, note


def report(
    table: Annotated[Path, typer.Argument(metavar="TABLE", help="Slice table to report on.", show_default=False)],
    out: Annotated[Path, typer.Argument(metavar="OUT.html", help="Page to write.", show_default=False)],
    diagnostics: Annotated[
        Path | None, typer.Option(help="Folder of slice_<id>.json: their numbers are plotted.", show_default=False)
    ] = None,
    mosaics: Annotated[
        Path | None, typer.Option(help="Folder of the slices' images: each gets a picture.", show_default=False)
    ] = None,
    json: Annotated[
        Path | None, typer.Option(help="Where the same goes as JSON.", show_default="OUT.json", metavar="FILE")
    ] = None,
    force: Force = False,
) -> None:
    """Write a page on a slice table: every flag and reason, plots of every number, pictures of the slices.

    The page is one HTML file that needs nothing else: keep it with the data, print it, send it on. The same is written
    as JSON for programs, beside it. The same table gives the same bytes.

    Examples
    --------
    [bold]slicemap slices report slice_config.csv report.html[/bold]

    [bold]slicemap slices report slice_config.csv report.html --diagnostics diagnostics --mosaics mosaics[/bold]
    """
    from contextlib import nullcontext

    from ...slices.reports.slice_report import write_slice_report
    from .progress import progress

    with progress("pictures") if mosaics else nullcontext() as tell:
        made = write_slice_report(
            table, out, diagnostics=diagnostics, mosaics=mosaics, json_file=json, force=force, on_progress=tell
        )
    for line in made.summary.lines:
        typer.echo(line)
    note([*made.notes, f"written: {out}", f"written: {json or out.with_suffix('.json')}"])

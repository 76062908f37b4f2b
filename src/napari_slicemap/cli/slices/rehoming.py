"""``slicemap slices rehoming``: steps of the stage that the tissue did not make."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ..lengths import length_in
from .options import AsJson, Config, Force, InPlace, NewTable, note


def rehoming(
    shifts: Annotated[
        Path, typer.Argument(metavar="SHIFTS", help="Pairwise shifts, such as shifts_xy.csv.", show_default=False)
    ],
    out: NewTable = None,
    config: Config = None,
    in_place: InPlace = False,
    tile_fov_mm: Annotated[
        float | None,
        typer.Option(
            help="What a column or row of tiles moves the grid by, mm or with a unit; if not given, only glitches go.",
            parser=length_in("mm"),
            metavar="LENGTH",
        ),
    ] = None,
    max_shift_mm: Annotated[
        float,
        typer.Option(
            help="Longest step to be taken for granted, mm or with a unit.", parser=length_in("mm"), metavar="LENGTH"
        ),
    ] = 0.5,
    shifts_out: Annotated[
        Path | None,
        typer.Option(help="Corrected shifts; <shifts>_rehomed.csv beside the table if not given.", metavar="FILE"),
    ] = None,
    report: Annotated[
        Path | None,
        typer.Option(help="List of corrections; rehoming_report.json beside the table if not given.", metavar="FILE"),
    ] = None,
    force: Force = False,
    as_json: AsJson = False,
) -> None:
    """Correct shifts between slices that whole tiles or encoder glitches made, and stamp the slices concerned.

    A step that is a multiple of the tile's field of view loses it; two steps in a row that cancel become the median of
    those around them. The table gets [bold]rehomed[/bold], and [bold]rehoming_reliable[/bold] where the corrected step
    is no longer than [bold]--max-shift-mm[/bold]. Without [bold]--config[/bold] the table is made of the slices of the
    shifts.

    Examples
    --------
    [bold]slicemap slices rehoming run/shifts_xy.csv t2.csv --config t1.csv --tile-fov-mm 0.875[/bold]

    [bold]slicemap slices rehoming run/shifts_xy.csv --config slice_config.csv --in-place --max-shift-mm 0.3[/bold]
    """
    from ...errors import PlanError
    from ...files import to_json
    from ...slices.ids import id_ranges
    from ...slices.shifts.rehoming import detect_rehoming, stamp_rehoming, unlisted
    from ...slices.shifts.rehoming_files import describe_rehoming, output_paths, write_rehoming
    from ...slices.table_file import open_table

    by = "slicemap slices rehoming"
    with open_table(config, out, in_place=in_place, force=force, by=by, reads=[shifts]) as job:
        if job.target is None:
            raise PlanError(["no table to write to: name OUT, or give --config with --in-place"])
        paths = output_paths(shifts, job.target, shifts_out, report, config=config, force=force)
        found = detect_rehoming(shifts, tile_fov_mm=tile_fov_mm, max_shift_mm=max_shift_mm)
        lacking = [] if config is None else unlisted(job.rows, found)
        rows = stamp_rehoming(job.rows, found, add=config is None)
        made = write_rehoming(found, *paths)
        job.save(rows)
    typer.echo(to_json(made) if as_json else "\n".join(describe_rehoming(found)))
    if lacking:
        note([f"not in the table, so not stamped: slice {id_ranges(lacking)}"])
    note(f"written: {path}" for path in (job.target, *paths))

"""``slicemap slices align``: mosaics brought into one common space."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from .options import AsJson, Decisions, Force, Mosaics, Resolution, note


def align(
    mosaics: Mosaics,
    shifts: Annotated[
        Path, typer.Argument(metavar="SHIFTS", help="Pairwise shifts, such as shifts_xy.csv.", show_default=False)
    ],
    out: Annotated[
        Path, typer.Argument(metavar="OUT", help="Folder to write the aligned slices to.", show_default=False)
    ],
    config: Decisions = None,
    resolution: Resolution = None,
    strict: Annotated[
        bool, typer.Option("--strict", help="Refuse slices that the shifts give no place, instead of leaving them out.")
    ] = False,
    workers: Annotated[
        int | None, typer.Option(help="Slices aligned at a time; one for each core, up to 4, if not given.", min=1)
    ] = None,
    force: Force = False,
    as_json: AsJson = False,
) -> None:
    """Bring mosaics into one common space by their cumulative shifts.

    A slice at the cumulative shift (dx, dy) is drawn dx px to the right of, and dy px below, the first slice of the
    shifts. All images come out at the size of all slices together; what a slice does not cover is 0. Whole shifts copy
    pixels, others interpolate linearly.

    Without --config all slices are aligned; with it, those to use (use is true, auto_excluded is not). OUT gets an
    OME-Zarr image for each, named as its mosaic, and alignment.json, which says where each slice lies.

    Examples
    --------
    [bold]slicemap slices align run/mosaics run/shifts_xy.csv aligned --config slice_config.csv[/bold]

    [bold]slicemap slices align sections shifts_rehomed.csv aligned --resolution 6.5 --strict[/bold]
    """
    from ...files import to_json
    from ...slices import slice_config
    from ...slices.aligning.align import align_mosaics
    from ...slices.volumes import find_volumes
    from .progress import progress

    rows = None if config is None else slice_config.read(config)
    volumes = find_volumes(mosaics)
    with progress("aligning") as tell:
        done = align_mosaics(
            volumes,
            shifts,
            out,
            rows,
            resolution_um=resolution,
            strict=strict,
            force=force,
            workers=workers or min(4, os.cpu_count() or 1),
            on_progress=tell,
        )
    if as_json:
        typer.echo(to_json(done.record()))
    else:
        height, width = done.canvas.shape
        typer.echo("\n".join([*done.choice.lines(), f"canvas: {width} × {height} px"]))
    note([*done.warnings(), f"written: {out}, {len(done.written)} slices and alignment.json"])
    if done.failed:
        note(f"failed {slice_id}: {why}" for slice_id, why in done.failed.items())
        raise typer.Exit(1)

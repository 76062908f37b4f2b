"""``slicemap slices interpolate`` and ``finalise``: single missing slices, and what came of them in the table."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .options import AsJson, Decisions, Force, InPlace, Mosaics, RequiredConfig, note, split_ids

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ...slices.interpolation import Gaps, Interpolated
    from ...slices.slice_config import SliceRows


def interpolate(
    mosaics: Mosaics,
    out: Annotated[
        Path, typer.Argument(metavar="OUT", help="Folder to write to; not that of the mosaics.", show_default=False)
    ],
    config: Decisions = None,
    method: Annotated[
        str, typer.Option(help="zmorph; or, without any registration, weighted or average.", metavar="METHOD")
    ] = "zmorph",
    slices: Annotated[
        list[str] | None, typer.Option(help="Only these missing slices, such as 05,09.", metavar="IDS")
    ] = None,
    workers: Annotated[int, typer.Option(help="Slices made at a time.", min=1)] = 1,
    force: Force = False,
    as_json: AsJson = False,
) -> None:
    """Make single missing slices of their neighbours, or leave them with a reason.

    Missing is a slice without an image between two others, or one that the table of --config excludes. Two or more in
    a row are left. [bold]zmorph[/bold] finds how the tissue moved from the slice before to the slice after, and moves
    both part of the way; where its gates say that the motion is not to be trusted, no image is made.

    Each slice gets slice_z<NN>_manifest.csv for [bold]finalise[/bold], slice_z<NN>_interpolation.json with all numbers
    and, where it could be made, slice_z<NN>_interpolated.ome.zarr. Slices can be made apart, each by a command of its
    own (--slices 05), into one folder.

    Examples
    --------
    [bold]slicemap slices interpolate aligned interpolated --config slice_config.csv[/bold]

    [bold]slicemap slices interpolate aligned interpolated --slices 05 --method average --force[/bold]
    """
    from ...slices import slice_config
    from ...slices.interpolation import find_gaps, gaps_of, interpolate_slices
    from ...slices.volumes import find_volumes
    from .progress import progress

    gaps = find_gaps(find_volumes(mosaics), None if config is None else slice_config.read(config))
    chosen = gaps_of(gaps, split_ids(slices)) if slices else gaps.single
    with progress("interpolating") as tell:
        done, failed = interpolate_slices(chosen, out, method, force=force, workers=workers, on_progress=tell)
    if as_json:
        _print_json(gaps, done, failed)
    else:
        typer.echo("\n".join([*gaps.choice.lines(), *(one.line() for one in done)]))
        made = sum(one.path is not None for one in done)
        typer.echo(f"{made} interpolated, {len(done) - made} left by a gate")
    note([*(longer.line() for longer in gaps.longer), f"written: {out}, {len(done)} fragments"])
    if failed:
        note(f"failed {slice_id}: {why}" for slice_id, why in failed.items())
        raise typer.Exit(1)


def _print_json(gaps: Gaps, done: Sequence[Interpolated], failed: Mapping[str, str]) -> None:
    from ...files import to_json

    typer.echo(
        to_json(
            {
                "used": list(gaps.choice.used),
                "left_out": dict(gaps.choice.left_out),
                "slices": [one.record() for one in done],
                "longer_gaps": [vars(one) for one in gaps.longer],
                "failed": dict(failed),
            }
        )
    )


def finalise(
    fragments: Annotated[
        Path, typer.Argument(metavar="FRAGMENTS", help="Folder of slice_z<NN>_manifest.csv.", show_default=False)
    ],
    config: RequiredConfig,
    out: Annotated[
        Path | None,
        typer.Argument(
            metavar="[OUT]",
            help="Slice table to write; slice_config_final.csv beside that of --config if not given.",
            show_default=False,
        ),
    ] = None,
    in_place: InPlace = False,
    expect: Annotated[
        list[str] | None, typer.Option(help="Slices that must have a fragment, such as 05,09.", metavar="IDS")
    ] = None,
    check_outputs: Annotated[
        bool, typer.Option("--check-outputs/--no-check-outputs", help="The images named by fragments must be there.")
    ] = True,
    force: Force = False,
    as_json: AsJson = False,
) -> None:
    """Write what came of interpolating slices into the table, all of it in one step.

    A slice that the table does not have yet, as there was no image of it, gets a row with use false. Single slices that
    are left out, and that no fragment tells of, are named.

    Examples
    --------
    [bold]slicemap slices finalise interpolated --config slice_config.csv[/bold]

    [bold]slicemap slices finalise interpolated final.csv -c slice_config.csv --expect 05,09[/bold]
    """
    from ...files import to_json
    from ...slices import slice_config
    from ...slices.ids import id_ranges
    from ...slices.interpolation import single_missing
    from ...slices.summary import summarise
    from ...slices.table_file import open_table

    target = out if in_place or out is not None else config.with_name("slice_config_final.csv")
    by = "slicemap slices finalise"
    with open_table(config, target, in_place=in_place, force=force, by=by, reads=[fragments]) as table:
        rows = slice_config.merge_fragments(
            table.rows, fragments, expected=split_ids(expect), add=True, check_outputs=check_outputs
        )
        table.save(rows)
    outcomes, summary = _outcomes(rows), summarise(rows)
    if as_json:
        typer.echo(to_json({"slices": outcomes, **summary.as_data()}))
    else:
        lines = [f"slice {one}: {said}" for one, said in outcomes.items()] or ["no slice was to be interpolated"]
        typer.echo("\n".join([*lines, *summary.lines]))
    note(f"slice {one}: it was not in the table; its row says use false" for one in rows if one not in table.rows)
    if lacking := [one for one in single_missing(rows) if one not in outcomes]:
        note([f"missing singly, and no fragment says what came of it: slice {id_ranges(lacking)}"])
    note([f"written: {table.target}"])


def _outcomes(rows: SliceRows) -> dict[str, str]:
    """Say what the table says of interpolation, slice by slice."""
    made = {one: row for one, row in rows.items() if row.get("interpolated") or row.get("interpolation_failed")}
    return {
        one: f"interpolated ({row['interpolation_method_used']})"
        if row["interpolated"]
        else f"left, {row['interpolation_fallback_reason']}"
        for one, row in made.items()
    }

"""``slicemap slices export`` and ``import``: the table as reconstruction pipelines read and write it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .options import Force, InPlace, NewTable, RequiredConfig, note

if TYPE_CHECKING:
    from collections.abc import Mapping

_ALL = "all"


def export_table(
    source: Annotated[
        Path,
        typer.Argument(metavar="DATASET", help="Acquisition or project, or a slice table.", show_default=False),
    ],
    out: Annotated[Path, typer.Argument(metavar="OUT", help="The CSV file to write.", show_default=False)],
    used_only: Annotated[bool, typer.Option("--used-only", help="Leave out slices that are not used.")] = False,
    columns: Annotated[
        list[str] | None,
        typer.Option("--columns", help="More columns than slice_id and use, separated by commas; or all."),
    ] = None,
    force: Force = False,
) -> None:
    """Write the table that reconstruction pipelines read: slice_id and use, true or false.

    They know no other decision, so use is false for slices that are auto-excluded, too. An acquisition without a
    slice table uses all its slices.

    Examples
    --------
    [bold]slicemap slices export my_run to_pipeline.csv[/bold]

    [bold]slicemap slices export slice_config.csv to_pipeline.csv --used-only --columns quality_score,notes[/bold]
    """
    from ...slices.exchange import for_pipelines
    from ...slices.table_file import open_table
    from ..plan_options import split

    chosen = split(columns or [])
    with open_table(None, out, force=force, by="slicemap slices export", reads=[source]) as job:
        rows = for_pipelines(_rows(source), None if chosen == [_ALL] else chosen, used_only=used_only)
        job.save(rows)
    used = sum(bool(row["use"]) for row in rows.values())
    typer.echo(f"{len(rows)} slices, {used} used, written to {out}")


def _rows(source: Path) -> Mapping[str, Mapping[str, Any]]:
    """Read a slice table, or that of an acquisition."""
    from ...files import read_columns
    from ...slices import slice_config

    if source.suffix.lower() == ".csv" and source.is_file() and "path" not in read_columns(source)[0]:
        return slice_config.read(source)
    from ...dataset import open_dataset

    opened = open_dataset(source)
    if opened.slices is not None:
        return opened.slices
    note([f"{opened.name} has no slice table; all its slices are used"])
    return slice_config.stamp_many({}, {slice_id: {} for slice_id in opened.slice_ids}, add=True)


def import_table(
    source: Annotated[
        Path, typer.Argument(metavar="FILE", help="A table that another tool wrote.", show_default=False)
    ],
    config: RequiredConfig,
    out: NewTable = None,
    in_place: InPlace = False,
    columns: Annotated[
        list[str] | None,
        typer.Option("--columns", help="Which of its columns, separated by commas; all if not given."),
    ] = None,
    add: Annotated[bool, typer.Option("--add", help="Append slices that the table does not have.")] = False,
    force: Force = False,
) -> None:
    """Take over what another tool decided; all other values and slices stay.

    Slices match by number, and empty cells decide nothing.

    Examples
    --------
    [bold]slicemap slices import from_pipeline.csv t2.csv --config t1.csv[/bold]

    [bold]slicemap slices import from_pipeline.csv --config slice_config.csv --in-place --columns use,notes[/bold]
    """
    from ...errors import PlanError, UnknownNameError
    from ...slices.exchange import merged
    from ...slices.table_file import open_table
    from ..plan_options import split
    from .stamping import save_and_tell

    with open_table(config, out, in_place=in_place, force=force, by="slicemap slices import", reads=[source]) as job:
        try:
            rows = merged(job.rows, source, split(columns) if columns else None, add=add)
        except UnknownNameError as error:
            hint = "; --add appends it" if error.kind == "slice" else ""
            raise PlanError([f"{error}{hint}"]) from None
        save_and_tell(job, rows)

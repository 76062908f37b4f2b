"""``slicemap slices stamp`` and ``exclude``: what somebody decided who looked at the slices."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .options import Force, InPlace, NewTable, RequiredConfig, note, split_ids

if TYPE_CHECKING:
    from ...slices.slice_config import SliceRows
    from ...slices.table_file import TableJob

_IDS = re.compile(r"[\d\s,]*")


def stamp(
    slice_ids: Annotated[
        list[str],
        typer.Option(
            "--slice", "-s", help="Which slices, separated by commas; or all.", metavar="IDS", show_default=False
        ),
    ],
    config: RequiredConfig,
    out: NewTable = None,
    in_place: InPlace = False,
    values: Annotated[
        list[str] | None,
        typer.Option("--set", help="A value to write, such as use=false; may be repeated.", metavar="COLUMN=VALUE"),
    ] = None,
    text: Annotated[str, typer.Option("--note", help="Added to the notes of each.", show_default=False)] = "",
    new_column: Annotated[
        bool, typer.Option("--new-column", help="Let --set make a column that the table does not have.")
    ] = False,
    force: Force = False,
) -> None:
    """Write values into the rows of some slices; all other values stay.

    An empty value empties the cell. [bold]--note[/bold] adds to the notes, [bold]--set notes=…[/bold] replaces them.

    Examples
    --------
    [bold]slicemap slices stamp t2.csv --config t1.csv --slice 03,04 --set galvo_fix=false --note "seen by eye"[/bold]

    [bold]slicemap slices stamp --config slice_config.csv --in-place --slice all --set block=12 --new-column[/bold]
    """
    from ...errors import PlanError, UnknownNameError
    from ...slices.review import stamp_slices
    from ...slices.table_file import open_table

    stamps = _assignments(values or [])
    if not stamps and not text:
        raise PlanError(["nothing to write; use --set COLUMN=VALUE or --note TEXT"])
    with open_table(config, out, in_place=in_place, force=force, by="slicemap slices stamp") as job:
        ids = list(job.rows) if slice_ids == ["all"] else split_ids(slice_ids)
        if not ids:
            raise PlanError(["no slices named; give --slice with ids, such as 03,17, or all"])
        try:
            rows = stamp_slices(job.rows, ids, stamps, text, new_column)
        except UnknownNameError as error:
            hint = "; --new-column makes it" if error.kind == "column" else ""
            raise PlanError([f"{error}{hint}"]) from None
        save_and_tell(job, rows)


def exclude(
    config: RequiredConfig,
    ids: Annotated[str, typer.Argument(metavar="IDS", help="Slices, separated by commas.", show_default=False)] = "",
    out: NewTable = None,
    in_place: InPlace = False,
    text: Annotated[
        str | None, typer.Option("--note", help="Why; manually_excluded if not given.", show_default=False)
    ] = None,
    first: Annotated[
        int,
        typer.Option(help="Leave out so many slices at the beginning, too; noted calibration_slice.", min=0),
    ] = 0,
    use: Annotated[bool, typer.Option("--use", help="Put the slices back in instead.")] = False,
    force: Force = False,
) -> None:
    """Leave slices out: use becomes false, and the notes say why. With --use, put them back in.

    IDS may be left out where [bold]--first[/bold] is given. [bold]--use[/bold] also takes back what auto-exclude
    decided, until it is run again, and removes the note manually_excluded.

    Examples
    --------
    [bold]slicemap slices exclude 03,17 t2.csv --config t1.csv --note "torn"[/bold]

    [bold]slicemap slices exclude 03 --config slice_config.csv --in-place --use --note "looked again"[/bold]
    """
    from ...errors import PlanError
    from ...slices.review import MANUALLY_EXCLUDED, exclude_first, exclude_slices, use_slices
    from ...slices.table_file import open_table

    if ids and first and out is None and not in_place and not _IDS.fullmatch(ids):
        ids, out = "", Path(ids)  # the only word is OUT
    chosen = split_ids([ids])
    if use and first:
        raise PlanError(["--first leaves slices out, and --use puts them in; use one of them"])
    if not chosen and not first:
        raise PlanError(["no slices named; give IDS, such as 03,17, or --first N"])
    with open_table(config, out, in_place=in_place, force=force, by="slicemap slices exclude") as job:
        if use:
            rows = use_slices(job.rows, chosen, text or "")
        else:
            rows = exclude_slices(job.rows, chosen, MANUALLY_EXCLUDED if text is None else text)
            rows = exclude_first(rows, first)
        save_and_tell(job, rows)


def _assignments(pairs: Sequence[str]) -> dict[str, str]:
    from ...errors import PlanError

    made: dict[str, str] = {}
    for pair in pairs:
        column, equals, value = pair.partition("=")
        column = column.strip()
        if not equals or not column:
            raise PlanError([f"--set {pair}: expected COLUMN=VALUE, such as use=false"])
        if column in made:
            raise PlanError([f"--set {column} is given twice; expected one value"])
        made[column] = value
    return made


def save_and_tell(job: TableJob, rows: SliceRows) -> None:
    """Write the table, and say what changed and what is used now."""
    from ...slices.summary import compare, summarise

    job.save(rows)
    changed = compare(job.rows, rows).changed
    typer.echo("\n".join([*_described(changed), *summarise(rows).lines]))
    note([f"written: {job.target}"])


def _described(changed: Sequence[Mapping[str, Any]]) -> list[str]:
    said = [f"slice {one['slice_id']}: {one['column']} {one['old'] or '-'} → {one['new'] or '-'}" for one in changed]
    return said or ["nothing changed"]

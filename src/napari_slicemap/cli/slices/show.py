"""``slicemap slices show`` and ``diff``: what a table decides, and what differs between two."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .options import AsJson, note

if TYPE_CHECKING:
    from ...slices.summary import TableSummary


def show(
    table: Annotated[Path, typer.Argument(metavar="TABLE", help="Slice table to show.", show_default=False)],
    all_columns: Annotated[
        bool, typer.Option("--all-columns", "-a", help="Show every column as it is in the file.")
    ] = False,
    excluded: Annotated[bool, typer.Option("--excluded", "-x", help="Show only slices that are left out.")] = False,
    where: Annotated[
        str,
        typer.Option(
            "--where",
            "-w",
            metavar="TEXT",
            help="Show only slices for which a condition holds, or that hold these words.",
            show_default=False,
        ),
    ] = "",
    as_json: AsJson = False,
) -> None:
    """Show a slice table: what is used, what is not and why, and what was stamped on each slice.

    Below the table stands the summary: how many slices are used, the others by reason, and ids that are missing. A
    terminal gets colours; a file or another program plain text.

    Examples
    --------
    [bold]slicemap slices show slice_config.csv[/bold]

    [bold]slicemap slices show slice_config.csv --excluded[/bold]

    [bold]slicemap slices show slice_config.csv --where "quality < 0.3 and use"[/bold]

    [bold]slicemap slices show slice_config.csv --json[/bold]
    """
    from ...files import to_json
    from ...slices.filtering import filter_slices
    from ...slices.slice_config import is_used, read
    from ...slices.summary import summarise

    rows = read(table)
    summary = summarise(rows)
    shown = {one: rows[one] for one in filter_slices(rows, where) if not (excluded and is_used(rows[one]))}
    if as_json:
        typer.echo(to_json(_facts(shown, summary)))
        return
    if shown:
        _print_table(_whole(shown) if all_columns else _short(shown))
        typer.echo()
    for line in summary.lines:
        typer.echo(line)
    if not all_columns:
        note(_hidden(shown))


def diff(
    first: Annotated[Path, typer.Argument(metavar="FIRST", help="Slice table to begin with.", show_default=False)],
    second: Annotated[
        Path, typer.Argument(metavar="SECOND", help="Slice table to compare it with.", show_default=False)
    ],
    as_json: AsJson = False,
) -> None:
    """Say what differs between two slice tables, slice by slice and column by column.

    Exit code: 0 if both say the same, 1 if they differ, 2 if one of them is no slice table.

    Example: [bold]slicemap slices diff slice_config.csv slice_config_final.csv[/bold]
    """
    from dataclasses import asdict

    from ...files import to_json
    from ...slices.slice_config import read
    from ...slices.summary import compare

    found = compare(read(first), read(second))
    if as_json:
        typer.echo(to_json({"equal": not found, **asdict(found)}))
    else:
        for line in found.lines or ["no difference"]:
            typer.echo(line)
    if found:
        raise typer.Exit(1)


# --- show --------------------------------------------------------------------------------------------------
def _facts(rows: Mapping[str, Mapping[str, Any]], summary: TableSummary) -> dict[str, Any]:
    from ...slices.slice_config import is_used, why_excluded

    return {
        **summary.as_data(),
        "slices": [
            {"slice_id": one, "used": is_used(row), "why_excluded": why_excluded(row), "row": row}
            for one, row in rows.items()
        ],
    }


def _whole(rows: Mapping[str, Mapping[str, Any]]) -> dict[str, list[str]]:
    """Give every column as it is in the file."""
    from ...slices.slice_config import cell_text

    columns = dict.fromkeys(column for row in rows.values() for column in row)
    return {name: [cell_text(name, row.get(name)) for row in rows.values()] for name in columns}


def _short(rows: Mapping[str, Mapping[str, Any]]) -> dict[str, list[str]]:
    """Give what a reviewer looks at in few columns; those that say nothing are left out."""
    from ...slices.slice_config import cell_text, is_used, why_excluded
    from ...slices.summary import flags

    columns = {
        "slice": list(rows),
        "used": ["yes" if is_used(row) else "no" for row in rows.values()],
        "quality": [cell_text("quality_score", row.get("quality_score")) for row in rows.values()],
        "galvo": [cell_text("galvo_confidence", row.get("galvo_confidence")) for row in rows.values()],
        "stamped": [", ".join(flags(row)) for row in rows.values()],
        "why, notes": [why_excluded(row) or row.get("notes", "") for row in rows.values()],
    }
    return {name: cells for name, cells in columns.items() if any(cells)}


def _hidden(rows: Mapping[str, Mapping[str, Any]]) -> list[str]:
    from ...errors import listing
    from ...slices.slice_config import CANONICAL_COLUMNS

    found = dict.fromkeys(name for row in rows.values() for name in row if name not in CANONICAL_COLUMNS)
    return [f"columns not shown: {listing(found)}; --all-columns shows them"] if found else []


def _print_table(columns: Mapping[str, list[str]]) -> None:
    """Print columns of text; on a terminal the header is bold, and slices that are left out are dim."""
    from shutil import get_terminal_size

    from .text_table import table_lines

    header, *rows = table_lines(columns, get_terminal_size().columns)
    used = columns.get("used", [])
    said = [typer.style(line, bold=True) for line in header]
    for number, lines in enumerate(rows):
        dim = bool(used) and used[number] == "no"
        said += [typer.style(line, dim=True) if dim else line for line in lines]
    typer.echo("\n".join(said))

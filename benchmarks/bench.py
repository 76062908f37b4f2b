"""Measure what the docs promise: ``python benchmarks/bench.py [row …]`` prints a table and writes JSON."""

from __future__ import annotations

import argparse
import platform
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

import closing
import deciding
import export_runs
import exporting
import galvo
import looking
import processes
import rendering
import slice_table
import tile_tables
from harness import THREADS, Row, write
from rich.console import Console
from rich.table import Table

ROWS = (
    rendering.ROWS
    | exporting.ROWS
    | export_runs.ROWS
    | processes.ROWS
    | deciding.ROWS
    | galvo.ROWS
    | slice_table.ROWS
    | tile_tables.ROWS
    | looking.ROWS
    | closing.ROWS
)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("rows", nargs="*", help=f"which rows: {', '.join(ROWS)}; all if none is named")
    parser.add_argument(
        "--work", type=Path, default=Path("build/bench"), help="folder for the data measured (3 GB; 10 GB for galvo)"
    )
    parser.add_argument("--json", type=Path, default=Path("build/bench/results.json"), help="where the figures go")
    given = parser.parse_args()
    if unknown := set(given.rows) - set(ROWS):
        parser.error(f"no row {', '.join(sorted(unknown))}; there is {', '.join(ROWS)}")
    given.work.mkdir(parents=True, exist_ok=True)
    made: list[Row] = []
    console = Console(width=150)
    for name in given.rows or ROWS:
        console.print(f"measuring {name} …", style="dim")
        made += ROWS[name](given.work)
    console.print(_table(made))
    write(made, given.json, _machine())
    console.print(f"figures: {given.json}")
    missed = [check for row in made for check in row.checks if not check.met]
    return 1 if missed else 0


def _table(rows: list[Row]) -> Table:
    table = Table("row", "medians", "must reach", "")
    for row in rows:
        figures = "\n".join(f"{name}: {value:.3g} {row.unit}" for name, value in row.figures.items())
        checks = "\n".join(str(check) for check in row.checks)
        marks = "\n".join("[green]yes[/green]" if check.met else "[red]no[/red]" for check in row.checks)
        table.add_row(row.name, figures, checks, marks)
        table.add_section()
    return table


def _machine() -> dict[str, object]:
    return {"processors": THREADS, "machine": platform.machine(), "python": platform.python_version()}


if __name__ == "__main__":
    sys.exit(main())

"""``slicemap levels``: coarse levels of maps, so that thousands of tiles are seen at once."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from collections.abc import Callable

    from rich.progress import Progress


def levels(
    dataset: Annotated[Path, typer.Argument(help="Acquisition folder or file, or slicemap.toml.", show_default=False)],
    maps: Annotated[
        list[str] | None, typer.Option(help="Which maps, separated by commas; all of them if not given.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Make them anew, even where they are up to date.")] = False,
) -> None:
    """Make the coarse levels of maps and keep them in the dataset's cache folder.

    Every tile is read once; from then on a whole map is shown, and exported with --levels stored, in no time.
    Levels are never needed, are made anew when tiles change, and can be deleted at any time.

    Example: [bold]slicemap levels my_run && slicemap view my_run[/bold]
    """
    from rich.console import Console
    from rich.progress import Progress

    from ..dataset import open_dataset
    from ..render.build_levels import build_levels
    from .plan_options import split

    opened = open_dataset(dataset)
    for map_id in split(maps) if maps else opened.maps:
        one = opened.maps[map_id]
        stored = one.stored
        if stored is not None and stored.levels and not force:
            typer.echo(f"map {map_id}: up to date")
            continue
        with Progress(console=Console(stderr=True), transient=True) as bar:
            made = build_levels(one, on_progress=_advance(bar, map_id))
        steps = ", ".join(f"1/{step}" for step in made.levels)
        typer.echo(f"map {map_id}: {steps} in {made.path}")
        for why in dict.fromkeys(
            why for level in made.levels.values() for of in level.missing.values() for why in of.values()
        ):
            typer.echo(f"map {map_id}: left out: {why}", err=True)


def _advance(bar: Progress, map_id: str) -> Callable[[int, int], None]:
    task = bar.add_task(f"map {map_id}", total=None)
    return lambda done, total: bar.update(task, completed=done, total=total)

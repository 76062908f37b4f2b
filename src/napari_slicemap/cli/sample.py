"""``slicemap sample``: a small acquisition to try things on."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def sample(
    folder: Annotated[Path, typer.Argument(help="New or empty folder.", show_default=False)],
) -> None:
    """Make a small sample acquisition: six slices, overlapping tiles, masks, cells, profiles, ROIs.

    Example: [bold]slicemap sample demo && slicemap view demo[/bold]
    """
    from ..sample import make_sample

    typer.echo(f"wrote the sample acquisition to {make_sample(folder)}")

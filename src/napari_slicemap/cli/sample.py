"""``slicemap sample``: a small acquisition to try things on."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def sample(
    folder: Annotated[Path, typer.Argument(help="New or empty folder.", show_default=False)],
    sections: Annotated[
        bool,
        typer.Option("--sections", help="A run of serial sections instead: a mosaic each, for `slicemap slices`."),
    ] = False,
) -> None:
    """Make a small sample acquisition: six slices, overlapping tiles, masks, cells, profiles, ROIs.

    With --sections, a run of sixteen sections with things to decide about; its README.txt says which.

    Examples: [bold]slicemap sample demo && slicemap view demo[/bold]
    [bold]slicemap sample --sections run && slicemap slices generate run/mosaics slice_config.csv[/bold]
    """
    if sections:
        from ..sample_sections import make_sections_sample

        typer.echo(f"wrote a run of serial sections to {make_sections_sample(folder)}")
        return
    from ..sample import make_sample

    typer.echo(f"wrote the sample acquisition to {make_sample(folder)}")

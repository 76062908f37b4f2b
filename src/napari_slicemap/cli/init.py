"""``slicemap init``: a project file and a starter profile."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def init(
    path: Annotated[Path, typer.Argument(help="Acquisition folder or tiles.csv.", show_default=False)],
    project_folder: Annotated[
        Path | None,
        typer.Option(
            "--project-folder",
            "-o",
            help="Where slicemap.toml goes, if not beside the data (which may be read-only).",
        ),
    ] = None,
    name: Annotated[str, typer.Option(help="What to call the dataset.")] = "",
    stage_y: Annotated[
        str | None, typer.Option("--stage-y", help="down or up: which way stage y grows as seen on the map.")
    ] = None,
    pixel_size: Annotated[
        str | None, typer.Option("--pixel-size", help="Where the images state none, such as 390nm or 0.39.")
    ] = None,
    profile: Annotated[str, typer.Option(help="Name of the starter profile.")] = "auto",
    force: Annotated[bool, typer.Option("--force", help="Replace a project file that is there.")] = False,
) -> None:
    """Write slicemap.toml, and a starter profile whose contrast comes from percentiles of the pixels.

    Example: [bold]slicemap init /data/read_only/run7 -o ~/projects/run7 --pixel-size 390nm[/bold]
    """
    from ..dataset import init_dataset

    made = init_dataset(
        path,
        project_folder=project_folder,
        name=name,
        stage_y=stage_y,
        pixel_size=pixel_size,
        profile=profile,
        force=force,
    )
    for file in made:
        typer.echo(f"wrote {file}")

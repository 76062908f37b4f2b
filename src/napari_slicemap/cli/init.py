"""``slicemap init``: a project file and a starter profile."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .way_in import Grid, Layout, Order, Overlap, PixelSize, Serpentine, StageY, Tiles, stated


def init(
    path: Annotated[Path, typer.Argument(help="Acquisition folder or file.", show_default=False)],
    project_folder: Annotated[
        Path | None,
        typer.Option(
            "--project-folder",
            "-o",
            help="Where slicemap.toml goes, if not beside the data (which may be read-only).",
        ),
    ] = None,
    name: Annotated[str, typer.Option(help="What to call the dataset.")] = "",
    pixel_size: PixelSize = None,
    stage_y: StageY = None,
    layout: Layout = None,
    tiles: Tiles = None,
    overlap: Overlap = None,
    grid: Grid = None,
    order: Order = None,
    serpentine: Serpentine = False,
    profile: Annotated[str, typer.Option(help="Name of the starter profile.")] = "auto",
    force: Annotated[bool, typer.Option("--force", help="Replace a project file that is there.")] = False,
) -> None:
    """Write slicemap.toml, and a starter profile whose contrast comes from percentiles of the pixels.

    Where FOVs have different channels, there is a profile for each set of channels, too: exports want one that fits.

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
        **stated(None, None, layout, tiles, overlap, grid, order, serpentine),
    )
    for file in made:
        typer.echo(f"wrote {file}")

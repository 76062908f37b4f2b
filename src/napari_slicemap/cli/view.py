"""``slicemap view``: an acquisition in napari."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ..errors import PlanError, SlicemapError
from .way_in import Grid, Layout, Order, Overlap, PixelSize, Serpentine, StageY, Tiles, stated


class NapariMissingError(SlicemapError, ImportError):
    """napari or a Qt binding is not installed."""


def view(
    path: Annotated[
        Path | None,
        typer.Argument(
            help="Acquisition folder or file, or slicemap.toml; without it, what was open last.", show_default=False
        ),
    ] = None,
    map_id: Annotated[str | None, typer.Option("--map", help="Map to show first; goes with PATH.")] = None,
    pixel_size: PixelSize = None,
    stage_y: StageY = None,
    layout: Layout = None,
    tiles: Tiles = None,
    overlap: Overlap = None,
    grid: Grid = None,
    order: Order = None,
    serpentine: Serpentine = False,
) -> None:
    """Show an acquisition in napari, with all docks; or again what was open last, as it was seen.

    Examples: [bold]slicemap view my_acquisition --map 03[/bold], [bold]slicemap view[/bold]
    """
    from ..dataset import open_dataset

    known = stated(pixel_size, stage_y, layout, tiles, overlap, grid, order, serpentine)
    if path is None and (map_id is not None or known):
        raise PlanError(["options go with PATH; without it, what was open last is shown as it was"])
    dataset = None if path is None else open_dataset(path, **known)
    try:
        from ..viewer.launch import launch, launch_again
    except ImportError as error:
        raise NapariMissingError(
            f"napari with a Qt binding is needed to look at data: pip install 'napari-slicemap[all]' ({error})"
        ) from None
    if dataset is None:
        launch_again()
    else:
        launch(dataset, map_id)

"""``slicemap view``: an acquisition in napari."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ..errors import SlicemapError


class NapariMissingError(SlicemapError, ImportError):
    """napari or a Qt binding is not installed."""


def view(
    path: Annotated[Path, typer.Argument(help="Acquisition folder, tiles.csv or slicemap.toml.", show_default=False)],
    map_id: Annotated[str | None, typer.Option("--map", help="Map to show first.")] = None,
) -> None:
    """Show an acquisition in napari, with all docks.

    Example: [bold]slicemap view my_acquisition --map 03[/bold]
    """
    from ..dataset import open_dataset

    dataset = open_dataset(path)
    try:
        from ..viewer.launch import launch
    except ImportError as error:
        raise NapariMissingError(
            f"napari with a Qt binding is needed to look at data: pip install 'napari-slicemap[all]' ({error})"
        ) from None
    launch(dataset, map_id)

"""Options of every command that opens an acquisition: what its files do not state."""

from __future__ import annotations

from typing import Annotated, Any

import typer

PixelSize = Annotated[
    str | None, typer.Option("--pixel-size", help="Where the images state none, such as 390nm or 0.39 (µm).")
]
StageY = Annotated[
    str | None, typer.Option("--stage-y", help="down or up: which way stage y grows as seen on the map.")
]
Layout = Annotated[
    str | None,
    typer.Option("--layout", help="One that `slicemap layouts` lists; by default the first that recognises the path."),
]
Tiles = Annotated[
    str | None,
    typer.Option(
        "--tiles",
        help="How names say where tiles lie, such as '{slice}_{row}_{col}_{channel}.tif' or 'tile_{index}.tif'.",
        metavar="PATTERN",
    ),
]
Overlap = Annotated[str | None, typer.Option("--overlap", help="What neighbouring tiles share: '10%' or '24px'.")]
Grid = Annotated[
    str | None,
    typer.Option("--grid", help="ROWSxCOLUMNS of tiles that are only counted, such as 5x8.", metavar="RxC"),
]
Order = Annotated[str | None, typer.Option("--order", help="rows or columns: the way in which counted tiles go first.")]
Serpentine = Annotated[
    bool, typer.Option("--serpentine", help="Every other row (or column) of counted tiles runs backwards.")
]


def stated(
    pixel_size: str | None = None,
    stage_y: str | None = None,
    layout: str | None = None,
    tiles: str | None = None,
    overlap: str | None = None,
    grid: str | None = None,
    order: str | None = None,
    serpentine: bool = False,
) -> dict[str, Any]:
    """Gather the options that were given, by their names in the project file.

    Returns
    -------
    dict
        For :func:`napari_slicemap.dataset.open_dataset`.

    Raises
    ------
    PlanError
        If the grid is not of the form ``5x8``.
    """
    names: dict[str, Any] = {"pattern": tiles, "overlap": overlap, "order": order, **_grid(grid)}
    if serpentine:
        names["serpentine"] = True
    names = {key: value for key, value in names.items() if value is not None}
    found = {"pixel_size_um": pixel_size, "stage_y": stage_y, "layout": layout, "tiles": names or None}
    return {key: value for key, value in found.items() if value is not None}


def _grid(text: str | None) -> dict[str, int]:
    from ..errors import PlanError

    if text is None:
        return {}
    rows, times, columns = text.lower().replace("×", "x").partition("x")
    if not times or not rows.strip().isdecimal() or not columns.strip().isdecimal():
        raise PlanError([f"--grid is {text!r}; write rows and columns, such as 5x8"])
    return {"rows": int(rows), "columns": int(columns)}

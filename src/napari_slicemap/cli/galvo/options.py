"""Options that mean the same in the commands of ``slicemap galvo``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

Source = Annotated[
    Path,
    typer.Argument(
        metavar="SOURCE",
        help="Folder of raw tiles, of mosaics, one mosaic, or an acquisition whose slicemap.toml names them.",
        show_default=False,
    ),
]
Diagnostics = Annotated[
    Path | None,
    typer.Option(
        help="Where the numbers behind the decisions are; those of the project, or diagnostics beside the table, if "
        "not given.",
        metavar="FOLDER",
        show_default=False,
    ),
]
Slices = Annotated[
    list[str] | None,
    typer.Option("--slices", "-s", help="Which slices, separated by commas; all if not given.", metavar="IDS"),
]
LineAxis = Annotated[
    Literal["x", "y"] | None,
    typer.Option(
        help="Along which A-lines follow one another in mosaics; what they say themselves if not given.",
        show_default=False,
    ),
]
Extra = Annotated[
    int | None,
    typer.Option(help="A-lines of the return; what the tiles say themselves if not given.", min=1, show_default=False),
]

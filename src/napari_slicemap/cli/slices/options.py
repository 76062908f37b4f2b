"""What the commands of ``slicemap slices`` share: options that mean the same everywhere, lists of ids, and notes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Annotated

import typer

from ..lengths import length_in

_CONFIG = typer.Option("--config", "-c", help="Slice table to begin with.", show_default=False, metavar="IN")
Config = Annotated[Path | None, _CONFIG]
RequiredConfig = Annotated[Path, _CONFIG]
Decisions = Annotated[
    Path | None,
    typer.Option(
        "--config",
        "-c",
        help="Slice table that says which slices are used; all are if not given.",
        show_default=False,
        metavar="IN",
    ),
]
NewTable = Annotated[
    Path | None,
    typer.Argument(metavar="OUT", help="Slice table to write; none with --in-place.", show_default=False),
]
InPlace = Annotated[
    bool,
    typer.Option(
        "--in-place",
        help="Change the table of --config itself; each change goes to its audit trail, <table>.audit.csv.",
    ),
]
Mosaics = Annotated[
    Path,
    typer.Argument(
        metavar="MOSAICS", help="Folder of mosaics, *z<NN>*.ome.zarr, or of section images.", show_default=False
    ),
]
Resolution = Annotated[
    float | None,
    typer.Option(
        help="Pixel size, µm or with a unit, of images that do not state it.",
        show_default=False,
        parser=length_in("µm"),
        metavar="LENGTH",
    ),
]
Force = Annotated[bool, typer.Option("--force", "-f", help="Replace what is there already.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]


def split_ids(given: Sequence[str] | None) -> list[str]:
    """Split lists of slice ids at commas, and pad them to two digits.

    Raises
    ------
    PlanError
        Naming what is no slice id.
    """
    from ...errors import FileFormatError, PlanError
    from ...slices.slice_config import validate_value
    from ..plan_options import split

    try:
        return [validate_value("slice_id", one) for one in split(given or [])]
    except FileFormatError as error:
        raise PlanError([str(error)]) from None


def note(lines: Iterable[str]) -> None:
    """Print lines that are no result: warnings, and what was left out and why."""
    for line in lines:
        typer.echo(line, err=True)

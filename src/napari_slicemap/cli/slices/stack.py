"""``slicemap slices stack``: all slices to use, as one volume."""

from __future__ import annotations

from collections import OrderedDict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..lengths import length_in
from .options import AsJson, Decisions, Force, Resolution, note

if TYPE_CHECKING:
    from ...slices.volumes import SliceVolumes


def stack(
    slices: Annotated[
        Path,
        typer.Argument(
            metavar="SLICES", help="Folder of slices of one size, such as align writes.", show_default=False
        ),
    ],
    out: Annotated[Path, typer.Argument(metavar="OUT.ome.zarr", help="Image to write.", show_default=False)],
    config: Decisions = None,
    interpolated: Annotated[
        Path | None,
        typer.Option(
            help="Folder of interpolated slices: taken for those that the table calls interpolated, whatever use says.",
            show_default=False,
        ),
    ] = None,
    slice_thickness_um: Annotated[
        float | None,
        typer.Option(
            help="From one slice to the next, µm or with a unit; if not given, slices follow without a gap.",
            show_default=False,
            parser=length_in("µm"),
            metavar="LENGTH",
        ),
    ] = None,
    z_step_um: Annotated[
        float | None,
        typer.Option(
            help="From plane to plane, µm or with a unit, where images do not state it.",
            show_default=False,
            parser=length_in("µm"),
            metavar="LENGTH",
        ),
    ] = None,
    resolution: Resolution = None,
    first: Annotated[str | None, typer.Option(help="Slice that the stack begins with.", show_default=False)] = None,
    last: Annotated[str | None, typer.Option(help="Slice that the stack ends with.", show_default=False)] = None,
    force: Force = False,
    as_json: AsJson = False,
) -> None:
    """Stack the slices to use into one OME-Zarr image; where a slice is left out, a gap stays.

    Slice number n begins at plane (n − first) × planes, where planes is round(slice thickness / z step), or the depth
    of the slices. Deeper slices are cut where the next one begins. Without --config all slices are stacked.

    Examples
    --------
    [bold]slicemap slices stack aligned stack.ome.zarr --config slice_config.csv[/bold]

    [bold]slicemap slices stack aligned stack.ome.zarr -c slice_config_final.csv --interpolated interpolated[/bold]

    [bold]slicemap slices stack aligned stack.ome.zarr --slice-thickness-um 200 --first 00 --last 40[/bold]
    """
    from ...files import to_json
    from ...slices import slice_config
    from ...slices.stacking.stack import stack_slices
    from ...slices.volumes import find_volumes
    from .progress import progress

    rows = None if config is None else slice_config.read(config)
    volumes = find_volumes(slices)
    made = None if interpolated is None else _interpolated(interpolated)
    with progress("stacking") as tell:
        done = stack_slices(
            volumes,
            out,
            rows,
            interpolated=made,
            slice_thickness_um=slice_thickness_um,
            resolution_um=resolution,
            z_step_um=z_step_um,
            first=first,
            last=last,
            force=force,
            on_progress=tell,
        )
    typer.echo(to_json(done.record()) if as_json else "\n".join(done.lines()))
    depth, height, width = done.shape
    note([f"written: {out}, {depth} planes of {width} × {height} px"])


def _interpolated(folder: Path) -> SliceVolumes:
    """Find the interpolated slices; where none could be made, their folder holds fragments, or nothing."""
    from ...slices.volumes import find_volumes

    if folder.is_dir() and not any(folder.glob("*.zarr")):
        return OrderedDict()
    return find_volumes(folder)

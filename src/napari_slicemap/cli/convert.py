"""``slicemap convert``: any acquisition to OME-Zarr."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .way_in import Grid, Layout, Order, Overlap, PixelSize, Serpentine, StageY, Tiles, stated

if TYPE_CHECKING:
    from ..export.convert.plan import ConvertPlan
    from ..export.convert.prepare import Conversion
    from ..export.running.results import ExportReport


def _names(what: str) -> Any:
    return typer.Option(help=f"{what} Separate names by commas, or repeat the option; `all` takes all.")


def convert(
    dataset: Annotated[Path, typer.Argument(help="Acquisition folder or file, or slicemap.toml.", show_default=False)],
    out: Annotated[Path, typer.Argument(help="What to write: a folder OUT.ome.zarr.", show_default=False)],
    fovs: Annotated[list[str] | None, _names("FOVs, an image each (all of them if nothing is said).")] = None,
    maps: Annotated[list[str] | None, _names("Maps instead, each as one mosaic.")] = None,
    ome_version: Annotated[str, typer.Option(help="Of OME-Zarr: 0.5 (Zarr v3) or 0.4 (Zarr v2).")] = "0.5",
    compression: Annotated[str, typer.Option(help="zstd, lz4 or none.")] = "zstd",
    chunk: Annotated[int, typer.Option(help="Side of a chunk, px.")] = 512,
    on_missing: Annotated[
        str, typer.Option(help="Maps, a tile that cannot be read: raise (fail) or mark (leave it 0, and tell).")
    ] = "raise",
    runner: Annotated[
        str | None,
        typer.Option(help="serial; threads or dask: several images at a time.", show_default="threads"),
    ] = None,
    workers: Annotated[int | None, typer.Option(help="How many images at a time.")] = None,
    scheduler: Annotated[
        str | None, typer.Option(help="A dask cluster that is there, such as tcp://10.0.0.1:8786.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace OME-Zarr that is there.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="List what would be written, and stop.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print results as JSON.")] = False,
    pixel_size: PixelSize = None,
    stage_y: StageY = None,
    layout: Layout = None,
    tiles: Tiles = None,
    overlap: Overlap = None,
    grid: Grid = None,
    order: Order = None,
    serpentine: Serpentine = False,
) -> None:
    """Convert an acquisition to OME-Zarr: the pixels as they are, with coarser levels, masks and positions.

    Each FOV becomes an image with all its channels, times and planes (or, with --maps, each map becomes one mosaic);
    several images become a collection that opens as the same maps. Every image is read back and compared before it
    takes its name. A conversion that was stopped goes on when the same command is given again.

    Examples
    --------
    [bold]slicemap convert my_run my_run.ome.zarr[/bold]

    [bold]slicemap convert my_run mosaics.ome.zarr --maps all --compression lz4[/bold]

    [bold]slicemap convert my_tiles out.ome.zarr --tiles 'tile_{index}.tif' --grid 5x8 --overlap 10%[/bold]

    [bold]slicemap convert my_run part.ome.zarr --fovs a1,a2 --ome-version 0.4 --dry-run[/bold]
    """
    from ..dataset import open_dataset
    from ..export.convert.prepare import prepare_conversion
    from ..export.convert.run import choose_strategy, run_conversion
    from ..export.running.checks import noted
    from ..export.running.strategies import strategy_faults
    from .running import Progress

    known = stated(pixel_size, stage_y, layout, tiles, overlap, grid, order, serpentine)
    faults = strategy_faults(runner or ("dask" if scheduler else "threads"), workers, scheduler)
    plan = noted(faults, lambda: _plan(fovs, maps, on_missing, ome_version, compression, chunk))
    _refuse(faults)
    opened = open_dataset(dataset, **known)
    conversion = prepare_conversion(opened, out, plan, force=force)
    if dry_run:
        _list(conversion, json)
        return
    strategy = choose_strategy(conversion, runner, workers, scheduler)
    with Progress(silent=json) as progress:
        report = run_conversion(conversion, strategy, progress.tell)
    _tell(conversion, report, json)
    if report.counts["failed"]:
        raise typer.Exit(1)


def _refuse(faults: Sequence[str]) -> None:
    from ..errors import PlanError

    if faults:
        raise PlanError(faults)


def _plan(
    fovs: list[str] | None, maps: list[str] | None, on_missing: str, version: str, compression: str, chunk: int
) -> ConvertPlan:
    import pydantic

    from ..errors import PlanError
    from ..export.convert.plan import ConvertPlan
    from ..files import explain
    from .plan_options import split

    if fovs and maps:
        raise PlanError(["--fovs or --maps: FOVs and mosaics of maps do not go into one output"])
    ids = split(fovs or maps or ["all"])
    said = {
        "kind": "map" if maps else "fov",
        "ids": [] if ids == ["all"] else ids,
        "on_missing": on_missing,
        "options": {"version": version, "compression": compression, "chunk": chunk},
    }
    try:
        return ConvertPlan.model_validate(said)
    except pydantic.ValidationError as error:
        raise PlanError([explain(error, ConvertPlan)]) from None


def _list(conversion: Conversion, as_json: bool) -> None:
    from ..files import to_json

    rows = [
        {"image": task.place.fov, "output": str(conversion.path_of(task)), "skipped": task.path in conversion.done}
        for task in conversion.tasks
    ]
    if as_json:
        typer.echo(to_json({"images": rows, "not_carried": _not_carried(conversion)}))
        return
    for row in rows:
        typer.echo(f"would {'skip' if row['skipped'] else 'write'} {row['output']}  ({row['image']})")
    _say_not_carried(conversion)


def _tell(conversion: Conversion, report: ExportReport, as_json: bool) -> None:
    from ..files import to_json
    from .running import result_rows

    counts, out = report.counts, conversion.out
    if as_json:
        said = {"counts": counts, "results": result_rows(report), "not_carried": _not_carried(conversion)}
        typer.echo(to_json(said))
        return
    skipped = f", {counts['skipped']} there already" if counts["skipped"] else ""
    typer.echo(f"{out}: {counts['ok']} written and read back, {counts['failed']} failed{skipped}")
    if counts["failed"]:
        typer.echo(f"{out} is unfinished; the same command goes on with what is missing", err=True)
    _say_not_carried(conversion)


def _not_carried(conversion: Conversion) -> list[str]:
    from ..export.convert.plan import left_behind

    return [*left_behind(conversion.dataset), *conversion.notes]


def _say_not_carried(conversion: Conversion) -> None:
    """Say what stays behind, and how to keep it."""
    from ..export.convert.plan import left_behind

    if tables := left_behind(conversion.dataset):
        how = f"slicemap init {conversion.out} -o FOLDER, and copy them into that folder"
        typer.echo(f"not carried along: {', '.join(tables)}; for tables: {how}", err=True)
    for note in conversion.notes:
        typer.echo(f"not carried along: {note}", err=True)

"""``slicemap export``: figures from a plan, or from options that make one."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .plan_options import build_plans, save

if TYPE_CHECKING:
    from ..dataset import Dataset
    from ..export.items import ExportItem
    from ..export.plan import ExportPlan
    from ..export.run import ExportReport, Prepared
    from ..export.runner import ExportResult


def _names(what: str) -> Any:
    return typer.Option(help=f"{what} Separate names by commas, or repeat the option; `all` takes all.")


def export(
    ctx: typer.Context,
    dataset: Annotated[
        Path, typer.Argument(help="Acquisition folder, tiles.csv or slicemap.toml.", show_default=False)
    ],
    plan: Annotated[Path | None, typer.Option(help="A plan file (.toml or .json); options go over it.")] = None,
    fovs: Annotated[list[str] | None, _names("FOVs.")] = None,
    rois: Annotated[list[str] | None, _names("ROIs by name or id, on FOVs and on maps.")] = None,
    tags: Annotated[list[str] | None, _names("ROIs that have one of these tags.")] = None,
    maps: Annotated[list[str] | None, _names("Whole maps.")] = None,
    cells: Annotated[list[str] | None, _names("Cell crops: `FOV` (all its cells) or `FOV:LABEL`.")] = None,
    cell_query: Annotated[str, typer.Option(help="Cell crops by a condition, such as 'area > 50'.")] = "",
    cell_size: Annotated[int, typer.Option(help="Side of a cell crop, FOV px.", min=1)] = 128,
    stacks: Annotated[list[str] | None, _names("Time series of FOVs, each one a stack.")] = None,
    slices: Annotated[
        list[str] | None, _names("Maps one after the other, on one canvas by stage position: one stack.")
    ] = None,
    stack_roi: Annotated[str, typer.Option(help="ROI (name or id) to which each frame of a stack is cut.")] = "",
    clip: Annotated[
        str, typer.Option(help="ROIs: box, polygon (transparent outside the shape) or upright (rotated boxes turned).")
    ] = "box",
    profile: Annotated[str, typer.Option(help="Saved profile; the dataset's default if not given.")] = "",
    format: Annotated[  # noqa: A002
        list[str] | None,
        typer.Option(
            help="png, jpg, tif, pdf, svg; ome-tiff, ome-zarr, npz, h5, tif-json; gif, mp4. Several, "
            "separated by commas, make several runs.",
            show_default="png",
        ),
    ] = None,
    output_folder: Annotated[
        Path | None, typer.Option("--output-folder", "-o", help="Where to; the dataset's exports folder if not given.")
    ] = None,
    downsample: Annotated[int, typer.Option(help="Size of an output px in source px.", min=1)] = 1,
    target_pixel_size: Annotated[
        str | None, typer.Option(help="Size of an output px instead, such as 1.3 (µm) or 1300nm.")
    ] = None,
    scale_bar: Annotated[bool, typer.Option("--scale-bar/--no-scale-bar", help="Draw a scale bar.")] = False,
    scale_bar_um: Annotated[str | None, typer.Option(help="Length of the scale bar; chosen if not given.")] = None,
    masks: Annotated[list[str] | None, _names("Masks to draw, in the profile's style.")] = None,
    annotations: Annotated[list[str] | None, _names("Annotations to draw.")] = None,
    channel_files: Annotated[
        str, typer.Option(help="Channels: merged into one file, separate (a file for each), or both.")
    ] = "merged",
    contact_sheet: Annotated[
        bool, typer.Option("--contact-sheet", help="Put all items on one picture (or several), at one scale.")
    ] = False,
    columns: Annotated[int, typer.Option(help="Of a contact sheet; 0 chooses.", min=0)] = 0,
    title: Annotated[str, typer.Option(help="Written above each picture, such as '{fov}, {profile}'.")] = "",
    legend: Annotated[bool, typer.Option("--legend", help="Name the channels above each picture.")] = False,
    name_template: Annotated[
        str,
        typer.Option(
            "--name",
            help="File names, such as '{number}_{stem}'; fields: stem, kind, fov, map, roi, cell, "
            "channel, profile, number.",
        ),
    ] = "{stem}",
    t: Annotated[str, typer.Option("--time", "-t", help="Time point from 0, or all (formats that hold data).")] = "0",
    z: Annotated[
        str, typer.Option("--plane", "-z", help="z plane from 0, max, mean, or all (formats that hold data).")
    ] = "0",
    background: Annotated[str, typer.Option(help="Colour where no tile lies.")] = "#000000",
    show_rois: Annotated[bool, typer.Option("--show-rois", help="Draw the shapes of the ROIs.")] = False,
    overwrite: Annotated[str, typer.Option(help="Files that are there: refuse, overwrite or rename.")] = "refuse",
    on_missing: Annotated[
        str, typer.Option(help="A tile that cannot be read: raise (fail) or mark (hatch).")
    ] = "raise",
    levels: Annotated[
        str, typer.Option(help="Maps: exact (read the tiles), or stored (coarse levels of `slicemap levels`, if any).")
    ] = "exact",
    include_excluded: Annotated[
        bool, typer.Option("--include-excluded", help="Take slices that the slice table excludes.")
    ] = False,
    option: Annotated[
        list[str] | None, typer.Option("--option", help="Of the format, such as compression=lzw.", show_default=False)
    ] = None,
    save_plan: Annotated[Path | None, typer.Option(help="Write the plan to a file, too.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="List what would be written, and stop.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print results as JSON.")] = False,
) -> None:
    """Write FOVs, ROIs, cell crops and maps as pictures, each with a record of how it was made.

    The same plan on the same data gives the same bytes, here, from Python and from napari.

    Examples
    --------
    [bold]slicemap export my_run --maps all --downsample 4 --scale-bar[/bold]

    [bold]slicemap export my_run --rois ROI_001,ROI_002 --masks cell --format tif -o figures[/bold]

    [bold]slicemap export my_run --plan figure2.toml --dry-run[/bold]
    """
    from ..dataset import open_dataset

    given = {name: value for name, value in ctx.params.items() if _was_given(ctx, name)}
    opened = open_dataset(dataset)
    plans = build_plans(given, plan, opened)
    if save_plan is not None:
        save(plans, save_plan)
    for made in plans:
        if dry_run:
            _dry_run(made, opened, json)
        else:
            _run(made, opened, json)


def _was_given(ctx: typer.Context, name: str) -> bool:
    source = ctx.get_parameter_source(name)
    return source is not None and source.name == "COMMANDLINE"


# --- running and saying how it went ---------------------------------------------------------------------------
def _dry_run(plan: ExportPlan, dataset: Dataset, as_json: bool) -> None:
    from ..errors import SlicemapError
    from ..export.run import estimated_bytes, prepare
    from ..files import to_json

    def size_of(item: ExportItem) -> int | None:
        try:
            return estimated_bytes(item, dataset)
        except SlicemapError:  # an image that cannot be read fails its own item, in the run itself
            return None

    prepared = prepare(plan, dataset)
    rows: list[dict[str, Any]] = [
        {"item_id": item.item_id, "output": str(path), "bytes_at_most": size_of(item)}
        for item, path in zip(prepared.resolution.items, prepared.outputs, strict=True)
    ]
    if as_json:
        typer.echo(to_json({"items": rows, "left_out": prepared.resolution.left_out}))
        return
    for row in rows:
        size = row["bytes_at_most"]
        room = "size unknown: its image cannot be read" if size is None else f"up to {size / 2**20:.1f} MiB"
        typer.echo(f"would write {row['output']}  ({row['item_id']}, {room})")
    _say_left_out(prepared)


def _say_left_out(prepared: Prepared) -> None:
    for reason in prepared.resolution.left_out:
        typer.echo(f"left out: {reason}; --include-excluded takes it", err=True)


def _run(plan: ExportPlan, dataset: Dataset, as_json: bool) -> None:
    from ..export.run import run_export
    from ..files import to_json

    with progress() as tell:
        report = run_export(plan, dataset, on_progress=tell)
    if as_json:
        typer.echo(to_json({"counts": report.counts, "left_out": report.left_out, "results": _rows(report)}))
    else:
        _say_report(report)
    if report.counts["failed"]:
        raise typer.Exit(1)


def _rows(report: ExportReport) -> list[dict[str, Any]]:
    return [
        {
            "item_id": result.item_id,
            "ok": result.ok,
            "output": result.output_path,
            "error": result.error,
            "warnings": result.metadata.get("warnings", []),
            "seconds": round(result.seconds, 3),
            "bytes": result.bytes,
        }
        for result in report.results
    ]


def _say_report(report: ExportReport) -> None:
    for result in report.results:
        if result.ok:
            typer.echo(f"wrote {result.output_path}")
        for warning in result.metadata.get("warnings", []):
            typer.echo(f"  note: {warning}", err=True)
        if not result.ok:
            typer.echo(f"failed {result.item_id}: {result.error}", err=True)
    for reason in report.left_out:
        typer.echo(f"left out: {reason}; --include-excluded takes it", err=True)
    counts = report.counts
    typer.echo(f"{counts['ok']} written, {counts['failed']} failed")


class progress:  # noqa: N801 - used as a `with` statement's verb
    """A progress bar on a terminal; nothing elsewhere, where lines say what was written."""

    def __enter__(self) -> Any:
        from rich.console import Console
        from rich.progress import MofNCompleteColumn, Progress, TimeRemainingColumn

        console = Console(stderr=True)
        self._bar = Progress(
            *Progress.get_default_columns()[:2],
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )
        self._bar.start()
        self._task = self._bar.add_task("exporting", total=None)
        return self._tell

    def _tell(self, result: ExportResult, done: int, total: int) -> None:
        self._bar.update(self._task, description=result.item_id, completed=done, total=total)

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

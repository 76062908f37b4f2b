"""``slicemap export``: figures from a plan, or from options that make one."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from . import running
from .plan_options import build_plans, save

if TYPE_CHECKING:
    from ..export.run import Prepared


def _names(what: str) -> Any:
    return typer.Option(help=f"{what} Separate names by commas, or repeat the option; `all` takes all.")


def export(
    ctx: typer.Context,
    dataset: Annotated[
        Path | None,
        typer.Argument(help="Acquisition folder or file, or slicemap.toml; --from knows it.", show_default=False),
    ] = None,
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
    from_: Annotated[
        Path | None, typer.Option("--from", help="Repeat what a .provenance.json tells of, pixel by pixel.")
    ] = None,
    item: Annotated[str, typer.Option(help="With --from, of a record of many: which, such as cell:a_cell_7.")] = "",
    changed_sources: Annotated[
        str, typer.Option(help="With --from: refuse source files that have changed since, or accept them.")
    ] = "refuse",
    runner: Annotated[
        str, typer.Option(help="serial; threads or dask: several items at a time.", show_default="serial")
    ] = "",
    workers: Annotated[
        int | None, typer.Option(help="How many items at a time; threads, unless --runner dask.")
    ] = None,
    scheduler: Annotated[str, typer.Option(help="A dask cluster that is there, such as tcp://10.0.0.1:8786.")] = "",
    resume: Annotated[
        bool, typer.Option("--resume", help="Skip what an earlier run into the folder has finished and is unchanged.")
    ] = False,
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

    [bold]slicemap export my_run --cells all --workers 8 --resume[/bold]

    [bold]slicemap export --from figures/map_01.png.provenance.json -o again[/bold]
    """
    given = {name: value for name, value in ctx.params.items() if _was_given(ctx, name)}
    strategy = running.choose_strategy(runner, workers, scheduler)
    if from_ is not None:
        prepared = _repeated(given, dataset, from_, changed_sources)
    else:
        prepared = _planned(given, dataset, plan, save_plan, resume)
    if dry_run:
        running.dry_run(prepared, json)
    else:
        running.run(prepared, strategy, json)


def _planned(
    given: dict[str, Any], dataset: Path | None, file: Path | None, save_to: Path | None, resume: bool
) -> list[Prepared]:
    """Check the plans that the options make, all of them before any of them runs."""
    from ..dataset import open_dataset
    from ..errors import PlanError
    from ..export.run import prepare
    from ..export.running.checks import noted

    if dataset is None:
        raise PlanError(["say which DATASET; only --from does without"])
    if idle := [name for name in ("item", "changed_sources") if name in given]:
        raise PlanError([f"--{name.replace('_', '-')} goes with --from" for name in idle])
    opened = open_dataset(dataset)
    plans = build_plans(given, file, opened)
    if save_to is not None:
        save(plans, save_to)
    faults: list[str] = []
    made = [noted(faults, partial(prepare, one, opened, resume=resume)) for one in plans]
    if faults:
        raise PlanError(list(dict.fromkeys(faults)))
    return made


def _was_given(ctx: typer.Context, name: str) -> bool:
    source = ctx.get_parameter_source(name)
    return source is not None and source.name == "COMMANDLINE"


_OF_A_REPEAT = {
    "dataset", "from_", "item", "changed_sources", "output_folder", "overwrite", "runner", "workers", "scheduler",
    "resume", "dry_run", "json",
}  # fmt: skip


def _repeated(given: dict[str, Any], dataset: Path | None, sidecar: Path, changed: str) -> list[Prepared]:
    """Check the repetition of what a record tells of; it says for itself what is made."""
    from ..dataset import open_dataset
    from ..errors import PlanError
    from ..export.repeat import prepare_repeat

    if idle := [f"--{name.replace('_', '-')}" for name in given if name not in _OF_A_REPEAT]:
        raise PlanError([f"--from repeats an output as it was made; {', '.join(idle)} cannot change it"])
    return prepare_repeat(
        sidecar,
        given.get("output_folder"),
        dataset=None if dataset is None else open_dataset(dataset),
        item=given.get("item", ""),
        changed_sources=changed,  # type: ignore[arg-type]
        overwrite=given.get("overwrite"),
        resume=given.get("resume", False),
    )

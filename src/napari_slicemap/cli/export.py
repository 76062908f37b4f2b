"""``slicemap export``: figures from a plan, or from options that make one."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

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
    clip: Annotated[str, typer.Option(help="ROIs: box, or polygon (transparent outside the shape).")] = "box",
    profile: Annotated[str, typer.Option(help="Saved profile; the dataset's default if not given.")] = "",
    format: Annotated[str, typer.Option(help="png or tif.")] = "png",  # noqa: A002
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
    made = build_plan(given, plan, opened)
    if save_plan is not None:
        made.write(save_plan)
    if dry_run:
        _dry_run(made, opened, json)
    else:
        _run(made, opened, json)


def _was_given(ctx: typer.Context, name: str) -> bool:
    source = ctx.get_parameter_source(name)
    return source is not None and source.name == "COMMANDLINE"


# --- options to plan ------------------------------------------------------------------------------------------
def build_plan(given: dict[str, Any], file: Path | None, dataset: Dataset) -> ExportPlan:
    """Make a plan of the options given on the command line, over a plan file if there is one.

    Parameters
    ----------
    given : dict
        Option name → value, only those given.
    file : Path or None
        A plan file.
    dataset : Dataset
        To tell ROIs on FOVs from ROIs on maps.

    Returns
    -------
    ExportPlan

    Raises
    ------
    PlanError
        If the options do not make a plan.
    """
    import pydantic

    from ..errors import PlanError
    from ..export.plan import ExportPlan
    from ..files import explain

    data: dict[str, Any] = {} if file is None else ExportPlan.read(file).model_dump(exclude_defaults=True)
    if {"downsample", "target_pixel_size"} & set(given):  # either one takes the place of both in the plan file
        data = {name: value for name, value in data.items() if name not in ("downsample", "target_pixel_size_um")}
    for name in ("profile", "format", "downsample", "overwrite", "on_missing", "levels", "include_excluded"):
        if name in given:
            data[name] = given[name]
    if "target_pixel_size" in given:
        data["target_pixel_size_um"] = given["target_pixel_size"]
    if "output_folder" in given:
        data["output_folder"] = str(given["output_folder"])
    _refuse_idle(given)
    selects = _selects(given, dataset)
    if selects:
        data["select"] = selects
    if not data.get("select"):
        raise PlanError(["nothing was chosen; use --fovs, --rois, --maps or --cells (each takes `all`), or --plan"])
    data["scale_bar"] = {**_plain(data.get("scale_bar")), **_scale_bar(given)}
    data["overlays"] = {**_plain(data.get("overlays")), **_overlays(given)}
    data["options"] = {**data.get("options", {}), **_format_options(given.get("option"))}
    try:
        return ExportPlan.model_validate(data)
    except pydantic.ValidationError as error:
        raise PlanError([explain(error, ExportPlan)]) from None


def _refuse_idle(given: dict[str, Any]) -> None:
    """Refuse options that would change nothing, because what they go with was not given."""
    from ..errors import PlanError

    pairs = {"clip": {"rois", "tags"}, "cell_size": {"cells", "cell_query"}}
    if idle := [name for name, wanted in pairs.items() if name in given and not wanted & set(given)]:
        said = {"clip": "--clip goes with --rois or --tags", "cell_size": "--cell-size with --cells or --cell-query"}
        raise PlanError([f"{said[name]}; a plan file says it for each choice" for name in idle])


def _plain(value: Any) -> dict[str, Any]:
    return dict(value) if value else {}


def _scale_bar(given: dict[str, Any]) -> dict[str, Any]:
    made: dict[str, Any] = {"enabled": given["scale_bar"]} if "scale_bar" in given else {}
    return made | ({"enabled": True, "length_um": given["scale_bar_um"]} if "scale_bar_um" in given else {})


def _overlays(given: dict[str, Any]) -> dict[str, Any]:
    made: dict[str, Any] = {name: split(given[name]) for name in ("masks", "annotations") if name in given}
    return made | ({"rois": given["show_rois"]} if "show_rois" in given else {})


def _format_options(pairs: Sequence[str] | None) -> dict[str, Any]:
    from ..errors import PlanError

    made = {}
    for pair in pairs or ():
        name, equals, value = pair.partition("=")
        if not equals:
            raise PlanError([f"--option {pair}: expected name=value, such as compression=lzw"])
        made[name] = value
    return made


def split(values: Sequence[str]) -> list[str]:
    """Split names given with commas or by repeating an option."""
    from ..export.shell import split as split_text

    return [name for value in values for name in split_text(value)]


def _selects(given: dict[str, Any], dataset: Dataset) -> list[dict[str, Any]]:
    selects: list[dict[str, Any]] = []
    for option, kind in (("fovs", "fov"), ("maps", "map")):
        if option in given:
            selects.append({"kind": kind, **_ids(given[option])})
    selects += _roi_selects(given, dataset)
    if "cells" in given or "cell_query" in given:
        ids = _ids(given.get("cells", []))
        size = {"size_px": given["cell_size"]} if "cell_size" in given else {}
        selects.append({"kind": "cell", **ids, "query": given.get("cell_query", ""), **size})
    return selects


def _ids(values: Sequence[str]) -> dict[str, Any]:
    names = split(values)
    return {"all": True} if names == ["all"] else {"ids": names}


def _roi_selects(given: dict[str, Any], dataset: Dataset) -> list[dict[str, Any]]:
    """Sort ROIs into those on FOVs and those on maps: people ask for ROIs, a plan keeps the two apart."""
    from ..errors import PlanError

    if not {"rois", "tags"} & set(given):
        return []
    names, tags = split(given.get("rois", [])), split(given.get("tags", []))
    every = names == ["all"]
    chosen = [roi for roi in dataset.rois if every or set(tags) & set(roi.tags)]
    chosen += [] if every else [roi for name in names for roi in dataset.rois.find(name)]
    if homeless := [roi.label for roi in chosen if not roi.on]:
        raise PlanError([f"ROI {name} names neither a FOV nor a map; it cannot be exported" for name in homeless])
    if not chosen:
        raise PlanError([f"no ROI fits the choice; the dataset has {len(dataset.rois)} ROIs"])
    clip = {"clip": given["clip"]} if "clip" in given else {}
    return [
        {"kind": f"{on}-roi", "ids": list(dict.fromkeys(roi.roi_id for roi in chosen if roi.on == on)), **clip}
        for on in ("fov", "map")
        if any(roi.on == on for roi in chosen)
    ]


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

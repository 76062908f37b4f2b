"""``slicemap rois``: list the ROIs of an acquisition, and take them from and to files of other tools."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from ..rois.ground import Ground
    from ..rois.roi import Roi

rois = typer.Typer(
    name="rois",
    no_args_is_help=True,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
    help="List ROIs with their sizes, and take them from and to tables, GeoJSON (QuPath), OME-XML and shapes (napari).",
)

_Dataset = Annotated[
    Path, typer.Argument(help="Acquisition folder or file, or slicemap.toml.", metavar="DATASET", show_default=False)
]
_Tags = Annotated[list[str] | None, typer.Option("--tags", help="Only ROIs that have any of these tags.")]
_Format = Annotated[
    str | None,
    typer.Option(
        "--format",
        help="csv (rois.csv), geojson (QuPath), ome-xml or shapes (napari); by the suffix if not given.",
        metavar="F",
    ),
]


@rois.command("list")
def list_rois(
    dataset: _Dataset,
    tags: _Tags = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON for programs instead of text.")] = False,
) -> None:
    """Say of each ROI what it is on, how large it is, and how much of it lies where there is no data.

    Example: [bold]slicemap rois list my_run --tags figure[/bold]
    """
    import shutil

    from ..dataset import open_dataset
    from ..files import to_json
    from ..rois.ground import Ground
    from .slices.text_table import table_lines

    opened = open_dataset(dataset)
    ground = Ground({name: one.placement for name, one in opened.maps.items()}, opened.fovs)
    facts = [_facts(roi, ground) for roi in _with_tags(opened.rois, tags)]
    if json:
        typer.echo(to_json(facts))
        return
    if not facts:
        typer.echo("no ROIs")
        return
    columns = {
        title: [str(one[key]) for one in facts]
        for title, key in (
            ("name", "name"),
            ("slice", "slice_id"),
            ("on", "on"),
            ("kind", "kind"),
            ("size", "size"),
            ("area or length", "extent"),
            ("empty", "empty_text"),
            ("profile", "profile"),
            ("tags", "tags"),
            ("comment", "comment"),
        )
    }
    for lines in table_lines(columns, shutil.get_terminal_size().columns):
        typer.echo("\n".join(lines))


def _facts(roi: Roi, ground: Ground) -> dict[str, Any]:
    from ..rois.frames import Frame
    from ..rois.measures import share_text

    measures, empty = ground.measure(roi), ground.empty_share(roi)
    return {
        "roi_id": roi.roi_id,
        "name": roi.name,
        "slice_id": ground.slice_id(roi),
        "on": Frame.of(roi).title,
        "kind": roi.kind,
        "size": measures.size_text,
        "extent": measures.extent_text,
        "area": measures.area,
        "length": measures.length,
        "unit": measures.unit,
        "empty": round(empty, 4),
        "empty_text": share_text(empty),
        "fault": ground.fault(roi),
        "profile": roi.profile,
        "tags": "; ".join(roi.tags),
        "comment": roi.comment,
    }


def _with_tags(found: Any, tags: list[str] | None) -> list[Roi]:
    from .plan_options import split

    wanted = set(split(tags)) if tags else None
    return [roi for roi in found if wanted is None or wanted & set(roi.tags)]


@rois.command("export")
def export_rois(
    dataset: _Dataset,
    out: Annotated[Path, typer.Argument(help="The file to write.", metavar="OUT", show_default=False)],
    file_format: _Format = None,
    tags: _Tags = None,
    force: Annotated[bool, typer.Option("--force", help="Replace a file that is there.")] = False,
) -> None:
    """Write ROIs to a file of another tool.

    Examples
    --------
    [bold]slicemap rois export my_run rois.geojson --tags figure[/bold]

    [bold]slicemap rois export my_run rois.ome.xml[/bold]
    """
    from ..dataset import open_dataset
    from ..errors import PlanError
    from ..rois.ground import Ground
    from ..rois.interchange import write_rois

    if out.exists() and not force:
        raise PlanError([f"{out} is there already; --force replaces it"])
    opened = open_dataset(dataset)
    chosen = _with_tags(opened.rois, tags)
    ground = Ground({name: one.placement for name, one in opened.maps.items()}, opened.fovs)
    left_out = write_rois(out, chosen, ground.frames(), _format(file_format))
    for why in left_out:
        typer.echo(why, err=True)
    typer.echo(f"{len(chosen) - len(left_out)} ROIs written to {out}")


@rois.command("import")
def import_rois(
    dataset: _Dataset,
    source: Annotated[
        Path,
        typer.Argument(
            help="rois.csv, roi_manager.csv, shapes of napari, GeoJSON, OME-XML (or an OME-TIFF), or .magc of a wafer.",
            metavar="FILE",
            show_default=False,
        ),
    ],
    map_id: Annotated[
        str, typer.Option("--map", help="The map that shapes are on of which the file does not say it.")
    ] = "",
    fov: Annotated[str, typer.Option("--fov", help="The FOV that they are on.")] = "",
    pattern: Annotated[str, typer.Option("--names", help="Names of those that have none.")] = "ROI_{n:03d}",
    replace: Annotated[
        bool, typer.Option("--replace", help="Replace ROIs of the same id; otherwise they are left as they are.")
    ] = False,
) -> None:
    """Take ROIs from a file into the acquisition's rois.csv; what other programs write there meanwhile stays.

    Example: [bold]slicemap rois import my_run annotations.geojson --map 03[/bold]
    """
    from ..dataset import open_dataset
    from ..errors import PlanError
    from ..rois.frames import Frame
    from ..rois.ground import Ground
    from ..rois.interchange import merge, read_rois
    from ..rois.table_file import Change, RoiFile

    opened = open_dataset(dataset)
    if map_id and fov:
        raise PlanError(["--map and --fov exclude one another"])
    here = Frame(fov=opened.fovs[fov].name) if fov else Frame(map_id=opened.maps[map_id].map_id) if map_id else None
    ground = Ground({name: one.placement for name, one in opened.maps.items()}, opened.fovs)
    found = read_rois(source, ground.frames(here))
    what = merge(opened.rois, found.rois, pattern)
    changed = what.changed if replace else ()
    changes = [Change(None, roi) for roi in what.new]
    changes += [Change(opened.rois[roi.roi_id], roi) for roi in changed]
    outcome = RoiFile(opened.places.written("rois"), opened.rois).change(changes)
    if outcome.unsaved:
        raise PlanError([f"{opened.places.written('rois')} cannot be written: {outcome.unsaved}"])
    strangers = (f"ROI {roi.label}: {fault}" for roi in (*what.new, *changed) if (fault := ground.fault(roi)))
    for problem in (*found.problems, *strangers, *outcome.conflicts):
        typer.echo(problem, err=True)
    kept = 0 if replace else len(what.changed)
    other = f", {kept} of known ids left as they are (--replace takes them)" if kept else ""
    typer.echo(f"{len(what.new)} new, {len(changed)} replaced, {what.same} as they were{other}")


def _format(name: str | None) -> Any:
    from ..errors import PlanError
    from ..rois.interchange import FORMATS

    if name is not None and name not in FORMATS:
        raise PlanError([f"--format {name}: there is {', '.join(FORMATS)}"])
    return name

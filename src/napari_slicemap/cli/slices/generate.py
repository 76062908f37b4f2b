"""``slicemap slices generate``: a new slice table."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .options import AsJson, Force, note, split_ids

if TYPE_CHECKING:
    from ...slices.galvo.decisions import GalvoSettings
    from ...slices.galvo.run import GalvoRun
    from ...slices.generate import SourceKind
    from ...slices.slice_config import SliceRows
    from ...slices.table_file import TableJob

_DATASET = "dataset"


def generate(
    source: Annotated[
        Path,
        typer.Argument(
            metavar="SOURCE",
            help="Folder of mosaics or raw tiles, a shifts file, or an acquisition.",
            show_default=False,
        ),
    ],
    out: Annotated[Path, typer.Argument(metavar="OUT", help="Slice table to write.", show_default=False)],
    from_mosaics: Annotated[
        bool, typer.Option("--from-mosaics", help="SOURCE holds *z<NN>*.ome.zarr, or section images *z<NN>*.tif.")
    ] = False,
    from_tiles: Annotated[
        bool, typer.Option("--from-tiles", help="SOURCE holds raw tiles, tile_x<NN>_y<NN>_z<NN>.")
    ] = False,
    from_shifts: Annotated[
        bool, typer.Option("--from-shifts", help="SOURCE is a shifts file, with fixed_id and moving_id.")
    ] = False,
    from_dataset: Annotated[bool, typer.Option("--from-dataset", help="SOURCE is what `slicemap info` opens.")] = False,
    exclude: Annotated[
        list[str] | None,
        typer.Option(help="Slices to leave out, separated by commas; noted manually_excluded.", metavar="IDS"),
    ] = None,
    exclude_first: Annotated[
        int | None,
        typer.Option(
            help="How many to leave out at the beginning; noted calibration_slice. 1 if not given, and 0 with a "
            "dataset, which may be of slides.",
            min=0,
            show_default=False,
            metavar="N",
        ),
    ] = None,
    detect_galvo: Annotated[
        bool,
        typer.Option(
            "--detect-galvo",
            help="Look for the mirror's return in the tiles, too; what is found is stamped, and the numbers go to "
            "diagnostics beside OUT.",
        ),
    ] = False,
    tiles_dir: Annotated[
        Path | None,
        typer.Option(
            help="Folder of the raw tiles or mosaics to look for the return in; SOURCE if not given.",
            metavar="FOLDER",
            show_default=False,
        ),
    ] = None,
    galvo_threshold: Annotated[
        float | None,
        typer.Option(
            help="Confidence from which a return counts as found; 0.6 if not given.", min=0, max=1, show_default=False
        ),
    ] = None,
    force: Force = False,
    as_json: AsJson = False,
) -> None:
    """Make the slice table: a row for each slice, all used but those left out here.

    What SOURCE is, is found out: mosaics where it holds some, then a shifts file, raw tiles, an acquisition, section
    images. An option says it where this would be wrong.

    Examples
    --------
    [bold]slicemap slices generate run/mosaics slice_config.csv[/bold]

    [bold]slicemap slices generate run/shifts_xy.csv slice_config.csv --exclude 03,17 --exclude-first 2[/bold]

    [bold]slicemap slices generate run/mosaics slice_config.csv --detect-galvo --tiles-dir run/raw_tiles[/bold]
    """
    from ...files import to_json
    from ...slices.generate import new_table
    from ...slices.summary import summarise
    from ...slices.table_file import open_table
    from ..galvo.detect import run_data, run_lines, run_notes
    from ..galvo.source import diagnostics_of

    settings = _galvo_settings(detect_galvo, tiles_dir, galvo_threshold)
    options = {"mosaics": from_mosaics, "tiles": from_tiles, "shifts": from_shifts, _DATASET: from_dataset}
    with open_table(None, out, force=force, by="slicemap slices generate", reads=[source]) as job:
        kind, ids = _find_ids(source, [name for name, given in options.items() if given])
        first = (0 if kind == _DATASET else 1) if exclude_first is None else exclude_first
        rows = new_table(ids, exclude=split_ids(exclude), exclude_first=first)
        run = None if settings is None else _detected(job, rows, tiles_dir or source, diagnostics_of(out), settings)
        if run is None:
            job.save(rows)
    summary = summarise(rows)
    galvo = {} if run is None else {"galvo": run_data(run)}
    if as_json:
        typer.echo(to_json({"source": source, "kind": kind, "slices": ids, **summary.as_data(), **galvo}))
    else:
        found = [] if run is None else run_lines(run)
        typer.echo("\n".join([f"slices found in {source} ({kind}): {len(ids)}", *summary.lines, *found]))
    if run is not None:
        note(run_notes(run))
    note([f"written: {out}", *([] if run is None else [f"written: {diagnostics_of(out)}"])])


def _find_ids(source: Path, named: list[str]) -> tuple[str, list[str]]:
    """Give what the source is, and its slices."""
    from ...errors import DatasetNotFoundError, PlanError
    from ...slices.generate import LOOKED_FOR, SOURCE_KINDS, find_slice_ids, recognise

    if len(named) > 1:
        raise PlanError([f"{' and '.join(f'--from-{one}' for one in named)} are given; use one of them"])
    chosen: SourceKind | None = next((kind for kind in SOURCE_KINDS if kind in named), None)
    if not named:
        chosen = recognise(source)
    if chosen:
        return chosen, find_slice_ids(source, chosen)
    if ids := _section_ids(source):
        return "mosaics", ids
    try:
        return _DATASET, _dataset_ids(source)
    except DatasetNotFoundError as error:
        if named:
            raise
        why = error
    try:
        return "mosaics", find_slice_ids(source, "mosaics")  # section images: any folder may hold a few
    except DatasetNotFoundError:
        looked_for = "; ".join([*LOOKED_FOR.values(), "section images (*z<NN>*.tif)", f"an acquisition ({why})"])
        raise DatasetNotFoundError(f"{source}: no slices found. Looked for {looked_for}") from None


def _section_ids(source: Path) -> list[str]:
    """Give the slices of a plain folder of numbered section images, by their names alone; none of anything else."""
    from ...errors import DatasetNotFoundError
    from ...images.readers import find_reader
    from ...project import find_project
    from ...slices.generate import find_slice_ids

    try:
        plain = find_reader(source)[0].name == "section-images" and find_project(source)[2] is None
        return find_slice_ids(source, "mosaics") if plain else []
    except DatasetNotFoundError:
        return []


def _dataset_ids(source: Path) -> list[str]:
    from ...dataset import open_dataset
    from ...errors import FileFormatError, PlanError
    from ...slices.slice_config import validate_value

    opened = open_dataset(source)
    if opened.slices is not None:
        note([f"{source} has a slice table already; the slices are taken from it, and no decision"])
    try:
        return [validate_value("slice_id", one) for one in opened.slice_ids]
    except FileFormatError as error:
        raise PlanError([f"{source}: {error}; [map_slices] in slicemap.toml says which slice a map is"]) from None


# --- the mirror's return -------------------------------------------------------------------------------------
def _galvo_settings(wanted: bool, tiles_dir: Path | None, threshold: float | None) -> GalvoSettings | None:
    """Say how to look for the return; ``None`` if it is not wanted."""
    from ...errors import PlanError
    from ...slices.galvo.decisions import GalvoSettings

    if wanted:
        return GalvoSettings() if threshold is None else GalvoSettings(threshold)
    given = [("--tiles-dir", tiles_dir), ("--galvo-threshold", threshold)]
    if faults := [f"{name} is given without --detect-galvo" for name, value in given if value is not None]:
        raise PlanError(faults)
    return None


def _detected(job: TableJob, rows: SliceRows, source: Path, folder: Path, settings: GalvoSettings) -> GalvoRun:
    """Look for the return in the slices of a new table, and write both."""
    from dataclasses import replace

    from ...errors import PlanError
    from ...slices.galvo.run import look_at, save_findings
    from ...slices.galvo.tile_slices import find_tile_slices
    from ...slices.places import why_no_folder
    from ..galvo.source import tile_source
    from .progress import progress

    if source.is_file() and source.suffix.lower() == ".csv":
        raise PlanError([f"--detect-galvo: {source} holds no tiles; name their folder with --tiles-dir"])
    if why := why_no_folder(folder):
        raise PlanError([why])
    found = tile_source(source)
    note([found.note] if found.note else [])
    with progress("looking at slices") as tell:
        run = look_at(find_tile_slices(found.folder), rows, folder, settings, on_progress=tell)
    stamped, findings = save_findings(job, rows, run.findings, folder)
    return replace(run, rows=stamped, findings=findings)

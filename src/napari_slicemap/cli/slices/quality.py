"""``slicemap slices quality``: how well each slice agrees with its neighbours."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .options import AsJson, Config, Force, InPlace, Mosaics, NewTable, note

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ...slices.quality import SliceQualities, SliceQuality
    from ...slices.quality.report import QualitySettings
    from ...slices.volumes import SliceVolumes


def quality(
    mosaics: Mosaics,
    out: NewTable = None,
    config: Config = None,
    in_place: InPlace = False,
    min_quality: Annotated[
        float | None,
        typer.Option(help="Leave out slices with a lower score.", min=0, max=1, metavar="Q", show_default=False),
    ] = None,
    update_existing: Annotated[
        bool,
        typer.Option(
            "--update-existing",
            help="Change the table OUT, if no other is named to begin with; all its other columns and rows stay.",
        ),
    ] = False,
    existing_config: Annotated[
        Path | None, typer.Option(help="The same as --config.", metavar="IN", show_default=False)
    ] = None,
    report_only: Annotated[
        bool,
        typer.Option(
            "--report-only", help="Print the scores, and write nothing but what --report and --diagnostics ask for."
        ),
    ] = False,
    use_gpu: Annotated[
        bool, typer.Option("--use-gpu/--no-use-gpu", help="Work on a graphics card if one is there.")
    ] = True,
    sample_depth: Annotated[int, typer.Option(help="Planes of each slice to compare.", min=1)] = 5,
    detect_calibration: Annotated[
        bool,
        typer.Option(
            "--detect-calibration",
            help="Take those of the first three that are over 1.5 times as thick as the median for calibration slices.",
        ),
    ] = False,
    exclude_first: Annotated[int, typer.Option(help="So many of the first are calibration slices.", min=0)] = 1,
    workers: Annotated[
        int | None, typer.Option(help="Threads; one per processor if not given.", min=1, show_default=False)
    ] = None,
    diagnostics: Annotated[
        Path | None,
        typer.Option(help="All numbers of each slice; diagnostics beside the table if not given.", metavar="FOLDER"),
    ] = None,
    report: Annotated[
        Path | None,
        typer.Option(help="For quality_report.html and .json; that of the table if not given.", metavar="FOLDER"),
    ] = None,
    force: Force = False,
    as_json: AsJson = False,
) -> None:
    """Score each slice against its neighbours, and stamp [bold]quality_score[/bold].

    score = 0.5 · SSIM + 0.3 · agreement of edges + 0.2 · agreement of variance, each from 0 to 1; 1 for a slice whose
    neighbours equal it. Calibration slices score 0 and are left out. With [bold]--min-quality[/bold], so are slices
    that score less; nothing is ever put back in. Without [bold]--config[/bold] the table is made of the mosaics found.

    Examples
    --------
    [bold]slicemap slices quality run/mosaics --report-only --report look[/bold] (see look/quality_report.html first)

    [bold]slicemap slices quality run/mosaics t1.csv --config t0.csv --min-quality 0.75[/bold]

    [bold]slicemap slices quality run/mosaics slice_config.csv --update-existing --detect-calibration[/bold]
    """
    from ...errors import PlanError
    from ...files import to_json
    from ...slices.generate import new_table
    from ...slices.places import why_no_folder
    from ...slices.quality.report import QualitySettings, quality_data, write_quality_diagnostics, write_quality_report
    from ...slices.quality.table import stamp_quality
    from ...slices.table_file import open_table
    from ...slices.volumes import find_volumes

    named = out or (config or existing_config if in_place else None)
    folder = None if named is None or report_only else named.parent
    begin, target, in_place = _tables(config, existing_config, out, in_place, update_existing, report_only)
    diagnostics, report = diagnostics or (folder and folder / "diagnostics"), report or folder
    if faults := [why for place in (diagnostics, report) if place and (why := why_no_folder(place))]:
        raise PlanError(faults)
    volumes = find_volumes(mosaics)
    settings = QualitySettings(sample_depth, min_quality, exclude_first, detect_calibration)
    with open_table(begin, target, in_place=in_place, force=force, by="slicemap slices quality") as job:
        found = _scored(volumes, settings, use_gpu, workers or os.cpu_count() or 1)
        rows = stamp_quality(new_table(volumes, exclude_first=0) if begin is None else job.rows, found, min_quality)
        if job.target is not None:
            job.save(rows)
    written = [] if job.target is None else [job.target]
    if diagnostics:
        write_quality_diagnostics(diagnostics, found)
        written.append(diagnostics)
    if report:
        written += write_quality_report(report, found, rows, settings)
    typer.echo(to_json(quality_data(found, rows, settings)) if as_json else "\n".join(_lines(rows, found)))
    note([*_unmatched(rows, found), *(f"written: {path}" for path in written)])


def _tables(
    config: Path | None, existing: Path | None, out: Path | None, in_place: bool, update: bool, report_only: bool
) -> tuple[Path | None, Path | None, bool]:
    """Say which table to begin with, which to write, and whether they are one."""
    from ...errors import PlanError

    if config and existing:
        raise PlanError(["--config and --existing-config are the same option; use one of them"])
    begin = config or existing
    if update and begin is None:
        if out is None or not out.is_file():
            there = "no table is named" if out is None else f"{out} is not there"
            raise PlanError([f"--update-existing: {there}; name the table to change as OUT, or with --config"])
        begin, out, in_place = out, None, True
    if report_only:
        return begin, None, False
    if out is None and not in_place:
        raise PlanError(["no table to write to: name OUT, give --config with --in-place, or --report-only"])
    return begin, out, in_place


def _scored(volumes: SliceVolumes, settings: QualitySettings, use_gpu: bool, workers: int) -> SliceQualities:
    """Score all slices, on a graphics card where one is wanted and there."""
    from ...slices.quality import choose_arrays, scan_quality
    from .progress import progress

    arrays, why_not = choose_arrays(use_gpu)
    note([f"no graphics card is used: {why_not}"] if why_not else [])
    with progress("scoring slices") as tell:
        return scan_quality(
            volumes,
            settings.sample_depth,
            exclude_first=settings.exclude_first,
            detect_calibration=settings.detect_calibration,
            workers=workers,
            arrays=arrays,
            thumbnails=True,
            on_progress=tell,
        )


def _lines(rows: Mapping[str, Mapping[str, Any]], found: Mapping[str, SliceQuality]) -> list[str]:
    """Say what came out: a line for each slice, then what is in and out, and why."""
    from ...slices.summary import summarise

    parts = ("score", "ssim", "edge", "variance")
    lines = ["  ".join(["slice", *(f"{part:>8}" for part in parts)])]
    for slice_id, quality in found.items():
        numbers = "  ".join(f"{getattr(quality.result, part):8.3f}" for part in parts)
        lines.append(f"{slice_id:>5}  {numbers}{'  calibration slice' if quality.calibration else ''}")
    return lines + summarise(rows).lines


def _unmatched(rows: Mapping[str, Mapping[str, Any]], found: Mapping[str, SliceQuality]) -> list[str]:
    from ...slices.ids import id_ranges
    from ...slices.quality.table import unmatched

    not_stamped, not_scored = unmatched(rows, found)
    lines = [f"not in the table, so not stamped: slice {id_ranges(not_stamped)}"] if not_stamped else []
    return lines + ([f"in the table, but there is no image: slice {id_ranges(not_scored)}"] if not_scored else [])

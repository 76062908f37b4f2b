"""``slicemap slices auto-exclude``: stretches of slices that fit their neighbours badly."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .options import AsJson, Force, InPlace, NewTable, RequiredConfig, note

if TYPE_CHECKING:
    from ...slices.exclusion import AutoExclusion


def auto_exclude(
    metrics: Annotated[
        Path,
        typer.Argument(
            metavar="METRICS", help="Folder of slice_z<NN>*/pairwise_registration_metrics.json.", show_default=False
        ),
    ],
    config: RequiredConfig,
    out: NewTable = None,
    in_place: InPlace = False,
    threshold: Annotated[float, typer.Option(help="A z_correlation below it is low.", min=-1, max=1)] = 0.4,
    min_run: Annotated[int, typer.Option(help="How many slices in a row make a noisy cluster.", min=1)] = 3,
    force: Force = False,
    as_json: AsJson = False,
) -> None:
    """Leave out noisy clusters: slices in a row that all fit the slice before them badly.

    Every slice gets [bold]auto_excluded[/bold], true with a reason or false, so that a table can be stamped again with
    another threshold. A missing id, or a slice without a correlation, ends a row. [bold]use[/bold] stays as it is.

    Examples
    --------
    [bold]slicemap slices auto-exclude run/pairs t4.csv --config t3.csv[/bold]

    [bold]slicemap slices auto-exclude run/pairs --config slice_config.csv --in-place --threshold 0.3[/bold]
    """
    from ...files import to_json
    from ...slices import exclusion
    from ...slices.table_file import open_table

    with open_table(config, out, in_place=in_place, force=force, by="slicemap slices auto-exclude") as job:
        found = exclusion.auto_exclude(job.rows, metrics, threshold, min_run)
        job.save(found.rows)
    typer.echo(to_json(_facts(found)) if as_json else "\n".join(_lines(found)))
    note(_notes(found))
    note([f"written: {job.target}"])


def _facts(found: AutoExclusion) -> dict[str, Any]:
    from ...slices.summary import summarise

    return {
        "runs": [
            {"reason": run.reason, "slices": [*map(_pair, run.slice_ids, run.correlations)]} for run in found.runs
        ],
        "cleared": found.cleared,
        "unmeasured": found.unmeasured,
        **summarise(found.rows).as_data(),
    }


def _pair(slice_id: str, correlation: float) -> dict[str, Any]:
    return {"slice_id": slice_id, "z_correlation": correlation}


def _lines(found: AutoExclusion) -> list[str]:
    from ...slices.ids import id_ranges
    from ...slices.summary import summarise

    lines = []
    for run in found.runs:
        slices = [f"{one} ({value:.3f})" for one, value in zip(run.slice_ids, run.correlations, strict=True)]
        lines.append(f"{run.reason}: {', '.join(slices)}")
    lines = lines or ["no noisy cluster"]
    if found.cleared:
        lines.append(f"no longer excluded: {id_ranges(found.cleared)}")
    return lines + summarise(found.rows).lines


def _notes(found: AutoExclusion) -> list[str]:
    from ...slices.ids import id_ranges

    return [f"no correlation: {id_ranges(found.unmeasured)}"] if found.unmeasured else []

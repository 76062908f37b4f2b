"""The running half of ``slicemap export``: dry runs, progress, and saying how it went."""

from __future__ import annotations

from collections.abc import Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:
    from ..export.choosing.items import ExportItem
    from ..export.run import Prepared
    from ..export.running.results import ExportReport
    from ..export.running.runner import ExportResult, Strategy


def choose_strategy(runner: str, workers: int | None, scheduler: str) -> Strategy:
    """Choose a runner by the options: that of a scheduler is dask, and several workers are threads if none is named.

    Raises
    ------
    PlanError
        If they do not go together.
    """
    from ..export.running.strategies import find_strategy

    named = runner or ("dask" if scheduler else "serial" if workers is None else "threads")
    return find_strategy(named, workers, scheduler or None)


def dry_run(prepared: Sequence[Prepared], as_json: bool) -> None:
    """List what would be written, and what would be left as it is."""
    from ..files import to_json

    rows = [row for one in prepared for row in _rows_to_write(one)]
    left_out = _left_out(prepared)
    if as_json:
        typer.echo(to_json({"items": rows, "left_out": left_out}))
        return
    for row in rows:
        size = row["bytes_at_most"]
        room = "size unknown: its image cannot be read" if size is None else f"up to {size / 2**20:.1f} MiB"
        said = f"({row['item_id']}, done already)" if row["skipped"] else f"({row['item_id']}, {room})"
        typer.echo(f"would {'skip' if row['skipped'] else 'write'} {row['output']}  {said}")
    _say_left_out(left_out)


def _rows_to_write(prepared: Prepared) -> list[dict[str, Any]]:
    from ..errors import SlicemapError
    from ..export.running.checks import estimated_bytes

    def size_of(item: ExportItem) -> int | None:
        try:
            return estimated_bytes(item, prepared.recipe.opened.dataset)
        except SlicemapError:  # an image that cannot be read fails its own item, in the run itself
            return None

    return [
        {
            "item_id": item.item_id,
            "output": str(target.output),
            "bytes_at_most": size_of(item),
            "skipped": target.done is not None,
        }
        for item, target in zip(prepared.resolution.items, prepared.targets, strict=True)
    ]


def _left_out(prepared: Sequence[Prepared]) -> list[str]:
    return list(dict.fromkeys(reason for one in prepared for reason in one.resolution.left_out))


def _say_left_out(reasons: Sequence[str]) -> None:
    for reason in reasons:
        typer.echo(f"left out: {reason}; --include-excluded takes it", err=True)


def run(prepared: Sequence[Prepared], strategy: Strategy, as_json: bool) -> None:
    """Run plans that passed every check, and say how it went.

    Raises
    ------
    typer.Exit
        With code 1, if an item failed or a table could not be written.
    PlanError
        If another run is writing into the folder.
    """
    from ..export.repeat import run_all
    from ..export.run import run_prepared
    from ..files import to_json

    with Progress(silent=as_json) as progress:
        report = run_all(prepared, lambda one, tell: run_prepared(one, strategy, tell), progress.tell)
    if as_json:
        said = {"counts": report.counts, "problems": report.problems, "results": result_rows(report)}
        typer.echo(to_json({**said, "left_out": _left_out(prepared)}))
    else:
        _say_left_out(_left_out(prepared))
        for problem in report.problems:
            typer.echo(problem, err=True)
        typer.echo(_counts(report))
    if report.counts["failed"] or report.problems:
        raise typer.Exit(1)


def _counts(report: ExportReport) -> str:
    counts = report.counts
    skipped = f", {counts['skipped']} skipped" if counts["skipped"] else ""
    return f"{counts['ok']} written, {counts['failed']} failed{skipped}"


def result_rows(report: ExportReport) -> list[dict[str, Any]]:
    """Give what ``--json`` prints of each item."""
    return [
        {
            "item_id": result.item_id,
            "ok": result.ok,
            "skipped": result.skipped,
            "output": result.output_path,
            "error": result.error,
            "warnings": result.metadata.get("warnings", []),
            "seconds": round(result.seconds, 3),
            "bytes": result.bytes,
        }
        for result in report.results
    ]


class Progress:
    """A bar on a terminal, with what happened said below it at the end; elsewhere a line for each item as it ends.

    Parameters
    ----------
    silent : bool
        Say nothing of items.
    """

    def __init__(self, silent: bool) -> None:
        from rich.console import Console
        from rich.progress import MofNCompleteColumn, TimeRemainingColumn
        from rich.progress import Progress as Bar

        console = Console(stderr=True)
        self._silent, self._terminal = silent, console.is_terminal
        self._kept: list[ExportResult] = []
        columns = (*Bar.get_default_columns()[:2], MofNCompleteColumn(), TimeRemainingColumn())
        self._bar = Bar(*columns, console=console, transient=True, disable=not console.is_terminal)
        self._task = self._bar.add_task("exporting", total=None)

    def __enter__(self) -> Progress:
        self._bar.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._bar.stop()
        for result in self._kept:  # of an interrupted run, too
            _say(result)

    def tell(self, result: ExportResult, done: int, total: int) -> None:
        """Take up the result of an item."""
        self._bar.update(self._task, description=result.item_id, completed=done, total=total)
        if self._silent:
            return
        if self._terminal:
            self._kept.append(result)
        else:
            _say(result)


def _say(result: ExportResult) -> None:
    if not result.ok:
        typer.echo(f"failed {result.item_id}: {result.error}", err=True)
        return
    typer.echo(f"{'skipped' if result.skipped else 'wrote'} {result.output_path}")
    for warning in result.metadata.get("warnings", []):
        typer.echo(f"  note: {warning}", err=True)

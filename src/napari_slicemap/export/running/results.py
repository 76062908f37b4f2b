"""What a run says of itself: its report, ``export_results.csv``, and the log of what went wrong."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ...files import read_table, table_text, write_text
from .runner import ExportResult

RESULTS_FILE, LOG_FILE = "export_results.csv", "export.log"
RESULT_COLUMNS = (
    "item_id",
    "kind",
    "ok",
    "skipped",
    "output_path",
    "error",
    "seconds",
    "bytes",
    "warnings",
    "started_at",
)


@dataclass(frozen=True)
class ExportReport:
    """How an export went.

    Parameters
    ----------
    results : tuple of ExportResult
        One for each item that was done, in the order of the plan.
    counts : dict of str to int
        ``ok``, ``failed``, ``skipped``, ``cancelled``.
    left_out : tuple of str
        What was chosen but left out, with the reason.
    problems : tuple of str
        What went wrong beside the items: a table of results that could not be written, for one.
    """

    results: tuple[ExportResult, ...]
    counts: Mapping[str, int]
    left_out: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()


def counted(results: Sequence[ExportResult], total: int) -> dict[str, int]:
    """Count how the items went."""
    return {
        "ok": sum(result.ok and not result.skipped for result in results),
        "failed": sum(not result.ok for result in results),
        "skipped": sum(result.skipped for result in results),
        "cancelled": total - len(results),
    }


def write_results(folder: Path, results: Sequence[ExportResult]) -> None:
    """Write ``export_results.csv``; rows of earlier runs into the folder stay, unless done anew."""
    path = folder / RESULTS_FILE
    rows = [_row(folder, result) for result in results]
    done = {row["output_path"] for row in rows}
    kept = [row for row in earlier_rows(folder) if row["output_path"] not in done]
    write_text(path, table_text(RESULT_COLUMNS, [*kept, *rows]))
    traces = [f"{r.started_at} {r.item_id}: {r.error}\n{r.traceback}" for r in results if r.traceback]
    if traces:
        with (folder / LOG_FILE).open("a", encoding="utf-8", errors="backslashreplace") as log:
            log.write("\n".join(traces) + "\n")


def earlier_rows(folder: Path) -> list[dict[str, str]]:
    """Read the rows of earlier runs.

    Raises
    ------
    FileFormatError
        If the file there is no table of results.
    """
    path = folder / RESULTS_FILE
    return [row.cells for row in read_table(path, RESULT_COLUMNS)] if path.is_file() else []


def _row(folder: Path, result: ExportResult) -> dict[str, object]:
    return {
        "item_id": result.item_id,
        "kind": result.metadata.get("kind", ""),
        "ok": str(result.ok).lower(),
        "skipped": str(result.skipped).lower(),
        "output_path": result.output_path.relative_to(folder).as_posix(),
        "error": result.error,
        "seconds": f"{result.seconds:.3f}",
        "bytes": result.bytes,
        "warnings": "; ".join(result.metadata.get("warnings", [])),
        "started_at": result.started_at,
    }

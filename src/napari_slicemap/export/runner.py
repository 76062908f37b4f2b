"""The job runner: many items, a result each; one that fails does not stop the others."""

from __future__ import annotations

import time
import traceback as tb
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from ..errors import SlicemapError
from ..files import atomic_path, now_iso

State = Literal["pending", "running", "cancelled", "completed"]


@dataclass(frozen=True)
class JobItem:
    """One thing to do.

    Parameters
    ----------
    item_id : str
        ``<kind>:<stem>``.
    execute : callable
        ``execute(tmp_path) -> metadata``: writes a whole file to `tmp_path`, or raises. Picklable.
    output_path : Path
        The name that the file takes once it is whole.
    metadata : mapping
        Carried into the result.
    finish : callable, optional
        ``finish(output_path, metadata)``: called when the file has its name, such as to write a sidecar.
    """

    item_id: str
    execute: Callable[[Path], Mapping[str, Any]]
    output_path: Path
    metadata: Mapping[str, Any] = field(default_factory=dict)
    finish: Callable[[Path, Mapping[str, Any]], None] | None = None


@dataclass(frozen=True)
class ExportResult:
    """How one item went.

    Parameters
    ----------
    item_id : str
        Of the item.
    ok : bool
        Whether its file is there and whole.
    output_path : Path
        Its file.
    error : str
        One line that says what went wrong, or ``""``.
    traceback : str
        For the log.
    metadata : dict
        Of the item and from its execution; ``metadata["warnings"]`` is a list of sentences.
    seconds : float
        Time taken.
    bytes : int
        Size of the file.
    started_at : str
        ISO 8601 UTC.
    skipped : bool
        Whether it was left as it was.
    """

    item_id: str
    ok: bool
    output_path: Path
    error: str = ""
    traceback: str = ""
    metadata: Mapping[str, Any] = field(default_factory=dict)
    seconds: float = 0.0
    bytes: int = 0
    started_at: str = ""
    skipped: bool = False


class JobRunner:
    """Run items one after the other.

    Parameters
    ----------
    items : sequence of JobItem
        What to do.
    on_progress : callable, optional
        ``on_progress(result, done, total)`` after each item.
    cancel : callable, optional
        Asked before each item; once it says true, the rest is left undone.
    """

    def __init__(
        self,
        items: Sequence[JobItem],
        *,
        on_progress: Callable[[ExportResult, int, int], None] | None = None,
        cancel: Callable[[], bool] | None = None,
    ) -> None:
        self.items = list(items)
        self.state: State = "pending"
        self.results: list[ExportResult] = []
        self._on_progress, self._cancel = on_progress, cancel

    def run(self) -> list[ExportResult]:
        """Run the items in order.

        Returns
        -------
        list of ExportResult
            One for each item that was begun; also in ``results``, should the run be interrupted.
        """
        self.state = "running"
        for item in self.items:
            if self._cancel is not None and self._cancel():
                self.state = "cancelled"
                return self.results
            self.results.append(run_item(item))
            if self._on_progress is not None:
                self._on_progress(self.results[-1], len(self.results), len(self.items))
        self.state = "completed"
        return self.results


def run_item(item: JobItem) -> ExportResult:
    """Run one item: its file appears whole under its name, or not at all."""
    started_at, start = now_iso(), time.perf_counter()
    try:
        item.output_path.parent.mkdir(parents=True, exist_ok=True)
        with atomic_path(item.output_path) as temporary:
            metadata = {**item.metadata, **item.execute(temporary)}
        if item.finish is not None:
            item.finish(item.output_path, metadata)
    except Exception as error:  # any fault of one item becomes its result; none is swallowed
        return ExportResult(
            item_id=item.item_id,
            ok=False,
            output_path=item.output_path,
            error=_one_line(error),
            traceback=tb.format_exc(),
            metadata=dict(item.metadata),
            seconds=time.perf_counter() - start,
            started_at=started_at,
        )
    return ExportResult(
        item_id=item.item_id,
        ok=True,
        output_path=item.output_path,
        metadata=metadata,
        seconds=time.perf_counter() - start,
        bytes=item.output_path.stat().st_size,
        started_at=started_at,
    )


def _one_line(error: Exception) -> str:
    text = " ".join(str(error).split())
    return text if isinstance(error, SlicemapError) and text else f"{type(error).__name__}: {text}"

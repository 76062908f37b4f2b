"""The job runner: many items, a result each; one that fails does not stop the others."""

from __future__ import annotations

import errno
import time
import traceback as tb
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from ...errors import CancelledError, SlicemapError
from ...files import atomic_folder, now_iso
from ...render.threads import at_most
from .cancelling import Asked, never, stopped_by
from .drafts import Draft, size_of, sync_folders

State = Literal["pending", "running", "cancelled", "completed"]

Texts = Mapping[Path, str]
"""Files that go with an output: path → content."""


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
    describe : callable, optional
        ``describe(tmp_path, metadata) -> (metadata, texts)``: sees the whole file before it takes its name, and
        gives what the result is to carry and the text files that go with the output, such as a sidecar. They
        take their names right before it, so that an output that has its name is done.
    folder : bool
        The output is a folder: `tmp_path` is an empty one.
    """

    item_id: str
    execute: Callable[[Path], Mapping[str, Any]]
    output_path: Path
    metadata: Mapping[str, Any] = field(default_factory=dict)
    describe: Callable[[Path, Mapping[str, Any]], tuple[Mapping[str, Any], Texts]] | None = None
    folder: bool = False


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


Group = Sequence[JobItem]
Strategy = Callable[[Sequence[Group], Asked], Iterator[tuple[int, list[ExportResult]]]]
"""How groups of items are run: gives the number of each group and its results, as they come to an end. The results
of a group that was stopped are fewer than its items. `Asked` is called in the thread of the caller alone."""


def in_series(groups: Sequence[Group], asked: Asked) -> Iterator[tuple[int, list[ExportResult]]]:
    """Run groups one after the other; an item may use all processors."""
    for number, group in enumerate(groups):
        if asked():
            return
        yield number, run_group(group, asked)


class JobRunner:
    """Run items.

    Parameters
    ----------
    items : sequence of JobItem
        What to do.
    on_progress : callable, optional
        ``on_progress(result, done, total)`` after each item, as they come to an end.
    cancel : callable, optional
        Asked before each item and within long ones; once it says true, the rest is left undone.
    strategy : callable
        How: :func:`in_series`, or that of :func:`~.strategies.find_strategy`.
    group_size : int
        How many items are made durable together.
    keep : callable, optional
        ``keep(results) -> results``: called with the results of each group as they come, in the caller's thread.
    """

    def __init__(
        self,
        items: Sequence[JobItem],
        *,
        on_progress: Callable[[ExportResult, int, int], None] | None = None,
        cancel: Asked | None = None,
        strategy: Strategy = in_series,
        group_size: int = 1,
        keep: Callable[[list[ExportResult]], list[ExportResult]] | None = None,
    ) -> None:
        self.items = list(items)
        self.state: State = "pending"
        self._done: dict[int, list[ExportResult]] = {}
        self._groups = [self.items[at : at + group_size] for at in range(0, len(self.items), group_size)]
        self._on_progress, self._cancel = on_progress, cancel or never
        self._strategy, self._keep = strategy, keep

    @property
    def results(self) -> list[ExportResult]:
        """The results so far, in the order of the items."""
        return [result for number in sorted(self._done) for result in self._done[number]]

    def run(self) -> list[ExportResult]:
        """Run the items.

        Returns
        -------
        list of ExportResult
            One for each item that was done, in their order; also in ``results``, should the run be interrupted.
        """
        self.state = "running"
        count = 0
        with closing(self._strategy(self._groups, self._cancel)) as groups:  # type: ignore[type-var]
            for number, found in groups:
                made = found if self._keep is None else self._keep(found)
                self._done[number] = made
                for result in made:
                    count += 1
                    if self._on_progress is not None:
                        self._on_progress(result, count, len(self.items))
        self.state = "completed" if count == len(self.items) else "cancelled"
        return self.results


def run_item(item: JobItem) -> ExportResult:
    """Run one item: its file appears whole under its name, or not at all."""
    return run_group([item])[0]


@dataclass
class _Made:
    """An item whose files are written, but have no names yet; or whose result is known already."""

    item: JobItem
    result: ExportResult
    drafts: list[Draft] = field(default_factory=list)

    def fail(self, error: Exception) -> None:
        """Note that it went wrong after all; any fault of one item becomes its result, and none is swallowed."""
        self.result = replace(
            self.result,
            ok=False,
            error=one_line(error, self.item.output_path),
            traceback="".join(tb.format_exception(error)),
            metadata=dict(self.item.metadata),
            bytes=0,
        )


def run_group(items: Group, asked: Asked = never) -> list[ExportResult]:
    """Run items one after the other and wait for the disk once: each file appears whole under its name, or not at all.

    Parameters
    ----------
    items : sequence of JobItem
        What to do. Several at once are small ones: each uses one thread.
    asked : callable
        Whether to stop; asked before each item and within it.

    Returns
    -------
    list of ExportResult
        One for each item; fewer if it was stopped.
    """
    made: list[_Made] = []
    try:
        with stopped_by(asked), at_most(1) if len(items) > 1 else nullcontext():
            for item in items:
                if asked():
                    break
                try:
                    made.append(_made(item))
                except CancelledError:
                    break
        _name(made)
    finally:
        for one in made:
            for draft in one.drafts:
                draft.discard()
    return [one.result for one in made]


def _made(item: JobItem) -> _Made:
    """Write the files of one item under temporary names."""
    started_at, start = now_iso(), time.perf_counter()
    made = _Made(item, ExportResult(item.item_id, True, item.output_path, started_at=started_at))
    try:
        item.output_path.parent.mkdir(parents=True, exist_ok=True)
        metadata, texts, size = _in_folder(item) if item.folder else _in_file(item, made.drafts)
        for path, text in texts.items():
            made.drafts.append(Draft(path))
            made.drafts[-1].write(text)
        made.result = replace(made.result, metadata=metadata, bytes=size)
    except BaseException as error:
        for draft in made.drafts:
            draft.discard()
        made.drafts.clear()
        if isinstance(error, CancelledError) or not isinstance(error, Exception):
            raise
        made.fail(error)
    made.result = replace(made.result, seconds=time.perf_counter() - start)
    return made


def _in_file(item: JobItem, drafts: list[Draft]) -> tuple[Mapping[str, Any], Texts, int]:
    # found out now: what goes with the output takes its name before it
    if item.output_path.is_dir():
        raise IsADirectoryError(f"{item.output_path} is a folder; no file can take its place")
    drafts.append(Draft(item.output_path))
    metadata, texts = _executed(item, drafts[0].temporary)
    return metadata, texts, drafts[0].temporary.stat().st_size


def _in_folder(item: JobItem) -> tuple[Mapping[str, Any], Texts, int]:
    # a folder has many files of its own to wait for, so nothing is gained by naming it with others
    with atomic_folder(item.output_path) as temporary:
        metadata, texts = _executed(item, temporary)
        return metadata, texts, size_of(temporary)


def _executed(item: JobItem, temporary: Path) -> tuple[Mapping[str, Any], Texts]:
    metadata = {**item.metadata, **item.execute(temporary)}
    return (metadata, {}) if item.describe is None else item.describe(temporary, metadata)


def _name(made: Sequence[_Made]) -> None:
    """Make files durable, and then give them their names; an item whose files cannot have them has failed."""
    start = time.perf_counter()
    for step in (Draft.sync, Draft.take_name):
        for one in made:
            try:
                # the output last: one that has its name is done, and a run that is taken up leaves it alone
                for draft in reversed(one.drafts) if one.result.ok else ():
                    step(draft)
            except OSError as error:
                one.fail(error)
    named = [one for one in made if one.result.ok and one.drafts]
    try:
        sync_folders([draft.target.parent for one in named for draft in one.drafts])
    except OSError as error:
        for one in named:
            one.fail(error)
    share = (time.perf_counter() - start) / max(1, len(made))
    for one in made:
        one.result = replace(one.result, seconds=one.result.seconds + share)


_OF_THE_DISK = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EFBIG, errno.EIO}


def one_line(error: Exception, output: Path) -> str:
    """Say in one line what went wrong with an output."""
    if isinstance(error, OSError) and error.errno in _OF_THE_DISK and not isinstance(error, SlicemapError):
        return f"{output} cannot be written: {error.strerror}"
    text = " ".join(str(error).split())
    return text if isinstance(error, SlicemapError) and text else f"{type(error).__name__}: {text}"

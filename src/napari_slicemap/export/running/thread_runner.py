"""Items side by side in threads of this process, each on one."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass

from ...render.threads import at_most
from .cancelling import Asked
from .runner import ExportResult, Group, run_group

_PATIENCE = 0.1
"""Seconds between two looks at whether to stop."""


@dataclass(frozen=True)
class Threads:
    """A strategy that runs so many groups at a time.

    Parameters
    ----------
    workers : int
        How many.
    """

    workers: int

    def __call__(self, groups: Sequence[Group], asked: Asked) -> Iterator[tuple[int, list[ExportResult]]]:
        """Run the groups; those taken up in advance are few, however many there are."""
        stop = threading.Event()
        waiting = iter(enumerate(groups))
        underway: dict[Future[list[ExportResult]], int] = {}
        with ThreadPoolExecutor(self.workers, thread_name_prefix="slicemap-export") as pool:
            try:
                while True:
                    if asked():
                        stop.set()
                    while len(underway) < 2 * self.workers and not stop.is_set():
                        if (found := next(waiting, None)) is None:
                            break
                        underway[pool.submit(_run, found[1], stop.is_set)] = found[0]
                    if not underway:
                        return
                    done, _ = wait(underway, timeout=_PATIENCE, return_when=FIRST_COMPLETED)
                    for future in done:
                        yield underway.pop(future), future.result()
            finally:  # whoever asked for results may have gone
                stop.set()


def _run(group: Group, asked: Asked) -> list[ExportResult]:
    with at_most(1):
        return run_group(group, asked)

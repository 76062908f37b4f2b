"""Items in other processes, here or on other machines, by dask.distributed.

Nothing of dask is imported before :class:`Dask` is made.
"""

from __future__ import annotations

import traceback as tb
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from ...errors import PlanError
from ...render.threads import at_most
from .cancelling import Asked
from .runner import ExportResult, Group, run_group

OWN_CLUSTER = {
    # looking a hundred times a second at what a worker does takes a fifth of its time
    "distributed.worker.profile.enabled": False,
    # memory that is given back after each picture, as is dask's default, has to be got anew for the next one
    "distributed.nanny.pre-spawn-environ.MALLOC_TRIM_THRESHOLD_": 2**27,
    "distributed.nanny.pre-spawn-environ.MALLOC_MMAP_THRESHOLD_": 2**25,
}
"""Settings of a cluster of our own."""
_PATIENCE = 0.1
"""Seconds between two looks at whether to stop."""
_TASKS = 8
"""For each worker, where items are small: so that none has long to wait for the last one."""
_MOST_GROUPS = 32
_AHEAD = 4
"""Tasks for each worker that are known to the scheduler at a time."""


def missing() -> str:
    """Say what to install if dask.distributed is not there, else ``""``."""
    from importlib.util import find_spec

    if find_spec("distributed") is None:
        return 'runner dask needs dask.distributed: pip install "napari-slicemap[cluster]"'
    return ""


def _distributed() -> Any:
    """Import dask.distributed, which has no types."""
    return import_module("distributed")


@dataclass(frozen=True)
class Dask:
    """A strategy that sends groups to the workers of a cluster.

    What is sent for an item is small: the dataset goes by its path, and each worker process opens it once. So
    workers must see the data and the output folder under the same paths. A worker that dies is replaced, and what
    it was doing is done again.

    Parameters
    ----------
    workers : int
        Processes of a cluster of one's own on this machine, of one thread each.
    scheduler : str
        Address of a cluster that is there already, such as ``tcp://10.0.0.1:8786``, instead.
    """

    workers: int
    scheduler: str = ""

    def __call__(self, groups: Sequence[Group], asked: Asked) -> Iterator[tuple[int, list[ExportResult]]]:
        """Run the groups; those known to the cluster at a time are few, however many there are."""
        if not groups:
            return
        # a file, and not a message: a worker looks at it in the midst of an item
        flag = groups[0][0].output_path.parent / f".slicemap-{uuid.uuid4().hex}.stop"
        underway: dict[Any, range] = {}
        with _client(self) as client:
            waiting = iter(_stretches(groups, max(1, len(client.ncores()))))
            try:
                while True:
                    if asked() and not flag.exists():
                        flag.touch()
                    room = _AHEAD * max(1, len(client.ncores()))
                    while len(underway) < room and not flag.exists():
                        if (found := next(waiting, None)) is None:
                            break
                        some = [list(groups[number]) for number in found]
                        underway[client.submit(_run, some, flag, pure=False)] = found
                    if not underway:
                        return
                    for future in _ended(list(underway)):
                        numbers = underway.pop(future)
                        # one that was stopped gives fewer
                        yield from zip(numbers, _results(future, groups, numbers), strict=False)
            finally:
                if underway:  # whoever asked for results has gone
                    flag.touch()
                    client.gather(list(underway), errors="skip")
                flag.unlink(missing_ok=True)


def _ended(underway: Sequence[Any]) -> list[Any]:
    """Give the futures that came to an end; none if none does for a while."""
    try:
        return list(_distributed().wait(underway, timeout=_PATIENCE, return_when="FIRST_COMPLETED").done)
    except TimeoutError:
        return []


def _stretches(groups: Sequence[Group], workers: int) -> list[range]:
    """Cut the groups into tasks: groups of small items go together, since neighbours are read from the same chunks."""
    size = 1
    if len(groups[0]) > 1:
        size = min(max(1, len(groups) // (_TASKS * workers)), _MOST_GROUPS)
    return [range(at, min(at + size, len(groups))) for at in range(0, len(groups), size)]


def _run(groups: Sequence[Group], flag: Path) -> list[list[ExportResult]]:
    made: list[list[ExportResult]] = []
    with at_most(1):
        for group in groups:
            if flag.exists():
                break
            made.append(run_group(group, flag.exists))
    return made


def _results(future: Any, groups: Sequence[Group], numbers: range) -> list[list[ExportResult]]:
    """Give what a task came to; one that could not be run has failed items, and says why.

    A result whose worker dies before it was fetched is made again meanwhile.
    """
    try:
        found: list[list[ExportResult]] = future.result()
    except Exception as error:  # whatever befell the cluster: the items have failed, and are told
        said = f"no worker could do it: {type(error).__name__}: {' '.join(str(error).split())}"
        trace = tb.format_exc()
        return [
            [
                ExportResult(item.item_id, False, item.output_path, said, trace, metadata=dict(item.metadata))
                for item in groups[number]
            ]
            for number in numbers
        ]
    return found


@contextmanager
def _client(dask: Dask) -> Iterator[Any]:
    if dask.scheduler:
        try:
            client = _distributed().Client(dask.scheduler)
        except (OSError, ValueError) as error:
            raise PlanError([f"no scheduler answers at {dask.scheduler}: {error}"]) from None
        with client:
            yield client
        return
    config = import_module("dask.config")

    with (
        config.set(OWN_CLUSTER),
        _distributed().LocalCluster(n_workers=dask.workers, threads_per_worker=1, dashboard_address=None) as cluster,
        _distributed().Client(cluster) as client,
    ):
        yield client

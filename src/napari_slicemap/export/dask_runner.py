"""Items in other processes, here or on other machines, by dask.distributed.

Nothing of dask is imported before :class:`Dask` is made.
"""

from __future__ import annotations

import traceback as tb
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import PlanError
from ..render.threads import at_most
from .cancelling import Asked
from .runner import ExportResult, Group, run_group

_PATIENCE = 0.1
"""Seconds between two looks at whether to stop."""
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
    from importlib import import_module

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
        waiting = iter(enumerate(groups))
        underway: dict[Any, int] = {}
        with _client(self) as client:
            try:
                while True:
                    if asked() and not flag.exists():
                        flag.touch()
                    room = _AHEAD * max(1, len(client.ncores()))
                    while len(underway) < room and not flag.exists():
                        if (found := next(waiting, None)) is None:
                            break
                        underway[client.submit(_run, list(found[1]), flag, pure=False)] = found[0]
                    if not underway:
                        return
                    for future in _ended(list(underway)):
                        number = underway.pop(future)
                        yield number, _results(future, groups[number])
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


def _run(group: Group, flag: Path) -> list[ExportResult]:
    with at_most(1):
        return run_group(group, flag.exists)


def _results(future: Any, group: Group) -> list[ExportResult]:
    """Give what a task came to; one that could not be run has failed items, and says why.

    A result whose worker dies before it was fetched is made again meanwhile.
    """
    try:
        found: list[ExportResult] = future.result()
    except Exception as error:  # whatever befell the cluster: the items have failed, and are told
        said = f"no worker could do it: {type(error).__name__}: {' '.join(str(error).split())}"
        trace = tb.format_exc()
        return [
            ExportResult(item.item_id, False, item.output_path, said, trace, metadata=dict(item.metadata))
            for item in group
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
    with (
        _distributed().LocalCluster(n_workers=dask.workers, threads_per_worker=1, dashboard_address=None) as cluster,
        _distributed().Client(cluster) as client,
    ):
        yield client

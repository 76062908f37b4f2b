"""Which runner: by name, with how many workers, on which cluster."""

from __future__ import annotations

from ...errors import PlanError, listing
from ...render.threads import processors
from .dask_runner import Dask, missing
from .runner import Strategy, in_series
from .thread_runner import Threads

RUNNERS = ("serial", "threads", "dask")


def strategy_faults(runner: str, workers: int | None, scheduler: str | None) -> list[str]:
    """List what is wrong with the choice of a runner."""
    if runner not in RUNNERS:
        return [f"unknown runner {runner!r} (there is {listing(RUNNERS)})"]
    faults = []
    if workers is not None and workers < 1:
        faults.append(f"workers is {workers}, expected at least 1")
    if workers is not None and runner == "serial":
        faults.append("runner serial does one item at a time; workers go with threads or dask")
    if scheduler and runner != "dask":
        faults.append(f"runner {runner} uses no scheduler; that of a cluster goes with dask")
    if scheduler and workers is not None:
        faults.append("a cluster that is there has its own workers; give workers or a scheduler, not both")
    if runner == "dask" and (said := missing()):
        faults.append(said)
    return faults


def find_strategy(runner: str, workers: int | None = None, scheduler: str | None = None) -> Strategy:
    """Give the strategy of a runner.

    Parameters
    ----------
    runner : "serial", "threads" or "dask"
        One item after the other, in threads, or in processes of dask.distributed.
    workers : int, optional
        How many items at a time; as many as there are processors by default.
    scheduler : str, optional
        With dask: address of a cluster that is there already.

    Returns
    -------
    callable
        For :class:`~.runner.JobRunner`.

    Raises
    ------
    PlanError
        If they do not go together, or dask.distributed is not installed.
    """
    if faults := strategy_faults(runner, workers, scheduler):
        raise PlanError(faults)
    if runner == "threads":
        return Threads(workers or processors())
    if runner == "dask":
        return Dask(workers or processors(), scheduler or "")
    return in_series

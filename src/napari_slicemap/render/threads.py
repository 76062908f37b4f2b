"""The threads that pictures are painted in: one for each processor, shared by all who paint."""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import cache
from typing import TypeVar

T = TypeVar("T")

_here = threading.local()


def processors() -> int:
    """Give how many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@cache
def _pool() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(processors(), thread_name_prefix="slicemap-paint", initializer=_mark)


def _mark() -> None:
    _here.painting = True


def for_each(do: Callable[[T], None], items: Iterable[T]) -> None:
    """Do something with each item, several at a time; at most two for each thread are taken up in advance.

    Parameters
    ----------
    do : callable
        Must not depend on the order.
    items : iterable
        What to do it with.

    Raises
    ------
    Exception
        The first that `do` raises, once everything under way has come to an end.
    """
    todo = list(items)
    # a thread of the pool that waited for others of the pool could wait for ever
    if len(todo) <= 1 or processors() == 1 or getattr(_here, "painting", False):
        for item in todo:
            do(item)
        return
    underway: deque[Future[None]] = deque()
    try:
        for item in todo:
            underway.append(_pool().submit(do, item))
            if len(underway) >= 2 * processors():
                underway.popleft().result()
        while underway:
            underway.popleft().result()
    finally:
        for future in underway:
            future.cancel()
        for future in underway:
            if not future.cancelled():
                future.exception()

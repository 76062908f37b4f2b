"""The threads that pictures are painted in: one for each processor, shared by all who paint.

Where pictures are made side by side, each is painted in one thread: see :func:`at_most`.
"""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from typing import TypeVar

T = TypeVar("T")

_here = threading.local()
_limit: ContextVar[int | None] = ContextVar("threads of what is being done", default=None)


@contextmanager
def at_most(threads: int) -> Iterator[None]:
    """Let what is done within, in the calling thread, use no more than so many threads."""
    before = _limit.set(threads)
    try:
        yield
    finally:
        _limit.reset(before)


def processors() -> int:
    """Give how many processors may be used: those of this process, or fewer within :func:`at_most`."""
    there, limit = _processors(), _limit.get()
    return there if limit is None else min(there, limit)


def _processors() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@cache
def _pool() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(_processors(), thread_name_prefix="slicemap-paint", initializer=_mark)


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

"""Work done in threads whose results come in order, with little taken up in advance."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

from ...render.threads import processors

T = TypeVar("T")
R = TypeVar("R")

_MOST_THREADS = 8
"""More would wait for what paints the picture, and each holds some memory."""


def in_order(do: Callable[[T], R], items: Iterable[T]) -> Iterator[R]:
    """Do something with each item, several at a time, and give the results in the order of the items.

    Parameters
    ----------
    do : callable
        Called from other threads.
    items : iterable
        Gone through in the caller's thread; at most two for each thread are held at once, which bounds the
        memory however many there are.

    Yields
    ------
    object
        What `do` made of each item.

    Raises
    ------
    Exception
        What `items` or `do` raises; what has not begun by then is not begun.
    """
    threads = min(_MOST_THREADS, processors())
    if threads == 1:
        yield from map(do, items)
        return
    underway: deque[Future[R]] = deque()
    with ThreadPoolExecutor(threads, thread_name_prefix="slicemap-write") as pool:
        try:
            for item in items:
                if len(underway) == 2 * threads:
                    yield underway.popleft().result()
                underway.append(pool.submit(do, item))
            while underway:
                yield underway.popleft().result()
        finally:
            for future in underway:
                future.cancel()

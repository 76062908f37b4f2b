"""The threads that read blocks: what is wanted now comes first, and what is no longer wanted is not read."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Hashable, Sequence
from enum import IntEnum

from ..render.threads import at_most, processors
from .blocks import BlockCache, BlockKey

_WAIT_S = 20.0
"""How long closing waits for blocks that are being read."""


class Rank(IntEnum):
    """What is read first."""

    VIEW = 0
    """What is in view."""
    PAGE = 1
    """The rest of the page's overview."""
    AHEAD = 2
    """What may be looked at next."""


class BlockLoader:
    """Reads blocks into a cache. Its threads begin with the work and end with it: an idle loader has none.

    Parameters
    ----------
    cache : BlockCache
        Where blocks go.
    threads : int, optional
        How many blocks are read at once; by default one for each processor, two at least: some wait for the disk.
    """

    def __init__(self, cache: BlockCache, threads: int | None = None) -> None:
        self.cache = cache
        self.on_arrival: Callable[[], None] = lambda: None
        """Called in a reading thread when a block has come or could not be read."""
        self._most = max(2, processors()) if threads is None else threads
        self._lock = threading.Lock()
        self._wanted: dict[tuple[Rank, Hashable], deque[BlockKey]] = {}
        self._reading: dict[BlockKey, Rank] = {}
        self._failed: set[BlockKey] = set()
        self._arrived: list[BlockKey] = []
        self._errors: list[Exception] = []
        self._threads: list[threading.Thread] = []
        self._closed = False

    @property
    def busy(self) -> bool:
        """Whether anything is being read, or is to be."""
        with self._lock:
            return bool(self._reading) or any(self._wanted.values())

    @property
    def in_view(self) -> bool:
        """Whether anything that is in view is still to come."""
        with self._lock:
            wanted = any(keys for (rank, _), keys in self._wanted.items() if rank == Rank.VIEW)
            return wanted or Rank.VIEW in self._reading.values()

    def want(self, who: Hashable, rank: Rank, keys: Sequence[BlockKey]) -> None:
        """Say what somebody wants now, the most urgent first; what they wanted before by that rank is forgotten."""
        with self._lock:
            if self._closed:
                return
            # the one who asked last is served first
            self._wanted.pop((rank, who), None)
            if keys:
                self._wanted = {(rank, who): deque(keys), **self._wanted}
            missing = min(len(keys), self._most - len(self._threads))
            for _ in range(missing):
                thread = threading.Thread(target=self._work, name="slicemap-blocks", daemon=True)
                self._threads.append(thread)
                thread.start()

    def forget(self, who: Hashable) -> None:
        """Read nothing for somebody any more."""
        for rank in Rank:
            self.want(who, rank, ())

    def take_arrived(self) -> tuple[list[BlockKey], list[Exception]]:
        """Give the blocks that came since the last time, and what went wrong."""
        with self._lock:
            found = self._arrived, self._errors
            self._arrived, self._errors = [], []
        return found

    def close(self) -> None:
        """Read nothing any more, wait for the threads to end, and forget all blocks."""
        self.on_arrival = lambda: None
        with self._lock:
            self._closed = True
            self._wanted.clear()
            threads = list(self._threads)
        for thread in threads:
            thread.join(_WAIT_S)
        self.cache.clear()
        self._failed.clear()
        self.take_arrived()

    def _work(self) -> None:
        with at_most(1):  # blocks are read side by side, so each in one thread
            while (key := self._next()) is not None:
                self._read(key)

    def _next(self) -> BlockKey | None:
        """Take the next block to read; ``None`` ends the thread."""
        with self._lock:
            for place in sorted(self._wanted, key=lambda place: place[0]):
                keys = self._wanted[place]
                while keys:
                    key = keys.popleft()
                    if not (key in self._reading or key in self._failed or key.source.has(key)):
                        self._reading[key] = place[0]
                        self._to_the_end(place)
                        return key
                del self._wanted[place]
            self._threads.remove(threading.current_thread())
            return None

    def _to_the_end(self, place: tuple[Rank, Hashable]) -> None:
        """Let the others of a rank have their turn."""
        self._wanted[place] = self._wanted.pop(place)

    def _read(self, key: BlockKey) -> None:
        try:
            block = key.source.read(key)
        except Exception as error:  # told in the window's thread
            with self._lock:
                self._failed.add(key)
                self._errors.append(error)
        else:
            self.cache.put(key, block)
            with self._lock:
                self._arrived.append(key)
        finally:
            with self._lock:
                del self._reading[key]
        self.on_arrival()

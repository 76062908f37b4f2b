"""Decoded chunks kept in memory, up to a number of bytes; shared by viewer and export."""

from __future__ import annotations

import math
import sys
from collections import OrderedDict
from collections.abc import Callable, Collection, Hashable, Sequence
from pathlib import Path
from threading import Condition, local
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Allocate = Callable[[tuple[int, ...], np.dtype[Any]], NDArray[Any]]

    _Plane = tuple[Path, Hashable]
    _Chunks = dict[Hashable, "tuple[_Slab, NDArray[Any]]"]


_SLAB = 2**23
"""Bytes of a slab. From 4 MiB on, memory comes in large pages, and those cost far less to come by than small ones."""


class _Slab:
    """A piece of memory that chunks share; they are kept, and forgotten, together."""

    def __init__(self, memory: NDArray[np.uint8]) -> None:
        self.memory = memory
        self.used = 0
        self.chunks: list[tuple[_Chunks, Hashable]] = []
        self.filling = True

    @property
    def idle(self) -> bool:
        """Whether nobody fills this memory or sees a part of it."""
        # this object and the call itself hold it, as does every chunk in it
        return not self.filling and sys.getrefcount(self.memory) <= 2

    def lend(self, shape: tuple[int, ...], dtype: np.dtype[Any], nbytes: int) -> NDArray[Any] | None:
        """Give an array in this memory; ``None`` if it is full."""
        start = -(-self.used // 64) * 64
        if start + nbytes > self.memory.nbytes:
            return None
        self.used = start + nbytes
        return np.ndarray(shape, dtype, self.memory, start)


def _certain(memory: NDArray[Any] | None) -> NDArray[Any]:
    assert memory is not None, "a new slab has room for what it was made for"
    return memory


_LOADING: Any = object()


class ChunkCache:
    """Least recently used chunks go first when the bytes run out; what two threads want at once is decoded once.

    Parameters
    ----------
    max_bytes : int
        Bytes of memory to keep at most. A chunk larger than a quarter of it is handed out and not kept.
    """

    def __init__(self, max_bytes: int = 512 * 2**20) -> None:
        self.max_bytes = max_bytes
        self.nbytes = 0
        self._slab_bytes = min(_SLAB, max_bytes // 4)
        self._planes: dict[_Plane, _Chunks] = {}
        self._slabs: OrderedDict[_Slab, None] = OrderedDict()
        self._changed = Condition()
        self._waiting = 0
        self._own = local()
        self._spare: list[NDArray[np.uint8]] = []

    def __len__(self) -> int:
        return sum(len(chunks) for chunks in self._planes.values())

    def get(
        self,
        plane: tuple[Path, Hashable],
        places: Sequence[Hashable],
        load: Callable[[list[Any], Allocate], list[NDArray[Any]]],
    ) -> list[NDArray[Any]]:
        """Give the chunks of a plane that are kept; load the others, and keep them.

        Parameters
        ----------
        plane : tuple
            The file, and everything else that decides the pixels.
        places : sequence of hashable
            Which chunks, each once.
        load : callable
            ``load(places, allocate)`` decodes some of them, each into one array that it gets from
            ``allocate(shape, dtype)``.

        Returns
        -------
        list of ndarray
            One for each place, read-only: others hold them, too.
        """
        if (kept := self._kept(plane, places)) is not None:
            return kept
        found: dict[Hashable, NDArray[Any]] = {}
        while len(found) < len(places):
            chunks, mine = self._take(plane, places, found)
            try:
                if mine:
                    found.update(self._load(chunks, mine, load))
            finally:
                self._end(plane, chunks, mine)
        return [found[place] for place in places]

    def _kept(self, plane: _Plane, places: Sequence[Any]) -> list[NDArray[Any]] | None:
        """Give the chunks if all of them are kept."""
        with self._changed:
            chunks = self._planes.get(plane)
            found = [None] if chunks is None else [chunks.get(place) for place in places]
            if None in found or _LOADING in found:
                return None
            held = [one for one in found if one is not None]
            for slab in dict.fromkeys(slab for slab, _ in held):
                self._slabs.move_to_end(slab)
            return [chunk for _, chunk in held]

    def _take(
        self, plane: _Plane, places: Sequence[Any], found: dict[Hashable, NDArray[Any]]
    ) -> tuple[_Chunks, list[Any]]:
        """Find what is kept, and say which chunks to load; wait if all the others are being loaded elsewhere."""
        with self._changed:
            while True:
                chunks = self._planes.setdefault(plane, {})
                mine, elsewhere = [], False
                for place in places:
                    if (kept := chunks.get(place)) is None:
                        mine.append(place)
                    elif kept is _LOADING:
                        elsewhere |= place not in found
                    else:
                        slab, found[place] = kept
                        self._slabs.move_to_end(slab)
                mine = [place for place in mine if place not in found]
                if mine or not elsewhere:
                    chunks.update(dict.fromkeys(mine, _LOADING))
                    return chunks, mine
                self._waiting += 1
                self._changed.wait()
                self._waiting -= 1

    def _load(
        self, chunks: _Chunks, places: list[Any], load: Callable[[list[Any], Allocate], list[NDArray[Any]]]
    ) -> dict[Hashable, NDArray[Any]]:
        holders: list[_Slab | None] = []

        def allocate(shape: tuple[int, ...], dtype: np.dtype[Any]) -> NDArray[Any]:
            holder, memory = self._lent(shape, dtype)
            holders.append(holder)
            return memory

        loaded = load(places, allocate)
        for chunk in loaded:
            chunk.flags.writeable = False
        with self._changed:
            for place, slab, chunk in zip(places, holders, loaded, strict=True):
                if slab is not None:
                    slab.chunks.append((chunks, place))
                    chunks[place] = slab, chunk
            for slab in dict.fromkeys(holders):
                if slab is not None:
                    # a slab that went meanwhile comes back for its new chunks
                    self.nbytes += 0 if slab in self._slabs else slab.memory.nbytes
                    self._slabs[slab] = None
                    self._slabs.move_to_end(slab)
            # memory that waits for its use must not take the place of chunks
            del self._spare[max(0, self.max_bytes - self.nbytes) // max(1, self._slab_bytes) :]
            while self._slabs and self.nbytes > self.max_bytes:
                self._forget(next(iter(self._slabs)))
        return dict(zip(places, loaded, strict=True))

    def _end(self, plane: _Plane, chunks: _Chunks, places: list[Any]) -> None:
        """End a loading, whatever came of it."""
        with self._changed:
            for place in places:
                if chunks.get(place) is _LOADING:
                    del chunks[place]
            if not chunks and self._planes.get(plane) is chunks:
                del self._planes[plane]
            if self._waiting:
                self._changed.notify_all()

    def _lent(self, shape: tuple[int, ...], dtype: np.dtype[Any]) -> tuple[_Slab | None, NDArray[Any]]:
        nbytes = math.prod(shape) * dtype.itemsize
        slab: _Slab | None = getattr(self._own, "slab", None)
        if slab is not None and nbytes <= self._slab_bytes // 4:
            memory = slab.lend(shape, dtype, nbytes)
            if memory is not None:  # nearly always
                return slab, memory
        if nbytes > self.max_bytes // 4:
            return None, np.empty(shape, dtype)
        if nbytes > self._slab_bytes // 4:  # it would leave much of a slab empty
            alone = _Slab(np.empty(nbytes, np.uint8))
            alone.filling = False
            return alone, _certain(alone.lend(shape, dtype, nbytes))
        # each thread has a slab of its own, so that lending needs no lock
        if slab is not None:
            slab.filling = False
        made = self._new_slab()
        return made, _certain(made.lend(shape, dtype, nbytes))

    def _new_slab(self) -> _Slab:
        with self._changed:
            if not self._spare and self._slabs and self.nbytes + self._slab_bytes > self.max_bytes:
                self._forget(next(iter(self._slabs)))  # before, and not after: so its memory can be had
            spare = self._spare.pop() if self._spare else None
        made = self._own.slab = _Slab(np.empty(self._slab_bytes, np.uint8) if spare is None else spare)
        return made

    def _forget(self, slab: _Slab) -> None:
        del self._slabs[slab]
        self.nbytes -= slab.memory.nbytes
        for chunks, place in slab.chunks:
            chunks.pop(place, None)
        slab.chunks.clear()
        # memory that was in use is had again at once; the system would have to clear it first
        room = self.max_bytes - self.nbytes - self._slab_bytes * len(self._spare)
        if slab.idle and slab.memory.nbytes == self._slab_bytes <= room:
            self._spare.append(slab.memory)

    def clear(self) -> None:
        """Forget all chunks; their memory is kept for what is read next."""
        with self._changed:
            while self._slabs:
                self._forget(next(iter(self._slabs)))

    def drop(self, paths: Collection[Path]) -> None:
        """Forget the chunks of some files, because they changed; their memory goes with the rest of its slab."""
        with self._changed:
            for plane in [plane for plane in self._planes if plane[0] in paths]:
                del self._planes[plane]

    def __reduce__(self) -> tuple[type[ChunkCache], tuple[int]]:
        # a copy in another process starts empty: it would be read there faster than sent
        return ChunkCache, (self.max_bytes,)

"""Decoded chunks kept in memory, up to a number of bytes; shared by viewer and export."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Collection
from concurrent.futures import Future
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from numpy.typing import NDArray


class ChunkCache:
    """Least recently used chunks go first when the bytes run out; what two threads want at once is decoded once.

    Parameters
    ----------
    max_bytes : int
        Bytes of pixels to keep at most. A chunk larger than a quarter of it is handed out and not kept.
    """

    def __init__(self, max_bytes: int = 512 * 2**20) -> None:
        self.max_bytes = max_bytes
        self.nbytes = 0
        self._chunks: OrderedDict[tuple[Any, ...], NDArray[Any]] = OrderedDict()
        self._loading: dict[tuple[Any, ...], Future[NDArray[Any]]] = {}
        self._lock = Lock()

    def __len__(self) -> int:
        return len(self._chunks)

    def get(self, key: tuple[Any, ...], load: Callable[[], NDArray[Any]]) -> NDArray[Any]:
        """Give what is kept under a key; otherwise load it, and keep it.

        Parameters
        ----------
        key : tuple
            Everything that decides the pixels; the file's path comes first.
        load : callable
            Decodes them.

        Returns
        -------
        ndarray
            Read-only: others hold it, too.
        """
        with self._lock:
            if (kept := self._chunks.get(key)) is not None:
                self._chunks.move_to_end(key)
                return kept
            if (underway := self._loading.get(key)) is None:
                mine = self._loading[key] = Future()
        if underway is not None:
            return underway.result()
        try:
            loaded = load()
        except BaseException as error:
            with self._lock:
                del self._loading[key]
            mine.set_exception(error)
            raise
        loaded.flags.writeable = False
        with self._lock:
            del self._loading[key]
            self._keep(key, loaded)
        mine.set_result(loaded)
        return loaded

    def _keep(self, key: tuple[Any, ...], chunk: NDArray[Any]) -> None:
        if chunk.nbytes > self.max_bytes // 4:
            return
        self._chunks[key] = chunk
        self.nbytes += chunk.nbytes
        while self.nbytes > self.max_bytes:
            _, dropped = self._chunks.popitem(last=False)
            self.nbytes -= dropped.nbytes

    def drop(self, paths: Collection[Path]) -> None:
        """Forget the chunks of some files, because they changed."""
        with self._lock:
            for key in [key for key in self._chunks if key[0] in paths]:
                self.nbytes -= self._chunks.pop(key).nbytes

    def __reduce__(self) -> tuple[type[ChunkCache], tuple[int]]:
        # a copy in another process starts empty: it would be read there faster than sent
        return ChunkCache, (self.max_bytes,)

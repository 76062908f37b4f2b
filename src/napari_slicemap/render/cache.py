"""Decoded planes kept in memory, up to a number of bytes; shared by viewer and export."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import TileReadError
from ..images.fov import Fov, ZChoice
from ..images.region import Window

if TYPE_CHECKING:
    from numpy.typing import NDArray

_Key = tuple[str, str, int, ZChoice, tuple[int, int]]


class PlaneCache:
    """Least recently used planes go first when the bytes run out.

    Parameters
    ----------
    max_bytes : int
        Bytes of pixels to keep at most. A plane larger than a quarter of it is read window by window instead.
    """

    def __init__(self, max_bytes: int = 512 * 2**20) -> None:
        self.max_bytes = max_bytes
        self._planes: OrderedDict[_Key, NDArray[Any]] = OrderedDict()
        self._lock = Lock()
        self.nbytes = 0

    def read(self, fov: Fov, channels: Sequence[str], window: Window, t: int = 0, z: ZChoice = 0) -> NDArray[Any]:
        """Read ``(C, H, W)`` pixels of a window of a FOV; see :meth:`Fov.read_window`."""
        planes = [self._plane(fov, name, window, t, z) for name in channels]
        return np.stack(planes)

    def _plane(self, fov: Fov, channel: str, window: Window, t: int, z: ZChoice) -> NDArray[Any]:
        key = (fov.name, channel, t, z, _state(fov.plane(channel).path))
        with self._lock:
            kept = self._planes.get(key)
            if kept is not None:
                self._planes.move_to_end(key)
        if kept is None:
            if fov.size_px[0] * fov.size_px[1] * _itemsize(fov, channel) > self.max_bytes // 4:
                return np.asarray(fov.read_window([channel], window, t, z)[0])
            kept = np.asarray(fov.read_window([channel], fov.bounds, t, z)[0])
            self._keep(key, kept)
        return kept[window.y0 : window.y1, window.x0 : window.x1]

    def _keep(self, key: _Key, plane: NDArray[Any]) -> None:
        with self._lock:
            if key in self._planes:
                return
            self._planes[key] = plane
            self.nbytes += plane.nbytes
            while self.nbytes > self.max_bytes:
                _, dropped = self._planes.popitem(last=False)
                self.nbytes -= dropped.nbytes

    def drop(self, fov: str) -> None:
        """Forget the planes of a FOV, because its files changed."""
        with self._lock:
            for key in [key for key in self._planes if key[0] == fov]:
                self.nbytes -= self._planes.pop(key).nbytes

    def __reduce__(self) -> tuple[type[PlaneCache], tuple[int]]:
        # a copy in another process starts empty: it would be read there faster than sent
        return PlaneCache, (self.max_bytes,)


def _state(path: Path) -> tuple[int, int]:
    """Tell one state of a file from another: a plane is kept only as long as its file is as it was."""
    try:
        found = path.stat()
    except OSError:
        return 0, 0  # reading it says what is wrong, by name
    return found.st_size, found.st_mtime_ns


def _itemsize(fov: Fov, channel: str) -> int:
    try:
        return fov.plane(channel).dtype.itemsize
    except TileReadError as error:
        raise TileReadError(f"FOV {fov.name}: {error}") from error

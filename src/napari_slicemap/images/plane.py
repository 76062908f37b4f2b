"""Planes: the pixels of one channel (or of a label image), read chunk by chunk."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from .region import Window

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from .cache import Allocate, ChunkCache


class Chunks:
    """The chunks of one plane of a file as it is now; to be closed after reading.

    Parameters
    ----------
    key : hashable
        What tells these pixels from any others: another plane, or the same file after a change.
    shape : tuple of int
        ``(height, width)`` of a chunk in px; chunks at the far edges may be smaller.
    read : callable
        ``read(places, allocate)`` decodes the chunks at some places ``(row, column)``, counted in chunks from the
        corner: arrays ``(h, w)``, cut at the plane's edges, in memory that ``allocate(shape, dtype)`` gives. Several
        at once, because threads that do little between one decoding and the next get out of each other's way.
        It raises TileReadError, naming the file.
    close : callable, optional
        Closes what :attr:`read` opened.
    """

    def __init__(
        self,
        key: Hashable,
        shape: tuple[int, int],
        read: Callable[[Sequence[tuple[int, int]], Allocate], list[NDArray[Any]]],
        close: Callable[[], None] | None = None,
    ) -> None:
        self.key, self.shape, self.read = key, shape, read
        self._close = close

    def __enter__(self) -> Chunks:
        return self

    def __exit__(self, *_: object) -> None:
        if self._close is not None:
            self._close()


class Plane(Protocol):
    """The pixels of one channel (or of a label image), in chunks that can be read apart."""

    @property
    def path(self) -> Path:
        """The file they come from, for messages and provenance."""

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """``(T, Z, Y, X)``."""

    @property
    def dtype(self) -> np.dtype[Any]:
        """Of the pixels."""

    @property
    def pixel_size_um(self) -> float | None:
        """Pixel size in µm, if the file states it."""

    @property
    def z_step_um(self) -> float | None:
        """From plane to plane, µm, if the file states it."""

    @property
    def times_s(self) -> tuple[float, ...] | None:
        """Of each time point, s, if the file states them; NaN where it leaves one out."""

    @property
    def key(self) -> Hashable:
        """What tells this file and channel from any others, and from what they were before a change."""

    def chunks(self, t: int, z: int) -> Chunks:
        """Give the chunks of one plane.

        Raises
        ------
        TileReadError
            Naming the file, if it cannot be read.
        """


def read_window(
    plane: Plane,
    t: int,
    z: int,
    window: Window,
    cache: ChunkCache | None = None,
    out: NDArray[Any] | None = None,
) -> NDArray[Any]:
    """Read a window of a plane; only the chunks that it touches are decoded.

    Parameters
    ----------
    plane : Plane
        The pixels.
    t, z : int
        Time point and z plane.
    window : Window
        Within the plane, px.
    cache : ChunkCache, optional
        Where decoded chunks are kept.
    out : ndarray, (H, W), optional
        Where the pixels are put, cast to its dtype.

    Returns
    -------
    ndarray, (H, W)
        `out`, or an array of the plane's dtype that may be a read-only view of a chunk.

    Raises
    ------
    TileReadError
        Naming the file, if it cannot be read.
    """
    found = window_chunks(plane, t, z, window, cache)
    if out is None and len(found) == 1:
        return found[0][2]
    made = np.empty(window.shape, plane.dtype) if out is None else out
    for y, x, part in found:
        made[y : y + part.shape[0], x : x + part.shape[1]] = part
    return made


def window_chunks(
    plane: Plane, t: int, z: int, window: Window, cache: ChunkCache | None = None
) -> list[tuple[int, int, NDArray[Any]]]:
    """Read the chunks under a window, each cut to it.

    Parameters
    ----------
    plane, t, z, window, cache
        As for :func:`read_window`.

    Returns
    -------
    list of (y, x, ndarray (h, w))
        Where each part lies in the window, px; read-only views of chunks, row by row.
    """
    with plane.chunks(t, z) as chunks:
        places, cuts = under(window, chunks.shape)
        read = chunks.read
        found = read(places, np.empty) if cache is None else cache.get((plane.path, chunks.key), places, read)
    return [(y, x, chunk[part]) for chunk, (y, x, part) in zip(found, cuts, strict=True)]


@lru_cache(maxsize=1024)  # the channels of a tile, and the tiles of a grid, are cut alike
def under(
    window: Window, shape: tuple[int, int]
) -> tuple[list[tuple[int, int]], list[tuple[int, int, tuple[slice, slice]]]]:
    """List the chunks under a window, ``(row, column)``, and of each where it lies in it and which part of it does."""
    rows, columns = _cuts(window.y0, window.y1, shape[0]), _cuts(window.x0, window.x1, shape[1])
    places = [(row, column) for row, *_ in rows for column, *_ in columns]
    return places, [(y, x, (down, across)) for _, down, y in rows for _, across, x in columns]


def _cuts(start: int, stop: int, size: int) -> list[tuple[int, slice, int]]:
    """Cut a range into chunks of a size: the number of each, the part of it that is wanted, and where that goes."""
    return [
        (n, slice(max(start - n * size, 0), min(stop - n * size, size)), max(n * size - start, 0))
        for n in range(start // size, -(-stop // size))
    ]

"""Planes: the pixels of one channel (or of a label image), read chunk by chunk."""

from __future__ import annotations

from collections.abc import Hashable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from .region import Window

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from .cache import ChunkCache


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
    def chunk_shape(self) -> tuple[int, int]:
        """``(height, width)`` of a chunk in px; chunks at the far edges may be smaller."""

    @property
    def key(self) -> Hashable:
        """What tells these pixels from any others: another plane, or the same file after a change."""

    def read_chunk(self, t: int, z: int, row: int, column: int) -> NDArray[Any]:
        """Decode one chunk ``(h, w)``, counted in chunks from the corner and cut at the plane's edges.

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
    height, width = plane.chunk_shape
    rows = range(window.y0 // height, -(-window.y1 // height))
    columns = range(window.x0 // width, -(-window.x1 // width))
    path, key = (plane.path, plane.key) if cache is not None else (None, None)

    def chunk(row: int, column: int) -> NDArray[Any]:
        if cache is None:
            return plane.read_chunk(t, z, row, column)
        return cache.get((path, key, t, z, row, column), lambda: plane.read_chunk(t, z, row, column))

    if out is None and len(rows) == len(columns) == 1:
        corner = Window(columns[0] * width, 0, rows[0] * height, 0)
        return chunk(rows[0], columns[0])[window.slices_in(corner)]
    made = np.empty(window.shape, plane.dtype) if out is None else out
    for row in rows:
        for column in columns:
            pixels = chunk(row, column)
            x, y = column * width, row * height
            whole = Window(x, x + pixels.shape[1], y, y + pixels.shape[0])
            shared = whole & window
            made[shared.slices_in(window)] = pixels[shared.slices_in(whole)]
    return made

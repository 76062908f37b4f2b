"""Planes of a volume, band by band from the top, each stored chunk decoded once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ...images.region import Window

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..volumes import SliceVolume

BUDGET = 2**29
"""Bytes of pixels that are held of one volume, about."""
_BAND = 512
"""Rows that the writer asks for at a time, about; it holds as much again of the coarser levels."""


def runs(volume: SliceVolume, budget: int | None = None) -> list[range]:
    """Cut the planes of a volume into runs that are read side by side.

    Mosaics store chunks that hold many planes, often all: side by side, they are decoded once for all of them.

    Parameters
    ----------
    volume : SliceVolume
        The volume.
    budget : int, optional
        Bytes that may be held; :data:`BUDGET` if not given. Chunks that belong to several runs are decoded once
        for each.

    Returns
    -------
    list of range
        Of z, in order; of about the same length.
    """
    depth, height, width = volume.shape
    rows = min(height, volume.image.info.chunk_shape[0]) + 2 * min(height, _BAND)
    needed = depth * rows * width * volume.dtype.itemsize
    count = min(depth, -(-needed // (BUDGET if budget is None else budget)))
    return [range(depth * n // count, depth * (n + 1) // count) for n in range(count)]


class PlaneRows:
    """Rows of the planes of a volume; asked for run by run, from the top down, each stored chunk is decoded once.

    Parameters
    ----------
    volume : SliceVolume
        The volume.
    planes : sequence of range
        The runs of z whose rows are read together, such as :func:`runs` gives.
    """

    def __init__(self, volume: SliceVolume, planes: Sequence[range]) -> None:
        self._volume, self._runs = volume, planes
        _, self._height, self._width = volume.shape
        self._step = volume.image.info.chunk_shape[0]
        self._begin(planes[0])

    def read(self, z: int, top: int, bottom: int) -> NDArray[Any]:
        """Give rows of one plane: ``(bottom - top, W)`` of the volume's dtype, not to be changed.

        Raises
        ------
        TileReadError
            Naming the file, if it cannot be read.
        """
        if z not in self._z:
            self._begin(next(run for run in self._runs if z in run))
        end = self._top + self._held.shape[1]
        if top < self._top or bottom > end:
            self._hold(top, bottom)
        return self._held[self._z.index(z), top - self._top : bottom - self._top]

    def _begin(self, run: range) -> None:
        self._z, self._top = run, 0
        self._held = np.empty((len(run), 0, self._width), self._volume.dtype)

    def _hold(self, top: int, bottom: int) -> None:
        """Read on to the end of the chunks; rows above `top` are given up."""
        end = self._top + self._held.shape[1]
        kept = self._held[:, top - self._top :] if self._top <= top <= end else self._held[:, :0]
        start = top + kept.shape[1]
        stop = min(self._height, -(-bottom // self._step) * self._step)
        read = self._volume.planes(self._z, Window(0, self._width, start, stop))
        self._held = np.concatenate([kept, read], axis=1) if kept.shape[1] else read
        self._top = top

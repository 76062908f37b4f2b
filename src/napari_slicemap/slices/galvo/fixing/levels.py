"""Coarser levels of an image whose full resolution has changed: each px is the mean of those that it stands for."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ....errors import FileFormatError
from .stored_array import StoredArray

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Place = tuple[int, ...]


@dataclass(frozen=True)
class Level:
    """A coarser level.

    Parameters
    ----------
    name : str
        Folder of the level within the image.
    stored : StoredArray
        The level as it was: its shape, chunks and encoding stay.
    full : StoredArray
        The full resolution.
    factors : tuple of int
        How many px of the full resolution one px stands for, along each axis.
    """

    name: str
    stored: StoredArray
    full: StoredArray
    factors: Place

    def holds(self, name: str) -> bool:
        """Say whether a file of the image is a chunk or shard of this level."""
        prefix = f"{self.name}/"
        return name.startswith(prefix) and self.stored.place_of(name.removeprefix(prefix)) is not None

    def write(self, made: Path, place: Place, out: Path, known: Path) -> None:
        """Write a file of the level, if there is anything to store.

        Parameters
        ----------
        made : Path
            Folder of the array of full resolution that it is the mean of.
        place : tuple of int
            Which chunk, or which shard.
        out : Path
            The file to write.
        known : Path
            The file as it was; chunks that were stored are stored again.

        Raises
        ------
        TileReadError
            Naming a file that cannot be read.
        """
        before = {at for at, _ in self.stored.parts(known, place)} if known.exists() else set()
        within = [n // m for n, m in zip(self.stored.files, self.stored.chunks, strict=True)]
        parts = []
        for inner in itertools.product(*map(range, within)):
            at = tuple(n * count + m for n, count, m in zip(place, within, inner, strict=True))
            if any(n * one >= size for n, one, size in zip(at, self.stored.chunks, self.stored.shape, strict=True)):
                continue
            chunk = self._chunk(made, at)
            if at in before or (chunk is not None and not self._empty(chunk)):
                parts.append((at, self.stored.pack(self._blank() if chunk is None else chunk)))
        if parts:
            self.stored.write(out, place, parts)

    def _blank(self) -> NDArray[Any]:
        return np.full(self.stored.chunks, self.stored.fill, self.stored.dtype)

    def _empty(self, chunk: NDArray[Any]) -> bool:
        return np.array_equal(chunk, self._blank(), equal_nan=self.stored.dtype.kind == "f")

    def _chunk(self, made: Path, at: Place) -> NDArray[Any] | None:
        """Make a chunk; ``None`` where nothing is stored that it is the mean of."""
        starts = [n * size for n, size in zip(at, self.stored.chunks, strict=True)]
        ends = [
            min(start + size, whole)
            for start, size, whole in zip(starts, self.stored.chunks, self.stored.shape, strict=True)
        ]
        box = [
            (start * factor, min(end * factor, size))
            for start, end, factor, size in zip(starts, ends, self.factors, self.full.shape, strict=True)
        ]
        means = _Means([end - start for start, end in zip(starts, ends, strict=True)], box, self.factors)
        stored = False
        grid = (range(low // size, -(-high // size)) for (low, high), size in zip(box, self.full.chunks, strict=True))
        for place in itertools.product(*grid):
            found = self.full.read(made, place)
            stored = stored or found is not None
            chunk = np.full(self.full.chunks, self.full.fill, self.full.dtype) if found is None else found
            means.add(chunk, [n * size for n, size in zip(place, self.full.chunks, strict=True)])
        if not stored:
            return None
        blank = self._blank()
        blank[tuple(slice(0, end - start) for start, end in zip(starts, ends, strict=True))] = means.take(blank.dtype)
        return blank


class _Means:
    """The means of cells, added up from one chunk after the other; NaN does not count."""

    def __init__(self, shape: Sequence[int], box: Sequence[tuple[int, int]], factors: Sequence[int]) -> None:
        self._box, self._factors = box, factors
        self._sums = np.zeros(shape)
        self._unknown: NDArray[np.float64] | None = None

    def add(self, chunk: NDArray[Any], corner: Sequence[int]) -> None:
        """Add what lies in the box of a chunk whose first px is at `corner`."""
        low = [max(at, first) for at, (first, _) in zip(corner, self._box, strict=True)]
        high = [min(at + size, last) for at, size, (_, last) in zip(corner, chunk.shape, self._box, strict=True)]
        part = chunk[tuple(slice(a - at, b - at) for a, b, at in zip(low, high, corner, strict=True))]
        cells = tuple(
            slice((a - first) // factor, -(-(b - first) // factor))
            for a, b, (first, _), factor in zip(low, high, self._box, self._factors, strict=True)
        )
        if part.dtype.kind == "f" and (nan := np.isnan(part)).any():
            if self._unknown is None:
                self._unknown = np.zeros(self._sums.shape)
            self._unknown[cells] += self._reduced(nan, low, high)
            part = np.where(nan, 0, part)
        with np.errstate(invalid="ignore"):  # inf − inf is NaN, as it should be
            self._sums[cells] += self._reduced(part, low, high)

    def _reduced(self, part: NDArray[Any], low: Sequence[int], high: Sequence[int]) -> NDArray[Any]:
        """Add up the px of each cell; the last axis first, along which px lie side by side."""
        for axis in reversed(range(part.ndim)):
            first, factor = self._box[axis][0], self._factors[axis]
            begun = first + (low[axis] - first) // factor * factor
            edges = np.arange(begun, high[axis], factor).clip(low[axis]) - low[axis]
            part = np.add.reduceat(part, edges, axis=axis, dtype=np.float64)
        return part

    def take(self, dtype: np.dtype[Any]) -> NDArray[Any]:
        """Give the means; whole numbers are rounded, half to even."""
        counts: NDArray[np.float64] = np.ones(())
        for (first, last), factor in zip(self._box, self._factors, strict=True):
            sizes = np.diff([*range(first, last, factor), last]).astype(np.float64)
            counts = counts[..., None] * sizes
        if self._unknown is not None:
            counts = counts - self._unknown
        with np.errstate(invalid="ignore", divide="ignore", over="ignore"):  # nothing but NaN stays NaN
            means = self._sums / counts
            if dtype.kind == "f":
                return means.astype(dtype)
        np.rint(means, out=means)
        if dtype.itemsize == 8:  # the largest of them lies between two floats, of which the upper one is out of range
            limits = np.iinfo(dtype)
            means.clip(float(limits.min), np.nextafter(float(limits.max), 0), out=means)
        return means.astype(dtype)


def factors_of(full: StoredArray, level: StoredArray, stated: Sequence[float] | None) -> Place:
    """Say how many px of the full resolution one px of a level stands for, along each axis.

    Parameters
    ----------
    full, level : StoredArray
        The arrays.
    stated : sequence of float or None
        What the image says.

    Raises
    ------
    FileFormatError
        Naming the level, if there are no such whole numbers.
    """
    if len(full.shape) != len(level.shape):
        raise FileFormatError(
            f"{level.folder}: it has {len(level.shape)} axes, and the full resolution {len(full.shape)}"
        )
    guesses = [None] * len(full.shape) if stated is None else list(stated)
    return tuple(
        _factor(one, other, guess, level.folder)
        for one, other, guess in zip(full.shape, level.shape, guesses, strict=True)
    )


def _factor(full: int, level: int, stated: float | None, folder: Path) -> int:
    plain = [] if not level else [full / level, math.ceil(full / level), full // level]
    for factor in map(round, plain if stated is None else [stated, *plain]):
        if factor >= 1 and level in (full // factor, -(-full // factor)):
            return factor
    raise FileFormatError(
        f"{folder}: it has {level} px where the full resolution has {full}, which is no whole number of px in one"
    )

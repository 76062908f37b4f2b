"""Coarser levels of an image, made of one band of its rows after another."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from .area import nearest
from .region import Grid, Window

if TYPE_CHECKING:
    from numpy.typing import NDArray


def coarser_means(band: NDArray[Any], count: int) -> Iterator[NDArray[Any]]:
    """Give the means of squares of 2, 4, 8 … px of a band: each of the pixels themselves, and rounded once.

    Parameters
    ----------
    band : ndarray, (h, w)
        Whole or floating-point numbers. But for the last band of an image, h is a multiple of ``2 ** count``.
    count : int
        How many levels.

    Yields
    ------
    ndarray, (ceil(h / 2 ** n), ceil(w / 2 ** n)) for n = 1 … count
        Same dtype. Squares at an edge are means of the pixels that exist; NaN does not count, and gives NaN where
        there is nothing else. Whole numbers are rounded, half to even; those of 64 bits to the precision of floats.
    """
    dtype = band.dtype
    held = _sums_dtype(dtype, count)
    sums, known = band, None
    if dtype.kind == "f" and (unknown := np.isnan(band)).any():
        sums, known = np.where(unknown, 0, band), ~unknown
    rows, columns = (np.ones(n) for n in band.shape)
    for _ in range(count):
        with np.errstate(invalid="ignore", divide="ignore", over="ignore"):  # 0/0 and inf − inf are NaN, as they should
            sums = _halved(sums, held)
            if known is None:
                rows, columns = (np.add.reduceat(one, np.arange(0, len(one), 2)) for one in (rows, columns))
                means = sums / rows[:, None]
                means /= columns
            else:
                known = _halved(known, np.dtype(np.int64))
                means = sums / known
        yield _as_stored(means, dtype)


def _sums_dtype(dtype: np.dtype[Any], count: int) -> np.dtype[Any]:
    """Choose what holds the sum of a square of 2 ** count px; whole numbers of 64 bits are added up as floats."""
    bits = 8 * dtype.itemsize + 2 * count
    if dtype.kind == "f" or bits > 64:
        return np.dtype(np.float64)
    return np.dtype(f"{dtype.kind}{4 if bits <= 32 else 8}")


def _halved(part: NDArray[Any], dtype: np.dtype[Any]) -> NDArray[Any]:
    """Add up squares of two by two px; the last of an odd number stands alone."""
    odd = [(0, part.shape[0] % 2), (0, part.shape[1] % 2)]
    even = np.pad(part, odd) if any(after for _, after in odd) else part
    pairs = np.add(even[::2], even[1::2], dtype=dtype)
    made: NDArray[Any] = pairs[:, ::2] + pairs[:, 1::2]
    return made


def _as_stored(means: NDArray[np.float64], dtype: np.dtype[Any]) -> NDArray[Any]:
    if dtype.kind == "f":
        return means.astype(dtype)
    np.rint(means, out=means)
    if dtype.itemsize == 8:  # the largest of them lies between two floats, of which the upper one is out of range
        limits = np.iinfo(dtype)
        means.clip(float(limits.min), np.nextafter(float(limits.max), 0), out=means)
    return means.astype(dtype)


def coarser_labels(band: NDArray[Any], count: int) -> Iterator[NDArray[Any]]:
    """Give one pixel of each square of 2, 4, 8 … px of a band: that at, or just above and left of, its centre.

    Parameters
    ----------
    band : ndarray, (h, w)
        Labels. But for the last band of an image, h is a multiple of ``2 ** count``.
    count : int
        How many levels.

    Yields
    ------
    ndarray, (ceil(h / 2 ** n), ceil(w / 2 ** n)) for n = 1 … count
        Same dtype. Squares at an edge give their pixel nearest to that centre.
    """
    height, width = band.shape
    window = Window(0, width, 0, height)
    for n in range(1, count + 1):
        yield nearest(band, window, Grid(2**n))

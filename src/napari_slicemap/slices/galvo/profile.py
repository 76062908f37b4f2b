"""What an average intensity projection (AIP) says of each A-line: how intensity steps from the one before.

Raw tiles are ``(Z, A-lines, B-scans)``, their projection ``(A-lines, B-scans)``. A-lines are a ring here: the mirror
goes on from the last one of a B-scan to the first one of the next.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from ...errors import StackError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

BLOCK_BYTES = 32 * 2**20
"""As much of a tile is read at once, or a stored chunk, if it is larger."""
DARKEST = 0.01
"""Intensities count as at least this part of the tile's mean, so that they have a logarithm."""
_REACH = 8  # A-lines on either side that tell how much steps of a B-scan vary there
_LEAST_VARIATION = 0.05  # of log intensity: steps of a B-scan without noise do not count for everything
_SIGNAL = 2 * DARKEST  # below it a px counts for less: an empty one shows no step
_LEAST_SIGNAL = 1e-3
_AROUND = (-2, -1, 1, 2)  # A-lines whose own steps are the trend, which is no edge


class TileVolume(Protocol):
    """The pixels of a raw tile: an array, a memory map, or whatever has a shape and gives an array when sliced."""

    @property
    def shape(self) -> tuple[int, ...]:
        """``(Z, A-lines, B-scans)``."""

    @property
    def dtype(self) -> np.dtype[Any]:
        """Of the pixels."""

    def __getitem__(self, index: Any, /) -> Any:
        """Give the pixels of a tuple of three slices."""


@dataclass(frozen=True)
class StepProfile:
    """How intensity steps into each A-line from the one before.

    Parameters
    ----------
    step : ndarray, (A-lines,), float64
        The weighted median over B-scans of the step in log intensity, less the trend around it: one A-line high.
    columns : ndarray, (A-lines, B-scans), float64
        The steps of each B-scan, less the same trend.
    weights : ndarray, (A-lines, B-scans), float64
        What each of them counts: the inverse of how much the steps around it vary, and less where it is empty.
    log : ndarray, (A-lines, B-scans), float64
        Log intensity.
    """

    step: Floats
    columns: Floats
    weights: Floats
    log: Floats


def average_projection(volume: TileVolume) -> Floats:
    """Average a raw tile over depth, a block at a time, in the order it is stored in.

    Parameters
    ----------
    volume : array-like, (Z, A-lines, B-scans)
        Real numbers of any dtype. A memory map is never copied whole, nor is an array that is read when it is sliced;
        of one that has `chunks`, the size of a stored chunk along each axis, each is read once, and whole.

    Returns
    -------
    ndarray, (A-lines, B-scans), float64
        Within 1e-13 of the mean, relative to that of the absolute values; 1e-6 for float32 in Fortran order, as raw
        tiles are. The same however large the blocks are.

    Raises
    ------
    StackError
        If it is no such volume.
    """
    shape = tuple(volume.shape)
    if len(shape) != 3 or 0 in shape or np.dtype(volume.dtype).kind not in "biuf":
        raise StackError(
            f"a tile has shape {shape} and dtype {volume.dtype}, expected (Z, A-lines, B-scans) of real numbers"
        )
    total = np.zeros(shape[1:])
    strides = np.abs(getattr(volume, "strides", None) or (0, 0, 0))
    add = _add_runs if strides[0] < strides[1:].min() else _add_planes
    for block in _blocks(volume, shape, strides):
        add(total[block[1:]], np.asarray(volume[block]))  # kept by no name, so that only one block is in memory
    return total / shape[0]


def _blocks(volume: TileVolume, shape: tuple[int, ...], strides: NDArray[np.intp]) -> Iterator[tuple[slice, ...]]:
    """Cut a volume into blocks of whole chunks that lie together where it is stored, in increasing Z."""
    chunks = getattr(volume, "chunks", None) or (1, 1, 1)
    # a dask array has a tuple for each axis, with the size of each chunk
    size = [min(one[0] if isinstance(one, tuple) else one, count) for one, count in zip(chunks, shape, strict=True)]
    along = sorted((2, 1, 0), key=strides.__getitem__)
    if strides.any():
        size[along[0]] = shape[along[0]]
    for axis in along:
        block_bytes = np.dtype(volume.dtype).itemsize * math.prod(size)
        size[axis] = min(shape[axis], size[axis] * max(1, BLOCK_BYTES // block_bytes))
    parts = (
        [slice(at, min(at + one, count)) for at in range(0, count, one)] for one, count in zip(size, shape, strict=True)
    )
    return product(*parts)


def _add_runs(total: Floats, pixels: NDArray[Any]) -> None:
    """Add up a whole depth that is stored together: float32 pairwise as it is, which takes less time than reading."""
    if pixels.dtype != np.float32:
        total += pixels.sum(axis=0, dtype=np.float64)
        return
    with np.errstate(over="ignore", invalid="ignore"):
        sums = np.add.reduce(pixels, axis=0)
    total += sums
    beyond = ~np.isfinite(sums)
    if beyond.any():  # what is too large for float32 need not be for float64
        total[beyond] = pixels[:, beyond].sum(axis=0, dtype=np.float64)


def _add_planes(total: Floats, pixels: NDArray[Any]) -> None:
    """Add planes one after the other, so that the sum is the same however many come in a block."""
    for plane in pixels:
        np.add(total, plane, out=total)


def checked_projection(aip: Any, n_pixel_return: int) -> Floats:
    """Give a projection as float64; a px that is not finite counts as the smallest finite one.

    Raises
    ------
    StackError
        If it is no projection of real numbers, or the return does not fit into it.
    """
    made = np.asarray(aip)
    if made.ndim != 2 or not made.size or made.dtype.kind not in "biuf":
        raise StackError(f"shape {made.shape} and dtype {made.dtype}, expected (A-lines, B-scans) of real numbers")
    if not 0 < n_pixel_return < len(made):
        raise StackError(
            f"the return has {n_pixel_return} A-lines, the tile {len(made)}: expected at least 1, and fewer of them"
        )
    given = made.astype(np.float64)
    known = np.isfinite(given)
    return given if known.all() else np.where(known, given, given[known].min() if known.any() else 0.0)


def step_profile(aip: Floats) -> StepProfile:
    """Measure the step into each A-line (see :class:`StepProfile`).

    Parameters
    ----------
    aip : ndarray, (A-lines, B-scans), float64
        Finite, of a mean above 0.
    """
    log = np.log(np.maximum(aip, DARKEST * aip.mean()))
    columns = log - np.roll(log, 1, axis=0)
    size = np.abs(columns)
    reach = min(_REACH, (len(aip) - 1) // 2)
    # without the step itself: where noise makes it small by chance, it would count for more
    variation = (_ring_sum(size, reach) - size) / max(1, 2 * reach)
    brightest = np.maximum(aip, np.roll(aip, 1, axis=0))
    signal = np.clip(brightest / (_SIGNAL * aip.mean()), _LEAST_SIGNAL, 1)
    weights = signal / (np.maximum(variation, 0) + _LEAST_VARIATION)
    middle = weighted_median(columns, weights)
    trend = np.median(np.stack([np.roll(middle, by) for by in _AROUND]), axis=0)
    return StepProfile(middle - trend, columns - trend[:, None], weights, log)


def _ring_sum(values: Floats, reach: int) -> Floats:
    """Sum rows from `reach` before each to `reach` after it."""
    padded = np.concatenate([values[len(values) - reach :], values, values[:reach]])
    sums = np.concatenate([np.zeros((1, values.shape[1])), np.cumsum(padded, axis=0)])
    made: Floats = sums[2 * reach + 1 :] - sums[: len(values)]
    return made


def weighted_median(values: Floats, weights: Floats) -> Floats:
    """Give the weighted median of each row: the least value up to which half the weight lies.

    Parameters
    ----------
    values, weights : ndarray, (N, M), float64
        Weights are above 0.

    Returns
    -------
    ndarray, (N,), float64
    """
    order = np.argsort(values, axis=1, kind="stable")
    weight = np.cumsum(np.take_along_axis(weights, order, axis=1), axis=1)
    place = np.argmax(weight >= weight[:, -1:] / 2, axis=1)
    chosen = np.take_along_axis(order, place[:, None], axis=1)
    made: Floats = np.take_along_axis(values, chosen, axis=1)[:, 0]
    return made

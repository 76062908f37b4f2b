"""Duck arrays over maps: napari indexes them freely, and only what it asks the numbers of is read."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..images.region import Window
from .block_source import Read, as_dtype
from .pages import Pages

_COARSEST = 1024
"""Levels go on until the canvas is at most so many px across."""


def steps_for(shape: tuple[int, int]) -> list[int]:
    """Give the downsampling of each level of a canvas ``(height, width)``: 1, 2, 4 …; two at least, as napari wants."""
    count = max(2, math.ceil(math.log2(max(1.0, max(shape) / _COARSEST))) + 1)
    return [2**level for level in range(count)]


class LazyLevel:
    """One level of one channel over all pages, ``(pages, height, width)``, or of a picture, with samples behind.

    Indexing gives a view; numpy asks :meth:`__array__` for the numbers.

    Parameters
    ----------
    pages : Pages
        The canvas.
    step : int
        Downsampling of the level.
    dtype : dtype
        Of the numbers handed out; means are rounded where it is an integer one.
    read : callable
        Reads cells of a page, ``(h, w)`` or ``(h, w, samples)``.
    samples : int
        3 or 4 for a picture; 0 for one number a cell, without an axis for them.
    key : tuple of (slice or int), optional
        What of it is seen, in cells of the level; everything by default.
    beyond : int or float
        What lies beyond a page's map.
    """

    def __init__(
        self,
        pages: Pages,
        step: int,
        dtype: np.dtype[Any],
        read: Read,
        samples: int = 0,
        key: tuple[slice | int, ...] | None = None,
        beyond: float = 0,
    ) -> None:
        self._beyond = beyond
        self._pages, self._step, self._read, self.dtype = pages, step, read, np.dtype(dtype)
        count, height, width = pages.shape
        self._samples = samples
        self._full = (count, -(-height // step), -(-width // step), *([samples] if samples else []))
        self._key = key or tuple(slice(0, size) for size in self._full)

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of what is seen."""
        return tuple(len(range(k.start, k.stop)) for k in self._key if isinstance(k, slice))

    @property
    def ndim(self) -> int:
        """Number of axes seen."""
        return len(self.shape)

    @property
    def size(self) -> int:
        """Number of elements seen."""
        return math.prod(self.shape)

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, key: Any) -> LazyLevel:
        asked = list(key) if isinstance(key, tuple) else [key]
        if Ellipsis in asked:
            at = asked.index(Ellipsis)
            asked[at : at + 1] = [slice(None)] * (self.ndim - len(asked) + 1)
        asked += [slice(None)] * (self.ndim - len(asked))
        if len(asked) > self.ndim:
            raise IndexError(f"{len(asked)} indices for {self.ndim} axes")
        wanted = iter(asked)
        made = tuple(k if isinstance(k, int) else _within(k, next(wanted)) for k in self._key)
        return LazyLevel(self._pages, self._step, self.dtype, self._read, self._samples, made, self._beyond)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        at, rows, columns = (k if isinstance(k, slice) else slice(k, k + 1) for k in self._key[:3])
        cells = Window(columns.start, columns.stop, rows.start, rows.stop)
        stack = np.full((at.stop - at.start, *cells.shape, *self._full[3:]), self._beyond, self.dtype)
        for number in range(at.start, at.stop):
            page = self._pages.pages[number]
            inner = cells & page.grid(self._step).cells(page.map.bounds)
            if not inner.empty:
                found = as_dtype(self._read(number, inner, self._step), self.dtype)
                stack[(number - at.start, *inner.slices_in(cells))] = found
        first = (0 if isinstance(k, int) else slice(None) for k in self._key[:3])
        picked = np.asarray(stack[(*first, *self._key[3:])])
        return picked if dtype is None else picked.astype(dtype, copy=False)


def _within(seen: slice, asked: Any) -> slice | int:
    """Index a range of cells by a slice or a number, as numpy would."""
    cells = range(seen.start, seen.stop)
    if isinstance(asked, slice):
        if asked.step not in (None, 1):
            raise IndexError(f"only steps of 1 are understood, not {asked.step}")
        part = cells[asked]
        return slice(part.start, max(part.start, part.stop))
    return cells[int(asked)]

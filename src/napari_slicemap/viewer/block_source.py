"""A channel or mask in blocks: what is there of any rectangle at once, over something coarser where it is not."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..images.region import Window, blocks
from .blocks import BlockCache, BlockKey, side_of
from .pages import Pages

Read = Callable[[int, Window, int], NDArray[Any]]
"""Give the cells ``(h, w)`` of one page at one downsampling: ``read(page, cells, step)``."""

_ALIKE = 4
"""A coarser level is worth reading first where its cells are more px than this many times those in view."""
_WHOLE = -1
"""The row and column by which a level that is kept whole is known."""


@dataclass
class Asked:
    """What one drawing lacks.

    Parameters
    ----------
    first : dict of BlockKey to None
        Coarse blocks beneath what is in view, where there is nothing to show: an ordered set.
    view : dict of BlockKey to float
        Blocks in view → distance from its middle, in blocks.
    page : dict of BlockKey to None
        The other blocks of the page's overview.
    """

    first: dict[BlockKey, None] = field(default_factory=dict)
    view: dict[BlockKey, float] = field(default_factory=dict)
    page: dict[BlockKey, None] = field(default_factory=dict)

    def urgent(self) -> list[BlockKey]:
        """Give what is lacking in view, in the order in which to read it."""
        return [*self.first, *sorted(self.view, key=self.view.__getitem__)]


def enclosing(key: BlockKey, step: int) -> BlockKey | None:
    """Give the block of a coarser level that a block lies within; ``None`` if the level is no coarser."""
    if step <= key.step:
        return None
    here, there = side_of(key.step) * key.step, side_of(step) * step
    return BlockKey(key.source, key.page, step, key.row * here // there, key.column * here // there)


class BlockSource:
    """One channel or mask of all pages, in blocks that are aligned to the canvas.

    Parameters
    ----------
    pages : Pages
        The canvas.
    steps : sequence of int
        Downsampling of its levels, powers of two, the finest first.
    dtype : dtype
        Of the numbers at full resolution.
    read : callable
        Reads cells of a page; may take long.
    cache : BlockCache
        Where blocks are kept.
    means : bool
        Whether coarser levels are means (float32), as a channel's are, or of the same dtype, as a mask's.
    """

    def __init__(
        self,
        pages: Pages,
        steps: Sequence[int],
        dtype: np.dtype[Any],
        read: Read,
        cache: BlockCache,
        *,
        means: bool = True,
    ) -> None:
        self.steps, self.dtype = tuple(steps), np.dtype(dtype)
        self._pages, self._read, self._cache = pages, read, cache
        coarse = np.dtype(np.float32) if means else np.dtype(dtype)
        self._page_cells: dict[tuple[int, int], Window] = {}
        self._overviews: dict[int, _Overview] = {}
        self._dtypes = {step: np.dtype(dtype) if step == 1 else coarse for step in self.steps}

    def page_cells(self, number: int, step: int) -> Window:
        """Give the cells of the canvas that a page's map covers."""
        found = self._page_cells.get((number, step))
        if found is None:
            page = self._pages.pages[number]
            found = self._page_cells[number, step] = page.grid(step).cells(page.map.bounds)
        return found

    def page_size(self, number: int) -> int:
        """Give how many px a page's map has; 0 where there is no such page."""
        pages = self._pages.pages
        return math.prod(pages[number].map.shape) if 0 <= number < len(pages) else 0

    def read(self, key: BlockKey) -> NDArray[Any]:
        """Read a block, as far as it lies within the page's map; any thread may."""
        found = self._read(key.page, key.window & self.page_cells(key.page, key.step), key.step)
        return as_dtype(found, self._dtypes[key.step])

    def now(self, number: int, cells: Window, step: int, asked: Asked) -> NDArray[Any]:
        """Give what is there of some cells, and note what is lacking.

        Parameters
        ----------
        number : int
            The page.
        cells : Window
            Cells within the page's map.
        step : int
            Downsampling.
        asked : Asked
            Where blocks that are not there are noted. The whole of the coarsest level is the page's overview,
            anything else is in view.

        Returns
        -------
        ndarray, (h, w)
            0 where nothing is known yet; means above step 1 (float32), not rounded.
        """
        if step == self.steps[-1]:
            return self._coarsest_now(number, cells, asked)
        made, side = np.zeros(cells.shape, self._dtypes[step]), side_of(step)
        covered = self.page_cells(number, step)
        middle_y, middle_x = (cells.y0 + cells.y1) / 2 / side - 0.5, (cells.x0 + cells.x1) / 2 / side - 0.5
        for part in blocks(cells, side):
            key = BlockKey(self, number, step, part.y0 // side, part.x0 // side)
            block = self._cache.get(key)
            if block is not None:
                top, left = part.y0 - max(key.row * side, covered.y0), part.x0 - max(key.column * side, covered.x0)
                height, width = part.shape
                made[part.slices_in(cells)] = block[top : top + height, left : left + width]
            else:
                asked.view[key] = (key.row - middle_y) ** 2 + (key.column - middle_x) ** 2
                self._guess(key, part, made[part.slices_in(cells)], asked)
        return made

    def _coarsest_now(self, number: int, cells: Window, asked: Asked) -> NDArray[Any]:
        overview, covered = self._overview(number), self.page_cells(number, self.steps[-1])
        if cells == covered:
            asked.page |= dict.fromkeys(overview.lacking)
        else:
            asked.view |= {key: 0.0 for key in overview.lacking if not (key.window & cells).empty}
        return overview.pixels[cells.slices_in(covered)]

    def whole(self, number: int, cells: Window, step: int) -> NDArray[Any]:
        """Read cells of a page, all of them, however long it takes."""
        return self._read(number, cells, step)

    def overview_keys(self, number: int) -> list[BlockKey]:
        """List the blocks of a page's overview that are not there; none where there is no such page."""
        return list(self._overview(number).lacking) if 0 <= number < len(self._pages.pages) else []

    def _overview(self, number: int) -> _Overview:
        """Give a page's overview with the blocks that have come by now."""
        kept, key = self._overviews.get(number), BlockKey(self, number, self.steps[-1], _WHOLE, _WHOLE)
        if kept is None or self._cache.get(key) is not kept.seen:
            cells = self.page_cells(number, key.step)
            kept = self._overviews[number] = _Overview(self, number, key.step, cells, self._dtypes[key.step])
            self._cache.put(key, kept.seen)
        kept.take_from(self._cache)
        return kept

    def let_go(self, key: BlockKey) -> None:
        """Forget an overview that the cache has no room for; any thread may say so."""
        if key.row == _WHOLE:
            self._overviews.pop(key.page, None)

    def has(self, key: BlockKey) -> bool:
        """Whether a block is in memory; any thread may ask."""
        overview = self._overviews.get(key.page)
        return key in self._cache or (overview is not None and overview.has(key))

    def value_at(self, number: int, x: int, y: int) -> tuple[Any, int] | None:
        """Give the value of a canvas px from the finest level that is there, and that level's downsampling."""
        for step in self.steps:
            side, (row, column) = side_of(step), (y // step, x // step)
            key = BlockKey(self, number, step, row // side, column // side)
            if not _holds(self.page_cells(number, step), column, row):
                return None
            if (kept := self._kept(key)) is not None:
                pixels, covered = kept
                return pixels[row - covered.y0, column - covered.x0], step
        return None

    def _kept(self, key: BlockKey) -> tuple[NDArray[Any], Window] | None:
        """Give pixels that hold a block, and the cells that they cover."""
        covered, overview = self.page_cells(key.page, key.step), self._overviews.get(key.page)
        if overview is not None and overview.has(key):
            return overview.pixels, covered
        block = self._cache.get(key)
        return None if block is None else (block, key.window & covered)

    def _guess(self, key: BlockKey, part: Window, out: NDArray[Any], asked: Asked) -> None:
        """Fill a part of a block that is not there from the finest coarser level that is."""
        for step in self.steps:
            above = enclosing(key, step)
            if above is not None and (kept := self._kept(above)) is not None:
                pixels, covered = kept
                rows = np.arange(part.y0, part.y1) * key.step // step - covered.y0
                columns = np.arange(part.x0, part.x1) * key.step // step - covered.x0
                out[...] = as_dtype(pixels[rows[0] : rows[-1] + 1], out.dtype)[rows - rows[0]][:, columns]
                return
        coarsest = enclosing(key, self.steps[-1])
        if coarsest is not None and coarsest.step > _ALIKE * key.step:
            asked.first[coarsest] = None


class _Overview:
    """The coarsest level of a page in one piece: it is drawn at every look, and has many blocks."""

    def __init__(self, source: BlockSource, number: int, step: int, cells: Window, dtype: np.dtype[Any]) -> None:
        self.pixels = np.zeros(cells.shape, dtype)
        self.seen = self.pixels.view()  # the cache lets nobody write into what it keeps
        self._cells, self._step, side = cells, step, side_of(step)
        parts = blocks(cells, side)
        self.lacking = {BlockKey(source, number, step, part.y0 // side, part.x0 // side): part for part in parts}

    def take_from(self, cache: BlockCache) -> None:
        """Take over the blocks that have come."""
        for key in [key for key in self.lacking if key in cache]:
            block = cache.take(key)
            if block is not None:
                self.pixels[self.lacking[key].slices_in(self._cells)] = block
                del self.lacking[key]

    def has(self, key: BlockKey) -> bool:
        """Whether a block is a part of this level, and has come."""
        return key.step == self._step and key not in self.lacking


def _holds(cells: Window, column: int, row: int) -> bool:
    return cells.x0 <= column < cells.x1 and cells.y0 <= row < cells.y1


def nothing(dtype: np.dtype[Any]) -> float:
    """Give the number that stands for no data in a channel: it is dark, wherever its contrast limits are."""
    if dtype.kind == "f":
        return np.nan
    return int(np.iinfo(dtype).min) if dtype.kind == "i" else 0


def as_dtype(found: NDArray[Any], dtype: np.dtype[Any]) -> NDArray[Any]:
    """Bring pixels to a dtype; means are rounded where it is an integer one."""
    whole = np.rint(found) if dtype.kind in "iu" and found.dtype.kind == "f" else found
    return whole.astype(dtype, copy=False)

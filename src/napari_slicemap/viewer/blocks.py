"""Blocks of pixels: how the levels of a canvas are cut, and those that are kept in memory."""

from __future__ import annotations

from collections import OrderedDict
from threading import Lock
from typing import TYPE_CHECKING, Any, NamedTuple

from ..images.region import Window

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from .block_source import BlockSource

_LARGEST, _SMALLEST = 512, 8
"""Cells along a block's side, at most and at least."""
_SOURCE_PX = 4096
"""Canvas px along a block's side, where the cells are not too few: reading a block must not take long."""


BLOCK_BYTES = 512 * 2**20
"""Bytes of blocks that are kept where nobody says otherwise."""


class BlockKey(NamedTuple):
    """Which block: of what, on which page, at which downsampling, and where.

    Parameters
    ----------
    source : BlockSource
        What it is a part of.
    page : int
        Its place on the slider.
    step : int
        Downsampling.
    row, column : int
        Its place among the blocks of the canvas.
    """

    source: BlockSource
    page: int
    step: int
    row: int
    column: int

    @property
    def window(self) -> Window:
        """Cells of the canvas that it covers, those beyond the page's map too."""
        side = side_of(self.step)
        return Window(self.column * side, (self.column + 1) * side, self.row * side, (self.row + 1) * side)


def side_of(step: int) -> int:
    """Give the cells along the side of a block.

    Steps and sides are powers of two, and a block never covers fewer px than one of a finer level, so that each
    block lies within one block of every coarser level.
    """
    return max(_SMALLEST, min(_LARGEST, _SOURCE_PX // step))


class BlockCache:
    """Blocks that were read, up to a number of bytes: the least recently used go first. Any thread may use it.

    Parameters
    ----------
    max_bytes : int
        Bytes of pixels to keep at most.
    """

    def __init__(self, max_bytes: int = BLOCK_BYTES) -> None:
        self.max_bytes = max_bytes
        self.nbytes = 0
        self._blocks: OrderedDict[BlockKey, NDArray[Any]] = OrderedDict()
        self._lock = Lock()

    def __len__(self) -> int:
        return len(self._blocks)

    def __contains__(self, key: BlockKey) -> bool:
        return key in self._blocks

    def get(self, key: BlockKey) -> NDArray[Any] | None:
        """Give a block, read-only; ``None`` if it is not kept."""
        with self._lock:
            found = self._blocks.get(key)
            if found is not None:
                self._blocks.move_to_end(key)
            return found

    def put(self, key: BlockKey, block: NDArray[Any]) -> None:
        """Keep a block; it must not be written into any more. Sources are told which of theirs had to go for it."""
        block.flags.writeable = False
        with self._lock:
            self._take_out(key)
            self._blocks[key] = block
            self.nbytes += block.nbytes
            while self.nbytes > self.max_bytes and self._blocks:
                gone = next(iter(self._blocks))
                self._take_out(gone)
                gone.source.let_go(gone)

    def take(self, key: BlockKey) -> NDArray[Any] | None:
        """Give a block and forget it."""
        with self._lock:
            return self._take_out(key)

    def clear(self) -> None:
        """Forget all blocks."""
        with self._lock:
            self._blocks.clear()
            self.nbytes = 0

    def _take_out(self, key: BlockKey) -> NDArray[Any] | None:
        found = self._blocks.pop(key, None)
        if found is not None:
            self.nbytes -= found.nbytes
        return found

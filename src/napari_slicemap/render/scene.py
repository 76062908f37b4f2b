"""The one way from pixels to a picture, for a FOV and for a map alike.

A scene says which pixels exist and hands them out; :func:`paint` averages them onto the cells of a grid, composites
them once, and draws what lies over them, block by block in several threads. A cell belongs to the grid and not to
the region asked for, so that a region rendered equals the same region cropped from the whole.
"""

from __future__ import annotations

import math
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any, Literal, Protocol

import numpy as np

from ..images.area import nearest
from ..images.region import Grid, Window, blocks
from .channels import ChannelSettings, rgb
from .engine import Piece, area_means, as_bytes, cell_sums, composite_into, composite_pieces, draw_mask_into
from .overlays import (
    OUTSIDE,
    AnnotationOverlay,
    MaskOverlay,
    Overlay,
    draw_annotation,
    draw_shapes,
    halo,
    in_drawing_order,
)
from .threads import for_each

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Labels = NDArray[np.int32] | NDArray[np.int64]

Method = Literal["area", "nearest"]

_BLOCK_SAMPLES = 2**23
"""Source pixels times channels of a block: bounds the memory of a picture, whatever its size."""
_LARGEST_STEP = 1024
"""Cells of more px are not held in memory at once."""


@dataclass(frozen=True)
class Pixels:
    """Pixels of a window.

    Parameters
    ----------
    stack : ndarray, (C, H, W)
        Intensities; it may be written over by the thread's next reading. Anything where `covered` is False.
    covered : ndarray of bool, (H, W), or None
        Where there are pixels; ``None`` for everywhere.
    failed : frozenset of int
        Tiles of the window that could not be read and are to be hatched.
    """

    stack: NDArray[Any]
    covered: NDArray[np.bool_] | None = None
    failed: frozenset[int] = frozenset()


@dataclass(frozen=True)
class Pieces:
    """Pixels of a window as they lie in memory, undownsampled.

    Parameters
    ----------
    pieces : list of Piece
        The later ones on top. Where there are none, no tile lies.
    failed : frozenset of int
        As in :class:`Pixels`.
    """

    pieces: list[Piece]
    failed: frozenset[int] = frozenset()


class Scene(Protocol):
    """What can be painted; asked by several threads at once."""

    @property
    def bounds(self) -> Window:
        """The px that exist at most."""

    def pixels(self, channels: Sequence[str], window: Window) -> Pixels:
        """Read a window within the bounds."""

    def pieces(self, channels: Sequence[str], window: Window) -> Pieces | None:
        """Give a window's pixels as they lie in memory; ``None`` where :meth:`pixels` has to put them together."""

    def stored_step(self) -> int:
        """Say how coarse the pixels are that :meth:`stored` reads; 1 where it has none."""

    def stored(self, channels: Sequence[str], block: Window, grid: Grid) -> Pixels | None:
        """Read cells of a grid that are kept from before; ``None`` where they have to be made from pixels."""

    def labels(self, kind: Literal["mask", "annotation"], name: str, window: Window) -> Labels:
        """Read labels of a window within the bounds; ``OUTSIDE`` where no image is."""

    def owners(self, window: Window) -> NDArray[np.int32]:
        """Say which tile paints each pixel of a window; -1 where none does."""

    def colors(self, name: str, tile: int) -> dict[int, str]:
        """Give the colours by label that an annotation has on one tile (an index as in ``owners``)."""


_own = threading.local()


def scratch(shape: tuple[int, ...], dtype: np.dtype[Any]) -> NDArray[Any]:
    """Lend an array that this thread's next call lends anew: fresh memory for each block costs more than its pixels."""
    size = math.prod(shape) * dtype.itemsize
    kept: NDArray[np.uint8] | None = getattr(_own, "kept", None)
    if kept is None or kept.nbytes < size:
        kept = _own.kept = np.empty(size, np.uint8)
    return kept[:size].view(dtype).reshape(shape)


def paint(
    scene: Scene,
    settings: Mapping[str, ChannelSettings],
    cells: Window,
    grid: Grid,
    overlays: Sequence[Overlay] = (),
    *,
    method: Method = "area",
    background: str = "#000000",
) -> NDArray[np.uint8]:
    """Paint cells of a grid.

    Parameters
    ----------
    scene : Scene
        What to paint.
    settings : mapping of str to ChannelSettings
        Channel → how to show it.
    cells : Window
        Which cells; those beyond the scene stay background.
    grid : Grid
        The cells' size and origin, px of the scene.
    overlays : sequence of Overlay
        What to draw over the channels.
    method : "area" or "nearest"
        Mean of each cell's pixels, or one of them.
    background : str
        ``#rrggbb``.

    Returns
    -------
    ndarray of uint8, (H, W, 4)
        RGBA: background where nothing is covered. Alpha is 255 where any source pixel lies under an output pixel,
        else 0.
    """
    # one number a pixel: three bytes apart could not be stored as fast
    canvas = np.empty(cells.shape, np.uint32)
    shown = {name: one for name, one in settings.items() if one.visible}
    brush = _Brush(scene, shown, grid, in_drawing_order(overlays), method)
    inner, blank = cells & grid.cells(scene.bounds), _packed(background)
    if inner != cells:
        canvas[...] = blank

    def fill(block: Window) -> None:
        part = canvas[block.slices_in(cells)]
        part[...] = blank  # here and not before: each thread comes by its own part of the memory
        brush.paint(block, part)

    for_each(fill, blocks(inner, _block_side(scene, grid, len(shown))))
    return as_bytes(canvas)


def _packed(color: str) -> np.uint32:
    red, green, blue = (round(255 * part) for part in rgb(color))
    return np.uint32(int.from_bytes(bytes((red, green, blue, 0)), sys.byteorder))


def _block_side(scene: Scene, grid: Grid, channels: int) -> int:
    """Give the cells along a block's side."""
    side = math.isqrt(_BLOCK_SAMPLES // max(1, channels))
    # a power of two, as the chunks of most files are: blocks then share fewer of them
    side = 1 << (max(1, side).bit_length() - 1)
    return max(1, side * scene.stored_step() // grid.step)


def stack_cells(
    scene: Scene, channels: Sequence[str], cells: Window, grid: Grid, *, method: Method = "area"
) -> NDArray[Any]:
    """Read the channels of cells of a grid, uncomposited.

    Returns
    -------
    ndarray, (C, h, w)
        Source dtype at step 1 (and by ``"nearest"``), float32 above; 0 where there is no data.
    """
    gathered = _Gathered((len(channels), *cells.shape))

    def read(block: Window) -> None:
        found = _cells(scene, channels, block, grid, method)
        if found.covered is None or found.covered.any():
            gathered.put(found, block.slices_in(cells))

    for_each(read, blocks(cells & grid.cells(scene.bounds), _block_side(scene, grid, len(channels))))
    return np.zeros(gathered.shape, np.float32) if gathered.stack is None else gathered.stack


@dataclass
class _Gathered:
    """A stack that blocks are put into; its dtype widens when a tile of another dtype comes up."""

    shape: tuple[int, int, int]
    stack: NDArray[Any] | None = None
    lock: threading.Lock = field(default_factory=threading.Lock)

    def put(self, found: Pixels, at: tuple[slice, slice]) -> None:
        with self.lock:
            if self.stack is None:
                self.stack = np.zeros(self.shape, found.stack.dtype)
            dtype = np.result_type(self.stack.dtype, found.stack.dtype)
            self.stack = self.stack.astype(dtype, copy=False)
            np.copyto(self.stack[:, *at], found.stack, where=True if found.covered is None else found.covered)


def _cells(scene: Scene, channels: Sequence[str], block: Window, grid: Grid, method: Method) -> Pixels:
    """Read the channels of a block of cells."""
    if (kept := scene.stored(channels, block, grid)) is not None:
        return kept
    if grid.step > _LARGEST_STEP:
        return _huge_cells(scene, channels, block, grid, method)
    window = grid.pixels(block) & scene.bounds
    found = scene.pixels(channels, window)
    if grid.step == 1:
        return found
    if method == "nearest":
        covered = None if found.covered is None else nearest(found.covered, window, grid)
        return Pixels(nearest(found.stack, window, grid), covered, found.failed)
    means, covered = area_means(found.stack, window, grid, found.covered)
    return Pixels(means, covered, found.failed)


def _huge_cells(scene: Scene, channels: Sequence[str], block: Window, grid: Grid, method: Method) -> Pixels:
    """Read cells that are larger than what is held in memory at once, piece by piece."""
    shape = (len(channels), *block.shape)
    values, counts = np.zeros(shape), np.zeros(shape)
    there, failed = np.zeros(block.shape, bool), frozenset[int]()
    for row, column in np.ndindex(*block.shape):
        cell = Window(block.x0 + column, block.x0 + column + 1, block.y0 + row, block.y0 + row + 1)
        whole = grid.pixels(cell)
        pieces = [_middle(whole, scene.bounds)] if method == "nearest" else _pieces(whole, scene.bounds)
        for piece in pieces:
            found = scene.pixels(channels, piece)
            sums, numbers = cell_sums(found.stack, piece, grid, found.covered)
            values[:, row, column] += sums[:, 0, 0]
            counts[:, row, column] += numbers[:, 0, 0]
            there[row, column] |= found.covered is None or bool(found.covered.any())
            failed |= found.failed
    with np.errstate(invalid="ignore", divide="ignore"):  # 0/0 is NaN, as it should be
        return Pixels((values / counts).astype(np.float32), there, failed)


def _middle(cell: Window, bounds: Window) -> Window:
    """Give the pixel that stands for a cell where one has to, as :func:`nearest` takes it."""
    x = min(max((cell.x0 + cell.x1 - 1) // 2, bounds.x0), bounds.x1 - 1)
    y = min(max((cell.y0 + cell.y1 - 1) // 2, bounds.y0), bounds.y1 - 1)
    return Window(x, x + 1, y, y + 1)


def _pieces(cell: Window, bounds: Window) -> list[Window]:
    # cut from the cell's own corner: the order of a sum must not depend on the region asked for
    local = cell.shifted(-cell.x0, -cell.y0)
    pieces = (piece.shifted(cell.x0, cell.y0) & bounds for piece in blocks(local, _LARGEST_STEP))
    return [piece for piece in pieces if not piece.empty]


def nearest_cells(read: Callable[[Window], NDArray[Any]], cells: Window, grid: Grid, bounds: Window) -> NDArray[Any]:
    """Take one pixel of each cell of a grid, as :func:`nearest` does.

    Parameters
    ----------
    read : callable
        Reads ``(H, W)`` of a window.
    cells : Window
        Which cells; each holds a px of `bounds`.
    grid : Grid
        The cells' size and origin.
    bounds : Window
        The px that exist.

    Returns
    -------
    ndarray, (h, w)
    """
    if grid.step <= _LARGEST_STEP:
        window = grid.pixels(cells) & bounds
        return nearest(read(window), window, grid)
    rows = [
        [read(_middle(grid.pixels(Window(x, x + 1, y, y + 1)), bounds))[0, 0] for x in range(cells.x0, cells.x1)]
        for y in range(cells.y0, cells.y1)
    ]
    return np.array(rows)


@dataclass(frozen=True)
class _Brush:
    """What all blocks of a picture share."""

    scene: Scene
    settings: Mapping[str, ChannelSettings]
    grid: Grid
    overlays: Sequence[Overlay]
    method: Method

    def paint(self, block: Window, canvas: NDArray[np.uint32]) -> None:
        """Paint one block into its view of the canvas ``(h, w)``."""
        failed = self._composite(block, canvas)
        self._draw_overlays(block, canvas)
        if failed:
            owner = nearest_cells(self.scene.owners, block, self.grid, self.scene.bounds)
            _hatch(as_bytes(canvas), np.isin(owner, list(failed)), block)

    def _composite(self, block: Window, canvas: NDArray[np.uint32]) -> frozenset[int]:
        """Composite the channels of one block; give the tiles that could not be read."""
        channels, looks = list(self.settings), list(self.settings.values())
        if self.grid.step == 1:
            window = self.grid.pixels(block)
            if (there := self.scene.pieces(channels, window)) is not None:
                composite_pieces(canvas, there.pieces, looks)
                return there.failed
        found = _cells(self.scene, channels, block, self.grid, self.method)
        composite_into(canvas, found.stack, looks, found.covered)
        return found.failed

    def _draw_overlays(self, block: Window, canvas: NDArray[np.uint32]) -> None:
        if not self.overlays:
            return
        around = block.grown(halo(self.overlays, self.grid.step)) & self.grid.cells(self.scene.bounds)
        under = _Under(self.scene, around, self.grid)
        margin, image = block.shifted(-around.x0, -around.y0), as_bytes(canvas)[..., :3]
        within = block.slices_in(around)
        for overlay in self.overlays:
            if isinstance(overlay, MaskOverlay):
                draw_mask_into(canvas, under.labels("mask", overlay.name), overlay, self.grid.step, margin, under.owner)
            elif isinstance(overlay, AnnotationOverlay):
                labels, owner = under.labels("annotation", overlay.name)[within], under.owner[within]
                for tile in np.unique(owner[owner >= 0]):  # each FOV has a table of its own
                    colors = overlay.colors or self.scene.colors(overlay.name, int(tile))
                    draw_annotation(image, np.where(owner == tile, labels, OUTSIDE), colors, overlay.alpha)
            else:
                draw_shapes(image, overlay, self.grid, block)


@dataclass(frozen=True)
class _Under:
    """What lies under the overlays of a block and its surroundings, one value a cell."""

    scene: Scene
    cells: Window
    grid: Grid

    @cached_property
    def owner(self) -> NDArray[np.int32]:
        """Which tile paints a cell."""
        return nearest_cells(self.scene.owners, self.cells, self.grid, self.scene.bounds)

    def labels(self, kind: Literal["mask", "annotation"], name: str) -> Labels:
        """Labels by cell."""
        return nearest_cells(partial(self.scene.labels, kind, name), self.cells, self.grid, self.scene.bounds)


def _hatch(rgba: NDArray[np.uint8], where: NDArray[np.bool_], cells: Window) -> None:
    """Paint opaque diagonal stripes that go on from one region into the next, in place."""
    y, x = np.ogrid[cells.y0 : cells.y1, cells.x0 : cells.x1]
    stripes = np.where((x + y) // 4 % 2 == 0, 112, 48)
    rgba[where, :3] = stripes[where][:, None]
    rgba[where, 3] = 255


def signed(labels: NDArray[Any]) -> Labels:
    """Bring labels to int32, or int64 where that may be too small: ``OUTSIDE`` is below 0."""
    small = np.can_cast(labels.dtype, np.int32)
    return labels.astype(np.int32, copy=False) if small else labels.astype(np.int64, copy=False)


def blank_labels(window: Window) -> Labels:
    """Give labels ``(H, W)`` of a window in which no image is."""
    return np.full(window.shape, OUTSIDE, np.int32)

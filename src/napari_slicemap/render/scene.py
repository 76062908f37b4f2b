"""The one way from pixels to a picture, for a FOV and for a map alike.

A scene says which pixels exist and hands them out; :func:`paint` averages them onto the cells of a grid, composites
them once, and draws what lies over them. A cell belongs to the grid and not to the region asked for, so that a
region rendered equals the same region cropped from the whole.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Protocol

import numpy as np

from ..images.area import area_mean, nearest
from ..images.region import Grid, Window, bands
from .channels import ChannelSettings, rgb
from .composite import composite
from .overlays import (
    OUTSIDE,
    AnnotationOverlay,
    MaskOverlay,
    Overlay,
    draw_annotation,
    draw_mask,
    draw_shapes,
    halo,
    in_drawing_order,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

Method = Literal["area", "nearest"]

_BAND_PIXELS = 2**22
"""Source pixels assembled at once: bounds the memory of a picture, whatever its size."""


@dataclass(frozen=True)
class Pixels:
    """Pixels of a window.

    Parameters
    ----------
    stack : ndarray, (C, H, W)
        Intensities; 0 where there are none.
    owner : ndarray of int32, (H, W)
        Index of the tile that painted a pixel; -1 where there is none.
    """

    stack: NDArray[Any]
    owner: NDArray[np.int32]


class Scene(Protocol):
    """What can be painted."""

    @property
    def bounds(self) -> Window:
        """The px that exist at most."""

    def pixels(self, channels: Sequence[str], window: Window) -> Pixels:
        """Read a window within the bounds."""

    def labels(self, kind: Literal["mask", "annotation"], name: str, window: Window) -> NDArray[np.int64]:
        """Read labels of a window within the bounds; ``OUTSIDE`` where no image is."""

    def owners(self, window: Window) -> NDArray[np.int32]:
        """Say which tile paints each pixel of a window; -1 where none does."""

    def colors(self, name: str, tile: int) -> dict[int, str]:
        """Give the colours by label that an annotation has on one tile (an index as in ``owners``)."""

    def unreadable(self) -> frozenset[int]:
        """List the tiles met so far that could not be read and are to be hatched."""


@dataclass(frozen=True)
class Painted:
    """A picture, and which of its pixels show data.

    Parameters
    ----------
    image : ndarray of uint8, (H, W, 3)
        Background where nothing is covered.
    covered : ndarray of bool, (H, W)
        Whether any source pixel lies under an output pixel.
    """

    image: NDArray[np.uint8]
    covered: NDArray[np.bool_]


def paint(
    scene: Scene,
    settings: Mapping[str, ChannelSettings],
    cells: Window,
    grid: Grid,
    overlays: Sequence[Overlay] = (),
    *,
    method: Method = "area",
    background: str = "#000000",
) -> Painted:
    """Paint cells of a grid, band by band.

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
    Painted
    """
    image = np.empty((*cells.shape, 3), np.uint8)
    image[:] = np.rint(255 * np.array(rgb(background))).astype(np.uint8)
    covered = np.zeros(cells.shape, bool)
    inner = cells & grid.cells(scene.bounds)
    shown = {name: one for name, one in settings.items() if one.visible}
    for band in bands(inner, _band_rows(inner, grid, len(shown))):
        at = band.slices_in(cells)
        _paint_band(scene, shown, band, grid, overlays, method, image[at], covered[at])
    return Painted(image, covered)


def stack_cells(
    scene: Scene, channels: Sequence[str], cells: Window, grid: Grid, *, method: Method = "area"
) -> NDArray[Any]:
    """Read the channels of cells of a grid, uncomposited.

    Returns
    -------
    ndarray, (C, h, w)
        Source dtype at step 1 (and by ``"nearest"``), float32 above; 0 where there is no data.
    """
    inner = cells & grid.cells(scene.bounds)
    made: NDArray[Any] | None = None
    for band in bands(inner, _band_rows(inner, grid, len(channels))):
        part, covered = _means(scene, channels, band, grid, method)
        if not covered.any():
            continue
        if made is None:
            made = np.zeros((len(channels), *cells.shape), part.dtype)
        # tiles of another dtype may first come up in a later band
        made = made.astype(np.result_type(made.dtype, part.dtype), copy=False)
        rows, cols = band.slices_in(cells)
        made[:, rows, cols] = np.where(covered, part, 0)
    return np.zeros((len(channels), *cells.shape), np.float32) if made is None else made


def _band_rows(cells: Window, grid: Grid, channels: int) -> int:
    return max(1, _BAND_PIXELS // max(1, cells.shape[1] * grid.step**2 * max(1, channels)))


def _paint_band(
    scene: Scene,
    settings: Mapping[str, ChannelSettings],
    band: Window,
    grid: Grid,
    overlays: Sequence[Overlay],
    method: Method,
    image: NDArray[np.uint8],
    covered: NDArray[np.bool_],
) -> None:
    """Paint one band into views of the picture."""
    means, there = _means(scene, list(settings), band, grid, method)
    covered[:] = there
    image[there] = composite(means, list(settings.values()))[there]
    _draw_overlays(scene, in_drawing_order(overlays), band, grid, image)
    if unreadable := scene.unreadable():
        owner = nearest(scene.owners(_pixels(scene, band, grid)), _pixels(scene, band, grid), grid)
        hatched = np.isin(owner, list(unreadable))
        _hatch(image, hatched, band)
        covered |= hatched


def _means(
    scene: Scene, channels: Sequence[str], band: Window, grid: Grid, method: Method
) -> tuple[NDArray[Any], NDArray[np.bool_]]:
    window = _pixels(scene, band, grid)
    found = scene.pixels(channels, window)
    # what could not be read is no darkness that a cell across the tile's edge should average in
    exists = (found.owner >= 0) & ~np.isin(found.owner, list(scene.unreadable()))
    if grid.step == 1 or method == "nearest":
        return nearest(found.stack, window, grid), nearest(exists, window, grid)
    return area_mean(found.stack, window, grid, exists)


def _pixels(scene: Scene, cells: Window, grid: Grid) -> Window:
    return grid.pixels(cells) & scene.bounds


def _draw_overlays(
    scene: Scene, overlays: Sequence[Overlay], band: Window, grid: Grid, image: NDArray[np.uint8]
) -> None:
    around = band.grown(halo(overlays, grid.step)) & grid.cells(scene.bounds)
    window = _pixels(scene, around, grid)
    within = band.shifted(-around.x0, -around.y0)
    for overlay in overlays:
        if isinstance(overlay, MaskOverlay):
            labels = nearest(scene.labels("mask", overlay.name, window), window, grid)
            owner = nearest(scene.owners(window), window, grid)
            draw_mask(image, labels, overlay, grid.step, within, owner)
        elif isinstance(overlay, AnnotationOverlay):
            at = within.slices_in(Window(0, 0, 0, 0))
            labels = nearest(scene.labels("annotation", overlay.name, window), window, grid)[at]
            owner = nearest(scene.owners(window), window, grid)[at]
            for tile in np.unique(owner[owner >= 0]):  # each FOV has a table of its own
                colors = overlay.colors or scene.colors(overlay.name, int(tile))
                coloured = AnnotationOverlay(overlay.name, colors, overlay.alpha)
                draw_annotation(image, np.where(owner == tile, labels, OUTSIDE), coloured)
        else:
            draw_shapes(image, overlay, grid, band)


def _hatch(image: NDArray[np.uint8], where: NDArray[np.bool_], cells: Window) -> None:
    """Paint diagonal stripes that go on from one region into the next, onto an RGB image in place."""
    y, x = np.ogrid[cells.y0 : cells.y1, cells.x0 : cells.x1]
    stripes = np.where((x + y) // 4 % 2 == 0, 112, 48)
    image[where] = stripes[where][:, None]


def blank_labels(window: Window) -> NDArray[np.int64]:
    """Give labels ``(H, W)`` of a window in which no image is."""
    return np.full(window.shape, OUTSIDE, np.int64)

"""What the camera frames: a whole map, or an ROI; it stays framed when docks or the window take or leave room."""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING

import numpy as np

from .pages import Pages

if TYPE_CHECKING:
    import napari

_WHOLE = 0.95
"""The share of the canvas that a whole map takes."""
_SEEN_PX = 24
"""The longer side of a map that can be seen, px of the canvas: beside others far away it may be a dot."""

Box = tuple[float, float, float, float]
"""Left, top, right, bottom; px of the canvas that all pages lie on."""


class Framing:
    """Points the camera of a viewer at parts of pages.

    Parameters
    ----------
    viewer : napari.Viewer
        Whose camera.
    pages : Pages
        Where pages lie.
    """

    def __init__(self, viewer: napari.Viewer, pages: Pages) -> None:
        self._viewer, self._pages = weakref.ref(viewer), pages
        self._framed: tuple[Box, float] | None = None
        self._left_at: tuple[float, ...] = ()
        viewer.canvas.events.size.connect(self._on_size)

    def close(self) -> None:
        """Listen no more."""
        if (viewer := self._viewer()) is not None:
            viewer.canvas.events.size.disconnect(self._on_size)

    def frame_page(self, number: int) -> None:
        """Centre the camera on a page's map, so that all of it is seen."""
        window = self._pages.pages[number].window
        self.frame((window.x0, window.y0, window.x1, window.y1), _WHOLE)

    def frame(self, box: Box, share: float) -> None:
        """Centre the camera on a box, so that it takes a share of the canvas, until somebody moves the camera.

        Parameters
        ----------
        box : tuple of float
            Left, top, right, bottom; px of the canvas that all pages lie on.
        share : float
            Of the side of the canvas that it fills first.
        """
        viewer = self._viewer()
        if viewer is None:
            return
        left, top, right, bottom = box
        _, y0, x0 = self._pages.translate
        size, camera, (height, width) = self._pages.scale[1], viewer.scene.camera, viewer.canvas.size
        # whole numbers are the middles of pixels in a layer, and their corners in a box
        camera.center = (0.0, y0 + ((top + bottom) / 2 - 0.5) * size, x0 + ((left + right) / 2 - 0.5) * size)
        camera.zoom = share * min(height / ((bottom - top) * size), width / ((right - left) * size))
        self._framed, self._left_at = (box, share), self._place()

    def sees(self, number: int) -> bool:
        """Say whether any of a page's map is to be seen; stages of slides may lie far apart."""
        viewer, pages = self._viewer(), self._pages
        if viewer is None or number >= len(pages.pages):
            return True
        window, size = pages.pages[number].window, pages.scale[1]
        half = [extent / 2 / viewer.scene.camera.zoom for extent in viewer.canvas.size]
        _, y, x = viewer.scene.camera.center
        _, top, left = pages.translate
        rows = top + window.y0 * size < y + half[0] and top + window.y1 * size > y - half[0]
        columns = left + window.x0 * size < x + half[1] and left + window.x1 * size > x - half[1]
        side = max(window.shape) * size * viewer.scene.camera.zoom
        return bool(rows and columns and side >= _SEEN_PX)

    def _place(self) -> tuple[float, ...]:
        """Give where the camera is."""
        viewer = self._viewer()
        return () if viewer is None else (*viewer.scene.camera.center[1:], viewer.scene.camera.zoom)

    def _on_size(self) -> None:
        """Frame the same again, if nobody has moved the camera since."""
        viewer = self._viewer()
        if viewer is None or viewer.dims.ndisplay == 3:  # from where napari takes the slice when it comes back
            return
        if self._framed is not None and np.allclose(self._place(), self._left_at, rtol=1e-9, atol=0):
            self.frame(*self._framed)

"""The veil over excluded slices: their maps are greyed on the screen, and nowhere else."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from napari.layers import Shapes
from numpy.typing import NDArray

from .pages import Page, Pages

if TYPE_CHECKING:
    from .session import Session

_GREY, _OPACITY = "#808080", 0.7
"""Grey on the dark canvas and on the light one, yet the tissue can be told."""


class ExcludedVeil:
    """Greys the maps of excluded slices by a layer above channels and masks.

    The layer has a rectangle for each of them, so that napari shows it where the slider comes to it. Channels keep
    the look that the user gave them, and hiding the layer shows an excluded slice as it is. It comes into the viewer
    when the first slice is excluded.

    Parameters
    ----------
    session : Session
        Knows which slices are excluded.
    pages : Pages
        Where pages lie.
    """

    def __init__(self, session: Session, pages: Pages) -> None:
        self._session, self._pages = session, pages
        self.layer = Shapes(
            ndim=3,
            name="excluded slices",
            scale=pages.scale,
            translate=pages.translate,
            units=pages.units,
            face_color=_GREY,
            edge_color=_GREY,
            edge_width=0,
            opacity=_OPACITY,
        )
        self._excluded: list[int] | None = None
        self.refresh()
        session.slices_changed.connect(self.refresh)

    def detach(self) -> None:
        """Stop listening, because the dataset is closed."""
        self._session.slices_changed.disconnect(self.refresh)

    def refresh(self) -> None:
        """Draw the veil anew, as the slice table says."""
        excluded = [number for number in range(len(self._pages.pages)) if self._session.why_excluded(number)]
        if excluded == self._excluded and len(self.layer.data) == len(excluded):
            return  # shapes take long to draw, and most edits of the table exclude nothing
        self._excluded = excluded
        covers = [_cover(number, self._pages.pages[number]) for number in excluded]
        self.layer.data = []
        if covers:
            self.layer.add_rectangles(covers)
            self._show()
        self.layer.editable = False  # a layer of another number of shapes can be drawn on again

    def _show(self) -> None:
        """Put the layer beneath the ROIs; the one that the user works on stays chosen."""
        layers = self._session.viewer.layers
        if self.layer in layers:
            return
        rois, chosen = self._session.roi_layer, layers.selection.active
        place = layers.index(rois.layer) if rois is not None and rois.layer in layers else len(layers)
        layers.insert(place, self.layer)
        layers.selection.active = chosen


def _cover(number: int, page: Page) -> NDArray[np.float64]:
    """Give the corners of a page's map; a layer's whole numbers are pixel centres."""
    window = page.window
    rows, columns = (window.y0 - 0.5, window.y1 - 0.5), (window.x0 - 0.5, window.x1 - 0.5)
    return np.array([(number, rows[a], columns[b]) for a, b in ((0, 0), (0, 1), (1, 1), (1, 0))])

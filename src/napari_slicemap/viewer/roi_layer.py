"""The ROIs of a dataset as a napari Shapes layer: what is drawn becomes an ROI, and the other way round."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from napari.layers import Shapes
from napari.utils.notifications import show_warning
from numpy.typing import NDArray
from qtpy.QtCore import QTimer

from ..rois.roi import Kind, Points, Roi, roi_from_points
from .pages import Page, Pages

if TYPE_CHECKING:
    from .session import Session

_KINDS: dict[str, Kind] = {
    "rectangle": "rectangle",
    "polygon": "polygon",
    "ellipse": "polygon",
    "path": "line",
    "line": "line",
}
_ELLIPSE_POINTS = 64


class RoiLayer:
    """Keeps a Shapes layer and the session's ROI table the same.

    Parameters
    ----------
    session : Session
        Holds the table; gets the changes as commands.
    pages : Pages
        Where pages lie.
    """

    def __init__(self, session: Session, pages: Pages) -> None:
        self._session, self._pages = session, pages
        self._busy = False
        self._ids: list[str] = []
        self.layer = Shapes(
            ndim=3,
            name="ROIs",
            scale=pages.scale,
            translate=pages.translate,
            units=pages.units,
            edge_color="#ffd633",
            face_color="#ffd63318",
            edge_width=1.0,
        )
        self.refresh()
        self.layer.events.data.connect(self._on_data)
        session.rois_changed.connect(self.refresh)

    def detach(self) -> None:
        """Stop listening, because the dataset is closed."""
        self.layer.events.data.disconnect(self._on_data)
        self._session.rois_changed.disconnect(self.refresh)

    # --- table to layer -------------------------------------------------------------------------------------
    def refresh(self) -> None:
        """Draw the table anew, unless the change came from the layer and is drawn already."""
        if self._busy:
            return
        shown = [(roi, page) for roi in self._session.rois if (page := self._page_of(roi)) is not None]
        with self._quiet():
            self.layer.selected_data = set()
            self.layer.data = []
            if shown:
                self.layer.add(
                    [_vertices(roi, *page) for roi, page in shown],
                    shape_type=[_shape_type(roi) for roi, _ in shown],
                )
            self._set_ids([roi.roi_id for roi, _ in shown])

    def _page_of(self, roi: Roi) -> tuple[int, Page] | None:
        """Find the page that shows an ROI, with its number."""
        for number, page in enumerate(self._pages.pages):
            if page.fov == roi.fov if roi.fov else (not page.fov and page.map.map_id == roi.map_id):
                return number, page
        return None

    def _set_ids(self, ids: list[str]) -> None:
        """Remember which ROI each shape is, in the layer's own table too (assigned whole: else no event comes)."""
        self._ids = ids
        names = [self._session.rois[roi_id].name for roi_id in ids]
        self.layer.features = pd.DataFrame({"roi_id": ids, "name": names}, dtype=str)

    # --- layer to table -------------------------------------------------------------------------------------
    def _on_data(self, event: Any) -> None:
        answer = {"added": self._added, "changed": self._changed, "removed": self._removed}.get(str(event.action))
        if self._busy or answer is None:
            return
        try:
            with self._quiet():
                answer()
        except ValueError as error:
            show_warning(f"This shape cannot be an ROI: {error}")
            # napari is still at work on the shape: take it back when it is done
            QTimer.singleShot(0, self.refresh)

    def _added(self) -> None:
        ids = list(self._ids)
        for index in range(len(ids), len(self.layer.data)):
            roi = self._roi_at(index, name=self._session.rois.next_name())
            self._session.add_roi(roi)
            ids.append(roi.roi_id)
        self._set_ids(ids)

    def _changed(self) -> None:
        for index, roi_id in enumerate(self._ids):
            old = self._session.rois[roi_id]
            new = self._roi_at(index, name=old.name)
            if new.kind != old.kind or not _same(new.points, old.points):
                shape = {"kind": new.kind, "geometry": new.geometry, **new.model_dump(include=_BOX)}
                self._session.change_roi(old.model_copy(update=shape))

    def _removed(self) -> None:
        left = [str(roi_id) for roi_id in self.layer.features["roi_id"]]
        gone = [roi_id for roi_id in self._ids if roi_id not in left]
        if gone:
            self._session.remove_rois(gone)
        self._ids = left

    def _roi_at(self, index: int, **fields: str) -> Roi:
        """Make an ROI of a drawn shape, in the px of the map (or FOV) that its page shows."""
        corners = np.asarray(self.layer.data[index], dtype=float)
        shape_type = self.layer.shape_type[index]
        if shape_type == "ellipse":
            corners = _ellipse(corners)
        page = self._pages.pages[round(corners[0, 0])]
        # a layer's whole numbers are pixel centres, those of a region pixel corners
        points = [page.to_own(x + 0.5, y + 0.5) for _, y, x in corners]
        frame = {"fov": page.fov} if page.fov else {"map_id": page.map.map_id}
        return roi_from_points(points, _KINDS[str(shape_type)], **fields, **frame)

    @contextmanager
    def _quiet(self) -> Iterator[None]:
        """Hold back answers to changes of our own making."""
        busy, self._busy = self._busy, True
        try:
            yield
        finally:
            self._busy = busy


_BOX = {"x_min", "x_max", "y_min", "y_max"}


def _vertices(roi: Roi, number: int, page: Page) -> NDArray[np.float64]:
    points = [page.to_canvas(x, y) for x, y in roi.points]
    return np.array([(number, y - 0.5, x - 0.5) for x, y in points])


def _shape_type(roi: Roi) -> str:
    if roi.kind in ("rectangle", "rotated-rectangle") and len(roi.points) == 4:
        return "rectangle"
    return "path" if roi.kind == "line" else "polygon"


def _same(points: Points, others: Points) -> bool:
    """Whether two shapes have the same vertices, up to what drawing rounds off."""
    return len(points) == len(others) and np.allclose(points, others, atol=1e-4, rtol=0)


def _ellipse(corners: NDArray[np.float64]) -> NDArray[np.float64]:
    """Give vertices of the ellipse within four corners, since ROIs know polygons only."""
    center = corners.mean(axis=0)
    across, down = (corners[1] - corners[0]) / 2, (corners[3] - corners[0]) / 2
    angle = np.linspace(0, 2 * np.pi, _ELLIPSE_POINTS, endpoint=False)[:, None]
    made: NDArray[np.float64] = center + np.cos(angle) * across + np.sin(angle) * down
    return made

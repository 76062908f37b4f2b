"""Pictures of the rows in sight, made in the background and kept."""

from __future__ import annotations

from collections import OrderedDict
from functools import partial
from typing import Any

import numpy as np
from qtpy.QtCore import QObject, QTimer, Signal
from qtpy.QtGui import QImage

from ....rois.roi import Points, Roi
from ...session import Session
from ..background import Background
from .pictures import make_pictures
from .view import PICTURE_PX, RoiView

_KEPT = 2000
_AFTER_MS = 120  # while the table is being scrolled, starting at each step would be in vain
Key = tuple[str, str, str, Points, str]


class Thumbnails(QObject):
    """Makes the pictures that the table shows.

    Parameters
    ----------
    session : Session
        Holds dataset and profile.
    view : RoiView
        Whose rows are in sight.
    lane : Background
        Where they are made.
    """

    made = Signal(object)
    """Ids of ROIs that have another picture."""

    def __init__(self, session: Session, view: RoiView, lane: Background) -> None:
        super().__init__(view)
        self._session, self._view, self._lane = session, view, lane
        self._kept: OrderedDict[Key, QImage | None] = OrderedDict()
        self._round = 0  # what was begun before :meth:`forget` may end after it
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(_AFTER_MS)
        self._timer.timeout.connect(self._start)
        lane.advanced.connect(self._on_made)
        view.moved.connect(self.ask)
        view.rows.picture_of = self.of

    def of(self, roi: Roi) -> QImage | None:
        """Give the picture of an ROI, if there is one."""
        return self._kept.get(self._key(roi))

    def ask(self) -> None:
        """Make the pictures of the rows in sight that lack one, soon."""
        self._timer.start()

    def forget(self) -> None:
        """Drop all pictures, because the dataset or a profile is another one."""
        self._round += 1
        self._kept.clear()
        self.stop()
        self.ask()

    def stop(self) -> None:
        """Make no more."""
        self._timer.stop()
        self._lane.stop()

    def _key(self, roi: Roi) -> Key:
        return roi.fov, roi.map_id, roi.kind, roi.points, roi.profile or self._session.profile_name

    def _start(self) -> None:
        dataset = self._session.dataset
        if dataset is None:
            return
        there = (dataset.rois[one] for one in self._view.in_sight() if one in dataset.rois)
        wanted = [roi for roi in there if self._key(roi) not in self._kept]
        if wanted:
            side = round(PICTURE_PX * self._view.devicePixelRatioF())
            profile, lane, number = self._session.profile_name, self._lane, self._round

            def tell(made: tuple[Roi, Any]) -> None:
                lane.tell((number, *made))

            lane.ask(partial(make_pictures, wanted, dataset, profile, side, tell))

    def _on_made(self, news: tuple[int, Roi, Any]) -> None:
        number, roi, pixels = news
        if number != self._round:
            return
        self._kept[self._key(roi)] = None if pixels is None else self._image(pixels)
        while len(self._kept) > _KEPT:
            self._kept.popitem(last=False)
        self.made.emit({roi.roi_id})

    def _image(self, pixels: Any) -> QImage:
        height, width, _ = pixels.shape
        kept = np.ascontiguousarray(pixels)
        made = QImage(kept.data, width, height, 3 * width, QImage.Format.Format_RGB888).copy()
        made.setDevicePixelRatio(self._view.devicePixelRatioF())
        return made

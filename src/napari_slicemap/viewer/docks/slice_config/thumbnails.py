"""Small pictures of slices, rendered by the core in the background, for the rows that are looked at."""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
from qtpy.QtCore import QObject, QTimer, Signal
from qtpy.QtGui import QImage

from ....dataset import Dataset
from ....errors import CancelledError, SlicemapError
from ....export.running.cancelling import Asked
from ....render.profile import Profile
from ....render.virtual_map import VirtualMap
from ....slices.slice_values import number_of
from ..background import Background

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ...session import Session

Tell = Callable[[str, "NDArray[np.uint8] | None"], None]
"""Told each slice and its picture, as it is made."""

_SIDE_PX, _KEPT = 96, 400
"""Twice what is shown, for fine screens; and how many are kept."""


def thumbnail(one: VirtualMap, profile: Profile) -> NDArray[np.uint8]:
    """Render a map small, in the colours of a profile.

    Returns
    -------
    ndarray, (h, w, 4), uint8
        RGBA, transparent where no tile lies.

    Raises
    ------
    SlicemapError
        If it cannot be rendered.
    """
    factor = max(1, math.ceil(max(one.shape) / _SIDE_PX))
    settings = {name: how for name, how in profile.channels.items() if name in one.channels}
    return one.render_region(None, settings, downsample=factor, on_missing="mark", alpha=True, levels="stored")


class Thumbnails(QObject):
    """Gives the pictures that there are, and renders those that are asked for.

    Parameters
    ----------
    session : Session
        Holds dataset and profile.
    lane : Background
        Renders.
    """

    changed = Signal()
    """There are more pictures."""

    def __init__(self, session: Session, lane: Background, parent: QObject) -> None:
        super().__init__(parent)
        self._session, self._lane = session, lane
        self._images: OrderedDict[str, QImage | None] = OrderedDict()
        self._wanted: OrderedDict[str, None] = OrderedDict()
        self._round = 0  # what was begun before :meth:`forget` may end after it
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(30)
        self._timer.timeout.connect(self._render)
        lane.advanced.connect(self._on_made)

    def get(self, slice_id: str) -> QImage | None:
        """Give the picture of a slice; one that is not there yet is rendered, those asked for last first."""
        if slice_id in self._images:
            self._images.move_to_end(slice_id)
            return self._images[slice_id]
        self._wanted[slice_id] = None
        self._wanted.move_to_end(slice_id)
        while len(self._wanted) > _KEPT // 4:
            self._wanted.popitem(last=False)
        if not self._timer.isActive():
            self._timer.start()
        return None

    def forget(self) -> None:
        """Forget all pictures: they look otherwise now."""
        self._round += 1
        self._timer.stop()
        self._lane.stop()
        self._images.clear()
        self._wanted.clear()

    def _render(self) -> None:
        dataset, name = self._session.dataset, self._session.profile_name
        if dataset is not None and self._wanted:
            wanted = [one for one in reversed(self._wanted) if one not in self._images]
            lane, number = self._lane, self._round

            def tell(slice_id: str, picture: NDArray[np.uint8] | None) -> None:
                lane.tell((number, slice_id, picture))

            lane.ask(partial(_render_all, dataset, dataset.profiles[name], wanted, tell))

    def _on_made(self, news: tuple[int, str, NDArray[np.uint8] | None]) -> None:
        number, slice_id, picture = news
        if number != self._round:
            return
        self._images[slice_id] = None if picture is None else _image(picture)
        self._wanted.pop(slice_id, None)
        while len(self._images) > _KEPT:
            self._images.popitem(last=False)
        self.changed.emit()


def _render_all(dataset: Dataset, profile: Profile, slice_ids: list[str], tell: Tell, asked: Asked) -> None:
    by_number: dict[str, VirtualMap] = {}
    for one in dataset.maps.values():
        by_number.setdefault(number_of(one.slice_id), one)
    for slice_id in slice_ids:
        if asked():
            raise CancelledError("stopped")
        own = by_number.get(number_of(slice_id))
        try:
            picture = None if own is None else thumbnail(own, profile)
        except SlicemapError:
            picture = None  # the map itself says what is wrong with it
        tell(slice_id, picture)


def _image(picture: NDArray[np.uint8]) -> QImage:
    height, width, _ = picture.shape
    kept = np.ascontiguousarray(picture)
    # a copy: QImage does not keep the array
    return QImage(kept.data, width, height, 4 * width, QImage.Format.Format_RGBA8888).copy()

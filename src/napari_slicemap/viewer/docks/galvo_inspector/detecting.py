"""Detection in all slices, in the background: rows fill as they come, and what is done is kept."""

from __future__ import annotations

import time

from napari.utils.notifications import show_error
from qtpy.QtCore import QObject, Signal

from ....dataset import Dataset
from ....errors import SlicemapError
from ....slices.galvo.decisions import Finding
from ....slices.galvo.tile_slices import TileSlices
from ...galvo_review import GalvoReview
from ..background import Background
from ..parts import bullets, words_of
from .desk import AllSlices
from .reading import find_all

_STORED_AFTER_S = 0.5  # each write is seen by every dock, so not for each slice where they come quickly


class Detecting(QObject):
    """Runs a detection and stores what it finds.

    Parameters
    ----------
    lane : Background
        Where it runs.
    review : GalvoReview
        Stores findings.
    desk : AllSlices
        Shows how far it is.
    """

    found = Signal(object)
    """A :class:`Finding`, as it comes."""
    ended = Signal(str)
    """How it went, in words."""

    def __init__(self, lane: Background, review: GalvoReview, desk: AllSlices) -> None:
        super().__init__(desk)
        self._lane, self._review, self._desk = lane, review, desk
        self.dataset: Dataset | None = None
        self._waiting: list[Finding] = []
        self._done = self._total = 0
        self._stored_at = 0.0
        self._faults: tuple[str, ...] = ()
        self._lost = ""
        lane.advanced.connect(self._on_found)
        lane.returned.connect(self._on_faults)
        lane.ended.connect(self._on_ended)

    @property
    def running(self) -> bool:
        """Whether a detection is under way."""
        return self._lane.busy

    def start(self, slices: TileSlices, dataset: Dataset) -> bool:
        """Detect in slices of a dataset, unless that is under way; say whether it was begun."""
        if self.running or not slices:
            return False
        self.dataset = dataset
        self._waiting, self._faults, self._lost = [], (), ""
        self._done, self._total, self._stored_at = 0, len(slices), time.monotonic()
        self._desk.advance(0, self._total)
        self._desk.set_running(True)
        self._lane.ask(lambda asked: find_all(slices, asked, self._lane.tell))
        return True

    def cancel(self) -> None:
        """Stop; what is done is kept."""
        self._lane.stop()

    def store(self) -> None:
        """Store what was found and is not stored yet; what cannot be stored waits for the next time."""
        if not self._waiting or self.dataset is None:
            return
        self._stored_at = time.monotonic()
        try:
            self._review.store(self._waiting, self.dataset)
        except SlicemapError as error:
            self._lost = bullets(words_of(error))
        else:
            self._waiting, self._lost = [], ""

    def leave(self) -> None:
        """Store what waits, for the last time."""
        self.store()
        if self._waiting:
            show_error(f"{len(self._waiting)} slices were detected, but not stored:\n{self._lost}")
            self._waiting = []

    def _on_found(self, finding: Finding) -> None:
        self._waiting.append(finding)
        self._done += 1
        self._desk.advance(self._done, self._total)
        self.found.emit(finding)
        if time.monotonic() - self._stored_at > _STORED_AFTER_S:
            self.store()

    def _on_faults(self, faults: tuple[str, ...]) -> None:
        self._faults = faults

    def _on_ended(self) -> None:
        self.store()
        self._desk.set_running(False)
        left = self._total - self._done - len(self._faults)
        said = [f"{self._done} of {self._total} slices detected" + (", the rest cancelled" if left else "") + "."]
        if self._waiting:
            said.append(f"{len(self._waiting)} of them could not be stored; detect again later:\n{self._lost}")
        if self._faults:
            said.append(bullets(self._faults))
        self.ended.emit("\n".join(said))

"""Reads the tiles of the chosen slice in the background, and has them shown."""

from __future__ import annotations

from collections import OrderedDict
from functools import partial

from qtpy.QtCore import QObject, QTimer, Signal

from ....errors import SlicemapError
from ....export.running.cancelling import Asked
from ....slices.galvo.tile_slices import TileSlice
from ..background import Background
from ..parts import bullets, words_of
from .ledger import Ledger
from .panels import Panels
from .reading import Look, Weighed, is_same, look_at, read_neighbours, weigh

_LOOK_AFTER_MS = 150  # while somebody walks through the slices, reading each would be in the way
_LOOKS_KEPT = 3
_READING = "Reading its tiles…"
_NEIGHBOURS = "reading its neighbours…"


class Looking(QObject):
    """Has one slice shown at a time; what was read of the last few is kept.

    Parameters
    ----------
    ledger : Ledger
        Knows how slices stand.
    panels : Panels
        Show the slice.
    """

    shown = Signal(str)
    """A slice is shown, or why it cannot be."""
    weighed = Signal(object)
    """The :class:`~.reading.Weighed` of the place where the band stands."""

    def __init__(self, ledger: Ledger, panels: Panels) -> None:
        super().__init__(panels)
        self.lanes = {name: Background() for name in ("look", "patch", "score")}
        self._ledger, self._panels = ledger, panels
        self._slice_id = ""
        self._shift: int | None = None
        self._looks: OrderedDict[str, Look] = OrderedDict()
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(_LOOK_AFTER_MS)
        self._timer.timeout.connect(self._look)
        self.lanes["look"].returned.connect(self._on_look)
        self.lanes["patch"].returned.connect(panels.show_patch)
        self.lanes["patch"].advanced.connect(lambda _: panels.show_patch(_NEIGHBOURS))
        self.lanes["score"].returned.connect(self._on_weighed)
        panels.tile_chosen.connect(self._on_tile)
        panels.shift_changed.connect(self._weigh)

    def forget(self) -> None:
        """Forget all slices: another dataset is open."""
        self._slice_id, self._shift = "", None
        self._looks.clear()
        self.stop()

    def stop(self) -> None:
        """Read nothing any more."""
        self._timer.stop()
        for lane in self.lanes.values():
            lane.stop()

    def choose(self, slice_id: str) -> None:
        """Show a slice; unless it was read before, it is read if it stays chosen for a moment."""
        self._slice_id, self._shift = slice_id, None
        self.stop()
        if slice_id in self._looks:
            self._look()
        elif self._ledger.tiles(slice_id) is None:
            self._panels.clear(f"Slice {slice_id}", "It has no tiles to look at.")
            self.follow()
            self.shown.emit(slice_id)
        else:
            self._panels.clear(f"Slice {slice_id}", _READING)
            self.follow()
            self._timer.start()

    def follow(self) -> None:
        """Say how the slice stands now; if it is decided by another shift, the band goes there."""
        if not self._slice_id:
            return
        now = self._ledger.standing(self._slice_id)
        self._panels.say_standing(self._slice_id, now)
        if self._panels.tile is not None and now.shift is not None and now.shift != self._shift:
            self._shift = now.shift
            self._panels.move_to(now.shift)

    def refresh(self) -> None:
        """Read again what is on record otherwise now than when it was read."""
        for slice_id, look in list(self._looks.items()):
            record = self._ledger.recorded(slice_id)
            if look.found is None if record is None else not is_same(record, look.record):
                del self._looks[slice_id]
        if self._panels.look is not None and self._slice_id not in self._looks:
            self._look()
        else:
            self.follow()

    # --- the slice ----------------------------------------------------------------------------------------------
    def _look(self) -> None:
        slice_id, tiles = self._slice_id, self._ledger.tiles(self._slice_id)
        if slice_id in self._looks:
            self._looks.move_to_end(slice_id)
            self._show(self._looks[slice_id])
        elif tiles is not None:
            row, record = self._ledger.row(slice_id), self._ledger.recorded(slice_id)

            def look(asked: Asked) -> tuple[TileSlice, Look | str]:
                try:
                    return tiles, look_at(slice_id, tiles, row, record, asked)
                except SlicemapError as error:
                    if asked():
                        raise
                    return tiles, bullets(words_of(error))

            self.lanes["look"].ask(look)

    def _on_look(self, answer: tuple[TileSlice, Look | str]) -> None:
        slice_id, (tiles, look) = self._slice_id, answer
        if tiles is not self._ledger.tiles(slice_id):
            return
        if isinstance(look, str):
            self._panels.clear(f"Slice {slice_id}", f"It cannot be read:\n{look}")
            self.shown.emit(slice_id)
            return
        self._looks[slice_id] = look
        while len(self._looks) > _LOOKS_KEPT:
            self._looks.popitem(last=False)
        self._show(look)

    def _show(self, look: Look) -> None:
        self._ledger.take_found(look.slice_id, look.record)
        now = self._ledger.standing(look.slice_id)
        self._shift = now.shift
        self._panels.say_standing(look.slice_id, now)
        self._panels.show_look(look, now)
        self.shown.emit(look.slice_id)

    # --- the tile that is looked at -----------------------------------------------------------------------------
    def _on_tile(self, index: int) -> None:
        look, lane = self._panels.look, self.lanes["patch"]
        if look is None:
            return

        def read(asked: Asked) -> str:
            try:
                read_neighbours(look, index, asked, lane.tell)
            except SlicemapError as error:
                if asked():
                    raise
                return f"not whole: {error}"
            return ""

        self._panels.show_patch(_NEIGHBOURS)
        lane.ask(read)
        self._weigh()

    def _weigh(self, _shift: int = 0) -> None:
        place = self._panels.place
        if place is not None:
            self.lanes["score"].ask(partial(_weighed, place))

    def _on_weighed(self, weighed: Weighed) -> None:
        self._panels.set_weighed(weighed)
        self.weighed.emit(weighed)


def _weighed(place: tuple[object, int, int, int], _asked: Asked) -> Weighed:
    return weigh(*place)  # type: ignore[arg-type]

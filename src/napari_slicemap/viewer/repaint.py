"""Repainting: layers are drawn anew a few times a second while blocks come, and not at all otherwise."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from napari.utils.notifications import show_warning
from qtpy.QtCore import QObject, QTimer, Signal

from .block_loader import BlockLoader
from .feed import Feed

_MS = 60
"""Time between two drawings while blocks come."""


class Repainter(QObject):
    """Draws layers anew as their blocks come.

    Parameters
    ----------
    loader : BlockLoader
        Reads the blocks; it is closed with this.
    feeds : callable
        Gives the feeds of the layers.
    came : callable
        Called after blocks came, in the window's thread.
    """

    _arrived = Signal()

    def __init__(
        self, loader: BlockLoader, feeds: Callable[[], Iterable[Feed]], came: Callable[[], None] = lambda: None
    ) -> None:
        super().__init__()
        self._loader, self._feeds, self._came = loader, feeds, came
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(_MS)
        self._timer.timeout.connect(self._draw)
        self._arrived.connect(self._wake)
        self._said: set[str] = set()
        # a method, not the signal itself, which would not keep this while a thread reads
        loader.on_arrival = self._tell

    def close(self) -> None:
        """Stop drawing, and stop reading."""
        self._loader.close()
        self._timer.stop()
        self.blockSignals(True)

    def _tell(self) -> None:
        self._arrived.emit()

    def _wake(self) -> None:
        if not self._timer.isActive():
            self._timer.start()

    def _draw(self) -> None:
        keys, errors = self._loader.take_arrived()
        arrived = set(keys)
        self._came()
        for feed in self._feeds():
            feed.refresh(arrived)
        for text in dict.fromkeys(f"{type(error).__name__}: {error}" for error in errors):
            if text not in self._said:  # one that comes with every block is said once
                self._said.add(text)
                show_warning(f"A part of the map could not be read: {text}")

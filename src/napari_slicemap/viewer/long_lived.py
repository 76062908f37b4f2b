"""Python's full collections, which stop the window: what lives as long as a dataset is open is kept out of them."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from typing import ClassVar

from qtpy.QtCore import QObject, QTimer

_MS = 2000
"""By then what draws is imported and compiled."""


class LongLived:
    """Takes what is in memory a moment after opening out of Python's garbage collection, until :meth:`close`.

    napari, Qt's bindings and the compiler of our loops are some 400,000 objects. A full collection looks at each of
    them, for 0.2 s in whichever thread it happens to begin, and everything waits; there is one every few dozen views.
    Nearly all of these objects stay as long as the program does. Those that do not are freed as ever when nothing
    refers to them any more; if they refer to each other, that waits until the dataset is closed. What comes later is
    collected as ever.

    Parameters
    ----------
    parent : QObject
        Owns the timer.
    """

    _left = False
    """Whether something was closed whose memory is not free yet, maybe."""
    _open: ClassVar[weakref.WeakSet[LongLived]] = weakref.WeakSet()
    """Those of all windows: what Python leaves out, it leaves out for all of them."""

    def __init__(self, parent: QObject) -> None:
        _free_what_is_left()  # while a dataset is opened everybody waits anyway
        self._timer = QTimer(parent)
        self._timer.setSingleShot(True)
        self._timer.setInterval(_MS)
        self._timer.timeout.connect(_keep)
        LongLived._open.add(self)

    def keep_soon(self) -> None:
        """Keep what will be in memory in a moment, too."""
        self._timer.start()

    def close(self) -> None:
        """Let the next full collection look at everything: what was open is to be freed."""
        self._timer.stop()
        LongLived._open.discard(self)
        gc.unfreeze()
        LongLived._left = True
        for other in LongLived._open:
            other.keep_soon()


@contextmanager
def collecting_later() -> Iterator[None]:
    """Put off what Python would collect: napari has it look at everything for each layer that is taken out."""
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


def _keep() -> None:
    _free_what_is_left()
    gc.freeze()


def _free_what_is_left() -> None:
    if LongLived._left:
        gc.collect()
        LongLived._left = False

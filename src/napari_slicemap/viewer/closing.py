"""The end of a viewer: what is open in it must let go before Qt takes its window down."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import Any

from qtpy.QtCore import QEvent, QObject


class Closing(QObject):
    """Calls, weakly, when a window is to be closed, and once when it is closed by a program or is gone.

    A window that its user closes may ask first whether that is meant, so there the end is when Qt deletes it.

    Parameters
    ----------
    window : QObject
        The window; it owns this.
    asked : bound method
        What to call when the window is to be closed, while what it belongs to lives.
    end : bound method
        What to call at the end, likewise.
    """

    def __init__(self, window: QObject, asked: Callable[[], None], end: Callable[[], None]) -> None:
        super().__init__(window)
        self._asked = _weakly(asked)
        self._end = call = _weakly(end)
        window.installEventFilter(self)
        # a plain function: Qt may have freed this by then
        window.destroyed.connect(call)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:  # noqa: N802 - Qt's name
        """Look out for the window being closed."""
        if event.type() == QEvent.Type.Close:
            self._asked()
            if not event.spontaneous():
                watched.removeEventFilter(self)
                self._end()
        return False


def _weakly(method: Callable[[], None]) -> Callable[..., None]:
    """Give a function that calls a method while the object lives."""
    known = weakref.WeakMethod(method)

    def call(*_: Any) -> None:
        found = known()
        if found is not None:
            found()

    return call

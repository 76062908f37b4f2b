"""A key that does something for as long as it is held."""

from __future__ import annotations

from collections.abc import Callable

from qtpy.QtCore import QCoreApplication, QEvent, QObject, Qt
from qtpy.QtGui import QKeyEvent
from qtpy.QtWidgets import QWidget

from ..parts import add_shortcut

_ENDS = (QEvent.Type.WindowDeactivate, QEvent.Type.ApplicationDeactivate)


class HeldKey(QObject):
    """Calls back when a key goes down anywhere in a widget, and when it comes up again, wherever that is.

    Parameters
    ----------
    key : str
        One letter.
    widget : QWidget
        Where it counts.
    tell : callable
        Told whether it is held.
    """

    def __init__(self, key: str, widget: QWidget, tell: Callable[[bool], object]) -> None:
        super().__init__(widget)
        self._key, self._tell, self._held = Qt.Key(ord(key)), tell, False
        add_shortcut(key, widget, self._press)

    def _press(self) -> None:
        application = QCoreApplication.instance()
        if not self._held and application is not None:
            self._held = True
            application.installEventFilter(self)
            self._tell(True)

    def release(self) -> None:
        """End it, if it is held."""
        application = QCoreApplication.instance()
        if self._held and application is not None:
            self._held = False
            application.removeEventFilter(self)
            self._tell(False)

    def eventFilter(self, _watched: QObject, event: QEvent) -> bool:  # noqa: N802 - Qt's name
        """See the key come up, or the window lose the keyboard."""
        up = event.type() == QEvent.Type.KeyRelease and isinstance(event, QKeyEvent) and not event.isAutoRepeat()
        if event.type() in _ENDS or (up and event.key() == self._key):
            self.release()
        return False

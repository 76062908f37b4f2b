"""What every dock does: it stops what it is doing when it is closed."""

from __future__ import annotations

from typing import Any

from qtpy.QtCore import QEvent
from qtpy.QtWidgets import QWidget


class Dock(QWidget):
    """A widget that napari puts into a dock; :meth:`_leave` is called once, when it is closed or taken out of it."""

    _has_left = False

    def changeEvent(self, event: QEvent) -> None:  # noqa: N802 - Qt's name
        """See the dock being taken out of the window: napari gives it no other sign of its closing."""
        super().changeEvent(event)
        if event.type() == QEvent.Type.ParentChange and self.parent() is None:
            self._leave_once()
            self.deleteLater()  # PySide6 keeps widgets whose signals go to functions that know them

    def closeEvent(self, event: Any) -> None:  # noqa: N802 - Qt's name
        """Stop what is being done, and stop listening."""
        self._leave_once()
        super().closeEvent(event)

    def _leave_once(self) -> None:
        if not self._has_left:
            self._has_left = True
            self._leave()

    def _leave(self) -> None:
        """Stop what is being done, and stop listening."""
        raise NotImplementedError

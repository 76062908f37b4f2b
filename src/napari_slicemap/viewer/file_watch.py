"""Watches a file, and says when something may have written it."""

from __future__ import annotations

from pathlib import Path

from qtpy.QtCore import QFileSystemWatcher, QObject, QTimer, Signal

_SETTLE_MS = 200
"""A file that is being written changes several times."""


class FileWatch(QObject):
    """Watches a file that others replace: its folder, too, because a file put in its place is another one.

    Parameters
    ----------
    parent : QObject
        Owns it.
    """

    changed = Signal()
    """Something may have written the file."""

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self._path: Path | None = None
        self._watcher = QFileSystemWatcher(self)
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(_SETTLE_MS)
        self._timer.timeout.connect(self._tell)
        self._watcher.fileChanged.connect(self._on_change)
        self._watcher.directoryChanged.connect(self._on_change)

    def watch(self, path: Path | None) -> None:
        """Watch another file; ``None`` for none."""
        self._timer.stop()
        watched = [*self._watcher.files(), *self._watcher.directories()]
        if watched:
            self._watcher.removePaths(watched)
        self._path = path
        self._add()

    def _add(self) -> None:
        if self._path is not None:
            known = {*self._watcher.files(), *self._watcher.directories()}
            new = [str(one) for one in (self._path, self._path.parent) if one.exists() and str(one) not in known]
            if new:
                self._watcher.addPaths(new)

    def _on_change(self, _path: str) -> None:
        self._timer.start()

    def _tell(self) -> None:
        self._add()
        self.changed.emit()

"""Check and run: what a plan comes to, the buttons, progress."""

from __future__ import annotations

from collections.abc import Sequence

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QLabel, QProgressBar, QScrollArea, QVBoxLayout, QWidget

from ..parts import add_shortcut, button, row

_MESSAGE_PX = 110


class Desk(QWidget):
    """What always stays in sight: the message, the buttons, the progress."""

    def __init__(self) -> None:
        super().__init__()
        self.message = QLabel()
        self.message.setWordWrap(True)
        self.message.setAlignment(Qt.AlignmentFlag.AlignTop)
        self.message.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self._scroll = QScrollArea()
        self._scroll.setWidgetResizable(True)
        self._scroll.setFrameShape(QScrollArea.Shape.NoFrame)
        self._scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self._scroll.setWidget(self.message)
        self.progress = QProgressBar()
        self.progress.setVisible(False)
        self.export = button("&Export", "Write the files (Ctrl+Return)")
        self.dry_run = button("&Dry run", "List what would be written, and write nothing (Ctrl+Shift+Return)")
        self.cancel = button("Cancel", "Leave the rest undone; what is written stays (Ctrl+.)")
        self.retry = button("&Retry failed", "Do again what failed, under the same names")
        self.open = button("Open folder", "Show the output folder")
        self.copy = button("Copy shell command", "Put the command that writes the same files on the clipboard")
        self.plan = button("Pla&n", "Save all these settings as a file, or load them")
        layout = QVBoxLayout(self)
        layout.setContentsMargins(6, 4, 6, 6)
        layout.setSpacing(4)
        layout.addWidget(self._scroll)
        layout.addWidget(self.progress)
        layout.addLayout(row(self.export, self.dry_run, self.cancel, spacing=4))
        layout.addLayout(row(self.open, self.retry, spacing=4))
        layout.addLayout(row(self.plan, self.copy, spacing=4))

    def add_shortcuts(self, dock: QWidget) -> None:
        """Let keys press the buttons, wherever in the dock the focus is."""
        for keys, pressed in (
            ("Ctrl+Return", self.export),
            ("Ctrl+Shift+Return", self.dry_run),
            ("Ctrl+.", self.cancel),
        ):
            add_shortcut(keys, dock, pressed.click)

    def say(self, lines: Sequence[str]) -> None:
        """Show a message; a long one scrolls."""
        self.message.setText("\n".join(lines))
        width = max(200, self._scroll.viewport().width())
        self._scroll.setFixedHeight(min(_MESSAGE_PX, self.message.heightForWidth(width) + 4))

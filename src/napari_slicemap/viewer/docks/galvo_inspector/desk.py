"""What always stays in sight: the message, the note, and the buttons with their keys."""

from __future__ import annotations

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QLineEdit, QProgressBar, QVBoxLayout, QWidget

from ..parts import button, row, small, undo_buttons


class AllSlices(QWidget):
    """What is done to all slices: detect, and write fixes."""

    def __init__(self) -> None:
        super().__init__()
        self.detect = button("Detect all", "Look for the return in every slice; what a person decided stays")
        self.cancel = button("Cancel", "Stop detecting; the slices that are done keep their results (Ctrl+.)")
        self.apply = button("Apply fixes…", "List what would be fixed, and write it to a new folder")
        self.progress = QProgressBar()
        self.progress.setVisible(False)
        self.cancel.setVisible(False)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(4, 2, 4, 2)
        layout.addLayout(row(self.detect, self.progress, self.cancel, None, self.apply, spacing=4))

    def advance(self, done: int, total: int) -> None:
        """Show how far the detection is."""
        self.progress.setRange(0, total)
        self.progress.setValue(done)
        self.progress.setFormat(f"{done} of {total}")

    def set_running(self, running: bool) -> None:
        """Show progress and the way to stop it, while it runs."""
        self.progress.setVisible(running)
        self.cancel.setVisible(running)
        self.detect.setVisible(not running)


class Desk(QWidget):
    """Decides about the chosen slice."""

    def __init__(self) -> None:
        super().__init__()
        self.message = small()
        self.message.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.note = QLineEdit()
        self.note.setPlaceholderText("Note (E): Return keeps it, so does a decision")
        self.note.setToolTip("Is added to the notes of the slice (E)")
        self.note.setAccessibleName("Note")
        self.accept = button("Accept (A)", "Fix this slice by the shift that the band stands for (A)")
        self.reject = button("Reject (R)", "Leave this slice as it is (R)")
        self.withdraw = button("Withdraw", "Take back what a person decided; nobody has decided then")
        self.previous = button("◂ P", "Previous slice with tiles (P)")
        self.next = button("N ▸", "Next slice with tiles (N)")
        self.undo, self.redo = undo_buttons()
        for narrow, name in ((self.previous, "Previous slice"), (self.next, "Next slice")):
            narrow.setAccessibleName(name)
            narrow.setFixedWidth(46)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(4, 2, 4, 4)
        layout.setSpacing(4)
        layout.addWidget(self.message)
        layout.addLayout(row(self.note, self.undo, self.redo, spacing=4))
        layout.addLayout(row(self.previous, self.accept, self.reject, self.withdraw, self.next, spacing=4))
        self.say("")

    def say(self, text: str) -> None:
        """Show a message."""
        self.message.setText(text)
        self.message.setVisible(bool(text))

    def suit(self, *, can_accept: bool, can_reject: bool, can_withdraw: bool, override: bool) -> None:
        """Enable what can be done, and say what accepting would be."""
        self.accept.setEnabled(can_accept)
        self.accept.setText("Override (A)" if override else "Accept (A)")
        self.reject.setEnabled(can_reject)
        self.withdraw.setEnabled(can_withdraw)
        self.note.setEnabled(can_reject)

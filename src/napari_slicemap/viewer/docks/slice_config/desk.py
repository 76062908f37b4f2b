"""What stays in sight around the table: filter, messages, the unsaved marker, the buttons; and the empty state."""

from __future__ import annotations

from collections.abc import Callable

from qtpy.QtCore import Qt, QTimer, Signal
from qtpy.QtWidgets import QHBoxLayout, QLabel, QLineEdit, QSpinBox, QVBoxLayout, QWidget

from ..parts import button, counted, form, row, small, undo_buttons

_DELAY_MS = 120


class FilterLine(QWidget):
    """A line that says which slices to show, and beneath it what is wrong with that."""

    asked = Signal(str)
    """What is to be shown."""
    left = Signal()
    """Return or Escape: on to the table."""

    def __init__(self) -> None:
        super().__init__()
        self.line = QLineEdit()
        self.line.setPlaceholderText("Filter: words, or quality < 0.3 and use   ( / )")
        self.line.setToolTip(
            "Words that stand anywhere in a row, or a condition: columns compared by < <= > >= == != in, joined by "
            "and, or, not. Short names: id, quality, galvo, fix, note, excluded, reason, method, used"
        )
        self.line.setAccessibleName("Filter")
        self.line.setClearButtonEnabled(True)
        self.count = QLabel()
        self.count.setStyleSheet("font-size: 11px;")
        self.why = small()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(4, 4, 4, 0)
        layout.setSpacing(2)
        layout.addLayout(row(self.line, self.count))
        layout.addWidget(self.why)
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(_DELAY_MS)
        self._timer.timeout.connect(self._ask)
        self.line.textChanged.connect(lambda _text: self._timer.start())
        self.line.returnPressed.connect(self._on_return)
        self.say("")

    def say(self, why: str) -> None:
        """Say what is wrong with the filter; nothing, if it is right."""
        self.why.setText(why)
        self.why.setVisible(bool(why))

    def stop(self) -> None:
        """Ask nothing any more."""
        self._timer.stop()

    def _on_return(self) -> None:
        self._timer.stop()
        self._ask()
        if not self.why.text():
            self.left.emit()

    def _ask(self) -> None:
        self.asked.emit(self.line.text())


class Offer(QWidget):
    """A line that says something and offers what can be done about it."""

    def __init__(self, *commands: tuple[str, str, Callable[[], object]]) -> None:
        super().__init__()
        self.message = small()
        self.buttons = [button(text, tip) for text, tip, _ in commands]
        for made, (_, _, command) in zip(self.buttons, commands, strict=True):
            made.clicked.connect(lambda _checked=False, command=command: command())
        layout = QVBoxLayout(self)
        layout.setContentsMargins(6, 4, 6, 4)
        layout.setSpacing(3)
        layout.addWidget(self.message)
        layout.addLayout(row(*self.buttons, None, spacing=4))
        self.setStyleSheet("Offer { background: rgba(127, 127, 127, 45); }")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self.say("")

    def say(self, text: str) -> None:
        """Show it with this message; hide it, if there is none."""
        self.message.setText(text)
        self.setVisible(bool(text))


class Desk(QWidget):
    """Beneath the table: the message, how much is not saved, and what can be done."""

    def __init__(self) -> None:
        super().__init__()
        self.message = small()
        self.message.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.unsaved = QLabel()
        self.unsaved.setAccessibleName("Unsaved edits")
        self.save = button("Save", "Write the edits into the slice table, and its audit trail (Ctrl+S)")
        self.undo, self.redo = undo_buttons()
        self.more = button("More", "Columns, thumbnails, import, export")
        layout = QVBoxLayout(self)
        layout.setContentsMargins(4, 2, 4, 4)
        layout.setSpacing(4)
        layout.addWidget(self.message)
        layout.addLayout(row(self.unsaved, None, self.undo, self.redo, self.save, self.more, spacing=4))
        self.say("")

    def say(self, text: str) -> None:
        """Show a message."""
        self.message.setText(text)
        self.message.setVisible(bool(text))

    def suit(self, count: int, *, undo: str, redo: str) -> None:
        """Say how much is not saved, and what can be undone and made again; empty for nothing."""
        self.unsaved.setText(f"● {count} unsaved" if count else "all saved")
        self.unsaved.setToolTip(f"{counted(count, 'cell')} not saved yet; they survive a crash" if count else "")
        self.save.setEnabled(bool(count))
        for made, name, tip in (
            (self.undo, undo, "Undo: {} (Ctrl+Z)"),
            (self.redo, redo, "Make again: {} (Ctrl+Shift+Z)"),
        ):
            made.setEnabled(bool(name))
            made.setToolTip(tip.format(name or "nothing"))


class EmptyState(QWidget):
    """There is no slice table: why, and the way to one, with the options of the shell's command."""

    asked = Signal(list, int)
    """Ids to leave out, and how many to leave out at the beginning."""

    def __init__(self) -> None:
        super().__init__()
        self.message = QLabel()
        self.message.setWordWrap(True)
        self.first = QSpinBox()
        self.first.setRange(0, 999)
        self.first.setValue(1)
        self.first.setToolTip("How many slices to leave out at the beginning, noted as calibration_slice")
        self.exclude = QLineEdit()
        self.exclude.setPlaceholderText("none, or ids such as 03, 17")
        self.exclude.setToolTip("Slices to leave out, noted as manually_excluded")
        self.generate = button("Generate", "Make the slice table of this dataset; it is on disk at once")
        self.why = small()
        self._options = QWidget()
        fields = form(self._options)
        fields.addRow("Exclude first", self.first)
        fields.addRow("Exclude", self.exclude)
        buttons = QHBoxLayout()
        buttons.addWidget(self.generate)
        buttons.addStretch(1)
        fields.addRow("", buttons)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(12, 16, 12, 12)
        layout.setSpacing(10)
        for widget in (self.message, self._options, self.why):
            layout.addWidget(widget)
        layout.addStretch(1)
        self.generate.clicked.connect(self._ask)

    def say(self, text: str, can_generate: bool) -> None:
        """Say why there is nothing to see."""
        self.message.setText(text)
        self._options.setVisible(can_generate)
        self.why.setText("")

    def _ask(self) -> None:
        ids = [one.strip() for one in self.exclude.text().replace(";", ",").split(",") if one.strip()]
        self.asked.emit(ids, self.first.value())

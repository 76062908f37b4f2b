"""A table in which nobody loses what is being typed: what would close the editor of a cell waits until it is closed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from qtpy.QtCore import QTimer
from qtpy.QtWidgets import QAbstractItemDelegate, QComboBox, QLineEdit, QTableView, QWidget

_BEGUN = "place that it began with"


class PatientTable(QTableView):
    """Lets what others change wait while a cell is edited; Qt closes the editor when rows come, go or move."""

    def __init__(self) -> None:
        super().__init__()
        self._waiting: dict[Callable[[], object], None] = {}
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(0)  # Qt is in the midst of moving on when it closes an editor
        self._timer.timeout.connect(self._catch_up)

    @property
    def is_editing(self) -> bool:
        """Whether a cell is being edited."""
        return self.state() == QTableView.State.EditingState

    def calmly(self, command: Callable[[], object]) -> None:
        """Do something now, or once, as soon as no cell is being edited."""
        if self.is_editing:
            self._waiting[command] = None
        else:
            command()

    def finish(self) -> None:
        """Keep what is being typed, if it fits, and close the editor: the rows are about to be other ones."""
        editor = self.indexWidget(self.currentIndex())
        if self.is_editing and editor is not None:
            self.commitData(editor)
            self.closeEditor(editor, QAbstractItemDelegate.EndEditHint.NoHint)

    def closeEditor(self, editor: QWidget, hint: Any) -> None:  # noqa: N802 - Qt's name
        """Do what waited for this, unless the next cell is edited at once."""
        super().closeEditor(editor, hint)
        if self._waiting:
            self._timer.start()

    def _catch_up(self) -> None:
        if not self.is_editing:
            waiting, self._waiting = self._waiting, {}
            for command in waiting:
                command()


def fill_editor(editor: QWidget, text: str) -> None:
    """Show in an editor what its cell has by now; what somebody typed or chose in it stays.

    Parameters
    ----------
    editor : QLineEdit or QComboBox
        The editor; the items of a list have their texts as data.
    text : str
        What the cell has.
    """
    if isinstance(editor, QComboBox):
        if editor.property(_BEGUN) in (None, editor.currentIndex()):
            editor.setCurrentIndex(editor.findData(text))
            editor.setProperty(_BEGUN, editor.currentIndex())
    elif isinstance(editor, QLineEdit) and not editor.isModified():
        editor.setText(text)

"""The help that lists all keys."""

from __future__ import annotations

from html import escape

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QDialog, QTextBrowser, QVBoxLayout, QWidget

from .keys import ALL, Keys

_WIDTH, _HEIGHT = 460, 640


class KeysDialog(QDialog):
    """Lists the keys; it may stay open.

    Parameters
    ----------
    parent : QWidget
        The window.
    """

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setWindowTitle("Slice map: keys")
        self.text = QTextBrowser()
        self.text.setAccessibleName("Keys")
        self.text.setHtml("".join(_table(part) for part in ALL))
        layout = QVBoxLayout(self)
        layout.setContentsMargins(6, 6, 6, 6)
        layout.addWidget(self.text)
        self.resize(_WIDTH, _HEIGHT)


def _table(part: Keys) -> str:
    """Write the keys of a part of the window as HTML."""
    rows = "".join(
        f"<tr><td width='130'><b>{escape(keys)}</b></td><td>{escape(does)}</td></tr>" for keys, does in part.keys
    )
    return f"<h3>{escape(part.title)}</h3><p><i>{escape(part.when)}</i></p><table cellpadding='2'>{rows}</table>"

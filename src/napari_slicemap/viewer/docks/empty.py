"""What every dock shows while there is no dataset: what to do, and the way back to what was open last."""

from __future__ import annotations

from functools import partial
from typing import Any

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QLabel, QPushButton, QStackedLayout, QVBoxLayout, QWidget

from ...errors import SlicemapError
from ..remembered import read_remembered, why_gone
from ..session import Session
from .parts import row, small, without_argument

_WHAT_TO_DO = "Nothing is open. Drag an acquisition's folder into napari, or take the sample: File ▸ Open Sample."
_TITLE_PX = 220


class NothingOpen(QWidget):
    """The page of a dock while nothing is open.

    Parameters
    ----------
    session : Session
        The session.
    """

    def __init__(self, session: Session) -> None:
        super().__init__()
        self._session = session
        self.message = QLabel(_WHAT_TO_DO)
        self.message.setWordWrap(True)
        self.again = QPushButton()
        self.why = small()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(12, 16, 12, 8)
        layout.setSpacing(10)
        layout.addWidget(self.message)
        layout.addLayout(row(self.again, None))
        layout.addWidget(self.why)
        layout.addStretch(1)
        self.again.clicked.connect(partial(without_argument, self.open_again))

    def open_again(self) -> None:
        """Open what was open last; where that cannot be, say why."""
        try:
            self._session.remembering.open_again()
        except SlicemapError as error:
            self._say(str(error))

    def showEvent(self, event: Any) -> None:  # noqa: N802 - Qt's name
        """Look what was open last; it may be something else each time."""
        super().showEvent(event)
        last = next(iter(read_remembered()), None)
        why = "" if last is None else why_gone(last)
        self.again.setVisible(last is not None and not why)
        self._say(why)
        if last is not None:
            shown = self.fontMetrics().elidedText(last.title, Qt.TextElideMode.ElideMiddle, _TITLE_PX)
            self.again.setText(f"Open again: {shown}")
            self.again.setToolTip(f"{last.title}\n{last.path}\nas it was seen last, with its docks (Ctrl+Shift+R)")

    def _say(self, text: str) -> None:
        self.why.setText(text)
        self.why.setVisible(bool(text))


class Pages(QStackedLayout):
    """The content of a dock, and what it shows in its place while nothing is open.

    Parameters
    ----------
    dock : QWidget
        The dock; it calls :meth:`suit` when a dataset was opened or closed.
    session : Session
        The session.
    """

    def __init__(self, dock: QWidget, session: Session) -> None:
        super().__init__(dock)
        self._session = session
        self.content, self.nothing = QWidget(), NothingOpen(session)
        self.addWidget(self.content)
        self.addWidget(self.nothing)

    def suit(self) -> None:
        """Show the content if something is open."""
        self.setCurrentWidget(self.nothing if self._session.dataset is None else self.content)

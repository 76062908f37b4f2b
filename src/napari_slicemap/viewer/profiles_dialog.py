"""The dialog of profiles: which one is shown, and what napari's controls show saved as one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import QSignalBlocker, Qt
from qtpy.QtWidgets import QDialog, QLabel, QLineEdit, QListWidget, QListWidgetItem, QPushButton, QVBoxLayout, QWidget

from ..errors import SlicemapError
from .docks.parts import row

if TYPE_CHECKING:
    from .session import Session

_WIDTH, _HEIGHT = 380, 320


class ProfilesDialog(QDialog):
    """Shows the profiles of a session; it may stay open.

    Parameters
    ----------
    session : Session
        Whose profiles.
    parent : QWidget
        The window.
    """

    def __init__(self, session: Session, parent: QWidget) -> None:
        super().__init__(parent)
        self._session = session
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setWindowTitle("Slice map: profiles")
        self.state, self.message = QLabel(), QLabel()
        for label in (self.state, self.message):
            label.setWordWrap(True)
            label.setTextFormat(Qt.TextFormat.PlainText)
        self.names = QListWidget()
        self.names.setAccessibleName("Profiles")
        self.apply = _button("&Show", "Set colour, contrast, gamma and visibility of the channels to this profile")
        self.save = _button("Sa&ve", "Save what the channels' controls show now to the profile that is shown")
        self.name = QLineEdit()
        self.name.setPlaceholderText("Name of a new profile")
        self.name.setAccessibleName("Name of a new profile")
        self.save_as = _button("Save &as", "Save what the channels' controls show now as a new profile")
        layout = QVBoxLayout(self)
        layout.addWidget(self.state)
        layout.addWidget(self.names, 1)
        layout.addLayout(row(self.apply, self.save, None))
        layout.addLayout(row(self.name, self.save_as))
        layout.addWidget(self.message)
        self.resize(_WIDTH, _HEIGHT)
        self._connect()
        self._fill()

    def _connect(self) -> None:
        self.names.itemActivated.connect(lambda _item: self._show())
        self.names.currentRowChanged.connect(lambda _row: self._suit())
        self.apply.clicked.connect(lambda: self._show())
        self.save.clicked.connect(lambda: self._save(""))
        self.save_as.clicked.connect(self._save_new)
        self.name.returnPressed.connect(self._save_new)
        self.name.textChanged.connect(lambda _text: self._suit())
        self._heard = (
            (self._session.opened, self._fill),
            (self._session.profiles_changed, self._fill),
            (self._session.look_changed, self._suit),
        )
        for signal, slot in self._heard:
            signal.connect(slot)

    # --- session to widgets ---------------------------------------------------------------------------------
    def _fill(self) -> None:
        dataset = self._session.dataset
        with QSignalBlocker(self.names):
            self.names.clear()
            for name in [] if dataset is None else dataset.profiles.names:
                item = QListWidgetItem(name)
                font = item.font()
                font.setBold(name == self._session.profile_name)
                item.setFont(font)
                self.names.addItem(item)
                if font.bold():
                    self.names.setCurrentItem(item)
        self._suit()

    def _suit(self) -> None:
        opened, name = self._session.dataset is not None, self._session.profile_name
        edited = self._session.profile_is_edited
        changes = ", with changes that are not saved" if edited else ""
        self.state.setText(f"{name} is shown{changes}." if opened else "There is no dataset open.")
        item = self.names.currentItem()
        self.apply.setEnabled(item is not None and (item.text() != name or edited))
        self.save.setEnabled(opened)
        self.save.setText("Sa&ve to " + name.replace("&", "&&") if opened else "Sa&ve")
        self.save_as.setEnabled(opened and bool(self.name.text().strip()))

    # --- commands -------------------------------------------------------------------------------------------
    def _show(self) -> None:
        item = self.names.currentItem()
        if item is not None:
            self.message.setText("")
            self._session.activate_profile(item.text())

    def _save(self, name: str) -> None:
        try:
            self._session.save_profile(name)
        except SlicemapError as error:
            self.message.setText(str(error))
        else:
            self.message.setText(f"{self._session.profile_name} is saved.")
            self.name.clear()

    def _save_new(self) -> None:
        name, dataset = self.name.text().strip(), self._session.dataset
        if not name or dataset is None:
            return
        if name in dataset.profiles.names:
            self.message.setText(f"There is a profile {name!r} already: show it and save to it, or take another name.")
        else:
            self._save(name)

    def done(self, result: int) -> None:
        """Stop listening, and close."""
        for signal, slot in self._heard:
            signal.disconnect(slot, missing_ok=True)
        super().done(result)


def _button(text: str, tip: str) -> QPushButton:
    made = QPushButton(text)
    made.setToolTip(tip)
    made.setAutoDefault(False)
    return made

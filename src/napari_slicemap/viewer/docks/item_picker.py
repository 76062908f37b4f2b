"""A list of items to tick, with a filter."""

from __future__ import annotations

from collections.abc import Sequence

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import QHBoxLayout, QLineEdit, QListWidget, QListWidgetItem, QPushButton, QVBoxLayout, QWidget

_KEY = Qt.ItemDataRole.UserRole
_ON, _OFF = Qt.CheckState.Checked, Qt.CheckState.Unchecked


class ItemPicker(QWidget):
    """Items with a checkbox each; "All" and "None" act on those that the filter shows."""

    changed = Signal()

    def __init__(self, what: str) -> None:
        super().__init__()
        self._filter = QLineEdit()
        self._filter.setPlaceholderText(f"Filter {what}…")
        self._filter.setClearButtonEnabled(True)
        self._list = QListWidget()
        self._list.setUniformItemSizes(True)
        every, none = QPushButton("All"), QPushButton("None")
        row = QHBoxLayout()
        row.addWidget(self._filter, 1)
        for button, state in ((every, _ON), (none, _OFF)):
            button.setMaximumWidth(56)
            button.clicked.connect(lambda _=False, state=state: self._tick_shown(state))
            row.addWidget(button)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(4, 4, 4, 4)
        layout.addLayout(row)
        layout.addWidget(self._list)
        self._filter.textChanged.connect(self._hide_others)
        self._list.itemChanged.connect(lambda _: self.changed.emit())

    def set_items(self, items: Sequence[tuple[str, str, str]]) -> None:
        """Replace the items; those that were ticked and are still there stay ticked.

        Parameters
        ----------
        items : sequence of (key, text, note)
            The note (such as why an item is left out) is shown greyed behind the text and as a tooltip.
        """
        ticked = set(self.ticked())
        self._list.blockSignals(True)
        self._list.clear()
        for key, text, note in items:
            item = QListWidgetItem(f"{text}   ({note})" if note else text)
            item.setData(_KEY, key)
            item.setToolTip(note or text)
            item.setFlags(item.flags() | Qt.ItemFlag.ItemIsUserCheckable)
            item.setCheckState(_ON if key in ticked else _OFF)
            self._list.addItem(item)
        self._list.blockSignals(False)
        self._hide_others(self._filter.text())
        self.changed.emit()

    def ticked(self) -> list[str]:
        """List the keys of the ticked items."""
        return [str(item.data(_KEY)) for item in self._items() if item.checkState() == _ON]

    def tick(self, keys: Sequence[str]) -> None:
        """Tick these items and no others."""
        self._list.blockSignals(True)
        for item in self._items():
            item.setCheckState(_ON if item.data(_KEY) in keys else _OFF)
        self._list.blockSignals(False)
        self.changed.emit()

    def _items(self) -> list[QListWidgetItem]:
        return [self._list.item(row) for row in range(self._list.count())]

    def _tick_shown(self, state: Qt.CheckState) -> None:
        self._list.blockSignals(True)
        for item in self._items():
            if not item.isHidden():
                item.setCheckState(state)
        self._list.blockSignals(False)
        self.changed.emit()

    def _hide_others(self, text: str) -> None:
        for item in self._items():
            item.setHidden(text.lower() not in item.text().lower())

"""Which slices ROIs are copied to."""

from __future__ import annotations

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import QDialog, QDialogButtonBox, QLabel, QVBoxLayout, QWidget

from ....dataset import Dataset
from ..item_picker import ItemPicker, Pick
from ..parts import counted


class CopyDialog(QDialog):
    """Asks for slices; nothing waits for it to be closed.

    Parameters
    ----------
    parent : QWidget
        The dock.
    dataset : Dataset
        Whose maps there are.
    count : int
        Number of ROIs that are copied.
    on : set of str
        Maps that all of them are on already.
    """

    agreed = Signal(object)
    """Ids of the maps that were ticked."""

    def __init__(self, parent: QWidget, dataset: Dataset, count: int, on: set[str]) -> None:
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setWindowTitle("Copy to slices")
        self.picker = ItemPicker("slices", ("Map", "Slice", "Note"))
        self.picker.set_picks(_pick(map_id, dataset) for map_id in dataset.maps if map_id not in on)
        said = QLabel(
            f"{counted(count, 'ROI')} to the same place, stage µm, of these slices. Copies get names of their own; "
            "profile, tags and comment go along."
        )
        said.setWordWrap(True)
        buttons = QDialogButtonBox()
        self.copy = buttons.addButton("Copy", QDialogButtonBox.ButtonRole.AcceptRole)
        buttons.addButton(QDialogButtonBox.StandardButton.Cancel)
        buttons.accepted.connect(self.accept)
        buttons.rejected.connect(self.reject)
        layout = QVBoxLayout(self)
        layout.addWidget(said)
        layout.addWidget(self.picker)
        layout.addWidget(buttons)
        self.picker.changed.connect(self._suit)
        self.accepted.connect(lambda: self.agreed.emit(self.picker.ticked()))
        self._suit()

    def _suit(self) -> None:
        self.copy.setEnabled(bool(self.picker.ticked()))


def _pick(map_id: str, dataset: Dataset) -> Pick:
    slice_id = dataset.maps[map_id].slice_id
    reason = dataset.why_excluded(slice_id)
    note = f"excluded: {reason}" if reason else ""
    return Pick(map_id, (map_id, slice_id, note), note)

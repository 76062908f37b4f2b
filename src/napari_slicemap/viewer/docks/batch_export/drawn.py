"""What is drawn into pictures: outlines, scale bar, title and legend; and contact sheets."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from qtpy.QtCore import QSignalBlocker, Signal
from qtpy.QtWidgets import QCheckBox, QLineEdit, QVBoxLayout, QWidget
from superqt.utils import QFlowLayout

from ....dataset import Dataset
from ....export.plan import ContactSheet, ExportPlan
from ....export.writers import Writer
from ....render.scale_bar import ScaleBarStyle
from ..parts import form, small
from .model_form import ModelForm

_INDENT_PX = 22
_BACKGROUND = ExportPlan.model_fields["background"].default


class Drawn(QWidget):
    """The settings of what is drawn; formats of data have none but masks."""

    changed = Signal()

    def __init__(self) -> None:
        super().__init__()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 4)
        self.note = small()
        self.note.setContentsMargins(6, 0, 0, 0)
        self.masks, self.annotations = Names(), Names()
        self._below = form()
        self._below.addRow("Masks", self.masks)
        self._below.addRow("Annotations", self.annotations)
        self._pictures = QWidget()
        self._fill_pictures(form(self._pictures))
        layout.addWidget(self.note)
        layout.addLayout(self._below)
        layout.addWidget(self._pictures)
        for signal in (
            self.masks.changed,
            self.annotations.changed,
            self.bar_style.changed,
            self.sheet_style.changed,
            self.title.textChanged,
            self.background.textChanged,
        ):
            signal.connect(lambda *_: self.changed.emit())
        for box, style in ((self.scale_bar, self.bar_style), (self.sheet, self.sheet_style)):
            box.toggled.connect(style.setVisible)
            style.layout().setContentsMargins(_INDENT_PX, 0, 0, 0)
            style.setVisible(False)
            box.toggled.connect(lambda _: self.changed.emit())
        for box in (self.shapes, self.legend):
            box.toggled.connect(lambda _: self.changed.emit())
        self.scale_bar.setChecked(True)
        self._pictures_only = True

    def _fill_pictures(self, rows: Any) -> None:
        rows.setContentsMargins(6, 0, 0, 0)
        self.shapes = QCheckBox("Shapes of the ROIs")
        self.scale_bar = QCheckBox("Scale bar")
        self.bar_style = ModelForm(
            ScaleBarStyle, ("enabled",), {"fraction": "Longest share", "label": "Write its length"}
        )
        self.title = QLineEdit()
        self.title.setPlaceholderText("{fov}, {profile}")
        self.title.setToolTip("A line above each picture; it may hold the fields of a name, such as {stem}")
        self.legend = QCheckBox("Channel names in their colours")
        self.background = QLineEdit(_BACKGROUND)
        self.background.setToolTip("Colour where no tile lies: #rrggbb or a name such as white")
        self.sheet = QCheckBox("All items on one contact sheet")
        self.sheet_style = ModelForm(ContactSheet, ("enabled",))
        rows.addRow(self.shapes)
        rows.addRow(self.scale_bar)
        rows.addRow(self.bar_style)
        rows.addRow("Title", self.title)
        rows.addRow(self.legend)
        rows.addRow("Background", self.background)
        rows.addRow(self.sheet)
        rows.addRow(self.sheet_style)

    def fill(self, dataset: Dataset | None) -> None:
        """List masks and annotations of a dataset."""
        fovs = [] if dataset is None else dataset.distinct_fovs
        for names, found, number in (
            (self.masks, {name for fov in fovs for name in fov.masks}, 0),
            (self.annotations, {name for fov in fovs for name in fov.annotations}, 1),
        ):
            names.set_names(sorted(found))
            self._below.setRowVisible(number, bool(found))

    def suit(self, writer: Writer) -> None:
        """Show what a format can have."""
        self._pictures_only = writer.takes != "pixels"
        self._pictures.setVisible(self._pictures_only)
        self._below.setRowVisible(1, self._pictures_only and bool(self.annotations.boxes))
        self.note.setText(
            ""
            if self._pictures_only
            else f"{writer.name} holds the pixels themselves: nothing is drawn into it. Masks go in as labels."
        )
        self.note.setVisible(not self._pictures_only)

    def told(self) -> str:
        """Say in few words what is set."""
        names = [*self.masks.chosen(), *(self.annotations.chosen() if self._pictures_only else ())]
        boxes = ((self.scale_bar, "scale bar"), (self.shapes, "ROIs"), (self.legend, "legend"), (self.sheet, "sheet"))
        extra = [text for box, text in boxes if box.isChecked()] if self._pictures_only else []
        return ", ".join([*extra, *names]) or "nothing"

    # --- to and from a plan ---------------------------------------------------------------------------------------
    def wishes(self) -> dict[str, Any]:
        """Give the part of a plan that is set here; what a format cannot have is left out."""
        if not self._pictures_only:
            return {"overlays": {"masks": self.masks.chosen()}}
        return {
            "overlays": {
                "masks": self.masks.chosen(),
                "annotations": self.annotations.chosen(),
                "rois": self.shapes.isChecked(),
            },
            "scale_bar": {"enabled": True, **self.bar_style.values()} if self.scale_bar.isChecked() else {},
            "caption": {"title": self.title.text().strip(), "legend": self.legend.isChecked()},
            "contact_sheet": {"enabled": True, **self.sheet_style.values()} if self.sheet.isChecked() else {},
            "background": self.background.text().strip() or _BACKGROUND,
        }

    def show_plan(self, plan: Mapping[str, Any]) -> None:
        """Show the part of a plan that is set here."""
        overlays, caption = plan.get("overlays", {}), plan.get("caption", {})
        with QSignalBlocker(self):
            self.masks.choose(overlays.get("masks", ()))
            self.annotations.choose(overlays.get("annotations", ()))
            self.shapes.setChecked(overlays.get("rois", False))
            for box, style, key in (
                (self.scale_bar, self.bar_style, "scale_bar"),
                (self.sheet, self.sheet_style, "contact_sheet"),
            ):
                values = plan.get(key, {})
                box.setChecked(values.get("enabled", False))
                style.show_values(values)
            self.title.setText(caption.get("title", ""))
            self.legend.setChecked(caption.get("legend", False))
            self.background.setText(plan.get("background", _BACKGROUND))
        self.changed.emit()


class Names(QWidget):
    """A checkbox for each of a few names, in as many rows as they need."""

    changed = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.boxes: dict[str, QCheckBox] = {}
        self._layout = QFlowLayout(self)
        self._layout.setContentsMargins(0, 0, 0, 0)

    def set_names(self, names: Iterable[str]) -> None:
        """Replace the names; those that were chosen and are still there stay chosen."""
        chosen = self.chosen()
        for box in self.boxes.values():
            self._layout.removeWidget(box)
            box.deleteLater()
        self.boxes = {name: QCheckBox(name) for name in names}
        for name, box in self.boxes.items():
            box.setChecked(name in chosen)
            box.toggled.connect(lambda _: self.changed.emit())
            self._layout.addWidget(box)

    def chosen(self) -> list[str]:
        """List the chosen names."""
        return [name for name, box in self.boxes.items() if box.isChecked()]

    def choose(self, names: Iterable[str]) -> None:
        """Choose these names and no others."""
        names = set(names)
        for name, box in self.boxes.items():
            box.setChecked(name in names)

"""What to export: maps, ROIs, FOVs, cells, stacks, each a table to tick in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, get_args

from qtpy.QtCore import QSignalBlocker, Qt, Signal
from qtpy.QtWidgets import QCheckBox, QComboBox, QLineEdit, QSpinBox, QTabWidget, QVBoxLayout, QWidget

from ....dataset import Dataset
from ....export.plan import Clip, Select
from ..item_picker import ItemPicker, Pick
from ..parts import choose, counted, form, narrow, small
from .items import COLUMNS, picks_of, roi_picks

_TABS = (("maps", "Maps"), ("rois", "ROIs"), ("fovs", "FOVs"), ("cells", "Cells"), ("stacks", "Stacks"))
_WORDS = {"rois": "ROIs", "fovs": "FOVs", "cells": "FOVs with cells", "series": "FOVs"}
_CLIPS = {
    "box": ("whole box", "The box around each ROI, with all that is in it"),
    "polygon": ("its shape", "Transparent outside the shape of each ROI"),
    "upright": ("turned upright", "Rotated boxes are turned, so that their first edge is at the top"),
}
_DEFAULT = {name: Select.model_fields[name].default for name in ("size_px", "clip", "name")}


class What(QWidget):
    """The tables of items, and what goes with their kinds."""

    changed = Signal()

    def __init__(self) -> None:
        super().__init__()
        self._dataset: Dataset | None = None
        self.pickers = {key: ItemPicker(_WORDS.get(key, key), columns) for key, columns in COLUMNS.items()}
        self.excluded = QCheckBox("Take slices that the slice table excludes")
        self.excluded.setToolTip("Their rows are greyed; without this tick they are left out, and the check says so")
        self.summary = small()
        self.tabs = QTabWidget()
        self.tabs.setUsesScrollButtons(False)
        for (key, title), page in zip(_TABS, self._pages(), strict=True):
            self.tabs.addTab(page, title)
            page.setObjectName(key)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(4, 0, 4, 4)
        for widget in (self.tabs, self.excluded, self.summary):
            layout.addWidget(widget)
        for signal in (
            *(picker.changed for picker in self.pickers.values()),
            self.excluded.toggled,
            self.clip.currentIndexChanged,
            self.query.textChanged,
            self.cell_size.valueChanged,
            self.stack_roi.currentIndexChanged,
            self.stack_name.textChanged,
        ):
            signal.connect(self._on_change)

    # --- pages ----------------------------------------------------------------------------------------------------
    def _pages(self) -> list[QWidget]:
        return [
            self.pickers["maps"],
            self._rois(),
            self.pickers["fovs"],
            self._cells(),
            self._stacks(),
        ]

    def _rois(self) -> QWidget:
        self.clip = narrow(QComboBox())
        for value in get_args(Clip):
            text, tip = _CLIPS[value]
            self.clip.addItem(text, value)
            self.clip.setItemData(self.clip.count() - 1, tip, Qt.ItemDataRole.ToolTipRole)
        self.clip.setToolTip("What of each ROI is shown")
        return _page(self.pickers["rois"], [("Cut out", self.clip)])

    def _cells(self) -> QWidget:
        self.query = QLineEdit()
        self.query.setPlaceholderText("area > 50 and fov == 's01_r0c0'")
        self.query.setToolTip("Cells of any FOV for which this holds, besides all cells of the ticked FOVs")
        self.cell_size = QSpinBox()
        self.cell_size.setRange(1, 16384)
        self.cell_size.setValue(_DEFAULT["size_px"])
        self.cell_size.setSuffix(" px")
        self.cell_size.setToolTip("Side of the square around each cell, px of its FOV")
        return _page(self.pickers["cells"], [("Or where", self.query), ("Crop size", self.cell_size)])

    def _stacks(self) -> QWidget:
        self.along = narrow(QComboBox())
        self.along.addItem("time series: a stack for each FOV", "series")
        self.along.addItem("run of slices: one stack of the maps", "slices")
        self.stack_roi = narrow(QComboBox())
        self.stack_roi.setToolTip("Cut every frame to an ROI: one on a FOV for time series, one on a map for slices")
        self.stack_name = QLineEdit()
        self.stack_name.setPlaceholderText(_DEFAULT["name"])
        self.stack_name.setToolTip("Name of the stack of slices")
        page = QWidget()
        layout = QVBoxLayout(page)
        layout.setContentsMargins(0, 4, 0, 0)
        layout.addWidget(self.along)
        for key in ("series", "slices"):
            layout.addWidget(self.pickers[key])
        below = form()
        below.addRow("Cut to", self.stack_roi)
        below.addRow("Run is called", self.stack_name)
        layout.addLayout(below)
        self.along.currentIndexChanged.connect(self._show_along)
        self._show_along()
        return page

    def _show_along(self, *_: object) -> None:
        for key in ("series", "slices"):
            self.pickers[key].setVisible(self.along.currentData() == key)

    # --- items ----------------------------------------------------------------------------------------------------
    def fill(self, dataset: Dataset | None) -> None:
        """List what a dataset has; of cells see :meth:`fill_cells`."""
        if dataset is not self._dataset:
            self.pickers["cells"].set_picks([])
            for picker in self.pickers.values():
                picker.tick([])
        self._dataset = dataset
        picks: Mapping[str, list[Pick]] = {} if dataset is None else picks_of(dataset)
        for key in COLUMNS:
            if key not in ("cells", "rois"):
                self.pickers[key].set_picks(picks.get(key, []))
        self.fill_rois()
        if dataset is not None and not dataset.maps and self.tabs.currentWidget() is self.pickers["maps"]:
            self.tabs.setCurrentWidget(self.pickers["fovs"])

    def fill_rois(self) -> None:
        """List the ROIs that there are now."""
        dataset = self._dataset
        self.pickers["rois"].set_picks([] if dataset is None else roi_picks(dataset))
        chosen = self.stack_roi.currentData()
        with QSignalBlocker(self.stack_roi):
            self.stack_roi.clear()
            self.stack_roi.addItem("nothing: whole frames", "")
            for roi in dataset.rois if dataset is not None else ():
                self.stack_roi.addItem(f"{roi.label} on {roi.fov or f'map {roi.map_id}'}", roi.roi_id)
        choose(self.stack_roi, chosen)
        self._say_counts()

    def fill_cells(self, picks: Sequence[Pick]) -> None:
        """List the FOVs that have cells."""
        self.pickers["cells"].set_picks(picks)
        self._say_counts()

    def _say_counts(self) -> None:
        for number, (key, title) in enumerate(_TABS):
            count = "" if key == "stacks" else f" {self.pickers[key].model.total}"
            self.tabs.setTabText(number, f"{title}{count}")

    def _on_change(self, *_: object) -> None:
        self.summary.setText(f"Ticked: {self.told()}")
        self.changed.emit()

    def told(self) -> str:
        """Say what is ticked on all tabs."""
        parts = [
            counted(number, word)
            for key, word in (("maps", "map"), ("rois", "ROI"), ("fovs", "FOV"))
            if (number := len(self.pickers[key].ticked()))
        ]
        if fovs := self.pickers["cells"].ticked():
            parts.append(f"the cells of {counted(len(fovs), 'FOV')}")
        parts += [f"cells where {query}"] if (query := self.query.text().strip()) else []
        if series := self.pickers["series"].ticked():
            parts.append(f"{len(series)} time series")
        if slices := self.pickers["slices"].ticked():
            parts.append(f"a run of {counted(len(slices), 'slice')}")
        return ", ".join(parts) or "nothing yet"

    # --- to and from a plan ---------------------------------------------------------------------------------------
    def wishes(self) -> dict[str, Any]:
        """Give the part of a plan that is set here."""
        made: dict[str, Any] = {"select": self._selects()}
        return {**made, "include_excluded": True} if self.excluded.isChecked() else made

    def _selects(self) -> list[dict[str, Any]]:
        ticked = {key: picker.ticked() for key, picker in self.pickers.items()}
        rois = [] if self._dataset is None else [self._dataset.rois[one] for one in ticked["rois"]]
        clip = {"clip": self.clip.currentData()}
        cut = {"roi": self.stack_roi.currentData() or ""}
        query = self.query.text().strip()
        choices: list[tuple[str, list[str], dict[str, Any]]] = [
            ("fov", ticked["fovs"], {}),
            ("map", ticked["maps"], {}),
            ("fov-roi", [roi.roi_id for roi in rois if roi.on == "fov"], clip),
            ("map-roi", [roi.roi_id for roi in rois if roi.on == "map"], clip),
            ("cell", ticked["cells"], {"query": query, "size_px": self.cell_size.value()}),
            ("stack", ticked["series"], {"along": "time", **cut}),
            ("stack", ticked["slices"], {"along": "slices", **cut, **self._run_name()}),
        ]
        return [{"kind": kind, "ids": ids, **more} for kind, ids, more in choices if ids or more.get("query")]

    def _run_name(self) -> dict[str, str]:
        name = self.stack_name.text().strip()
        return {"name": name} if name else {}

    def show_plan(self, plan: Mapping[str, Any]) -> None:
        """Show the part of a plan that is set here."""
        with QSignalBlocker(self):
            self._show_selects([Select.model_validate(one) for one in plan.get("select", ())])
            self.excluded.setChecked(plan.get("include_excluded", False))
        self._on_change()

    def _show_selects(self, selects: Sequence[Select]) -> None:
        keys: dict[str, list[str]] = {key: [] for key in COLUMNS}
        for one in selects:
            keys[_key_of(one)] += self._keys_of(one)
        for key, picker in self.pickers.items():
            picker.tick(keys[key])
        said = {
            name: next((getattr(one, name) for one in selects if one.kind in kinds), default)
            for name, kinds, default in (
                ("clip", ("fov-roi", "map-roi"), _DEFAULT["clip"]),
                ("query", ("cell",), ""),
                ("size_px", ("cell",), _DEFAULT["size_px"]),
                ("roi", ("stack",), ""),
            )
        }
        choose(self.clip, said["clip"])
        self.query.setText(said["query"])
        self.cell_size.setValue(said["size_px"])
        choose(self.stack_roi, self._roi_id(said["roi"]))
        runs = [one for one in selects if _key_of(one) == "slices"]
        named = runs[0].name if runs and runs[0].name != _DEFAULT["name"] else ""
        self.stack_name.setText(named)
        if runs and not keys["series"]:
            self.along.setCurrentIndex(self.along.findData("slices"))

    def _keys_of(self, one: Select) -> list[str]:
        """Give what a choice ticks; an ROI may be named, while rows go by its id."""
        picker = self.pickers[_key_of(one)]
        if one.kind == "cell" and one.all:
            return [] if self._dataset is None else list(self._dataset.fovs)
        if not one.kind.endswith("roi"):
            return picker.model.keys() if one.all else list(one.ids)
        rois = [] if self._dataset is None else list(self._dataset.rois)
        on = one.kind.removesuffix("-roi")
        return [
            roi.roi_id
            for roi in rois
            if ((one.all or set(one.tags) & set(roi.tags)) and roi.on == on)
            or roi.roi_id in one.ids
            or roi.name in one.ids
        ]

    def _roi_id(self, name: str) -> str:
        if self._dataset is None:
            return name
        return next((roi.roi_id for roi in self._dataset.rois if name and name in (roi.roi_id, roi.name)), name)


def _key_of(one: Select) -> str:
    """Give the table that a choice ticks in."""
    if one.kind == "stack":
        return "series" if one.along == "time" else "slices"
    return {"fov": "fovs", "map": "maps", "cell": "cells"}.get(one.kind, "rois")


def _page(picker: ItemPicker, rows: Sequence[tuple[str, QWidget]]) -> QWidget:
    page = QWidget()
    layout = QVBoxLayout(page)
    layout.setContentsMargins(0, 0, 0, 0)
    layout.addWidget(picker)
    below = form()
    for label, widget in rows:
        below.addRow(label, widget)
    layout.addLayout(below)
    return page

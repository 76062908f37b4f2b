"""How items become files: profile, format with its options, scale, time and plane, channels."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import Any, get_args

from qtpy.QtCore import QSignalBlocker, Qt, Signal
from qtpy.QtWidgets import QCheckBox, QComboBox, QLineEdit, QSpinBox, QStackedWidget, QVBoxLayout, QWidget

from ....dataset import Dataset
from ....export.plan import ChannelFiles
from ....export.writers import Writer, find_writer, writers
from ....render.virtual_map import Levels
from ..parts import choose, form, narrow, row, small
from .model_form import ModelForm

_CHANNEL_FILES = {"merged": "together", "separate": "a file each", "both": "together, and a file each"}
_LEVELS = {"exact": "from the tiles (exact)", "stored": "from stored levels (fast)"}
_ON_MISSING = {"raise": "fail that item", "mark": "hatch it and say so"}
_PLANES = ("0", "max", "mean", "all")
_TIMES = ("0", "all")
_LARGEST_DOWNSAMPLE = 65536


class How(QWidget):
    """The settings of format and scale."""

    changed = Signal()
    format_changed = Signal()
    """Another format: what can be drawn may be another, too."""

    def __init__(self) -> None:
        super().__init__()
        self._forms: dict[str, ModelForm] = {}
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 4)
        self._form = form()
        layout.addLayout(self._form)
        self._add_profile()
        self._add_format()
        self._add_scale()
        self._add_choices()
        for signal in (
            self.profile.currentIndexChanged,
            self.scale.currentIndexChanged,
            self.downsample.valueChanged,
            self.target.textChanged,
            self.time.currentTextChanged,
            self.plane.currentTextChanged,
            self.channel_files.currentIndexChanged,
            self.levels.currentIndexChanged,
            self.mark_missing.toggled,
        ):
            signal.connect(lambda *_: self.changed.emit())
        self._on_format()

    # --- fields ---------------------------------------------------------------------------------------------------
    def _add_profile(self) -> None:
        self.profile = narrow(QComboBox())
        self.profile.setToolTip("Saved colours and contrast; what napari shows now plays no part")
        self.channels = small()
        self._form.addRow("Profile", self.profile)
        self._form.addRow("", self.channels)
        self.profile.currentIndexChanged.connect(self._say_channels)

    def _add_format(self) -> None:
        self.format = narrow(QComboBox())
        for name, writer in writers().items():
            self.format.addItem(name, name)
            self.format.setItemData(self.format.count() - 1, writer.summary, Qt.ItemDataRole.ToolTipRole)
        self.summary = small()
        self._options = QWidget()
        self._options_layout = QVBoxLayout(self._options)
        self._options_layout.setContentsMargins(0, 0, 0, 0)
        self._form.addRow("Format", self.format)
        self._form.addRow("", self.summary)
        self._form.addRow(self._options)
        self.format.currentIndexChanged.connect(self._on_format)

    def _add_scale(self) -> None:
        self.scale = narrow(QComboBox())
        self.scale.addItem("reduce", "downsample")
        self.scale.addItem("pixel size", "target")
        self.downsample = QSpinBox()
        self.downsample.setRange(1, _LARGEST_DOWNSAMPLE)
        self.downsample.setPrefix("1 : ")
        self.downsample.setToolTip("Source px to a px of the output")
        self.target = QLineEdit()
        self.target.setPlaceholderText("1.3 µm or 650 nm")
        self.target.setToolTip("Size of a px of the output; a whole multiple of the source's")
        self._scales = QStackedWidget()
        for widget in (self.downsample, self.target):
            self._scales.addWidget(widget)
        self._scales.setMaximumHeight(self.downsample.sizeHint().height())
        self.scale.currentIndexChanged.connect(self._scales.setCurrentIndex)
        self._form.addRow("Scale", row(self.scale, self._scales))

    def _add_choices(self) -> None:
        self.time, self.plane = _editable(_TIMES), _editable(_PLANES)
        self.time.setToolTip("Time point from 0, or all (formats that hold data); stacks along time have all")
        self.plane.setToolTip("z plane from 0, max or mean over all planes, or all (formats that hold data)")
        self.channel_files = _choices(get_args(ChannelFiles), _CHANNEL_FILES)
        self.channel_files.setToolTip("Whether the channels of the profile share a file")
        self.levels = _choices(get_args(Levels), _LEVELS)
        self.levels.setToolTip("Maps: read the tiles, or the coarse levels that `slicemap levels` has stored")
        self.mark_missing = QCheckBox("Hatch tiles that cannot be read")
        self.mark_missing.setToolTip("Without this tick, an item with a tile that cannot be read fails, by name")
        self._form.addRow("Time / z plane", row(self.time, self.plane))
        self._form.addRow("Channels", self.channel_files)
        self._form.addRow("Maps", self.levels)
        self._form.addRow(self.mark_missing)

    # --- profile and format ---------------------------------------------------------------------------------------
    def fill(self, dataset: Dataset | None, active: str) -> None:
        """List the profiles of a dataset; the chosen one stays, else the one that napari shows is chosen."""
        self._dataset = dataset
        names = [] if dataset is None else dataset.profiles.names
        chosen = self.profile.currentData()
        with QSignalBlocker(self.profile):
            self.profile.clear()
            for name in names:
                self.profile.addItem(name, name)
        choose(self.profile, chosen if chosen in names else active)
        self._say_channels()
        self.changed.emit()

    def _say_channels(self, *_: object) -> None:
        name = self.profile.currentData()
        if self._dataset is None or name is None:
            self.channels.setText("")
            return
        shown = {one: how for one, how in self._dataset.profiles[name].channels.items() if how.visible}
        self.channels.setText(
            "&nbsp; ".join(f'<span style="color:{how.color}">●</span>&nbsp;{escape(one)}' for one, how in shown.items())
        )

    @property
    def writer(self) -> Writer:
        """The writer of the chosen format."""
        return find_writer(self.format.currentData())

    @property
    def options(self) -> ModelForm:
        """The form of the chosen format's options; each format keeps its own."""
        writer = self.writer
        if writer.name not in self._forms:
            made = ModelForm(writer.Options)
            made.changed.connect(self.changed)
            self._options_layout.addWidget(made)
            self._forms[writer.name] = made
        return self._forms[writer.name]

    def _on_format(self, *_: object) -> None:
        chosen = self.options
        for one in self._forms.values():
            one.setVisible(one is chosen)
        self._options.setVisible(bool(chosen.fields))
        self.summary.setText(self.writer.summary)
        self.format_changed.emit()
        self.changed.emit()

    def told(self) -> str:
        """Say in few words what is set."""
        scale = f"1 : {self.downsample.value()}" if self.scale.currentData() == "downsample" else self.target.text()
        return f"{self.profile.currentText()}, {self.format.currentText()}, {scale}"

    # --- to and from a plan ---------------------------------------------------------------------------------------
    def wishes(self) -> dict[str, Any]:
        """Give the part of a plan that is set here."""
        made: dict[str, Any] = {
            "profile": self.profile.currentData() or "",
            "format": self.format.currentData(),
            "options": self.options.values(),
            "t": _number_or_word(self.time.currentText()),
            "z": _number_or_word(self.plane.currentText()),
            "channel_files": self.channel_files.currentData(),
            "levels": self.levels.currentData(),
            "on_missing": "mark" if self.mark_missing.isChecked() else "raise",
        }
        if self.scale.currentData() == "downsample":
            return {**made, "downsample": self.downsample.value()}
        return {**made, "target_pixel_size_um": self.target.text().strip()}

    def show_plan(self, plan: Mapping[str, Any]) -> None:
        """Show the part of a plan that is set here."""
        with QSignalBlocker(self):
            if plan.get("profile") or self._dataset is None:
                choose(self.profile, plan.get("profile"))
            elif (default := self._dataset.profiles.get_default()) is not None:
                choose(self.profile, default.name)
            self._say_channels()
            choose(self.format, plan.get("format", "png"))
            self._on_format()
            self.options.show_values(plan.get("options", {}))
            target = plan.get("target_pixel_size_um")
            self.scale.setCurrentIndex(0 if target is None else 1)
            self.downsample.setValue(plan.get("downsample", 1))
            self.target.setText("" if target is None else f"{target}")
            self.time.setEditText(str(plan.get("t", 0)))
            self.plane.setEditText(str(plan.get("z", 0)))
            choose(self.channel_files, plan.get("channel_files", "merged"))
            choose(self.levels, plan.get("levels", "exact"))
            self.mark_missing.setChecked(plan.get("on_missing", "raise") == "mark")
        self.format_changed.emit()
        self.changed.emit()


def _editable(words: tuple[str, ...]) -> QComboBox:
    box = narrow(QComboBox())
    box.setEditable(True)
    box.setInsertPolicy(QComboBox.InsertPolicy.NoInsert)
    box.setMinimumContentsLength(3)
    box.addItems(list(words))
    return box


def _choices(values: tuple[str, ...], words: Mapping[str, str]) -> QComboBox:
    box = narrow(QComboBox())
    for value in values:
        box.addItem(words[value], value)
    return box


def _number_or_word(text: str) -> int | str:
    text = text.strip()
    return int(text) if text.isdecimal() else text

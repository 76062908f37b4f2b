"""The tools: which shape the next strokes make, on what, and what it will be called."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from napari.utils.theme import get_theme
from qtpy.QtCore import QSize, Signal
from qtpy.QtWidgets import QButtonGroup, QComboBox, QDoubleSpinBox, QLabel, QLineEdit, QToolButton, QVBoxLayout, QWidget

from ....rois.drawing import NAME_PATTERN
from ..parts import row
from .icons import ICON_PX, icon_of

_LARGEST = 1e7


@dataclass(frozen=True)
class Tool:
    """A tool.

    Parameters
    ----------
    name : str
        What the dock calls it.
    mode : str
        The mode of napari's Shapes layer that does it.
    icon : str
        Of napari, or of our own.
    key : str
        Its key.
    tip : str
        How to use it.
    """

    name: str
    mode: str
    icon: str
    key: str
    tip: str


TOOLS = (
    Tool("select", "select", "select", "V", "Select, move and resize"),
    Tool("rectangle", "add_rectangle", "rectangle", "R", "Rectangle: drag from corner to corner"),
    Tool(
        "turned",
        "add_polygon",
        "turned",
        "T",
        "Turned rectangle: click the two ends of one side, then a point of the side across, and double-click",
    ),
    Tool("polygon", "add_polygon", "polygon", "P", "Polygon: click its corners, double-click the last one"),
    Tool("line", "add_path", "line", "L", "Line: click along it, double-click at its end"),
    Tool("stamp", "pan_zoom", "stamp", "S", "Stamp: a click places a rectangle of the size given beneath"),
)
BY_NAME = {tool.name: tool for tool in TOOLS}


class Tools(QWidget):
    """The buttons and what belongs to them."""

    chosen = Signal(str)
    """Somebody wants this tool; empty where a tool is put away."""
    target_chosen = Signal(bool)
    """Somebody wants to draw on FOVs, or on the map."""
    pattern_given = Signal(str)
    """ROIs are to be called by this pattern."""

    def __init__(self) -> None:
        super().__init__()
        self._group = QButtonGroup(self)
        self._group.setExclusive(False)
        self.buttons = {tool.name: self._button(tool) for tool in TOOLS}
        self.target = QComboBox()
        self.target.addItem("on map", False)
        self.target.addItem("on FOV", True)
        self.target.setToolTip("What new ROIs belong to: the map, across tiles, or the FOV under their middle")
        self.target.setAccessibleName("Draw on")
        self.width, self.height = _size_box("Width of the stamp"), _size_box("Height of the stamp")
        self._unit = QLabel("µm")
        self.pattern = QLineEdit(NAME_PATTERN)
        self.pattern.setToolTip("Names of new ROIs; {n} stands for the number, {n:03d} for one of three digits")
        self.pattern.setAccessibleName("Names of new ROIs")
        self._lay_out()
        self.target.currentIndexChanged.connect(lambda _: self.target_chosen.emit(bool(self.target.currentData())))
        self.pattern.editingFinished.connect(lambda: self.pattern_given.emit(self.pattern.text().strip()))

    def _lay_out(self) -> None:
        layout = QVBoxLayout(self)
        layout.setContentsMargins(4, 4, 4, 2)
        layout.setSpacing(4)
        layout.addLayout(row(*self.buttons.values(), None, QLabel("Names"), self.pattern, spacing=3))
        stamp = (QLabel("Stamp"), self.width, QLabel("×"), self.height, self._unit)
        layout.addLayout(row(*stamp, None, self.target, spacing=4))
        self.pattern.setFixedWidth(112)

    def _button(self, tool: Tool) -> QToolButton:
        made = QToolButton()
        made.setCheckable(True)
        made.setToolTip(f"{tool.tip} ({tool.key})")
        made.setAccessibleName(tool.name)
        made.setIconSize(QSize(ICON_PX, ICON_PX))
        made.setFixedSize(ICON_PX + 10, ICON_PX + 8)
        made.clicked.connect(partial(self._on_click, tool.name))
        self._group.addButton(made)
        return made

    def _on_click(self, name: str, *_: object) -> None:
        self.chosen.emit(name if self.buttons[name].isChecked() else "")

    @property
    def current(self) -> str:
        """The tool in hand; empty where there is none."""
        return next((name for name, button in self.buttons.items() if button.isChecked()), "")

    def show_tool(self, name: str) -> None:
        """Show which tool is in hand; none where empty."""
        for one, button in self.buttons.items():
            button.setChecked(one == name)

    def show_target(self, on_fovs: bool) -> None:
        """Show what new ROIs belong to."""
        self.target.setCurrentIndex(self.target.findData(on_fovs))

    def set_unit(self, unit: str) -> None:
        """Say what the stamp is measured in: ``"µm"`` or ``"px"``."""
        self._unit.setText(unit)

    def set_theme(self, theme: str) -> None:
        """Draw the icons in the colours of a theme of napari, by its name."""
        current = get_theme(theme).current.as_hex(format="long")
        self.setStyleSheet(f"QToolButton:checked {{ background: {current}; border-radius: 2px; }}")
        for tool in TOOLS:
            self.buttons[tool.name].setIcon(icon_of(tool.icon, theme))


def _size_box(name: str) -> QDoubleSpinBox:
    made = QDoubleSpinBox()
    made.setRange(0.01, _LARGEST)
    made.setDecimals(2)
    made.setValue(50.0)
    made.setStepType(QDoubleSpinBox.StepType.AdaptiveDecimalStepType)
    made.setButtonSymbols(QDoubleSpinBox.ButtonSymbols.NoButtons)
    made.setToolTip(name)
    made.setAccessibleName(name)
    made.setFixedWidth(88)
    return made

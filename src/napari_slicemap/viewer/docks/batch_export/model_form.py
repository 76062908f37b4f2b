"""A form made from a value object: its fields, their limits, and the words of its docstring."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from inspect import getdoc
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import annotated_types
from pydantic.fields import FieldInfo
from qtpy.QtCore import QSignalBlocker, Signal
from qtpy.QtWidgets import QCheckBox, QComboBox, QDoubleSpinBox, QLineEdit, QSpinBox, QWidget

from ....files import FileModel
from ..parts import form, guard_wheel, narrow

_LARGEST_INT, _LARGEST_FLOAT = 2**31 - 1, 1e9
_DECIMALS = 6
_UNITS = ("um", "px", "ms", "nm")
_LABELS = {"color": "Colour", "fps": "Frames per second", "dpi": "DPI", "dtype": "Number type", "speed": "Times faster"}
_AUTOMATIC = "automatic"


@dataclass(frozen=True)
class _Kind:
    """What a field holds: its type, whether it may be empty, and the limits of a number."""

    type: Any
    optional: bool
    low: float | None
    high: float | None
    step: float


class _Number(QDoubleSpinBox):
    """A number without needless zeros."""

    def textFromValue(self, value: float) -> str:  # noqa: N802 - Qt's name
        return f"{value:.10g}"


class ModelForm(QWidget):
    """A form for a value object whose fields are numbers, texts, choices and switches.

    A choice becomes a list, a switch a check box, a number a spin box within its limits; what may be empty can be
    left ``automatic``. The docstring of the object gives the tooltips.

    Parameters
    ----------
    model : type of FileModel
        The value object.
    without : sequence of str
        Fields that are set elsewhere.
    labels : mapping of str to str
        Labels that say more than the names of the fields.
    """

    changed = Signal()

    def __init__(
        self, model: type[FileModel], without: tuple[str, ...] = (), labels: Mapping[str, str] | None = None
    ) -> None:
        super().__init__()
        self._model = model
        self._get: dict[str, Callable[[], Any]] = {}
        self._set: dict[str, Callable[[Any], None]] = {}
        self.fields: dict[str, QWidget] = {}
        self._shown: dict[str, Any] = {}
        layout, said = form(self), help_texts(model)
        layout.setContentsMargins(0, 0, 0, 0)
        for name, field in model.model_fields.items():
            if name in without:
                continue
            widget = self._add(name, _kind_of(field))
            widget.setToolTip(said.get(name, ""))
            label = (labels or {}).get(name) or label_of(name)
            layout.addRow(label, widget)
            layout.labelForField(widget).setToolTip(said.get(name, ""))
            self.fields[name] = widget
        self.show_values({})
        guard_wheel(self)

    def values(self) -> dict[str, Any]:
        """Give what differs from the defaults."""
        found = {name: get() for name, get in self._get.items()}
        return {name: value for name, value in found.items() if value != self._model.model_fields[name].default}

    def show_values(self, values: Mapping[str, Any]) -> None:
        """Show values; those that are not given are as by default."""
        for name, put in self._set.items():
            with QSignalBlocker(self.fields[name]):
                put(values.get(name, self._model.model_fields[name].default))

    # --- fields ---------------------------------------------------------------------------------------------------
    def _add(self, name: str, kind: _Kind) -> QWidget:
        if get_origin(kind.type) is Literal:
            return self._choice(name, kind)
        if kind.type is bool:
            return self._switch(name)
        if kind.type in (int, float):
            return self._number(name, kind)
        return self._text(name, kind)

    def _choice(self, name: str, kind: _Kind) -> QWidget:
        box = narrow(QComboBox())
        for value in ([None] if kind.optional else []) + list(get_args(kind.type)):
            box.addItem(_AUTOMATIC if value is None else str(value), value)
        self._get[name] = box.currentData
        self._set[name] = lambda value: box.setCurrentIndex(max(0, box.findData(value)))
        box.currentIndexChanged.connect(lambda _: self.changed.emit())
        return box

    def _switch(self, name: str) -> QWidget:
        box = QCheckBox()
        self._get[name], self._set[name] = box.isChecked, box.setChecked
        box.toggled.connect(lambda _: self.changed.emit())
        return box

    def _number(self, name: str, kind: _Kind) -> QWidget:
        whole = kind.type is int
        box: Any = QSpinBox() if whole else _Number()
        low = kind.low if kind.low is not None else (-_LARGEST_INT if whole else -_LARGEST_FLOAT)
        high = kind.high if kind.high is not None else (_LARGEST_INT if whole else _LARGEST_FLOAT)
        if not whole:
            box.setDecimals(_DECIMALS)
        if kind.optional:  # one step below what is allowed stands for nothing
            low -= kind.step
            box.setSpecialValueText(_AUTOMATIC)
        box.setRange(int(low) if whole else low, int(high) if whole else high)
        box.setSingleStep(int(kind.step) if whole and kind.step >= 1 else 1)
        if not whole:
            box.setStepType(QDoubleSpinBox.StepType.AdaptiveDecimalStepType)
        empty = box.minimum() if kind.optional else None
        self._get[name] = lambda: None if empty is not None and box.value() == empty else box.value()
        self._set[name] = lambda value: box.setValue(empty if value is None else _number(value, whole))
        box.valueChanged.connect(lambda _: self.changed.emit())
        return box

    def _text(self, name: str, kind: _Kind) -> QWidget:
        line = QLineEdit()
        if kind.optional:
            line.setPlaceholderText(_AUTOMATIC)

        def get() -> Any:
            text = line.text().strip()
            return None if kind.optional and not text else text

        self._get[name] = get
        self._set[name] = lambda value: line.setText("" if value is None else str(value))
        line.textChanged.connect(lambda _: self.changed.emit())
        return line


def _number(value: Any, whole: bool) -> float:
    """Read a number; a plan made in a shell holds it as text."""
    return int(value) if whole else float(value)


def _kind_of(field: FieldInfo) -> _Kind:
    """Say what a field holds.

    Parameters
    ----------
    field : FieldInfo
        Of a value object.

    Returns
    -------
    _Kind
        A length with a unit counts as text: it may be written as ``390 nm``.
    """
    kind, optional, notes = field.annotation, False, list(field.metadata)
    while get_origin(kind) in (Annotated, Union, UnionType):
        if get_origin(kind) is Annotated:
            kind, *more = get_args(kind)
            for note in more:
                notes += note.metadata if isinstance(note, FieldInfo) else [note]
            continue
        parts = [part for part in get_args(kind) if part is not type(None)]
        optional = optional or len(parts) < len(get_args(kind))
        kind = parts[0] if len(parts) == 1 else str
    if kind in (int, float) and any(type(note).__name__ == "BeforeValidator" for note in notes):
        kind = str
    whole = kind is int
    low, high, step = None, None, 1.0
    smallest = 1 if whole else 10.0**-_DECIMALS
    for note in notes:
        if isinstance(note, annotated_types.Ge):
            low = note.ge
        elif isinstance(note, annotated_types.Gt):
            low = note.gt + smallest  # type: ignore[operator]
        elif isinstance(note, annotated_types.Le):
            high = note.le
        elif isinstance(note, annotated_types.Lt):
            high = note.lt - smallest  # type: ignore[operator]
        elif isinstance(note, annotated_types.MultipleOf):
            step = float(note.multiple_of)  # type: ignore[arg-type]
    return _Kind(kind, optional, low, high, step if whole else smallest)  # type: ignore[arg-type]


def label_of(name: str) -> str:
    """Make a label of the name of a field: ``length_um`` → ``Length (µm)``."""
    if name in _LABELS:
        return _LABELS[name]
    head, _, unit = name.rpartition("_")
    if head and unit in _UNITS:
        return f"{label_of(head)} ({unit.replace('um', 'µm')})"
    return name.replace("_", " ").capitalize()


def help_texts(model: type[FileModel]) -> dict[str, str]:
    """Read from the docstrings of a value object and those it is made from what each field means.

    Returns
    -------
    dict of str to str
        Field → the text beneath it in the section ``Parameters``; where there is none, the first sentence.
    """
    made: dict[str, str] = {}
    for one in reversed(model.__mro__):
        if not (isinstance(one, type) and issubclass(one, FileModel)) or one is FileModel:
            continue
        doc = getdoc(one) or ""
        head, _, listed = doc.partition("Parameters\n----------\n")
        for name in one.__annotations__:
            made[name] = _plain(head.strip().partition("\n\n")[0])
        for found in re.finditer(r"^(\w[\w, ]*) : .*\n((?:[ \t]+.*\n?)+)", listed, re.MULTILINE):
            for name in found[1].split(", "):
                made[name] = _plain(found[2])
    return made


def _plain(text: str) -> str:
    """Take the marks of a docstring out of a text."""
    words = " ".join(text.split())
    words = re.sub(r":\w+:`~?\.*(?:[\w.]*\.)?(\w+)`", r"\1", words)
    return words.replace("``", "").replace("`", "")

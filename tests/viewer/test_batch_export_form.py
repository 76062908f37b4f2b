"""Forms made from value objects, and work in other threads."""

from __future__ import annotations

import threading
from typing import Annotated, Literal

import pytest
from pydantic import Field
from qtpy.QtWidgets import QCheckBox, QComboBox, QDoubleSpinBox, QLineEdit, QSpinBox

pytest.importorskip("napari", reason="the viewer's tests need napari and a Qt binding")

from napari_slicemap.errors import CancelledError
from napari_slicemap.export.writers import writers
from napari_slicemap.files import FileModel
from napari_slicemap.units import PositiveLengthUm
from napari_slicemap.viewer.docks.background import Background
from napari_slicemap.viewer.docks.batch_export.model_form import ModelForm, help_texts
from napari_slicemap.viewer.docks.parts import size_text, time_text


class Base(FileModel):
    """What others share.

    Parameters
    ----------
    speed : float
        How fast,
        in ``x``.
    """

    speed: Annotated[float, Field(gt=0)] = 1.0


class Options(Base):
    """Options of this: ``loop`` is how often.

    Parameters
    ----------
    mode : "a" or "b"
        Which one.
    tile, gap_px : int
        Both.
    """

    loop: bool = True
    mode: Literal["a", "b"] = "b"
    tile: Annotated[int, Field(ge=16, le=64, multiple_of=16)] = 32
    gap_px: Annotated[int, Field(ge=0)] | None = None
    fps: Annotated[float, Field(gt=0, le=1000)] | None = None
    length_um: PositiveLengthUm | None = None


@pytest.fixture
def form(qtbot):
    made = ModelForm(Options)
    qtbot.addWidget(made)
    return made


def test_each_kind_of_field_has_its_widget(form):
    kinds = {name: type(widget) for name, widget in form.fields.items()}
    assert kinds["loop"] is QCheckBox
    assert kinds["mode"] is QComboBox
    assert issubclass(kinds["tile"], QSpinBox)
    assert issubclass(kinds["speed"], QDoubleSpinBox)
    assert issubclass(kinds["fps"], QDoubleSpinBox)
    assert kinds["length_um"] is QLineEdit
    assert (form.fields["tile"].minimum(), form.fields["tile"].maximum(), form.fields["tile"].singleStep()) == (
        16,
        64,
        16,
    )
    assert form.fields["speed"].minimum() > 0


def test_defaults_say_nothing(form):
    assert form.values() == {}
    assert form.fields["gap_px"].text() == form.fields["fps"].text() == "automatic"


@pytest.mark.parametrize(
    "values",
    [
        pytest.param({"loop": False, "mode": "a", "tile": 48}, id="choices"),
        pytest.param({"gap_px": 0, "fps": 23.976}, id="empty is not zero"),
        pytest.param({"speed": 0.125, "fps": 1000.0}, id="limits"),
        pytest.param({"length_um": "390 nm"}, id="a length with its unit"),
    ],
)
def test_values_come_back(form, qtbot, values):
    form.show_values(values)
    assert form.values() == values
    assert Options.model_validate(form.values()) == Options.model_validate(values)
    form.show_values({})
    assert form.values() == {}


def test_words_of_a_shell_are_shown_as_numbers(form):
    form.show_values({"tile": "48", "fps": "12.5"})
    assert form.values() == {"tile": 48, "fps": 12.5}


def test_a_change_is_told(form, qtbot):
    for name, change in (
        ("loop", lambda w: w.setChecked(False)),
        ("mode", lambda w: w.setCurrentIndex(0)),
        ("tile", lambda w: w.setValue(16)),
        ("fps", lambda w: w.setValue(5)),
        ("length_um", lambda w: w.setText("1")),
    ):
        with qtbot.waitSignal(form.changed):
            change(form.fields[name])


def test_the_docstring_gives_the_help():
    assert help_texts(Options) == {
        "speed": "How fast, in x.",
        "loop": "Options of this: loop is how often.",
        "mode": "Which one.",
        "tile": "Both.",
        "gap_px": "Both.",
        "fps": "Options of this: loop is how often.",
        "length_um": "Options of this: loop is how often.",
    }


@pytest.mark.parametrize("name", list(writers()))
def test_every_format_has_a_form_that_says_its_defaults_and_what_each_field_means(qtbot, name):
    model = writers()[name].Options
    made = ModelForm(model)
    qtbot.addWidget(made)
    assert list(made.fields) == list(model.model_fields)
    assert model.model_validate(made.values()) == model()
    assert all(widget.toolTip() for widget in made.fields.values())


# --- other threads --------------------------------------------------------------------------------------------------
def test_the_newest_wish_is_done_and_the_ones_between_are_forgotten(qtbot):
    lane, begun, made = Background(), threading.Event(), []
    lane.returned.connect(made.append)

    def slow(asked):
        begun.set()
        while not asked():
            pass
        return "old"

    lane.ask(slow)
    assert begun.wait(10)
    lane.ask(lambda _: "between")
    with qtbot.waitSignal(lane.ended, timeout=10_000):
        lane.ask(lambda _: "new")
    assert made == ["new"]
    assert not lane.busy


@pytest.mark.parametrize(
    ("error", "told"), [(ValueError("odd"), ["odd"]), (CancelledError("stopped"), [])], ids=["fault", "stop"]
)
def test_a_fault_is_told_and_being_stopped_is_none(qtbot, error, told):
    lane, said = Background(), []
    lane.failed.connect(lambda one: said.append(str(one)))

    def fail(_):
        raise error

    with qtbot.waitSignal(lane.ended, timeout=10_000):
        lane.ask(fail)
    assert said == told


def test_closing_waits_for_the_thread_and_nothing_is_told(qtbot):
    lane, said, ended = Background(), [], threading.Event()
    lane.returned.connect(said.append)

    def slow(asked):
        while not asked():
            pass
        ended.set()
        return 1

    lane.ask(slow)
    lane.close()
    assert ended.is_set()
    qtbot.wait(20)
    assert said == []


@pytest.mark.parametrize(
    ("size", "text"), [(0, "0 B"), (999, "999 B"), (1500, "1.5 kB"), (123_456_789, "123 MB"), (4e12, "4.0 TB")]
)
def test_sizes_in_words(size, text):
    assert size_text(size) == text


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.123, "0.12 s"), (12.4, "12 s"), (200, "3 min 20 s"), (7265, "2 h 1 min")]
)
def test_times_in_words(seconds, text):
    assert time_text(seconds) == text

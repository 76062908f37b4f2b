"""Lengths with units come in, micrometres go on."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from importlib import import_module

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from napari_slicemap.units import LengthUm, PositiveLengthUm, length_um


@pytest.mark.parametrize(
    ("written", "um"),
    [
        pytest.param(0.39, 0.39, id="number"),
        pytest.param(2, 2.0, id="whole number"),
        pytest.param(-3.5, -3.5, id="negative"),
        pytest.param(np.float32(0.5), 0.5, id="numpy number"),
        pytest.param("0.39", 0.39, id="number as text"),
        pytest.param(" 1e-3 ", 0.001, id="exponent and blanks"),
        pytest.param(".5", 0.5, id="no leading digit"),
        pytest.param("390 nm", 0.39, id="nm"),
        pytest.param("390nm", 0.39, id="no blank"),
        pytest.param("0.39 µm", 0.39, id="micro sign"),
        pytest.param("0.39 μm", 0.39, id="Greek mu"),
        pytest.param("5 micron", 5.0, id="micron"),
        pytest.param("2 mm", 2000.0, id="mm"),
        pytest.param("1e-4 m", 100.0, id="m"),
        pytest.param("3.9 Å", 0.00039, id="angstrom"),
        pytest.param("1 inch", 25400.0, id="inch"),
    ],
)
def test_length(written: object, um: float) -> None:
    assert length_um(written) == pytest.approx(um, rel=1e-12)


@pytest.mark.parametrize(
    "written",
    [
        pytest.param("", id="empty"),
        pytest.param("nm", id="unit alone"),
        pytest.param("banana", id="no unit"),
        pytest.param("5 s", id="a time"),
        pytest.param("1 pixel", id="pixels"),
        pytest.param("1 px", id="pixels of style sheets"),
        pytest.param("5,5 um", id="decimal comma"),
        pytest.param("1 um 2", id="two numbers"),
        pytest.param("1/0 um", id="a sum"),
        pytest.param("10**1000 um", id="a power"),
        pytest.param("(1 um", id="open bracket"),
        pytest.param("1_0", id="Python's underscore"),
        pytest.param("0x10", id="hexadecimal"),
        pytest.param("nan", id="nan as text"),
        pytest.param(float("nan"), id="nan"),
        pytest.param(float("inf"), id="inf"),
        pytest.param("1e400 um", id="too large as text"),
        pytest.param(10**400, id="too large"),
        pytest.param(True, id="a truth"),
        pytest.param(None, id="nothing"),
        pytest.param([1], id="a list"),
    ],
)
def test_what_is_no_length_is_refused(written: object) -> None:
    with pytest.raises(ValueError, match=r"is not a (finite )?length"):
        length_um(written)


@given(st.text() | st.from_regex(r"[0-9(){}\[\]/*+.,e -]{1,8} ?(um|nm|m)?", fullmatch=True))
def test_any_text_is_a_finite_length_or_a_value_error(text: str) -> None:
    made = 0.0
    with contextlib.suppress(ValueError):  # anything else would end a command in a traceback
        made = length_um(text)
    assert np.isfinite(made)


@given(st.floats(1e-6, 1e9))
def test_units_agree(um: float) -> None:
    assert length_um(f"{um!r} um") == pytest.approx(um, rel=1e-12)
    assert length_um(f"{um * 1000!r} nm") == pytest.approx(um, rel=1e-12)
    assert length_um(f"{um / 1000!r} mm") == pytest.approx(um, rel=1e-12)


def test_length_fields() -> None:
    assert TypeAdapter(LengthUm).validate_python("-3 nm") == pytest.approx(-0.003)
    assert TypeAdapter(PositiveLengthUm).validate_python("3 nm") == pytest.approx(0.003)
    with pytest.raises(ValidationError, match="greater than 0"):
        TypeAdapter(PositiveLengthUm).validate_python("0 nm")
    with pytest.raises(ValidationError, match="'wide' is not a length"):
        TypeAdapter(LengthUm).validate_python("wide")


def test_plain_numbers_load_no_pint() -> None:
    code = (
        "import sys; from napari_slicemap.units import length_um; length_um('0.39'); assert 'pint' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize(
    ("model", "field", "known"),
    [
        pytest.param("napari_slicemap.project:Project", "pixel_size_um", {}, id="project, pixel size"),
        pytest.param("napari_slicemap.project:Project", "slice_thickness_um", {}, id="project, slice thickness"),
        pytest.param("napari_slicemap.render.scale_bar:ScaleBarStyle", "length_um", {}, id="scale bar"),
    ],
)
def test_fields_that_are_lengths(model: str, field: str, known: dict[str, object]) -> None:
    room, _, name = model.partition(":")
    kind = getattr(import_module(room), name)
    assert getattr(kind.model_validate({**known, field: "390 nm"}), field) == pytest.approx(0.39, rel=1e-12)
    for wrong in ("5,5 um", "390 furlongs²", "0 nm", "-3 um"):
        with pytest.raises(ValidationError, match=field):
            kind.model_validate({**known, field: wrong})

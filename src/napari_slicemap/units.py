"""Lengths with units come in, micrometres go on."""

from __future__ import annotations

import math
import re
from functools import cache
from typing import Annotated, Any

from pydantic import BeforeValidator, Field

_LENGTH = re.compile(r"(?P<number>[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?)\s*(?P<unit>[^\W\d_]*)")
_NO_LENGTHS = ("px",)
"""Units that pint takes for a length of printing: 1/96 inch."""
_HINT = "write a number in µm or text such as '390 nm'"


@cache
def _registry() -> Any:
    # imported at the first length with a unit: most files hold plain numbers, and pint takes 0.1 s to load
    import pint

    return pint.UnitRegistry()


def length_um(value: object) -> float:
    """Read a length as micrometres.

    Parameters
    ----------
    value : float, int or str
        A number (µm) or text with a unit, such as ``"390 nm"``.

    Returns
    -------
    float
        The length in µm.

    Raises
    ------
    ValueError
        If the value is no finite length.
    """
    if isinstance(value, bool):
        raise ValueError(f"{value!r} is not a length; {_HINT}")
    length = _number(value) if isinstance(value, int | float) else _parse(str(value))
    if not math.isfinite(length):
        raise ValueError(f"{value!r} is not a finite length")
    return length


def _number(value: float) -> float:
    try:
        return float(value)
    except OverflowError:  # a whole number too large for a float
        return math.inf


def _parse(text: str) -> float:
    # one number and one unit: pint would take "5,5 um" for 55 µm, and work out "1/0 um"
    found = _LENGTH.fullmatch(text.strip())
    if found is None:
        raise ValueError(f"{text!r} is not a length; {_HINT}")
    number, unit = float(found["number"]), found["unit"]
    if not unit:
        return number
    if unit in _NO_LENGTHS:
        raise ValueError(f"{text!r} is not a length, but a number of pixels; {_HINT}")
    import pint

    try:
        return float(_registry().Quantity(number, unit).to("micrometer").magnitude)
    except (pint.PintError, AttributeError):
        raise ValueError(f"{text!r} is not a length; {_HINT}") from None


LengthUm = Annotated[float, BeforeValidator(length_um)]
"""A length field of a value object: number (µm) or text with a unit; µm inside."""

PositiveLengthUm = Annotated[float, BeforeValidator(length_um), Field(gt=0)]
"""A length > 0 in µm."""

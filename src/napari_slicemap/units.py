"""Lengths with units come in, micrometres go on."""

from __future__ import annotations

import math
from functools import cache
from typing import Annotated, Any

from pydantic import BeforeValidator, Field


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
        raise ValueError(f"{value!r} is not a length; write a number in µm or text such as '390 nm'")
    length = float(value) if isinstance(value, int | float) else _parse(str(value))
    if not math.isfinite(length):
        raise ValueError(f"{value!r} is not a finite length")
    return length


def _parse(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        pass
    import pint

    try:
        return float(_registry().Quantity(text).to("micrometer").magnitude)
    except (pint.PintError, ValueError, TypeError, AttributeError, AssertionError, SyntaxError):
        pass
    raise ValueError(f"{text!r} is not a length; write a number in µm or text such as '390 nm'")


LengthUm = Annotated[float, BeforeValidator(length_um)]
"""A length field of a value object: number (µm) or text with a unit; µm inside."""

PositiveLengthUm = Annotated[float, BeforeValidator(length_um), Field(gt=0)]
"""A length > 0 in µm."""

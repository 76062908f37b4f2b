"""Colours and channel settings."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Annotated

from pydantic import AfterValidator, Field, field_validator, model_validator

from ..errors import listing
from ..files import value_object


def hex_color(text: str) -> str:
    """Read a colour.

    Parameters
    ----------
    text : str
        ``#rrggbb``, ``#rgb`` or a CSS name such as ``"magenta"``.

    Returns
    -------
    str
        ``#rrggbb``, lower case.

    Raises
    ------
    ValueError
        If it is no opaque colour.
    """
    from PIL import ImageColor

    try:
        parts: tuple[int, ...] = ImageColor.getrgb(text.strip())
    except ValueError:
        parts = ()
    if len(parts) != 3:
        raise ValueError(f"{text!r} is no colour; write #rrggbb or a CSS name such as 'magenta'")
    return "#{:02x}{:02x}{:02x}".format(*parts)


Color = Annotated[str, AfterValidator(hex_color)]
"""A colour field: ``#rrggbb`` or a CSS name on input, ``#rrggbb`` inside."""


def rgb(color: str) -> tuple[float, float, float]:
    """Give red, green and blue, each 0–1, of a ``#rrggbb`` colour."""
    return int(color[1:3], 16) / 255, int(color[3:5], 16) / 255, int(color[5:7], 16) / 255


@value_object
class ChannelSettings:
    """How one channel is shown.

    Parameters
    ----------
    color : str
        ``#rrggbb`` or a CSS name.
    contrast_limits : tuple of float
        ``(lo, hi)`` in the image's own intensity units, ``lo <= hi``; both finite. Equal limits are a step:
        what lies above them is full, the rest is dark.
    gamma : float
        Exponent on the normalised intensity, above 0.
    visible : bool
        An invisible channel adds nothing.
    """

    color: Color
    contrast_limits: tuple[float, float]
    gamma: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 1.0
    visible: bool = True

    @field_validator("contrast_limits")
    @classmethod
    def _finite(cls, limits: tuple[float, float]) -> tuple[float, float]:
        if not all(math.isfinite(limit) for limit in limits):
            raise ValueError(f"contrast limits {limits} must be finite numbers")
        return limits

    @model_validator(mode="after")
    def _ordered(self) -> ChannelSettings:
        low, high = self.contrast_limits
        if low > high:
            raise ValueError(f"contrast limits are ({low:g}, {high:g}), expected the lower one first")
        return self


def check_settings(settings: Mapping[str, ChannelSettings]) -> None:
    """Refuse an empty mapping of channel settings.

    Raises
    ------
    ValueError
        If there is no channel, or a value is no :class:`ChannelSettings`.
    """
    if not settings:
        raise ValueError("no channel settings were given; expected at least one channel")
    wrong = [name for name, value in settings.items() if not isinstance(value, ChannelSettings)]
    if wrong:
        raise ValueError(f"channel settings of {listing(wrong)} must be ChannelSettings")

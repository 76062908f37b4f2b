"""Colours of the plots and pictures, taken from a theme of napari."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from napari.utils.theme import get_theme
from qtpy.QtGui import QColor

THEME = "dark"
"""Taken until another one is set."""


@dataclass(frozen=True)
class Colours:
    """What is painted in which colour.

    Parameters
    ----------
    background, text, faint : QColor
        Of the widget; of words and curves; of words and lines that matter less.
    track, bar : QColor
        Of a bar: its whole length, and the part that is filled.
    band : QColor
        The return, on the background.
    on_picture : QColor
        The return, on a grey picture.
    leave, consider, fix : QColor
        A confidence below 0.5, up to 0.6, and above.
    accent : QColor
        What is chosen, or has the focus.
    """

    background: QColor
    text: QColor
    faint: QColor
    track: QColor
    bar: QColor
    band: QColor
    on_picture: QColor
    leave: QColor
    consider: QColor
    fix: QColor
    accent: QColor


def colours_of(theme: str) -> Colours:
    """Give the colours for a theme.

    Parameters
    ----------
    theme : str
        Name of a theme of napari, such as ``"dark"`` or ``"light"``.

    Raises
    ------
    ValueError
        If napari has no such theme.
    """
    known = get_theme(theme)
    background, text, track, warning, error, current = (
        _colour(getattr(known, name)) for name in ("background", "text", "primary", "warning", "error", "current")
    )
    light = background.lightness() > 127
    band = warning.darker(165) if light else warning
    accent = current.darker(160) if light else current.lighter(150)
    return Colours(
        background=background,
        text=text,
        faint=mixed(text, background, 0.68),
        track=track,
        bar=accent,
        band=band,
        on_picture=warning,
        leave=mixed(text, background, 0.5),
        consider=band,
        fix=error.darker(115) if light else error.lighter(165),
        accent=accent,
    )


def mixed(one: QColor, other: QColor, part: float) -> QColor:
    """Mix `part` of one colour with the rest of another."""
    pairs = ((one.red(), other.red()), (one.green(), other.green()), (one.blue(), other.blue()))
    return QColor(*(round(part * first + (1 - part) * second) for first, second in pairs))


def clear(colour: QColor, alpha: int) -> QColor:
    """Give a colour that is seen through, at an `alpha` from 0 to 255."""
    made = QColor(colour)
    made.setAlpha(alpha)
    return made


def _colour(of_theme: Any) -> QColor:
    return QColor(of_theme.as_hex(format="long"))

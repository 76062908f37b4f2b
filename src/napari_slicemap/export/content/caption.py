"""The strip above a picture: a title, and the names of the channels in their colours."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from ...render.channels import ChannelSettings, rgb
from ...render.drawings import Rim, Text, drawable, font, lacking
from ...render.picture import Picture

if TYPE_CHECKING:
    from numpy.typing import NDArray

SMALLEST_TEXT = 8
"""Height of the smallest text, px; below that the letters of the font run together."""

_SHARE = 0.035
_LEAST_CONTRAST = 2.0
"""By which a colour stands out from the strip (1 to 21, as for the Web); one below it gets a rim."""

_Name = tuple[str, str]  # a text and its colour


@dataclass(frozen=True)
class Caption:
    """A strip, laid out for pictures of one width.

    Parameters
    ----------
    height : int
        Of the strip, px.
    texts : tuple of Text
        What is written; px of the strip.
    background : str
        ``#rrggbb``.
    """

    height: int
    texts: tuple[Text, ...]
    background: str

    def above(self, picture: Picture, *, written: bool = True) -> Picture:
        """Put the strip above a picture, opaque.

        Parameters
        ----------
        picture : Picture
            RGB or RGBA, as wide as the strip was laid out for.
        written : bool
            Draw the text, too, or leave the strip blank.

        Returns
        -------
        Picture
            Higher by the strip.
        """
        height, width, samples = picture.shape

        def paint(top: int, bottom: int) -> NDArray[np.uint8]:
            made = np.empty((bottom - top, width, samples), np.uint8)
            strip = max(0, min(bottom, self.height) - top)
            made[:strip] = (*(round(255 * part) for part in rgb(self.background)), 255)[:samples]
            for text in self.texts if written else ():
                text.stamp(made[:strip], top)
            if bottom > self.height:
                made[strip:] = picture.paint(max(0, top - self.height), bottom - self.height)
            return made

        return replace(picture, shape=(height + self.height, width, samples), paint=paint)


def lay_out(
    title: str, channels: Mapping[str, ChannelSettings], shape: tuple[int, int], background: str
) -> tuple[Caption | None, list[str]]:
    """Lay out a caption.

    Parameters
    ----------
    title : str
        The first line or lines; none where empty.
    channels : mapping of str to ChannelSettings
        The channels to name, each in its colour; none where empty.
    shape : tuple of int
        ``(height, width)`` of the picture, px. Text is 3.5 % of the shorter side high, or as much lower as its
        longest word needs, but at least 8 px; what is longer than a line goes on in the next one.
    background : str
        ``#rrggbb`` of the strip.

    Returns
    -------
    caption : Caption or None
        ``None`` where there is nothing to write, or no room for a letter.
    warnings : list of str
        What cannot be written legibly.
    """
    ink = ink_on(background)
    words = drawable(title).split()
    names = [(name, one.color) for name, one in ((drawable(name), one) for name, one in channels.items()) if name]
    if not words and not names:
        return None, []
    width = shape[1]
    room = width - 2 * _margin(shape)
    said = " ".join((*words, *(name for name, _ in names)))
    if max(font(SMALLEST_TEXT).getlength(letter) for letter in said) > room:
        return None, [f"no caption: {said!r} does not fit into {width} px"]
    size = _size_of((*words, *(name for name, _ in names)), max(SMALLEST_TEXT, round(_SHARE * min(shape))), room)
    lines = [[(line, ink)] for line in _broken(words, size, room)] + _rows_of(names, size, room)
    strange = lacking(said)
    return _set(lines, size, shape, background), [f"caption: the font has no {' '.join(strange)}"] if strange else []


def ink_on(background: str) -> str:
    """Give black or white, whichever stands out more from a ``#rrggbb`` background."""
    return max(("#ffffff", "#000000"), key=lambda one: _contrast(one, background))


def _margin(shape: tuple[int, int]) -> int:
    return max(2, round(0.01 * min(shape)))


def _size_of(words: Sequence[str], largest: int, room: int) -> int:
    """Give the largest text in which every word fits on a line, or the smallest."""
    longest = max(words, key=font(largest).getlength)
    length: float = font(largest).getlength(longest)
    fits = math.floor(largest * room / max(length, room))
    while fits > SMALLEST_TEXT and font(fits).getlength(longest) > room:  # letters are rounded to whole px
        fits -= 1
    return max(SMALLEST_TEXT, fits)


def _broken(words: Sequence[str], size: int, room: int) -> list[str]:
    """Join words to lines no longer than `room` px; a word longer than that is broken, too."""
    lines: list[str] = []
    for word in (piece for whole in words for piece in _pieces(whole, size, room)):
        if lines and font(size).getlength(f"{lines[-1]} {word}") <= room:
            lines[-1] += f" {word}"
        else:
            lines.append(word)
    return lines


def _pieces(word: str, size: int, room: int) -> list[str]:
    """Break a word that is longer than a line."""
    made = [""]
    for letter in word:
        if made[-1] and font(size).getlength(made[-1] + letter) > room:
            made.append("")
        made[-1] += letter
    return made


def _rows_of(names: Sequence[_Name], size: int, room: int) -> list[list[_Name]]:
    """Put names side by side, as many on a line as there is room for."""
    rows: list[list[_Name]] = []
    for name, color in names:
        pieces = [(piece, color) for piece in _pieces(name, size, room)]
        together = sum(font(size).getlength(one) for one, _ in (rows[-1] if rows else [])) + font(size).getlength(name)
        if len(pieces) == 1 and rows and together + len(rows[-1]) * _gap(size) <= room:
            rows[-1] += pieces
        else:
            rows += [[piece] for piece in pieces]
    return rows


def _gap(size: int) -> int:
    blank: float = font(size).getlength(" ")
    return 3 * math.ceil(blank)


def _set(lines: Sequence[Sequence[_Name]], size: int, shape: tuple[int, int], background: str) -> Caption:
    """Give each text its place."""
    letters, margin = font(size), _margin(shape)
    ascent, descent = letters.getmetrics()
    texts: list[Text] = []
    for number, line in enumerate(lines):
        x, baseline = float(margin), margin + number * (ascent + descent) + ascent
        for text, color in line:
            length = letters.getlength(text)
            texts.append(Text(text, round(x), baseline, length, size, color, _rim(color, size, background)))
            x += length + _gap(size)
    return Caption(2 * margin + len(lines) * (ascent + descent), tuple(texts), background)


def _rim(color: str, size: int, background: str) -> Rim | None:
    """Set off a colour that would hardly be seen on its ground."""
    if _contrast(color, background) >= _LEAST_CONTRAST:
        return None
    return Rim(max(1, round(0.06 * size)), ink_on(color))


def _contrast(one: str, other: str) -> float:
    """Give the contrast of two colours as defined by WCAG 2: 1 (none) to 21 (black and white)."""
    lights = []
    for color in (one, other):
        linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in rgb(color)]
        lights.append(0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2])
    return (max(lights) + 0.05) / (min(lights) + 0.05)

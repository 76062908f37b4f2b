"""Photographs of the window, and the film that they make, with the pointer and what is done."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont
from qtpy.QtCore import QPoint, QRect
from qtpy.QtGui import QImage
from qtpy.QtWidgets import QApplication

_FONT = files("napari_slicemap") / "render" / "fonts" / "DejaVuSans.ttf"
_ARROW = ((0, 0), (0, 17), (4, 13), (7, 20), (10, 19), (7, 12), (12, 12))
_WIDTH_PX, _CAPTION_PX, _TEXT_PX = 1000, 40, 18
_BAR, _INK = "#101418", "#f2f2f2"
_SECONDS, _LAST_SECONDS = 2.2, 4.0
_COLOURS = 256


@dataclass(frozen=True)
class Shot:
    """A photograph.

    Parameters
    ----------
    picture : Image
        The window and what lies over it, with the pointer.
    caption : str
        What is done.
    """

    picture: Image.Image
    caption: str


def take(window: QRect, pointer: QPoint) -> Image.Image:
    """Photograph a part of the screen: menus and dialogs that lie over a window are on it, too."""
    grabbed = QApplication.primaryScreen().grabWindow(0, window.x(), window.y(), window.width(), window.height())
    image = grabbed.toImage().convertToFormat(QImage.Format.Format_RGB888)
    bits = image.constBits()
    flat = np.frombuffer(bits if isinstance(bits, memoryview) else bits.asarray(image.sizeInBytes()), np.uint8)
    rows = flat[: image.height() * image.bytesPerLine()].reshape(image.height(), image.bytesPerLine())
    picture = Image.fromarray(rows[:, : 3 * image.width()].reshape(image.height(), image.width(), 3).copy())
    place = pointer - window.topLeft()
    arrow = [(place.x() + x, place.y() + y) for x, y in _ARROW]
    ImageDraw.Draw(picture).polygon(arrow, fill="white", outline="black")
    return picture


def framed(picture: Image.Image, size: tuple[int, int]) -> Image.Image:
    """Show a small picture px by px, as large as fits on an empty screen."""
    times = min(size[0] // picture.width, size[1] // picture.height)
    large = picture.resize((picture.width * times, picture.height * times), Image.Resampling.NEAREST)
    screen = Image.new("RGB", size, _BAR)
    screen.paste(large, ((size[0] - large.width) // 2, (size[1] - large.height) // 2))
    return screen


def make_small(path: Path) -> None:
    """Store a picture without the bits that nobody sees: it is a quarter smaller."""
    with Image.open(path) as picture:
        coarser = picture.convert("RGB").point(lambda value: value & 0xFC | value >> 6)
    coarser.save(path, optimize=True)


def save_film(shots: list[Shot], path: Path) -> None:
    """Save photographs as a GIF, each for a few seconds, with its caption beneath."""
    frames = [_with_caption(shot) for shot in shots]
    colours = _common_colours(frames)
    made = [frame.quantize(palette=colours, dither=Image.Dither.NONE) for frame in frames]
    times = [round(1000 * _SECONDS)] * (len(made) - 1) + [round(1000 * _LAST_SECONDS)]
    made[0].save(path, save_all=True, append_images=made[1:], duration=times, loop=0, optimize=True)


def _with_caption(shot: Shot) -> Image.Image:
    width, height = _WIDTH_PX, round(shot.picture.height * _WIDTH_PX / shot.picture.width)
    frame = Image.new("RGB", (width, height + _CAPTION_PX), _BAR)
    frame.paste(shot.picture.resize((width, height), Image.Resampling.LANCZOS))
    font = ImageFont.truetype(str(_FONT), _TEXT_PX)
    ImageDraw.Draw(frame).text((width // 2, height + _CAPTION_PX // 2), shot.caption, _INK, font, anchor="mm")
    return frame


def _common_colours(frames: list[Image.Image]) -> Image.Image:
    """Choose colours for all frames together, so that what stays the same is stored once."""
    small = [frame.resize((frame.width // 3, frame.height // 3), Image.Resampling.NEAREST) for frame in frames]
    sheet = Image.new("RGB", (small[0].width, small[0].height * len(small)))
    for number, one in enumerate(small):
        sheet.paste(one, (0, number * one.height))
    # half of them where most pixels are, for the greys; half wherever any are, for red dots and yellow lines
    halves = [sheet.quantize(_COLOURS // 2, how) for how in (Image.Quantize.MEDIANCUT, Image.Quantize.MAXCOVERAGE)]
    chosen = Image.new("P", (1, 1))
    chosen.putpalette([level for half in halves for level in half.getpalette()[: 3 * _COLOURS // 2]])
    return chosen

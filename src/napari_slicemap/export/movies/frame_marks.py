"""What is written over the frames of a movie: text and scale bars in few greys, which a small palette can hold."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from ...render.drawings import font

if TYPE_CHECKING:
    from numpy.typing import NDArray

_TONES = 4  # black and white among them: each is one colour less for the data
_TONE_STEP = 255 // (_TONES - 1)
_MOST_DECIMALS = 9
_SMALLEST_TEXT = 8  # px; below that the digits of the font run together
_LEGIBLE_TEXT = 12  # px; as large where there is room for it


def with_greys(colours: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Give colours, uint8 ``(N, 3)``, each once, together with the greys of marks."""
    greys = np.repeat((np.arange(_TONES) * _TONE_STEP).astype(np.uint8)[:, None], 3, axis=1)
    return np.unique(np.concatenate([colours, greys]), axis=0)


@dataclass(frozen=True, eq=False)
class Mark:
    """Something drawn over frames: white with a black rim, opaque, in few greys, so that a palette can hold them all.

    Parameters
    ----------
    top, left : int
        Where its patch begins, px.
    tones : ndarray of uint8, (h, w)
        Grey of each pixel.
    drawn : ndarray of bool, (h, w)
        Where it covers the frame.
    """

    top: int
    left: int
    tones: NDArray[np.uint8]
    drawn: NDArray[np.bool_]

    @classmethod
    def of(cls, top: int, left: int, ink: NDArray[np.float64], rim: NDArray[np.float64]) -> Mark:
        """Make one from the coverage, 0–1, of ink and of the rim around it."""
        tones = (np.rint(ink * (_TONES - 1)) * _TONE_STEP).astype(np.uint8)
        return cls(top, left, tones, (rim >= 0.5) | (tones > 0))

    def draw(self, frame: NDArray[np.uint8]) -> None:
        """Draw it into a frame: uint8 ``(H, W, 3)``, in place."""
        height, width = self.tones.shape
        part = frame[self.top : self.top + height, self.left : self.left + width]
        part[self.drawn] = self.tones[self.drawn, None]

    def draw_numbers(self, frame: NDArray[np.uint8], numbers: NDArray[np.uint8]) -> None:
        """Draw it into a frame of numbers of colours ``(H, W)``, in place; `numbers` are those of the 256 greys."""
        height, width = self.tones.shape
        part = frame[self.top : self.top + height, self.left : self.left + width]
        part[self.drawn] = numbers[self.tones[self.drawn]]


def time_labels(times_s: Sequence[float] | NDArray[np.float64]) -> list[str]:
    """Write the time of each frame, with as many decimals as tell all frames apart.

    Parameters
    ----------
    times_s : sequence of float
        Times, s; NaN where one is unknown.

    Returns
    -------
    list of str
        Such as ``"3.3 s"``; the number of the frame, such as ``"2/32"``, where its time is unknown.
    """
    known = sorted({float(time) for time in times_s if math.isfinite(time)})
    steps = [after - before for before, after in pairwise(known)]
    # two digits of the smallest step, less the zeros that all would end in
    most = min(_MOST_DECIMALS, max(0, 1 - math.floor(math.log10(min(steps))))) if steps else 3
    decimals = next(d for d in range(most + 1) if all(round(time, d) == round(time, most) for time in known))
    return [
        f"{time:.{decimals}f} s" if math.isfinite(time) else f"{number}/{len(times_s)}"
        for number, time in enumerate(times_s, 1)
    ]


@dataclass(frozen=True)
class TimeText:
    """A line of text for each frame, in its upper left corner.

    Parameters
    ----------
    labels : tuple of str
        One for each frame.
    top, left : int
        Where the text with its rim begins, px.
    height_px : int
        Of the font.
    """

    labels: tuple[str, ...]
    top: int
    left: int
    height_px: int

    def mark(self, index: int) -> Mark:
        """Rasterise the text of one frame."""
        from PIL import Image, ImageDraw

        label, rim = self.labels[index], _rim_px(self.height_px)
        wide, high = _extent([label], self.height_px)
        layers = []
        for stroke in (0, rim):
            canvas = Image.new("L", (wide, high))
            ImageDraw.Draw(canvas).text((rim, rim), label, 255, font(self.height_px), anchor="lt", stroke_width=stroke)
            layers.append(np.asarray(canvas) / 255)
        return Mark.of(self.top, self.left, *layers)


def place_times(shape: tuple[int, int], labels: Sequence[str]) -> tuple[TimeText | None, str]:
    """Find a size and a place for text on frames, such that none of it leaves them.

    Parameters
    ----------
    shape : tuple of int
        ``(height, width)`` of the frames.
    labels : sequence of str
        One for each frame.

    Returns
    -------
    placed : TimeText or None
        ``None`` where the text does not fit.
    warning : str
        Why it does not, or ``""``.
    """
    (height, width), side = shape, min(shape)
    wanted = max(_SMALLEST_TEXT, min(_LEGIBLE_TEXT, side // 6), round(0.035 * side))
    for size in range(wanted, _SMALLEST_TEXT - 1, -1):
        wide, high = _extent(labels, size)
        if wide <= width and high <= height:
            margin = max(2, round(0.03 * side))
            x, y = min(margin, (width - wide) // 2), min(margin, (height - high) // 2)
            return TimeText(tuple(labels), y, x, size), ""
    return None, f"no times: {max(labels, key=len)!r} does not fit into {width} × {height} px"


def _extent(labels: Iterable[str], size: int) -> tuple[int, int]:
    """Give the width and the height in px of the largest text with its rim."""
    letters, rim = font(size), _rim_px(size)
    boxes = [letters.getbbox(label, anchor="lt") for label in labels]
    return tuple(math.ceil(max(box[end] for box in boxes)) + 2 * rim for end in (2, 3))


def _rim_px(size: int) -> int:
    return max(1, round(0.1 * size))

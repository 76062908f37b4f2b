"""The scale bar: its length, its label, and how it is drawn; one for the screen and for every export."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING, Annotated, Literal

import numpy as np
from pydantic import Field

from ..errors import PixelSizeUnknownError
from ..files import FileModel
from ..units import PositiveLengthUm
from .channels import Color, rgb
from .drawings import Bar, Drawing, Rim, Text, font

if TYPE_CHECKING:
    from numpy.typing import NDArray

Position = Literal["lower-right", "lower-left", "upper-right", "upper-left"]

_RIM_ALPHA = 0.75
_SMALLEST_TEXT = 8  # px; below that the digits of the font run together


@dataclass(frozen=True)
class ScaleBar:
    """A length to draw.

    Parameters
    ----------
    length_px : float
        Length in px of the image.
    length_nm : float
        The same in nm.
    label : str
        Such as ``"20 µm"``.
    """

    length_px: float
    length_nm: float
    label: str


class ScaleBarStyle(FileModel):
    """How a scale bar is asked for (``[scale_bar]`` of a plan).

    Parameters
    ----------
    enabled : bool
        Draw one.
    fraction : float
        The longest share of the image's width that it may take, up to 0.5.
    length_um : float, optional
        A fixed length instead, in µm.
    position : str
        Corner of the image.
    label : bool
        Write the length above it.
    color : str
        ``#rrggbb`` or a CSS name.
    """

    enabled: bool = False
    fraction: Annotated[float, Field(gt=0, le=0.5)] = 0.1
    length_um: PositiveLengthUm | None = None
    position: Position = "lower-right"
    label: bool = True
    color: Color = "#ffffff"


def compute_scale_bar(width_px: float, pixel_size_nm: float | None, fraction: float = 0.1) -> ScaleBar:
    """Choose the longest of 1, 2 or 5 × 10ⁿ nm whose bar takes at most a fraction of the image's width.

    Parameters
    ----------
    width_px : float
        Width of the image, px.
    pixel_size_nm : float or None
        Size of one of those px, nm.
    fraction : float
        The share of the width, above 0 and up to 0.5.

    Returns
    -------
    ScaleBar

    Raises
    ------
    PixelSizeUnknownError
        If the pixel size is unknown (or no positive number): no bar is invented.
    ValueError
        If `width_px` or `fraction` is out of range.
    """
    if pixel_size_nm is None or not math.isfinite(pixel_size_nm) or pixel_size_nm <= 0:
        raise PixelSizeUnknownError(
            f"a scale bar needs a pixel size, it is {pixel_size_nm}; state pixel_size_um in slicemap.toml"
        )
    if not 0 < fraction <= 0.5 or not width_px > 0:
        raise ValueError(f"a scale bar needs a width above 0 px and a fraction up to 0.5, not {width_px}, {fraction}")
    longest = width_px * pixel_size_nm * fraction
    # the tiny excess lets 100.00000000000001 count as 100: lengths come out of divisions
    tolerance = longest * (1 + 1e-9)
    power = math.floor(math.log10(tolerance))
    length_nm = next(m * 10.0**p for p in (power, power - 1) for m in (5, 2, 1) if m * 10.0**p <= tolerance)
    return ScaleBar(length_nm / pixel_size_nm, length_nm, length_label(length_nm))


def length_label(length_nm: float) -> str:
    """Write a length with its usual unit: nm below 1 µm, µm below 1000 µm, else mm."""
    for unit, size in (("mm", 1e6), ("µm", 1e3)):
        if length_nm >= size * (1 - 1e-9):
            return f"{length_nm / size:.12g} {unit}"
    return f"{length_nm:.12g} nm"


def fitted_scale_bar(style: ScaleBarStyle, width_px: int, pixel_size_nm: float | None) -> ScaleBar:
    """Give the scale bar that a style asks for on an image; see :func:`compute_scale_bar`.

    Raises
    ------
    PixelSizeUnknownError
        If the pixel size is unknown.
    """
    if style.length_um is None or pixel_size_nm is None:
        return compute_scale_bar(width_px, pixel_size_nm, style.fraction)
    length_nm = style.length_um * 1000
    return ScaleBar(length_nm / pixel_size_nm, length_nm, length_label(length_nm))


@dataclass(frozen=True)
class PlacedScaleBar:
    """A scale bar rasterised for images of one size: a small patch, and where it goes.

    Parameters
    ----------
    top, left : int
        Row and column of the image where the patch begins.
    ink, rim : ndarray of float64, (h, w)
        Coverage, 0–1, of the bar with its label and of the rim around them. They lie wholly within the image.
    color : str
        Of the bar.
    drawings : tuple of Drawing
        The same as a box and text, for formats that keep them apart from the pixels.
    """

    top: int
    left: int
    ink: NDArray[np.float64]
    rim: NDArray[np.float64]
    color: str
    drawings: tuple[Drawing, ...] = ()

    def shifted(self, dy: int) -> PlacedScaleBar:
        """Move down by so many px."""
        return replace(self, top=self.top + dy, drawings=tuple(one.shifted(dy) for one in self.drawings))

    def stamp(self, rows: NDArray[np.uint8], top: int) -> NDArray[np.uint8]:
        """Draw what falls onto some rows of the image; the pixels are the same however the image is cut.

        Parameters
        ----------
        rows : ndarray of uint8, (h, W, 3) or (h, W, 4)
            Rows of the image, over its whole width. They are left alone.
        top : int
            Row of the image where they begin.

        Returns
        -------
        ndarray of uint8
            A copy with the bar, which is opaque; `rows` itself where the bar does not touch it.
        """
        first, last = max(self.top, top), min(self.top + len(self.ink), top + len(rows))
        if first >= last:
            return rows
        made = rows.copy()
        part = made[first - top : last - top, self.left : self.left + self.ink.shape[1]]
        shared = slice(first - self.top, last - self.top)
        _mix(part, self.ink[shared], self.rim[shared], self.color)
        return made


def place_scale_bar(shape: tuple[int, int], bar: ScaleBar, style: ScaleBarStyle) -> tuple[PlacedScaleBar | None, str]:
    """Find out what is to be drawn for a scale bar, and where, on an image of some size.

    Parameters
    ----------
    shape : tuple of int
        ``(height, width)`` of the image.
    bar : ScaleBar
        What to draw: ``round(bar.length_px)`` px long, exactly.
    style : ScaleBarStyle
        Where and how. A thin rim, dark around a light colour and light around a dark one, keeps it legible on
        any tissue.

    Returns
    -------
    placed : PlacedScaleBar or None
        ``None`` where not even the bar fits.
    warning : str
        What could not be drawn legibly and was left out, or ``""``.
    """
    (height, width), side = shape, min(shape)
    length = math.floor(bar.length_px + 0.5)
    thick = max(2, round(0.008 * side))
    if not 1 <= length <= width - 2 or thick > height - 2:
        return None, f"no scale bar: {bar.label} ({length} px) does not fit into {width} × {height} px"
    mark, warning, text_height = np.ones((thick, length)), "", 0
    if style.label:
        wanted = max(_SMALLEST_TEXT, round(0.035 * side))
        labelled = _with_label(mark, bar.label, wanted)
        if labelled.shape[0] <= height - 2 and labelled.shape[1] <= width - 2:
            mark, text_height = labelled, wanted
        else:
            warning = f"scale bar of {bar.label} without its label, which does not fit into {width} × {height} px"
    margin = max(2, round(0.03 * side))
    at_x, at_y = min(margin, (width - mark.shape[1]) // 2), min(margin, (height - mark.shape[0]) // 2)
    x = at_x if style.position.endswith("left") else width - at_x - mark.shape[1]
    y = at_y if style.position.startswith("upper") else height - at_y - mark.shape[0]
    placed = _rimmed(mark, x, y, shape, style.color)
    return replace(
        placed, drawings=_drawings(mark, x, y, (length, thick), bar.label, text_height, style.color)
    ), warning


def draw_scale_bar(image: NDArray[np.uint8], bar: ScaleBar, style: ScaleBarStyle) -> tuple[NDArray[np.uint8], str]:
    """Draw a scale bar onto a copy of an image; :func:`place_scale_bar` and :meth:`PlacedScaleBar.stamp` in one.

    Parameters
    ----------
    image : ndarray of uint8, (H, W, 3) or (H, W, 4)
        RGB or RGBA.
    bar : ScaleBar
        What to draw: ``round(bar.length_px)`` px long, exactly.
    style : ScaleBarStyle
        Where and how.

    Returns
    -------
    image : ndarray of uint8
        Of the same shape; the bar is opaque.
    warning : str
        What could not be drawn legibly and was left out, or ``""``.
    """
    placed, warning = place_scale_bar((image.shape[0], image.shape[1]), bar, style)
    return (image.copy() if placed is None else placed.stamp(image, 0)), warning


def _with_label(bar: NDArray[np.float64], label: str, text_height: int) -> NDArray[np.float64]:
    """Put a label above a bar, both centred: coverage 0–1."""
    text = _text_mask(label, text_height)
    gap, wide = max(1, bar.shape[0] // 2), max(text.shape[1], bar.shape[1])
    made = np.zeros((text.shape[0] + gap + bar.shape[0], wide))
    for part, top in ((text, 0), (bar, text.shape[0] + gap)):
        left = (wide - part.shape[1]) // 2
        made[top : top + part.shape[0], left : left + part.shape[1]] = part
    return made


def _rimmed(coverage: NDArray[np.float64], x: int, y: int, shape: tuple[int, int], color: str) -> PlacedScaleBar:
    """Put a rim around a mark whose corner lies at ``(x, y)``; the rim ends where the image does."""
    from scipy.ndimage import maximum_filter

    rim = _rim_width(coverage)
    ink = np.pad(coverage, rim)
    wider: NDArray[np.float64] = maximum_filter(ink, 2 * rim + 1)
    top, left = y - rim, x - rim
    within = (
        slice(max(0, -top), min(ink.shape[0], shape[0] - top)),
        slice(max(0, -left), min(ink.shape[1], shape[1] - left)),
    )
    return PlacedScaleBar(max(0, top), max(0, left), ink[within], wider[within], color)


def _drawings(
    mark: NDArray[np.float64], x: int, y: int, size: tuple[int, int], label: str, text_height: int, color: str
) -> tuple[Drawing, ...]:
    """Give a mark whose corner lies at ``(x, y)`` as a box and, where it has a label, text above it."""
    (length, thick), (height, width) = size, mark.shape
    rim = Rim(_rim_width(mark), _hex(_rim_tone(color)), _RIM_ALPHA)
    box = Bar(x + (width - length) // 2, y + height - thick, length, thick, color, rim)
    if not text_height:
        return (box,)
    inked = _text_mask(label, text_height).shape[1]
    left, top, _, _ = font(text_height).getbbox(label, anchor="ls")
    at_x = x + (width - inked) // 2 - left
    return (box, Text(label, at_x, y - top, font(text_height).getlength(label), text_height, color, rim))


def _rim_width(coverage: NDArray[np.float64]) -> int:
    return max(1, round(0.1 * len(coverage)))


def _rim_tone(color: str) -> float:
    """Give what sets a colour off: 0, black, around a light one, and 1, white, around a dark one."""
    return 0.0 if sum(rgb(color)) / 3 >= 0.5 else 1.0


def _hex(tone: float) -> str:
    return "#ffffff" if tone else "#000000"


def _mix(part: NDArray[np.uint8], ink: NDArray[np.float64], rim: NDArray[np.float64], color: str) -> None:
    """Mix a colour, and a rim around it, into an image by coverage (0–1), in place; what they touch is opaque."""
    for share, one in ((_RIM_ALPHA * rim, np.full(3, _rim_tone(color))), (ink, np.array(rgb(color)))):
        part[..., :3] = np.rint((1 - share[..., None]) * part[..., :3] + share[..., None] * 255 * one)
    if part.shape[-1] == 4:
        part[..., 3] = np.maximum(part[..., 3], np.rint(255 * rim)).astype(np.uint8)


@lru_cache(maxsize=64)
def _text_mask(text: str, height: int) -> NDArray[np.float64]:
    """Rasterise text: coverage 0–1, cut to the ink."""
    from PIL import Image, ImageDraw

    letters = font(height)
    left, top, right, bottom = letters.getbbox(text)
    canvas = Image.new("L", (math.ceil(right - left), math.ceil(bottom - top)))
    ImageDraw.Draw(canvas).text((-left, -top), text, fill=255, font=letters)
    made: NDArray[np.float64] = np.asarray(canvas) / 255
    made.setflags(write=False)
    return made

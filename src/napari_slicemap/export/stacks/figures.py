"""Frames of a stack as pictures: colour map, limits, time and scale bar; one look for GIF and MP4."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from ...errors import StackError, UnknownNameError
from ...images.stack.image_stack import ImageStack
from ...render.scale_bar import ScaleBar, ScaleBarStyle, length_label, place_scale_bar
from ..movies.frame_marks import Mark, TimeText, place_times, time_labels, with_greys

if TYPE_CHECKING:
    from numpy.typing import NDArray

Limit = float | str
"""A value of the data (or its text), ``"auto"``, or a percentile such as ``"p1"``."""

_PALETTE = 256
_WELL_KNOWN = ("afmhot", "gray", "viridis", "magma", "inferno", "plasma", "cividis", "hot", "turbo", "coolwarm")


@dataclass(frozen=True, eq=False)
class StackFrames:
    """The frames of a stack, painted as they are asked for.

    Parameters
    ----------
    data : ndarray, (T, H, W)
        Real numbers; what is not finite is drawn as the lowest.
    low, high : float
        The values of the first and the last colour, of the data's unit.
    colours : ndarray of uint8, (N, 3)
        From lowest to highest.
    bar : Mark or None
        The scale bar, drawn onto each frame.
    times : TimeText or None
        Drawn onto each frame.
    warnings : tuple of str
        What was asked for and is not drawn.
    """

    data: NDArray[np.generic]
    low: float
    high: float
    colours: NDArray[np.uint8]
    bar: Mark | None = None
    times: TimeText | None = None
    warnings: tuple[str, ...] = ()

    def __len__(self) -> int:
        """Give the number of frames."""
        return len(self.data)

    def __getitem__(self, index: int, /) -> NDArray[np.uint8]:
        """Paint one frame: uint8 ``(H, W, 3)``."""
        frame = self.colours.take(self._levels(np.asarray(self.data[index])), axis=0)
        for mark in self._marks(index):
            mark.draw(frame)
        return frame

    def indices(self, index: int, /) -> NDArray[np.uint8]:
        """Paint one frame as numbers of colours of the palette: uint8 ``(H, W)``."""
        numbers, greys = self._numbers
        frame = numbers.take(self._levels(np.asarray(self.data[index])))
        for mark in self._marks(index):
            mark.draw_numbers(frame, greys)
        return frame

    def _marks(self, index: int) -> list[Mark]:
        times = None if self.times is None else self.times.mark(index)
        return [mark for mark in (self.bar, times) if mark is not None]

    @cached_property
    def _numbers(self) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        """The number in the palette of each colour of the map, and of each grey that is in it."""
        place = {tuple(color): number for number, color in enumerate(self.palette.tolist())}
        return (
            np.array([place[tuple(color)] for color in self.colours.tolist()], np.uint8),
            np.array([place.get((grey,) * 3, 0) for grey in range(256)], np.uint8),
        )

    @cached_property
    def palette(self) -> NDArray[np.uint8]:
        """All colours that occur in the frames: uint8 ``(N, 3)``, N up to 256."""
        return self.colours if self.bar is None and self.times is None else with_greys(self.colours)

    def _levels(self, values: NDArray[np.generic]) -> NDArray[np.intp]:
        """Give the index of each pixel's colour."""
        top = len(self.colours) - 1
        numbers = values.astype(np.float64)
        if values.dtype.kind == "f":
            numbers[~np.isfinite(numbers)] = self.low
        if self.high == self.low:
            return np.where(numbers > self.high, top, 0)
        numbers -= self.low
        numbers *= top / (self.high - self.low)
        return np.rint(np.clip(numbers, 0, top, out=numbers), out=numbers).astype(np.intp)


def stack_frames(
    stack: ImageStack,
    *,
    scale_bar_nm: float = 100,
    zmin: Limit = "auto",
    zmax: Limit = "auto",
    draw_ts: bool = True,
    cmap: str = "afmhot",
    layer: str | None = None,
) -> StackFrames:
    """Make pictures of a stack's frames.

    Parameters
    ----------
    stack : ImageStack
        Its data are shown, unless `layer` is given.
    scale_bar_nm : float
        Length of the scale bar, nm; 0 draws none. One that does not fit into the frame is not drawn, nor is one cut.
    zmin, zmax : float or str
        The values of the first and the last colour; ``"auto"`` is the least or the greatest finite value of the whole
        stack, ``"p1"`` the percentile (any from ``"p0"`` to ``"p100"``) of its finite values.
    draw_ts : bool
        Write the time of each frame into it, in s; a frame without a time shows its number.
    cmap : str
        Name of a colour map, as matplotlib and others have them.
    layer : str, optional
        Name of a processed layer to show instead.

    Returns
    -------
    StackFrames
        With a warning for what was not drawn.

    Raises
    ------
    UnknownNameError
        If there is no such layer or colour map.
    StackError
        If the limits or the scale bar are not as stated, or ``auto`` finds no finite value.
    """
    if layer is not None and layer not in stack.processed:
        raise UnknownNameError("layer", layer, stack.processed, str(stack))
    data = stack.data if layer is None else np.asarray(stack.processed[layer])
    low, high = _limit(stack, data, "zmin", zmin), _limit(stack, data, "zmax", zmax)
    if low > high:
        raise StackError(f"{stack}: zmin is {low:g} and zmax is {high:g}, expected zmin up to zmax")
    shape, warnings = (data.shape[1], data.shape[2]), []
    bar, warning = _placed_bar(stack, shape, scale_bar_nm)
    warnings += [warning] if warning else []
    times, warning = place_times(shape, time_labels(stack.times_s)) if draw_ts else (None, "")
    warnings += [warning] if warning else []
    colours = _map_colours(cmap, plain=bar is None and times is None)
    return StackFrames(data, low, high, colours, bar, times, tuple(warnings))


# --- limits and colours -----------------------------------------------------------------------------------------
def _limit(stack: ImageStack, data: NDArray[np.generic], name: str, limit: Limit) -> float:
    """Give `zmin` or `zmax` as a value of the data."""
    if (stated := _number(limit)) is not None:
        return stated
    percentile = re.fullmatch(r"p(\d+(?:\.\d+)?)", str(limit))
    if limit != "auto" and (percentile is None or float(percentile[1]) > 100):
        raise StackError(f"{stack}: {name} is {limit!r}, expected a finite number, 'auto' or a percentile such as 'p1'")
    # frame by frame, so that only a percentile takes the room of a copy
    finite = (frame[np.isfinite(frame)] for frame in data)
    parts = [part if percentile else _ends(part) for part in finite if part.size]
    if not parts:
        raise StackError(f"{stack} has no finite value, so {name} cannot be {limit!r}; give a number")
    values = np.concatenate(parts)
    if percentile:
        return float(np.percentile(values.astype(np.float64), float(percentile[1])))
    return float(values.min() if name == "zmin" else values.max())


def _number(limit: Limit) -> float | None:
    """Read a limit that is stated as a number, or as the text of one."""
    if isinstance(limit, bool):
        return None
    try:
        number = float(limit)
    except (TypeError, ValueError):
        return None
    return number if math.isfinite(number) else None


def _ends(values: NDArray[np.generic]) -> NDArray[np.generic]:
    return np.array([values.min(), values.max()])


def _map_colours(name: str, *, plain: bool) -> NDArray[np.uint8]:
    """Give the colours of a map: 256, or as many as leave room in a palette for what is drawn over them."""
    from cmap import Colormap

    try:
        found = Colormap(name)
    except ValueError:
        raise UnknownNameError("colour map", name, [*_WELL_KNOWN, "…"]) from None
    count = _PALETTE
    while True:
        share = np.arange(count) / (count - 1)
        colours: NDArray[np.uint8] = np.rint(found(share)[:, :3] * 255).astype(np.uint8)
        if plain or len(with_greys(colours)) <= _PALETTE:
            return colours
        count -= 1


def _placed_bar(stack: ImageStack, shape: tuple[int, int], length_nm: float) -> tuple[Mark | None, str]:
    if not math.isfinite(length_nm) or length_nm < 0:
        raise StackError(f"{stack}: the scale bar is {length_nm} nm, expected a length above 0, or 0 for none")
    if length_nm == 0:
        return None, ""
    bar = ScaleBar(length_nm / float(stack.pixel_size_nm), float(length_nm), length_label(length_nm))
    placed, warning = place_scale_bar(shape, bar, ScaleBarStyle(enabled=True))
    return (None if placed is None else Mark.of(placed.top, placed.left, placed.ink, placed.rim)), warning

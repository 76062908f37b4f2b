"""From stage µm to whole pixels for many tiles at once: the same numbers as tile by tile."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, TypeVar, overload

import numpy as np

from ..images.fov import SAME_PIXEL_SIZE
from ..images.region import LARGEST_PX
from ..images.tiles.position_table import PositionTable

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..images.acquisition import StageY

T = TypeVar("T")
_NOISE_PX = 1e-5
"""As far from half a pixel, and farther, the sixth decimal makes no difference …"""
_EXACT_PX = 2.0**30
"""… where a float has as many decimals."""


class MadeOnce(Sequence[T], Generic[T]):
    """A sequence whose items are made when they are asked for, and stay.

    Parameters
    ----------
    count : int
        How many there are.
    """

    def __init__(self, count: int) -> None:
        self._made: list[T | None] = [None] * count

    @abstractmethod
    def _make(self, index: int) -> T:
        """Make one; the index counts from the start."""

    def __reduce__(self) -> tuple[Any, ...]:
        # another process gets what it holds, not what all of it would be made from
        return tuple, (list(self),)

    def __len__(self) -> int:
        return len(self._made)

    @overload
    def __getitem__(self, index: int) -> T: ...

    @overload
    def __getitem__(self, index: slice) -> tuple[T, ...]: ...

    def __getitem__(self, index: int | slice) -> T | tuple[T, ...]:
        if isinstance(index, slice):
            return tuple(self[one] for one in range(len(self))[index])
        found = self._made[index]
        if found is None:
            found = self._made[index] = self._make(range(len(self))[index])
        return found


@dataclass(frozen=True)
class Boxes:
    """Where tiles lie on the canvas of a map.

    Parameters
    ----------
    windows : ndarray of int64, (N, 4)
        ``x0, x1, y0, y1``, map px.
    ratios : ndarray of float64, (N,)
        FOV pixels per map pixel.
    pixel_size_um : float or None
        Of the map.
    bounds_um : tuple of float or None
        ``(x_min, x_max, y_min, y_max)``, stage µm.
    """

    windows: NDArray[np.int64]
    ratios: NDArray[np.float64]
    pixel_size_um: float | None
    bounds_um: tuple[float, float, float, float] | None


def boxes_of(table: PositionTable, stage_y: StageY, pixel_size_um: float | None = None) -> Boxes | None:
    """Place all tiles of a map.

    Parameters
    ----------
    table : PositionTable
        The map's tiles.
    stage_y : "down" or "up"
        Which way stage y grows as seen on the map; positions in map px have y downwards whatever it says.
    pixel_size_um : float, optional
        Size of a map px; by default the one that most tiles have.

    Returns
    -------
    Boxes or None
        ``None`` where a tile lies out of all bounds, or at a stage position without a pixel size.
    """
    known = table.pixel_sizes_um[~np.isnan(table.pixel_sizes_um)]
    if table.in_um and len(known) < len(table):
        return None
    values, counts = np.unique(known, return_counts=True)
    base = pixel_size_um or usual_pixel_size(dict(zip(values.tolist(), counts.tolist(), strict=True)))
    with np.errstate(all="ignore"):  # what is out of bounds is found below
        if table.in_um:
            halves = table.sizes_px * table.pixel_sizes_um[:, None] / 2
            low, high = table.places - halves, table.places + halves
        else:
            low, high = table.places, table.places + table.sizes_px
        corner, far = low.min(axis=0), high.max(axis=0)
        unit = base if table.in_um and base is not None else 1.0
        from_top = far[1] - high[:, 1] if table.in_um and stage_y == "up" else low[:, 1] - corner[1]
        ratios = _ratios(table.pixel_sizes_um, base)
        lengths = table.sizes_px / ratios[:, None]
        found = np.stack([(low[:, 0] - corner[0]) / unit, lengths[:, 0], from_top / unit, lengths[:, 1]], axis=1)
    if not (found <= LARGEST_PX / 2).all():  # nor is what is no number
        return None
    windows = rounded_px(found)
    windows[:, 1::2] = windows[:, ::2] + np.maximum(1, windows[:, 1::2])
    left, low_y, right, high_y = (float(value) for value in (*corner, *far))
    if not table.in_um:  # a tile of another pixel size covers as many map px as it is resampled to
        right, high_y = left + int(windows[:, 1].max()), low_y + int(windows[:, 3].max())
    scale = 1.0 if table.in_um else base
    bounds = None if scale is None else (left * scale, right * scale, low_y * scale, high_y * scale)
    return Boxes(windows, ratios, base, bounds)


def _ratios(pixel_sizes: NDArray[np.float64], base: float | None) -> NDArray[np.float64]:
    if base is None:
        return np.ones(len(pixel_sizes))
    ratios = base / pixel_sizes
    return np.where(np.isnan(ratios) | (abs(ratios - 1.0) <= SAME_PIXEL_SIZE), 1.0, ratios)


def usual_pixel_size(counts: Mapping[float, int]) -> float | None:
    """Give the most usual of some sizes (size → how many have it); the finest of them where two are equally usual."""
    groups: list[tuple[float, int]] = []
    for size, count in sorted(counts.items()):
        if groups and size <= groups[-1][0] * (1 + SAME_PIXEL_SIZE):
            groups[-1] = groups[-1][0], groups[-1][1] + count
        else:
            groups.append((size, count))
    # max() keeps the first of equals, and the finest comes first
    return max(groups, key=lambda group: group[1])[0] if groups else None


def round_px(value: float) -> int:
    """Round to the nearest pixel, halves up; the sixth decimal is noise of the division, not position."""
    return math.floor(round(value, 6) + 0.5)


def rounded_px(values: NDArray[np.float64]) -> NDArray[np.int64]:
    """Round as :func:`round_px` does, one by one only where the sixth decimal may count."""
    up = values + 0.5
    near = (abs(up - np.rint(up)) <= _NOISE_PX) | (abs(values) >= _EXACT_PX)
    made: NDArray[np.int64] = np.floor(up).astype(np.int64)
    made[near] = [round_px(value) for value in values[near].tolist()]
    return made

"""The planes of an interpolated slice, row by row.

It has as many planes as the neighbour that has fewer, nz. Plane z lies at α = z / (nz − 1), or 0.5 where nz is 1:

- ``zmorph``: the registered plane of the slice before, moved by T^α, weighs 1 − α; that of the slice after, moved by
  T^(α−1), weighs α. The first plane is the one of the slice before itself, the last that of the slice after.
- ``weighted``: the last plane of the slice before weighs 1 − α, the first of the slice after α; nothing is moved.
- ``average``: the mean of plane z of both slices.

A px that only one neighbour covers takes the value of that one; a px that none covers is 0. Whole numbers are rounded
half to even.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ...images.region import Window
from .affine import move, power

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..volumes import SliceVolume
    from .gaps import Gap

_LEAST_COVER = 1e-6
"""Share of a px below which nothing is said to cover it."""


@dataclass(frozen=True)
class Part:
    """What one plane adds to another.

    Parameters
    ----------
    volume : SliceVolume
        The slice that the plane is of.
    z : int
        Which plane.
    motion : ndarray, (3, 3) float64
        How it is moved, px.
    weight : float
        Its weight, 0 to 1.
    """

    volume: SliceVolume
    z: int
    motion: NDArray[np.float64]
    weight: float


def depth(gap: Gap) -> int:
    """Give the number of planes that the slice gets."""
    return min(gap.before.shape[0], gap.after.shape[0])


def alpha(z: int, planes: int) -> float:
    """Say where a plane lies between the neighbours: 0 at the one before, 1 at the one after."""
    return z / (planes - 1) if planes > 1 else 0.5


def morphed_parts(gap: Gap, planes: tuple[int, int], motion: NDArray[np.float64]) -> list[list[Part]]:
    """Give the parts of each plane of ``zmorph``.

    Parameters
    ----------
    gap : Gap
        The missing slice.
    planes : tuple of int
        The registered planes: that of the slice before, that of the slice after.
    motion : ndarray, (3, 3) float64
        T.
    """
    made = []
    for z in range(depth(gap)):
        at = alpha(z, depth(gap))
        there = Part(gap.before, planes[0], power(motion, at), 1 - at)
        back = Part(gap.after, planes[1], power(motion, at - 1), at)
        made.append([there, back])
    return made


def weighted_parts(gap: Gap) -> list[list[Part]]:
    """Give the parts of each plane of ``weighted``."""
    return morphed_parts(gap, (gap.before.shape[0] - 1, 0), np.eye(3))


def average_parts(gap: Gap) -> list[list[Part]]:
    """Give the parts of each plane of ``average``."""
    return [[Part(volume, z, np.eye(3), 0.5) for volume in (gap.before, gap.after)] for z in range(depth(gap))]


def blended_rows(
    parts: list[Part], read: Callable[[Part, Window], NDArray[Any]], top: int, bottom: int
) -> NDArray[Any]:
    """Give some rows of a plane.

    Parameters
    ----------
    parts : list of Part
        What the plane is made of; all slices are of one size and dtype.
    read : callable
        Gives a window of the plane of a part.
    top, bottom : int
        First row and one past the last.

    Returns
    -------
    ndarray, (bottom - top, W)
        Of the dtype of the slices; the same however the rows are cut.
    """
    volume = parts[0].volume
    _, height, width = volume.shape
    values, cover = np.zeros((2, bottom - top, width), np.float64)
    for part in parts:
        if not part.weight:
            continue

        def window_of(window: Window, part: Part = part) -> NDArray[Any]:
            return read(part, window)

        moved, covered = move(window_of, (height, width), part.motion, top, bottom)
        values += part.weight * moved
        cover += part.weight * covered
    enough = cover >= _LEAST_COVER
    made = np.divide(values, cover, out=np.zeros_like(values), where=enough)
    return (np.rint(made) if volume.dtype.kind in "iu" else made).astype(volume.dtype)

"""Projections of raw tiles with and without a galvo return, made from textures, to measure detection with.

The tissue of a tile is a piece of a texture, magnified so that a px of it spans one to four A-lines. In a tile with a
return the mirror flies back over the same tissue in `n_extra` A-lines, whose intensity is higher or lower by the
contrast; the A-lines are then rolled, so that the return lies anywhere and may wrap. A clean tile has no such change:
in half of them the mirror flies back at the same intensity, in the others the A-lines are all image. Speckle of 2 to
10 % and a noise floor of 0.5 to 1.5 % of the mean are added to all.

What may be mistaken for a return can be put into the tissue: see :data:`DISTURBANCES`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Plane = NDArray[np.float64]

LINES, COLUMNS = (100, 161), (80, 161)
"""Least number, and the number it stays below, of image A-lines and of B-scans of a tile."""
MAGNIFICATION = (1.0, 4.0)
"""A-lines that a px of a texture spans."""


@dataclass(frozen=True)
class SyntheticTile:
    """The projection of a tile, and what was put into it.

    Parameters
    ----------
    aip : ndarray, (A-lines, B-scans), float32
        The mean over depth.
    n_extra : int
        A-lines of the mirror's return.
    shift : int or None
        What moves the return to the end; ``None`` for a tile without one.
    contrast : float
        By how much of itself the intensity of the return differs; positive for a bright return, negative for a dark.
    """

    aip: NDArray[np.float32]
    n_extra: int
    shift: int | None
    contrast: float


def make_tile(
    textures: Sequence[NDArray[Any]],
    rng: np.random.Generator,
    n_extra: int,
    contrast: float | None = None,
    disturbance: str = "none",
    layout: np.random.Generator | None = None,
) -> SyntheticTile:
    """Make a tile.

    Parameters
    ----------
    textures : sequence of ndarray, (Y, X)
        Images of tissue, of any real dtype, none negative; pieces of them, turned at random, are the tissue.
    rng : numpy.random.Generator
        Decides all that is not given.
    n_extra : int
        A-lines of the return.
    contrast : float, optional
        Of the return, from -1 to 1; a clean tile without it.
    disturbance : str
        A name of :data:`DISTURBANCES`.
    layout : numpy.random.Generator, optional
        Decides the size, the shift and, of a clean tile, whether the mirror flies back; by default `rng` does. The same
        for all tiles of a slice.
    """
    layout = layout or rng
    lines, columns = int(layout.integers(*LINES)), int(layout.integers(*COLUMNS))
    shift = int(layout.integers(lines + n_extra))
    flies_back = contrast is not None or layout.random() < 0.5
    texture = textures[int(rng.integers(len(textures)))]
    tissue = _piece(texture, rng, lines if flies_back else lines + n_extra, columns)
    tissue = DISTURBANCES[disturbance](tissue, rng, n_extra)
    if flies_back:
        back = resampled(tissue, np.linspace(lines - 1, 0, n_extra)) * (1 + (contrast or 0))
        tissue = np.roll(np.concatenate([tissue, back]), -shift, axis=0)
    noisy = tissue * (1 + rng.uniform(0.02, 0.1) * rng.standard_normal(tissue.shape))
    noisy += rng.uniform(0.005, 0.015) * tissue.mean() * rng.standard_normal(tissue.shape)
    aip = np.maximum(noisy, 0).astype(np.float32)
    return SyntheticTile(aip, n_extra, None if contrast is None else shift, contrast or 0.0)


def _piece(texture: NDArray[Any], rng: np.random.Generator, lines: int, columns: int) -> Plane:
    turned = np.rot90(texture, int(rng.integers(4)))
    scale = rng.uniform(*MAGNIFICATION)
    scale = max(scale, (lines - 1) / (turned.shape[0] - 1), (columns - 1) / (turned.shape[1] - 1))
    y0, x0 = (
        rng.uniform() * max(0.0, size - 1 - (wanted - 1) / scale)
        for size, wanted in zip(turned.shape, (lines, columns), strict=True)
    )
    rows = resampled(turned.astype(np.float64), y0 + np.arange(lines) / scale)
    return resampled(rows.T, x0 + np.arange(columns) / scale).T


def resampled(plane: Plane, rows: NDArray[np.float64]) -> Plane:
    """Read rows of a plane, between two of them by linear interpolation.

    Parameters
    ----------
    plane : ndarray, (Y, X), float64
        What is read.
    rows : ndarray, (N,), float64
        Rows, from 0 to Y - 1; whole numbers are the rows themselves.

    Returns
    -------
    ndarray, (N, X), float64
    """
    lower = np.clip(np.floor(rows).astype(np.intp), 0, len(plane) - 1)
    upper = np.minimum(lower + 1, len(plane) - 1)
    part = np.clip(rows - lower, 0, 1)[:, None]
    return plane[lower] * (1 - part) + plane[upper] * part


# --- what may be mistaken for a return -----------------------------------------------------------------------
def _undisturbed(tissue: Plane, _rng: np.random.Generator, _n_extra: int) -> Plane:
    return tissue


def _edge(tissue: Plane, rng: np.random.Generator, _n_extra: int) -> Plane:
    row = int(rng.integers(5, len(tissue) - 5))
    return np.concatenate([tissue[:row], tissue[row:] * (1 + _change(rng, 0.1))])


def _gradient(tissue: Plane, rng: np.random.Generator, _n_extra: int) -> Plane:
    return tissue * np.exp(np.linspace(0, rng.uniform(-1.2, 1.2), len(tissue)))[:, None]


def _vessels(tissue: Plane, rng: np.random.Generator, _n_extra: int) -> Plane:
    y, x = np.mgrid[: tissue.shape[0], : tissue.shape[1]]
    dark = np.ones(tissue.shape)
    for _ in range(int(rng.integers(1, 6))):
        middle = rng.uniform(0, len(tissue)) + rng.normal(0, 0.3) * x + 5 * np.sin(x / rng.uniform(10, 40))
        inside = np.clip(rng.uniform(1, 6) + 0.5 - np.abs(y - middle), 0, 1)
        dark *= 1 - rng.uniform(0.2, 0.8) * inside
    return tissue * dark


def _stripe(tissue: Plane, rng: np.random.Generator, n_extra: int) -> Plane:
    width = int(rng.integers(1, 31))
    if abs(width - n_extra) <= 1:  # that would be a return
        width = n_extra + 2
    row = int(rng.integers(len(tissue) - width))
    striped = tissue.copy()
    striped[row : row + width] *= 1 + _change(rng, 0.05)
    return striped


def _stripes(tissue: Plane, rng: np.random.Generator, n_extra: int) -> Plane:
    for _ in range(int(rng.integers(1, 5))):
        tissue = _stripe(tissue, rng, n_extra)
    return tissue


def _change(rng: np.random.Generator, least: float) -> float:
    return float(rng.choice([-1, 1]) * rng.uniform(least, 0.6))


DISTURBANCES: dict[str, Callable[[Plane, np.random.Generator, int], Plane]] = {
    "none": _undisturbed,
    "edge": _edge,
    "gradient": _gradient,
    "vessels": _vessels,
    "stripes": _stripes,
}
"""What can be put into the tissue: one edge of 10 to 60 % across all B-scans; a gradient by up to e^1.2
from end to end; one to five dark vessels; one to four stripes of 5 to 60 % across all B-scans, none as wide as the
return.

Each takes the tissue ``(A-lines, B-scans)``, a random generator and the A-lines of the return, and gives new tissue."""

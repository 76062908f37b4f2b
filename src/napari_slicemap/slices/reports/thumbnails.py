"""Small pictures of slices for reports."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import numpy as np

from ...images.area import area_mean
from ...images.region import Grid, Window

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..volumes import SliceVolume

_BAND_PX = 2**23
"""Pixels of a plane that are averaged at once."""
_PERCENTILES = (1.0, 99.0)


def thumbnail_png(plane: NDArray[Any], side_px: int = 96) -> bytes:
    """Make a small grey picture of a plane.

    Parameters
    ----------
    plane : ndarray, (Y, X)
        Real numbers. Pixels that are NaN or infinite count as not existing.
    side_px : int
        Length of the longer side, px; a plane smaller than that keeps its size.

    Returns
    -------
    bytes
        A PNG of 8 bits: means of areas, from black at the 1st to white at the 99th percentile (at the
        least and the most, where these are the same). Areas without any
        pixel are black; a plane that is the same everywhere is of one middle grey.

    Raises
    ------
    ValueError
        If `plane` has no pixel, or not two axes.
    """
    if plane.ndim != 2 or 0 in plane.shape:
        raise ValueError(f"a plane of shape {plane.shape} cannot be shown, expected (Y, X)")
    window = Window(0, plane.shape[1], 0, plane.shape[0])
    step = _step(plane.shape[0], plane.shape[1], side_px)
    return _png(_means(plane, window, step), side_px)


def volume_png(volume: SliceVolume, side_px: int = 96) -> bytes:
    """Make a small grey picture of the middle plane of a slice, read in bands of rows; see :func:`thumbnail_png`.

    Raises
    ------
    TileReadError
        Naming the file, if it cannot be read.
    """
    depth, height, width = volume.shape
    step = _step(height, width, side_px)
    rows = max(1, _BAND_PX // (width * step)) * step
    bands = []
    for y0 in range(0, height, rows):
        window = Window(0, width, y0, min(height, y0 + rows))
        bands.append(_means(volume.planes([depth // 2], window)[0], window, step))
    return _png(np.concatenate(bands), side_px)


def _step(height: int, width: int, side_px: int) -> int:
    """Choose areas that leave at least two of them for each px of the picture."""
    return max(1, max(height, width) // (2 * side_px))


def _means(plane: NDArray[Any], window: Window, step: int) -> NDArray[np.float32]:
    """Average areas of step × step px; NaN where there is no pixel."""
    exists = np.isfinite(plane) if plane.dtype.kind == "f" else None
    means, _ = area_mean(plane[None], window, Grid(step), exists)
    only: NDArray[np.float32] = means[0]
    return only


def _png(means: NDArray[np.float32], side_px: int) -> bytes:
    from PIL import Image

    picture = Image.fromarray(_grey(means))
    longest = max(picture.size)
    if longest > side_px:
        width, height = (max(1, round(side_px * length / longest)) for length in picture.size)
        picture = picture.resize((width, height), Image.Resampling.BOX)
    stream = io.BytesIO()
    picture.save(stream, "PNG")
    return stream.getvalue()


def _grey(means: NDArray[np.float32]) -> NDArray[np.uint8]:
    known = np.isfinite(means)
    if not known.any():
        return np.zeros(means.shape, np.uint8)
    values = means[known].astype(np.float64)
    low, high = np.percentile(values, _PERCENTILES)
    if low == high:  # a few spots on an even ground, or nothing at all
        low, high = values.min(), values.max()
    span = high - low
    level = (means.astype(np.float64) - low) / span if span else np.full(means.shape, 0.5)
    return np.where(known, np.rint(255 * level.clip(0, 1)), 0).astype(np.uint8)

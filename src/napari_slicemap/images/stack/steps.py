"""The processing steps: what each does to a frame, and what can be set.

A filter changes heights, a mask step leaves px out of what later filters measure, ``clear`` takes them in again.
A package adds a step by an entry point in the group ``napari_slicemap.steps`` that names a :class:`Step`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from importlib.metadata import entry_points
from typing import TYPE_CHECKING, Annotated, Any, Literal

import numpy as np
from pydantic import AfterValidator, Field

from ...errors import UnknownNameError
from ...files import FileModel

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Frame = NDArray[np.float64]
    Mask = NDArray[np.bool_]
    Note = Callable[[str], None]
    Apply = Callable[[Frame, Mask, Any, Note], NDArray[Any]]

StepType = Literal["filter", "mask", "clear"]


# --- what can be set --------------------------------------------------------------------------------------------
class NoParameters(FileModel):
    """Nothing can be set."""


class PolynomialParameters(FileModel):
    """Of ``polynomial_flatten``."""

    order: int = Field(2, ge=1, le=6, description="highest sum of the powers of x and y")


class GaussianParameters(FileModel):
    """Of ``gaussian_filter``."""

    sigma: float = Field(1.0, gt=0, le=1000, description="standard deviation, px")


def _odd(size: int) -> int:
    if size % 2 == 0:
        raise ValueError(f"{size} is even, expected an odd number")
    return size


class MedianParameters(FileModel):
    """Of ``median_filter``."""

    size: Annotated[int, AfterValidator(_odd)] = Field(3, ge=1, le=101, description="side of the square, px, odd")


class ThresholdParameters(FileModel):
    """Of ``mask_threshold`` and ``mask_below_threshold``."""

    threshold: float = Field(0.0, description="in the unit of the data")


class OffsetParameters(FileModel):
    """Of ``mask_mean_offset``."""

    factor: float = Field(1.0, ge=0, description="in standard deviations")
    side: Literal["both", "above", "below"] = Field("both", description="of the mean: both, above or below")


@dataclass(frozen=True)
class Step:
    """A processing step.

    Parameters
    ----------
    name : str
        As in a list of steps.
    summary : str
        One line for a list of steps.
    step_type : {"filter", "mask", "clear"}
        What it gives: a filter a frame, a mask step px to leave out; ``clear`` takes masks away.
    Parameters : type of FileModel
        What can be set.
    apply : callable, or None for ``clear``
        ``apply(frame, usable, parameters, note)`` with `frame` float64 ``(H, W)``, not to be written to; `usable` bool
        ``(H, W)``, the px to measure on (finite and not masked; for a mask step all that are finite); `parameters` a
        `Parameters`; ``note(text)`` tells the record what could not be done. Gives float64 ``(H, W)``, or bool
        ``(H, W)`` for a mask step. The same input gives the same output, on any number of threads.
    package : str
        The distribution that it comes with, whose version is recorded.
    """

    name: str
    summary: str
    step_type: StepType
    Parameters: type[FileModel]
    apply: Apply | None = None
    package: str = "napari-slicemap"


# --- filters ------------------------------------------------------------------------------------------------------
def _remove_surface(frame: Frame, usable: Mask, order: int, note: Note) -> Frame:
    """Subtract the polynomial surface that lies nearest, by least squares, to the usable px."""
    from numpy.polynomial.legendre import legvander

    if not usable.any():
        return _left_as_is(frame, note)
    height, width = frame.shape
    y, x = (legvander(np.linspace(-1, 1, side), order) for side in (height, width))
    offset = frame.flat[np.argmax(usable)]  # off by a usable px, so that a flat frame becomes zeros exactly
    values = np.where(usable, frame - offset, 0.0)
    down, along = np.array([(i, j) for i in range(order + 1) for j in range(order + 1 - i)]).T
    # sums by einsum, not by a matrix product, whose last digits depend on the number of threads
    rows = np.einsum("yx,xa,xb->yab", usable.astype(np.float64), x, x)
    squares = np.einsum("yab,yi,yj->iajb", rows, y, y)[down[:, None], along[:, None], down, along]
    right = np.einsum("ya,yi->ia", np.einsum("yx,xa->ya", values, x), y)[down, along]
    surface = np.zeros((order + 1, order + 1))
    # the smallest of the surfaces that fit, where the usable px do not say which
    surface[down, along] = np.linalg.lstsq(squares, right, rcond=1e-12)[0]
    fitted: Frame = np.einsum("ya,xa->yx", np.einsum("yi,ia->ya", y, surface), x)
    return frame - (fitted + offset)


def _left_as_is(frame: Frame, note: Note) -> Frame:
    note("no px to measure on, left as before")
    return frame


def _remove_plane(frame: Frame, usable: Mask, _: NoParameters, note: Note) -> Frame:
    return _remove_surface(frame, usable, 1, note)


def _polynomial_flatten(frame: Frame, usable: Mask, parameters: PolynomialParameters, note: Note) -> Frame:
    return _remove_surface(frame, usable, parameters.order, note)


def _row_median_align(frame: Frame, usable: Mask, _: NoParameters, note: Note) -> Frame:
    empty = ~usable.any(axis=1)
    if lost := int((empty & np.isfinite(frame).any(axis=1)).sum()):
        note(f"{lost} row{'s' * (lost > 1)} without px to measure on, left as before")
    middles = _masked_median(frame, usable)
    return frame - np.where(empty, 0.0, middles)[:, None]


def _masked_median(values: NDArray[np.float64], usable: Mask) -> NDArray[np.float64]:
    """Give the median over the last axis of what is usable; NaN where nothing is."""
    ordered = np.sort(np.where(usable, values, np.nan), axis=-1)  # NaN come last
    count = usable.sum(axis=-1, keepdims=True)
    low = np.take_along_axis(ordered, np.maximum(count - 1, 0) // 2, axis=-1)
    high = np.take_along_axis(ordered, np.minimum(count // 2, values.shape[-1] - 1), axis=-1)
    middles: NDArray[np.float64] = ((low + high) / 2)[..., 0]
    return middles


def _zero_mean(frame: Frame, usable: Mask, _: NoParameters, note: Note) -> Frame:
    return frame - _mean(frame[usable]) if usable.any() else _left_as_is(frame, note)


def _zero_median(frame: Frame, usable: Mask, _: NoParameters, note: Note) -> Frame:
    return frame - np.median(frame[usable]) if usable.any() else _left_as_is(frame, note)


def _mean(values: NDArray[np.float64]) -> float:
    """Give the mean, which of equal values is that value exactly."""
    return float(values[0] + np.mean(values - values[0]))


def _gaussian_filter(frame: Frame, _usable: Mask, parameters: GaussianParameters, _note: Note) -> Frame:
    from scipy import ndimage

    def smooth(values: Frame) -> Frame:
        made: Frame = ndimage.gaussian_filter(values, parameters.sigma)
        return made

    finite = np.isfinite(frame)
    if finite.all():
        return smooth(frame)
    if not finite.any():
        return frame
    # a px that is not a number has no weight, and stays as it is
    weights = np.where(finite, smooth(finite.astype(np.float64)), 1.0)
    smoothed: Frame = smooth(np.where(finite, frame, 0.0)) / weights
    return np.where(finite, smoothed, frame)


_WINDOW_VALUES = 2**22
"""How many values of all windows of a band are held at a time."""


def _median_filter(frame: Frame, _usable: Mask, parameters: MedianParameters, _note: Note) -> Frame:
    from scipy import ndimage

    finite = np.isfinite(frame)
    if finite.all():
        return ndimage.median_filter(frame, parameters.size)
    size = parameters.size
    # at the border the frame is mirrored, as ndimage does
    values = _windows(frame, size)
    there = _windows(finite, size)
    made = frame.copy()
    rows = max(1, _WINDOW_VALUES // (frame.shape[1] * size * size))
    for top in range(0, len(frame), rows):
        band = slice(top, top + rows)
        flat = (*values[band].shape[:2], size * size)
        middles = _masked_median(values[band].reshape(flat), there[band].reshape(flat))
        made[band] = np.where(finite[band], middles, frame[band])
    return made


def _windows(image: NDArray[Any], size: int) -> NDArray[Any]:
    """Give the square around each px: ``(H, W, size, size)``, a view of a frame with its mirrored border."""
    padded = np.pad(image, size // 2, mode="symmetric")
    return np.lib.stride_tricks.sliding_window_view(padded, (size, size))


# --- masks --------------------------------------------------------------------------------------------------------
def _mask_threshold(frame: Frame, usable: Mask, parameters: ThresholdParameters, _note: Note) -> Mask:
    return usable & (frame > parameters.threshold)


def _mask_below_threshold(frame: Frame, usable: Mask, parameters: ThresholdParameters, _note: Note) -> Mask:
    return usable & (frame < parameters.threshold)


def _mask_mean_offset(frame: Frame, usable: Mask, parameters: OffsetParameters, _note: Note) -> Mask:
    if not usable.any():
        return np.zeros(frame.shape, np.bool_)
    away = np.where(usable, frame, 0.0) - _mean(frame[usable])
    deviation = np.sqrt(np.mean(away[usable] ** 2))
    signed = {"both": np.abs(away), "above": away, "below": -away}[parameters.side]
    far: Mask = usable & (signed > parameters.factor * deviation)
    return far


# --- all of them --------------------------------------------------------------------------------------------------
_BUILT_IN = (
    Step("remove_plane", "subtract the plane nearest to the px", "filter", NoParameters, _remove_plane),
    Step(
        "polynomial_flatten",
        "subtract the polynomial surface nearest to the px",
        "filter",
        PolynomialParameters,
        _polynomial_flatten,
    ),
    Step("row_median_align", "subtract from each row its median", "filter", NoParameters, _row_median_align),
    Step("zero_mean", "subtract the mean of the frame", "filter", NoParameters, _zero_mean),
    Step("zero_median", "subtract the median of the frame", "filter", NoParameters, _zero_median),
    Step("gaussian_filter", "smooth by a Gaussian; masks do not count", "filter", GaussianParameters, _gaussian_filter),
    Step(
        "median_filter",
        "smooth by the median of a square; masks do not count",
        "filter",
        MedianParameters,
        _median_filter,
    ),
    Step("mask_threshold", "leave out px above a threshold", "mask", ThresholdParameters, _mask_threshold),
    Step("mask_below_threshold", "leave out px below a threshold", "mask", ThresholdParameters, _mask_below_threshold),
    Step(
        "mask_mean_offset", "leave out px far from the mean of the frame", "mask", OffsetParameters, _mask_mean_offset
    ),
    Step("clear", "take the px that were left out in again", "clear", NoParameters),
)


@cache
def steps() -> dict[str, Step]:
    """Give the steps by name."""
    plugged = [point.load() for point in entry_points(group="napari_slicemap.steps")]
    return {step.name: step for step in (*_BUILT_IN, *plugged)}


def find_step(name: str) -> Step:
    """Give a step by name.

    Raises
    ------
    UnknownNameError
        Listing the steps there are.
    """
    if name not in steps():
        raise UnknownNameError("processing step", name, steps())
    return steps()[name]

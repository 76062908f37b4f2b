"""Channels to colours."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ..channels import ChannelSettings, rgb
from ..composite import composite
from .choice import COMPOSITED, flattened, kernels, plain_array, plain_mask

if TYPE_CHECKING:
    from numpy.typing import NDArray

_EXACT_IN_FLOAT32 = ("uint8", "int16", "uint16", "float32")


def composite_into(
    canvas: NDArray[np.uint32],
    stack: NDArray[Any],
    settings: Sequence[ChannelSettings],
    covered: NDArray[np.bool_] | None = None,
) -> None:
    """Add up the channels in colour, as :func:`.composite.composite` does, into a canvas.

    Parameters
    ----------
    canvas : ndarray of uint32, (h, w)
        Filled, alpha 255.
    stack : ndarray, (C, h, w)
        Intensities, any real dtype. NaN is shown as 0, infinities are clipped.
    settings : sequence of ChannelSettings
        One for each channel. Invisible channels add nothing.
    covered : ndarray of bool, (h, w), optional
        Where it is False, the canvas stays as it is.

    Raises
    ------
    ValueError
        If the shapes do not fit together, or `canvas` is no canvas.
    """
    wanted = (len(settings), *canvas.shape)
    if stack.shape != wanted or (covered is not None and covered.shape != canvas.shape):
        beside = "" if covered is None else f" and a mask {covered.shape}"
        raise ValueError(f"got a stack {stack.shape}{beside}, expected {wanted}")
    flattened(canvas)  # refuses what is no canvas
    if not canvas.size:
        return
    pixels = plain_array(stack, COMPOSITED)
    chosen = _able(settings, pixels.dtype)
    if chosen is None:  # limits too far apart or too close for float32
        pixels = pixels.astype(np.float64)
        chosen = _able(settings, pixels.dtype)
    if chosen is None:
        _composite_slowly(canvas, pixels, settings, covered)
        return
    (height, width), pitch = canvas.shape, flattened(canvas)[1]
    # rows that follow each other without a gap are worked on as one long row
    size = (1, height * width) if pitch == width else (height, width)
    planes = chosen.arrays.planes
    addresses = pixels.__array_interface__["data"][0] + planes * (height * width * pixels.itemsize)
    _run(chosen, canvas, pixels, np.array([(0, *size)]), addresses[None], np.full((1, len(planes)), width), covered)


def composite_pieces(canvas: NDArray[np.uint32], pieces: Sequence[Piece], settings: Sequence[ChannelSettings]) -> None:
    """Add up the channels in colour, as :func:`composite_into` does, from parts that lie in memory here and there.

    Parameters
    ----------
    canvas : ndarray of uint32, (h, w)
        Filled where there are pieces, alpha 255.
    pieces : sequence of Piece
        All of one dtype; they may lie over each other, the later ones on top.
    settings : sequence of ChannelSettings
        One for each channel.
    """
    if not pieces:
        return
    dtype = pieces[0].planes[0].dtype
    chosen = _able(settings, dtype) if dtype.name in COMPOSITED and dtype.isnative else None
    if chosen is None:
        for piece in pieces:
            height, width = piece.planes[0].shape
            at = canvas[piece.y : piece.y + height, piece.x : piece.x + width]
            composite_into(at, np.stack(piece.planes), settings)
        return
    pitch = flattened(canvas)[1]
    shown = chosen.arrays.planes.tolist()
    table = np.array([(piece.y * pitch + piece.x, *piece.planes[0].shape) for piece in pieces], np.int64)
    found = [[piece.planes[k] for k in shown] for piece in pieces]
    addresses = np.array([[one.__array_interface__["data"][0] for one in planes] for planes in found], np.int64)
    pitches = np.array([[one.strides[0] // one.itemsize for one in planes] for planes in found], np.int64)
    _run(chosen, canvas, pieces[0].planes[0], table, addresses, pitches, None)


class Piece(NamedTuple):
    """A rectangle of pixels.

    Parameters
    ----------
    y, x : int
        Where it lies on the canvas.
    planes : list of ndarray, (h, w)
        One for each channel, of one dtype; rows contiguous.
    """

    y: int
    x: int
    planes: list[NDArray[Any]]


class _Chosen(NamedTuple):
    """A compiled compositor, and the settings in the form that it takes."""

    run: Callable[..., None]
    arrays: _Prepared


def _able(settings: Sequence[ChannelSettings], dtype: np.dtype[Any]) -> _Chosen | None:
    """Choose the compositor for a dtype of pixels; ``None`` if there is none for these settings."""
    kernel = kernels()
    prepared = None if kernel is None else _prepared(tuple(settings), dtype.name in _EXACT_IN_FLOAT32)
    if kernel is None or prepared is None:
        return None
    arrays, linear = prepared
    choose = kernel.composite_linear if linear else kernel.composite_rows
    return _Chosen(choose(dtype.name, arrays.limits.dtype.name), arrays)


def _run(
    chosen: _Chosen,
    canvas: NDArray[np.uint32],
    like: NDArray[Any],
    pieces: NDArray[np.int64],
    addresses: NDArray[np.int64],
    pitches: NDArray[np.int64],
    covered: NDArray[np.bool_] | None,
) -> None:
    flat, pitch = flattened(canvas)
    mask = np.zeros(0, bool) if covered is None else plain_mask(covered).reshape(-1)
    arrays = chosen.arrays
    one = np.empty(0, like.dtype)
    chosen.run(flat, pitch, one, pieces, addresses, pitches, arrays.limits, arrays.gammas, arrays.weights, mask)


def _composite_slowly(
    canvas: NDArray[np.uint32],
    stack: NDArray[Any],
    settings: Sequence[ChannelSettings],
    covered: NDArray[np.bool_] | None,
) -> None:
    made = np.full((*canvas.shape, 4), 255, np.uint8)
    made[..., :3] = composite(stack, settings)
    np.copyto(canvas, made.view(np.uint32)[..., 0], where=True if covered is None else covered)


class _Prepared(NamedTuple):
    """Settings in the form that the compiled loop takes; see ``kernel.composite_rows``."""

    planes: NDArray[np.int64]
    limits: NDArray[Any]
    gammas: NDArray[np.float32]
    weights: NDArray[np.float32]


@lru_cache(maxsize=256)
def _prepared(settings: tuple[ChannelSettings, ...], exact: bool) -> tuple[_Prepared, bool] | None:
    """Bring settings into the form that the compiled loop takes.

    Parameters
    ----------
    settings : tuple of ChannelSettings
        One for each channel.
    exact : bool
        Whether float32 holds each pixel's value: the limits are float32 then, else float64.

    Returns
    -------
    (_Prepared, bool) or None
        The settings, and whether the compositor for few channels without gamma takes them;
        None if the limits are too close or too far apart to be prepared in that type.
    """
    from ..kernel import GAMMAS, HEADROOM, LINEAR_CHANNELS

    shown = [i for i, one in enumerate(settings) if one.visible and any(rgb(one.color))]
    bent = [_is_bent(settings[i]) for i in shown]
    if any(is_bent and not GAMMAS[0] <= settings[i].gamma <= GAMMAS[1] for i, is_bent in zip(shown, bent, strict=True)):
        return None
    linear = 1 <= len(shown) <= LINEAR_CHANNELS and not any(bent)
    # what pads to the number of channels that a loop is made for is the first channel once more, in black
    rows = len(shown) + (linear and len(shown) % 2 == 0)
    limits = np.empty((rows, 4), np.float32 if exact else np.float64)
    gammas = np.ones(rows, np.float32)
    weights = np.zeros((max(4, -(-rows // 4) * 4), 3), np.float32)
    for k in range(rows):
        one, top = settings[shown[k % len(shown)]], HEADROOM if not linear and bent[k] else 1.0
        low, high = one.contrast_limits
        prepared = _float32_limits(low, high, top) if exact else _float64_limits(low, high, top)
        if prepared is None:
            return None
        limits[k] = (*prepared, top)
        gammas[k] = _bent(one.gamma) if top > 1 else 1
        weights[k] = 255 * np.array(rgb(one.color)) if k < len(shown) else 0
    planes = np.array(shown + shown[: rows - len(shown)], np.int64)
    return _Prepared(planes, limits, gammas, weights), linear


def _is_bent(one: ChannelSettings) -> bool:
    low, high = one.contrast_limits
    return one.gamma != 1 and low < high  # a step stays a step under any gamma


def _bent(gamma: float) -> np.float32:
    """Give gamma as a float32 that is neither infinite nor 1, which stands for none."""
    made = np.float32(min(max(gamma, 1e-30), 1e30))
    return np.nextafter(made, np.float32(2)) if made == 1 else made


def _float32_limits(low: float, high: float, top: float) -> tuple[float, float, float] | None:
    """Give lo, scale and shift for ``n · top = (v − lo) · scale + shift``, all exact enough in float32.

    What float32 loses of the lower limit goes into the shift: so ``v − lo`` keeps its precision near the limit,
    which is where a low gamma shows it, and for narrow limits on large values.
    """
    if not max(abs(low), abs(high)) < 2.0**100:
        return None
    near = float(np.float32(low))
    if low == high:  # v > low if and only if v > the float32 at or below it
        at_or_below = near if near <= low else float(np.nextafter(np.float32(near), np.float32(-np.inf)))
        return at_or_below, np.inf, 0.0
    if not high - low > 2.0**-24:  # the scale must stay within float32, with headroom
        return None
    scale = top / (high - low)
    return near, scale, (near - low) * scale


def _float64_limits(low: float, high: float, top: float) -> tuple[float, float, float] | None:
    """Give lo, scale and shift for ``n · top = (v − lo) · scale + shift`` in float64."""
    if low == high:
        return low, np.inf, 0.0
    return (low, top / (high - low), 0.0) if 1e-280 < high - low < np.inf else None

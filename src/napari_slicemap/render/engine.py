"""From arrays to pixels, the fast way where numba is installed and the obvious numpy way where it is not.

Both give the same pictures (colours within 1 of 255, all else the same). numba is imported at the first call, and
with ``SLICEMAP_NUMBA=0`` in the environment never.

A canvas is a uint32 array ``(h, w)``, one pixel each, whose bytes in memory are red, green, blue, alpha. It may be a
view of a larger one as long as each row is contiguous, so that threads can fill blocks of one picture.
"""

from __future__ import annotations

import logging
import os
import sys
import threading
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ..images import area
from . import overlays
from .channels import ChannelSettings, rgb
from .composite import composite

if TYPE_CHECKING:
    from types import ModuleType

    from numpy.typing import NDArray

    from ..images.region import Grid, Window

SWITCH = "SLICEMAP_NUMBA"
"""Environment variable; ``0`` keeps numba out."""

_IMPORTING = threading.Lock()
_EXACT_IN_FLOAT32 = ("uint8", "int16", "uint16", "float32")
_COMPOSITED = (*_EXACT_IN_FLOAT32, "int32", "uint32", "float64")


# --- choosing --------------------------------------------------------------------------------------------------


def _kernel() -> ModuleType | None:
    """Give the compiled loops, unless they are switched off or cannot be had."""
    if os.environ.get(SWITCH) == "0" or sys.byteorder == "big":
        return None
    with _IMPORTING:  # of threads that come first together one imports, and says it if there is no numba
        return _imported()


@lru_cache(maxsize=1)
def _imported() -> ModuleType | None:
    try:
        from . import kernel
    except ImportError:
        logging.getLogger("napari_slicemap").warning(
            "numba is not installed, so pictures are made the slow way (pip install 'napari-slicemap[fast]')"
        )
        return None
    return kernel


def _plain(array: NDArray[Any], dtypes: Sequence[str]) -> NDArray[Any]:
    """Bring an array into the form that compiled loops take, without a copy if it has it already.

    That is C order, aligned, the machine's byte order, and one of `dtypes` (bool as uint8, others as float64).
    """
    name = "uint8" if array.dtype.kind == "b" else array.dtype.name
    made: NDArray[Any] = np.require(array, name if name in dtypes else "float64", ["C", "A"])
    return made


def _flat(canvas: NDArray[np.uint32]) -> tuple[NDArray[np.uint32], int]:
    """Give a canvas from its first pixel to its last as 1-D array, and how many px its rows lie apart.

    Raises
    ------
    ValueError
        If it is no canvas.
    """
    height, width = canvas.shape
    between, step = canvas.strides
    if canvas.dtype != np.uint32 or not canvas.flags.writeable or not canvas.flags.aligned:
        raise ValueError(f"a canvas is a uint32 array that can be written to, got {canvas.dtype}")
    if canvas.size and ((width > 1 and step != 4) or (height > 1 and (between < 4 * width or between % 4))):
        raise ValueError("the rows of a canvas must be contiguous and in order")
    if canvas.flags.c_contiguous:
        return canvas.reshape(-1), width
    pitch = between // 4
    return np.lib.stride_tricks.as_strided(canvas, ((height - 1) * pitch + width,), (4,)), pitch


def _bytes(canvas: NDArray[np.uint32]) -> NDArray[np.uint8]:
    """See a canvas as RGBA uint8 ``(h, w, 4)``."""
    flat, pitch = _flat(canvas)
    height, width = canvas.shape
    seen: NDArray[np.uint8] = np.lib.stride_tricks.as_strided(
        flat.view(np.uint8), (height, width, 4), (4 * pitch, 4, 1)
    )
    return seen


# --- compositing -----------------------------------------------------------------------------------------------


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
    _flat(canvas)  # refuses what is no canvas
    if not canvas.size:
        return
    pixels = _plain(stack, _COMPOSITED)
    chosen = _able(settings, pixels.dtype)
    if chosen is None:  # limits too far apart or too close for float32
        pixels = pixels.astype(np.float64)
        chosen = _able(settings, pixels.dtype)
    if chosen is None:
        _composite_slowly(canvas, pixels, settings, covered)
        return
    (height, width), pitch = canvas.shape, _flat(canvas)[1]
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
    chosen = _able(settings, dtype) if dtype.name in _COMPOSITED and dtype.isnative else None
    if chosen is None:
        for piece in pieces:
            height, width = piece.planes[0].shape
            at = canvas[piece.y : piece.y + height, piece.x : piece.x + width]
            composite_into(at, np.stack(piece.planes), settings)
        return
    pitch = _flat(canvas)[1]
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
    kernel = _kernel()
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
    flat, pitch = _flat(canvas)
    mask = np.zeros(0, bool) if covered is None else _plain_mask(covered).reshape(-1)
    arrays = chosen.arrays
    one = np.empty(0, like.dtype)
    chosen.run(flat, pitch, one, pieces, addresses, pitches, arrays.limits, arrays.gammas, arrays.weights, mask)


def _plain_mask(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    return np.require(mask, np.bool_, ["C", "A"])


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
    from .kernel import GAMMAS, HEADROOM, LINEAR_CHANNELS

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


# --- area means ------------------------------------------------------------------------------------------------


def area_means(
    stack: NDArray[Any], window: Window, grid: Grid, valid: NDArray[np.bool_] | None = None
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Average the pixels of each grid cell; see :func:`napari_slicemap.images.area.area_mean`.

    Parameters
    ----------
    stack : ndarray, (C, H, W)
        Pixels of `window`, any real dtype. NaN pixels count as not existing.
    window : Window
        Where the pixels lie, px.
    grid : Grid
        The cells.
    valid : ndarray of bool, (H, W), optional
        Pixels that exist (all by default).

    Returns
    -------
    means : ndarray of float32, (C, h, w)
        One value a cell of ``grid.cells(window)``; NaN where a channel has no pixel at all.
    covered : ndarray of bool, (h, w)
        Whether a cell holds any pixel that exists.
    """
    kernel = _kernel()
    if kernel is None or not stack.size:
        with np.errstate(over="ignore"):
            return area.area_mean(stack, window, grid, valid)
    shape = (len(stack), *grid.cells(window).shape)
    means, counts = np.empty(shape, np.float32), np.empty(shape)
    _sum_quickly(kernel, stack, window, grid, valid, np.empty((0, 0, 0)), counts, means)
    return means, _covered(window, grid, valid, counts, stack.dtype)


def _covered(
    window: Window, grid: Grid, valid: NDArray[np.bool_] | None, counts: NDArray[np.float64], dtype: np.dtype[Any]
) -> NDArray[np.bool_]:
    if valid is None:
        return np.ones(grid.cells(window).shape, bool)
    if dtype.kind != "f":  # nothing but the mask keeps a pixel out
        some: NDArray[np.bool_] = counts[0] > 0
        return some
    rows, columns = _edges(window, grid)
    across = np.logical_or.reduceat(valid, columns[:-1], axis=-1)
    there: NDArray[np.bool_] = np.logical_or.reduceat(across, rows[:-1], axis=-2)
    return there


def cell_sums(
    stack: NDArray[Any], window: Window, grid: Grid, valid: NDArray[np.bool_] | None = None
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Add up the pixels of each grid cell, and count them.

    Sums and counts of four cells add up to those of the cell they make at twice the step.

    Parameters
    ----------
    stack, window, grid, valid
        As for :func:`area_means`.

    Returns
    -------
    sums, counts : ndarray of float64, (C, h, w)
    """
    shape = (len(stack), *grid.cells(window).shape)
    sums, counts = np.zeros(shape), np.zeros(shape)
    if not stack.size:
        return sums, counts
    kernel = _kernel()
    if kernel is not None:
        _sum_quickly(kernel, stack, window, grid, valid, sums, counts, np.empty((0, 0, 0), np.float32))
        return sums, counts
    rows, columns = _edges(window, grid)
    pixels = stack.astype(np.float64)
    exists = np.ones(stack.shape[-2:], bool) if valid is None else valid
    counted = exists & ~np.isnan(pixels)
    with np.errstate(invalid="ignore", over="ignore"):
        sums = _reduced(np.where(counted, pixels, 0.0), rows, columns)
    return sums, _reduced(counted.astype(np.float64), rows, columns)


def _reduced(pixels: NDArray[np.float64], rows: NDArray[np.int64], columns: NDArray[np.int64]) -> NDArray[np.float64]:
    made: NDArray[np.float64] = np.add.reduceat(np.add.reduceat(pixels, rows[:-1], axis=-2), columns[:-1], axis=-1)
    return made


def _edges(window: Window, grid: Grid) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Give the rows and columns, within the window's array, between which the cells lie."""
    cells, d = grid.cells(window), grid.step
    rows = np.arange(cells.y0, cells.y1 + 1, dtype=np.int64) * d + grid.y0 - window.y0
    columns = np.arange(cells.x0, cells.x1 + 1, dtype=np.int64) * d + grid.x0 - window.x0
    height, width = window.shape
    return rows.clip(0, height), columns.clip(0, width)


def _sum_quickly(
    kernel: ModuleType,
    stack: NDArray[Any],
    window: Window,
    grid: Grid,
    valid: NDArray[np.bool_] | None,
    sums: NDArray[np.float64],
    counts: NDArray[np.float64],
    means: NDArray[np.float32],
) -> None:
    if stack.shape[-2:] != window.shape or (valid is not None and valid.shape != window.shape):
        raise ValueError(f"got pixels {stack.shape}, expected those of a window {window.shape}")
    pixels = _plain(stack, _COMPOSITED)
    columns = np.empty(pixels.shape[-1], np.int32 if pixels.dtype.itemsize <= 2 else np.float64)
    mask = np.zeros((0, 0), bool) if valid is None else _plain_mask(valid)
    run = kernel.sum_cells(pixels.dtype.name, columns.dtype.name)
    run(pixels, mask, pixels.dtype.kind == "f", *_edges(window, grid), columns, sums, counts, means)


# --- overlays --------------------------------------------------------------------------------------------------


def outline(labels: NDArray[Any], thickness: int, owner: NDArray[np.int32] | None = None) -> NDArray[np.bool_]:
    """Find the inner boundary of labels; see :func:`.overlays.outline`.

    Parameters
    ----------
    labels : ndarray of any integer dtype, (H, W)
        0 is background, ``OUTSIDE`` is where no image is.
    thickness : int
        Thickness of the boundary in px, counted along rows and columns.
    owner : ndarray of int32, (H, W), optional
        Which tile painted a pixel.

    Returns
    -------
    ndarray of bool, (H, W)
    """
    kernel = _kernel()
    if kernel is None or not labels.size:
        return overlays.outline(labels, thickness, owner)
    plain = _plain_labels(labels)
    owners = np.zeros((0, 0), np.int32) if owner is None else np.require(owner, np.int32, ["C", "A"])
    if owner is not None and owner.shape != labels.shape:
        raise ValueError(f"got labels {labels.shape} and owners {owner.shape}, expected the same shape")
    edge = np.empty(labels.shape, bool)
    kernel.edges(plain.dtype.name)(edge, plain, plain.dtype.kind == "u", owners)
    if thickness > 1:
        wider, widen = np.empty_like(edge), kernel.widen(plain.dtype.name)
        for _ in range(thickness - 1):
            widen(wider, edge, plain)
            edge, wider = wider, edge
    return edge


def _plain_labels(labels: NDArray[Any]) -> NDArray[Any]:
    """Bring labels into C order, aligned and in the machine's byte order; bool as uint8."""
    return np.require(labels, "uint8" if labels.dtype.kind == "b" else labels.dtype.name, ["C", "A"])


def blend_into(canvas: NDArray[np.uint32], chosen: NDArray[Any], color: str, alpha: float) -> None:
    """Mix a colour into the chosen pixels of a canvas, as :func:`.overlays.blend` does; their alpha stays.

    Parameters
    ----------
    canvas : ndarray of uint32, (h, w)
        Changed in place.
    chosen : ndarray of bool or of any integer dtype, (h, w)
        A mask, or labels: those above 0 are filled.
    color : str
        ``#rrggbb``.
    alpha : float
        0–1.
    """
    if chosen.shape != canvas.shape:
        raise ValueError(f"got a mask {chosen.shape} for a canvas {canvas.shape}")
    flat, pitch = _flat(canvas)
    if not canvas.size:
        return
    kernel = _kernel()
    if kernel is None:
        overlays.blend(_bytes(canvas)[..., :3], chosen > 0, color, alpha)
        return
    plain = _plain_mask(chosen) if chosen.dtype.kind == "b" else _plain_labels(chosen)
    kernel.blend(plain.dtype.name)(flat, pitch, plain, _tables(color, alpha))


@lru_cache(maxsize=64)
def _tables(color: str, alpha: float) -> NDArray[np.uint32]:
    """Give what each byte of red, green and blue becomes, each in its place: (3, 256)."""
    before = np.repeat(np.arange(256, dtype=np.uint8)[:, None, None], 3, axis=-1)
    overlays.blend(before, np.ones((256, 1), bool), color, alpha)
    made: NDArray[np.uint32] = before[:, 0].T.astype(np.uint32) << np.array([[0], [8], [16]], np.uint32)
    return np.ascontiguousarray(made)


def draw_mask_into(
    canvas: NDArray[np.uint32],
    labels: NDArray[Any],
    overlay: overlays.MaskOverlay,
    downsample: int,
    margin: Window,
    owner: NDArray[np.int32] | None = None,
) -> None:
    """Draw a mask onto a canvas; see :func:`.overlays.draw_mask`.

    Parameters
    ----------
    canvas : ndarray of uint32, (h, w)
        Changed in place.
    labels : ndarray of any integer dtype
        Labels of the canvas and of a halo around it, output px.
    overlay : MaskOverlay
        The style.
    downsample : int
        Of the canvas.
    margin : Window
        Where the canvas lies within `labels`.
    owner : ndarray of int32, optional
        See :func:`outline`.
    """
    chosen: NDArray[Any] = labels
    if overlay.mode == "outline":
        chosen = outline(labels, overlays.output_thickness(overlay.thickness_px, downsample), owner)
    blend_into(canvas, chosen[margin.y0 : margin.y1, margin.x0 : margin.x1], overlay.color, overlay.alpha)

"""Outlines of labels, and colours mixed into a canvas."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import overlays
from .choice import as_bytes, flattened, kernels, plain_mask

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ...images.region import Window


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
    kernel = kernels()
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
    flat, pitch = flattened(canvas)
    if not canvas.size:
        return
    kernel = kernels()
    if kernel is None:
        overlays.blend(as_bytes(canvas)[..., :3], chosen > 0, color, alpha)
        return
    plain = plain_mask(chosen) if chosen.dtype.kind == "b" else _plain_labels(chosen)
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
    """Draw a mask onto a canvas.

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

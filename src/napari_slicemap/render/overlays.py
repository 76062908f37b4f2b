"""What is drawn over the channels: annotations, masks, ROI shapes, in this order."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any, Literal

import numpy as np
from pydantic import Field

from ..files import value_object
from .channels import Color, hex_color, rgb
from .profile import Alpha

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..images.region import Grid, Window

OUTSIDE = -1
"""Label of a pixel that no tile covers: not background, and no reason for an outline."""


@value_object
class MaskOverlay:
    """Draw a mask.

    Parameters
    ----------
    name : str
        The mask's name.
    mode : "outline" or "fill"
        An outline lies inside its label; the edge of the image is no boundary.
    color : str
        ``#rrggbb`` or a CSS name.
    alpha : float
        0–1.
    thickness_px : int
        Thickness of an outline in px of the full-size image; at downsample d it is
        ``max(1, floor(t / d + 0.5))`` output px.
    """

    name: str
    mode: Literal["outline", "fill"] = "outline"
    color: Color = "#ffffff"
    alpha: Alpha = 1.0
    thickness_px: Annotated[int, Field(ge=1, le=100)] = 1


@value_object
class AnnotationOverlay:
    """Draw an annotation, each label in its colour; labels without a colour are left out.

    Parameters
    ----------
    name : str
        The annotation's name.
    colors : dict of int to str
        Label → colour; where empty, the annotation's own table is used.
    alpha : float
        0–1.
    """

    name: str
    colors: dict[int, Color] = Field(default_factory=dict)
    alpha: Alpha = 0.4


@value_object
class RoiOverlay:
    """Draw shapes as lines.

    Parameters
    ----------
    shapes : list of list of (float, float)
        Vertices ``(x, y)`` in px of the frame rendered (FOV px or map px), one list a shape.
    closed : bool
        Whether the last vertex joins the first.
    color : str
        ``#rrggbb`` or a CSS name.
    thickness_px : int
        As for a mask's outline.
    """

    shapes: list[list[tuple[float, float]]]
    closed: bool = True
    color: Color = "#ffff00"
    thickness_px: Annotated[int, Field(ge=1, le=100)] = 1


Overlay = MaskOverlay | AnnotationOverlay | RoiOverlay


def in_drawing_order(overlays: Sequence[Overlay]) -> list[Overlay]:
    """Sort: annotations, masks, ROI shapes; within a kind as given."""
    order = (AnnotationOverlay, MaskOverlay, RoiOverlay)
    return sorted(overlays, key=lambda overlay: order.index(type(overlay)))


def output_thickness(thickness_px: int, downsample: int) -> int:
    """Give an outline's thickness in output px, at least 1."""
    return max(1, math.floor(thickness_px / downsample + 0.5))


def halo(overlays: Sequence[Overlay], downsample: int) -> int:
    """Give how many output px around an image decide what is drawn in it."""
    reach = [
        output_thickness(o.thickness_px, downsample)
        for o in overlays
        if isinstance(o, MaskOverlay) and o.mode == "outline"
    ]
    return max(reach, default=0)


def outline(labels: NDArray[Any], thickness: int, owner: NDArray[np.int32] | None = None) -> NDArray[np.bool_]:
    """Find the inner boundary of labels.

    Parameters
    ----------
    labels : ndarray of int, (H, W)
        0 is background, ``OUTSIDE`` is where no image is.
    thickness : int
        Thickness of the boundary in px, counted along rows and columns.
    owner : ndarray of int32, (H, W), optional
        Which tile painted a pixel. Labels of different tiles are numbered apart, so a cell that goes on across
        a tile border changes its number there: between two tiles only background makes a boundary.

    Returns
    -------
    ndarray of bool, (H, W)
    """
    cell = labels > 0
    edge = np.zeros(labels.shape, bool)
    for here, there in _neighbours(labels.ndim):
        one, other = labels[here], labels[there]
        known = (one != OUTSIDE) & (other != OUTSIDE)
        apart = one != other
        if owner is not None:
            apart &= (owner[here] == owner[there]) | (one <= 0) | (other <= 0)
        edge[here] |= known & apart
        edge[there] |= known & apart
    edge &= cell
    for _ in range(thickness - 1):
        wider = edge.copy()
        for here, there in _neighbours(labels.ndim):
            # this never leaves the label: where two of them meet, both sides are boundary already
            wider[here] |= edge[there]
            wider[there] |= edge[here]
        edge = wider & cell
    return edge


def _neighbours(ndim: int) -> list[tuple[tuple[slice, ...], tuple[slice, ...]]]:
    """Give pairs of slices that hold each pixel against the next along each axis."""
    pairs = []
    for axis in range(ndim):
        here, there = [slice(None)] * ndim, [slice(None)] * ndim
        here[axis], there[axis] = slice(None, -1), slice(1, None)
        pairs.append((tuple(here), tuple(there)))
    return pairs


def blend(image: NDArray[np.uint8], where: NDArray[np.bool_], color: str, alpha: float) -> None:
    """Mix a colour into the chosen pixels of an RGB image ``(H, W, 3)``, in place."""
    mixed = (1 - alpha) * image[where] + alpha * 255 * np.array(rgb(color))
    image[where] = np.rint(mixed).astype(np.uint8)


def draw_annotation(image: NDArray[np.uint8], labels: NDArray[Any], colors: Mapping[int, str], alpha: float) -> None:
    """Draw an annotation's labels ``(H, W)`` onto an RGB image ``(H, W, 3)``, in place.

    Parameters
    ----------
    image : ndarray of uint8, (H, W, 3)
        What lies under it.
    labels : ndarray of int, (H, W)
        Labels; those without a colour are left out.
    colors : mapping of int to str
        Label → colour.
    alpha : float
        0–1.
    """
    if not colors:
        return
    known = np.array(sorted(colors), np.int64)
    inks = np.array([rgb(hex_color(colors[int(label)])) for label in known])
    place = np.searchsorted(known, labels).clip(0, len(known) - 1)
    found = known[place] == labels
    mixed = (1 - alpha) * image[found] + alpha * 255 * inks[place[found]]
    image[found] = np.rint(mixed).astype(np.uint8)


def draw_shapes(image: NDArray[np.uint8], overlay: RoiOverlay, grid: Grid, cells: Window) -> None:
    """Draw shapes onto an RGB image ``(H, W, 3)`` that shows `cells` of a grid, in place."""
    from PIL import Image, ImageDraw

    canvas = Image.new("1", (image.shape[1], image.shape[0]))
    pen = ImageDraw.Draw(canvas)
    for shape in overlay.shapes:
        points = [
            ((x - grid.x0) // grid.step - cells.x0, (y - grid.y0) // grid.step - cells.y0)
            for x, y in _vertex_pixels(shape, overlay.closed)
        ]
        ends = points + points[:1] if overlay.closed else points
        pen.line(ends, fill=1, width=output_thickness(overlay.thickness_px, grid.step))
    blend(image, np.asarray(canvas), overlay.color, 1.0)


def _vertex_pixels(shape: Sequence[tuple[float, float]], closed: bool) -> list[tuple[int, int]]:
    """Give the pixel of each vertex; the far sides of a closed shape lie inside it.

    A region is half-open: a box up to x = 20 has its last pixel, and so its line, at 19.
    """
    last = [math.ceil(max(along)) - 1 if closed else math.inf for along in zip(*shape, strict=True)]
    first = [math.floor(min(along)) for along in zip(*shape, strict=True)]
    return [
        (int(max(min(math.floor(x), last[0]), first[0])), int(max(min(math.floor(y), last[1]), first[1])))
        for x, y in shape
    ]

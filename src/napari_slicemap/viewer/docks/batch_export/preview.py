"""An item as a small picture, made by the same path as its file."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ....export.choosing.items import ExportItem
from ....export.content.figure import Figure
from ....export.content.making import content_of
from ....export.content.movie import Movie
from ....export.plan import OverlayChoice
from ....export.running.cancelling import Asked, check, stopped_by
from ....export.running.prepare import Prepared
from ....export.writers import Takes
from ....render.picture import Picture
from ....render.scale_bar import ScaleBarStyle

if TYPE_CHECKING:
    from numpy.typing import NDArray

SIDE = 480
"""The most px that a side of a preview has."""

_PAINTED = 2**25
"""The most px that are painted for a preview: larger pictures are rendered at a coarser scale."""


@dataclass(frozen=True)
class Preview:
    """A small picture of an item.

    Parameters
    ----------
    image : ndarray of uint8, (h, w, 4)
        RGBA, premultiplied by alpha.
    shape : tuple of int
        ``(height, width)`` of what is written, px.
    note : str
        How the preview differs from what is written, other than in size.
    warnings : tuple of str
        What the reader of the output should know.
    """

    image: NDArray[np.uint8]
    shape: tuple[int, int]
    note: str = ""
    warnings: tuple[str, ...] = ()


def preview_of(prepared: Prepared, number: int, asked: Asked) -> Preview:
    """Make a small picture of an item of a plan that passed every check.

    Parameters
    ----------
    prepared : Prepared
        The plan, as for a run.
    number : int
        Of the item, from 0.
    asked : callable
        Whether to stop.

    Returns
    -------
    Preview
        Of a picture: the means over squares of its px. Of a movie: its first frame. Of data: as a figure of the
        profile would show them.

    Raises
    ------
    SlicemapError
        What would fail the item, by name.
    CancelledError
        If it was stopped.
    """
    item = prepared.resolution.items[number]
    with stopped_by(asked):
        takes = prepared.writer.takes
        if takes == "movie":
            return _of_movie(item, prepared)
        if takes == "pixels":
            return _of_data(item, prepared)
        return _of_picture(item, prepared)


def _of_picture(item: ExportItem, prepared: Prepared) -> Preview:
    figure = _content(item, prepared)
    height, width, _ = figure.shape
    coarser = math.ceil(math.sqrt(height * width / _PAINTED))
    note = ""
    if coarser > 1 and not item.members:
        figure = _content(item.model_copy(update={"downsample": item.downsample * coarser}), prepared)
        note = f"Made {coarser} times coarser than the file: lines and text look larger here."
    image = _reduced(figure.picture)
    return Preview(image, (height, width), note, figure.warnings)


def _of_movie(item: ExportItem, prepared: Prepared) -> Preview:
    movie: Movie = _content(item, prepared)
    labelled = bool(getattr(prepared.recipe.options, "timestamps", False))
    frame = movie.frames(labelled)[0]
    _, height, width, _ = movie.shape
    note = f"The first of {movie.count} frames." if movie.count > 1 else "A movie of one frame."
    return Preview(_reduced(Picture.of(frame)), (height, width), note, movie.warnings)


def _of_data(item: ExportItem, prepared: Prepared) -> Preview:
    """Show data in the colours of the profile, with nothing drawn into them but the labels that go along."""
    data = _content(item, prepared)
    plan = prepared.plan
    shown = plan.model_copy(
        update={
            "format": "png",
            "t": 0 if plan.t == "all" else plan.t,
            "z": 0 if plan.z == "all" else plan.z,
            "scale_bar": ScaleBarStyle(),
            "overlays": OverlayChoice(masks=plan.overlays.masks),
        }
    )
    takes: Takes = "movie" if item.kind == "stack" else "picture"
    found: Any = content_of(item, shown, prepared.recipe.profile, prepared.recipe.opened.dataset, takes)
    figure: Figure = found.figure(0) if takes == "movie" else found
    times, channels, planes, height, width = data.shape
    note = f"As the profile would show them: {times} time points × {channels} channels × {planes} planes of data."
    return Preview(_reduced(figure.picture), (height, width), note, data.warnings)


def _content(item: ExportItem, prepared: Prepared) -> Any:
    recipe = prepared.recipe
    return content_of(item, prepared.plan, recipe.profile, recipe.opened.dataset, prepared.writer.takes)


def _reduced(picture: Picture) -> NDArray[np.uint8]:
    """Reduce a picture to at most :data:`SIDE` px a side, a few rows at a time; RGBA, premultiplied."""
    height, width, _ = picture.shape
    factor = max(1, math.ceil(max(height, width) / SIDE))
    rows = []
    for strip in picture.strips(factor):
        check()
        rows.append(_means(strip, factor))
    return np.stack(rows)


def _means(strip: NDArray[np.uint8], factor: int) -> NDArray[np.uint8]:
    """Give the means over squares of a strip of one square's height: uint8 ``(columns, 4)``."""
    alpha = strip[..., 3:] if strip.shape[-1] == 4 else np.full((*strip.shape[:2], 1), 255, np.uint8)
    colour = strip[..., :3].astype(np.float32) * (alpha / np.float32(255))
    both = np.concatenate([colour, alpha.astype(np.float32)], axis=-1).sum(axis=0)
    starts = np.arange(0, strip.shape[1], factor)
    counts = np.diff(np.append(starts, strip.shape[1])) * len(strip)
    made: NDArray[np.uint8] = np.rint(np.add.reduceat(both, starts, axis=0) / counts[:, None]).astype(np.uint8)
    return made

"""A part of an image as an image of its own, such as one tile of a mosaic."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import TileReadError
from .image import ImageFile, ImageInfo
from .plane import Chunks, under
from .region import Window

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from .cache import Allocate


@dataclass(frozen=True)
class WindowImage:
    """A window of another image, in all its planes; it is read as one chunk.

    Parameters
    ----------
    image : ImageFile
        The whole image.
    window : Window
        The part, px of the whole image.
    """

    image: ImageFile
    window: Window

    @property
    def path(self) -> Path:
        """The whole image's."""
        return self.image.path

    @cached_property
    def info(self) -> ImageInfo:
        """Metadata: the whole image's, but for the size.

        Raises
        ------
        TileReadError
            Naming the file, if it is missing or no image, or does not hold the window.
        """
        whole, window = self.image.info, self.window
        height, width = whole.shape[3:]
        if min(window.x0, window.y0) < 0 or window.x1 > width or window.y1 > height:
            raise TileReadError(
                f"{self.path}: it is {width} × {height} px, and holds no tile from x {window.x0} to {window.x1}, "
                f"y {window.y0} to {window.y1}"
            )
        return replace(whole, shape=(*whole.shape[:3], *window.shape), chunk_shape=window.shape)

    @property
    def key(self) -> Hashable:
        """The whole image's, and the window."""
        return "window", self.window, self.image.key

    def chunks(self, channel: int, t: int, z: int) -> Chunks:
        """Give the chunks of one plane; see :class:`~napari_slicemap.images.image.ImageFile`."""
        info, whole = self.info, self.image.chunks(channel, t, z)
        below, cuts = under(self.window, whole.shape)

        def read(places: Sequence[tuple[int, int]], allocate: Allocate) -> list[NDArray[Any]]:
            if any(place != (0, 0) for place in places):
                raise TileReadError(f"{self.path}: a window is one chunk, and there is none at {places}")
            made = [allocate(info.chunk_shape, info.dtype) for _ in places]
            for out in made:
                for part, (y, x, cut) in zip(whole.read(below, np.empty), cuts, strict=True):
                    pixels = part[cut]
                    out[y : y + pixels.shape[0], x : x + pixels.shape[1]] = pixels
            return made

        return Chunks((self.window, whole.key), info.chunk_shape, read, partial(whole.__exit__, None, None, None))

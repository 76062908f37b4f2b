"""Images whose planes lie in one TIFF file or are spread over many, as OME-XML says."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Hashable
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...errors import TileReadError
from ..image import ImageInfo, file_state
from ..plane import Chunks
from .tiff_image import TiffImage

if TYPE_CHECKING:
    import numpy as np


@dataclass(frozen=True)
class PlaneRun:
    """Planes that lie one after the other in a file.

    Parameters
    ----------
    first : int
        Number of the first plane, counted in the image's own order of planes.
    count : int
        How many there are.
    path : Path
        The TIFF file.
    page : int
        Where the first one lies in it, counted from 0.
    """

    first: int
    count: int
    path: Path
    page: int


@dataclass(frozen=True)
class OmeImage:
    """One image of an OME-TIFF file or set of files; its full resolution, where it is a pyramid.

    Parameters
    ----------
    path : Path
        The file that holds it, or that describes it where several hold it.
    number : int
        Of the image in the OME-XML, counted from 0.
    order : str
        Which of C, Z and T goes fastest: ``"CZT"`` and the like.
    stated : ImageInfo
        What the OME-XML says of it; the chunks are the planes.
    samples : int
        Channels that lie together in a page, as those of RGB do.
    runs : tuple of PlaneRun
        Where the planes lie, by number.
    """

    path: Path
    number: int
    order: str
    stated: ImageInfo
    samples: int
    runs: tuple[PlaneRun, ...]

    @cached_property
    def info(self) -> ImageInfo:
        """Metadata; the first plane whose file is there is opened to see how it is cut.

        Raises
        ------
        TileReadError
            Naming the file, if it is no TIFF file or its page is not what the OME-XML says.
        """
        run = next((run for run in self.runs if run.path.is_file()), self.runs[0])
        return replace(self.stated, chunk_shape=self._page(run.path, run.page).info.chunk_shape)

    @property
    def key(self) -> Hashable:
        """Of the files as they are now."""
        return "ome", self.path, self.number, tuple((path, *file_state(path)) for path in self.paths)

    @cached_property
    def paths(self) -> tuple[Path, ...]:
        """The TIFF files that hold the planes, each once."""
        return tuple(dict.fromkeys(run.path for run in self.runs))

    def chunks(self, channel: int, t: int, z: int) -> Chunks:
        """Give the chunks of one plane; see :class:`~napari_slicemap.images.image.ImageFile`.

        Raises
        ------
        TileReadError
            Naming the file, if it is missing or its page is not what the OME-XML says, or the plane, if it lies in
            no file.
        """
        times, channels, depth, _, _ = self.stated.shape
        if not (0 <= channel < channels and 0 <= t < times and 0 <= z < depth):
            raise TileReadError(f"{self.path}: channel {channel}, t = {t}, z = {z} is out of bounds")
        page_channel, sample = divmod(channel, self.samples)
        number = plane_number(self.order, (channels // self.samples, depth, times), (page_channel, z, t))
        found = bisect_right(self.runs, number, key=lambda run: run.first) - 1
        if found < 0 or number >= self.runs[found].first + self.runs[found].count:
            raise TileReadError(f"{self.path}: no file holds the plane of channel {channel}, t = {t}, z = {z}")
        run = self.runs[found]
        return self._page(run.path, run.page + number - run.first).chunks(sample, 0, 0)

    def _page(self, path: Path, page: int) -> TiffImage:
        """Give a page, held against what the OME-XML says."""
        image = TiffImage(path, None, page)
        expected = (1, self.samples, 1, *self.stated.shape[3:]), self.stated.dtype
        if (image.info.shape, image.info.dtype) != expected:
            found, wanted = (_in_words(*one) for one in ((image.info.shape, image.info.dtype), expected))
            raise TileReadError(f"{path}: page {page} holds {found}, but its OME-XML says {wanted}")
        return image


def _in_words(shape: tuple[int, ...], dtype: np.dtype[Any]) -> str:
    return f"{shape[4]} × {shape[3]} px of {dtype} in {shape[1]} channels"


def plane_number(order: str, sizes: tuple[int, int, int], at: tuple[int, int, int]) -> int:
    """Count a plane in the order of a file.

    Parameters
    ----------
    order : str
        Which of C, Z and T goes fastest: ``"CZT"`` and the like.
    sizes, at : tuple of int
        How many there are, and which one it is: pages of channels (C), z planes, time points.
    """
    number = 0
    for axis in reversed(order):
        place = "CZT".index(axis)
        number = number * sizes[place] + at[place]
    return number

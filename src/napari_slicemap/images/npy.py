"""NumPy's own files as planes: any rows can be read."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from .format_tools import (
    Tiling,
    describe,
    named,
    one_by_one,
    plain_axes,
    plane_index,
    refuse_changed,
    refuse_pipe,
    rows_of_px,
)
from .image import ImageInfo, file_state
from .plane import Chunks

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from .cache import Allocate

_KIND = "a NumPy array"


@dataclass(frozen=True)
class NpyImage:
    """The array of a ``.npy`` file: ``YX``, ``CYX``, ``TCYX`` or ``TCZYX``.

    Parameters
    ----------
    path : Path
        The file.
    """

    path: Path

    @cached_property
    def info(self) -> ImageInfo:
        """Metadata, read at the first use.

        Raises
        ------
        TileReadError
            Naming the file, if it is missing or no array of numbers.
        """
        with named(self.path, _KIND):
            refuse_pipe(self.path)
            return _describe(self._mapped())

    @property
    def key(self) -> Hashable:
        """Of the file as it is now."""
        return "npy", self.path, *file_state(self.path)

    def chunks(self, channel: int, t: int, z: int) -> Chunks:
        """Give the chunks of one plane; see :class:`~napari_slicemap.images.image.ImageFile`."""
        info = self.info
        with named(self.path, _KIND):
            key, array = self.key, self._mapped()
            refuse_changed(self.path, info, _describe(array))
            plane = array[plane_index(info.axes, array.shape, channel, t, z)]
        tiling = Tiling(info.shape[3:], info.chunk_shape)

        def read(row: int, column: int, allocate: Allocate) -> NDArray[Any]:
            made = allocate(tiling.cut(row, column), info.dtype)
            top = row * info.chunk_shape[0]
            made[...] = plane[top : top + len(made)]
            return made

        return Chunks(key, info.chunk_shape, one_by_one(read, self.path, _KIND))

    def _mapped(self) -> NDArray[Any]:
        mapped: NDArray[Any] = np.lib.format.open_memmap(self.path, mode="r")
        return mapped


def _describe(array: NDArray[Any]) -> ImageInfo:
    height, width = array.shape[-2:] if array.ndim > 1 else (0, 0)
    return describe(plain_axes(array.shape), array.shape, array.dtype, (rows_of_px(width, height), width))

"""NumPy's own files as planes: any rows can be read."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from .image import (
    ImageInfo,
    Tiling,
    describe,
    file_state,
    plain_axes,
    plane_index,
    refuse_changed,
    rows_of_px,
    unreadable,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray


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
        try:
            return _describe(self._mapped())
        except Exception as error:
            raise unreadable(self.path, error, "a NumPy array") from error

    @property
    def key(self) -> Hashable:
        """Of the file as it is now."""
        return "npy", self.path, *file_state(self.path)

    def read_chunk(self, channel: int, t: int, z: int, row: int, column: int) -> NDArray[Any]:
        """Copy one chunk; see :class:`~napari_slicemap.images.image.ImageFile`."""
        info = self.info
        try:
            array = self._mapped()
            refuse_changed(self.path, info, _describe(array))
            plane = array[plane_index(info.axes, array.shape, channel, t, z)]
            tiling = Tiling(info.shape[3:], info.chunk_shape)
            height, _ = tiling.cut(row, column)
            top = row * info.chunk_shape[0]
            # a copy: the file must not stay open for as long as somebody keeps the pixels
            return np.array(plane[top : top + height], info.dtype, order="C")
        except Exception as error:
            raise unreadable(self.path, error, "a NumPy array") from error

    def _mapped(self) -> NDArray[Any]:
        mapped: NDArray[Any] = np.lib.format.open_memmap(self.path, mode="r")
        return mapped


def _describe(array: NDArray[Any]) -> ImageInfo:
    height, width = array.shape[-2:] if array.ndim > 1 else (0, 0)
    return describe(plain_axes(array.shape), array.shape, array.dtype, (rows_of_px(width, height), width))

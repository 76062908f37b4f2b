"""Images whose planes can only be read as a whole, by whatever library reads them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Hashable
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from ..errors import FileFormatError, TileReadError
from .format_tools import describe, named, one_by_one, positive, refuse_pipe
from .image import ImageInfo, file_state
from .plane import Chunks

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from .cache import Allocate

_Read = TypeVar("_Read")


@dataclass(frozen=True)
class PlaneImage(ABC):
    """An image whose planes are read as a whole; what inherits this says how.

    Parameters
    ----------
    path : Path
        The file.
    """

    path: Path

    kind: ClassVar[str]
    """What the file is taken for, such as ``"an AFM file"``."""

    @abstractmethod
    def describe(self) -> ImageInfo:
        """Read what the file says of itself; whatever this raises is told with the file's name."""

    @abstractmethod
    def plane(self, channel: int, t: int, z: int) -> NDArray[Any]:
        """Read one plane ``(H, W)``; whatever this raises is told with the file's name."""

    @property
    def within(self) -> Hashable:
        """Which image of the file this is."""
        return None

    @cached_property
    def info(self) -> ImageInfo:
        """Metadata, read at the first use.

        Raises
        ------
        TileReadError
            Naming the file, if it is missing or cannot be read.
        """
        with named(self.path, self.kind):
            refuse_pipe(self.path)
            return _saying_it_once(self.path, self.describe)

    @property
    def key(self) -> Hashable:
        """Of the file as it is now."""
        return type(self).__name__, self.path, self.within, *file_state(self.path)

    def chunks(self, channel: int, t: int, z: int) -> Chunks:
        """Give one plane as a chunk; see :class:`~napari_slicemap.images.image.ImageFile`."""
        info, key = self.info, self.key
        times, count, depth, *size = info.shape
        for axis, at, there in (("channel", channel, count), ("t", t, times), ("z", z, depth)):
            if not 0 <= at < there:
                raise TileReadError(f"{self.path}: {axis} = {at} does not exist (0 to {there - 1} do)")

        def read(row: int, column: int, allocate: Allocate) -> NDArray[Any]:
            if (row, column) != (0, 0):
                raise IndexError(f"chunk {row}, {column} is out of bounds")
            found = _saying_it_once(self.path, lambda: self.plane(channel, t, z))
            if found.shape != tuple(size) or found.dtype.newbyteorder("=") != info.dtype:
                changed = f"{self.path}: the file has changed since it was first read; open the dataset again"
                raise TileReadError(changed)
            made = allocate(found.shape, info.dtype)
            made[...] = found
            return made

        return Chunks(key, info.chunk_shape, one_by_one(read, self.path, self.kind))


def _saying_it_once(path: Path, read: Callable[[], _Read]) -> _Read:
    """Read something; an error that names the file already gives up that name, for it is put before it again."""
    try:
        return read()
    except FileFormatError as error:
        raise ValueError(str(error).removeprefix(f"{path}: ")) from error


def plane_info(
    shape: tuple[int, int, int, int, int],
    dtype: np.dtype[Any],
    channels: tuple[str, ...],
    *,
    pixel_size_um: float | None,
    z_step_um: float | None = None,
    times_s: tuple[float, ...] | None = None,
) -> ImageInfo:
    """Describe an image ``(T, C, Z, Y, X)`` whose planes are read as a whole.

    Parameters
    ----------
    shape, dtype
        Of the image.
    channels : tuple of str
        Their names; those that stand twice get their channel's number.
    pixel_size_um, z_step_um, times_s
        As in :class:`~napari_slicemap.images.image.ImageInfo`; a length that is not above 0 counts as unknown.

    Raises
    ------
    ValueError
        If it holds no pixel, or pixels that are no real numbers.
    """
    found = describe("TCZYX", shape, dtype, (shape[3], shape[4]), channels, positive(pixel_size_um))
    return replace(found, z_step_um=positive(z_step_um), times_s=times_s)

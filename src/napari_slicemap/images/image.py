"""Image files of any format: what they say of themselves, and their channels as planes."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from ..errors import TileReadError, listing

if TYPE_CHECKING:
    import numpy as np

    from .plane import Chunks, Plane


@dataclass(frozen=True)
class ImageInfo:
    """What an image file says of itself.

    Parameters
    ----------
    shape : tuple of int
        ``(T, C, Z, Y, X)``.
    dtype : numpy.dtype
        Of the pixels, in this machine's byte order.
    axes : str
        The file's own axes, such as ``"CYX"``.
    channel_names : tuple of str
        All different: those stated by the file, else ``R``, ``G``, ``B`` or ``C0``, ``C1`` …
    pixel_size_um : float or None
        Pixel size in µm, if the file states it with a unit.
    chunk_shape : tuple of int
        ``(height, width)`` of the pieces that are decoded apart, px.
    z_step_um : float or None
        From plane to plane, µm, if the file states it.
    times_s : tuple of float or None
        Of each time point, s, if the file states them; NaN where it leaves one out.
    """

    shape: tuple[int, int, int, int, int]
    dtype: np.dtype[Any]
    axes: str
    channel_names: tuple[str, ...]
    pixel_size_um: float | None
    chunk_shape: tuple[int, int]
    z_step_um: float | None = None
    times_s: tuple[float, ...] | None = None


class ImageFile(Protocol):
    """One image of a file; opened when it is first asked for something."""

    @property
    def path(self) -> Path:
        """The file (or folder)."""

    @property
    def info(self) -> ImageInfo:
        """Metadata, read at the first use.

        Raises
        ------
        TileReadError
            Naming the file, if it is missing or no image.
        """

    @property
    def key(self) -> Hashable:
        """What tells these pixels from any others; a change of the file changes it."""

    def chunks(self, channel: int, t: int, z: int) -> Chunks:
        """Give the chunks of one plane; their key need not tell planes apart.

        Raises
        ------
        TileReadError
            Naming the file, if it cannot be read.
        """


def file_state(path: Path) -> tuple[int, int]:
    """Tell one state of a file from another: ``(bytes, ns of the last change)``; zeros where there is none."""
    try:
        found = path.stat()
    except (OSError, ValueError):
        return 0, 0  # reading it says what is wrong, by name
    return found.st_size, found.st_mtime_ns


def files_of(plane: Plane) -> tuple[Path, ...]:
    """List the files that hold the pixels of a plane: several, where an image's planes are files of their own."""
    found: tuple[Path, ...] = getattr(getattr(plane, "image", None), "paths", (plane.path,))
    return found


@dataclass(frozen=True)
class ImagePlane:
    """One channel of an image.

    Parameters
    ----------
    image : ImageFile
        The file.
    channel : int
        Which of its channels.
    expected : int or tuple of str
        How many channels the file must hold, or their names: a channel more would be lost without a word, and
        other names would put one channel's pixels under another's.
    """

    image: ImageFile
    channel: int = 0
    expected: int | tuple[str, ...] = 1

    @property
    def path(self) -> Path:
        """The file."""
        return self.image.path

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """``(T, Z, Y, X)``.

        Raises
        ------
        TileReadError
            If the file cannot be read, or holds other channels than expected.
        """
        (t, count, z, y, x), names = self.image.info.shape, self.image.info.channel_names
        if self.expected not in (count, names):
            one = (
                self.expected if isinstance(self.expected, int) else f"{len(self.expected)} ({listing(self.expected)})"
            )
            raise TileReadError(f"{self.path}: it holds {count} channels ({listing(names)}), expected {one}")
        return t, z, y, x

    @property
    def dtype(self) -> np.dtype[Any]:
        """Of the pixels."""
        return self.image.info.dtype

    @property
    def pixel_size_um(self) -> float | None:
        """Pixel size in µm, if the file states it."""
        return self.image.info.pixel_size_um

    @property
    def z_step_um(self) -> float | None:
        """From plane to plane, µm, if the file states it."""
        return self.image.info.z_step_um

    @property
    def times_s(self) -> tuple[float, ...] | None:
        """Of each time point, s, if the file states them."""
        return self.image.info.times_s

    @property
    def key(self) -> Hashable:
        """The image's, and the channel."""
        return self.image.key, self.channel

    def chunks(self, t: int, z: int) -> Chunks:
        """Give the chunks of one plane; see :class:`~napari_slicemap.images.plane.Plane`."""
        found = self.image.chunks(self.channel, t, z)
        found.key = found.key, self.channel, t, z
        return found

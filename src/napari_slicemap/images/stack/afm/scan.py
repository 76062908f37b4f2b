"""What a file of an AFM holds: its channels, their frames, and what it says of them."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ....errors import FileFormatError, UnknownNameError
from ..bundle import refuse_bomb
from ..image_stack import ImageStack

if TYPE_CHECKING:
    from numpy.typing import NDArray

_SQUARE = 0.01
"""Relative difference of width and height up to which a pixel counts as square."""


@dataclass(frozen=True)
class ScanChannel:
    """One channel of a scan.

    Parameters
    ----------
    name : str
        As the file names it.
    unit : str
        Of its numbers; lengths are in nm. Empty where the file states none.
    frame : callable
        ``frame(t)`` reads a frame, float64 ``(H, W)``; it can be pickled.
    """

    name: str
    unit: str
    frame: Callable[[int], NDArray[np.float64]]


@dataclass(frozen=True)
class Scan:
    """What a file of an AFM says of itself; frames are read when they are asked for.

    Parameters
    ----------
    path : Path
        The file.
    channels : tuple of ScanChannel
        At least one, names all different.
    default : str
        The channel that is read where none is named.
    shape : tuple of int
        ``(T, H, W)``.
    pixel_size_nm : float
        Of a px, nm.
    times_s : tuple of float or None
        Of each frame, s from the first one; ``None`` where the file states none.
    frame_s : float or None
        How long a frame takes, s, where the file states it.
    """

    path: Path
    channels: tuple[ScanChannel, ...]
    default: str
    shape: tuple[int, int, int]
    pixel_size_nm: float
    times_s: tuple[float, ...] | None = None
    frame_s: float | None = None

    def channel(self, name: str = "") -> ScanChannel:
        """Give a channel by name, by default the topography.

        Raises
        ------
        UnknownNameError
            If there is none of that name.
        """
        wanted = name or self.default
        for one in self.channels:
            if one.name == wanted:
                return one
        raise UnknownNameError("channel", wanted, [one.name for one in self.channels], str(self.path))

    def stack(self, one: ScanChannel) -> ImageStack:
        """Read all frames of one channel.

        Raises
        ------
        FileFormatError
            If the frames are not what the file says.
        """
        count, height, width = self.shape
        refuse_bomb(self.path, count * height * width * np.dtype(np.float64).itemsize)
        data = np.empty(self.shape, np.float64)
        for t in range(count):
            data[t] = one.frame(t)
        frames = [
            {
                "timestamp": None if self.times_s is None else self.times_s[t],
                "frame_pixel_size_nm": self.pixel_size_nm,
                "frame_duration_s": self.frame_s,
            }
            for t in range(count)
        ]
        provenance = {"acquisition": {"unit": one.unit, "format": self.path.suffix.lower().removeprefix(".")}}
        return ImageStack(data, self.pixel_size_nm, one.name, frames, provenance=provenance, file_path=self.path)


@dataclass(frozen=True)
class BinaryFrames:
    """Frames that lie in a file as rows of numbers, one frame at a fixed distance from the next.

    Parameters
    ----------
    path : Path
        The file.
    offset : int
        Where the first frame begins, bytes.
    stride : int
        From frame to frame, bytes.
    shape : tuple of int
        ``(H, W)``.
    dtype : str
        Of the stored numbers.
    factor, base : float
        A frame is ``stored * factor + base``.
    lowest_first : bool
        Whether the lowest row comes first in the file.
    """

    path: Path
    offset: int
    stride: int
    shape: tuple[int, int]
    dtype: str
    factor: float
    base: float
    lowest_first: bool = False

    def __call__(self, t: int) -> NDArray[np.float64]:
        """Read one frame.

        Raises
        ------
        FileFormatError
            If the file ends before.
        """
        return self.stored(t).astype(np.float64) * self.factor + self.base

    def stored(self, t: int) -> NDArray[Any]:
        """Read the numbers of one frame as they are stored, ``(H, W)``."""
        dtype = np.dtype(self.dtype)
        size = math.prod(self.shape) * dtype.itemsize
        start = self.offset + t * self.stride
        with self.path.open("rb") as stream:
            stream.seek(start)
            found = stream.read(size)
        if len(found) < size:
            raise FileFormatError(f"{self.path}: it ends within frame {t}: {size} bytes are expected at {start}")
        rows = np.frombuffer(found, dtype).reshape(self.shape)
        return rows[::-1] if self.lowest_first else rows


def checked_shape(path: Path, frames: int, height: int, width: int, item_bytes: int) -> tuple[int, int, int]:
    """Hold the size that a file states against the file, before memory is taken for it.

    Raises
    ------
    FileFormatError
        If there is no frame, or the file is too short for the frames it states.
    """
    if min(frames, height, width) < 1:
        raise FileFormatError(f"{path}: it states {frames} frames of {width} × {height} px; at least one is expected")
    needed, there = frames * height * width * item_bytes, path.stat().st_size
    if needed > there:
        raise FileFormatError(
            f"{path}: it states {frames} frames of {width} × {height} px, which take {needed} bytes; it has {there}"
        )
    return frames, height, width


def square_nm(path: Path, across: float, down: float) -> float:
    """Give the size of a square pixel, nm.

    Raises
    ------
    FileFormatError
        If it is no length above 0, or the pixel is not square.
    """
    if not (0 < across < math.inf and 0 < down < math.inf):
        raise FileFormatError(f"{path}: its pixels are {across:g} × {down:g} nm, expected lengths above 0")
    if abs(across - down) > _SQUARE * across:
        raise FileFormatError(f"{path}: its pixels are {across:g} × {down:g} nm; only square ones can be read")
    return across


def told_apart(channels: Sequence[ScanChannel]) -> tuple[ScanChannel, ...]:
    """Give all channels different names: the last of several keeps theirs, those before it get their number."""
    left = Counter(one.name for one in channels)
    made = []
    for number, one in enumerate(channels, 1):
        left[one.name] -= 1
        made.append(replace(one, name=f"{one.name} ({number})") if left[one.name] else one)
    return tuple(made)

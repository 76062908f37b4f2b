"""Frames of a movie: what every encoder of movies takes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol, runtime_checkable

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


class Frames(Protocol):
    """Frames that are painted as they are asked for: a list of arrays, or an object that makes them.

    A frame may be asked for more than once, in any order and from several threads.
    """

    def __len__(self) -> int:
        """Give the number of frames."""

    def __getitem__(self, index: int, /) -> NDArray[np.uint8]:
        """Paint one frame: uint8 ``(H, W, 3)``, of the same size for all."""


@runtime_checkable
class IndexedFrames(Frames, Protocol):
    """Frames of few colours, which can also give the number of each pixel's colour."""

    @property
    def palette(self) -> NDArray[np.uint8]:
        """All colours that occur: uint8 ``(N, 3)``, N up to 256."""

    def indices(self, index: int, /) -> NDArray[np.uint8]:
        """Paint one frame as numbers of colours: uint8 ``(H, W)``."""


def checked_size(frames: Frames, delays_ms: Sequence[float]) -> tuple[int, int]:
    """Check what an encoder is given, as far as that can be done before all frames are painted.

    Parameters
    ----------
    frames : Frames
        At least one.
    delays_ms : sequence of float
        How long each frame is shown, ms, finite and not below 0.

    Returns
    -------
    tuple of int
        ``(height, width)`` of the first frame.

    Raises
    ------
    ValueError
        If there is no frame, or frames and delays do not agree.
    """
    if len(frames) == 0 or len(frames) != len(delays_ms):
        raise ValueError(f"{len(frames)} frames and {len(delays_ms)} delays; a movie needs as many of both, at least 1")
    for number, delay in enumerate(delays_ms):
        if not math.isfinite(delay) or delay < 0:
            raise ValueError(f"frame {number} is to be shown for {delay} ms; expected a finite number from 0")
    first = frames[0]
    if first.dtype != np.uint8 or first.ndim != 3 or first.shape[2] != 3 or 0 in first.shape:
        raise ValueError(f"frame 0 is {first.dtype} {first.shape}, expected uint8 (H, W, 3)")
    return first.shape[0], first.shape[1]


def frame_of_size(frames: Frames, number: int, size: tuple[int, int]) -> NDArray[np.uint8]:
    """Paint one frame and see that it has the size of the others.

    Parameters
    ----------
    frames : Frames
        All of them.
    number : int
        Which one, from 0.
    size : tuple of int
        ``(height, width)`` expected.

    Returns
    -------
    ndarray of uint8, (H, W, 3)

    Raises
    ------
    ValueError
        If it is of another size or type.
    """
    frame = frames[number]
    if frame.dtype != np.uint8 or frame.shape != (*size, 3):
        raise ValueError(f"frame {number} is {frame.dtype} {frame.shape}, expected uint8 {(*size, 3)} like the first")
    return frame

"""``ImageSource``: an image of five dimensions that is read in bands, as the data formats take it."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

_EQUAL = 1e-9
"""Relative difference up to which steps of time count as equal: floats of equal steps differ in their last digits."""
_BAND_BYTES = 2**26
"""Of one channel: what is held of an image while it is written."""


@dataclass(frozen=True)
class ImageSource:
    """Pixels on their way into a file, with what the file should say of them.

    Parameters
    ----------
    name : str
        What the image is called.
    shape : tuple of int
        ``(T, C, Z, Y, X)``, none of them 0.
    dtype : numpy dtype
        Of the pixels.
    channels : tuple of str
        Names, one for each channel, in order.
    read : callable
        ``read(t, c, z, top, bottom)`` gives the rows from `top` up to, not including, `bottom` of one plane:
        `dtype` ``(bottom - top, X)``. Rows come out the same however they are cut, and stay as they are: they may
        be written by other threads while the next ones are read.
    pixel_size_um : float or None
        Of a px in x and y, µm.
    z_step_um : float or None
        From plane to plane, µm.
    times_s : tuple of float or None
        Of each time point, s; NaN where one is unknown. ``None`` where no time is known.
    position_um : tuple of float or None
        ``(x, y)`` of the centre of the image's first px, stage µm.
    stage_up : bool
        Whether stage y points up: the rows below the first one then lie at smaller y.
    labels : mapping of str to callable
        Mask name → ``read(t, z, top, bottom)``: whole numbers ``(bottom - top, X)``, 0 is background.
    label_looks : mapping of str to mapping
        Mask name → label → ``color`` (``#rrggbb``), ``name``; each only where known.
    settings : mapping of str to mapping
        Channel name → ``color`` (``#rrggbb``), ``contrast_limits`` (low, high), ``gamma``, ``visible``.
    provenance : mapping
        How it was made, fit for strict JSON and the same whenever it is made again.
    """

    name: str
    shape: tuple[int, int, int, int, int]
    dtype: np.dtype[Any]
    channels: tuple[str, ...]
    read: Callable[[int, int, int, int, int], NDArray[Any]]
    pixel_size_um: float | None = None
    z_step_um: float | None = None
    times_s: tuple[float, ...] | None = None
    position_um: tuple[float, float] | None = None
    stage_up: bool = False
    labels: Mapping[str, Callable[[int, int, int, int], NDArray[Any]]] = field(default_factory=dict)
    label_looks: Mapping[str, Mapping[int, Mapping[str, str]]] = field(default_factory=dict)
    settings: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    provenance: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        times, channels, *_ = self.shape
        if 0 in self.shape:
            raise ValueError(f"image {self.name} has no pixels: (T, C, Z, Y, X) is {self.shape}")
        if len(self.channels) != channels:
            raise ValueError(f"image {self.name}: {len(self.channels)} names for {channels} channels")
        if self.times_s is not None and len(self.times_s) != times:
            raise ValueError(f"image {self.name}: {len(self.times_s)} times for {times} time points")

    @property
    def nbytes(self) -> int:
        """Size of all pixels, bytes."""
        return math.prod(self.shape) * self.dtype.itemsize

    @property
    def time_increment_s(self) -> float | None:
        """From time to time, s; ``None`` unless there are two or more, all known, at equal steps above 0."""
        times = self.times_s
        if times is None or len(times) < 2 or not all(map(math.isfinite, times)):
            return None
        step = (times[-1] - times[0]) / (len(times) - 1)
        # what rounding the times themselves may change
        slack = _EQUAL * abs(step) + 4 * float(np.spacing(max(map(abs, times))))
        equal = np.abs(np.diff(times) - step).max() <= slack
        return float(step) if step > 0 and equal else None

    def band_rows(self, multiple: int = 1) -> int:
        """Give how many rows of a plane make a band of moderate size: a multiple of so many."""
        row = self.shape[4] * self.dtype.itemsize
        return multiple * max(1, _BAND_BYTES // (row * multiple))

    def planes(self) -> Iterator[tuple[int, int, int]]:
        """Go through the planes ``(t, c, z)`` in the order of the axes TCZ."""
        times, channels, depth, _, _ = self.shape
        for t in range(times):
            for c in range(channels):
                for z in range(depth):
                    yield t, c, z

    def bands(self, t: int, c: int, z: int, rows: int) -> Iterator[NDArray[Any]]:
        """Read a plane from the top, so many rows at a time."""
        height = self.shape[3]
        for top in range(0, height, rows):
            yield self.read(t, c, z, top, min(top + rows, height))

    def array(self) -> NDArray[Any]:
        """Read all of it: `dtype` ``(T, C, Z, Y, X)``."""
        made = np.empty(self.shape, self.dtype)
        for t, c, z in self.planes():
            made[t, c, z] = self.read(t, c, z, 0, self.shape[3])
        return made

    @classmethod
    def of(cls, data: NDArray[Any], channels: Sequence[str], *, name: str = "image", **known: Any) -> ImageSource:
        """Wrap an array ``(T, C, Z, Y, X)``; `known` are the other parameters of the class."""
        shape = (data.shape[0], data.shape[1], data.shape[2], data.shape[3], data.shape[4])
        return cls(
            name=name,
            shape=shape,
            dtype=data.dtype,
            channels=tuple(channels),
            read=lambda t, c, z, top, bottom: data[t, c, z, top:bottom],
            **known,
        )

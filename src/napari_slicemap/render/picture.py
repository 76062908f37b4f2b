"""Pictures that are painted as they are asked for, so that one larger than memory can be written to a file."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from .channels import rgb

if TYPE_CHECKING:
    from numpy.typing import NDArray

_BAND_PIXELS = 2**23
"""Output pixels in a band: 32 MiB as RGBA, and a few times that while it is painted."""


@dataclass(frozen=True)
class Picture:
    """A picture, painted row by row on demand.

    Parameters
    ----------
    shape : tuple of int
        ``(height, width, 3 or 4)``: RGB or RGBA, 8 bits.
    paint : callable
        ``paint(top, bottom)`` gives the rows from `top` up to, not including, `bottom`:
        uint8 ``(bottom - top, width, 3 or 4)``. Rows come out the same however they are cut.
    empty_fraction : float
        The share that shows no data, 0–1.
    missing : sequence of str
        Tiles that could not be read and are hatched, with the reason; complete once all rows were painted.
    level : int
        Downsampling of the stored level that it is made from; 1 where the tiles themselves are read.
    """

    shape: tuple[int, int, int]
    paint: Callable[[int, int], NDArray[np.uint8]]
    empty_fraction: float = 0.0
    missing: Sequence[str] = ()
    level: int = 1

    @classmethod
    def of(cls, image: NDArray[np.uint8]) -> Picture:
        """Wrap an image ``(H, W, 3 or 4)`` that is painted already."""
        height, width, samples = image.shape
        return cls((height, width, samples), lambda top, bottom: image[top:bottom])

    def bands(self, rows: int = 0) -> Iterator[NDArray[np.uint8]]:
        """Paint from the top, so many rows at a time (by default as many as make a band of moderate size)."""
        height, width, _ = self.shape
        rows = rows or max(1, _BAND_PIXELS // width)
        for top in range(0, height, rows):
            yield self.paint(top, min(top + rows, height))

    def strips(self, rows: int) -> Iterator[NDArray[np.uint8]]:
        """Paint from the top in bands of moderate size, and cut those into strips.

        Parameters
        ----------
        rows : int
            Height of a strip; only the last one may be lower. It does not depend on the size of a band, so what
            is made of the strips does not either.

        Yields
        ------
        ndarray of uint8, (rows, W, 3 or 4)
            Contiguous, and a copy: one that is kept for a while does not keep the whole band.
        """
        height, width, _ = self.shape
        deep = rows * max(1, _BAND_PIXELS // (rows * width))
        for top in range(0, height, deep):
            band = self.paint(top, min(top + deep, height))
            for at in range(0, len(band), rows):
                yield band[at : at + rows].copy()
            del band  # or it would stay while the next one is painted

    def array(self) -> NDArray[np.uint8]:
        """Paint all of it: uint8 ``(H, W, 3 or 4)``."""
        return self.paint(0, self.shape[0])

    def changed(
        self, change: Callable[[NDArray[np.uint8], int], NDArray[np.uint8]], samples: int | None = None
    ) -> Picture:
        """Give a picture whose rows are changed after they are painted.

        Parameters
        ----------
        change : callable
            ``change(rows, top)`` gives the changed rows; `rows` is not to be written into.
        samples : int, optional
            3 or 4, where the change adds or removes alpha.

        Returns
        -------
        Picture
        """
        height, width, before = self.shape
        return replace(
            self,
            shape=(height, width, samples or before),
            paint=lambda top, bottom: change(self.paint(top, bottom), top),
        )


def opaque(image: NDArray[np.uint8], background: str) -> NDArray[np.uint8]:
    """Put an image on a colour.

    Parameters
    ----------
    image : ndarray of uint8, (H, W, 3) or (H, W, 4)
        RGB, which is given back contiguous, or RGBA.
    background : str
        ``#rrggbb``, which shows where the image is transparent.

    Returns
    -------
    ndarray of uint8, (H, W, 3)
    """
    if image.shape[-1] == 3:
        return np.ascontiguousarray(image)
    alpha = image[..., 3:].astype(np.uint16)
    ground = np.array([round(255 * part) for part in rgb(background)], np.uint16)
    made: NDArray[np.uint8] = ((image[..., :3] * alpha + ground * (255 - alpha) + 127) // 255).astype(np.uint8)
    return made

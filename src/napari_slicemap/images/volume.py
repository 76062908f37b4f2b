"""Several z planes of an image at once, each stored chunk decoded once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import TileReadError
from .image import ImagePlane
from .ome_zarr.zarr_image import ZarrImage
from .plane import read_window
from .region import Window

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from .image import ImageFile


def read_planes(
    image: ImageFile, z: Sequence[int], window: Window | None = None, *, channel: int = 0, t: int = 0
) -> NDArray[Any]:
    """Read some z planes of one channel.

    Chunks that hold several planes, as mosaics have, are decoded once for all of them.

    Parameters
    ----------
    image : ImageFile
        The image.
    z : sequence of int
        Which planes, in any order.
    window : Window, optional
        The part to read, px; the whole plane if not given.
    channel, t : int
        Channel and time point.

    Returns
    -------
    ndarray, (len(z), H, W)
        Of the image's dtype.

    Raises
    ------
    TileReadError
        Naming the file, if it cannot be read, has no such plane, or more is asked for than memory holds.
    """
    _, _, depth, height, width = image.info.shape
    if wrong := [n for n in z if not 0 <= n < depth]:
        raise TileReadError(f"{image.path}: there is no plane {wrong[0]}; it has {depth}, counted from 0")
    window = Window(0, width, 0, height) if window is None else window
    try:
        made = np.empty((len(z), *window.shape), image.info.dtype)
    except (MemoryError, ValueError):  # ValueError: more bytes than there can be addresses
        size = " × ".join(map(str, window.shape[::-1]))
        raise TileReadError(f"{image.path}: {len(z)} planes of {size} px are more than memory holds") from None
    if isinstance(image, ZarrImage):
        image.read_planes(z, window, made, channel=channel, t=t)
    else:
        for out, n in zip(made, z, strict=True):
            read_window(ImagePlane(image, channel, image.info.shape[1]), t, n, window, out=out)
    return made

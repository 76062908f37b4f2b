"""Which way is taken, and the form that compiled loops want arrays in."""

from __future__ import annotations

import logging
import os
import sys
import threading
from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from types import ModuleType

    from numpy.typing import NDArray

SWITCH = "SLICEMAP_NUMBA"
"""Environment variable; ``0`` keeps numba out."""

COMPOSITED = ("uint8", "int16", "uint16", "float32", "int32", "uint32", "float64")
"""Pixels that there are loops for; others are taken as float64."""

_IMPORTING = threading.Lock()


def kernels() -> ModuleType | None:
    """Give the compiled loops, unless they are switched off or cannot be had."""
    if os.environ.get(SWITCH) == "0" or sys.byteorder == "big":
        return None
    with _IMPORTING:  # of threads that come first together one imports, and says it if there is no numba
        return _imported()


def compiled() -> bool:
    """Say whether compiled loops are used, rather than numpy."""
    return kernels() is not None


@lru_cache(maxsize=1)
def _imported() -> ModuleType | None:
    try:
        from .. import kernel
    except ImportError:
        logging.getLogger("napari_slicemap").warning(
            "numba is not installed, so pictures are made the slow way (pip install 'napari-slicemap[fast]')"
        )
        return None
    return kernel


def plain_array(array: NDArray[Any], dtypes: Sequence[str]) -> NDArray[Any]:
    """Bring an array into the form that compiled loops take, without a copy if it has it already.

    That is C order, aligned, the machine's byte order, and one of `dtypes` (bool as uint8, others as float64).
    """
    name = "uint8" if array.dtype.kind == "b" else array.dtype.name
    made: NDArray[Any] = np.require(array, name if name in dtypes else "float64", ["C", "A"])
    return made


def flattened(canvas: NDArray[np.uint32]) -> tuple[NDArray[np.uint32], int]:
    """Give a canvas from its first pixel to its last as 1-D array, and how many px its rows lie apart.

    Raises
    ------
    ValueError
        If it is no canvas.
    """
    height, width = canvas.shape
    between, step = canvas.strides
    if canvas.dtype != np.uint32 or not canvas.flags.writeable or not canvas.flags.aligned:
        raise ValueError(f"a canvas is a uint32 array that can be written to, got {canvas.dtype}")
    if canvas.size and ((width > 1 and step != 4) or (height > 1 and (between < 4 * width or between % 4))):
        raise ValueError("the rows of a canvas must be contiguous and in order")
    if canvas.flags.c_contiguous:
        return canvas.reshape(-1), width
    pitch = between // 4
    return np.lib.stride_tricks.as_strided(canvas, ((height - 1) * pitch + width,), (4,)), pitch


def as_bytes(canvas: NDArray[np.uint32]) -> NDArray[np.uint8]:
    """See a canvas as RGBA uint8 ``(h, w, 4)``."""
    flat, pitch = flattened(canvas)
    height, width = canvas.shape
    seen: NDArray[np.uint8] = np.lib.stride_tricks.as_strided(
        flat.view(np.uint8), (height, width, 4), (4 * pitch, 4, 1)
    )
    return seen


def plain_mask(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Bring a mask into the form that compiled loops take; see :func:`plain_array`."""
    return np.require(mask, np.bool_, ["C", "A"])

"""Where the numbers of a score are worked out: by numpy, or by CuPy on a graphics card."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import numpy as np

_BAND_PIXELS = 2**16
"""Half a megabyte of float64: the arrays of one step stay in the processor's cache."""
_LEAST_ROWS = 16


@dataclass(frozen=True)
class Arrays:
    """An array module with numpy's names, and how much of a plane it takes at a time.

    Parameters
    ----------
    module : module
        numpy, or CuPy.
    name : str
        What it runs on, for people.
    whole : bool
        Work on whole planes: a graphics card is slow to start and quick to end.
    """

    module: Any
    name: str
    whole: bool = False

    def put(self, pixels: Any) -> Any:
        """Bring an array of numpy's to where it is worked on, of the same dtype in the machine's byte order."""
        return self.module.asarray(np.ascontiguousarray(pixels, pixels.dtype.newbyteorder("=")))

    def bands(self, height: int, width: int) -> Iterator[tuple[int, int]]:
        """Cut rows into bands ``(top, bottom)``; the same for the same shape, so that sums come out the same."""
        rows = height if self.whole else max(_LEAST_ROWS, _BAND_PIXELS // width)
        for top in range(0, height, rows):
            yield top, min(top + rows, height)


CPU = Arrays(np, "CPU")


def find_gpu() -> Arrays:
    """Give CuPy's arrays, if it is installed and a card answers.

    Raises
    ------
    RuntimeError
        Saying in words why there is none.
    """
    try:
        cupy = import_module("cupy")
    except ImportError:
        raise RuntimeError("CuPy is not installed (pip install 'napari-slicemap[gpu]')") from None
    try:
        if not cupy.cuda.runtime.getDeviceCount():
            raise RuntimeError("there is no card")
        float(cupy.ones(2).sum())  # loads the compiler and the driver, which may not go together
        name = cupy.cuda.runtime.getDeviceProperties(0)["name"]
    except (RuntimeError, ImportError, OSError) as error:
        raise RuntimeError(f"CuPy finds no card that works ({' '.join(str(error).split())})") from None
    return Arrays(cupy, f"GPU {name.decode() if isinstance(name, bytes) else name}", whole=True)


def choose_arrays(use_gpu: bool) -> tuple[Arrays, str]:
    """Choose the graphics card where there is one and it is wanted.

    Returns
    -------
    arrays : Arrays
        Of the card, or numpy's.
    why : str
        Why the card is not used though it was wanted; ``""`` otherwise.
    """
    if not use_gpu:
        return CPU, ""
    try:
        return find_gpu(), ""
    except RuntimeError as error:
        return CPU, str(error)

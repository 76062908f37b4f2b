"""Images of WSxM: ``.top`` and ``.stp``, a header of text and the numbers behind it, little-endian."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ....errors import FileFormatError, listing
from ....units import length_um
from .scan import BinaryFrames, Scan, ScanChannel, checked_shape, square_nm

if TYPE_CHECKING:
    from numpy.typing import NDArray

_SIZE_LINE = re.compile(r"^Image header size: +([0-9]{1,7})\s*$", re.MULTILINE)
_START_BYTES = 512
"""Of the three lines that come first."""
_DTYPES = {"short": "<i2", "float": "<f4", "double": "<f8"}
_NAME = "height"
"""What the one image of a file is called."""


@dataclass(frozen=True)
class SpannedFrame:
    """A frame whose lowest number is 0 and whose highest is as the header states.

    Parameters
    ----------
    frames : BinaryFrames
        The one frame as it is stored.
    height_nm : float
        Of the highest above the lowest, nm.
    """

    frames: BinaryFrames
    height_nm: float

    def __call__(self, t: int) -> NDArray[np.float64]:
        """Read the frame, nm."""
        stored = self.frames.stored(t).astype(np.float64)
        if not np.isfinite(stored).all():
            raise FileFormatError(f"{self.frames.path}: there are numbers in it that are not finite")
        low, high = stored.min(), stored.max()
        if low == high:
            return np.zeros(stored.shape)
        made: NDArray[np.float64] = (stored - low) * (self.height_nm / (high - low))
        return made


def open_wsxm(path: Path) -> Scan:
    """Read the header of a ``.top`` or ``.stp`` file.

    Its one channel is called ``height``, nm above the lowest px.

    Raises
    ------
    FileFormatError
        Naming file and line, if the header lacks something, or states no length.
    """
    header, offset = _header(path)
    kind = header.get("Image Data Type", "short")
    if kind not in _DTYPES:
        raise FileFormatError(f"{path}: Image Data Type is {kind!r}, expected {listing(_DTYPES)}")
    width, height = (_count(path, header, f"Number of {axis}") for axis in ("columns", "rows"))
    dtype = _DTYPES[kind]
    shape = checked_shape(path, 1, height, width, np.dtype(dtype).itemsize)
    across, down, span = (_length_nm(path, header, f"{axis} Amplitude") for axis in "XYZ")
    frame = SpannedFrame(BinaryFrames(path, offset, 0, (height, width), dtype, 1.0, 0.0), span)
    return Scan(
        path=path,
        channels=(ScanChannel(_NAME, "nm", frame),),
        default=_NAME,
        shape=shape,
        pixel_size_nm=square_nm(path, across / width, down / height),
    )


def _header(path: Path) -> tuple[Mapping[str, str], int]:
    """Give the header's lines by label, the first of each, and where the numbers begin."""
    with path.open("rb") as stream:
        start = stream.read(_START_BYTES).decode("latin-1")
        found = _SIZE_LINE.search(start)
        if found is None or not start.startswith("WSxM file"):
            raise FileFormatError(f"{path}: it does not begin as WSxM files do, with the size of their header")
        offset = int(found[1])
        stream.seek(0)
        text = stream.read(offset).decode("latin-1")
    header: dict[str, str] = {}
    for line in text.splitlines():
        label, colon, value = line.partition(": ")
        if colon:
            header.setdefault(label.strip(), value.strip())
    return header, offset


def _stated(path: Path, header: Mapping[str, str], label: str) -> str:
    if label not in header:
        raise FileFormatError(f"{path}: its header has no line {label!r}")
    return header[label]


def _count(path: Path, header: Mapping[str, str], label: str) -> int:
    text = _stated(path, header, label)
    if not re.fullmatch("[0-9]{1,9}", text):
        raise FileFormatError(f"{path}: {label} is {text!r}, expected a whole number")
    return int(text)


def _length_nm(path: Path, header: Mapping[str, str], label: str) -> float:
    text = _stated(path, header, label)
    number, _, unit = text.partition(" ")
    try:
        if not unit.strip():
            raise ValueError(f"{text!r} has no unit")
        return length_um(f"{number} {unit.replace('Å', 'angstrom')}") * 1000
    except ValueError as error:
        raise FileFormatError(f"{path}: {label}: {error}; only topography, whose unit is a length, is read") from None

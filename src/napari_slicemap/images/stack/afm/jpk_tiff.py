"""Images of JPK instruments: ``.jpk`` and ``.jpk-qi-image``, TIFF pages with tags of JPK's own."""

from __future__ import annotations

import math
import struct
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ....errors import FileFormatError
from ...tiff.tiff_image import heard
from .scan import Scan, ScanChannel, checked_shape, square_nm, told_apart

if TYPE_CHECKING:
    from numpy.typing import NDArray

# of the first page, a thumbnail
_WIDTH_M, _HEIGHT_M, _WIDTH_PX, _HEIGHT_PX = 0x8042, 0x8043, 0x8046, 0x8047
# of the others
_NAME, _RETRACE = 0x8050, 0x8051
_SLOTS, _DEFAULT_SLOT = 0x8080, 0x8081
_FIRST_SLOT, _SLOT_STEP = 0x8090, 0x30
# of a slot, which holds one way to scale the stored numbers
_UNIT, _SCALING, _FACTOR, _OFFSET = 0x12, 0x13, 0x14, 0x15
_MOST_SLOTS = 64
_DEFAULT = "height_trace"


@dataclass(frozen=True)
class PageFrame:
    """The one frame of a channel, which lies in a TIFF page from the lowest row up.

    Parameters
    ----------
    path : Path
        The file.
    page : int
        Which page.
    shape : tuple of int
        ``(H, W)`` that it must have.
    factor, base : float
        The frame is ``stored * factor + base``.
    """

    path: Path
    page: int
    shape: tuple[int, int]
    factor: float
    base: float

    def __call__(self, t: int) -> NDArray[np.float64]:  # noqa: ARG002
        """Read the frame.

        Raises
        ------
        FileFormatError
            If it is not of the size that the file states.
        """
        with _opened(self.path) as file:
            page = file.pages[self.page]
            if page.shape != self.shape:
                raise FileFormatError(f"{self.path}: page {self.page} is {page.shape}, expected {self.shape}")
            stored = page.asarray()
        made: NDArray[np.float64] = stored[::-1] * self.factor + self.base
        return made


def open_jpk(path: Path) -> Scan:
    """Read the tags of a ``.jpk`` or ``.jpk-qi-image`` file.

    Channels are called ``<name>_<trace or retrace>``. Where several share a name, the last keeps it, and those before
    it get their number: ``measuredHeight_trace (1)``. Numbers are in the unit that the instrument was
    calibrated in; lengths in nm.

    Raises
    ------
    FileFormatError
        Naming file and tag, if the file is not what JPK writes, or its pixels are not square.
    """
    with _opened(path) as file:
        first, *pages = file.pages
        _refuse_lost_pages(path, file, [first, *pages])
        width, height = (int(_number(path, first, code)) for code in (_WIDTH_PX, _HEIGHT_PX))
        shape = checked_shape(path, 1, height, width, 1)
        across, down = (_number(path, first, code) * 1e9 for code in (_WIDTH_M, _HEIGHT_M))
        found = [_channel(path, number, page, (height, width)) for number, page in enumerate(pages, 1)]
    if not found:
        raise FileFormatError(f"{path}: it holds a thumbnail and no channel")
    channels = told_apart(found)
    names = [one.name for one in channels]
    return Scan(
        path=path,
        channels=channels,
        default=_DEFAULT if _DEFAULT in names else names[0],
        shape=shape,
        pixel_size_nm=square_nm(path, across / width, down / height),
    )


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    """Open a TIFF file."""
    import tifffile

    try:
        with heard(), tifffile.TiffFile(path) as file:  # what a tag lacks is said where it is needed
            yield file
    except tifffile.TiffFileError as error:
        raise FileFormatError(f"{path}: it cannot be read as a TIFF file: {error}") from error


def _refuse_lost_pages(path: Path, file: Any, pages: Sequence[Any]) -> None:
    """Refuse a file whose last page says that there is another one: tifffile stops at what it cannot follow."""
    layout, handle = file.tiff, file.filehandle
    handle.seek(pages[-1].offset)
    (tags,) = struct.unpack(layout.tagnoformat, handle.read(layout.tagnosize))
    handle.seek(pages[-1].offset + layout.tagnosize + tags * layout.tagsize)
    (following,) = struct.unpack(layout.offsetformat, handle.read(layout.offsetsize))
    if following:
        raise FileFormatError(f"{path}: page {len(pages)} is said to be at byte {following}, and is not there")


def _channel(path: Path, number: int, page: Any, shape: tuple[int, int]) -> ScanChannel:
    direction = "retrace" if _number(path, page, _RETRACE) else "trace"
    slot = _slot(path, page)
    scaling = _text(path, page, slot + _SCALING)
    if scaling == "NullScaling":
        factor, base, unit = 1.0, 0.0, ""
    elif scaling == "LinearScaling":
        factor, base = (_number(path, page, slot + key) for key in (_FACTOR, _OFFSET))
        unit = _text(path, page, slot + _UNIT)
    else:
        raise FileFormatError(f"{path}: page {page.index}: scaling {scaling!r}, expected LinearScaling or NullScaling")
    if unit == "m":
        factor, base, unit = factor * 1e9, base * 1e9, "nm"
    if factor == 0:
        raise FileFormatError(f"{path}: page {page.index}: its numbers are scaled by 0")
    return ScanChannel(f"{_text(path, page, _NAME)}_{direction}", unit, PageFrame(path, number, shape, factor, base))


def _slot(path: Path, page: Any) -> int:
    """Give the first tag of the slot that the numbers are shown by."""
    wanted, count = _text(path, page, _DEFAULT_SLOT), int(_number(path, page, _SLOTS))
    for number in range(min(count, _MOST_SLOTS)):
        start = _FIRST_SLOT + number * _SLOT_STEP
        if _text(path, page, start) == wanted:
            return start
    raise FileFormatError(f"{path}: page {page.index}: none of its {count} scalings is called {wanted!r}")


def _number(path: Path, page: Any, code: int) -> float:
    value = _value(page, code)
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise FileFormatError(f"{path}: page {page.index}: tag {code:#x} is {value!r}, expected a number")
    return float(value)


def _text(path: Path, page: Any, code: int) -> str:
    value = _value(page, code)
    if not isinstance(value, str):
        raise FileFormatError(f"{path}: page {page.index}: tag {code:#x} is {value!r}, expected text")
    return value


def _value(page: Any, code: int) -> Any:
    tag = page.tags.get(code)
    return None if tag is None else tag.value

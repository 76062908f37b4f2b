"""JPEG, encoded strip by strip in threads: bounded memory, and every processor at work.

A baseline JPEG may begin anew at restart markers. Strips of fixed height are encoded each on its own by Pillow, with
the same tables, and their scans are put one after the other with restart markers between: the file holds what
encoding the whole would have held. So neither the number of threads nor the memory there is changes a byte of it.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING, Literal

import numpy as np

from ...render.picture import Picture, opaque
from .ordered import in_order
from .sink import Sink

if TYPE_CHECKING:
    from numpy.typing import NDArray

Subsampling = Literal["4:4:4", "4:2:2", "4:2:0"]

LARGEST_SIDE = 65_500
"""What libjpeg encodes; the format could state 65,535."""

_STRIP_BYTES = 2**20
_UNITS = {"4:4:4": (8, 8), "4:2:2": (16, 8), "4:2:0": (16, 16)}  # width and height in px
_MOST_UNITS = 2**16 - 1  # between two restart markers
_SOI, _EOI, _SOS, _SOF, _DRI, _RST = 0xD8, 0xD9, 0xDA, 0xC0, 0xDD, 0xD0
_TABLES = (0xDB, 0xC4)


def encode_jpeg(
    stream: Sink,
    picture: Picture,
    quality: int,
    subsampling: Subsampling,
    segments: Sequence[tuple[int, bytes]] = (),
    background: str = "#000000",
) -> None:
    """Write a picture as baseline JPEG.

    Parameters
    ----------
    stream : Sink
        Such as a file opened for writing; it need not be seekable.
    picture : Picture
        RGB or RGBA, 8 bits, up to 65,500 px a side.
    quality : int
        1–100, as in libjpeg.
    subsampling : str
        How much coarser colour is stored than lightness is.
    segments : sequence of (int, bytes)
        Marker and content of what comes first in the file, of up to 65,533 bytes each.
    background : str
        Colour that shows where a picture with alpha is transparent.
    """
    height, width, _ = picture.shape
    unit_width, unit_height = _UNITS[subsampling]
    units = -(-width // unit_width)
    deep = max(1, min(_STRIP_BYTES // (3 * width * unit_height), _MOST_UNITS // units))
    stream.write(bytes((0xFF, _SOI)))
    for marker, content in segments:
        stream.write(_segment(marker, content))
    encode = partial(_encoded, quality=quality, subsampling=subsampling, background=background)
    for number, strip in enumerate(in_order(encode, picture.strips(deep * unit_height))):
        head, scan = _parts(strip)
        if number == 0:
            for marker, content in head:
                if marker == _SOS:
                    stream.write(_segment(_DRI, struct.pack(">H", deep * units)))
                # the height is that of the whole picture: after the marker's length come the bits, then the height
                whole = content[:1] + struct.pack(">H", height) + content[3:] if marker == _SOF else content
                stream.write(_segment(marker, whole))
        else:
            stream.write(bytes((0xFF, _RST + (number - 1) % 8)))
        stream.write(scan)
    stream.write(bytes((0xFF, _EOI)))


def _segment(marker: int, content: bytes) -> bytes:
    return struct.pack(">BBH", 0xFF, marker, len(content) + 2) + content


def _encoded(strip: NDArray[np.uint8], quality: int, subsampling: Subsampling, background: str) -> bytes:
    from PIL import Image

    stream = io.BytesIO()
    # the standard Huffman tables: those fitted to a strip would not be the next one's
    Image.fromarray(opaque(strip, background)).save(
        stream, "JPEG", quality=quality, subsampling=subsampling, optimize=False, progressive=False
    )
    return stream.getvalue()


def _parts(strip: bytes) -> tuple[list[tuple[int, bytes]], bytes]:
    """Take a JPEG apart: its tables, frame and scan header, and its scan."""
    head = list(_headers(strip))
    (_, _, end), kept = head[-1], {*_TABLES, _SOF, _SOS}
    return [(marker, content) for marker, content, _ in head if marker in kept], strip[end:-2]


def _headers(strip: bytes) -> Iterator[tuple[int, bytes, int]]:
    """Give each segment's marker, content and end, up to the header of the scan."""
    at, marker = 2, 0
    while marker != _SOS:
        _, marker, size = struct.unpack_from(">BBH", strip, at)
        yield marker, strip[at + 4 : at + 2 + size], at + 2 + size
        at += 2 + size

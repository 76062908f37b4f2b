"""LZW as GIF has it, compiled: only to be imported where numba is.

The code widths follow the specification of GIF89a: the width grows once the next code would not fit, and the table
begins anew when its 4096 codes are used up.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ...render.kernel.base import array, compiled

CLEAR, END = 256, 257
"""Codes that begin the table anew, and that end the data, for pixels of 8 bits."""
_FIRST_WIDTH, _LAST_CODE = 9, 4095
_SLOTS = 1 << 13
"""Of the hash table: twice as many as there are codes. It is as large as a processor's nearest cache."""
_EMPTY = np.uint32(0xFFFFFFFF)
"""No entry: its code would be the last one, which is never given."""


def lzw() -> Callable[..., None]:
    """Give the loop ``(out, size, pixels, table)``: packs uint8 `pixels` into `out`, and tells how many bytes."""
    written = (array(dtype, 1, writable=True) for dtype in (np.uint8, np.int64))
    return compiled(_lzw, *written, array(np.uint8, 1), array(np.uint32, 1, writable=True))


def packed(pixels: np.ndarray[Any, np.dtype[np.uint8]]) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """Pack pixels, uint8 ``(N,)`` with N at least 1: bytes, uint8 ``(M,)``."""
    # at most a code of 12 bits for each pixel, one for each time that the table begins anew, and the last ones
    out, size = np.empty(2 * len(pixels) + 64, np.uint8), np.zeros(1, np.int64)
    lzw()(out, size, pixels, np.empty(_SLOTS, np.uint32))
    return out[: size[0]]


def _lzw(out: Any, size: Any, pixels: Any, table: Any) -> None:
    # an entry of the table: 12 bits of a code, 8 of the pixel behind it, 12 of the code for both
    table[:] = _EMPTY
    following, width, limit = END + 1, _FIRST_WIDTH, 1 << _FIRST_WIDTH
    held, bits, at = np.uint64(CLEAR), _FIRST_WIDTH, 0
    prefix: Any = np.uint32(pixels[0])
    key: Any = np.uint32(0)
    slot: Any = np.uint32(0)
    for n in range(1, len(pixels) + 1):
        if n < len(pixels):
            key = np.uint32((prefix << np.uint32(8)) | np.uint32(pixels[n]))
            slot = np.uint32(key * np.uint32(2654435761)) >> np.uint32(19)
            entry = table[slot]
            while entry != _EMPTY and entry >> np.uint32(12) != key:
                slot = np.uint32((slot + np.uint32(1)) & np.uint32(_SLOTS - 1))
                entry = table[slot]
            if entry != _EMPTY:
                prefix = np.uint32(entry & np.uint32(0xFFF))
                continue
        held |= np.uint64(prefix) << np.uint64(bits)
        bits += width
        if following >= limit and width < 12:
            width += 1
            limit <<= 1
        if n < len(pixels):
            prefix = np.uint32(pixels[n])
            if following >= _LAST_CODE:
                held |= np.uint64(CLEAR) << np.uint64(bits)
                bits += width
                table[:] = _EMPTY
                following, width, limit = END + 1, _FIRST_WIDTH, 1 << _FIRST_WIDTH
            else:
                table[slot] = np.uint32((key << np.uint32(12)) | np.uint32(following))
                following += 1
        else:
            held |= np.uint64(END) << np.uint64(bits)
            bits += width
        while bits >= 8:
            out[at] = np.uint8(held & np.uint64(255))
            held >>= np.uint64(8)
            bits -= 8
            at += 1
    if bits > 0:
        out[at] = np.uint8(held & np.uint64(255))
        at += 1
    size[0] = at

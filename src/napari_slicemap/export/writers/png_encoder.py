"""PNG, encoded strip by strip in threads: bounded memory, and every processor at work.

A PNG holds one deflate stream over all of its rows. Strips of fixed height are filtered and deflated on their own,
each up to a byte boundary (a full flush), and put one after the other; the checksum of the whole is put together
from theirs. So neither the number of threads nor the memory there is changes a byte of the file.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from isal import isal_zlib

from ...render.picture import Picture
from .ordered import in_order
from .sink import Sink

if TYPE_CHECKING:
    from numpy.typing import NDArray

_STRIP_BYTES = 2**20
"""Pixels of a strip: large against the window of deflate, small against the cache of a processor."""
_SAMPLED = 8
"""One row in so many decides on the filter of a strip."""

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_COLOUR_TYPES = {3: 2, 4: 6}
_METRE = 1
ZLIB_HEADER = b"\x78\x01"
_LAST_BLOCK = b"\x03\x00"  # empty: the strips' blocks say that more follow
_ADLER_BASE = 65521


class Strip(NamedTuple):
    """Some rows of a picture, and the one above them."""

    rows: NDArray[np.uint8]  # (h, W, samples)
    above: NDArray[np.uint8]  # (1, W, samples): zeros above the first


class Encoded(NamedTuple):
    """A strip as a part of a deflate stream."""

    content: bytes
    size: int  # bytes before deflating
    adler: int


def encode_png(
    stream: Sink, picture: Picture, level: int, px_per_metre: int | None = None, text: Mapping[str, str] | None = None
) -> None:
    """Write a picture as PNG.

    Parameters
    ----------
    stream : Sink
        Such as a file opened for writing; it need not be seekable.
    picture : Picture
        RGB or RGBA, 8 bits.
    level : int
        0 stores; 1–3 are those of ISA-L, which are many times faster; 4–9 are those of zlib.
    px_per_metre : int, optional
        Resolution to state, above 0.
    text : mapping of str to str, optional
        Keyword → text to embed (iTXt). It is not compressed: readers guard against texts that inflate.
    """
    height, width, samples = picture.shape
    stream.write(_SIGNATURE)
    stream.write(_chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, _COLOUR_TYPES[samples], 0, 0, 0)))
    if px_per_metre is not None:
        stream.write(_chunk(b"pHYs", struct.pack(">IIB", px_per_metre, px_per_metre, _METRE)))
    for keyword, said in (text or {}).items():
        stream.write(_chunk(b"iTXt", keyword.encode("latin-1") + b"\0\0\0\0\0" + said.encode("utf-8")))
    stream.write(_chunk(b"IDAT", ZLIB_HEADER))
    adler = 1
    for chunk, made in in_order(partial(_as_chunk, level=level), strips_of(picture)):
        stream.write(chunk)
        adler = adler_combined(adler, made.adler, made.size)
    stream.write(_chunk(b"IDAT", zlib_end(adler)))
    stream.write(_chunk(b"IEND", b""))


def strips_of(picture: Picture) -> Iterator[Strip]:
    """Cut a picture into strips of a height that depends on its shape alone."""
    _, width, samples = picture.shape
    above = np.zeros((1, width, samples), np.uint8)
    for rows in picture.strips(max(1, _STRIP_BYTES // (width * samples))):
        yield Strip(rows, above)
        above = rows[-1:]


def encoded(strip: Strip, level: int) -> Encoded:
    """Filter and deflate a strip.

    Parameters
    ----------
    strip : Strip
        uint8, with any number of samples.
    level : int
        As for :func:`encode_png`.

    Returns
    -------
    Encoded
        To follow :data:`ZLIB_HEADER` and the strips above it; after the last one comes :func:`zlib_end`.
    """
    filtered = _filtered(strip)
    return Encoded(_deflated(filtered, level), filtered.nbytes, isal_zlib.adler32(filtered))


def zlib_end(adler: int) -> bytes:
    """Give what ends a zlib stream; `adler` is the Adler-32 of all of its content."""
    return _LAST_BLOCK + struct.pack(">I", adler)


def adler_combined(first: int, second: int, size: int) -> int:
    """Give Adler-32 of two parts one after the other from theirs; `size` is that of the second, in bytes."""
    sum_1, sum_2 = first & 0xFFFF, second & 0xFFFF
    low = (sum_1 + sum_2 - 1) % _ADLER_BASE
    high = ((first >> 16) + (second >> 16) + (sum_1 - 1) * size) % _ADLER_BASE
    return high << 16 | low


def _chunk(kind: bytes, content: bytes) -> bytes:
    check = isal_zlib.crc32(content, isal_zlib.crc32(kind))
    return b"".join((struct.pack(">I", len(content)), kind, content, struct.pack(">I", check)))


def _as_chunk(strip: Strip, level: int) -> tuple[bytes, Encoded]:
    made = encoded(strip, level)
    return _chunk(b"IDAT", made.content), made


def _deflated(content: NDArray[np.uint8], level: int) -> bytes:
    """Deflate up to a byte boundary, so that another strip may follow; no strip looks back on the one before."""
    if 1 <= level <= 3:
        fast = isal_zlib.compressobj(level=level, wbits=-zlib.MAX_WBITS)
        return fast.compress(content) + fast.flush(isal_zlib.Z_FULL_FLUSH)
    slow = zlib.compressobj(level=level, wbits=-zlib.MAX_WBITS)
    return slow.compress(content.data) + slow.flush(zlib.Z_FULL_FLUSH)


# --- filters ------------------------------------------------------------------------------------------------------
def _filtered(strip: Strip) -> NDArray[np.uint8]:
    """Put each byte as its difference from a guess: ``(h, 1 + W * samples)``, each row led by its filter's number.

    The filter is that whose differences are smallest over some of the rows: the usual guess at what deflates best.
    """
    height, width, samples = strip.rows.shape
    around = np.zeros((height + 1, (width + 1) * samples), np.uint8)
    around[0, samples:] = strip.above.reshape(-1)
    around[1:, samples:] = strip.rows.reshape(height, -1)
    here, left = around[1:, samples:], around[1:, :-samples]
    above, beyond = around[:-1, samples:], around[:-1, :-samples]
    some = [part[::_SAMPLED] for part in (here, left, above, beyond)]
    number = min(_GUESSES, key=lambda kind: _cost(some[0] - _GUESSES[kind](*some[1:])))
    made = np.empty((height, 1 + width * samples), np.uint8)
    made[:, 0] = number
    np.subtract(here, _GUESSES[number](left, above, beyond), out=made[:, 1:])
    return made


def _cost(differences: NDArray[np.uint8]) -> int:
    """Add up how far differences are from 0, where 255 stands for −1."""
    return int(np.abs(differences.view(np.int8)).view(np.uint8).sum(dtype=np.int64))


def _average(left: NDArray[np.uint8], above: NDArray[np.uint8], _: NDArray[np.uint8]) -> NDArray[np.uint8]:
    # the mean, rounded down, within 8 bits
    return (left & above) + ((left ^ above) >> 1)


def _paeth(left: NDArray[np.uint8], above: NDArray[np.uint8], beyond: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Give Paeth's guess: whichever of the three is nearest to ``left + above - beyond``.

    It is the lower one of left and above where `beyond` lies at least twice as far from it as from the higher one,
    the higher one in the like case, and `beyond` itself between the two: all of which fits into 8 bits.
    """
    low, high = np.minimum(left, above), np.maximum(left, above)
    over_low = np.maximum(beyond, low) - low
    below_high = high - np.minimum(beyond, high)
    takes_low, takes_high = _mask(below_high <= over_low >> 1), _mask(over_low <= below_high >> 1)
    made: NDArray[np.uint8] = beyond ^ ((beyond ^ low) & takes_low)
    return made ^ ((made ^ high) & takes_high)


def _mask(where: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """Give 255 where true: faster to choose by than a boolean array."""
    made: NDArray[np.uint8] = np.negative(where.view(np.uint8))
    return made


_Guess = Callable[["NDArray[np.uint8]", "NDArray[np.uint8]", "NDArray[np.uint8]"], "NDArray[np.uint8]"]
_GUESSES: dict[int, _Guess] = {
    1: lambda left, above, beyond: left,  # noqa: ARG005 - all guesses are asked alike
    2: lambda left, above, beyond: above,  # noqa: ARG005
    3: _average,
    4: _paeth,
}

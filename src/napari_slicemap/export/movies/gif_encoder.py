"""Animated GIF with one palette for all frames, which are mapped to it and compressed in threads.

A palette for each frame, as most writers make it, costs a search for 256 colours and a slow mapping every time, and
the colours flicker. Here the colours come from pixels sampled over the whole movie, and a table of all colours at
6 bits a channel gives the nearest of them. Movies of at most 256 colours, and those whose palette is known, are exact.
Where the colours of a movie change wholly in its course, its frames share the 256.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, BinaryIO

import numpy as np

from ...render.engine import compiled
from ..writers.ordered import in_order
from .frames import Frames, IndexedFrames, checked_size, frame_of_size

if TYPE_CHECKING:
    from numpy.typing import NDArray

LARGEST_SIDE = 2**16 - 1
"""The most px that a side may have."""
LONGEST_DELAY_MS = 10.0 * (2**16 - 1)
"""The longest that a frame can be shown, ms."""
_SHORTEST_SHOWN = 2
"""Hundredths of a second; viewers take less for a mistake and show the frame for a tenth of a second."""

_COLOURS = 256
_SAMPLED_FRAMES = 16
_SAMPLED_PIXELS = 2**17
_GOLDEN = 0.6180339887498949
"""Multiples of it, less their whole part, fill 0–1 evenly without ever falling into step with the rows of a frame."""
_REFINEMENTS = 8
_BITS = 6
"""Of a channel, in the table of nearest colours."""
_SPARE_BITS = 5
"""The same where few pixels, if any, are of other colours than the palette's."""

_HEADER = b"GIF89a"
_GLOBAL_PALETTE = 0xF7  # a palette for all frames, of 256 colours of 8 bits
_KEEP = 1 << 2  # the next frame is drawn over this one
_CODE_BITS = 8
_BLOCK = 255
_TRAILER = b"\x3b"


def encode_gif(
    stream: BinaryIO,
    frames: Frames,
    delays_ms: Sequence[float],
    *,
    loop: int | None = 0,
    comment: str = "",
    palette: NDArray[np.uint8] | None = None,
) -> str:
    """Write an animated GIF: every frame, also one that is like the one before.

    Parameters
    ----------
    stream : binary file
        Written from where it stands; it need not be seekable.
    frames : Frames
        uint8 ``(H, W, 3)``. A few are in memory at a time.
    delays_ms : sequence of float
        How long each frame is shown, ms. GIF counts hundredths of a second: the time at which a frame ends is rounded
        to them, so each delay is right within 10 ms and their sum does not drift.
    loop : int or None
        How often it is repeated, up to 65535: 0 is for ever, ``None`` plays it once.
    comment : str
        Text to embed.
    palette : ndarray of uint8, (N, 3), optional
        Colours to use, at most 256; other colours become the nearest of them. By default they are found: exactly
        the colours there are if these are at most 256, else those that come near to the pixels sampled.

    Returns
    -------
    str
        What viewers will not show as asked, or ``""``.

    Raises
    ------
    ValueError
        If the frames are too large for GIF or a delay too long, if frames, delays or palette are not as stated.
    """
    size = checked_size(frames, delays_ms)
    if max(size) > LARGEST_SIDE:
        raise ValueError(f"frames of {size[1]} × {size[0]} px; GIF holds at most {LARGEST_SIDE} px a side")
    if loop is not None and not 0 <= loop < 2**16:
        raise ValueError(f"GIF repeats up to 65535 times (0 is for ever), not {loop}")
    delays = _hundredths(delays_ms)
    for number, delay in enumerate(delays):
        if delay >= 2**16:
            raise ValueError(
                f"frame {number} is to be shown for {delays_ms[number] / 1000:g} s; "
                f"GIF holds at most {LONGEST_DELAY_MS / 1000:g} s: play it faster"
            )
    colours, numbered = _numbering(frames, size, palette)
    height, width = size
    stream.write(_HEADER + struct.pack("<HHBBB", width, height, _GLOBAL_PALETTE, 0, 0))
    stream.write(colours.tobytes().ljust(3 * _COLOURS, b"\0"))
    if loop is not None:
        stream.write(b"\x21\xff" + _blocks(b"NETSCAPE2.0", struct.pack("<BH", 1, loop)))
    if comment:
        text = comment.encode("utf-8")
        stream.write(b"\x21\xfe" + _blocks(*(text[at : at + 255] for at in range(0, len(text), 255))))
    encoded = partial(_encoded, numbered=numbered, size=size)
    for delay, image in zip(delays, in_order(encoded, range(len(frames))), strict=True):
        stream.write(b"\x21\xf9" + _blocks(struct.pack("<BHB", _KEEP, delay, 0)))
        stream.write(image)
    stream.write(_TRAILER)
    return _short_ones(delays)


def _hundredths(delays_ms: Sequence[float]) -> list[int]:
    """Round the times at which frames end, not the delays: so the errors do not add up."""
    ends = np.floor(np.cumsum([0.0, *delays_ms]) / 10 + 0.5)
    return [int(delay) for delay in np.diff(ends)]


def _short_ones(delays: Sequence[int]) -> str:
    # one frame alone is never replaced, so its delay means nothing
    count = sum(delay < _SHORTEST_SHOWN for delay in delays) if len(delays) > 1 else 0
    if not count:
        return ""
    return f"{count} of {len(delays)} frames last below 20 ms, which many viewers show as 100 ms: play it slower"


def _blocks(*parts: bytes) -> bytes:
    """Put parts of up to 255 bytes as sub-blocks, each led by its length, and end them."""
    return b"".join(bytes([len(part)]) + part for part in parts) + b"\0"


def _encoded(number: int, numbered: Callable[[int], NDArray[np.uint8]], size: tuple[int, int]) -> bytes:
    """Paint, map and compress one frame: its descriptor and its data."""
    data = _packed(numbered(number))
    return b"\x2c" + struct.pack("<HHHHBB", 0, 0, size[1], size[0], 0, _CODE_BITS) + data + b"\0"


def _packed(indices: NDArray[np.uint8]) -> bytes:
    """Compress indices ``(H, W)`` into sub-blocks, without the last, empty one."""
    if not compiled():
        from PIL import Image

        # the raw mode takes indices as they are; the last argument refuses interlacing
        return Image.fromarray(indices).tobytes("gif", "L", _CODE_BITS, 0)
    from .lzw_kernel import packed

    data = packed(indices.reshape(-1))
    whole = len(data) // _BLOCK
    blocks = np.empty((whole, 1 + _BLOCK), np.uint8)
    blocks[:, 0], blocks[:, 1:] = _BLOCK, data[: whole * _BLOCK].reshape(whole, _BLOCK)
    rest = data[whole * _BLOCK :].tobytes()
    return blocks.tobytes() + (bytes([len(rest)]) + rest if rest else b"")


def _numbering(
    frames: Frames, size: tuple[int, int], palette: NDArray[np.uint8] | None
) -> tuple[NDArray[np.uint8], Callable[[int], NDArray[np.uint8]]]:
    """Give the palette, and what paints a frame as numbers of its colours ``(H, W)``."""
    if palette is None and isinstance(frames, IndexedFrames):
        return frames.palette, frames.indices
    mapping = _given(palette) if palette is not None else _found(frames, size)
    return mapping.palette, lambda number: mapping.indices(frame_of_size(frames, number, size))


# --- from colours to indices ----------------------------------------------------------------------------------------
@dataclass(frozen=True, eq=False)
class _Mapping:
    """A palette ``(N, 3)``, and the index of each colour at `bits` bits a channel ``(2 ** (3 * bits),)``."""

    palette: NDArray[np.uint8]
    table: NDArray[np.uint8]
    bits: int

    def indices(self, frame: NDArray[np.uint8]) -> NDArray[np.uint8]:
        return self.table.take(_codes(frame, self.bits))


def _codes(pixels: NDArray[np.uint8], bits: int = 8) -> NDArray[np.intp]:
    """Give colours ``(…, 3)`` as one number each, of so many bits a channel."""
    parts = pixels >> (8 - bits)
    made = parts[..., 0].astype(np.intp)
    for channel in (1, 2):
        made <<= bits
        made |= parts[..., channel]
    return made


def _given(palette: NDArray[np.uint8]) -> _Mapping:
    """Map to colours that are known: those exactly, others to about the nearest."""
    if palette.dtype != np.uint8 or palette.ndim != 2 or palette.shape[1] != 3 or not 1 <= len(palette) <= _COLOURS:
        raise ValueError(f"the palette is {palette.dtype} {palette.shape}, expected uint8 (1 to 256, 3)")
    side, cell = 1 << _SPARE_BITS, 1 << (8 - _SPARE_BITS)
    coarse = _nearest(palette, _SPARE_BITS).reshape(side, side, side)
    table = coarse.repeat(cell, 2).repeat(cell, 1).repeat(cell, 0).reshape(-1)
    table[_codes(palette)] = np.arange(len(palette))
    return _Mapping(palette, table, 8)


def _found(frames: Frames, size: tuple[int, int]) -> _Mapping:
    """Find a palette: the colours there are if they are few, else some that come near to the pixels."""
    sample = _sampled(frames, size)
    if len(np.unique(_codes(sample))) <= _COLOURS and (few := _all_colours(frames, size)) is not None:
        return _given(few)
    palette = _quantised(sample)
    return _Mapping(palette, _nearest(palette, _BITS), _BITS)


def _nearest(palette: NDArray[np.uint8], bits: int) -> NDArray[np.uint8]:
    """Give the index of the nearest colour to the middle of each cell of colours, of so many bits a channel."""
    from scipy.spatial import KDTree

    cell = 1 << (8 - bits)
    middles = np.arange(1 << bits) * cell + (cell - 1) / 2
    grid = np.stack(np.meshgrid(middles, middles, middles, indexing="ij"), axis=-1).reshape(-1, 3)
    return np.asarray(KDTree(palette).query(grid)[1], np.uint8)


def _sampled(frames: Frames, size: tuple[int, int]) -> NDArray[np.uint8]:
    """Take pixels ``(N, 3)`` from some frames, spread over the movie and over each frame; all of them if few."""
    count = min(len(frames), _SAMPLED_FRAMES)
    each, area = _SAMPLED_PIXELS // count, size[0] * size[1]
    where = np.arange(area) if area <= each else (np.arange(each) * _GOLDEN % 1 * area).astype(np.intp)
    numbers = [round(n * (len(frames) - 1) / max(1, count - 1)) for n in range(count)]
    return np.concatenate([frame_of_size(frames, n, size).reshape(-1, 3)[where] for n in numbers])


def _all_colours(frames: Frames, size: tuple[int, int]) -> NDArray[np.uint8] | None:
    """Go through all frames for their colours ``(N, 3)``, in order; give up where there are more than 256."""
    found = np.zeros(0, np.intp)
    for some in in_order(lambda number: np.unique(_codes(frame_of_size(frames, number, size))), range(len(frames))):
        found = np.union1d(found, some)
        if len(found) > _COLOURS:
            return None
    return np.stack([found >> 16, found >> 8 & 0xFF, found & 0xFF], axis=-1).astype(np.uint8)


def _quantised(sample: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Choose 256 colours ``(256, 3)`` for pixels ``(N, 3)``: median cut, then each moves to the mean of its pixels."""
    from PIL import Image
    from scipy.spatial import KDTree

    cut = Image.fromarray(sample[None]).quantize(_COLOURS, method=Image.Quantize.MEDIANCUT)
    palette = np.array(cut.getpalette(), np.float64).reshape(-1, 3)
    # pixels of one cell move together, as one point with their mean and their weight
    codes = _codes(sample, _BITS)
    weights = np.bincount(codes)
    used = np.flatnonzero(weights)
    weights = weights[used]
    means = np.stack([np.bincount(codes, channel)[used] / weights for channel in sample.T], axis=1)
    for _ in range(_REFINEMENTS):
        owner = KDTree(palette).query(means)[1]
        total = np.bincount(owner, weights, len(palette))
        sums = np.stack([np.bincount(owner, weights * channel, len(palette)) for channel in means.T], axis=1)
        taken = total > 0
        palette[taken] = sums[taken] / total[taken, None]
    return np.rint(palette).astype(np.uint8)

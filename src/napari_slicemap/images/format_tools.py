"""What the image formats share: axes and units, cutting planes into chunks, buffers, and errors that name the file."""

from __future__ import annotations

import math
import os
import stat
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from threading import Lock, local
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from ..errors import TileReadError
from ..units import length_um
from .cache import ChunkCache
from .image import ImageInfo

if TYPE_CHECKING:
    from io import FileIO
    from typing import BinaryIO

    import numpy as np
    from numpy.typing import NDArray

    from .cache import Allocate

    Shape = tuple[int, int]

CHANNEL_AXES = "CIQS"
"""Axes that count as channels: also those that tifffile names in files of unknown make."""

PLAIN_AXES = {2: "YX", 3: "CYX", 4: "TCYX", 5: "TCZYX"}
"""What the axes of an array that does not name them are taken for, by their number."""

ROWS_PX = 2**18
"""Pixels of a chunk of rows, where a file has no chunks of its own."""

_MOST_CHANNELS = 100_000  # each has a name, and a plane of its own
_MOST_TIMES = 1_000_000
_MUCH = 2**22  # bytes above which a file is asked for its size before they are read
_SMALL_PX = 2**16  # below this, opening the file costs more than decoding
_SQUARE = 0.01  # relative difference of width and height up to which a pixel counts as square
_UNITS_UM = {"micron": 1.0, "um": 1.0, "µm": 1.0, "nm": 1e-3, "mm": 1e3}
# as OME-Zarr spells them; those named here are read without loading pint
_UNITS_UM |= {"micrometer": 1.0, "nanometer": 1e-3, "millimeter": 1e3, "angstrom": 1e-4}

_Kept = TypeVar("_Kept")


class Recent(Generic[_Kept]):
    """The things used last, such as the metadata of files; for many threads.

    Parameters
    ----------
    count : int
        How many to keep.
    """

    def __init__(self, count: int) -> None:
        self._count = count
        self._kept: OrderedDict[Hashable, _Kept] = OrderedDict()
        self._lock = Lock()

    def get(self, key: Hashable, load: Callable[[], _Kept]) -> _Kept:
        """Give what is kept under a key, or load it; two threads may load the same, and one of the two is kept."""
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
                return self._kept[key]
        loaded = load()
        with self._lock:
            self._kept[key] = loaded
            if len(self._kept) > self._count:
                self._kept.popitem(last=False)
        return loaded

    def forget(self, key: Hashable) -> None:
        """Load it anew when it is next asked for."""
        with self._lock:
            self._kept.pop(key, None)


_SHARED = ChunkCache(128 * 2**20)


def shared_chunk(path: Path, place: Hashable, load: Callable[[], NDArray[Any]]) -> NDArray[Any]:
    """Decode a stored chunk that holds parts of several planes; channels are read one after the other.

    Parameters
    ----------
    path : Path
        The file.
    place : hashable
        The file's state, and which of its chunks.
    load : callable
        Decodes it.

    Returns
    -------
    ndarray
        Read-only; it is kept for the next plane.
    """
    (found,) = _SHARED.get((path, None), [place], lambda _, allocate: [copied(load(), allocate)])
    return found


@dataclass(frozen=True)
class Tiling:
    """The segments (tiles, strips, stored chunks) of a plane; small ones are read in groups.

    Parameters
    ----------
    plane : tuple of int
        ``(height, width)``, px.
    segment : tuple of int
        ``(height, width)`` of a segment, px; it may reach beyond the plane.
    least_px : int
        Pixels that a chunk should have.
    """

    plane: Shape
    segment: Shape
    least_px: int = _SMALL_PX

    @cached_property
    def group(self) -> Shape:
        """How many segments ``(down, across)`` make a chunk: one, unless they are small."""
        (height, width), (rows, columns) = self.segment, self.count
        across = min(columns, max(1, round(math.sqrt(self.least_px) / width)))
        return min(rows, max(1, round(self.least_px / (height * width * across)))), across

    @cached_property
    def count(self) -> Shape:
        """How many segments there are, ``(down, across)``."""
        (height, width), (y, x) = self.plane, self.segment
        return -(-height // y), -(-width // x)

    @cached_property
    def chunk_shape(self) -> Shape:
        """``(height, width)`` of a chunk, px."""
        (height, width), (y, x), (down, across) = self.plane, self.segment, self.group
        return min(height, y * down), min(width, x * across)

    def cut(self, row: int, column: int) -> Shape:
        """Give the ``(height, width)`` of one chunk, cut at the plane's edges."""
        (height, width), (y, x) = self.plane, self.chunk_shape
        made = min(y, height - row * y), min(x, width - column * x)
        if min(row, column) < 0 or min(made) <= 0:
            raise IndexError(f"chunk {row}, {column} is out of bounds")
        return made

    def chunk(
        self, row: int, column: int, made: NDArray[Any], read: Callable[[int, int, NDArray[Any]], None]
    ) -> NDArray[Any]:
        """Put a chunk together.

        Parameters
        ----------
        row, column : int
            Which chunk.
        made : ndarray, (H, W)
            Of the size of :meth:`cut`; filled.
        read : callable
            ``read(row, column, out)`` decodes one segment into `out`, which may be cut at the plane's edges.

        Returns
        -------
        ndarray, (H, W)
            `made`.
        """
        down, across = self.group
        if self.group == (1, 1):
            read(row, column, made)
            return made
        height, width = made.shape
        for j in range(-(-height // self.segment[0])):
            for i in range(-(-width // self.segment[1])):
                y, x = j * self.segment[0], i * self.segment[1]
                part = made[y : y + self.segment[0], x : x + self.segment[1]]
                read(row * down + j, column * across + i, part)
        return made


def copied(pixels: NDArray[Any], allocate: Allocate) -> NDArray[Any]:
    """Copy pixels into memory that is given for them."""
    made = allocate(pixels.shape, pixels.dtype)
    made[...] = pixels
    return made


def rows_of_px(row_px: int, height: int) -> int:
    """Say how many rows of so many px make a chunk."""
    return min(height, max(1, ROWS_PX // max(1, row_px)))


def read_bytes(stream: BinaryIO, offset: int, count: int) -> bytes:
    """Read part of a file; one that ends before is cut short."""
    refuse_beyond_end(stream, offset, count)
    stream.seek(offset)
    found = stream.read(count)
    if len(found) < count:
        raise _cut_short(offset, count)
    return found


def refuse_beyond_end(stream: BinaryIO | FileIO, offset: int, count: int) -> None:
    """Refuse to read more than a file holds, before memory is taken for it; little is tried."""
    if count > _MUCH and offset + count > os.fstat(stream.fileno()).st_size:
        raise _cut_short(offset, count)


def _cut_short(offset: int, count: int) -> ValueError:
    return ValueError(f"the file is cut short: it ends within the {count} bytes at {offset}")


_BUFFER = 2**24  # bytes above which a buffer is not kept
_own = local()


def own_buffer(nbytes: int) -> memoryview:
    """Lend this thread a buffer of at least so many bytes, until it next asks for one.

    Fresh memory for the bytes of each file would cost as much as their reading.
    """
    kept: bytearray | None = getattr(_own, "buffer", None)
    if kept is None or len(kept) < nbytes:
        kept = bytearray(nbytes)
        if nbytes <= _BUFFER:
            _own.buffer = kept
    return memoryview(kept)


def describe(
    axes: str,
    shape: Sequence[int],
    dtype: np.dtype[Any],
    chunk_shape: Shape,
    stated_names: Sequence[str] = (),
    pixel_size_um: float | None = None,
) -> ImageInfo:
    """Bring what a file says to ``(T, C, Z, Y, X)``.

    Raises
    ------
    ValueError
        If there are axes or pixels that no image has.
    """
    if unknown := set(axes) - set("TZYX" + CHANNEL_AXES) or {"Y", "X"} - set(axes):
        raise ValueError(f"axes {axes} hold {', '.join(sorted(unknown))}, which is no T, C, Z, Y or X")
    if any(axes.count(axis) > 1 for axis in "TZYX"):
        raise ValueError(f"axes {axes} name one of T, Z, Y and X twice")
    if dtype.kind not in "buif":
        raise ValueError(f"pixels of type {dtype} cannot be shown")
    if 0 in shape:
        raise ValueError(f"it holds no pixel (its shape is {' × '.join(map(str, shape))})")
    sizes = dict(zip(axes, shape, strict=True))
    count = math.prod(size for axis, size in zip(axes, shape, strict=True) if axis in CHANNEL_AXES)
    if count > _MOST_CHANNELS:
        raise ValueError(f"it states {count} channels, and an image has at most {_MOST_CHANNELS}")
    full = (sizes.get("T", 1), count, sizes.get("Z", 1), sizes["Y"], sizes["X"])
    names = _channel_names(stated_names, count, axes)
    return ImageInfo(full, dtype.newbyteorder("="), axes, names, pixel_size_um, chunk_shape)


def plain_axes(shape: Sequence[int]) -> str:
    """Give the axes of an array that does not name them.

    Raises
    ------
    ValueError
        If it has too few or too many.
    """
    if len(shape) not in PLAIN_AXES:
        raise ValueError(f"an image has 2 to 5 axes, and this array has {len(shape)}")
    return PLAIN_AXES[len(shape)]


def plane_index(axes: str, shape: Sequence[int], channel: int, t: int, z: int) -> tuple[Any, ...]:
    """Index every axis but Y and X; several channel axes count as one, the last of them fastest."""
    at: list[Any] = [slice(None)] * len(axes)
    rest = channel
    for place in range(len(axes) - 1, -1, -1):
        if axes[place] in CHANNEL_AXES:
            rest, at[place] = divmod(rest, shape[place])
        elif axes[place] in "TZ":
            at[place] = t if axes[place] == "T" else z
            if not 0 <= at[place] < shape[place]:
                raise IndexError(f"{axes[place].lower()} = {at[place]} is out of bounds")
    if rest:  # more than there are, or below 0
        raise IndexError(f"channel {channel} is out of bounds")
    return tuple(at)


def _channel_names(stated: Sequence[str], count: int, axes: str) -> tuple[str, ...]:
    """Take the names stated if there is one a channel; those that stand twice get their channel's number."""
    if len(stated) != count or not all(stated):
        rgb = "RGBA"[:count] if "S" in axes and count <= len("RGBA") else ""
        return tuple(rgb) or tuple(f"C{index}" for index in range(count))
    return tuple(name if stated.count(name) == 1 else f"{name} (C{index})" for index, name in enumerate(stated))


def square_size_um(width: float | None, height: float | None) -> float | None:
    """Give the size of square pixels, ``None`` where there is no size above 0.

    Raises
    ------
    ValueError
        If the pixels are not square.
    """
    if width and height and abs(width / height - 1) > _SQUARE:
        raise ValueError(f"its pixels are {width:g} × {height:g} µm; only square pixels can be shown")
    return width if width is not None and 0 < width < math.inf else None


def unit_um(unit: str) -> float | None:
    """Give a unit in µm; ``None`` for what is no length, such as OME's "pixel" and "reference frame"."""
    if unit in _UNITS_UM:
        return _UNITS_UM[unit]
    try:
        return length_um(f"1 {unit}") if unit else None
    except ValueError:
        return None


_UNITS_S = {"s": 1.0, "second": 1.0, "ms": 1e-3, "millisecond": 1e-3, "min": 60.0, "minute": 60.0, "h": 3600.0}
_UNITS_S |= {"hour": 3600.0, "d": 86400.0, "day": 86400.0, "µs": 1e-6, "microsecond": 1e-6, "ns": 1e-9}


def duration_s(unit: str) -> float:
    """Give a unit of time in s as OME-TIFF and OME-Zarr spell it; NaN for what is none."""
    return _UNITS_S.get(unit, math.nan)


def positive(stated: object) -> float | None:
    """Read a number above 0; ``None`` for anything else, such as what a file leaves out."""
    try:
        number = float(str(stated))
    except ValueError:
        return None
    return number if 0 < number < math.inf else None


def evenly(step: float | None, count: int) -> tuple[float, ...] | None:
    """Give times that lie so many seconds apart, from 0; ``None`` where no step is known or there is but one.

    Raises
    ------
    ValueError
        If there are more than any image has.
    """
    if count > _MOST_TIMES:
        raise ValueError(f"it states {count} time points, and an image has at most {_MOST_TIMES}")
    return None if step is None or count < 2 else tuple(number * step for number in range(count))


@contextmanager
def named(path: Path, kind: str) -> Iterator[None]:
    """Say by name which file cannot be read, and why.

    Raises
    ------
    TileReadError
        For whatever goes wrong within; `kind` is what the file was taken for.
    """
    try:
        yield
    except TileReadError:
        raise
    except FileNotFoundError as error:
        raise TileReadError(f"{path}: there is no such file") from error
    except RecursionError as error:
        raise TileReadError(f"{path}: cannot be read as {kind} (what it says is nested too deeply)") from error
    except Exception as error:
        raise TileReadError(f"{path}: cannot be read as {kind} ({str(error) or type(error).__name__})") from error


def refuse_pipe(path: Path) -> None:
    """Refuse what is neither a file nor a folder: a pipe would be waited for, and a device may never end."""
    mode = path.stat().st_mode
    if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
        raise ValueError("it is a pipe or a device, and no file")


def one_by_one(
    read: Callable[[int, int, Allocate], NDArray[Any]], path: Path, kind: str
) -> Callable[[Sequence[tuple[int, int]], Allocate], list[NDArray[Any]]]:
    """Make a reader of several chunks out of one that reads a single chunk; see :func:`named`."""

    def read_all(places: Sequence[tuple[int, int]], allocate: Allocate) -> list[NDArray[Any]]:
        with named(path, kind):
            return [read(row, column, allocate) for row, column in places]

    return read_all


def refuse_changed(path: Path, before: ImageInfo, now: ImageInfo) -> None:
    """Refuse a file whose chunks are others than those that are asked for.

    Raises
    ------
    TileReadError
        If shape, dtype, axes or chunks are not what they were.
    """
    was, found = ((info.shape, info.dtype, info.axes, info.chunk_shape) for info in (before, now))
    if was != found:
        raise TileReadError(f"{path}: the file has changed since it was first read; open the dataset again")

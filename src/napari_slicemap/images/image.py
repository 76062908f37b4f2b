"""Image files of any format: what they say of themselves, and their channels as planes."""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from threading import Lock, local
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

import numpy as np

from ..errors import FileFormatError, TileReadError, listing
from ..units import length_um
from .cache import ChunkCache
from .plane import Chunks

if TYPE_CHECKING:
    from typing import BinaryIO

    from numpy.typing import NDArray

    from .cache import Allocate

    Shape = tuple[int, int]

CHANNEL_AXES = "CIQS"
"""Axes that count as channels: also those that tifffile names in files of unknown make."""

PLAIN_AXES = {2: "YX", 3: "CYX", 4: "TCYX", 5: "TCZYX"}
"""What the axes of an array that does not name them are taken for, by their number."""

ROWS_PX = 2**18
"""Pixels of a chunk of rows, where a file has no chunks of its own."""

_SMALL_PX = 2**16  # below this, opening the file costs more than decoding
_SQUARE = 0.01  # relative difference of width and height up to which a pixel counts as square
_UNITS_UM = {"micron": 1.0, "um": 1.0, "µm": 1.0, "nm": 1e-3, "mm": 1e3}
# as OME-Zarr spells them; those named here are read without loading pint
_UNITS_UM |= {"micrometer": 1.0, "nanometer": 1e-3, "millimeter": 1e3, "angstrom": 1e-4}

_Kept = TypeVar("_Kept")


@dataclass(frozen=True)
class ImageInfo:
    """What an image file says of itself.

    Parameters
    ----------
    shape : tuple of int
        ``(T, C, Z, Y, X)``.
    dtype : numpy.dtype
        Of the pixels, in this machine's byte order.
    axes : str
        The file's own axes, such as ``"CYX"``.
    channel_names : tuple of str
        All different: those stated by the file, else ``R``, ``G``, ``B`` or ``C0``, ``C1`` …
    pixel_size_um : float or None
        Pixel size in µm, if the file states it with a unit.
    chunk_shape : tuple of int
        ``(height, width)`` of the pieces that are decoded apart, px.
    """

    shape: tuple[int, int, int, int, int]
    dtype: np.dtype[Any]
    axes: str
    channel_names: tuple[str, ...]
    pixel_size_um: float | None
    chunk_shape: tuple[int, int]


class ImageFile(Protocol):
    """One image of a file; opened when it is first asked for something."""

    @property
    def path(self) -> Path:
        """The file (or folder)."""

    @property
    def info(self) -> ImageInfo:
        """Metadata, read at the first use.

        Raises
        ------
        TileReadError
            Naming the file, if it is missing or no image.
        """

    @property
    def key(self) -> Hashable:
        """What tells these pixels from any others; a change of the file changes it."""

    def chunks(self, channel: int, t: int, z: int) -> Chunks:
        """Give the chunks of one plane; their key need not tell planes apart.

        Raises
        ------
        TileReadError
            Naming the file, if it cannot be read.
        """


def file_state(path: Path) -> tuple[int, int]:
    """Tell one state of a file from another: ``(bytes, ns of the last change)``; zeros where there is none."""
    try:
        found = path.stat()
    except (OSError, ValueError):
        return 0, 0  # reading it says what is wrong, by name
    return found.st_size, found.st_mtime_ns


@dataclass(frozen=True)
class ImagePlane:
    """One channel of an image.

    Parameters
    ----------
    image : ImageFile
        The file.
    channel : int
        Which of its channels.
    expected : int or tuple of str
        How many channels the file must hold, or their names: a channel more would be lost without a word, and
        other names would put one channel's pixels under another's.
    """

    image: ImageFile
    channel: int = 0
    expected: int | tuple[str, ...] = 1

    @property
    def path(self) -> Path:
        """The file."""
        return self.image.path

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """``(T, Z, Y, X)``.

        Raises
        ------
        TileReadError
            If the file cannot be read, or holds other channels than expected.
        """
        (t, count, z, y, x), names = self.image.info.shape, self.image.info.channel_names
        if self.expected not in (count, names):
            one = (
                self.expected if isinstance(self.expected, int) else f"{len(self.expected)} ({listing(self.expected)})"
            )
            raise TileReadError(f"{self.path}: it holds {count} channels ({listing(names)}), expected {one}")
        return t, z, y, x

    @property
    def dtype(self) -> np.dtype[Any]:
        """Of the pixels."""
        return self.image.info.dtype

    @property
    def pixel_size_um(self) -> float | None:
        """Pixel size in µm, if the file states it."""
        return self.image.info.pixel_size_um

    @property
    def key(self) -> Hashable:
        """The image's, and the channel."""
        return self.image.key, self.channel

    def chunks(self, t: int, z: int) -> Chunks:
        """Give the chunks of one plane; see :class:`~napari_slicemap.images.plane.Plane`."""
        found = self.image.chunks(self.channel, t, z)
        found.key = found.key, self.channel, t, z
        return found


def open_image(path: Path, series: int = 0, page: int | None = None) -> ImageFile:
    """Choose how a file is read by its name; it is not opened yet.

    Parameters
    ----------
    path : Path
        A TIFF file, a ``.npy`` file, a Zarr array or OME-Zarr image (a folder), or a dataset in an HDF5 file
        (``tiles.h5/entry/data``; the name may be left out where the file holds one image only).
    series, page : int
        Of a TIFF file.

    Returns
    -------
    ImageFile
        What is of no known kind is taken for a TIFF file; reading it says that it is none.

    Raises
    ------
    FileFormatError
        If a series or page is stated for a file that is no TIFF.
    """
    other = None if path.suffix.lower() in _TIFF_ENDINGS else _other_image(path)
    if other is None:
        from .tiff import TiffImage

        return TiffImage(path, series, page)
    if series or page is not None:
        raise FileFormatError(f"{path}: series and page are of TIFF files, and this is none")
    return other


_TIFF_ENDINGS = (".tif", ".tiff")
_HDF5_ENDINGS = (".h5", ".hdf5", ".hdf")


def _other_image(path: Path) -> ImageFile | None:
    """Give the image if its name is of no TIFF file."""
    if path.suffix.lower() == ".npy":
        from .npy import NpyImage

        return NpyImage(path)
    if within := split_at(path, _HDF5_ENDINGS):
        from .hdf5 import Hdf5Image

        return Hdf5Image(within[0], "/".join(within[1].parts))
    if split_at(path, (".zarr",)) or path.is_dir():
        from .zarr_image import ZarrImage

        return ZarrImage(path)
    return None


def split_at(path: Path, endings: tuple[str, ...]) -> tuple[Path, Path] | None:
    """Split a path after its last part with such an ending: the file (or folder), and the rest within it."""
    for place in range(len(path.parts), 0, -1):
        if path.parts[place - 1].lower().endswith(endings):
            return Path(*path.parts[:place]), Path(*path.parts[place:])
    return None


def image_stem(path: Path) -> str:
    """Name an image by its path: without the endings, and with the place within its file, if one is stated."""
    within = None if path.suffix.lower() in _TIFF_ENDINGS else split_at(path, (*_HDF5_ENDINGS, ".zarr"))
    if within is None:
        return path.stem
    file, rest = within
    stem = file.stem[: -len(".ome")] if file.stem.lower().endswith(".ome") else file.stem
    return "_".join([stem, *rest.parts])


# --- what the formats share ----------------------------------------------------------------------------------
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
    stream.seek(offset)
    found = stream.read(count)
    if len(found) < count:
        raise ValueError(f"the file is cut short: it ends within the {count} bytes at {offset}")
    return found


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
    except Exception as error:
        raise TileReadError(f"{path}: cannot be read as {kind} ({error})") from error


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

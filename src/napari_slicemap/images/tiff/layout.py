"""Where the pixels of a TIFF file lie, and how its strips and tiles are decoded."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ..format_tools import Tiling, own_buffer, plane_index, read_bytes, refuse_beyond_end, rows_of_px, shared_chunk
from ..image import file_state

if TYPE_CHECKING:
    from io import FileIO

    from numpy.typing import NDArray

    _AllocateShape = Callable[[tuple[int, int]], NDArray[Any]]
    _Places = Sequence[tuple[int, int]]

_JPEG = (6, 7, 34892, 33007)
_LOSSLESS = (1, 5, 8, 32946, 50000)  # none, LZW, deflate, zstd
_RUN = 2**22  # bytes that are read at once, if segments follow one another
_GAP = 2**14  # bytes between two of them that are sooner read than skipped


@dataclass(frozen=True)
class Page:
    """Where the pixels of one page lie in its file.

    Parameters
    ----------
    path : Path
        The file; not always the image's.
    state : tuple of int
        That file's, when it was opened.
    offsets, counts : ndarray of int64
        Of its segments, bytes; 0 for one that was never written.
    decode : callable, optional
        tifffile's, ``(bytes, number of the segment)`` → pixels; it works while the file is closed.
    plain : _Plain, optional
        Decodes without tifffile what is no more than this.
    nodata : float
        What a segment that was never written holds.
    tiled : bool
        Whether its segments are tiles.
    """

    path: Path
    state: tuple[int, int]
    offsets: NDArray[np.int64]
    counts: NDArray[np.int64]
    decode: Callable[[bytes, int], NDArray[Any]] | None = None
    plain: _Plain | None = None
    nodata: float = 0
    tiled: bool = False

    def segment(self, stream: FileIO, index: int, keep: bool) -> NDArray[Any] | None:
        """Decode one segment ``(height, width, samples)``; ``None`` for one that was never written."""
        offset, count = self.where(index)
        if count == 0:
            return None

        def load() -> NDArray[Any]:
            return self.decoded(read_bytes(stream, offset, count), index)

        if not keep:
            return load()
        return shared_chunk(self.path, (self.state, offset), load)

    def where(self, index: int) -> tuple[int, int]:
        """Give the offset of a segment, and how many bytes it has: none where it was never written."""
        if not index < min(len(self.offsets), len(self.counts)):
            raise ValueError(f"its table of strips or tiles lacks number {index}")
        offset, count = int(self.offsets[index]), int(self.counts[index])
        # slide scanners state an offset for tiles that they left out, too
        if offset == 0 < count or (count == 0 < offset and not self.tiled):
            raise ValueError(f"its table of strips or tiles says of number {index}: {count} bytes at {offset}")
        return offset, count

    def decoded(self, raw: bytes, index: int) -> NDArray[Any]:
        """Decode a segment ``(height, width, samples)`` by tifffile."""
        assert self.decode is not None, "pages that are read by segments have it"
        return self.decode(raw, index)


class _Job(NamedTuple):
    """A segment to decode: which, and where its pixels in the plane go.

    `whole` is an array of the size that is stored, of which `out` is the part in the plane; ``None`` if there is none.
    """

    number: int
    out: NDArray[Any]
    whole: NDArray[Any] | None


@dataclass(frozen=True)
class _Plain:
    """How segments of one sample a pixel become pixels, if they are stored in one of the usual ways.

    Parameters
    ----------
    unpack : callable
        ``unpack(bytes, out=bytes)`` decompresses, and gives what it has filled of `out`.
    swapped : bool
        Whether the pixels are stored in the other byte order than this machine's.
    differences : bool
        Whether each pixel is stored as its difference to the one at its left (predictor 2).
    """

    unpack: Callable[..., Any]
    swapped: bool
    differences: bool

    def read(self, stream: FileIO, page: Page, jobs: Sequence[_Job], segment: tuple[int, int]) -> None:
        """Decode segments; `segment` is the ``(height, width)`` that is stored of each without a `whole`."""
        loose = np.empty(segment, jobs[0].out.dtype) if any(job.whole is None for job in jobs) else None
        for start, stop, run in _runs(page, jobs):
            refuse_beyond_end(stream, start, stop - start)
            raw = own_buffer(stop - start)[: stop - start]
            stream.seek(start)
            if stream.readinto(raw) < len(raw):
                raise ValueError(f"the file is cut short: it ends within the {len(raw)} bytes at {start}")
            for first, last, (number, out, whole) in run:
                into = loose if whole is None else whole
                height, width = out.shape
                if into is None or not self._fill(into, raw[first:last]):
                    into = page.decoded(bytes(raw[first:last]), number)[:height, :width, 0]
                    if into.shape != out.shape:  # it would be repeated to fill the room
                        raise ValueError(f"strip or tile {number} holds {into.shape} pixels, expected {out.shape}")
                if into is not whole:
                    out[...] = into[:height, :width]

    def _fill(self, whole: NDArray[Any], raw: memoryview) -> bool:
        """Decode a segment; whether it is what it should be: tifffile knows of exceptions, and what to say."""
        try:
            if len(self.unpack(raw, out=whole.reshape(-1).view(np.uint8))) != whole.nbytes:
                return False
        except Exception:
            return False
        if self.swapped:
            whole.byteswap(inplace=True)
        if self.differences:
            import imagecodecs

            imagecodecs.delta_decode(whole, axis=-1, out=whole)
        return True


def _runs(page: Page, jobs: Sequence[_Job]) -> Iterator[tuple[int, int, list[tuple[int, int, _Job]]]]:
    """Give segments that follow one another in the file together: ``(start, stop, [(first, last, job), …])``.

    All in bytes; those of a segment are counted from the start. What was never written is filled here. Threads that
    read each segment by itself would wait for each other as often.
    """
    start = stop = 0
    run: list[tuple[int, int, _Job]] = []
    for job in jobs:
        offset, count = page.where(job.number)
        if count == 0:
            job.out[...] = page.nodata
            continue
        if run and not (0 <= offset - stop <= _GAP and offset + count - start <= _RUN):
            yield start, stop, run
            run = []
        if not run:
            start = offset
        stop = offset + count
        run.append((offset - start, stop - start, job))
    if run:
        yield start, stop, run


def _plain_of(page: Any) -> _Plain | None:
    """Say how the segments of a page are decoded here, ``None`` where they are left to tifffile."""
    import tifffile

    dtype = np.dtype(page.dtype)
    usual = page.samplesperpixel == page.tiledepth == page.fillorder == 1 and page.compression in _LOSSLESS
    whole = dtype.kind in "iuf" and page.bitspersample == 8 * dtype.itemsize
    if not usual or not whole or not (page.predictor == 1 or (page.predictor == 2 and dtype.kind in "iu")):
        return None
    unpack = _uncompressed if page.compression == 1 else tifffile.TIFF.DECOMPRESSORS[page.compression]
    return _Plain(unpack, not stored_dtype(page).isnative, page.predictor == 2)


def _uncompressed(raw: memoryview, out: NDArray[np.uint8]) -> NDArray[np.uint8]:
    filled = out[: len(raw)]
    filled[...] = np.frombuffer(raw[: len(out)], np.uint8)
    return filled


@dataclass(frozen=True)
class _Segments:
    """Tiles or strips, each decoded by itself.

    Parameters
    ----------
    tiling : Tiling
        Of one plane.
    tiled : bool
        Whether they are tiles: those are stored in full at the edges, too.
    planar : bool
        Whether each sample (R, G, B) has its own segments.
    sample : int or None
        Place of the samples among the page's axes.
    """

    tiling: Tiling
    tiled: bool
    planar: bool
    sample: int | None

    @property
    def chunk_shape(self) -> tuple[int, int]:
        return self.tiling.chunk_shape

    def read(
        self, stream: FileIO, page: Page, at: tuple[Any, ...], places: _Places, allocate: _AllocateShape
    ) -> list[NDArray[Any]]:
        if page.plain is not None and self.sample is None:
            return self._read_plain(stream, page, page.plain, places, allocate)
        return [self._read_one(stream, page, at, row, column, allocate) for row, column in places]

    def _read_plain(
        self, stream: FileIO, page: Page, plain: _Plain, places: _Places, allocate: _AllocateShape
    ) -> list[NDArray[Any]]:
        tiling = self.tiling
        jobs: list[_Job] = []

        def add(y: int, x: int, out: NDArray[Any]) -> None:
            exact = not self.tiled or (out.shape == tiling.segment and out.flags.c_contiguous)
            jobs.append(_Job(y * tiling.count[1] + x, out, out if exact else None))

        in_full = self.tiled and tiling.group == (1, 1)
        made = []
        for row, column in places:
            height, width = tiling.cut(row, column)
            whole = allocate(tiling.segment if in_full else (height, width))
            out = whole[:height, :width]
            made.append(out)
            if in_full:
                jobs.append(_Job(row * tiling.count[1] + column, out, whole))
            else:
                tiling.chunk(row, column, out, add)
        plain.read(stream, page, jobs, tiling.segment)
        return made

    def _read_one(
        self, stream: FileIO, page: Page, at: tuple[Any, ...], row: int, column: int, allocate: _AllocateShape
    ) -> NDArray[Any]:
        rows, columns = self.tiling.count
        sample = 0 if self.sample is None else int(at[self.sample])
        first, sample = (sample * rows * columns, 0) if self.planar else (0, sample)
        keep = self.sample is not None and not self.planar

        def segment(y: int, x: int, out: NDArray[Any]) -> None:
            found = page.segment(stream, first + y * columns + x, keep)
            height, width = out.shape
            out[...] = page.nodata if found is None else found[:height, :width, sample]

        return self.tiling.chunk(row, column, allocate(self.tiling.cut(row, column)), segment)


@dataclass(frozen=True)
class _Rows:
    """Uncompressed pixels one after the other; any rows can be read.

    Parameters
    ----------
    axes : str
        Of what is stored in one run.
    shape : tuple of int
        Their lengths.
    dtype : numpy.dtype
        In the file's byte order.
    """

    axes: str
    shape: tuple[int, ...]
    dtype: np.dtype[Any]

    @cached_property
    def chunk_shape(self) -> tuple[int, int]:
        height, width = plane_shape(self.axes, self.shape)
        return rows_of_px(self._row_px, height), width

    @cached_property
    def _row_px(self) -> int:
        return math.prod(self.shape[self.axes.index("Y") + 1 :])

    def read(
        self, stream: FileIO, page: Page, at: tuple[Any, ...], places: _Places, allocate: _AllocateShape
    ) -> list[NDArray[Any]]:
        return [self._read_one(stream, page, at, row, column, allocate) for row, column in places]

    def _read_one(
        self, stream: FileIO, page: Page, at: tuple[Any, ...], row: int, column: int, allocate: _AllocateShape
    ) -> NDArray[Any]:
        y = self.axes.index("Y")
        height = min(self.chunk_shape[0], self.shape[y] - row * self.chunk_shape[0])
        if row < 0 or column != 0 or height <= 0:
            raise IndexError(f"chunk {row}, {column} is out of bounds")
        made = allocate((height, self.chunk_shape[1]))
        if page.where(0)[1] == 0:
            made[...] = page.nodata
            return made
        if any(page.offsets[:-1] + page.counts[:-1] != page.offsets[1:]):
            raise ValueError("its strips do not follow one another as those of its first page do")
        before = int(np.ravel_multi_index(at[:y], self.shape[:y])) if y else 0
        first = (before * self.shape[y] + row * self.chunk_shape[0]) * self._row_px
        size = self.dtype.itemsize
        raw = read_bytes(stream, int(page.offsets[0]) + first * size, height * self._row_px * size)
        pixels = np.frombuffer(raw, self.dtype).reshape(height, *self.shape[y + 1 :])
        made[...] = pixels[(slice(None), *at[y + 1 :])]
        return made


@dataclass(frozen=True)
class Stack:
    """How the planes of an image are spread over its pages.

    Parameters
    ----------
    axes : str
        Of the whole stack.
    shape : tuple of int
        Their lengths.
    paged : int
        How many of the axes, from the first, are counted in pages.
    layout : _Rows or _Segments
        Of each page.
    """

    axes: str
    shape: tuple[int, ...]
    paged: int
    layout: _Rows | _Segments

    @classmethod
    def of(cls, axes: str, shape: tuple[int, ...], paged: int, layout: _Rows | _Segments | None) -> Stack | None:
        """Make one; ``None`` without a layout: then only tifffile knows where the pixels lie."""
        return None if layout is None else cls(axes, shape, paged, layout)

    def place(self, channel: int, t: int, z: int) -> tuple[int, tuple[Any, ...]]:
        """Give the number of a plane's page, and the plane's index in it."""
        at = plane_index(self.axes, self.shape, channel, t, z)
        number = int(np.ravel_multi_index(at[: self.paged], self.shape[: self.paged])) if self.paged else 0
        return number, at[self.paged :]


def layout_of(page: Any) -> _Rows | _Segments | None:
    """Say how a page's pixels can be read in part, ``None`` where they cannot."""
    page = page.keyframe
    if page.is_final:
        return rows_of(page.axes, tuple(page.shape), stored_dtype(page))
    _, depth, height, width, _ = page.shaped
    if not set(page.axes) <= set("YXS") or depth != 1 or (height, width) != plane_shape(page.axes, page.shape):
        return None
    segment = (page.tilelength, page.tilewidth) if page.is_tiled else (min(page.rowsperstrip, height), width)
    sample = page.axes.find("S")
    planar = page.planarconfig == 2
    return _Segments(Tiling((height, width), segment), page.is_tiled, planar, None if sample < 0 else sample)


def rows_of(axes: str, shape: tuple[int, ...], dtype: np.dtype[Any]) -> _Rows | None:
    """Lay uncompressed pixels out in rows; ``None`` where the axes are no rows of pixels."""
    return _Rows(axes, shape, dtype) if -1 < axes.find("Y") < axes.find("X") else None


def stored_dtype(page: Any) -> np.dtype[Any]:
    """Give the type of a page's pixels in the byte order of its file."""
    dtype: np.dtype[Any] = np.dtype(page.dtype)
    return dtype.newbyteorder(page.parent.byteorder)


def page_of(tif: Any, page: Any, own_path: Path) -> Page:
    """Take from a page all that is needed once its file is closed."""
    keyframe = page.keyframe
    jpeg = {"jpegtables": page.jpegtables, "jpegheader": keyframe.jpegheader} if keyframe.compression in _JPEG else {}
    decode = keyframe.decode

    def one(raw: bytes, index: int) -> NDArray[Any]:
        pixels: NDArray[Any] = decode(raw, index, **jpeg)[0][0]
        return pixels

    path = own_path if page.parent is tif else Path(page.parent.filehandle.path)
    # where tifffile knows that the strips make one run, the first says where it begins
    strips = 1 if page is keyframe and page.is_final else None
    return Page(
        path,
        file_state(path),
        np.array(page.dataoffsets[:strips], np.int64),
        np.array(page.databytecounts[:strips], np.int64),
        one,
        _plain_of(keyframe),
        keyframe.nodata,
        keyframe.is_tiled,
    )


def plane_shape(axes: str, shape: Sequence[int]) -> tuple[int, int]:
    """Give ``(height, width)``; zeros where there is no such axis, which is refused elsewhere."""
    height, width = (shape[axes.index(axis)] if axis in axes else 0 for axis in "YX")
    return height, width

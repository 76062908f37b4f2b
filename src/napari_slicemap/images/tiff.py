"""TIFF files as planes: metadata read once and kept, pixels read chunk by chunk."""

from __future__ import annotations

import logging
import math
import re
import threading
from collections.abc import Callable, Hashable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from .image import (
    ImageInfo,
    Recent,
    Tiling,
    copied,
    describe,
    file_state,
    named,
    own_buffer,
    plane_index,
    read_bytes,
    refuse_changed,
    rows_of_px,
    shared_chunk,
    square_size_um,
    unit_um,
)
from .plane import Chunks

if TYPE_CHECKING:
    from io import FileIO
    from xml.etree.ElementTree import Element

    from numpy.typing import NDArray

    from .cache import Allocate

    _AllocateShape = Callable[[tuple[int, int]], NDArray[Any]]
    _Places = Sequence[tuple[int, int]]

_PAGES = 64  # how many pages' tables are read at once: a long stack need not be read whole to show one plane
_KIND = "a TIFF image"
_JPEG = (6, 7, 34892, 33007)
_LOSSLESS = (1, 5, 8, 32946, 50000)  # none, LZW, deflate, zstd
_RUN = 2**22  # bytes that are read at once, if segments follow one another
_GAP = 2**14  # bytes between two of them that are sooner read than skipped


@dataclass(frozen=True)
class TiffImage:
    """One image of a TIFF file, opened when needed.

    Parameters
    ----------
    path : Path
        The file.
    series : int
        Which series of the file.
    page : int, optional
        Only this page of the series, as a single plane.
    """

    path: Path
    series: int = 0
    page: int | None = None

    @cached_property
    def info(self) -> ImageInfo:
        """Metadata, read at the first use.

        Raises
        ------
        TileReadError
            Naming the file, if it is missing or no TIFF image.
        """
        with named(self.path, _KIND):
            return self._opened(self.key).info

    @property
    def key(self) -> Hashable:
        """Of the file as it is now."""
        return "tiff", self.path, self.series, self.page, *file_state(self.path)

    def chunks(self, channel: int, t: int, z: int) -> Chunks:
        """Give the chunks of one plane; see :class:`~napari_slicemap.images.image.ImageFile`."""
        info, key = self.info, self.key
        with named(self.path, _KIND):
            opened = self._opened(key)
            refuse_changed(self.path, info, opened.info)
        if opened.stack is None:
            return Chunks(
                key, info.chunk_shape, lambda _, allocate: [copied(self._read_whole(channel, t, z), allocate)]
            )
        stack, layout = opened.stack, opened.stack.layout

        def read(places: _Places, allocate: Allocate) -> list[NDArray[Any]]:
            # what is in a cache need not be opened
            with named(self.path, _KIND):
                number, inner = stack.place(channel, t, z)
                page = self._page_at(number, info)
                with open(page.path, "rb", buffering=0) as stream:  # noqa: PTH123 - a path would take twice the time
                    return layout.read(stream, page, inner, places, lambda shape: allocate(shape, info.dtype))

        return Chunks(key, info.chunk_shape, read)

    def _page_at(self, number: int, info: ImageInfo) -> _Page:
        """Say where a page lies; OME-TIFF may be spread over several files, each of which may come, go and change."""
        block, within = divmod(number, _PAGES)
        key = self.key
        opened = self._opened(key, block)
        page = opened.pages[within]
        if page is None or (page.path != self.path and file_state(page.path) != page.state):
            _OPENED.forget((key, block))
            opened = self._opened(key, block)
            page = opened.pages[within]
        refuse_changed(self.path, info, opened.info)
        if page is None:
            raise ValueError(f"page {number} lies in another file, which is missing")
        return page

    def _opened(self, key: Hashable, block: int = 0) -> _Opened:
        """Give what is known of the file in the state of a key, and where the pixels of some of its pages lie."""
        return _OPENED.get((key, block), lambda: self._open(block))

    def _open(self, block: int) -> _Opened:
        import tifffile

        with _heard() as complaints, tifffile.TiffFile(self.path) as tif:
            series = self._series(tif)
            stack, pages = self._stack(tif, series, block)
            found = self._describe(tif, series, stack)
            _refuse_cut_short(complaints)
            return _Opened(found, stack, pages)

    def _describe(self, tif: Any, series: Any, stack: _Stack | None) -> ImageInfo:
        part = series if self.page is None else self._page(series, self.page)
        axes, shape = part.axes, part.shape
        chunk_shape = stack.layout.chunk_shape if stack else _plane_shape(axes, shape)
        ome = _ome_pixels(tif, self.series)
        plain = describe(axes, shape, np.dtype(series.dtype), chunk_shape)
        stated = _imagej_names(tif, plain.shape[1]) if ome is None else _ome_names(ome)
        size = _imagej_pixel_size_um(tif) if ome is None else _ome_pixel_size_um(ome)
        return describe(axes, shape, plain.dtype, chunk_shape, stated, size)

    def _stack(self, tif: Any, series: Any, block: int) -> tuple[_Stack | None, tuple[_Page | None, ...]]:
        """Find out where the pixels lie; ``None`` where only tifffile knows."""
        if self.page is not None:
            page = self._page(series, self.page)
            layout = _layout_of(page)
            return _Stack.of(page.axes, page.shape, 0, layout), (_page(tif, page, self.path),)
        keyframe, axes, shape = series.keyframe, series.axes, tuple(series.shape)
        paged = len(axes) - len(keyframe.axes)
        if axes.endswith(keyframe.axes) and len(series.pages) == math.prod(shape[:paged]):
            layout = _layout_of(keyframe)
            some = range(block * _PAGES, min(len(series.pages), (block + 1) * _PAGES)) if layout else ()
            pages = tuple(None if (page := series.pages[n]) is None else _page(tif, page, self.path) for n in some)
            return _Stack.of(axes, shape, paged, layout), pages
        if series.dataoffset is not None:  # one page says where all planes lie, as ImageJ has it
            run = _Page(self.path, (0, 0), np.array([series.dataoffset]), np.array([math.prod(shape)]))
            return _Stack.of(axes, shape, 0, _rows_of(axes, shape, _stored_dtype(keyframe))), (run,)
        return None, ()

    def _series(self, tif: Any) -> Any:
        if not self.series < len(tif.series):
            raise ValueError(f"series {self.series} does not exist (there are {len(tif.series)}, counted from 0)")
        return tif.series[self.series]

    def _page(self, series: Any, number: int) -> Any:
        if not number < len(series.pages):
            raise ValueError(f"page {number} does not exist (there are {len(series.pages)}, counted from 0)")
        page = series.pages[number]
        if page is None:  # OME-TIFF may be spread over several files
            raise ValueError(f"page {number} lies in another file, which is missing")
        return page

    def _read_whole(self, channel: int, t: int, z: int) -> NDArray[Any]:
        """Decode a plane by tifffile: the page that holds it, or the whole series where a page holds many planes."""
        import tifffile

        with named(self.path, _KIND), _heard() as complaints, tifffile.TiffFile(self.path) as tif:
            plane = self._plane(self._series(tif), channel, t, z)
            _refuse_cut_short(complaints)
            return plane.astype(self.info.dtype, copy=False)

    def _plane(self, series: Any, channel: int, t: int, z: int) -> NDArray[Any]:
        if self.page is not None:
            page = self._page(series, self.page)
            return _upright(page.asarray()[plane_index(page.axes, page.shape, channel, t, z)], page.axes)
        at = plane_index(series.axes, series.shape, channel, t, z)
        paged = len(series.axes) - len(series.keyframe.axes)
        pages = series.shape[:paged]
        if series.axes.endswith(series.keyframe.axes) and len(series.pages) == math.prod(pages):
            number = int(np.ravel_multi_index(at[:paged], pages)) if paged else 0
            return _upright(self._page(series, number).asarray()[at[paged:]], series.axes)
        return _upright(series.asarray()[at], series.axes)


# --- where the pixels lie ------------------------------------------------------------------------------------
@dataclass(frozen=True)
class _Page:
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
    """

    path: Path
    state: tuple[int, int]
    offsets: NDArray[np.int64]
    counts: NDArray[np.int64]
    decode: Callable[[bytes, int], NDArray[Any]] | None = None
    plain: _Plain | None = None
    nodata: float = 0

    def segment(self, stream: FileIO, index: int, keep: bool) -> NDArray[Any] | None:
        """Decode one segment ``(height, width, samples)``; ``None`` for one that was never written."""
        offset, count = self.where(index)
        if offset == 0 or count == 0:
            return None

        def load() -> NDArray[Any]:
            return self.decoded(read_bytes(stream, offset, count), index)

        if not keep:
            return load()
        return shared_chunk(self.path, (self.state, offset), load)

    def where(self, index: int) -> tuple[int, int]:
        """Give the offset of a segment, and how many bytes it has."""
        if not index < min(len(self.offsets), len(self.counts)):
            raise ValueError(f"its table of strips or tiles lacks number {index}")
        return int(self.offsets[index]), int(self.counts[index])

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

    def read(self, stream: FileIO, page: _Page, jobs: Sequence[_Job], segment: tuple[int, int]) -> None:
        """Decode segments; `segment` is the ``(height, width)`` that is stored of each without a `whole`."""
        loose = np.empty(segment, jobs[0].out.dtype) if any(job.whole is None for job in jobs) else None
        for start, stop, run in _runs(page, jobs):
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


def _runs(page: _Page, jobs: Sequence[_Job]) -> Iterator[tuple[int, int, list[tuple[int, int, _Job]]]]:
    """Give segments that follow one another in the file together: ``(start, stop, [(first, last, job), …])``.

    All in bytes; those of a segment are counted from the start. What was never written is filled here. Threads that
    read each segment by itself would wait for each other as often.
    """
    start = stop = 0
    run: list[tuple[int, int, _Job]] = []
    for job in jobs:
        offset, count = page.where(job.number)
        if offset == 0 or count == 0:
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
    return _Plain(unpack, not _stored_dtype(page).isnative, page.predictor == 2)


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
        self, stream: FileIO, page: _Page, at: tuple[Any, ...], places: _Places, allocate: _AllocateShape
    ) -> list[NDArray[Any]]:
        if page.plain is not None and self.sample is None:
            return self._read_plain(stream, page, page.plain, places, allocate)
        return [self._read_one(stream, page, at, row, column, allocate) for row, column in places]

    def _read_plain(
        self, stream: FileIO, page: _Page, plain: _Plain, places: _Places, allocate: _AllocateShape
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
        self, stream: FileIO, page: _Page, at: tuple[Any, ...], row: int, column: int, allocate: _AllocateShape
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
        height, width = _plane_shape(self.axes, self.shape)
        return rows_of_px(self._row_px, height), width

    @cached_property
    def _row_px(self) -> int:
        return math.prod(self.shape[self.axes.index("Y") + 1 :])

    def read(
        self, stream: FileIO, page: _Page, at: tuple[Any, ...], places: _Places, allocate: _AllocateShape
    ) -> list[NDArray[Any]]:
        return [self._read_one(stream, page, at, row, column, allocate) for row, column in places]

    def _read_one(
        self, stream: FileIO, page: _Page, at: tuple[Any, ...], row: int, column: int, allocate: _AllocateShape
    ) -> NDArray[Any]:
        y = self.axes.index("Y")
        height = min(self.chunk_shape[0], self.shape[y] - row * self.chunk_shape[0])
        if row < 0 or column != 0 or height <= 0:
            raise IndexError(f"chunk {row}, {column} is out of bounds")
        made = allocate((height, self.chunk_shape[1]))
        if page.offsets[0] == 0 or page.counts[0] == 0:
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
class _Stack:
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
    def of(cls, axes: str, shape: tuple[int, ...], paged: int, layout: _Rows | _Segments | None) -> _Stack | None:
        return None if layout is None else cls(axes, shape, paged, layout)

    def place(self, channel: int, t: int, z: int) -> tuple[int, tuple[Any, ...]]:
        """Give the number of a plane's page, and the plane's index in it."""
        at = plane_index(self.axes, self.shape, channel, t, z)
        number = int(np.ravel_multi_index(at[: self.paged], self.shape[: self.paged])) if self.paged else 0
        return number, at[self.paged :]


@dataclass(frozen=True)
class _Opened:
    """What is kept of a file: its metadata, and where the pixels of a block of pages lie."""

    info: ImageInfo
    stack: _Stack | None
    pages: tuple[_Page | None, ...]


_OPENED: Recent[_Opened] = Recent(2048)


def _layout_of(page: Any) -> _Rows | _Segments | None:
    """Say how a page's pixels can be read in part, ``None`` where they cannot."""
    page = page.keyframe
    if page.is_final:
        return _rows_of(page.axes, tuple(page.shape), _stored_dtype(page))
    _, depth, height, width, _ = page.shaped
    if not set(page.axes) <= set("YXS") or depth != 1 or (height, width) != _plane_shape(page.axes, page.shape):
        return None
    segment = (page.tilelength, page.tilewidth) if page.is_tiled else (min(page.rowsperstrip, height), width)
    sample = page.axes.find("S")
    planar = page.planarconfig == 2
    return _Segments(Tiling((height, width), segment), page.is_tiled, planar, None if sample < 0 else sample)


def _rows_of(axes: str, shape: tuple[int, ...], dtype: np.dtype[Any]) -> _Rows | None:
    return _Rows(axes, shape, dtype) if -1 < axes.find("Y") < axes.find("X") else None


def _stored_dtype(page: Any) -> np.dtype[Any]:
    dtype: np.dtype[Any] = np.dtype(page.dtype)
    return dtype.newbyteorder(page.parent.byteorder)


def _page(tif: Any, page: Any, own_path: Path) -> _Page:
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
    return _Page(
        path,
        file_state(path),
        np.array(page.dataoffsets[:strips], np.int64),
        np.array(page.databytecounts[:strips], np.int64),
        one,
        _plain_of(keyframe),
        keyframe.nodata,
    )


def _plane_shape(axes: str, shape: Sequence[int]) -> tuple[int, int]:
    """Give ``(height, width)``; zeros where there is no such axis, which is refused elsewhere."""
    height, width = (shape[axes.index(axis)] if axis in axes else 0 for axis in "YX")
    return height, width


def _upright(plane: Any, axes: str) -> NDArray[Any]:
    found: NDArray[Any] = np.asarray(plane)
    return found.T if axes.index("X") < axes.index("Y") else found


# --- what the file says of itself ------------------------------------------------------------------------------
@contextmanager
def _heard() -> Iterator[list[str]]:
    """Gather what tifffile logs in this thread, instead of letting it onto a user's terminal."""
    complaints: list[str] = []
    handler, thread = logging.Handler(), threading.get_ident()
    handler.emit = lambda record: complaints.append(record.getMessage())  # type: ignore[method-assign]
    handler.addFilter(lambda record: record.thread == thread)
    logger = logging.getLogger("tifffile")
    logger.addHandler(handler)
    try:
        yield complaints
    finally:
        logger.removeHandler(handler)


def _refuse_cut_short(complaints: Sequence[str]) -> None:
    # tifffile gives the pages before the cut as if they were all there are, and goes on without a description (tag 270)
    if any("invalid page offset" in complaint or "TiffTag 270 " in complaint for complaint in complaints):
        raise ValueError("the file is cut short: some of its pages or its description are missing")


def _ome_pixels(tif: Any, series: int) -> Element | None:
    """Give the ``Pixels`` element of a series, ``None`` where the file is no OME-TIFF."""
    if not tif.is_ome:
        return None
    from xml.etree import ElementTree as ET

    images = ET.fromstring(tif.ome_metadata).findall("{*}Image")
    return images[series].find("{*}Pixels") if series < len(images) else None


def _ome_names(pixels: Element) -> list[str]:
    return [channel.get("Name", "").strip() for channel in pixels.findall("{*}Channel")]


def _ome_pixel_size_um(pixels: Element) -> float | None:
    sizes = []
    for axis in "XY":
        unit = unit_um(pixels.get(f"PhysicalSize{axis}Unit", "µm"))
        stated = pixels.get(f"PhysicalSize{axis}")
        sizes.append(None if stated is None or unit is None else float(stated) * unit)
    return square_size_um(*sizes)


def _imagej_names(tif: Any, count: int) -> list[str]:
    """Read the slice labels of a plain channel stack; those of a hyperstack name planes, not channels."""
    labels = (tif.imagej_metadata or {}).get("Labels") or []
    names = [str(label).strip() for label in ([labels] if isinstance(labels, str) else labels)]
    return names if len(names) == len(set(names)) == count else []


def _imagej_pixel_size_um(tif: Any) -> float | None:
    """Give the pixel size in ImageJ's unit; plain TIFF resolution is print size and says nothing."""
    stated = str((tif.imagej_metadata or {}).get("unit", ""))
    # ImageJ writes µ as an escape
    unit = unit_um(re.sub(r"\\u00[bB]5", "µ", stated))
    tag = tif.pages[0].tags.get("XResolution")
    if unit is None or tag is None or not all(tag.value):
        return None
    pixels, units = tag.value
    return float(units / pixels * unit)

"""TIFF files as planes: metadata read once and kept, pixels read chunk by chunk."""

from __future__ import annotations

import logging
import math
import struct
import threading
from collections.abc import Hashable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..format_tools import Recent, copied, describe, named, plane_index, refuse_changed, refuse_pipe
from ..image import ImageInfo, file_state
from ..plane import Chunks
from .layout import Page, Stack, layout_of, page_of, plane_shape, rows_of, stored_dtype
from .metadata import Said, said_by

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..cache import Allocate

_PAGES = 64  # how many pages' tables are read at once: a long stack need not be read whole to show one plane
_KIND = "a TIFF image"


@dataclass(frozen=True)
class TiffImage:
    """One image of a TIFF file, opened when needed.

    Parameters
    ----------
    path : Path
        The file.
    series : int or None
        Which series of the file; ``None`` counts the pages as they lie in the file, whatever its description says.
    page : int, optional
        Only this page of the series, as a single plane.
    """

    path: Path
    series: int | None = 0
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
            refuse_pipe(self.path)
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

        def read(places: Sequence[tuple[int, int]], allocate: Allocate) -> list[NDArray[Any]]:
            # what is in a cache need not be opened
            with named(self.path, _KIND):
                number, inner = stack.place(channel, t, z)
                page = self._page_at(number, info)
                with open(page.path, "rb", buffering=0) as stream:  # noqa: PTH123 - a path would take twice the time
                    return layout.read(stream, page, inner, places, lambda shape: allocate(shape, info.dtype))

        return Chunks(key, info.chunk_shape, read)

    def _page_at(self, number: int, info: ImageInfo) -> Page:
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

        with heard() as complaints, tifffile.TiffFile(self.path) as tif:
            found = self._read(tif, block)
            if self.series is None and self.page is not None:
                self._read_ahead(tif, self.page)
            _refuse_cut_short(complaints)
            return found

    def _read(self, tif: Any, block: int) -> _Opened:
        series = self._series(tif)
        stack, pages = self._stack(tif, series, block)
        return _Opened(self._describe(tif, series, stack), stack, pages)

    def _read_ahead(self, tif: Any, page: int) -> None:
        """Keep what is known of the next pages, too: to find one, a file must be read page by page from the first."""
        for number in range(page + 1, page + _PAGES):
            image = TiffImage(self.path, None, number)
            try:
                found = image._read(tif, 0)
            except (ValueError, ArithmeticError, LookupError, struct.error):
                return  # there is no such page, or asking for it says what is wrong with it
            _OPENED.get((image.key, 0), partial(_same, found))

    def _describe(self, tif: Any, series: Any, stack: Stack | None) -> ImageInfo:
        part = series if self.page is None else self._page(series, self.page)
        axes, shape = part.axes, part.shape
        chunk_shape = stack.layout.chunk_shape if stack else plane_shape(axes, shape)
        plain = describe(axes, shape, np.dtype(part.dtype), chunk_shape)
        said = Said() if self.series is None else said_by(tif, self.series, plain.shape)
        known = describe(axes, shape, plain.dtype, chunk_shape, said.channel_names, said.pixel_size_um)
        return replace(known, z_step_um=said.z_step_um, times_s=None if self.page is not None else said.times_s)

    def _stack(self, tif: Any, series: Any, block: int) -> tuple[Stack | None, tuple[Page | None, ...]]:
        """Find out where the pixels lie; ``None`` where only tifffile knows."""
        if self.page is not None:
            page = self._page(series, self.page)
            layout = layout_of(page)
            return Stack.of(page.axes, page.shape, 0, layout), (page_of(tif, page, self.path),)
        keyframe, axes, shape = series.keyframe, series.axes, tuple(series.shape)
        paged = len(axes) - len(keyframe.axes)
        if axes.endswith(keyframe.axes) and len(series.pages) == math.prod(shape[:paged]):
            layout = layout_of(keyframe)
            some = range(block * _PAGES, min(len(series.pages), (block + 1) * _PAGES)) if layout else ()
            pages = tuple(None if (page := series.pages[n]) is None else page_of(tif, page, self.path) for n in some)
            return Stack.of(axes, shape, paged, layout), pages
        if series.dataoffset is not None:  # one page says where all planes lie, as ImageJ has it
            run = Page(self.path, (0, 0), np.array([series.dataoffset]), np.array([math.prod(shape)]))
            return Stack.of(axes, shape, 0, rows_of(axes, shape, stored_dtype(keyframe))), (run,)
        return None, ()

    def _series(self, tif: Any) -> Any:
        if self.series is None:
            return _AllPages(tif.pages)
        if not self.series < len(tif.series):
            raise ValueError(f"series {self.series} does not exist (there are {len(tif.series)}, counted from 0)")
        return tif.series[self.series]

    def _page(self, series: Any, number: int) -> Any:
        try:
            page = series.pages[number]
        except IndexError:  # asked first, a file would count its pages for it: one after the other
            raise ValueError(f"page {number} does not exist (there are {len(series.pages)}, counted from 0)") from None
        if page is None:  # OME-TIFF may be spread over several files
            raise ValueError(f"page {number} lies in another file, which is missing")
        return page

    def _read_whole(self, channel: int, t: int, z: int) -> NDArray[Any]:
        """Decode a plane by tifffile: the page that holds it, or the whole series where a page holds many planes."""
        import tifffile

        with named(self.path, _KIND), heard() as complaints, tifffile.TiffFile(self.path) as tif:
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


@dataclass(frozen=True)
class _AllPages:
    """The pages of a file in the place of a series."""

    pages: Any


@dataclass(frozen=True)
class _Opened:
    """What is kept of a file: its metadata, and where the pixels of a block of pages lie."""

    info: ImageInfo
    stack: Stack | None
    pages: tuple[Page | None, ...]


_OPENED: Recent[_Opened] = Recent(2048)


def _same(found: _Opened) -> _Opened:
    return found


def _upright(plane: Any, axes: str) -> NDArray[Any]:
    found: NDArray[Any] = np.asarray(plane)
    return found.T if axes.index("X") < axes.index("Y") else found


# --- what the file says of itself ------------------------------------------------------------------------------
@dataclass(frozen=True)
class FirstPage:
    """What the first page of a TIFF file says.

    Parameters
    ----------
    description : str
        Empty where there is none.
    size_px : tuple of int
        ``(width, height)``.
    metaseries : mapping
        What MetaMorph and MetaXpress say of it; empty where another program wrote the file.
    """

    description: str
    size_px: tuple[int, int]
    metaseries: Mapping[str, Any]


def first_page(path: Path, kind: str = _KIND) -> FirstPage:
    """Read what the first page of a TIFF file says; no pixel is read, and no other file.

    Parameters
    ----------
    path : Path
        The file.
    kind : str
        What it is taken for, for messages.

    Raises
    ------
    TileReadError
        Naming the file, if it is missing or no TIFF file.
    """
    import tifffile

    with named(path, kind):
        refuse_pipe(path)
        with heard() as complaints, tifffile.TiffFile(path) as tif:
            page = tif.pages.first
            size = int(page.imagewidth), int(page.imagelength)
            found = FirstPage(str(page.description), size, tif.metaseries_metadata or {})
            _refuse_cut_short(complaints)
            return found


@contextmanager
def heard() -> Iterator[list[str]]:
    """Gather what tifffile logs in this thread, instead of letting it onto a user's terminal.

    Yields
    ------
    list of str
        The complaints so far.
    """
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

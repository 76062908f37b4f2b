"""TIFF files as planes: metadata read once, pixels read when asked for."""

from __future__ import annotations

import logging
import math
import re
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import TileReadError
from ..units import length_um

if TYPE_CHECKING:
    from pathlib import Path
    from xml.etree.ElementTree import Element

    from numpy.typing import NDArray

    from .region import Window

# axes that tifffile names in files of unknown make; a run of such images is taken as channels
_CHANNEL_AXES = "CIQS"
_UNITS_UM = {"micron": 1.0, "um": 1.0, "µm": 1.0, "nm": 1e-3, "mm": 1e3}
_SQUARE = 0.01  # relative difference of width and height up to which a pixel counts as square


@dataclass(frozen=True)
class TiffInfo:
    """What a TIFF file says of itself.

    Parameters
    ----------
    shape : tuple of int
        ``(T, C, Z, Y, X)``.
    dtype : numpy.dtype
        Of the pixels.
    axes : str
        The file's own axes, such as ``"CYX"``.
    channel_names : tuple of str
        All different: those stated by the file, else ``R``, ``G``, ``B`` or ``C0``, ``C1`` …
    pixel_size_um : float or None
        Pixel size in µm, if the file states it with a unit.
    """

    shape: tuple[int, int, int, int, int]
    dtype: np.dtype[Any]
    axes: str
    channel_names: tuple[str, ...]
    pixel_size_um: float | None


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
    def info(self) -> TiffInfo:
        """Metadata, read at the first use.

        Raises
        ------
        TileReadError
            Naming the file, if it is missing or no TIFF image.
        """
        import tifffile

        try:
            with _heard() as complaints, tifffile.TiffFile(self.path) as tif:
                found = self._describe(tif)
                _refuse_cut_short(complaints)
                return found
        except Exception as error:
            raise self._unreadable(error) from error

    def _describe(self, tif: Any) -> TiffInfo:
        series = self._series(tif)
        part = series if self.page is None else self._page(series, self.page)
        axes, shape = part.axes, part.shape
        if unknown := set(axes) - set("TZYX" + _CHANNEL_AXES) or {"Y", "X"} - set(axes):
            raise ValueError(f"axes {axes} hold {', '.join(sorted(unknown))}, which is no T, C, Z, Y or X")
        dtype = np.dtype(series.dtype)
        if dtype.kind not in "buif":
            raise ValueError(f"pixels of type {dtype} cannot be shown")
        sizes = dict(zip(axes, shape, strict=True))
        count = math.prod(size for axis, size in zip(axes, shape, strict=True) if axis in _CHANNEL_AXES)
        full = (sizes.get("T", 1), count, sizes.get("Z", 1), sizes["Y"], sizes["X"])
        ome = _ome_pixels(tif, self.series)
        stated = _imagej_names(tif, count) if ome is None else _ome_names(ome)
        size = _imagej_pixel_size_um(tif) if ome is None else _ome_pixel_size_um(ome)
        return TiffInfo(full, dtype, axes, _channel_names(stated, count, axes), size)

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

    def read(self, channel: int, t: int, z: int, window: Window) -> NDArray[Any]:
        """Read a window of one plane.

        Parameters
        ----------
        channel, t, z : int
            Which plane.
        window : Window
            Within the image, px.

        Returns
        -------
        ndarray, (H, W)
            In the file's dtype.

        Raises
        ------
        TileReadError
            Naming the file, if it cannot be read.
        """
        import tifffile

        try:
            with _heard() as complaints, tifffile.TiffFile(self.path) as tif:
                plane = self._plane(self._series(tif), channel, t, z)
                _refuse_cut_short(complaints)
                return np.array(plane[window.y0 : window.y1, window.x0 : window.x1])
        except Exception as error:
            raise self._unreadable(error) from error

    def _plane(self, series: Any, channel: int, t: int, z: int) -> NDArray[Any]:
        """Decode the one page that holds a plane, or the whole series where a page holds many planes."""
        if self.page is not None:
            page = self._page(series, self.page)
            return np.asarray(page.asarray()[_index(page.axes, page.shape, channel, t, z)])
        at = _index(series.axes, series.shape, channel, t, z)
        paged = len(series.axes) - len(series.keyframe.axes)
        pages = series.shape[:paged]
        if series.axes.endswith(series.keyframe.axes) and len(series.pages) == math.prod(pages):
            number = int(np.ravel_multi_index(at[:paged], pages)) if paged else 0
            return np.asarray(self._page(series, number).asarray()[at[paged:]])
        return np.asarray(series.asarray()[at])

    def _unreadable(self, error: Exception) -> TileReadError:
        if isinstance(error, FileNotFoundError):
            return TileReadError(f"{self.path}: there is no such file")
        return TileReadError(f"{self.path}: cannot be read as a TIFF image ({error})")


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


def _index(axes: str, shape: tuple[int, ...], channel: int, t: int, z: int) -> tuple[Any, ...]:
    """Index every axis but Y and X; several channel axes count as one, the last of them fastest."""
    places = [place for place, axis in enumerate(axes) if axis in _CHANNEL_AXES]
    picked = np.unravel_index(channel, tuple(shape[place] for place in places)) if places else ()
    of_place = dict(zip(places, map(int, picked), strict=True))
    of_axis = {"T": t, "Z": z, "Y": slice(None), "X": slice(None)}
    return tuple(of_place[place] if place in of_place else of_axis[axis] for place, axis in enumerate(axes))


def _channel_names(stated: Sequence[str], count: int, axes: str) -> tuple[str, ...]:
    """Take the names stated if there is one a channel; those that stand twice get their channel's number."""
    if len(stated) != count or not all(stated):
        rgb = "RGBA"[:count] if "S" in axes and count <= len("RGBA") else ""
        return tuple(rgb) or tuple(f"C{index}" for index in range(count))
    return tuple(name if stated.count(name) == 1 else f"{name} (C{index})" for index, name in enumerate(stated))


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
        unit = _unit_um(pixels.get(f"PhysicalSize{axis}Unit", "µm"))
        stated = pixels.get(f"PhysicalSize{axis}")
        sizes.append(None if stated is None or unit is None else float(stated) * unit)
    width, height = sizes
    if width and height and abs(width / height - 1) > _SQUARE:
        raise ValueError(f"its pixels are {width:g} × {height:g} µm; only square pixels can be shown")
    return width if width is not None and 0 < width < math.inf else None


def _imagej_names(tif: Any, count: int) -> list[str]:
    """Read the slice labels of a plain channel stack; those of a hyperstack name planes, not channels."""
    labels = (tif.imagej_metadata or {}).get("Labels") or []
    names = [str(label).strip() for label in ([labels] if isinstance(labels, str) else labels)]
    return names if len(names) == len(set(names)) == count else []


def _imagej_pixel_size_um(tif: Any) -> float | None:
    """Give the pixel size in ImageJ's unit; plain TIFF resolution is print size and says nothing."""
    stated = str((tif.imagej_metadata or {}).get("unit", ""))
    # ImageJ writes µ as an escape
    unit = _unit_um(re.sub(r"\\u00[bB]5", "µ", stated))
    tag = tif.pages[0].tags.get("XResolution")
    if unit is None or tag is None or not all(tag.value):
        return None
    pixels, units = tag.value
    return float(units / pixels * unit)


def _unit_um(unit: str) -> float | None:
    """Give a unit in µm; ``None`` for what is no length, such as OME's "pixel" and "reference frame"."""
    if unit in _UNITS_UM:
        return _UNITS_UM[unit]
    try:
        return length_um(f"1 {unit}") if unit else None
    except ValueError:
        return None

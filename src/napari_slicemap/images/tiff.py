"""TIFF files as planes: metadata read once, pixels read when asked for."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import TileReadError

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from .region import Window

# axes that tifffile names in files of unknown make; a run of such images is taken as channels
_CHANNEL_AXES = "CIQS"
_UNITS_UM = {"micron": 1.0, "um": 1.0, "µm": 1.0, "\\u00b5m": 1.0, "nm": 1e-3, "mm": 1e3, "cm": 1e4}


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
        Names stated by the file, else ``C0``, ``C1`` …
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
            with tifffile.TiffFile(self.path) as tif:
                return self._describe(tif)
        except Exception as error:
            raise self._unreadable(error) from error

    def _describe(self, tif: Any) -> TiffInfo:
        series = tif.series[self.series]
        axes, shape = (series.axes, series.shape) if self.page is None else _page_axes(series, self.page)
        sizes = dict(zip(axes, shape, strict=True))
        if unknown := set(axes) - set("TZYX" + _CHANNEL_AXES) or {"Y", "X"} - set(axes):
            raise ValueError(f"axes {axes} hold {', '.join(sorted(unknown))}, which is no T, C, Z, Y or X")
        count = math.prod(sizes.get(axis, 1) for axis in _CHANNEL_AXES)
        full = (sizes.get("T", 1), count, sizes.get("Z", 1), sizes["Y"], sizes["X"])
        names = _stated_names(tif, count) or (("R", "G", "B", "A")[:count] if "S" in axes else ())
        if len(names) != count:
            names = tuple(f"C{index}" for index in range(count))
        return TiffInfo(full, np.dtype(series.dtype), axes, tuple(names), _pixel_size_um(tif))

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
            with tifffile.TiffFile(self.path) as tif:
                plane = self._plane(tif.series[self.series], channel, t, z)
                return np.array(plane[window.y0 : window.y1, window.x0 : window.x1])
        except Exception as error:
            raise self._unreadable(error) from error

    def _plane(self, series: Any, channel: int, t: int, z: int) -> NDArray[Any]:
        """Decode the one page that holds a plane, or the whole series where a page holds many planes."""
        if self.page is not None:
            page = series.pages[self.page]
            return _pick(page.asarray(), page.axes, {"S": channel})
        axes, shape = series.axes, series.shape
        channel_axes = [axis for axis in axes if axis in _CHANNEL_AXES]
        sizes = dict(zip(axes, shape, strict=True))
        picked = np.unravel_index(channel, tuple(sizes[axis] for axis in channel_axes))
        index = {"T": t, "Z": z, **{a: int(i) for a, i in zip(channel_axes, picked, strict=True)}}
        paged = axes[: len(axes) - len(series.keyframe.axes)]
        if len(series.pages) == math.prod(sizes[axis] for axis in paged):
            at = np.ravel_multi_index([index[a] for a in paged], [sizes[a] for a in paged]) if paged else 0
            page = series.pages[int(at)]
            return _pick(page.asarray(), series.keyframe.axes, index)
        return _pick(series.asarray(), axes, index)

    def _unreadable(self, error: Exception) -> TileReadError:
        if isinstance(error, FileNotFoundError):
            return TileReadError(f"{self.path}: there is no such file")
        return TileReadError(f"{self.path}: cannot be read as a TIFF image ({error})")


def _page_axes(series: Any, page: int) -> tuple[str, tuple[int, ...]]:
    found = series.pages[page]
    return found.axes, found.shape


def _pick(array: NDArray[Any], axes: str, index: dict[str, int]) -> NDArray[Any]:
    """Index every axis but Y and X."""
    return array[tuple(slice(None) if axis in "YX" else index.get(axis, 0) for axis in axes)]


def _stated_names(tif: Any, count: int) -> tuple[str, ...]:
    """Give channel names from OME-XML, or from ImageJ's slice labels of a plain channel stack."""
    if tif.is_ome:
        import tifffile

        image = tifffile.xml2dict(tif.ome_metadata)["OME"].get("Image", {})
        image = image[0] if isinstance(image, list) else image
        channels = image.get("Pixels", {}).get("Channel", [])
        channels = channels if isinstance(channels, list) else [channels]
        return tuple(str(c["Name"]) for c in channels if "Name" in c)
    labels = (tif.imagej_metadata or {}).get("Labels") or []
    labels = [labels] if isinstance(labels, str) else labels
    names = tuple(str(label).strip() for label in labels)
    return names if len(set(names)) == count and all(names) else ()


def _pixel_size_um(tif: Any) -> float | None:
    """Give the pixel size from OME-XML or ImageJ's unit; plain TIFF resolution is print size and says nothing."""
    if tif.is_ome:
        import tifffile

        from ..units import length_um

        image = tifffile.xml2dict(tif.ome_metadata)["OME"].get("Image", {})
        image = image[0] if isinstance(image, list) else image
        pixels = image.get("Pixels", {})
        if "PhysicalSizeX" in pixels:
            return length_um(f"{pixels['PhysicalSizeX']} {pixels.get('PhysicalSizeXUnit', 'µm')}")
        return None
    unit = str((tif.imagej_metadata or {}).get("unit", ""))
    tag = tif.pages[0].tags.get("XResolution")
    if unit not in _UNITS_UM or tag is None or not tag.value[0]:
        return None
    pixels, units = tag.value
    return float(units / pixels * _UNITS_UM[unit])

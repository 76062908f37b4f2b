"""What TIFF files say of themselves beside their pixels: OME-XML, MetaSeries XML, and ImageJ's description."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..format_tools import duration_s, evenly, positive, square_size_um, unit_um

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element


@dataclass(frozen=True)
class Said:
    """What an image in a TIFF file is said to be.

    Parameters
    ----------
    channel_names : sequence of str
        As stated; empty where none are.
    pixel_size_um, z_step_um : float or None
        µm.
    times_s : tuple of float or None
        Of each time point, s; NaN where one is not stated.
    """

    channel_names: Sequence[str] = ()
    pixel_size_um: float | None = None
    z_step_um: float | None = None
    times_s: tuple[float, ...] | None = None


def said_by(tif: Any, series: int, shape: tuple[int, int, int, int, int]) -> Said:
    """Read the description of a series of an open ``tifffile.TiffFile``.

    Parameters
    ----------
    tif : tifffile.TiffFile
        The file.
    series : int
        Which series.
    shape : tuple of int
        ``(T, C, Z, Y, X)``.

    Returns
    -------
    Said

    Raises
    ------
    ValueError
        If the pixels are not square.
    """
    ome = _ome_pixels(tif, series)
    if ome is not None:
        return Said(ome_names(ome), ome_pixel_size_um(ome), ome_z_step_um(ome), ome_times_s(ome, shape[0]))
    if tif.is_metaseries:
        return Said(pixel_size_um=metaseries_pixel_size_um(tif.metaseries_metadata))
    stated = tif.imagej_metadata or {}
    unit = _imagej_unit_um(stated)
    step = positive(stated.get("spacing")) if shape[2] > 1 else None
    return Said(
        _imagej_names(stated, shape[1]),
        _imagej_pixel_size_um(tif, unit),
        None if unit is None or step is None else step * unit,
        # ImageJ counts in seconds
        evenly(positive(stated.get("finterval")), shape[0]),
    )


def _ome_pixels(tif: Any, series: int) -> Element | None:
    """Give the ``Pixels`` element of a series, ``None`` where the file is no OME-TIFF."""
    if not tif.is_ome:
        return None
    from xml.etree import ElementTree as ET

    images = ET.fromstring(tif.ome_metadata).findall("{*}Image")
    return images[series].find("{*}Pixels") if series < len(images) else None


def ome_names(pixels: Element) -> list[str]:
    """Give the names of the channels, ``""`` where one has none."""
    return [channel.get("Name", "").strip() for channel in pixels.findall("{*}Channel")]


def ome_pixel_size_um(pixels: Element) -> float | None:
    """Give the size of a px, µm, if it is stated with a unit of length.

    Raises
    ------
    ValueError
        If the pixels are not square, or a size is no number.
    """
    return square_size_um(_ome_length_um(pixels, "X"), _ome_length_um(pixels, "Y"))


def ome_z_step_um(pixels: Element) -> float | None:
    """Give the distance from plane to plane, µm; ``None`` where none above 0 is stated.

    Raises
    ------
    ValueError
        If it is no number.
    """
    return positive(_ome_length_um(pixels, "Z"))


def _ome_length_um(pixels: Element, axis: str) -> float | None:
    unit = unit_um(pixels.get(f"PhysicalSize{axis}Unit", "µm"))
    stated = pixels.get(f"PhysicalSize{axis}")
    return None if stated is None or unit is None else float(stated) * unit


def ome_times_s(pixels: Element, count: int) -> tuple[float, ...] | None:
    """Give the times of the planes, of each time point the first one that is stated; else the regular increment.

    Parameters
    ----------
    pixels : Element
        The ``Pixels`` of an image.
    count : int
        Of time points.

    Raises
    ------
    ValueError
        If a time, or the number of a time point, is no number.
    """
    times: dict[int, float] = {}
    for plane in pixels.findall("{*}Plane"):
        at, stated = int(plane.get("TheT", 0)), plane.get("DeltaT")
        if stated is not None and 0 <= at < count and math.isnan(times.get(at, math.nan)):
            times[at] = float(stated) * duration_s(plane.get("DeltaTUnit", "s"))
    if not all(map(math.isnan, times.values())):
        return tuple(times.get(at, math.nan) for at in range(count))
    increment = positive(pixels.get("TimeIncrement"))
    unit = duration_s(pixels.get("TimeIncrementUnit", "s"))
    return evenly(None if increment is None or math.isnan(unit) else increment * unit, count)


def metaseries_pixel_size_um(stated: Mapping[str, Any]) -> float | None:
    """Give the size of a px, µm, if the file is calibrated.

    Parameters
    ----------
    stated : mapping
        MetaSeries XML as tifffile reads it.

    Raises
    ------
    ValueError
        If the pixels are not square.
    """
    plane = stated.get("PlaneInfo", {})
    unit = unit_um(str(plane.get("spatial-calibration-units", "")))
    if unit is None or plane.get("spatial-calibration-state") is not True:
        return None
    sizes = [positive(plane.get(f"spatial-calibration-{axis}")) for axis in "xy"]
    return square_size_um(*(None if size is None else size * unit for size in sizes))


def _imagej_names(stated: dict[str, Any], count: int) -> list[str]:
    """Read the slice labels of a plain channel stack; those of a hyperstack name planes, not channels."""
    labels = stated.get("Labels") or []
    names = [str(label).strip() for label in ([labels] if isinstance(labels, str) else labels)]
    return names if len(names) == len(set(names)) == count else []


def _imagej_unit_um(stated: dict[str, Any]) -> float | None:
    # ImageJ writes µ as an escape
    return unit_um(re.sub(r"\\u00[bB]5", "µ", str(stated.get("unit", ""))))


def _imagej_pixel_size_um(tif: Any, unit: float | None) -> float | None:
    """Give the pixel size in ImageJ's unit; plain TIFF resolution is print size and says nothing."""
    if unit is None:
        return None
    tags = [tif.pages[0].tags.get(name) for name in ("XResolution", "YResolution")]
    sizes = [tag.value[1] / tag.value[0] * unit if tag is not None and all(tag.value) else None for tag in tags]
    return square_size_um(*sizes)

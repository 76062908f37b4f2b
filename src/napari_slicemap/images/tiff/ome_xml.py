"""OME-XML (schema 2016-06): what an OME-TIFF says of its planes, written and read."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree as ET

import numpy as np

from ..format_tools import square_size_um, unit_um

if TYPE_CHECKING:
    from ..source import ImageSource

SCHEMA = "http://www.openmicroscopy.org/Schemas/OME/2016-06"

PIXEL_TYPES = {
    "int8": "int8",
    "int16": "int16",
    "int32": "int32",
    "uint8": "uint8",
    "uint16": "uint16",
    "uint32": "uint32",
    "float32": "float",
    "float64": "double",
}
"""Types of real pixels, by the name of their dtype."""

STAGE_UP = "stage y points up"
"""Label of the stage of images whose rows below the first one lie at smaller y; OME-XML has no other word for it."""

_TIME_UNITS_S = {"s": 1.0, "ms": 1e-3, "µs": 1e-6, "ns": 1e-9, "min": 60.0, "h": 3600.0, "d": 86400.0}
# all that XML 1.0 has no way of writing: control characters, halves of surrogate pairs, two of no meaning
_NO_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def xml_text(text: str) -> str:
    """Put U+FFFD for the characters that XML cannot hold."""
    return _NO_XML.sub("\N{REPLACEMENT CHARACTER}", text)


# --- writing -----------------------------------------------------------------------------------------------------
def ome_xml(source: ImageSource, dtype: np.dtype[Any]) -> bytes:
    """Describe an image whose planes lie in the file in the order of the axes TCZ.

    Parameters
    ----------
    source : ImageSource
        What is known of it. A time that is not finite counts as unknown: its planes get no ``DeltaT``.
    dtype : numpy dtype
        Of the pixels in the file; one of :data:`PIXEL_TYPES`.

    Returns
    -------
    bytes
        UTF-8, the same whenever it is made again: no identifier of the file and no date.

    Raises
    ------
    ValueError
        Naming the image, if a length is not above 0, a position not finite, or a colour not ``#rrggbb``.
    """
    ome = ET.Element("OME", {"xmlns": SCHEMA, "Creator": "napari-slicemap"})
    image = ET.SubElement(ome, "Image", {"ID": "Image:0", "Name": xml_text(source.name)})
    if source.position_um and source.stage_up:
        ET.SubElement(image, "StageLabel", {"Name": STAGE_UP})
    pixels = ET.SubElement(image, "Pixels", _pixels_attributes(source, dtype))
    for number, name in enumerate(source.channels):
        stated = {"ID": f"Channel:0:{number}", "Name": xml_text(name), "SamplesPerPixel": "1"}
        color = source.settings.get(name, {}).get("color")
        if color is not None:
            stated["Color"] = str(_signed_rgba(color, source.name))
        ET.SubElement(pixels, "Channel", stated)
    ET.SubElement(pixels, "TiffData", {"IFD": "0", "PlaneCount": str(math.prod(source.shape[:3]))})
    _add_planes(pixels, source)
    text: str = ET.tostring(ome, encoding="unicode")
    return f'<?xml version="1.0" encoding="UTF-8"?>{text}'.encode()


def _pixels_attributes(source: ImageSource, dtype: np.dtype[Any]) -> dict[str, str]:
    stated = {"ID": "Pixels:0", "DimensionOrder": "XYZCT", "Type": PIXEL_TYPES[dtype.name], "BigEndian": "false"}
    stated |= {f"Size{axis}": str(size) for axis, size in zip("TCZYX", source.shape, strict=True)}
    for axis, size in (("X", source.pixel_size_um), ("Y", source.pixel_size_um), ("Z", source.z_step_um)):
        if size is None:
            continue
        if not (math.isfinite(size) and size > 0):
            raise ValueError(f"image {source.name}: its size of a px in {axis} is {size} µm, expected above 0")
        stated |= {f"PhysicalSize{axis}": repr(float(size)), f"PhysicalSize{axis}Unit": "µm"}
    increment = source.time_increment_s
    if increment is not None:
        stated |= {"TimeIncrement": repr(increment), "TimeIncrementUnit": "s"}
    return stated


def _add_planes(pixels: ET.Element, source: ImageSource) -> None:
    """State time and position of each plane, where either is known."""
    where: dict[str, str] = {}
    if source.position_um is not None:
        if not all(map(math.isfinite, source.position_um)):
            raise ValueError(f"image {source.name}: its position is {source.position_um} µm, expected finite numbers")
        for axis, at in zip("XY", source.position_um, strict=True):
            where |= {f"Position{axis}": repr(float(at)), f"Position{axis}Unit": "µm"}
    for t, c, z in source.planes():
        time = math.nan if source.times_s is None else float(source.times_s[t])
        known = {"DeltaT": repr(time), "DeltaTUnit": "s"} if math.isfinite(time) else {}
        if known or where:
            ET.SubElement(pixels, "Plane", {"TheZ": str(z), "TheT": str(t), "TheC": str(c), **known, **where})


def _signed_rgba(color: str, image: str) -> int:
    """Give a colour ``#rrggbb`` as OME has it: a signed number of 32 bits, red first, opaque."""
    if not re.fullmatch("#[0-9a-fA-F]{6}", color):
        raise ValueError(f"image {image}: colour {color!r} is not #rrggbb")
    return int.from_bytes(bytes.fromhex(f"{color[1:]}ff"), "big", signed=True)


# --- reading -----------------------------------------------------------------------------------------------------
@dataclass(frozen=True)
class OmePixels:
    """What OME-XML says of its first image.

    Parameters
    ----------
    channels : tuple of str
        Names; ``""`` where one has none.
    pixel_size_nm : float or None
        Of a square px, nm.
    times_s : tuple of float
        Of each time point, s; NaN where it is unknown.
    """

    channels: tuple[str, ...]
    pixel_size_nm: float | None
    times_s: tuple[float, ...]


def read_ome_xml(text: str) -> OmePixels:
    """Read names, pixel size and times.

    Parameters
    ----------
    text : str
        OME-XML of any year's schema.

    Raises
    ------
    ValueError
        If it is no XML, describes no pixels, its pixels are not square, or a number or unit is none.
    """
    try:
        pixels = ET.fromstring(text).find("{*}Image/{*}Pixels")
    except ET.ParseError as error:
        raise ValueError(f"its OME-XML is not valid: {error}") from None
    if pixels is None:
        raise ValueError("its OME-XML describes no image")
    names = tuple(channel.get("Name", "") for channel in pixels.findall("{*}Channel"))
    return OmePixels(names, _pixel_size_nm(pixels), _times_s(pixels))


def _pixel_size_nm(pixels: ET.Element) -> float | None:
    # in decimal digits, so that a size written in µm is the same number of nm again
    sizes = []
    for axis in "XY":
        stated, unit = pixels.get(f"PhysicalSize{axis}"), unit_um(pixels.get(f"PhysicalSize{axis}Unit", "µm"))
        known = stated is not None and unit is not None
        sizes.append(float(Decimal(repr(_number(stated))) * Decimal(repr(unit)) * 1000) if known else None)
    return square_size_um(*sizes)


def _times_s(pixels: ET.Element) -> tuple[float, ...]:
    count = int(_number(pixels.get("SizeT", "1")))
    step = pixels.get("TimeIncrement")
    times = [math.nan] * count
    stated = [plane for plane in pixels.findall("{*}Plane") if plane.get("DeltaT") is not None]
    for plane in stated:
        t = int(_number(plane.get("TheT", "0")))
        if not 0 <= t < count:
            raise ValueError(f"its OME-XML has a plane at T {t}, and {count} time points")
        if plane.get("TheC", "0") == plane.get("TheZ", "0") == "0":
            times[t] = _seconds(plane.attrib, "DeltaT")
    if not stated and step is not None:
        return tuple(t * _seconds(pixels.attrib, "TimeIncrement") for t in range(count))
    return tuple(times)


def _seconds(stated: Mapping[str, str], key: str) -> float:
    unit = stated.get(f"{key}Unit", "s")
    if unit not in _TIME_UNITS_S:
        raise ValueError(f"its OME-XML has {key} in {unit!r}, expected one of {', '.join(_TIME_UNITS_S)}")
    return _number(stated[key]) * _TIME_UNITS_S[unit]


def _number(text: str | None) -> float:
    try:
        number = float(text or "")
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise ValueError(f"its OME-XML has {text!r} where a number should be")
    return number

"""Where imaging mass cytometers say their acquisitions lie: the MCD-XML that pipelines keep in OME-XML."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

from ..format_tools import positive, square_size_um

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

_ACQUISITION = re.compile(r"_s[0-9]+_a(?P<id>[0-9]+)_ac\b")
_SLACK_PX = 2  # regions are drawn by hand, and cut to whole shots


@dataclass(frozen=True)
class McdAcquisition:
    """One acquisition of a slide.

    Parameters
    ----------
    size_px : tuple of int
        ``(width, height)``: shots along a line, and lines.
    pixel_size_um : float
        From shot to shot.
    center_um : tuple of float or None
        ``(x, y)``, stage µm; y points up. ``None`` where no region of this size is stated for it.
    """

    size_px: tuple[int, int]
    pixel_size_um: float
    center_um: tuple[float, float] | None


def find_mcd_acquisition(ome: Element, image_name: str) -> McdAcquisition | None:
    """Find what the MCD-XML within OME-XML says of an image.

    Parameters
    ----------
    ome : Element
        Root of the OME-XML.
    image_name : str
        Says which acquisition it is: ``<slide>_s<slide number>_a<acquisition number>_ac``.

    Returns
    -------
    McdAcquisition or None
        ``None`` where there is no MCD-XML, or nothing that makes sense of this image in it.
    """
    named = _ACQUISITION.search(image_name)
    if named is None:
        return None
    kept = (one for one in ome.iter() if _tag(one) == "OriginalMetadata" and _text(one, "Key") == "MCD-XML")
    text = next((_text(one, "Value") for one in kept), "")
    try:
        root = ET.fromstring(text)
    except ET.ParseError:
        return None
    found = next((one for one in root if _tag(one) == "Acquisition" and _text(one, "ID") == named["id"]), None)
    return None if found is None else _read(root, found)


def _read(root: Element, acquisition: Element) -> McdAcquisition | None:
    sides = [positive(_text(acquisition, f"Max{axis}")) for axis in "XY"]
    apart = [positive(_text(acquisition, f"AblationDistanceBetweenShots{axis}")) for axis in "XY"]
    try:
        size = square_size_um(*apart)
    except ValueError:
        return None
    if size is None or sides[0] is None or sides[1] is None:
        return None
    shape = int(sides[0]), int(sides[1])
    return McdAcquisition(shape, size, _center(root, _text(acquisition, "AcquisitionROIID"), shape, size))


def _center(root: Element, region: str, shape: tuple[int, int], size: float) -> tuple[float, float] | None:
    """Give the middle of an acquisition's region, whose corners are in µm; the acquisition's own start often is not."""
    points = [one for one in root if _tag(one) == "ROIPoint" and _text(one, "AcquisitionROIID") == region]
    middle = []
    for axis, side in zip("XY", shape, strict=True):
        stated = [positive(_text(one, f"Slide{axis}PosUm")) for one in points]
        known = [value for value in stated if value is not None]
        if not known or len(known) < len(stated) or abs((max(known) - min(known)) / size - side) > _SLACK_PX:
            return None
        middle.append((max(known) + min(known)) / 2)
    return middle[0], middle[1]


def _tag(element: Element) -> str:
    return element.tag.rpartition("}")[2] if isinstance(element.tag, str) else ""


def _text(element: Element, key: str) -> str:
    return next(((one.text or "").strip() for one in element if _tag(one) == key), "")

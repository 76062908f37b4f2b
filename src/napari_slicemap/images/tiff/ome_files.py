"""What the OME-XML of TIFF files and companion files says of their images, and where their planes lie."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path, PureWindowsPath
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

import numpy as np

from ..format_tools import describe, named, unit_um
from ..image import ImageInfo
from .mcd_xml import find_mcd_acquisition
from .metadata import ome_names, ome_pixel_size_um, ome_times_s, ome_z_step_um
from .ome_images import OmeImage, PlaneRun, plane_number
from .ome_xml import PIXEL_TYPES, STAGE_UP
from .tiff_image import first_page

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

COMPANION = ".companion.ome"
"""Ending of a file of OME-XML alone, beside the TIFF files that hold the planes."""

_KIND = "an OME-TIFF file"
_MOST_PLANES = 10**7
_MOST_PX = 2**31
_DTYPES = {name: dtype for dtype, name in PIXEL_TYPES.items()} | {"bit": "bool"}


@dataclass(frozen=True)
class DescribedImage:
    """What OME-XML says of an image.

    Parameters
    ----------
    image : OmeImage
        Its pixels.
    name : str
        As stated; may be empty.
    position_um : tuple of float or None
        ``(x, y)`` of the centre of the image, stage µm, where stated as a length.
    colors : mapping of str to str
        Channel → ``#rrggbb``, where stated.
    stage_up : bool
        Whether the position is known to be of a stage whose y points up.
    """

    image: OmeImage
    name: str
    position_um: tuple[float, float] | None = None
    colors: Mapping[str, str] = field(default_factory=dict)
    stage_up: bool = False


@dataclass(frozen=True)
class OmeFile:
    """What a file's OME-XML says.

    Parameters
    ----------
    path : Path
        The file.
    images : tuple of DescribedImage
        Those that can be read.
    metadata_file : Path or None
        Where this file's images are described, if not by itself.
    problems : tuple of str
        What is wrong with the others, and with what is said of them, each naming the file.
    """

    path: Path
    images: tuple[DescribedImage, ...] = ()
    metadata_file: Path | None = None
    problems: tuple[str, ...] = ()


def read_ome_file(path: Path) -> OmeFile:
    """Read the OME-XML of a TIFF file or companion file; pixels and other files are left alone.

    A position is that of the centre of a plane, as microscopes state where their stage was; files written by
    napari-slicemap state the centre of the first px.

    Parameters
    ----------
    path : Path
        The file.

    Returns
    -------
    OmeFile

    Raises
    ------
    TileReadError
        Naming the file, if it is missing, no such file, or its OME-XML is none.
    """
    if path.name.lower().endswith(COMPANION):
        with named(path, "OME-XML"):
            return _said(path, ET.fromstring(path.read_bytes()))
    page = first_page(path, _KIND)
    with named(path, _KIND):
        return _said(path, ET.fromstring(page.description), page.size_px)


def _said(path: Path, root: Element, first_page_px: tuple[int, int] | None = None) -> OmeFile:
    if root.tag.rpartition("}")[2] != "OME":
        raise ValueError(f"its description is <{root.tag.rpartition('}')[2]}>, expected <OME>")
    binary = root.find("{*}BinaryOnly")
    if binary is not None:
        return OmeFile(path, metadata_file=_beside(path, binary.get("MetadataFile", "")))
    found: list[DescribedImage] = []
    problems: list[str] = []
    for number, element in enumerate(root.findall("{*}Image")):
        where = f"{path}: image {number}{f' ({name})' if (name := element.get('Name', '')) else ''}"
        try:
            one = _image(path, root, number, element, where, problems)
            _refuse_other_size(one.image, path, first_page_px)
            found.append(_with_mcd(one, root))
        except ValueError as error:
            problems.append(f"{where}: {error}; left out")
    if not found and not problems:
        raise ValueError("its OME-XML describes no image")
    return OmeFile(path, tuple(found), None, tuple(problems))


def _image(path: Path, root: Element, number: int, element: Element, where: str, problems: list[str]) -> DescribedImage:
    pixels = element.find("{*}Pixels")
    if pixels is None:
        raise ValueError("it has no Pixels")
    channels = pixels.findall("{*}Channel")
    sizes = {axis: _whole(pixels, f"Size{axis}", most=_MOST_PX) for axis in "TCZYX"}
    samples = _samples(channels, sizes["C"])
    planes = sizes["T"] * sizes["C"] // samples * sizes["Z"]
    if planes > _MOST_PLANES:
        raise ValueError(f"it is said to have {planes} planes, expected {_MOST_PLANES} at most")
    order = pixels.get("DimensionOrder", "")[2:]
    if sorted(order) != ["C", "T", "Z"]:
        raise ValueError(f"DimensionOrder is {pixels.get('DimensionOrder')!r}, expected 'XYCZT' or the like")
    runs = _runs(path, root, pixels, order, sizes, samples)
    stated = _info(pixels, sizes, samples, where, problems)
    files = {run.path for run in runs}
    own = "napari-slicemap" in root.get("Creator", "")
    label = element.find("{*}StageLabel")
    up = own and label is not None and label.get("Name") == STAGE_UP
    return DescribedImage(
        OmeImage(files.pop() if len(files) == 1 else path, number, order, stated, samples, runs),
        element.get("Name", "").strip(),
        _center_um(pixels, stated, (int(own), -int(own) if up else int(own)), where, problems),
        _colors(channels, stated.channel_names),
        up,
    )


def _with_mcd(one: DescribedImage, root: Element) -> DescribedImage:
    """Add what OME-XML leaves to the MCD-XML within it: size of a px, and position."""
    stated = one.image.stated
    found = find_mcd_acquisition(root, one.name)
    if found is None or found.size_px != (stated.shape[4], stated.shape[3]):
        return one
    if stated.pixel_size_um is None:
        stated = replace(stated, pixel_size_um=found.pixel_size_um)
        one = replace(one, image=replace(one.image, stated=stated))
    if one.position_um is None and found.center_um is not None:
        one = replace(one, position_um=found.center_um, stage_up=True)
    return one


def _refuse_other_size(image: OmeImage, path: Path, first_page_px: tuple[int, int] | None) -> None:
    """Hold what is said of the first page of a file against it: it is open anyway."""
    size, first = (image.stated.shape[4], image.stated.shape[3]), image.runs[0]
    if first_page_px not in (None, size) and (first.path, first.page) == (path, 0):
        found = " × ".join(map(str, first_page_px or ()))
        raise ValueError(f"its OME-XML says {size[0]} × {size[1]} px, but its first page holds {found} px")


def _whole(element: Element, key: str, least: int = 1, most: int = _MOST_PLANES, default: str | None = None) -> int:
    text = (element.get(key) or default or "").strip()
    number = int(text) if text.isascii() and text.isdecimal() and len(text) < 20 else least - 1
    if not least <= number <= most:
        raise ValueError(f"{key} is {element.get(key)!r}, expected a whole number of {least} to {most}")
    return number


def _samples(channels: list[Element], size_c: int) -> int:
    found = {_whole(channel, "SamplesPerPixel", default="1") for channel in channels} or {1}
    if len(found) > 1 or size_c % max(found):
        raise ValueError(f"SizeC is {size_c}, and its channels have {sorted(found)} samples a px")
    return found.pop()


def _info(pixels: Element, sizes: Mapping[str, int], samples: int, where: str, problems: list[str]) -> ImageInfo:
    stated = pixels.get("Type", pixels.get("PixelType", ""))
    if stated not in _DTYPES:
        raise ValueError(f"Type is {stated!r}, expected one of {', '.join(sorted(_DTYPES))}")
    try:
        pixel_size = ome_pixel_size_um(pixels)
    except ValueError as error:
        problems.append(f"{where}: {error}; its pixel size counts as unknown")
        pixel_size = None
    axes = "TCZYXS" if samples > 1 else "TCZYX"
    shape = [sizes["C"] // samples if axis == "C" else samples if axis == "S" else sizes[axis] for axis in axes]
    plane = sizes["Y"], sizes["X"]
    made = describe(axes, shape, np.dtype(_DTYPES[stated]), plane, ome_names(pixels), pixel_size)
    return replace(made, z_step_um=ome_z_step_um(pixels), times_s=ome_times_s(pixels, sizes["T"]))


def _runs(
    path: Path, root: Element, pixels: Element, order: str, sizes: Mapping[str, int], samples: int
) -> tuple[PlaneRun, ...]:
    """Read where planes lie: ``TiffData`` says a first plane, a count and a page, and which file unless this one."""
    counts = sizes["C"] // samples, sizes["Z"], sizes["T"]
    total = math.prod(counts)
    made: dict[int, PlaneRun] = {}
    for data in pixels.findall("{*}TiffData"):
        c, z, t = (_whole(data, f"First{axis}", 0, count - 1, "0") for axis, count in zip("CZT", counts, strict=True))
        first = plane_number(order, counts, (c, z, t))
        planes = data.get("PlaneCount", data.get("NumPlanes"))
        count = total - first if planes is None and "IFD" not in data.attrib else int(planes or 1)
        uuid = data.find("{*}UUID")
        file = path if uuid is None else _member(path, root, uuid)
        if file.name.lower().endswith(COMPANION):
            raise ValueError("it does not say which TIFF file holds its planes")
        run = PlaneRun(first, min(count, total - first), file, _whole(data, "IFD", 0, default="0"))
        if run.count > 0:
            made.setdefault(first, run)
    if not made:
        raise ValueError("it has no TiffData, so there are no pixels")
    return tuple(made[first] for first in sorted(made))


def _member(path: Path, root: Element, uuid: Element) -> Path:
    """Give the file that a ``UUID`` means; this one knows itself also where it has another name by now."""
    name = uuid.get("FileName", "")
    own = root.get("UUID", "").strip()
    if not name or name.lower() == path.name.lower() or (own and own == (uuid.text or "").strip()):
        return path
    return _beside(path, name)


def _beside(path: Path, name: str) -> Path:
    """Give a file by the name that another states; whatever folders it names, it lies in that one's."""
    return path.parent / (PureWindowsPath(name).name or "(unnamed)")


def _center_um(
    pixels: Element, stated: ImageInfo, toward: tuple[int, int], where: str, problems: list[str]
) -> tuple[float, float] | None:
    """Read where the centre of an image is; `toward` says which way it lies from what is stated, ``(0, 0)``: there."""
    plane = next((plane for plane in pixels.findall("{*}Plane") if plane.get("PositionX") is not None), None)
    if plane is None:
        return None
    found = []
    for axis, size, way in zip("XY", stated.shape[:2:-1], toward, strict=True):
        unit = plane.get(f"Position{axis}Unit", "reference frame")
        factor, number = unit_um(unit), _finite(plane.get(f"Position{axis}"))
        if factor is None or number is None:
            said = f"{plane.get(f'Position{axis}')!r} in {unit!r}"
            problems.append(f"{where}: Position{axis} is {said}, expected a number and a unit of length; not placed")
            return None
        found.append(number * factor + way * (size - 1) / 2 * (stated.pixel_size_um or 0))
    return found[0], found[1]


def _finite(text: str | None) -> float | None:
    try:
        number = float(text or "")
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def _colors(channels: list[Element], names: tuple[str, ...]) -> dict[str, str]:
    """Read the colours, signed numbers of 32 bits whose first byte is red; of channels that have a page each."""
    if len(channels) != len(names):
        return {}
    made = {}
    for channel, name in zip(channels, names, strict=True):
        number = _finite(channel.get("Color"))
        if number is not None and number == int(number) and -(2**31) <= number < 2**32:
            made[name] = f"#{(int(number) % 2**32) >> 8:06x}"
    return made

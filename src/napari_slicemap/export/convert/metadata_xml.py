"""``OME/METADATA.ome.xml`` of a collection: what readers of bioformats2raw's layout find its images by."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from xml.etree import ElementTree as ET

from ...files import write_text
from ...images.image import ImageInfo
from ...images.tiff.ome_xml import PIXEL_TYPES, SCHEMA, xml_text

FILE = "METADATA.ome.xml"
# OME has no such pixels; the arrays themselves say what they hold
_NEAREST = {"float16": "float", "int64": "double", "uint64": "double"}


def write_metadata_xml(folder: Path, images: Mapping[str, tuple[str, ImageInfo]]) -> None:
    """Write the file, atomically.

    Parameters
    ----------
    folder : Path
        The group ``OME``.
    images : mapping of str to (str, ImageInfo)
        Path within the collection → name of the image, and what it says of itself; in order.
    """
    ome = ET.Element("OME", {"xmlns": SCHEMA, "Creator": "napari-slicemap"})
    for number, (path, (name, info)) in enumerate(images.items()):
        # readers take what follows "Image:" for the path
        image = ET.SubElement(ome, "Image", {"ID": f"Image:{path}", "Name": xml_text(name)})
        pixels = ET.SubElement(image, "Pixels", {"ID": f"Pixels:{number}", **_pixels(info)})
        for n, channel in enumerate(info.channel_names):
            stated = {"ID": f"Channel:{number}:{n}", "Name": xml_text(channel), "SamplesPerPixel": "1"}
            ET.SubElement(pixels, "Channel", stated)
        ET.SubElement(pixels, "MetadataOnly")
    text: str = ET.tostring(ome, encoding="unicode")
    write_text(folder / FILE, f'<?xml version="1.0" encoding="UTF-8"?>{text}\n')


def _pixels(info: ImageInfo) -> dict[str, str]:
    name = info.dtype.name
    kind = PIXEL_TYPES.get(name) or _NEAREST[name]
    made = {"DimensionOrder": "XYZCT", "Type": kind, "BigEndian": "false"}
    made |= {f"Size{axis}": str(size) for axis, size in zip("TCZYX", info.shape, strict=True)}
    for axis, size in (("X", info.pixel_size_um), ("Y", info.pixel_size_um), ("Z", info.z_step_um)):
        if size is not None:
            made |= {f"PhysicalSize{axis}": repr(float(size)), f"PhysicalSize{axis}Unit": "µm"}
    return made

"""ROIs as OME-XML (schema 2016-06): files of their own, ``.ome.xml``, and those within an OME-TIFF file.

Coordinates are px at full resolution, with the origin at the top-left corner of the image. The image that an ROI refers
to is called as the FOV, or ``map:`` and the id of the map. What OME has no word for stands in a map annotation.
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree as ET

import pydantic

from ..errors import FileFormatError, TileReadError
from ..files import explain, now_iso, read_text, write_text
from ..images.format_tools import named
from ..images.tiff.ome_xml import PIXEL_TYPES, SCHEMA, xml_text
from .frames import Frame, Frames, Imported
from .ome_shapes import NoRoiError, points_of, write_shape
from .roi import Kind, Roi, roi_from_points
from .table import split_tags

if TYPE_CHECKING:
    from ..images.fov import Fov
    from .ground import Ground

NAMESPACE = "napari-slicemap/roi"
"""Of the map annotation with what OME has no word for."""
_MAP = "map:"
_KINDS = ("rectangle", "rotated-rectangle", "polygon", "line")
_MOST_PROBLEMS = 20


# --- writing -----------------------------------------------------------------------------------------------------
def write_ome_rois(path: str | os.PathLike[str], rois: Sequence[Roi], frames: Frames) -> None:
    """Write ROIs as an OME-XML file without pixels, atomically.

    Parameters
    ----------
    path : path-like
        The file, ``….ome.xml``.
    rois : sequence of Roi
        In order. Characters that XML cannot hold become U+FFFD.
    frames : Frames
        Where it knows the maps and FOVs of a dataset, the file describes them as images that refer to their ROIs.
    """
    ome = ET.Element("OME", {"xmlns": SCHEMA, "Creator": "napari-slicemap"})
    _add_images(ome, rois, frames.ground)
    notes = ET.SubElement(ome, "StructuredAnnotations")
    for number, roi in enumerate(rois):
        _add_annotation(notes, number, roi)
        element = ET.SubElement(ome, "ROI", {"ID": f"ROI:{number}", "Name": xml_text(roi.name)})
        write_shape(ET.SubElement(element, "Union"), roi, f"Shape:{number}:0")
        ET.SubElement(element, "AnnotationRef", {"ID": f"Annotation:{number}"})
        if roi.comment:
            ET.SubElement(element, "Description").text = xml_text(roi.comment)
    ET.indent(ome, " ")
    write_text(path, f'<?xml version="1.0" encoding="UTF-8"?>\n{ET.tostring(ome, encoding="unicode")}\n')


def _add_annotation(notes: ET.Element, number: int, roi: Roi) -> None:
    note = ET.SubElement(notes, "MapAnnotation", {"ID": f"Annotation:{number}", "Namespace": NAMESPACE})
    value = ET.SubElement(note, "Value")
    known = {
        "roi_id": roi.roi_id,
        "kind": roi.kind,
        "fov": roi.fov,
        "map_id": roi.map_id,
        "profile": roi.profile,
        "tags": ";".join(roi.tags),
        "created_at": roi.created_at,
        "updated_at": roi.updated_at,
    }
    for key, text in known.items():
        if text:
            ET.SubElement(value, "M", {"K": key}).text = xml_text(text)


def _add_images(ome: ET.Element, rois: Sequence[Roi], ground: Ground | None) -> None:
    """Describe what the ROIs are on, as far as it is known."""
    on: dict[Frame, list[int]] = {}
    for number, roi in enumerate(rois):
        on.setdefault(Frame.of(roi), []).append(number)
    for number, (frame, numbers) in enumerate(on.items()):
        stated = None if ground is None else _pixels(frame, ground)
        if stated is None:
            continue
        name = frame.fov or f"{_MAP}{frame.map_id}"
        image = ET.SubElement(ome, "Image", {"ID": f"Image:{number}", "Name": xml_text(name)})
        pixels = ET.SubElement(image, "Pixels", {"ID": f"Pixels:{number}", "DimensionOrder": "XYZCT", **stated})
        ET.SubElement(pixels, "MetadataOnly")
        for roi_number in numbers:
            ET.SubElement(image, "ROIRef", {"ID": f"ROI:{roi_number}"})


def _pixels(frame: Frame, ground: Ground) -> dict[str, str] | None:
    """Say how large an image is and of what type; ``None`` where it is not there or cannot be read."""
    placement = ground.placements.get(frame.map_id)
    fov = ground.fovs.get(frame.fov) if frame.fov else _readable(placement.tiles if placement else ())
    if fov is None:
        return None
    try:
        t, c, z, height, width = fov.shape
        kind, size_um = PIXEL_TYPES.get(fov.dtype.name), fov.pixel_size_um
    except TileReadError:
        return None
    if kind is None:
        return None
    if not frame.fov and placement is not None:
        (height, width), size_um = placement.shape, placement.pixel_size_um
    sizes = {"SizeX": width, "SizeY": height, "SizeZ": z, "SizeC": c, "SizeT": t}
    stated = {"Type": kind} | {axis: str(size) for axis, size in sizes.items()}
    if size_um is not None:
        for axis in "XY":
            stated |= {f"PhysicalSize{axis}": repr(float(size_um)), f"PhysicalSize{axis}Unit": "µm"}
    return stated


def _readable(tiles: Iterable[Any]) -> Fov | None:
    return next((tile.fov for tile in tiles if tile.fov is not None), None)


# --- reading -----------------------------------------------------------------------------------------------------
def read_ome_rois(path: str | os.PathLike[str], frames: Frames) -> Imported:
    """Read the ROIs of an OME-XML file, or of the OME-XML within a TIFF file.

    Rectangles, polygons, polylines and lines stay what they are; an ellipse becomes a polygon, which is told. Each
    shape of an ROI of several becomes an ROI of its own.

    Parameters
    ----------
    path : path-like
        ``.ome.xml``, ``.ome``, ``.xml``, ``.tif`` or ``.tiff``.
    frames : Frames
        ROIs of our own say what they are on; others are on the FOV or map that their image is called as, else on the
        default.

    Returns
    -------
    Imported
        Points, labels, masks and shapes that are none are among the problems.

    Raises
    ------
    FileFormatError
        Naming the file, if it holds no OME-XML.
    TileReadError
        Naming the file, if it is called a TIFF file and is none.
    """
    root = _root(Path(path))
    owners = _owners(root)
    notes = {note.get("ID", ""): note for note in root.findall("{*}StructuredAnnotations/*")}
    rois: list[Roi] = []
    problems: list[str] = []
    for number, element in enumerate(root.findall("{*}ROI"), 1):
        where = f"{path}: ROI {element.get('Name') or element.get('ID') or number}"
        refs = [notes[ref.get("ID", "")] for ref in element.findall("{*}AnnotationRef") if ref.get("ID", "") in notes]
        shapes = list(element.find("{*}Union") or ())
        if not shapes:
            problems.append(f"{where}: it has no shape")
        for place, shape in enumerate(shapes, 1):
            try:
                made, note = _roi(element, shape, refs, owners.get(element.get("ID", ""), ""), frames)
                rois.append(made if len(shapes) == 1 else _one_of_several(made, place))
                problems += [f"{where}: {note}"] if note else []
            except pydantic.ValidationError as error:
                problems.append(f"{where}: {explain(error)}")
            except NoRoiError as error:
                problems.append(f"{where}: {error}")
    if len(problems) > _MOST_PROBLEMS:
        problems[_MOST_PROBLEMS:] = [f"{path}: … and {len(problems) - _MOST_PROBLEMS} more"]
    return Imported(tuple(rois), tuple(problems))


def _root(path: Path) -> ET.Element:
    text = _tiff_text(path) if path.suffix.lower() in (".tif", ".tiff") else read_text(path)
    try:
        root = ET.fromstring(text)
    except (ET.ParseError, ValueError) as error:
        raise FileFormatError(f"{path}: {error}; this is no valid XML") from None
    if root.tag.rpartition("}")[2] != "OME":
        raise FileFormatError(f"{path}: its root is {root.tag.rpartition('}')[2]!r}, expected OME; this is no OME-XML")
    return root


def _tiff_text(path: Path) -> str:
    with named(path, "a TIFF image"):
        import tifffile

        with tifffile.TiffFile(path) as tif:
            text: str | None = tif.ome_metadata
    if not text:
        raise FileFormatError(f"{path}: there is no OME-XML in it, so no ROI")
    return text


def _owners(root: ET.Element) -> dict[str, str]:
    """Give the id of each ROI that an image refers to → the name of the (first) image."""
    found: dict[str, str] = {}
    for image in root.findall("{*}Image"):
        for ref in image.findall("{*}ROIRef"):
            found.setdefault(ref.get("ID", ""), image.get("Name", ""))
    return found


def _roi(
    element: ET.Element, shape: ET.Element, notes: Sequence[ET.Element], image: str, frames: Frames
) -> tuple[Roi, str]:
    """Make an ROI of one shape, and say what had to change of it."""
    own = _own(notes)
    kind, points, note = points_of(shape)
    kind = _stated(own.get("kind", ""), kind, len(points))
    frame = Frame(own.get("fov", ""), own.get("map_id", "")) if own else _frame(image, frames)
    made = roi_from_points(points, kind, profile=own.get("profile", ""), **frame.fields)
    description, now = element.findtext("{*}Description"), now_iso()
    known: dict[str, object] = {
        "roi_id": own.get("roi_id") or str(uuid.uuid4()),
        "name": element.get("Name") or ("" if own else shape.get("Text", "")),
        "tags": split_tags(own.get("tags", ""), ";") if own else _tags(notes),
        "comment": description or "",
        # a time that nobody wrote down is unknown, unless it comes from elsewhere: then it is made here, now
        "created_at": own.get("created_at", "" if own else now),
        "updated_at": own.get("updated_at", "" if own else now),
    }
    return Roi.model_validate(made.model_dump() | known), note


def _stated(own: str, found: Kind, count: int) -> Kind:
    """Give the kind that the annotation states, as far as the shape can be of it."""
    if found == "line" or own not in _KINDS or own == "line":
        return found
    return own if count == 4 or own == "polygon" else found  # type: ignore[return-value]


def _one_of_several(roi: Roi, place: int) -> Roi:
    return roi.model_copy(update={"roi_id": str(uuid.uuid4()), "name": f"{roi.name} {place}".strip()})


def _own(notes: Sequence[ET.Element]) -> Mapping[str, str]:
    for note in notes:
        if note.get("Namespace") == NAMESPACE:
            return {m.get("K", ""): m.text or "" for m in note.findall("{*}Value/{*}M")}
    return {}


def _tags(notes: Sequence[ET.Element]) -> tuple[str, ...]:
    found = (note.findtext("{*}Value") or "" for note in notes if note.tag.endswith("}TagAnnotation"))
    return tuple(text.strip().replace(";", ",") for text in found if text.strip())


def _frame(image: str, frames: Frames) -> Frame:
    """Find what an image is: a FOV or map of its name, with or without the ending of a file."""
    if image.startswith(_MAP):
        return Frame(map_id=image.removeprefix(_MAP))
    known = {frame.fov or frame.map_id: frame for frame in frames.planes}
    known |= {fov: Frame(fov=fov) for fov in (frames.ground.fovs if frames.ground else ())}
    for name in (image, PurePath(image).stem, PurePath(image).stem.removesuffix(".ome")):
        if name in known:
            return known[name]
    if frames.default is not None:
        return frames.default
    if image:
        raise NoRoiError(f"it is on the image {image!r}, which is no FOV or map here; name one")
    raise NoRoiError("the file does not say which map or FOV it is on; name one")

"""ROIs as GeoJSON, as QuPath writes and reads it.

Coordinates are px at full resolution, with the origin at the top-left corner. What QuPath has no word for stands in
the ``metadata`` of each object, texts by name, which QuPath keeps.
"""

from __future__ import annotations

import json
import os
import uuid
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pydantic

from ..errors import FileFormatError
from ..files import explain, now_iso, read_json, to_json, write_text
from .frames import Frame, Frames, Imported
from .roi import Kind, Roi, roi_from_points
from .table import split_tags

_DESCRIPTION = "ANNOTATION_DESCRIPTION"
"""Where QuPath keeps the description of an annotation."""
_OWN = "slicemap."
_KINDS = ("rectangle", "rotated-rectangle", "polygon", "line")
_MOST_PROBLEMS = 20


def write_geojson(path: str | os.PathLike[str], rois: Iterable[Roi], frames: Frames) -> None:
    """Write ROIs as a ``FeatureCollection`` that QuPath opens, atomically.

    The name stays the name, the first tag becomes the class, and the map's number the plane z.

    Parameters
    ----------
    path : path-like
        The file.
    rois : iterable of Roi
        In order.
    frames : Frames
        Numbers the planes.
    """
    lines = ",\n".join(to_json(_feature(roi, frames), indent=None) for roi in rois)
    write_text(Path(path), f'{{"type": "FeatureCollection", "features": [\n{lines}\n]}}\n')


def _feature(roi: Roi, frames: Frames) -> dict[str, Any]:
    points = [list(point) for point in roi.points]
    line = roi.kind == "line"
    own = {
        "kind": roi.kind,
        "fov": roi.fov,
        "map_id": roi.map_id,
        "profile": roi.profile,
        "tags": ";".join(roi.tags),
        "created_at": roi.created_at,
        "updated_at": roi.updated_at,
    }
    properties: dict[str, Any] = {"objectType": "annotation", "name": roi.name}
    if roi.tags:
        properties["classification"] = {"name": roi.tags[0]}
    comment = {_DESCRIPTION: roi.comment} if roi.comment else {}
    properties["metadata"] = comment | {f"{_OWN}{key}": text for key, text in own.items() if text}
    return {
        "type": "Feature",
        "id": roi.roi_id,
        "geometry": {
            "type": "LineString" if line else "Polygon",
            "coordinates": points if line else [[*points, points[0]]],
            "plane": {"c": -1, "z": frames.number_of(Frame.of(roi)), "t": 0},
        },
        "properties": properties,
    }


def read_geojson(path: str | os.PathLike[str], frames: Frames) -> Imported:
    """Read annotations from GeoJSON, of QuPath or of our own.

    Parameters
    ----------
    path : path-like
        A ``FeatureCollection``, a ``Feature``, or a list of them as older versions of QuPath wrote it.
    frames : Frames
        Objects of our own say what they are on; others are on the map that the number z of their plane, from 1 on,
        stands for, and on the default where it is 0 or not stated.

    Returns
    -------
    Imported
        Points, shapes of several parts or with holes, and objects that are no annotations are among the problems.

    Raises
    ------
    FileFormatError
        Naming the file, if it is no GeoJSON.
    """
    rois: list[Roi] = []
    problems: list[str] = []
    others: dict[str, int] = {}
    for number, feature in enumerate(_features(read_json(path), path), 1):
        where = f"{path}: object {number}"
        if not isinstance(feature, dict) or not isinstance(feature.get("geometry"), dict):
            raise FileFormatError(f"{where}: it has no geometry; expected GeoJSON features")
        properties = _mapping(feature.get("properties"))
        what = str(properties.get("objectType") or properties.get("object_type") or "annotation")
        if what != "annotation":
            others[what] = others.get(what, 0) + 1
            continue
        name = properties.get("name")
        try:
            rois.append(_roi(feature, properties, frames))
        except pydantic.ValidationError as error:
            problems.append(f"{where}{_named(name)}: {explain(error)}")
        except ValueError as error:
            problems.append(f"{where}{_named(name)}: {error}")
    problems += [f"{path}: {count} objects of type {what} are no annotations" for what, count in others.items()]
    if len(problems) > _MOST_PROBLEMS:
        problems[_MOST_PROBLEMS:] = [f"{path}: … and {len(problems) - _MOST_PROBLEMS} more"]
    return Imported(tuple(rois), tuple(problems))


def _features(data: Any, path: str | os.PathLike[str]) -> list[Any]:
    if isinstance(data, dict) and data.get("type") == "FeatureCollection" and isinstance(data.get("features"), list):
        return list(data["features"])
    if isinstance(data, dict) and data.get("type") == "Feature":
        return [data]
    if isinstance(data, list):
        return data
    raise FileFormatError(f"{path}: this is no GeoJSON; expected a FeatureCollection of features")


def _named(name: object) -> str:
    return f" {json.dumps(name, ensure_ascii=False)}" if isinstance(name, str) and name else ""


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _roi(feature: Mapping[str, Any], properties: Mapping[str, Any], frames: Frames) -> Roi:
    geometry, metadata = feature["geometry"], _mapping(properties.get("metadata"))
    own = {key.removeprefix(_OWN): str(text) for key, text in metadata.items() if key.startswith(_OWN)}
    kind, points = _shape(geometry, own.get("kind", ""))
    frame = Frame(own.get("fov", ""), own.get("map_id", "")) if own else _frame(geometry, feature, frames)
    made = roi_from_points(points, kind, profile=own.get("profile", ""), **frame.fields)
    now = now_iso()
    tags = split_tags(own["tags"], ";") if "tags" in own else ()
    more = {
        "roi_id": _id(feature.get("id")),
        "name": str(properties.get("name") or ""),
        "tags": tags if own else _classes(properties.get("classification")),
        "comment": str(metadata.get(_DESCRIPTION) or properties.get("description") or ""),
        # a time that nobody wrote down is unknown, unless it comes from elsewhere: then it is made here, now
        "created_at": own.get("created_at", "" if own else now),
        "updated_at": own.get("updated_at", "" if own else now),
    }
    return Roi.model_validate(made.model_dump() | more)


def _shape(geometry: Mapping[str, Any], stated: str) -> tuple[Kind, list[tuple[float, float]]]:
    found, given = geometry.get("type"), geometry.get("coordinates")
    if found == "LineString":
        return "line", _points(given)
    if found != "Polygon":
        raise ValueError(f"a {found} cannot be an ROI; only polygons of one part and lines can")
    if not isinstance(given, list) or not given:
        raise ValueError("it has no coordinates")
    if len(given) > 1:
        raise ValueError("it has holes, which an ROI cannot have")
    points = _points(given[0])
    if len(points) > 1 and points[0] == points[-1]:
        points = points[:-1]
    kind: Kind = stated if stated in _KINDS and stated != "line" else _kind_of(points)  # type: ignore[assignment]
    return (kind if len(points) == 4 or kind == "polygon" else "polygon"), points


def _kind_of(points: list[tuple[float, float]]) -> Kind:
    """Say whether four points are an upright rectangle: QuPath does not."""
    xs, ys = {x for x, _ in points}, {y for _, y in points}
    sides = zip(points, points[1:] + points[:1], strict=True)
    upright = all((ax == bx) != (ay == by) for (ax, ay), (bx, by) in sides)
    return "rectangle" if len(points) == 4 and len(xs) == len(ys) == 2 and upright else "polygon"


def _points(given: Any) -> list[tuple[float, float]]:
    try:
        return [(float(x), float(y)) for x, y, *_ in given]
    except (TypeError, ValueError):
        raise ValueError("its coordinates are no pairs of numbers") from None


def _frame(geometry: Mapping[str, Any], feature: Mapping[str, Any], frames: Frames) -> Frame:
    plane = _mapping(geometry.get("plane") or feature.get("plane"))
    z = plane.get("z", 0)
    if isinstance(z, int) and 0 < z < len(frames.planes):
        return frames.planes[z]
    if z != 0:
        raise ValueError(f"it is on plane z = {z}, and there are {len(frames.planes)} maps")
    if frames.default is None:
        raise ValueError("the file does not say which map or FOV it is on; name one")
    return frames.default


def _id(stated: object) -> str:
    """Keep an id that is a UUID; older versions of QuPath wrote the type of the object there."""
    try:
        return str(uuid.UUID(str(stated)))
    except ValueError:
        return str(uuid.uuid4())


def _classes(classification: object) -> tuple[str, ...]:
    """Give the class of a QuPath object as tags; one that is derived of others has several."""
    found = _mapping(classification)
    names = found.get("names")
    listed = [str(one) for one in names] if isinstance(names, list) else str(found.get("name") or "").split(":")
    return tuple(dict.fromkeys(one.strip().replace(";", ",") for one in listed if one.strip()))

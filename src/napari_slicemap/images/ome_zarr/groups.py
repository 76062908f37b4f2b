"""The metadata of Zarr groups and arrays as they are stored, read without opening any array.

A plate has thousands of groups; of each only a small JSON file is wanted.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ...errors import FileFormatError
from ...files import read_json

V3 = "zarr.json"
"""Metadata of a group or array, Zarr v3."""
V2_GROUP, V2_ARRAY, V2_ATTRIBUTES = ".zgroup", ".zarray", ".zattrs"
"""Metadata of a group, of an array, and the attributes of either, Zarr v2."""


def is_zarr(folder: Path) -> bool:
    """Say whether a folder is a Zarr group or array; of v2, an image may have attributes alone."""
    return any((folder / name).is_file() for name in (V3, V2_GROUP, V2_ARRAY, V2_ATTRIBUTES))


def group_attributes(folder: Path) -> dict[str, Any]:
    """Read the attributes of a group (or array).

    Raises
    ------
    FileFormatError
        Naming the file, if it is no JSON object.
    FileNotFoundError
        If the folder is no group.
    """
    file = folder / V3
    if file.is_file():
        return _object(_object(read_json(file), file).get("attributes") or {}, file)
    file = folder / V2_ATTRIBUTES
    if file.is_file():
        return _object(read_json(file), file)
    if any((folder / name).is_file() for name in (V2_GROUP, V2_ARRAY)):
        return {}
    raise FileNotFoundError(folder)


def ome_attributes(attributes: dict[str, Any]) -> dict[str, Any]:
    """Give what OME-Zarr says among attributes: from 0.5 on under ``ome``, before among the attributes themselves."""
    found = attributes.get("ome", attributes)
    return found if isinstance(found, dict) else {}


def array_metadata(folder: Path) -> dict[str, Any] | None:
    """Read the metadata of an array as stored; ``None`` if there is no array.

    Raises
    ------
    FileFormatError
        Naming the file, if it is no JSON object.
    """
    for file in (folder / V3, folder / V2_ARRAY):
        if file.is_file():
            found = _object(read_json(file), file)
            return None if found.get("node_type") == "group" else found
    return None


def _object(found: object, file: Path) -> dict[str, Any]:
    if not isinstance(found, dict):
        raise FileFormatError(f"{file}: expected a JSON object")
    return found

"""OME's own schema, offline, and ome-types: two independent readers of OME-XML."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import ome_types
import tifffile
import xmlschema


@cache
def _schema() -> Any:
    stated = Path(ome_types.__file__).parent / "ome-2016-06.xsd"
    xml = Path(xmlschema.__file__).parent / "schemas" / "XML" / "xml.xsd"
    return xmlschema.XMLSchema(str(stated), locations={"http://www.w3.org/XML/1998/namespace": str(xml)}, allow="local")


def valid_ome(path: Path) -> ome_types.OME:
    """Hold the OME-XML of a file against the schema, and read it."""
    with tifffile.TiffFile(path) as tif:
        _schema().validate(tif.ome_metadata)
    return ome_types.from_tiff(path)


def valid_ome_xml(path: Path) -> ome_types.OME:
    """Hold a file of OME-XML against the schema, and read it."""
    _schema().validate(str(path))
    return ome_types.from_xml(path.read_text("utf-8"))

"""What a fixed image or tile says of its fix, so that it is never fixed twice and can be undone.

A fixed mosaic says it in its attributes, ``"galvo": {"fixed": {"shift", "n_extra", "axis"}}``. What the fix had to
change beside pixels is kept as it was in :data:`KEPT`, a group within the image: the metadata as text in its
attributes, and the coarser levels. A fixed raw tile has a file :data:`TILE_FILE`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field

from ....errors import FileFormatError
from ....files import FileModel, read_json, utf8
from ....images.ome_zarr.zarr_image import ZarrImage
from ..tile_slices import METADATA, Axis

FIXED = "fixed"
KEPT = ".galvo_fix"
"""The group, within a fixed mosaic, of what it was before."""
TILE_FILE = "galvo_fix.json"
"""The file, within a fixed raw tile, that says so."""

_GROUP, _ATTRIBUTES, _CONSOLIDATED, _NODE = ".zgroup", ".zattrs", ".zmetadata", "zarr.json"

_Json = dict[str, Any]


class Fixed(FileModel):
    """The fix of a mosaic.

    Parameters
    ----------
    shift : int
        A-lines by which its tiles were rolled.
    n_extra : int
        A-lines of the return.
    axis : "x" or "y"
        Along which A-lines follow one another.
    """

    shift: int
    n_extra: Annotated[int, Field(gt=0)]
    axis: Axis


class FixedTile(FileModel):
    """The fix of a raw tile: the file :data:`TILE_FILE`."""

    version: Literal[1] = 1
    shift: int
    n_extra: Annotated[int, Field(gt=0)]


class KeptAsItWas(FileModel):
    """What the attributes of the group :data:`KEPT` say.

    Parameters
    ----------
    version : int
        1.
    metadata : dict of str to str or None
        File → its text before the fix; ``None`` for one that was not there.
    levels : dict of str to str
        Array of this group → the level, within the image, that it was.
    """

    version: Literal[1] = 1
    metadata: dict[str, str | None]
    levels: dict[str, str]


# --- reading -----------------------------------------------------------------------------------------------------
def fix_of_mosaic(path: Path) -> Fixed | None:
    """Read what a mosaic says of its fix; ``None`` for one that was never fixed.

    Raises
    ------
    FileFormatError, TileReadError
        Naming the mosaic.
    """
    said = ZarrImage(path, third="Z").attributes().get(METADATA)
    found = said.get(FIXED) if isinstance(said, dict) else None
    return None if found is None else Fixed.from_data(found, f'{path}: "{METADATA}", "{FIXED}"')


def fix_of_tile(path: Path) -> FixedTile | None:
    """Read what a raw tile says of its fix; ``None`` for one that was never fixed.

    Raises
    ------
    FileFormatError
        Naming the file.
    """
    file = path / TILE_FILE
    return FixedTile.from_data(read_json(file), file) if file.exists() else None


def kept_as_it_was(path: Path) -> KeptAsItWas:
    """Read what a fixed mosaic keeps of what it was.

    Raises
    ------
    FileFormatError
        If it is missing or wrong.
    """
    group = path / KEPT
    for name in (_NODE, _ATTRIBUTES):
        if (group / name).is_file():
            said = _parsed(group / name)
            return KeptAsItWas.from_data(said.get("attributes") if name == _NODE else said, group / name)
    raise FileFormatError(f"{group}: it is missing, and without it the fix cannot be undone")


# --- writing -----------------------------------------------------------------------------------------------------
def marked_tile(shift: int, n_extra: int) -> dict[str, bytes]:
    """Give the file that says of a raw tile that it is fixed."""
    return {TILE_FILE: _text(FixedTile(shift=shift, n_extra=n_extra).model_dump())}


def marked(path: Path, fixed: Fixed, levels: Mapping[str, str]) -> dict[str, bytes]:
    """Give the metadata files of a fixed mosaic, and those of the group :data:`KEPT`.

    Parameters
    ----------
    path : Path
        The mosaic, before the fix.
    fixed : Fixed
        The fix.
    levels : mapping of str to str
        As :class:`KeptAsItWas` has them.

    Returns
    -------
    dict of str to bytes
        File, within the image → its content.

    Raises
    ------
    FileFormatError
        Naming a file whose content cannot be read.
    """
    files = {name: path / name for name in _metadata(path)}
    made = {name: _text(_changed(name, _parsed(file), partial(_mark, fixed))) for name, file in files.items()}
    # byte for byte: reading text would change the ends of its lines
    before = {name: file.read_bytes().decode() if file.exists() else None for name, file in files.items()}
    kept = KeptAsItWas(metadata=before, levels=dict(levels)).model_dump()
    if _NODE in files:
        group: dict[str, _Json] = {_NODE: {"zarr_format": 3, "node_type": "group", "attributes": kept}}
    else:
        group = {_GROUP: {"zarr_format": 2}, _ATTRIBUTES: kept}
    return made | {f"{KEPT}/{name}": _text(content) for name, content in group.items()}


def unmarked(path: Path, kept: KeptAsItWas) -> dict[str, bytes]:
    """Give the metadata files of a fixed mosaic as they were; what else was written into them since is kept.

    Parameters
    ----------
    path : Path
        The fixed mosaic.
    kept : KeptAsItWas
        What it keeps.

    Returns
    -------
    dict of str to bytes
        File, within the image → its content; without those that are to go.

    Raises
    ------
    FileFormatError
        Naming a file whose content cannot be read.
    """
    fixed = fix_of_mosaic(path)
    made = {}
    for name in _metadata(path):
        now, before = _parsed(path / name), kept.metadata.get(name)
        was = {} if before is None else json.loads(utf8(before))
        if name not in kept.metadata or _text(now) != _text(_changed(name, was, partial(_mark, fixed))):
            made[name] = _text(_changed(name, now, _unmark))
        elif before is not None:
            made[name] = utf8(before)
    return made


def _mark(fixed: Fixed | None, attributes: _Json) -> _Json:
    said = None if fixed is None else fixed.model_dump()
    return {**attributes, METADATA: {**(attributes.get(METADATA) or {}), FIXED: said}}


def _unmark(attributes: _Json) -> _Json:
    galvo = {key: value for key, value in (attributes.get(METADATA) or {}).items() if key != FIXED}
    rest = {key: value for key, value in attributes.items() if key != METADATA}
    return {**attributes, METADATA: galvo} if galvo else rest


# --- the files of Zarr -------------------------------------------------------------------------------------------
def _metadata(path: Path) -> list[str]:
    """Name the files that hold the attributes of a Zarr image, there or not."""
    if (path / _NODE).is_file():
        return [_NODE]
    return [_ATTRIBUTES, _CONSOLIDATED] if (path / _CONSOLIDATED).is_file() else [_ATTRIBUTES]


def _attributes(name: str, content: _Json) -> _Json:
    """Give the attributes of the image that a file holds."""
    if name == _NODE:
        return content.get("attributes") or {}
    return (content.get("metadata") or {}).get(_ATTRIBUTES) or {} if name == _CONSOLIDATED else content


def _changed(name: str, content: _Json, change: Callable[[_Json], _Json]) -> _Json:
    """Change the attributes that a file holds."""
    made = change(_attributes(name, content))
    if name == _NODE:
        return {**content, "attributes": made}
    if name == _CONSOLIDATED:
        return {**content, "metadata": {**(content.get("metadata") or {}), _ATTRIBUTES: made}}
    return made


def _parsed(file: Path) -> _Json:
    """Read JSON as zarr-python writes it, where NaN may stand; nothing where no file is."""
    if not file.exists():
        return {}
    try:
        found = json.loads(file.read_bytes())
    except ValueError as error:
        raise FileFormatError(f"{file}: this is no valid JSON ({error})") from None
    if not isinstance(found, dict):
        raise FileFormatError(f"{file}: expected an object")
    return found


def _text(content: _Json) -> bytes:
    return utf8(json.dumps(content, ensure_ascii=False, indent=2) + "\n")

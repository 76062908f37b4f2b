"""Map descriptors: JSON files that say where each FOV of a slide lies in stage coordinates."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import FileFormatError, SlicemapError
from ..files import read_json
from ..images.acquisition import TilePosition

# translation only, for now: a file that says more must not be shown as if it said less
_TRANSFORMS = ("rotation", "transform", "matrix")


@dataclass(frozen=True)
class Descriptors:
    """What a folder of descriptors says.

    Parameters
    ----------
    positions : tuple of TilePosition
        Of all files that could be read.
    problems : tuple of str
        One sentence for each file that could not.
    """

    positions: tuple[TilePosition, ...]
    problems: tuple[str, ...]


def read_descriptors(paths: Iterable[Path]) -> Descriptors:
    """Read descriptor files; a bad one is reported and the others still load.

    Parameters
    ----------
    paths : iterable of Path
        JSON files.

    Returns
    -------
    Descriptors

    Raises
    ------
    FileFormatError
        If two files name the same slide, or one names a FOV twice: nobody could say which is right.
    """
    positions: list[TilePosition] = []
    problems: list[str] = []
    file_of: dict[str, Path] = {}
    for path in paths:
        try:
            found = _read(path)
        except (SlicemapError, OSError) as error:
            problems.append(f"{error}; left out")
            continue
        for map_id in dict.fromkeys(position.map_id for position in found):
            if map_id in file_of:
                raise FileFormatError(f"slide {map_id} is named twice, in {file_of[map_id]} and in {path}")
            file_of[map_id] = path
        _refuse_doubled_fovs(found)
        positions += found
    return Descriptors(tuple(positions), tuple(problems))


def _refuse_doubled_fovs(positions: list[TilePosition]) -> None:
    seen: dict[tuple[str, str], TilePosition] = {}
    for position in positions:
        key = (position.map_id, position.fov)
        if key in seen:
            raise FileFormatError(f"FOV {position.fov} is named twice, in {seen[key].source} and in {position.source}")
        seen[key] = position


def _read(path: Path) -> list[TilePosition]:
    root = read_json(path)
    if not isinstance(root, dict) or not isinstance(root.get("fovs"), list):
        raise FileFormatError(f'{path}: expected {{"fovs": [...]}}')
    slice_id = root.get("slice_id")
    slice_id = "" if slice_id is None else _text(slice_id, "slice_id", str(path))
    return [_position(entry, f"{path}, fovs[{n}]", slice_id) for n, entry in enumerate(root["fovs"])]


def _position(entry: Any, where: str, slice_id: str) -> TilePosition:
    if not isinstance(entry, dict):
        raise FileFormatError(f"{where}: expected an object, found {type(entry).__name__}")
    name = _text(entry.get("name"), "name", where)
    where = f"{where} ({name})"
    _refuse_transforms(entry, where)
    width, height = (_pixels(_member(entry, "frameSizePixels", key, where), key, where) for key in ("width", "height"))
    center = tuple(
        _number(_member(entry, "centerPointMicrons", key, where), f"centerPointMicrons.{key}", where) for key in "xy"
    )
    size_um = entry.get("fovSizeMicrons")
    if size_um is not None and (size_um := _number(size_um, "fovSizeMicrons", where)) <= 0:
        raise FileFormatError(f"{where}: fovSizeMicrons is {size_um:g}, expected a width above 0 µm")
    return TilePosition(
        map_id=_text(entry.get("slideId"), "slideId", where),
        fov=name,
        source=where,
        center_um=(center[0], center[1]),
        size_px=(width, height),
        pixel_size_um=None if size_um is None else size_um / width,
        slice_id=slice_id,
    )


def _refuse_transforms(entry: dict[str, Any], where: str) -> None:
    said = entry.get("centerPointPixels")
    if said:
        raise FileFormatError(
            f"{where}: centerPointPixels is set; positions are read in stage µm (centerPointMicrons) only"
        )
    for key, value in entry.items():
        if (key in _TRANSFORMS or key.startswith("affine")) and value:
            raise FileFormatError(f"{where}: {key} is set, but tiles can only be shifted so far, not turned or warped")


def _member(entry: dict[str, Any], key: str, part: str, where: str) -> Any:
    found = entry.get(key)
    if not isinstance(found, dict) or part not in found:
        raise FileFormatError(f"{where}: {key}.{part} is missing")
    return found[part]


def _text(value: Any, key: str, where: str) -> str:
    """Read an id: text, or a whole number (7 and 7.0 both are "7")."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    if value is None or value == "":
        raise FileFormatError(f"{where}: {key} is missing or empty")
    if not isinstance(value, str) or not value.strip():
        raise FileFormatError(f"{where}: {key} is {value!r}, expected text")
    return value.strip()


def _number(value: Any, key: str, where: str) -> float:
    try:
        number = math.nan if isinstance(value, bool) or not isinstance(value, int | float) else float(value)
    except OverflowError:  # a whole number too large for a float
        number = math.inf
    if not math.isfinite(number):
        raise FileFormatError(f"{where}: {key} is {value!r}, expected a number")
    return number


def _pixels(value: Any, key: str, where: str) -> int:
    number = _number(value, f"frameSizePixels.{key}", where)
    if number <= 0 or not number.is_integer():
        raise FileFormatError(f"{where}: frameSizePixels.{key} is {value!r}, expected a whole number above 0")
    return int(number)

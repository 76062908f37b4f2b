"""Map descriptors: JSON files that say where each FOV of a slide lies, in stage coordinates or in map px."""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import FileFormatError, PlacementError, SlicemapError
from ..files import read_json, write_json
from ..images.acquisition import TilePosition
from ..units import length_um

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


def write_descriptor(
    path: str | os.PathLike[str],
    positions: Sequence[TilePosition],
    *,
    registration: Mapping[str, Any] | None = None,
) -> None:
    """Write the descriptor of one map atomically; :func:`read_descriptors` gives the same positions.

    Parameters
    ----------
    path : path-like
        The JSON file; one that is there is replaced.
    positions : sequence of TilePosition
        The tiles of one map, in painting order. A centre is written as ``centerPointMicrons``, a corner as
        ``originPixels``; fractions are kept.
    registration : mapping, optional
        How the positions were refined, for people and programs; readers pass over it.

    Raises
    ------
    PlacementError
        If there is no position, or what they say is nothing that a descriptor can hold: more than one map or slice,
        a FOV twice, no size, no position or one that is no finite number, or a name that is empty or has blanks
        around it.
    """
    _refuse_what_cannot_be_written(positions)
    root: dict[str, Any] = {"fovs": [_entry(position) for position in positions]}
    if positions[0].slice_id:
        root = {"slice_id": positions[0].slice_id, **root}
    if registration is not None:
        root = {"registration": registration, **root}
    write_json(path, root)


def _refuse_what_cannot_be_written(positions: Sequence[TilePosition]) -> None:
    if not positions:
        raise PlacementError("a descriptor needs at least one FOV")
    first, seen = positions[0], set()
    for position in positions:
        where = f"map {position.map_id}: FOV {position.fov}"
        if (position.map_id, position.slice_id) != (first.map_id, first.slice_id):
            raise PlacementError(
                f"{where} is not of map {first.map_id}, slice {first.slice_id!r}; a file holds one map"
            )
        if position.fov in seen:
            raise PlacementError(f"{where} is placed twice; a descriptor names each FOV once")
        seen.add(position.fov)
        _refuse_values(position, where)


def _refuse_values(position: TilePosition, where: str) -> None:
    for name in (position.map_id, position.fov, position.slice_id or "none"):
        if not name or name != name.strip():
            raise PlacementError(f"{where}: the name {name!r} is empty or has blanks around it")
    if position.size_px is None or min(position.size_px) < 1:
        raise PlacementError(f"{where}: its size is {position.size_px}, expected a width and height of at least 1 px")
    if (position.center_um is None) == (position.origin_px is None):
        raise PlacementError(f"{where}: expected either a centre in stage µm or a corner in map px")
    place = position.center_um or position.origin_px or ()
    if not all(math.isfinite(number) for number in place):
        raise PlacementError(f"{where}: its position is {place}, expected finite numbers")
    size_um = position.size_px[0] * (1.0 if position.pixel_size_um is None else position.pixel_size_um)
    if not 0 < size_um < math.inf:
        raise PlacementError(f"{where}: its pixel size is {position.pixel_size_um:g} µm, expected a number above 0")


def _entry(position: TilePosition) -> dict[str, Any]:
    width, height = position.size_px or (0, 0)
    x, y = position.center_um or position.origin_px or (0.0, 0.0)
    entry: dict[str, Any] = {
        "name": position.fov,
        "slideId": position.map_id,
        "centerPointMicrons" if position.center_um is not None else "originPixels": {"x": x, "y": y},
        "frameSizePixels": {"width": width, "height": height},
    }
    if position.pixel_size_um is not None:
        entry["fovSizeMicrons"] = width * position.pixel_size_um
    return entry


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
    center, origin = (_point(entry, key, where) for key in ("centerPointMicrons", "originPixels"))
    if center is None and origin is None:
        raise FileFormatError(f"{where}: centerPointMicrons.x is missing (and there is no originPixels)")
    if center is not None and origin is not None:
        raise FileFormatError(f"{where}: both centerPointMicrons and originPixels are set; use one of them")
    size_um = entry.get("fovSizeMicrons")
    if size_um is not None and (size_um := _length_um(size_um, "fovSizeMicrons", where)) <= 0:
        raise FileFormatError(f"{where}: fovSizeMicrons is {size_um:g}, expected a width above 0 µm")
    return TilePosition(
        map_id=_text(entry.get("slideId"), "slideId", where),
        fov=name,
        source=where,
        center_um=center,
        origin_px=origin,
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


def _point(entry: dict[str, Any], key: str, where: str) -> tuple[float, float] | None:
    if entry.get(key) is None:
        return None
    read = _length_um if key == "centerPointMicrons" else _number
    x, y = (read(_member(entry, key, part, where), f"{key}.{part}", where) for part in "xy")
    return x, y


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


def _length_um(value: Any, key: str, where: str) -> float:
    """Read a number of µm, or text with a unit."""
    if not isinstance(value, str):
        return _number(value, key, where)
    try:
        return length_um(value)
    except ValueError as error:
        raise FileFormatError(f"{where}: {key}: {error}") from None


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

"""A folder of tiles whose names say where they lie in a grid."""

from __future__ import annotations

import os
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ...errors import FileFormatError, listing
from ..acquisition import Acquisition, Missing, ReadOptions, TilePosition
from ..file_series import FileSeries
from ..fov import Fov
from ..image import ImageFile
from ..labels import masks_and_annotations
from ..opening import PLAIN_ENDINGS, open_image
from ..tiles.names import TileNames, TileOverlap, TilePattern
from ..tiles.schemes import counted_pattern, find_pattern
from ..tiles.sharing import Shared

_PARTS = ("masks", "annotations", "maps", "exports", "diagnostics")
"""Folders of a dataset that hold no tiles."""
_OVERLAP = Missing("overlap of the tiles", "they are put side by side", "--overlap 10%", "tiles")


@dataclass
class _Tile:
    """The files of one tile: ``(channel, t, z)`` → path, with the numbers of t and z as their names have them."""

    name: str
    map_id: str
    row: int
    column: int
    files: dict[tuple[str, int, int], Path] = field(default_factory=dict)


class TileFiles:
    """``{slice}_{row}_{col}_{channel}.tif`` and the like: a pattern that is stated, or found in the names."""

    name = "tile-files"
    summary = "a folder of tiles whose names hold row and column, such as 03_r01_c02.tif"

    def detect(self, path: Path) -> str:
        """Say by which pattern the names were read."""
        if not path.is_dir():
            return ""
        pattern = _found_pattern(path, frozenset(path / name for name in _PARTS))
        return f"names read as {pattern}" if pattern else ""

    def read(self, path: Path, options: ReadOptions) -> Acquisition:
        """Read the names, and the metadata of the first image that opens."""
        if not path.is_dir():
            raise FileFormatError(f"{path}: expected a folder of tiles")
        names = options.tiles or TileNames()
        problems: list[str] = []
        tiles = _tiles(path, names, options.skip, problems)
        images = _images(tiles)
        shared = Shared.of((image for found in images.values() for image in found.values()), sized=False)
        steps = _steps(path, names, shared)
        masks, annotations = masks_and_annotations(options, set(images), problems)
        fovs = {
            name: shared.fov(name, found, None, None, options.pixel_size_um, masks[name], annotations[name])
            for name, found in images.items()
        }
        stated = options.tiles is not None and "overlap" in options.tiles.model_fields_set
        return Acquisition(
            layout=self.name,
            root=path,
            fovs=fovs,
            positions=tuple(_position(tile, steps, fovs[tile.name]) for tile in tiles),
            cells=options.cell_table,
            cell_columns=options.cell_columns,
            problems=tuple(problems),
            missing=() if stated else (_OVERLAP,),
        )


# --- names ------------------------------------------------------------------------------------------------------
_DIGITS = re.compile("([0-9]+)")


def _listed(path: Path, depth: int, skip: frozenset[Path]) -> list[str]:
    """List what lies so many folders below, by its path with ``/``: files, and images that are folders."""
    folders = [path]
    for _ in range(depth):
        within = (Path(entry) for folder in folders for entry in _entries(folder) if entry.is_dir())
        folders = [folder for folder in within if folder not in skip]
    made = []
    for folder in folders:
        before = "" if folder == path else f"{folder.relative_to(path).as_posix()}/"
        made += [before + one.name for one in _entries(folder) if one.is_file() or one.name.lower().endswith(".zarr")]
    return sorted(made)


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    with os.scandir(folder) as found:
        return [entry for entry in found if not entry.name.startswith(".")]


def _by_number(name: str) -> list[tuple[int, str]]:
    """Order names with their numbers counted: 9 before 10."""
    return [(int(part), part) if at % 2 else (0, part) for at, part in enumerate(_DIGITS.split(name))]


def _plain(names: Iterable[str]) -> list[str]:
    return [name for name in names if name.lower().endswith(PLAIN_ENDINGS)]


def _found_pattern(path: Path, skip: frozenset[Path]) -> str:
    """Find the pattern of the images in a folder, or else of those in the folders in it."""
    here = _plain(_listed(path, 0, skip))
    return find_pattern(here or _plain(_listed(path, 1, skip)))


def _pattern(path: Path, names: TileNames, skip: frozenset[Path]) -> str:
    if names.pattern:
        return names.pattern
    counted = names.rows is not None or names.columns is not None
    found = counted_pattern(_plain(_listed(path, 0, skip))) if counted else _found_pattern(path, skip)
    if not found:
        raise FileFormatError(
            f"{path}: the names of the images do not say where they lie; "
            "state it, such as --tiles '{slice}_{row}_{col}.tif'"
        )
    return found


def _tiles(path: Path, names: TileNames, skip: frozenset[Path], problems: list[str]) -> list[_Tile]:
    """Read the names of all tiles; in order of slice, row and column."""
    pattern = TilePattern(_pattern(path, names, skip))
    there = _listed(path, pattern.depth, skip)
    read = {name: found for name in there if (found := pattern.read(name))}
    if not read:
        raise FileFormatError(f"{path}: no image is named {pattern.text}; there is {listing(there, 3)}")
    if others := [name for name in _plain(there) if name not in read]:
        problems.append(f"{path}: named otherwise than {pattern.text}, and left out: {listing(others, 3)}")
    slices: dict[str, dict[str, dict[str, str]]] = defaultdict(dict)
    for name, found in read.items():
        slices[found.get("slice") or path.resolve().name][name] = found
    from_0 = any(int(found.get("index", 1)) == 0 for found in read.values())
    made: list[_Tile] = []
    for map_id in sorted(slices, key=_by_number):
        made += _tiles_of_slice(path, map_id, slices[map_id], names, from_0)
    return made


def _tiles_of_slice(
    path: Path, map_id: str, files: Mapping[str, Mapping[str, str]], names: TileNames, from_0: bool
) -> list[_Tile]:
    cells = _cells(path, files, names, from_0)
    planes = {
        name: (found.get("channel", ""), int(found.get("t", 0)), int(found.get("z", 0)))
        for name, found in files.items()
    }
    tiles: dict[tuple[int, int], _Tile] = {}
    for name, plane in sorted(planes.items(), key=lambda one: (_by_number(one[1][0]), *one[1][1:])):
        found, cell = files[name], cells[name]
        called = f"r{found['row']}_c{found['col']}" if "row" in found else f"tile_{found['index']}"
        own = f"{found['slice']}_{called}" if "slice" in found else called
        tile = tiles.setdefault(cell, _Tile(own, map_id, *cell))
        if plane in tile.files:
            raise FileFormatError(f"{path / name}: by its name it lies where {tile.files[plane].name} does")
        tile.files[plane] = path / name
    return [tiles[cell] for cell in sorted(tiles)]


def _cells(
    path: Path, files: Mapping[str, Mapping[str, str]], names: TileNames, from_0: bool
) -> dict[str, tuple[int, int]]:
    """Say of each file of a slice in which row and column of its grid it lies, from 0."""
    if "row" in next(iter(files.values())):
        top, left = (min(int(found[part]) for found in files.values()) for part in ("row", "col"))
        return {name: (int(found["row"]) - top, int(found["col"]) - left) for name, found in files.items()}
    numbers = {name: int(found["index"]) for name, found in files.items()}
    low, high, first = min(numbers.values()), max(numbers.values()), 0 if from_0 else 1
    # the first tile of a slice may be missing; where numbers go beyond the grid, they go on from another slice's
    fits = names.capacity is not None and high < first + names.capacity
    start = first if low <= 1 or fits else low
    made: dict[str, tuple[int, int]] = {}
    for name, number in numbers.items():
        try:
            made[name] = names.cell(number - start, high - start + 1)
        except ValueError as error:
            raise FileFormatError(f"{path / name}: {error}; its number is {number}, the first one {start}") from None
    return made


# --- images -----------------------------------------------------------------------------------------------------
def _images(tiles: Sequence[_Tile]) -> dict[str, dict[str, ImageFile]]:
    """Give the images of each tile by channel; files of several z planes or time points are put together."""
    times: dict[str, set[int]] = defaultdict(set)
    depths: dict[str, set[int]] = defaultdict(set)
    for tile in tiles:
        times[tile.map_id] |= {t for _, t, _ in tile.files}
        depths[tile.map_id] |= {z for _, _, z in tile.files}
    at_t, at_z = (
        {map_id: {number: at for at, number in enumerate(sorted(found))} for map_id, found in axis.items()}
        for axis in (times, depths)
    )
    return {tile.name: _channels(tile, at_t[tile.map_id], at_z[tile.map_id]) for tile in tiles}


def _channels(tile: _Tile, at_t: Mapping[int, int], at_z: Mapping[int, int]) -> dict[str, ImageFile]:
    if len(at_t) * len(at_z) == 1:
        return {channel: open_image(file) for (channel, _, _), file in tile.files.items()}
    files: dict[str, list[tuple[tuple[int, int], ImageFile]]] = defaultdict(list)
    for (channel, t, z), file in tile.files.items():
        files[channel].append(((at_t[t], at_z[z]), open_image(file)))
    folder = next(iter(tile.files.values())).parent
    return {
        channel: FileSeries(folder, tuple(found), len(at_t), len(at_z), name=channel)
        for channel, found in files.items()
    }


def _steps(path: Path, names: TileNames, shared: Shared) -> tuple[float, float]:
    """Give the distance from tile to tile, ``(x, y)``, px."""
    width, height = shared.size_px or (0, 0)
    overlap = TileOverlap.parse(names.overlap)
    try:
        return overlap.step(width), overlap.step(height)
    except ValueError as error:
        raise FileFormatError(f"{path}: {error}; state another --overlap") from None


def _position(tile: _Tile, steps: tuple[float, float], fov: Fov) -> TilePosition:
    return TilePosition(
        map_id=tile.map_id,
        fov=tile.name,
        source=str(next(iter(tile.files.values()))),
        origin_px=(tile.column * steps[0], tile.row * steps[1]),
        size_px=fov.size_px,
        pixel_size_um=fov.pixel_size_um,
    )

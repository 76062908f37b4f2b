"""Raw mosaics as serial scanners' pipelines keep them: OME-Zarr in which each chunk is a tile."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ...errors import FileFormatError, PlacementError, TileReadError
from ..acquisition import Acquisition, Missing, ReadOptions, TilePosition
from ..fov import Fov
from ..image import ImagePlane
from ..labels import masks_and_annotations
from ..ome_zarr.groups import is_zarr
from ..ome_zarr.listing import image_folders, slice_of_name
from ..ome_zarr.omero import channel_settings
from ..ome_zarr.zarr_image import ZarrImage
from ..opening import image_stem
from ..region import Window
from ..tiles.names import TileNames, TileOverlap
from ..window_image import WindowImage

_NAME = re.compile(r"mosaic_grid.*z\d+.*\.zarr", re.IGNORECASE)
_NAMED = "mosaic_grid*z<NN>*.ome.zarr"
_MOST_TILES = 100_000
"""Of one mosaic; one that states more is not what it says."""
_OVERLAP = Missing("overlap of tiles", "they are put side by side", "--overlap 10%", "tiles")


class MosaicGrid:
    """``mosaic_grid*z<NN>*.ome.zarr``, or a folder of them: one map a slice, one FOV a chunk."""

    name = "mosaic-grid"
    summary = f"raw mosaics whose chunks are tiles ({_NAMED}, or a folder of them)"

    def detect(self, path: Path) -> str:
        """Say that there is a mosaic of that name; none is opened."""
        found = [one for one in _mosaics(path) if _NAME.fullmatch(one.name)]
        return f"{found[0].name} is a mosaic whose chunks are tiles" if found else ""

    def read(self, path: Path, options: ReadOptions) -> Acquisition:
        """Read the metadata of each mosaic, and cut it along its chunks."""
        folders = _mosaics(path) if path.is_dir() else []
        # where the layout is named, mosaics may be called anything
        folders = [one for one in folders if _NAME.fullmatch(one.name)] or folders
        if not folders:
            raise FileFormatError(f"{path}: expected a mosaic ({_NAMED}), or a folder of mosaics")
        problems: list[str] = []
        mosaics = _opened(_by_map(folders), problems)
        tiles = {tile.name: tile for mosaic in mosaics for tile in mosaic.tiles()}
        masks, annotations = masks_and_annotations(options, set(tiles), problems)
        fovs = {
            name: Fov(
                name=name,
                planes=tile.planes(),
                stated_pixel_size_um=tile.mosaic.grid.pixel_size_um,
                like=tile.mosaic.grid.like,
                fallback_pixel_size_um=options.pixel_size_um,
                size_hint=tile.window.shape[::-1],
                masks=masks[name],
                annotations=annotations[name],
            )
            for name, tile in tiles.items()
        }
        names = options.tiles or TileNames()
        return Acquisition(
            layout=self.name,
            root=path,
            fovs=fovs,
            positions=tuple(tile.position(TileOverlap.parse(names.overlap)) for tile in tiles.values()),
            cells=options.cell_table,
            cell_columns=options.cell_columns,
            problems=tuple(problems),
            missing=() if "overlap" in names.model_fields_set else (_OVERLAP,),
            channel_settings=_settings(mosaics, problems),
        )


@dataclass(frozen=True)
class _Grid:
    """What a mosaic says of itself; `like` names the one that another was taken from."""

    size_px: tuple[int, int]
    tile_px: tuple[int, int]
    channels: tuple[str, ...]
    pixel_size_um: float | None
    like: str = ""


@dataclass(frozen=True)
class _Mosaic:
    map_id: str
    image: ZarrImage
    grid: _Grid

    def tiles(self) -> Iterator[_Tile]:
        """Give the tiles row by row; those at the ends may hold less."""
        (width, height), (across, down) = self.grid.size_px, self.grid.tile_px
        prefix = f"z{self.map_id}" if self.map_id.isdecimal() else self.map_id
        for row, y in enumerate(range(0, height, down)):
            for column, x in enumerate(range(0, width, across)):
                window = Window(x, min(x + across, width), y, min(y + down, height))
                yield _Tile(f"{prefix}_r{row:02d}_c{column:02d}", self, row, column, window)


@dataclass(frozen=True)
class _Tile:
    name: str
    mosaic: _Mosaic
    row: int
    column: int
    window: Window

    def planes(self) -> dict[str, ImagePlane]:
        image, channels = WindowImage(self.mosaic.image, self.window), self.mosaic.grid.channels
        return {name: ImagePlane(image, number, channels) for number, name in enumerate(channels)}

    def position(self, overlap: TileOverlap) -> TilePosition:
        try:
            across, down = map(overlap.step, self.mosaic.grid.tile_px)
        except ValueError as error:
            raise PlacementError(f"{self.mosaic.image.path}: {error}") from None
        return TilePosition(
            map_id=self.mosaic.map_id,
            fov=self.name,
            source=f"{self.mosaic.image.path}, chunk {self.row}, {self.column}",
            origin_px=(self.column * across, self.row * down),
            size_px=self.window.shape[::-1],
        )


# --- which mosaics there are ---------------------------------------------------------------------------------
def _mosaics(path: Path) -> list[Path]:
    if not path.is_dir():
        return []
    return [path] if is_zarr(path) else image_folders(path)


def _by_map(folders: list[Path]) -> dict[str, Path]:
    """Give each mosaic the map of its slice; one whose name speaks of none is a map by its name."""
    made: dict[str, Path] = {}
    for folder in folders:
        map_id = slice_of_name(folder) or image_stem(folder.absolute())
        if map_id in made:
            raise FileFormatError(f"{folder}: it is of slice {map_id}, as {made[map_id].name} is; keep one of them")
        made[map_id] = folder
    return made


def _opened(folders: Mapping[str, Path], problems: list[str]) -> list[_Mosaic]:
    """Read what each mosaic says; one that cannot be read is taken to be like the first that can."""
    images = {map_id: ZarrImage(folder, third="Z") for map_id, folder in folders.items()}
    grids: dict[str, _Grid] = {}
    failures: list[TileReadError] = []
    for map_id, image in images.items():
        try:
            grids[map_id] = _grid(image)
        except TileReadError as error:
            failures.append(error)
    if not grids:
        raise failures[0]
    problems += map(str, failures)
    first = next(iter(grids))
    unread = replace(grids[first], like=str(folders[first]))
    return [_Mosaic(map_id, image, grids.get(map_id, unread)) for map_id, image in images.items()]


def _grid(image: ZarrImage) -> _Grid:
    info, (_, down, across) = image.info, image.stored_chunk
    height, width = info.shape[3:]
    if (count := -(-height // down) * -(-width // across)) > _MOST_TILES:
        raise TileReadError(f"{image.path}: its chunks are of {across} × {down} px, {count} in all; these are no tiles")
    return _Grid((width, height), (across, down), info.channel_names, info.pixel_size_um)


def _settings(mosaics: list[_Mosaic], problems: list[str]) -> dict[str, dict[str, Any]]:
    """Give how channels are shown, as the first mosaic says."""
    first = next(mosaic for mosaic in mosaics if not mosaic.grid.like)
    found = channel_settings(first.image.attributes(), first.grid.channels, problems, str(first.image.path))
    return {name: settings for name, settings in found.items() if settings}

"""A folder of raw OCT tiles: one FOV a tile, one map a slice."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ...errors import FileFormatError, TileReadError
from ..acquisition import Acquisition, ReadOptions, TilePosition
from ..format_tools import Tiling, named, one_by_one, plane_index, refuse_changed, shared_chunk, square_size_um
from ..fov import Fov
from ..image import ImageInfo, ImagePlane
from ..labels import masks_and_annotations
from ..oct.info import TileInfo
from ..oct.tile import FRAME_FILES, INFO_FILE, RawTile, find_raw_tiles, tile_folders
from ..plane import Chunks

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..cache import Allocate

CHANNEL = "OCT"
_NAMED = "tile_x<NN>_y<NN>_z<NN>"
_KIND = "a raw OCT tile"
_PLANES = 16  # float32 of as many planes share a line of the processor's cache: one alone would cost nearly as much
_GROUP_PX = 2**19  # of so many planes together: small enough to be turned within that cache


class RawTiles:
    """``tile_x<NN>_y<NN>_z<NN>/``, or the same in folders ``z<NN>/``, each with ``info.txt`` and ``image_*.bin``."""

    name = "raw-tiles"
    summary = f"a folder of raw OCT tiles (folders {_NAMED} with {INFO_FILE} and {FRAME_FILES})"

    def detect(self, path: Path) -> str:
        """Say that there is a raw tile; the first that is found will do."""
        if not path.is_dir():
            return ""
        found = any((tile / INFO_FILE).is_file() and any(tile.glob(FRAME_FILES)) for tile in tile_folders(path))
        return f"folders {_NAMED} hold {INFO_FILE} and {FRAME_FILES}" if found else ""

    def read(self, path: Path, options: ReadOptions) -> Acquisition:
        """Read the ``info.txt`` of each tile; those that cannot be are left out, by name."""
        if not path.is_dir():
            raise FileFormatError(f"{path}: expected a folder of raw tiles")
        problems: list[str] = []
        tiles = _readable(find_raw_tiles(path), problems)
        if not tiles:
            why = f"none of its tiles can be read: {problems[0]}" if problems else f"it holds no folder {_NAMED}"
            raise FileFormatError(f"{path}: {why}")
        sizes = _pixel_sizes(tiles, problems)
        known = {tile: size or options.pixel_size_um for tile, size in sizes.items()}
        names = {tile.path.name for tile in tiles}
        masks, annotations = masks_and_annotations(options, names, problems)
        fovs = {
            tile.path.name: Fov(
                name=tile.path.name,
                planes={CHANNEL: ImagePlane(RawTileImage(tile))},
                stated_pixel_size_um=sizes[tile],
                fallback_pixel_size_um=options.pixel_size_um,
                size_hint=(tile.info.nx, tile.info.ny),
                masks=masks[tile.path.name],
                annotations=annotations[tile.path.name],
            )
            for tile in tiles
        }
        return Acquisition(
            layout=self.name,
            root=path,
            fovs=fovs,
            positions=_positions(tiles, known, problems),
            cells=options.cell_table,
            cell_columns=options.cell_columns,
            problems=tuple(problems),
        )


# --- pixels --------------------------------------------------------------------------------------------------
@dataclass(frozen=True)
class RawTileImage:
    """A raw tile as an image, ``ZYX``: B-scans are its rows, and the first ``nx`` A-lines its columns.

    These are what is kept of a tile whose return lies at its end. Repeats of a B-scan are averaged.

    Parameters
    ----------
    tile : RawTile
        The tile.
    """

    tile: RawTile

    @property
    def path(self) -> Path:
        """The tile's folder."""
        return self.tile.path

    @cached_property
    def info(self) -> ImageInfo:
        """Metadata, read at the first use.

        Raises
        ------
        TileReadError
            Naming the folder or file, if it is missing or no raw tile.
        """
        self.tile.volume()
        return _described(self.tile.info)

    @property
    def key(self) -> Hashable:
        """Of the files as they are now."""
        return "raw-tile", self.path, *self.tile.state

    def chunks(self, channel: int, t: int, z: int) -> Chunks:
        """Give the chunks of one plane; see :class:`~napari_slicemap.images.image.ImageFile`."""
        info, key = self.info, self.key
        now = RawTile(self.path, self.tile.place)
        volume = now.volume()
        with named(self.path, _KIND):
            refuse_changed(self.path, info, _described(now.info))
            plane_index(info.axes, info.shape[2:], channel, t, z)
        repeats, (rows, width) = now.info.n_repeat, info.chunk_shape
        tiling = Tiling((now.info.ny, now.info.nx), info.chunk_shape, least_px=1)
        layer, within = divmod(z, _PLANES)

        def group(first: int, count: int) -> NDArray[np.float32]:
            frames = slice(first * repeats, (first + count) * repeats)
            part = np.array(volume[layer * _PLANES : (layer + 1) * _PLANES, :width, frames], np.float32, order="F")
            if repeats > 1:
                each = part.reshape(*part.shape[:2], count, repeats)
                part = each.mean(axis=3, dtype=np.float64).astype(np.float32)
            return part.transpose(0, 2, 1)

        def read(row: int, column: int, allocate: Allocate) -> NDArray[Any]:
            made = allocate(tiling.cut(row, column), info.dtype)
            planes = shared_chunk(self.path, (key, layer, row), lambda: group(row * rows, len(made)))
            made[...] = planes[within]
            return made

        return Chunks(key, info.chunk_shape, one_by_one(read, self.path, _KIND))


def _described(info: TileInfo) -> ImageInfo:
    rows = min(info.ny, max(1, _GROUP_PX // (_PLANES * info.nx * info.n_repeat)))
    return ImageInfo(
        shape=(1, 1, info.depth, info.ny, info.nx),
        dtype=np.dtype(np.float32),
        axes="ZYX",
        channel_names=(CHANNEL,),
        pixel_size_um=_pixel_size(info)[0],
        chunk_shape=(rows, info.nx),
    )


def _pixel_size(info: TileInfo) -> tuple[float | None, str]:
    """Give the size of a px, µm, or why there is none."""
    try:
        return square_size_um(info.width_um / info.nx, info.height_um / info.ny), ""
    except ValueError as error:
        return None, str(error)


# --- which tiles, and where ----------------------------------------------------------------------------------
def _readable(tiles: Iterable[RawTile], problems: list[str]) -> list[RawTile]:
    made = []
    for tile in tiles:
        try:
            _ = tile.info
        except TileReadError as error:
            problems.append(f"{error}; left out")
        else:
            made.append(tile)
    return made


def _pixel_sizes(tiles: Iterable[RawTile], problems: list[str]) -> dict[RawTile, float | None]:
    """Give the pixel size of each tile, µm; tiles without one are told of together."""
    sizes: dict[RawTile, float | None] = {}
    without: dict[str, list[RawTile]] = defaultdict(list)
    for tile in tiles:
        sizes[tile], why = _pixel_size(tile.info)
        if why:
            without[why].append(tile)
    for why, alike in without.items():
        more = f" (and those of {len(alike) - 1} more tiles)" if len(alike) > 1 else ""
        problems.append(f"{alike[0].path / INFO_FILE}: {why}{more}; it counts as unknown")
    return sizes


def _positions(
    tiles: Iterable[RawTile], sizes: Mapping[RawTile, float | None], problems: list[str]
) -> tuple[TilePosition, ...]:
    """Place the tiles of each slice where the stage was, or by the numbers in their names where some do not say."""
    slices: dict[str, list[RawTile]] = defaultdict(list)
    for tile in tiles:
        slices[tile.place.z].append(tile)
    made: list[TilePosition] = []
    for z, own in slices.items():
        known = [tile for tile in own if tile.info.stage_um and sizes[tile]]
        if len(known) < len(own) and any(tile.info.stage_um for tile in own):
            lost = next(tile for tile in own if tile not in known)
            lacks = "pixel size" if lost.info.stage_um else "stage position"
            problems.append(f"{lost.path / INFO_FILE}: no {lacks}, so slice {z} is laid out by the names of its tiles")
        step = max(tile.info.nx for tile in own), max(tile.info.ny for tile in own)
        made += [_position(tile, sizes[tile], step, on_stage=len(known) == len(own)) for tile in own]
    return tuple(made)


def _position(tile: RawTile, pixel_size_um: float | None, step: tuple[int, int], *, on_stage: bool) -> TilePosition:
    info, size = tile.info, (tile.info.nx, tile.info.ny)
    center = None
    if on_stage and info.stage_um and pixel_size_um:
        center = info.stage_um[0] + size[0] * pixel_size_um / 2, info.stage_um[1] + size[1] * pixel_size_um / 2
    return TilePosition(
        map_id=tile.place.z,
        fov=tile.path.name,
        source=str(tile.path / INFO_FILE),
        center_um=center,
        origin_px=None if center else (tile.place.x * step[0], tile.place.y * step[1]),
        size_px=size,
        pixel_size_um=pixel_size_um,
    )

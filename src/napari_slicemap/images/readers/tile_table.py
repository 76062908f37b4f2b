"""``tiles.csv``: one row a tile, with its place on a map."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from itertools import dropwhile
from pathlib import Path

from ...errors import FileFormatError
from ...files import Row, read_table
from ..acquisition import Acquisition, ReadOptions, TilePosition
from ..fov import Annotation, Fov
from ..image import ImageFile
from ..labels import masks_and_annotations
from ..opening import image_stem, open_image
from ..plane import Plane
from ..tiles.columns_file import kept_tile_columns
from ..tiles.fov_table import FovTable
from ..tiles.many_tiles import ManyTiles
from ..tiles.sharing import Shared

_STAGE, _PIXELS = ("x_um", "y_um"), ("x_px", "y_px")
_SIZED = ("channel", "width_px", "height_px")
_LARGE = 200_000
"""Bytes from which a table is read by columns, and kept so: some 5,000 rows."""


@dataclass
class _Tile:
    """The rows of one FOV: one, or one per channel."""

    name: str
    map_id: str
    first: Row
    images: dict[str, ImageFile] = field(default_factory=dict)


class TileTable:
    """``path``, ``map_id`` or ``slice_id``, and either ``x_um, y_um`` (centre) or ``x_px, y_px`` (top-left)."""

    name = "tiles-csv"
    summary = "tiles.csv (one row a tile: path, map_id, and x_um,y_um or x_px,y_px)"

    def detect(self, path: Path) -> str:
        """Say which table was found."""
        table = _table_at(path)
        if table is None:
            return ""
        try:
            with table.open(encoding="utf-8-sig") as stream:
                header = stream.readline().strip().split(",")
        except UnicodeDecodeError:
            return ""
        names = {cell.strip().strip('"') for cell in header}
        fits = table.name == "tiles.csv" or ("path" in names and names & {"map_id", "slice_id"})
        return f"{table.name} lists tiles" if fits else ""

    def read(self, path: Path, options: ReadOptions) -> Acquisition:
        """Read the table; one tile is opened where the table leaves out sizes or channel names."""
        table = _table_at(path)
        if table is None:
            raise FileFormatError(f"{path}: expected tiles.csv or a folder that holds it")
        if table.stat().st_size >= _LARGE and (made := self._read_many(path, table, options)) is not None:
            return made
        rows = read_table(table, ("path",))
        if not rows:
            raise FileFormatError(f"{table}: the table lists no tile")
        unit = _position_columns(rows[0], table)
        tiles = _group(rows, table)
        shared = _shared(tiles)
        problems: list[str] = []
        masks, annotations = masks_and_annotations(options, {tile.name for tile in tiles}, problems)
        fovs = {tile.name: _fov(tile, shared, options, masks[tile.name], annotations[tile.name]) for tile in tiles}
        return Acquisition(
            layout=self.name,
            root=path,
            fovs=fovs,
            positions=tuple(_position(tile, unit, fovs[tile.name]) for tile in tiles),
            cells=options.cell_table,
            cell_columns=options.cell_columns,
            problems=tuple(problems),
            stage_y_stated=False,
        )

    def _read_many(self, path: Path, table: Path, options: ReadOptions) -> Acquisition | None:
        """Read a table by columns; ``None`` where it has to be read row by row, to tell what is wrong with it."""
        columns = kept_tile_columns(table, options.cache)
        if columns is None:
            return None
        tiles = ManyTiles.of(columns, table.parent, options.pixel_size_um)
        positions = tiles.positions(table)
        if positions is None:
            return None
        problems: list[str] = []
        masks, annotations = masks_and_annotations(options, set(columns.fovs), problems)
        return Acquisition(
            layout=self.name,
            root=path,
            fovs=FovTable(columns.fovs, replace(tiles, masks=masks, annotations=annotations)),
            positions=positions,
            cells=options.cell_table,
            cell_columns=options.cell_columns,
            problems=tuple(problems),
            stage_y_stated=False,
        )


def _table_at(path: Path) -> Path | None:
    if path.is_dir():
        path = path / "tiles.csv"
    return path if path.is_file() and path.suffix.lower() == ".csv" else None


def _position_columns(row: Row, table: Path) -> tuple[str, str]:
    there = [pair for pair in (_STAGE, _PIXELS) if all(name in row.cells for name in pair)]
    if len(there) != 1:
        found = "both are there" if there else "neither is there"
        raise FileFormatError(f"{table}: expected the columns x_um,y_um or x_px,y_px; {found}")
    return there[0]


def _group(rows: list[Row], table: Path) -> list[_Tile]:
    """Gather the rows of each FOV, and name FOVs that no row names."""
    map_ids = [row["map_id"] or row["slice_id"] for row in rows]
    stems = [image_stem(Path(row["path"])) for row in rows]
    # the same file name in two slices is usual; such tiles are told apart by their map
    maps_of = Counter(stem for stem, _ in {(s, m) for s, m in zip(stems, map_ids, strict=True)})
    tiles: dict[str, _Tile] = {}
    for row, map_id, stem in zip(rows, map_ids, stems, strict=True):
        if not row["path"]:
            raise FileFormatError(f"{row.where}: path is empty")
        if not map_id:
            raise FileFormatError(f"{row.where}: map_id (or slice_id) is empty")
        name = row["fov"] or (stem if maps_of[stem] == 1 else f"{map_id}_{stem}")
        tile = tiles.setdefault(name, _Tile(name, map_id, row))
        if tile.map_id != map_id:
            raise FileFormatError(
                f"{row.where}: FOV {name} is on map {map_id}, but {tile.first.where} puts it on {tile.map_id}"
            )
        if any(row[column] != tile.first[column] for column in (*_STAGE, *_PIXELS)):
            raise FileFormatError(f"{row.where}: FOV {name} lies elsewhere in {tile.first.where}")
        channel = row["channel"]
        if channel in tile.images or (tile.images and not (channel and all(tile.images))):
            what = f"channel {channel} of FOV {name}" if channel else f"FOV {name}"
            raise FileFormatError(f"{row.where}: {what} stands twice, first in {tile.first.where}")
        tile.images[channel] = _image(row, table)
    return list(tiles.values())


def _image(row: Row, table: Path) -> ImageFile:
    try:
        return open_image(table.parent / row["path"], series=row.whole("series") or 0, page=row.whole("page"))
    except FileFormatError as error:
        raise FileFormatError(str(error) if row.where in str(error) else f"{row.where}: {error}") from None


def _complete(row: Row) -> bool:
    """Say whether a row leaves nothing out that its image would have to be opened for."""
    return all(row[name] for name in (*_SIZED, "pixel_size_um"))


def _shared(tiles: list[_Tile]) -> Shared:
    """Open the first tile that can be opened, unless the table says it all."""
    images = (next(iter(tile.images.values())) for tile in dropwhile(lambda tile: _complete(tile.first), tiles))
    return Shared.of(images, sized=all(tile.first[name] for tile in tiles for name in _SIZED))


def _fov(
    tile: _Tile,
    shared: Shared,
    options: ReadOptions,
    masks: Mapping[str, Plane],
    annotations: Mapping[str, Annotation],
) -> Fov:
    row = tile.first
    width, height = row.whole("width_px", 1), row.whole("height_px", 1)
    stated = row.length_um("pixel_size_um")
    if stated is not None and stated <= 0:
        raise FileFormatError(f"{row.where}: pixel_size_um is {stated:g}, expected a length above 0")
    size = (width, height) if width and height else None
    return shared.fov(tile.name, tile.images, size, stated, options.pixel_size_um, masks, annotations)


def _position(tile: _Tile, columns: tuple[str, str], fov: Fov) -> TilePosition:
    row = tile.first
    stage = columns == _STAGE
    x, y = (row.length_um(name) if stage else row.number(name) for name in columns)
    if x is None or y is None:
        raise FileFormatError(f"{row.where}: {columns[0]} and {columns[1]} are needed")
    if stage and fov.pixel_size_um is None:
        raise FileFormatError(
            f"{row.where}: no pixel_size_um, and the image states none; "
            "add the column, or pixel_size_um in slicemap.toml"
        )
    return TilePosition(
        map_id=tile.map_id,
        fov=tile.name,
        source=row.where,
        center_um=(x, y) if stage else None,
        origin_px=None if stage else (x, y),
        size_px=fov.size_px,
        pixel_size_um=fov.pixel_size_um,
        slice_id=row["slice_id"],
    )

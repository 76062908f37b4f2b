"""``tiles.csv``: one row a tile, with its place on a map."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from pathlib import Path

from ...errors import FileFormatError, SlicemapError
from ...files import Row, read_table
from ...units import length_um
from ..acquisition import Acquisition, ReadOptions, TilePosition
from ..fov import Fov
from ..image import ImageFile, ImagePlane
from ..labels import masks_and_annotations
from ..opening import image_stem, open_image

_STAGE, _PIXELS = ("x_um", "y_um"), ("x_px", "y_px")


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
        except (OSError, UnicodeDecodeError):
            return ""
        names = {cell.strip().strip('"') for cell in header}
        fits = table.name == "tiles.csv" or ("path" in names and names & {"map_id", "slice_id"})
        return f"{table.name} lists tiles" if fits else ""

    def read(self, path: Path, options: ReadOptions) -> Acquisition:
        """Read the table; one tile is opened where the table leaves out sizes or channel names."""
        table = _table_at(path)
        if table is None:
            raise FileFormatError(f"{path}: expected tiles.csv or a folder that holds it")
        rows = read_table(table, ("path",))
        if not rows:
            raise FileFormatError(f"{table}: the table lists no tile")
        unit = _position_columns(rows[0], table)
        tiles = _group(rows, table)
        shared = _Shared.of(tiles)
        problems: list[str] = []
        masks, annotations = masks_and_annotations(options, {tile.name for tile in tiles}, problems)
        fovs = {
            tile.name: replace(_fov(tile, shared, options), masks=masks[tile.name], annotations=annotations[tile.name])
            for tile in tiles
        }
        return Acquisition(
            layout=self.name,
            root=path,
            fovs=fovs,
            positions=tuple(_position(tile, unit, fovs[tile.name]) for tile in tiles),
            cells=options.cells if options.cells.is_file() else None,
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


@dataclass(frozen=True)
class _Shared:
    """What tiles have in common, from the first one that opens; each tile is held to it when it is read."""

    channels: tuple[str, ...] = ()
    size_px: tuple[int, int] | None = None
    pixel_size_um: float | None = None
    path: str = ""

    @classmethod
    def of(cls, tiles: list[_Tile]) -> _Shared:
        """Open the first tile that can be opened, unless the table says it all."""
        row = tiles[0].first
        complete = all(row[name] for name in ("channel", "width_px", "height_px"))
        if complete and row["pixel_size_um"]:
            return cls()
        failure: SlicemapError | None = None
        for tile in tiles:
            try:
                image = next(iter(tile.images.values()))
                info = image.info
            except SlicemapError as error:
                failure = failure or error
                continue
            size = (info.shape[4], info.shape[3])
            return cls(info.channel_names, size, info.pixel_size_um, str(image.path))
        if complete:
            return cls(path="the table")
        raise failure or FileFormatError("the table lists no tile")


def _fov(tile: _Tile, shared: _Shared, options: ReadOptions) -> Fov:
    if "" in tile.images:
        image = tile.images[""]
        planes = {name: ImagePlane(image, index, shared.channels) for index, name in enumerate(shared.channels)}
    else:
        planes = {name: ImagePlane(image) for name, image in tile.images.items()}
    row = tile.first
    width, height = row.whole("width_px", 1), row.whole("height_px", 1)
    try:
        stated = length_um(row["pixel_size_um"]) if row["pixel_size_um"] else None
    except ValueError as error:
        raise FileFormatError(f"{row.where}: pixel_size_um: {error}") from None
    if stated is not None and stated <= 0:
        raise FileFormatError(f"{row.where}: pixel_size_um is {stated:g}, expected a length above 0")
    return Fov(
        name=tile.name,
        planes=planes,
        stated_pixel_size_um=stated or shared.pixel_size_um,
        like="" if stated else shared.path,
        fallback_pixel_size_um=options.pixel_size_um,
        size_hint=(width, height) if width and height else shared.size_px,
    )


def _position(tile: _Tile, columns: tuple[str, str], fov: Fov) -> TilePosition:
    row = tile.first
    x, y = (row.number(name) for name in columns)
    if x is None or y is None:
        raise FileFormatError(f"{row.where}: {columns[0]} and {columns[1]} are needed")
    stage = columns == _STAGE
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

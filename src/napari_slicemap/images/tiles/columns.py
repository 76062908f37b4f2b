"""A large ``tiles.csv`` read column by column: an object for each row would take longer than all the rest."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ...errors import FileFormatError
from ...files import read_columns
from ...units import length_um
from ..image import ImageFile
from ..opening import image_stem, open_image
from ..region import LARGEST_PX

if TYPE_CHECKING:
    from numpy.typing import NDArray

_STAGE, _PIXELS = ("x_um", "y_um"), ("x_px", "y_px")


@dataclass(frozen=True, eq=False)
class TileColumns:
    """What a table says of N tiles (FOVs) of M images, checked; a tile has several images if each is one channel.

    Parameters
    ----------
    fovs, map_ids, slice_ids : list of str, N
        The FOV's name, its map, and the slice where the table states it.
    in_um : bool
        Whether `places` are centres in stage µm; top-left corners in map px otherwise.
    places : ndarray of float64, (N, 2)
        ``x, y``.
    sizes_px : ndarray of int64, (N, 2)
        ``width, height``; 0 where the table leaves them out.
    pixel_sizes_um : ndarray of float64, (N,)
        NaN where the table leaves it out.
    lines : ndarray of int64, (N,)
        Of the table, where the tile stands first.
    starts : ndarray of int64, (N + 1,)
        The images of tile ``n`` are those from ``starts[n]`` up to ``starts[n + 1]``.
    paths, channels : list of str, M
        Of each image; no channel where all channels of the image are the tile's.
    series, pages : ndarray of int64, (M,)
        Of TIFF files; page -1 where the table states none.
    """

    fovs: list[str]
    map_ids: list[str]
    slice_ids: list[str]
    in_um: bool
    places: NDArray[np.float64]
    sizes_px: NDArray[np.int64]
    pixel_sizes_um: NDArray[np.float64]
    lines: NDArray[np.int64]
    starts: NDArray[np.int64]
    paths: list[str]
    channels: list[str]
    series: NDArray[np.int64]
    pages: NDArray[np.int64]

    def image(self, number: int, folder: Path) -> ImageFile:
        """Give one of the M images; paths are relative to the table's folder."""
        page = int(self.pages[number])
        return open_image(folder / self.paths[number], int(self.series[number]), None if page < 0 else page)

    def images(self, tile: int, folder: Path) -> dict[str, ImageFile]:
        """Give the images of a tile by channel."""
        own = range(int(self.starts[tile]), int(self.starts[tile + 1]))
        return {self.channels[number]: self.image(number, folder) for number in own}


class _NotPlainError(Exception):
    """Something is wrong with the table, or may be."""


def read_tile_columns(table: Path) -> TileColumns | None:
    """Read a table of tiles.

    Parameters
    ----------
    table : Path
        CSV, see :class:`~napari_slicemap.images.readers.tile_table.TileTable`.

    Returns
    -------
    TileColumns or None
        ``None`` where anything is wrong with the table: read row by row, it is told by line.
    """
    try:
        cells, lines = read_columns(table)
        return _checked(_Cells(cells, len(lines)), lines, table.parent)
    except (FileFormatError, _NotPlainError):
        return None


@dataclass(frozen=True)
class _Cells:
    """The text of each column; one that the table lacks is empty."""

    columns: dict[str, list[str]]
    count: int

    def __getitem__(self, name: str) -> list[str]:
        return self.columns.get(name) or [""] * self.count


def _checked(cells: _Cells, lines: list[int], folder: Path) -> TileColumns:
    stated = [pair for pair in (_STAGE, _PIXELS) if all(name in cells.columns for name in pair)]
    _require(cells.count > 0 and len(stated) == 1)
    paths, channels = cells["path"], cells["channel"]
    map_ids = [own or of_slice for own, of_slice in zip(cells["map_id"], cells["slice_id"], strict=True)]
    _require(all(paths) and all(map_ids))
    series, pages = _wholes(cells["series"], 0, unstated=0), _wholes(cells["page"], 0, unstated=-1)
    plain = [_plain_stem(path) for path in paths]
    _check_images(plain, paths, series, pages, folder)
    names = _names(cells["fov"], plain, paths, map_ids)
    order, starts = _by_tile(names, channels, [map_ids, *(cells[name] for name in (*_STAGE, *_PIXELS))])
    first, images = order[starts[:-1]].tolist(), order.tolist()
    places = np.stack([_numbers(_taken(cells[name], first)) for name in stated[0]], axis=1)
    _require(not np.isnan(places).any())
    sides = [_wholes(_taken(cells[name], first), 1, unstated=0) for name in ("width_px", "height_px")]
    sizes = np.stack(sides, axis=1)
    return TileColumns(
        fovs=list(dict.fromkeys(names)),
        map_ids=_taken(map_ids, first),
        slice_ids=_taken(cells["slice_id"], first),
        in_um=stated[0] == _STAGE,
        places=places,
        sizes_px=sizes * sizes.all(axis=1, keepdims=True),
        pixel_sizes_um=_lengths(_taken(cells["pixel_size_um"], first)),
        lines=np.array(lines, np.int64)[first],
        starts=starts,
        paths=_taken(paths, images),
        channels=_taken(channels, images),
        series=series[order],
        pages=pages[order],
    )


def _by_tile(
    names: list[str], channels: list[str], alike: list[list[str]]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Order rows by tile: the rows, tile by tile, and where each tile starts among them, and the last one ends.

    The rows of one tile must be alike in some columns, and of channels that are named and all different.
    """
    numbers: dict[str, int] = {}
    tile_of = np.array([numbers.setdefault(name, len(numbers)) for name in names], np.int64)
    order = np.argsort(tile_of, kind="stable")
    starts = np.searchsorted(tile_of[order], np.arange(len(numbers) + 1)).astype(np.int64)
    if len(numbers) < len(names):
        several = (np.diff(starts) > 1)[tile_of]
        _require(all(channels[row] for row in np.flatnonzero(several).tolist()))
        _require(len(set(zip(names, channels, strict=True))) == len(names))
        first = order[starts[:-1]][tile_of].tolist()
        _require(all(column == _taken(column, first) for column in alike))
    return order, starts


def _require(plain: bool) -> None:
    if not plain:
        raise _NotPlainError


def _taken(column: list[str], rows: Sequence[int]) -> list[str]:
    return [column[row] for row in rows]


def _names(fovs: list[str], plain: list[str], paths: list[str], map_ids: list[str]) -> list[str]:
    """Name the tiles: as stated, else by the image, and by the map where images of several maps are called alike."""
    if all(fovs):
        return fovs
    stems = [stem or image_stem(Path(path)) for stem, path in zip(plain, paths, strict=True)]
    maps_of = Counter(stem for stem, _ in set(zip(stems, map_ids, strict=True)))
    return [
        fov or (stem if maps_of[stem] == 1 else f"{map_id}_{stem}")
        for fov, stem, map_id in zip(fovs, stems, map_ids, strict=True)
    ]


def _plain_stem(path: str) -> str:
    """Give what :func:`image_stem` gives for a TIFF file, nothing for another; making a ``Path`` of each takes long."""
    name = path.rpartition("/")[2]
    if name.lower().endswith((".tif", ".tiff")) and name[0] != "." and "\\" not in path and ":" not in path:
        return name.rpartition(".")[0]
    return ""


def _check_images(
    plain: list[str], paths: list[str], series: NDArray[np.int64], pages: NDArray[np.int64], folder: Path
) -> None:
    """Require that images can be as stated: only TIFF files have series and pages."""
    for number, path in enumerate(paths):
        if not plain[number]:
            page = int(pages[number])
            open_image(folder / path, int(series[number]), None if page < 0 else page)


def _numbers(texts: list[str]) -> NDArray[np.float64]:
    """Read numbers, NaN where there is none."""
    try:
        found = np.array([float(text) if text else math.nan for text in texts])
    except ValueError:
        raise _NotPlainError from None
    _require(not np.isinf(found).any() and int(np.isnan(found).sum()) == texts.count(""))
    return found


def _wholes(texts: list[str], least: int, unstated: int) -> NDArray[np.int64]:
    if not any(texts):
        return np.full(len(texts), unstated, np.int64)
    found = _numbers(texts)
    given = found[~np.isnan(found)]
    _require(bool(((given == np.floor(given)) & (given >= least) & (given <= LARGEST_PX)).all()))
    return np.where(np.isnan(found), unstated, found).astype(np.int64)


def _lengths(texts: list[str]) -> NDArray[np.float64]:
    """Read lengths in µm; NaN where there is none."""
    try:
        known = {text: length_um(text) if text else math.nan for text in set(texts)}
    except ValueError:
        raise _NotPlainError from None
    _require(not any(length <= 0 for length in known.values()))
    return np.array([known[text] for text in texts])

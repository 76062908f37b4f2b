"""Pictures of the tiles that decided: before and after the roll, the band of the return outlined."""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ...errors import StackError, TileReadError
from ..ids import id_ranges
from ..progress import OnProgress, Progress
from ..reports.page import Thumbnail
from ..reports.thumbnails import thumbnail_png
from ..slice_config import is_used
from ..slice_values import number_of
from .fix import fix_galvo_shift
from .fixing.marks import fix_of_mosaic, fix_of_tile
from .fixing.plan import raw_tiles_of
from .profile import average_projection

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from .decisions import Row, Standing
    from .record import GalvoRecord
    from .tile_slices import TileSlice

_OUTLINE = (255, 140, 0)
_SIDE_PX = 96


def band_pictures(
    rows: Mapping[str, Row],
    records: Mapping[str, GalvoRecord],
    decided: Mapping[str, Standing],
    slices: Mapping[str, TileSlice],
    on_progress: OnProgress | None,
) -> tuple[tuple[Thumbnail, ...], list[str]]:
    """Make two pictures of each slice that was looked at and has tiles, and say which have none, and why.

    Parameters
    ----------
    rows : mapping of str to mapping
        The table.
    records : mapping of str to GalvoRecord
        What is known of its slices.
    decided : mapping of str to Standing
        What is decided of them.
    slices : mapping of str to TileSlice
        The tiles, ids matched by number.
    on_progress : callable or None
        Told slices done, and slices in all.

    Returns
    -------
    tuple of Thumbnail, list of str
    """
    by_number = {number_of(one): tiles for one, tiles in slices.items()}
    made: list[Thumbnail] = []
    without, notes = [], []
    tell = Progress(on_progress, len(records))
    for slice_id, record in records.items():
        tiles = by_number.get(number_of(slice_id))
        if tiles is None:
            without.append(slice_id)
        else:
            try:
                made += _before_and_after(slice_id, record, decided[slice_id], tiles, is_used(rows[slice_id]))
            except (TileReadError, StackError) as error:  # the rest of the report is the more needed
                notes.append(f"slice {slice_id}: {error}")
        tell.add(1)
    return tuple(made), [*([f"no tiles: {id_ranges(without)}"] if without else []), *notes]


def _before_and_after(
    slice_id: str, record: GalvoRecord, how: Standing, tiles: TileSlice, used: bool
) -> list[Thumbnail]:
    if _is_fixed(tiles):
        raise StackError(f"the tiles in {tiles.path} are fixed already; name those that they were made of")
    best = max(record.tiles, key=lambda one: one.confidence, default=None)
    shift = record.likeliest if how.shift is None else how.shift
    if best is None or shift is None:
        raise StackError("all of its tiles are background")
    named = {tile.name: tile for tile in tiles.tiles}
    if best.name not in named:
        raise StackError(f"{tiles.path} has no tile {best.name}, which the diagnostics speak of")
    projection = average_projection(named[best.name].open())
    if len(projection) != record.lines:
        raise StackError(f"{best.name} has {len(projection)} A-lines, and the diagnostics say {record.lines}")
    tile, along_x = named[best.name], tiles.axis == "x"
    first, end = (record.lines - record.n_extra - shift) % record.lines, record.lines - record.n_extra
    rolled = fix_galvo_shift(projection, shift, 0)
    place = f"as it is, r{tile.row}c{tile.column}"
    said = f"rolled by {shift}" if how.fix or record.suggests_fix else f"likeliest, rolled by {shift}"
    return [
        Thumbnail(slice_id, band_png(projection, first, record.n_extra, along_x), place, used),
        Thumbnail(slice_id, band_png(rolled, end, record.n_extra, along_x), said, used),
    ]


def _is_fixed(tiles: TileSlice) -> bool:
    if tiles.kind == "mosaic":
        return fix_of_mosaic(tiles.path) is not None
    return any(fix_of_tile(one.path) is not None for one in raw_tiles_of(tiles))


def band_png(projection: NDArray[Any], first: int, n_extra: int, along_x: bool, side_px: int = _SIDE_PX) -> bytes:
    """Make a small picture of a tile, with the band of the return outlined.

    Parameters
    ----------
    projection : ndarray, (A-lines, B-scans)
        The mean over depth.
    first, n_extra : int
        First A-line of the band, and its A-lines; it may wrap.
    along_x : bool
        Whether A-lines follow one another along the rows of the picture, as ``axis`` ``"x"`` of a slice says.
    side_px : int
        Length of the longer side, px.

    Returns
    -------
    bytes
        A PNG in the contrast of :func:`~napari_slicemap.slices.reports.thumbnails.thumbnail_png`.
    """
    from PIL import Image, ImageDraw

    with Image.open(io.BytesIO(thumbnail_png(projection.T if along_x else projection, side_px))) as grey:
        width, height = (max(1, round(side_px * length / max(grey.size))) for length in grey.size)
        picture = grey.convert("RGB").resize((width, height), Image.Resampling.NEAREST)  # a small tile is magnified
    draw = ImageDraw.Draw(picture)
    lines, scale = len(projection), (width if along_x else height) / len(projection)
    within = [(first, min(first + n_extra, lines)), (0, first + n_extra - lines)]
    for start, stop in within if first + n_extra > lines else within[:1]:
        near, far = round(start * scale), max(round(start * scale), round(stop * scale) - 1)
        draw.rectangle((near, 0, far, height - 1) if along_x else (0, near, width - 1, far), outline=_OUTLINE)
    stream = io.BytesIO()
    picture.save(stream, "PNG")
    return stream.getvalue()

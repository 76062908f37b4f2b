"""What the dock reads in the background: which slices have tiles, what was found in them, projections of tiles."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Any

from ....dataset import Dataset
from ....errors import CancelledError, SlicemapError
from ....export.running.cancelling import Asked
from ....slices.galvo import GalvoScore, SliceDetection, TileVolume, average_projection, galvo_artifact_score
from ....slices.galvo.decisions import Finding, GalvoSettings, detect_tiles, finding_of
from ....slices.galvo.record import GalvoRecord, TileRecord, read_record
from ....slices.galvo.tile_slices import GridTile, TileSlice, TileSlices, find_tile_slices
from ....slices.slice_values import number_of
from ...galvo_places import GalvoPlaces
from .sentences import Edges, edges_of

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Aip = NDArray[np.float64]

Row = Mapping[str, Any]
Tell = Callable[[object], None]


@dataclass(frozen=True)
class Shelf:
    """The slices of a dataset that have tiles, and what is on record of all slices.

    Parameters
    ----------
    places : GalvoPlaces
        Where they are.
    slices : OrderedDict of str to TileSlice
        By slice id, as the slice table has it where it does.
    records : dict of str to GalvoRecord
        By slice id.
    faults : tuple of str
        What cannot be read.
    """

    places: GalvoPlaces
    slices: TileSlices
    records: dict[str, GalvoRecord]
    faults: tuple[str, ...] = ()


def read_shelf(dataset: Dataset, asked: Asked) -> Shelf:
    """Find the slices that have tiles, and read the records; what is wrong is an answer."""
    places, faults = GalvoPlaces.of(dataset), []
    slices: TileSlices = OrderedDict()
    known = {number_of(one): one for one in dataset.slice_ids}
    if places.tiles is not None:
        try:
            found = find_tile_slices(places.tiles)
            slices = OrderedDict((known.get(number_of(one), one), tiles) for one, tiles in found.items())
        except SlicemapError as error:
            faults.append(str(error))
    found_records = read_records_of(places, [*known.values(), *slices], asked)
    return Shelf(places, slices, found_records.records, (*faults, *found_records.faults))


@dataclass(frozen=True)
class Records:
    """What is on record of slices, and what of it cannot be read."""

    places: GalvoPlaces
    records: dict[str, GalvoRecord]
    faults: tuple[str, ...]


def read_records_of(places: GalvoPlaces, slice_ids: Iterable[str], asked: Asked) -> Records:
    """Read what is on record of slices; what is wrong is an answer."""
    records, faults = {}, []
    for slice_id in OrderedDict.fromkeys(slice_ids):
        if asked():
            raise CancelledError("stopped")
        try:
            record = read_record(places.diagnostics, slice_id)
        except (SlicemapError, OSError) as error:
            faults.append(str(error))
            continue
        if record is not None:
            records[slice_id] = record
    return Records(places, records, tuple(faults))


@dataclass(frozen=True)
class Look:
    """A slice whose tiles were looked at.

    Parameters
    ----------
    slice_id : str
        The slice.
    tiles : TileSlice
        Its tiles.
    record : GalvoRecord
        What was found in them; of an earlier detection, where that is on record.
    found : Finding or None
        What was found just now, if that is not on record.
    aips : dict of int to ndarray, (A-lines, B-scans)
        Projections, by index in `tiles`; more come in as they are read.
    """

    slice_id: str
    tiles: TileSlice
    record: GalvoRecord
    found: Finding | None
    aips: dict[int, Aip] = field(default_factory=dict)

    @property
    def sampled(self) -> list[tuple[int, TileRecord]]:
        """The tiles that were looked at, each by its index, and what was found in it."""
        return [(index, one) for one in self.record.tiles if (index := _index_of(self.tiles, one.name)) is not None]

    @property
    def best(self) -> int | None:
        """The tile that decided, by its place among those sampled; ``None`` if all are background."""
        confidences = [one.confidence for _, one in self.sampled]
        return confidences.index(max(confidences)) if confidences else None


def look_at(slice_id: str, tiles: TileSlice, row: Row, before: GalvoRecord | None, asked: Asked) -> Look:
    """Read the tiles of a slice that the detection looked at; detect first where that was not done.

    Parameters
    ----------
    slice_id : str
        The slice.
    tiles : TileSlice
        Its tiles.
    row : mapping
        Of the slice table.
    before : GalvoRecord or None
        What is on record: as long as it is of these tiles, it is shown as it is.
    asked : callable
        Whether to stop.

    Raises
    ------
    SlicemapError
        Naming the tile that cannot be read.
    CancelledError
        If it was stopped.
    """
    aips: dict[int, Aip] = {}
    if before is not None and is_of(before, tiles):
        look = Look(slice_id, tiles, before, None, aips)
        for index, _ in look.sampled:
            aips[index] = read_aip(tiles, index, asked)
        return look
    settings = GalvoSettings() if before is None else GalvoSettings(threshold=before.threshold)
    detection = _detected(tiles, settings, aips, asked)
    found = finding_of(slice_id, tiles, detection, row, before)
    return Look(slice_id, tiles, found.record, found, aips)


def is_same(one: GalvoRecord, other: GalvoRecord) -> bool:
    """Say whether two records tell of the same detection, whoever decided what."""
    left_out = {"reviewer_shift", "decided_by", "applied", "replaces"}
    return one.model_dump(exclude=left_out) == other.model_dump(exclude=left_out)


def is_of(record: GalvoRecord, tiles: TileSlice) -> bool:
    """Say whether a record was made of tiles such as these."""
    alike = (record.axis, record.n_extra, record.lines) == (tiles.axis, tiles.n_extra, tiles.lines)
    names = {tile.name for tile in tiles.tiles}
    return alike and all(one in names for one in (*(tile.name for tile in record.tiles), *record.background))


def read_aip(tiles: TileSlice, index: int, asked: Asked) -> Aip:
    """Average a tile over depth; this can be stopped from block to block."""
    return average_projection(_Stoppable(tiles.tiles[index].open(), asked))


@dataclass(frozen=True)
class Weighed:
    """What speaks for the return being at a place of a tile.

    Parameters
    ----------
    tile : int
        The tile, by index in the slice.
    score : GalvoScore
        With the shift that it is of.
    edges : Edges
        What the edges of the band look like.
    """

    tile: int
    score: GalvoScore
    edges: Edges


def weigh(aip: Aip, tile: int, n_extra: int, shift: int) -> Weighed:
    """Score the place that a shift stands for in the projection of a tile."""
    return Weighed(tile, galvo_artifact_score(aip, n_extra, shift), edges_of(aip, n_extra, shift))


def neighbours(tiles: TileSlice, index: int) -> list[int]:
    """List the tiles around one, by index, the nearest first."""
    own = tiles.tiles[index]

    def away(one: GridTile) -> tuple[int, int]:
        return abs(one.row - own.row), abs(one.column - own.column)

    near = [n for n, one in enumerate(tiles.tiles) if n != index and max(away(one)) == 1]
    return sorted(near, key=lambda n: (sum(away(tiles.tiles[n])), n))


def read_neighbours(look: Look, index: int, asked: Asked, tell: Tell) -> int:
    """Read the tiles around one, as far as they have not been; tells the number of each, and gives that of the tile."""
    for near in neighbours(look.tiles, index):
        if near not in look.aips:
            look.aips[near] = read_aip(look.tiles, near, asked)
            tell(near)
    return index


def patch_of(look: Look, index: int) -> dict[tuple[int, int], Aip]:
    """Give the projections of a tile and of those around it that have been read, by row and column."""
    near = [index, *neighbours(look.tiles, index)]
    tiles = look.tiles.tiles
    return {(tiles[n].row, tiles[n].column): look.aips[n] for n in near if n in look.aips}


def find_all(slices: TileSlices, asked: Asked, tell: Tell) -> tuple[str, ...]:
    """Detect in slices one after the other, as the shell does.

    Parameters
    ----------
    slices : OrderedDict of str to TileSlice
        Slice id → tiles.
    asked : callable
        Whether to stop; asked within a slice, too.
    tell : callable
        Told each :class:`~napari_slicemap.slices.galvo.decisions.Finding`. What a person decided is minded where
        findings are stored.

    Returns
    -------
    tuple of str
        What was wrong with slices whose tiles cannot be read.

    Raises
    ------
    CancelledError
        If it was stopped.
    """
    faults = []
    for slice_id, tiles in slices.items():
        try:
            detection = _detected(tiles, GalvoSettings(), {}, asked)
        except CancelledError:
            raise
        except SlicemapError as error:
            faults.append(f"slice {slice_id}: {error}")
        else:
            tell(finding_of(slice_id, tiles, detection, {}, None))
    return tuple(faults)


# --- reading that can be stopped -----------------------------------------------------------------------------
def _detected(tiles: TileSlice, settings: GalvoSettings, aips: dict[int, Aip], asked: Asked) -> SliceDetection:
    """Detect by projections that are kept: each tile is read once."""

    def opened(index: int) -> Aip:
        aips[index] = read_aip(tiles, index, asked)
        # a volume of one plane is its own projection, so the result is that of the tile
        return aips[index][None]

    kept = tuple(replace(tile, open=partial(opened, index)) for index, tile in enumerate(tiles.tiles))
    return detect_tiles(replace(tiles, tiles=kept), settings)


def _index_of(tiles: TileSlice, name: str) -> int | None:
    return next((index for index, tile in enumerate(tiles.tiles) if tile.name == name), None)


class _Stoppable:
    """A tile that is no longer read once a stop is wanted; its pixels lie as those of the tile do."""

    def __init__(self, volume: TileVolume, asked: Asked) -> None:
        self._volume, self._asked = volume, asked
        self.shape, self.dtype = volume.shape, volume.dtype
        self.strides, self.chunks = getattr(volume, "strides", None), getattr(volume, "chunks", None)

    def __getitem__(self, index: Any) -> Any:
        if self._asked():
            raise CancelledError("stopped")
        return self._volume[index]

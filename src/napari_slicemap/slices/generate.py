"""A new slice table: a row for each slice that was imaged, and those left out that are known not to be tissue."""

from __future__ import annotations

import os
from collections import OrderedDict
from collections.abc import Iterable
from pathlib import Path
from typing import Literal, get_args

from ..errors import DatasetNotFoundError, FileFormatError, PlanError, listing
from ..files import read_table
from ..images.oct.tile import find_raw_tiles, tile_folders
from ..images.ome_zarr.listing import slice_of_name
from .review import exclude_first as leave_out_first
from .review import exclude_slices
from .shifts.table import IDS, id_of
from .slice_config import CANONICAL_COLUMNS, SliceRows, id_key, validate_value
from .slice_values import number_of, undecided
from .volumes import find_volumes

SourceKind = Literal["mosaics", "tiles", "shifts"]
SOURCE_KINDS: tuple[SourceKind, ...] = get_args(SourceKind)

LOOKED_FOR = {
    "mosaics": "mosaics (folders *z<NN>*.ome.zarr)",
    "tiles": "raw tiles (folders tile_x<NN>_y<NN>_z<NN>, in it or in folders z<NN>)",
    "shifts": "a shifts file (.csv with fixed_id, moving_id)",
}
"""What each kind of source is, in words."""


def generate(
    source: str | os.PathLike[str],
    *,
    kind: SourceKind | None = None,
    exclude: Iterable[str] = (),
    exclude_first: int = 1,
) -> SliceRows:
    """Make the table of the slices that a source holds.

    Parameters
    ----------
    source : path-like
        A folder of mosaics, a folder of raw tiles, or a shifts file.
    kind : {"mosaics", "tiles", "shifts"}, optional
        Which of them it is; recognised if not given.
    exclude : iterable of str
        Slices to leave out, with the note ``manually_excluded``.
    exclude_first : int
        How many slices to leave out at the beginning, with the note ``calibration_slice``.

    Returns
    -------
    OrderedDict of str to dict
        As :func:`new_table` makes it.

    Raises
    ------
    DatasetNotFoundError
        If `source` is not there, or holds no slices.
    FileFormatError
        Naming the file or folder that is wrong.
    UnknownNameError
        If a slice to leave out is none of them.
    """
    return new_table(find_slice_ids(source, kind), exclude=exclude, exclude_first=exclude_first)


def new_table(slice_ids: Iterable[str], *, exclude: Iterable[str] = (), exclude_first: int = 1) -> SliceRows:
    """Make a table with every canonical column: all slices used but those left out, and nothing else decided.

    Parameters
    ----------
    slice_ids : iterable of str
        Each slice once, in any order.
    exclude : iterable of str
        Slices to leave out, with the note ``manually_excluded``; matched by number.
    exclude_first : int
        How many slices to leave out at the beginning, with the note ``calibration_slice``. A slice that is left out
        for both reasons has both notes.

    Returns
    -------
    OrderedDict of str to dict
        Slice id → row, by number.

    Raises
    ------
    FileFormatError
        If an id is none, or stands twice.
    UnknownNameError
        If a slice to leave out is none of them.
    PlanError
        If there are no slices, or not so many as are to be left out.
    """
    by_number: dict[str, str] = {}
    for given in slice_ids:
        slice_id = validate_value("slice_id", given)
        if before := by_number.get(number_of(slice_id)):
            raise FileFormatError(f"slice {slice_id} stands twice, first as {before}; expected each slice once")
        by_number[number_of(slice_id)] = slice_id
    if not by_number:
        raise PlanError(["there are no slices to make a table of"])
    rows: SliceRows = OrderedDict()
    for slice_id in sorted(by_number.values(), key=id_key):
        rows[slice_id] = {**{column: undecided(column) for column in CANONICAL_COLUMNS}, "slice_id": slice_id}
    return leave_out_first(exclude_slices(rows, exclude), exclude_first)


# --- which slices there are --------------------------------------------------------------------------------
def recognise(source: str | os.PathLike[str]) -> SourceKind | None:
    """Say what kind of source a path is; ``None`` for none of them.

    A folder of section images (``*.tif``), which `find_slice_ids` reads as ``"mosaics"``, is not recognised: images
    lie in folders of every kind.

    Raises
    ------
    DatasetNotFoundError
        If there is nothing there.
    """
    path = Path(source)
    if not path.exists():
        raise DatasetNotFoundError(f"{path}: there is no such file or folder")
    if path.is_file():
        return "shifts" if path.suffix.lower() == ".csv" and "moving_id" in _header(path) else None
    if any(_is_mosaic(one) for one in path.iterdir()):
        return "mosaics"
    return "tiles" if next(tile_folders(path), None) else None


def find_slice_ids(source: str | os.PathLike[str], kind: SourceKind | None = None) -> list[str]:
    """List the slices that a source holds.

    Parameters
    ----------
    source : path-like
        For ``"mosaics"`` a folder, as :func:`~napari_slicemap.slices.volumes.find_volumes` takes it; for ``"tiles"``
        a folder of ``tile_x<NN>_y<NN>_z<NN>`` folders, in it or in its folders ``z<NN>``; for ``"shifts"`` a CSV with
        ``fixed_id`` and ``moving_id``, such as ``3`` or ``3.0``.
    kind : {"mosaics", "tiles", "shifts"}, optional
        Recognised if not given.

    Returns
    -------
    list of str
        Ids of at least two digits, as the names of mosaics and tiles have them, by number.

    Raises
    ------
    DatasetNotFoundError
        If `source` is not there, or holds no slices.
    FileFormatError
        Naming the file or folder that is wrong.
    """
    path = Path(source)
    readers = {"mosaics": find_volumes, "tiles": _tile_ids, "shifts": _shift_ids}
    found = kind or recognise(path)
    if found is None:
        raise DatasetNotFoundError(f"{path}: no slices found. Looked for {'; '.join(LOOKED_FOR.values())}")
    return sorted(readers[found](path), key=id_key)


def _header(path: Path) -> list[str]:
    with path.open(encoding="utf-8-sig", errors="replace") as stream:
        return [name.strip().strip('"') for name in stream.readline().split(",")]


def _is_mosaic(path: Path) -> bool:
    named = path.suffix.lower() == ".zarr" and not path.name.startswith(".") and slice_of_name(path)
    return bool(named) and path.is_dir()


def _tile_ids(folder: Path) -> Iterable[str]:
    found = find_raw_tiles(folder)
    if not found:
        there = sorted(one.name for one in folder.iterdir())
        raise DatasetNotFoundError(f"{folder}: it holds no {LOOKED_FOR['tiles']}; there is {listing(there)}")
    return dict.fromkeys(tile.place.z for tile in found)


def _shift_ids(path: Path) -> Iterable[str]:
    if not path.is_file():
        raise DatasetNotFoundError(f"{path}: there is no such file")
    found = {id_of(row, column) for row in read_table(path, required=IDS) for column in IDS}
    if not found:
        raise FileFormatError(f"{path}: no pairs, expected a row for each two neighbouring slices")
    return found

"""Taking fixes back: each mosaic or raw tile says itself by how much it was rolled."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ....errors import DatasetNotFoundError, PlanError, listing
from ....images.oct.tile import RawTile, find_raw_tiles
from ....images.ome_zarr.listing import slice_of_name
from ...ids import own_ids
from ...volumes import find_volumes
from ..tile_slices import is_zarr
from .job import Job
from .marks import Fixed, FixedTile, fix_of_mosaic, fix_of_tile
from .mosaic import copied_mosaic, undone_mosaic
from .plan import left_lines
from .raw import copied_tile, tile_name, undone_tile

_NO_FIX = "it has no record of a fix"


@dataclass(frozen=True)
class SliceUndo:
    """A slice whose fix is taken back: a mosaic, or raw tiles, each with what it says of its fix.

    Parameters
    ----------
    slice_id : str
        The slice.
    mosaic : tuple of Path and Fixed, or None
        The mosaic.
    tiles : tuple of (RawTile, FixedTile)
        The raw tiles.
    """

    slice_id: str
    mosaic: tuple[Path, Fixed] | None = None
    tiles: tuple[tuple[RawTile, FixedTile], ...] = ()

    @property
    def shift(self) -> int:
        """A-lines by which the fix had rolled it."""
        return self.mosaic[1].shift if self.mosaic else self.tiles[0][1].shift

    @property
    def names(self) -> tuple[Path, ...]:
        """The folders to write, relative to where all go."""
        return (Path(self.mosaic[0].name),) if self.mosaic else tuple(tile_name(one.path) for one, _ in self.tiles)

    def jobs(self) -> list[Job]:
        """List the folders to make, and how.

        Raises
        ------
        PlanError, FileFormatError, TileReadError
            Naming what is in the way, or cannot be read.
        """
        return [undone_mosaic(*self.mosaic)] if self.mosaic else [undone_tile(*one) for one in self.tiles]


@dataclass(frozen=True)
class UndoPlan:
    """What an undo is to do.

    Parameters
    ----------
    fixes : tuple of SliceUndo
        Slices whose fix is taken back.
    source : Path
        The folder that they were found in.
    left : mapping of str to str
        Other slices → why.
    others : mapping of str to tuple of Path or RawTile
        Mosaic or raw tiles of those.
    """

    fixes: tuple[SliceUndo, ...]
    source: Path
    left: Mapping[str, str] = field(default_factory=dict)
    others: Mapping[str, tuple[Path | RawTile, ...]] = field(default_factory=dict)

    def lines(self) -> list[str]:
        """Say in words what is done, and what is left and why."""
        return [f"undo: {one.slice_id}: roll back by {one.shift} A-lines" for one in self.fixes] + left_lines(self.left)

    def as_data(self) -> dict[str, Any]:
        """Give it fit for strict JSON."""
        return {
            "undo": [
                {"slice_id": one.slice_id, "shift": one.shift, "writes": [name.as_posix() for name in one.names]}
                for one in self.fixes
            ],
            "left": dict(self.left),
        }

    def jobs(self, with_others: bool = False) -> dict[str, list[Job]]:
        """List the folders to make of each slice, and how; with the other slices, as they are.

        Raises
        ------
        PlanError, FileFormatError, TileReadError
            Naming what is in the way, or cannot be read.
        """
        made = {one.slice_id: one.jobs() for one in self.fixes}
        if with_others:
            for slice_id, parts in self.others.items():
                made[slice_id] = [copied_mosaic(one) if isinstance(one, Path) else copied_tile(one) for one in parts]
        return made


def plan_undo(source: str | os.PathLike[str], *, only: Iterable[str] | None = None) -> UndoPlan:
    """Say which fixes would be taken back; nothing is written.

    Parameters
    ----------
    source : path-like
        A folder of fixed mosaics or raw tiles, or one mosaic.
    only : iterable of str, optional
        Which slices, matched by number; all that are fixed if not given.

    Returns
    -------
    UndoPlan

    Raises
    ------
    PlanError
        Naming slices that have no record of a fix: those of `only`, or all if none has; or tiles without one, where
        others of the slice have it.
    UnknownNameError
        If a slice of `only` is not there.
    DatasetNotFoundError, FileFormatError, TileReadError
        If there are no tiles, or they cannot be read.
    """
    folder = Path(source)
    found = _found(folder)
    chosen = list(found) if only is None else own_ids(found, only, "fixed slices")
    fixes: list[SliceUndo] = []
    left: dict[str, str] = {}
    faults: list[str] = []
    for slice_id, parts in found.items():
        if slice_id not in chosen:
            left[slice_id] = "not asked for"
            continue
        undo, bare = _undo(slice_id, parts)
        if undo is not None and bare:
            faults.append(
                f"slice {slice_id}: {bare[0]} has no record of a fix, and others of its tiles have; fix again"
            )
        elif undo is not None:
            fixes.append(undo)
        elif only is not None:
            faults.append(f"slice {slice_id}: {bare[0]} has no record of a fix, so there is nothing to undo")
        else:
            left[slice_id] = _NO_FIX
    if not fixes and not faults:
        faults = [f"{folder}: none of its slices has a record of a fix, so there is nothing to undo"]
    if faults:
        raise PlanError(faults)
    return UndoPlan(tuple(fixes), folder, left, {one: found[one] for one in left})


def _found(folder: Path) -> dict[str, tuple[Path | RawTile, ...]]:
    """Find the mosaic or the raw tiles of each slice."""
    if is_zarr(folder):
        slice_id = slice_of_name(folder)
        if slice_id is None:
            raise PlanError([f"{folder}: its name does not say which slice it is, expected *z<NN>*.ome.zarr"])
        return {slice_id: (folder,)}
    if not folder.is_dir():
        raise DatasetNotFoundError(f"{folder}: there is no such folder")
    tiles: dict[str, tuple[Path | RawTile, ...]] = {}
    for one in find_raw_tiles(folder):
        tiles[one.place.z] = (*tiles.get(one.place.z, ()), one)
    mosaics = [one.name for one in folder.iterdir() if is_zarr(one)]
    if tiles and mosaics:
        raise PlanError([f"{folder}: it holds raw tiles and mosaics ({listing(sorted(mosaics))}); keep them apart"])
    return tiles or {one: (volume.path,) for one, volume in find_volumes(folder).items() if is_zarr(volume.path)}


def _undo(slice_id: str, parts: tuple[Path | RawTile, ...]) -> tuple[SliceUndo | None, list[Path]]:
    """Read what the parts of a slice say of their fix; also those that say nothing."""
    tiles, bare = [], []
    for part in parts:
        if isinstance(part, Path):
            fixed = fix_of_mosaic(part)
            return (None, [part]) if fixed is None else (SliceUndo(slice_id, mosaic=(part, fixed)), [])
        if (own := fix_of_tile(part.path)) is None:
            bare.append(part.path)
        else:
            tiles.append((part, own))
    return (SliceUndo(slice_id, tiles=tuple(tiles)) if tiles else None), bare

"""Which slices a fix rolls, and by how much; which it leaves, and why. Nothing is written here."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from ....errors import PlanError
from ....images.oct.tile import RawTile, find_raw_tiles
from ...ids import id_ranges, own_ids
from ...slice_values import number_of
from ..decisions import Row, standing
from ..record import GalvoRecord
from ..tile_slices import TileSlice
from ..whose_word import unheard
from .job import Job
from .marks import Fixed, fix_of_mosaic, fix_of_tile
from .mosaic import copied_mosaic, fixed_mosaic
from .raw import copied_tile, fixed_tile, tile_name

By = Literal["reviewer", "detection", "request"]
"""Who decided by how much to roll: a person, the detection, or whoever asked for this very fix."""

_BY: dict[By, str] = {
    "reviewer": "the reviewer decided",
    "detection": "the detection decided",
    "request": "as asked for",
}
_AT_THE_END = "the return is at the end already (shift 0), so there is nothing to do"
_DETECT = "run `slicemap galvo detect`, or state the shift"


@dataclass(frozen=True)
class SliceFix:
    """A slice to fix.

    Parameters
    ----------
    slice_id : str
        As the table has it, where it does.
    tiles : TileSlice
        Its tiles.
    shift : int
        A-lines to roll by.
    by : "reviewer", "detection" or "request"
        Who decided that.
    note : str
        What there is to know of it, such as that nothing was sure.
    """

    slice_id: str
    tiles: TileSlice
    shift: int
    by: By
    note: str = ""

    @property
    def names(self) -> tuple[Path, ...]:
        """The folders to write, relative to where all go."""
        return names_of(self.tiles)

    def jobs(self) -> list[Job]:
        """List the folders to make, and how.

        Raises
        ------
        PlanError, FileFormatError, TileReadError
            Naming what is in the way, or cannot be read.
        """
        tiles, extra = self.tiles, self.tiles.n_extra
        if tiles.kind == "mosaic":
            return [fixed_mosaic(tiles.path, Fixed(shift=self.shift, n_extra=extra, axis=tiles.axis))]
        return [fixed_tile(one, self.shift, extra) for one in raw_tiles_of(tiles)]


@dataclass(frozen=True)
class FixPlan:
    """What a fix is to do.

    Parameters
    ----------
    fixes : tuple of SliceFix
        Slices to fix.
    left : mapping of str to str
        Slices that are not fixed → why.
    others : mapping of str to TileSlice
        Those of `left` that have tiles.
    source : Path or None
        The folder that the tiles were found in, if it is known.
    """

    fixes: tuple[SliceFix, ...]
    left: Mapping[str, str] = field(default_factory=dict)
    others: Mapping[str, TileSlice] = field(default_factory=dict)
    source: Path | None = None

    def lines(self) -> list[str]:
        """Say in words what is done, and what is left and why."""
        said = []
        for one in self.fixes:
            note = f"; {one.note}" if one.note else ""
            said.append(f"fix: {one.slice_id}: roll by {one.shift} A-lines ({_BY[one.by]}{note})")
        return said + left_lines(self.left)

    def as_data(self) -> dict[str, Any]:
        """Give it fit for strict JSON."""
        return {
            "fix": [
                {
                    "slice_id": one.slice_id,
                    "source": one.tiles.path,
                    "kind": one.tiles.kind,
                    "axis": one.tiles.axis,
                    "n_extra": one.tiles.n_extra,
                    "shift": one.shift,
                    "by": one.by,
                    "note": one.note,
                    "writes": [name.as_posix() for name in one.names],
                }
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
        return made | ({one: copies_of(tiles) for one, tiles in self.others.items()} if with_others else {})


def left_lines(left: Mapping[str, str]) -> list[str]:
    """Say which slices are left: a line for each reason."""
    reasons: dict[str, list[str]] = {}
    for slice_id, why in left.items():
        reasons.setdefault(why, []).append(slice_id)
    return [f"left: {id_ranges(ids)}: {why}" for why, ids in reasons.items()]


def raw_tiles_of(tiles: TileSlice) -> list[RawTile]:
    """Give the raw tiles of a slice.

    Raises
    ------
    FileFormatError, TileReadError
        As :func:`find_raw_tiles` says.
    """
    number = number_of(tiles.slice_id)
    return [one for one in find_raw_tiles(tiles.path) if number_of(one.place.z) == number]


def names_of(tiles: TileSlice) -> tuple[Path, ...]:
    """Name the folders that are made of a slice, relative to where all go."""
    if tiles.kind == "mosaic":
        return (Path(tiles.path.name),)
    return tuple(tile_name(one.path) for one in raw_tiles_of(tiles))


def copies_of(tiles: TileSlice) -> list[Job]:
    """Plan to copy a slice as it is."""
    if tiles.kind == "mosaic":
        return [copied_mosaic(tiles.path)]
    return [copied_tile(one) for one in raw_tiles_of(tiles)]


def plan_fix(
    slices: Mapping[str, TileSlice],
    rows: Mapping[str, Row],
    records: Mapping[str, GalvoRecord],
    *,
    only: Iterable[str] | None = None,
    shift: int | None = None,
    source: str | os.PathLike[str] | None = None,
) -> FixPlan:
    """Say which slices a fix would roll, and by how much.

    The slice table decides whether, the reviewer's shift goes before the one detected. Nothing is written.

    Parameters
    ----------
    slices : mapping of str to TileSlice
        Slice id → tiles.
    rows : mapping of str to mapping
        The slice table, ids matched by number; empty where a shift is asked for without one.
    records : mapping of str to GalvoRecord
        Slice id, as the table has it → what is known of it.
    only : iterable of str, optional
        Which slices, matched by number; all if not given.
    shift : int, optional
        A-lines to roll the slices of `only` by, whatever the table says.
    source : path-like, optional
        The folder that the tiles were found in; nothing is ever written into it.

    Returns
    -------
    FixPlan

    Raises
    ------
    PlanError
        Naming the slices that are to be fixed and cannot be: no shift is known, what is known is of other tiles, or
        they are fixed already.
    UnknownNameError
        If a slice of `only` has no tiles, or no row.
    """
    by_number = {number_of(one): one for one in rows}
    if only is None and shift is not None:
        raise PlanError(["a shift is of certain slices: name them"])
    chosen = set(slices) if only is None else set(own_ids(slices, only, "tiles"))
    if only is not None and shift is None:
        own_ids(rows, only)
    fixes: list[SliceFix] = []
    left: dict[str, str] = {}
    others: dict[str, TileSlice] = {}
    faults: list[str] = []
    for given, tiles in slices.items():
        slice_id = by_number.get(number_of(given), given)
        found: SliceFix | str
        try:
            if given not in chosen:
                found = "not asked for"
            elif shift is not None:
                found = _asked(slice_id, tiles, shift)
            else:
                found = _decided(slice_id, tiles, rows.get(slice_id), records.get(slice_id))
            if isinstance(found, SliceFix):
                _check_not_fixed(found)
        except PlanError as error:
            faults += error.faults
            continue
        if isinstance(found, SliceFix):
            fixes.append(found)
        else:
            left[slice_id], others[slice_id] = found, tiles
    have_tiles = {number_of(one) for one in slices}
    if only is None:
        left |= {
            one: "to be fixed, but it has no tiles here"
            for one, row in rows.items()
            if number_of(one) not in have_tiles and standing(row, None).fix
        }
    if faults:
        raise PlanError(faults)
    return FixPlan(tuple(fixes), left, others, None if source is None else Path(source))


def _asked(slice_id: str, tiles: TileSlice, shift: int) -> SliceFix | str:
    if not 0 <= shift < tiles.lines:
        raise PlanError([f"slice {slice_id}: the shift is {shift}, expected 0 to {tiles.lines - 1} A-lines"])
    return SliceFix(slice_id, tiles, shift, "request") if shift else _AT_THE_END


def _decided(slice_id: str, tiles: TileSlice, row: Row | None, record: GalvoRecord | None) -> SliceFix | str:
    """Say what the table and the record decide of a slice, or why it is left."""
    if row is None:
        return "not in the table"
    stands = standing(row, record)
    if stands.fix is None:
        return "nobody has decided"
    if not stands.fix:
        but = unheard(row, record)
        return f"not to be fixed, as the {stands.by or 'reviewer'} decided{f'; {but}' if but else ''}"
    if record is None:
        raise PlanError([f"slice {slice_id}: it is to be fixed, but nothing is known of its return; {_DETECT}"])
    if stands.shift is None:
        raise PlanError(
            [f"slice {slice_id}: it is to be fixed, but all of its tiles are background, so state the shift"]
        )
    _check_same_tiles(slice_id, tiles, record)
    if stands.shift % tiles.lines == 0:
        return _AT_THE_END
    note = ""
    if record.confidence < record.threshold and stands.shift == record.likeliest:
        note = f"the likeliest shift: its confidence {record.confidence:.3f} is below {record.threshold:g}"
    elif stands.overridden and record.confidence >= record.threshold:
        note = f"detected were {record.shift}"
    note = "; ".join(said for said in (note, unheard(row, record)) if said)
    by: By = "reviewer" if stands.by == "reviewer" else "detection"
    return SliceFix(slice_id, tiles, stands.shift, by, note)


def _check_same_tiles(slice_id: str, tiles: TileSlice, record: GalvoRecord) -> None:
    """Refuse tiles that are cut otherwise than those that the return was found in."""
    parts = (("axis", "axis"), ("n_extra", "A-lines of the return"), ("lines", "A-lines of a tile"))
    differ = [
        f"{said}: {getattr(tiles, name)}, and {getattr(record, name)} where the return was found"
        for name, said in parts
        if getattr(tiles, name) != getattr(record, name)
    ]
    if differ:
        raise PlanError([f"slice {slice_id}, {tiles.path}: these are other tiles ({'; '.join(differ)}); {_DETECT}"])


def _check_not_fixed(fix: SliceFix) -> None:
    tiles = fix.tiles
    if tiles.kind == "mosaic":
        fixed = [tiles.path] if fix_of_mosaic(tiles.path) is not None else []
    else:
        fixed = [one.path for one in raw_tiles_of(tiles) if fix_of_tile(one.path) is not None]
    if fixed:
        raise PlanError(
            [f"slice {fix.slice_id}: {fixed[0]} is fixed already; undo that first, or fix what it was made of"]
        )

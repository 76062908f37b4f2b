"""Which slices are missing, and which of them can be made of their neighbours.

A gap is single where two consecutive slices that are there and used differ by exactly 2 in number. Longer gaps stay:
nothing says what lay in them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from ...errors import PlanError
from ..choice import Choice, choose_slices
from ..slice_config import id_key, is_used
from ..slice_values import number_of
from ..volumes import SliceVolume


@dataclass(frozen=True)
class Gap:
    """One missing slice between two that are there and used.

    Parameters
    ----------
    slice_id : str
        The missing slice.
    before, after : SliceVolume
        Its neighbours.
    why : str
        Why it is missing: there is no image of it, or the table excludes it.
    """

    slice_id: str
    before: SliceVolume
    after: SliceVolume
    why: str


@dataclass(frozen=True)
class Hole:
    """Missing slices in a row.

    Parameters
    ----------
    first, last : str
        The first and the last of the missing slices.
    before, after : str
        The slices around them.
    """

    first: str
    last: str
    before: str
    after: str

    @property
    def count(self) -> int:
        """How many slices are missing."""
        return int(self.last) - int(self.first) + 1

    def line(self) -> str:
        """Say in words that it is left."""
        around = f"between {self.before} and {self.after}"
        return f"slices {self.first} to {self.last}: {self.count} in a row are missing {around}; left"


@dataclass(frozen=True)
class Gaps:
    """All that is missing between the first and the last slice that is used.

    Parameters
    ----------
    choice : Choice
        Which slices are there and used, which are not, and why.
    single : tuple of Gap
        Those that can be made of their neighbours.
    longer : tuple of Hole
        Those that cannot: two or more in a row.
    """

    choice: Choice
    single: tuple[Gap, ...]
    longer: tuple[Hole, ...]


def find_gaps(volumes: Mapping[str, SliceVolume], rows: Mapping[str, Mapping[str, Any]] | None = None) -> Gaps:
    """Find the slices that are missing between others.

    Parameters
    ----------
    volumes : mapping of str to SliceVolume
        Slice id → image.
    rows : mapping of str to mapping, optional
        The slice table: slices that it excludes, or does not have, are missing although they have an image.

    Returns
    -------
    Gaps
        A missing slice has the id that the table or its own image gives it, else one of as many digits as the slice
        before it.
    """
    choice = choose_slices(volumes, rows)
    known = {number_of(one): one for one in [*volumes, *(rows or {})]}
    single, longer = [], []
    for hole in _holes(choice.used, known):
        if hole.count > 1:
            longer.append(hole)
            continue
        why = choice.left_out.get(hole.first, "there is no image of it")
        single.append(Gap(hole.first, choice.used[hole.before], choice.used[hole.after], why))
    return Gaps(choice, tuple(single), tuple(longer))


def single_missing(rows: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """List the slices that a table excludes, or lacks, singly between two that it uses."""
    used = sorted((slice_id for slice_id, row in rows.items() if is_used(row)), key=id_key)
    return [hole.first for hole in _holes(used, {number_of(one): one for one in rows}) if hole.count == 1]


def _holes(used: Iterable[str], known: Mapping[str, str]) -> Iterator[Hole]:
    """Give what is missing between slices, in order of their numbers, be it one or many; numbers to ids as `known`."""
    for before, after in pairwise(used):
        ends = (str(number).zfill(len(before)) for number in (int(before) + 1, int(after) - 1))
        first, last = (known.get(number_of(one), one) for one in ends)
        if int(first) <= int(last):
            yield Hole(first, last, before, after)


def gaps_of(gaps: Gaps, slice_ids: Iterable[str]) -> tuple[Gap, ...]:
    """Choose single gaps by id, matched by number.

    Raises
    ------
    PlanError
        Naming each slice that is no single gap, and why.
    """
    by_number = {number_of(gap.slice_id): gap for gap in gaps.single}
    asked = {number_of(one): one for one in slice_ids}
    faults = [f"slice {one}: {_why_not(gaps, one)}" for number, one in asked.items() if number not in by_number]
    if faults:
        raise PlanError(faults)
    return tuple(gap for number, gap in by_number.items() if number in asked)


def _why_not(gaps: Gaps, slice_id: str) -> str:
    for longer in gaps.longer:
        if int(longer.first) <= int(slice_id) <= int(longer.last):
            return f"it is one of {longer.count} in a row that are missing; only single slices are interpolated"
    if number_of(slice_id) in map(number_of, gaps.choice.used):
        return "it is there and used; only missing slices are interpolated"
    return "there is no slice on both sides of it"

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
from ..aligning.choice import Choice, choose_slices
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
class LongGap:
    """Two or more missing slices in a row: they are left.

    Parameters
    ----------
    slice_ids : tuple of str
        The missing slices.
    before, after : str
        The slices around them.
    """

    slice_ids: tuple[str, ...]
    before: str
    after: str

    def line(self) -> str:
        """Say it in words."""
        first, last, count = self.slice_ids[0], self.slice_ids[-1], len(self.slice_ids)
        return f"slices {first} to {last}: {count} in a row are missing between {self.before} and {self.after}; left"


@dataclass(frozen=True)
class Gaps:
    """All that is missing between the first and the last slice that is used.

    Parameters
    ----------
    choice : Choice
        Which slices are there and used, which are not, and why.
    single : tuple of Gap
        Those that can be made of their neighbours.
    longer : tuple of LongGap
        Those that cannot.
    """

    choice: Choice
    single: tuple[Gap, ...]
    longer: tuple[LongGap, ...]


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
    for before, after in pairwise(choice.used):
        missing = [known.get(number_of(one), one) for one in _between(before, after)]
        if len(missing) == 1:
            why = choice.left_out.get(missing[0], "there is no image of it")
            single.append(Gap(missing[0], choice.used[before], choice.used[after], why))
        elif missing:
            longer.append(LongGap(tuple(missing), before, after))
    return Gaps(choice, tuple(single), tuple(longer))


def _between(before: str, after: str) -> Iterator[str]:
    return (str(n).zfill(len(before)) for n in range(int(before) + 1, int(after)))


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
    number = number_of(slice_id)
    for longer in gaps.longer:
        if number in map(number_of, longer.slice_ids):
            return (
                f"it is one of {len(longer.slice_ids)} in a row that are missing; only single slices are interpolated"
            )
    if number in map(number_of, gaps.choice.used):
        return "it is there and used; only missing slices are interpolated"
    return "there is no slice on both sides of it"

"""Ids of slices: which the table calls otherwise, which follow one another, which are missing, and all in few words."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from itertools import pairwise

from ..errors import UnknownNameError
from .slice_values import id_key, number_of, validate_value


def own_ids(known: Collection[str], asked: Iterable[str], what: str = "slice table") -> list[str]:
    """Give ids as a table or folder has them: "3" is "03".

    Parameters
    ----------
    known : collection of str
        The ids that there are.
    asked : iterable of str
        Those wanted, matched by number.
    what : str
        Whose ids they are, for messages.

    Returns
    -------
    list of str
        One for each of `asked`.

    Raises
    ------
    UnknownNameError
        If there is no such slice.
    FileFormatError
        If one is no id.
    """
    own = {number_of(one): one for one in known}
    found = []
    for given in asked:
        slice_id = validate_value("slice_id", given)
        if number_of(slice_id) not in own:
            raise UnknownNameError("slice", slice_id, known, what)
        found.append(own[number_of(slice_id)])
    return found


def id_gaps(slice_ids: Iterable[str]) -> tuple[tuple[str, str], ...]:
    """Find the ids that are missing between the lowest and the highest: first and last of each gap."""
    numbers = sorted(int(one) for one in slice_ids)
    return tuple((f"{low + 1:02d}", f"{high - 1:02d}") for low, high in pairwise(numbers) if high - low > 1)


def id_ranges(slice_ids: Iterable[str]) -> str:
    """Write ids in short: ``"00, 03–05"``."""
    ranges: list[tuple[str, str]] = []
    for slice_id in sorted(slice_ids, key=id_key):
        if ranges and int(slice_id) == int(ranges[-1][1]) + 1:
            ranges[-1] = (ranges[-1][0], slice_id)
        else:
            ranges.append((slice_id, slice_id))
    return ranges_text(ranges)


def ranges_text(ranges: Iterable[tuple[str, str]]) -> str:
    """Write ranges of ids: ``"00, 03–05"``."""
    return ", ".join(first if first == last else f"{first}–{last}" for first, last in ranges)


def in_and_out(used: Collection[str], reasons: Mapping[str, Collection[str]]) -> list[str]:
    """Say which slices are used, and in a line for each reason which are not.

    Parameters
    ----------
    used : collection of str
        Ids of those that take part.
    reasons : mapping of str to collection of str
        Why others are left out → their ids.
    """
    total = len(used) + sum(map(len, reasons.values()))
    said = [f"used: {len(used)} of {total} slices{f' ({id_ranges(used)})' if used else ''}"]
    return said + [f"excluded: {id_ranges(ids)} ({why})" for why, ids in reasons.items()]

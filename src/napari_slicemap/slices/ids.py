"""Ids of slices in a few words: which follow one another, and which are missing between others."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise

from .slice_values import id_key


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

"""A slice table in a few words: what is used and what is not, and why; and what differs between two of them."""

from __future__ import annotations

from collections import OrderedDict, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .ids import id_gaps, id_ranges, in_and_out, ranges_text
from .slice_config import is_used, why_excluded
from .table_file import changes

_FLAGS = {
    "galvo_fix": "",
    "rehomed": "",
    "interpolated": "interpolation_method_used",
    "interpolation_failed": "interpolation_fallback_reason",
}
"""What may be stamped true on a slice, but for what :func:`why_excluded` says → the column that says more of it."""


@dataclass(frozen=True)
class TableSummary:
    """What a slice table decides.

    Parameters
    ----------
    total : int
        How many slices it has.
    used : tuple of str
        Ids of those that take part, in the order of the table.
    reasons : mapping of str to tuple of str
        Why slices are left out → their ids, in the order of the table.
    interpolated : mapping of str to tuple of str
        Method → ids of the slices that were made of their neighbours by it; they are not used, being no data.
    gaps : tuple of (str, str)
        First and last of the ids between the lowest and the highest that the table lacks.
    """

    total: int
    used: tuple[str, ...]
    reasons: Mapping[str, tuple[str, ...]]
    interpolated: Mapping[str, tuple[str, ...]]
    gaps: tuple[tuple[str, str], ...]

    @property
    def lines(self) -> list[str]:
        """The summary as text: slices used, a line for each reason not to use some, those made, those missing."""
        found = in_and_out(self.used, self.reasons)
        found += [f"interpolated: {one}" for one in self.interpolated_lines]
        return found + ([f"not in the table: {ranges_text(self.gaps)}"] if self.gaps else [])

    @property
    def interpolated_lines(self) -> list[str]:
        """What was made of its neighbours, a line for each method: ``"05, 08 (zmorph)"``."""
        return [f"{id_ranges(ids)} ({method})" for method, ids in self.interpolated.items()]

    def as_data(self) -> dict[str, Any]:
        """Give it fit for strict JSON: ``counts``, ``used``, ``excluded``, ``interpolated``, ``gaps``."""
        return {
            "counts": {"slices": self.total, "used": len(self.used), "excluded": self.total - len(self.used)},
            "used": self.used,
            "excluded": [{"why": why, "slices": ids} for why, ids in self.reasons.items()],
            "interpolated": [{"method": method, "slices": ids} for method, ids in self.interpolated.items()],
            "gaps": [{"first": first, "last": last} for first, last in self.gaps],
        }


def summarise(rows: Mapping[str, Mapping[str, Any]]) -> TableSummary:
    """Say which slices of a table are used, which are not, why, and which ids are missing.

    Parameters
    ----------
    rows : mapping of str to mapping
        Slice id → row.

    Returns
    -------
    TableSummary
    """
    reasons: defaultdict[str, list[str]] = defaultdict(list)
    interpolated: defaultdict[str, list[str]] = defaultdict(list)
    for slice_id, row in rows.items():
        if not is_used(row):
            reasons[why_excluded(row)].append(slice_id)
        if row.get("interpolated"):
            interpolated[row.get("interpolation_method_used") or "method not stated"].append(slice_id)
    return TableSummary(
        total=len(rows),
        used=tuple(slice_id for slice_id, row in rows.items() if is_used(row)),
        reasons={why: tuple(ids) for why, ids in reasons.items()},
        interpolated={method: tuple(ids) for method, ids in interpolated.items()},
        gaps=id_gaps(rows),
    )


def flags(row: Mapping[str, Any]) -> list[str]:
    """List what else was stamped on a slice, such as ``["rehomed (not reliable)", "interpolated (zmorph)"]``."""
    found = []
    for column, why in _FLAGS.items():
        if row.get(column):
            more = "not reliable" if _is_unreliable(column, row) else row.get(why) or ""
            found.append(f"{column} ({more})" if more else column)
    return found


def _is_unreliable(column: str, row: Mapping[str, Any]) -> bool:
    return column == "rehomed" and row.get("rehoming_reliable") is False


# --- two tables --------------------------------------------------------------------------------------------
@dataclass(frozen=True)
class TableDiff:
    """What differs between two slice tables.

    Parameters
    ----------
    added, removed : tuple of str
        Slices that only the second, and only the first has.
    columns_added, columns_removed : tuple of str
        Columns that only the second, and only the first has.
    changed : tuple of dict
        ``slice_id, column, old, new`` of the cells that differ in slices that both have, as text of the files.
    reordered : bool
        Whether the slices that both have come in another order.
    """

    added: tuple[str, ...]
    removed: tuple[str, ...]
    columns_added: tuple[str, ...]
    columns_removed: tuple[str, ...]
    changed: tuple[dict[str, str], ...]
    reordered: bool

    def __bool__(self) -> bool:
        lists = (self.added, self.removed, self.columns_added, self.columns_removed, self.changed)
        return self.reordered or any(lists)

    @property
    def lines(self) -> list[str]:
        """The differences as text, one a line; none where there are none."""
        found = [f"column only in the first: {one}" for one in self.columns_removed]
        found += [f"column only in the second: {one}" for one in self.columns_added]
        found += [f"slice {one}: only in the first" for one in self.removed]
        found += [f"slice {one}: only in the second" for one in self.added]
        found += [f"slice {one['slice_id']}: {one['column']} {_change(one)}" for one in self.changed]
        return found + (["the slices come in another order"] if self.reordered else [])


def _change(cell: Mapping[str, str]) -> str:
    old, new = (cell[name] or "(empty)" for name in ("old", "new"))
    return f"{old} → {new}"


def compare(before: Mapping[str, Mapping[str, Any]], after: Mapping[str, Mapping[str, Any]]) -> TableDiff:
    """Compare two slice tables, slice by slice and column by column.

    Parameters
    ----------
    before, after : mapping of str to mapping
        Slice id → row. Ids match as text, as other tools match them.

    Returns
    -------
    TableDiff
        False if the tables say the same. The order of columns does not count, and neither do columns of a table that
        has no slice.
    """
    shared = [one for one in before if one in after]
    old, new = (OrderedDict.fromkeys(column for row in rows.values() for column in row) for rows in (before, after))
    both = bool(before and after)
    return TableDiff(
        added=tuple(one for one in after if one not in before),
        removed=tuple(one for one in before if one not in after),
        columns_added=tuple(one for one in new if both and one not in old),
        columns_removed=tuple(one for one in old if both and one not in new),
        changed=tuple(changes({one: before[one] for one in shared}, {one: after[one] for one in shared})),
        reordered=shared != [one for one in after if one in before],
    )

"""Columns of the table: what each shows, how it sorts, what may be typed into it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from ....slices.slice_config import cell_text, id_key
from ....slices.slice_values import (
    CANONICAL_COLUMNS,
    CHECKS,
    INTERPOLATION_FALLBACK_REASONS,
    INTERPOLATION_METHODS,
    read_flag,
    undecided,
)

Kind = Literal["picture", "use", "id", "score", "galvo", "flags", "decision", "word", "text"]
Row = Mapping[str, Any]

GALVO, FLAGS, PICTURE = "galvo", "flags", "picture"
GALVO_SCORE = "galvo_confidence"
WORDS = {
    "interpolation_method_used": INTERPOLATION_METHODS,
    "interpolation_fallback_reason": INTERPOLATION_FALLBACK_REASONS,
}
"""Columns that hold one of few words."""


@dataclass(frozen=True)
class Column:
    """A column as it is shown.

    Parameters
    ----------
    key : str
        Its own name.
    column : str
        The column of the table that is edited in it.
    title, tip : str
        Of the header.
    kind : str
        How a cell is drawn and edited.
    width : int
        px; 0 is as wide as there is room.
    """

    key: str
    column: str
    title: str
    tip: str
    kind: Kind
    width: int

    def key_of(self, slice_id: str, row: Row) -> Any:
        """Give what a row is sorted by; ``None`` goes last."""
        if self.kind in ("id", "picture"):
            return id_key(slice_id)
        if self.kind == "flags":
            return ", ".join(one.text for one in badges_of(row)) or None
        value = row.get(GALVO_SCORE if self.kind == "galvo" else self.column)
        if self.kind == "use":
            return value is None or value
        return None if value == "" else value.casefold() if isinstance(value, str) else value

    def text(self, row: Row) -> str:
        """Give a cell as text, as the file has it."""
        if self.kind == "picture":
            return ""
        if self.kind == "flags":
            return ", ".join(one.text for one in badges_of(row))
        column = GALVO_SCORE if self.kind == "galvo" else self.column
        value = row.get(column, undecided(column))
        return value if isinstance(value, str) else cell_text(column, value)


MAIN = (
    Column(PICTURE, "slice_id", "", "The slice's map, small, in the colours of the profile", "picture", 52),
    Column("use", "use", "Use", "Whether the slice takes part (Space)", "use", 38),
    Column("slice_id", "slice_id", "Slice", "The slice; a bar at the left means that the row is not saved", "id", 42),
    Column("quality_score", "quality_score", "Quality", "Quality score, 0 to 1", "score", 80),
    Column(
        GALVO,
        "galvo_fix",
        "Galvo",
        "Confidence that the mirror's return lies inside the tiles: grey below 0.5, amber up to 0.6, red from there "
        "on. The checkbox decides whether it is to be fixed; ✓ where a fix was written",
        "galvo",
        92,
    ),
    Column(FLAGS, "", "Flags", "What stages stamped on the slice; the tooltip says why", "flags", 96),
    Column("notes", "notes", "Notes", "Notes (E)", "text", 0),
)
"""Columns that are shown at first, the picture aside."""


def columns_of(names: Iterable[str]) -> tuple[Column, ...]:
    """List the columns of a table: the main ones, the other canonical ones, then those that only it has."""
    main = {one.key for one in MAIN}
    others = dict.fromkeys((*CANONICAL_COLUMNS, *names))
    return MAIN + tuple(_plain(name) for name in others if name not in main)


def _plain(name: str) -> Column:
    check = CHECKS.get(name)
    kind: Kind = "text"
    if check is read_flag:
        kind = "decision"
    elif name in WORDS:
        kind = "word"
    elif name == GALVO_SCORE:
        kind = "score"
    return Column(name, name, name, f"Column {name}", kind, 96)


@dataclass(frozen=True)
class Badge:
    """A flag of a slice.

    Parameters
    ----------
    text, why : str
        What it is called, and why it was stamped.
    is_bad : bool
        It leaves the slice out, or something failed.
    """

    text: str
    why: str
    is_bad: bool = False


def badges_of(row: Row) -> list[Badge]:
    """List what stages stamped on a slice."""
    found = []
    if row.get("auto_excluded"):
        why = row.get("auto_exclude_reason") or "no reason stated"
        found.append(Badge("auto-excluded", f"auto-excluded: {why}", is_bad=True))
    if row.get("rehomed"):
        reliable = row.get("rehoming_reliable")
        how = "" if reliable is None else " reliably" if reliable else ", not reliably"
        found.append(Badge("rehomed", f"its shift was corrected{how}", is_bad=reliable is False))
    if row.get("interpolated"):
        method = row.get("interpolation_method_used") or "method not stated"
        found.append(Badge("interpolated", f"made of its neighbours: {method}"))
    if row.get("interpolation_failed"):
        why = row.get("interpolation_fallback_reason") or "no reason stated"
        found.append(Badge("not interpolated", f"interpolation failed: {why}", is_bad=True))
    return found

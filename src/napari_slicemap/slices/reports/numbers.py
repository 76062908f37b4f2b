"""The numbers that are known of slices: which there are, and a plot of each."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from typing import Any

from ..slice_config import CANONICAL_COLUMNS, is_used
from .page import Plot

_SCORES = {"quality_score": "Quality score", "galvo_confidence": "Galvo confidence"}
_AGAIN = {"quality.score": "quality_score", "galvo.confidence": "galvo_confidence"}
"""What diagnostics say that a column of the table says, too."""
_LOW_QUALITY = re.compile(r"low_quality \(quality_score<(\d*\.?\d+)\)")
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?", re.IGNORECASE | re.ASCII)

Numbers = Mapping[str, Mapping[str, Any]]
"""Slice id → part → what was found, as the diagnostics files have it."""


def plots_of(rows: Mapping[str, Mapping[str, Any]], diagnostics: Numbers) -> list[Plot]:
    """Draw each number that slices have.

    Parameters
    ----------
    rows : mapping of str to mapping
        The table. Its scores are drawn where any slice has one, and its own columns where each cell that is not empty
        is a number.
    diagnostics : mapping of str to mapping
        Slice id → part → numbers, nested as they may be. Lists and what is told of other slices are left out, and so is
        what is the same for all slices (see :func:`same_everywhere`) or stands in the table already.

    Returns
    -------
    list of Plot
        Scores, own columns, then diagnostics by name.
    """
    found = [
        _plot(rows, title, "score, 0 to 1", _column(rows, name), _limit(rows) if name == "quality_score" else None)
        for name, title in _SCORES.items()
    ]
    own = dict.fromkeys(name for row in rows.values() for name in row if name not in CANONICAL_COLUMNS)
    found += [_plot(rows, name, name, numbers) for name in own if (numbers := _own_numbers(rows, name)) is not None]
    leaves = _leaves(diagnostics)
    told = {name for name, column in _AGAIN.items() if any(column in row for row in rows.values())}
    told.update(same_everywhere(diagnostics))
    found += [_plot(rows, name, name.rpartition(".")[2], leaves[name]) for name in sorted(leaves) if name not in told]
    return [plot for plot in found if any(value is not None for value in plot.values)]


def same_everywhere(diagnostics: Numbers) -> dict[str, str]:
    """Give the numbers that are the same for every slice, of several, such as ``{"galvo.n_extra": "40"}``."""
    if len(diagnostics) < 2:
        return {}
    return {
        name: f"{next(iter(numbers.values())):.6g}"
        for name, numbers in sorted(_leaves(diagnostics).items())
        if len(numbers) == len(diagnostics) and len(set(numbers.values())) == 1
    }


def _plot(
    rows: Mapping[str, Mapping[str, Any]],
    title: str,
    axis: str,
    numbers: Mapping[str, float],
    limit: float | None = None,
) -> Plot:
    return Plot(
        title=title,
        axis=axis,
        ids=tuple(rows),
        values=tuple(numbers.get(slice_id) for slice_id in rows),
        used=tuple(is_used(row) for row in rows.values()),
        limit=limit,
        limit_label="least quality" if limit is not None else "",
    )


def _column(rows: Mapping[str, Mapping[str, Any]], name: str) -> dict[str, float]:
    return {slice_id: float(row[name]) for slice_id, row in rows.items() if row.get(name) is not None}


def _own_numbers(rows: Mapping[str, Mapping[str, Any]], name: str) -> dict[str, float] | None:
    """Read a column that is not ours as numbers; ``None`` if it holds anything else."""
    cells = {slice_id: row[name] for slice_id, row in rows.items() if row.get(name)}
    return {one: float(cell) for one, cell in cells.items()} if all(map(_NUMBER.fullmatch, cells.values())) else None


def _limit(rows: Mapping[str, Mapping[str, Any]]) -> float | None:
    """Find the least quality that slices were held to: their notes say it; ``None`` unless all say the same."""
    found = {one for row in rows.values() for one in _LOW_QUALITY.findall(row.get("notes") or "")}
    return float(found.pop()) if len(found) == 1 else None


def _leaves(diagnostics: Numbers) -> dict[str, dict[str, float]]:
    """Sort finite numbers by name, such as ``quality.ssim``: name → slice id → number."""
    found: dict[str, dict[str, float]] = {}
    for slice_id, parts in diagnostics.items():
        for name, number in _named(parts, ""):
            found.setdefault(name, {})[slice_id] = number
    return found


def _named(value: Any, name: str) -> Iterator[tuple[str, float]]:
    if isinstance(value, Mapping):
        if value and all(str(key).isdecimal() for key in value):  # by slice id: what is told of other slices
            return
        for key, item in value.items():
            yield from _named(item, f"{name}.{key}" if name else str(key))
    elif isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value):
        yield name, float(value)

"""Where each slice lies: the sum of the steps that lead to it."""

from __future__ import annotations

import math
import os
import warnings
from collections.abc import Hashable, Iterable
from fractions import Fraction
from typing import TYPE_CHECKING, TypeVar

from ...errors import FileFormatError, PlanError, UnknownNameError, listing
from .table import Shifts, exact, shift_id, shifts_of

if TYPE_CHECKING:
    import pandas as pd

Id = TypeVar("Id", bound=Hashable)
_Place = tuple[Fraction, Fraction]


def build_cumulative_shifts(
    shifts: Shifts | pd.DataFrame | str | os.PathLike[str],
    selected_slice_ids: Iterable[Id],
    resolution: float,
    *,
    strict: bool = True,
) -> dict[Id, tuple[float, float]]:
    """Sum the shifts of all slices, then pick those selected.

    The first slice of the file lies at (0, 0), whether it is selected or not, and each other one at the sum of all the
    steps that lead to it, those of slices that are not selected included. So leaving a slice out moves no other one.

    Parameters
    ----------
    shifts : Shifts, DataFrame or path-like
        The pairwise shifts, or the file that holds them.
    selected_slice_ids : iterable of str, int or float
        The slices to give, matched by number: ``"02"`` is ``2`` is ``"2.0"``.
    resolution : float
        Pixel size of the images to be shifted, µm.
    strict : bool
        Refuse slices that the file gives no place; otherwise they are warned of and left out.

    Returns
    -------
    dict of id to (float, float)
        Id as passed → ``(dx, dy)``, px, in the order passed. It is ``mm · 1000 / resolution``; in a file without mm,
        ``x_shift`` and ``y_shift`` as they are: pixels of the image that was registered, which must then be the
        pixels of the images to be shifted. Decimals are summed exactly and rounded to a float once, at the end.

    Raises
    ------
    UnknownNameError
        If a slice is not in the file, with `strict`.
    FileFormatError
        If a pair is missing before a selected slice, with `strict`; if an id is no whole number, or the shifts are
        none (see :func:`read_shifts`).
    PlanError
        If `resolution` is no finite number above 0, or so small that a shift in px is past every number.

    Warns
    -----
    UserWarning
        Naming the slices left out, and why.
    """
    table = shifts_of(shifts)
    selected = list(selected_slice_ids)
    per_unit = _px_per_unit(table, resolution)
    places = _places(table)
    if missing := why_unplaced(table, selected):
        if strict:
            _refuse(table, missing)
        reasons = "; ".join(dict.fromkeys(missing.values()))
        warnings.warn(f"slice {listing(map(str, missing))} left out: {reasons}", stacklevel=2)
    chosen = {one: places[shift_id(one)] for one in selected if one not in missing}
    try:
        return {one: (float(x * per_unit), float(y * per_unit)) for one, (x, y) in chosen.items()}
    except OverflowError:
        raise PlanError(
            [f"{table.where}: at {resolution} µm per pixel, its shifts are too large to be shifts"]
        ) from None


def why_unplaced(shifts: Shifts, slice_ids: Iterable[Id]) -> dict[Id, str]:
    """Say of which slices the shifts do not tell where they lie, and why.

    Parameters
    ----------
    shifts : Shifts
        As read.
    slice_ids : iterable of str, int or float
        The slices asked for, matched by number.

    Returns
    -------
    dict of id to str
        Id as passed → such as ``"shifts_xy.csv: slice 09 is not in it"`` or ``"shifts_xy.csv: no pair 03 → 05"``;
        empty where all have a place.

    Raises
    ------
    FileFormatError
        If an id is no whole number.
    """
    places, known = _places(shifts), set(shifts.slice_ids)
    named = {one: shift_id(one) for one in slice_ids}
    lost = {one: slice_id for one, slice_id in named.items() if slice_id not in places}
    gap = _first_gap(shifts) if lost else ""
    return {
        one: f"{shifts.where}: {f'no pair {gap}' if slice_id in known else f'slice {slice_id} is not in it'}"
        for one, slice_id in lost.items()
    }


def _px_per_unit(table: Shifts, resolution: float) -> Fraction:
    if not (math.isfinite(resolution) and resolution > 0):
        raise PlanError([f"resolution is {resolution}, expected µm per pixel, a number above 0"])
    return 1000 / exact(resolution) if table.has_mm else Fraction(1)


def _places(table: Shifts) -> dict[str, _Place]:
    """Sum the steps, mm or px, from the first slice on, up to the first pair that is missing."""
    at = table.slice_ids[0]
    places = {at: (Fraction(0), Fraction(0))}
    for step in table.in_order:
        if step.fixed_id != at:
            break
        (x, y), (dx, dy) = places[at], step.length
        at = step.moving_id
        places[at] = (x + exact(dx), y + exact(dy))
    return places


def _first_gap(table: Shifts) -> str:
    """Name the first pair of neighbours that the file lacks; ``""`` where it lacks none."""
    joined = {step.pair for step in table.steps}
    pairs = (f"{fixed} → {moving}" for fixed, moving in zip(table.slice_ids, table.slice_ids[1:], strict=False))
    return next((pair for pair in pairs if pair not in joined), "")


def _refuse(table: Shifts, missing: dict[Id, str]) -> None:
    known = set(table.slice_ids)
    for one in missing:
        if shift_id(one) not in known:
            raise UnknownNameError("slice", str(one), table.slice_ids, table.where)
    lost = listing(shift_id(one) for one in missing)
    raise FileFormatError(
        f"{next(iter(missing.values()))}, so slice {lost} has no place; expected a row for each two neighbouring slices"
    )

"""Steps that the stage, or the grid of tiles, made up: found and undone.

The file of shifts tells where the corner of each slice's grid of tiles stood. Two things move that corner, and not
the tissue: the grid grows or shrinks by whole columns or rows of tiles; or the encoder reports a jump and takes it
back with the next slice. x and y are looked at separately, and each run of slices without a missing pair by itself.

Pass 1, where the tile's field of view is known: a step ``d`` with ``N = round(d / fov)`` other than 0 and
``|d − N·fov| < 0.05·fov`` becomes ``d − N·fov``.

Pass 2, on the result: a glitch is two steps in a row that cancel, the larger of them, ``s``, above ``max_shift_mm`` and
``|sum| < 0.4·|s|``. Both become the median of the ordinary steps one and two before and after; ordinary are those that
are of no glitch and at most ``max_shift_mm`` long. Where none of these four is ordinary, it is the median of all the
ordinary ones of the axis; a file without any keeps its glitch. Of three steps that alternate, the two that cancel best
(the first two, if both do alike) are the glitch and the third is a jump: where the slices lie after it is kept.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from statistics import median
from typing import TYPE_CHECKING, Any

from ...errors import FileFormatError, PlanError
from ..slice_config import SliceRows, stamp_many
from ..slice_values import number_of
from .table import MM, PX, Shifts, Step, exact, shifts_of

if TYPE_CHECKING:
    import pandas as pd

_NEAR_MULTIPLE = Fraction(1, 20)
_CANCELLED = Fraction(2, 5)
_AXES = ("x", "y")


@dataclass(frozen=True)
class Correction:
    """One step, along one axis, that was changed by one pass.

    Parameters
    ----------
    axis : str
        ``"x"`` or ``"y"``.
    fixed_id, moving_id : str
        The pair.
    cause : str
        ``"tiles"`` (pass 1) or ``"glitch"`` (pass 2).
    before_mm, after_mm : float
        The step before and after this pass, mm.
    tiles : int
        N of pass 1, how many tiles were taken off; 0 for a glitch.
    taken_from : tuple of str
        The pairs whose median took the place of a glitch, such as ``("03 → 04", "06 → 07")``.
    """

    axis: str
    fixed_id: str
    moving_id: str
    cause: str
    before_mm: float
    after_mm: float
    tiles: int = 0
    taken_from: tuple[str, ...] = ()


@dataclass(frozen=True)
class Rehoming:
    """What :func:`detect_rehoming` found.

    Parameters
    ----------
    shifts : Shifts
        Corrected; equal to those given where there was nothing to correct.
    corrections : tuple of Correction
        By axis, pass and pair.
    rehomed : mapping of str to bool
        Moving slice → whether its step was corrected, along any axis.
    reliable : mapping of str to bool
        Moving slice → whether its corrected step is at most `max_shift_mm` long, √(x² + y²).
    tile_fov_mm : float or None
        As given.
    max_shift_mm : float
        As given.
    """

    shifts: Shifts
    corrections: tuple[Correction, ...]
    rehomed: Mapping[str, bool]
    reliable: Mapping[str, bool]
    tile_fov_mm: float | None
    max_shift_mm: float


def detect_rehoming(
    shifts: Shifts | pd.DataFrame | str | os.PathLike[str],
    *,
    tile_fov_mm: float | None = None,
    max_shift_mm: float = 0.5,
) -> Rehoming:
    """Find and undo steps that whole tiles or encoder glitches made (see the module).

    Parameters
    ----------
    shifts : Shifts, DataFrame or path-like
        With ``x_shift_mm`` and ``y_shift_mm``. ``x_shift`` and ``y_shift``, where they are, keep the px per mm of their
        row. The column ``reliable`` is made anew, and added where a step is not reliable.
    tile_fov_mm : float, optional
        What one column or row of tiles moves the grid by, mm. Without it there is no pass 1.
    max_shift_mm : float
        The longest step to be taken for granted, mm.

    Returns
    -------
    Rehoming
        Cells of the file that no correction touches are as they were.

    Raises
    ------
    PlanError
        If a length is no finite number above 0.
    FileFormatError
        If the file has no columns in mm, or is no file of shifts (see :func:`read_shifts`).
    """
    _check(tile_fov_mm=tile_fov_mm, max_shift_mm=max_shift_mm)
    table = shifts_of(shifts)
    if not table.has_mm:
        raise FileFormatError(f"{table.where}: no column {', '.join(MM)}, expected the shifts in mm")
    steps = table.in_order
    found: list[Correction] = []
    axes = []
    for number, axis in enumerate(_AXES):
        line = _Line(axis, steps, [exact(step.length[number]) for step in steps])
        if tile_fov_mm is not None:
            found += line.take_off_tiles(exact(tile_fov_mm))
        found += line.undo_glitches(exact(max_shift_mm))
        axes.append(line.lengths)
    corrected = {step.fixed_id: _corrected(step, of_x, of_y) for step, of_x, of_y in zip(steps, *axes, strict=True)}
    rehomed = {one.moving_id for one in found}
    reliable = {one.moving_id: _is_short(one, max_shift_mm) for one in corrected.values()}
    made = _flagged(replace(table, steps=tuple(corrected[step.fixed_id] for step in table.steps)), reliable)
    return Rehoming(
        made,
        tuple(found),
        {step.moving_id: step.moving_id in rehomed for step in steps},
        reliable,
        tile_fov_mm,
        max_shift_mm,
    )


def stamp_rehoming(rows: Mapping[str, Mapping[str, Any]], found: Rehoming, add: bool = False) -> SliceRows:
    """Stamp ``rehomed`` and ``rehoming_reliable`` on the moving slice of each pair.

    Parameters
    ----------
    rows : mapping of str to mapping
        The slice table; it is not changed.
    found : Rehoming
        From the shifts of the same slices.
    add : bool
        Add slices that the table lacks, used; otherwise they are passed over, see :func:`unlisted`.

    Returns
    -------
    OrderedDict of str to dict
        New rows. The first slice of the shifts, which no step leads to, and slices that are not in the shifts keep
        what they have.
    """
    flags: dict[str, dict[str, object]] = {slice_id: {} for slice_id in found.shifts.slice_ids}
    for slice_id, rehomed in found.rehomed.items():
        flags[slice_id] = {"rehomed": rehomed, "rehoming_reliable": found.reliable[slice_id]}
    lacking = [] if add else unlisted(rows, found)
    return stamp_many(rows, {one: flag for one, flag in flags.items() if one not in lacking}, add=add)


def unlisted(rows: Iterable[str], found: Rehoming) -> list[str]:
    """List the slices of the shifts that a slice table lacks."""
    known = {number_of(slice_id) for slice_id in rows}
    return [slice_id for slice_id in found.shifts.slice_ids if number_of(slice_id) not in known]


# --- the passes --------------------------------------------------------------------------------------------
@dataclass
class _Line:
    """The steps along one axis, mm, by slice; exact, so that a corrected step has no digits of its own."""

    axis: str
    steps: Sequence[Step]
    lengths: list[Fraction]

    def take_off_tiles(self, fov: Fraction) -> list[Correction]:
        """Pass 1: remove whole tiles."""
        made = []
        for at, length in enumerate(self.lengths):
            tiles = round(length / fov)
            rest = length - tiles * fov
            if tiles and abs(rest) < _NEAR_MULTIPLE * fov:
                made.append(self._change(at, rest, "tiles", tiles=tiles))
        return made

    def undo_glitches(self, limit: Fraction) -> list[Correction]:
        """Pass 2: replace both steps of each pair that cancels."""
        glitches = self._glitches(limit)
        in_glitch = {at for first in glitches for at in (first, first + 1)}
        ordinary = [at for at, length in enumerate(self.lengths) if at not in in_glitch and abs(length) <= limit]
        if not ordinary:
            return []
        sources = {at: [near for near in ordinary if self._is_near(at, near)] or ordinary for at in sorted(in_glitch)}
        after = {at: median([self.lengths[near] for near in chosen]) for at, chosen in sources.items()}
        return [
            self._change(at, after[at], "glitch", taken_from=tuple(self.steps[near].pair for near in chosen))
            for at, chosen in sources.items()
        ]

    def _glitches(self, limit: Fraction) -> list[int]:
        """Find the first step of each glitch; those that cancel best come first, and a step is of one glitch only."""
        candidates = []
        for first in range(len(self.steps) - 1):
            one, other = self.lengths[first : first + 2]
            larger = max(abs(one), abs(other))
            if self._is_joined(first) and larger > limit and abs(one + other) < _CANCELLED * larger:
                candidates.append((abs(one + other) / larger, first))
        taken: list[int] = []
        for _, first in sorted(candidates):
            if not {first - 1, first, first + 1} & set(taken):
                taken.append(first)
        return taken

    def _is_joined(self, at: int) -> bool:
        """Say whether the next step begins where this one ends: no pair is missing."""
        return self.steps[at].moving_id == self.steps[at + 1].fixed_id

    def _is_near(self, at: int, other: int) -> bool:
        low, high = sorted((at, other))
        return high - low <= 2 and all(self._is_joined(between) for between in range(low, high))

    def _change(
        self, at: int, after: Fraction, cause: str, tiles: int = 0, taken_from: tuple[str, ...] = ()
    ) -> Correction:
        before, self.lengths[at] = self.lengths[at], after
        step = self.steps[at]
        return Correction(
            self.axis, step.fixed_id, step.moving_id, cause, float(before), float(after), tiles, taken_from
        )


# --- back into the file ------------------------------------------------------------------------------------
def _corrected(step: Step, *after: Fraction) -> Step:
    """Change the lengths of a step, in mm and px, and the cells of those that differ."""
    mm, px, cells = list(step.length), list(step.px or ()), dict(step.cells)
    for axis, length in enumerate(after):
        before = exact(mm[axis])
        if length == before:
            continue
        mm[axis] = float(length)
        cells[MM[axis]] = repr(mm[axis])
        if px:
            px[axis] = float(exact(px[axis]) * length / before)
            cells[PX[axis]] = repr(px[axis])
    return replace(step, mm=(mm[0], mm[1]), px=(px[0], px[1]) if px else None, cells=cells)


def _is_short(step: Step, max_shift_mm: float) -> bool:
    return math.hypot(*step.length) <= max_shift_mm


def _flagged(table: Shifts, reliable: Mapping[str, bool]) -> Shifts:
    """Put what is reliable into the column of that name, where there is one, or is something to say in it."""
    if "reliable" not in table.columns and all(reliable.values()):
        return table
    steps = []
    for step in table.steps:
        flag = reliable[step.moving_id]
        cell = step.cells.get("reliable", "") if step.reliable is flag else str(int(flag))
        steps.append(replace(step, reliable=flag, cells={**step.cells, "reliable": cell}))
    return replace(table, columns=tuple(dict.fromkeys([*table.columns, "reliable"])), steps=tuple(steps))


def _check(**lengths: float | None) -> None:
    faults = [
        f"{name} is {value}, expected mm, a number above 0"
        for name, value in lengths.items()
        if value is not None and not (math.isfinite(value) and value > 0)
    ]
    if faults:
        raise PlanError(faults)

"""What rehoming leaves behind: corrected shifts, and a report of every correction, as JSON and in words."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ...errors import PlanError
from ...files import write_json
from ..places import why_no_file
from .rehoming import Correction, Rehoming
from .table import write_shifts

_VERSION = 1


def output_paths(
    shifts: Path,
    table: Path,
    shifts_out: Path | None = None,
    report: Path | None = None,
    *,
    config: Path | None = None,
    force: bool = False,
) -> tuple[Path, Path]:
    """Decide where corrected shifts and report go.

    Parameters
    ----------
    shifts : Path
        The shifts read.
    table : Path
        The slice table to be written.
    shifts_out : Path, optional
        Beside the table, ``<stem of the shifts>_rehomed.csv``, if not given.
    report : Path, optional
        Beside the table, ``rehoming_report.json``, if not given.
    config : Path, optional
        The slice table read.
    force : bool
        Replace what is there.

    Returns
    -------
    (Path, Path)
        Shifts and report.

    Raises
    ------
    PlanError
        If one would take the place of a file that is read, of another that is written, or, without `force`, of any
        file, or is no place for a file; each is named.
    """
    made = (shifts_out or table.parent / f"{shifts.stem}_rehomed.csv", report or table.parent / "rehoming_report.json")
    others = {path.resolve() for path in (shifts, table, config) if path is not None}
    faults = []
    for path in made:
        if path.resolve() in others:
            faults.append(f"{path} is read, or written, by this command already; name another file")
        elif why := why_no_file(path):
            faults.append(why)
        elif path.exists() and not force:
            faults.append(f"{path} is there already; --force replaces it")
        others.add(path.resolve())
    if faults:
        raise PlanError(faults)
    return made


def write_rehoming(
    found: Rehoming, shifts_out: str | os.PathLike[str], report: str | os.PathLike[str]
) -> dict[str, Any]:
    """Write the corrected shifts and the report, each atomically.

    Parameters
    ----------
    found : Rehoming
        As :func:`detect_rehoming` gave it.
    shifts_out, report : path-like
        The files to make or replace.

    Returns
    -------
    dict
        The report, see :func:`rehoming_report`.
    """
    made = rehoming_report(found)
    write_shifts(shifts_out, found.shifts)
    write_json(report, made)
    return made


def rehoming_report(found: Rehoming) -> dict[str, Any]:
    """Give what was found, fit for JSON.

    Returns
    -------
    dict
        ``version``, ``shifts`` (the file's name), ``tile_fov_mm``, ``max_shift_mm``, ``steps`` (their number),
        ``corrections`` (``axis, fixed_id, moving_id, pass, cause, before_mm, after_mm``, and ``tiles`` in pass 1 or
        ``taken_from`` in pass 2), ``rehomed`` and ``unreliable`` (moving slices).
    """
    return {
        "version": _VERSION,
        "shifts": Path(found.shifts.where).name,
        "tile_fov_mm": found.tile_fov_mm,
        "max_shift_mm": found.max_shift_mm,
        "steps": len(found.shifts.steps),
        "corrections": [_entry(one) for one in found.corrections],
        "rehomed": [slice_id for slice_id, rehomed in found.rehomed.items() if rehomed],
        "unreliable": [slice_id for slice_id, reliable in found.reliable.items() if not reliable],
    }


def describe_rehoming(found: Rehoming) -> list[str]:
    """Say in words what was corrected, a line each, which steps cannot be relied on, and how many there are of each."""
    lines = [_in_words(one) for one in found.corrections]
    unreliable = [step for step in found.shifts.in_order if not found.reliable[step.moving_id]]
    for step in unreliable:
        x, y = step.length
        lines.append(f"{step.pair}: x {x:g} mm, y {y:g} mm, not reliable: longer than {found.max_shift_mm:g} mm")
    corrected = sum(found.rehomed.values())
    lines.append(f"{corrected} of {len(found.shifts.steps)} steps corrected, {len(unreliable)} not reliable")
    return lines


def _entry(one: Correction) -> dict[str, Any]:
    entry = asdict(one)
    tiles, taken_from = entry.pop("tiles"), entry.pop("taken_from")
    of_pass = {"pass": 1, "tiles": tiles} if one.cause == "tiles" else {"pass": 2, "taken_from": taken_from}
    return entry | of_pass


def _in_words(one: Correction) -> str:
    if one.cause == "tiles":
        why = f"{one.tiles:+d} tile{'s' * (abs(one.tiles) != 1)} taken off"
    else:
        why = f"glitch, now the median of {_some(one.taken_from)}"
    return f"{one.fixed_id} → {one.moving_id}: {one.axis} {one.before_mm:g} mm is now {one.after_mm:g} mm: {why}"


def _some(pairs: Iterable[str]) -> str:
    pairs = list(pairs)
    return ", ".join(pairs) if len(pairs) <= 4 else f"all {len(pairs)} ordinary steps"

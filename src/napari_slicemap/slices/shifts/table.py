r"""``shifts_xy.csv``: the step from each slice to the next one, in px and mm.

A row is one pair: the moving slice, drawn at ``(x_shift, y_shift)`` from where the fixed one lies, fits it. Pairs join
neighbours, lower id first, where neighbours are slices between which the file knows no other: ``3 → 5`` is right in a
file without slice 4. Ids are whole numbers, ``3``, ``03`` or ``3.0``.

What :func:`write_shifts` writes is the canonical form, UTF-8 without byte-order mark, ``\n``, quotes only where CSV
needs them; such a file is read and written back byte for byte, unknown columns and the digits of every number included.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from itertools import repeat
from pathlib import Path
from typing import TYPE_CHECKING, cast

import numpy as np

from ...errors import FileFormatError, listing
from ...files import Row, read_table, table_text, write_text
from ..slice_values import id_key, read_flag, validate_value

if TYPE_CHECKING:
    import pandas as pd

IDS = ("fixed_id", "moving_id")
PX = ("x_shift", "y_shift")
MM = ("x_shift_mm", "y_shift_mm")

_ID = re.compile(r"([0-9]+)(?:\.0*)?")


@dataclass(frozen=True)
class Step:
    """From one slice to the next: one row of the file.

    Parameters
    ----------
    fixed_id, moving_id : str
        The two slices, of at least two digits.
    px : (float, float) or None
        ``x_shift, y_shift``, pixels of the image that was registered; ``None`` in a file without them.
    mm : (float, float) or None
        ``x_shift_mm, y_shift_mm``; ``None`` in a file without them.
    reliable : bool or None
        What the file says; ``None`` where it says nothing.
    cells : mapping of str to str
        Column → text as in the file, unknown columns too.
    where : str
        File and line, for messages.
    """

    fixed_id: str
    moving_id: str
    px: tuple[float, float] | None
    mm: tuple[float, float] | None
    reliable: bool | None
    cells: Mapping[str, str]
    where: str

    @property
    def pair(self) -> str:
        """The two slices in words, such as ``"03 → 04"``."""
        return f"{self.fixed_id} → {self.moving_id}"

    @property
    def length(self) -> tuple[float, float]:
        """``(x, y)``, in mm where the file has them, else in px."""
        return cast("tuple[float, float]", self.px if self.mm is None else self.mm)


@dataclass(frozen=True)
class Shifts:
    """What a shifts file says.

    Parameters
    ----------
    columns : tuple of str
        As in the file.
    steps : tuple of Step
        In the order of the file, one at least.
    where : str
        The file, for messages.
    """

    columns: tuple[str, ...]
    steps: tuple[Step, ...]
    where: str

    @cached_property
    def in_order(self) -> tuple[Step, ...]:
        """The steps by slice."""
        return tuple(sorted(self.steps, key=lambda step: id_key(step.fixed_id)))

    @cached_property
    def slice_ids(self) -> tuple[str, ...]:
        """Every slice that a pair names, in order."""
        return _slices_of(self.steps)

    @property
    def has_mm(self) -> bool:
        """Whether steps are known in mm."""
        return self.steps[0].mm is not None


def read_shifts(path: str | os.PathLike[str]) -> Shifts:
    """Read a shifts file.

    Parameters
    ----------
    path : path-like
        A CSV with ``fixed_id, moving_id``, and ``x_shift, y_shift`` (px) or ``x_shift_mm, y_shift_mm`` or both. Two
        columns that are empty throughout count as not there. ``reliable`` is read where it is.

    Returns
    -------
    Shifts
        Pairs may be missing between slices; :func:`build_cumulative_shifts` says which slices this leaves without a
        place.

    Raises
    ------
    FileFormatError
        Naming file, line, column and what was expected: no pairs, an id that is no whole number, a shift that is no
        finite number, a pair of a slice with itself, backwards (so every cycle), twice, two pairs from or to one
        slice, or one that skips a slice.
    FileNotFoundError
        If there is no such file.
    """
    return _shifts(read_table(path, required=IDS), os.fspath(path))


def shifts_of(source: Shifts | pd.DataFrame | str | os.PathLike[str]) -> Shifts:
    """Take shifts in any form: as read, a table of pandas with the columns of the file, or a path to read.

    Raises
    ------
    FileFormatError, FileNotFoundError
        As :func:`read_shifts`; a row of a table is named by its index.
    """
    if isinstance(source, Shifts):
        return source
    if isinstance(source, str | os.PathLike):
        return read_shifts(Path(source))
    columns = [str(name) for name in source.columns]
    if missing := [name for name in IDS if name not in columns]:
        raise FileFormatError(f"shifts: no column {listing(missing)} (there is {listing(columns)})")
    values = source.itertuples(index=False, name=None)
    rows = [
        Row({name: _cell(value) for name, value in zip(columns, row, strict=True)}, f"shifts, row {label}")
        for label, row in zip(source.index, values, strict=True)
    ]
    return _shifts(rows, "shifts")


def write_shifts(path: str | os.PathLike[str], shifts: Shifts) -> None:
    """Write a shifts file in its canonical form (see the module), atomically; parent folders are made.

    Parameters
    ----------
    path : path-like
        The file to make or replace.
    shifts : Shifts
        The cells are written as they are.
    """
    write_text(path, table_text(shifts.columns, (step.cells for step in shifts.steps)))


def shift_id(value: object) -> str:
    """Give the slice that an id names: ``"03"`` for ``3``, ``"3"``, ``"003"``, ``3.0`` and ``"3.0"``.

    Raises
    ------
    FileFormatError
        If it is no whole number.
    """
    found = _ID.fullmatch(str(value).strip()) if not isinstance(value, bool | np.bool) else None
    if found is None:
        raise FileFormatError(f"slice id is {str(value)!r}, expected a whole number, such as 3, 03 or 3.0")
    return str(validate_value("slice_id", found[1].lstrip("0").zfill(2)))


def id_of(row: Row, column: str) -> str:
    """Read the slice that a cell names.

    Raises
    ------
    FileFormatError
        Naming file, line and column, if it is no whole number.
    """
    try:
        return shift_id(row[column])
    except FileFormatError as error:
        raise FileFormatError(f"{row.where}: {column}: {error}") from None


def exact(value: float) -> Fraction:
    """Take a number as the decimal that it was written as: 0.01 is 1/100."""
    return Fraction(repr(float(value)))


# --- reading -----------------------------------------------------------------------------------------------
def _cell(value: object) -> str:
    """Write a value of a table of pandas as the file would have it."""
    text = str(value).strip()  # 0.1 of numpy, too: its repr is another
    return "" if text in ("nan", "None", "<NA>", "NaT") else text


def _shifts(rows: Sequence[Row], where: str) -> Shifts:
    if not rows:
        raise FileFormatError(f"{where}: no pairs, expected a row for each two neighbouring slices")
    px, mm = _lengths(rows, PX), _lengths(rows, MM)
    if px is None and mm is None:
        wanted = f"{listing(PX)} or {listing(MM)}"
        raise FileFormatError(f"{where}: no shifts, expected numbers in {wanted} (there is {listing(rows[0].cells)})")
    steps = tuple(
        Step(id_of(row, IDS[0]), id_of(row, IDS[1]), of_px, of_mm, _reliable(row), row.cells, row.where)
        for row, of_px, of_mm in zip(rows, px or repeat(None), mm or repeat(None), strict=False)
    )
    _check_pairs(steps)
    return Shifts(tuple(rows[0].cells), steps, where)


def _lengths(rows: Sequence[Row], columns: tuple[str, str]) -> list[tuple[float, float]] | None:
    """Read two columns of numbers; ``None`` where the file has neither, or both are empty."""
    if not any(row[name] for row in rows for name in columns):
        return None
    return [(_length(row, columns[0]), _length(row, columns[1])) for row in rows]


def _length(row: Row, column: str) -> float:
    value = row.number(column)
    if value is None:
        what = "empty" if column in row.cells else "not there"
        raise FileFormatError(f"{row.where}: {column} is {what}, expected a number")
    return value


def _reliable(row: Row) -> bool | None:
    text = row["reliable"]
    try:  # tables of numbers write 1.0
        return read_flag("reliable", text.removesuffix(".0"))
    except FileFormatError as error:
        raise FileFormatError(f"{row.where}: {error}") from None


def _slices_of(steps: Iterable[Step]) -> tuple[str, ...]:
    return tuple(sorted({one for step in steps for one in (step.fixed_id, step.moving_id)}, key=id_key))


def _check_pairs(steps: Sequence[Step]) -> None:
    """Refuse pairs that do not make a line of slices, each joined to the next one at most."""
    slices = _slices_of(steps)
    place = {slice_id: number for number, slice_id in enumerate(slices)}
    fixed: dict[str, Step] = {}
    moving: dict[str, Step] = {}
    for step in steps:
        apart = place[step.moving_id] - place[step.fixed_id]
        if apart <= 0:
            fault = "joins a slice with itself" if apart == 0 else "goes backwards, or closes a cycle"
            _refuse(step, fault, "moving_id to be the slice after fixed_id")
        for seen, slice_id in ((fixed, step.fixed_id), (moving, step.moving_id)):
            if (before := seen.setdefault(slice_id, step)) is not step:
                fault = "stands" if before.pair == step.pair else f"branches: {before.pair} stands"
                _refuse(step, f"{fault} in {before.where} already", "one pair from, and one to, each slice")
    for step in steps:
        between = slices[place[step.fixed_id] + 1 : place[step.moving_id]]
        if between:
            _refuse(step, f"skips slice {listing(between)}", "pairs of neighbours only")


def _refuse(step: Step, fault: str, expected: str) -> None:
    raise FileFormatError(f"{step.where}: moving_id: {step.pair} {fault}, expected {expected}")

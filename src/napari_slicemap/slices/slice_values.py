"""One cell of the slice table: what may stand in which column, typed."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial
from typing import Any, NoReturn

import numpy as np

from ..errors import FileFormatError, listing

CANONICAL_COLUMNS = (
    "slice_id",
    "use",
    "quality_score",
    "galvo_confidence",
    "galvo_fix",
    "rehomed",
    "rehoming_reliable",
    "auto_excluded",
    "auto_exclude_reason",
    "interpolated",
    "interpolation_failed",
    "interpolation_method_used",
    "interpolation_fallback_reason",
    "notes",
)
INTERPOLATION_METHODS = ("zmorph", "weighted", "average")
INTERPOLATION_FALLBACK_REASONS = (
    "low_overlap_ncc",
    "no_foreground_planes",
    "registration_exception",
    "reg_did_not_improve",
    "affine_determinant_non_positive",
)

_TRUE = ("true", "1", "yes")
_FALSE = ("false", "0", "no")
_ID = re.compile(r"[0-9]+")
_LONGEST_ID = 18
"""Digits; Python reads no whole number of more than 4300, and no microscope counts so far."""
_NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)(e[+-]?[0-9]+)?", re.IGNORECASE)
_PLAIN_DECIMAL = re.compile(r"[0-9]+(\.[0-9]+)?")


def validate_value(column: str, value: object) -> Any:
    """Turn what somebody typed, or a program computed, into the value that a column holds.

    Parameters
    ----------
    column : str
        A canonical column, or any other: those hold text.
    value : object
        Text as in the file, or a value of the column's type (numpy scalars too). ``None`` means empty.

    Returns
    -------
    str, bool, float or None
        Ids padded to two digits, ``quality_score`` rounded to three decimals, text stripped and on one line
        (other tools split the file at line ends). Empty is ``""`` in a text column and ``None`` elsewhere.

    Raises
    ------
    FileFormatError
        Naming the column, the value and what was expected; also for an empty `use`, which must be decided.
    """
    if isinstance(value, np.generic):
        value = value.item()
    check = CHECKS.get(column)
    return check(column, value) if check else _one_line(read_text_cell(column, value))


def id_key(slice_id: str) -> tuple[int, str, str]:
    """Give the key that sorts slice ids by number, then text: ``"02"``, ``"002"`` < ``"10"`` < ``"100"``.

    Parameters
    ----------
    slice_id : str
        An id as in a table: digits only.
    """
    number = number_of(slice_id)
    return len(number), number, slice_id


def number_of(slice_id: str) -> str:
    """Give what two names of one slice share: shifts and file names match "3", "03" and "003" by number."""
    return slice_id.lstrip("0")


class AsRead(float):
    """A score that remembers its text, so that stamping one row leaves the bytes of the others alone."""

    __slots__ = ("text",)
    text: str

    def __new__(cls, text: str) -> AsRead:  # noqa: D102
        made = super().__new__(cls, text)
        made.text = text
        return made

    def __getnewargs__(self) -> tuple[str]:  # type: ignore[override]  # copies must keep the text
        return (self.text,)


def refuse(column: str, value: object, expected: str) -> NoReturn:
    """Say that a value does not fit its column, and what would.

    Raises
    ------
    FileFormatError
    """
    empty = value is None or (isinstance(value, str) and not value.strip())
    raise FileFormatError(f"{column} is {'empty' if empty else repr(value)}, expected {expected}")


def _slice_id(column: str, value: object) -> str:
    text = str(value) if isinstance(value, int) and not isinstance(value, bool) else value
    if not isinstance(text, str) or not _ID.fullmatch(text.strip()):
        refuse(column, value, "digits only, at least two, such as '03' or '100'")
    if len(text.strip()) > _LONGEST_ID:
        refuse(column, f"{text.strip()[:_LONGEST_ID]}…", f"no more than {_LONGEST_ID} digits")
    return text.strip().zfill(2)


def read_flag(column: str, value: object) -> bool | None:
    """Read a yes or no; ``None`` where nothing is said."""
    text = str(value).strip().lower() if isinstance(value, bool | int | str) else None
    if value is None or text == "":
        return None
    if text not in _TRUE + _FALSE:
        refuse(column, value, "true, 1 or yes, or false, 0 or no")
    return text in _TRUE


def _use(column: str, value: object) -> bool:
    decided = read_flag(column, value)
    if decided is None:
        refuse(column, value, "true, 1 or yes, or false, 0 or no")
    return decided


def _score(column: str, value: object) -> float | None:
    if value is None or (isinstance(value, str) and not value.strip()):
        return None
    number = float("nan")
    if isinstance(value, float | int) and not isinstance(value, bool):
        number = value
    elif isinstance(value, str) and _NUMBER.fullmatch(value.strip()):
        text = value.strip()
        number = AsRead(text) if _PLAIN_DECIMAL.fullmatch(text) else float(text)
    if not 0 <= number <= 1:
        refuse(column, value, "a number from 0 to 1, or nothing")
    return number if isinstance(number, AsRead) else abs(float(number))  # abs: -0.0 is written 0.000


def _rounded_score(column: str, value: object) -> float | None:
    number = _score(column, value)
    return None if number is None else round(float(number), 3)


def _word(column: str, value: object, allowed: tuple[str, ...]) -> str:
    text = read_text_cell(column, value).strip()
    if text and text not in allowed:
        refuse(column, value, f"{listing(allowed)}, or nothing")
    return text


def read_text_cell(column: str, value: object) -> str:
    """Read text; ``""`` where nothing is said."""
    if value is None:
        return ""
    if not isinstance(value, str):
        refuse(column, value, "text")
    # csv.writer leaves a lone \r unquoted before Python 3.13, and no reader takes that back
    return value.replace("\r\n", "\n").replace("\r", "\n") if "\r" in value else value


def _one_line(text: str) -> str:
    return re.sub(r"\s*\n\s*", " ", text.strip())


CHECKS: dict[str, Callable[[str, object], str | bool | float | None]] = {
    "slice_id": _slice_id,
    "use": _use,
    "quality_score": _rounded_score,
    "galvo_confidence": _score,
    "galvo_fix": read_flag,
    "rehomed": read_flag,
    "rehoming_reliable": read_flag,
    "auto_excluded": read_flag,
    "interpolated": read_flag,
    "interpolation_failed": read_flag,
    "interpolation_method_used": partial(_word, allowed=INTERPOLATION_METHODS),
    "interpolation_fallback_reason": partial(_word, allowed=INTERPOLATION_FALLBACK_REASONS),
}


def undecided(column: str) -> bool | str | None:
    """Give the value of a row that lacks `column`: a table without `use` means that all are used."""
    if column == "use":
        return True
    return None if CHECKS.get(column) in (read_flag, _score, _rounded_score) else ""

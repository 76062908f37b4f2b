"""``slice_z<NN>_manifest.csv``: what came of interpolating one slice, until it is merged into the table.

Slices are interpolated side by side, each writing a fragment of its own, for a table has one writer at a time.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import DatasetNotFoundError, FileFormatError, PlanError, listing
from ..files import Row, read_table, table_text, write_text
from .slice_values import INTERPOLATION_METHODS, id_key, number_of, read_flag, refuse, validate_value

FRAGMENT_COLUMNS = ("slice_id", "method", "method_used", "fallback_reason", "interpolation_failed", "output_path")
_NAME = re.compile(r"slice_z(\d+)_manifest\.csv")


@dataclass(frozen=True)
class Fragment:
    """What came of interpolating one slice.

    Parameters
    ----------
    slice_id : str
        The slice.
    method : str
        What was asked for: ``zmorph``, ``weighted`` or ``average``.
    method_used : str
        The same where an image was made, else ``""``.
    fallback_reason : str
        Why none was made, one of ``INTERPOLATION_FALLBACK_REASONS``, else ``""``.
    interpolation_failed : bool
        Whether none was made.
    output_path : str
        The image, relative to the fragment, else ``""``.
    """

    slice_id: str
    method: str
    method_used: str
    fallback_reason: str
    interpolation_failed: bool
    output_path: str

    def stamps(self) -> dict[str, Any]:
        """Give the values for the slice table."""
        return {
            "interpolated": not self.interpolation_failed,
            "interpolation_failed": self.interpolation_failed,
            "interpolation_method_used": self.method_used,
            "interpolation_fallback_reason": self.fallback_reason,
        }


def fragment_path(folder: str | os.PathLike[str], slice_id: str) -> Path:
    """Give the fragment of a slice: ``slice_z<NN>_manifest.csv``."""
    return Path(folder) / f"slice_z{slice_id}_manifest.csv"


def write_fragment(folder: str | os.PathLike[str], fragment: Fragment) -> Path:
    """Write a fragment, atomically; the folder is made.

    Returns
    -------
    Path
        The file.
    """
    path = fragment_path(folder, fragment.slice_id)
    failed = "true" if fragment.interpolation_failed else "false"
    write_text(path, table_text(FRAGMENT_COLUMNS, [vars(fragment) | {"interpolation_failed": failed}]))
    return path


def read_fragments(
    source: str | os.PathLike[str] | Iterable[str | os.PathLike[str]],
    *,
    expected: Iterable[str] = (),
    check_outputs: bool = False,
) -> dict[str, Fragment]:
    """Read fragments, all of them or none.

    Parameters
    ----------
    source : path-like or iterable of path-like
        A folder of fragments, or the fragments.
    expected : iterable of str
        Slices that must have one, matched by number.
    check_outputs : bool
        Whether the images that they name must be there.

    Returns
    -------
    dict of str to Fragment
        By slice, in order.

    Raises
    ------
    DatasetNotFoundError
        If there is no such folder or file.
    FileFormatError
        Naming file, line and column of what is wrong in a fragment.
    PlanError
        Naming every slice that has two fragments, none although expected, or an image that is not there.
    """
    read = [(path, _read(path)) for path in _paths(source)]
    faults = []
    found: dict[str, tuple[Path, Fragment]] = {}
    for path, fragment in read:
        before, _ = found.setdefault(number_of(fragment.slice_id), (path, fragment))
        if before is not path:
            faults.append(f"{path}: slice {fragment.slice_id} has a fragment already, {before}; keep one of them")
        elif check_outputs and fragment.output_path and not (path.parent / fragment.output_path).exists():
            faults.append(f"{path}: slice {fragment.slice_id}: there is no image {fragment.output_path}")
    wanted = [validate_value("slice_id", one) for one in expected]
    there = listing(fragment.slice_id for _, fragment in read)
    faults += [
        f"slice {one} has no fragment slice_z{one}_manifest.csv (there are those of {there})"
        for one in wanted
        if number_of(one) not in found
    ]
    if faults:
        raise PlanError(faults)
    fragments = sorted((fragment for _, fragment in found.values()), key=lambda one: id_key(one.slice_id))
    return {fragment.slice_id: fragment for fragment in fragments}


def _paths(source: str | os.PathLike[str] | Iterable[str | os.PathLike[str]]) -> list[Path]:
    if not isinstance(source, str | os.PathLike):
        paths = [Path(one) for one in source]
    elif Path(source).is_dir():
        paths = sorted(path for path in Path(source).iterdir() if _NAME.fullmatch(path.name))
    else:
        paths = [Path(source)]
    for path in paths:
        if not path.is_file():
            raise DatasetNotFoundError(f"{path}: there is no such folder or file of fragments")
    return paths


def _read(path: Path) -> Fragment:
    rows = read_table(path, required=FRAGMENT_COLUMNS)
    if len(rows) != 1:
        raise FileFormatError(f"{path}: {len(rows)} rows, expected one, of one slice")
    row = rows[0]
    try:
        fragment = _typed(row)
        named = _NAME.fullmatch(path.name)
        if named and number_of(named[1]) != number_of(fragment.slice_id):
            refuse("slice_id", row["slice_id"], f"{named[1]!r}, as in the name of the file")
        _agree(fragment)
    except FileFormatError as error:
        raise FileFormatError(f"{row.where}: {error}") from None
    return fragment


def _typed(row: Row) -> Fragment:
    if unknown := [name for name in row.cells if name not in FRAGMENT_COLUMNS]:
        raise FileFormatError(f"unknown column {unknown[0]!r}, expected {listing(FRAGMENT_COLUMNS)}")
    if row["method"] not in INTERPOLATION_METHODS:
        refuse("method", row["method"], listing(INTERPOLATION_METHODS))
    failed = read_flag("interpolation_failed", row["interpolation_failed"])
    if failed is None:
        refuse("interpolation_failed", None, "true or false")
    return Fragment(
        slice_id=validate_value("slice_id", row["slice_id"]),
        method=row["method"],
        method_used=_as("method_used", "interpolation_method_used", row),
        fallback_reason=_as("fallback_reason", "interpolation_fallback_reason", row),
        interpolation_failed=failed,
        output_path=row["output_path"],
    )


def _as(name: str, column: str, row: Row) -> str:
    """Read a cell that a column of the table must be able to hold, naming it as the fragment does."""
    try:
        return str(validate_value(column, row[name]))
    except FileFormatError as error:
        raise FileFormatError(str(error).replace(column, name, 1)) from None


def _agree(fragment: Fragment) -> None:
    """Refuse a fragment that says both that an image was made and that none was."""
    texts: Mapping[str, str] = {
        "method_used": fragment.method_used,
        "fallback_reason": fragment.fallback_reason,
        "output_path": fragment.output_path,
    }
    for name, text in texts.items():
        wanted = (name == "fallback_reason") == fragment.interpolation_failed
        if bool(text) != wanted:
            failed = "true" if fragment.interpolation_failed else "false"
            refuse(name, text, f"{'a value' if wanted else 'nothing'}, as interpolation_failed is {failed}")

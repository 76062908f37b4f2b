"""``diagnostics/slice_<id>.json``: the raw numbers behind the decisions, one file a slice, one part a stage."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..errors import FileFormatError
from ..files import read_json, write_json

_VERSION = 1
_OWN = ("version", "slice_id")


def diagnostics_path(folder: str | os.PathLike[str], slice_id: str) -> Path:
    """Give the file of a slice: ``slice_<id>.json``."""
    return Path(folder) / f"slice_{slice_id}.json"


def read_diagnostics(folder: str | os.PathLike[str], slice_id: str) -> dict[str, Any]:
    """Read what is known of a slice: part (``"quality"``, ``"galvo"`` …) → its numbers; nothing where no file is.

    Raises
    ------
    FileFormatError
        Naming the file, if it is none of these.
    """
    path = diagnostics_path(folder, slice_id)
    if not path.is_file():
        return {}
    data = read_json(path)
    if not isinstance(data, dict) or data.get("version") != _VERSION:
        raise FileFormatError(f"{path}: expected an object with version {_VERSION}")
    return {part: numbers for part, numbers in data.items() if part not in _OWN}


def write_diagnostics(folder: str | os.PathLike[str], slice_id: str, part: str, numbers: Mapping[str, Any]) -> Path:
    """Put one part into the file of a slice, atomically; the other parts stay.

    Several processes may write parts of the same slices at once: each waits for the other.

    Parameters
    ----------
    folder : path-like
        Made where it does not exist.
    slice_id : str
        The slice.
    part : str
        What the numbers are of, such as ``"quality"``.
    numbers : mapping
        Fit for strict JSON; they replace those of the part.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    FileFormatError
        If there is a file of that name that is none of these.
    ValueError
        If `part` is what the file says of itself, ``"version"`` or ``"slice_id"``.
    """
    if part in _OWN:
        raise ValueError(f"a part cannot be called {part!r}: the file says that of itself")
    from filelock import FileLock

    path = diagnostics_path(folder, slice_id)
    path.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(path.with_name(".diagnostics.lock")):
        parts = {**read_diagnostics(folder, slice_id), part: dict(numbers)}
        write_json(path, {"version": _VERSION, "slice_id": slice_id, **dict(sorted(parts.items()))})
    return path


def remove_diagnostics(folder: str | os.PathLike[str], slice_id: str, part: str) -> None:
    """Take one part out of the file of a slice, atomically; the file goes with its last part.

    Raises
    ------
    FileFormatError
        If there is a file of that name that is none of these.
    """
    from filelock import FileLock

    path = diagnostics_path(folder, slice_id)
    if not path.is_file():
        return
    with FileLock(path.with_name(".diagnostics.lock")):
        parts = read_diagnostics(folder, slice_id)
        parts.pop(part, None)
        if parts:
            write_json(path, {"version": _VERSION, "slice_id": slice_id, **parts})
        else:
            path.unlink(missing_ok=True)

"""A table of tiles kept as it was checked, so that it need not be read and checked again."""

from __future__ import annotations

import hashlib
import io
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np

from ...files import atomic_path, safe_stem, sha256
from .columns import TileColumns, read_tile_columns

_VERSION = 1
"""To be raised whenever a table would be read in another way."""
_BETWEEN = "\0"


def kept_tile_columns(table: Path, cache: Path | None) -> TileColumns | None:
    """Read a table of tiles, or what was kept of it when it was read before.

    Parameters
    ----------
    table : Path
        As for :func:`~napari_slicemap.images.tiles.columns.read_tile_columns`.
    cache : Path or None
        Folder that it is kept in; one that cannot be written to is done without.

    Returns
    -------
    TileColumns or None
        Of the table as it is now: what was kept goes by its bytes, and one that was damaged is made anew.
    """
    if cache is None:
        return read_tile_columns(table)
    file = cache / "tables" / f"{safe_stem(table.name)}.columns"
    key = sha256(table)
    found = _load(file, key)
    if found is None:
        found = read_tile_columns(table)
        if found is not None and sha256(table) == key:  # it was not changed meanwhile
            _save(found, file, key)
    return found


def _sum(key: str, content: bytes | memoryview) -> bytes:
    made = hashlib.sha256(f"{_VERSION} {key}".encode())
    made.update(content)
    return made.digest()


def _load(file: Path, key: str) -> TileColumns | None:
    try:
        kept = memoryview(file.read_bytes())
    except OSError:
        return None
    size = len(_sum("", b""))
    # it says of which table it is, and that all of it is there
    if kept[:size] != _sum(key, kept[size:]):
        return None
    with np.load(io.BytesIO(kept[size:]), allow_pickle=False) as arrays:
        return TileColumns(**{name: _value(arrays[name]) for name in arrays.files})


def _value(array: np.ndarray) -> Any:
    if array.dtype == np.uint8:
        return array.tobytes().decode().split(_BETWEEN)
    return bool(array) if array.dtype == np.bool_ else array


def _save(columns: TileColumns, file: Path, key: str) -> None:
    arrays: dict[str, Any] = {}
    for field in fields(columns):
        value = getattr(columns, field.name)
        if isinstance(value, list):
            text = _BETWEEN.join(value)
            if text.count(_BETWEEN) >= len(value):  # a name with such a character could not be told from two
                return
            value = np.frombuffer(text.encode(), np.uint8)
        arrays[field.name] = np.asarray(value)
    content = io.BytesIO()
    np.savez(content, **arrays)
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with atomic_path(file) as temporary:
            temporary.write_bytes(_sum(key, content.getvalue()) + content.getvalue())
    except OSError:
        return  # it is read anew the next time

"""Readers of layouts: one contract, built-ins first, then those that other packages register.

A package adds a layout by an entry point in the group ``napari_slicemap.readers`` that names a class with the
methods of :class:`Reader`.
"""

from __future__ import annotations

from functools import cache
from importlib.metadata import entry_points
from pathlib import Path
from typing import Protocol

from ...errors import DatasetNotFoundError, UnknownNameError
from ..acquisition import Acquisition, ReadOptions


class Reader(Protocol):
    """What a reader of one layout does."""

    name: str
    """Its name in ``slicemap.toml``, such as ``"fov-folders"``."""
    summary: str
    """One line that tells a user what it opens."""

    def detect(self, path: Path) -> str:
        """Say why this reader fits the path, or ``""`` if it does not; must be quick and must not raise."""

    def read(self, path: Path, options: ReadOptions) -> Acquisition:
        """Read what is at the path; pixels stay on disk until they are asked for.

        Raises
        ------
        FileFormatError, TileReadError, PlacementError
            Naming the file, row or FOV that is wrong.
        """


@cache
def readers() -> dict[str, Reader]:
    """Give the readers by name; the first that recognises a path opens it."""
    from .fov_folders import FovFolders
    from .raw_tiles import RawTiles
    from .steinbock import Steinbock
    from .tile_table import TileTable

    made: list[Reader] = [TileTable(), Steinbock(), FovFolders(), RawTiles()]
    made += [point.load()() for point in entry_points(group="napari_slicemap.readers")]
    return {reader.name: reader for reader in made}


def find_reader(path: Path, layout: str | None = None) -> tuple[Reader, str]:
    """Choose the reader for a path.

    Parameters
    ----------
    path : Path
        Folder or file.
    layout : str, optional
        Name of the reader to take; found by looking at the path otherwise.

    Returns
    -------
    reader : Reader
    why : str
        What it recognised.

    Raises
    ------
    DatasetNotFoundError
        If there is nothing at the path, or no reader recognises it.
    UnknownNameError
        If there is no reader called `layout`.
    """
    if not path.exists():
        raise DatasetNotFoundError(f"{path}: there is no such file or folder")
    known = readers()
    if layout is not None:
        if layout not in known:
            raise UnknownNameError("layout", layout, known)
        return known[layout], "named in the project file"
    for reader in known.values():
        if why := reader.detect(path):
            return reader, why
    summaries = "; ".join(f"{reader.name}: {reader.summary}" for reader in known.values())
    raise DatasetNotFoundError(f"{path}: no acquisition recognised here. What can be opened: {summaries}")

"""Readers of layouts: one contract, built-ins first, then those that other packages register.

A package adds a layout by an entry point in the group ``napari_slicemap.readers`` that names a class with the
methods of :class:`Reader`.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from importlib import import_module
from importlib.metadata import entry_points
from pathlib import Path
from typing import Protocol

from ...errors import DatasetNotFoundError, UnknownNameError, listing
from ..acquisition import Acquisition, ReadOptions
from ..folders import folders_in

_DEEPEST = 3
"""How far below a folder acquisitions are looked for, where it is none itself."""
_MOST_FOLDERS = 200
"""That are looked into on each level."""


class Reader(Protocol):
    """What a reader of one layout does."""

    name: str
    """Its name in ``slicemap.toml``, such as ``"fov-folders"``."""
    summary: str
    """One line that tells a user what it opens."""

    def detect(self, path: Path) -> str:
        """Say why this reader fits the path, or ``""`` if it does not; must be quick.

        Raises
        ------
        OSError
            Where it may not look into what is there; then it does not fit.
        """

    def read(self, path: Path, options: ReadOptions) -> Acquisition:
        """Read what is at the path; pixels stay on disk until they are asked for.

        Raises
        ------
        FileFormatError, TileReadError, PlacementError
            Naming the file, row or FOV that is wrong.
        """


_BUILT_IN = {
    "tile_table": "TileTable",
    "steinbock": "Steinbock",
    "metaxpress": "MetaXpress",
    "mosaic_grid": "MosaicGrid",
    "ome_zarr": "OmeZarr",
    "afm": "AfmFiles",
    "wafer": "Wafer",
    "tile_positions": "TilePositions",
    "ome_tiff": "OmeTiff",
    "tile_files": "TileFiles",
    "fov_folders": "FovFolders",
    "raw_tiles": "RawTiles",
    "section_images": "SectionImages",
    "bioio": "BioioImages",
}
"""Module → class, in the order in which they look at a path."""


@cache
def _built_in(module: str) -> Reader:
    """Give a reader of this package; it is imported when its turn comes, as most paths are the first ones'."""
    made: Reader = getattr(import_module(f".{module}", __name__), _BUILT_IN[module])()
    return made


@cache
def _registered() -> tuple[Reader, ...]:
    """Give the readers that other packages register."""
    return tuple(point.load()() for point in entry_points(group="napari_slicemap.readers"))


def _in_order() -> Iterator[Reader]:
    yield from map(_built_in, _BUILT_IN)
    yield from _registered()


def readers() -> dict[str, Reader]:
    """Give the readers by name; the first that recognises a path opens it."""
    return {reader.name: reader for reader in _in_order()}


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
    if layout is not None:
        known = readers()
        if layout not in known:
            raise UnknownNameError("layout", layout, known)
        return known[layout], "as stated"
    if found := _recognised(path):
        return found
    names = ", ".join(reader.name for reader in _in_order())
    raise DatasetNotFoundError(
        f"{path}: no acquisition recognised here; looked for were {names} (`slicemap layouts` says what they are)"
    )


def _recognised(path: Path) -> tuple[Reader, str] | None:
    """Give the first reader that recognises a path, and what it recognised."""
    for reader in _in_order():
        try:
            why = reader.detect(path)
        except OSError:  # what is there may not be looked into
            continue
        if why:
            return reader, why
    return None


def find_acquisition(path: Path, layout: str | None = None) -> tuple[Path, Reader, str]:
    """Choose the reader for a path; where it is a folder that only holds an acquisition, that one is taken.

    Parameters
    ----------
    path, layout
        As for :func:`find_reader`.

    Returns
    -------
    path : Path
        What is to be read: the path itself, or the folder within it.
    reader : Reader
    why : str
        What it recognised.

    Raises
    ------
    DatasetNotFoundError
        As :func:`find_reader`, and if folders within hold several acquisitions, naming them.
    UnknownNameError
        If there is no reader called `layout`.
    """
    try:
        return path, *find_reader(path, layout)
    except DatasetNotFoundError:
        inside = _inside(path) if path.is_dir() and layout is None else []
        if not inside:
            raise
    if len(inside) > 1:
        found = listing(f"{folder.relative_to(path).as_posix()} ({reader.name})" for folder, reader, _ in inside)
        raise DatasetNotFoundError(f"{path}: there are several acquisitions in it; name one of them: {found}")
    folder, reader, why = inside[0]
    return folder, reader, f"in {folder.relative_to(path).as_posix()}: {why}"


def _inside(path: Path) -> list[tuple[Path, Reader, str]]:
    """List the acquisitions among the folders of a folder, or else among the folders of those."""
    level = [path]
    for _ in range(_DEEPEST):
        level = [below for folder in level for below in _folders(folder)][:_MOST_FOLDERS]
        if found := [(folder, *hit) for folder in level if (hit := _recognised(folder))]:
            return found
    return []


def _folders(path: Path) -> list[Path]:
    try:
        return folders_in(path)
    except OSError:  # a folder that may not be looked into
        return []

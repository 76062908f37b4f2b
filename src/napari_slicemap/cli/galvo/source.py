"""Where the commands of ``slicemap galvo`` find tiles, the slice table and its diagnostics: a project knows them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ...project import Places

_TILES = {"raw_tiles": "raw tiles", "mosaics": "mosaics"}
"""Parts of a project that hold tiles, in the order to take them → what they are."""


@dataclass(frozen=True)
class TileSource:
    """What a SOURCE comes to.

    Parameters
    ----------
    folder : Path
        Of raw tiles or mosaics, or a mosaic.
    table : Path or None
        The slice table of the project, there or not; ``None`` where SOURCE is no project.
    note : str
        Which tiles are taken, where a project has several.
    """

    folder: Path
    table: Path | None = None
    note: str = ""


def tile_source(source: Path) -> TileSource:
    """Say which tiles and which slice table a SOURCE stands for: a folder of tiles, a mosaic, or a project.

    Raises
    ------
    DatasetNotFoundError
        If there is nothing there, or nothing where the project says that tiles are.
    FileFormatError
        If the project file is wrong.
    """
    from ...errors import DatasetNotFoundError
    from ...project import Places, find_project

    project, home, file = find_project(source)
    if file is None:
        return TileSource(source)
    places = Places(project, home)
    table = places.saved("slice_config") or places.written("slice_config")
    named = {part: places.found(part) for part in _TILES if getattr(project, part)}
    if not named:
        return TileSource(places.data_folder, table)
    there = [part for part, folder in named.items() if folder.is_dir()]
    if not there:
        raise DatasetNotFoundError(f"{file}: {'; '.join(places.absent())}")
    first, *others = there
    notes = [f"the {_TILES[first]} in {named[first]} are taken"]
    notes += [f"not the {_TILES[one]}; name {named[one]} to take those" for one in others]
    return TileSource(named[first], table, ", ".join(notes) if others else "")


def diagnostics_of(table: Path) -> Path:
    """Give the folder of diagnostics that belongs to a slice table: its project's, else the one beside it.

    Raises
    ------
    FileFormatError
        If the project file is wrong.
    """
    from ...project import PROJECT_FILE, Places, find_project
    from ...slices.galvo.run import default_diagnostics

    for folder in table.absolute().parents:
        if (folder / PROJECT_FILE).is_file():
            project, home, _ = find_project(folder)
            places = Places(project, home)
            if _same(places.saved("slice_config") or places.written("slice_config"), table):
                return _diagnostics(places)
    return default_diagnostics(table)


def _diagnostics(places: Places) -> Path:
    found = places.found("diagnostics")
    return found if found.exists() else places.written("diagnostics")


def _same(one: Path, other: Path) -> bool:
    return one.resolve() == other.resolve()

"""The project file ``slicemap.toml``: where the parts of a dataset are, and what its files do not state."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Literal

from pydantic import Field

from .errors import DatasetNotFoundError
from .files import FileModel, PathText, read_toml, write_text
from .images.acquisition import CellColumns, ReadOptions, StageY
from .images.tiles.names import TileNames
from .render.overlap import Overlap
from .units import PositiveLengthUm

PROJECT_FILE = "slicemap.toml"
# parts that people write, stated in every project file so that they need not be looked up, and those left by machines
_WRITTEN = ("slice_config", "profiles", "rois", "exports")
_LEFT = ("maps", "masks", "annotations", "cells", "diagnostics", "raw_tiles", "mosaics")


def is_zarr(path: Path) -> bool:
    """Say whether a folder is named as Zarr's are."""
    return path.suffix.lower() == ".zarr"


class Project(FileModel):
    """What ``slicemap.toml`` holds. Paths are relative to `data`, and `data` to the project file.

    Parameters
    ----------
    version : int
        1.
    name : str
        What the dataset is called; the data folder's name by default.
    data : str
        Folder or file that a reader opens, relative to the project file.
    layout : str, optional
        Name of the reader; found by looking at the data otherwise.
    stage_y : "down" or "up", optional
        Which way stage y grows as seen on the map; the layout's own by default.
    pixel_size_um : float, optional
        µm; only for images that do not state it. Text with a unit is understood.
    slice_thickness_um : float, optional
        µm.
    overlap : str
        Who paints where tiles overlap.
    slice_config, profiles, rois, cells : str
        Files.
    maps, masks, annotations, diagnostics, raw_tiles, mosaics, cache, exports : str
        Folders.
    map_slices : dict of str to str
        Map id → slice id, where they differ.
    cell_columns : CellColumns
        Columns of the cell table.
    tiles : TileNames, optional
        How the names of tiles say where they lie.
    """

    version: Literal[1] = 1
    name: str = ""
    data: PathText = "."
    layout: str | None = None
    stage_y: StageY | None = None
    pixel_size_um: PositiveLengthUm | None = None
    slice_thickness_um: PositiveLengthUm | None = None
    overlap: Overlap = "last"
    slice_config: PathText = "slice_config.csv"
    profiles: PathText = "profiles.json"
    rois: PathText = "rois.csv"
    maps: PathText = "maps"
    masks: PathText = "masks"
    annotations: PathText = "annotations"
    cells: PathText = "cells.csv"
    diagnostics: PathText = "diagnostics"
    raw_tiles: PathText = ""
    mosaics: PathText = ""
    cache: PathText = ".slicemap-cache"
    exports: PathText = "exports"
    map_slices: dict[str, str] = Field(default_factory=dict)
    cell_columns: CellColumns = CellColumns()
    tiles: TileNames | None = None


class Places:
    """Where the parts of a dataset are, as absolute paths.

    What people write (profiles, ROIs, slice table, exports, cache) belongs to the project file's folder; what
    the microscope and the segmentation left (maps, masks, annotations, cells, raw tiles) to the data folder.
    Where a project file points to read-only data elsewhere, each is looked for in both, its own home first.

    Parameters
    ----------
    project : Project
        The project.
    home : Path
        Folder of the project file (or the data folder, where there is no project file).
    """

    def __init__(self, project: Project, home: Path) -> None:
        self.project, self.home = project, home.resolve()
        self.data = (self.home / project.data).resolve()
        # a Zarr folder is one thing, as a file is: what others put into it would be taken for a part of it
        self.data_folder = self.data if self.data.is_dir() and not is_zarr(self.data) else self.data.parent

    def written(self, part: str) -> Path:
        """Give the path of what people write: `part` is a field of :class:`Project`, such as ``"rois"``."""
        return self.home / str(getattr(self.project, part))

    def found(self, part: str) -> Path:
        """Give the path of what lies with the data; the project's own folder goes first."""
        name = str(getattr(self.project, part))
        beside = self.home / name
        return beside if beside.exists() else self.data_folder / name

    def saved(self, part: str) -> Path | None:
        """Give the path that `part` is to be read from: where it would be written, else beside the data."""
        candidates = (self.written(part), self.data_folder / str(getattr(self.project, part)))
        return next((path for path in candidates if path.is_file()), None)

    def absent(self) -> list[str]:
        """Name what the project file asks for by name and nobody has: a slip of the pen, most likely."""
        asked = {part: str(getattr(self.project, part)) for part in _LEFT if part in self.project.model_fields_set}
        return [
            f"{PROJECT_FILE}: {part} is {name!r}, but there is no such file or folder in {self.data_folder}"
            for part, name in asked.items()
            if name and not self.found(part).exists()
        ]

    def read_options(self) -> ReadOptions:
        """Say to a reader what it needs to know."""
        folders = ("maps", "masks", "annotations", "diagnostics", "raw_tiles", "mosaics", "cache", "exports")
        named = [name for part in folders if (name := str(getattr(self.project, part)))]
        return ReadOptions(
            masks=self.found("masks"),
            annotations=self.found("annotations"),
            cells=self.found("cells"),
            cell_columns=self.project.cell_columns,
            pixel_size_um=self.project.pixel_size_um,
            tiles=self.project.tiles,
            cache=self.written("cache"),
            skip=frozenset(root / name for root in (self.home, self.data_folder) for name in named),
        )


def find_project(path: str | os.PathLike[str]) -> tuple[Project, Path, Path | None]:
    """Find the project of a dataset.

    Parameters
    ----------
    path : path-like
        ``slicemap.toml``, a folder (with or without one), or a file that a reader opens.

    Returns
    -------
    project : Project
        As written, or the defaults.
    home : Path
        Folder that its paths are relative to.
    file : Path or None
        The project file.

    Raises
    ------
    DatasetNotFoundError
        If there is nothing at the path.
    FileFormatError
        If the project file is wrong.
    """
    path = Path(path)
    if not path.exists():
        raise DatasetNotFoundError(f"{path}: there is no such file or folder")
    file = path if path.name == PROJECT_FILE or path.suffix == ".toml" else path / PROJECT_FILE
    if file.is_file():
        return Project.from_data(read_toml(file), file), file.parent, file
    if path.is_dir() and not is_zarr(path):
        return Project(), path, None
    return _project_beside(path) or (Project(data=path.name), path.parent, None)


def _project_beside(path: Path) -> tuple[Project, Path, Path] | None:
    """Find the project file beside ``tiles.csv``, if it is the one of this table."""
    file = path.parent / PROJECT_FILE
    if not file.is_file():
        return None
    project = Project.from_data(read_toml(file), file)
    data = Places(project, path.parent).data
    own = data == path.resolve() or (path.name == "tiles.csv" and data == path.parent.resolve())
    return (project, path.parent, file) if own else None


def write_project(project: Project, file: Path) -> None:
    """Write ``slicemap.toml`` atomically.

    It always states where the data is and where what people write goes; of the rest, only what differs from the
    default.
    """
    import tomli_w

    changed = project.model_dump(exclude_defaults=True, exclude_none=True)
    always = {part: getattr(project, part) for part in ("version", "data", *_WRITTEN)}
    stated = always | changed
    # in the model's order, which has plain values first: in TOML whatever follows a table belongs to it
    write_text(file, tomli_w.dumps({part: stated[part] for part in Project.model_fields if part in stated}))

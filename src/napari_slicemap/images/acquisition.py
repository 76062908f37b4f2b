"""What a reader gives: FOVs, where they lie, and the tables beside them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from ..files import FileModel
from .folders import files_in
from .fov import Fov
from .tiles.names import TileNames

StageY = Literal["down", "up"]
"""Which way stage y grows as seen on the map."""


@dataclass(frozen=True)
class TilePosition:
    """Where one FOV lies on one map.

    Parameters
    ----------
    map_id : str
        The map.
    fov : str
        The FOV's name.
    source : str
        File (and line or entry) that says so, for messages.
    center_um : tuple of float, optional
        Centre ``(x, y)``, stage µm; either this or `origin_px`.
    origin_px : tuple of float, optional
        Top-left corner ``(x, y)``, map px.
    size_px : tuple of int, optional
        ``(width, height)`` of the FOV in px, where stated.
    pixel_size_um : float, optional
        Pixel size in µm, where stated.
    slice_id : str
        The slice the map belongs to; empty where the map id is the slice id.
    """

    map_id: str
    fov: str
    source: str
    center_um: tuple[float, float] | None = None
    origin_px: tuple[float, float] | None = None
    size_px: tuple[int, int] | None = None
    pixel_size_um: float | None = None
    slice_id: str = ""


class CellColumns(FileModel):
    """Which columns of a cell table hold what (``[cell_columns]`` of the project file)."""

    fov: str = "fov"
    label: str = "label"
    x: str = "X"
    y: str = "Y"


@dataclass(frozen=True)
class Missing:
    """Something that the files do not state, and the user can.

    Parameters
    ----------
    what : str
        Such as ``"pixel size"``.
    meanwhile : str
        What is done without it.
    option : str
        Of the shell, such as ``"--pixel-size 390nm"``.
    field : str
        Of the project file, such as ``"pixel_size_um"``.
    """

    what: str
    meanwhile: str
    option: str
    field: str


@dataclass(frozen=True)
class ReadOptions:
    """What the project file tells a reader; paths are absolute.

    Parameters
    ----------
    masks, annotations : Path
        Folders of label images.
    cells : Path
        Cell table; need not exist.
    cell_columns : CellColumns
        Its columns.
    pixel_size_um : float or None
        For images that do not state one.
    skip : frozenset of Path
        Folders that hold no FOVs.
    tiles : TileNames or None
        How names say where tiles lie, where the project file says so.
    cache : Path or None
        Folder for what is kept from one opening to the next; it may be deleted at any time, and need not be writable.
    """

    masks: Path
    annotations: Path
    cells: Path
    cell_columns: CellColumns = field(default_factory=CellColumns)
    pixel_size_um: float | None = None
    skip: frozenset[Path] = frozenset()
    tiles: TileNames | None = None
    cache: Path | None = None

    @property
    def cell_table(self) -> Path | None:
        """The cell table, if it is there."""
        return self.cells if self.cells.is_file() else None


@dataclass(frozen=True)
class Acquisition:
    """One acquisition as the microscope left it.

    Parameters
    ----------
    layout : str
        Name of the reader.
    root : Path
        Folder or file read.
    fovs : mapping of str to Fov
        By name, in order.
    positions : sequence of TilePosition
        Where FOVs lie, as far as the layout itself says.
    stage_y : "down" or "up"
        The layout's stage direction, unless the project file says otherwise.
    cells : Path or None
        Cell table.
    cell_columns : CellColumns
        Its columns.
    problems : tuple of str
        What was found wrong and left out, each naming its culprit.
    stage_y_stated : bool
        Whether the files (or the format itself) say which way stage y grows; if not, `stage_y` is an assumption.
    missing : tuple of Missing
        What the files do not state, beside pixel size and stage direction, which any dataset may lack.
    channel_settings : mapping of str to mapping
        Channel name → what the files say of how it is shown: ``color`` (``#rrggbb``), ``contrast_limits`` (low,
        high), ``gamma``, ``visible``; each only where stated.
    roi_file : Path or None
        ROIs that another tool left beside the images, or the folder of several such files.
    """

    layout: str
    root: Path
    fovs: Mapping[str, Fov]
    positions: Sequence[TilePosition] = ()
    stage_y: StageY = "down"
    cells: Path | None = None
    cell_columns: CellColumns = field(default_factory=CellColumns)
    problems: tuple[str, ...] = ()
    stage_y_stated: bool = True
    missing: tuple[Missing, ...] = ()
    channel_settings: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    roi_file: Path | None = None


IMAGE_SUFFIXES = (".tif", ".tiff")


def image_files(folder: Path) -> list[Path]:
    """List the TIFF files of a folder by name; hidden files are left out."""
    if not folder.is_dir():
        return []
    return files_in(folder, IMAGE_SUFFIXES)

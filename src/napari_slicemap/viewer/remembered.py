"""What was open in napari, as it is kept for the next time: one small file, the same for all windows of a user."""

from __future__ import annotations

import logging
import os
from pathlib import Path
from typing import Literal

from pydantic import Field

from ..dataset import Dataset, open_dataset
from ..errors import DatasetNotFoundError, FileFormatError, SlicemapError
from ..files import FileModel, PathText, read_json, write_json

MOST = 8
"""How many datasets are kept."""
FOLDER = "SLICEMAP_STATE"
"""Names, in the environment, the folder that the file lies in; without it, it is the user's folder for such things."""

_FILE = "opened.json"
_LOCK_S = 10.0
_log = logging.getLogger("napari_slicemap")


class NothingRememberedError(SlicemapError, LookupError):
    """Nothing was open before."""


class Remembered(FileModel):
    """A dataset as it was last seen.

    Parameters
    ----------
    path : str
        What was opened, absolute.
    name : str
        What the dataset is called.
    map_id, slice_id : str
        Ids of the map that was shown and of its slice; empty where it was a FOV.
    fov : str
        The FOV that was shown alone; empty where it was a map.
    center : tuple of float
        Of the camera, world ``(y, x)``: stage µm, or px where the pixel size is unknown.
    zoom : float
        Px of the screen per world unit.
    display : str
        ``channels`` or ``composite``.
    profile : str
        Name of the active profile.
    docks : tuple of str
        The docks that were open, in the order of their tabs.
    front : str
        The dock that lay in front; empty where none did.
    """

    path: PathText
    name: str
    map_id: str = ""
    slice_id: str = ""
    fov: str = ""
    center: tuple[float, float]
    zoom: float = Field(gt=0)
    display: str
    profile: str
    docks: tuple[str, ...] = ()
    front: str = ""

    @property
    def title(self) -> str:
        """The dataset and what was shown of it, in words."""
        if self.fov:
            return f"{self.name}, FOV {self.fov}"
        return f"{self.name}, slice {self.slice_id}" if self.slice_id else self.name


class _File(FileModel):
    version: Literal[1] = 1
    opened: tuple[Remembered, ...] = ()


def state_file() -> Path:
    """Give the file in which it is kept what was open; it need not be there."""
    if stated := os.environ.get(FOLDER):
        return Path(stated) / _FILE
    import platformdirs

    return platformdirs.user_state_path("napari-slicemap") / _FILE


def read_remembered(file: Path | None = None) -> tuple[Remembered, ...]:
    """Read which datasets were open, the last one first.

    A file that cannot be read, or that another version of this program wrote, counts as none, and the log says so:
    it is no reason not to start.

    Parameters
    ----------
    file : Path, optional
        The file, if it is not :func:`state_file`.
    """
    file = state_file() if file is None else file
    try:
        return _read(file)
    except (FileFormatError, OSError) as error:
        _log.warning("what was open last is not known: %s", error)
        return ()


def remember(seen: Remembered, file: Path | None = None) -> None:
    """Put a dataset at the head of those that were open; other programs may do so at the same time.

    A file that is not understood is put aside, as ``opened.json.bak``.

    Raises
    ------
    OSError
        If the file cannot be written, or another program holds it for long.
    """
    from filelock import FileLock

    file = state_file() if file is None else file
    file.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(file.with_suffix(".lock"), timeout=_LOCK_S):
        try:
            known = _read(file)
        except FileFormatError as error:
            _log.warning("%s is put aside: %s", file, error)
            file.replace(file.with_name(f"{file.name}.bak"))
            known = ()
        others = (one for one in known if one.path != seen.path)
        kept = (seen, *others)[:MOST]
        if kept != known:
            write_json(file, _File(opened=kept))


def last_remembered() -> Remembered:
    """Give the dataset that was open last, whether it is still there or not.

    Raises
    ------
    NothingRememberedError
        If there is none.
    """
    known = read_remembered()
    if not known:
        raise NothingRememberedError(
            "No acquisition has been open before: drag its folder into napari, or run slicemap view FOLDER."
        )
    return known[0]


def why_gone(seen: Remembered) -> str:
    """Say that there is nothing at the path of a dataset any more; empty where there is something."""
    try:
        there = Path(seen.path).exists()
    except OSError:  # a folder above it may not be looked into
        there = False
    if there:
        return ""
    return f"{seen.path} was open last, and is not there now: is its drive connected, was it moved or renamed?"


def open_remembered(seen: Remembered) -> Dataset:
    """Open a dataset that was open before.

    Raises
    ------
    SlicemapError
        Naming the folder, if it is gone or cannot be read. It stays among those that are remembered.
    """
    if why := why_gone(seen):
        raise DatasetNotFoundError(why)
    try:
        return open_dataset(seen.path)
    except SlicemapError as error:
        raise DatasetNotFoundError(f"{seen.path} was open last, and cannot be opened now: {error}") from error
    except OSError as error:
        raise DatasetNotFoundError(
            f"{seen.path} was open last, and cannot be read now: {error.strerror or error}"
        ) from error


def _read(file: Path) -> tuple[Remembered, ...]:
    """Read the file; where there is none, nothing was open."""
    try:
        return _File.from_data(read_json(file), file).opened
    except FileNotFoundError:
        return ()

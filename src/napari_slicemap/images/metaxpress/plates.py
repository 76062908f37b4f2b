"""Plates as MetaXpress leaves them: folders of time points and z steps, files named by well, site and wavelength."""

from __future__ import annotations

import csv
import io
import math
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from ..folders import files_in, folders_in
from ..format_tools import named
from ..tiff.metadata import metaseries_pixel_size_um
from ..tiff.tiff_image import FirstPage, first_page

PROJECTION = 0
"""Number of the ``ZStep`` folder that holds a projection over the others."""
NO_STEP = -1
"""Stands for the number of a z step where a file lies in no such folder."""

_GUID = "[0-9A-F]{8}(?:-[0-9A-F]{4}){3}-[0-9A-F]{12}"
_FILE = re.compile(
    rf".+?_(?P<well>[A-Z]{{1,2}}[0-9]{{2}})(?:_s(?P<site>[0-9]{{1,6}}?))?(?:_w(?P<wave>[0-9]{{1,2}}?))?(?:{_GUID})?\.tiff?",
    re.IGNORECASE,
)
_DEEPEST = 4
_MOST_FOLDERS = 200
_HTD_BYTES = 2**20
_OTHER_FOLDERS = ("masks", "annotations", "exports", "maps", "diagnostics")
_KIND = "a TIFF image"

Files = dict[int, dict[tuple[int, int], Path]]
"""Wavelength → (time point, z step) → file; z steps as their folders are numbered."""


# --- which folders are plates ------------------------------------------------------------------------------------
def example_file(path: Path) -> str:
    """Give the place of one of a plate's images below its folder; ``""`` where the folder is no plate."""
    for _, _, folder in _places(path):
        with os.scandir(folder) as entries:
            found = next((one.name for one in entries if _FILE.fullmatch(one.name)), "")
        if found:
            return (folder / found).relative_to(path).as_posix()
    return ""


def find_plates(path: Path, *, alone: bool) -> list[Path]:
    """List the plates at a path: the folder itself, or those up to four folders below.

    Parameters
    ----------
    path : Path
        A folder.
    alone : bool
        Give none if a folder directly below leads to no plate: then the path holds other things, too.
    """
    if example_file(path):
        return [path]
    made: list[Path] = []
    level = [(one, one) for one in _folders(path)][:_MOST_FOLDERS]
    tops, leading = {top for top, _ in level}, set[Path]()
    for _ in range(_DEEPEST):
        below: list[tuple[Path, Path]] = []
        for top, folder in level:
            if example_file(folder):
                made.append(folder)
                leading.add(top)
            else:
                below += [(top, one) for one in _folders(folder)]
        level = below[:_MOST_FOLDERS]
        if alone and tops - leading - {top for top, _ in level}:
            return []
    return [] if alone and tops - leading else sorted(made)


def _folders(path: Path) -> list[Path]:
    return [one for one in folders_in(path) if one.name not in _OTHER_FOLDERS]


def _places(plate: Path) -> Iterator[tuple[int, int, Path]]:
    """Give the folders that hold a plate's images, each with its time point and z step.

    A plate without folders of time points is one if a file ``*.HTD`` says so.
    """
    times = _numbered(plate, "TimePoint")
    if not times and htd_file(plate):
        times = [(1, plate)]
    for time, folder in times:
        yield time, NO_STEP, folder
        for step, below in _numbered(folder, "ZStep"):
            yield time, step, below


def _numbered(path: Path, name: str) -> list[tuple[int, Path]]:
    pattern = re.compile(rf"{name}_([0-9]{{1,9}})", re.IGNORECASE)
    found = ((pattern.fullmatch(one.name), one) for one in _folders(path))
    return sorted((int(match[1]), one) for match, one in found if match)


# --- what a plate holds ------------------------------------------------------------------------------------------
@dataclass(frozen=True)
class Plate:
    """A plate's files by their names.

    Parameters
    ----------
    path : Path
        Its folder.
    sites : mapping of (str, int) to Files
        ``(well, site)``, such as ``("B03", 1)`` → its files; site 0 where sites are not numbered.
    doubles : tuple of Path
        Files whose place another one has already.
    """

    path: Path
    sites: Mapping[tuple[str, int], Files]
    doubles: tuple[Path, ...]


def read_plate(path: Path) -> Plate:
    """Sort a plate's files by their names; none is opened, and thumbnails are left out."""
    sites: dict[tuple[str, int], Files] = {}
    doubles: list[Path] = []
    for time, step, folder in _places(path):
        for file in files_in(folder, (".tif", ".tiff")):
            match = _FILE.fullmatch(file.name)
            if match is None:
                continue
            key = match["well"].upper(), int(match["site"] or 0)
            planes = sites.setdefault(key, {}).setdefault(int(match["wave"] or 1), {})
            if (time, step) in planes:
                doubles.append(file)
            else:
                planes[time, step] = file
    return Plate(path, {key: dict(sorted(sites[key].items())) for key in sorted(sites)}, tuple(doubles))


# --- what is said beside the pixels ------------------------------------------------------------------------------
def htd_file(plate: Path) -> Path | None:
    """Find the file ``*.HTD`` of a plate, of which each folder may hold a copy; the plate's own is taken."""
    return next(iter(files_in(plate, (".htd",))), None)


@dataclass(frozen=True)
class Htd:
    """What a file ``*.HTD`` says of a plate.

    Parameters
    ----------
    path : Path
        The file.
    waves : mapping of int to str
        Names of the wavelengths, counted from 1.
    times, steps, wavelengths : int
        How many time points, z steps and wavelengths there are; 0 where it does not say.
    """

    path: Path
    waves: Mapping[int, str]
    times: int = 0
    steps: int = 0
    wavelengths: int = 0


def read_htd(path: Path) -> Htd:
    """Read names and numbers.

    Raises
    ------
    OSError
        If it cannot be read.
    """
    with path.open("rb") as stream:
        text = stream.read(_HTD_BYTES).decode("latin-1")
    rows: dict[str, str] = {}
    for line in text.replace("\0", "").splitlines():
        row = next(csv.reader(io.StringIO(line), skipinitialspace=True), [])
        if len(row) > 1:
            rows[row[0].strip()] = row[1].strip()

    def count(key: str, only_if: str = "") -> int:
        text = rows.get(key, "") if not only_if or rows.get(only_if, "").upper() == "TRUE" else ""
        return int(text) if text.isascii() and text.isdecimal() and len(text) < 10 else 0

    waves = {int(key[len("WaveName") :]): name for key, name in rows.items() if re.fullmatch("WaveName[0-9]{1,2}", key)}
    return Htd(
        path,
        {number: name for number, name in waves.items() if name},
        count("TimePoints"),
        count("ZSteps", "ZSeries"),
        count("NWavelengths", "Waves"),
    )


@dataclass(frozen=True)
class SiteImage:
    """What one image says of itself.

    Parameters
    ----------
    size_px : tuple of int
        ``(width, height)``.
    pixel_size_um : float or None
        If it is calibrated.
    stage_um : tuple of float or None
        ``(x, y)`` of its centre, stage µm.
    z_um : float or None
        Of the stage.
    wave : str
        Name of the light; may be empty.
    acquired : datetime or None
        By the microscope's clock.
    fault : str
        Why it has no pixel size although it states one.
    """

    size_px: tuple[int, int]
    pixel_size_um: float | None = None
    stage_um: tuple[float, float] | None = None
    z_um: float | None = None
    wave: str = ""
    acquired: datetime | None = None
    fault: str = ""


def read_site_image(path: Path) -> SiteImage:
    """Read the metadata of an image.

    Raises
    ------
    TileReadError
        Naming the file, if it is missing or no TIFF file.
    """
    page = first_page(path, _KIND)
    with named(path, _KIND):
        return _site_image(page)


def _site_image(page: FirstPage) -> SiteImage:
    stated: Mapping[str, Any] = page.metaseries.get("PlaneInfo", {})
    fault, size = "", None
    try:
        size = metaseries_pixel_size_um(page.metaseries)
    except ValueError as error:
        fault = str(error)
    x, y, z = (_finite(stated.get(key)) for key in ("stage-position-x", "stage-position-y", "z-position"))
    acquired = stated.get("acquisition-time-local")
    name = stated.get("_IllumSetting_") or str(stated.get("image-name", "")).removeprefix("Copy of ")
    return SiteImage(
        page.size_px,
        size,
        None if x is None or y is None else (x, y),
        z,
        str(name).strip(),
        acquired if isinstance(acquired, datetime) else None,
        fault,
    )


def _finite(stated: object) -> float | None:
    try:
        number = float(str(stated))
    except ValueError:
        return None
    return number if math.isfinite(number) else None

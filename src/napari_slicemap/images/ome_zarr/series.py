"""What ``OME/METADATA.ome.xml`` says of the images of a collection: their names, and where the stage was."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree as ET

from ..format_tools import unit_um
from ..opening import plain_name

METADATA = "METADATA.ome.xml"


@dataclass(frozen=True)
class Series:
    """One image of a collection.

    Parameters
    ----------
    name : str
        Such as files can have; empty where none is stated that tells it from the others.
    center_um : tuple of float or None
        Where the stage was at its first plane, ``(x, y)`` µm; taken for the image's centre.
    """

    name: str
    center_um: tuple[float, float] | None


def described_series(folder: Path, count: int, problems: list[str]) -> list[Series]:
    """Read the file of a collection, where there is one.

    Parameters
    ----------
    folder : Path
        The group ``OME``.
    count : int
        How many images there are.
    problems : list of str
        What is wrong with it is added here.

    Returns
    -------
    list of Series
        In the order of the images; none where the file is missing or wrong.
    """
    file = folder / METADATA
    if not file.is_file():
        return []
    try:
        images = ET.parse(file).getroot().findall("{*}Image")
    except (ET.ParseError, OSError, ValueError, LookupError) as error:
        problems.append(f"{file}: cannot be read as OME-XML ({error}); names and places in it are left out")
        return []
    if len(images) != count:
        problems.append(f"{file}: it describes {len(images)} images, and there are {count}; it is left out")
        return []
    made = [Series(plain_name(image.get("Name") or ""), _center_um(image)) for image in images]
    if len({one.name for one in made}) < len(made):  # names that do not tell images apart
        made = [Series("", one.center_um) for one in made]
    places = {one.center_um for one in made}
    if len(made) > 1 and len(places) == 1:  # the stage never moved: nobody wrote down where it was
        made = [Series(one.name, None) for one in made]
    return made


def _center_um(image: ET.Element) -> tuple[float, float] | None:
    plane = image.find("{*}Pixels/{*}Plane[@PositionX]")
    if plane is None:
        return None
    x, y = (_length_um(plane, axis) for axis in "XY")
    return None if x is None or y is None else (x, y)


def _length_um(plane: ET.Element, axis: str) -> float | None:
    unit = unit_um(plane.get(f"Position{axis}Unit", "reference frame"))
    try:
        number = float(plane.get(f"Position{axis}", ""))
    except ValueError:
        return None
    return None if unit is None or not math.isfinite(number * unit) else number * unit

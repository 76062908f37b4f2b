"""Sections and regions of a wafer, as MagFinder and SBEMimage keep them: a ``.magc`` file beside the image.

It is an INI file: a section ``[sections.0007]`` for each slice on the wafer with the ``polygon`` around it, and one
``[rois.0007]`` for what is to be imaged of it, both in px of the light-microscope image, ``x, y, x, y, …``.
"""

from __future__ import annotations

import configparser
import os
import uuid
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path

import pydantic

from ..errors import FileFormatError
from ..files import explain, read_text
from ..images.folders import files_in
from .frames import Frame, Frames, Imported
from .roi import Roi, roi_from_points

SUFFIX = ".magc"
_TAGS = {"sections": "section", "rois": "roi"}
_LEFT_OUT = {"focus": "focus areas", "magnets": "magnets", "landmarks": "landmarks"}
_MOST_PROBLEMS = 20
_NAMES = uuid.UUID("5b5a8a0e-3c0f-4f6b-9c55-0f7f6d2f9a31")
"""Ids are made of map and name in it, so that a file read twice gives the same ROIs twice."""


def read_magc(path: str | os.PathLike[str], frames: Frames) -> Imported:
    """Read the sections and the regions of a wafer as polygons.

    They are called ``section 0007`` and ``roi 0007`` and tagged ``section`` and ``roi``; angle and place in the order
    of imaging stand in the comment. Their ids are the same whenever the file is read.

    Parameters
    ----------
    path : path-like
        A ``.magc`` file, or a folder of them.
    frames : Frames
        ROIs go on the map that is called as the file, else on the default, else on the only map that there is.

    Returns
    -------
    Imported
        Polygons that are none, and how much was left out of what has no counterpart here (focus points, magnets,
        landmarks), are among the problems.

    Raises
    ------
    FileFormatError
        Naming the file, if it is no ``.magc`` file or its map is not known.
    """
    path = Path(path)
    files = files_in(path, (SUFFIX,)) if path.is_dir() else [path]
    if not files:
        raise FileFormatError(f"{path}: there is no {SUFFIX} file in it")
    found = [_read(file, _frame(file, frames)) for file in files]
    return Imported(
        tuple(roi for one in found for roi in one.rois), tuple(problem for one in found for problem in one.problems)
    )


def _frame(file: Path, frames: Frames) -> Frame:
    same = Frame(map_id=file.stem)
    if same in frames.planes:
        return same
    if frames.default is not None:
        return frames.default
    if len(frames.planes) == 1:
        return frames.planes[0]
    raise FileFormatError(f"{file}: there is no map {file.stem}; name the one that shows this wafer")


def _read(file: Path, frame: Frame) -> Imported:
    parts = _parts(file)
    if not any(_split(name)[0] in _TAGS for name in parts):
        raise FileFormatError(f"{file}: it has no section such as [sections.0000]; this is no {SUFFIX} file")
    order = _order(parts)
    rois: dict[str, Roi] = {}
    problems: list[str] = []
    for name, values in parts.items():
        kind, number = _split(name)
        if kind not in _TAGS or not number:
            continue
        try:
            roi = _roi(kind, number, values, order, frame)
        except pydantic.ValidationError as error:
            problems.append(f"{file}: [{name}]: {explain(error)}")
        except ValueError as error:
            problems.append(f"{file}: [{name}]: {error}")
        else:
            rois[roi.name] = roi
    if len(problems) > _MOST_PROBLEMS:
        problems[_MOST_PROBLEMS:] = [f"{file}: … and {len(problems) - _MOST_PROBLEMS} more"]
    return Imported(tuple(rois.values()), (*problems, *_left_out(file, parts)))


def _parts(file: Path) -> dict[str, Mapping[str, str]]:
    """Give section → key → text."""
    parser = configparser.ConfigParser(interpolation=None, default_section="", delimiters=("=",))
    try:
        parser.read_string(read_text(file), str(file))
    except configparser.Error as error:
        said = " ".join(str(error).split())
        raise FileFormatError(f"{file}: {said}; this is no {SUFFIX} file") from None
    return {name: dict(parser[name]) for name in parser.sections()}


def _split(name: str) -> tuple[str, str]:
    """Split ``sections.0007`` (or ``rois.0007.01``) into what it is and its number."""
    kind, _, number = name.partition(".")
    return kind, number


def _roi(kind: str, number: str, values: Mapping[str, str], order: Mapping[int, int], frame: Frame) -> Roi:
    name = f"{_TAGS[kind]} {number}"
    made = roi_from_points(_points(values.get("polygon", "")), "polygon", **frame.fields)
    known = {
        "roi_id": str(uuid.uuid5(_NAMES, f"{frame.title}\n{name}")),
        "name": name,
        "tags": (_TAGS[kind],),
        "comment": _comment(number, values, order),
        # nobody wrote down when they were drawn
        "created_at": "",
        "updated_at": "",
    }
    return Roi.model_validate(made.model_dump() | known)


def _points(text: str) -> list[tuple[float, float]]:
    if not text.strip():
        raise ValueError("it has no polygon")
    try:
        numbers = [float(one) for one in text.split(",")]
    except ValueError:
        raise ValueError(f"its polygon is {text[:40]!r}, expected numbers x, y, x, y, …") from None
    if len(numbers) % 2:
        raise ValueError(f"its polygon has {len(numbers)} numbers, expected x and y of each point")
    return list(zip(numbers[::2], numbers[1::2], strict=True))


def _comment(number: str, values: Mapping[str, str], order: Mapping[int, int]) -> str:
    angle = values.get("angle", "").strip()
    section = number.split(".")[0]
    place = order.get(int(section)) if section.isdecimal() else None
    said = [f"angle {angle}°"] if angle else []
    return "; ".join(said + ([f"number {place} in the order of the stage"] if place is not None else []))


def _order(parts: Mapping[str, Mapping[str, str]]) -> dict[int, int]:
    """Give section → its place, from 1 on, on the way of the stage (``tsporder``) over the wafer."""
    listed = parts.get("tsporder", {}).get("tsporder", "").strip("[] ").split(",")
    numbers = [int(one) for one in map(str.strip, listed) if one.isascii() and one.isdecimal() and len(one) < 10]
    return {number: place for place, number in enumerate(numbers, 1)}


def _left_out(file: Path, parts: Iterable[str]) -> list[str]:
    counts = Counter(kind for kind, number in map(_split, parts) if number)
    said = [f"{title} ({counts[kind]})" for kind, title in _LEFT_OUT.items() if counts[kind]]
    return [f"{file}: {', '.join(said)} have no counterpart here and are left out"] if said else []

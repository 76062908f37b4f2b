"""Label images beside the FOVs: ``<masks>/<FOV>_<mask>.tif`` and ``<annotations>/<FOV>_<name>.tif`` + ``.csv``."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

from ..errors import FileFormatError
from .acquisition import ReadOptions, image_files
from .fov import Annotation
from .image import ImagePlane
from .opening import open_image
from .plane import Plane


def masks_and_annotations(
    options: ReadOptions, fovs: set[str], problems: list[str]
) -> tuple[dict[str, dict[str, Plane]], dict[str, dict[str, Annotation]]]:
    """Find the label images of each FOV.

    Parameters
    ----------
    options : ReadOptions
        Says which folders to look into; they need not exist.
    fovs : set of str
        Names of the FOVs.
    problems : list of str
        Files that belong to no FOV are added here.

    Returns
    -------
    masks, annotations : dict
        FOV → name → labels, with an (empty) entry for each FOV asked for.

    Raises
    ------
    FileFormatError
        If two files are the same mask or annotation of a FOV.
    """
    masks = _planes(options.masks, fovs, problems)
    annotations = {
        fov: {name: Annotation(plane, _table_beside(plane.path)) for name, plane in found.items()}
        for fov, found in _planes(options.annotations, fovs, problems).items()
    }
    return masks, defaultdict(dict, annotations)


def _planes(folder: Path, fovs: set[str], problems: list[str]) -> dict[str, dict[str, Plane]]:
    made: dict[str, dict[str, Plane]] = defaultdict(dict)
    for file in image_files(folder):
        fov, name = owner_of(file.stem, fovs)
        if fov and name in made[fov]:
            raise FileFormatError(f"{file}: {name} of FOV {fov} stands twice, first in {made[fov][name].path.name}")
        if fov:
            made[fov][name] = ImagePlane(open_image(file))
        else:
            problems.append(f"{file}: belongs to no FOV (expected <FOV>_<name>.tif); left out")
    return made


def _table_beside(image: Path) -> Path | None:
    table = image.with_suffix(".csv")
    return table if table.is_file() else None


def owner_of(stem: str, names: Iterable[str]) -> tuple[str, str]:
    """Split ``<FOV>_<mask>`` where FOV names may hold underscores themselves.

    Returns
    -------
    tuple of str
        ``(fov, mask)`` for the longest FOV name that fits; ``("", "")`` if none does.
    """
    names = names if isinstance(names, set | frozenset | dict) else set(names)
    parts = stem.split("_")
    for cut in range(len(parts) - 1, 0, -1):
        fov, rest = "_".join(parts[:cut]), "_".join(parts[cut:])
        if fov in names and rest:
            return fov, rest
    return "", ""

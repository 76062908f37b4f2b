"""Which images an OME-Zarr holds: one image, a collection, a plate, a well, or a folder of images."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...errors import FileFormatError, listing
from ..acquisition import StageY
from ..folders import folders_in
from ..opening import image_stem
from .collection import Collection, CollectionImage
from .groups import group_attributes, is_zarr, ome_attributes
from .multiscales import within
from .series import Series, described_series

_LAYOUT = "bioformats2raw.layout"
_SERIES = "OME"
_Z_NUMBER = re.compile(r"z(\d+)", re.IGNORECASE)
_SUFFIX = ".zarr"


@dataclass(frozen=True)
class Listed:
    """One image, as what it lies in lists it.

    Parameters
    ----------
    fov : str
        What the FOV is called.
    folder : Path
        Of the image.
    map_id : str
        The map of the images that it shares coordinates with; empty where it shares them with none.
    stated : CollectionImage or None
        Where a collection says that it lies.
    """

    fov: str
    folder: Path
    map_id: str
    stated: CollectionImage | None = None


@dataclass(frozen=True)
class Listing:
    """The images of an OME-Zarr.

    Parameters
    ----------
    kind : str
        ``"image"``, ``"folder"``, ``"collection"``, ``"plate"`` or ``"well"``.
    images : tuple of Listed
        In order.
    wells : bool
        Whether each map is a well, all of whose images lie on it.
    slices : bool
        Whether each image is a slice, and a map of its own.
    stage_y : "down" or "up"
        Which way stage y grows; rows of OME-Zarr images do so downwards.
    stage_y_stated : bool
        Whether that is known.
    problems : tuple of str
        What is listed and not there, or cannot be read.
    """

    kind: str
    images: tuple[Listed, ...]
    wells: bool = False
    slices: bool = False
    stage_y: StageY = "down"
    stage_y_stated: bool = True
    problems: tuple[str, ...] = ()

    def described(self, name: str) -> str:
        """Say in a line what it is, of the folder's name."""
        if self.kind == "folder":
            return f"{name} holds {len(self.images)} OME-Zarr images, such as {self.images[0].folder.name}"
        return f"{name} is an OME-Zarr {self.kind}" + ("" if self.kind == "image" else f" of {len(self.images)} images")


def list_images(path: Path) -> Listing | None:
    """List the images of an OME-Zarr, or of a folder of them; ``None`` if the path is nothing of the kind.

    Raises
    ------
    FileFormatError
        Naming the group whose metadata are wrong.
    """
    if not path.is_dir():
        return None
    if not is_zarr(path):
        return _of_folder(path)
    attributes = group_attributes(path)
    ome = ome_attributes(attributes)
    try:
        if ome.get("multiscales"):
            return _of_image(path)
        if isinstance(ome.get("plate"), dict):
            return _of_plate(path, ome["plate"])
        if isinstance(ome.get("well"), dict):
            images, problems = _of_well(path, _well_name(path.absolute().parts[-2:]), ome["well"])
            return Listing("well", tuple(_on_acquisitions(images)), wells=True, problems=tuple(problems))
        collection = Collection.read(path)
        if collection is not None or ome.get(_LAYOUT) == 3 or (path / _SERIES).is_dir():
            return _of_collection(path, collection)
    except FileFormatError:
        raise
    except (ValueError, TypeError, AttributeError) as error:
        raise FileFormatError(f"{path}: {error}") from None
    return None


def image_folders(path: Path) -> list[Path]:
    """List the ``*.zarr`` folders in a folder that are Zarr groups, by name; hidden ones are left out."""
    return [one for one in folders_in(path) if one.suffix.lower() == _SUFFIX and is_zarr(one)]


def _stem(path: Path) -> str:
    return image_stem(path.absolute())


def slice_of_name(path: Path) -> str | None:
    """Give the slice that an image's name speaks of, its endings left out; see :func:`slice_number`."""
    return slice_number(image_stem(path))


def slice_number(name: str) -> str | None:
    """Give the slice that a name speaks of, the last number after a ``z``; at least two digits."""
    found = _Z_NUMBER.findall(name)
    return found[-1].zfill(2) if found else None


def _of_image(path: Path) -> Listing:
    alone = Collection.of_image(path)
    if alone is None:
        return Listing("image", (Listed(_stem(path), path, _stem(path)),))
    (image,) = alone.images.values()
    listed = Listed(image.fov, path, image.map_id, image)
    return Listing("image", (listed,), stage_y=alone.stage_y or "down", stage_y_stated=alone.stage_y is not None)


# --- a folder of images --------------------------------------------------------------------------------------
def _of_folder(path: Path) -> Listing | None:
    folders = image_folders(path)
    problems: list[str] = []
    images: list[Path] = []
    for folder in folders:
        try:
            ome = ome_attributes(group_attributes(folder))
        except FileFormatError:  # reading it says what is wrong, by name
            images.append(folder)
            continue
        if ome.get("multiscales"):
            images.append(folder)
        else:
            what = next((what for what in ("plate", "well", _LAYOUT) if what in ome), "")
            problems.append(f"{folder}: it is no image{what and f' (but a {what})'}; left out, open it by itself")
    if not images:
        return None
    stems = Counter(image_stem(folder) for folder in images)
    names = [stem if stems[stem := image_stem(folder)] == 1 else folder.name for folder in images]
    numbers = [slice_of_name(folder) for folder in images]
    slices = None not in numbers and len(set(numbers)) == len(numbers)
    map_ids = [number if slices and number else path.absolute().name for number in numbers]
    listed = (Listed(*one) for one in zip(names, images, map_ids, strict=True))
    return Listing("folder", tuple(listed), slices=slices, problems=tuple(problems))


# --- collections ---------------------------------------------------------------------------------------------
def _of_collection(path: Path, collection: Collection | None) -> Listing:
    stated = {} if collection is None else {within(one): image for one, image in collection.images.items()}
    paths = list(dict.fromkeys([*stated, *_series(path)]))
    there = [one for one in paths if is_zarr(path / one)]
    problems: list[str] = []
    if collection is not None and collection.unfinished:
        problems.append(f"{path}: writing it was not finished: {len(there)} of its {len(paths)} images are there")
    elif len(there) < len(paths):
        lost = listing(one for one in paths if one not in set(there))
        problems.append(f"{path}: images that it lists are not there: {lost}")
    series = [] if collection else described_series(path / _SERIES, len(paths), problems)
    said = dict(zip(paths, series, strict=False))
    images = (_in_collection(path, one, stated.get(one), said.get(one)) for one in there)
    stage_y = collection.stage_y if collection else None
    return Listing(
        "collection",
        tuple(_distinct(images, problems)),
        stage_y=stage_y or "down",
        # OME-XML says where the stage was, but not which way it counts
        stage_y_stated=stage_y is not None if collection else not any(one.center_um for one in series),
        problems=tuple(problems),
    )


def _in_collection(path: Path, one: str, stated: CollectionImage | None, series: Series | None) -> Listed:
    if stated is None and series is not None:
        name = series.name or one.replace("/", " ")
        if series.center_um is None:
            return Listed(name, path / one, _stem(path))
        stated = CollectionImage(fov=name, map_id=_stem(path), center_um=series.center_um)
    if stated is None:
        return Listed(one.replace("/", " "), path / one, _stem(path))
    return Listed(stated.fov, path / one, stated.map_id, stated)


def _series(path: Path) -> list[str]:
    """List the images of a collection: as its group ``OME`` does, or else those that are counted from 0."""
    try:
        series = ome_attributes(group_attributes(path / _SERIES)).get("series")
    except FileNotFoundError:
        series = None
    if series is not None:
        if not isinstance(series, list):
            raise FileFormatError(f"{path / _SERIES}: its series is {series!r}, expected a list of paths")
        return [within(one) for one in series]
    counted = (one.name for one in folders_in(path) if one.name.isdecimal() and one.name.isascii() and is_zarr(one))
    return sorted(counted, key=lambda name: (len(name), name))


# --- plates --------------------------------------------------------------------------------------------------
def _of_plate(path: Path, plate: dict[str, Any]) -> Listing:
    wells = plate.get("wells")
    if not isinstance(wells, list):
        raise FileFormatError(f"{path}: its plate lists no wells")
    images: list[_Field] = []
    lost: list[str] = []
    problems: list[str] = []
    for said in wells:
        well = within(said.get("path") if isinstance(said, dict) else said)
        name = _well_name(Path(well).parts)
        try:
            ome = ome_attributes(group_attributes(path / well))
        except FileNotFoundError:
            lost.append(name)
            continue
        except FileFormatError as error:
            problems.append(f"{error}; well {name} is left out")
            continue
        found, wrong = _of_well(path / well, name, ome.get("well"))
        images += found
        problems += wrong
    if lost:
        problems.append(f"{path}: wells that it lists are not there: {listing(lost)}")
    return Listing("plate", tuple(_distinct(_on_acquisitions(images), problems)), wells=True, problems=tuple(problems))


@dataclass(frozen=True)
class _Field:
    """One field of a well."""

    well: str
    path: str
    folder: Path
    acquisition: str


def _of_well(folder: Path, name: str, well: Any) -> tuple[list[_Field], list[str]]:
    listed = well.get("images") if isinstance(well, dict) else None
    if not isinstance(listed, list):
        return [], [f"{folder}: well {name} lists no images; it is left out"]
    made: list[_Field] = []
    problems: list[str] = []
    for said in listed:
        try:
            path = within(said.get("path"))
        except (ValueError, AttributeError) as error:
            problems.append(f"{folder}: an image of well {name} is left out: {error}")
            continue
        acquisition = said.get("acquisition")
        made.append(_Field(name, path, folder / path, "" if acquisition is None else str(acquisition)))
    there = [one for one in made if is_zarr(one.folder)]
    if len(there) < len(made):
        lost = listing(one.path for one in made if one not in set(there))
        problems.append(f"{folder}: images that well {name} lists are not there: {lost}")
    return there, problems


def _on_acquisitions(fields: Sequence[_Field]) -> Iterable[Listed]:
    """Put the fields of each well on one map, or on one for each acquisition where there are several."""
    several = len({one.acquisition for one in fields}) > 1
    for one in fields:
        map_id = f"{one.well} acquisition {one.acquisition or '-'}" if several else one.well
        yield Listed(f"{one.well} {one.path}", one.folder, map_id)


def _well_name(parts: Sequence[str]) -> str:
    """Name a well by its row and column: ``B03``."""
    return "".join(part.zfill(2) if part.isdecimal() else part for part in parts)


def _distinct(images: Iterable[Listed], problems: list[str]) -> list[Listed]:
    """Leave out images whose names stand twice."""
    made: dict[str, Listed] = {}
    for image in images:
        if image.fov in made:
            problems.append(
                f"{image.folder}: FOV {image.fov} stands twice, first in {made[image.fov].folder}; left out"
            )
        made.setdefault(image.fov, image)
    return list(made.values())

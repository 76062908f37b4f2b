"""One OME-Zarr image as its metadata describe it; its arrays are not opened."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from ...errors import FileFormatError, SlicemapError, listing
from ...files import safe_stem
from ..format_tools import describe
from ..image import ImagePlane
from ..plane import Plane
from .groups import array_metadata, group_attributes, ome_attributes
from .metadata import OWN
from .multiscales import Level, Multiscales, within
from .omero import channel_names, channel_settings
from .zarr_image import ZarrImage

_LARGEST_SIDE = 2**31
_FARTHEST_UM = 1e300


@dataclass(frozen=True)
class OmeZarrImage:
    """What an image says of itself.

    Parameters
    ----------
    image : ZarrImage
        Its pixels, of the finest level that is there.
    channels : tuple of str
        Names of its channels.
    size_px : tuple of int
        ``(width, height)``.
    pixel_size_um : float or None
        Where stated.
    first_px_um : tuple of float or None
        Where the centre of the first px lies, ``(x, y)`` µm, where stated.
    stage_up : bool
        Whether y points up in that: the rows below the first one lie at smaller y.
    masks : mapping of str to Plane
        Its label images of the same size.
    settings : mapping of str to mapping
        Channel → how it is shown; see :func:`~napari_slicemap.images.ome_zarr.omero.channel_settings`.
    """

    image: ZarrImage
    channels: tuple[str, ...]
    size_px: tuple[int, int]
    pixel_size_um: float | None = None
    first_px_um: tuple[float, float] | None = None
    stage_up: bool = False
    masks: Mapping[str, Plane] = field(default_factory=dict)
    settings: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    def elsewhere(self, folder: Path) -> OmeZarrImage:
        """Take an image to be like this one, because its metadata cannot be read; reading its pixels says why."""
        return replace(self, image=ZarrImage(folder), first_px_um=None, masks={}, settings={})


def describe_image(folder: Path, problems: list[str]) -> OmeZarrImage:
    """Read the metadata of an image.

    Parameters
    ----------
    folder : Path
        Of the image.
    problems : list of str
        What is wrong with it, but does not keep it from being read, is added here.

    Raises
    ------
    FileFormatError
        Naming the folder or file, if it is no image, or none of its levels is there.
    """
    try:
        return _described(folder, problems)
    except SlicemapError:
        raise
    except FileNotFoundError:
        raise FileFormatError(f"{folder}: there is no OME-Zarr image") from None
    except (ValueError, OSError, TypeError, AttributeError) as error:
        raise FileFormatError(f"{folder}: {error}") from None


def _described(folder: Path, problems: list[str]) -> OmeZarrImage:
    attributes = group_attributes(folder)
    multiscales = Multiscales.read(attributes)
    if multiscales is None:
        raise FileFormatError(f"{folder}: it is a group without an image (no multiscales)")
    level, shape = _finest(folder, multiscales, problems)
    axes = multiscales.axes(shape)
    info = describe(axes, shape, np.dtype(np.uint8), (0, 0), channel_names(attributes))
    size = (info.shape[4], info.shape[3])
    first = level == multiscales.levels[0]
    own = found if first and isinstance(found := attributes.get(OWN), dict) else {}
    stated = own.get("position_um")
    return OmeZarrImage(
        image=ZarrImage(folder, level="" if first else level.path),
        channels=info.channel_names,
        size_px=size,
        pixel_size_um=multiscales.pixel_size_um(level),
        first_px_um=multiscales.first_px_um(level) if stated is None else _pair(stated),
        stage_up=stated is not None and own.get("stage_y") == "up",
        masks=_masks(folder, size, problems),
        settings=channel_settings(attributes, info.channel_names, problems, str(folder)),
    )


def _finest(folder: Path, multiscales: Multiscales, problems: list[str]) -> tuple[Level, tuple[int, ...]]:
    """Choose the finest level that is there; that it is not the first is told."""
    for level in multiscales.levels:
        shape = _shape(folder / level.path)
        if shape is None:
            continue
        if level != multiscales.levels[0]:
            size = multiscales.pixel_size_um(level)
            problems.append(
                f"{folder}: its full resolution, the array {multiscales.levels[0].path!r}, is missing; level "
                f"{level.path!r} is read instead, of " + ("unknown pixel size" if size is None else f"{size:g} µm/px")
            )
        return level, shape
    missing = listing(repr(level.path) for level in multiscales.levels)
    raise FileFormatError(f"{folder}: none of the arrays of its levels is there ({missing})")


def _shape(folder: Path) -> tuple[int, ...] | None:
    """Give the shape of an array; ``None`` if there is none."""
    said = array_metadata(folder)
    if said is None:
        return None
    shape = said.get("shape")
    if not isinstance(shape, list) or not all(type(n) is int and 0 < n <= _LARGEST_SIDE for n in shape):
        raise FileFormatError(f"{folder}: its shape is {shape!r}, expected whole numbers above 0")
    return tuple(shape)


def _pair(stated: object) -> tuple[float, float]:
    if isinstance(stated, list) and len(stated) == 2 and all(type(one) in (int, float) for one in stated):
        x, y = stated
        if max(abs(x), abs(y)) < _FARTHEST_UM:
            return float(x), float(y)
    raise ValueError(f"its position_um is {stated!s:.80}, expected two numbers")


# --- label images --------------------------------------------------------------------------------------------
def _masks(folder: Path, size_px: tuple[int, int], problems: list[str]) -> dict[str, Plane]:
    """Find the label images of an image, each of the level that has its size; those that cannot be had are told."""
    made: dict[str, Plane] = {}
    labels = folder / "labels"
    try:
        listed = ome_attributes(group_attributes(labels)).get("labels") or []
    except FileNotFoundError:
        return made
    except FileFormatError as error:
        problems.append(f"{error}; the label images of {folder.name} are left out")
        return made
    if not isinstance(listed, list):
        problems.append(f"{labels}: its list of labels is {listed!r}, expected names; they are left out")
        return made
    for path in listed:
        try:
            name, planes = _mask(labels, within(path), size_px)
        except (OSError, ValueError, TypeError, AttributeError) as error:
            said = "it is not there" if isinstance(error, FileNotFoundError) else error
            problems.append(f"{labels}: label image {path!r} is left out: {said}")
            continue
        for number, plane in enumerate(planes):
            made[name if len(planes) == 1 else f"{name} C{number}"] = plane
    return made


def _mask(labels: Path, path: str, size_px: tuple[int, int]) -> tuple[str, list[Plane]]:
    """Give the name and the channels, usually one, of a label image."""
    attributes = group_attributes(labels / path)
    multiscales = Multiscales.read(attributes)
    if multiscales is None:
        raise ValueError("it has no multiscales")
    sizes: list[str] = []
    for level in multiscales.levels:
        shape = _shape(labels / path / level.path)
        if shape is None:
            continue
        full = describe(multiscales.axes(shape), shape, np.dtype(np.uint8), (0, 0)).shape
        if (full[4], full[3]) == size_px:
            image = ZarrImage(labels / path, level="" if level == multiscales.levels[0] else level.path)
            return _mask_name(multiscales.name, path), [ImagePlane(image, n, full[1]) for n in range(full[1])]
        sizes.append(f"{full[4]} × {full[3]}")
    raise ValueError(f"the image is {size_px[0]} × {size_px[1]} px, its levels are {listing(sizes)}")


def _mask_name(name: str, path: str) -> str:
    """Take the name that a path was made of, where it states that; otherwise the path."""
    return name if name and re.fullmatch(f"(mask)?{re.escape(safe_stem(name))}(_[0-9]+)?", path) else path

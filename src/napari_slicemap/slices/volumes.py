"""The image of each slice, ``(Z, Y, X)``: mosaics as OME-Zarr, or a folder of section images."""

from __future__ import annotations

import os
import re
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import DatasetNotFoundError, FileFormatError, TileReadError, listing
from ..images.acquisition import IMAGE_SUFFIXES
from ..images.ome_zarr.listing import slice_number, slice_of_name
from ..images.ome_zarr.zarr_image import ZarrImage
from ..images.opening import open_image
from ..images.volume import read_planes
from .ids import own_ids
from .slice_values import id_key, number_of

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from ..images.image import ImageFile
    from ..images.region import Window

_NUMBER = re.compile(r"\d+")
_LARGEST_SIDE = 2**20
_LARGEST_SIZE = 2**44
"""Pixels in all; a file that states more is not what it says."""


@dataclass(frozen=True)
class SliceVolume:
    """The pixels of one slice, read when they are asked for.

    Parameters
    ----------
    slice_id : str
        The slice, its number as in the file's name, of at least two digits.
    path : Path
        The OME-Zarr image, or the TIFF file.
    """

    slice_id: str
    path: Path

    @property
    def image(self) -> ImageFile:
        """The file."""
        zarr = self.path.suffix.lower() == ".zarr"
        return ZarrImage(self.path, third="Z") if zarr else open_image(self.path)

    @property
    def shape(self) -> tuple[int, int, int]:
        """``(Z, Y, X)``.

        Raises
        ------
        TileReadError
            Naming the file, if it cannot be read, holds several channels or time points, or states a size that no
            slice can have.
        """
        return self._one_volume(self.image)

    def _one_volume(self, image: ImageFile) -> tuple[int, int, int]:
        times, channels, depth, height, width = image.info.shape
        if times * channels != 1:
            raise TileReadError(
                f"{self.path}: its (T, C, Z, Y, X) is {image.info.shape}, expected one time point and one channel"
            )
        if max(depth, height, width) > _LARGEST_SIDE or depth * height * width > _LARGEST_SIZE:
            raise TileReadError(
                f"{self.path}: it states {depth} planes of {width} × {height} px, more than any slice can have"
            )
        return depth, height, width

    @property
    def dtype(self) -> np.dtype[Any]:
        """Of the pixels."""
        return self.image.info.dtype

    @property
    def pixel_size_um(self) -> float | None:
        """Pixel size in y and x, µm, if the file states it."""
        return self.image.info.pixel_size_um

    @property
    def z_step_um(self) -> float | None:
        """From plane to plane, µm, if the file states it."""
        return self.image.info.z_step_um

    def planes(self, z: Sequence[int], window: Window | None = None) -> NDArray[Any]:
        """Read some planes, ``(len(z), H, W)`` of the file's dtype; each stored chunk is decoded once.

        Raises
        ------
        TileReadError
            Naming the file, if it cannot be read, has no such plane, or holds several channels or time points.
        """
        image = self.image
        self._one_volume(image)
        return read_planes(image, z, window)

    def read(self) -> NDArray[Any]:
        """Read all of it, ``(Z, Y, X)`` of the file's dtype."""
        return self.planes(range(self.shape[0]))


SliceVolumes = OrderedDict[str, SliceVolume]


def find_volumes(source: str | os.PathLike[str]) -> SliceVolumes:
    """Find the image of each slice in a folder.

    Parameters
    ----------
    source : path-like
        A folder of mosaics, ``*z<NN>*.ome.zarr``, where the last number after a ``z`` is the slice; or, where it
        holds none, of section images, ``*.tif``, whose last number after a ``z``, or else last number, is the slice.

    Returns
    -------
    OrderedDict of str to SliceVolume
        By slice id, in order.

    Raises
    ------
    DatasetNotFoundError
        If there is no such folder, it holds neither, or a link in it leads nowhere.
    FileFormatError
        If two files are of one slice; both are named.
    """
    folder = Path(source)
    if not folder.is_dir():
        what = "it is a file, expected a folder" if folder.exists() else "there is no such folder"
        raise DatasetNotFoundError(f"{folder}: {what}")
    names = [path for path in sorted(folder.iterdir()) if not path.name.startswith(".")]
    images = {".zarr", *IMAGE_SUFFIXES}
    if lost := [path for path in names if path.suffix.lower() in images and not path.exists()]:
        raise DatasetNotFoundError(f"{lost[0]}: what it links to, {lost[0].readlink()}, is not there")
    mosaics = [path for path in names if path.suffix.lower() == ".zarr" and path.is_dir()]
    files = [path for path in names if path.suffix.lower() in IMAGE_SUFFIXES and path.is_file()]
    found = _by_id(mosaics, slice_of_name) or _by_id(files, _section_id)
    if not found:
        raise DatasetNotFoundError(
            f"{folder}: it holds neither mosaics (*z<NN>*.ome.zarr) nor numbered section images (*.tif); "
            f"there is {listing(path.name for path in names)}"
        )
    return OrderedDict((one, SliceVolume(one, found[one])) for one in sorted(found, key=id_key))


def of_slices(volumes: Mapping[str, SliceVolume], slice_ids: Iterable[str]) -> SliceVolumes:
    """Choose volumes by id, matched by number: "3" is "03".

    Raises
    ------
    UnknownNameError
        If a slice has none.
    """
    return OrderedDict((one, volumes[one]) for one in own_ids(volumes, slice_ids, "mosaics"))


def _section_id(path: Path) -> str | None:
    stem = path.stem.removesuffix(".ome")
    numbers = _NUMBER.findall(stem)
    return slice_number(stem) or (numbers[-1].zfill(2) if numbers else None)


def _by_id(paths: Iterable[Path], id_of: Callable[[Path], str | None]) -> dict[str, Path]:
    found: dict[str, Path] = {}
    numbers: dict[str, Path] = {}
    for path in paths:
        slice_id = id_of(path)
        if slice_id is None:
            continue
        if (before := numbers.setdefault(number_of(slice_id), path)) is not path:
            raise FileFormatError(f"{path}: it is of slice {slice_id}, as {before.name} is; keep one of them")
        found[slice_id] = path
    return found

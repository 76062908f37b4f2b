"""Which of the formats an image file is of, by its name."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import FileFormatError

if TYPE_CHECKING:
    from .image import ImageFile


def open_image(path: Path, series: int = 0, page: int | None = None) -> ImageFile:
    """Choose how a file is read by its name; it is not opened yet.

    Parameters
    ----------
    path : Path
        A TIFF file, a picture (PNG, JPEG, BMP), a ``.npy`` file, a Zarr array or OME-Zarr image (a folder), or a
        dataset in an HDF5 file (``tiles.h5/entry/data``; the name may be left out where the file holds one image only).
    series, page : int
        Of a TIFF file.

    Returns
    -------
    ImageFile
        What is of no known kind is taken for a TIFF file; reading it says that it is none.

    Raises
    ------
    FileFormatError
        If a series or page is stated for a file that is no TIFF.
    """
    other = None if path.suffix.lower() in _TIFF_ENDINGS else _other_image(path)
    if other is None:
        from .tiff.tiff_image import TiffImage

        return TiffImage(path, series, page)
    if series or page is not None:
        raise FileFormatError(f"{path}: series and page are of TIFF files, and this is none")
    return other


_TIFF_ENDINGS = (".tif", ".tiff")
PICTURE_ENDINGS = (".png", ".jpg", ".jpeg", ".bmp")
"""Of files that hold a plain picture."""
PLAIN_ENDINGS = (*_TIFF_ENDINGS, *PICTURE_ENDINGS)
"""Of the files that are images by themselves, as they lie in plain folders."""
_HDF5_ENDINGS = (".h5", ".hdf5", ".hdf")
_NO_NAME = re.compile(r"[\x00-\x1f\x7f/\\]+")


def _other_image(path: Path) -> ImageFile | None:
    """Give the image if its name is of no TIFF file."""
    if path.suffix.lower() == ".npy":
        from .npy import NpyImage

        return NpyImage(path)
    if path.suffix.lower() in PICTURE_ENDINGS:
        from .picture import PictureImage

        return PictureImage(path)
    if within := split_at(path, _HDF5_ENDINGS):
        from .hdf5 import Hdf5Image

        return Hdf5Image(within[0], "/".join(within[1].parts))
    # not pathlib's: a table may state a name that no file can have
    if split_at(path, (".zarr",)) or os.path.isdir(path):  # noqa: PTH112
        from .ome_zarr.zarr_image import ZarrImage

        return ZarrImage(path)
    return None


def split_at(path: Path, endings: tuple[str, ...]) -> tuple[Path, Path] | None:
    """Split a path after its last part with such an ending: the file (or folder), and the rest within it."""
    for place in range(len(path.parts), 0, -1):
        if path.parts[place - 1].lower().endswith(endings):
            return Path(*path.parts[:place]), Path(*path.parts[place:])
    return None


def plain_name(stated: str) -> str:
    """Make a name that files can have, too, of one that an image states: without slashes and control characters."""
    return _NO_NAME.sub("_", stated.strip()).strip()


def image_stem(path: Path) -> str:
    """Name an image by its path: without the endings, and with the place within its file, if one is stated."""
    within = None if path.suffix.lower() in _TIFF_ENDINGS else split_at(path, (*_HDF5_ENDINGS, ".zarr"))
    if within is None:
        return path.stem
    file, rest = within
    stem = file.stem[: -len(".ome")] if file.stem.lower().endswith(".ome") else file.stem
    return "_".join([stem, *rest.parts])

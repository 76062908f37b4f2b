"""Images of tissue that synthetic tiles are made of, read from files."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ...errors import DatasetNotFoundError, StackError, TileReadError, listing
from ...images.acquisition import IMAGE_SUFFIXES
from ...images.opening import open_image
from ...images.volume import read_planes
from .detect import MIN_INTENSITY

if TYPE_CHECKING:
    from numpy.typing import NDArray

LEAST_SIDE = 64
"""Length, px, that an image needs both ways: a tile would be little more than one px of it, magnified."""
_LARGEST_SIDE = 512  # a larger image is cut, so that it counts by its area and a tile is made of a small part
_PICTURE_SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp")
_SUFFIXES = (*IMAGE_SUFFIXES, ".npy", *_PICTURE_SUFFIXES)
_LUMINANCE = (0.2126, 0.7152, 0.0722)  # of red, green and blue: ITU-R BT.709


@dataclass(frozen=True)
class Textures:
    """What was read.

    Parameters
    ----------
    names : tuple of str
        Of the files that are used.
    pixels : tuple of ndarray, (Y, X)
        Of them; a large image is in several pieces.
    left_out : tuple of str
        The files that are not used, each with the reason.
    """

    names: tuple[str, ...]
    pixels: tuple[NDArray[Any], ...]
    left_out: tuple[str, ...]


def read_textures(paths: Sequence[str | os.PathLike[str]]) -> Textures:
    """Read images of tissue.

    Parameters
    ----------
    paths : sequence of path-like
        Image files, and folders of them (TIFF, PNG, JPEG, BMP or NPY). Of RGB the luminance is taken, of other channels
        the first, of several planes the middle one, of several time points the first.

    Returns
    -------
    Textures
        Left out is what cannot be read, is too small, has negative px or such that are not finite, is the same
        throughout, or so dark that each tile would count as background.

    Raises
    ------
    DatasetNotFoundError
        If there is no such file, or no image in a folder.
    StackError
        If no image can be used; each is named.
    """
    names, pixels, left_out = [], [], []
    for path in _files(paths):
        try:
            image = _plane(path)
            _check(image)
        except (TileReadError, StackError) as error:
            said = str(error).removeprefix(f"{path}: ")
            left_out.append(f"{path.name}: {said}")
            continue
        names.append(path.name)
        pixels += _pieces(image)
    if not pixels:
        raise StackError(f"no image can be used as texture: {listing(left_out)}")
    return Textures(tuple(names), tuple(pixels), tuple(left_out))


def _files(paths: Sequence[str | os.PathLike[str]]) -> Iterator[Path]:
    for given in map(Path, paths):
        if not given.exists():
            raise DatasetNotFoundError(f"{given}: there is no such file or folder")
        if not given.is_dir() or given.suffix.lower() == ".zarr":
            yield given
            continue
        found = [one for one in sorted(given.iterdir()) if one.suffix.lower() in _SUFFIXES and one.is_file()]
        if not found:
            raise DatasetNotFoundError(f"{given}: it holds no image ({', '.join(_SUFFIXES)})")
        yield from found


def _plane(path: Path) -> NDArray[Any]:
    if path.suffix.lower() in _PICTURE_SUFFIXES:
        return _picture(path)
    image = open_image(path)
    _, _, depth, _, _ = image.info.shape
    colours = image.info.channel_names == ("R", "G", "B")
    read = [read_planes(image, [depth // 2], channel=one)[0] for one in range(3 if colours else 1)]
    return _luminance(np.stack(read, axis=-1)) if colours else read[0]


def _picture(path: Path) -> NDArray[Any]:
    from PIL import Image

    try:
        with Image.open(path) as picture:
            # what has a palette or an alpha channel becomes red, green and blue; 16 and 32 bits stay as they are
            grey = picture.mode in ("L", "I", "F") or picture.mode.startswith("I;16")
            pixels = np.asarray(picture if grey else picture.convert("RGB"))
    except (OSError, SyntaxError, Image.DecompressionBombError) as error:
        raise TileReadError(f"{path}: {error}") from error
    return pixels if pixels.ndim == 2 else _luminance(pixels)


def _luminance(rgb: NDArray[Any]) -> NDArray[np.float32]:
    return rgb.astype(np.float32) @ np.array(_LUMINANCE, np.float32)


def _check(image: NDArray[Any]) -> None:
    height, width = image.shape
    if min(height, width) < LEAST_SIDE:
        raise StackError(f"it has {width} × {height} px, expected at least {LEAST_SIDE} each way")
    if image.dtype.kind not in "uif":
        raise StackError(f"its px are {image.dtype}, expected real numbers")
    low, high = image.min(), image.max()
    if not np.isfinite(low + 0.0) or not np.isfinite(high + 0.0):
        raise StackError("it has px that are not finite")
    if low < 0:
        raise StackError(f"it has negative px, down to {low:g}")
    if low == high:
        raise StackError(f"each px is {low:g}")
    if np.percentile(image, 99) < MIN_INTENSITY:
        raise StackError(f"nearly all of it is below {MIN_INTENSITY:g}, so each tile would be background")


def _pieces(image: NDArray[Any]) -> list[NDArray[Any]]:
    """Cut an image into equal pieces of at most the largest side; those that are the same throughout are dropped."""
    rows, columns = (-(-size // _LARGEST_SIDE) for size in image.shape)
    made = [piece for band in np.array_split(image, rows) for piece in np.array_split(band, columns, axis=1)]
    return [np.ascontiguousarray(piece) for piece in made if piece.min() < piece.max()]

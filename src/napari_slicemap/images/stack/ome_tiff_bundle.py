"""Stacks as OME-TIFF: the frames, their size and times, and by name what was done to them.

The file holds the frames alone. Processed layers are kept by name only, and masks not at all: NPZ and HDF5 bundles keep
both.
"""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ...errors import FileFormatError, StackError, TileReadError
from ...files import atomic_path, to_json
from ..format_tools import named
from ..image import ImagePlane
from ..plane import read_window
from ..region import Window
from ..source import ImageSource
from ..tiff.ome_tiff import LAYERS_TAG, PROVENANCE_TAG, write_ome_tiff
from ..tiff.ome_xml import OmePixels, read_ome_xml
from ..tiff.tiff_image import TiffImage
from .bundle import Written, as_path, bundle_path, existing, parsed, refuse_bomb
from .image_stack import LAYER_NAMES, ImageStack

if TYPE_CHECKING:
    from numpy.typing import NDArray

_SUFFIX = ".ome.tif"
_SUFFIXES = (".ome.tif", ".ome.tiff", ".tif", ".tiff")
_KIND = "an OME-TIFF stack"


def save_ome_tiff_stack(
    path: str | Path, stack: ImageStack, raw: bool = False, *, dtype: Written = "float32", compression: str = "deflate"
) -> Path:
    """Write the frames of a stack as OME-TIFF, axes TCZYX; the same stack makes the same bytes.

    Parameters
    ----------
    path : str or Path
        ``<stem>.ome.tif``; the suffix is added, or takes the place of ``.tif``, ``.tiff`` and ``.ome.tiff``.
        Dots in the stem are kept, and parent folders are made.
    stack : ImageStack
        What to write: its data, pixel size, channel and times; its provenance and the names of its processed
        layers, as JSON in the private tags 65000 and 65001.
    raw : bool
        Write it as it was before anything was done to it.
    dtype : str
        ``"float32"``, or ``"source"`` to keep the type of the data as far as OME-TIFF has it; see
        :func:`~napari_slicemap.images.tiff.ome_tiff.write_ome_tiff`.
    compression : str
        ``deflate``, ``zstd`` (smaller and faster, but not read everywhere), ``lzw`` or ``none``.

    Returns
    -------
    Path
        The file, which appears when it is whole.

    Raises
    ------
    TypeError
        If `path` is neither text nor a path.
    StackError
        If the raw frames are asked for and were not kept, `dtype` is unknown, a number is too large for it, or the
        provenance cannot be written as JSON.
    PlanError
        If OME-TIFF has no such pixels.
    UnknownNameError
        If there is no such compression.
    """
    target = bundle_path(_without_suffix(as_path(path)), _SUFFIX)
    if dtype not in ("float32", "source"):
        raise StackError(f"{stack}: dtype is {dtype!r}, expected 'float32' or 'source'")
    names = stack.layer_names
    if raw:
        stack, names = stack.raw(), []
    source = replace(_source(stack, np.dtype(np.float32) if dtype == "float32" else None), provenance=stack.provenance)
    target.parent.mkdir(parents=True, exist_ok=True)
    with atomic_path(target) as temporary:
        try:
            write_ome_tiff(
                temporary,
                source,
                compression=compression,
                pyramid=False,
                extratags=[(LAYERS_TAG, to_json(names, indent=None).encode())],
            )
        except (TypeError, UnicodeEncodeError) as error:
            raise StackError(f"{stack}: its provenance cannot be written as JSON: {error}") from None
    return target


def load_ome_tiff_stack(path: str | Path) -> ImageStack:
    """Read a stack from an OME-TIFF of one channel and one plane of z, whoever wrote it.

    Parameters
    ----------
    path : str or Path
        The file.

    Returns
    -------
    ImageStack
        ``timestamp`` in the metadata of a frame is its time, s; where the file states none for a frame, that is left
        out. What the tag 65000 says is its provenance. There are no processed layers and no masks; the names of
        layers in the tag 65001 are listed as ``processed_layers`` in its state backups.

    Raises
    ------
    TypeError
        If `path` is neither text nor a path.
    DatasetNotFoundError
        If there is no such file.
    FileFormatError
        Naming the file, if it is cut short or no OME-TIFF, has other axes, or states no pixel size.
    """
    found = existing(path)
    try:
        return _loaded(found)
    except (TileReadError, StackError) as error:
        message = str(error)
        raise FileFormatError(message if str(found) in message else f"{found}: {message}") from error


def _loaded(path: Path) -> ImageStack:
    image = TiffImage(path)
    frames, channels, depth, height, width = image.info.shape
    if channels != 1 or depth != 1:
        raise FileFormatError(
            f"{path}: its axes are {image.info.axes} with {channels} channels and {depth} planes of z,"
            " expected TYX: one channel and one plane"
        )
    stated, tags = _stated(path)
    if stated.pixel_size_nm is None:
        raise FileFormatError(f"{path}: its OME-XML states no PhysicalSizeX and PhysicalSizeY with a unit of length")
    if len(stated.times_s) != frames:
        raise FileFormatError(f"{path}: its OME-XML has {len(stated.times_s)} time points for {frames} frames")
    refuse_bomb(path, math.prod(image.info.shape) * image.info.dtype.itemsize)
    data = np.empty((frames, height, width), image.info.dtype)
    for t in range(frames):
        data[t] = read_window(ImagePlane(image, 0), t, 0, Window(0, width, 0, height))
    provenance, names = _tagged(path, tags, PROVENANCE_TAG, {}), _tagged(path, tags, LAYERS_TAG, [])
    return ImageStack(
        data,
        stated.pixel_size_nm,
        stated.channels[0] if stated.channels else "",
        [{"timestamp": time} if math.isfinite(time) else {} for time in stated.times_s],
        state_backups={LAYER_NAMES: names} if names else {},
        provenance=provenance,
        file_path=path,
    )


def _stated(path: Path) -> tuple[OmePixels, dict[int, Any]]:
    """Read the OME-XML, and the private tags that are there."""
    import tifffile

    with named(path, _KIND), tifffile.TiffFile(path) as tif:
        images, text = len(tif.series), tif.ome_metadata
        tags = {code: tif.pages[0].tags.valueof(code) for code in (PROVENANCE_TAG, LAYERS_TAG)}
    if text is None:
        raise FileFormatError(f"{path}: it has no OME-XML; expected an OME-TIFF")
    if images > 1:
        raise FileFormatError(f"{path}: it holds {images} images, expected one")
    with named(path, _KIND):
        return read_ome_xml(text), {code: value for code, value in tags.items() if value is not None}


def _tagged(path: Path, tags: dict[int, Any], code: int, empty: Any) -> Any:
    """Read the JSON of a private tag: an object, or a list of texts, as `empty` is."""
    if code not in tags:
        return empty
    value = tags[code]
    if not isinstance(value, str | bytes):
        raise FileFormatError(f"{path}: tag {code} is {type(value).__name__}, expected JSON")
    made = parsed(path, f"tag {code}", value)
    if type(made) is not type(empty) or (isinstance(made, list) and not all(isinstance(one, str) for one in made)):
        wanted = "a list of texts" if isinstance(empty, list) else "an object"
        raise FileFormatError(f"{path}: tag {code} is not {wanted}")
    return made


def _source(stack: ImageStack, dtype: np.dtype[Any] | None) -> ImageSource:
    """Give its frames as an image; one with a number too large for `dtype` is refused."""
    made = stack.source(dtype)

    def read(t: int, c: int, z: int, top: int, bottom: int) -> NDArray[Any]:
        try:
            with np.errstate(over="raise"):
                return made.read(t, c, z, top, bottom)
        except FloatingPointError:
            raise StackError(
                f"{stack}: frame {t}: a number is too large for {made.dtype}; dtype='source' keeps it"
            ) from None

    return replace(made, read=read)


def _without_suffix(path: Path) -> Path:
    for suffix in _SUFFIXES:
        if path.name.lower().endswith(suffix) and len(path.name) > len(suffix):
            return path.with_name(path.name[: -len(suffix)])
    return path

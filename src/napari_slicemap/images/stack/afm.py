"""Files of other AFM instruments, through the optional package AFMReader."""

from __future__ import annotations

import struct
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ...errors import FileFormatError, UnknownNameError
from .bundle import existing, reading
from .image_stack import ImageStack

if TYPE_CHECKING:
    from numpy.typing import NDArray


class _Loader(NamedTuple):
    """Where AFMReader reads a format, and the channel that is read where none is named."""

    module: str
    channel: str | None  # None where the format has no channels


_LOADERS = {
    ".asd": _Loader("asd", "TP"),
    ".gwy": _Loader("gwy", ""),
    ".ibw": _Loader("ibw", ""),
    ".jpk": _Loader("jpk", "height_trace"),
    ".jpk-qi-image": _Loader("jpk", "height_trace"),
    ".spm": _Loader("spm", "Height"),
    ".stp": _Loader("stp", None),
    ".top": _Loader("top", None),
    ".topostats": _Loader("topostats", "image"),
}
_ONLY = "height"
"""What the images of formats without channels are called."""
SUFFIXES = tuple(_LOADERS)
"""Of the files that can be read so."""

_FAULTS = (ValueError, KeyError, IndexError, TypeError, NotImplementedError, OSError, struct.error)
"""What AFMReader raises about a file or a channel; its messages list the channels."""


def read_afm(path: str | Path, channel: str = "") -> ImageStack:
    """Read one channel of an AFM file through AFMReader; heights are in nm.

    A file of a single image is a stack of one frame whose time is unknown.

    Parameters
    ----------
    path : str or Path
        The file.
    channel : str
        As AFMReader names it; by default the topography where the format has one name for it.

    Returns
    -------
    ImageStack
        ``(T, H, W)`` in the type that AFMReader gives.

    Raises
    ------
    DatasetNotFoundError
        If there is no such file.
    UnknownNameError
        If a format without channels is asked for one.
    FileFormatError
        Naming the file, if AFMReader is not installed, cannot read it, or finds no such channel.
    """
    path = existing(path)
    suffix = path.suffix.lower()
    if suffix not in _LOADERS:
        raise FileFormatError(f"{path}: {suffix or 'no suffix'} is none of {', '.join(SUFFIXES)}")
    loader = _LOADERS[suffix]
    try:
        module = import_module(f"AFMReader.{loader.module}")
    except ModuleNotFoundError as error:
        raise FileFormatError(
            f'{path}: {suffix} files are read by AFMReader: pip install "napari-slicemap[afm]" ({error})'
        ) from None
    if loader.channel is None and channel not in ("", _ONLY):
        raise UnknownNameError("channel", channel, [_ONLY], str(path))
    wanted = channel or (_ONLY if loader.channel is None else loader.channel)
    with reading(path, f"a {suffix} file", *_FAULTS):
        data, pixel_size_nm, frame_s = _load(module, loader, path, wanted)
        frames = data if data.ndim == 3 else data[None]
        metadata = [
            {
                "timestamp": None if frame_s is None else index * frame_s,
                "frame_pixel_size_nm": float(pixel_size_nm),
                "frame_duration_s": frame_s,
            }
            for index in range(len(frames))
        ]
        provenance = {"acquisition": {"format": suffix.removeprefix(".")}}
        return ImageStack(frames, float(pixel_size_nm), wanted, metadata, provenance=provenance, file_path=path)


def _load(module: Any, loader: _Loader, path: Path, channel: str) -> tuple[NDArray[Any], float, float | None]:
    """Give frames, pixel size in nm, and the time from frame to frame in s where the format states it."""
    load = getattr(module, f"load_{loader.module}")
    if loader.module == "asd":
        data, pixel_size_nm, header = load(path, channel)
        return data, pixel_size_nm, float(header["frame_time"]) / 1000
    if loader.module == "topostats":
        found = load(path)
        return np.asarray(found[channel]), float(found["pixel_to_nm_scaling"]), None
    data, pixel_size_nm = load(path) if loader.channel is None else load(path, channel)
    return np.asarray(data), pixel_size_nm, None

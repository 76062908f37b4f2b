"""Reading a stack from whatever file holds one."""

from __future__ import annotations

from pathlib import Path

from ...errors import FileFormatError, UnknownNameError
from . import afm
from .bundle import existing
from .hdf5_bundle import load_h5_bundle
from .image_stack import ImageStack
from .jpk import SUFFIX as _JPK
from .jpk import read_h5_jpk
from .npz_bundle import load_npz_bundle

_NPZ = (".npz",)
_HDF5 = (".h5", ".hdf5")
_TIFF = (".tif", ".tiff")


def read_stack(path: str | Path, channel: str = "") -> ImageStack:
    """Read a stack from a bundle, an OME-TIFF or the file of an AFM, by its suffix.

    Parameters
    ----------
    path : str or Path
        The file.
    channel : str
        Which channel; by default the file's only one, or its topography.

    Raises
    ------
    TypeError
        If `path` is neither text nor a path.
    DatasetNotFoundError
        If there is no such file.
    UnknownNameError
        If there is no such channel.
    FileFormatError
        If no reader knows the suffix (the message lists those that are known), or the file is not what it says.
    """
    path = existing(path)
    suffix = path.suffix.lower()
    if suffix == _JPK:
        return read_h5_jpk(path, channel)
    if suffix in (*afm.SUFFIXES, *afm.NOT_READ):
        return afm.read_afm(path, channel)
    stack = _one_channel(path, suffix)
    if channel not in ("", stack.channel):
        raise UnknownNameError("channel", channel, [stack.channel], str(path))
    return stack


def _one_channel(path: Path, suffix: str) -> ImageStack:
    """Read a file that holds the one channel it was written from."""
    if suffix in _NPZ:
        return load_npz_bundle(path)
    if suffix in _HDF5:
        return load_h5_bundle(path)
    if suffix in _TIFF:
        from .ome_tiff_bundle import load_ome_tiff_stack

        return load_ome_tiff_stack(path)
    known = ", ".join((*_NPZ, *_HDF5, ".ome.tif", _JPK, *afm.SUFFIXES))
    raise FileFormatError(f"{path}: {suffix or 'no suffix'} is not known for a stack, only {known}")

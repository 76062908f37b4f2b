"""Files of AFM instruments, a module for each format; that of ``.h5-jpk`` videos stands beside this room."""

from __future__ import annotations

import struct
from collections.abc import Callable
from pathlib import Path

from ....errors import FileFormatError
from ..bundle import existing, reading
from ..image_stack import ImageStack
from .asd import open_asd
from .gwy import open_gwy
from .ibw import open_ibw
from .jpk_tiff import open_jpk
from .scan import Scan
from .topostats import open_topostats
from .wsxm import open_wsxm

_OPEN: dict[str, Callable[[Path], Scan]] = {
    ".asd": open_asd,
    ".gwy": open_gwy,
    ".ibw": open_ibw,
    ".jpk": open_jpk,
    ".jpk-qi-image": open_jpk,
    ".stp": open_wsxm,
    ".top": open_wsxm,
    ".topostats": open_topostats,
}
SUFFIXES = tuple(_OPEN)
"""Of the files that can be read so."""
NOT_READ = (".spm",)
"""Of files of AFMs that cannot; their makers' software exports them."""
FAULTS = (ValueError, LookupError, TypeError, AttributeError, ArithmeticError, RuntimeError, OSError, struct.error)
"""What libraries raise about broken files."""


def open_scan(path: str | Path) -> Scan:
    """Read what an AFM file says of itself; frames are read when they are asked for.

    Parameters
    ----------
    path : str or Path
        The file.

    Raises
    ------
    DatasetNotFoundError
        If there is no such file.
    FileFormatError
        Naming the file, if its suffix is none of :data:`SUFFIXES`, or it is not what that says.
    """
    path = existing(path)
    suffix = path.suffix.lower()
    if suffix in NOT_READ:
        raise FileFormatError(f"{path}: {suffix} files are not read; export it as TIFF from the software that wrote it")
    if suffix not in _OPEN:
        raise FileFormatError(f"{path}: {suffix or 'no suffix'} is none of {', '.join(SUFFIXES)}")
    with reading(path, f"a {suffix} file", *FAULTS):
        return _OPEN[suffix](path)


def read_afm(path: str | Path, channel: str = "") -> ImageStack:
    """Read one channel of an AFM file; heights are in nm.

    A file of a single image is a stack of one frame whose time is unknown.

    Parameters
    ----------
    path : str or Path
        The file.
    channel : str
        As the file names it; by default the topography.

    Returns
    -------
    ImageStack
        float64 ``(T, H, W)``.

    Raises
    ------
    DatasetNotFoundError
        If there is no such file.
    UnknownNameError
        If it has no such channel.
    FileFormatError
        Naming the file, if its suffix is none of :data:`SUFFIXES`, or it is not what that says.
    """
    scan = open_scan(path)
    found = scan.channel(channel)
    with reading(scan.path, f"a {scan.path.suffix.lower()} file", *FAULTS):
        return scan.stack(found)

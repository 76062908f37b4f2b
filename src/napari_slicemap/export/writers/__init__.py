"""One writer a format: built-ins first, then those that other packages register.

A package adds a format by an entry point in the group ``napari_slicemap.writers`` that names a class with the
members of :class:`Writer`.
"""

from __future__ import annotations

from functools import cache
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any, ClassVar, Protocol

from ...errors import UnknownNameError
from ...files import FileModel
from ..figure import Figure


class Writer(Protocol):
    """What writes one format. The same figure and options give the same bytes, always."""

    name: ClassVar[str]
    """As in a plan, such as ``"png"``."""
    suffix: ClassVar[str]
    """Such as ``".png"``."""
    summary: ClassVar[str]
    """One line for a list of formats."""
    largest_side: ClassVar[int]
    """The most px that a side of a picture may have."""
    Options: ClassVar[type[FileModel]]
    """What can be set under ``[options]``."""

    def write(self, path: Path, figure: Figure, options: Any) -> None:
        """Write the whole file at `path`.

        Parameters
        ----------
        path : Path
            An existing or new file; it is written over.
        figure : Figure
            uint8 RGB or RGBA, and its pixel size. Its picture may be larger than memory: ask for strips or bands
            of it, from the top, each once.
        options : Options
            Validated.
        """


@cache
def writers() -> dict[str, Writer]:
    """Give the writers by format name."""
    from .png import PngWriter
    from .tiff import TiffWriter

    made: list[Writer] = [PngWriter(), TiffWriter()]
    made += [point.load()() for point in entry_points(group="napari_slicemap.writers")]
    return {writer.name: writer for writer in made}


def find_writer(name: str) -> Writer:
    """Give the writer of a format.

    Raises
    ------
    UnknownNameError
        Listing the formats there are.
    """
    if name not in writers():
        raise UnknownNameError("format", name, writers())
    return writers()[name]

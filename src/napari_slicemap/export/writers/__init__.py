"""One writer a format: built-ins first, then those that other packages register.

A package adds a format by an entry point in the group ``napari_slicemap.writers`` that names a class with the
members of :class:`Writer`.
"""

from __future__ import annotations

from functools import cache
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any, ClassVar, Literal, Protocol

from ...errors import UnknownNameError
from ...files import FileModel

Takes = Literal["picture", "movie", "pixels"]
"""What a writer takes: a :class:`~.figure.Figure`, a :class:`~.movie.Movie` or :class:`~.pixels.PixelData`."""


class Writer(Protocol):
    """What writes one format. The same figure and options give the same bytes, always."""

    name: ClassVar[str]
    """As in a plan, such as ``"png"``."""
    suffix: ClassVar[str]
    """Such as ``".png"``."""
    summary: ClassVar[str]
    """One line for a list of formats."""
    takes: ClassVar[Takes]
    """What it is given: a picture, a movie, or the pixels themselves."""
    folder: ClassVar[bool]
    """Whether it writes a folder of files instead of a file."""
    largest_side: ClassVar[int]
    """The most px that a side of a picture may have."""
    Options: ClassVar[type[FileModel]]
    """What can be set under ``[options]``."""

    def write(self, path: Path, content: Any, options: Any) -> None:
        """Write the whole file at `path`.

        Parameters
        ----------
        path : Path
            An existing or new file, which is written over; an empty folder where :attr:`folder`.
        content : Figure or Movie or PixelData
            What :attr:`takes` says. It may be larger than memory: of a picture ask for strips or bands, from the
            top, each once; of a movie for frames; of pixels for bands.
        options : Options
            Validated.
        """


@cache
def writers() -> dict[str, Writer]:
    """Give the writers by format name."""
    from .bundles import Hdf5Writer, NpzWriter
    from .jpeg import JpegWriter
    from .movies import GifWriter, Mp4Writer
    from .ome_tiff import OmeTiffWriter
    from .ome_zarr import OmeZarrWriter
    from .pdf import PdfWriter
    from .png import PngWriter
    from .svg import SvgWriter
    from .tiff import TiffWriter
    from .tiff_json import TiffJsonWriter

    made: list[Writer] = [PngWriter(), JpegWriter(), TiffWriter(), PdfWriter(), SvgWriter()]
    made += [OmeTiffWriter(), OmeZarrWriter(), NpzWriter(), Hdf5Writer(), TiffJsonWriter()]
    made += [GifWriter(), Mp4Writer()]
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

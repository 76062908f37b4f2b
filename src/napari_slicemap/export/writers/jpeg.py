"""JPEG, with the physical resolution in its EXIF."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Annotated, ClassVar

from pydantic import Field

from ...files import FileModel
from ..content.figure import Figure
from . import Takes
from .embedded import DESCRIPTION, provenance_text
from .jpeg_encoder import LARGEST_SIDE, Subsampling, encode_jpeg

_APP0, _APP1, _COM = 0xE0, 0xE1, 0xFE
_MOST_BYTES = 65_533
_CM_UM, _INCH_UM = 10_000, 25_400
_RESOLUTION_X, _RESOLUTION_Y, _RESOLUTION_UNIT, _TITLE, _SOFTWARE = 0x011A, 0x011B, 0x0128, 0x010E, 0x0131
_INCH, _CM = 2, 3
_ROUNDED = 1e-3
"""How far a density of whole numbers may be off before it is left out."""


class JpegOptions(FileModel):
    """Options of JPEG.

    Parameters
    ----------
    quality : int
        1–100; above 95 files grow much and gain little.
    subsampling : str
        ``4:4:4`` keeps every colour edge; ``4:2:2`` and ``4:2:0`` store colour more coarsely.
    """

    quality: Annotated[int, Field(ge=1, le=100)] = 90
    subsampling: Subsampling = "4:4:4"


class JpegWriter:
    """8-bit RGB, baseline, lossy. Where a figure is transparent, its background shows.

    The exact resolution is in the EXIF; that of JFIF, in whole numbers of 16 bits, only where it says the same. The
    provenance is the comments (COM) of the file, one after the other: each holds up to 64 KiB.
    """

    name: ClassVar[str] = "jpg"
    suffix: ClassVar[str] = ".jpg"
    summary: ClassVar[str] = "JPEG, lossy, with physical resolution"
    takes: ClassVar[Takes] = "picture"
    folder: ClassVar[bool] = False
    largest_side: ClassVar[int] = LARGEST_SIDE
    Options: ClassVar[type[FileModel]] = JpegOptions

    def write(self, path: Path, figure: Figure, options: JpegOptions) -> None:
        """Write the file; see :class:`Writer`."""
        said = provenance_text(figure).encode("ascii")
        comments = [(_COM, said[at : at + _MOST_BYTES]) for at in range(0, len(said), _MOST_BYTES)]
        segments = [(_APP0, _jfif(figure.pixel_size_um)), (_APP1, _exif(figure)), *comments]
        with path.open("wb") as stream:
            encode_jpeg(stream, figure.picture, options.quality, options.subsampling, segments, figure.background)


def _jfif(size_um: float | None) -> bytes:
    """Give the JFIF header: px per cm or per inch where whole numbers say it closely enough, else none."""
    unit, density = 0, 1
    for code, length in ((2, _CM_UM), (1, _INCH_UM)):
        wanted = length / size_um if size_um else 0
        if 1 <= round(wanted) < 2**16 and abs(round(wanted) - wanted) <= _ROUNDED * wanted:
            unit, density = code, round(wanted)
            break
    return b"JFIF\0\x01\x02" + bytes((unit,)) + 2 * density.to_bytes(2, "big") + b"\0\0"


def _exif(figure: Figure) -> bytes:
    from PIL import Image
    from PIL.TiffImagePlugin import IFDRational

    made = Image.Exif()
    made[_SOFTWARE] = DESCRIPTION
    if figure.name:
        made[_TITLE] = figure.name.encode("ascii", "replace").decode("ascii")
    if figure.pixel_size_um is not None:
        per_cm = Fraction(_CM_UM) / Fraction(figure.pixel_size_um)
        # both parts have 32 bits: large ones leave less for what divides them
        exact = per_cm.limit_denominator(max(1, min(10**6, int((2**32 - 1) / max(float(per_cm), 1.0)))))
        if 0 < exact < 2**32:
            made[_RESOLUTION_X] = made[_RESOLUTION_Y] = IFDRational(exact.numerator, exact.denominator)
            made[_RESOLUTION_UNIT] = _CM
    return made.tobytes()

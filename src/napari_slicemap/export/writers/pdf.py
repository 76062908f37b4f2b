"""PDF: one page with the picture, and what is drawn over it as lines, boxes and text."""

from __future__ import annotations

import tempfile
import zlib
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, BinaryIO, ClassVar, Literal

from pydantic import Field

from ...errors import PlanError
from ...files import FileModel
from ...render.picture import Picture
from ..content.figure import Figure
from . import Takes
from .pdf_page import POINTS

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from .pdf_page import Page

LARGEST_PAGE = 14_400
"""The most points that a side of a page may have."""

_LARGEST_FILE = 10**10
"""What the table of objects can point into, bytes."""
_LARGEST_DPI = 2400
_NO_COLOUR_KEPT = {"ColorSpace": "/DeviceGray"}


class PdfOptions(FileModel):
    """Options of PDF.

    Parameters
    ----------
    dpi : float
        Px of the figure to an inch of the page. A page has at most 200 inches a side.
    image : "lossless" or "jpeg"
        How the picture is embedded.
    quality : int
        Of a JPEG, 1–100.
    compress_level : int
        Of a lossless picture, as for PNG.
    """

    dpi: Annotated[float, Field(ge=1, le=_LARGEST_DPI, allow_inf_nan=False)] = 300
    image: Literal["lossless", "jpeg"] = "lossless"
    quality: Annotated[int, Field(ge=1, le=100)] = 90
    compress_level: Annotated[int, Field(ge=0, le=9)] = 2


class PdfWriter:
    """PDF 1.7.

    The page measures in µm by its own measure dictionary, which measuring tools of readers honour; the size of a px
    is in the document's metadata, too. The provenance is the attachment ``provenance.json``.
    """

    name: ClassVar[str] = "pdf"
    suffix: ClassVar[str] = ".pdf"
    summary: ClassVar[str] = "PDF, lossless picture with scale bar, text and ROI shapes as vectors"
    takes: ClassVar[Takes] = "picture"
    folder: ClassVar[bool] = False
    largest_side: ClassVar[int] = LARGEST_PAGE * _LARGEST_DPI // POINTS
    Options: ClassVar[type[FileModel]] = PdfOptions

    def write(self, path: Path, figure: Figure, options: PdfOptions) -> None:
        """Write the file; see :class:`Writer`.

        Raises
        ------
        PlanError
            If the page would be larger than a page can be, or the file than a PDF can be.
        """
        from .pdf_page import lay_out_page

        side = max(figure.picture.shape[:2])
        if side * POINTS > LARGEST_PAGE * options.dpi:
            least = -(-side * POINTS // LARGEST_PAGE)
            raise PlanError([f"{side} px at {options.dpi:g} dpi is more than a page holds; set options.dpi to {least}"])
        page = lay_out_page(figure, options.dpi)
        with path.open("wb") as stream:
            stream.write(page.content)
            update = _Update(stream, page)
            _add_picture(update, page.picture, figure.ground, options)
            update.finish()


class _Update:
    """Objects added to a PDF that is complete already, as its format provides for: so they need not fit into memory."""

    def __init__(self, stream: BinaryIO, page: Page) -> None:
        self.stream, self._page, self._next = stream, page, page.objects
        self._places: dict[int, int] = {}

    def reserve(self) -> int:
        """Give the number of a new object."""
        self._next += 1
        return self._next - 1

    def begin(self, number: int, entries: Mapping[str, str]) -> int:
        """Begin an object that is a stream; give the number of the object that states its length."""
        length = self.reserve()
        said = " ".join(f"/{key} {value}" for key, value in {**entries, "Length": f"{length} 0 R"}.items())
        self._places[number] = self.stream.tell()
        self.stream.write(f"{number} 0 obj\n<< {said} >>\nstream\n".encode("ascii"))
        return length

    def end(self, length: int, began: int) -> None:
        """End the stream whose content began at a place of the file."""
        size = self.stream.tell() - began
        self.stream.write(b"\nendstream\nendobj\n")
        self._places[length] = self.stream.tell()
        self.stream.write(f"{length} 0 obj\n{size}\nendobj\n".encode("ascii"))

    def finish(self) -> None:
        """Write the table of the objects that were added, and where the one before it stands."""
        start = self.stream.tell()
        if start >= _LARGEST_FILE:
            raise PlanError(
                [f"a PDF of {start / 1e9:.1f} GB is more than its format holds; choose a larger downsample"]
            )
        self.stream.write(b"xref\n0 1\n0000000000 65535 f \n")
        for number, place in sorted(self._places.items()):
            self.stream.write(f"{number} 1\n{place:010d} 00000 n \n".encode("ascii"))
        self.stream.write(b"trailer\n<< " + self._page.trailer)
        self.stream.write(f"\n/Size {self._next} /Prev {self._page.table} >>\nstartxref\n{start}\n%%EOF\n".encode())


def _add_picture(update: _Update, number: int, picture: Picture, options: PdfOptions) -> None:
    """Add the image, and where it has alpha the mask that holds it; it is painted once."""
    height, width, samples = picture.shape
    image = {
        "Type": "/XObject",
        "Subtype": "/Image",
        "Width": str(width),
        "Height": str(height),
        "BitsPerComponent": "8",
    }
    with tempfile.SpooledTemporaryFile(max_size=2**20) as kept:
        pack = zlib.compressobj(6)

        def without_alpha(rows: NDArray[np.uint8], _top: int) -> NDArray[np.uint8]:
            kept.write(pack.compress(rows[..., 3].tobytes()))
            return rows[..., :3]

        masked = {}
        if samples == 4:
            mask = update.reserve()
            masked = {"SMask": f"{mask} 0 R"}
            picture = picture.changed(without_alpha, samples=3)
        if options.image == "jpeg":
            coding = {"Filter": "/DCTDecode"}
        else:
            row = f"<< /Predictor 15 /Colors 3 /BitsPerComponent 8 /Columns {width} >>"
            coding = {"Filter": "/FlateDecode", "DecodeParms": row}
        length = update.begin(number, {**image, "ColorSpace": "/DeviceRGB", **coding, **masked})
        began = update.stream.tell()
        _encode(update.stream, picture, options)
        update.end(length, began)
        if samples == 4:
            kept.write(pack.flush())
            kept.seek(0)
            length = update.begin(mask, {**image, **_NO_COLOUR_KEPT, "Filter": "/FlateDecode"})
            began = update.stream.tell()
            while part := kept.read(2**20):
                update.stream.write(part)
            update.end(length, began)


def _encode(stream: BinaryIO, picture: Picture, options: PdfOptions) -> None:
    from .jpeg_encoder import encode_jpeg
    from .ordered import in_order
    from .png_encoder import ZLIB_HEADER, adler_combined, encoded, strips_of, zlib_end

    if options.image == "jpeg":
        encode_jpeg(stream, picture, options.quality, "4:4:4")
        return
    adler = 1
    stream.write(ZLIB_HEADER)
    for strip in in_order(partial(encoded, level=options.compress_level), strips_of(picture)):
        stream.write(strip.content)
        adler = adler_combined(adler, strip.adler, strip.size)
    stream.write(zlib_end(adler))

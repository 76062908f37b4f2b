"""The page of a PDF, all but the pixels of its picture."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from typing import Any
from xml.sax.saxutils import escape

from ...render.drawings import Bar, Rim, Shape, Text, drawable
from ...render.fonts import FONT
from ..content.figure import Figure
from .embedded import DESCRIPTION, provenance_text

POINTS = 72
"""To an inch."""
_FONT = "DejaVuSans"
_SMALLEST_PAGE = 3.0
"""Points; readers refuse pages below that."""
_STROKED = 1
_XMP = """<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
<rdf:Description rdf:about="" xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:s="urn:napari-slicemap:figure:1">
<dc:title><rdf:Alt><rdf:li xml:lang="x-default">{title}</rdf:li></rdf:Alt></dc:title>{size}
</rdf:Description></rdf:RDF></x:xmpmeta>
<?xpacket end="r"?>"""


@dataclass(frozen=True)
class Page:
    """A PDF whose picture is still blank.

    Parameters
    ----------
    content : bytes
        The whole file.
    picture : int
        Number of the object that stands for the picture.
    objects : int
        How many there are, the free one with the number 0 included.
    trailer : bytes
        What the trailer says besides its size: where the document begins.
    table : int
        Where the table of objects stands, bytes.
    """

    content: bytes
    picture: int
    objects: int
    trailer: bytes
    table: int


def lay_out_page(figure: Figure, dpi: float) -> Page:
    """Make the page: as large as the picture is in print, with everything drawn that is no pixel.

    Parameters
    ----------
    figure : Figure
        What is shown. Its picture is not painted.
    dpi : float
        Px to an inch.

    Returns
    -------
    Page
    """
    from reportlab.pdfbase import pdfdoc  # type: ignore[import-untyped]
    from reportlab.pdfgen.canvas import Canvas  # type: ignore[import-untyped]

    height, width, _ = figure.picture.shape
    scale = POINTS / dpi
    size = max(width * scale, _SMALLEST_PAGE), max(height * scale, _SMALLEST_PAGE)
    canvas = Canvas("", pagesize=size, pageCompression=1, invariant=1, pdfVersion=(1, 7), lang="en")
    document = canvas._doc
    _describe(canvas, figure, pdfdoc)
    document.addForm("picture", pdfdoc.PDFStream(content=b"", filters=[]))
    canvas.translate(0, size[1] - height * scale)
    canvas.scale(scale, scale)
    canvas.saveState()
    canvas.scale(width, height)
    canvas.doForm("picture")
    canvas.restoreState()
    _draw(canvas, figure, height)
    canvas.showPage()
    if figure.pixel_size_um is not None:
        page = document.Pages.pages[-1]
        page.__NoDefault__ = [*page.__NoDefault__, "VP"]
        page.VP = _measure(figure.pixel_size_um / scale, (width * scale, height * scale), size[1], pdfdoc)
    content: bytes = canvas.getpdfdata()
    number, _ = document.idToObjectNumberAndVersion[document.getXObjectName("picture")]
    entries, _, end = content[content.rindex(b"trailer") :].rpartition(b">>")
    said = re.sub(rb"/Size \d+", b"", entries.partition(b"<<")[2])
    return Page(content, number, len(document.numberToId) + 1, said.strip(), int(end.split()[1]))


def _describe(canvas: Any, figure: Figure, pdfdoc: Any) -> None:
    """Say what the document is, and attach how it was made."""
    title, size = drawable(figure.name) or "figure", ""
    canvas.setTitle(title)
    canvas.setAuthor("")
    canvas.setCreator(DESCRIPTION)
    canvas.setProducer(DESCRIPTION)
    canvas.setSubject("")
    if figure.pixel_size_um is not None:
        canvas.setSubject(f"1 px = {figure.pixel_size_um!r} µm")
        size = f"\n<s:pixelSizeUm>{figure.pixel_size_um!r}</s:pixelSizeUm>"
    document, catalog = canvas._doc, canvas._doc.Catalog
    kind = {"Type": pdfdoc.PDFName("Metadata"), "Subtype": pdfdoc.PDFName("XML")}
    packet = _XMP.format(title=escape(title), size=size).encode("utf-8")
    catalog.Metadata = document.Reference(pdfdoc.PDFStream(pdfdoc.PDFDictionary(kind), packet, filters=[]))
    if said := provenance_text(figure).encode("ascii"):
        # a slash within a name is written as its number
        kind = {"Type": pdfdoc.PDFName("EmbeddedFile"), "Subtype": "/application#2Fjson"}
        file = document.Reference(pdfdoc.PDFStream(pdfdoc.PDFDictionary(kind), said, filters=[pdfdoc.PDFZCompress]))
        name = pdfdoc.PDFString("provenance.json")
        spec = {
            "Type": pdfdoc.PDFName("Filespec"),
            "F": name,
            "UF": name,
            "EF": pdfdoc.PDFDictionary({"F": file}),
        }
        names = pdfdoc.PDFArray([name, document.Reference(pdfdoc.PDFDictionary(spec))])
        tree = pdfdoc.PDFDictionary({"Names": names})
        catalog.Names = pdfdoc.PDFDictionary({"EmbeddedFiles": tree})


def _measure(um_per_point: float, size: tuple[float, float], top: float, pdfdoc: Any) -> Any:
    """Say what a point of the page is in µm, in the format's own words for it."""

    def counted(unit: str, factor: float) -> Any:
        entries = {"Type": pdfdoc.PDFName("NumberFormat"), "U": pdfdoc.PDFString(unit), "C": f"{factor:.12f}"}
        return pdfdoc.PDFArray([pdfdoc.PDFDictionary({**entries, "D": 1000})])

    measure = {
        "Type": pdfdoc.PDFName("Measure"),
        "Subtype": pdfdoc.PDFName("RL"),
        "R": pdfdoc.PDFString(f"1 in = {um_per_point * POINTS:.10g} µm"),
        "X": counted("µm", um_per_point),
        "D": counted("µm", 1.0),
        "A": counted("µm²", 1.0),
    }
    viewport = {
        "Type": pdfdoc.PDFName("Viewport"),
        "BBox": pdfdoc.PDFArray([0, top - size[1], size[0], top]),
        "Measure": pdfdoc.PDFDictionary(measure),
    }
    return pdfdoc.PDFArray([pdfdoc.PDFDictionary(viewport)])


# --- what is drawn ------------------------------------------------------------------------------------------------
def _draw(canvas: Any, figure: Figure, height: int) -> None:
    """Draw shapes, then all rims, so that none of them dims what another one sets off, then bars and text."""
    shapes = [one for one in figure.drawings if isinstance(one, Shape)]
    marks = [one for one in figure.drawings if not isinstance(one, Shape)]
    if any(isinstance(one, Text) for one in marks):
        _register_font()
    for shape in shapes:
        _draw_shape(canvas, shape, height)
    for mark in marks:
        if mark.rim is not None:
            _draw_mark(canvas, mark, mark.rim, height)
    for mark in marks:
        _draw_mark(canvas, mark, None, height)


def _draw_shape(canvas: Any, shape: Shape, height: int) -> None:
    canvas.setStrokeColor(shape.color)
    canvas.setLineWidth(shape.width_px)
    path = canvas.beginPath()
    for number, (x, y) in enumerate(shape.points):
        (path.lineTo if number else path.moveTo)(x, height - y)
    if shape.closed:
        path.close()
    canvas.drawPath(path, stroke=1, fill=0)


def _draw_mark(canvas: Any, mark: Bar | Text, rim: Rim | None, height: int) -> None:
    color, alpha, reach = (mark.color, 1.0, 0.0) if rim is None else (rim.color, rim.alpha, rim.width_px)
    canvas.saveState()
    canvas.setFillColor(color)
    canvas.setFillAlpha(alpha)
    if isinstance(mark, Bar):
        box = (mark.x - reach, height - mark.y - mark.height - reach, mark.width + 2 * reach, mark.height + 2 * reach)
        canvas.rect(*box, stroke=0, fill=1)
    else:
        canvas.setStrokeColor(color)
        canvas.setStrokeAlpha(alpha)
        canvas.setLineWidth(2 * reach)
        canvas.setLineJoin(1)
        _draw_text(canvas, mark, height, stroked=rim is not None)
    canvas.restoreState()


def _draw_text(canvas: Any, text: Text, height: int, *, stroked: bool) -> None:
    said = drawable(text.text)
    line = canvas.beginText(text.x, height - text.baseline)
    line.setFont(_FONT, text.size_px)
    # letters of the raster are set in whole px; here they are spread over the same length
    line.setHorizScale(100 * text.length_px / canvas.stringWidth(said, _FONT, text.size_px))
    line.setTextRenderMode(_STROKED if stroked else 0)
    line.textOut(said)
    canvas.drawText(line)


@cache
def _register_font() -> None:
    from reportlab.pdfbase import pdfmetrics
    from reportlab.pdfbase.ttfonts import TTFont  # type: ignore[import-untyped]

    pdfmetrics.registerFont(TTFont(_FONT, str(FONT)))

"""SVG: the picture as an embedded PNG, and what is drawn over it as lines, boxes and text."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, ClassVar
from xml.sax.saxutils import escape, quoteattr

from pydantic import Field

from ...files import FileModel
from ...render.drawings import Bar, Drawing, Rim, Shape, Text, drawable
from ..content.figure import Figure
from . import Takes
from .embedded import KEYWORD, provenance_text
from .sink import Base64Sink

_NAMESPACE = "urn:napari-slicemap:figure:1"
_INCH_MM = 25.4
_FONTS = "DejaVu Sans, Verdana, sans-serif"


class SvgOptions(FileModel):
    """Options of SVG.

    Parameters
    ----------
    dpi : float
        Px of the figure to an inch of print: it decides how large the figure opens.
    compress_level : int
        Of the embedded PNG.
    """

    dpi: Annotated[float, Field(gt=0, le=9600, allow_inf_nan=False)] = 300
    compress_level: Annotated[int, Field(ge=0, le=9)] = 2


class SvgWriter:
    """SVG 1.1 whose user unit is one px of the figure.

    Its width and height are those of print at so many px to the inch. The size of a px in µm is the attribute
    ``data-pixel-size-um`` of its root, and stands with the provenance in ``<metadata>``.
    """

    name: ClassVar[str] = "svg"
    suffix: ClassVar[str] = ".svg"
    summary: ClassVar[str] = "SVG, lossless picture with scale bar, text and ROI shapes as vectors"
    takes: ClassVar[Takes] = "picture"
    folder: ClassVar[bool] = False
    largest_side: ClassVar[int] = 2**16 - 1  # what readers of SVG draw
    Options: ClassVar[type[FileModel]] = SvgOptions

    def write(self, path: Path, figure: Figure, options: SvgOptions) -> None:
        """Write the file; see :class:`Writer`."""
        from .png_encoder import encode_png

        height, width, _ = figure.picture.shape
        with path.open("wb") as stream:
            stream.write(_head(figure, options.dpi).encode("utf-8"))
            picture = f'<image x="0" y="0" width="{width}" height="{height}" preserveAspectRatio="none"'
            stream.write(f'{picture} xlink:href="data:image/png;base64,'.encode())
            coded = Base64Sink(stream)
            encode_png(coded, figure.ground, options.compress_level)
            coded.finish()
            stream.write(b'"/>\n')
            for line in _drawn(figure.drawings):
                stream.write(f"{line}\n".encode())
            stream.write(b"</svg>\n")


def _head(figure: Figure, dpi: float) -> str:
    height, width, _ = figure.picture.shape
    size = "" if figure.pixel_size_um is None else f' data-pixel-size-um="{figure.pixel_size_um!r}"'
    print_size = " ".join(
        f'{name}="{side / dpi * _INCH_MM:.10g}mm"' for name, side in (("width", width), ("height", height))
    )
    said = [] if figure.pixel_size_um is None else [f"<s:pixelSizeUm>{figure.pixel_size_um!r}</s:pixelSizeUm>"]
    if text := provenance_text(figure):
        said.append(f"<s:provenance>{escape(text)}</s:provenance>")
    lines = [
        '<?xml version="1.0" encoding="UTF-8"?>',
        '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" '
        f'{print_size} viewBox="0 0 {width} {height}"{size}>',
        *([f"<title>{escape(drawable(figure.name))}</title>"] if figure.name else []),
        f'<metadata><s:figure xmlns:s="{_NAMESPACE}" software="{KEYWORD}">{"".join(said)}</s:figure></metadata>',
    ]
    return "\n".join(lines) + "\n"


def _drawn(drawings: tuple[Drawing, ...]) -> Iterator[str]:
    """Give the elements: shapes, then all rims, so that none of them dims what another one sets off."""
    shapes = [one for one in drawings if isinstance(one, Shape)]
    marks = [one for one in drawings if not isinstance(one, Shape)]
    yield from map(_shape, shapes)
    for mark in marks:
        if mark.rim is not None:
            yield _mark(mark, mark.rim)
    for mark in marks:
        yield _mark(mark, None)


def _shape(shape: Shape) -> str:
    points = " ".join(f"{x:.6g},{y:.6g}" for x, y in shape.points)
    name = "polygon" if shape.closed else "polyline"
    return f'<{name} points="{points}" fill="none" stroke="{shape.color}" stroke-width="{shape.width_px:.6g}"/>'


def _mark(mark: Bar | Text, rim: Rim | None) -> str:
    reach = 0.0 if rim is None else rim.width_px
    if isinstance(mark, Bar):
        paint = f'fill="{mark.color}"' if rim is None else f'fill="{rim.color}" fill-opacity="{rim.alpha:.4g}"'
        return (
            f'<rect x="{mark.x - reach:.10g}" y="{mark.y - reach:.10g}" width="{mark.width + 2 * reach:.10g}" '
            f'height="{mark.height + 2 * reach:.10g}" {paint}/>'
        )
    paint = f'fill="{mark.color}"'
    if rim is not None:
        paint = (
            f'fill="none" stroke="{rim.color}" stroke-opacity="{rim.alpha:.4g}" '
            f'stroke-width="{2 * reach:.6g}" stroke-linejoin="round" aria-hidden="true"'
        )
    return (
        f'<text x="{mark.x:.10g}" y="{mark.baseline:.10g}" font-family={quoteattr(_FONTS)} '
        f'font-size="{mark.size_px}" textLength="{mark.length_px:.6g}" lengthAdjust="spacingAndGlyphs" '
        f"{paint}>{escape(drawable(mark.text))}</text>"
    )

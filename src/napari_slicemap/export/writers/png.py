"""PNG, with the physical resolution in its pHYs chunk."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, ClassVar

from pydantic import Field

from ...files import FileModel
from ..content.figure import Figure
from . import Takes
from .embedded import KEYWORD, provenance_text


class PngOptions(FileModel):
    """Options of PNG: ``compress_level`` 0 (stored), 1–3 (fast) or 4–9 (many times slower, often a little smaller)."""

    compress_level: Annotated[int, Field(ge=0, le=9)] = 2


class PngWriter:
    """8-bit RGB or RGBA. A pixel size below 0.47 nm is more than PNG can state; only the sidecar has it then.

    The provenance is a text chunk (iTXt) under the keyword ``napari-slicemap``.
    """

    name: ClassVar[str] = "png"
    suffix: ClassVar[str] = ".png"
    summary: ClassVar[str] = "PNG, lossless, with physical resolution"
    largest_side: ClassVar[int] = 2**31 - 1
    takes: ClassVar[Takes] = "picture"
    folder: ClassVar[bool] = False
    Options: ClassVar[type[FileModel]] = PngOptions

    def write(self, path: Path, figure: Figure, options: PngOptions) -> None:
        """Write the file; see :class:`Writer`."""
        from .png_encoder import encode_png

        text = {KEYWORD: said} if (said := provenance_text(figure)) else {}
        with path.open("wb") as stream:
            encode_png(stream, figure.picture, options.compress_level, _px_per_metre(figure.pixel_size_um), text)


def _px_per_metre(size_um: float | None) -> int | None:
    """Give what pHYs states: whole px in 31 bits; ``None`` where that would say something else."""
    if size_um is None or not 1 <= (number := round(1e6 / size_um)) < 2**31:
        return None
    return number

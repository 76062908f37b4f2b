"""PNG through Pillow, with the physical resolution in its pHYs chunk."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, ClassVar

from pydantic import Field

from ...files import FileModel
from ..figure import Figure


class PngOptions(FileModel):
    """Options of PNG: ``compress_level``, 0 (fast, large) to 9 (slow, small)."""

    compress_level: Annotated[int, Field(ge=0, le=9)] = 6


# the PNG format holds whole px a metre in 31 bits
_FINEST_UM = 1e6 / (2**31 - 1)


class PngWriter:
    """8-bit RGB or RGBA. A pixel size below 0.47 nm is more than PNG can state; only the sidecar has it then."""

    name: ClassVar[str] = "png"
    suffix: ClassVar[str] = ".png"
    summary: ClassVar[str] = "PNG, lossless, with physical resolution"
    Options: ClassVar[type[FileModel]] = PngOptions

    def write(self, path: Path, figure: Figure, options: PngOptions) -> None:
        """Write the file; see :class:`Writer`."""
        from PIL import Image

        # pHYs counts whole px a metre; Pillow computes it from dots an inch
        size = figure.pixel_size_um
        resolution = {} if size is None or size <= _FINEST_UM else {"dpi": (25400 / size,) * 2}
        image = Image.fromarray(figure.image)
        image.save(path, format="PNG", compress_level=options.compress_level, **resolution)

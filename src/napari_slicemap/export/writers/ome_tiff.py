"""OME-TIFF: the pixels themselves, with what is known of them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from ...files import FileModel
from ...render.threads import processors
from ..content.pixels import PixelData
from . import Takes
from .masks import tell_of_masks


class OmeTiffOptions(FileModel):
    """Options of OME-TIFF.

    Parameters
    ----------
    compression : str
        ``deflate``, ``zstd`` (smaller and faster, but not read everywhere), ``lzw`` or ``none``.
    tile : int
        Side of a tile, px, a multiple of 16.
    pyramid : bool
        Coarser levels of images above 1024 px.
    """

    compression: Literal["deflate", "zstd", "lzw", "none"] = "deflate"
    tile: Annotated[int, Field(ge=16, le=8192, multiple_of=16)] = 512
    pyramid: bool = True


class OmeTiffWriter:
    """Axes TCZYX, tiled, with a pyramid where the image is large; it holds no masks, and says so of those asked for."""

    name: ClassVar[str] = "ome-tiff"
    suffix: ClassVar[str] = ".ome.tif"
    summary: ClassVar[str] = "OME-TIFF, the pixels themselves, tiled, with levels"
    takes: ClassVar[Takes] = "pixels"
    folder: ClassVar[bool] = False
    largest_side: ClassVar[int] = 2**31 - 1
    Options: ClassVar[type[FileModel]] = OmeTiffOptions

    def write(self, path: Path, content: PixelData, options: OmeTiffOptions) -> None:
        """Write the file; see :class:`Writer`."""
        from ...images.tiff.ome_tiff import write_ome_tiff

        source = replace(content.source, provenance=content.provenance)
        write_ome_tiff(
            path,
            source,
            compression=options.compression,
            tile=options.tile,
            pyramid=options.pyramid,
            threads=processors(),
        )
        tell_of_masks(content, self.name)

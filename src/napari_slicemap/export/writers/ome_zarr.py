"""OME-Zarr: the pixels themselves with their levels, masks as labels, and channel settings."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from ...files import FileModel
from ..content.pixels import PixelData
from . import Takes


class OmeZarrOptions(FileModel):
    """Options of OME-Zarr.

    Parameters
    ----------
    version : str
        ``0.5`` (Zarr v3) or ``0.4`` (Zarr v2).
    compression : str
        ``zstd``, ``lz4`` or ``none``.
    chunk : int
        Side of a chunk, px.
    """

    version: Literal["0.5", "0.4"] = "0.5"
    compression: Literal["zstd", "lz4", "none"] = "zstd"
    chunk: Annotated[int, Field(ge=16, le=8192)] = 512


class OmeZarrWriter:
    """A folder with the pixels, coarser levels, labels and channel settings; sharded where planes are large."""

    name: ClassVar[str] = "ome-zarr"
    suffix: ClassVar[str] = ".ome.zarr"
    summary: ClassVar[str] = "OME-Zarr, the pixels themselves with levels, labels and channel settings"
    takes: ClassVar[Takes] = "pixels"
    folder: ClassVar[bool] = True
    largest_side: ClassVar[int] = 2**31 - 1
    Options: ClassVar[type[FileModel]] = OmeZarrOptions

    def write(self, path: Path, content: PixelData, options: OmeZarrOptions) -> None:
        """Write the folder; see :class:`Writer`."""
        from ...images.ome_zarr.writer import write_ome_zarr

        source = replace(content.source, provenance=content.provenance)
        write_ome_zarr(path, source, version=options.version, compression=options.compression, chunk=options.chunk)

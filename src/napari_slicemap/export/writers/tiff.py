"""TIFF through tifffile, with the physical resolution in its tags."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar, Literal

from ...files import FileModel
from ..figure import Figure

_CM_UM = 10_000


class TiffOptions(FileModel):
    """Options of TIFF: ``compression`` none, deflate, lzw or zstd (the last one is not read everywhere)."""

    compression: Literal["none", "deflate", "lzw", "zstd"] = "deflate"


class TiffWriter:
    """8-bit RGB or RGBA."""

    name: ClassVar[str] = "tif"
    suffix: ClassVar[str] = ".tif"
    summary: ClassVar[str] = "TIFF (RGB), lossless, with physical resolution"
    Options: ClassVar[type[FileModel]] = TiffOptions

    def write(self, path: Path, figure: Figure, options: TiffOptions) -> None:
        """Write the file; see :class:`Writer`."""
        import tifffile

        compression = None if options.compression == "none" else options.compression
        known: dict[str, Any] = {"resolutionunit": "NONE", "resolution": (1, 1)}
        if figure.pixel_size_um is not None:
            known = {"resolutionunit": "CENTIMETER", "resolution": (_CM_UM / figure.pixel_size_um,) * 2}
        tifffile.imwrite(
            path,
            figure.image,
            photometric="rgb",
            extrasamples=["unassalpha"] if figure.image.shape[-1] == 4 else None,
            compression=compression,
            predictor=compression is not None,
            rowsperstrip=max(1, 2**18 // max(1, figure.image.shape[1] * figure.image.shape[2])),
            metadata=None,
            software="napari-slicemap",
            **known,
        )

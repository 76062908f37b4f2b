"""TIFF through tifffile, with the physical resolution in its tags."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from ...files import FileModel
from ..content.figure import Figure
from . import Takes
from .embedded import provenance_text
from .ordered import in_order

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_CM_UM = 10_000
_STRIP_BYTES = 2**18
_CLASSIC_BYTES = 2**32 - 2**25
"""What the offsets of a classic TIFF reach, less room for its tags."""
_WORST_GROWTH = 1.5
"""What LZW makes of noise: codes of up to 12 bits for 8."""
_DEFLATE_LEVEL = 2
"""ISA-L's, which is several times faster than zlib at much the same size."""

_PROVENANCE_TAG, _BYTES = 65000, 7


class TiffOptions(FileModel):
    """Options of TIFF: ``compression`` none, deflate, lzw or zstd (the last one is not read everywhere)."""

    compression: Literal["none", "deflate", "lzw", "zstd"] = "deflate"


class TiffWriter:
    """8-bit RGB or RGBA; as BigTIFF where it might not fit into 4 GiB.

    The provenance is in tag 65000, as bytes; the description is the figure's name.
    """

    name: ClassVar[str] = "tif"
    suffix: ClassVar[str] = ".tif"
    summary: ClassVar[str] = "TIFF (RGB), lossless, with physical resolution"
    largest_side: ClassVar[int] = 2**32 - 1
    takes: ClassVar[Takes] = "picture"
    folder: ClassVar[bool] = False
    Options: ClassVar[type[FileModel]] = TiffOptions

    def write(self, path: Path, figure: Figure, options: TiffOptions) -> None:
        """Write the file; see :class:`Writer`."""
        import tifffile

        height, width, samples = figure.picture.shape
        rows = max(1, _STRIP_BYTES // (width * samples))
        known: dict[str, Any] = {"resolutionunit": "NONE", "resolution": (1, 1)}
        if figure.pixel_size_um is not None:
            known = {"resolutionunit": "CENTIMETER", "resolution": (_CM_UM / figure.pixel_size_um,) * 2}
        if said := provenance_text(figure).encode("ascii"):
            known["extratags"] = [(_PROVENANCE_TAG, _BYTES, len(said), said, True)]
        compressed = options.compression != "none"
        tifffile.imwrite(
            path,
            in_order(partial(_encoded, compression=options.compression), figure.picture.strips(rows)),
            shape=figure.picture.shape,
            dtype="uint8",
            bigtiff=height * width * samples * _WORST_GROWTH + len(said) > _CLASSIC_BYTES,
            description=figure.name.encode("ascii", "replace").decode("ascii") or None,
            photometric="rgb",
            planarconfig="contig",
            extrasamples=["unassalpha"] if samples == 4 else None,
            compression=options.compression if compressed else None,
            predictor=compressed,
            rowsperstrip=rows,
            metadata=None,
            software="napari-slicemap",
            **known,
        )


def _encoded(strip: NDArray[np.uint8], compression: str) -> bytes:
    """Encode a strip ``(h, W, 3 or 4)``, each px as its difference from the one to its left."""
    import imagecodecs
    from isal import isal_zlib

    if compression == "none":
        return strip.tobytes()
    differences = imagecodecs.delta_encode(strip, axis=-2)
    if compression == "deflate":
        return isal_zlib.compress(differences, _DEFLATE_LEVEL)
    encode = {"lzw": imagecodecs.lzw_encode, "zstd": imagecodecs.zstd_encode}[compression]
    return bytes(encode(differences.tobytes()))

"""NPZ and HDF5: the pixels themselves as arrays."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import ClassVar, Literal

from ...files import FileModel
from ..content.pixels import PixelData
from . import Takes


class BundleOptions(FileModel):
    """Options of NPZ and HDF5: ``dtype`` of the pixels, as the source has them or float32."""

    dtype: Literal["source", "float32"] = "source"


class NpzWriter:
    """One array for the pixels, one for each mask; opens with ``allow_pickle=False``."""

    name: ClassVar[str] = "npz"
    suffix: ClassVar[str] = ".npz"
    summary: ClassVar[str] = "NPZ, the pixels themselves as arrays for NumPy"
    takes: ClassVar[Takes] = "pixels"
    folder: ClassVar[bool] = False
    largest_side: ClassVar[int] = 2**31 - 1
    Options: ClassVar[type[FileModel]] = BundleOptions

    def write(self, path: Path, content: PixelData, options: BundleOptions) -> None:
        """Write the file; see :class:`Writer`."""
        from ...images.source_bundles import write_npz

        write_npz(path, replace(content.source, provenance=content.provenance), options.dtype)


class Hdf5Writer:
    """One dataset for the pixels, one for each mask."""

    name: ClassVar[str] = "h5"
    suffix: ClassVar[str] = ".h5"
    summary: ClassVar[str] = "HDF5, the pixels themselves as datasets"
    takes: ClassVar[Takes] = "pixels"
    folder: ClassVar[bool] = False
    largest_side: ClassVar[int] = 2**31 - 1
    Options: ClassVar[type[FileModel]] = BundleOptions

    def write(self, path: Path, content: PixelData, options: BundleOptions) -> None:
        """Write the file; see :class:`Writer`."""
        from ...images.source_bundles import write_h5

        write_h5(path, replace(content.source, provenance=content.provenance), options.dtype)

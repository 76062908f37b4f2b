"""Datasets in HDF5 files as planes, read by the chunks that they are stored in."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import listing
from .image import (
    PLAIN_AXES,
    ImageInfo,
    Tiling,
    describe,
    file_state,
    own,
    plain_axes,
    plane_index,
    refuse_changed,
    rows_of_px,
    square_size_um,
    unreadable,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray


_LEAST_PX = 2**18  # opening the file takes as long as decoding half of these


@dataclass(frozen=True)
class Hdf5Image:
    """A dataset of an HDF5 file: ``YX``, ``CYX``, ``TCYX`` or ``TCZYX``.

    The file is opened for each read: one that stays open cannot be replaced on every system.

    Parameters
    ----------
    path : Path
        The file.
    dataset : str
        Name of the dataset, such as ``"entry/data"``; empty for the only image in the file.
    """

    path: Path
    dataset: str = ""

    @property
    def info(self) -> ImageInfo:
        """Metadata, read at the first use.

        Raises
        ------
        TileReadError
            Naming the file, if it is missing, no HDF5 file, or does not hold the dataset.
        """
        return self._found[1]

    @cached_property
    def _found(self) -> tuple[str, ImageInfo]:
        import h5py  # type: ignore[import-untyped]

        try:
            with h5py.File(self.path, "r") as file:
                found = self._find(file)
                return found.name, _describe(found)
        except Exception as error:
            raise unreadable(self.path, error, "an HDF5 image") from error

    @property
    def key(self) -> Hashable:
        """Of the file as it is now."""
        return "hdf5", self.path, self.dataset, *file_state(self.path)

    def read_chunk(self, channel: int, t: int, z: int, row: int, column: int) -> NDArray[Any]:
        """Decode one chunk; see :class:`~napari_slicemap.images.image.ImageFile`."""
        import h5py

        name, info = self._found
        height, width = info.chunk_shape
        try:
            with h5py.File(self.path, "r") as file:
                found = file[name]
                refuse_changed(self.path, info, _describe(found))
                at = plane_index(info.axes, found.shape, channel, t, z)[:-2]
                y, x = Tiling(info.shape[3:], info.chunk_shape).cut(row, column)
                top, left = row * height, column * width
                return own(found[(*at, slice(top, top + y), slice(left, left + x))].astype(info.dtype, copy=False))
        except Exception as error:
            raise unreadable(self.path, error, "an HDF5 image") from error

    def _find(self, file: Any) -> Any:
        """Give the dataset."""
        names = _images(file)
        if self.dataset:
            found = file.get(self.dataset)
            if not hasattr(found, "dtype"):
                raise ValueError(f"it holds no dataset {self.dataset!r}; those of images are {listing(names)}")
            return found
        if len(names) != 1:
            some = (
                f"state one of {listing(names)}, as in {self.path.name}/{names[0]}" if names else "an image needs one"
            )
            raise ValueError(f"it holds {len(names)} datasets of images; {some}")
        return file[names[0]]


def _images(file: Any) -> list[str]:
    """List the datasets that could be images."""
    names: list[str] = []

    def visit(name: str, found: Any) -> None:
        # an empty dataset has no shape
        if getattr(found, "shape", None) and len(found.shape) in PLAIN_AXES and found.dtype.kind in "buif":
            names.append(name)

    file.visititems(visit)
    return names


def _describe(dataset: Any) -> ImageInfo:
    axes = plain_axes(dataset.shape or ())
    plane = dataset.shape[-2:]
    rows = rows_of_px(plane[1], plane[0]), plane[1]
    chunk_shape = (
        Tiling(plane, dataset.chunks[-2:], _LEAST_PX).chunk_shape if dataset.chunks and 0 not in plane else rows
    )
    return describe(axes, dataset.shape, dataset.dtype, chunk_shape, pixel_size_um=_pixel_size_um(dataset))


def _pixel_size_um(dataset: Any) -> float | None:
    """Give what Fiji and ilastik call the element size (z, y, x)."""
    stated = dataset.attrs.get("element_size_um")
    if stated is None or len(stated) < 2:
        return None
    return square_size_um(float(stated[-1]), float(stated[-2]))

"""Datasets in HDF5 files as planes, read by the chunks that they are stored in."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import listing
from .format_tools import (
    PLAIN_AXES,
    Tiling,
    describe,
    named,
    one_by_one,
    plain_axes,
    plane_index,
    refuse_changed,
    refuse_pipe,
    rows_of_px,
    square_size_um,
)
from .image import ImageInfo, file_state
from .plane import Chunks

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from .cache import Allocate

_KIND = "an HDF5 image"

_LEAST_PX = 2**18  # opening the file takes as long as decoding half of these


@dataclass(frozen=True)
class Hdf5Image:
    """A dataset of an HDF5 file: ``YX``, ``CYX``, ``TCYX`` or ``TCZYX``.

    The file is opened for each window: one that stays open cannot be replaced on every system.

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

        with named(self.path, _KIND):
            refuse_pipe(self.path)
        with named(self.path, _KIND), h5py.File(self.path, "r") as file:
            found = self._find(file)
            _refuse_missing_parts(found, Path(found.file.filename).parent)
            return found.name, _describe(found)

    @property
    def key(self) -> Hashable:
        """Of the file as it is now."""
        return "hdf5", self.path, self.dataset, *file_state(self.path)

    def chunks(self, channel: int, t: int, z: int) -> Chunks:
        """Give the chunks of one plane; see :class:`~napari_slicemap.images.image.ImageFile`."""
        name, info = self._found
        height, width = info.chunk_shape
        tiling = Tiling(info.shape[3:], info.chunk_shape)
        opened: list[tuple[Any, Any]] = []

        def dataset() -> Any:
            if not opened:  # what is in a cache need not be opened
                import h5py

                file = h5py.File(self.path, "r")
                opened.append((file, file[name]))
                refuse_changed(self.path, info, _describe(file[name]))
            return opened[0][1]

        def read(row: int, column: int, allocate: Allocate) -> NDArray[Any]:
            found = dataset()
            at = plane_index(info.axes, found.shape, channel, t, z)[:-2]
            made = allocate(tiling.cut(row, column), info.dtype)
            (y, x), top, left = made.shape, row * height, column * width
            found.read_direct(made, (*at, slice(top, top + y), slice(left, left + x)))
            return made

        def close() -> None:
            for file, _ in opened:
                file.close()

        return Chunks(self.key, info.chunk_shape, one_by_one(read, self.path, _KIND), close)

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


def _refuse_missing_parts(dataset: Any, folder: Path) -> None:
    """Refuse pixels that lie elsewhere: raw bytes of any file, or HDF5 files that are gone, which would read as 0."""
    if dataset.external:
        raise ValueError(f"its pixels are the bytes of another file, {dataset.external[0][0]}")
    if not dataset.is_virtual:
        return
    for source in dataset.virtual_sources():
        here_or_many = source.file_name == "." or "%" in source.file_name  # a pattern stands for any number of files
        if not here_or_many and not (folder / source.file_name).is_file():
            raise ValueError(f"its pixels lie in {source.file_name}, which is missing")


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

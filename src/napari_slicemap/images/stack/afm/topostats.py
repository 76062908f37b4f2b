"""Images that TopoStats has processed: ``.topostats``, HDF5."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ....errors import FileFormatError
from ..bundle import refuse_bomb
from .scan import Scan, ScanChannel, checked_shape, square_nm

if TYPE_CHECKING:
    from numpy.typing import NDArray

_DEFAULT = "image"
_SIZE = "pixel_to_nm_scaling"


@dataclass(frozen=True)
class DatasetFrame:
    """A dataset of an HDF5 file as the one frame of a channel.

    Parameters
    ----------
    path : Path
        The file.
    key : str
        The dataset.
    shape : tuple of int
        ``(H, W)`` that it must have.
    """

    path: Path
    key: str
    shape: tuple[int, int]

    def __call__(self, t: int) -> NDArray[np.float64]:  # noqa: ARG002
        """Read the frame.

        Raises
        ------
        FileFormatError
            If it is another one by now.
        """
        import h5py  # type: ignore[import-untyped]

        with h5py.File(self.path, "r") as file:
            found = file[self.key]
            if found.shape != self.shape:
                raise FileFormatError(f"{self.path}: {self.key} is another one since the file was opened")
            made: NDArray[np.float64] = found[()].astype(np.float64)
        return made


def open_topostats(path: Path) -> Scan:
    """Read what a ``.topostats`` file says of itself.

    Its channels are the images at its top level, nm, all of one size: ``image``, and ``image_original`` where the file
    has it.

    Raises
    ------
    FileFormatError
        Naming file and key, if it lacks the image or its pixel size.
    """
    import h5py

    with h5py.File(path, "r") as file:
        images = [key for key in file if isinstance(_own(file, key), h5py.Dataset) and _is_image(file[key])]
        if _DEFAULT not in images:
            raise FileFormatError(f"{path}: it has no {_DEFAULT}, expected numbers (H, W)")
        height, width = file[_DEFAULT].shape
        shape = checked_shape(path, 1, height, width, 0)
        refuse_bomb(path, height * width * np.dtype(np.float64).itemsize)
        size = _pixel_size_nm(path, file)
        same = [key for key in images if file[key].shape == (height, width)]
    channels = tuple(ScanChannel(key, "nm", DatasetFrame(path, key, (height, width))) for key in same)
    return Scan(path, channels, _DEFAULT, shape, size)


def _own(file: Any, key: str) -> Any:
    """Give what lies in this file under a key: a link or virtual dataset may lead anywhere."""
    import h5py

    if not isinstance(file.get(key, getlink=True), h5py.HardLink):
        return None
    found = file[key]
    elsewhere = isinstance(found, h5py.Dataset) and (found.is_virtual or found.external)
    return None if elsewhere else found


def _is_image(dataset: Any) -> bool:
    return len(dataset.shape or ()) == 2 and dataset.dtype.kind in "iuf" and 0 not in dataset.shape


def _pixel_size_nm(path: Path, file: Any) -> float:
    value = np.asarray(file[_SIZE][()] if _SIZE in file else None)
    if value.dtype.kind not in "iuf" or value.size != 1:
        raise FileFormatError(f"{path}: {_SIZE} is {value.tolist()!r}, expected a number")
    return square_nm(path, float(value.item()), float(value.item()))

"""Reading back: what was written is held, pixel by pixel, against what was given to be written."""

from __future__ import annotations

import math
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ...errors import FileFormatError
from ...images.image import ImageInfo, ImagePlane
from ...images.ome_zarr.writer import label_paths
from ...images.ome_zarr.zarr_image import ZarrImage
from ...images.plane import read_window
from ...images.region import Window
from ...images.source import ImageSource

if TYPE_CHECKING:
    from numpy.typing import NDArray

_Rows = tuple[str, int, int, int, int, int]
"""Label (empty for pixels), t, c, z, top, bottom."""
_SAME = 1e-9


@dataclass(frozen=True)
class Witness:
    """Sees the rows of an image while they are written, and keeps a checksum of each band."""

    sums: dict[_Rows, int] = field(default_factory=dict)

    def watched(self, source: ImageSource) -> ImageSource:
        """Give the source whose rows are seen when they are read."""
        labels = {name: partial(self._label, name, read) for name, read in source.labels.items()}
        return replace(source, read=partial(self._pixels, source.read), labels=labels)

    def _pixels(self, read: Callable[..., NDArray[Any]], t: int, c: int, z: int, top: int, bottom: int) -> NDArray[Any]:
        rows = read(t, c, z, top, bottom)
        self.sums["", t, c, z, top, bottom] = _checksum(rows)
        return rows

    def _label(
        self, name: str, read: Callable[..., NDArray[Any]], t: int, z: int, top: int, bottom: int
    ) -> NDArray[Any]:
        rows = read(t, z, top, bottom)
        # what cannot be held in these bits is refused by the writer
        self.sums[name, t, 0, z, top, bottom] = _checksum(rows.astype(np.uint32))
        return rows


def _checksum(rows: NDArray[Any]) -> int:
    if rows.dtype.kind == "f":
        rows = rows + rows.dtype.type(0)  # -0 is 0: where a whole chunk is, it is not stored
    return zlib.crc32(np.ascontiguousarray(rows, rows.dtype.newbyteorder("<")).view(np.uint8).data)


def read_back(folder: Path, source: ImageSource, witness: Witness, *, check: Callable[[], None]) -> ImageInfo:
    """Hold a finished image against what was written into it.

    Parameters
    ----------
    folder : Path
        The image, by another path of reading than it was written by.
    source : ImageSource
        What it was made from.
    witness : Witness
        Saw the rows.
    check : callable
        Called before each band; may raise, to stop.

    Returns
    -------
    ImageInfo
        What the image says of itself.

    Raises
    ------
    FileFormatError
        Naming the image and rows that are not as they were written.
    """
    _check_complete(source, witness.sums)
    image = ZarrImage(folder)
    _check_facts(image.info, source)
    labels = dict(zip(source.labels, label_paths(list(source.labels)), strict=True))
    images = {"": image} | {name: ZarrImage(folder / "labels" / path) for name, path in labels.items()}
    for name, one in images.items():
        _check_levels(one, source, name)
    width = source.shape[4]
    for (name, t, c, z, top, bottom), checksum in witness.sums.items():
        check()
        plane = ImagePlane(images[name], c, source.shape[1] if not name else 1)
        rows = read_window(plane, t, z, Window(0, width, top, bottom))
        if _checksum(rows) != checksum:
            what = f"label image {name}" if name else f"channel {source.channels[c]}"
            raise FileFormatError(
                f"image {source.name}, {what}, t {t}, z {z}, rows {top} to {bottom - 1}: they read back otherwise "
                "than they were written; is the disk sound?"
            )
    return image.info


def _check_complete(source: ImageSource, sums: Mapping[_Rows, int]) -> None:
    times, channels, depth, height, _ = source.shape
    rows: dict[str, int] = dict.fromkeys(["", *source.labels], 0)
    for name, *_, top, bottom in sums:
        rows[name] += bottom - top
    for name, found in rows.items():
        wanted = times * depth * height * (1 if name else channels)
        if found != wanted:
            raise FileFormatError(f"image {source.name}: {found} rows of {name or 'pixels'} were written, not {wanted}")


def _check_facts(info: ImageInfo, source: ImageSource) -> None:
    """Check what the file says of itself."""
    dtype = np.dtype(np.uint8) if source.dtype.kind == "b" else source.dtype
    facts = {
        "shape": (info.shape, source.shape),
        "type of pixels": (info.dtype.newbyteorder("="), dtype.newbyteorder("=")),
        "times": (_known(info.times_s), _known(source.times_s)),
    }
    for what, (found, wanted) in facts.items():
        if found != wanted:
            raise FileFormatError(f"image {source.name}: its {what} read back as {found}, written was {wanted}")
    for what, size, stated in (
        ("pixel size", info.pixel_size_um, source.pixel_size_um),
        ("step in z", info.z_step_um, source.z_step_um),
    ):
        if (size is None) != (stated is None) or (size and stated and not math.isclose(size, stated, rel_tol=_SAME)):
            raise FileFormatError(f"image {source.name}: its {what} reads back as {size} µm, written was {stated} µm")


def _known(times: tuple[float, ...] | None) -> list[float | None]:
    known = [None if math.isnan(time) else time for time in times or ()]
    return known if any(time is not None for time in known) else []


def _check_levels(image: ZarrImage, source: ImageSource, name: str) -> None:
    """Check that every coarser level is there, in its size."""
    import zarr

    attributes = image.attributes()
    (multiscale,) = attributes.get("ome", attributes)["multiscales"]
    for n, level in enumerate(multiscale["datasets"]):
        found = zarr.open_array(image.path / level["path"], mode="r").shape[3:]
        wanted = tuple(math.ceil(size / 2**n) for size in source.shape[3:])
        if found != wanted:
            raise FileFormatError(f"image {source.name}, {name or 'pixels'}, level {n}: it is {found} px, not {wanted}")

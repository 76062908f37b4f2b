"""Bundles as images: the frames of a stack, or an image with its channels."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from ...errors import FileFormatError
from ..array_image import PlaneImage, plane_info
from ..bundle_reading import HDF5_SUFFIXES, NPZ_SUFFIXES, LazyFrames, bundle_kind, read_image_bundle
from ..format_tools import Recent
from ..image import ImageInfo, file_state
from .hdf5_bundle import read_h5_facts
from .npz_bundle import load_npz_bundle

if TYPE_CHECKING:
    from numpy.typing import NDArray

BUNDLE_SUFFIXES = (*NPZ_SUFFIXES, *HDF5_SUFFIXES)
"""Of files that may be bundles."""


@dataclass(frozen=True)
class _Content:
    """What a bundle holds; what lies in HDF5 is read when it is asked for."""

    info: ImageInfo
    axes: str
    data: NDArray[Any] | LazyFrames
    masks: Mapping[str, NDArray[Any] | LazyFrames]


_KEPT: Recent[_Content] = Recent(4)
"""The bundles read last: NPZ is packed as a whole, and read as a whole."""


class BundleImage(PlaneImage):
    """A bundle of a stack (its frames, not its processed layers) or of an image."""

    kind: ClassVar[str] = "a bundle"

    @property
    def _content(self) -> _Content:
        return _KEPT.get((self.path, *file_state(self.path)), lambda: _read(self.path))

    @cached_property
    def mask_planes(self) -> Mapping[str, int]:
        """How many planes (frames, or z) each mask has, by name."""
        height, width = self.info.shape[3:]
        return {
            name: mask.shape[0] if mask.ndim == 3 else 1
            for name, mask in self._content.masks.items()
            if mask.shape[-2:] == (height, width)
        }

    def describe(self) -> ImageInfo:
        """Read shape, names, pixel size and times."""
        return self._content.info

    def plane(self, channel: int, t: int, z: int) -> NDArray[Any]:
        """Read one plane."""
        found = self._content
        at = {"T": t, "C": channel, "Z": z}
        made = found.data[tuple(at[axis] for axis in found.axes[:-2])]
        return np.asarray(made, found.info.dtype)

    def mask(self, name: str) -> NDArray[Any]:
        """Give the first frame of a mask, ``(H, W)``."""
        found = self._content.masks[name]
        made: NDArray[Any] = found[0] if found.ndim == 3 else found[...]
        return made


@dataclass(frozen=True)
class BundleMask(PlaneImage):
    """The first frame of a mask of a bundle.

    Parameters
    ----------
    path : Path
        The file.
    name : str
        Of the mask.
    """

    name: str
    kind: ClassVar[str] = "a bundle"

    @property
    def within(self) -> str:
        """The mask's name."""
        return self.name

    def describe(self) -> ImageInfo:
        """Read its size and type."""
        mask = BundleImage(self.path).mask(self.name)
        return plane_info((1, 1, 1, *mask.shape), mask.dtype, (self.name,), pixel_size_um=None)

    def plane(self, channel: int, t: int, z: int) -> NDArray[Any]:  # noqa: ARG002
        """Read it."""
        return BundleImage(self.path).mask(self.name)


def _read(path: Path) -> _Content:
    """Read a bundle of either kind.

    Raises
    ------
    FileFormatError
        Naming file and key, if it is none, or broken.
    """
    kind = bundle_kind(path)
    if kind == "image":
        return _read_image(path)
    if kind is None:
        raise FileFormatError(f"{path}: it is no bundle of a stack or image")
    if path.suffix.lower() in NPZ_SUFFIXES:
        stack = load_npz_bundle(path)
        data: NDArray[Any] | LazyFrames = stack.data
        masks: dict[str, NDArray[Any] | LazyFrames] = dict(stack.masks)
    else:
        stack, sizes = read_h5_facts(path)
        data = _lazy(path, "data", stack.data)
        masks = {name: _lazy(path, key, mask) for name, (key, mask) in sizes.items()}
    frames, height, width = stack.data.shape
    times = stack.times_s
    info = plane_info(
        (frames, 1, 1, height, width),
        stack.data.dtype,
        (stack.channel,),
        pixel_size_um=stack.pixel_size_nm / 1000,
        times_s=None if np.isnan(times).all() else tuple(times.tolist()),
    )
    return _Content(info, "TYX", data, masks)


def _lazy(path: Path, key: str, like: NDArray[Any]) -> LazyFrames:
    return LazyFrames(path, key, like.shape, like.dtype, (None,) * like.ndim)


def _read_image(path: Path) -> _Content:
    found = read_image_bundle(path)
    sizes = dict(zip(found.axes, found.data.shape, strict=True))
    shape = (sizes["T"], sizes.get("C", 1), sizes.get("Z", 1), sizes["Y"], sizes["X"])
    known = not np.isnan(found.times_s).all()
    info = plane_info(
        shape,
        found.data.dtype,
        found.channels,
        pixel_size_um=found.pixel_size_um,
        z_step_um=found.z_step_um,
        times_s=tuple(found.times_s.tolist()) if known else None,
    )
    return _Content(info, found.axes, found.data, found.labels)

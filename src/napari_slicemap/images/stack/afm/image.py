"""Files of AFMs as images whose frames are read when they are asked for."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from ...array_image import PlaneImage, plane_info
from ...image import ImageInfo
from ..jpk import SUFFIX as JPK_VIDEO
from ..jpk import open_h5_jpk
from . import SUFFIXES, open_scan
from .scan import Scan

if TYPE_CHECKING:
    from numpy.typing import NDArray

IMAGE_SUFFIXES = (*SUFFIXES, JPK_VIDEO)
"""Of the files that can be read so."""


class AfmImage(PlaneImage):
    """A file of an AFM: its frames are time points, its channels those of the file."""

    kind: ClassVar[str] = "an AFM file"

    @cached_property
    def scan(self) -> Scan:
        """What the file says of itself, read at the first use.

        Raises
        ------
        FileFormatError
            Naming the file, if it cannot be read.
        """
        return open_h5_jpk(self.path) if self.path.suffix.lower() == JPK_VIDEO else open_scan(self.path)

    def describe(self) -> ImageInfo:
        """Read the header."""
        frames, height, width = self.scan.shape
        return plane_info(
            (frames, len(self.scan.channels), 1, height, width),
            np.dtype(np.float64),
            tuple(one.name for one in self.scan.channels),
            pixel_size_um=self.scan.pixel_size_nm / 1000,
            times_s=self.scan.times_s,
        )

    def plane(self, channel: int, t: int, z: int) -> NDArray[Any]:  # noqa: ARG002
        """Read one frame."""
        return self.scan.channels[channel].frame(t)


def is_afm_file(path: Path) -> bool:
    """Say whether a file's name is one of an AFM file that can be read."""
    return path.suffix.lower() in IMAGE_SUFFIXES

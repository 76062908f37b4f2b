"""Images that bioio reads, by whatever plugin of it is installed."""

from __future__ import annotations

import math
from collections.abc import Hashable
from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from ..errors import FileFormatError
from .array_image import PlaneImage, plane_info
from .format_tools import Recent, evenly, positive, square_size_um, unit_um
from .image import ImageInfo, file_state

if TYPE_CHECKING:
    from numpy.typing import NDArray

PLUGINS = {
    ".czi": "bioio-czi",
    ".dv": "bioio-dv",
    ".ims": "bioio-bioformats",
    ".lif": "bioio-lif",
    ".lsm": "bioio-tifffile",
    ".nd2": "bioio-nd2",
    ".oib": "bioio-bioformats",
    ".oif": "bioio-bioformats",
    ".r3d": "bioio-dv",
    ".sld": "bioio-bioformats",
    ".sldy": "bioio-sldy",
    ".vsi": "bioio-bioformats",
}
"""Suffix → the plugin that reads such files."""

_GPL = ("bioio-czi", "bioio-bioformats")
"""Plugins that are, or need, software under the GPL."""

_OPENED: Recent[Any] = Recent(8)
"""The scenes opened last: opening one asks every plugin."""


@dataclass(frozen=True)
class BioioImage(PlaneImage):
    """One scene of a file; planes are read one at a time.

    Parameters
    ----------
    path : Path
        The file.
    scene : int
        Which of its scenes.
    """

    scene: int = 0
    kind: ClassVar[str] = "an image for bioio"

    @property
    def within(self) -> Hashable:
        """The scene."""
        return self.scene

    @property
    def _opened(self) -> Any:
        return _OPENED.get((self.path, self.scene, *file_state(self.path)), self._open)

    def _open(self) -> Any:
        made = open_bioio(self.path)
        made.set_scene(self.scene)
        return made

    @cached_property
    def scenes(self) -> tuple[str, ...]:
        """Names of all scenes of the file."""
        return tuple(str(name) for name in self._opened.scenes)

    def describe(self) -> ImageInfo:
        """Read size, names, pixel size and times."""
        opened = self._opened
        sizes = {axis: int(opened.dims[axis][0]) for axis in opened.dims.order}
        if strange := set(sizes) - set("TCZYXS"):
            raise ValueError(
                f"it has axes {', '.join(sorted(strange))}; only T, C, Z, Y, X and samples of colour are read"
            )
        samples, names = sizes.get("S", 1), [str(name) for name in opened.channel_names or ()]
        if samples > 1:
            letters = "RGBA"[:samples] if samples <= len("RGBA") else range(samples)
            prefixes = [f"{name} " for name in names] if len(names) > 1 else [""]
            names = [f"{prefix}{letter}" for prefix in prefixes for letter in letters]
        size, step = opened.physical_pixel_sizes, _seconds(opened.time_interval)
        return plane_info(
            (sizes["T"], sizes["C"] * samples, sizes["Z"], sizes["Y"], sizes["X"]),
            np.dtype(opened.dtype),
            tuple(names),
            pixel_size_um=square_size_um(positive(size.X), positive(size.Y)),
            z_step_um=positive(size.Z),
            times_s=evenly(step, sizes["T"]),
        )

    def plane(self, channel: int, t: int, z: int) -> NDArray[Any]:
        """Read one plane."""
        opened = self._opened
        at = {"T": t, "C": channel, "Z": z}
        if "S" in opened.dims.order:
            at["C"], at["S"] = divmod(channel, int(opened.dims["S"][0]))
        return np.asarray(opened.get_image_dask_data("YX", **at).compute())

    def position_um(self) -> tuple[float, float] | None:
        """Give the stage position of the scene's first plane, µm; ``None`` where the file states none."""
        try:
            described = self._opened.ome_metadata
        except NotImplementedError:  # of plugins that do not bring their metadata to OME's form
            return None
        if self.scene >= len(described.images):
            return None
        first = next(iter(described.images[self.scene].pixels.planes), None)
        if first is None:
            return None
        x = _length_um(first.position_x, first.position_x_unit)
        y = _length_um(first.position_y, first.position_y_unit)
        return None if x is None or y is None else (x, y)


def open_bioio(path: Path) -> Any:
    """Open a file by bioio.

    Raises
    ------
    FileFormatError
        Naming what is to be installed, if that is bioio, or a plugin of it.
    """
    plugin = PLUGINS.get(path.suffix.lower(), "the plugin for it")
    needed = f"{plugin} (under the GPL)" if plugin in _GPL else plugin
    try:
        from bioio import BioImage
        from bioio_base.exceptions import UnsupportedFileFormatError
    except ModuleNotFoundError as error:
        install = f"pip install 'napari-slicemap[bioio]', and {needed}"
        raise FileFormatError(f"{path}: {path.suffix} files are read by bioio: {install} ({error})") from None
    try:
        return BioImage(path)
    except UnsupportedFileFormatError as error:
        said = " ".join(str(error).split())
        raise FileFormatError(
            f"{path}: no plugin of bioio that is installed reads it; {path.suffix} files need {needed} ({said[:200]})"
        ) from error


def _seconds(interval: Any) -> float | None:
    """Give a time from frame to frame, s; plugins state it as a duration or a number."""
    return positive(interval.total_seconds() if isinstance(interval, timedelta) else interval)


def _length_um(value: float | None, unit: Any) -> float | None:
    """Give a position as OME states it, µm; ``None`` for one that is not stated, or in no unit of length."""
    scale = unit_um(str(getattr(unit, "value", unit)))
    if value is None or scale is None or not math.isfinite(value):
        return None
    return float(value) * scale

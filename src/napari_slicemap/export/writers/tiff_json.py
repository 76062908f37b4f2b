"""TIFF + JSON: frames as one TIFF, and all that is known of them as JSON beside it."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from ...files import FileModel, safe_stem
from ..content.pixels import PixelData
from . import Takes
from .masks import tell_of_masks

if TYPE_CHECKING:
    from ...images.source import ImageSource


class TiffJsonOptions(FileModel):
    """TIFF + JSON has no options."""


class TiffJsonWriter:
    """A folder with ``<name>.ome.tiff``, ``<name>.metadata.json`` and ``metadata.json``.

    The image is held in memory; masks are not kept, and those asked for are named. The provenance is in the notes.
    """

    name: ClassVar[str] = "tif-json"
    suffix: ClassVar[str] = ".frames"
    summary: ClassVar[str] = "TIFF + JSON, the pixels themselves, with metadata as JSON beside them; held in memory"
    takes: ClassVar[Takes] = "pixels"
    folder: ClassVar[bool] = True
    largest_side: ClassVar[int] = 2**31 - 1
    Options: ClassVar[type[FileModel]] = TiffJsonOptions

    def write(self, path: Path, content: PixelData, options: TiffJsonOptions) -> None:  # noqa: ARG002
        """Write the folder; see :class:`Writer`."""
        from ...images.config_frames import MetaData, OutputParameters, save_config_frames

        source = content.source
        notes = {"provenance": dict(content.provenance)} if content.provenance else ""
        config = MetaData(axes="TCZYX", notes=notes, **_known(source))
        save_config_frames(
            config, source.array(), OutputParameters(output_path=path, output_name=safe_stem(source.name))
        )
        tell_of_masks(content, self.name)


def _known(source: ImageSource) -> dict[str, Any]:
    """Say what is known of an image, by the names that OME has for it."""
    known: dict[str, Any] = {"Channel": {"Name": list(source.channels)}}
    if source.pixel_size_um is not None:
        for axis in "XY":
            known |= {f"PhysicalSize{axis}": source.pixel_size_um, f"PhysicalSize{axis}Unit": "µm"}
    if source.z_step_um is not None:
        known |= {"PhysicalSizeZ": source.z_step_um, "PhysicalSizeZUnit": "µm"}
    if (step := source.time_increment_s) is not None:
        known |= {"TimeIncrement": step, "TimeIncrementUnit": "s"}
    planes = [_plane(source, t) for t, _, _ in source.planes()]
    return known | ({"Plane": planes} if any(planes) else {})


def _plane(source: ImageSource, t: int) -> dict[str, Any]:
    """Say when and where a plane was taken, as far as that is known."""
    known: dict[str, Any] = {}
    if source.times_s is not None and math.isfinite(source.times_s[t]):
        known |= {"DeltaT": source.times_s[t], "DeltaTUnit": "s"}
    if source.position_um is not None:
        for axis, at in zip("XY", source.position_um, strict=True):
            known |= {f"Position{axis}": at, f"Position{axis}Unit": "µm"}
    return known

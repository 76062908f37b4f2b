"""TIFF + JSON: frames as one TIFF, and all that is known of them as JSON beside it."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

from ...files import FileModel, safe_stem
from ..pixels import PixelData
from . import Takes


class TiffJsonOptions(FileModel):
    """TIFF + JSON has no options."""


class TiffJsonWriter:
    """A folder with ``<name>.ome.tiff``, ``<name>.metadata.json`` and ``metadata.json``; it is held in memory."""

    name: ClassVar[str] = "tif-json"
    suffix: ClassVar[str] = ".frames"
    summary: ClassVar[str] = "TIFF + JSON, the pixels themselves, with metadata as JSON beside them"
    takes: ClassVar[Takes] = "pixels"
    folder: ClassVar[bool] = True
    largest_side: ClassVar[int] = 2**31 - 1
    Options: ClassVar[type[FileModel]] = TiffJsonOptions

    def write(self, path: Path, content: PixelData, options: TiffJsonOptions) -> None:  # noqa: ARG002
        """Write the folder; see :class:`Writer`."""
        from ...images.config_frames import MetaData, OutputParameters, save_config_frames

        source = content.source
        known: dict[str, Any] = {"Channel": {"Name": list(source.channels)}}
        if source.pixel_size_um is not None:
            for axis in "XY":
                known |= {f"PhysicalSize{axis}": source.pixel_size_um, f"PhysicalSize{axis}Unit": "µm"}
        if source.z_step_um is not None:
            known |= {"PhysicalSizeZ": source.z_step_um, "PhysicalSizeZUnit": "µm"}
        if (step := source.time_increment_s) is not None:
            known |= {"TimeIncrement": step, "TimeIncrementUnit": "s"}
        config = MetaData(axes="TCZYX", notes={"provenance": dict(content.provenance)}, **known)
        save_config_frames(
            config, source.array(), OutputParameters(output_path=path, output_name=safe_stem(source.name))
        )

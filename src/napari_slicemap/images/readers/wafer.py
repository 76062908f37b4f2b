"""Wafers of sections: a light-microscope image each, and beside it a ``.magc`` file of where the sections lie."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from ...errors import FileFormatError, TileReadError
from ..acquisition import Acquisition, ReadOptions, TilePosition
from ..folders import files_in
from ..fov import Fov
from ..image import ImageFile, ImagePlane
from ..labels import masks_and_annotations
from ..opening import open_image

_ROIS = ".magc"
_IMAGES = (".tif", ".tiff", ".png", ".jpg", ".jpeg")


class Wafer:
    """``<wafer>.magc`` and ``<wafer>.jpg`` (or ``.png``, ``.tif``): one FOV and one map each."""

    name = "wafer"
    summary = "an image of a wafer and its .magc file"

    def detect(self, path: Path) -> str:
        """Say which image and ROI file belong together."""
        pairs = _pairs(path)
        return f"{pairs[0][1].name} shows the wafer of {pairs[0][0].name}" if pairs else ""

    def read(self, path: Path, options: ReadOptions) -> Acquisition:
        """Read what the images say of themselves; their pixels and the ROIs are read when asked for."""
        pairs = _pairs(path)
        if not pairs:
            raise FileFormatError(f"{path}: expected <wafer>{_ROIS} and an image of that name beside it")
        images = {rois.stem: open_image(image) for rois, image in pairs}
        known = _channels(images)
        problems: list[str] = []
        masks, annotations = masks_and_annotations(options, set(images), problems)
        fovs = {
            name: replace(
                _fov(name, image, known[name], options.pixel_size_um), masks=masks[name], annotations=annotations[name]
            )
            for name, image in images.items()
        }
        return Acquisition(
            layout=self.name,
            root=path,
            fovs=fovs,
            positions=tuple(
                TilePosition(map_id=rois.stem, fov=rois.stem, source=str(image), origin_px=(0.0, 0.0))
                for rois, image in pairs
            ),
            cells=options.cell_table,
            cell_columns=options.cell_columns,
            problems=tuple(problems),
            roi_file=pairs[0][0] if len(pairs) == 1 else path,
        )


def _pairs(path: Path) -> list[tuple[Path, Path]]:
    """List the ROI files that have an image, with it: that of their name, or the only one there is."""
    folder = path if path.is_dir() else path.parent
    if not path.is_dir() and not (path.suffix.lower() == _ROIS and path.is_file()):
        return []
    wafers = files_in(folder, (_ROIS,)) if path.is_dir() else [path]
    images = files_in(folder, _IMAGES) if wafers else []
    of_name = {file.stem: file for file in reversed(images)}
    if len(wafers) == len(images) == 1:
        return [(wafers[0], images[0])]
    return [(wafer, of_name[wafer.stem]) for wafer in wafers if wafer.stem in of_name]


def _channels(images: dict[str, ImageFile]) -> dict[str, tuple[str, ...]]:
    """Ask each image for its channels; one that cannot be read is taken to have those of another."""
    found: dict[str, tuple[str, ...]] = {}
    failure: TileReadError | None = None
    for name, image in images.items():
        try:
            found[name] = image.info.channel_names
        except TileReadError as error:
            failure = failure or error
    if failure is not None and not found:
        raise failure
    others = next(iter(found.values()))
    return {name: found.get(name, others) for name in images}


def _fov(name: str, image: ImageFile, channels: tuple[str, ...], fallback_um: float | None) -> Fov:
    planes = {channel: ImagePlane(image, index, channels) for index, channel in enumerate(channels)}
    return Fov(name=name, planes=planes, fallback_pixel_size_um=fallback_um)

"""Files of AFMs, and bundles: one FOV for each, on no map."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from ...errors import FileFormatError, TileReadError, listing
from ..acquisition import Acquisition, ReadOptions, image_files
from ..array_image import PlaneImage
from ..bundle_reading import bundle_kind
from ..folders import files_in, folders_in
from ..fov import Fov
from ..image import ImagePlane
from ..labels import masks_and_annotations
from ..plane import Plane
from ..stack.afm import NOT_READ
from ..stack.afm.image import IMAGE_SUFFIXES, AfmImage
from ..stack.bundle_image import BUNDLE_SUFFIXES, BundleImage, BundleMask

_OWN_FOLDERS = ("masks", "annotations", "maps", "exports")
"""Folders of the project, which hold no FOVs."""
_LEFT_OUT = "; left out"
_MOST_LOOKED_INTO = 20
"""Files of a folder that are looked into to tell a bundle from other NPZ or HDF5."""


class AfmFiles:
    """``<FOV>.asd``, ``.h5-jpk``, ``.jpk``, ``.top`` …, and bundles (``.npz``, ``.h5``) of stacks and images."""

    name = "afm"
    summary = "a file or folder of AFM scans (.asd, .gwy, .h5-jpk, .ibw, .jpk, .stp, .top, .topostats …) or bundles"

    def detect(self, path: Path) -> str:
        """Say which file was found first."""
        if path.is_file():
            return _why(path)
        if not path.is_dir():
            return ""
        files = _files(path)
        if found := next((file for file in files if _is_afm(file)), None):
            return _why(found)
        return next(filter(None, map(_why, _possible_bundles(path, files)[:_MOST_LOOKED_INTO])), "")

    def read(self, path: Path, options: ReadOptions) -> Acquisition:
        """Read the header of each file; one that cannot be read is told and left out.

        Raises
        ------
        FileFormatError
            If no file can be read, or two FOVs would share a name.
        """
        problems: list[str] = []
        names = _names([path] if path.is_file() else _wanted(path))
        found = {name: image for name, file in names.items() if (image := _opened(file, problems))}
        if not found:
            told = "; ".join(one.removesuffix(_LEFT_OUT) for one in problems[:3])
            raise FileFormatError(told or f"{path}: there is no file of an AFM, and no bundle")
        masks, annotations = masks_and_annotations(options, set(found), problems)
        fovs = {
            name: Fov(
                name=name,
                planes={
                    channel: ImagePlane(image, number, image.info.channel_names)
                    for number, channel in enumerate(image.info.channel_names)
                },
                fallback_pixel_size_um=options.pixel_size_um,
                masks={**_own_masks(image, problems), **masks[name]},
                annotations=annotations[name],
            )
            for name, image in found.items()
        }
        return Acquisition(
            layout=self.name,
            root=path,
            fovs=fovs,
            cells=options.cell_table,
            cell_columns=options.cell_columns,
            problems=tuple(problems),
        )


def _why(file: Path) -> str:
    if _is_afm(file):
        return f"{file.name} is a file of an AFM"
    kind = bundle_kind(file) if file.suffix.lower() in BUNDLE_SUFFIXES else None
    return f"{file.name} is a bundle of {'a stack' if kind == 'stack' else 'an image'}" if kind else ""


def _is_afm(file: Path) -> bool:
    return file.suffix.lower() in (*IMAGE_SUFFIXES, *NOT_READ)


def _files(folder: Path) -> list[Path]:
    return files_in(folder, (*IMAGE_SUFFIXES, *NOT_READ, *BUNDLE_SUFFIXES))


def _possible_bundles(folder: Path, files: Sequence[Path]) -> list[Path]:
    """List the files that may be bundles; none where other images lie beside them, which are then what is meant."""
    found = [file for file in files if file.suffix.lower() in BUNDLE_SUFFIXES]
    if not found or image_files(folder) or any(one.name not in _OWN_FOLDERS for one in folders_in(folder)):
        return []
    return found


def _wanted(folder: Path) -> list[Path]:
    """List the files of a folder that are FOVs."""
    files = _files(folder)
    bundles = {file for file in _possible_bundles(folder, files) if bundle_kind(file)}
    return [file for file in files if _is_afm(file) or file in bundles]


def _names(files: Sequence[Path]) -> Mapping[str, Path]:
    """Name the FOVs: by the stem, with the suffix where several files share it.

    Raises
    ------
    FileFormatError
        If two would share a name all the same.
    """
    stems = Counter(file.stem for file in files)
    names: dict[str, Path] = {}
    for file in files:
        name = file.stem if stems[file.stem] == 1 else f"{file.stem}_{file.suffix.lower().removeprefix('.')}"
        if name in names:
            raise FileFormatError(f"{file}: FOV {name} is {names[name].name} already; rename one of the two")
        names[name] = file
    return names


def _opened(file: Path, problems: list[str]) -> PlaneImage | None:
    """Read the header of a file; ``None``, and a problem, if that fails."""
    image: PlaneImage = AfmImage(file) if _is_afm(file) else BundleImage(file)
    try:
        _ = image.info
    except TileReadError as error:
        problems.append(f"{error}{_LEFT_OUT}")
        return None
    return image


def _own_masks(image: PlaneImage, problems: list[str]) -> Mapping[str, Plane]:
    """Give the masks of a bundle that are one plane, as those of FOVs are; the others are told."""
    if not isinstance(image, BundleImage):
        return {}
    planes = image.mask_planes
    if several := [name for name, count in planes.items() if count != 1]:
        problems.append(f"{image.path}: masks of several planes are left out: {listing(several)}")
    return {name: ImagePlane(BundleMask(image.path, name)) for name, count in planes.items() if count == 1}

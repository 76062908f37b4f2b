"""A folder of FOV folders, one TIFF per channel, as MIBI and UELer users keep them."""

from __future__ import annotations

from pathlib import Path

from ...errors import FileFormatError
from ..acquisition import Acquisition, ReadOptions, image_files
from ..folders import folders_in
from ..fov import Fov
from ..image import ImagePlane
from ..labels import masks_and_annotations
from ..opening import open_image


class FovFolders:
    """``<FOV>/[rescaled/]<channel>.tif[f]``, ``<masks>/<FOV>_<mask>.tif[f]``, a cell table."""

    name = "fov-folders"
    summary = "a folder of FOV folders with one TIFF per channel"

    def detect(self, path: Path) -> str:
        """Say which FOV folder was found first."""
        if not path.is_dir():
            return ""
        skip = frozenset(path / name for name in ("masks", "annotations", "exports"))
        folders = (folder for folder in _subfolders(path, skip) if _images(folder))
        first, second = next(folders, None), next(folders, None)
        if first is None:
            return ""
        # FOVs have channels in common; folders that have none are of different things
        if second is not None and not _stems(first) & _stems(second):
            return ""
        beside = len(image_files(path))
        # tiles or sections, with a folder of something else beside them
        if beside > 1 and beside > 1 + (second is not None) + sum(1 for _ in folders):
            return ""
        return f"folder {first.name} holds one TIFF per channel"

    def read(self, path: Path, options: ReadOptions) -> Acquisition:
        """List the FOV folders; no image is opened."""
        if not path.is_dir():
            raise FileFormatError(f"{path}: expected a folder of FOV folders")
        files = {folder.name: _channel_files(folder) for folder in _subfolders(path, options.skip)}
        files = {name: found for name, found in files.items() if found}
        if not files:
            raise FileFormatError(f"{path}: no folder in it holds TIFF files, so there is no FOV")
        problems: list[str] = []
        masks, annotations = masks_and_annotations(options, set(files), problems)
        fovs = {
            name: Fov(
                name=name,
                planes={channel: ImagePlane(open_image(file)) for channel, file in found.items()},
                fallback_pixel_size_um=options.pixel_size_um,
                masks=masks[name],
                annotations=annotations[name],
            )
            for name, found in files.items()
        }
        return Acquisition(
            layout=self.name,
            root=path,
            fovs=fovs,
            cells=options.cell_table,
            cell_columns=options.cell_columns,
            problems=tuple(problems),
            stage_y_stated=False,
        )


def _subfolders(path: Path, skip: frozenset[Path]) -> list[Path]:
    return [folder for folder in folders_in(path) if folder not in skip]


def _images(folder: Path) -> list[Path]:
    """List the channels' files; a ``rescaled`` folder goes before the files beside it."""
    return image_files(folder / "rescaled") or image_files(folder)


def _stems(folder: Path) -> set[str]:
    return {file.stem for file in _images(folder)}


def _channel_files(folder: Path) -> dict[str, Path]:
    """Give channel name → file."""
    found: dict[str, Path] = {}
    for file in _images(folder):
        if file.stem in found:
            raise FileFormatError(
                f"{folder}: channel {file.stem} stands twice, {found[file.stem].name} and {file.name}"
            )
        found[file.stem] = file
    return found

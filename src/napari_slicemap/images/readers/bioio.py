"""Files of microscopes' own formats, read by the optional package bioio and its plugins."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

from ...errors import FileFormatError, TileReadError
from ..acquisition import Acquisition, ReadOptions, TilePosition
from ..bioio_image import PLUGINS, BioioImage
from ..folders import files_in
from ..format_tools import named
from ..fov import Fov
from ..image import ImagePlane
from ..labels import masks_and_annotations

_LEFT_OUT = "; left out"
_NOT_PLAIN = re.compile(r"[^\w.+-]+")


class BioioImages:
    """``<name>.czi``, ``.lif``, ``.nd2`` …: each scene of each file is a FOV, each file with stage positions a map."""

    name = "bioio"
    summary = "a microscope's own file, or a folder of them, by bioio (.czi, .lif, .nd2, .dv, .oib, .sld, .vsi …)"

    def detect(self, path: Path) -> str:
        """Say which file was found first, by its suffix."""
        found = next(iter(_files(path)), None)
        return f"{found.name} is a {found.suffix.lower()} file, which bioio may read" if found else ""

    def read(self, path: Path, options: ReadOptions) -> Acquisition:
        """Read the metadata of each file; one that cannot be read is told and left out.

        Raises
        ------
        FileFormatError
            If no file can be read, saying what is to be installed where that is why.
        """
        problems: list[str] = []
        files = [path] if path.is_file() else _files(path)
        opened = {file: found for file in files if (found := _scenes(file, problems))}
        if not opened:
            told = "; ".join(one.removesuffix(_LEFT_OUT) for one in problems[:3])
            raise FileFormatError(told or f"{path}: expected a file that ends in {', '.join(PLUGINS)}")
        images = _names(opened)
        masks, annotations = masks_and_annotations(options, set(images), problems)
        fovs = {
            name: Fov(
                name=name,
                planes={
                    channel: ImagePlane(image, number, image.info.channel_names)
                    for number, channel in enumerate(image.info.channel_names)
                },
                fallback_pixel_size_um=options.pixel_size_um,
                masks=masks[name],
                annotations=annotations[name],
            )
            for name, image in images.items()
        }
        return Acquisition(
            layout=self.name,
            root=path,
            fovs=fovs,
            positions=_positions(images, problems),
            cells=options.cell_table,
            cell_columns=options.cell_columns,
            problems=tuple(problems),
            stage_y_stated=False,
        )


def _files(path: Path) -> list[Path]:
    if path.is_dir():
        return files_in(path, tuple(PLUGINS))
    return [path] if path.is_file() and path.suffix.lower() in PLUGINS else []


def _scenes(file: Path, problems: list[str]) -> list[BioioImage]:
    """Give the scenes of a file that can be read; the others are told."""
    first = BioioImage(file)
    try:
        with named(file, first.kind):
            count = len(first.scenes)
    except TileReadError as error:
        problems.append(_once(file, error))
        return []
    found = []
    for scene in range(count):
        image = BioioImage(file, scene)
        try:
            _ = image.info
        except TileReadError as error:
            problems.append(f"{_once(file, error)} (scene {scene})")
            continue
        found.append(image)
    return found


def _once(file: Path, error: TileReadError) -> str:
    """Tell an error that may name its file twice."""
    return f"{file}: {str(error).replace(f'{file}: ', '')}{_LEFT_OUT}"


def _names(opened: Mapping[Path, Sequence[BioioImage]]) -> dict[str, BioioImage]:
    """Name the FOVs by file, and by scene where a file has several."""
    stems = Counter(file.stem for file in opened)
    made: dict[str, BioioImage] = {}
    for file, images in opened.items():
        own = file.stem if stems[file.stem] == 1 else f"{file.stem}_{file.suffix.lower().removeprefix('.')}"
        scenes = [_NOT_PLAIN.sub("-", image.scenes[image.scene]).strip("-") for image in images]
        for image, scene in zip(images, scenes, strict=True):
            told = scene if scene and scenes.count(scene) == 1 else f"{scene or 'scene'}-{image.scene}"
            name = own if len(image.scenes) == 1 else f"{own}_{told}"
            if name in made:
                raise FileFormatError(f"{file}: FOV {name} is in {made[name].path.name} already; rename one of the two")
            made[name] = image
    return made


def _positions(images: Mapping[str, BioioImage], problems: list[str]) -> tuple[TilePosition, ...]:
    """Place the scenes of each file that states where they lie; scenes that all lie at one place are not placed."""
    of_file: dict[Path, dict[str, tuple[float, float]]] = defaultdict(dict)
    for name, image in images.items():
        try:
            with named(image.path, image.kind):
                position = image.position_um()
        except TileReadError as error:
            problems.append(f"{_once(image.path, error).removesuffix(_LEFT_OUT)}; FOV {name} is on no map")
            continue
        if position is not None:
            of_file[image.path][name] = position
    maps = Counter(file.stem for file in of_file)
    made: list[TilePosition] = []
    for file, found in of_file.items():
        if len(found) > 1 and len(set(found.values())) == 1:
            problems.append(f"{file}: all scenes state the same stage position, so they are on no map")
            continue
        map_id = file.stem if maps[file.stem] == 1 else file.name
        for name, position in found.items():
            height, width = images[name].info.shape[3:]
            size = images[name].info.pixel_size_um
            made.append(TilePosition(map_id, name, str(file), position, None, (width, height), size))
    return tuple(made)

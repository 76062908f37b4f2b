"""A folder of images, each of them a slice of its own; or a single image."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from ...errors import FileFormatError, SlicemapError, listing
from ..acquisition import Acquisition, Missing, ReadOptions, TilePosition
from ..folders import files_in
from ..fov import Fov
from ..image import ImageFile, ImageInfo, ImagePlane
from ..labels import masks_and_annotations
from ..opening import PLAIN_ENDINGS, open_image
from ..tiles.schemes import counted_pattern


class SectionImages:
    """One image a slice (TIFF, PNG, JPEG, BMP); the slice's id is the number in its name that counts the slices."""

    name = "section-images"
    summary = "a folder of images (TIFF, PNG, JPEG, BMP), one a slice, or a single image"

    def detect(self, path: Path) -> str:
        """Say how many images there are."""
        files = _images(path)
        if path.is_dir():
            return f"{len(files)} images, each taken for a slice" if len(files) > 1 else ""
        return "a single image" if files else ""

    def read(self, path: Path, options: ReadOptions) -> Acquisition:
        """Read the metadata of each image: their sizes are stated nowhere else."""
        files = _images(path)
        if not files:
            raise FileFormatError(f"{path}: expected an image ({', '.join(PLAIN_ENDINGS)}) or a folder of images")
        problems: list[str] = []
        if options.tiles is not None:
            problems.append(
                f"{path}: how tiles lie is stated, but each image is taken for a slice; state --tiles as well"
            )
        ids = _slice_ids(_one_a_stem(files, problems))
        images = {slice_id: open_image(file) for slice_id, file in ids.items()}
        infos = _infos(images, problems)
        first = next(iter(infos))  # what cannot be read is taken to be like it, and fails when its pixels are wanted
        masks, annotations = masks_and_annotations(options, {file.stem for file in ids.values()}, problems)
        fovs: dict[str, Fov] = {}
        positions: list[TilePosition] = []
        for slice_id, image in images.items():
            name = ids[slice_id].stem
            like = "" if slice_id in infos else str(images[first].path)
            fov = _fov(name, image, infos.get(slice_id, infos[first]), like, options.pixel_size_um)
            fovs[name] = replace(fov, masks=masks[name], annotations=annotations[name])
            positions.append(
                TilePosition(slice_id, name, str(image.path), None, (0.0, 0.0), fov.size_hint, fov.pixel_size_um)
            )
        return Acquisition(
            layout=self.name,
            root=path,
            fovs=fovs,
            positions=tuple(positions),
            cells=options.cell_table,
            cell_columns=options.cell_columns,
            problems=tuple(problems),
            missing=_missing(list(ids.values())),
        )


def _images(path: Path) -> list[Path]:
    """List the images of a folder by name, or the image that a path is."""
    if path.is_file():
        return [path] if path.name.lower().endswith(PLAIN_ENDINGS) else []
    if not path.is_dir():
        return []
    return files_in(path, PLAIN_ENDINGS)


def _one_a_stem(files: Sequence[Path], problems: list[str]) -> list[Path]:
    """Choose among images of one name and different kinds: TIFF before pictures, which are often made from it."""
    chosen: dict[str, Path] = {}
    for file in sorted(files, key=lambda file: PLAIN_ENDINGS.index(file.suffix.lower())):
        chosen.setdefault(file.stem, file)
    kept = set(chosen.values())
    if others := [file.name for file in files if file not in kept]:
        problems.append(f"{files[0].parent}: there are images of the same names, and left out are {listing(others, 3)}")
    return [file for file in files if file in kept]


def _slice_ids(files: Sequence[Path]) -> dict[str, Path]:
    """Give slice id → image: the number that counts the images, with its zeros; the name of one that has none."""
    usual = Counter(_with_numbers_out(file) for file in files).most_common(1)[0][0]
    alike = [file for file in files if _with_numbers_out(file) == usual]
    columns = list(zip(*(_NUMBERS.findall(file.stem) for file in alike), strict=True))
    counting = [column for column in columns if len(set(column)) > 1]
    # one number that differs, in each image another: 3 and 03 would be the same slice
    clear = len(counting) == 1 and len({int(one) for one in counting[0]}) == len(alike)
    ids = dict(zip(alike, counting[0], strict=True)) if clear else {}
    found = {ids.get(file, file.stem): file for file in files}
    return found if len(found) == len(files) else {file.stem: file for file in files}


_NUMBERS = re.compile("[0-9]+")


def _with_numbers_out(file: Path) -> str:
    return _NUMBERS.sub("#", file.stem)


def _infos(images: Mapping[str, ImageFile], problems: list[str]) -> dict[str, ImageInfo]:
    """Read the metadata of the images that can be read."""
    found: dict[str, ImageInfo] = {}
    failure: SlicemapError | None = None
    for slice_id, image in images.items():
        try:
            found[slice_id] = image.info
        except SlicemapError as error:
            failure = failure or error
            problems.append(str(error))
    if not found and failure:
        raise failure
    return found


def _fov(name: str, image: ImageFile, info: ImageInfo, like: str, fallback_pixel_size_um: float | None) -> Fov:
    planes = {channel: ImagePlane(image, at, info.channel_names) for at, channel in enumerate(info.channel_names)}
    return Fov(
        name=name,
        planes=planes,
        stated_pixel_size_um=info.pixel_size_um,
        like=like,
        fallback_pixel_size_um=fallback_pixel_size_um,
        size_hint=(info.shape[4], info.shape[3]),
    )


def _missing(files: Sequence[Path]) -> tuple[Missing, ...]:
    """Say that numbered images could be tiles just as well."""
    pattern = counted_pattern([file.name for file in files])
    if not pattern:
        return ()
    columns = math.ceil(math.sqrt(len(files)))
    option = f"--tiles '{pattern}' --grid {math.ceil(len(files) / columns)}x{columns} --overlap 10%"
    what = "whether the images are tiles of one map"
    return (Missing(what, "each is taken for a slice of its own", option, "tiles"),)

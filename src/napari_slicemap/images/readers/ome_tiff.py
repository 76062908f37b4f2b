"""OME-TIFF files: images with names, sizes and stage positions of their own, in one file or many."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ...errors import FileFormatError, TileReadError, listing
from ..acquisition import Acquisition, ReadOptions, TilePosition
from ..folders import files_in, folders_in
from ..fov import Fov
from ..image import ImageInfo, ImagePlane
from ..labels import masks_and_annotations
from ..opening import plain_name
from ..plane import Plane
from ..tiff.ome_files import COMPANION, DescribedImage, OmeFile, read_ome_file

_ENDINGS = (".ome.tif", ".ome.tiff", ".ome.tf2", ".ome.tf8", ".ome.btf")
_TIFF_ENDINGS = (".tif", ".tiff", ".tf2", ".tf8", ".btf")
_ENDING = re.compile(r"(\.ome)?\.(tiff?|tf2|tf8|btf|ome)$|\.companion\.ome$", re.IGNORECASE)
_HEAD = 4096
_NOT_IMAGES = ("masks", "annotations", "exports")


class OmeTiff:
    """``*.ome.tif[f]`` or ``*.companion.ome``: one, a folder of them (one map), or folders of them (a map each)."""

    name = "ome-tiff"
    summary = "an OME-TIFF file, a folder of OME-TIFF files, or a folder of such folders"

    def detect(self, path: Path) -> str:
        """Say which OME-TIFF file was found first; of a file of another name, its beginning is looked at."""
        if path.is_file():
            return "the file is OME-TIFF" if _is_ome(path) or _begins_as_ome(path) else ""
        if not path.is_dir():
            return ""
        if files := _ome_files(path):
            return f"{files[0].name} is OME-TIFF"
        folders = _subfolders(path, frozenset(path / name for name in _NOT_IMAGES))
        found = next((files[0] for folder in folders if (files := _ome_files(folder))), None)
        return f"{found.relative_to(path).as_posix()} is OME-TIFF" if found else ""

    def read(self, path: Path, options: ReadOptions) -> Acquisition:
        """Read the OME-XML of each file, but of a set of files only one; those that cannot be read are left out.

        A position is the centre of an image, unless napari-slicemap wrote it (see
        :func:`~napari_slicemap.images.tiff.ome_files.read_ome_file`). Which way stage y grows, OME-XML does not say;
        that of imaging mass cytometers points up, and napari-slicemap writes it down where it does.
        """
        problems: list[str] = []
        found: list[_Found] = []
        for map_id, files in _maps(path, options.skip).items():
            found += [_Found(map_id, file.path, one) for file in _sets(files, problems) for one in file.images]
        if not found:
            why = f"no image in it can be read: {problems[0]}" if problems else "it holds no OME-TIFF file"
            raise FileFormatError(f"{path}: {why}")
        _name(found)
        up = _stage_up(found)
        masks, annotations = masks_and_annotations(options, {one.name for one in found}, problems)
        settings: dict[str, dict[str, str]] = {}
        for one in found:
            for channel, color in one.described.colors.items():
                settings.setdefault(channel, {"color": color})
        return Acquisition(
            layout=self.name,
            root=path,
            fovs={
                one.name: Fov(
                    name=one.name,
                    planes=one.planes(),
                    fallback_pixel_size_um=options.pixel_size_um,
                    stated_pixel_size_um=one.info.pixel_size_um,
                    size_hint=one.size_px,
                    masks=masks[one.name],
                    annotations=annotations[one.name],
                )
                for one in found
            },
            positions=_positions(path, found, options.pixel_size_um, problems),
            cells=options.cell_table,
            cell_columns=options.cell_columns,
            problems=tuple(problems),
            stage_y="up" if up else "down",
            stage_y_stated=up,
            channel_settings=settings,
        )


# --- which files -------------------------------------------------------------------------------------------------
def _is_ome(path: Path) -> bool:
    return path.name.lower().endswith((*_ENDINGS, COMPANION))


def _begins_as_ome(path: Path) -> bool:
    """Look for OME-XML where most writers put it: right behind the table of the first page."""
    if not path.name.lower().endswith(_TIFF_ENDINGS):
        return False
    with path.open("rb") as stream:
        head = stream.read(_HEAD)
    return head[:2] in (b"II", b"MM") and b"<OME " in head


def _ome_files(folder: Path) -> list[Path]:
    """List the files of a folder, those of OME-XML alone first: they say what the others are."""
    return sorted(
        files_in(folder, (*_ENDINGS, COMPANION)), key=lambda one: (not one.name.lower().endswith(COMPANION), one.name)
    )


def _subfolders(path: Path, skip: frozenset[Path]) -> list[Path]:
    return [one for one in folders_in(path) if one not in skip]


def _maps(path: Path, skip: frozenset[Path]) -> dict[str, list[Path]]:
    """Give the files of each map."""
    if path.is_file():
        return {_ENDING.sub("", path.name) or path.name: [path]}
    if not path.is_dir():
        raise FileFormatError(f"{path}: expected an OME-TIFF file or a folder of them")
    if files := _ome_files(path):
        return {path.resolve().name: files}
    made = {folder.name: _ome_files(folder) for folder in _subfolders(path, skip)}
    return {name: files for name, files in made.items() if files}


def _sets(files: Iterable[Path], problems: list[str]) -> list[OmeFile]:
    """Read the files; of those that make one set, each of which may describe it, the first is enough."""
    made: list[OmeFile] = []
    members: set[Path] = set()
    elsewhere: dict[Path, Path] = {}
    waiting, seen = list(files)[::-1], set[Path]()
    while waiting:
        file = waiting.pop()
        if file in members or file in seen:
            continue
        seen.add(file)
        try:
            said = read_ome_file(file)
        except TileReadError as error:
            problems.append(f"{error}; left out")
            continue
        if said.metadata_file is not None:
            elsewhere[file] = said.metadata_file
            if said.metadata_file.is_file():
                waiting.append(said.metadata_file)
            continue
        made.append(said)
        problems += said.problems
        own = {part for one in said.images for part in one.image.paths}
        members |= own
        if lost := sorted(part.name for part in own if not part.is_file()):
            problems.append(f"{file}: files of its set are missing: {listing(lost)}; their planes cannot be read")
    for file, metadata in elsewhere.items():
        if file not in members:
            problems.append(
                f"{file}: it is described by {metadata.name}, which is missing or says nothing of it; left out"
            )
    return made


# --- names and positions -----------------------------------------------------------------------------------------
@dataclass
class _Found:
    """An image, the map it is on, the file that describes it, and the name it gets."""

    map_id: str
    file: Path
    described: DescribedImage
    name: str = ""

    @property
    def info(self) -> ImageInfo:
        return self.described.image.stated

    @property
    def size_px(self) -> tuple[int, int]:
        return self.info.shape[4], self.info.shape[3]

    def planes(self) -> dict[str, Plane]:
        names = self.info.channel_names
        return {name: ImagePlane(self.described.image, number, names) for number, name in enumerate(names)}

    def position(self, origin_px: tuple[float, float] | None = None) -> TilePosition:
        return TilePosition(
            map_id=self.map_id,
            fov=self.name,
            source=f"{self.file}: image {self.described.image.number}",
            center_um=None if origin_px else self.described.position_um,
            origin_px=origin_px,
            size_px=self.size_px,
            pixel_size_um=self.info.pixel_size_um,
        )


def _name(found: Sequence[_Found]) -> None:
    """Call images by their own names; those that share one by their file, then their map, then a number."""
    images_of = Counter(one.file for one in found)
    by_file = []
    for one in found:
        number = f" {one.described.image.number + 1}" if images_of[one.file] > 1 else ""
        by_file.append((_ENDING.sub("", one.file.name) or one.file.name) + number)
    names = [
        plain_name(_ENDING.sub("", one.described.name)) or other for one, other in zip(found, by_file, strict=True)
    ]
    for better in (by_file, [f"{one.map_id} {other}" for one, other in zip(found, by_file, strict=True)]):
        count = Counter(names)
        names = [name if count[name] == 1 else other for name, other in zip(names, better, strict=True)]
    taken: Counter[str] = Counter()
    for one, name in zip(found, names, strict=True):
        one.name = name
        while one.name in taken:
            taken[name] += 1
            one.name = f"{name} ({taken[name]})"
        taken[one.name] += 1


def _stage_up(found: Sequence[_Found]) -> bool:
    """Say whether stage y points up: whether it does so for all positions; beside others, those of which it does go."""
    up = {one.described.stage_up for one in found if one.described.position_um is not None} == {True}
    for one in found:
        if one.described.stage_up and not up:
            one.described = replace(one.described, position_um=None)
    return up


def _positions(
    path: Path, found: Iterable[_Found], pixel_size_um: float | None, problems: list[str]
) -> tuple[TilePosition, ...]:
    """Place the images of each map where the stage was; an image that is all of its map needs no position."""
    maps: dict[str, list[_Found]] = defaultdict(list)
    for one in found:
        maps[one.map_id].append(one)
    made: list[TilePosition] = []
    lost: list[_Found] = []
    for own in maps.values():
        for one in own:
            if one.described.position_um and (one.info.pixel_size_um or pixel_size_um):
                made.append(one.position())
            elif len(own) == 1:
                made.append(one.position(origin_px=(0, 0)))
            else:
                lost.append(one)
    for why, those in (
        ("stage position", [one.name for one in lost if one.described.position_um is None]),
        ("pixel size", [one.name for one in lost if one.described.position_um is not None]),
    ):
        if those:
            count = "1 image states" if len(those) == 1 else f"{len(those)} images state"
            problems.append(f"{path}: {count} no {why} that could be used, so as to lie on a map: {listing(those, 3)}")
    return tuple(made)

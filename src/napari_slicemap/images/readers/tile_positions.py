"""Tiles with the positions that a stitching program solved: Fiji's ``TileConfiguration.txt``, MIST's positions."""

from __future__ import annotations

import math
import os
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ...errors import FileFormatError, listing
from ...files import read_text
from ..acquisition import Acquisition, ReadOptions, TilePosition
from ..folders import files_in, folders_in
from ..fov import Fov
from ..image import ImageFile
from ..labels import masks_and_annotations
from ..opening import image_stem, open_image
from ..tiles.sharing import Shared

_FIJI = re.compile(r"TileConfiguration(?P<which>.*?)(?P<solved>\.registered)?\.txt", re.IGNORECASE)
_MIST = re.compile(r"(?P<before>.*?)global-positions-(?P<which>[0-9]+)\.txt", re.IGNORECASE)
_NUMBER = r"\s*([^,()\s]+)\s*"
_FIJI_LINE = re.compile(rf"(?P<name>[^;]+);(?P<series>[^;]*);\s*\({_NUMBER},{_NUMBER}(?:,{_NUMBER})?\)\s*")
_FIJI_SETTING = re.compile(r"\s*(?:dim|multiseries)\s*=.*", re.IGNORECASE)
_MORE = r"(?:\s*(?!file\b|position\b)[a-z]+:[^;:]*(?:;|$))*"
_MIST_LINE = re.compile(
    rf"\s*file:\s*(?P<name>[^;]+);{_MORE}\s*position:\s*\({_NUMBER},{_NUMBER}\)\s*;?{_MORE}\s*", re.IGNORECASE
)


@dataclass(frozen=True)
class _Line:
    """One tile of a file of positions; x and y of its top-left corner, px."""

    name: str
    series: int
    x: float
    y: float
    source: str


@dataclass(frozen=True)
class _Tile:
    """A tile of a map: its line, and the file that the line names, if that is there."""

    line: _Line
    map_id: str
    file: Path | None

    @property
    def stem(self) -> str:
        """What the FOV is called, if nothing else is called so."""
        stem = image_stem(self.file or Path(self.line.name))
        return f"{stem}_s{self.line.series}" if self.line.series else stem


class TilePositions:
    """``TileConfiguration[.registered].txt`` or ``global-positions-<n>.txt``, beside the tiles or in a folder below."""

    name = "tile-positions"
    summary = "tiles with TileConfiguration.txt (Fiji) or global-positions-1.txt (MIST)"

    def detect(self, path: Path) -> str:
        """Say which file of positions was found."""
        files = _position_files(path)
        if not files:
            return ""
        folder = path if path.is_dir() else path.parent
        more = f" and {len(files) - 1} more" if len(files) > 1 else ""
        return f"{files[0].relative_to(folder).as_posix()}{more} says where the tiles lie"

    def read(self, path: Path, options: ReadOptions) -> Acquisition:
        """Read the positions, and the metadata of the first tile that opens."""
        files = _position_files(path)
        if not files:
            raise FileFormatError(f"{path}: expected TileConfiguration.txt or global-positions-1.txt, or their folder")
        problems: list[str] = []
        tiles = _tiles(files, problems)
        names = _names(tiles)
        images = {name: _image(tile, tile.file) for name, tile in zip(names, tiles, strict=True) if tile.file}
        shared = Shared.of(images.values(), sized=False)
        masks, annotations = masks_and_annotations(options, set(images), problems)
        fovs = {
            name: shared.fov(name, {"": image}, None, None, options.pixel_size_um, masks[name], annotations[name])
            for name, image in images.items()
        }
        return Acquisition(
            layout=self.name,
            root=path,
            fovs=fovs,
            positions=tuple(
                _position(name, tile, fovs.get(name), shared) for name, tile in zip(names, tiles, strict=True)
            ),
            cells=options.cell_table,
            cell_columns=options.cell_columns,
            problems=tuple(problems),
        )


# --- files of positions -------------------------------------------------------------------------------------------
def _position_files(path: Path) -> list[Path]:
    """List the files of positions: the path itself, those in the folder, or else those in the folders in it."""
    if path.is_file():
        return [path] if _FIJI.fullmatch(path.name) or _MIST.fullmatch(path.name) else []
    if not path.is_dir():
        return []
    return _in_folder(path) or [file for folder in folders_in(path) for file in _in_folder(folder)]


def _in_folder(folder: Path) -> list[Path]:
    """List the files of positions of a folder: one program's, and what was solved rather than what it began with."""
    files = files_in(folder, (".txt",))
    fiji = [(found["which"], found["solved"] or "", file) for file in files if (found := _FIJI.fullmatch(file.name))]
    if fiji:
        return list({which: file for which, _, file in sorted(fiji)}.values())
    mist = [(found["before"], int(found["which"]), file) for file in files if (found := _MIST.fullmatch(file.name))]
    return [file for *_, file in sorted(mist)]


def _tiles(files: Sequence[Path], problems: list[str]) -> list[_Tile]:
    """Read the files of positions, each of which is a map; a wrong one of several is told and left out."""
    read: dict[Path, tuple[list[_Line], Path]] = {}
    for file in files:
        try:
            lines = _lines(file, problems)
            read[file] = lines, _folder_of_images(file, lines)
        except FileFormatError as error:
            if len(files) == 1:
                raise
            problems.append(str(error))
    if not read:
        raise FileFormatError(problems[0])
    tiles: list[_Tile] = []
    for (file, (lines, folder)), map_id in zip(read.items(), _map_ids(read), strict=True):
        own = [_Tile(line, map_id, _image_file(folder, line)) for line in lines]
        if missing := [tile.line.name for tile in own if tile.file is None]:
            problems.append(f"{file}: {len(missing)} of its images are not there: {listing(missing, 3)}")
        tiles += own
    problems += _left_out(list(dict.fromkeys(folder for _, folder in read.values())), tiles)
    return tiles


def _left_out(folders: Sequence[Path], tiles: Sequence[_Tile]) -> list[str]:
    """Say which images are called like the tiles, and are none of them."""
    called = {_with_numbers_out(tile.file.name) for tile in tiles if tile.file}
    named = {tile.file for tile in tiles}
    problems = []
    for folder in folders:
        with os.scandir(folder) as entries:
            there = sorted(one.name for one in entries if _with_numbers_out(one.name) in called)
        if others := [name for name in there if folder / name not in named]:
            problems.append(
                f"{folder}: {len(others)} of its images have no position and are left out: {listing(others, 3)}"
            )
    return problems


def _with_numbers_out(name: str) -> str:
    return re.sub("[0-9]+", "#", name)


def _folder_of_images(file: Path, lines: Sequence[_Line]) -> Path:
    """Find the folder that the names are relative to: that of the file, or the one above."""
    for folder in (file.parent, file.resolve().parent.parent):
        if any(_image_file(folder, line) for line in lines):
            return folder
    raise FileFormatError(
        f"{file}: none of the images that it names is beside it or in the folder above: "
        f"{listing([line.name for line in lines], 3)}"
    )


def _image_file(folder: Path, line: _Line) -> Path | None:
    path = folder / line.name
    # not pathlib's: a name may be too long for any file, or hold what no name can
    there = os.path.isfile(path) or (path.suffix.lower() == ".zarr" and os.path.isdir(path))  # noqa: PTH112, PTH113
    return path if there else None


def _map_ids(read: Mapping[Path, tuple[list[_Line], Path]]) -> list[str]:
    """Name the maps by the folders of their images, and several of one folder by what their own names say."""
    own = [folder.resolve().name for _, folder in read.values()]
    which = [_which(file) for file in read]
    if len(set(own)) == len(own):
        return own
    if len(set(own)) == 1 and all(which):
        return which
    return [f"{name}_{part}" if own.count(name) > 1 and part else name for name, part in zip(own, which, strict=True)]


def _which(file: Path) -> str:
    found = _FIJI.fullmatch(file.name) or _MIST.fullmatch(file.name)
    return found["which"].strip("_-. ") if found else ""


def _lines(file: Path, problems: list[str]) -> list[_Line]:
    """Read a file of positions."""
    fiji = _FIJI.fullmatch(file.name) is not None
    made: dict[tuple[str, int], _Line] = {}
    depths: set[float] = set()
    for number, text in enumerate(read_text(file).splitlines(), 1):
        source = f"{file}, line {number}"
        if not text.strip() or text.lstrip().startswith("#") or (fiji and _FIJI_SETTING.fullmatch(text)):
            continue
        found = (_FIJI_LINE if fiji else _MIST_LINE).fullmatch(text)
        if found is None:
            form = "name; ; (x, y)" if fiji else "file: name; position: (x, y);"
            raise FileFormatError(f"{source}: {text.strip()[:80]!r} is no position; expected {form}")
        parts = found.groupdict()
        x, y, *z = (_number(one, source) for one in found.groups()[-3 if fiji else -2 :] if one is not None)
        depths.update(z)
        line = _Line(parts["name"].strip().replace("\\", "/"), _series(parts.get("series", ""), source), x, y, source)
        first = made.setdefault((line.name, line.series), line)
        if first is not line:
            raise FileFormatError(f"{source}: {line.name} stands twice, first in {first.source}")
    if not made:
        raise FileFormatError(f"{file}: it names no tile")
    if len(depths) > 1:
        problems.append(f"{file}: the tiles lie at different depths, which are left out; only x and y are taken")
    return list(made.values())


def _number(text: str, source: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise FileFormatError(f"{source}: {text!r} is no position in px")
    return number


def _series(text: str, source: str) -> int:
    text = text.strip()
    if text and not (text.isdecimal() and len(text) < 9):
        raise FileFormatError(f"{source}: series is {text!r}, expected a whole number from 0")
    return int(text or 0)


# --- tiles --------------------------------------------------------------------------------------------------------
def _names(tiles: Sequence[_Tile]) -> list[str]:
    """Name the FOVs by their files; those of several maps that are called alike, by their maps as well."""
    stems = [tile.stem for tile in tiles]
    names = _apart(stems, (tile.map_id for tile in tiles))
    # files that differ in their folder or ending only
    return _apart(names, (tile.line.name.replace("/", "_").replace(".", "_") for tile in tiles))


def _apart(names: Sequence[str], before: Iterable[str]) -> list[str]:
    counts = Counter(names)
    return [name if counts[name] == 1 else f"{one}_{name}" for name, one in zip(names, before, strict=True)]


def _image(tile: _Tile, file: Path) -> ImageFile:
    try:
        return open_image(file, tile.line.series)
    except FileFormatError as error:
        raise FileFormatError(f"{tile.line.source}: {error}") from None


def _position(name: str, tile: _Tile, fov: Fov | None, shared: Shared) -> TilePosition:
    return TilePosition(
        map_id=tile.map_id,
        fov=name,
        source=tile.line.source,
        origin_px=(tile.line.x, tile.line.y),
        size_px=shared.size_px,
        pixel_size_um=fov.pixel_size_um if fov else None,
    )

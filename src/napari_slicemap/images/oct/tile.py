"""Raw OCT tiles: folders ``tile_x<NN>_y<NN>_z<NN>`` that hold ``info.txt`` and ``image_*.bin``, read by memory map."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ...errors import DatasetNotFoundError, FileFormatError, TileReadError
from ..format_tools import named, refuse_pipe
from ..image import file_state
from .info import TileInfo, parse_info

if TYPE_CHECKING:
    from numpy.typing import NDArray

INFO_FILE, FRAME_FILES = "info.txt", "image_*.bin"
_KIND = "a raw OCT tile"
_PIXEL = np.dtype("<f4")

_TILE = re.compile(r"tile_x(\d+)_y(\d+)_z(\d+)", re.IGNORECASE | re.ASCII)
_GROUP = re.compile(r"z(\d+)", re.IGNORECASE | re.ASCII)
_DIGITS = re.compile(r"(\d+)", re.ASCII)
_LARGEST_INFO = 2**20  # bytes; a longer file is something else


@dataclass(frozen=True)
class TilePlace:
    """Where a tile lies, as its name says.

    Parameters
    ----------
    x, y : int
        Column and row in the grid of its slice.
    z : str
        The slice, its number as in the name, of at least two digits.
    """

    x: int
    y: int
    z: str


def tile_place(name: str) -> TilePlace | None:
    """Read the name of a tile's folder, ``tile_x<NN>_y<NN>_z<NN>``; ``None`` for any other name."""
    found = _TILE.fullmatch(name)
    return TilePlace(int(found[1]), int(found[2]), found[3].zfill(2)) if found else None


@dataclass(frozen=True)
class RawTile:
    """A raw tile; its files are opened when it is asked for something.

    Parameters
    ----------
    path : Path
        Its folder.
    place : TilePlace
        Where it lies.
    """

    path: Path
    place: TilePlace

    @cached_property
    def info(self) -> TileInfo:
        """What ``info.txt`` says, read at the first use.

        Raises
        ------
        TileReadError
            Naming the file and key, if it is missing or says what cannot be.
        """
        path = self.path / INFO_FILE
        with named(path, f"the {INFO_FILE} of {_KIND}"):
            refuse_pipe(path)
            if (size := path.stat().st_size) > _LARGEST_INFO:
                raise ValueError(f"it has {size} bytes, more than any {INFO_FILE}")
            return parse_info(path.read_text(encoding="utf-8-sig", errors="replace"))

    def volume(self) -> NDArray[np.float32] | TileFrames:
        """Give the pixels, which stay on disk until they are sliced.

        Returns
        -------
        memmap or TileFrames, (Z, A-lines, B-scans), float32
            Of ``info.lines`` A-lines, those of the return included, and ``info.frames`` B-scans; in Fortran order.
            Several files are one volume, that gives an array when it is sliced.

        Raises
        ------
        TileReadError
            Naming the folder or file, if there are no pixels, or not as many as ``info.txt`` says.
        """
        info = self.info
        frame_bytes = info.depth * info.lines * _PIXEL.itemsize
        with named(self.path, _KIND):
            files = [(path, _frames_of(path, frame_bytes)) for path in self._frame_files()]
            if (found := sum(frames for _, frames in files)) != info.frames:
                raise ValueError(
                    f"it holds {found} B-scans, expected ny × n_repeat = {info.ny} × {info.n_repeat} = {info.frames}"
                )
        made = TileFrames(tuple(files), (info.depth, info.lines))
        return made if len(files) > 1 else made.mapped(*files[0])

    @property
    def state(self) -> tuple[tuple[int, int], ...]:
        """What tells these files from what they were before a change; empty where there is no such folder."""
        try:
            return tuple(map(file_state, (self.path / INFO_FILE, *self._frame_files())))
        except (OSError, ValueError):
            return ()  # reading it says what is wrong, by name

    def _frame_files(self) -> list[Path]:
        """List ``image_*.bin`` by number, whether or not the numbers are padded."""
        found = sorted(self.path.glob(FRAME_FILES), key=_by_number)
        if not found:
            raise ValueError(f"it holds no pixels, expected {FRAME_FILES}")
        for one, other in pairwise(found):
            if _by_number(one) == _by_number(other):
                raise ValueError(f"{one.name} and {other.name} have one number; keep one of them")
        return found


@dataclass(frozen=True)
class TileFrames:
    """The pixels of a tile that lie in several files: one volume in Fortran order, without a copy.

    No file is held open: each is mapped while it is read.

    Parameters
    ----------
    files : tuple of (Path, int)
        Each file, and how many B-scans it holds.
    frame : tuple of int
        ``(Z, A-lines)`` of a B-scan.
    """

    files: tuple[tuple[Path, int], ...]
    frame: tuple[int, int]

    @cached_property
    def shape(self) -> tuple[int, int, int]:
        """``(Z, A-lines, B-scans)``."""
        return *self.frame, sum(frames for _, frames in self.files)

    @property
    def dtype(self) -> np.dtype[Any]:
        """Of the pixels."""
        return _PIXEL

    @property
    def strides(self) -> tuple[int, int, int]:
        """Bytes from px to px along each axis, as an array in Fortran order has them: B-scans follow one another."""
        depth, lines = self.frame
        return _PIXEL.itemsize, depth * _PIXEL.itemsize, depth * lines * _PIXEL.itemsize

    def __getitem__(self, index: tuple[slice, slice, slice]) -> NDArray[np.float32]:
        """Read a part.

        Parameters
        ----------
        index : tuple of slice
            Of Z, A-lines and B-scans; each in steps of 1.

        Returns
        -------
        ndarray, float32
            In Fortran order.

        Raises
        ------
        TileReadError
            Naming the file, if it cannot be read; or if the steps are others than 1.
        """
        z, lines, scans = (range(size)[part] for size, part in zip(self.shape, index, strict=True))
        if {z.step, lines.step, scans.step} != {1}:
            raise TileReadError(f"{self.files[0][0].parent}: pixels are read side by side, and not by steps")
        made: NDArray[np.float32] = np.empty((len(z), len(lines), len(scans)), np.float32, order="F")
        first = 0
        for path, frames in self.files:
            start, stop = max(scans.start, first), min(scans.stop, first + frames)
            if start < stop:
                part = self.mapped(path, frames)[z.start : z.stop, lines.start : lines.stop]
                made[..., start - scans.start : stop - scans.start] = part[..., start - first : stop - first]
            first += frames
        return made

    def mapped(self, path: Path, frames: int) -> NDArray[np.float32]:
        """Map one of the files: ``(Z, A-lines, B-scans of the file)``, float32, read-only.

        Raises
        ------
        TileReadError
            Naming the file, if it cannot be read.
        """
        with named(path, f"the pixels of {_KIND}"):
            return np.memmap(path, _PIXEL, "r", shape=(*self.frame, frames), order="F")


# --- folders of tiles ----------------------------------------------------------------------------------------
def tile_folders(folder: Path) -> Iterator[Path]:
    """Give the folders named as tiles are, in a folder or in its folders ``z<NN>``, one after the other in any order.

    Raises
    ------
    OSError
        If one cannot be looked into.
    """
    for one in folder.iterdir():
        if _TILE.fullmatch(one.name) and one.is_dir():
            yield one
        elif _GROUP.fullmatch(one.name) and one.is_dir():
            yield from (tile for tile in one.iterdir() if _TILE.fullmatch(tile.name) and tile.is_dir())


def find_raw_tiles(folder: str | os.PathLike[str]) -> list[RawTile]:
    """Find the raw tiles of a folder; none of them is opened.

    Parameters
    ----------
    folder : path-like
        It holds ``tile_x<NN>_y<NN>_z<NN>``, or folders ``z<NN>`` that do.

    Returns
    -------
    list of RawTile
        By slice, then row by row; empty if there are none.

    Raises
    ------
    DatasetNotFoundError
        If there is no such folder.
    TileReadError
        Naming the folder, if it cannot be looked into.
    FileFormatError
        Naming a tile in another slice's folder, two of one place, or a slice whose number is written in two ways.
    """
    root = Path(folder)
    if not root.is_dir():
        raise DatasetNotFoundError(f"{root}: there is no such folder")
    try:
        found = sorted(tile_folders(root))
    except OSError as error:
        raise TileReadError(f"{root}: cannot be looked into ({error})") from error
    tiles: dict[tuple[int, int, int], RawTile] = {}
    ids: dict[int, RawTile] = {}
    for path in found:
        if (place := tile_place(path.name)) is None:
            continue
        tile, number = RawTile(path, place), int(place.z)
        group = _GROUP.fullmatch(path.parent.name) if path.parent != root else None
        if group and int(group[1]) != number:
            raise FileFormatError(f"{path}: a tile of slice {place.z}, expected those of {path.parent.name} there")
        like = ids.setdefault(number, tile)
        if like.place.z != place.z:
            raise FileFormatError(f"{path}: slice {place.z} is {like.place.z} in {like.path.name}; name it in one way")
        before = tiles.setdefault((number, place.y, place.x), tile)
        if before is not tile:
            raise FileFormatError(f"{path}: it has the place of {before.path}; keep one of them")
    return [tile for _, tile in sorted(tiles.items())]


def _by_number(path: Path) -> list[str | int]:
    # text and digits take turns, so that like is compared with like
    return [int(part) if n % 2 else part for n, part in enumerate(_DIGITS.split(path.name))]


def _frames_of(path: Path, frame_bytes: int) -> int:
    size = path.stat().st_size
    if not size or size % frame_bytes:
        raise ValueError(f"{path.name} has {size} bytes, expected whole B-scans of {frame_bytes} bytes each")
    return size // frame_bytes

"""Fixing raw tiles: ``image_*.bin`` rolled a few B-scans at a time, everything else copied."""

from __future__ import annotations

import re
from collections.abc import Sequence
from fnmatch import fnmatchcase
from functools import partial
from pathlib import Path

import numpy as np

from ....errors import PlanError
from ....images.format_tools import named
from ....images.oct.tile import FRAME_FILES, RawTile
from .job import FileStep, Job, copy_job, files_of
from .marks import TILE_FILE, FixedTile, marked_tile
from .rolling import Roll

_BLOCK_BYTES = 16 * 2**20
"""About as much is read at once."""
_GROUP = re.compile(r"z\d+", re.IGNORECASE | re.ASCII)
_PIXEL = np.dtype("<u4")
"""Pixels are float32; taken for whole numbers, none of their bytes can change."""


def tile_name(path: Path) -> Path:
    """Name the folder that is made of a tile's: in a folder ``z<NN>`` where it lies in one."""
    return Path(path.parent.name, path.name) if _GROUP.fullmatch(path.parent.name) else Path(path.name)


def copied_tile(tile: RawTile) -> Job:
    """Plan to copy a tile as it is.

    Raises
    ------
    PlanError
        Naming a link in it.
    """
    return copy_job(tile.path, tile_name(tile.path))


def fixed_tile(tile: RawTile, shift: int, n_extra: int) -> Job:
    """Plan to roll a tile.

    Parameters
    ----------
    tile : RawTile
        The tile.
    shift : int
        A-lines to roll by.
    n_extra : int
        A-lines of the return.

    Raises
    ------
    PlanError
        Naming a link in it.
    TileReadError
        Naming the tile, if its files do not hold what it says.
    """
    marks = marked_tile(shift, n_extra)
    return _rolled(tile, Roll(shift, n_extra, tile.info.lines), set(marks), marks)


def undone_tile(tile: RawTile, fixed: FixedTile) -> Job:
    """Plan to roll a fixed tile back.

    Raises
    ------
    PlanError, TileReadError
        As :func:`fixed_tile` says.
    """
    return _rolled(tile, Roll(fixed.shift, fixed.n_extra, tile.info.lines, back=True), {TILE_FILE}, {})


def _rolled(tile: RawTile, roll: Roll, without: set[str], marks: dict[str, bytes]) -> Job:
    info = tile.info
    tile.volume()  # says by name which file does not hold whole B-scans
    write = partial(roll_frames, frame=(info.lines, info.depth), by=roll.of(info.lines))
    steps: Sequence[FileStep] = [
        FileStep(name, tile.path / name, stamp, write) if _is_frames(name) else FileStep(name, tile.path / name, stamp)
        for name, stamp in files_of(tile.path).items()
        if name not in without
    ]
    frame = [info.lines, info.depth]
    said = {"shift": roll.shift, "n_extra": roll.n_extra, "back": roll.back, "frame": frame}
    return Job(tile.path, tile_name(tile.path), said, tuple(steps), marks=marks, chunk_bytes=_BLOCK_BYTES)


def _is_frames(name: str) -> bool:
    return fnmatchcase(name, FRAME_FILES) and "/" not in name


def roll_frames(source: Path, out: Path, frame: tuple[int, int], by: int) -> None:
    """Roll the A-lines of B-scans that lie in a file one behind the other.

    Parameters
    ----------
    source, out : Path
        The file, and the one to write.
    frame : tuple of int
        A-lines of a B-scan, and px of an A-line, of four bytes each.
    by : int
        A-lines to roll by.

    Raises
    ------
    TileReadError
        Naming `source`, if it cannot be read.
    PlanError
        If it does not hold whole B-scans.
    """
    lines, depth = frame
    frame_bytes = lines * depth * _PIXEL.itemsize
    at_once = max(1, _BLOCK_BYTES // frame_bytes) * frame_bytes
    with source.open("rb") as stream, out.open("wb") as made:
        while True:
            with named(source, "the pixels of a raw OCT tile"):
                block = stream.read(at_once)
            if not block:
                return
            if len(block) % frame_bytes:
                raise PlanError([f"{source} was cut short while it was read"])
            scans = np.frombuffer(block, _PIXEL).reshape(-1, lines, depth)
            made.write(np.roll(scans, by, axis=1).data)

"""How far the writing of an OME-Zarr image has come: kept beside it, so that it can go on after it was killed.

Pixels of coarser levels that wait for the rest of their strip are kept along. So nothing before a checkpoint is read
again, neither from the source nor from what is written.
"""

from __future__ import annotations

import json
import shutil
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from ...files import FileModel, atomic_path, to_json, utf8
from .levels import Level, Plane, Strips, Writes, sync_tree

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..source import ImageSource

INTERVAL_BYTES = 2**28
"""Of pixels of the finest level between two checkpoints, at least."""
_SHARE = 16
"""A checkpoint writes at most a sixteenth of the bytes that came since the last one."""

_LABEL_BYTES = 4

Range = tuple[float, float] | None
"""Lowest and highest finite pixel of a channel; ``None`` where there is none."""


def has_checkpoints(source: ImageSource) -> bool:
    """Say whether an image is so large that checkpoints are made while it is written."""
    times, _, depth, height, width = source.shape
    labels = len(source.labels) * times * depth * height * width
    return source.nbytes + labels * _LABEL_BYTES > INTERVAL_BYTES


class _Record(FileModel):
    """The part of a checkpoint that is text."""

    version: Literal[1] = 1
    key: str
    part: int
    group: int
    bottom: int
    ranges: list[tuple[int | float, int | float] | None]
    tops: list[list[int]]
    kept: Any


@dataclass(frozen=True)
class Checkpoint:
    """How far the writing has come; everything before is on the disk.

    Parameters
    ----------
    part : int
        0 for the pixels, then the masks in order.
    group : int
        Which of the groups of planes in it that are written side by side.
    bottom : int
        The first row of them that was not read.
    ranges : tuple of tuple or None
        Of each channel, as far as it was read.
    waiting : tuple of tuple of (int, ndarray (n, X))
        Of each plane of the group and each level: the first row that is not written, and the rows made from there.
    kept : object
        What the caller keeps along.
    """

    part: int
    group: int
    bottom: int
    ranges: tuple[Range, ...]
    waiting: tuple[tuple[tuple[int, NDArray[Any]], ...], ...]
    kept: Any


class Checkpoints:
    """The file that holds the last checkpoint of an image.

    Parameters
    ----------
    path : Path
        The file; its folder must exist, and is not that of the image.
    key : str
        What the image is made from, and how: a checkpoint with another key is none.
    keep : callable
        ``keep()`` gives what the caller keeps along with each checkpoint, fit for strict JSON.
    """

    def __init__(self, path: Path, key: str, keep: Callable[[], Any]) -> None:
        self.path, self.key, self._keep = path, key, keep
        self._text_bytes = 0

    def read(self) -> Checkpoint | None:
        """Give the checkpoint; ``None`` if there is none, it has another key, or it cannot be read."""
        try:
            with np.load(self.path, allow_pickle=False) as file:
                record = _Record.from_data(json.loads(file["record"].tobytes()), self.path)
                if record.key != self.key:
                    return None
                waiting = tuple(
                    tuple((top, file[f"{plane}-{level}"]) for level, top in enumerate(tops))
                    for plane, tops in enumerate(record.tops)
                )
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
            return None
        return Checkpoint(record.part, record.group, record.bottom, tuple(record.ranges), waiting, record.kept)

    def due(self, since: int, waiting: int) -> bool:
        """Say whether it is time for one: bytes of pixels since the last one, and bytes that wait."""
        return since >= max(INTERVAL_BYTES, _SHARE * (waiting + self._text_bytes))

    def write(
        self, part: int, group: int, bottom: int, ranges: Sequence[Range], planes: Sequence[list[Strips]]
    ) -> None:
        """Keep a checkpoint; all that it says is written must be durable."""
        tops = [[strips.top for strips in own] for own in planes]
        record = _Record(
            key=self.key, part=part, group=group, bottom=bottom, ranges=list(ranges), tops=tops, kept=self._keep()
        )
        text = utf8(to_json(record, indent=None))
        self._text_bytes = len(text)
        arrays: dict[str, Any] = {
            f"{n}-{m}": _rows(strips) for n, own in enumerate(planes) for m, strips in enumerate(own)
        }
        with atomic_path(self.path) as temporary, temporary.open("wb") as stream:
            np.savez(stream, record=np.frombuffer(text, np.uint8), **arrays)


def _rows(strips: Strips) -> NDArray[Any]:
    array = strips.level.array
    return np.concatenate(strips.waiting) if strips.waiting else np.empty((0, array.shape[4]), array.dtype)


class Keeper:
    """Makes checkpoints while an image is written, and goes on from the last one.

    Parameters
    ----------
    folder : Path
        The image.
    writes : Writes
        Of the image.
    ranges : list of tuple or None
        Of each channel; filled by who reads.
    checkpoints : Checkpoints or None
        Where they are kept, if at all.
    found : Checkpoint or None
        Where to go on.
    """

    def __init__(
        self,
        folder: Path,
        writes: Writes,
        ranges: list[Range],
        checkpoints: Checkpoints | None,
        found: Checkpoint | None,
    ) -> None:
        self._folder, self._writes, self._ranges = folder, writes, ranges
        self._checkpoints, self._found = checkpoints, found
        self._since, self._all_durable = 0, False

    def begin(self, part: int, group: int, planes: Sequence[list[Strips]]) -> int | None:
        """Give the row at which to go on with a group of planes, whose strips are restored; ``None``: it is done."""
        found = self._found
        if found is None or (part, group) > (found.part, found.group):
            return 0
        if (part, group) < (found.part, found.group):
            return None
        for own, kept in zip(planes, found.waiting, strict=True):
            for strips, (top, rows) in zip(own, kept, strict=True):
                strips.top, strips.waiting = top, [rows] if len(rows) else []
        return found.bottom

    def note(self, part: int, group: int, bottom: int, planes: Sequence[list[Strips]], band_bytes: int) -> None:
        """Take note that the planes of a group were read down to a row; make a checkpoint if it is time."""
        self._since += band_bytes
        waiting = sum(rows.nbytes for own in planes for strips in own for rows in strips.waiting)
        if self._checkpoints is None or not self._checkpoints.due(self._since, waiting):
            return
        written = self._writes.all_written()
        if self._all_durable:
            for rows in written:
                rows.sync(self._folder)
        else:
            sync_tree(self._folder)
            self._all_durable = True
        self._checkpoints.write(part, group, bottom, self._ranges, planes)
        self._since = 0


def discard_unsure(
    folder: Path, found: Checkpoint, parts: Sequence[tuple[Sequence[Level], Sequence[Sequence[Plane]]]]
) -> None:
    """Remove what was written after a checkpoint, which need not be whole.

    Parameters
    ----------
    folder : Path
        The image.
    found : Checkpoint
        The checkpoint.
    parts : sequence of (levels, groups of planes)
        Of the pixels, and of each mask.
    """
    for number, (levels, groups) in enumerate(parts):
        places = {plane: (group, n) for group, planes in enumerate(groups) for n, plane in enumerate(planes)}
        for level, one in enumerate(levels):
            for plane, row, stored in one.stored():
                group, n = places[plane]
                here, there = (number, group), (found.part, found.group)
                if here > there or (here == there and row >= found.waiting[n][level][0]):
                    shutil.rmtree(stored)
    for path in folder.rglob("*.partial"):  # zarr-python writes under such a name first
        path.unlink()

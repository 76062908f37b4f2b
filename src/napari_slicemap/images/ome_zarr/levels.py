"""The arrays of an OME-Zarr image, and their way to the disk: whole rows of chunks at a time."""

from __future__ import annotations

import math
import os
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from ...errors import UnknownNameError
from ...files import sync_folder
from .metadata import AXES, VERSIONS

if TYPE_CHECKING:
    from numpy.typing import NDArray

COMPRESSIONS = ("zstd", "lz4", "none")
"""What chunks can be packed with."""

Plane = tuple[int, int, int]
"""``(t, c, z)``."""

_PACKING = 3
"""Level of compression: beyond it noise takes far longer and hardly less space."""
_STRIP_CHUNKS = 8
"""Narrow images are written several rows of chunks at a time: so many chunks, about."""
_SHARD_COLUMNS = 16
_THREADS = 2
"""Each starts many: zarr-python packs the chunks of one strip side by side."""


@dataclass(frozen=True)
class Layout:
    """How arrays are stored; see :func:`~.writer.write_ome_zarr`."""

    version: str
    compression: str
    chunk: int
    shard: bool | str

    def __post_init__(self) -> None:
        if self.version not in VERSIONS:
            raise UnknownNameError("OME-Zarr version", self.version, VERSIONS)
        if self.compression not in COMPRESSIONS:
            raise UnknownNameError("compression", self.compression, COMPRESSIONS, "OME-Zarr")
        if self.chunk < 1:
            raise ValueError(f"chunk is {self.chunk}, expected at least 1 px")
        if self.shard not in (True, False, "auto"):
            raise ValueError(f"shard is {self.shard!r}, expected True, False or 'auto'")
        if self.shard is True and self.version == "0.4":
            raise ValueError("OME-Zarr 0.4 has no shards: leave shard at 'auto', or write version 0.5")

    @property
    def zarr_format(self) -> Any:
        """3, or 2 for version 0.4."""
        return 2 if self.version == "0.4" else 3

    def level(self, group: Any, name: str, shape: tuple[int, ...], dtype: np.dtype[Any], *, there: bool) -> Level:
        """Make an empty array ``(T, C, Z, Y, X)`` in a group, or take the one that is there."""
        height, width = shape[3:]
        chunk = min(self.chunk, height), min(self.chunk, width)
        rows, columns = math.ceil(height / chunk[0]), math.ceil(width / chunk[1])
        together = min(rows, max(1, _STRIP_CHUNKS // columns))
        if there:
            return Level(group[name], together * chunk[0])
        shards = None
        if self.shard is True or (self.shard and self.version != "0.4" and rows * columns > _SHARD_COLUMNS):
            shards = (1, 1, 1, together * chunk[0], min(columns, _SHARD_COLUMNS) * chunk[1])
        options: dict[str, Any] = {"dimension_names": AXES}
        if self.zarr_format == 2:
            options = {"chunk_key_encoding": {"name": "v2", "separator": "/"}}
        array = group.create_array(
            name,
            shape=shape,
            dtype=dtype,
            chunks=(1, 1, 1, *chunk),
            shards=shards,
            compressors=self._compressor(dtype.itemsize),
            fill_value=0,
            **options,
        )
        return Level(array, together * chunk[0])

    def _compressor(self, itemsize: int) -> Any:
        # zarr-python has Blosc pack each chunk in one thread: in several, the order of its blocks would vary
        if self.compression == "none":
            return None
        said: dict[str, Any] = {"cname": self.compression, "clevel": _PACKING, "blocksize": 0}
        if self.zarr_format == 2:
            return {"id": "blosc", "shuffle": 1, **said}
        return {"name": "blosc", "configuration": {"shuffle": "shuffle", "typesize": itemsize, **said}}


@dataclass(frozen=True)
class Level:
    """An array, and how many of its rows are written at a time: whole chunks, or whole shards."""

    array: Any
    strip: int

    @property
    def folder(self) -> Path:
        """Where the array lies."""
        return Path(self.array.store.root, self.array.path)

    @property
    def _file_rows(self) -> int:
        """Rows of px in one row of files."""
        rows: int = (self.array.shards or self.array.chunks)[3]
        return rows

    def _key(self, *place: int) -> Path:
        return Path(str(self.array.metadata.encode_chunk_key(place)))

    def folders(self, plane: Plane, top: int, bottom: int) -> Iterator[Path]:
        """Give the folders that hold the rows of a plane from `top`, the first of a strip, to `bottom`."""
        for row in range(top // self._file_rows, math.ceil(bottom / self._file_rows)):
            yield self.folder / self._key(*plane, row, 0).parent

    def stored(self) -> Iterator[tuple[Plane, int, Path]]:
        """Find what is stored: plane, its first row of px, and the folder that holds the rows from there."""
        base = self.folder.joinpath(*self._key(0, 0, 0, 0, 0).parts[:-5])
        for found in base.glob("*/*/*/*/"):
            t, c, z, row = map(int, found.relative_to(base).parts)
            yield (t, c, z), row * self._file_rows, found


@dataclass(frozen=True)
class Written:
    """Rows of a plane that were written."""

    level: Level
    plane: Plane
    top: int
    bottom: int

    def sync(self, image: Path) -> None:
        """Make them durable, with the folders that they lie in up to that of the image."""
        parents: dict[Path, None] = {}
        for folder in self.level.folders(self.plane, self.top, self.bottom):
            if folder.is_dir():  # rows that are all 0 are not stored
                sync_files(folder)
                parents |= dict.fromkeys(folder.parents[: len(folder.relative_to(image).parts)])
        for parent in parents:
            sync_folder(parent)


def sync_files(folder: Path) -> None:
    """Make the files in a folder durable; not those in folders within."""
    for path in folder.iterdir():
        if path.is_file():
            with path.open("rb+") as stream:
                os.fsync(stream.fileno())
    sync_folder(folder)


def sync_tree(folder: Path) -> None:
    """Make all that is in a folder durable."""
    for found, _, _ in os.walk(folder):
        sync_files(Path(found))


class Writes:
    """Strips on their way to the disk, few at a time; no two of them share a chunk or shard."""

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(_THREADS, thread_name_prefix="slicemap-zarr")
        self._underway: deque[Future[None]] = deque()
        self._written: list[Written] = []

    def put(self, rows: Written, pixels: NDArray[Any]) -> None:
        """Write rows ``(bottom - top, X)`` soon."""
        if len(self._underway) >= _THREADS:
            self._underway.popleft().result()
        at = (*(slice(n, n + 1) for n in rows.plane), slice(rows.top, rows.bottom), slice(None))
        self._underway.append(self._pool.submit(rows.level.array.__setitem__, at, pixels[None, None, None]))
        self._written.append(rows)

    def all_written(self) -> list[Written]:
        """Wait until all is written; give what was put since this was last asked."""
        while self._underway:
            self._underway.popleft().result()
        written, self._written = self._written, []
        return written

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._pool.shutdown(cancel_futures=kind is not None)
        if kind is None:
            self.all_written()


@dataclass
class Strips:
    """One plane of a level: rows come in as they are made, and are written in strips.

    Parameters
    ----------
    level, plane
        Where they go.
    writes : Writes
        How.
    top : int
        The first row that is not written.
    waiting : list of ndarray, (n, X)
        Rows that came in, from there.
    """

    level: Level
    plane: Plane
    writes: Writes
    top: int = 0
    waiting: list[NDArray[Any]] = field(default_factory=list)

    def put(self, rows: NDArray[Any]) -> None:
        """Take rows."""
        held = sum(map(len, self.waiting))
        while len(rows):
            part = rows[: self.level.strip - held]
            self.waiting.append(part)
            held += len(part)
            if held == self.level.strip:
                self.flush()
                held = 0
            rows = rows[len(part) :]

    def flush(self) -> None:
        """Write what is there."""
        if not self.waiting:
            return
        pixels = self.waiting[0] if len(self.waiting) == 1 else np.concatenate(self.waiting)
        bottom = self.top + len(pixels)
        self.writes.put(Written(self.level, self.plane, self.top, bottom), pixels)
        self.top, self.waiting = bottom, []

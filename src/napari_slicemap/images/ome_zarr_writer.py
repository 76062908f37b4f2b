"""OME-Zarr images, written band by band: every pixel is read once, and all levels come out of that one pass."""

from __future__ import annotations

import math
import os
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from ..errors import PlanError, UnknownNameError
from ..files import distinct_stems, safe_stem
from .coarser import coarser_labels, coarser_means
from .ome_zarr_metadata import AXES, VERSIONS, check_known, image_attributes, label_attributes, labels_attributes

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from .source import ImageSource

COMPRESSIONS = ("zstd", "lz4", "none")
"""What chunks can be packed with."""

_COARSEST = 512
"""Px along the longer side of the last level, at most."""
_LEVEL = 3
"""Of compression: beyond it noise takes far longer and hardly less space."""
_STRIP_CHUNKS = 8
"""Narrow images are written several rows of chunks at a time: so many chunks, about."""
_SHARD_COLUMNS = 16
_THREADS = 2
"""Each starts many: zarr-python packs the chunks of one strip side by side."""
_LABEL_DTYPE = np.dtype("<u4")
_Plane = tuple[int, int, int]
"""``(t, c, z)``."""


def write_ome_zarr(
    path: str | os.PathLike[str],
    source: ImageSource,
    *,
    version: str = "0.5",
    compression: str = "zstd",
    chunk: int = 512,
    shard: bool | str = "auto",
    runs: Sequence[range] | None = None,
) -> None:
    """Write an image with its coarser levels, labels and channel settings as OME-Zarr.

    Level *n* holds the mean of each square of 2ⁿ × 2ⁿ px in y and x (those that exist, at the edges; NaN does not
    count), rounded half to even where pixels are whole numbers, and ends where the longer side is at most 512 px.
    Levels of labels hold the pixel at, or just above and left of, the centre of each square. The coordinates that
    the file states are those of pixel centres.

    Parameters
    ----------
    path : path-like
        The folder to write, which must be empty or not exist.
    source : ImageSource
        Boolean pixels are written as uint8. It is read in the calling thread, from the top of each plane down, and
        what `read` gives must stay as it is afterwards: it is written by other threads.
    version : {"0.5", "0.4"}
        Of OME-Zarr: 0.5 is Zarr v3, 0.4 is Zarr v2.
    compression : {"zstd", "lz4", "none"}
        Of the chunks (by Blosc, bytes shuffled).
    chunk : int
        Px along each side of a chunk.
    shard : bool or "auto"
        Whether chunks share files, which needs version 0.5. ``"auto"``: those of a level whose planes have more
        than 16 chunks.
    runs : sequence of range, optional
        Runs of z planes that are read side by side, band for band, for images whose stored chunks hold several
        planes; each plane alone if not given. Planes that are in none are not read, and stay 0. What is written is
        the same; what is held in memory of the coarser levels grows with the planes of a run.

    Raises
    ------
    UnknownNameError
        If version or compression is none of those.
    PlanError
        (a ``ValueError``) naming the image, if its pixels are complex or of another type that Zarr does not hold, or
        a label is negative, no whole number or above 2³² − 1.
    ValueError
        If `chunk` is below 1, `shard` is none of its values, or shards are asked for in version 0.4; naming the
        image, if a size is not above 0, a position not finite, a colour not ``#rrggbb``, or `read` gives rows of
        another shape or dtype than stated.
    FileExistsError
        If the folder holds something.
    """
    layout = _Layout(version, compression, chunk, shard)
    folder = Path(path)
    if folder.exists() and any(folder.iterdir()):
        raise FileExistsError(f"{folder} is not empty; an OME-Zarr image needs a folder of its own")
    dtype = _stored_dtype(source)
    check_known(source)
    import zarr

    steps = _steps(source)
    group = zarr.create_group(folder, zarr_format=layout.zarr_format)
    with _Writes() as writes:
        target = _Target(layout, writes, steps)
        ranges = _write_pixels(target, group, source, dtype, runs)
        if source.labels:
            _write_labels(target, group, source)
    group.update_attributes(image_attributes(source, version, steps, ranges))


def _stored_dtype(source: ImageSource) -> np.dtype[Any]:
    if source.dtype.kind not in "biuf" or source.dtype.itemsize > 8:
        raise PlanError(
            [
                f"image {source.name}: OME-Zarr holds no pixels of type {source.dtype.name}; "
                "they must be whole or floating-point numbers of at most 64 bits"
            ]
        )
    # the same bytes on any machine
    return np.dtype(np.uint8) if source.dtype.kind == "b" else source.dtype.newbyteorder("<")


def _steps(source: ImageSource) -> list[int]:
    """Give the side of the square of px that one px of each level stands for."""
    steps = [1]
    while math.ceil(max(source.shape[3:]) / steps[-1]) > _COARSEST:
        steps.append(2 * steps[-1])
    return steps


# --- arrays --------------------------------------------------------------------------------------------------
@dataclass(frozen=True)
class _Layout:
    """How arrays are stored; see :func:`write_ome_zarr`."""

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
        return 2 if self.version == "0.4" else 3

    def create(self, group: Any, name: str, shape: tuple[int, ...], dtype: np.dtype[Any]) -> _Level:
        """Make an empty array ``(T, C, Z, Y, X)``."""
        height, width = shape[3:]
        chunk = min(self.chunk, height), min(self.chunk, width)
        rows, columns = math.ceil(height / chunk[0]), math.ceil(width / chunk[1])
        together = min(rows, max(1, _STRIP_CHUNKS // columns))
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
        return _Level(array, together * chunk[0])

    def _compressor(self, itemsize: int) -> Any:
        # zarr-python has Blosc pack each chunk in one thread: in several, the order of its blocks would vary
        if self.compression == "none":
            return None
        said: dict[str, Any] = {"cname": self.compression, "clevel": _LEVEL, "blocksize": 0}
        if self.zarr_format == 2:
            return {"id": "blosc", "shuffle": 1, **said}
        return {"name": "blosc", "configuration": {"shuffle": "shuffle", "typesize": itemsize, **said}}


@dataclass(frozen=True)
class _Level:
    """An array, and how many of its rows are written at a time: whole chunks, or whole shards."""

    array: Any
    strip: int


class _Writes:
    """Strips on their way to the disk, few at a time; no two of them share a chunk or shard."""

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(_THREADS, thread_name_prefix="slicemap-zarr")
        self._underway: deque[Future[None]] = deque()

    def put(self, array: Any, at: tuple[slice, ...], pixels: NDArray[Any]) -> None:
        if len(self._underway) >= _THREADS:
            self._underway.popleft().result()
        self._underway.append(self._pool.submit(array.__setitem__, at, pixels))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._pool.shutdown(cancel_futures=kind is not None)
        if kind is None:
            for future in self._underway:
                future.result()


@dataclass
class _Strips:
    """One plane of a level: rows come in as they are made, and are written in strips."""

    level: _Level
    plane: _Plane
    writes: _Writes
    _top: int = 0
    _rows: int = 0
    _waiting: list[NDArray[Any]] = field(default_factory=list)

    def put(self, rows: NDArray[Any]) -> None:
        while len(rows):
            part = rows[: self.level.strip - self._rows]
            self._waiting.append(part)
            self._rows += len(part)
            if self._rows == self.level.strip:
                self.flush()
            rows = rows[len(part) :]

    def flush(self) -> None:
        """Write what is there."""
        if not self._rows:
            return
        pixels = self._waiting[0] if len(self._waiting) == 1 else np.concatenate(self._waiting)
        at = (*(slice(n, n + 1) for n in self.plane), slice(self._top, self._top + self._rows), slice(None))
        self.writes.put(self.level.array, at, pixels[None, None, None])
        self._top, self._rows, self._waiting = self._top + self._rows, 0, []


@dataclass(frozen=True)
class _Target:
    """What all arrays of one image share."""

    layout: _Layout
    writes: _Writes
    steps: list[int]

    def create(self, group: Any, shape: tuple[int, ...], dtype: np.dtype[Any]) -> list[_Level]:
        """Make the arrays of all levels."""
        *planes, height, width = shape
        return [
            self.layout.create(group, str(n), (*planes, math.ceil(height / step), math.ceil(width / step)), dtype)
            for n, step in enumerate(self.steps)
        ]

    def write(
        self,
        levels: list[_Level],
        planes: Sequence[_Plane],
        height: int,
        read: Callable[[_Plane, int, int], NDArray[Any]],
        coarser: Callable[[NDArray[Any]], Iterator[NDArray[Any]]],
    ) -> None:
        """Write planes side by side in all levels; ``coarser(band)`` gives all but the first of a band."""
        strips = {plane: [_Strips(level, plane, self.writes) for level in levels] for plane in planes}
        # no px of any level lies in two bands
        rows = self.steps[-1] * math.ceil(levels[0].strip / self.steps[-1])
        for top in range(0, height, rows):
            for plane, own in strips.items():
                band = read(plane, top, min(top + rows, height))
                for strip, made in zip(own, (band, *coarser(band)), strict=True):
                    strip.put(made)
        for own in strips.values():
            for strip in own:
                strip.flush()


# --- pixels --------------------------------------------------------------------------------------------------
def _write_pixels(
    target: _Target, group: Any, source: ImageSource, dtype: np.dtype[Any], runs: Sequence[range] | None
) -> list[tuple[float, float] | None]:
    """Write all levels; the range of the finite pixels of each channel, ``None`` where there are none."""
    levels = target.create(group, source.shape, dtype)
    found: list[list[tuple[float, float]]] = [[] for _ in source.channels]

    def read(plane: _Plane, top: int, bottom: int) -> NDArray[Any]:
        t, c, z = plane
        band = source.read(t, c, z, top, bottom)
        _check(band, (bottom - top, source.shape[4]), f"image {source.name}, t {t}, channel {c}, z {z}")
        if band.dtype != source.dtype:
            raise ValueError(f"image {source.name}: its pixels are {band.dtype}, stated was {source.dtype}")
        band = band.astype(dtype, copy=False)
        finite = band[np.isfinite(band)] if dtype.kind == "f" else band
        if finite.size:
            found[c].append((finite.min().item(), finite.max().item()))
        return band

    coarser = partial(coarser_means, count=len(levels) - 1)
    times, channels, depth, height, _ = source.shape
    together = [range(z, z + 1) for z in range(depth)] if runs is None else runs
    for t in range(times):
        for c in range(channels):
            for run in together:
                target.write(levels, [(t, c, z) for z in run], height, read, coarser)
    return [(min(low for low, _ in one), max(high for _, high in one)) if one else None for one in found]


def _check(band: NDArray[Any], shape: tuple[int, int], where: str) -> None:
    if band.shape != shape:
        raise ValueError(f"{where}: {shape[0]} rows of {shape[1]} px were asked for, but their shape is {band.shape}")


# --- labels --------------------------------------------------------------------------------------------------
def _write_labels(target: _Target, group: Any, source: ImageSource) -> None:
    times, _, depth, height, width = source.shape
    names = label_paths(list(source.labels))
    version = target.layout.version
    labels = group.create_group("labels", attributes=labels_attributes(names, version))
    for name, (mask, read) in zip(names, source.labels.items(), strict=True):
        one = labels.create_group(name, attributes=label_attributes(source, mask, version, target.steps))
        levels = target.create(one, (times, 1, depth, height, width), _LABEL_DTYPE)
        for t in range(times):
            for z in range(depth):
                where = f"image {source.name}, mask {mask}, t {t}, z {z}"
                target.write(
                    levels,
                    [(t, 0, z)],
                    height,
                    partial(_labels, partial(read, t, z), width, where),
                    partial(coarser_labels, count=len(levels) - 1),
                )


def label_paths(masks: list[str]) -> list[str]:
    """Name the folder of each mask: all different, and none that Zarr reads as something else."""
    stems = [safe_stem(mask) for mask in masks]
    return distinct_stems([stem if stem[0].isalnum() and stem != "zarr.json" else f"mask{stem}" for stem in stems])


def _labels(
    read: Callable[[int, int], NDArray[Any]], width: int, where: str, _: _Plane, top: int, bottom: int
) -> NDArray[np.uint32]:
    found = read(top, bottom)
    _check(found, (bottom - top, width), where)
    if found.dtype.kind not in "biu":
        raise PlanError([f"{where}: labels are {found.dtype}, expected whole numbers"])
    low, high = int(found.min()), int(found.max())
    if low < 0 or high > np.iinfo(_LABEL_DTYPE).max:
        raise PlanError([f"{where}: labels go from {low} to {high}, expected 0 to {np.iinfo(_LABEL_DTYPE).max}"])
    return found.astype(_LABEL_DTYPE, copy=False)

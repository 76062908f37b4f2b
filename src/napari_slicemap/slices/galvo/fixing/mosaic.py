"""Fixing mosaics: each stored chunk, which is a tile, rolled; coarser levels made anew; everything else copied."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path, PurePosixPath
from typing import Any

from ....errors import PlanError
from ....images.format_tools import named
from ....images.ome_zarr.zarr_image import ZarrImage
from .job import FileStep, Job, LateStep, Stamp, copy_job, files_of
from .levels import Level, factors_of
from .marks import KEPT, Fixed, kept_as_it_was, marked, unmarked
from .rolling import Roll, rolled
from .stored_array import StoredArray


def copied_mosaic(path: Path) -> Job:
    """Plan to copy a mosaic as it is.

    Raises
    ------
    PlanError
        Naming a link in it.
    """
    return copy_job(path, Path(path.name))


def fixed_mosaic(path: Path, fixed: Fixed) -> Job:
    """Plan to roll the tiles of a mosaic.

    Parameters
    ----------
    path : Path
        The mosaic.
    fixed : Fixed
        By how much, and what its attributes are to say.

    Raises
    ------
    PlanError
        Naming a link in it, or what is in the way in it.
    FileFormatError, TileReadError
        Naming what cannot be read, or is not as it should be.
    """
    files = files_of(path)
    if any(name.startswith(f"{KEPT}/") for name in files):
        raise PlanError([f"{path / KEPT} is in the way: a fix keeps there what was before"])
    mosaic = _Mosaic(path, files)
    levels = {str(n): level for n, level in enumerate(mosaic.levels(), start=1)}
    marks = marked(path, fixed, {key: level.name for key, level in levels.items()})
    rolling = mosaic.rolling(fixed, back=False)
    steps: list[FileStep] = []
    for name, stamp in files.items():
        source = path / name
        for key, level in levels.items():
            if name.startswith(f"{level.name}/"):
                steps.append(FileStep(f"{KEPT}/{key}/{name.removeprefix(f'{level.name}/')}", source, stamp))
        if name not in marks and not any(level.holds(name) for level in levels.values()):
            steps.append(rolling.step(name, source, stamp))
    late = tuple(step for level in levels.values() for step in mosaic.coarser(level))
    said = {**fixed.model_dump(), "back": False, "array": mosaic.full.state}
    return Job(path, Path(path.name), said, tuple(steps), late, marks, mosaic.chunk_bytes)


def undone_mosaic(path: Path, fixed: Fixed) -> Job:
    """Plan to roll the tiles of a fixed mosaic back; its coarser levels and metadata are what they were.

    Raises
    ------
    PlanError, FileFormatError, TileReadError
        As :func:`fixed_mosaic` says.
    """
    files = files_of(path)
    kept = kept_as_it_was(path)
    mosaic = _Mosaic(path, files)
    marks = unmarked(path, kept)
    rolling = mosaic.rolling(fixed, back=True)
    with named(path / KEPT, "what was before a fix"):
        before = {key: inside(level) for key, level in kept.levels.items()}
    since = [level for level in mosaic.levels() if level.name not in before.values()]
    steps = []
    for name, stamp in files.items():
        if name.startswith(f"{KEPT}/"):
            _, key, *rest = PurePosixPath(name).parts
            if key in before and rest:
                steps.append(FileStep("/".join((before[key], *rest)), path / name, stamp))
        elif (
            not name.startswith(tuple(f"{level}/" for level in before.values()))
            and not any(level.holds(name) for level in since)  # made of fixed pixels
            and name not in marks
            and name not in kept.metadata
        ):
            steps.append(rolling.step(name, path / name, stamp))
    late = tuple(step for level in since for step in mosaic.coarser(level))
    said = {**fixed.model_dump(), "back": True, "array": mosaic.full.state}
    return Job(path, Path(path.name), said, tuple(steps), late, marks, mosaic.chunk_bytes)


@dataclass(frozen=True)
class _Rolling:
    """How the files of the full resolution are made; all others are copied."""

    array: StoredArray
    prefix: str
    axis: int
    roll: Roll

    def step(self, name: str, source: Path, stamp: Stamp) -> FileStep:
        place = self.array.place_of(name.removeprefix(self.prefix)) if name.startswith(self.prefix) else None
        return (
            FileStep(name, source, stamp)
            if place is None
            else FileStep(name, source, stamp, partial(self._write, place))
        )

    def _write(self, place: tuple[int, ...], source: Path, out: Path) -> None:
        """Roll each chunk of a file; chunks that are not there stay away."""
        self.array.write(
            out, place, ((at, self._rolled(at, raw, source)) for at, raw in self.array.parts(source, place))
        )

    def _rolled(self, at: tuple[int, ...], raw: bytes, source: Path) -> bytes:
        kept = self.array.kept(at, self.axis)
        if kept <= 0:  # a shard may hold chunks beyond the end of the array
            return raw
        by = self.roll.of(kept)
        if by == 0:
            return raw
        return self.array.pack(rolled(self.array.unpack(raw, source), by, self.axis, kept))


class _Mosaic:
    """The arrays of a mosaic: an OME-Zarr image, or a bare array."""

    def __init__(self, path: Path, files: dict[str, Stamp]) -> None:
        self.path, self._files = path, files
        with named(path, "a Zarr image"):
            self.name, self._scale = self._datasets[0]
        self.full = StoredArray(path / self.name)
        self.chunk_bytes = math.prod(self.full.chunks) * self.full.dtype.itemsize

    @cached_property
    def _datasets(self) -> list[tuple[str, list[float] | None]]:
        """The levels that an OME-Zarr image names and the scales they state, the full resolution first."""
        import zarr

        opened: Any = zarr.open(self.path, mode="r")
        if isinstance(opened, zarr.Array):
            return [("", None)]
        attributes = opened.attrs.asdict()
        named_levels = attributes.get("ome", attributes)["multiscales"][0]["datasets"]
        return [(inside(one["path"]), _scale_of(one)) for one in named_levels]

    def rolling(self, fixed: Fixed, back: bool) -> _Rolling:
        """Say how to roll its tiles, there or back."""
        axis = ZarrImage(self.path, third="Z").info.axes.index(fixed.axis.upper())
        lines = self.full.chunks[axis]
        prefix = f"{self.name}/" if self.name else ""
        return _Rolling(self.full, prefix, axis, Roll(fixed.shift, fixed.n_extra, lines, back))

    def levels(self) -> Iterator[Level]:
        """Give the coarser levels that are there."""
        known = {self.name}
        for name, scale in self._datasets:
            if name in known or not (self.path / name).is_dir():
                continue
            known.add(name)
            stored = StoredArray(self.path / name)
            stated = None
            if scale and self._scale and len(scale) == len(self._scale) == len(stored.shape) and all(self._scale):
                stated = [one / first for one, first in zip(scale, self._scale, strict=True)]
            yield Level(name, stored, self.full, factors_of(self.full, stored, stated))

    def coarser(self, level: Level) -> Iterator[LateStep]:
        """Plan the files of a coarser level."""
        grid = [math.ceil(size / one) for size, one in zip(level.stored.shape, level.stored.files, strict=True)]
        for place in itertools.product(*map(range, grid)):
            name = f"{level.name}/{level.stored.name_of(place)}"
            weight = self._files.get(name, (0, 0))[0]
            yield LateStep(name, weight, partial(_write_level, level, self.name, place, self.path / name))


def _write_level(level: Level, full: str, place: tuple[int, ...], known: Path, made: Path, out: Path) -> None:
    level.write(made / full, place, out, known)


def inside(name: str) -> str:
    """Check that a name leads to a folder within another.

    Raises
    ------
    ValueError
        If it leads elsewhere.
    """
    path = PurePosixPath(str(name))
    if path.is_absolute() or ".." in path.parts or not path.parts or "\\" in str(name):
        raise ValueError(f"{name!r} does not lie in it")
    return str(path)


def _scale_of(dataset: dict[str, Any]) -> list[float] | None:
    """Read what a level states of the size of its px."""
    for one in dataset.get("coordinateTransformations") or ():
        if one.get("type") == "scale":
            scale = [float(number) for number in one.get("scale") or ()]
            return scale if scale and all(math.isfinite(number) for number in scale) else None
    return None

"""OME-Zarr images, written band by band: every pixel is read once, and all levels come out of that one pass."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ...errors import PlanError
from ...files import distinct_stems, safe_stem
from ..coarser import coarser_labels, coarser_means
from .checkpoints import Checkpoints, Keeper, Range, discard_unsure
from .levels import Layout, Level, Plane, Strips, Writes
from .metadata import check_known, image_attributes, label_attributes, labels_attributes

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..source import ImageSource

_COARSEST = 512
"""Px along the longer side of the last level, at most."""
_LABEL_DTYPE = np.dtype("<u4")


def write_ome_zarr(
    path: str | os.PathLike[str],
    source: ImageSource,
    *,
    version: str = "0.5",
    compression: str = "zstd",
    chunk: int = 512,
    shard: bool | str = "auto",
    runs: Sequence[range] | None = None,
    checkpoints: Checkpoints | None = None,
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
    checkpoints : Checkpoints, optional
        Where to keep how far the writing has come. If it holds a checkpoint, the folder must be as it was left
        then, and the writing goes on there: nothing before is read again, and the files come out the same.

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
    layout = Layout(version, compression, chunk, shard)
    folder = Path(path)
    found = None if checkpoints is None else checkpoints.read()
    if found is None and folder.exists() and any(folder.iterdir()):
        raise FileExistsError(f"{folder} is not empty; an OME-Zarr image needs a folder of its own")
    dtype = _stored_dtype(source)
    check_known(source)
    import zarr

    target = _Target(layout, _steps(source), found is not None)
    make = zarr.open_group if target.there else zarr.create_group
    group = make(folder, zarr_format=layout.zarr_format)
    ranges: list[Range] = list(found.ranges) if found else [None] * len(source.channels)
    parts = [_pixels(target, group, source, dtype, runs, ranges), *_labels(target, group, source)]
    if found is not None:
        discard_unsure(folder, found, [(part.levels, part.groups) for part in parts])
    with Writes() as writes:
        keeper = Keeper(folder, writes, ranges, checkpoints, found)
        for number, part in enumerate(parts):
            for n in range(len(part.groups)):
                _write(part, number, n, source.shape[3], writes, keeper)
    group.update_attributes(image_attributes(source, version, target.steps, ranges))


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
class _Target:
    """What all arrays of one image share; whether they are there already."""

    layout: Layout
    steps: list[int]
    there: bool

    def levels(self, group: Any, shape: tuple[int, ...], dtype: np.dtype[Any]) -> list[Level]:
        """Make the arrays of all levels."""
        *planes, height, width = shape
        sizes = [(math.ceil(height / step), math.ceil(width / step)) for step in self.steps]
        return [
            self.layout.level(group, str(n), (*planes, *size), dtype, there=self.there) for n, size in enumerate(sizes)
        ]


@dataclass(frozen=True)
class _Part:
    """The pixels, or one mask.

    Parameters
    ----------
    levels : list of Level
        Where they go.
    rows : int
        Of a band: no px of any level lies in two bands.
    groups : sequence of list of tuple
        The planes ``(t, c, z)``; those of one group are written side by side.
    read : callable
        ``read(plane, top, bottom)`` gives rows as they are stored.
    coarser : callable
        ``coarser(band)`` gives all levels but the first of a band.
    """

    levels: list[Level]
    rows: int
    groups: Sequence[list[Plane]]
    read: Callable[[Plane, int, int], NDArray[Any]]
    coarser: Callable[[NDArray[Any]], Iterator[NDArray[Any]]]


def _band_rows(levels: Sequence[Level], steps: Sequence[int]) -> int:
    return steps[-1] * math.ceil(levels[0].strip / steps[-1])


def _write(part: _Part, number: int, group: int, height: int, writes: Writes, keeper: Keeper) -> None:
    """Write the planes of one group in all levels."""
    strips = {plane: [Strips(level, plane, writes) for level in part.levels] for plane in part.groups[group]}
    start = keeper.begin(number, group, list(strips.values()))
    if start is None:
        return
    for top in range(start, height, part.rows):
        bottom, size = min(top + part.rows, height), 0
        for plane, own in strips.items():
            band = part.read(plane, top, bottom)
            size += band.nbytes
            for strip, made in zip(own, (band, *part.coarser(band)), strict=True):
                strip.put(made)
                if bottom == height:
                    strip.flush()
        keeper.note(number, group, bottom, list(strips.values()), size)


# --- pixels --------------------------------------------------------------------------------------------------
def _pixels(
    target: _Target,
    group: Any,
    source: ImageSource,
    dtype: np.dtype[Any],
    runs: Sequence[range] | None,
    ranges: list[Range],
) -> _Part:
    """Make the levels of the pixels; the range of each channel is found as they are read."""

    def read(plane: Plane, top: int, bottom: int) -> NDArray[Any]:
        t, c, z = plane
        band = source.read(t, c, z, top, bottom)
        _check(band, (bottom - top, source.shape[4]), f"image {source.name}, t {t}, channel {c}, z {z}")
        if band.dtype != source.dtype:
            raise ValueError(f"image {source.name}: its pixels are {band.dtype}, stated was {source.dtype}")
        band = band.astype(dtype, copy=False)
        finite = band[np.isfinite(band)] if dtype.kind == "f" else band
        if finite.size:
            low, high = finite.min().item(), finite.max().item()
            known = ranges[c]
            ranges[c] = (low, high) if known is None else (min(known[0], low), max(known[1], high))
        return band

    levels = target.levels(group, source.shape, dtype)
    times, channels, depth, _, _ = source.shape
    together = [range(z, z + 1) for z in range(depth)] if runs is None else runs
    groups = [[(t, c, z) for z in run] for t in range(times) for c in range(channels) for run in together]
    coarser = partial(coarser_means, count=len(levels) - 1)
    return _Part(levels, _band_rows(levels, target.steps), groups, read, coarser)


def _check(band: NDArray[Any], shape: tuple[int, int], where: str) -> None:
    if band.shape != shape:
        raise ValueError(f"{where}: {shape[0]} rows of {shape[1]} px were asked for, but their shape is {band.shape}")


# --- labels --------------------------------------------------------------------------------------------------
def _labels(target: _Target, group: Any, source: ImageSource) -> Iterator[_Part]:
    """Make the levels of each mask."""
    if not source.labels:
        return
    times, _, depth, height, width = source.shape
    names = label_paths(list(source.labels))
    version = target.layout.version
    if target.there:
        labels = group["labels"]
    else:
        labels = group.create_group("labels", attributes=labels_attributes(names, version))
    for name, (mask, read) in zip(names, source.labels.items(), strict=True):
        if target.there:
            one = labels[name]
        else:
            one = labels.create_group(name, attributes=label_attributes(source, mask, version, target.steps))
        levels = target.levels(one, (times, 1, depth, height, width), _LABEL_DTYPE)
        yield _Part(
            levels,
            _band_rows(levels, target.steps),
            [[(t, 0, z)] for t in range(times) for z in range(depth)],
            partial(_read_labels, read, width, f"image {source.name}, mask {mask}"),
            partial(coarser_labels, count=len(levels) - 1),
        )


def label_paths(masks: list[str]) -> list[str]:
    """Name the folder of each mask: all different, and none that Zarr reads as something else."""
    stems = [safe_stem(mask) for mask in masks]
    return distinct_stems([stem if stem[0].isalnum() and stem != "zarr.json" else f"mask{stem}" for stem in stems])


def _read_labels(
    read: Callable[[int, int, int, int], NDArray[Any]], width: int, of: str, plane: Plane, top: int, bottom: int
) -> NDArray[np.uint32]:
    t, _, z = plane
    where = f"{of}, t {t}, z {z}"
    found = read(t, z, top, bottom)
    _check(found, (bottom - top, width), where)
    if found.dtype.kind not in "biu":
        raise PlanError([f"{where}: labels are {found.dtype}, expected whole numbers"])
    low, high = int(found.min()), int(found.max())
    if low < 0 or high > np.iinfo(_LABEL_DTYPE).max:
        raise PlanError([f"{where}: labels go from {low} to {high}, expected 0 to {np.iinfo(_LABEL_DTYPE).max}"])
    return found.astype(_LABEL_DTYPE, copy=False)

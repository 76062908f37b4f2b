"""Making the coarse levels of a map: every tile is decoded once, and all levels come out of that one pass."""

from __future__ import annotations

import shutil
import tempfile
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import CancelledError
from ..images.cache import ChunkCache
from ..images.region import Grid, Window, blocks
from .engine import cell_sums
from .map_scene import MapScene
from .stored import COVERAGE, FINEST, VERSION, StoredLevels, steps_for
from .threads import for_each

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from .virtual_map import VirtualMap

_SIDE = 4096
"""Map px along the side of what one thread works on; every step divides it."""
_IN_MEMORY = 2**27
"""Levels of at most so many bytes are put together in memory, and written in chunks of a sensible size."""
_CHUNK = 512
_CACHE = 2**26


def build_levels(
    one: VirtualMap,
    *,
    on_progress: Callable[[int, int], None] | None = None,
    cancel: Callable[[], bool] | None = None,
) -> StoredLevels:
    """Make the coarse levels of a map and keep them where :func:`~napari_slicemap.open_dataset` finds them.

    Parameters
    ----------
    one : VirtualMap
        A map of a dataset.
    on_progress : callable, optional
        ``on_progress(done, total)``, in pieces of the map; called from several threads, one at a time.
    cancel : callable, optional
        Asked before each piece; once it says true, nothing is kept.

    Returns
    -------
    StoredLevels
        Tiles that cannot be read are left out of them, and named in what is rendered from them.

    Raises
    ------
    ValueError
        If the map belongs to no dataset, so that there is no folder to keep levels in.
    CancelledError
        If it was cancelled.
    OSError
        If the folder cannot be written to.
    """
    stored = one.stored
    if stored is None:
        raise ValueError(f"map {one.map_id}: levels are kept in a dataset's cache folder; this map belongs to none")
    state = stored.state()  # of before: what changes meanwhile makes the levels stale, not wrong
    stored.path.parent.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix=".making-", dir=stored.path.parent))
    try:
        builder = _Builder(one, stored.overlap, folder / stored.path.name, state)
        builder.run(on_progress, cancel)
        stored.replace_with(builder.path)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return stored


@dataclass
class _Level:
    """One level while it is made: its arrays on disk, and what is put together in memory first."""

    step: int
    means: Any
    coverage: Any
    kept: NDArray[np.float32] | None
    kept_coverage: NDArray[np.uint32] | None

    def put(self, at: tuple[slice, slice], channel: int, means: NDArray[np.float32]) -> None:
        if self.kept is None:
            self.means[channel, *at] = means
        else:
            self.kept[channel, *at] = means

    def cover(self, at: tuple[slice, slice], pixels: NDArray[np.uint32]) -> None:
        (self.coverage if self.kept_coverage is None else self.kept_coverage)[at] = pixels

    def finish(self) -> None:
        if self.kept is not None and self.kept_coverage is not None:
            self.means[...], self.coverage[...] = self.kept, self.kept_coverage


@dataclass
class _Builder:
    one: VirtualMap
    overlap: Any
    path: Path
    state: str
    _done: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def run(self, on_progress: Callable[[int, int], None] | None, cancel: Callable[[], bool] | None) -> None:
        """Read the map piece by piece and write all levels."""
        one = self.one
        steps = steps_for(one.shape)
        # nothing is read twice but what two pieces share: the dataset's own cache would only be flushed
        cache = ChunkCache(_CACHE)
        scenes = {name: MapScene(one.placement, cache, self.overlap, "mark", 0, 0, one.bounds) for name in one.channels}
        group, levels = self._create(list(scenes), steps)
        pieces = list(blocks(one.bounds, _SIDE))

        def work(piece: Window) -> None:
            if cancel is not None and cancel():
                raise CancelledError(f"making the levels of map {one.map_id} was cancelled")
            self._piece(scenes, levels, piece)
            with self._lock:
                self._done += 1
                if on_progress is not None:
                    on_progress(self._done, len(pieces))

        for_each(work, pieces)
        for level in levels:
            level.finish()
        group.attrs["slicemap"] = {
            "version": VERSION,
            "state": self.state,
            "overlap": self.overlap,
            "steps": steps,
            "channels": list(scenes),
            "missing": {name: scene.reasons() for name, scene in scenes.items()},
        }

    def _piece(self, scenes: dict[str, MapScene], levels: list[_Level], piece: Window) -> None:
        grid, origin = Grid(FINEST), Window(0, 0, 0, 0)
        at = [Grid(level.step).cells(piece).slices_in(origin) for level in levels]
        areas = _pyramid(_areas(piece, grid), len(levels))
        pixels = [np.zeros(area.shape[1:], np.uint32) for area in areas]
        for number, (channel, scene) in enumerate(scenes.items()):
            found = scene.pixels([channel], piece)
            sums, counts = cell_sums(found.stack, piece, grid, found.covered)
            there = areas
            if found.covered is not None:
                there = _pyramid(cell_sums(found.covered[None].view(np.uint8), piece, grid)[0], len(levels))
            # but for NaN every pixel that is there counts
            known = there if np.array_equal(counts, there[0]) else _pyramid(counts, len(levels))
            for n, (level, total) in enumerate(zip(levels, _pyramid(sums, len(levels)), strict=True)):
                with np.errstate(invalid="ignore", divide="ignore"):  # 0/0 is NaN, as it should be
                    level.put(at[n], number, (total[0] / known[n][0]).astype(np.float32))
                # a tile that lacks one channel may have another
                np.maximum(pixels[n], there[n][0].astype(np.uint32), out=pixels[n])
        for level, where, counted in zip(levels, at, pixels, strict=True):
            level.cover(where, counted)

    def _create(self, channels: list[str], steps: list[int]) -> tuple[Any, list[_Level]]:
        import zarr
        from zarr.codecs import BloscCodec

        height, width = self.one.shape
        size = self.one.base_pixel_size_um()
        unit, scale = ("pixel", 1.0) if size is None else ("micrometer", size)
        group = zarr.create_group(self.path, overwrite=True)
        group.attrs["ome"] = _multiscales(self.one.map_id, steps, "cyx", scale, unit)
        coverage = group.create_group(COVERAGE, attributes={"ome": _multiscales(COVERAGE, steps, "yx", scale, unit)})
        levels = []
        for step in steps:
            shape = (-(-height // step), -(-width // step))
            stays = len(channels) * shape[0] * shape[1] * 4 <= _IN_MEMORY
            side = _CHUNK if stays else _SIDE // step
            chunks = (min(side, shape[0]), min(side, shape[1]))
            common: dict[str, Any] = {"compressors": BloscCodec(cname="lz4", shuffle="bitshuffle"), "fill_value": 0}
            levels.append(
                _Level(
                    step,
                    group.create_array(
                        str(step), shape=(len(channels), *shape), chunks=(1, *chunks), dtype="float32", **common
                    ),
                    coverage.create_array(str(step), shape=shape, chunks=chunks, dtype="uint32", **common),
                    np.zeros((len(channels), *shape), np.float32) if stays else None,
                    np.zeros(shape, np.uint32) if stays else None,
                )
            )
        return group, levels


def _areas(piece: Window, grid: Grid) -> NDArray[np.float64]:
    """Give how many px of each cell lie in a piece: ``(1, h, w)``."""
    cells, d = grid.cells(piece), grid.step
    rows = np.diff(np.clip(np.arange(cells.y0, cells.y1 + 1) * d, piece.y0, piece.y1))
    columns = np.diff(np.clip(np.arange(cells.x0, cells.x1 + 1) * d, piece.x0, piece.x1))
    made: NDArray[np.float64] = np.multiply.outer(rows, columns).astype(np.float64)[None]
    return made


def _pyramid(sums: NDArray[np.float64], count: int) -> list[NDArray[np.float64]]:
    """Give sums over the cells of so many levels, each twice as coarse as the one before."""
    made = [sums]
    while len(made) < count:
        made.append(_halved(made[-1]))
    return made


def _halved(sums: NDArray[np.float64]) -> NDArray[np.float64]:
    """Add up squares of two by two cells; the last of an odd number stands alone."""
    odd = [(0, 0), (0, sums.shape[1] % 2), (0, sums.shape[2] % 2)]
    even = np.pad(sums, odd) if any(after for _, after in odd) else sums
    made: NDArray[np.float64] = even[:, ::2, ::2] + even[:, 1::2, ::2] + even[:, ::2, 1::2] + even[:, 1::2, 1::2]
    return made


def _multiscales(name: str, steps: list[int], axes: str, scale: float, unit: str) -> dict[str, Any]:
    """Describe levels by OME-Zarr 0.5 (https://ngff.openmicroscopy.org/0.5)."""
    kinds = [{"name": axis, "type": "channel"} if axis == "c" else _space(axis, unit) for axis in axes]
    before = [1.0] * (len(axes) - 2)
    datasets = [
        {
            "path": str(step),
            "coordinateTransformations": [
                {"type": "scale", "scale": [*before, scale * step, scale * step]},
                # the centre of a level's first cell lies off that of the map's first pixel
                {"type": "translation", "translation": [0.0] * len(before) + [scale * (step - 1) / 2] * 2},
            ],
        }
        for step in steps
    ]
    return {"version": "0.5", "multiscales": [{"name": name, "axes": kinds, "datasets": datasets}]}


def _space(axis: str, unit: str) -> dict[str, str]:
    return {"name": axis, "type": "space"} | ({} if unit == "pixel" else {"unit": unit})

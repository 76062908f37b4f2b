"""Coarse levels of a map, kept as OME-Zarr in the dataset's cache folder: read in place of thousands of tiles.

A level holds for each channel the exact mean of its cells (float32, NaN where a channel has no pixel), and how
many px of each cell tiles cover. It is taken only as long as the tiles and their files are as they were when it was
made, and deleting it loses nothing.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from ..files import distinct_stems
from ..images.cache import ChunkCache
from ..images.image import ImagePlane
from ..images.ome_zarr.zarr_image import ZarrImage
from ..images.plane import Plane, read_window
from ..images.region import Grid, Window
from ..maps.placement import Placement
from .engine import cell_sums
from .scene import Pixels, scratch

FINEST = 8
"""The finest level's downsampling: a 64th of the pixels."""
COVERAGE = "coverage"
VERSION = 1
_OVERVIEW = 1024
"""Levels go on until the map is at most so many cells across."""
_COARSEST = 2048


def steps_for(shape: tuple[int, int]) -> list[int]:
    """Give the downsamplings that are kept of a map ``(height, width)``: 8, 16 … up to an overview."""
    steps = [FINEST]
    while max(shape) > _OVERVIEW * steps[-1] and steps[-1] < _COARSEST:
        steps.append(2 * steps[-1])
    return steps


@dataclass(frozen=True)
class StoredLevel:
    """One level.

    Parameters
    ----------
    step : int
        Its downsampling.
    planes : mapping of str to Plane
        Channel → means.
    coverage : Plane
        How many px of each cell tiles cover.
    bounds : Window
        Its cells.
    missing : mapping of str to mapping
        Channel → FOVs that could not be read when it was made → why.
    cache : ChunkCache
        Where decoded chunks are kept.
    """

    step: int
    planes: Mapping[str, Plane]
    coverage: Plane
    bounds: Window
    missing: Mapping[str, Mapping[str, str]]
    cache: ChunkCache

    def read(self, channels: Sequence[str], block: Window, grid: Grid) -> Pixels:
        """Read cells of a grid whose step and origin (map px) are multiples of this level's step.

        Returns
        -------
        Pixels
            Means as float32: at the level's own step exactly those of the tiles' pixels, at multiples of it the
            same to rounding (but where only some of a cell's pixels are NaN).
        """
        coarse = Grid(grid.step // self.step, grid.x0 // self.step, grid.y0 // self.step)
        window = coarse.pixels(block) & self.bounds
        stack = scratch((len(channels), *window.shape), np.dtype(np.float32))
        for name, out in zip(channels, stack, strict=True):
            read_window(self.planes[name], 0, 0, window, self.cache, out)
        pixels = read_window(self.coverage, 0, 0, window, self.cache)
        if coarse.step > 1:
            weights = np.where(np.isnan(stack), 0.0, pixels)
            with np.errstate(invalid="ignore", divide="ignore"):  # 0/0 is NaN, as it should be
                sums = cell_sums(stack * weights, window, coarse)[0] / cell_sums(weights, window, coarse)[0]
            stack = sums.astype(np.float32)
            pixels = cell_sums(pixels[None], window, coarse)[0][0]
        return Pixels(stack, None if pixels.all() else pixels > 0)


class StoredLevels:
    """The levels of one map, where there are any.

    Parameters
    ----------
    folder : Path
        Where the levels of maps are kept; need not exist.
    placement : Placement
        The map.
    overlap : str
        The overlap rule that they are made with.
    cache : ChunkCache
        Where decoded chunks are kept.
    """

    def __init__(self, folder: Path, placement: Placement, overlap: str, cache: ChunkCache) -> None:
        (stem,) = distinct_stems([placement.map_id])
        self.path = folder / f"{stem}.ome.zarr"
        self.overlap = overlap
        self._placement, self._cache = placement, cache

    def forget(self) -> None:
        """Look anew, at the next use, whether there are levels and whether they are still true."""
        self.__dict__.pop("levels", None)

    @cached_property
    def levels(self) -> dict[int, StoredLevel]:
        """The levels by step; empty where there are none, or where the tiles have changed since."""
        try:
            attributes = json.loads((self.path / "zarr.json").read_text("utf-8"))["attributes"]
            kept = attributes["slicemap"]
        except (OSError, ValueError, KeyError):
            return {}
        if kept.get("version") != VERSION or kept.get("state") != self.state():
            return {}
        names, made = kept["channels"], {}
        for step in kept["steps"]:
            means = ZarrImage(self.path / str(step))
            coverage = ImagePlane(ZarrImage(self.path / COVERAGE / str(step)))
            _, _, height, width = coverage.shape
            planes = {name: ImagePlane(means, number, len(names)) for number, name in enumerate(names)}
            bounds = Window(0, width, 0, height)
            made[step] = StoredLevel(step, planes, coverage, bounds, kept["missing"], self._cache)
        return made

    def fitting(self, step: int, channels: Sequence[str]) -> StoredLevel | None:
        """Give the coarsest level from which cells of so many px can be made; ``None`` if there is none."""
        if step < FINEST:
            return None
        fits = (level for level in self.levels.values() if step % level.step == 0)
        able = [level for level in fits if all(name in level.planes for name in channels)]
        return max(able, key=lambda level: level.step, default=None)

    def state(self) -> str:
        """Tell one state of the map from another: where its tiles lie, and the files that they are read from."""
        found = hashlib.sha256(f"{VERSION} {self.overlap}".encode())
        found.update(self._placement.windows.tobytes())
        images: dict[int, str] = {}
        for tile in self._placement.tiles:
            planes = tile.fov.planes if tile.fov is not None else {}
            lines = [f"\n{tile.name} {tile.ratio}"]
            for name, plane in planes.items():
                # the channels of one image share its file, which is asked for its state once
                image = plane.image if isinstance(plane, ImagePlane) else plane
                channel = plane.channel if isinstance(plane, ImagePlane) else 0
                if id(image) not in images:
                    images[id(image)] = repr(_unplaced(image.key))
                lines.append(f"{name} {channel} {images[id(image)]}")
            found.update(" ".join(lines).encode())
        return found.hexdigest()

    def replace_with(self, made: Path) -> None:
        """Put a finished folder in the place of the old levels."""
        self.forget()
        old = Path(tempfile.mkdtemp(prefix=".old-", dir=self.path.parent)) if self.path.exists() else None
        if old is not None:
            self.path.rename(old / self.path.name)
        made.rename(self.path)
        if old is not None:
            shutil.rmtree(old)


def _unplaced(key: Any) -> Any:
    """Cut the folders off the paths in a key: a dataset that is moved stays what it is."""
    if isinstance(key, Path):
        return key.name
    return tuple(_unplaced(part) for part in key) if isinstance(key, tuple) else key

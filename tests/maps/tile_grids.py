"""Grids of tiles cut from one ground, and said to lie a little beside where they were cut."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
from scipy import ndimage

WIDTH, HEIGHT = 72, 60
STEP = 52, 40  # px from tile to tile: both ways, neighbours share 20 px


def ground(height: int, width: int, seed: int = 0) -> np.ndarray:
    """Texture without a pattern."""
    noise = np.random.default_rng(seed).normal(size=(height, width))
    smooth = ndimage.gaussian_filter(noise, 1.2)
    return (2000 + 600 * smooth / smooth.std()).clip(0, 65535).astype(np.uint16)


def true_corners(columns: int, rows: int, jitter: int = 4, seed: int = 1) -> np.ndarray:
    """Where tiles are cut, ``(N, 2)`` px, row by row: off a regular grid by up to `jitter`."""
    regular = [(x * STEP[0], y * STEP[1]) for y in range(rows) for x in range(columns)]
    off = np.random.default_rng(seed).integers(-jitter, jitter + 1, (len(regular), 2)) if jitter else 0
    return np.array(regular) + off + 10


def cut(image: np.ndarray, corners: np.ndarray) -> list[np.ndarray]:
    return [image[y : y + HEIGHT, x : x + WIDTH].copy() for x, y in corners]


def write_tiles(
    root: Path,
    tiles: Sequence[np.ndarray],
    places: Any,
    columns: tuple[str, str] = ("x_px", "y_px"),
    pixel_size_um: float | None = None,
    map_id: str = "m",
) -> Path:
    """Write ``t0.tif`` … and ``tiles.csv`` that says where they lie."""
    root.mkdir(parents=True, exist_ok=True)
    for n, tile in enumerate(tiles):
        tifffile.imwrite(root / f"{map_id}_t{n}.tif", tile)
    new = not (root / "tiles.csv").exists()
    with (root / "tiles.csv").open("a", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        if new:
            writer.writerow(("path", "map_id", *columns, *(("pixel_size_um",) if pixel_size_um else ())))
        for n, place in enumerate(np.asarray(places, float).tolist()):
            writer.writerow((f"{map_id}_t{n}.tif", map_id, *place, *((pixel_size_um,) if pixel_size_um else ())))
    return root


def off_by(found: Any, true: Any) -> np.ndarray:
    """How far positions are off, ``(N, 2)`` px, however the whole map lies."""
    difference = np.asarray(found, float) - np.asarray(true, float)
    return difference - np.median(difference, axis=0)

"""Slices of tiles whose return is known, as arrays, as raw tiles and as mosaics in which a chunk is a tile."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from scipy import ndimage

from builders import write_zarr
from images.oct_files import write_tile

DEPTH, LINES, EXTRA, SCANS = 3, 60, 12, 40
FIRST = 20
SHIFT = LINES - EXTRA - FIRST
"""Of a return from A-line `FIRST`."""

Tiles = Mapping[tuple[int, int], np.ndarray]
"""Row and column → tile ``(Z, A-lines, B-scans)``."""


def make_tiles(
    first: int | None = FIRST,
    *,
    change: float = -0.35,
    rows: int = 2,
    columns: int = 3,
    seed: int = 0,
    empty: Sequence[tuple[int, int]] = (),
) -> dict[tuple[int, int], np.ndarray]:
    """Tissue in quarter counts, whose sums are exact, with the return from A-line `first`."""
    made = {}
    for row, column in np.ndindex(rows, columns):
        image = _tissue(seed, row, column).copy()
        if first is not None:
            image[(first + np.arange(EXTRA)) % LINES] *= 1 + change
        if (row, column) in empty:
            image[:] = 1
        volume = image * np.array([1.5, 1.0, 0.5])[:, None, None]
        made[row, column] = (np.round(4 * volume) / 4).astype(np.float32)
    return made


@cache
def _tissue(*seed: int) -> np.ndarray:
    """Smooth tissue with speckle of 4 %, ``(A-lines, B-scans)``."""
    rng = np.random.default_rng(seed)
    rough = ndimage.gaussian_filter(rng.normal(size=(LINES, SCANS)), 6, mode="wrap")
    return 80 * np.exp(0.2 * rough / rough.std()) * (1 + 0.04 * rng.standard_normal(rough.shape))


def write_raw(folder: Path, tiles: Tiles, z: str = "03", *, groups: bool = False, **changes: Any) -> Path:
    """Write each tile as a scanner does, those of the slice in a folder of its own if asked."""
    home = folder / f"z{z}" if groups else folder
    for (row, column), tile in tiles.items():
        depth, lines, scans = tile.shape
        said = {"nx": lines - EXTRA, "ny": scans, "n_extra": EXTRA, "top_z": 0, "bottom_z": depth - 1, **changes}
        write_tile(home / f"tile_x{column:02d}_y{row:02d}_z{z}", tile, **said)
    return folder


def grid_of(tiles: Tiles, axis: str) -> np.ndarray:
    """Put tiles side by side, ``(Z, Y, X)``, A-lines along `axis`."""
    rows, columns = (1 + max(place[n] for place in tiles) for n in range(2))
    turned = {place: tile.transpose(0, 2, 1) if axis == "x" else tile for place, tile in tiles.items()}
    return np.concatenate([np.concatenate([turned[y, x] for x in range(columns)], 2) for y in range(rows)], 1)


def write_mosaic(
    path: Path,
    tiles: Tiles,
    axis: str = "x",
    *,
    galvo: object = "stated",
    cut: tuple[int, int] = (0, 0),
    version: int = 3,
    **options: Any,
) -> Path:
    """Write an OME-Zarr image whose chunks are the tiles; `cut` are rows and columns that it lacks at its ends."""
    import zarr

    tile = next(iter(tiles.values()))
    plane = (SCANS, LINES) if axis == "x" else (LINES, SCANS)
    whole = grid_of(tiles, axis)
    data = whole[:, : whole.shape[1] - cut[0], : whole.shape[2] - cut[1]]
    scale = {"type": "scale", "scale": [3.5, 1.3, 1.3]}
    axes = [{"name": name, "type": "space", "unit": "micrometer"} for name in "zyx"]
    multiscales = [{"axes": axes, "datasets": [{"path": "0", "coordinateTransformations": [scale]}]}]
    attributes: dict[str, Any] = {"ome": {"multiscales": multiscales}} if version == 3 else {"multiscales": multiscales}
    stated = {"axis": axis, "n_extra": EXTRA} if galvo == "stated" else galvo
    zarr.create_group(path, zarr_format=version, attributes=attributes | ({} if stated is None else {"galvo": stated}))
    write_zarr(path / "0", data, zarr_format=version, **{"chunks": (tile.shape[0], *plane), **options})
    return path

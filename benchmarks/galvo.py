"""Rows about raw tiles: finding the mirror's return in a slice, beside reading the tiles that are looked at."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from harness import Check, Row, in_process, medians, medians_after
from scipy.ndimage import gaussian_filter

from napari_slicemap.slices.galvo.decisions import detect_tiles
from napari_slicemap.slices.galvo.tile_slices import TileSlice, find_tile_slices

DEPTH, LINES, EXTRA, SCANS = 512, 552, 40, 512
TILES = 15
FIRST = 200
"""A-line at which the return begins."""
FILE = "image_00000.bin"
_SPARE = 2**30  # bytes of the disk that are left alone

_INFO = f"""nx: {LINES - EXTRA}
ny: {SCANS}
n_repeat: 1
width: 2.0
height: 2.0
n_extra: {EXTRA}
top_z: 0
bottom_z: {DEPTH - 1}
"""

_PEAK = """
import json, sys, threading
from napari_slicemap.slices.galvo.decisions import detect_tiles
from napari_slicemap.slices.galvo.tile_slices import find_tile_slices

def anonymous():
    with open("/proc/self/smaps_rollup") as rollup:
        return next(int(line.split()[1]) for line in rollup if line.startswith("Anonymous:"))

def watch():
    while not done.wait(0.002):
        seen.append(anonymous())

(tiles,) = find_tile_slices(sys.argv[1]).values()
done, seen = threading.Event(), [anonymous()]
watcher = threading.Thread(target=watch)
watcher.start()
found = detect_tiles(tiles)
done.set()
watcher.join()
assert len(found.tiles) == 5 and len(seen) > 20, (found, len(seen))
print(json.dumps({"MB": (max(seen) - seen[0]) / 1024}))
"""


@contextmanager
def slice_of_tiles(root: Path) -> Iterator[Path]:
    """Make 15 raw tiles of one tissue, with speckle that differs from px to px and a return in all; delete them."""
    folder = root / "galvo"
    shutil.rmtree(folder, ignore_errors=True)
    needed, free = TILES * 4 * DEPTH * LINES * SCANS + _SPARE, shutil.disk_usage(root).free
    if free < needed:
        raise SystemExit(f"{root}: {free / 1e9:.1f} GB are free, expected {needed / 1e9:.1f} GB for {TILES} raw tiles")
    try:
        for n in range(TILES):
            _write_tile(folder / f"tile_x{n % 5:02d}_y{n // 5:02d}_z00", n)
        yield folder
    finally:
        shutil.rmtree(folder)


def _write_tile(folder: Path, seed: int) -> None:
    rng = np.random.default_rng(seed)
    smooth = gaussian_filter(rng.standard_normal((SCANS, LINES)), 12)
    tissue = (100 * np.exp(0.3 * smooth / smooth.std())).astype(np.float32)
    tissue[:, FIRST : FIRST + EXTRA] *= 0.7
    speckle = rng.exponential(1, (LINES, DEPTH)).astype(np.float32) * np.exp(-np.linspace(0, 2, DEPTH, dtype="f4"))
    folder.mkdir(parents=True)
    (folder / "info.txt").write_text(_INFO, encoding="utf-8")
    with (folder / FILE).open("wb") as stream:
        for n, scan in enumerate(tissue):
            stream.write((scan[:, None] * np.roll(speckle, 7 * n, axis=1)).tobytes())
        stream.flush()
        os.fsync(stream.fileno())


def _read(files: list[Path], buffer: bytearray) -> None:
    for file in files:
        with file.open("rb", buffering=0) as stream:
            while stream.readinto(buffer):
                pass


def _forget(files: list[Path]) -> None:
    """Drop files from the page cache."""
    for file in files:
        with file.open("rb") as stream:
            os.posix_fadvise(stream.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def detection(root: Path) -> list[Row]:
    """Find the return in a slice of 15 raw tiles of (512, 552, 512) float32."""
    with slice_of_tiles(root) as folder:
        (tiles,) = find_tile_slices(folder).values()
        files = _looked_at(tiles)
        large, small = bytearray(2**25), bytearray(2**20)
        candidates: dict[str, Callable[[], object]] = {
            f"reading {len(files)} tiles, 32 MiB at a time": lambda: _read(files, large),
            "reading them, 1 MiB at a time": lambda: _read(files, small),
            "detection, from files to shift": lambda: detect_tiles(next(iter(find_tile_slices(folder).values()))),
        }
        warm = medians(candidates, rounds=7)
        cold = medians_after(lambda: _forget(files), candidates, rounds=9)
        peak = in_process(_PEAK, str(folder))
    name = f"galvo: {TILES} raw tiles of {(DEPTH, LINES, SCANS)} float32"
    return [
        _beside_reading(f"{name}, in the page cache", warm),
        _beside_reading(f"{name}, not in the page cache", cold),
        Row(
            f"{name}: memory beyond the process, less mapped files",
            peak,
            [Check("peak", peak["MB"], 150, at_most=True, unit="MB")],
            unit="MB",
        ),
    ]


def _looked_at(tiles: TileSlice) -> list[Path]:
    found = detect_tiles(tiles)
    assert (found.found, found.shift) == (True, LINES - EXTRA - FIRST), found
    return [tiles.path / tiles.tiles[one.index].name / FILE for one in found.tiles]


def _beside_reading(name: str, found: dict[str, float]) -> Row:
    # what is read 1 MiB at a time never leaves the processor's cache, so that it is not the time of having it in memory
    reading, _, ours = found.values()
    return Row(name, found, [Check("against reading, 32 MiB at a time", ours / reading, 1.2, at_most=True)])


ROWS: dict[str, Callable[[Path], list[Row]]] = {"galvo": detection}

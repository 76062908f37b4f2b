"""Rows about slices: the score of quality."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import zarr
from harness import THREADS, Check, Row, in_process, medians
from scipy.ndimage import gaussian_filter, sobel
from skimage.metrics import structural_similarity

from napari_slicemap.slices.quality import sample_planes, scan_quality
from napari_slicemap.slices.volumes import find_volumes, of_slices

SHAPE = (40, 1024, 1024)
SLICES = 20
TILE = 128
LZ4 = zarr.codecs.BloscCodec(cname="lz4")
TIMED = 6
"""The plain way is slow: so many of the slices are scored side by side."""

_PLAIN = "plane by plane, zarr-python and scikit-image"
_PEAK = """
import json, sys
from napari_slicemap.slices.quality import scan_quality
from napari_slicemap.slices.volumes import find_volumes

def kilobytes(name):
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith(name))

found = scan_quality(find_volumes(sys.argv[1]), exclude_first=0, workers=2)
print(json.dumps({"MB": kilobytes("VmHWM") / 1024, "slices": len(found)}))
"""


def mosaics(root: Path) -> Path:
    """Make a run of mosaics: one tissue that fades with depth and changes from slice to slice, and noise.

    A chunk holds a tile in all its depth, as mosaics do.
    """
    folder = root / "mosaics-deep"
    if folder.is_dir():
        return folder
    made = folder.with_name("mosaics.making")
    rng = np.random.default_rng(0)
    changes = gaussian_filter(rng.random((SLICES, *SHAPE[1:]), np.float32), (3, 6, 6))
    changes = (changes - changes.min()) / np.ptp(changes)
    fade = np.exp(-np.arange(SHAPE[0], dtype=np.float32) / 20)[:, None, None]
    for n, tissue in enumerate(changes):
        array = zarr.create_array(
            made / f"mosaic_z{n:02d}.zarr", shape=SHAPE, dtype="f4", chunks=(SHAPE[0], TILE, TILE), compressors=LZ4
        )
        array[...] = np.round(1000 * (tissue * fade + 0.05 * rng.random(SHAPE, np.float32)))
    made.rename(folder)
    return folder


def by_plane(root: Path, deep: Path) -> Path:
    """Make the first few again, with chunks of one plane."""
    folder = root / "mosaics-flat"
    if folder.is_dir():
        return folder
    made = folder.with_name("mosaics.making")
    for n in range(TIMED):
        name = f"mosaic_z{n:02d}.zarr"
        pixels = zarr.open_array(deep / name, mode="r")[...]
        chunks = (1, SHAPE[1] // 2, SHAPE[2] // 2)
        zarr.create_array(made / name, shape=SHAPE, dtype="f4", chunks=chunks, compressors=LZ4)[...] = pixels
    made.rename(folder)
    return folder


def plainly(folder: Path, count: int) -> list[float]:
    """Score as the formulas are written: every plane read apart when it is needed, each pair compared twice."""
    arrays = [zarr.open_array(folder / f"mosaic_z{n:02d}.zarr", mode="r") for n in range(count)]
    return [
        _plain_score(array, [arrays[m] for m in (n - 1, n + 1) if 0 <= m < count]) for n, array in enumerate(arrays)
    ]


def _plain_score(own: zarr.Array, neighbours: list[zarr.Array]) -> float:
    planes = sample_planes(own.shape[0])
    similar = [
        np.mean([structural_similarity(_stretched(own, z), _stretched(other, z), data_range=1.0) for z in planes])
        for other in neighbours
    ]
    middle = own.shape[0] // 2
    mean = np.mean([_plane(other, middle) for other in neighbours], axis=0)
    edge = np.corrcoef(_edges(_plane(own, middle)).ravel(), _edges(mean).ravel())[0, 1]
    variances = [np.var([_plane(one, z) for z in planes]) for one in (own, *neighbours)]
    likeness = min(1.0, 2 / (1 + abs(np.log(variances[0] / np.mean(variances[1:])))))
    return float(0.5 * max(0.0, np.mean(similar)) + 0.3 * max(0.0, edge) + 0.2 * likeness)


def _plane(array: zarr.Array, z: int) -> np.ndarray:
    return np.asarray(array[z], np.float64)


def _stretched(array: zarr.Array, z: int) -> np.ndarray:
    plane = _plane(array, z)
    return (plane - plane.min()) / np.ptp(plane)


def _edges(plane: np.ndarray) -> np.ndarray:
    magnitude = np.hypot(sobel(plane, 0), sobel(plane, 1))
    return magnitude / magnitude.max()


def quality(root: Path) -> list[Row]:
    """Score the quality of mosaics of (40, 1024, 1024) float32."""
    deep = mosaics(root)
    peak = in_process(_PEAK, str(deep))
    return [
        _timed(deep, "a tile in all its depth in a chunk", rounds=2),
        _timed(by_plane(root, deep), "one plane in a chunk", rounds=5),
        Row(
            f"memory of the process that scores {SLICES} of them with 2 workers",
            peak,
            [Check("peak", peak["MB"], 1000, at_most=True, unit="MB")],
            unit="MB",
        ),
    ]


def _timed(folder: Path, chunks: str, rounds: int) -> Row:
    volumes = find_volumes(folder)
    some = of_slices(volumes, list(volumes)[:TIMED])
    plain = plainly(folder, TIMED)
    ours = [one.result.score for one in scan_quality(some, exclude_first=0).values()]
    np.testing.assert_allclose(ours, plain, atol=1e-6)
    found = medians(
        {
            _PLAIN: lambda: plainly(folder, TIMED),
            "scan, 1 worker": lambda: scan_quality(some, exclude_first=0),
            f"scan, {THREADS} workers": lambda: scan_quality(some, exclude_first=0, workers=THREADS),
        },
        rounds=rounds,
    )
    one, all_of_them = found["scan, 1 worker"], found[f"scan, {THREADS} workers"]
    # the command takes all processors unless it is told otherwise
    checks = [Check("against the plain way", found[_PLAIN] / all_of_them, 8, at_most=False)]
    if THREADS > 1:
        checks.append(Check(f"{THREADS} workers against 1", one / all_of_them, 1.5, at_most=False))
    return Row(f"quality of {TIMED} mosaics of {SHAPE}, {chunks}", found, checks)


ROWS: dict[str, Callable[[Path], list[Row]]] = {"quality": quality}

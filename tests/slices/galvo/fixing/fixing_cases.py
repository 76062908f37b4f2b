"""Mosaics and raw tiles to fix, what a fix should make of them, and the state of folders."""

from __future__ import annotations

import hashlib
import itertools
from pathlib import Path

import numpy as np
import zarr

from napari_slicemap.slices.galvo.fixing import FixPlan, plan_fix, roll_of_part
from napari_slicemap.slices.galvo.tile_slices import find_tile_slices

EXTRA = 4


def hashes(folder: Path) -> dict[str, str]:
    """Every file in a folder → SHA-256 of its bytes."""
    files = (path for path in sorted(folder.rglob("*")) if path.is_file() and path.name != ".galvo-fix.lock")
    return {path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def times(folder: Path) -> dict[str, int]:
    """Everything in a folder → ns of its last change."""
    return {path.relative_to(folder).as_posix(): path.stat().st_mtime_ns for path in sorted(folder.rglob("*"))}


def pixels(shape: tuple[int, ...], dtype: str, seed: int = 0) -> np.ndarray:
    """Noise in every bit, so that floats hold NaNs of all kinds."""
    kind = np.dtype(dtype)
    made = np.random.default_rng(seed).integers(0, 256, (*shape, kind.itemsize), np.uint8).view(kind)[..., 0]
    return made.copy()


def ome(paths: dict[str, float], axes: str = "zyx", version: int = 2) -> dict:
    """Attributes of an OME-Zarr image: level → px of the full resolution in a px, in y and x."""
    kinds = {"t": "time", "c": "channel"}
    datasets = [
        {
            "path": path,
            "coordinateTransformations": [
                {"type": "scale", "scale": [2.0 * step if axis in "yx" else 5.0 for axis in axes]}
            ],
        }
        for path, step in paths.items()
    ]
    multiscale = {"axes": [{"name": axis, "type": kinds.get(axis, "space")} for axis in axes], "datasets": datasets}
    if version == 2:
        return {"multiscales": [{"version": "0.4", **multiscale}]}
    return {"ome": {"version": "0.5", "multiscales": [multiscale]}}


def write_array(group: zarr.Group | None, name: str | Path, data: np.ndarray, **options: object) -> zarr.Array:
    """Store an array; chunks that hold nothing but the fill value are not stored."""
    options = {"fill_value": 0, **options}
    if group is None:
        array = zarr.create_array(name, shape=data.shape, dtype=data.dtype, **options)
    else:
        array = group.create_array(name, shape=data.shape, dtype=data.dtype, **options)
    array[...] = data
    return array


def same_bytes(one: np.ndarray, other: np.ndarray) -> None:
    """Hold two arrays against each other, NaNs with all their bits."""
    assert one.dtype == other.dtype
    assert one.shape == other.shape
    assert one.tobytes() == other.tobytes()


def fixed_slowly(data: np.ndarray, chunks: tuple[int, ...], axis: int, shift: int, extra: int = EXTRA) -> np.ndarray:
    """Roll each tile of an array, one after the other."""
    made = data.copy()
    for place in itertools.product(*(range(0, size, chunk) for size, chunk in zip(data.shape, chunks, strict=True))):
        box = tuple(slice(at, at + chunk) for at, chunk in zip(place, chunks, strict=True))
        tile = made[box]
        made[box] = np.roll(tile, roll_of_part(shift, extra, chunks[axis], tile.shape[axis]), axis=axis)
    return made


def plan_of(source: Path, shift: int = 5, axis: str | None = None, n_extra: int | None = EXTRA) -> FixPlan:
    """Plan to roll all slices of a folder, whatever anybody decided."""
    slices = find_tile_slices(source, axis=axis, n_extra=n_extra)
    return plan_fix(slices, {}, {}, only=list(slices), shift=shift, source=source)


def write_raw(folder: Path, frames: list[int], lines: int = 12, depth: int = 3, seed: int = 0, extra: int = EXTRA):
    """A raw tile whose B-scans lie in files of so many each; its pixels, ``(Z, A-lines, B-scans)``."""
    folder.mkdir(parents=True)
    info = {"nx": lines - extra, "ny": sum(frames), "n_repeat": 1, "width": 100.0, "height": 90.0, "n_extra": extra}
    text = "".join(f"{key}: {value}\r\n" for key, value in {**info, "top_z": 2, "bottom_z": depth + 1}.items())
    (folder / "info.txt").write_bytes(text.encode())
    (folder / "notes").mkdir()
    (folder / "notes" / "image_of_the_day.bin").write_bytes(b"nothing of the kind")
    volume = pixels((depth, lines, sum(frames)), "<f4", seed)
    first = 0
    for n, count in enumerate(frames):
        part = volume[..., first : first + count]
        (folder / f"image_{n:05d}.bin").write_bytes(part.tobytes(order="F"))
        first += count
    return volume

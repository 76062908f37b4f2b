"""Sections of made-up tissue, drawn where a motion takes them, without any interpolation."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from builders import write_ome_zarr, write_tiff
from napari_slicemap.slices.interpolation import Gap
from napari_slicemap.slices.volumes import SliceVolume

SHAPE = (96, 128)


def motion(
    angle: float = 0.0, shift: tuple[float, float] = (0.0, 0.0), linear: object = ((1, 0), (0, 1))
) -> np.ndarray:
    """A turn in degrees after a linear map, about the centre of the image, then a shift (x, y) in px."""
    height, width = SHAPE
    c, s = np.cos(np.radians(angle)), np.sin(np.radians(angle))
    made = np.eye(3)
    made[:2, :2] = np.array([[c, -s], [s, c]]) @ np.asarray(linear, float)
    made[:2, 2] = shift
    centre = np.array([[1, 0, (width - 1) / 2], [0, 1, (height - 1) / 2], [0, 0, 1]])
    return centre @ made @ np.linalg.inv(centre)


def tissue(moved: np.ndarray | None = None, *, seed: int = 0, noise: float = 0.0) -> np.ndarray:
    """A blob of tissue with bright and dark spots, moved; float64 from 20 to about 1500."""
    height, width = SHAPE
    back = np.linalg.inv(np.eye(3) if moved is None else moved)
    y, x = np.mgrid[:height, :width].astype(float)
    x, y = (back[n, 0] * x + back[n, 1] * y + back[n, 2] for n in (0, 1))
    inside = np.hypot((x - 64) / 40, (y - 46) / 32)
    made = 600 / (1 + np.exp((inside - 1) * 25))
    rng = np.random.default_rng(seed)
    for _ in range(30):
        at_x, at_y = rng.uniform(34, 94), rng.uniform(22, 70)
        size, strength = rng.uniform(2, 6), rng.uniform(-300, 700)
        made += strength * np.exp(-((x - at_x) ** 2 + (y - at_y) ** 2) / (2 * size**2)) * (inside < 1.2)
    made = 20 + np.clip(made, 0, None)
    return made + np.random.default_rng([seed, 7]).normal(0, noise, SHAPE) if noise else made


def volume(folder: Path, slice_id: str, data: np.ndarray, *, dtype: object = np.uint16) -> SliceVolume:
    """A mosaic ``(Z, Y, X)``, or of one plane, in a file."""
    data = np.atleast_3d(data.T).T if data.ndim == 2 else data
    stored = np.rint(data).astype(dtype) if np.dtype(dtype).kind in "iu" else data.astype(dtype)
    path = folder / f"mosaic_z{slice_id}.ome.zarr"
    write_ome_zarr(path, stored, axes="zyx", pixel_size=(5.0, 5.0))
    return SliceVolume(slice_id, path)


def section(folder: Path, slice_id: str, data: np.ndarray) -> SliceVolume:
    """A section image: one plane, uint16."""
    return SliceVolume(slice_id, write_tiff(folder / f"section_{slice_id}.tif", np.rint(data).astype(np.uint16)))


def gap(before: SliceVolume, after: SliceVolume) -> Gap:
    return Gap("04", before, after, "there is no image of it")

"""Acquisitions to measure with, made once in the working folder and taken from there the next time."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import tifffile
import zarr
from scipy.ndimage import gaussian_filter
from zarr.codecs import BloscCodec

CHANNELS = ("DAPI", "CD3", "CD8", "CD20", "CD45")
_LZ4 = BloscCodec(cname="lz4", shuffle="bitshuffle")


def tissue(shape: tuple[int, int, int], seed: int = 0) -> np.ndarray:
    """Give (C, H, W) uint16 that looks like fluorescence: blobs and shot noise over an offset."""
    rng = np.random.default_rng(seed)
    count, height, width = shape
    made = np.empty(shape, np.uint16)
    for channel in range(count):
        cells = rng.random((height, width)) > 0.9985
        blobs = gaussian_filter(cells.astype(np.float32), 4 + channel)
        made[channel] = rng.poisson(100 + 60_000 * blobs * rng.uniform(0.5, 1.5)).clip(0, 65535)
    return made


def cell_labels(shape: tuple[int, int], side: int = 45) -> np.ndarray:
    """Give an int32 label image of about round cells that touch here and there."""
    height, width = shape
    y, x = np.mgrid[:height, :width]
    row, column = y // side, x // side
    dy, dx = y - (row + 0.5) * side, x - (column + 0.5) * side
    labels = row * (width // side + 1) + column + 1
    return np.where(dy**2 + dx**2 < (0.49 * side) ** 2, labels, 0).astype(np.int32)


def _made_once(folder: Path, make: Callable[[Path], None]) -> Path:
    if not folder.exists():
        part = folder.with_name(folder.name + ".part")
        shutil.rmtree(part, ignore_errors=True)
        part.mkdir(parents=True)
        make(part)
        part.rename(folder)
    return folder


def _project(folder: Path, names: list[str], places: list[tuple[int, int]], size: int) -> None:
    lines = ["path,map_id,fov,x_px,y_px,width_px,height_px,pixel_size_um"]
    lines += [
        f"{name},m,t{n},{x},{y},{size},{size},0.39" for n, (name, (x, y)) in enumerate(zip(names, places, strict=True))
    ]
    (folder / "tiles.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")


def _zarr_image(path: Path, levels: dict[str, np.ndarray], chunk: int = 256) -> None:
    datasets = []
    group = zarr.create_group(path)
    for name, stack in levels.items():
        size = min(chunk, *stack.shape[-2:])
        array = group.create_array(
            name, shape=stack.shape, chunks=(1, size, size), dtype=stack.dtype, compressors=_LZ4, fill_value=0
        )
        array[...] = stack
        scale = levels["0"].shape[-1] / stack.shape[-1] * 0.39
        datasets.append({"path": name, "coordinateTransformations": [{"type": "scale", "scale": [1, scale, scale]}]})
    axes = [{"name": "c", "type": "channel"}]
    axes += [{"name": axis, "type": "space", "unit": "micrometer"} for axis in "yx"]
    group.attrs["ome"] = {
        "version": "0.5",
        "multiscales": [{"axes": axes, "datasets": datasets}],
        "omero": {"channels": [{"label": name} for name in CHANNELS[: len(levels["0"])]]},
    }


def sixteen_tiles(root: Path, kind: str) -> Path:
    """Give 16 tiles of 1126² × 5 uint16 that cover 4096²: kind "zarr" (lz4, 256²) or "tiff" (zstd, 256²)."""

    def make(folder: Path) -> None:
        names, places = [], []
        for n in range(16):
            stack = tissue((5, 1126, 1126), n)
            places.append((n % 4 * 990, n // 4 * 990))
            if kind == "zarr":
                names.append(f"t{n}.ome.zarr")
                _zarr_image(folder / names[-1], {"0": stack})
            else:
                names.append(f"t{n}.tif")
                tifffile.imwrite(
                    folder / names[-1],
                    stack,
                    tile=(256, 256),
                    compression="zstd",
                    compressionargs={"level": 1},
                    photometric="minisblack",
                    ome=True,
                    metadata={"axes": "CYX", "Channel": {"Name": list(CHANNELS)}, "PhysicalSizeX": 0.39,
                              "PhysicalSizeY": 0.39},
                )  # fmt: skip
        _project(folder, names, places, 1126)

    return _made_once(root / f"sixteen-{kind}", make)


def many_tiles(root: Path) -> Path:
    """Give 1024 tiles of 1024² × 3 uint16, each with a level at 1/16 of its own; 64 of them are different."""

    def make(folder: Path) -> None:
        names = [f"t{n:04}.ome.zarr" for n in range(1024)]
        for n, name in enumerate(names[:64]):
            stack = tissue((3, 1024, 1024), n)
            small = stack.reshape(3, 64, 16, 64, 16).mean(axis=(2, 4)).astype(np.uint16)
            _zarr_image(folder / name, {"0": stack, "16": small})
        for n, name in enumerate(names[64:]):  # a file may have many names: the disk need not hold it 16 times
            shutil.copytree(folder / names[n % 64], folder / name, copy_function=os.link)
        _project(folder, names, [(n % 32 * 1024, n // 32 * 1024) for n in range(1024)], 1024)

    return _made_once(root / "many", make)


def huge_map(root: Path) -> Path:
    """Give 49 × 49 tiles of 2048² × 3 that share one file: a map of 100,352²."""

    def make(folder: Path) -> None:
        _zarr_image(folder / "tile.ome.zarr", {"0": tissue((3, 2048, 2048))})
        places = [(n % 49 * 2048, n // 49 * 2048) for n in range(49 * 49)]
        _project(folder, ["tile.ome.zarr"] * len(places), places, 2048)

    return _made_once(root / "huge", make)


def settings(channels: tuple[str, ...], gamma: float = 1.0) -> dict[str, object]:
    from napari_slicemap import ChannelSettings

    colors = ("#4d7fff", "#ff4000", "#00e060", "#ffd000", "#ff40ff")
    return {
        name: ChannelSettings(color, (90.0, 1500.0), gamma=gamma) for name, color in zip(channels, colors, strict=False)
    }

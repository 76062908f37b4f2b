"""Small datasets written into a folder, as microscopes and segmentations leave them."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tifffile

from napari_slicemap.images.image import ImageFile

CHANNELS = ("DAPI", "CD3")


def pixels(seed: int, shape: tuple[int, ...] = (20, 24), dtype: Any = np.uint16) -> np.ndarray:
    """Noise that differs in every pixel, so that a shift by one shows."""
    rng = np.random.default_rng(seed)
    if np.dtype(dtype).kind == "f":
        return rng.random(shape).astype(dtype)
    return rng.integers(0, np.iinfo(dtype).max, shape, dtype=dtype)


def write_tiff(path: Path, data: np.ndarray, **options: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    tifffile.imwrite(path, data, **options)
    return path


def write_npy(path: Path, data: np.ndarray) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    np.save(path, data)
    return path


def write_hdf5(path: Path, datasets: Mapping[str, np.ndarray], *, element_size_um: Any = None, **options: Any) -> Path:
    import h5py

    path.parent.mkdir(parents=True, exist_ok=True)
    with h5py.File(path, "w") as file:
        for name, data in datasets.items():
            made = file.create_dataset(name, data=data, **options)
            if element_size_um is not None:
                made.attrs["element_size_um"] = element_size_um
    return path


def write_zarr(path: Path, data: np.ndarray, **options: Any) -> Path:
    """An array by zarr-python, in chunks of 16 × 16 px unless said otherwise."""
    import zarr

    said = {"chunks": (*(1,) * (data.ndim - 2), 16, 16), "dtype": data.dtype, "shape": data.shape, **options}
    zarr.create_array(path, **said)[:] = data
    return path


def write_ome_zarr(
    path: Path,
    data: np.ndarray,
    *,
    axes: str = "cyx",
    channels: Sequence[str] = (),
    pixel_size: Sequence[float] = (1.0, 1.0),
    unit: str = "micrometer",
    version: int = 3,
    **options: Any,
) -> Path:
    """An OME-Zarr image, 0.5 (Zarr v3) or 0.4 (Zarr v2), whose pixels are ``(height, width)`` of `unit`."""
    import zarr

    kinds = {"t": "time", "c": "channel"}
    space = {"unit": unit} if unit else {}
    said = [
        {"name": axis, "type": kinds[axis]} if axis in kinds else {"name": axis, "type": "space", **space}
        for axis in axes
    ]
    scale = [dict(zip("yx", pixel_size, strict=True)).get(axis, 1.0) for axis in axes]
    dataset = {"path": "0", "coordinateTransformations": [{"type": "scale", "scale": scale}]}
    ome: dict[str, Any] = {"multiscales": [{"axes": said, "datasets": [dataset]}]}
    if channels:
        ome["omero"] = {"channels": [{"label": name} for name in channels]}
    zarr.create_group(path, zarr_format=version, attributes={"ome": ome} if version == 3 else ome)
    write_zarr(path / "0", data, zarr_format=version, **options)
    return path


def write_csv(path: Path, header: Sequence[str], rows: Iterable[Sequence[object]]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as stream:
        csv.writer(stream, lineterminator="\n").writerows([header, *rows])
    return path


def descriptor_entry(name: str, center: tuple[float, float], /, **changes: Any) -> dict[str, Any]:
    """One FOV of a descriptor: 24 × 20 px of 0.5 µm on slide ``S1``, unless changed."""
    made: dict[str, Any] = {
        "name": name,
        "slideId": "S1",
        "centerPointMicrons": {"x": center[0], "y": center[1]},
        "frameSizePixels": {"width": 24, "height": 20},
        "fovSizeMicrons": 12.0,
    }
    return {key: value for key, value in {**made, **changes}.items() if value is not ...}


def write_descriptor(path: Path, fovs: Sequence[Any], **root: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({**root, "fovs": list(fovs)}), encoding="utf-8")
    return path


def fov_folders(
    root: Path,
    names: Sequence[str] = ("a1", "a2"),
    *,
    channels: Sequence[str] = CHANNELS,
    shape: tuple[int, int] = (20, 24),
    maps: bool = True,
    masks: bool = True,
    cells: bool = True,
) -> Path:
    """Folders of FOVs side by side on map ``S1`` (0.5 µm/px), one TIFF per channel, a mask ``cell``, ``cells.csv``."""
    for n, name in enumerate(names):
        for c, channel in enumerate(channels):
            write_tiff(root / name / f"{channel}.tiff", pixels(10 * n + c, shape))
        if masks:
            labels = np.zeros(shape, np.uint16)
            labels[2:6, 3:8], labels[10:14, 12:18] = 1, 2
            write_tiff(root / "masks" / f"{name}_cell.tiff", labels)
    height, width = shape
    if maps:
        entries = [
            descriptor_entry(
                name,
                (100 + n * width * 0.5, 50.0),
                frameSizePixels={"width": width, "height": height},
                fovSizeMicrons=width * 0.5,
            )
            for n, name in enumerate(names)
        ]
        write_descriptor(root / "maps" / "S1.json", entries)
    if cells:
        rows = [(name, label, x, y) for name in names for label, x, y in ((1, 5, 3.5), (2, 14.5, 11.5))]
        write_csv(root / "cells.csv", ("fov", "label", "X", "Y"), rows)
    return root


def steinbock(
    root: Path,
    images: Mapping[str, tuple[float, float]] | None = None,
    *,
    channels: Sequence[str] = CHANNELS,
    size: tuple[int, int] = (24, 20),
) -> Path:
    """A steinbock folder: image name → (start x, start y) in µm; 1 µm/px, stage y up; slide = name less its number."""
    images = images or {"slide1_001": (100.0, 500.0), "slide1_002": (160.0, 470.0)}
    width, height = size
    rows = []
    for n, (name, (x, y)) in enumerate(images.items()):
        write_tiff(root / "img" / f"{name}.tiff", pixels(n, (len(channels), height, width), np.float32))
        write_tiff(root / "masks_deepcell" / f"{name}.tiff", np.ones((height, width), np.uint16))
        slide = f"{name.rsplit('_', 1)[0]}.mcd"
        rows.append((f"{name}.tiff", width, height, slide, x, y, x + width, y - height, width, height))
    header = "image,width_px,height_px,source_file,acquisition_start_x_um,acquisition_start_y_um,"
    header += "acquisition_end_x_um,acquisition_end_y_um,acquisition_width_um,acquisition_height_um"
    write_csv(root / "images.csv", header.split(","), rows)
    write_csv(root / "panel.csv", ("channel", "name", "keep"), [(f"M{n}", c, 1) for n, c in enumerate(channels)])
    cells = [(f"{name}.tiff", 1, 10.0, 12.0) for name in images]
    write_csv(root / "cells.csv", ("Image", "Object", "centroid-0", "centroid-1"), cells)
    return root


def tile_table(
    root: Path,
    tiles: Mapping[str, tuple[float, float]] | None = None,
    *,
    columns: tuple[str, str] = ("x_px", "y_px"),
    shape: tuple[int, ...] = (20, 24),
    map_id: str = "m1",
    pixel_size_um: float | None = None,
) -> Path:
    """``tiles.csv`` and its images: file name → position."""
    tiles = tiles or {"t1.tif": (0, 0), "t2.tif": (20, 3)}
    for n, name in enumerate(tiles):
        write_tiff(root / name, pixels(n, shape))
    extra = () if pixel_size_um is None else (pixel_size_um,)
    header = ("path", "map_id", *columns, *(("pixel_size_um",) if extra else ()))
    return write_csv(root / "tiles.csv", header, [(name, map_id, *at, *extra) for name, at in tiles.items()])


def read_chunk(image: ImageFile, channel: int, t: int, z: int, row: int, column: int) -> np.ndarray:
    """Decode one chunk of one plane of an image."""
    with image.chunks(channel, t, z) as chunks:
        return chunks.read([(row, column)], np.empty)[0]

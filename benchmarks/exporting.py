"""Rows about what is written: animated GIFs, PNG, and a map ROI from disk to a file."""

from __future__ import annotations

import io
import math
import shutil
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import zarr
from data import CHANNELS, settings, sixteen_tiles, tissue
from harness import Check, Row, medians
from PIL import Image
from rendering import naive_float32
from scipy.ndimage import gaussian_filter

from napari_slicemap import open_dataset
from napari_slicemap.export.content.figure import Figure
from napari_slicemap.export.movies.gif_encoder import encode_gif
from napari_slicemap.export.stacks.figures import stack_frames
from napari_slicemap.export.writers.png import PngOptions, PngWriter
from napari_slicemap.export.writers.png_encoder import encode_png
from napari_slicemap.images.region import Window
from napari_slicemap.images.stack.image_stack import ImageStack
from napari_slicemap.render.picture import Picture

if TYPE_CHECKING:
    from napari_slicemap.export.movies.frames import Frames

_COUNT, _SIDE = 100, 512
_DELAY_MS = 100.0


def moving_blobs(count: int, side: int, seed: int = 0) -> np.ndarray:
    """Give (T, H, W, 3) uint8 that looks like three fluorescent channels: blobs that drift, and shot noise."""
    colours = np.array([[0.3, 0.5, 1.0], [1.0, 0.25, 0.0], [0.0, 0.88, 0.38]], np.float32)
    rng = np.random.default_rng(seed)
    cells = [rng.random((side, side)) > 0.9985 for _ in colours]
    blobs = [gaussian_filter(one.astype(np.float32), 4 + n) for n, one in enumerate(cells)]
    made = np.empty((count, side, side, 3), np.uint8)
    for t in range(count):
        total = np.zeros((side, side, 3), np.float32)
        for n, (blob, colour) in enumerate(zip(blobs, colours, strict=True), 1):
            counts = rng.poisson(100 + 60_000 * np.roll(blob, t * n, axis=1))
            total += np.clip((counts - 90) / 1410, 0, 1)[..., None] * colour
        made[t] = np.rint(np.clip(total, 0, 1) * 255)
    return made


def surface(count: int, side: int, seed: int = 0) -> ImageStack:
    """Give frames that look like those of an atomic force microscope: a rough surface that drifts, and noise."""
    rng = np.random.default_rng(seed)
    rough = gaussian_filter(rng.normal(size=(side, side)), 6).astype(np.float32)
    frames = [np.roll(rough, t, axis=1) + rng.normal(0, 0.004, rough.shape).astype(np.float32) for t in range(count)]
    times = [{"timestamp": t * _DELAY_MS / 1000} for t in range(count)]
    return ImageStack(np.stack(frames), 1.0, "height", times)


def _ours(frames: Frames) -> bytes:
    stream = io.BytesIO()
    encode_gif(stream, frames, [_DELAY_MS] * len(frames))
    return stream.getvalue()


def _pillow(frames: Frames) -> bytes:
    images = [Image.fromarray(frames[n]) for n in range(len(frames))]
    stream = io.BytesIO()
    images[0].save(stream, "GIF", save_all=True, append_images=images[1:], duration=_DELAY_MS, loop=0)
    return stream.getvalue()


def _rmse(content: bytes, frames: Frames) -> float:
    """Give the root mean square error of what Pillow reads back; 0–255."""
    total = 0.0
    with Image.open(io.BytesIO(content)) as image:
        for n in range(len(frames)):
            image.seek(n)
            total += float(((np.asarray(image.convert("RGB"), np.float32) - frames[n]) ** 2).mean())
    return math.sqrt(total / len(frames))


def gif(_root: Path) -> list[Row]:
    """Write 100 frames of 512² as GIF."""
    stack = stack_frames(surface(_COUNT, _SIDE))
    blobs: Sequence[np.ndarray] = list(moving_blobs(_COUNT, _SIDE))
    # Pillow is at its best where a frame has no more than 256 colours: then it has none to choose
    cases: list[tuple[str, Frames]] = [
        ("stack in a colour map, with times and scale bar", stack),
        ("noisy RGB of three channels", blobs),
    ]
    rows = []
    for name, frames in cases:
        run = {"Pillow's default": partial(_pillow, frames), "ours": partial(_ours, frames)}
        found = medians(run, rounds=3, warm=1)
        contents = {who: make() for who, make in run.items()}
        errors = {who: _rmse(content, frames) for who, content in contents.items()}
        sizes = {f"MB, {who}": len(content) / 1e6 for who, content in contents.items()}
        checks = [
            Check("against Pillow's default", found["Pillow's default"] / found["ours"], 10, at_most=False),
            Check("RMSE less Pillow's", errors["ours"] - errors["Pillow's default"], 0, at_most=True, unit="of 255"),
            Check("size against Pillow's", sizes["MB, ours"] / sizes["MB, Pillow's default"], 1.1, at_most=True),
        ]
        note = ", ".join(f"RMSE {who}: {value:.3g}" for who, value in errors.items())
        note += "; " + ", ".join(f"{who}: {value:.3g}" for who, value in sizes.items())
        rows.append(Row(f"GIF {_COUNT} × {_SIDE}², {name}", found, checks, note))
    return rows


def png(_root: Path) -> list[Row]:
    """Write 4096² RGB as PNG: a picture of tissue."""
    stack = tissue((3, 4096, 4096))
    image = naive_float32(stack, list(settings(CHANNELS[:3]).values()))
    picture = Picture.of(image)

    def ours() -> bytes:
        stream = io.BytesIO()
        encode_png(stream, picture, PngOptions().compress_level)
        return stream.getvalue()

    def pillow() -> bytes:
        stream = io.BytesIO()
        Image.fromarray(image).save(stream, "PNG")
        return stream.getvalue()

    found = medians({"Pillow's default": pillow, "ours": ours}, rounds=3, warm=1)
    sizes = {"ours": len(ours()) / 1e6, "Pillow's default": len(pillow()) / 1e6}
    checks = [
        Check("against Pillow's default", found["Pillow's default"] / found["ours"], 5, at_most=False),
        Check("size against Pillow's", sizes["ours"] / sizes["Pillow's default"], 1.25, at_most=True),
    ]
    note = ", ".join(f"MB, {who}: {value:.3g}" for who, value in sizes.items())
    return [Row("PNG of 4096² RGB", found, checks, note)]


def roi(root: Path) -> list[Row]:
    """Export a map ROI of 4096² × 5 from sixteen Zarr tiles on disk as PNG, each time from a dataset opened anew."""
    source = sixteen_tiles(root, "zarr")
    channels = settings(CHANNELS)
    region = Window(0, 4096, 0, 4096)
    target = root / "roi"

    def ours() -> None:
        dataset = open_dataset(source)
        picture = dataset.maps["m"].picture(region.region, channels)
        target.mkdir(exist_ok=True)
        PngWriter().write(target / "ours.png", Figure(picture, 0.39), PngOptions())

    def plainly() -> None:
        placed = open_dataset(source).maps["m"].placement.tiles
        stack = np.zeros((len(CHANNELS), *region.shape), np.float32)
        for number, tile in enumerate(placed):
            shared = tile.window & region
            if shared.empty:
                continue
            at = shared.slices_in(tile.window)
            array = zarr.open_array(source / f"t{number}.ome.zarr" / "0", mode="r")
            stack[:, *shared.slices_in(region)] = array[:, at[0], at[1]]
        target.mkdir(exist_ok=True)
        Image.fromarray(naive_float32(stack, list(channels.values()))).save(target / "plain.png")

    found = medians({"zarr-python, numpy float32, Pillow's default": plainly, "ours": ours}, rounds=3, warm=1)
    with Image.open(target / "ours.png") as one, Image.open(target / "plain.png") as other:
        differ = int(np.abs(np.asarray(one, np.int16) - np.asarray(other, np.int16)).max())
    shutil.rmtree(target)
    ratio = found["zarr-python, numpy float32, Pillow's default"] / found["ours"]
    checks = [Check("against numpy and Pillow", ratio, 8, at_most=False)]
    return [Row("map ROI of 4096² × 5 from disk to PNG", found, checks, f"largest difference: {differ} of 255")]


ROWS: dict[str, Callable[[Path], list[Row]]] = {"gif": gif, "png": png, "roi": roi}

"""Rows about what is written: animated GIFs."""

from __future__ import annotations

import io
import math
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from harness import Check, Row, medians
from PIL import Image
from scipy.ndimage import gaussian_filter

from napari_slicemap.export.movies.gif_encoder import encode_gif
from napari_slicemap.export.stacks.figures import stack_frames
from napari_slicemap.images.stack.image_stack import ImageStack

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


def _ours(frames: Frames, palette: np.ndarray | None = None) -> bytes:
    stream = io.BytesIO()
    encode_gif(stream, frames, [_DELAY_MS] * len(frames), palette=palette)
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
    cases: list[tuple[str, Frames, np.ndarray | None, float]] = [
        ("stack in a colour map, with times and scale bar", stack, stack.palette, 4),
        ("noisy RGB of three channels", blobs, None, 10),
    ]
    rows = []
    for name, frames, palette, least in cases:
        run = {"Pillow's default": partial(_pillow, frames), "ours": partial(_ours, frames, palette)}
        found = medians(run, rounds=3, warm=1)
        contents = {who: make() for who, make in run.items()}
        errors = {who: _rmse(content, frames) for who, content in contents.items()}
        sizes = {f"MB, {who}": len(content) / 1e6 for who, content in contents.items()}
        checks = [
            Check("against Pillow's default", found["Pillow's default"] / found["ours"], least, at_most=False),
            Check("RMSE less Pillow's", errors["ours"] - errors["Pillow's default"], 0, at_most=True, unit="of 255"),
            Check("size against Pillow's", sizes["MB, ours"] / sizes["MB, Pillow's default"], 1.1, at_most=True),
        ]
        note = ", ".join(f"RMSE {who}: {value:.3g}" for who, value in errors.items())
        note += "; " + ", ".join(f"{who}: {value:.3g}" for who, value in sizes.items())
        rows.append(Row(f"GIF {_COUNT} × {_SIDE}², {name}", found, checks, note))
    return rows


ROWS: dict[str, Callable[[Path], list[Row]]] = {"gif": gif}

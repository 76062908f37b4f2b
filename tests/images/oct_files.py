"""Raw OCT tiles as a scanner writes them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

DEPTH, NX, NY, EXTRA = 5, 7, 4, 3


def volume(seed: int = 0, repeats: int = 1, shape: tuple[int, int, int] = (DEPTH, NX + EXTRA, NY)) -> np.ndarray:
    """Noise ``(Z, A-lines, B-scans)`` that differs in every pixel, so that a shift by one shows."""
    depth, lines, frames = shape
    return np.random.default_rng(seed).random((depth, lines, frames * repeats), dtype=np.float32)


def info(**changes: Any) -> dict[str, Any]:
    """What ``info.txt`` says of such a tile; a key that is ``None`` is left out."""
    said: dict[str, Any] = {
        "nx": NX,
        "ny": NY,
        "n_repeat": 1,
        "width": 3.5 * NX,
        "height": 3.5 * NY,
        "n_extra": EXTRA,
        "top_z": 10,
        "bottom_z": 10 + DEPTH - 1,
        "laser": "1310 nm, not ours to know",
    }
    return {key: value for key, value in {**said, **changes}.items() if value is not None}


def write_tile(
    folder: Path,
    pixels: np.ndarray,
    *,
    cuts: Sequence[int] = (),
    names: Sequence[str] = ("image_00000.bin", "image_00001.bin", "image_00002.bin"),
    **changes: Any,
) -> Path:
    """One tile, its B-scans cut into files; `changes` are of its ``info.txt``."""
    folder.mkdir(parents=True, exist_ok=True)
    lines = [f"{key}: {value}\n" for key, value in info(**changes).items()]
    (folder / "info.txt").write_text("".join(lines), encoding="utf-8")
    for name, part in zip(names, np.split(pixels, cuts, axis=2), strict=False):
        (folder / name).write_bytes(part.astype("<f4").tobytes(order="F"))
    return folder


def write_slice(root: Path, z: str = "03", *, stage: bool = True, **changes: Any) -> Path:
    """Two tiles side by side, with the stage where their names say."""
    for x in range(2):
        at = {"stage_x_pos_mm": 12 + 0.0035 * NX * x, "stage_y_pos_mm": 8.5, "stage_z_pos_mm": 1.25} if stage else {}
        said = {**at, **changes}
        write_tile(root / f"tile_x{x:02d}_y00_z{z}", volume(x), **said)
    return root

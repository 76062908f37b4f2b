"""The picture of aligning: a cut through the depth before and after, and where the slices lie on the canvas."""

from __future__ import annotations

import tempfile
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
from scipy import ndimage

from napari_slicemap.images.ome_zarr.writer import write_ome_zarr
from napari_slicemap.images.source import ImageSource
from napari_slicemap.slices.aligning import Alignment, align_mosaics
from napari_slicemap.slices.stacking import stack_slices
from napari_slicemap.slices.volumes import SliceVolume, SliceVolumes, find_volumes

SLICES, DEPTH, HEIGHT, WIDTH = 24, 4, 90, 170
EXCLUDED = "13"
CUT = 45
"""Row of the first slice along which the volumes are cut."""


def draw(folder: Path) -> None:
    """Write ``slice-align-stack.png``."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    with tempfile.TemporaryDirectory() as made:
        volumes, alignment, stacked = _run(Path(made))
        figure = plt.figure(figsize=(10, 4.6), dpi=100, layout="constrained")
        grid = figure.add_gridspec(2, 2, width_ratios=[3, 2])
        before, after, canvas = (figure.add_subplot(grid[at]) for at in ((0, 0), (1, 0), (slice(None), 1)))
        planes = np.concatenate([volume.read() for volume in volumes.values()])
        _cut(before, planes[:, CUT], 0, "mosaics one above the other, as they were taken")
        _cut(after, stacked[:, CUT - alignment.canvas.y0], alignment.canvas.x0, "aligned and stacked; 13 is left out")
        before.set(facecolor="black", xlim=after.get_xlim())
        after.set_xlabel("x, px from the first slice")
        _canvas(canvas, alignment)
        figure.savefig(folder / "slice-align-stack.png", metadata={"Software": None})
        plt.close(figure)


def _run(folder: Path) -> tuple[SliceVolumes, Alignment, np.ndarray]:
    """Cut mosaics from a block, each where the stage stood; align and stack them."""
    noise = np.random.default_rng(8)
    at = np.cumsum(noise.integers(-7, 10, (SLICES, 2)), axis=0)
    at -= at[0]
    block = _block(at)
    lines = ["fixed_id,moving_id,x_shift,y_shift"]
    (folder / "mosaics").mkdir()
    for n, (x, y) in enumerate(at - at.min(axis=0)):
        data = block[n * DEPTH : (n + 1) * DEPTH, y : y + HEIGHT, x : x + WIDTH]
        write_ome_zarr(folder / "mosaics" / f"mosaic_z{n:02}.ome.zarr", ImageSource.of(data[None, None], ["tissue"]))
        if n:
            dx, dy = at[n] - at[n - 1]
            lines.append(f"{n - 1},{n},{dx},{dy}")
    (folder / "shifts_xy.csv").write_text("\n".join(lines) + "\n")
    volumes = find_volumes(folder / "mosaics")
    rows = OrderedDict((one, {"slice_id": one, "use": one != EXCLUDED}) for one in volumes)
    alignment = align_mosaics(volumes, folder / "shifts_xy.csv", folder / "aligned", rows)
    stack_slices(find_volumes(folder / "aligned"), folder / "stack.ome.zarr", rows)
    return volumes, alignment, SliceVolume("", folder / "stack.ome.zarr").read()


def _block(at: np.ndarray) -> np.ndarray:
    """A block of tissue with vessels through it, large enough for every slice."""
    noise = np.random.default_rng(3)
    span = at.max(axis=0) - at.min(axis=0)
    shape = SLICES * DEPTH, HEIGHT + span[1], WIDTH + span[0]
    block = 120 + 320 * ndimage.gaussian_filter(noise.normal(size=shape), (9, 6, 6)) * 25
    z, y, x = np.ogrid[: shape[0], : shape[1], : shape[2]]
    for number in range(9):
        across = shape[2] * (0.1 + 0.1 * number) + 9 * np.sin(z / 17 + number)
        down = shape[1] * (0.5 + 0.05 * np.cos(number)) + 6 * np.cos(z / 23 + 2 * number)
        block += 130 * np.exp(-((x - across) ** 2 + (y - down) ** 2) / (2 * (4 + number % 3) ** 2))
    return block.clip(0, 400).astype(np.uint16)


def _cut(axes: Any, planes: np.ndarray, left: int, title: str) -> None:
    extent = (left, left + planes.shape[1], SLICES, 0)
    axes.imshow(planes, cmap="magma", vmin=0, vmax=330, extent=extent, aspect="auto", interpolation="nearest")
    axes.set_title(title, fontsize=10)
    axes.set_ylabel("slice")


def _canvas(axes: Any, alignment: Alignment) -> None:
    from matplotlib.patches import Rectangle

    canvas = alignment.canvas
    axes.add_patch(
        Rectangle((canvas.x0, canvas.y0), canvas.shape[1], canvas.shape[0], fc="#eef2f6", ec="#c2410c", lw=2)
    )
    for slice_id, placed in alignment.placed.items():
        first = slice_id == "00"
        corner, size = (placed.window.x0, placed.window.y0), placed.window.shape
        look = {"ec": "#0b5fa5", "lw": 2 if first else 0.6, "alpha": 1.0 if first else 0.5}
        axes.add_patch(Rectangle(corner, size[1], size[0], fill=False, **look))
    middle = WIDTH / 2, HEIGHT / 2
    axes.annotate("slice 00 begins at (0, 0)", middle, color="#0b5fa5", fontsize=9, ha="center", va="center")
    axes.set(xlim=(canvas.x0 - 6, canvas.x1 + 6), ylim=(canvas.y1 + 6, canvas.y0 - 6), xlabel="x, px", ylabel="y, px")
    axes.set_aspect("equal")
    axes.set_title("the canvas holds all slices", fontsize=10)

"""The picture of interpolation: a section that is missing, and what takes its place."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
from scipy import ndimage

from napari_slicemap.images.ome_zarr.writer import write_ome_zarr
from napari_slicemap.images.source import ImageSource
from napari_slicemap.slices.interpolation import find_gaps, interpolate_slices
from napari_slicemap.slices.interpolation.affine import power
from napari_slicemap.slices.volumes import find_volumes

HEIGHT, WIDTH = 260, 340
ANGLE, SHIFT = 9.0, (16.0, -8.0)


def draw(folder: Path) -> None:
    """Write ``slice-interpolation.png``."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    between = _motion()
    before, true, after = _section(np.eye(3)), _section(power(between, 0.5)), _section(between)
    zmorph, average = (_interpolated(before, after, method) for method in ("zmorph", "average"))
    top = {"slice before": before, "zmorph": zmorph, "average": average, f"slice after, turned by {ANGLE:.0f}°": after}
    bottom = {"the slice that was lost": true, "zmorph − lost": zmorph - true, "average − lost": average - true}
    figure, axes = plt.subplots(2, 4, figsize=(10, 4.2), dpi=80, layout="constrained")
    for place in axes.flat:
        place.set_axis_off()
    for place, (name, image) in zip(axes.flat, (top | bottom).items(), strict=False):
        place.set_title(name, fontsize=10)
        low, high, look = (-500, 500, "RdBu_r") if "−" in name else (0, 1000, "gray")
        place.imshow(image, cmap=look, vmin=low, vmax=high)
    figure.savefig(folder / "slice-interpolation.png", metadata={"Software": None})
    plt.close(figure)


def _interpolated(before: np.ndarray, after: np.ndarray, method: str) -> np.ndarray:
    with tempfile.TemporaryDirectory() as scratch:
        for slice_id, image in (("03", before), ("05", after)):
            source = ImageSource.of(np.rint(image).astype(np.uint16)[None, None, None], ["tissue"])
            write_ome_zarr(Path(scratch) / "aligned" / f"mosaic_z{slice_id}.ome.zarr", source)
        gaps = find_gaps(find_volumes(Path(scratch) / "aligned")).single
        interpolate_slices(gaps, Path(scratch) / "made", method)
        return find_volumes(Path(scratch) / "made")["04"].read()[0].astype(float)


def _motion() -> np.ndarray:
    """The motion from the slice before to the slice after, about the centre."""
    c, s = np.cos(np.radians(ANGLE)), np.sin(np.radians(ANGLE))
    centre = np.array([[1, 0, WIDTH / 2], [0, 1, HEIGHT / 2], [0, 0, 1]])
    turned = np.array([[c, -s, SHIFT[0]], [s, c, SHIFT[1]], [0, 0, 1]])
    return centre @ turned @ np.linalg.inv(centre)


def _section(moved: np.ndarray) -> np.ndarray:
    """A section with layers, tracts and cells, drawn where a motion takes it."""
    back = np.linalg.inv(moved)
    y, x = np.mgrid[:HEIGHT, :WIDTH].astype(float)
    x, y = (back[n, 0] * x + back[n, 1] * y + back[n, 2] for n in (0, 1))
    u, v = (x - 150) / 105, (y - 132) / 82
    wave = 1 + 0.09 * np.cos(3 * np.arctan2(v, u)) + 0.03 * np.cos(7 * np.arctan2(v, u))
    depth = np.hypot(u, v) / wave
    made = 420 / (1 + np.exp((depth - 1) * 40))
    for ring, strength in ((0.88, 380), (0.66, -170), (0.4, 240)):
        made += strength * np.exp(-(((depth - ring) / 0.035) ** 2))
    for side in (-1, 1):
        made += 300 * np.exp(-(((u - side * 0.3) / 0.1) ** 2) - ((v / 0.2) ** 2))
    cells = ndimage.gaussian_filter(np.random.default_rng(4).normal(size=(400, 500)), 1.6)
    made += 320 * ndimage.map_coordinates(cells, [y + 60, x + 60], order=1) * (depth < 1)
    return np.clip(made, 12, 1000)

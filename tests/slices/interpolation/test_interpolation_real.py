"""Sections of a mouse brain, taken out and made again of their neighbours."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tifffile
from tissue import gap

from napari_slicemap.images.region import Window
from napari_slicemap.slices.interpolation import register_neighbours
from napari_slicemap.slices.interpolation.affine import move, power
from napari_slicemap.slices.interpolation.blend import blended_rows, morphed_parts
from napari_slicemap.slices.interpolation.planes import ncc
from napari_slicemap.slices.slice_values import INTERPOLATION_FALLBACK_REASONS
from napari_slicemap.slices.volumes import SliceVolume

TWENTY = np.linspace(15, 255, 20).round().astype(int)


def planted(shape: tuple[int, int]) -> np.ndarray:
    """3° about the centre, and 5 px."""
    height, width = shape
    c, s = np.cos(np.radians(3)), np.sin(np.radians(3))
    centre = np.array([[1, 0, (width - 1) / 2], [0, 1, (height - 1) / 2], [0, 0, 1]])
    return centre @ np.array([[c, -s, 5], [s, c, 0], [0, 0, 1]]) @ np.linalg.inv(centre)


def moved(image: np.ndarray, by: np.ndarray) -> np.ndarray:
    def read(window: Window) -> np.ndarray:
        return image[window.y0 : window.y1, window.x0 : window.x1]

    return np.rint(move(read, image.shape, by, 0, len(image))[0]).astype(np.uint16)


def tried(folder: Path, sections: Path, number: int, *, motion: bool) -> tuple[str, float]:
    """The reason, and how much better than the mean of its neighbours the slice fits the true one, NCC."""
    before, true, after = (tifffile.imread(sections / f"image_{n:04d}.tif") for n in range(number - 1, number + 2))
    if motion:
        by = planted(true.shape)
        true, after = moved(true, power(by, 0.5)), moved(after, by)
    for name, image in (("before", before), ("after", after)):
        tifffile.imwrite(folder / f"{name}.tif", image)
    one = gap(SliceVolume("00", folder / "before.tif"), SliceVolume("02", folder / "after.tif"))
    found = register_neighbours(one.before, one.after)
    if found.reason:
        return found.reason, 0.0
    (parts,) = morphed_parts(one, (0, 0), found.motion)
    made = blended_rows(parts, lambda part, window: part.volume.planes([part.z], window)[0], 0, len(true))
    return "", ncc(made, true) - ncc((before.astype(float) + after) / 2, true)


def results(folder: Path, real_data: Path, numbers: np.ndarray, *, motion: bool) -> list[tuple[str, float]]:
    return [tried(folder, real_data / "brain_sections", number, motion=motion) for number in numbers]


def test_aligned_sections_are_never_much_worse_than_the_mean(tmp_path, real_data):
    found = results(tmp_path, real_data, TWENTY, motion=False)
    gains = [gain for reason, gain in found if not reason]
    assert len(gains) >= 16
    assert min(gains) > -0.005
    assert {reason for reason, _ in found if reason} <= set(INTERPOLATION_FALLBACK_REASONS)


def test_sections_that_moved_are_better_than_the_mean(tmp_path, real_data):
    found = results(tmp_path, real_data, TWENTY, motion=True)
    assert sum(not reason and gain > 0 for reason, gain in found) >= 18


@pytest.mark.slow
@pytest.mark.parametrize(
    ("motion", "accepted", "least"), [(False, 200, -0.005), (True, 235, 0.0)], ids=["still", "moved"]
)
def test_all_sections(tmp_path, real_data, motion, accepted, least):
    found = results(tmp_path, real_data, np.arange(8, 264), motion=motion)
    gains = [gain for reason, gain in found if not reason]
    assert len(gains) >= accepted
    assert min(gains) > least

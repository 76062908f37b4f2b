"""Series of files of one plane each."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

from builders import pixels, write_tiff
from napari_slicemap.errors import TileReadError
from napari_slicemap.images.cache import ChunkCache
from napari_slicemap.images.file_series import FileSeries
from napari_slicemap.images.fov import Fov
from napari_slicemap.images.image import ImagePlane
from napari_slicemap.images.opening import open_image
from napari_slicemap.images.plane import read_window
from napari_slicemap.images.region import Window

WHOLE = Window(0, 7, 0, 5)


def series(root: Path, *planes: tuple[int, int], **stated: Any) -> FileSeries:
    """A series of 2 time points × 3 planes, of which some have files."""
    for t, z in planes:
        write_tiff(root / f"t{t}_z{z}.tif", pixels(10 * t + z, (5, 7)))
    files = tuple((at, open_image(root / f"t{at[0]}_z{at[1]}.tif")) for at in planes)
    return FileSeries(root, files, times=2, depth=3, **stated)


def test_each_plane_is_its_files(tmp_path: Path) -> None:
    planes = [(t, z) for t in range(2) for z in range(3)]
    made = series(tmp_path, *planes, name="DAPI", z_step_um=3.0, times_s=(0.0, 30.0))
    assert (made.info.shape, made.info.channel_names) == ((2, 1, 3, 5, 7), ("DAPI",))
    fov = Fov("a", {"DAPI": ImagePlane(made)})
    assert (fov.z_step_um, fov.times_s, fov.dtype) == (3.0, (0.0, 30.0), np.uint16)
    for t, z in planes:
        for one in (fov, pickle.loads(pickle.dumps(fov))):
            np.testing.assert_array_equal(one.read(t=t, z=z)[0], tifffile.imread(tmp_path / f"t{t}_z{z}.tif"))
    stack = np.stack([tifffile.imread(tmp_path / f"t1_z{z}.tif") for z in range(3)])
    np.testing.assert_array_equal(fov.read(t=1, z="max")[0], stack.max(axis=0))


def test_one_cache_keeps_planes_and_changes_apart(tmp_path: Path) -> None:
    plane, cache = ImagePlane(series(tmp_path, (0, 0), (0, 1))), ChunkCache(2**20)
    before = plane.key
    for z in (0, 1):
        np.testing.assert_array_equal(read_window(plane, 0, z, WHOLE, cache), pixels(z, (5, 7)))
    write_tiff(tmp_path / "t0_z1.tif", pixels(99, (5, 7)), description="longer than it was")
    np.testing.assert_array_equal(read_window(plane, 0, 1, WHOLE, cache), pixels(99, (5, 7)))
    assert plane.key != before


def test_a_file_may_stand_for_several_planes(tmp_path: Path) -> None:
    file = open_image(write_tiff(tmp_path / "a.tif", pixels(1, (5, 7))))
    plane = ImagePlane(FileSeries(tmp_path, (((0, 0), file), ((0, 1), file)), times=1, depth=2))
    assert plane.shape == (1, 2, 5, 7)
    np.testing.assert_array_equal(read_window(plane, 0, 1, WHOLE), pixels(1, (5, 7)))


@pytest.mark.parametrize(
    ("at", "said"),
    [
        pytest.param((0, 1, 2), "the file of plane t = 1, z = 2 of DAPI is missing", id="missing"),
        pytest.param((0, 2, 0), "channel 0, t = 2, z = 0 is out of bounds", id="beyond the last time"),
        pytest.param((0, 0, -1), "channel 0, t = 0, z = -1 is out of bounds", id="before the first plane"),
        pytest.param((1, 0, 0), "channel 1, .* is out of bounds", id="another channel"),
    ],
)
def test_a_plane_without_a_file_is_named(tmp_path: Path, at: tuple[int, int, int], said: str) -> None:
    made = series(tmp_path, (0, 0), (1, 0), name="DAPI")
    with pytest.raises(TileReadError, match=f"^{tmp_path}: {said}"):
        made.chunks(*at)


@pytest.mark.parametrize(
    ("other", "said"),
    [
        pytest.param(pixels(1, (5, 8)), "8 × 5 px of uint16, but t0_z0.tif is 7 × 5 px of uint16", id="size"),
        pytest.param(np.zeros((5, 7), np.uint8), "7 × 5 px of uint8, but t0_z0.tif is 7 × 5 px of uint16", id="type"),
        pytest.param(np.zeros((2, 5, 7), np.uint16), "holds 1 × 2 × 1 planes", id="two planes"),
        pytest.param(None, "cannot be read as a TIFF image", id="no image"),
    ],
)
def test_files_that_differ_fail_by_name_and_the_others_are_read(
    tmp_path: Path, other: np.ndarray | None, said: str
) -> None:
    made = series(tmp_path, (0, 0), (0, 1), (0, 2))
    if other is None:
        (tmp_path / "t0_z1.tif").write_text("not an image")
    else:
        tifffile.imwrite(tmp_path / "t0_z1.tif", other, metadata={"axes": "CYX"[-other.ndim :]})
    with pytest.raises(TileReadError, match=rf"t0_z1\.tif: .*{said}"):
        read_window(ImagePlane(made), 0, 1, WHOLE)
    np.testing.assert_array_equal(read_window(ImagePlane(made), 0, 2, WHOLE), pixels(2, (5, 7)))


def test_reading_metadata_opens_the_first_file_only(tmp_path: Path) -> None:
    made = series(tmp_path, (0, 0), (0, 1))
    (tmp_path / "t0_z1.tif").unlink()
    assert made.info.shape == (2, 1, 3, 5, 7)


def test_a_series_of_nothing_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="at least one file"):
        FileSeries(tmp_path, (), times=1, depth=1)

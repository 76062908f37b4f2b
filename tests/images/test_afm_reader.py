"""The reader of AFM files and bundles: one FOV for each file, on no map."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest
import tifffile

from napari_slicemap.cli.info import describe
from napari_slicemap.dataset import open_dataset
from napari_slicemap.errors import FileFormatError
from napari_slicemap.images.readers.afm import AfmFiles
from napari_slicemap.images.source import ImageSource
from napari_slicemap.images.source_bundles import write_h5, write_npz
from napari_slicemap.images.stack.hdf5_bundle import save_h5_bundle
from napari_slicemap.images.stack.npz_bundle import save_npz_bundle

from .reader_contract import options
from .stack.afm_files import write_asd, write_jpk, write_topostats, write_wsxm
from .stack.stacks import plain_stack
from .told_files import ToldFilesContract


class TestAfmFiles(ToldFilesContract):
    reader = AfmFiles()
    images_opened = 2  # a .jpk file is TIFF within: once for its tags
    kind = "an AFM file"

    def build(self, root: Path) -> Path:
        write_jpk(root / "scan.jpk")
        write_asd(root / "video.asd")
        return root

    def image_of(self, root: Path, fov: str, channel: str) -> np.ndarray:
        if fov == "video":
            frame = np.frombuffer((root / "video.asd").read_bytes()[-3 * 56 :], "<i2")[8:28].reshape(4, 5)
            return (frame * (-10 / 4096) + 5) * 20
        with tifffile.TiffFile(root / "scan.jpk") as file:
            page = file.pages[1 if channel == "height_retrace" else 2].asarray()
        return page[::-1] * (2e-9 * 1e9) + 5e-9 * 1e9


def test_what_a_fov_knows(tmp_path: Path) -> None:
    fov = AfmFiles().read(write_asd(tmp_path / "video.asd"), options(tmp_path)).fovs["video"]
    assert (fov.shape, fov.channels, fov.times_s) == ((3, 1, 1, 4, 5), ("TP",), (0.0, 0.5, 1.0))
    assert fov.pixel_size_um == pytest.approx(0.002)
    assert fov.read(t=2).shape == (1, 4, 5)
    assert not np.array_equal(fov.read(t=2), fov.read(t=0))


def test_files_that_share_a_stem_are_named_with_their_suffix(tmp_path: Path) -> None:
    for write, name in ((write_jpk, "a.jpk"), (write_wsxm, "a.top"), (write_topostats, "b.1.topostats")):
        write(tmp_path / name)
    made = AfmFiles().read(tmp_path, options(tmp_path))
    assert list(made.fovs) == ["a_jpk", "a_top", "b.1"]
    write_wsxm(tmp_path / "a_top.stp")
    with pytest.raises(FileFormatError, match=r"a_top\.stp: FOV a_top is a\.top already; rename"):
        AfmFiles().read(tmp_path, options(tmp_path))


def test_files_that_are_not_read_are_told(tmp_path: Path) -> None:
    (tmp_path / "a.spm").touch()
    assert AfmFiles().detect(tmp_path / "a.spm")
    with pytest.raises(FileFormatError, match=r"a\.spm: .*\.spm files are not read"):
        AfmFiles().read(tmp_path / "a.spm", options(tmp_path))
    write_wsxm(tmp_path / "b.top")
    made = AfmFiles().read(tmp_path, options(tmp_path))
    assert list(made.fovs) == ["b"]
    assert "a.spm: cannot be read" in made.problems[0]


@pytest.mark.parametrize("save", [save_npz_bundle, save_h5_bundle])
def test_bundle_of_a_stack(tmp_path: Path, save: object) -> None:
    stack = plain_stack()
    path = save(tmp_path / "run", stack, dtype="source")  # type: ignore[operator]
    for opened in (path, tmp_path):
        assert f"run{path.suffix} is a bundle of a stack" in AfmFiles().detect(opened)
        fov = AfmFiles().read(opened, options(tmp_path)).fovs["run"]
        assert fov.channels == (stack.channel,)
        assert fov.pixel_size_um == pytest.approx(stack.pixel_size_nm / 1000)
        np.testing.assert_array_equal(fov.times_s, stack.times_s)
        for t, frame in enumerate(stack.data):
            np.testing.assert_array_equal(fov.read(t=t)[0], frame)
        assert fov.dtype == stack.data.dtype


@pytest.mark.parametrize("save", [save_npz_bundle, save_h5_bundle])
def test_masks_of_a_stack_of_one_frame_are_masks_and_others_told(tmp_path: Path, save: object) -> None:
    several, one = plain_stack(), plain_stack()
    mask = several.data > several.data.mean()
    several = plain_stack(masks={"high": mask})
    one = plain_stack(data=one.data[:1], frame_metadata=one.frame_metadata[:1], masks={"high": mask[:1]})
    save(tmp_path / "several", several)  # type: ignore[operator]
    save(tmp_path / "single", one)  # type: ignore[operator]
    made = AfmFiles().read(tmp_path, options(tmp_path))
    (problem,) = made.problems
    assert "several." in problem
    assert problem.endswith("masks of several planes are left out: high")
    assert not made.fovs["several"].masks
    fov = made.fovs["single"]
    np.testing.assert_array_equal(fov.read_labels("mask", "high", fov.bounds), mask[0])


@pytest.mark.parametrize("write", [write_npz, write_h5])
def test_bundle_of_an_image(tmp_path: Path, write: Callable[[Path, ImageSource], None]) -> None:
    pixels = np.arange(2 * 2 * 4 * 5, dtype=np.uint16).reshape(2, 2, 1, 4, 5)
    labels = {"cells": np.arange(20, dtype=np.uint32).reshape(4, 5)}
    source = ImageSource(
        "tile",
        pixels.shape,  # type: ignore[arg-type]
        pixels.dtype,
        ("DAPI", "CD3"),
        lambda t, c, z, top, bottom: pixels[t, c, z, top:bottom],
        pixel_size_um=0.5,
        z_step_um=2.0,
        times_s=(0.0, 3.0),
        labels={"cells": lambda t, z, top, bottom: labels["cells"][top:bottom]},
    )
    path = tmp_path / ("tile.npz" if write is write_npz else "tile.h5")
    write(path, source)
    made = AfmFiles().read(path, options(tmp_path))
    fov = made.fovs["tile"]
    assert (fov.shape, fov.channels, fov.times_s) == (pixels.shape, ("DAPI", "CD3"), (0.0, 3.0))
    assert (fov.pixel_size_um, fov.z_step_um) == (0.5, 2.0)
    np.testing.assert_array_equal(fov.read(["CD3"], t=1)[0], pixels[1, 1, 0])
    np.testing.assert_array_equal(fov.read_labels("mask", "cells", fov.bounds), labels["cells"])


def test_reading_a_bundle_in_hdf5_reads_no_frame(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stack = plain_stack()
    path = save_h5_bundle(tmp_path / "run", stack)
    with h5py.File(path, "r+") as file:
        del file["data"]
        file.create_dataset("data", (len(stack.data), 30000, 30000), "f4", chunks=(1, 64, 64))
    made = AfmFiles().read(path, options(tmp_path))
    assert made.fovs["run"].shape == (len(stack.data), 1, 1, 30000, 30000)


def test_bundle_is_none_of_a_folder_with_images_beside_it(tmp_path: Path) -> None:
    save_npz_bundle(tmp_path / "run", plain_stack())
    tifffile.imwrite(tmp_path / "a.tif", np.zeros((4, 4), np.uint8))
    assert AfmFiles().detect(tmp_path) == ""
    np.savez(tmp_path / "other.npz", a=1)
    assert AfmFiles().detect(tmp_path / "other.npz") == ""
    assert AfmFiles().detect(tmp_path / "run.npz")


def test_real_files(real_data: Path) -> None:
    dataset = open_dataset(real_data / "afm")
    assert (dataset.layout, dataset.problems, dataset.missing) == ("afm", [], ())
    assert {name: fov.shape for name, fov in dataset.fovs.items()} == {
        "asd_sample_0": (32, 1, 1, 200, 200),
        "sample_0_h5-jpk": (4, len(dataset.fovs["sample_0_h5-jpk"].channels), 1, 128, 128),
        "sample_0_jpk": (1, 10, 1, 256, 256),
        "sample_0_jpk-qi-image": (1, 6, 1, 100, 100),
        "sample_0_top": (1, 1, 1, 512, 512),
        "sample_0_1": (1, 1, 1, 64, 64),
    }
    times = dataset.fovs["sample_0_h5-jpk"].times_s
    with h5py.File(real_data / "afm" / "sample_0.h5-jpk") as file:
        (measurement,) = (one for key, one in file.items() if key.startswith("Measurement"))
        started = measurement["meta-data/start-times"][()].ravel()
    np.testing.assert_allclose(times, (started - started[0]) / 1000)
    assert times[1] == 3.275
    facts = describe(dataset)
    assert facts["counts"]["maps"] == 0
    assert facts["fovs_without_map"] == list(dataset.fovs)
    low = dataset.fovs["asd_sample_0"].read(t=31).min()
    assert -249.3 < low < 0

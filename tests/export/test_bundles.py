"""``export_bundles``: which files, called what, holding what; each opened by the library that owns its format."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import tifffile

from napari_slicemap.errors import StackError
from napari_slicemap.export.stacks.bundles import export_bundles
from napari_slicemap.images.stack.image_stack import ImageStack
from napari_slicemap.images.stack.processing import apply_steps


def stack_of(frames: int = 2, **known: Any) -> ImageStack:
    data = np.random.default_rng(0).normal(5, 2, (frames, 9, 11)).astype(np.float32)
    return ImageStack(data, 1.5, "height", [{"timestamp": 0.5 * n} for n in range(frames)], **known)


@pytest.fixture
def processed() -> ImageStack:
    return apply_steps(stack_of(), "remove_plane; mask_mean_offset; row_median_align")


def pixels(path: Path) -> np.ndarray:
    if path.suffix == ".npz":
        with np.load(path, allow_pickle=False) as file:
            return file["data"]
    if path.suffix == ".h5":
        with h5py.File(path) as file:
            return file["data"][:]
    return tifffile.imread(path).reshape(-1, 9, 11)


@pytest.mark.parametrize("make_path", [str, Path], ids=["text", "path"])
def test_one_file_for_each_format(tmp_path: Path, processed: ImageStack, make_path: Any) -> None:
    folder = tmp_path / "new" / "deep"
    made = export_bundles(processed, make_path(folder), "run_0.5nm.final", ["tif", "npz", "h5", "npz"])
    assert made == [folder / f"run_0.5nm.final_filtered{end}" for end in (".ome.tif", ".npz", ".h5")]
    assert sorted(folder.iterdir()) == sorted(made)
    for path in made:
        np.testing.assert_array_equal(pixels(path), processed.data)


def test_the_history_goes_along(tmp_path: Path, processed: ImageStack) -> None:
    _, npz, h5 = export_bundles(processed, tmp_path, "a", ["tif", "npz", "h5"])
    with np.load(npz, allow_pickle=False) as file, h5py.File(h5) as other:
        assert json.loads(str(file["provenance_json"])) == processed.provenance
        assert {name for name in file.files if name.startswith(("processed", "masks"))} == {
            "processed__raw",
            "processed__step_1_remove_plane",
            "processed__step_3_row_median_align",
            "masks__step_2_mask_mean_offset",
        }
        assert set(other["processed"]) == set(processed.processed)


NAMES = [
    pytest.param("scan", "", False, "scan", id="as it was read"),
    pytest.param("scan", "zero_mean", False, "scan_filtered", id="processed"),
    pytest.param("scan_filtered", "zero_mean", False, "scan_filtered", id="not twice"),
    pytest.param("scan", "mask_threshold", False, "scan", id="masks alone filter nothing"),
    pytest.param("scan", "zero_mean", True, "scan", id="raw"),
    pytest.param("a.b/c µ", "", False, "a.b_c__", id="made safe"),
]


@pytest.mark.parametrize(("name", "steps", "raw", "stem"), NAMES)
def test_what_the_files_are_called(tmp_path: Path, name: str, steps: str, raw: bool, stem: str) -> None:
    stack = apply_steps(stack_of(), steps) if steps else stack_of()
    assert export_bundles(stack, tmp_path, name, "npz", raw=raw) == [tmp_path / f"{stem}.npz"]


@pytest.mark.parametrize("format_name", ["tif", "npz", "h5"])
def test_raw_is_what_it_was_before(tmp_path: Path, processed: ImageStack, format_name: str) -> None:
    (path,) = export_bundles(processed, tmp_path, "a", [format_name], raw=True)
    np.testing.assert_array_equal(pixels(path), stack_of().data)


def test_raw_that_was_not_kept_writes_nothing(tmp_path: Path) -> None:
    stack = stack_of(processed={"step_1_zero_mean": stack_of().data})
    with pytest.raises(StackError, match="raw frames were not kept"):
        export_bundles(stack, tmp_path / "out", "a", ["npz"], raw=True)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("formats", [["npz", "gif", "csv"], ["hdf5"]], ids=["two", "alias"])
def test_an_unknown_format_is_refused_before_anything_is_written(tmp_path: Path, formats: list[str]) -> None:
    unknown = ", ".join(repr(one) for one in formats if one != "npz")
    with pytest.raises(ValueError, match=rf"unknown format {unknown} of a stack \(there is tif, npz, h5\)"):
        export_bundles(stack_of(), tmp_path / "out", "a", formats)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("folder", [None, 3, b"x"])
def test_a_folder_that_is_no_path(folder: Any) -> None:
    with pytest.raises(TypeError):
        export_bundles(stack_of(), folder, "a", ["npz"])


def test_the_same_steps_give_the_same_bytes(tmp_path: Path) -> None:
    hashes = []
    for number in range(2):
        stack = apply_steps(stack_of(), "remove_plane; gaussian_filter:sigma=2")
        made = export_bundles(stack, tmp_path / str(number), "a", ["tif", "npz", "h5"])
        hashes.append([hashlib.sha256(path.read_bytes()).hexdigest() for path in made])
    assert hashes[0] == hashes[1]


def test_a_file_that_is_there_is_replaced(tmp_path: Path) -> None:
    export_bundles(stack_of(1), tmp_path, "a", "npz")
    (path,) = export_bundles(stack_of(3), tmp_path, "a", "npz")
    assert len(pixels(path)) == 3

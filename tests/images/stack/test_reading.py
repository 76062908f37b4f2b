"""``read_stack``: the reader that the suffix asks for."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from napari_slicemap.errors import DatasetNotFoundError, FileFormatError, UnknownNameError
from napari_slicemap.images.stack.hdf5_bundle import save_h5_bundle
from napari_slicemap.images.stack.npz_bundle import save_npz_bundle
from napari_slicemap.images.stack.ome_tiff_bundle import save_ome_tiff_stack
from napari_slicemap.images.stack.reading import read_stack

from .stacks import processed_stack


@pytest.mark.parametrize("save", [save_npz_bundle, save_h5_bundle, save_ome_tiff_stack])
@pytest.mark.parametrize("kind", [str, Path])
def test_each_kind_of_bundle(tmp_path: Path, save: object, kind: type) -> None:
    stack = processed_stack()
    path = save(tmp_path / "run_0.5nm.final", stack)  # type: ignore[operator]
    for channel in ("", "Höhe_trace"):
        made = read_stack(kind(path), channel)
        np.testing.assert_array_equal(made.data, stack.data.astype(np.float32))
        assert (made.name, made.channel) == ("run_0.5nm.final", "Höhe_trace")
    with pytest.raises(UnknownNameError, match=r"unknown channel 'height' \(there is Höhe_trace\)"):
        read_stack(path, "height")


@pytest.mark.parametrize("name", ["a.HDF5", "a.H5"])
def test_suffixes_of_hdf5(tmp_path: Path, name: str) -> None:
    save_h5_bundle(tmp_path / "b", processed_stack()).rename(tmp_path / name)
    assert read_stack(tmp_path / name).channel == "Höhe_trace"


def test_suffix_that_nobody_knows(tmp_path: Path) -> None:
    for name, shown in (("a.xyz", ".xyz"), ("a", "no suffix")):
        (tmp_path / name).touch()
        with pytest.raises(FileFormatError, match=rf"{shown} is not known for a stack, only \.npz, \.h5, .*\.asd"):
            read_stack(tmp_path / name)


def test_no_file(tmp_path: Path) -> None:
    with pytest.raises(DatasetNotFoundError):
        read_stack(tmp_path / "a.npz")
    with pytest.raises(TypeError):
        read_stack(None)  # type: ignore[arg-type]

"""``.npy`` files, each read compared with the array that was written."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from builders import pixels, read_chunk, write_npy
from napari_slicemap.errors import TileReadError
from napari_slicemap.images.image import ImagePlane
from napari_slicemap.images.npy import NpyImage
from napari_slicemap.images.plane import read_window
from napari_slicemap.images.region import Window


def read_all(image: NpyImage) -> np.ndarray:
    t, c, z, y, x = image.info.shape
    whole = Window(0, x, 0, y)
    planes = [read_window(ImagePlane(image, k), i, j, whole) for i in range(t) for k in range(c) for j in range(z)]
    return np.array(planes).reshape(image.info.shape)


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("dtype", ["u1", "u2", ">u2", "i4", "f4", ">f8", "?"])
@pytest.mark.parametrize(
    ("shape", "full", "names"),
    [
        pytest.param((20, 24), (1, 1, 1, 20, 24), ("C0",), id="YX"),
        pytest.param((2, 20, 24), (1, 2, 1, 20, 24), ("C0", "C1"), id="CYX"),
        pytest.param((2, 3, 20, 24), (2, 3, 1, 20, 24), ("C0", "C1", "C2"), id="TCYX"),
        pytest.param((2, 3, 4, 20, 24), (2, 3, 4, 20, 24), ("C0", "C1", "C2"), id="TCZYX"),
    ],
)
def test_every_plane(
    tmp_path: Path, shape: tuple[int, ...], full: tuple[int, ...], names: tuple[str, ...], dtype: str, order: Any
) -> None:
    data = pixels(3, shape) % 2 == 0 if dtype == "?" else (pixels(3, shape) % 250).astype(dtype)
    image = NpyImage(write_npy(tmp_path / "a.npy", np.array(data, order=order)))
    made = read_all(image)
    np.testing.assert_array_equal(made, data.reshape(full))
    assert made.dtype == image.info.dtype == data.dtype.newbyteorder("=")
    assert (image.info.channel_names, image.info.pixel_size_um) == (names, None)


@given(st.integers(0, 599), st.integers(0, 699), st.integers(1, 600), st.integers(1, 700))
def test_windows(tmp_path: Path, y: int, x: int, height: int, width: int) -> None:
    data, path = pixels(2, (600, 700)), tmp_path / "a.npy"
    if not path.exists():
        write_npy(path, data)
    window = Window(x, min(x + width, 700), y, min(y + height, 600))
    made = read_window(ImagePlane(NpyImage(path)), 0, 0, window)
    np.testing.assert_array_equal(made, data[y : y + height, x : x + width])


def test_chunks_are_rows_and_own_their_memory(tmp_path: Path) -> None:
    image = NpyImage(write_npy(tmp_path / "a.npy", pixels(2, (2, 600, 700))))
    assert image.info.chunk_shape == (374, 700)
    assert [read_chunk(image, 1, 0, 0, row, 0).shape for row in (0, 1)] == [(374, 700), (226, 700)]
    assert read_chunk(image, 0, 0, 0, 0, 0).base is None


@pytest.mark.parametrize(
    "place", [(2, 0, 0, 0, 0), (-1, 0, 0, 0, 0), (0, 0, 0, 1, 0), (0, 0, 0, 0, 1), (0, 0, 0, -1, 0)]
)
def test_what_does_not_exist(tmp_path: Path, place: tuple[int, ...]) -> None:
    image = NpyImage(write_npy(tmp_path / "a.npy", pixels(2, (2, 20, 24))))
    with pytest.raises(TileReadError, match=r"a\.npy: .*out of bounds"):
        read_chunk(image, *place)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        pytest.param(np.zeros(20), "2 to 5 axes, and this array has 1", id="1-D"),
        pytest.param(np.zeros((1,) * 6), "2 to 5 axes, and this array has 6", id="6-D"),
        pytest.param(np.zeros((20, 24), complex), "pixels of type complex128 cannot be shown", id="complex"),
        pytest.param(np.zeros((20, 24), "U3"), "pixels of type <U3 cannot be shown", id="text"),
        pytest.param(np.array([["a", 1]], object), "cannot be read as a NumPy array", id="objects"),
        pytest.param(np.zeros((20, 0)), "cannot be read as a NumPy array", id="no pixel"),
    ],
)
def test_arrays_that_are_no_image(tmp_path: Path, data: np.ndarray, message: str) -> None:
    image = NpyImage(write_npy(tmp_path / "a.npy", data))
    with pytest.raises(TileReadError, match=rf"a\.npy: .*{message}"):
        _ = image.info


def test_files_that_are_none(tmp_path: Path) -> None:
    with pytest.raises(TileReadError, match=r"gone\.npy: there is no such file"):
        _ = NpyImage(tmp_path / "gone.npy").info
    for n, raw in enumerate((b"", b"hello", b"\x93NUMPY\x01\x00")):
        (tmp_path / f"{n}.npy").write_bytes(raw)
        with pytest.raises(TileReadError, match=rf"{n}\.npy: cannot be read as a NumPy array"):
            _ = NpyImage(tmp_path / f"{n}.npy").info


@pytest.mark.parametrize("share", [0.02, 0.5, 0.999])
def test_a_truncated_file(tmp_path: Path, share: float) -> None:
    path = write_npy(tmp_path / "a.npy", pixels(1, (64, 64)))
    raw = path.read_bytes()
    path.write_bytes(raw[: int(len(raw) * share)])
    with pytest.raises(TileReadError, match=r"a\.npy: cannot be read as a NumPy array"):
        read_all(NpyImage(path))


def test_a_file_that_changed(tmp_path: Path) -> None:
    image = NpyImage(write_npy(tmp_path / "a.npy", pixels(1)))
    before = image.key
    read_all(image)
    write_npy(image.path, pixels(2))
    os.utime(image.path, ns=(1, 1))
    assert image.key != before
    np.testing.assert_array_equal(read_all(image)[0, 0, 0], pixels(2))
    write_npy(image.path, pixels(2, (20, 25)))
    with pytest.raises(TileReadError, match=r"a\.npy: the file has changed since it was first read"):
        read_chunk(image, 0, 0, 0, 0, 0)

"""Datasets in HDF5 files, each read compared with the array that was written."""

from __future__ import annotations

import os
import pickle
import threading
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from builders import pixels, read_chunk, write_hdf5
from napari_slicemap.errors import TileReadError
from napari_slicemap.images.hdf5 import Hdf5Image
from napari_slicemap.images.image import ImagePlane
from napari_slicemap.images.plane import read_window
from napari_slicemap.images.region import Window


def read_all(image: Hdf5Image) -> np.ndarray:
    t, c, z, y, x = image.info.shape
    whole = Window(0, x, 0, y)
    planes = [read_window(ImagePlane(image, k), i, j, whole) for i in range(t) for k in range(c) for j in range(z)]
    return np.array(planes).reshape(image.info.shape)


@pytest.mark.parametrize("dtype", ["u1", "u2", ">u2", "i4", "f4", "?"])
@pytest.mark.parametrize(
    ("shape", "full"),
    [
        pytest.param((20, 24), (1, 1, 1, 20, 24), id="YX"),
        pytest.param((2, 20, 24), (1, 2, 1, 20, 24), id="CYX"),
        pytest.param((2, 3, 20, 24), (2, 3, 1, 20, 24), id="TCYX"),
        pytest.param((2, 3, 4, 20, 24), (2, 3, 4, 20, 24), id="TCZYX"),
    ],
)
def test_every_plane(tmp_path: Path, shape: tuple[int, ...], full: tuple[int, ...], dtype: str) -> None:
    data = pixels(3, shape) % 2 == 0 if dtype == "?" else (pixels(3, shape) % 250).astype(dtype)
    image = Hdf5Image(write_hdf5(tmp_path / "a.h5", {"entry/data": data}), "entry/data")
    made = read_all(image)
    np.testing.assert_array_equal(made, data.reshape(full))
    assert made.dtype == image.info.dtype == data.dtype.newbyteorder("=")


@pytest.mark.parametrize(
    ("options", "chunk_shape"),
    [
        pytest.param({}, (374, 700), id="one run: rows"),
        pytest.param({"chunks": (1, 512, 512)}, (512, 512), id="as stored"),
        pytest.param({"chunks": (2, 512, 512), "compression": "gzip", "shuffle": True}, (512, 512), id="deflate"),
        pytest.param({"chunks": (1, 64, 64), "compression": "lzf"}, (512, 512), id="small ones in groups"),
        pytest.param({"chunks": (1, 1, 700)}, (374, 700), id="rows in groups"),
        pytest.param({"chunks": (2, 600, 700)}, (600, 700), id="the whole"),
    ],
)
def test_chunks(tmp_path: Path, options: dict[str, Any], chunk_shape: tuple[int, int]) -> None:
    data = pixels(3, (2, 600, 700))
    image = Hdf5Image(write_hdf5(tmp_path / "a.h5", {"a": data}, **options))
    assert image.info.chunk_shape == chunk_shape
    assert read_chunk(image, 0, 0, 0, 0, 0).shape == chunk_shape
    np.testing.assert_array_equal(read_all(image)[0, :, 0], data)


@given(st.integers(0, 599), st.integers(0, 699), st.integers(1, 600), st.integers(1, 700), st.integers(0, 1))
def test_windows(tmp_path: Path, y: int, x: int, height: int, width: int, channel: int) -> None:
    data, path = pixels(2, (2, 600, 700)), tmp_path / "a.h5"
    if not path.exists():
        write_hdf5(path, {"a": data}, chunks=(1, 256, 512), compression="gzip")
    window = Window(x, min(x + width, 700), y, min(y + height, 600))
    made = read_window(ImagePlane(Hdf5Image(path), channel), 0, 0, window)
    np.testing.assert_array_equal(made, data[channel, y : y + height, x : x + width])


@pytest.mark.parametrize(
    "place", [(2, 0, 0, 0, 0), (-1, 0, 0, 0, 0), (0, 0, 0, 1, 0), (0, 0, 0, 0, 1), (0, 0, 0, -1, 0)]
)
def test_what_does_not_exist(tmp_path: Path, place: tuple[int, ...]) -> None:
    image = Hdf5Image(write_hdf5(tmp_path / "a.h5", {"a": pixels(2, (2, 20, 24))}))
    with pytest.raises(TileReadError, match=r"a\.h5: .*out of bounds"):
        read_chunk(image, *place)


# --- which dataset -------------------------------------------------------------------------------------------
def test_the_only_image_need_not_be_named(tmp_path: Path) -> None:
    path = write_hdf5(tmp_path / "a.h5", {"deep/in/data": pixels(1), "times": np.arange(5)})
    with h5py.File(path, "a") as file:
        file["title"] = "a text"
        file["nothing"] = h5py.Empty("f4")
        file["complex"] = np.zeros((20, 24), complex)
    np.testing.assert_array_equal(read_all(Hdf5Image(path))[0, 0, 0], pixels(1))


@pytest.mark.parametrize(
    ("datasets", "name", "message"),
    [
        pytest.param(
            {"a": 2, "b/c": 3}, "", r"it holds 2 datasets of images; state one of a, b/c, as in f\.h5/a", id="two"
        ),
        pytest.param({"a": 1}, "", "it holds 0 datasets of images", id="none"),
        pytest.param(
            {"a": 2, "b/c": 3}, "d", r"it holds no dataset 'd'; those of images are a, b/c", id="another name"
        ),
        pytest.param({"a": 2, "b/c": 3}, "b", r"it holds no dataset 'b'; those of images are a, b/c", id="a group"),
        pytest.param({"a": 1}, "a", "2 to 5 axes, and this array has 1", id="a line"),
    ],
)
def test_datasets_that_are_none(tmp_path: Path, datasets: dict[str, int], name: str, message: str) -> None:
    path = write_hdf5(tmp_path / "f.h5", {key: pixels(1, (4, 5, 6)[:axes]) for key, axes in datasets.items()})
    with pytest.raises(TileReadError, match=rf"f\.h5: .*{message}"):
        _ = Hdf5Image(path, name).info


@pytest.mark.parametrize(
    ("stated", "size"),
    [
        pytest.param((2.0, 0.39, 0.39), 0.39, id="z, y, x"),
        pytest.param((0.39, 0.39), 0.39, id="y, x"),
        pytest.param((1, 0, 0), None, id="0 is no size"),
        pytest.param((0.39,), None, id="one number"),
        pytest.param(None, None, id="none"),
    ],
)
def test_pixel_size(tmp_path: Path, stated: Any, size: float | None) -> None:
    path = write_hdf5(tmp_path / "a.h5", {"a": pixels(1)}, element_size_um=stated)
    assert Hdf5Image(path).info.pixel_size_um == size


def test_pixels_that_are_not_square_are_refused(tmp_path: Path) -> None:
    path = write_hdf5(tmp_path / "a.h5", {"a": pixels(1)}, element_size_um=(1, 0.78, 0.39))
    with pytest.raises(TileReadError, match=r"a\.h5: .*0\.39 × 0\.78 µm; only square pixels"):
        _ = Hdf5Image(path).info


# --- files that are none, or change --------------------------------------------------------------------------
def test_files_that_are_none(tmp_path: Path) -> None:
    with pytest.raises(TileReadError, match=r"gone\.h5: there is no such file"):
        _ = Hdf5Image(tmp_path / "gone.h5").info
    for n, raw in enumerate((b"", b"hello", b"\x89HDF\r\n\x1a\n")):
        (tmp_path / f"{n}.h5").write_bytes(raw)
        with pytest.raises(TileReadError, match=rf"{n}\.h5: cannot be read as an HDF5 image"):
            _ = Hdf5Image(tmp_path / f"{n}.h5").info


@pytest.mark.parametrize("share", [0.02, 0.5, 0.99])
def test_a_truncated_file(tmp_path: Path, share: float) -> None:
    path = write_hdf5(tmp_path / "a.h5", {"a": pixels(1, (64, 64))}, chunks=(16, 16), compression="gzip")
    raw = path.read_bytes()
    path.write_bytes(raw[: int(len(raw) * share)])
    with pytest.raises(TileReadError, match=r"a\.h5: cannot be read as an HDF5 image"):
        read_all(Hdf5Image(path))


def test_a_file_that_changed(tmp_path: Path) -> None:
    image = Hdf5Image(write_hdf5(tmp_path / "a.h5", {"a": pixels(1)}))
    before = image.key
    read_all(image)
    write_hdf5(image.path, {"a": pixels(2)})
    os.utime(image.path, ns=(1, 1))
    assert image.key != before
    np.testing.assert_array_equal(read_all(image)[0, 0, 0], pixels(2))
    write_hdf5(image.path, {"a": pixels(2, (20, 25))})
    with pytest.raises(TileReadError, match=r"a\.h5: the file has changed since it was first read"):
        read_chunk(image, 0, 0, 0, 0, 0)


def test_many_threads_read_one_image(tmp_path: Path) -> None:
    data = pixels(0, (8, 64, 64))
    image = Hdf5Image(write_hdf5(tmp_path / "a.h5", {"a": data}, chunks=(1, 32, 32), compression="gzip"))
    found: dict[int, np.ndarray] = {}

    def read_one(channel: int) -> None:
        found[channel] = read_window(ImagePlane(image, channel), 0, 0, Window(0, 64, 0, 64))

    threads = [threading.Thread(target=read_one, args=(channel,)) for channel in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    np.testing.assert_array_equal(np.stack([found[n] for n in range(8)]), data)


def test_an_image_survives_pickling(tmp_path: Path) -> None:
    image = Hdf5Image(write_hdf5(tmp_path / "a.h5", {"a": pixels(3)}))
    before = read_all(image)
    np.testing.assert_array_equal(read_all(pickle.loads(pickle.dumps(image))), before)

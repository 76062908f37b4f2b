"""Choosing how a file is read, and what the formats share."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from builders import pixels, read_chunk, write_hdf5, write_npy, write_ome_zarr, write_tiff
from napari_slicemap.errors import FileFormatError, TileReadError
from napari_slicemap.images.cache import ChunkCache
from napari_slicemap.images.format_tools import (
    Recent,
    Tiling,
    copied,
    named,
    one_by_one,
    own_buffer,
    plane_index,
    shared_chunk,
)
from napari_slicemap.images.hdf5 import Hdf5Image
from napari_slicemap.images.image import ImagePlane, file_state
from napari_slicemap.images.npy import NpyImage
from napari_slicemap.images.ome_zarr.zarr_image import ZarrImage
from napari_slicemap.images.opening import image_stem, open_image, split_at
from napari_slicemap.images.picture import PictureImage
from napari_slicemap.images.plane import read_window
from napari_slicemap.images.region import Window
from napari_slicemap.images.tiff.tiff_image import TiffImage


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        pytest.param("a.tif", TiffImage(Path("a.tif")), id="tif"),
        pytest.param("a.OME.TIFF", TiffImage(Path("a.OME.TIFF")), id="TIFF"),
        pytest.param("a.npy", NpyImage(Path("a.npy")), id="npy"),
        pytest.param("a.h5", Hdf5Image(Path("a.h5")), id="h5"),
        pytest.param("run/a.HDF5/entry/data", Hdf5Image(Path("run/a.HDF5"), "entry/data"), id="a dataset"),
        pytest.param("run.h5/b.hdf/d", Hdf5Image(Path("run.h5/b.hdf"), "d"), id="a folder named like a file"),
        pytest.param("a.zarr", ZarrImage(Path("a.zarr")), id="zarr"),
        pytest.param("a.ome.zarr/0", ZarrImage(Path("a.ome.zarr/0")), id="an array in a group"),
        pytest.param("a.zarr/t.tif", TiffImage(Path("a.zarr/t.tif")), id="a TIFF file in such a folder"),
        pytest.param("a.PNG", PictureImage(Path("a.PNG")), id="png"),
        pytest.param("a.xyz", TiffImage(Path("a.xyz")), id="anything else"),
    ],
)
def test_the_name_says_how_a_file_is_read(path: str, expected: Any) -> None:
    assert open_image(Path(path)) == expected


def test_a_folder_is_zarr_whatever_its_name(tmp_path: Path) -> None:
    assert open_image(tmp_path) == ZarrImage(tmp_path)


def test_series_and_page_go_to_tiff_files_only() -> None:
    assert open_image(Path("a.tif"), 1, 2) == TiffImage(Path("a.tif"), 1, 2)
    for name in ("a.npy", "a.h5/d", "a.zarr"):
        for which in ({"series": 1}, {"page": 0}):
            with pytest.raises(FileFormatError, match=rf"{name}: series and page are of TIFF files"):
                open_image(Path(name), **which)


@pytest.mark.parametrize(
    ("path", "stem"),
    [
        ("r/t1.tif", "t1"),
        ("t1.ome.tif", "t1.ome"),
        ("t1.npy", "t1"),
        ("t1.zarr", "t1"),
        ("r/t1.ome.zarr", "t1"),
        ("t1.OME.ZARR", "t1"),
        ("t.1.zarr", "t.1"),
        ("plate.zarr/A/1/0", "plate_A_1_0"),
        ("t1.h5", "t1"),
        ("t1.hdf5/entry/data", "t1_entry_data"),
        ("t1", "t1"),
    ],
)
def test_image_stem(path: str, stem: str) -> None:
    assert image_stem(Path(path)) == stem


def test_split_at() -> None:
    assert split_at(Path("/a/b.h5/c/d"), (".h5",)) == (Path("/a/b.h5"), Path("c/d"))
    assert split_at(Path("b.h5"), (".h5",)) == (Path("b.h5"), Path())
    assert split_at(Path("b.h5x/c"), (".h5",)) is None


def test_no_library_is_loaded_before_a_file_is_read() -> None:
    code = (
        "import sys; from pathlib import Path; from napari_slicemap.images.opening import open_image\n"
        "for name in ('a.tif', 'a.npy', 'a.h5', 'a.zarr'): open_image(Path(name)).key\n"
        "assert not {'tifffile', 'zarr', 'h5py', 'imagecodecs', 'numcodecs'} & set(sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("kind", ["tif", "npy", "h5", "zarr"])
def test_one_image_in_each_format(tmp_path: Path, kind: str) -> None:
    """All formats give the same through one cache, and none is mistaken for another."""
    data = pixels(3, (3, 300, 320))
    cache = ChunkCache()
    path = tmp_path / f"a.{kind}"
    if kind == "tif":
        write_tiff(path, data, photometric="minisblack", tile=(128, 128), compression="zstd")
    elif kind == "npy":
        write_npy(path, data)
    elif kind == "h5":
        write_hdf5(path, {"d": data}, chunks=(1, 128, 128))
    else:
        write_ome_zarr(path, data, chunks=(1, 128, 128))
    image = open_image(path)
    assert image.info.shape == (1, 3, 1, 300, 320)
    for _ in range(2):
        for channel in range(3):
            made = read_window(ImagePlane(image, channel, 3), 0, 0, Window(7, 319, 100, 300), cache)
            np.testing.assert_array_equal(made, data[channel, 100:300, 7:319])
    hash(image.key)


@pytest.mark.parametrize("name", ["a.tif", "a.npy", "a.h5", "a.zarr"])
def test_a_missing_file_is_named(tmp_path: Path, name: str) -> None:
    image = open_image(tmp_path / name)
    assert image.key == image.key
    for use in (lambda: image.info, lambda: read_chunk(image, 0, 0, 0, 0, 0)):
        with pytest.raises(TileReadError, match=rf"{name}: there is no such file"):
            use()


# --- parts ---------------------------------------------------------------------------------------------------
@given(
    st.tuples(st.integers(1, 900), st.integers(1, 900)),
    st.tuples(st.integers(1, 400), st.integers(1, 400)),
    st.sampled_from([1, 2**12, 2**16]),
)
def test_chunks_cover_a_plane_once(plane: tuple[int, int], segment: tuple[int, int], least: int) -> None:
    tiling = Tiling(plane, segment, least)
    seen = np.zeros(plane, np.uint8)
    (height, width), (y, x) = plane, tiling.chunk_shape
    for row in range(-(-height // y)):
        for column in range(-(-width // x)):
            made = tiling.cut(row, column)
            part = seen[row * y : (row + 1) * y, column * x : (column + 1) * x]
            assert part.shape == made
            part += 1
    assert (seen == 1).all()
    for place in ((-(-height // y), 0), (0, -(-width // x)), (-1, 0)):
        with pytest.raises(IndexError, match="out of bounds"):
            tiling.cut(*place)


@given(st.tuples(st.integers(1, 90), st.integers(1, 90)), st.tuples(st.integers(1, 40), st.integers(1, 40)))
def test_a_chunk_is_put_together_from_its_segments(plane: tuple[int, int], segment: tuple[int, int]) -> None:
    data = pixels(1, plane)
    full = np.pad(data, ((0, segment[0]), (0, segment[1])))  # segments reach beyond the plane
    tiling = Tiling(plane, segment, 1000)

    def read(row: int, column: int, out: np.ndarray) -> None:
        y, x = row * segment[0], column * segment[1]
        height, width = out.shape
        assert height == min(segment[0], plane[0] - y)
        assert width == min(segment[1], plane[1] - x)
        out[...] = full[y : y + height, x : x + width]

    y, x = tiling.chunk_shape
    for row in range(-(-plane[0] // y)):
        for column in range(-(-plane[1] // x)):
            memory = np.zeros(tiling.cut(row, column), np.uint16)
            made = tiling.chunk(row, column, memory, read)
            assert made is memory
            np.testing.assert_array_equal(made, data[row * y : (row + 1) * y, column * x : (column + 1) * x])


def test_pixels_are_copied_into_the_memory_given() -> None:
    whole, lent = np.arange(24, dtype=np.uint16).reshape(4, 6), []

    def allocate(shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
        lent.append(np.empty(shape, dtype))
        return lent[-1]

    for part in (whole, whole[:2], whole.T, whole[::2, ::3]):
        made = copied(part, allocate)
        assert made is lent[-1]
        assert made.flags.c_contiguous
        np.testing.assert_array_equal(made, part)


def test_a_stored_chunk_of_several_planes_is_decoded_once(tmp_path: Path) -> None:
    data, loaded = pixels(1), []

    def load() -> np.ndarray:
        loaded.append(1)
        return data

    for place in ("a", "b", "a", "b"):
        found = shared_chunk(tmp_path / "x", place, load)
        np.testing.assert_array_equal(found, data)
        assert not found.flags.writeable
    assert len(loaded) == 2
    shared_chunk(tmp_path / "y", "a", load)
    assert len(loaded) == 3


@pytest.mark.parametrize(
    ("raised", "message"),
    [
        pytest.param(FileNotFoundError(2, "x"), "a: there is no such file", id="missing"),
        pytest.param(ValueError("it is odd"), r"a: cannot be read as a picture \(it is odd\)", id="anything else"),
        pytest.param(TileReadError("b: said already"), "^b: said already$", id="said already"),
    ],
)
def test_what_goes_wrong_names_the_file(raised: Exception, message: str) -> None:
    def read(row: int, column: int, allocate: Any) -> np.ndarray:
        raise raised

    with pytest.raises(TileReadError, match=message), named(Path("a"), "a picture"):
        raise raised
    with pytest.raises(TileReadError, match=message):
        one_by_one(read, Path("a"), "a picture")([(0, 0)], np.empty)


def test_chunks_one_by_one() -> None:
    def read(row: int, column: int, allocate: Any) -> np.ndarray:
        made = allocate((1, 2), np.dtype(np.uint8))
        made[...] = row, column
        return made

    found = one_by_one(read, Path("a"), "a picture")([(1, 2), (3, 4)], np.empty)
    assert [made.tolist() for made in found] == [[[1, 2]], [[3, 4]]]


def test_each_thread_has_a_buffer_of_its_own() -> None:
    first = own_buffer(100)
    assert len(first) >= 100
    first[:3] = b"abc"
    others: list[memoryview] = []
    thread = threading.Thread(target=lambda: others.append(own_buffer(100)))
    thread.start()
    thread.join()
    others[0][:3] = b"xyz"
    assert bytes(own_buffer(50)[:3]) == b"abc"
    kept = len(own_buffer(1))
    assert len(own_buffer(2**24 + 1)) == 2**24 + 1
    assert len(own_buffer(1)) == kept  # what is very large is not kept


def test_plane_index() -> None:
    rows, columns = slice(None), slice(None)
    assert plane_index("TCZYX", (2, 3, 4, 5, 6), 2, 1, 3) == (1, 2, 3, rows, columns)
    assert plane_index("QYXS", (2, 5, 6, 3), 4, 0, 0) == (1, rows, columns, 1)  # the last channel axis is the fastest
    assert plane_index("YX", (5, 6), 0, 0, 0) == (rows, columns)
    with pytest.raises(IndexError, match="channel 1 is out of bounds"):
        plane_index("YX", (5, 6), 1, 0, 0)


def test_the_things_used_last_are_kept() -> None:
    recent, loaded = Recent[int](2), []

    def get(key: int) -> int:
        return recent.get(key, lambda: loaded.append(key) or key * 10)

    assert [get(key) for key in (1, 2, 1, 3, 1, 2)] == [10, 20, 10, 30, 10, 20]
    assert loaded == [1, 2, 3, 2]
    with pytest.raises(ZeroDivisionError):
        recent.get(9, lambda: 1 // 0)
    assert recent.get(9, lambda: 5) == 5  # a failure is not kept


def test_many_threads_use_what_is_kept() -> None:
    recent = Recent[int](3)
    wrong: list[bool] = []

    def use(seed: int) -> None:
        keys = np.random.default_rng(seed).integers(0, 6, 2000).tolist()
        wrong.append(any(recent.get(n, lambda n=n: n * 2) != n * 2 for n in keys))  # type: ignore[misc]

    threads = [threading.Thread(target=use, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == [False] * 4


def test_file_state(tmp_path: Path) -> None:
    path = tmp_path / "a"
    assert file_state(path) == (0, 0)
    path.write_text("hello")
    assert file_state(path) == (5, path.stat().st_mtime_ns)

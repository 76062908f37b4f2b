"""Averaging a tile that may be larger than memory."""

from __future__ import annotations

import tracemalloc
from collections import Counter
from itertools import product
from pathlib import Path

import dask.array
import numpy as np
import pytest
import zarr
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_slicemap.errors import StackError
from napari_slicemap.images.oct.tile import TileFrames
from napari_slicemap.slices.galvo import average_projection, profile

SHAPE = (5, 17, 23)


@pytest.fixture
def volume() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 4000, SHAPE).astype(np.float32)


class Watched:
    """An array without strides that notes what is read of it."""

    def __init__(self, pixels: np.ndarray, chunks: tuple[int, ...] | None = None) -> None:
        self.pixels, self.shape, self.dtype, self.chunks = pixels, pixels.shape, pixels.dtype, chunks
        self.read: list[tuple[int, ...]] = []
        self.chunks_read: Counter[tuple[int, ...]] = Counter()

    def __getitem__(self, index):
        part = self.pixels[index]
        self.read.append(part.shape)
        if self.chunks:
            touched = (
                range(one.start // size, -(-one.stop // size)) for one, size in zip(index, self.chunks, strict=True)
            )
            self.chunks_read.update(product(*touched))
        return part


@pytest.mark.parametrize("block_bytes", [1, 700, 2**25])
@pytest.mark.parametrize("order", ["C", "F"])
def test_it_is_the_mean_over_depth(volume, order: str, block_bytes: int, monkeypatch) -> None:
    monkeypatch.setattr(profile, "BLOCK_BYTES", block_bytes)
    np.testing.assert_allclose(average_projection(np.asarray(volume, order=order)), volume.mean(axis=0), rtol=1e-6)


@pytest.mark.parametrize("order", ["C", "F"])
def test_a_memory_map_is_read_a_block_at_a_time(volume, order: str, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(profile, "BLOCK_BYTES", 1000)
    (tmp_path / "tile.bin").write_bytes(volume.tobytes(order))
    mapped = np.memmap(tmp_path / "tile.bin", dtype=np.float32, mode="r", shape=SHAPE, order=order)
    blocks = list(profile._blocks(mapped, SHAPE, np.array(mapped.strides)))
    assert len(blocks) > 1
    assert all(mapped[block].flags["F_CONTIGUOUS" if order == "F" else "C_CONTIGUOUS"] for block in blocks)
    np.testing.assert_array_equal(average_projection(mapped), volume.astype(np.float64).sum(axis=0) / SHAPE[0])


def test_each_chunk_is_read_once(volume, monkeypatch) -> None:
    monkeypatch.setattr(profile, "BLOCK_BYTES", 5 * 17 * 12 * 4)
    watched = Watched(volume, chunks=(5, 17, 10))
    np.testing.assert_allclose(average_projection(watched), volume.mean(axis=0), rtol=1e-6)
    assert watched.read == [(5, 17, 10), (5, 17, 10), (5, 17, 3)]


@pytest.mark.parametrize(
    ("chunks", "block_bytes", "largest"),
    [
        pytest.param((1, 17, 23), 1, (1, 17, 23), id="planes"),
        pytest.param((1, 17, 23), 3 * 17 * 23 * 4, (3, 17, 23), id="several planes at once"),
        pytest.param((2, 8, 8), 1, (2, 8, 8), id="cubes"),
        pytest.param((2, 8, 8), 2 * 8 * 16 * 4, (2, 8, 16), id="several cubes at once"),
        pytest.param((5, 4, 23), 1, (5, 4, 23), id="A-lines"),
        pytest.param((8, 32, 32), 1, SHAPE, id="one chunk, larger than the tile"),
    ],
)
def test_whole_chunks_are_read_once_and_no_more_at_a_time_than_needed(
    volume, chunks, block_bytes: int, largest: tuple[int, ...], monkeypatch
) -> None:
    monkeypatch.setattr(profile, "BLOCK_BYTES", block_bytes)
    watched = Watched(volume, chunks)
    np.testing.assert_array_equal(average_projection(watched), volume.astype(np.float64).sum(axis=0) / SHAPE[0])
    assert watched.read[0] == largest == tuple(np.max(watched.read, axis=0))
    assert set(watched.chunks_read.values()) == {1}
    assert len(watched.chunks_read) == np.prod([-(-count // size) for count, size in zip(SHAPE, chunks, strict=True)])


@pytest.mark.parametrize(
    "stored",
    [
        pytest.param(lambda volume: zarr.array(volume, chunks=(5, 8, 8)), id="zarr"),
        pytest.param(lambda volume: dask.array.from_array(volume, chunks=(2, 8, 8)), id="dask"),
        pytest.param(lambda volume: volume[:, ::-1].copy()[:, ::-1], id="negative strides"),
        pytest.param(lambda volume: volume.transpose(0, 2, 1).copy().transpose(0, 2, 1), id="A-lines fastest"),
        pytest.param(lambda volume: volume.astype(">f4", order="F"), id="big-endian"),
        pytest.param(lambda volume: volume.astype(np.float16, order="F"), id="float16"),
        pytest.param(lambda volume: volume.astype(np.uint16, order="F"), id="uint16"),
        pytest.param(lambda volume: volume.astype(np.int64), id="int64"),
    ],
)
def test_however_it_is_stored(volume, stored) -> None:
    volume = np.minimum(volume, 2048)  # what float16 has, too
    np.testing.assert_array_equal(average_projection(stored(volume)), volume.astype(np.float64).sum(axis=0) / SHAPE[0])


@pytest.mark.parametrize("depth", [1, 7, 129, 512, 1000])
@pytest.mark.parametrize(
    ("level", "spread"), [pytest.param(1e6, 1, id="nearly level"), pytest.param(0.1, 0, id="level"), (0, 300)]
)
@pytest.mark.parametrize("order", ["C", "F"])
def test_float32_is_as_good_as_float64(depth: int, level: float, spread: float, order: str) -> None:
    noise = np.random.default_rng(depth).random((depth, 40, 30))
    volume = np.asarray(level + spread * noise, np.float32, order=order)
    exact = volume.astype(np.float64).mean(axis=0)
    np.testing.assert_allclose(average_projection(volume), exact, rtol=1e-6 if order == "F" else 1e-13)


@settings(max_examples=40)
@given(
    shape=st.tuples(st.integers(1, 40), st.integers(1, 9), st.integers(1, 9)),
    chunks=st.none() | st.tuples(*[st.integers(1, 12)] * 3),
    order=st.sampled_from("CF"),
    dtype=st.sampled_from(["f4", ">f4", "f8", "u1"]),
    block_bytes=st.integers(1, 3000),
)
def test_the_size_of_a_block_changes_no_bit(shape, chunks, order: str, dtype: str, block_bytes: int) -> None:
    pixels = (255 * np.random.default_rng(0).random(shape)).astype(dtype, order=order)
    volume = Watched(pixels, chunks) if chunks else pixels
    whole = average_projection(volume)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(profile, "BLOCK_BYTES", block_bytes)
        assert average_projection(volume).tobytes() == whole.tobytes()
    np.testing.assert_allclose(whole, pixels.astype(np.float64).mean(axis=0), rtol=1e-6)


@pytest.mark.parametrize("order", ["C", "F"])
def test_what_is_not_finite_stays_so_and_alone(volume, order: str) -> None:
    volume[1, 2, 3], volume[0, 4, 5], volume[2, 6, 7] = np.nan, np.inf, -np.inf
    volume[:, 8, 9] = 3e38  # the sum is beyond float32
    made = average_projection(np.asarray(volume, order=order))
    assert [*map(str, (made[2, 3], made[4, 5], made[6, 7]))] == ["nan", "inf", "-inf"]
    assert made[8, 9] == pytest.approx(3e38, rel=1e-6)
    assert np.isfinite(made).sum() == made.size - 3


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("dtype", [np.float32, np.uint16])
def test_a_memory_map_is_never_copied(tmp_path: Path, order: str, dtype: type) -> None:
    shape = 512, 64, 512
    with (tmp_path / "tile.bin").open("wb") as stream:
        stream.truncate(np.dtype(dtype).itemsize * np.prod(shape))
    mapped = np.memmap(tmp_path / "tile.bin", dtype, "r", shape=shape, order=order)
    assert _peak(mapped) < 2**21


def test_of_several_files_one_block_is_copied_at_a_time(tmp_path: Path) -> None:
    depth, lines, frames = 512, 256, 128
    for name in "ab":
        with (tmp_path / name).open("wb") as stream:
            stream.truncate(4 * depth * lines * frames // 2)
    assert _peak(TileFrames(tuple((tmp_path / name, frames // 2) for name in "ab"), (depth, lines))) < 48 * 2**20


def _peak(volume) -> int:
    """Average, and give the bytes allocated by then at the most."""
    tracemalloc.start()
    try:
        average_projection(volume)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_one_file_and_several_give_the_same(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).random((12, 17, 9), np.float32)  # (B-scans, A-lines, Z)
    (tmp_path / "all").write_bytes(pixels.tobytes())
    (tmp_path / "a").write_bytes(pixels[:5].tobytes())
    (tmp_path / "b").write_bytes(pixels[5:].tobytes())
    one, several = (
        TileFrames(((tmp_path / "all", 12),), (9, 17)),
        TileFrames(((tmp_path / "a", 5), (tmp_path / "b", 7)), (9, 17)),
    )
    made = average_projection(several)
    assert made.tobytes() == average_projection(one.mapped(*one.files[0])).tobytes()
    np.testing.assert_allclose(made, pixels.mean(axis=2, dtype=np.float64).T, rtol=1e-6)


def test_large_counts_do_not_overflow() -> None:
    assert average_projection(np.full((300, 2, 2), 65535, np.uint16)).tolist() == [[65535.0] * 2] * 2


@pytest.mark.parametrize("bad", [np.ones((3, 4)), np.ones((0, 3, 4)), np.ones((2, 3, 4), complex)])
def test_what_is_no_volume_is_refused(bad: np.ndarray) -> None:
    with pytest.raises(StackError, match=r"expected \(Z, A-lines, B-scans\) of real numbers"):
        average_projection(bad)

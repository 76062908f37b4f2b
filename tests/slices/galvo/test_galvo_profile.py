"""Averaging a tile that may be larger than memory."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import zarr

from napari_slicemap.errors import StackError
from napari_slicemap.slices.galvo import average_projection, profile

SHAPE = (5, 17, 23)


@pytest.fixture
def volume() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 4000, SHAPE).astype(np.float32)


class Watched:
    """An array without strides that notes the size of what is read of it."""

    def __init__(self, pixels: np.ndarray, chunks: tuple[int, ...] | None = None) -> None:
        self.pixels, self.shape, self.dtype, self.chunks = pixels, pixels.shape, pixels.dtype, chunks
        self.read: list[tuple[int, ...]] = []

    def __getitem__(self, index):
        part = self.pixels[index]
        self.read.append(part.shape)
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
    blocks = list(profile._blocks(mapped, SHAPE))
    assert len(blocks) > 1
    assert all(mapped[block].flags["F_CONTIGUOUS" if order == "F" else "C_CONTIGUOUS"] for block in blocks)
    np.testing.assert_array_equal(average_projection(mapped), volume.astype(np.float64).sum(axis=0) / SHAPE[0])


def test_each_chunk_is_read_once(volume, monkeypatch) -> None:
    monkeypatch.setattr(profile, "BLOCK_BYTES", 5 * 17 * 12 * 4)
    watched = Watched(volume, chunks=(5, 17, 10))
    np.testing.assert_allclose(average_projection(watched), volume.mean(axis=0), rtol=1e-6)
    assert watched.read == [(5, 17, 10), (5, 17, 10), (5, 17, 3)]


def test_a_zarr_array_does(volume) -> None:
    stored = zarr.array(volume, chunks=(5, 8, 8))
    np.testing.assert_allclose(average_projection(stored), volume.mean(axis=0), rtol=1e-6)


def test_large_counts_do_not_overflow() -> None:
    assert average_projection(np.full((300, 2, 2), 65535, np.uint16)).tolist() == [[65535.0] * 2] * 2


@pytest.mark.parametrize("bad", [np.ones((3, 4)), np.ones((0, 3, 4)), np.ones((2, 3, 4), complex)])
def test_what_is_no_volume_is_refused(bad: np.ndarray) -> None:
    with pytest.raises(StackError, match=r"expected \(Z, A-lines, B-scans\) of real numbers"):
        average_projection(bad)

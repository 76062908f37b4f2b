"""Windows of planes put together from their chunks."""

from __future__ import annotations

import threading
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from builders import pixels
from napari_slicemap.errors import TileReadError
from napari_slicemap.images.cache import ChunkCache
from napari_slicemap.images.plane import Chunks, read_window
from napari_slicemap.images.region import Window


@dataclass
class Pieces:
    """A plane in memory, in chunks; notes which of them were decoded and how often they were closed."""

    data: np.ndarray  # (T, Z, Y, X)
    chunk: tuple[int, int]
    path: Path = Path("a")
    pixel_size_um: float | None = None
    state: int = 0
    fails: bool = False
    decoded: list[tuple[int, int]] = field(default_factory=list)
    calls: int = 0
    closed: int = 0

    @property
    def shape(self) -> tuple[int, ...]:
        return self.data.shape

    @property
    def dtype(self) -> np.dtype[Any]:
        return self.data.dtype

    @property
    def key(self) -> Hashable:
        return self.path, self.state

    def chunks(self, t: int, z: int) -> Chunks:
        height, width = self.chunk

        def read(places: Sequence[tuple[int, int]], allocate: Any) -> list[np.ndarray]:
            self.calls += 1
            if self.fails:
                raise TileReadError(f"{self.path}: broken")
            self.decoded += places
            made = []
            for row, column in places:
                part = self.data[t, z, row * height : (row + 1) * height, column * width : (column + 1) * width]
                whole = allocate(self.chunk, self.dtype)  # stored in full, handed out cut
                out = whole[: part.shape[0], : part.shape[1]]
                out[...] = part
                made.append(out)
            return made

        def close() -> None:
            self.closed += 1

        return Chunks((self.key, t, z), self.chunk, read, close)


def plane_of(height: int, width: int, chunk: tuple[int, int] = (16, 16), dtype: Any = np.uint16) -> Pieces:
    return Pieces(pixels(1, (2, 3, height, width), dtype), chunk)


@given(
    st.tuples(st.integers(1, 50), st.integers(1, 60)),
    st.tuples(st.integers(1, 70), st.integers(1, 70)),
    st.data(),
    st.sampled_from([None, 0, 3000, 2**20]),
    st.booleans(),
)
def test_every_window(
    size: tuple[int, int], chunk: tuple[int, int], data: Any, max_bytes: int | None, given_out: bool
) -> None:
    plane = plane_of(*size, chunk)
    cache = None if max_bytes is None else ChunkCache(max_bytes)
    for _ in range(3):
        y0, x0 = (data.draw(st.integers(0, length - 1)) for length in size)
        y1, x1 = data.draw(st.integers(y0 + 1, size[0])), data.draw(st.integers(x0 + 1, size[1]))
        t, z = data.draw(st.integers(0, 1)), data.draw(st.integers(0, 2))
        window = Window(x0, x1, y0, y1)
        out = np.zeros(window.shape, np.float64) if given_out else None
        made = read_window(plane, t, z, window, cache, out)
        np.testing.assert_array_equal(made, plane.data[t, z, y0:y1, x0:x1])
        assert made is out if given_out else made.dtype == np.uint16
    assert plane.closed == 3


def test_only_the_chunks_that_a_window_touches_are_decoded() -> None:
    plane, cache = plane_of(64, 64), ChunkCache()
    read_window(plane, 0, 0, Window(15, 33, 16, 32), cache)
    assert plane.decoded == [(1, 0), (1, 1), (1, 2)]
    read_window(plane, 0, 0, Window(0, 20, 0, 20), cache)
    assert plane.decoded[3:] == [(0, 0), (0, 1)]
    read_window(plane, 0, 0, Window(0, 33, 0, 32), cache)
    assert plane.decoded[5:] == [(0, 2)]
    assert plane.calls == 3  # all that a window lacks at once


def test_what_is_kept_is_not_decoded_again() -> None:
    plane, cache = plane_of(40, 40), ChunkCache()
    for _ in range(3):
        read_window(plane, 1, 2, Window(0, 40, 0, 40), cache)
    assert (plane.calls, len(plane.decoded)) == (1, 9)


def test_times_depths_and_states_are_told_apart() -> None:
    plane, cache = plane_of(20, 20), ChunkCache()
    whole = Window(0, 20, 0, 20)
    for t in range(2):
        for z in range(3):
            np.testing.assert_array_equal(read_window(plane, t, z, whole, cache), plane.data[t, z])
    plane.data, plane.state = plane.data + 1, 1
    np.testing.assert_array_equal(read_window(plane, 1, 1, whole, cache), plane.data[1, 1])


def test_a_window_of_one_chunk_is_a_view_of_it() -> None:
    plane, cache = plane_of(40, 40), ChunkCache()
    first = read_window(plane, 0, 0, Window(3, 12, 2, 16), cache)
    again = read_window(plane, 0, 0, Window(3, 12, 2, 16), cache)
    assert np.shares_memory(first, again)
    with pytest.raises(ValueError, match="read-only"):
        first[0, 0] = 1


def test_such_a_view_outlives_the_chunk() -> None:
    plane, cache = plane_of(40, 40), ChunkCache(4096)
    seen = read_window(plane, 0, 0, Window(3, 12, 2, 16), cache)
    for t, z in ((0, 1), (0, 2), (1, 0), (1, 1), (1, 2)):
        read_window(plane, t, z, Window(0, 40, 0, 40), cache)
        cache.clear()
    np.testing.assert_array_equal(seen, plane.data[0, 0, 2:16, 3:12])


@pytest.mark.parametrize("dtype", [np.uint8, np.float32, np.int64])
def test_pixels_are_cast_into_what_is_given(dtype: Any) -> None:
    plane = plane_of(20, 20, dtype=np.uint8)
    out = np.zeros((24, 24), dtype)
    made = read_window(plane, 0, 0, Window(0, 20, 0, 20), out=out[2:22, 2:22])
    np.testing.assert_array_equal(out[2:22, 2:22], plane.data[0, 0].astype(dtype))
    assert np.shares_memory(made, out)
    assert not out[:2].any()
    assert not out[:, 22:].any()


@pytest.mark.parametrize("cache", [None, ChunkCache()])
def test_a_plane_that_cannot_be_read_is_closed(cache: ChunkCache | None) -> None:
    plane = plane_of(20, 20)
    plane.fails = True
    with pytest.raises(TileReadError, match="a: broken"):
        read_window(plane, 0, 0, Window(0, 20, 0, 20), cache)
    assert plane.closed == 1
    plane.fails = False
    np.testing.assert_array_equal(read_window(plane, 0, 0, Window(0, 20, 0, 20), cache), plane.data[0, 0])


@pytest.mark.parametrize("max_bytes", [0, 2000, 2**20])
def test_threads_that_read_overlapping_windows(max_bytes: int) -> None:
    plane, cache = plane_of(100, 100), ChunkCache(max_bytes)
    wrong: list[Window] = []

    def use(seed: int) -> None:
        rng = np.random.default_rng(seed)
        for _ in range(100):
            (y0, x0), (height, width) = rng.integers(0, 60, 2).tolist(), rng.integers(1, 40, 2).tolist()
            window = Window(x0, x0 + width, y0, y0 + height)
            made = read_window(plane, 0, 0, window, cache)
            if not np.array_equal(made, plane.data[0, 0, y0 : y0 + height, x0 : x0 + width]):
                wrong.append(window)

    threads = [threading.Thread(target=use, args=(seed,), daemon=True) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert not any(thread.is_alive() for thread in threads)
    assert wrong == []

"""The cache of decoded chunks: how much it keeps, what goes first, and many threads at once."""

from __future__ import annotations

import pickle
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_slicemap.images import cache as module
from napari_slicemap.images.cache import ChunkCache

A, B = (Path("a"), 0), (Path("b"), 0)
SECONDS = 20
"""After which a thread counts as stuck."""


class Decoder:
    """Gives chunks of one number each; notes which it was asked for."""

    def __init__(self, nbytes: int = 100, offset: int = 0) -> None:
        self.nbytes, self.offset = nbytes, offset
        self.asked: list[int] = []

    def __call__(self, places: Sequence[Any], allocate: Any) -> list[np.ndarray]:
        self.asked += places
        made = [allocate((self.nbytes // 2,), np.dtype(np.uint16)) for _ in places]
        for place, out in zip(places, made, strict=True):
            out[...] = place + self.offset
        return made


def held(cache: ChunkCache) -> int:
    """Bytes that the cache keeps, with the memory that waits for its next use."""
    return cache.nbytes + sum(memory.nbytes for memory in cache._spare)


def join(threads: Sequence[threading.Thread]) -> None:
    for thread in threads:
        thread.join(SECONDS)
    assert not any(thread.is_alive() for thread in threads), "a thread is stuck"


def start(*jobs: Callable[[], object]) -> list[threading.Thread]:
    threads = [threading.Thread(target=job, daemon=True) for job in jobs]
    for thread in threads:
        thread.start()
    return threads


def wait_until_somebody_waits(cache: ChunkCache, count: int = 1) -> None:
    for _ in range(SECONDS * 1000):
        if cache._waiting >= count:
            return
        threading.Event().wait(0.001)
    raise AssertionError("nobody waits")


@pytest.fixture
def small_slabs() -> Any:
    with mock.patch.object(module, "_SLAB", 1024):
        yield


# --- what is kept --------------------------------------------------------------------------------------------
def test_chunks_are_decoded_once() -> None:
    cache, decoder = ChunkCache(), Decoder()
    for places in ([0, 1], [1, 2], [2, 1, 0]):
        found = cache.get(A, places, decoder)
        assert [chunk[0] for chunk in found] == places
    assert decoder.asked == [0, 1, 2]
    assert len(cache) == 3
    assert cache.get(A, [], decoder) == []


def test_planes_are_told_apart() -> None:
    cache = ChunkCache()
    for n, plane in enumerate([A, B, (A[0], 1)]):
        assert cache.get(plane, [5], Decoder(offset=10 * n))[0][0] == 5 + 10 * n


def test_chunks_cannot_be_written_to() -> None:
    cache, decoder = ChunkCache(2000), Decoder()
    for nbytes in (20, 200, 1000):  # in a slab, in memory of its own, not kept
        decoder.nbytes = nbytes
        for chunk in (*cache.get(A, [nbytes], decoder), *cache.get(A, [nbytes], decoder)):
            for part in (chunk, chunk[1:], chunk.view(np.uint8)):
                with pytest.raises(ValueError, match="read-only"):
                    part[0] = 1


@given(
    st.sampled_from([0, 1, 3, 100, 1000, 5000, 20_000]),
    st.lists(st.tuples(st.integers(0, 30), st.integers(1, 4), st.sampled_from([2, 60, 250, 1000, 6000])), max_size=30),
    st.sets(st.integers(0, 29)),
)
def test_the_bytes_are_never_more_than_stated(
    max_bytes: int, requests: list[tuple[int, int, int]], clearings: set[int]
) -> None:
    with mock.patch.object(module, "_SLAB", 1024):
        cache = ChunkCache(max_bytes)
    for n, (first, count, nbytes) in enumerate(requests):
        places = list(range(first, first + count))
        found = cache.get((Path("a"), nbytes), places, Decoder(nbytes))
        assert [chunk.tolist() for chunk in found] == [[place] * (nbytes // 2) for place in places]
        assert held(cache) <= max_bytes
        if n in clearings:
            del found
            cache.clear()
            assert len(cache) == cache.nbytes == 0
            assert held(cache) <= max_bytes


@pytest.mark.parametrize("max_bytes", [0, 1, 3, 7])
def test_a_cache_of_no_bytes_hands_everything_out(max_bytes: int) -> None:
    cache, decoder = ChunkCache(max_bytes), Decoder()
    for _ in range(2):
        assert [chunk[0] for chunk in cache.get(A, [1, 2], decoder)] == [1, 2]
    assert decoder.asked == [1, 2, 1, 2]
    assert len(cache) == held(cache) == 0


def test_chunks_above_a_quarter_are_not_kept() -> None:
    cache = ChunkCache(1000)
    just, above = Decoder(250), Decoder(252)
    for _ in range(2):
        assert cache.get(A, [1], just)[0][0] == 1
        assert cache.get(B, [2], above)[0][0] == 2
    assert (just.asked, above.asked) == ([1], [2, 2])
    assert len(cache) == 1


def test_what_was_used_longest_ago_goes_first(small_slabs: None) -> None:
    cache, decoder = ChunkCache(4096), Decoder(1000)  # each in memory of its own, four fit
    for place in (0, 1, 2, 3, 0, 4):
        cache.get(A, [place], decoder)
    decoder.asked.clear()
    cache.get(A, [0, 2, 3, 4], decoder)
    assert decoder.asked == []
    cache.get(A, [1], decoder)
    assert decoder.asked == [1]


def test_chunks_of_a_slab_go_together(small_slabs: None) -> None:
    cache, decoder = ChunkCache(4096), Decoder(250)  # four in a slab, with 64 bytes for the first of each
    for place in range(16):
        cache.get(A, [place], decoder)
    cache.get(A, [0], decoder)  # all that lie with it are taken for used
    cache.get(A, [16], decoder)
    decoder.asked.clear()
    cache.get(A, [0, 1, 2, 3, 8, 15, 16], decoder)
    assert decoder.asked == []
    cache.get(A, [4, 5, 6, 7], decoder)
    assert decoder.asked == [4, 5, 6, 7]


def test_memory_that_waits_gives_way_to_chunks(small_slabs: None) -> None:
    """Chunks too large for a slab cannot use what slabs left behind."""
    cache, large = ChunkCache(4096), Decoder(1000)
    cache.get(A, list(range(16)), Decoder(250))
    cache.clear()
    for _ in range(2):
        cache.get(A, [1, 2, 3], large)
    assert large.asked == [1, 2, 3]
    assert held(cache) <= 4096


def test_drop_forgets_some_files() -> None:
    cache, of_a, of_b = ChunkCache(), Decoder(), Decoder()
    for places in ([0, 1], [1, 2]):
        cache.get(A, places, of_a)
        cache.get((A[0], 1), places, of_a)
        cache.get(B, places, of_b)
    cache.drop({A[0], Path("c")})
    assert len(cache) == 3
    of_a.asked.clear()
    of_a.offset = 7
    assert cache.get(A, [1], of_a)[0][0] == 8
    assert (of_a.asked, of_b.asked) == ([1], [0, 1, 2])


def test_what_is_being_loaded_while_its_file_is_dropped_is_not_kept() -> None:
    cache = ChunkCache()

    def load(places: Sequence[int], allocate: Any) -> list[np.ndarray]:
        cache.drop([A[0]])
        return Decoder()(places, allocate)

    assert cache.get(A, [1], load)[0][0] == 1
    again = Decoder(offset=5)
    assert cache.get(A, [1], again)[0][0] == 6
    assert len(cache) == 1


def test_a_pickled_cache_is_empty() -> None:
    cache = ChunkCache(12345)
    cache.get(A, [1, 2], Decoder())
    copy = pickle.loads(pickle.dumps(cache))
    assert (copy.max_bytes, copy.nbytes, len(copy)) == (12345, 0, 0)
    assert copy.get(A, [3], Decoder())[0][0] == 3
    assert len(cache) == 2


# --- memory that is used again -------------------------------------------------------------------------------
def address(chunk: np.ndarray) -> int:
    return int(chunk.ctypes.data)


def test_memory_is_used_again_after_clear(small_slabs: None) -> None:
    cache, decoder = ChunkCache(8192), Decoder(250)
    before = {address(chunk) for chunk in cache.get(A, list(range(16)), decoder)}
    cache.clear()
    assert len(cache) == 0
    after = {address(chunk) for chunk in cache.get(B, list(range(12)), decoder)}
    assert len(before & after) >= 8  # all but those of the slab that was being filled


def test_memory_is_used_again_when_the_cache_is_full(small_slabs: None) -> None:
    cache, decoder = ChunkCache(4096), Decoder(250)
    seen = {address(cache.get(A, [place], decoder)[0]) for place in range(200)}
    assert len(seen) <= 5 * 4


@pytest.mark.parametrize("view", [lambda chunk: chunk, lambda chunk: chunk[3:9], lambda chunk: chunk.view(np.uint8)])
def test_memory_that_somebody_sees_is_not_used_again(small_slabs: None, view: Callable[[np.ndarray], Any]) -> None:
    cache = ChunkCache(8192)
    seen = [view(chunk) for chunk in cache.get(A, list(range(14)), Decoder(250))]
    kept = [part.copy() for part in seen]
    for n in range(5):
        cache.clear()
        cache.get(B, list(range(16)), Decoder(250, offset=1000 * n))
    for part, copy in zip(seen, kept, strict=True):
        np.testing.assert_array_equal(part, copy)


def test_a_buffer_that_somebody_holds_is_not_used_again(small_slabs: None) -> None:
    cache = ChunkCache(8192)
    chunks = cache.get(A, list(range(8)), Decoder(250))
    held_by, before = memoryview(chunks[2]), chunks[2].tolist()
    del chunks
    for _ in range(3):
        cache.clear()
        cache.get(B, list(range(16)), Decoder(250, offset=99))
    assert held_by.tolist() == before


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 20), st.booleans(), st.booleans()), max_size=60))
def test_what_was_handed_out_never_changes(steps: list[tuple[int, int, bool, bool]]) -> None:
    with mock.patch.object(module, "_SLAB", 1024):
        cache = ChunkCache(4096)
    seen: list[tuple[np.ndarray, int]] = []
    for n, (plane, first, hold, clear) in enumerate(steps):
        places = list(range(first, first + 5))
        found = cache.get((Path("a"), (plane, n // 7)), places, Decoder(200, offset=100 * plane + 400 * (n // 7)))
        if hold:
            seen.append((found[2][10:50], places[2] + 100 * plane + 400 * (n // 7)))
        del found
        if clear:
            cache.clear()
        for part, value in seen:
            assert (part == value).all()


# --- threads -------------------------------------------------------------------------------------------------
def test_what_two_threads_want_is_decoded_once() -> None:
    cache, entered, go_on = ChunkCache(), threading.Event(), threading.Event()
    decoder = Decoder()
    found: list[int] = []

    def slow(places: Sequence[int], allocate: Any) -> list[np.ndarray]:
        entered.set()
        assert go_on.wait(SECONDS)
        return decoder(places, allocate)

    def want() -> None:
        found.append(int(cache.get(A, [1], slow)[0][0]))

    threads = start(want)
    assert entered.wait(SECONDS)
    threads += start(want, want)
    wait_until_somebody_waits(cache, 2)
    go_on.set()
    join(threads)
    assert (found, decoder.asked) == ([1, 1, 1], [1])


def test_a_thread_decodes_its_own_before_it_waits() -> None:
    cache, entered, go_on = ChunkCache(), threading.Event(), threading.Event()
    mine = Decoder()
    found: list[int] = []

    def slow(places: Sequence[int], allocate: Any) -> list[np.ndarray]:
        entered.set()
        assert go_on.wait(SECONDS)
        return Decoder()(places, allocate)

    threads = start(lambda: cache.get(A, [1, 2], slow))
    assert entered.wait(SECONDS)
    threads += start(lambda: found.extend(int(chunk[0]) for chunk in cache.get(A, [2, 3, 4], mine)))
    wait_until_somebody_waits(cache)
    assert mine.asked == [3, 4]
    go_on.set()
    join(threads)
    assert (found, mine.asked) == ([2, 3, 4], [3, 4])


def test_chunks_that_are_not_kept_do_not_leave_others_waiting() -> None:
    cache, entered, go_on = ChunkCache(100), threading.Event(), threading.Event()
    found: list[int] = []

    def slow(places: Sequence[int], allocate: Any) -> list[np.ndarray]:
        entered.set()
        assert go_on.wait(SECONDS)
        return Decoder(1000)(places, allocate)

    def want() -> None:
        found.append(int(cache.get(A, [1], slow)[0][0]))

    threads = start(want)
    assert entered.wait(SECONDS)
    threads += start(want)
    wait_until_somebody_waits(cache)
    go_on.set()
    join(threads)
    assert found == [1, 1]
    assert len(cache) == held(cache) == 0


@pytest.mark.parametrize("after_allocating", [False, True])
def test_a_load_that_fails(after_allocating: bool) -> None:
    cache = ChunkCache()
    cache.get(A, [0], Decoder())

    def fail(places: Sequence[int], allocate: Any) -> list[np.ndarray]:
        if after_allocating:
            Decoder(offset=99)(places, allocate)
        raise OSError("broken")

    for _ in range(2):
        with pytest.raises(OSError, match="broken"):
            cache.get(A, [0, 1, 2], fail)
        with pytest.raises(OSError, match="broken"):
            cache.get(B, [1], fail)
    assert len(cache) == 1
    decoder = Decoder()
    assert [chunk[0] for chunk in cache.get(A, [0, 1, 2], decoder)] == [0, 1, 2]
    assert decoder.asked == [1, 2]


def test_a_load_that_fails_wakes_who_waits_for_it() -> None:
    cache, entered, go_on = ChunkCache(), threading.Event(), threading.Event()
    failed: list[str] = []
    found: list[int] = []

    def fail(places: Sequence[int], allocate: Any) -> list[np.ndarray]:
        entered.set()
        assert go_on.wait(SECONDS)
        raise OSError("broken")

    def failing() -> None:
        try:
            cache.get(A, [1, 2], fail)
        except OSError as error:
            failed.append(str(error))

    threads = start(failing)
    assert entered.wait(SECONDS)
    threads += start(lambda: found.extend(int(chunk[0]) for chunk in cache.get(A, [2], Decoder())))
    wait_until_somebody_waits(cache)
    go_on.set()
    join(threads)
    assert (failed, found) == (["broken"], [2])


@given(
    st.lists(
        st.lists(st.lists(st.integers(0, 8), min_size=1, max_size=6, unique=True), max_size=6), min_size=2, max_size=4
    ),
    st.sampled_from([0, 600, 4096, 2**20]),
)
def test_requests_that_overlap_do_not_wait_for_each_other(requests: list[list[list[int]]], max_bytes: int) -> None:
    with mock.patch.object(module, "_SLAB", 1024):
        cache = ChunkCache(max_bytes)
    wrong: list[object] = []
    begin = threading.Barrier(len(requests))

    def load(places: Sequence[int], allocate: Any) -> list[np.ndarray]:
        threading.Event().wait(0.0002)  # lets the others in
        return Decoder()(places, allocate)

    def ask(mine: list[list[int]]) -> None:
        begin.wait(SECONDS)
        for places in mine:
            found = [int(chunk[0]) for chunk in cache.get(A, places, load)]
            if found != places:
                wrong.append((places, found))

    join(start(*(lambda mine=mine: ask(mine) for mine in requests)))
    assert wrong == []
    assert held(cache) <= max_bytes
    assert all(
        slab_and_chunk is not module._LOADING for chunks in cache._planes.values() for slab_and_chunk in chunks.values()
    )


def test_many_threads_with_little_memory(small_slabs: None) -> None:
    """Every chunk holds what it should, for as long as it is held, while others load, clear and drop."""
    cache = ChunkCache(16_384)

    def use(seed: int) -> bool:
        rng = np.random.default_rng(seed)
        right, seen = True, []
        for _ in range(300):
            plane, first = (int(n) for n in rng.integers(0, 6, 2))
            places = list(range(first, first + 4))
            nbytes = (200, 200, 700, 9000)[plane % 4]
            chunks = cache.get((Path(str(plane)), 0), places, Decoder(nbytes, offset=10 * plane))
            seen.append((chunks, [10 * plane + place for place in places]))
            right &= all((chunk == n).all() for found, values in seen for chunk, n in zip(found, values, strict=True))
            del seen[:-3]
            if rng.random() < 0.05:
                cache.clear()
            if rng.random() < 0.05:
                cache.drop([Path(str(plane))])
        return right

    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(use, range(4), timeout=5 * SECONDS))
    assert held(cache) <= 16_384

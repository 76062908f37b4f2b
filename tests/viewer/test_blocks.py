"""Blocks: cut so that they nest, kept up to a number of bytes, read in threads that end with the work."""

from __future__ import annotations

import threading
import time
import weakref

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip("napari", reason="the viewer's tests need napari and a Qt binding")

from napari_slicemap import open_dataset
from napari_slicemap.images.region import Window
from napari_slicemap.viewer.block_loader import BlockLoader, Rank
from napari_slicemap.viewer.block_source import Asked, BlockSource, enclosing
from napari_slicemap.viewer.blocks import BlockCache, BlockKey, side_of
from napari_slicemap.viewer.levels import steps_for
from napari_slicemap.viewer.pages import pages_of

STEPS = (1, 2, 4)


@pytest.fixture(scope="module")
def pages(sample_made):
    return pages_of(open_dataset(sample_made))


def read_dapi(pages):
    def read(number, cells, step):
        page = pages.pages[number]
        return page.map.read_stack(["DAPI"], cells, page.grid(step))[0]

    return read


def source_of(pages, cache, read=None):
    return BlockSource(pages, STEPS, np.dtype(np.uint16), read or read_dapi(pages), cache)


def read_all(source, cache, asked):
    for key in [*asked.urgent(), *asked.page]:
        cache.put(key, source.read(key))


def until(ready, limit_s=20.0):
    end = time.monotonic() + limit_s
    while not ready():
        assert time.monotonic() < end, "it did not come to that"
        time.sleep(0.002)


@given(st.integers(0, 11), st.integers(0, 11), st.integers(0, 5000), st.integers(0, 5000))
def test_a_block_lies_within_one_block_of_every_coarser_level(fine, coarse, row, column):
    key = BlockKey(None, 0, 2**fine, row, column)
    above = enclosing(key, 2**coarse)
    if coarse <= fine:
        assert above is None
        return
    inner, outer = (
        Window(*(edge * one.step for edge in one.window))  # canvas px
        for one in (key, above)
    )
    assert (inner & outer) == inner


@given(st.integers(1, 300_000), st.integers(1, 300_000))
def test_blocks_are_never_so_large_that_they_take_long(height, width):
    for step in steps_for((height, width)):
        assert side_of(step) <= 512
        assert side_of(step) * step <= 4096 or side_of(step) == 8


def test_what_is_not_there_is_taken_from_the_coarser_level_and_asked_for(pages):
    cache = BlockCache()
    source = source_of(pages, cache)
    cells = source.page_cells(1, 1)
    nothing = source.now(1, cells, 1, asked := Asked())
    assert not nothing.any()
    assert all(key.step == 1 for key in asked.view)

    source.now(1, source.page_cells(1, 4), 4, asked := Asked())
    read_all(source, cache, asked)
    source.now(1, source.page_cells(1, 4), 4, Asked())
    guessed = source.now(1, cells, 1, asked := Asked())
    coarse = read_dapi(pages)(1, source.page_cells(1, 4), 4)
    rows, columns = (
        np.arange(start, stop) // 4 - first
        for start, stop, first in (
            (cells.y0, cells.y1, source.page_cells(1, 4).y0),
            (cells.x0, cells.x1, source.page_cells(1, 4).x0),
        )
    )
    np.testing.assert_array_equal(guessed, np.rint(coarse)[rows][:, columns])

    read_all(source, cache, asked)
    np.testing.assert_array_equal(source.now(1, cells, 1, last := Asked()), read_dapi(pages)(1, cells, 1))
    assert not last.urgent()


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("number", [0, 3])
def test_in_the_end_the_pixels_are_those_of_a_reading_at_once(pages, step, number):
    cache = BlockCache()
    source = source_of(pages, cache)
    whole = source.page_cells(number, step)
    parts = [
        whole,
        Window(whole.x0 + 3, whole.x1 - 5, whole.y0 + 7, whole.y1 - 1),
        Window(whole.x1 - 2, whole.x1, whole.y0, whole.y0 + 1),
    ]
    for cells in parts:
        source.now(number, cells, step, asked := Asked())
        read_all(source, cache, asked)
        made = source.now(number, cells, step, asked := Asked())
        assert not asked.urgent()
        np.testing.assert_array_equal(made, read_dapi(pages)(number, cells, step))


def test_a_value_is_taken_from_the_finest_level_that_is_there(pages):
    cache = BlockCache()
    source = source_of(pages, cache)
    page = pages.pages[1]
    x, y = page.dx + 40, page.dy + 33
    assert source.value_at(1, x, y) is None
    for step in (4, 1):
        source.now(1, source.page_cells(1, step), step, asked := Asked())
        read_all(source, cache, asked)
        source.now(1, source.page_cells(1, step), step, Asked())
        value, found = source.value_at(1, x, y)
        assert found == step
        cell = Window(x // step, x // step + 1, y // step, y // step + 1)
        assert value == read_dapi(pages)(1, cell, step)[0, 0]
    assert source.value_at(1, page.dx - 1, y) is None


def test_overviews_that_the_cache_has_no_room_for_are_let_go(pages):
    cache, coarsest = BlockCache(), STEPS[-1]
    source = source_of(pages, cache)
    cache.max_bytes = 2 * max(4 * np.prod(source.page_cells(n, coarsest).shape) for n in range(len(pages.pages)))
    seen = []
    for number in range(len(pages.pages)):
        source.now(number, source.page_cells(number, coarsest), coarsest, asked := Asked())
        read_all(source, cache, asked)
        shown = source.now(number, source.page_cells(number, coarsest), coarsest, Asked())
        seen.append(weakref.ref(shown.base))
        del shown
    alive = [pixels.nbytes for one in seen if (pixels := one()) is not None]
    assert alive
    assert sum(alive) <= cache.max_bytes


class Told:
    """A source that remembers what it was told to let go of."""

    def __init__(self):
        self.gone = []

    def let_go(self, key):
        self.gone.append(key)


@given(st.lists(st.tuples(st.integers(0, 20), st.integers(1, 3000)), max_size=60))
def test_the_cache_never_holds_more_than_it_may(blocks):
    cache, source = BlockCache(4000), Told()
    for column, size in blocks:
        cache.put(BlockKey(source, 0, 1, 0, column), np.zeros(size, np.uint8))
        assert cache.nbytes <= 4000
        assert cache.nbytes == sum(one.nbytes for one in cache._blocks.values())


def test_what_was_used_last_is_kept():
    cache = BlockCache(300)
    source = Told()
    one, two, three, four = (BlockKey(source, 0, 1, 0, n) for n in range(4))
    for key in (one, two, three):
        cache.put(key, np.zeros(100, np.uint8))
    cache.get(one)
    cache.put(four, np.zeros(100, np.uint8))
    assert one in cache
    assert source.gone == [two]
    assert two not in cache


def test_nobody_writes_into_a_block_that_is_kept():
    cache, key = BlockCache(), BlockKey(None, 0, 1, 0, 0)
    cache.put(key, np.zeros(3))
    with pytest.raises(ValueError, match="read-only"):
        cache.get(key)[0] = 1


class Gated:
    """A source whose blocks come one by one, when the test lets them."""

    def __init__(self, cache):
        self.cache, self.read_keys = cache, []
        self.gate = threading.Semaphore(0)

    def has(self, key):
        return key in self.cache

    def read(self, key):
        self.read_keys.append(key.column)
        assert self.gate.acquire(timeout=20)
        return np.zeros(8, np.uint8)


@pytest.fixture
def gated():
    cache = BlockCache()
    source, loader = Gated(cache), BlockLoader(cache, threads=1)
    yield source, loader
    source.gate.release(1000)
    loader.close()


def keys_of(source, columns):
    return [BlockKey(source, 0, 1, 0, column) for column in columns]


def test_what_is_no_longer_wanted_is_not_read(gated):
    source, loader = gated
    loader.want("view", Rank.VIEW, keys_of(source, range(10)))
    until(lambda: source.read_keys)
    loader.want("view", Rank.VIEW, keys_of(source, [20, 21]))
    source.gate.release(100)
    until(lambda: not loader.busy)
    assert source.read_keys == [0, 20, 21]


def test_what_is_in_view_goes_first(gated):
    source, loader = gated
    loader.want("page", Rank.PAGE, keys_of(source, [30, 31]))
    until(lambda: source.read_keys)
    loader.want("ahead", Rank.AHEAD, keys_of(source, [40]))
    loader.want("view", Rank.VIEW, keys_of(source, [1, 2]))
    source.gate.release(100)
    until(lambda: not loader.busy)
    assert source.read_keys == [30, 1, 2, 31, 40]


def test_a_block_that_two_want_is_read_once(gated):
    source, loader = gated
    for who in ("one", "two"):
        loader.want(who, Rank.VIEW, keys_of(source, [5]))
    source.gate.release(100)
    until(lambda: not loader.busy)
    assert source.read_keys == [5]


def test_an_idle_loader_has_no_threads_and_a_closed_one_reads_nothing(gated):
    source, loader = gated
    source.gate.release(1)
    loader.want("view", Rank.VIEW, keys_of(source, [1]))
    until(lambda: not loader._threads)
    assert not [one for one in threading.enumerate() if one.name == "slicemap-blocks"]
    loader.want("view", Rank.VIEW, keys_of(source, range(2, 9)))
    until(lambda: len(source.read_keys) == 2)
    threading.Timer(0.05, source.gate.release).start()
    loader.close()
    assert source.read_keys == [1, 2]
    assert not loader._threads
    loader.want("view", Rank.VIEW, keys_of(source, [9]))
    assert not loader._threads


def test_what_cannot_be_read_is_said_and_not_tried_again():
    tries = []

    class Broken:
        def has(self, key):
            return False

        def read(self, key):
            tries.append(key)
            raise OSError("the disk is gone")

    loader, keys = BlockLoader(BlockCache()), keys_of(Broken(), [0])
    for _ in range(2):
        loader.want("view", Rank.VIEW, keys)
        until(lambda: not loader.busy)
    assert len(tries) == 1
    arrived, errors = loader.take_arrived()
    assert arrived == []
    assert [str(error) for error in errors] == ["the disk is gone"]
    loader.close()

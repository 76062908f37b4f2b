"""The spatial index against a scan of all tiles."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_slicemap.images.region import Window
from napari_slicemap.maps.index import TileIndex

places = st.integers(-300, 300)
sizes = st.one_of(st.integers(1, 30), st.integers(1, 400))
tiles = st.lists(st.tuples(places, places, sizes, sizes), min_size=1, max_size=40)


def windows_of(boxes):
    return np.array([(x, x + width, y, y + height) for x, y, width, height in boxes], np.int64)


def scan(windows, window):
    touches = (
        (windows[:, 0] < window.x1)
        & (windows[:, 1] > window.x0)
        & (windows[:, 2] < window.y1)
        & (windows[:, 3] > window.y0)
    )
    return np.flatnonzero(touches).tolist()


@given(tiles, st.tuples(places, places, sizes, sizes))
def test_it_finds_what_a_scan_finds(boxes, box):
    windows = windows_of(boxes)
    window = Window(*windows_of([box])[0].tolist())
    assert TileIndex(windows).touching(window).tolist() == scan(windows, window)


@pytest.mark.parametrize(
    "boxes",
    [
        pytest.param([(0, 0, 10, 10), (10**7, 10**7, 10, 10)], id="two tiles far apart"),
        pytest.param([(0, 0, 100_000, 100_000), *((i * 10, 0, 10, 10) for i in range(2000))], id="a giant and dwarfs"),
        pytest.param([(5, 5, 1, 1)] * 500, id="all in one place"),
    ],
)
def test_odd_maps_stay_small_and_right(boxes):
    windows = windows_of(boxes)
    index = TileIndex(windows)
    assert len(index._tiles) + len(index._starts) <= 20 * len(boxes) + 4096
    for window in (Window(0, 20, 0, 20), Window(5, 6, 5, 6), Window(10**7, 10**7 + 1, 10**7, 10**7 + 1)):
        assert index.touching(window).tolist() == scan(windows, window)


def test_an_empty_window_touches_nothing():
    assert TileIndex(windows_of([(0, 0, 9, 9)])).touching(Window(4, 4, 2, 5)).tolist() == []

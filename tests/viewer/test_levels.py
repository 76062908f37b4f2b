"""Duck arrays index like arrays, and read only what is asked for."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip("napari", reason="the viewer's tests need napari and a Qt binding")

from napari_slicemap import open_dataset
from napari_slicemap.viewer.levels import LazyLevel, steps_for
from napari_slicemap.viewer.pages import pages_of


@pytest.fixture(scope="module")
def dataset(sample_made):
    return open_dataset(sample_made)


def level(dataset, step, reads=None):
    pages = pages_of(dataset)

    def read(number, cells, step):
        if reads is not None:
            reads.append((pages.pages[number].map.map_id, cells))
        page = pages.pages[number]
        return page.map.read_stack(["DAPI"], cells, page.grid(step))[0]

    return LazyLevel(pages, step, np.dtype(np.uint16), read)


@pytest.mark.parametrize(
    "key",
    [
        pytest.param((2,), id="one page"),
        pytest.param((slice(None), slice(10, 50), slice(20, 90)), id="napari's rectangle"),
        pytest.param((slice(None), slice(10, 50), slice(20, 90), ...), id="ellipsis at the end"),
        pytest.param((..., 7), id="a column"),
        pytest.param((-1, slice(-30, None)), id="from the end"),
        pytest.param((3, 40, 50), id="one pixel"),
        pytest.param((slice(4, 2),), id="nothing"),
    ],
)
def test_it_indexes_as_numpy_does(dataset, key):
    lazy = level(dataset, 1)
    whole = np.asarray(lazy)
    np.testing.assert_array_equal(np.asarray(lazy[key]), whole[key])
    assert lazy[key].shape == whole[key].shape


def test_it_can_be_indexed_again(dataset):
    lazy = level(dataset, 2)
    whole = np.asarray(lazy)
    np.testing.assert_array_equal(np.asarray(lazy[:, 5:60, 7:80][1][3:, 4]), whole[:, 5:60, 7:80][1][3:, 4])


def test_it_reads_only_the_page_and_the_cells_asked_for(dataset):
    reads = []
    np.asarray(level(dataset, 1, reads)[2, 30:40, 50:70])
    assert [map_id for map_id, _ in reads] == ["02"]
    assert reads[0][1].shape == (10, 20)


def test_steps_other_than_one_are_refused(dataset):
    with pytest.raises(IndexError, match="steps of 1"):
        level(dataset, 1)[:, ::2]


def test_too_many_indices_are_refused(dataset):
    with pytest.raises(IndexError, match="4 indices for 3 axes"):
        level(dataset, 1)[0, 0, 0, 0]


@given(st.integers(1, 200_000), st.integers(1, 200_000))
def test_levels_halve_until_the_canvas_is_small(height, width):
    steps = steps_for((height, width))
    assert steps[0] == 1
    assert all(b == 2 * a for a, b in pairwise(steps))
    assert max(height, width) / steps[-1] <= 1024
    assert len(steps) == 2 or max(height, width) / steps[-2] > 1024


def test_a_page_lies_where_its_stage_position_says(dataset):
    """Pages keep their places to half a pixel; the sample's slices begin at different stage positions."""
    pages = pages_of(dataset)
    lefts = {page.map.map_id: page.map.map_bounds()[0] for page in pages.pages}
    first = min(lefts.values())
    for page in pages.pages:
        assert page.dx == pytest.approx((lefts[page.map.map_id] - first) / 0.65, abs=0.5)
    np.testing.assert_allclose(pages.translate[1:], np.array(pages.corner_um) + 0.65 / 2)

"""By how much a tile is rolled, and a part of one."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from napari_slicemap.slices.galvo.fixing import roll_of_part
from napari_slicemap.slices.galvo.fixing.rolling import Roll, rolled


@st.composite
def tiles(draw):
    lines = draw(st.integers(2, 24))
    return draw(st.integers(-60, 60)), draw(st.integers(1, lines - 1)), lines, draw(st.integers(1, lines))


def slow_roll(shift: int, extra: int, lines: int, kept: int) -> int:
    """Try every roll: that which has all of the return at the end; 0 if there is nothing of it, or nothing else."""
    first = (lines - extra - shift) % lines
    back = {n % lines for n in range(first, first + extra)}
    there = [line in back for line in range(kept)]
    if len(set(there)) == 1:
        return 0
    found = [by for by in range(kept) if np.roll(there, by).tolist() == sorted(there)]
    assert len(found) == 1
    return found[0]


@given(tiles())
def test_the_part_of_a_tile_has_its_part_of_the_return_at_its_end(tile):
    assert roll_of_part(*tile) == slow_roll(*tile)


@given(tiles())
def test_a_whole_tile_is_rolled_by_the_shift(tile):
    shift, extra, lines, _ = tile
    assert roll_of_part(shift, extra, lines, lines) == shift % lines


@pytest.mark.parametrize(
    ("kept", "roll"),
    [
        pytest.param(4, 0, id="nothing of it"),
        pytest.param(6, 0, id="its first two A-lines, which are the last there are"),
        pytest.param(8, 0, id="all of it, and nothing behind"),
        pytest.param(9, 1, id="all of it, and one A-line behind"),
        pytest.param(12, 4, id="the whole tile"),
    ],
)
def test_a_return_in_the_midst(kept, roll):
    assert roll_of_part(4, 4, 12, kept) == roll  # the return is at 4 to 7


@pytest.mark.parametrize(
    ("kept", "roll"),
    [
        pytest.param(1, 0, id="nothing else"),
        pytest.param(2, 0, id="still nothing else"),
        pytest.param(5, 3, id="what wraps, then three A-lines"),
        pytest.param(11, 9, id="both ends of it"),
        pytest.param(12, 10, id="the whole tile"),
    ],
)
def test_a_return_around_the_end(kept, roll):
    assert roll_of_part(10, 4, 12, kept) == roll  # the return is at 10, 11, 0 and 1


@given(tiles(), st.data())
def test_rolling_back_undoes_it(tile, data):
    shift, extra, lines, kept = tile
    there, back = Roll(shift, extra, lines), Roll(shift, extra, lines, back=True)
    values = np.arange(lines)
    once = rolled(values.copy(), there.of(kept), 0, kept)
    np.testing.assert_array_equal(once[:kept], np.roll(values[:kept], roll_of_part(*tile)))
    np.testing.assert_array_equal(once[kept:], values[kept:])
    np.testing.assert_array_equal(rolled(once, back.of(kept), 0, kept), values)


@given(
    pixels=hnp.arrays(np.uint16, hnp.array_shapes(min_dims=1, max_dims=4, max_side=6)),
    by=st.integers(-9, 9),
    data=st.data(),
)
def test_blocks_are_rolled_as_the_whole_is(pixels, by, data):
    axis = data.draw(st.integers(0, pixels.ndim - 1))
    order = data.draw(st.sampled_from("CF"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("napari_slicemap.slices.galvo.fixing.rolling._BLOCK_BYTES", data.draw(st.integers(1, 200)))
        made = rolled(np.array(pixels, order=order), by, axis, pixels.shape[axis])
    np.testing.assert_array_equal(made, np.roll(pixels, by, axis))

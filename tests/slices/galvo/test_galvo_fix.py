"""Rolling a tile, and what of the return is left in the part that is kept."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from tiles import COUNT, EXTRA, LINES, tissue, with_return

from napari_slicemap.errors import StackError
from napari_slicemap.slices.galvo import average_projection, detect_galvo_shift, fix_galvo_shift


@given(volume=hnp.arrays(np.uint16, hnp.array_shapes(min_dims=3, max_dims=3, max_side=7)), data=st.data())
def test_the_opposite_shift_undoes_it(volume: np.ndarray, data: st.DataObject) -> None:
    shift, axis = data.draw(st.integers(-20, 20)), data.draw(st.integers(-3, 2))
    fixed = fix_galvo_shift(volume, shift, axis)
    assert fixed.dtype == volume.dtype
    assert fixed is not volume
    np.testing.assert_array_equal(fix_galvo_shift(fixed, -shift, axis), volume)
    np.testing.assert_array_equal(np.take(fixed, 0, axis), np.take(volume, -shift % volume.shape[axis], axis))


@pytest.mark.parametrize("axis", [1, 2], ids=["A-lines on axis 1", "A-lines on axis 2"])
@pytest.mark.parametrize("first", [10, 75, COUNT - 12], ids=["near the start", "in the middle", "around the end"])
@pytest.mark.parametrize("change", [-0.4, 0.4], ids=["dark", "bright"])
def test_no_line_of_the_return_is_left_in_the_part_that_is_kept(axis: int, first: int, change: float) -> None:
    clean = np.stack([tissue(seed) for seed in range(4)])
    raw = np.stack([with_return(plane, first, change) for plane in clean])
    volume = raw if axis == 1 else raw.swapaxes(1, 2)
    aip = average_projection(volume)
    shift, confidence = detect_galvo_shift(aip if axis == 1 else aip.T, EXTRA)
    kept = np.take(fix_galvo_shift(volume, shift, axis), range(LINES), axis)
    assert confidence >= 0.6
    expected = np.roll(clean, shift, axis=1)[:, :LINES]
    np.testing.assert_array_equal(kept if axis == 1 else kept.swapaxes(1, 2), expected)
    # no step between A-lines that most B-scans share, as there was before
    assert largest_shared_step(kept, axis) < 0.1 < 0.3 < largest_shared_step(volume, axis)


def largest_shared_step(volume: np.ndarray, axis: int) -> float:
    log = np.log(volume.mean(axis=0))
    steps = np.diff(log if axis == 1 else log.T, axis=0)
    return float(np.abs(np.median(steps, axis=1)).max())


@pytest.mark.parametrize("axis", [3, -4])
def test_an_axis_that_is_not_there_is_refused(axis: int) -> None:
    with pytest.raises(StackError, match=rf"axis {axis} is not of an array of shape \(2, 3, 4\): expected 0 to 2"):
        fix_galvo_shift(np.zeros((2, 3, 4)), 1, axis)

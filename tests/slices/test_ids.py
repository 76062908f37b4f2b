"""Ids in short, and those that are missing."""

import pytest

from napari_slicemap.slices.ids import id_gaps, id_ranges


@pytest.mark.parametrize(
    ("ids", "gaps"),
    [
        pytest.param([], (), id="none"),
        pytest.param(["05"], (), id="one"),
        pytest.param(["00", "01", "02"], (), id="whole"),
        pytest.param(["03", "00"], (("01", "02"),), id="unordered"),
        pytest.param(["98", "101"], (("99", "100"),), id="three-digits"),
        pytest.param(["00", "99999999"], (("01", "99999998"),), id="far"),
    ],
)
def test_gaps_lie_between_the_lowest_and_the_highest(ids, gaps):
    assert id_gaps(ids) == gaps


@pytest.mark.parametrize(
    ("ids", "text"),
    [
        pytest.param([], "", id="none"),
        pytest.param(["07"], "07", id="one"),
        pytest.param(["03", "04"], "03–04", id="two"),
        pytest.param(["10", "00", "04", "03", "05"], "00, 03–05, 10", id="unordered"),
        pytest.param(["99", "100", "102"], "99–100, 102", id="three-digits"),
        pytest.param(["0099", "0100", "0101"], "0099–0101", id="zeros"),
    ],
)
def test_ids_are_written_in_short(ids, text):
    assert id_ranges(ids) == text

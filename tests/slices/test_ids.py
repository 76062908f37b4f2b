"""Ids as a table has them, in short, and those that are missing."""

import pytest

from napari_slicemap.errors import FileFormatError, UnknownNameError
from napari_slicemap.slices.ids import id_gaps, id_ranges, in_and_out, own_ids


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


def test_ids_are_given_as_the_table_has_them():
    assert own_ids(["00", "007", "100"], ["7", "0", "0100", "007"]) == ["007", "00", "100", "007"]
    with pytest.raises(UnknownNameError, match=r"mosaics: unknown slice '04' \(there is 03\)"):
        own_ids(["03"], ["3", "4"], "mosaics")
    with pytest.raises(FileFormatError, match=r"slice_id is '1\.7', expected digits only"):
        own_ids(["01"], ["1.7"])


def test_which_are_in_and_out_is_said_by_reason():
    reasons = {"torn": ["03"], "use is false": ["10", "00", "01"]}
    assert in_and_out(["02", "04", "05"], reasons) == [
        "used: 3 of 7 slices (02, 04–05)",
        "excluded: 03 (torn)",
        "excluded: 00–01, 10 (use is false)",
    ]
    assert in_and_out([], {}) == ["used: 0 of 0 slices"]

"""What a line of text asks for in a slice table."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_slicemap.errors import PlanError
from napari_slicemap.slices.filtering import filter_slices

ROWS = {
    "00": {"slice_id": "00", "use": False, "quality_score": None, "notes": "calibration_slice", "rehomed": None},
    "01": {"slice_id": "01", "use": True, "quality_score": 0.81, "notes": "Clot, left", "rehomed": True},
    "02": {"slice_id": "02", "use": True, "quality_score": 0.2, "notes": "", "rehomed": False},
    "10": {"slice_id": "10", "use": True, "quality_score": 0.25, "notes": "dark and thin", "auto_excluded": True},
}
for number, row in enumerate(ROWS.values()):
    row["lab no"], row["lab"] = "x", "" if number == 1 else str(number / 2)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        pytest.param("", "00 01 02 10", id="nothing asks for all"),
        pytest.param("clot", "01", id="a word, in any case"),
        pytest.param("clot left", "01", id="all words"),
        pytest.param("dark and thin", "10", id="words that look like a condition"),
        pytest.param("use", "01 02 10", id="a decision"),
        pytest.param("not use", "00", id="not a decision"),
        pytest.param("used", "01 02", id="what decisions come to"),
        pytest.param("quality < 0.3 and use", "02 10", id="the example"),
        pytest.param("quality_score < 0.3", "02 10", id="the long name; empty is not less"),
        pytest.param("quality >= 0.25", "01 10", id="at least"),
        pytest.param("0.1 < quality < 0.22", "02", id="between"),
        pytest.param("quality == None", "00", id="empty number"),
        pytest.param("not quality", "00", id="a column that says nothing"),
        pytest.param("notes == ''", "02", id="empty text"),
        pytest.param("'clot' in notes", "01", id="text within"),
        pytest.param("'clot' not in notes and notes", "00 10", id="text not within"),
        pytest.param("id >= 2", "02 10", id="ids by number"),
        pytest.param("id in [1, 10]", "01 10", id="in a list"),
        pytest.param("rehomed == false", "00 02 10", id="false is written out; empty is false"),
        pytest.param("use == 'TRUE'", "01 02 10", id="truth as text"),
        pytest.param("lab > 0.75", "02 10", id="a column of its own, as a number"),
        pytest.param("quality > -1 or excluded", "01 02 10", id="or, and a number below nothing"),
        pytest.param("(quality < 0.22 or excluded) and not rehomed", "02 10", id="in brackets"),
    ],
)
def test_what_is_found(text, found):
    assert " ".join(filter_slices(ROWS, text)) == found


@pytest.mark.parametrize(
    ("text", "said"),
    [
        pytest.param("quality <", "no condition", id="half"),
        pytest.param("qualty < 0.3", "no column 'qualty'.*quality", id="no such column"),
        pytest.param("quality < 0.3 + x", r"'0\.3 \+ x' is no column", id="arithmetic"),
        pytest.param("__import__('os').getcwd() == 1", "is no column", id="a call"),
        pytest.param("notes.__class__ == 1", "is no column", id="an attribute"),
        pytest.param("quality is 1 != 2", "by == or !=", id="is"),
        pytest.param("use and 3 > 2 and 7", "'7' is neither true nor false", id="a number alone"),
        pytest.param("-'a' == notes", "is no column", id="minus a text"),
        pytest.param("(" * 400 + "use" + ")" * 400 + " == 1", "no condition|no column", id="deep"),
        pytest.param("use == 1 and " * 200 + "use", "no condition", id="long"),
    ],
)
def test_what_is_refused(text, said):
    with pytest.raises(PlanError, match=said):
        filter_slices(ROWS, text)


def test_a_table_without_rows_or_columns_is_no_fault():
    assert filter_slices({}, "quality < 0.3") == []
    assert filter_slices({"03": {"slice_id": "03", "use": True}}, "quality < 0.3 or id == 3") == ["03"]


@given(st.text(alphabet="usenotandinqualiy <>=!()[]'0.3,_-", max_size=40))
def test_no_text_is_more_than_refused(text):
    with contextlib.suppress(PlanError):
        assert set(filter_slices(ROWS, text)) <= set(ROWS)

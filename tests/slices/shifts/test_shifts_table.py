"""The shifts file: what is read, what is refused and how, and that writing changes no byte."""

from __future__ import annotations

import csv
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from napari_slicemap.errors import FileFormatError
from napari_slicemap.slices.shifts import read_shifts, shift_id, shifts_of, write_shifts

HEADER = "fixed_id,moving_id,x_shift,y_shift,x_shift_mm,y_shift_mm"
FULL = f"""{HEADER},reliable,operator
0.0,1.0,156.234,-23.456,0.0234,-0.0035,1,
1.0,2.0,1e1,-18.2340,0.0214,-.0027,0,"Ann, Bo"
2.0,4.0,161.890,-25.678,0.0243,-0.00390,,night
"""


def write(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "shifts_xy.csv"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_file_is_read_whole(tmp_path):
    shifts = read_shifts(write(tmp_path, FULL))
    assert shifts.slice_ids == ("00", "01", "02", "04")
    assert [step.pair for step in shifts.steps] == ["00 → 01", "01 → 02", "02 → 04"]
    assert shifts.steps[1].px == (10.0, -18.234)
    assert shifts.steps[1].mm == (0.0214, -0.0027)
    assert [step.reliable for step in shifts.steps] == [True, False, None]
    assert shifts.steps[1].cells["operator"] == "Ann, Bo"


def test_writing_what_was_read_changes_no_byte(tmp_path):
    source, copy = write(tmp_path, FULL), tmp_path / "new" / "copy.csv"
    write_shifts(copy, read_shifts(source))
    assert copy.read_bytes() == source.read_bytes()


lengths = st.floats(-1e6, 1e6).map(repr) | st.decimals(-1000, 1000, places=4).map(str)
words = st.text(st.characters(codec="utf-8", exclude_characters="\r", exclude_categories=["C"]), max_size=8).map(
    str.strip
)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=st.lists(st.tuples(lengths, lengths, lengths, lengths, words), min_size=1, max_size=6))
def test_any_numbers_and_words_survive(tmp_path, rows):
    source, copy = tmp_path / "any.csv", tmp_path / "copy.csv"
    with source.open("w", newline="", encoding="utf-8") as stream:
        out = csv.writer(stream, lineterminator="\n")
        out.writerow([*HEADER.split(","), "note"])
        out.writerows([n, n + 1, *row] for n, row in enumerate(rows))
    shifts = read_shifts(source)
    write_shifts(copy, shifts)
    assert copy.read_bytes() == source.read_bytes()
    assert [step.mm for step in shifts.steps] == [(float(row[2]), float(row[3])) for row in rows]


@pytest.mark.parametrize(
    ("rows", "where", "expected"),
    [
        pytest.param(
            "0,1,1,1\n1,1,1,1", "line 3: moving_id: 01 → 01 joins a slice with itself", "slice after", id="self"
        ),
        pytest.param("0,1,1,1\n2,1,1,1", "line 3: moving_id: 02 → 01 goes backwards", "slice after", id="backwards"),
        pytest.param("0,1,1,1\n1,2,1,1\n2,0,1,1", "line 4: moving_id: 02 → 00", "or closes a cycle", id="cycle"),
        pytest.param("0,1,1,1\n00,1.0,2,2", "line 3: moving_id: 00 → 01 stands in", "line 2 already", id="twice"),
        pytest.param("0,1,1,1\n0,2,1,1", "line 3: moving_id: 00 → 02 branches", "one pair from", id="two from one"),
        pytest.param("0,2,1,1\n1,2,1,1", "line 3: moving_id: 01 → 02 branches", "one to, each", id="two to one"),
        pytest.param("0,2,1,1\n1,3,1,1", "line 2: moving_id: 00 → 02 skips slice 01", "neighbours only", id="skips"),
        pytest.param("0,1,nan,1", "line 2: x_shift is 'nan'", "expected a number", id="NaN"),
        pytest.param("0,1,1,inf", "line 2: y_shift is 'inf'", "expected a number", id="infinite"),
        pytest.param("0,1,1,far", "line 2: y_shift is 'far'", "expected a number", id="text"),
        pytest.param("0,1,1,1\n1,2,,1", "line 3: x_shift is empty", "expected a number", id="empty cell"),
        pytest.param("0,1.7,1,1", "line 2: moving_id: slice id is '1.7'", "whole number", id="id with a fraction"),
        pytest.param("-1,0,1,1", "line 2: fixed_id: slice id is '-1'", "whole number", id="negative id"),
        pytest.param(",1,1,1", "line 2: fixed_id: slice id is ''", "whole number", id="no id"),
        pytest.param("0,1,1,1\n1,2,1", "line 3: 3 cells", "expected 4", id="short row"),
        pytest.param("", ": no pairs", "expected a row", id="no rows"),
        pytest.param("0,1,,", ": no shifts", "x_shift, y_shift or x_shift_mm", id="no numbers at all"),
    ],
)
def test_what_is_wrong_is_named(tmp_path, rows, where, expected):
    path = write(tmp_path, f"fixed_id,moving_id,x_shift,y_shift\n{rows}\n")
    with pytest.raises(FileFormatError) as error:
        read_shifts(path)
    assert str(error.value).startswith(str(path))
    assert where in str(error.value)
    assert expected in str(error.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param("fixed_id,x_shift,y_shift\n0,1,1\n", "no column moving_id", id="no moving_id"),
        pytest.param("fixed_id;moving_id\n0;1\n", "separated by ';'", id="semicolons"),
        pytest.param("fixed_id,moving_id,x_shift\n0,1,2\n", "line 2: y_shift is not there", id="half of a column pair"),
        pytest.param("fixed_id,moving_id\n0,1\n", "no shifts", id="no shifts"),
        pytest.param(f"{HEADER},reliable\n0,1,1,1,1,1,maybe\n", "line 2: reliable is 'maybe'", id="reliable"),
    ],
)
def test_wrong_columns_are_named(tmp_path, text, message):
    with pytest.raises(FileFormatError, match=re.escape(message)):
        read_shifts(write(tmp_path, text))


def test_no_file_is_no_shifts(tmp_path):
    with pytest.raises(FileNotFoundError):
        read_shifts(tmp_path / "shifts_xy.csv")


def test_empty_columns_count_as_not_there(tmp_path):
    shifts = read_shifts(write(tmp_path, f"{HEADER}\n0,1,3,4,,\n1,2,5,6,,\n"))
    assert not shifts.has_mm
    assert shifts.steps[0].length == (3, 4)


def test_a_table_of_pandas_says_the_same_as_its_file(tmp_path):
    path = write(tmp_path, FULL)
    of_file, of_table = read_shifts(path), shifts_of(pd.read_csv(path))
    assert [(s.pair, s.px, s.mm, s.reliable) for s in of_table.steps] == [
        (s.pair, s.px, s.mm, s.reliable) for s in of_file.steps
    ]
    assert shifts_of(of_file) is of_file


def test_a_bad_table_of_pandas_names_the_row():
    table = pd.DataFrame(
        {"fixed_id": [0, 1], "moving_id": [1, 2], "x_shift": [1, np.nan], "y_shift": [1, 1]}, index=[5, 6]
    )
    with pytest.raises(FileFormatError, match="shifts, row 6: x_shift is empty"):
        shifts_of(table)
    with pytest.raises(FileFormatError, match="no column moving_id"):
        shifts_of(table.drop(columns="moving_id"))


@pytest.mark.parametrize("value", [3, "3", "03", "003", 3.0, "3.0", " 3. ", np.int64(3), np.float32(3)])
def test_ids_are_one_number(value):
    assert shift_id(value) == "03"


@pytest.mark.parametrize("value", [True, np.True_, 1.7, "1.7", -1, "", None, "z03", "1e1", "３"])
def test_other_ids_are_refused(value):
    with pytest.raises(FileFormatError, match="expected a whole number"):
        shift_id(value)

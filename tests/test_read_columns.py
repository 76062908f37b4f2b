"""Columns of a CSV file: split where that is enough, the same as what the csv module reads."""

from __future__ import annotations

from pathlib import Path
from unittest import mock

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from napari_slicemap import files
from napari_slicemap.errors import FileFormatError

LINES = st.lists(
    st.lists(st.sampled_from(["a", "b ", "", " ", '"q"', '"x,\ny"', "\u2028", "é", "1", "\0", "\x1c"]), max_size=3).map(
        ",".join
    ),
    max_size=4,
)


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("tables") / "t.csv"


def outcome(table: Path) -> object:
    try:
        return files.read_columns(table)
    except FileFormatError as error:
        return str(error)


@given(
    header=st.sampled_from(["a", "a,b", "a,b,c", "a, b", "a,a", ",b", "", " "]),
    lines=LINES,
    end=st.sampled_from(["\n", "\r\n", "\r"]),
    last=st.booleans(),
)
@example(header="a,b", lines=["1,2", ",3"], end="\n", last=True)
@example(header="a,b", lines=["1,2", "3,4"], end="\r\n", last=False)
@example(header="a,b", lines=["1,2", "3"], end="\n", last=True)
def test_columns_are_what_the_csv_module_reads(
    table: Path, header: str, lines: list[str], end: str, last: bool
) -> None:
    table.write_bytes((end.join([header, *lines]) + end * last).encode())
    with mock.patch.object(files, "_plain_columns", return_value=None):
        expected = outcome(table)
    assert outcome(table) == expected


def test_a_plain_table_is_split(table: Path) -> None:
    table.write_bytes("\ufeffa, b\r\n1 ,2\r\n3,\r\n".encode())
    with mock.patch.object(files, "_csv_lines", side_effect=AssertionError("it was left to the csv module")):
        assert files.read_columns(table) == ({"a": ["1", "3"], "b": ["2", ""]}, [2, 3])

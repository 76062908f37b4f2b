"""Cell tables: text stays text, numbers become numbers, and a broken row is named."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_slicemap.errors import FileFormatError
from napari_slicemap.files import table_text
from napari_slicemap.images.acquisition import CellColumns
from napari_slicemap.images.cells import read_cells


def read(folder: Path, text: str | bytes, columns: CellColumns | None = None):  # type: ignore[no-untyped-def]
    (folder / "cells.csv").write_bytes(text.encode() if isinstance(text, str) else text)
    return read_cells(folder / "cells.csv", columns or CellColumns())


def test_a_cell_table(tmp_path: Path) -> None:
    table = read(tmp_path, "X,fov,Y,label,area,type\n1.5,001,2,1,30,T\n3,NA,4,2,,\n5,nan,6,3,7.5,B cell\n")
    assert list(table.columns) == ["fov", "label", "x", "y", "area", "type"]
    assert table["fov"].tolist() == ["001", "NA", "nan"]
    assert table["label"].tolist() == [1, 2, 3]
    assert table["label"].dtype == np.int64
    assert table["x"].tolist() == [1.5, 3, 5]
    assert table["y"].dtype == np.float64
    np.testing.assert_array_equal(table["area"], [30, np.nan, 7.5])
    assert table["type"].tolist() == ["T", "", "B cell"]


def test_the_columns_that_the_project_names(tmp_path: Path) -> None:
    columns = CellColumns(fov="Image", label="Object", x="centroid-1", y="centroid-0")
    table = read(tmp_path, "Image,Object,centroid-0,centroid-1\na.b.tiff,1,10,20\nc,2.0,30,40\n", columns)
    assert table["fov"].tolist() == ["a.b", "c"]
    assert table[["label", "x", "y"]].to_numpy().tolist() == [[1, 20, 10], [2, 40, 30]]


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        pytest.param(["1", "2.5"], [1, 2.5], id="numbers"),
        pytest.param(["1", "NA"], [1, np.nan], id="R's missing number"),
        pytest.param(["nan", "2"], [np.nan, 2], id="pandas' missing number"),
        pytest.param(["NA", ""], ["NA", ""], id="no number at all"),
        pytest.param(["1", "two"], ["1", "two"], id="one is text"),
    ],
)
def test_other_columns(tmp_path: Path, cells: list[str], expected: list[object]) -> None:
    rows = "".join(f"a,{n},0,0,{cell}\n" for n, cell in enumerate(cells))
    table = read(tmp_path, f"fov,label,X,Y,other\n{rows}")
    if isinstance(expected[0], str):
        assert table["other"].tolist() == expected
    else:
        np.testing.assert_array_equal(table["other"].to_numpy(dtype=float), expected)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param("", r"the file is empty", id="empty"),
        pytest.param(
            "fov,label,X\na,1,2\n", r"no column Y \(there is fov, label, X\); name .*cell_columns", id="column"
        ),
        pytest.param("fov;label;X;Y\na;1;2;3\n", r"no column fov, label, X, Y", id="semicolons"),
        pytest.param("fov,label,X,Y,X\na,1,2,3,4\n", r"line 1: column 'X' stands twice", id="column twice"),
        pytest.param("fov,label,X,Y\na,1,2,3,9\nb,1,2,3,9\n", r"line 2: 5 cells, expected 4", id="all rows too long"),
        pytest.param("fov,label,X,Y\na,1,2,3\nb,1,2\n", r"line 3: 3 cells, expected 4", id="short row"),
        pytest.param("fov,label,X,Y\n\na,one,2,3\n", r"line 3: label is 'one', expected a number", id="label text"),
        pytest.param("fov,label,X,Y\na,1.5,2,3\n", r"line 2: label is 1\.5, expected a whole number", id="label 1.5"),
        pytest.param("fov,label,X,Y\na,1e20,2,3\n", r"line 2: label is 1e\+20, expected a whole", id="label too large"),
        pytest.param("fov,label,X,Y\na,,2,3\n", r"line 2: label is '', expected a number", id="label missing"),
        pytest.param("fov,label,X,Y\na,1,nan,3\n", r"line 2: X is 'nan', expected a number", id="no centroid"),
        pytest.param("fov,label,X,Y\na,1,2,inf\n", r"line 2: Y is 'inf', expected a number", id="centroid at infinity"),
        pytest.param(b"fov,label,X,Y\n\xff,1,2,3\n", r"line 2: not UTF-8", id="not UTF-8"),
    ],
)
def test_bad_tables(tmp_path: Path, text: str | bytes, message: str) -> None:
    with pytest.raises(FileFormatError, match=rf"cells\.csv.*{message}"):
        read(tmp_path, text)


def test_a_table_without_cells(tmp_path: Path) -> None:
    table = read(tmp_path, "fov,label,X,Y\n")
    assert len(table) == 0
    assert list(table.columns) == ["fov", "label", "x", "y"]


names = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1).map(str.strip).filter(bool)


@given(st.lists(st.tuples(names, st.integers(0, 2**53), st.floats(-1e6, 1e6), st.floats(-1e6, 1e6)), max_size=5))
def test_round_trip(tmp_path: Path, rows: list[tuple[str, int, float, float]]) -> None:
    columns = ("fov", "label", "X", "Y")
    table = read(tmp_path, table_text(columns, [dict(zip(columns, row, strict=True)) for row in rows]))
    stems = [name.rpartition(".")[0] or name if name.lower().endswith((".tif", ".tiff")) else name for name, *_ in rows]
    assert table["fov"].tolist() == stems
    assert list(zip(*(table[c].tolist() for c in ("label", "x", "y")), strict=True)) == [row[1:] for row in rows]

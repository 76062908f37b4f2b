"""How tiles are named, found by looking at names; and patterns that people state."""

from __future__ import annotations

from itertools import pairwise, product
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from napari_slicemap.images.tiles.names import TileNames, TileOverlap, TilePattern
from napari_slicemap.images.tiles.schemes import counted_pattern, find_pattern

TWO, THREE = range(2), range(1, 4)
WORDS = ("DAPI", "CD3")


def names(form: str, **parts: Any) -> list[str]:
    return [form.format(**dict(zip(parts, made, strict=True))) for made in product(*parts.values())]


@pytest.mark.parametrize(
    ("paths", "pattern"),
    [
        pytest.param(
            names("{s:02}_{r}_{c}_{w}.tif", s=THREE, r=TWO, c=TWO, w=WORDS),
            "{slice}_{row}_{col}_{channel}.tif",
            id="plain numbers",
        ),
        pytest.param(names("03_{r}_{c}.tif", r=TWO, c=TWO), "{slice}_{row}_{col}.tif", id="one slice"),
        pytest.param(names("{r:03}-{c:03}.png", r=TWO, c=TWO), "{row}-{col}.png", id="numbers alone"),
        pytest.param(names("tile_x{c:03}_y{r:03}.tif", c=THREE, r=THREE), "tile_x{col}_y{row}.tif", id="Fiji"),
        pytest.param(names("a_Y{r}X{c}.tif", r=THREE, c=THREE), "a_Y{row}X{col}.tif", id="y before x"),
        pytest.param(names("S{s}/R{r}_C{c}.tif", s=TWO, r=TWO, c=TWO), "S{slice}/R{row}_C{col}.tif", id="folders"),
        pytest.param(names("S1_r1_c{c}.tif", c=THREE), "S{slice}_r{row}_c{col}.tif", id="one row, with letters"),
        pytest.param(
            names("b{s}/b{s}_row{r:02}_col{c:02}_z{z}_t{t:02}_{w}.tif", s=TWO, r=TWO, c=TWO, z=TWO, t=TWO, w=WORDS),
            "b{slice}/b{slice}_row{row}_col{col}_z{z}_t{t}_{channel}.tif",
            id="all there can be",
        ),
        pytest.param(
            names("i_t{t}_x{c}_y{r}_w{w}.tif", t=TWO, c=TWO, r=TWO, w=THREE),
            "i_t{t}_x{col}_y{row}_{channel}.tif",
            id="channels by number",
        ),
        pytest.param(
            names("{s}_r{r}_c{c}.tif", s=("a", "b_c", "d_e_f"), r=TWO, c=TWO),
            "{slice}_r{row}_c{col}.tif",
            id="slices of several words",
        ),
        pytest.param(
            [*names("r{r}_c{c}.tif", r=THREE, c=THREE), "overview.tif", "overview.png"],
            "r{row}_c{col}.tif",
            id="others",
        ),
        pytest.param(
            names("r{r}_c{c}_{w}.tif", r=range(40), c=range(50), w=WORDS), "r{row}_c{col}_{channel}.tif", id="many"
        ),
        pytest.param(names("r{r:02}c{c:02}f01p01-ch1.tif", r=TWO, c=TWO), "", id="wells of a plate"),
        pytest.param(names("x{c}_y{r}.tif", c=(100, 7000, 90000), r=(0, 12345)), "", id="positions, no numbers"),
        pytest.param(names("s_1_{c}.tif", c=THREE), "", id="one row of plain numbers"),
        pytest.param(names("image_{c:04}.tif", c=THREE), "", id="sections"),
        pytest.param(names("r{r}_c{c}{w}.tif", r=TWO, c=TWO, w=("", "_b")), "", id="a word that some have"),
        pytest.param(["r0_c0.tif", "r00_c0.tif"], "", id="the same place"),
        pytest.param(["r0_c0_{z}.tif", "r0_c1_{z}.tif"], "", id="braces"),
        pytest.param([], "", id="nothing"),
    ],
)
def test_patterns_that_are_found(paths: list[str], pattern: str) -> None:
    assert find_pattern(paths) == pattern


@pytest.mark.parametrize(
    ("paths", "pattern"),
    [
        pytest.param(names("a_t01_p{c:02}.tif", c=THREE), "a_t01_p{index}.tif", id="one number"),
        pytest.param(names("a_{r}_{c}.tif", r=TWO, c=TWO), "", id="two numbers"),
        pytest.param(["a1.tif", "b1.tif"], "", id="words"),
        pytest.param(["a1.tif", "a.tif"], "", id="one without"),
        pytest.param(["a1.tif"], "", id="one image"),
    ],
)
def test_images_that_are_counted(paths: list[str], pattern: str) -> None:
    assert counted_pattern(paths) == pattern


@pytest.mark.parametrize(
    ("pattern", "path", "read"),
    [
        pytest.param(
            "{slice}_{row}_{col}_*.tif", "a_b_01_2_x_y.tif", {"slice": "a_b", "row": "01", "col": "2"}, id="text"
        ),
        pytest.param("{slice}/{slice}_{index}.tif", "a/a_7.tif", {"slice": "a", "index": "7"}, id="the same twice"),
        pytest.param("{slice}/{slice}_{index}.tif", "a/b_7.tif", None, id="not the same"),
        pytest.param("{row}_{col}.tif", "1_2xtif", None, id="a dot is a dot"),
        pytest.param("{row}_{col}.tif", "a/1_2.tif", None, id="deeper"),
        pytest.param("*_{index}.tif", "a/1_2.tif", None, id="no star over folders"),
        pytest.param("{row}_{col}.tif", "-1_2.tif", None, id="negative"),
    ],
)
def test_names_by_a_pattern(pattern: str, path: str, read: dict[str, str] | None) -> None:
    assert TilePattern(pattern).read(path) == read


@pytest.mark.parametrize(
    ("stated", "message"),
    [
        pytest.param({"pattern": "{row}.tif"}, r"must hold \{row\} and \{col\}, or \{index\}", id="no column"),
        pytest.param({"pattern": "{row}_{col}_{index}"}, "must hold", id="index as well"),
        pytest.param({"pattern": "a.tif"}, "must hold", id="nothing"),
        pytest.param({"pattern": "{x}_{y}.tif"}, r"holds \{x\}; expected some of \{slice\}, \{channel\}", id="unknown"),
        pytest.param({"pattern": "{row}_{col}_{}"}, r"holds \{\}; expected", id="no name"),
        pytest.param({"pattern": "{row_{col}.tif"}, r"has a \{ without its other half", id="open"),
        pytest.param({"pattern": "{row}{col}.tif"}, "where one number ends", id="no boundary"),
        pytest.param({"pattern": "*_*_*_*_*_*_{row}_{col}"}, "more than 5 parts that may be any", id="too open"),
        pytest.param({"pattern": "{index}.tif"}, "state rows or columns of the grid", id="no grid"),
        pytest.param({"overlap": "10"}, "'10' is no overlap; write it as '10 %' or '24 px'", id="no unit"),
        pytest.param({"overlap": "100 %"}, "lie on top of each other", id="all of it"),
    ],
)
def test_wrong_statements(stated: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        TileNames(**stated)


def test_patterns_of_another_system() -> None:
    assert TileNames(pattern=r".\{slice}\{row}_{col}.tif".replace(".\\", "./", 1)).pattern == "{slice}/{row}_{col}.tif"


@pytest.mark.parametrize(
    ("stated", "cells"),
    [
        pytest.param({"columns": 3}, "00 01 02 10 11 12", id="rows"),
        pytest.param({"rows": 2}, "00 01 02 10 11 12", id="columns follow"),
        pytest.param({"columns": 3, "serpentine": True}, "00 01 02 12 11 10", id="serpentine"),
        pytest.param({"rows": 2, "order": "columns"}, "00 10 01 11 02 12", id="columns first"),
        pytest.param({"columns": 3, "order": "columns", "serpentine": True}, "00 10 11 01 02 12", id="both"),
    ],
)
def test_counted_tiles(stated: dict[str, Any], cells: str) -> None:
    grid = TileNames(pattern="{index}.tif", **stated)
    assert [grid.cell(number, 6) for number in range(6)] == [(int(row), int(col)) for row, col in cells.split()]


@given(rows=st.integers(1, 9), columns=st.integers(1, 9), by_columns=st.booleans(), serpentine=st.booleans())
def test_every_place_of_a_grid_is_counted_once(rows: int, columns: int, by_columns: bool, serpentine: bool) -> None:
    order = "columns" if by_columns else "rows"
    grid = TileNames(pattern="{index}", rows=rows, columns=columns, order=order, serpentine=serpentine)
    cells = [grid.cell(number, rows * columns) for number in range(rows * columns)]
    assert sorted(cells) == list(product(range(rows), range(columns)))
    if serpentine:  # each tile lies beside the one before
        assert all(abs(a - c) + abs(b - d) == 1 for (a, b), (c, d) in pairwise(cells))
    with pytest.raises(ValueError, match=rf"has no place in a grid of {rows} × {columns}"):
        grid.cell(rows * columns, rows * columns)


@pytest.mark.parametrize(
    ("text", "step"),
    [("10 %", 180), ("10%", 180), ("24px", 176), ("0 %", 200), ("12.5 %", 175), (".5 px", 199.5)],
)
def test_overlap(text: str, step: float) -> None:
    assert TileOverlap.parse(text).step(200) == step

"""The slice table for other tools, and back."""

from __future__ import annotations

import csv
from collections import OrderedDict
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_slicemap.errors import FileFormatError, UnknownNameError
from napari_slicemap.slices import slice_config
from napari_slicemap.slices.decision import is_used
from napari_slicemap.slices.exchange import for_pipelines, merged

TABLE = """slice_id,use,quality_score,auto_excluded,auto_exclude_reason,notes,block
00,false,,,,calibration_slice,a
01,true,0.812,true,noisy cluster (3 consecutive),,a
02,true,0.500,,,"seen, twice",b
03,true,,false,,,b
"""


@pytest.fixture
def rows(tmp_path: Path) -> OrderedDict[str, dict[str, Any]]:
    path = tmp_path / "slice_config.csv"
    path.write_text(TABLE)
    return slice_config.read(path)


def as_a_pipeline_reads(path: Path) -> dict[str, bool]:
    """Id and use as tools do that split lines at commas."""
    lines = [line.split(",") for line in path.read_text().splitlines()]
    assert lines[0][:2] == ["slice_id", "use"]
    return {one[0]: {"true": True, "false": False}[one[1]] for one in lines[1:]}


def test_two_columns_that_say_what_all_decisions_come_to(rows: Any, tmp_path: Path) -> None:
    path = tmp_path / "out.csv"
    slice_config.write(path, for_pipelines(rows))
    assert path.read_text() == "slice_id,use\n00,false\n01,false\n02,true\n03,true\n"
    slice_config.write(path, for_pipelines(rows, used_only=True))
    assert path.read_text() == "slice_id,use\n02,true\n03,true\n"


def test_more_columns(rows: Any, tmp_path: Path) -> None:
    path = tmp_path / "out.csv"
    slice_config.write(path, for_pipelines(rows, ["block", "notes", "use"]))
    with path.open(newline="") as stream:
        table = list(csv.reader(stream))
    assert table[:2] == [["slice_id", "use", "notes", "block"], ["00", "false", "calibration_slice", "a"]]
    slice_config.write(path, for_pipelines(rows, None))
    assert path.read_text() == TABLE.replace("01,true", "01,false")
    with pytest.raises(UnknownNameError, match=r"slice table: unknown column 'colour'"):
        for_pipelines(rows, ["colour"])
    assert for_pipelines({}, ["block"]) == OrderedDict()


@given(
    decisions=st.lists(st.tuples(st.booleans(), st.sampled_from([None, True, False])), min_size=1, max_size=120),
    used_only=st.booleans(),
)
def test_what_a_pipeline_reads_is_what_we_use(
    tmp_path: Path, decisions: list[tuple[bool, bool | None]], used_only: bool
) -> None:
    table = {
        f"{n:02d}": {"slice_id": f"{n:02d}", "use": use, "auto_excluded": auto}
        for n, (use, auto) in enumerate(decisions)
    }
    path = tmp_path / "out.csv"
    slice_config.write(path, for_pipelines(table, used_only=used_only))
    expected = {slice_id: is_used(row) for slice_id, row in table.items() if is_used(row) or not used_only}
    assert as_a_pipeline_reads(path) == expected


def test_decisions_of_another_tool(rows: Any, tmp_path: Path) -> None:
    other = tmp_path / "other.csv"
    other.write_text("slice_id,use,stage\n2,no,\n3,1,done\n")
    made = merged(rows, other)
    changed = {
        (slice_id, name): (made[slice_id][name], rows[slice_id].get(name))
        for slice_id in made
        for name in made[slice_id]
        if made[slice_id][name] != rows[slice_id].get(name, "")
    }
    assert changed == {("02", "use"): (False, True), ("03", "stage"): ("done", None)}
    assert list(made) == list(rows)
    assert "stage" not in merged(rows, other, ["use"])["02"]


def test_a_table_that_decides_nothing_changes_nothing(rows: Any, tmp_path: Path) -> None:
    other = tmp_path / "other.csv"
    other.write_text("slice_id,notes\n00,\n01,blurred\n")
    made = merged(rows, other)
    assert made["01"]["notes"] == "blurred"
    assert (made["00"]["use"], made["00"]["notes"]) == (False, "calibration_slice")


def test_slices_and_columns_that_are_not_there(rows: Any, tmp_path: Path) -> None:
    other = tmp_path / "other.csv"
    other.write_text("slice_id,use\n07,false\n")
    with pytest.raises(UnknownNameError, match="unknown slice '07'"):
        merged(rows, other)
    assert merged(rows, other, add=True)["07"]["use"] is False
    with pytest.raises(UnknownNameError, match=r"other\.csv: unknown column 'notes'"):
        merged(rows, other, ["notes"])
    other.write_text("slice_id,use\n01,maybe\n")
    with pytest.raises(FileFormatError, match=r"other\.csv, line 2 .*'maybe'"):
        merged(rows, other)

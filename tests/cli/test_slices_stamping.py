"""``slicemap slices stamp`` and ``exclude``: what changes, what is said, what is refused."""

from __future__ import annotations

import csv
from typing import TYPE_CHECKING

import pytest

from napari_slicemap.slices import slice_config

if TYPE_CHECKING:
    from pathlib import Path

    from .conftest import Shell

TABLE = """slice_id,use,quality_score,auto_excluded,auto_exclude_reason,notes,block
00,false,,,,calibration_slice,a
01,true,0.812,true,noisy cluster (3 consecutive),,a
02,true,0.5,,,seen,b
03,false,,,,manually_excluded,b
"""


@pytest.fixture
def table(tmp_path) -> Path:
    path = tmp_path / "slice_config.csv"
    path.write_text(TABLE)
    return path


def lines(path: Path) -> dict[str, str]:
    """Slice id → the rest of its line."""
    return dict(line.split(",", 1) for line in path.read_text().splitlines()[1:])


OLD = dict(line.split(",", 1) for line in TABLE.splitlines()[1:])


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        pytest.param(["exclude", "2"], {"02": "false,0.500,,,seen; manually_excluded,b"}, id="left out"),
        pytest.param(
            ["exclude", "01,02", "--note", "torn"],
            {
                "01": "false,0.812,true,noisy cluster (3 consecutive),torn,a",
                "02": "false,0.500,,,seen; torn,b",
            },
            id="why",
        ),
        pytest.param(["exclude", "2", "--note", ""], {"02": "false,0.500,,,seen,b"}, id="without a word"),
        pytest.param(["exclude", "3", "--use"], {"03": "true,,,,,b"}, id="put back in"),
        pytest.param(
            ["exclude", "1", "--use", "--note", "looks fine"],
            {"01": "true,0.812,false,,looks fine,a"},
            id="put back in after auto-exclude",
        ),
        pytest.param(
            ["exclude", "2", "--first", 2],
            {
                "01": "false,0.812,true,noisy cluster (3 consecutive),calibration_slice,a",
                "02": "false,0.500,,,seen; manually_excluded,b",
            },
            id="the first two as well",
        ),
        pytest.param(
            ["stamp", "--slice", "1", "--set", "use=no", "--set", "notes=", "--set", "quality_score=0.1234"],
            {"01": "false,0.123,true,noisy cluster (3 consecutive),,a"},
            id="values",
        ),
        pytest.param(
            ["stamp", "--slice", "01,2", "--set", "block = c=d ", "--note", "moved"],
            {"01": "true,0.812,true,noisy cluster (3 consecutive),moved,c=d", "02": "true,0.500,,,seen; moved,c=d"},
            id="an own column, and a note",
        ),
        pytest.param(
            ["stamp", "--slice", "all", "--set", "auto_exclude_reason="],
            {"01": "true,0.812,true,,,a"},
            id="all slices",
        ),
    ],
)
@pytest.mark.parametrize("in_place", [False, True], ids=["new table", "in place"])
def test_what_changes(slicemap: Shell, table, tmp_path, words, expected, in_place):
    out = table if in_place else tmp_path / "new" / "t.csv"
    command, *rest = words
    ids, rest = ([rest[0]], rest[1:]) if command == "exclude" else ([], rest)
    where = ["--in-place"] if in_place else [out]
    code, said, notes = slicemap("slices", command, *ids, *where, "--config", table, *rest)
    assert code == 0, notes
    assert lines(out) == {**OLD, "02": OLD["02"].replace("0.5", "0.500"), **expected}
    assert notes == f"written: {out}\n"
    assert f"of {len(OLD)} slices" in said
    assert all(f"slice {one}: " in said for one in expected)
    if not in_place:
        assert table.read_text() == TABLE


def test_in_place_goes_on_record(slicemap: Shell, table):
    slicemap("slices", "exclude", "2", "--config", table, "--in-place")
    slicemap("slices", "stamp", "--slice", "2", "--config", table, "--in-place", "--set", "use=true")
    with table.with_name("slice_config.audit.csv").open(newline="") as stream:
        found = [(row["slice_id"], row["column"], row["old"], row["new"], row["by"]) for row in csv.DictReader(stream)]
    assert found == [
        ("02", "use", "true", "false", "slicemap slices exclude"),
        ("02", "notes", "seen", "seen; manually_excluded", "slicemap slices exclude"),
        ("02", "use", "false", "true", "slicemap slices stamp"),
    ]


def test_the_first_ones_alone_need_no_ids(slicemap: Shell, table, tmp_path):
    out = tmp_path / "t.csv"
    code, said, notes = slicemap("slices", "exclude", out, "--config", table, "--first", 2)
    assert code == 0, notes
    assert slice_config.read(out)["01"]["notes"] == "calibration_slice"
    assert "excluded: 00 (use is false: calibration_slice)" in said
    code, _, notes = slicemap("slices", "exclude", "--config", table, "--in-place", "--first", 1)
    assert code == 0, notes


def test_that_nothing_changed_is_said(slicemap: Shell, table, tmp_path):
    _, said, _ = slicemap("slices", "exclude", "3", tmp_path / "t.csv", "--config", table)
    assert said.splitlines()[0] == "nothing changed"


def test_a_new_column_must_be_meant(slicemap: Shell, table, tmp_path):
    words = ("slices", "stamp", tmp_path / "t.csv", "--config", table, "--slice", "1", "--set", "stain=HE")
    code, _, notes = slicemap(*words)
    assert code == 2
    assert "unknown column 'stain'" in notes
    assert "--new-column" in notes
    assert slicemap(*words, "--new-column")[0] == 0
    assert [row["stain"] for row in slice_config.read(tmp_path / "t.csv").values()] == ["", "HE", "", ""]


@pytest.mark.parametrize(
    ("words", "says"),
    [
        pytest.param(["exclude", "9"], "unknown slice '09' (there is 00, 01, 02, 03)", id="unknown slice"),
        pytest.param(["exclude", "torn"], "slice_id is 'torn', expected digits", id="no slice"),
        pytest.param(["exclude", "9", "--use"], "unknown slice '09'", id="unknown slice to put back"),
        pytest.param(["exclude", "1", "--use", "--first", "1"], "use one of them", id="out and in"),
        pytest.param(["exclude", ","], "no slices named", id="no slices"),
        pytest.param(["exclude", "1", "--first", "9"], "from 0 to 4", id="too many"),
        pytest.param(["stamp", "--slice", "9", "--set", "use=no"], "unknown slice '09'", id="stamp an unknown slice"),
        pytest.param(["stamp", "--slice", ",", "--note", "x"], "no slices named", id="stamp no slices"),
        pytest.param(["stamp", "--slice", "1"], "--set COLUMN=VALUE or --note", id="nothing to stamp"),
        pytest.param(["stamp", "--slice", "1", "--set", "use"], "--set use: expected COLUMN=VALUE", id="no value"),
        pytest.param(["stamp", "--slice", "1", "--set", "=1"], "expected COLUMN=VALUE", id="no column"),
        pytest.param(["stamp", "--slice", "1", "--set", "use=1", "--set", "use=0"], "use is given twice", id="twice"),
        pytest.param(["stamp", "--slice", "1", "--set", "use=perhaps"], "slice 01: use is 'perhaps'", id="no decision"),
        pytest.param(["stamp", "--slice", "1", "--set", "slice_id=7"], "renames no slice", id="rename"),
    ],
)
def test_what_is_refused(slicemap: Shell, table, words, says):
    code, said, notes = slicemap("slices", *words, "--config", table, "--in-place")
    assert (code, said) == (2, "")
    assert says in notes
    assert len(notes.splitlines()) == 1
    assert table.read_text() == TABLE


@pytest.mark.parametrize(
    "words", [["exclude", "1"], ["exclude", "1", "--first", "1"], ["stamp", "--slice=1", "--note=x"]]
)
def test_there_must_be_a_table_to_begin_with_and_one_to_write(slicemap: Shell, table, tmp_path, words):
    code, _, notes = slicemap("slices", *words, "--config", table)
    assert code == 2
    assert "name OUT" in notes
    code, _, notes = slicemap("slices", *words, tmp_path / "t.csv")
    assert code == 2
    assert "--config" in notes
    assert sorted(path.name for path in tmp_path.iterdir() if not path.name.startswith(".")) == ["slice_config.csv"]

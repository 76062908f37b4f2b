"""``slicemap slices show`` and ``diff``."""

import json
import re

import pytest

from napari_slicemap.cli.slices.text_table import table_lines

TABLE = """\
slice_id,use,quality_score,galvo_confidence,galvo_fix,auto_excluded,auto_exclude_reason,notes,stain
00,false,0.000,,,,,calibration_slice,
01,true,0.800,0.7,true,,,[bold]a note[/bold] that is longer than a column of a narrow terminal may be,DAPI
03,true,0.300,,,true,noisy cluster (3 consecutive),,DAPI
100,true,0.900,,,,,,DAPI
"""
SUMMARY = """\
used: 2 of 4 slices (01, 100)
excluded: 00 (use is false: calibration_slice)
excluded: 03 (auto_excluded: noisy cluster (3 consecutive))
not in the table: 02, 04–99
"""


@pytest.fixture
def table(tmp_path, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    path = tmp_path / "slice_config.csv"
    path.write_text(TABLE, encoding="utf-8")
    return path


def test_a_table_is_shown_with_its_summary(slicemap, table):
    code, out, err = slicemap("slices", "show", table)
    assert code == 0
    assert out == (
        "slice  used  quality  galvo  stamped    why, notes\n"
        "00     no    0.000                      use is false: calibration_slice\n"
        "01     yes   0.800    0.7    galvo_fix  [bold]a note[/bold] that is longer than\n"
        "                                        a column of a narrow terminal may be\n"
        "03     no    0.300                      auto_excluded: noisy cluster (3\n"
        "                                        consecutive)\n"
        "100    yes   0.900\n"
        "\n" + SUMMARY
    )
    assert err == "columns not shown: stain; --all-columns shows them\n"


@pytest.mark.parametrize("width", [20, 80, 300])
@pytest.mark.parametrize("option", [[], ["--all-columns"]], ids=["short", "all"])
def test_no_word_is_ever_cut(slicemap, table, monkeypatch, width, option):
    monkeypatch.setenv("COLUMNS", str(width))
    _, out, _ = slicemap("slices", "show", table, *option)
    words = out.split()
    for expected in ("00", "01", "03", "100", "[bold]a", "note[/bold]", "(3", "consecutive)", "0.800"):
        assert expected in words


@pytest.mark.parametrize("width", [80, 120])
def test_lines_fit_the_terminal(slicemap, table, monkeypatch, width):
    monkeypatch.setenv("COLUMNS", str(width))
    _, out, _ = slicemap("slices", "show", table)
    assert max(map(len, out.splitlines())) <= width


def test_all_columns_are_those_of_the_file(slicemap, table, monkeypatch):
    monkeypatch.setenv("COLUMNS", "400")
    _, out, err = slicemap("slices", "show", table, "--all_columns")
    lines = out.splitlines()
    assert lines[0].split() == TABLE.splitlines()[0].split(",")
    assert re.split(r"  +", lines[1]) == ["00", "false", "0.000", "calibration_slice"]
    assert err == ""


def test_names_of_columns_wrap_after_underscores(slicemap, table):
    _, out, _ = slicemap("slices", "show", table, "-a")
    assert out.splitlines()[0].split() == [
        *("slice_", "use", "quality_", "galvo_", "galvo_", "auto_", "auto_", "notes", "stain")
    ]
    assert [line.split() for line in out.splitlines()[1:3]] == [
        ["id", "score", "confidence", "fix", "excluded", "exclude_"],
        ["reason"],
    ]


def test_only_excluded_slices_are_shown_when_asked(slicemap, table):
    _, out, _ = slicemap("slices", "show", table, "--excluded")
    assert re.findall(r"^(\d+) ", out, re.MULTILINE) == ["00", "03"]
    assert out.endswith(SUMMARY)


def test_nothing_is_excluded(slicemap, table):
    table.write_text("slice_id\n00\n")
    assert slicemap("slices", "show", table, "-x") == (0, "used: 1 of 1 slices (00)\n", "")


def test_a_table_is_shown_as_json(slicemap, table):
    _, out, _ = slicemap("slices", "show", table, "--json")
    said = json.loads(out)
    assert said["counts"] == {"slices": 4, "used": 2, "excluded": 2}
    assert said["gaps"] == [{"first": "02", "last": "02"}, {"first": "04", "last": "99"}]
    assert said["excluded"][0] == {"why": "use is false: calibration_slice", "slices": ["00"]}
    assert said["slices"][1]["row"]["galvo_fix"] is True
    assert [(one["slice_id"], one["used"]) for one in said["slices"]] == [
        *(("00", False), ("01", True), ("03", False), ("100", True))
    ]


def test_long_tables_are_shown_whole(slicemap, table):
    table.write_text("slice_id,notes\n" + "".join(f"{n:05d},note {n}\n" for n in range(10_000)))
    _, out, _ = slicemap("slices", "show", table)
    assert len(out.splitlines()) == 10_002 + 1
    assert "09999  yes   note 9999" in out


def test_line_breaks_in_notes_are_kept(slicemap, table):
    table.write_text('slice_id,notes\n00,"one\ntwo"\n')
    _, out, _ = slicemap("slices", "show", table)
    assert out.splitlines()[:3] == ["slice  used  why, notes", "00     yes   one", "             two"]


@pytest.mark.parametrize("words", [("show", "none.csv"), ("diff", "none.csv", "none.csv")])
def test_a_file_that_is_missing_is_an_error(slicemap, words):
    code, out, err = slicemap("slices", *words)
    assert (code, out) == (2, "")
    assert "none.csv" in err


def test_the_widest_column_gives_way_first():
    columns = {"id": ["00"], "short": ["a few words"], "long_text": ["a good many words to be wrapped"]}
    assert [line for lines in table_lines(columns, 34) for line in lines] == [
        "id  short        long_text",
        "00  a few words  a good many words",
        "                 to be wrapped",
    ]


# --- diff --------------------------------------------------------------------------------------------------
def test_equal_tables_give_code_0(slicemap, table, tmp_path):
    same = tmp_path / "same.csv"
    same.write_text(TABLE.replace("true", "yes"), encoding="utf-8")
    assert slicemap("slices", "diff", table, same) == (0, "no difference\n", "")
    code, out, _ = slicemap("slices", "diff", table, same, "--json")
    assert code == 0
    assert json.loads(out)["equal"] is True


def test_tables_that_differ_give_code_1(slicemap, table, tmp_path):
    other = tmp_path / "other.csv"
    lines = TABLE.replace("0.900", "0.905").replace("stain", "staining").splitlines(keepends=True)
    other.write_text("".join([lines[0], lines[4], lines[1], lines[2], "200,true,,,,,,,\n"]), encoding="utf-8")
    code, out, err = slicemap("slices", "diff", table, other)
    assert (code, err) == (1, "")
    assert out == (
        "column only in the first: stain\n"
        "column only in the second: staining\n"
        "slice 03: only in the first\n"
        "slice 200: only in the second\n"
        "slice 01: stain DAPI → (empty)\n"
        "slice 01: staining (empty) → DAPI\n"
        "slice 100: quality_score 0.900 → 0.905\n"
        "slice 100: stain DAPI → (empty)\n"
        "slice 100: staining (empty) → DAPI\n"
        "the slices come in another order\n"
    )
    code, out, _ = slicemap("slices", "diff", table, other, "--json")
    said = json.loads(out)
    assert code == 1
    assert (said["equal"], said["added"], said["removed"], said["reordered"]) == (False, ["200"], ["03"], True)
    assert {"slice_id": "100", "column": "quality_score", "old": "0.900", "new": "0.905"} in said["changed"]

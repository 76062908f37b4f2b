"""``slicemap galvo report``."""

import json
from pathlib import Path

import pytest


@pytest.fixture
def sample():
    return Path(__file__).parents[2] / "sample_data"


@pytest.fixture
def table(slicemap, sample, tmp_path):
    path = tmp_path / "t1.csv"
    given = ("--config", sample / "slice_config.csv")
    assert slicemap("galvo", "detect", sample / "raw_tiles", path, *given)[0] == 0
    return path


def test_a_report_is_written_with_its_twin(slicemap, sample, table, tmp_path):
    out = tmp_path / "galvo.html"
    code, said, err = slicemap("galvo", "report", sample / "raw_tiles", out, "--config", table)
    assert (code, said) == (0, "fix: 03\nnot decided: 00–02, 04–05\nstill to fix: 03\n")
    assert err.splitlines() == [
        "not looked at: 00–02, 04–05",
        f"written: {out}",
        f"written: {out.with_suffix('.json')}",
    ]
    assert out.read_text(encoding="utf-8").count("data:image/png;base64,") == 2
    assert json.loads(out.with_suffix(".json").read_text())["slices"][3]["shift"] == 28


def test_pictures_are_of_what_is_named(slicemap, sample, table, tmp_path):
    out = tmp_path / "galvo.html"
    code, _, _ = slicemap("galvo", "report", out, "--config", table, "--json", tmp_path / "twin.json")
    assert code == 0
    assert "data:image" not in out.read_text(encoding="utf-8")
    assert sorted(one.name for one in tmp_path.glob("*.json")) == ["twin.json"]
    diagnostics = ("--diagnostics", table.parent / "diagnostics")
    code, _, err = slicemap("galvo", "report", sample, out, *diagnostics, "--force")
    assert code == 0
    assert f"the raw tiles in {sample / 'raw_tiles'} are taken" in err
    assert "data:image" in out.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        pytest.param(("galvo.html",), "no slice table to report on: name it with --config", id="no table"),
        pytest.param(("a", "b", "galvo.html", "--config", "t.csv"), "expected SOURCE and OUT.html", id="three places"),
        pytest.param(
            ("gone", "galvo.html", "--config", "t.csv"), "gone: there is no such file or folder", id="no tiles"
        ),
        pytest.param(("galvo.html", "--config", "t.csv"), "t.csv", id="no such table"),
        pytest.param(
            ("galvo.html", "--config", "t.csv", "--diagnostics", "gone"),
            "gone: there is no such folder",
            id="no numbers",
        ),
        pytest.param(("galvo.html", "--config", "t.csv", "--axis", "z"), "'z' is not one of 'x', 'y'", id="axis"),
    ],
)
def test_what_cannot_be_reported_is_said(slicemap, tmp_path, monkeypatch, words, said):
    monkeypatch.chdir(tmp_path)
    code, _, err = slicemap("galvo", "report", *words)
    assert code == 2
    assert said in err
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_replaced_unless_forced(slicemap, table, tmp_path):
    out = tmp_path / "galvo.html"
    assert slicemap("galvo", "report", out, "--config", table)[0] == 0
    code, _, err = slicemap("galvo", "report", out, "--config", table)
    assert code == 2
    assert f"{out} is there already; --force replaces it" in err
    assert slicemap("galvo", "report", out, "--config", table, "--force")[0] == 0

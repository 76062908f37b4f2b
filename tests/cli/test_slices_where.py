"""``slicemap slices show --where``."""

from __future__ import annotations

import json

import pytest

TABLE = "slice_id,use,quality_score,notes\n00,false,,calibration_slice\n01,true,0.800,\n02,true,0.200,Clot\n"


@pytest.mark.parametrize(
    ("where", "found"),
    [
        pytest.param("quality < 0.3 and use", ["02"], id="a condition"),
        pytest.param("clot", ["02"], id="a word"),
        pytest.param("", ["00", "01", "02"], id="nothing"),
    ],
)
def test_only_what_is_asked_for_is_shown(tmp_path, slicemap, where, found):
    table = tmp_path / "slice_config.csv"
    table.write_text(TABLE)
    code, said, _ = slicemap("slices", "show", table, "--json", "--where", where)
    assert (code, [one["slice_id"] for one in json.loads(said)["slices"]]) == (0, found)


def test_a_condition_that_is_wrong_is_told(tmp_path, slicemap):
    table = tmp_path / "slice_config.csv"
    table.write_text(TABLE)
    code, _, said = slicemap("slices", "show", table, "--where", "qualty < 0.3")
    assert code == 2
    assert "no column 'qualty'" in " ".join(said.split())

"""``slicemap slices report``."""

import json

import pytest

from napari_slicemap.slices.diagnostics import write_diagnostics


@pytest.fixture
def table(tmp_path):
    path = tmp_path / "slice_config.csv"
    path.write_text("slice_id,use,quality_score\n00,false,0.0\n01,true,0.8\n", encoding="utf-8")
    return path


def test_a_report_is_written_with_its_twin(slicemap, table, tmp_path):
    out = tmp_path / "report.html"
    code, said, err = slicemap("slices", "report", table, out)
    assert (code, said) == (0, "used: 1 of 2 slices (01)\nexcluded: 00 (use is false)\n")
    assert err.splitlines() == [f"written: {out}", f"written: {out.with_suffix('.json')}"]
    assert out.read_text(encoding="utf-8").startswith("<!DOCTYPE html>")
    assert json.loads(out.with_suffix(".json").read_text())["counts"]["used"] == 1


def test_options_name_what_else_is_shown(slicemap, table, tmp_path):
    write_diagnostics(tmp_path / "numbers", "01", "quality", {"ssim": 0.5})
    out, twin = tmp_path / "report.html", tmp_path / "twin.json"
    code, _, err = slicemap("slices", "report", table, out, "--diagnostics", tmp_path / "numbers", "--json", twin)
    assert code == 0
    assert err.splitlines() == ["no diagnostics: 00", f"written: {out}", f"written: {twin}"]
    assert "quality.ssim" in out.read_text(encoding="utf-8")
    assert not out.with_suffix(".json").exists()


def test_nothing_is_replaced_unless_forced(slicemap, table, tmp_path):
    out = tmp_path / "report.html"
    slicemap("slices", "report", table, out)
    code, said, err = slicemap("slices", "report", table, out)
    assert (code, said) == (2, "")
    assert err.splitlines() == [
        f"slicemap: {path} is there already; --force replaces it" for path in (out, out.with_suffix(".json"))
    ]
    assert slicemap("slices", "report", table, out, "--force")[0] == 0


def test_a_folder_without_images_is_an_error(slicemap, table, tmp_path):
    (tmp_path / "empty").mkdir()
    code, _, err = slicemap("slices", "report", table, tmp_path / "report.html", "--mosaics", tmp_path / "empty")
    assert code == 2
    assert "holds neither mosaics" in err

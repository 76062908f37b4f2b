"""``slicemap levels``, and exports that use what it keeps."""

import json

import pytest
import tifffile
from typer.testing import CliRunner

from napari_slicemap.cli.app import app
from napari_slicemap.errors import UnknownNameError
from napari_slicemap.sample import make_sample


@pytest.fixture
def folder(tmp_path):
    return make_sample(tmp_path / "sample")


def run(*words):
    done = CliRunner().invoke(app, [str(word) for word in words], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.stdout + done.stderr


def test_levels_are_made_once_and_anew_when_asked(folder):
    first = [line for line in run("levels", folder, "--maps", "01,02").splitlines() if line.strip()]
    assert [line.split(" in ")[0] for line in first] == ["map 01: 1/8", "map 02: 1/8"]
    assert run("levels", folder, "--maps", "01") == "map 01: up to date\n"
    assert run("levels", folder, "--maps", "01", "--force").startswith("map 01: 1/8 in ")


def test_a_map_that_does_not_exist_is_named(folder):
    with pytest.raises(UnknownNameError, match="unknown map '99'"):
        run("levels", folder, "--maps", "99")


def test_a_tile_that_cannot_be_read_is_told(folder):
    tile = next(folder.glob("**/s01_r0c0*/*.tif*"), None) or next(folder.glob("**/s01_r0c0*.tif*"))
    tile.unlink()
    assert "left out: FOV s01_r0c0" in run("levels", folder, "--maps", "01")


def test_an_export_says_what_it_was_made_from(folder, tmp_path):
    words = ("--maps", "01", "--downsample", "8", "--format", "tif")
    record = "map_01.tif.provenance.json"
    run("export", folder, *words, "--levels", "stored", "--output-folder", tmp_path / "none")
    assert json.loads((tmp_path / "none" / record).read_text())["level"] == 1, "there were no levels yet"
    run("levels", folder)
    for name, levels in (("stored", "stored"), ("exact", "exact")):
        run("export", folder, *words, "--levels", levels, "--output-folder", tmp_path / name)
    found = {name: json.loads((tmp_path / name / record).read_text()) for name in ("stored", "exact")}
    assert (found["stored"]["level"], found["exact"]["level"]) == (8, 1)
    assert found["stored"]["plan"]["levels"] == "stored"
    pictures = [tifffile.imread(tmp_path / name / "map_01.tif") for name in ("stored", "exact", "none")]
    assert (pictures[0] == pictures[1]).all()
    assert (pictures[1] == pictures[2]).all()


def test_help_teaches(folder):
    text = run("levels", "--help")
    assert "cache folder" in text

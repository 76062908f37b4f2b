"""``slicemap convert``: what it says, and what it refuses."""

from __future__ import annotations

import json

import pytest
import zarr

import builders
from napari_slicemap import open_dataset


@pytest.fixture
def run(tmp_path):
    return builders.fov_folders(tmp_path / "run")


def test_fovs_and_what_stays_behind(slicemap, run, tmp_path):
    out = tmp_path / "out.ome.zarr"
    code, said, told = slicemap("convert", run, out, "--workers", "2", "--compression", "none")
    assert code == 0
    assert said.splitlines()[-1] == f"{out}: 2 written and read back, 0 failed"
    assert told.splitlines() == [
        f"not carried along: cells; for tables: slicemap init {out} -o FOLDER, and copy them into that folder"
    ]
    assert list(open_dataset(out).maps) == ["S1"]
    code, said, _ = slicemap("convert", run, out, "--compression", "none")
    assert (code, said.splitlines()[-1]) == (0, f"{out}: 0 written and read back, 0 failed, 2 there already")
    code, _, told = slicemap("convert", run, out)
    assert (code, told) == (
        2, f"slicemap: {out} is there already, and not what would be written now; --force replaces it\n",
    )  # fmt: skip
    assert slicemap("convert", run, out, "--force")[0] == 0


def test_a_mosaic_with_what_the_files_do_not_state(slicemap, tmp_path):
    for n in range(4):
        builders.write_tiff(tmp_path / "run" / f"tile_{n + 1}.tif", builders.pixels(n))
    out = tmp_path / "out.ome.zarr"
    words = ("--tiles", "tile_{index}.tif", "--grid", "2x2", "--overlap", "4px", "--pixel-size", "500nm")
    code, _, told = slicemap("convert", tmp_path / "run", out, "--maps", "all", "--ome-version", "0.4", *words)
    assert (code, told) == (0, "")
    assert zarr.open_array(out / "0", mode="r").shape[3:] == (36, 44)
    assert open_dataset(out).maps["run"].base_pixel_size_um() == 0.5


def test_a_dry_run_writes_nothing(slicemap, run, tmp_path):
    out = tmp_path / "out.ome.zarr"
    code, said, _ = slicemap("convert", run, out, "--dry-run")
    assert (code, said.splitlines()) == (0, [f"would write {out / 'a1'}  (a1)", f"would write {out / 'a2'}  (a2)"])
    code, said, _ = slicemap("convert", run, out, "--fovs", "a2", "--dry-run", "--json")
    assert json.loads(said)["images"] == [{"image": "a2", "output": str(out), "skipped": False}]
    assert [path.name for path in tmp_path.iterdir()] == ["run"]


def test_a_failure_is_told_and_json_is_json(slicemap, run, tmp_path):
    (run / "a1" / "CD3.tiff").write_text("not an image")
    out = tmp_path / "out.ome.zarr"
    code, said, _ = slicemap("convert", run, out, "--json")
    found = json.loads(said)
    assert (code, found["counts"]["ok"], found["counts"]["failed"]) == (1, 1, 1)
    assert found["not_carried"] == ["cells"]
    code, said, told = slicemap("convert", run, out)
    assert (code, said.splitlines()[-1]) == (1, f"{out}: 0 written and read back, 1 failed, 1 there already")
    assert f"{out} is unfinished; the same command goes on with what is missing" in told


@pytest.mark.parametrize(
    ("words", "said"),
    [
        pytest.param(("--fovs", "a1", "--maps", "all"), "--fovs or --maps", id="both"),
        pytest.param(("--ome-version", "0.6"), "options.version", id="version"),
        pytest.param(("--compression", "zip"), "options.compression", id="compression"),
        pytest.param(("--chunk", "3"), "options.chunk", id="chunk"),
        pytest.param(("--on-missing", "guess"), "on_missing", id="missing"),
        pytest.param(("--workers", "0"), "workers is 0", id="workers"),
        pytest.param(("--maps", "S9"), "unknown map 'S9'", id="map"),
    ],
)
def test_requests_that_are_wrong(slicemap, run, tmp_path, words, said):
    code, _, told = slicemap("convert", run, tmp_path / "out.ome.zarr", *words)
    assert code == 2
    assert said in told
    assert [path.name for path in tmp_path.iterdir()] == ["run"]


def test_help_teaches_by_examples(slicemap):
    code, said, _ = slicemap("convert", "--help")
    assert code == 0
    assert "slicemap convert my_run my_run.ome.zarr" in " ".join(said.split())

"""``slicemap export``: the same bytes as Python, one clear line for what is wrong."""

import hashlib
import json
import subprocess
import sys

import pytest

from napari_slicemap import ExportPlan, open_dataset, run_export
from scenes import ROIS, write_dataset, write_rois


@pytest.fixture(scope="session")
def data(tmp_path_factory):
    """A dataset on disk that no test may change."""
    return write_dataset(tmp_path_factory.mktemp("shell") / "set")


def bytes_of(folder):
    pictures = [path for path in sorted(folder.iterdir()) if path.suffix in (".png", ".tif")]
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in pictures}


# --- the same bytes -------------------------------------------------------------------------------------------
SAME = [
    pytest.param(["--fovs", "a,b"], {"select": [{"kind": "fov", "ids": ["a", "b"]}]}, id="FOVs"),
    pytest.param(["--fovs", "a", "--fovs", "b"], {"select": [{"kind": "fov", "ids": ["a", "b"]}]}, id="repeated"),
    pytest.param(["--fovs", "a\nb\n"], {"select": [{"kind": "fov", "ids": ["a", "b"]}]}, id="one a line, as `cat`"),
    pytest.param(
        ["--maps", "7", "--downsample", "2", "--scale-bar", "--masks", "cell"],
        {
            "select": [{"kind": "map", "ids": ["7"]}],
            "downsample": 2,
            "scale_bar": {"enabled": True},
            "overlays": {"masks": ["cell"]},
        },
        id="a map with everything on it",
    ),
    pytest.param(
        ["--rois", "Edge,core", "--format", "tiff", "--option", "compression=lzw"],
        {
            "select": [{"kind": "fov-roi", "ids": ["r3"]}, {"kind": "map-roi", "ids": ["r1", "r2"]}],
            "format": "tif",
            "options": {"compression": "lzw"},
        },
        id="ROIs on FOVs and on maps",
    ),
    pytest.param(
        ["--tags", "shape", "--clip", "polygon"],
        {"select": [{"kind": k, "tags": ["shape"], "clip": "polygon"} for k in ("fov-roi", "map-roi")]},
        id="ROIs by tag, clipped",
    ),
    pytest.param(
        ["--cells", "a:1", "--cell-query", "area > 50", "--cell-size", "16"],
        {"select": [{"kind": "cell", "ids": ["a:1"], "query": "area > 50", "size_px": 16}]},
        id="cells",
    ),
    pytest.param(
        ["--maps", "8,9", "--on-missing", "mark", "--include-excluded", "--show-rois", "--target-pixel-size", "1000nm"],
        {
            "select": [{"kind": "map", "ids": ["8", "9"]}],
            "on_missing": "mark",
            "include_excluded": True,
            "overlays": {"rois": True},
            "target_pixel_size_um": 1.0,
        },
        id="missing tiles and excluded slices",
    ),
]


@pytest.mark.parametrize(("words", "fields"), SAME)
def test_the_command_gives_the_bytes_of_run_export(shell, data, tmp_path, words, fields):
    code, out, _ = shell(data, *words, "-o", tmp_path / "shell")
    assert code == 0
    report = run_export(
        ExportPlan.model_validate({**fields, "output_folder": str(tmp_path / "python")}), open_dataset(data)
    )
    assert report.counts["failed"] == 0
    assert bytes_of(tmp_path / "shell") == bytes_of(tmp_path / "python") != {}
    assert f"{report.counts['ok']} written, 0 failed" in out


def test_another_process_gives_the_same_bytes(shell, data, tmp_path):
    words = ["--maps", "7", "--masks", "cell", "--scale-bar", "-o"]
    ran = subprocess.run(
        [sys.executable, "-c", "from napari_slicemap.cli import main; main()", "export", data, *words, tmp_path / "b"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (ran.returncode, ran.stderr) == (0, "")
    assert shell(data, *words, tmp_path / "a")[0] == 0
    assert bytes_of(tmp_path / "a") == bytes_of(tmp_path / "b") != {}


def test_all_takes_all(shell, data, tmp_path):
    code, _, err = shell(
        data, "--maps", "all", "--fovs", "all", "--rois", "all", "-o", tmp_path, "--on-missing", "mark"
    )
    assert code == 1, "one ROI lies outside the data"
    assert "failed fov-roi:a_roi_far: FOV a: the region" in err
    assert "left out: slice 09 is excluded" in err
    assert "--include-excluded takes it" in err
    assert {"a.png", "e.png", "map_7.png", "map_7_roi_Edge_2.png"} <= set(bytes_of(tmp_path))
    assert "d.png" not in bytes_of(tmp_path)


# --- plans ----------------------------------------------------------------------------------------------------
PLAN = 'version = 1\ndownsample = 2\noutput_folder = "{}"\n[[select]]\nkind = "map"\nids = ["7"]\n'


def test_a_plan_file(shell, data, tmp_path):
    (tmp_path / "plan.toml").write_text(PLAN.format((tmp_path / "out").as_posix()))
    assert shell(data, "--plan", tmp_path / "plan.toml")[0] == 0
    assert shell(data, "--maps", "7", "--downsample", "2", "-o", tmp_path / "same")[0] == 0
    assert bytes_of(tmp_path / "out") == bytes_of(tmp_path / "same")


OVER = [
    pytest.param(["--downsample", "4"], {"downsample": 4}, id="downsample"),
    pytest.param(
        ["--target-pixel-size", "1.5"], {"downsample": 1, "target_pixel_size_um": 1.5}, id="a size for a downsampling"
    ),
    pytest.param(["--profile", "plain"], {"downsample": 2, "profile": "plain"}, id="profile"),
    pytest.param(["--no-scale-bar"], {"downsample": 2}, id="scale bar"),
    pytest.param(["--scale-bar-um", "5"], {"scale_bar": {"enabled": True, "length_um": 5}, "downsample": 2}, id="bar"),
]


@pytest.mark.parametrize(("words", "expected"), OVER)
def test_options_go_over_a_plan_file(shell, data, tmp_path, words, expected):
    (tmp_path / "plan.toml").write_text(PLAN.format("out"))
    code, _, err = shell(
        data, "--plan", tmp_path / "plan.toml", *words, "--save-plan", tmp_path / "made.json", "--dry-run"
    )
    assert (code, err) == (0, "")
    made = ExportPlan.read(tmp_path / "made.json")
    wanted = {"select": [{"kind": "map", "ids": ["7"]}], "output_folder": "out", **expected}
    assert made == ExportPlan.model_validate(wanted)


def test_other_items_take_the_place_of_the_plans(shell, data, tmp_path):
    (tmp_path / "plan.toml").write_text(PLAN.format((tmp_path / "out").as_posix()))
    assert shell(data, "--plan", tmp_path / "plan.toml", "--fovs", "a")[0] == 0
    assert set(bytes_of(tmp_path / "out")) == {"a.png"}


# --- dry runs and JSON ----------------------------------------------------------------------------------------
def test_a_dry_run_writes_nothing(shell, data, tmp_path):
    before = sorted(path for path in data.rglob("*"))
    code, out, err = shell(data, "--maps", "all", "--cells", "a", "--dry-run", "-o", tmp_path / "out")
    assert code == 0
    assert f"would write {tmp_path / 'out' / 'map_7.png'}  (map:map_7, up to " in out
    assert out.count("would write") == 5
    assert "left out: slice 09 is excluded" in err
    assert not (tmp_path / "out").exists()
    assert sorted(path for path in data.rglob("*")) == before


def test_a_dry_run_as_json(shell, data, tmp_path):
    code, out, err = shell(data, "--maps", "all", "--downsample", "2", "--dry-run", "--json", "-o", tmp_path / "out")
    assert (code, err) == (0, "")
    told = json.loads(out)
    assert told["items"][0] == {
        "item_id": "map:map_7",
        "output": str(tmp_path / "out" / "map_7.png"),
        "bytes_at_most": 4 * 38 * 16,
        "skipped": False,
    }
    assert "slice 09 is excluded" in told["left_out"][0]
    assert not (tmp_path / "out").exists()


def test_a_dry_run_of_an_image_that_cannot_be_read(shell, own, tmp_path):
    (own / "e" / "CD3.tif").write_bytes(b"broken")
    (own / "e" / "DAPI.tif").write_bytes(b"broken")
    code, out, _ = shell(own, "--fovs", "a,e", "--dry-run", "-o", tmp_path / "out")
    assert code == 0
    assert "(fov:e, size unknown: its image cannot be read)" in out


def test_results_as_json(shell, data, tmp_path):
    code, out, _ = shell(data, "--maps", "7,8", "--json", "-o", tmp_path / "out")
    told = json.loads(out)
    assert code == 1
    assert told["counts"] == {"ok": 1, "failed": 1, "skipped": 0, "cancelled": 0}
    first, second = told["results"]
    assert (first["item_id"], first["ok"], first["error"]) == ("map:map_7", True, "")
    assert first["bytes"] == (tmp_path / "out" / "map_7.png").stat().st_size
    assert not second["ok"]
    assert "FOV gone" in second["error"]


# --- exit codes and messages ----------------------------------------------------------------------------------
def test_some_failed_is_1_and_they_are_listed(shell, data, tmp_path):
    code, out, err = shell(data, "--maps", "8,7", "-o", tmp_path)
    assert code == 1
    assert "failed map:map_8: FOV gone: map 8 names it" in err
    assert f"wrote {tmp_path / 'map_7.png'}" in out
    assert "1 written, 1 failed" in out
    assert "Traceback" not in out + err


WRONG = [
    pytest.param(["--fovs", "x"], "unknown FOV 'x' (there is a, b, c, d, e)", id="FOV"),
    pytest.param(["--maps", "7.0"], "unknown map '7.0' (there is 7, 8, 9)", id="map"),
    pytest.param(["--rois", "x"], "unknown ROI 'x' (there is Edge, Edge, core", id="ROI"),
    pytest.param(["--tags", "x"], "no ROI fits the choice; the dataset has 7 ROIs", id="tag"),
    pytest.param(["--cells", "a:99"], "FOV a has no cell 99 in the cell table", id="cell"),
    pytest.param(["--cell-query", "area"], "query 'area': expected comparisons", id="query"),
    pytest.param(
        ["--fovs", "a", "--profile", "x"], "unknown profile 'x' (there is tissue, plain, absent)", id="profile"
    ),
    pytest.param(["--fovs", "a", "--profile", "absent"], "unknown channel 'CD4' (there is CD3, DAPI)", id="channel"),
    pytest.param(["--fovs", "a", "--format", "bmp"], "unknown format 'bmp' (there is png, jpg", id="format"),
    pytest.param(["--fovs", "a", "--masks", "x"], "unknown mask 'x' (there is cell)", id="mask"),
    pytest.param(["--fovs", "a", "--overwrite", "x"], "overwrite: Input should be 'refuse', 'overwrite'", id="policy"),
    pytest.param(["--rois", "core", "--clip", "x"], "clip: Input should be 'box', 'polygon' or 'upright'", id="clip"),
    pytest.param(["--fovs", "a", "--clip", "polygon"], "--clip goes with --rois or --tags", id="clip of FOVs"),
    pytest.param(
        ["--fovs", "a", "--cell-size", "9"], "--cell-size goes with --cells or --cell-query", id="size of no cells"
    ),
    pytest.param(["--fovs", "a", "--option", "x"], "--option x: expected name=value", id="option without value"),
    pytest.param(["--fovs", "a", "--option", "x=1"], "options of png: x: unknown key", id="unknown option"),
    pytest.param(["--fovs", "a", "--scale-bar-um", "long"], "'long' is not a length", id="length"),
    pytest.param(["--fovs", "a", "--target-pixel-size", "0.7"], "a: 0.7 µm/px is no whole multiple", id="target size"),
    pytest.param(
        ["--fovs", "a", "--downsample", "2", "--target-pixel-size", "1"],
        "not both",
        id="two scales on the command line",
    ),
    pytest.param([], "nothing was chosen; use --fovs, --rois, --maps, --cells", id="nothing"),
    pytest.param(["--fovs", " , "], "say which, by ids", id="no name in the names"),
    pytest.param(["--maps", "9"], "nothing to export: slice 09 is excluded", id="all excluded"),
    pytest.param(["--plan", "no/such.toml"], "no/such.toml", id="no such plan"),
    pytest.param(["--plan", "plan.yaml"], "plan.yaml: a plan is a .toml or .json file", id="plan of another kind"),
    pytest.param(
        ["--fovs", "a", "--save-plan", "p.yaml"], "p.yaml: a plan is a .toml or .json file", id="plan to save"
    ),
]


@pytest.mark.parametrize(("words", "message"), WRONG)
def test_wrong_requests_are_2_and_one_clear_line(shell, data, tmp_path, monkeypatch, words, message):
    monkeypatch.chdir(tmp_path)
    code, out, err = shell(data, *words, "-o", tmp_path / "out")
    assert code == 2
    assert message in err
    assert [line.startswith("slicemap: ") for line in err.splitlines()] == [True]
    assert out == ""
    assert not list(tmp_path.iterdir())


def test_every_fault_has_its_line(shell, data, tmp_path):
    code, _, err = shell(data, "--fovs", "x,y", "--profile", "z", "--format", "bmp", "-o", tmp_path / "out")
    assert code == 2
    assert len(err.splitlines()) == 4
    assert all(line.startswith("slicemap: unknown ") for line in err.splitlines())


def test_files_that_are_there_are_refused_and_kept(shell, data, tmp_path):
    (tmp_path / "a.png").write_text("mine")
    code, _, err = shell(data, "--fovs", "a", "-o", tmp_path)
    assert code == 2
    assert "already holds a.png" in err
    assert (tmp_path / "a.png").read_text() == "mine"
    assert shell(data, "--fovs", "a", "-o", tmp_path, "--overwrite", "rename")[0] == 0
    assert (tmp_path / "a_2.png").is_file()


BROKEN = [
    pytest.param("profiles.json", '{"profiles": {', "profiles.json: line 1", id="profiles that are no JSON"),
    pytest.param("profiles.json", '{"profile": {}}', "profiles.json: profile: unknown key", id="profiles: unknown key"),
    pytest.param("rois.csv", "roi_id;name\n", "rois.csv, line 1: no column", id="ROIs with semicolons"),
    pytest.param("rois.csv", "\xff", "rois.csv: line 1: not UTF-8", id="ROIs that are no text"),
    pytest.param("cells.csv", "fov,label\n", "cells.csv: no column", id="cells without a column"),
    pytest.param("cells.csv", "fov,label,X,Y\na,one,1,1\n", "cells.csv, line 2: label is 'one'", id="cells"),
    pytest.param("cells.csv", "", "cells.csv", id="an empty cell table"),
    pytest.param("slice_config.csv", "slice_id,use\n07,maybe\n", "slice_config.csv", id="slice table"),
    pytest.param("slicemap.toml", "version = \n", "slicemap.toml", id="a project file that is no TOML"),
    pytest.param("slicemap.toml", "colour = 1\n", "slicemap.toml: colour: unknown key", id="project: unknown key"),
]


@pytest.mark.parametrize(("name", "content", "message"), BROKEN)
def test_broken_files_of_the_dataset_are_2_and_one_clear_line(shell, own, tmp_path, name, content, message):
    (own / name).write_bytes(content.encode("latin-1"))
    code, out, err = shell(own, "--fovs", "a", "--cells", "a", "-o", tmp_path / "out")
    assert code == 2
    assert message in err
    assert len(err.splitlines()) == 1
    assert out == ""
    assert not (tmp_path / "out").exists()


PLACES = [
    pytest.param("no-such-folder", "no-such-folder: there is no such file or folder", id="no such folder"),
    pytest.param("empty", "empty: no acquisition recognised here", id="an empty folder"),
    pytest.param("note.txt", "note.txt: no acquisition recognised here", id="not an acquisition"),
]


@pytest.mark.parametrize(("name", "message"), PLACES)
def test_places_that_hold_nothing(shell, tmp_path, name, message):
    (tmp_path / "empty").mkdir()
    (tmp_path / "note.txt").write_text("hello")
    code, _, err = shell(tmp_path / name, "--fovs", "all")
    assert code == 2
    assert message in err
    assert len(err.splitlines()) == 1


def test_an_output_folder_that_is_a_file(shell, data, tmp_path):
    (tmp_path / "out").write_text("x")
    code, _, err = shell(data, "--fovs", "a", "-o", tmp_path / "out")
    assert code == 2
    assert "out is a file; the output folder cannot be made there" in err


def test_an_roi_on_nothing_is_told_by_name(shell, own, tmp_path):
    write_rois(own / "rois.csv", [*ROIS, ("x", "lost", "nan", "", "rectangle", (1, 2, 1, 2), "", "")])
    for names in ("lost", "all"):
        code, _, err = shell(own, "--rois", names, "-o", tmp_path / "out")
        assert code == 2
        assert "ROI lost names neither a FOV nor a map; it cannot be exported" in err


def test_typers_own_refusals_are_2_too(shell, data):
    for words in (["--no-such-option"], ["--downsample", "0"], ["--downsample", "two"]):
        code, _, err = shell(data, "--fovs", "a", *words)
        assert code == 2
        assert "Traceback" not in err

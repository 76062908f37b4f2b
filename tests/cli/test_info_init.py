"""``slicemap info`` and ``slicemap init``: what they say, and how they say what is wrong."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from builders import descriptor_entry, fov_folders, steinbock, tile_table, write_csv, write_descriptor
from napari_slicemap import open_dataset


def test_info_in_json(slicemap: Any, tmp_path: Path) -> None:
    root = fov_folders(tmp_path / "block")
    code, out, err = slicemap("info", root, "--json")
    assert (code, err) == (0, "")
    facts = json.loads(out)
    assert facts["counts"] == {"slices": 1, "maps": 1, "fovs": 2, "channels": 2, "rois": 0, "cells": 4}
    assert facts["slices"] == [{"id": "S1", "used": True, "why_excluded": ""}]
    assert facts["fovs"] == ["a1", "a2"]
    assert facts["channels"] == ["CD3", "DAPI"]
    assert (facts["dtype"], facts["pixel_size_um"], facts["stage_y"]) == ("uint16", 0.5, "down")
    assert facts["masks"] == ["cell"]
    assert facts["cell_table"] == (root / "cells.csv").as_posix()
    assert facts["cell_columns"] == ["fov", "label", "x", "y"]
    assert facts["problems"] == []
    (one,) = facts["maps"]
    assert (one["id"], one["width_px"], one["height_px"], one["pixel_size_um"]) == ("S1", 48, 20, 0.5)
    assert (one["fovs"], one["missing_fovs"]) == (["a1", "a2"], [])
    assert one["bounds_um"] == [94, 118, 45, 55]


def test_info_in_text(slicemap: Any, tmp_path: Path) -> None:
    fov_folders(tmp_path / "block", ("a1", "a2", "lonely"))
    write_descriptor(
        tmp_path / "block" / "maps" / "S1.json",
        [descriptor_entry(n, (k * 12, 0)) for k, n in enumerate(("a1", "gone"))],
    )
    code, out, err = slicemap("info", tmp_path / "block")
    assert (code, err) == (0, "")
    for said in (
        "block  (fov-folders:",
        "S1           2 FOVs, 48 × 20 px, not on disk: gone",
        "2 on no map: a2, lonely",
    ):
        assert said in out


def test_info_of_real_steinbock_data(slicemap: Any, real_data: Path) -> None:
    code, out, _ = slicemap("info", real_data / "imc" / "steinbock", "--json")
    facts = json.loads(out)
    assert code == 0
    assert (facts["counts"]["fovs"], facts["counts"]["maps"], facts["counts"]["cells"]) == (15, 5, 404)
    assert facts["channels"] == ["Ag107", "Cytokeratin 5", "Laminin", "YBX1", "H3K27Ac"]
    assert facts["pixel_size_um"] == 1.0
    assert facts["masks"] == ["deepcell", "ilastik"]


def test_info_names_a_tile_that_cannot_be_read_and_goes_on(slicemap: Any, tmp_path: Path) -> None:
    fov_folders(tmp_path, maps=False)
    (tmp_path / "a1" / "CD3.tiff").write_text("not an image")
    code, out, err = slicemap("info", tmp_path, "--json")
    facts = json.loads(out)
    assert (code, err, facts["dtype"]) == (0, "", "uint16")
    (problem,) = facts["problems"]
    assert problem.startswith("FOV a1: ")
    assert "CD3.tiff: cannot be read as a TIFF image" in problem


def test_info_says_that_pixel_sizes_differ_or_are_unknown(slicemap: Any, tmp_path: Path) -> None:
    fov_folders(tmp_path)
    entries = [
        descriptor_entry(n, (k * 50, 0), fovSizeMicrons=um) for k, (n, um) in enumerate((("a1", 12), ("a2", 24)))
    ]
    write_descriptor(tmp_path / "maps" / "S1.json", entries)
    assert json.loads(slicemap("info", tmp_path, "--json")[1])["pixel_size_um"] == [0.5, 1.0]
    assert "(they differ)" in slicemap("info", tmp_path)[1]
    shutil.rmtree(tmp_path / "maps")
    assert json.loads(slicemap("info", tmp_path, "--json")[1])["pixel_size_um"] is None
    told = [line for line in slicemap("info", tmp_path)[1].splitlines() if "pixel size" in line]
    assert told == [
        "  pixel size  unknown",
        "? pixel size is not stated: lengths are in px, and there is no scale bar; --pixel-size 390nm states it",
    ]


def test_quotients_that_differ_in_their_last_digit_are_one_pixel_size(slicemap: Any, tmp_path: Path) -> None:
    fov_folders(tmp_path)
    sizes = (("a1", 24, 24 * 0.39), ("a2", 23, 23 * 0.39))
    assert 24 * 0.39 / 24 != 23 * 0.39 / 23  # or the test would show nothing
    entries = [
        descriptor_entry(n, (k * 50, 0), frameSizePixels={"width": w, "height": 20}, fovSizeMicrons=um)
        for k, (n, w, um) in enumerate(sizes)
    ]
    write_descriptor(tmp_path / "maps" / "S1.json", entries)
    assert json.loads(slicemap("info", tmp_path, "--json")[1])["pixel_size_um"] == 0.39


# --- init ----------------------------------------------------------------------------------------------------
def test_init_then_info(slicemap: Any, tmp_path: Path) -> None:
    fov_folders(tmp_path / "data", maps=False)
    arguments = ("-o", tmp_path / "home", "--name", "mine", "--stage-y", "up", "--pixel-size", "390nm")
    code, out, err = slicemap("init", tmp_path / "data", *arguments)
    assert (code, err) == (0, "")
    assert out.splitlines() == [f"wrote {tmp_path / 'home' / name}" for name in ("slicemap.toml", "profiles.json")]
    facts = json.loads(slicemap("info", tmp_path / "home", "--json")[1])
    assert (facts["name"], facts["stage_y"], facts["pixel_size_um"], facts["profiles"]) == (
        "mine",
        "up",
        0.39,
        ["auto"],
    )


def test_init_twice(slicemap: Any, tmp_path: Path) -> None:
    fov_folders(tmp_path)
    assert slicemap("init", tmp_path)[0] == 0
    code, out, err = slicemap("init", tmp_path)
    assert (code, out) == (2, "")
    assert err == f"slicemap: {tmp_path / 'slicemap.toml'} is there already; --force replaces it\n"
    assert slicemap("init", tmp_path, "--force", "--name", "new")[0] == 0
    assert open_dataset(tmp_path).name == "new"


# --- bad input -----------------------------------------------------------------------------------------------
def _text(name: str, text: str) -> Callable[[Path], None]:
    def write(root: Path) -> None:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)

    return write


def _table(text: str) -> Callable[[Path], None]:
    def write(root: Path) -> None:
        tile_table(root)
        (root / "tiles.csv").write_text(text)

    return write


def _doubled_map(root: Path) -> None:
    write_descriptor(root / "maps" / "S2.json", [descriptor_entry("a1", (0, 0))])


def _no_image(root: Path) -> None:
    for file in root.glob("a*/*.tiff"):
        file.write_text("not an image")


def _broken_panel(root: Path) -> None:
    steinbock(root)
    write_csv(root / "panel.csv", ("channel", "name", "keep"), [("M", "A", 0)])


# what is done to a good folder of FOVs, what is opened in it, what must be said
BAD = [
    pytest.param(None, "gone", "gone: there is no such file or folder", id="no such folder"),
    pytest.param(
        _text("e/readme.md", "x"),
        "e",
        "e: no acquisition recognised here; looked for were tiles-csv, ",
        id="nothing known",
    ),
    pytest.param(
        _text("a.tif", "not an image"), "a.tif", "a.tif: cannot be read as a TIFF image", id="text called .tif"
    ),
    pytest.param(_no_image, ".", "DAPI.tiff: cannot be read as a TIFF image|CD3.tiff: cannot", id="no image opens"),
    pytest.param(_text("slicemap.toml", "versio = 1"), ".", "slicemap.toml: versio: unknown key (known:", id="key"),
    pytest.param(_text("slicemap.toml", "version = "), ".", "slicemap.toml: Invalid value", id="broken TOML"),
    pytest.param(_text("slicemap.toml", "data = 'x'"), ".", "x: there is no such file or folder", id="no data"),
    pytest.param(_text("slicemap.toml", "layout = 'x'"), ".", "unknown layout 'x' (there is tiles-csv", id="layout"),
    pytest.param(_text("slicemap.toml", "pixel_size_um = '5,5 um'"), ".", "'5,5 um' is not a length", id="length"),
    pytest.param(_text("profiles.json", '{"version": 1,'), ".", "profiles.json: line 1, column", id="broken JSON"),
    pytest.param(
        _text("profiles.json", '{"profils": {}}'), ".", "profils: unknown key (known: version,", id="JSON key"
    ),
    pytest.param(
        _text(
            "profiles.json", '{"profiles": {"p": {"channels": {"c": {"colour": "red", "contrast_limits": [0, 1]}}}}}'
        ),
        ".",
        "profiles.p.channels.c.colour: unknown key (known: color, contrast_limits, gamma, visible)",
        id="JSON key, deep",
    ),
    pytest.param(_text("rois.csv", "roi_id,name\n1,2\n"), ".", "rois.csv, line 1: no column fov", id="ROI columns"),
    pytest.param(_text("rois.csv", ""), ".", "rois.csv: the file is empty", id="ROI table empty"),
    pytest.param(
        _text("cells.csv", "fov,label,X,Y\na,1,2\n"), ".", "cells.csv, line 2: 3 cells, expected 4", id="cells"
    ),
    pytest.param(_text("slice_config.csv", "a,b\n1,2\n"), ".", "slice_config.csv", id="slice table"),
    pytest.param(_doubled_map, ".", "slide S1 is named twice, in", id="slide twice"),
    pytest.param(_table("path,map_id,x_px,y_px\nt1.tif,m,left,0\n"), ".", "line 2: x_px is 'left'", id="broken row"),
    pytest.param(_table("path,map_id,x_px,y_px\nt1.tif,m,0\n"), ".", "line 2: 3 cells, expected 4", id="short row"),
    pytest.param(_table("path;map_id;x_px;y_px\n"), ".", "tiles.csv, line 1: no column path", id="semicolons"),
    pytest.param(_table("path,map_id,x_um,y_um\nt1.tif,m,0,0\n"), ".", "line 2: no pixel_size_um", id="no pixel size"),
    pytest.param(_broken_panel, ".", "panel.csv: the panel keeps no channel", id="panel"),
]


@pytest.mark.parametrize(("break_it", "path", "said"), BAD)
@pytest.mark.parametrize("json", [False, True], ids=["text", "json"])
def test_bad_input_ends_in_one_line_and_exit_code_2(
    slicemap: Any, tmp_path: Path, break_it: Callable[[Path], None] | None, path: str, said: str, json: bool
) -> None:
    fov_folders(tmp_path)
    if break_it is not None:
        break_it(tmp_path)
    code, out, err = slicemap("info", tmp_path / path, *(["--json"] if json else []))
    assert (code, out) == (2, "")
    assert err.startswith("slicemap: ")
    assert err.count("\n") == 1
    assert err.endswith("\n")
    assert any(one in err for one in said.split("|")), err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        pytest.param(["--stage-y", "left"], "stage_y: Input should be 'down' or 'up'", id="stage y"),
        pytest.param(["--pixel-size", "wide"], "pixel_size_um: 'wide' is not a length", id="pixel size"),
        pytest.param(["--pixel-size", "0"], "pixel_size_um: Input should be greater than 0", id="pixel size 0"),
        pytest.param(["-o", "a1/DAPI.tiff"], "choose another --project-folder", id="project folder is a file"),
    ],
)
def test_bad_wishes_of_init(
    slicemap: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], said: str
) -> None:
    fov_folders(tmp_path)
    monkeypatch.chdir(tmp_path)
    before = sorted(tmp_path.rglob("*"))
    code, out, err = slicemap("init", ".", *arguments)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert said in err
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize("arguments", [["info"], ["info", "--jsn", "x"], ["inof", "x"]], ids=" ".join)
def test_wrong_usage(slicemap: Any, arguments: list[str]) -> None:
    code, out, err = slicemap(*arguments)
    assert code == 2
    assert "Traceback" not in err
    assert "Usage:" in err + out


def test_the_command_as_a_process(tmp_path: Path) -> None:
    """As installed: the same line, the same code, and nothing else on the terminal."""
    done = subprocess.run(
        [sys.executable, "-c", "from napari_slicemap.cli import main; main()", "info", str(tmp_path / "gone")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == f"slicemap: {tmp_path / 'gone'}: there is no such file or folder\n"

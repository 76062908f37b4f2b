"""Fixed raw tiles: every pixel, every file, and what comes back."""

from __future__ import annotations

import json

import numpy as np
import pytest
from fixing_cases import EXTRA, hashes, plan_of, same_bytes, times, write_raw

from napari_slicemap.errors import PlanError, TileReadError
from napari_slicemap.slices.galvo.fixing import plan_undo, run_fix, run_undo

LINES, DEPTH = 12, 3


def read(folder) -> np.ndarray:
    parts = [np.fromfile(path, "<f4") for path in sorted(folder.glob("image_*.bin"))]
    return np.concatenate(parts).reshape((DEPTH, LINES, -1), order="F")


@pytest.mark.parametrize("home", ["", "z03"], ids=["in the folder", "in a folder of the slice"])
@pytest.mark.parametrize("frames", [[7], [3, 1, 4]], ids=["one file", "several files"])
def test_raw_tiles_are_rolled_and_come_back(tmp_path, monkeypatch, frames, home):
    monkeypatch.setattr("napari_slicemap.slices.galvo.fixing.raw._BLOCK_BYTES", 2 * LINES * DEPTH * 4 + 5)
    source = tmp_path / "raw"
    names = ["tile_x00_y00_z03", "tile_x01_y00_z03"]
    volumes = {name: write_raw(source / home / name, frames, LINES, DEPTH, n) for n, name in enumerate(names)}
    before, changed = hashes(source), times(source)
    report = run_fix(plan_of(source, n_extra=None), tmp_path / "fixed")
    assert [(one.slice_id, one.path, one.outcome) for one in report.done] == [
        ("03", tmp_path / "fixed" / home, "written")
    ]
    for name, volume in volumes.items():
        fixed = tmp_path / "fixed" / home / name
        same_bytes(read(fixed), np.roll(volume, 5, axis=1))
        assert json.loads((fixed / "galvo_fix.json").read_text()) == {"version": 1, "shift": 5, "n_extra": EXTRA}
        others = {key: value for key, value in hashes(source / home / name).items() if not key.startswith("image_0")}
        assert others.items() <= hashes(fixed).items()
    run_undo(plan_undo(tmp_path / "fixed"), tmp_path / "undone")
    assert hashes(tmp_path / "undone") == before
    assert (hashes(source), times(source)) == (before, changed)


def test_tiles_of_which_only_some_are_fixed_are_not_undone(tmp_path):
    source = tmp_path / "raw"
    for name in ("tile_x00_y00_z03", "tile_x01_y00_z03"):
        write_raw(source / name, [2])
    run_fix(plan_of(source, n_extra=None), tmp_path / "fixed")
    (tmp_path / "fixed" / "tile_x01_y00_z03" / "galvo_fix.json").unlink()
    with pytest.raises(PlanError, match="tile_x01_y00_z03 has no record of a fix, and others of its tiles have"):
        plan_undo(tmp_path / "fixed")


def test_a_file_that_was_cut_short_is_named(tmp_path):
    write_raw(tmp_path / "raw" / "tile_x00_y00_z03", [2, 2])
    plan = plan_of(tmp_path / "raw", n_extra=None)
    file = tmp_path / "raw" / "tile_x00_y00_z03" / "image_00001.bin"
    file.write_bytes(file.read_bytes()[:-4])
    with pytest.raises(TileReadError, match=r"image_00001.bin has 284 bytes, expected whole B-scans"):
        run_fix(plan, tmp_path / "fixed")


def test_raw_tiles_and_mosaics_in_one_folder_are_not_told_apart(tmp_path):
    write_raw(tmp_path / "tile_x00_y00_z03", [2])
    (tmp_path / "mosaic_z03.ome.zarr").mkdir()
    with pytest.raises(PlanError, match=r"it holds raw tiles and mosaics \(mosaic_z03.ome.zarr\); keep them apart"):
        plan_undo(tmp_path)

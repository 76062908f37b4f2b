"""The tutorial, played by hand on a real window; after each step files and pixels are checked by other readers."""

from __future__ import annotations

import csv
import json
import math
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from qtpy.QtWidgets import QApplication
from tutorial import steps
from tutorial.hand import Hand

from napari_slicemap import ExportPlan, open_dataset, run_export
from napari_slicemap.sample import cached_sample

ROOT = Path(__file__).parents[2]
UM = 0.65
N_Z, N_LINES, N_FRAMES, SHIFT = 6, 60, 48, 28
"""The sample's raw tiles: depths, A-lines, B-scans, and the roll that brings the mirror's return to the end."""
GREY, VEIL = 128, 0.7
"""The veil over excluded slices: its grey, and its share."""


def rows(path):
    with path.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def screen(hand):
    """Give what the canvas shows: (height, width, 3) and 0 to 255, as whole numbers."""
    hand.settle()
    return hand.viewer.screenshot(canvas_only=True, flash=False)[..., :3].astype(int)


def fovs_of(folder, map_id):
    """Read corner and size of the tiles of a map, µm, from its file."""
    said = json.loads((folder / "maps" / f"{map_id}.json").read_text(encoding="utf-8"))["fovs"]
    sizes = {one["name"]: one["fovSizeMicrons"] for one in said}
    centres = {one["name"]: np.array([one["centerPointMicrons"][axis] for axis in "xy"]) for one in said}
    return {name: (centre - sizes[name] / 2, sizes[name]) for name, centre in centres.items()}


def corner_of(folder, map_id):
    """Give x and y of the corner of a map, stage µm."""
    return np.min([corner for corner, _ in fovs_of(folder, map_id).values()], axis=0)


def seen_of(hand, region):
    """Give the screen's colours at the middles of the px of the map that is shown in a region, and where they are."""
    shown, pages, page = (
        screen(hand),
        hand.session.map_layer.pages,
        hand.session.map_layer.page(hand.session.page_number),
    )
    x0, y0, x1, y1 = region
    x, y = np.meshgrid(np.arange(x0, x1) + page.dx, np.arange(y0, y1) + page.dy)
    world = np.stack([x, y], axis=-1) * UM + np.array(pages.translate[:0:-1])
    columns, lines = np.moveaxis(np.floor(hand.screen_of(world)).astype(int), -1, 0)
    height, width, _ = shown.shape
    there = (columns >= 0) & (columns < width) & (lines >= 0) & (lines < height)
    return shown[lines.clip(0, height - 1), columns.clip(0, width - 1)], there


def rendered(folder, map_id, region):
    """Render a region of a map by the profile that the sample begins with."""
    dataset = open_dataset(folder)
    x0, y0, x1, y1 = region
    whole = dataset.maps[map_id].render_region(None, dataset.profiles["tissue"].channels)
    return whole[y0:y1, x0:x1].astype(int)


class Looks(dict):
    """What is looked at where a picture of the docs would be taken, by the picture's name."""

    def __init__(self):
        self.viewer = None

    def __call__(self, _caption, picture):
        if picture == "look":
            # the fixture keeps the thread from running that asks this
            self[picture] = self.viewer._calc_status_from_cursor()[0]["coordinates"]
        elif picture == "exclude":
            typed = QApplication.focusWidget()
            self[picture] = (typed.text(), typed.width() - typed.fontMetrics().horizontalAdvance(typed.text()))
        elif picture == "galvo":
            panels = self.viewer.window.dock_widgets["Galvo inspector (napari-slicemap)"].panels
            self[picture] = (panels.heading.text(), panels.shift.value(), panels.bars.isVisible())


@pytest.fixture
def looks():
    return Looks()


@pytest.fixture
def hand(make_napari_viewer, looks, tmp_path, monkeypatch):
    """A hand on the window of somebody who has never used the program."""
    looks.viewer = make_napari_viewer(show=True)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("LOGNAME", "mara")
    monkeypatch.setattr("platformdirs.user_cache_path", lambda name, **_: tmp_path / "cache" / name)
    made = Hand(looks.viewer, looks)
    made.sit_down()
    return made


def test_the_tutorial_step_by_step(hand, looks, tmp_path):
    opened = steps.Opened()
    try:
        for step in steps.STEPS:
            step(hand)
            CHECKS[step](hand, cached_sample(), looks=looks, home=tmp_path, opened=opened.paths)
    finally:
        opened.leave()


# --- checks -------------------------------------------------------------------------------------------------------
def check_opened(hand, folder, *, home, **_):
    assert folder.is_relative_to(home)
    for made in ("slice_config.csv", "rois.csv", "raw_tiles/tile_x00_y00_z03/image_00000.bin"):
        assert (folder / made).read_bytes() == (ROOT / "sample_data" / made).read_bytes()
    names = [layer.name for layer in hand.viewer.layers]
    assert names == ["DAPI", "CD45", "CD3", "cell (mask)", "excluded slices", "ROIs"]
    assert screen(hand).max() > 200


def check_docks(hand, folder, **_):
    docks = ("Slice config", "ROI drawing", "Galvo inspector", "Batch export")
    assert [name for name in docks if not hand.dock(name).visibleRegion().isEmpty()] == ["Slice config"]
    tabs = hand.tabs()
    assert [tabs.tabText(number) for number in range(tabs.count())] == list(docks)
    tiles = fovs_of(folder, "01").values()
    ends = np.array([edge for corner, size in tiles for edge in (corner, corner + size)])
    height, width, _ = screen(hand).shape
    places = hand.screen_of(ends)
    assert (places >= 0).all()
    assert (places <= (width, height)).all()


def check_closeup(hand, folder, *, looks, **_):
    """The composite is the export of the same region, to the bit; the status bar says what the tile's file has."""
    region = (150, 8, 244, 60)  # clear of ROIs and their names
    seen, there = seen_of(hand, region)
    assert there.mean() > 0.9
    np.testing.assert_array_equal(seen[there], rendered(folder, "01", region)[there])
    assert seen[there].std() > 20
    said = re.fullmatch(
        r"slice 01 · FOV s01_r0c1 · x ([\d.]+) y ([\d.]+) µm · DAPI (\d+)  CD45 \d+  CD3 \d+", looks["look"]
    )
    at = np.array([float(said[1]), float(said[2])])
    np.testing.assert_allclose(at, corner_of(folder, "01") + UM * np.array(steps.LOOK_PX), atol=2 * UM)
    column, row = np.floor((at - fovs_of(folder, "01")["s01_r0c1"][0]) / UM).astype(int)
    with Image.open(folder / "s01_r0c1" / "DAPI.tif") as tile:
        around = np.asarray(tile)[row - 1 : row + 2, column - 1 : column + 2]
    assert int(said[3]) in around


def check_left(hand, folder, **_):
    assert hand.session.display == "channels"
    region = (100, 10, 230, 60)
    seen, there = seen_of(hand, region)
    assert there.all()
    assert np.abs(seen - rendered(folder, "01", region)).max() <= 1  # each channel is rounded by itself


def check_excluded(hand, folder, *, looks, **_):
    text, room = looks["exclude"]
    assert (text, room > 0) == (steps.NOTE, True)
    assert [row["use"] for row in rows(folder / "slice_config.csv")] == [
        "false",
        "true",
        "false",
        "true",
        "true",
        "true",
    ]
    assert rows(folder / "slice_config.csv")[2]["notes"] == steps.NOTE
    trail = [(row["slice_id"], row["column"], row["old"], row["new"], row["by"]) for row in audit(folder)]
    assert trail == [("02", "use", "true", "false", "mara"), ("02", "notes", "", steps.NOTE, "mara")]
    region = (40, 60, 320, 220)
    seen, there = seen_of(hand, region)
    assert there.all()
    veiled = (1 - VEIL) * rendered(folder, "02", region) + VEIL * GREY
    assert np.abs(seen - veiled).max() <= 3


def audit(folder):
    return rows(folder / "slice_config.audit.csv")


def check_judged(hand, folder, *, looks, **_):
    assert looks["galvo"] == ("Slice 03: not decided yet", SHIFT, True)
    decided = rows(folder / "slice_config.csv")[3]
    assert (decided["slice_id"], decided["galvo_fix"], decided["galvo_confidence"]) == ("03", "true", "1.000")
    trail = [(row["slice_id"], row["column"], row["new"], row["by"]) for row in audit(folder)[2:]]
    assert trail == [("03", "galvo_confidence", "1.000", "mara"), ("03", "galvo_fix", "true", "mara")]
    record = json.loads((folder / "diagnostics" / "slice_03.json").read_text(encoding="utf-8"))["galvo"]
    assert (record["shift"], record["decided_by"]) == (SHIFT, "mara")
    assert hand.dock("Galvo inspector").panels.heading.text() == f"Slice 03: fix by {SHIFT} A-lines, says a reviewer"
    assert not (folder / "fixed").exists()


def check_fixed(hand, folder, **_):
    raw = sorted((ROOT / "sample_data" / "raw_tiles").glob("*/*.bin"))
    assert len(raw) == 4
    for path in raw:
        tile = path.relative_to(ROOT / "sample_data" / "raw_tiles")
        before = np.fromfile(path, "<f4").reshape(N_FRAMES, N_LINES, N_Z)
        assert (folder / "fixed" / tile).read_bytes() == np.roll(before, SHIFT, axis=1).tobytes()
        assert (folder / "raw_tiles" / tile).read_bytes() == path.read_bytes()


def check_drawn(hand, folder, **_):
    made = rows(folder / "rois.csv")[3]
    assert (made["name"], made["map_id"], made["fov"], made["kind"]) == ("ROI_004", "01", "", "rectangle")
    corners = np.array([[made["x_min"], made["y_min"]], [made["x_max"], made["y_max"]]], float)
    wanted = corner_of(folder, "01") + UM * np.array(steps.ROI_PX).reshape(2, 2)
    np.testing.assert_allclose(corner_of(folder, "01") + UM * corners, wanted, atol=1.5 * UM)
    covered = {
        name
        for name, (corner, size) in fovs_of(folder, "01").items()
        if (corner < wanted[1]).all() and (corner + size > wanted[0]).all()
    }
    assert covered == {"s01_r1c1", "s01_r1c2"}
    assert hand.dock("ROI drawing").view.model().index(3, 1).data() == "ROI_004"


def check_planned(hand, folder, *, home, **_):
    assert "1 file" in hand.dock("Batch export").desk.message.text()
    assert not (home / "figures").exists()
    assert not (folder / "exports").exists()


def check_exported(hand, folder, *, home, opened, **_):
    path = home / "figures" / "map_01_roi_ROI_004.png"
    assert opened == [str(path)]
    dataset = open_dataset(folder)
    plan = ExportPlan(
        profile="tissue",
        select=[{"kind": "map-roi", "ids": ["ROI_004"]}],
        overlays={"masks": ["cell"]},
        scale_bar={"enabled": True},
        output_folder=str(home / "from Python"),
    )
    assert run_export(plan, dataset).counts["ok"] == 1
    assert (home / "from Python" / path.name).read_bytes() == path.read_bytes()
    record = json.loads(path.with_name(f"{path.name}.provenance.json").read_text(encoding="utf-8"))
    made = rows(folder / "rois.csv")[3]
    x_min, x_max, y_min, y_max = (float(made[name]) for name in ("x_min", "x_max", "y_min", "y_max"))
    (x, y), um = corner_of(folder, "01"), record["region"]["stage_um"]
    np.testing.assert_allclose(um, [x + UM * x_min, x + UM * x_max, y + UM * y_min, y + UM * y_max], atol=0.02)
    region = (math.floor(x_min), math.floor(y_min), math.ceil(x_max), math.ceil(y_max))
    check_drawn_over(path, rendered(folder, "01", region))


def check_drawn_over(path, plain):
    """A picture is the map, save for white outlines and the scale bar, whose edges are dark."""
    with Image.open(path) as picture:
        assert picture.mode == "RGB"
        found = np.asarray(picture).astype(int)
    assert found.shape == plain.shape
    other = (found != plain).any(axis=-1)
    assert 0.1 < other.mean() < 0.5
    assert (found[other] == 255).all(axis=-1).mean() > 0.9


def check_repeated(hand, folder, *, home, **_):
    assert "clipboard" in hand.dock("Batch export").desk.message.text()
    words = shlex.split(QApplication.clipboard().text())
    assert words[:3] == ["slicemap", "export", str(folder)]
    words[0] = str(Path(sys.executable).with_name("slicemap"))
    words[words.index("--output-folder") + 1] = "~/from the shell"
    done = subprocess.run(words, capture_output=True, text=True, check=False, env={**os.environ, "HOME": str(home)})
    assert done.returncode == 0, done.stderr
    name = "map_01_roi_ROI_004.png"
    assert (home / "from the shell" / name).read_bytes() == (home / "figures" / name).read_bytes()


CHECKS = dict(
    zip(
        steps.STEPS,
        (
            check_opened,
            check_docks,
            check_closeup,
            check_left,
            check_excluded,
            check_judged,
            check_fixed,
            check_drawn,
            check_planned,
            check_exported,
            check_repeated,
        ),
        strict=True,
    )
)

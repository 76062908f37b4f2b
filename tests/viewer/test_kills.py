"""A process that is killed loses nothing of what was edited in its viewer but, at most, the edit that it was making."""

from __future__ import annotations

import csv
import json
import os
import random
import shutil
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import pytest
from napari.components import ViewerModel

from napari_slicemap.rois.roi import roi_from_points
from napari_slicemap.slices.audit import read_trail
from napari_slicemap.slices.journal import read_journal
from napari_slicemap.slices.slice_config import cell_text
from napari_slicemap.viewer.docks.roi_drawing import RoiDrawingDock
from napari_slicemap.viewer.docks.slice_config import SliceConfigDock
from napari_slicemap.viewer.session import session_of

SCRIPT = Path(__file__).with_name("twenty_edits.py")
COUNT = 20


# --- what is on disk, read without our readers ------------------------------------------------------------------------
def rows_of(path):
    with path.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def cells_on_disk(folder):
    """Cells of the slice table that say something, with what the journal adds to them."""
    cells = {
        (row["slice_id"], name): text for row in rows_of(folder / "slice_config.csv") for name, text in row.items()
    }
    for journal in (folder / ".slicemap-cache" / "edits").glob("*.jsonl"):
        _, edits = read_journal(journal)
        for slice_id, own in edits.items():
            cells |= {(slice_id, column): cell_text(column, edit.value) for column, edit in own.items()}
    return {place: text for place, text in cells.items() if text}


def rois_on_disk(folder):
    """ROIs by name, map and shape: ids are other ones in each run."""
    rows = rows_of(folder / "rois.csv")
    return [{name: row[name] for name in ("name", "map_id", "x_min", "geometry", "comment")} for row in rows]


def decided_on_disk(folder):
    record = json.loads((folder / "diagnostics" / "slice_03.json").read_text("utf-8"))
    own = record["galvo"]
    return own["reviewer_shift"], own["decided_by"] == "detection"


def state_of(folder):
    """All that was decided; each part is written by itself."""
    return {
        "slices": cells_on_disk(folder),
        "rois": rois_on_disk(folder),
        "profiles": json.loads((folder / "profiles.json").read_text("utf-8")),
        "decided": decided_on_disk(folder),
    }


# --- a viewer that is killed ------------------------------------------------------------------------------------------
@contextmanager
def editing(folder):
    """A process with a viewer in it, that makes an edit for each line that it reads."""
    command = [sys.executable, str(SCRIPT), str(folder)]
    environment = os.environ | {"SLICEMAP_STATE": str(folder.parent / "state")}
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, env=environment) as process:
        try:
            expect(process, "open")
            yield process
        finally:
            process.kill()


def expect(process, said):
    line = process.stdout.readline().strip()
    assert line == said, f"{line!r} in place of {said!r}"


def ask(process):
    process.stdin.write("\n")
    process.stdin.flush()


@pytest.fixture(scope="module")
def states(detected_made, tmp_path_factory):
    """What is on disk before the edits, and after each."""
    folder = Path(shutil.copytree(detected_made, tmp_path_factory.mktemp("states") / "sample"))
    found = [state_of(folder)]
    with editing(folder) as process:
        for number in range(1, COUNT + 1):
            ask(process)
            expect(process, str(number))
            found.append(state_of(folder))
    return found


@pytest.fixture
def opened(qtbot):
    """Open an acquisition anew, with the docks that show what was edited."""
    kept = []

    def again(folder):
        model = ViewerModel()
        session = session_of(model)
        session.open(folder)
        docks = SliceConfigDock(model), RoiDrawingDock(model)
        for dock in docks:
            qtbot.addWidget(dock)
            dock.show()
        kept.append((model, *docks))
        return session, *docks

    yield again
    kept.clear()


def box(name):
    return roi_from_points([(10, 10), (30, 10), (30, 40), (10, 40)], "rectangle", name=name, map_id="01")


def check(states, folder, count, opened):
    """What `count` edits came to is all there, and is shown; of one more, each file has all or nothing."""
    found, after = state_of(folder), states[min(count + 1, COUNT)]
    for part, own in found.items():
        assert own in (states[count][part], after[part]), f"{part} after {count} edits"
    read_trail(folder / "slice_config.csv", "03")
    session, slices, rois = opened(folder)
    if slices.offer.isVisible():
        slices.offer.buttons[0].click()
    shown = {
        (one, name): cell_text(name, value) for one, row in session.edits.rows.items() for name, value in row.items()
    }
    assert {place: text for place, text in shown.items() if text} == found["slices"]
    assert [row.roi.name for row in rois.rows.rows] == [one["name"] for one in found["rois"]]
    assert session.dataset.profiles.names == list(found["profiles"]["profiles"])
    session.end()


def kill(acquisition, folder, count, wait_s):
    """Kill the process after so many edits, in the midst of the next one."""
    shutil.copytree(acquisition, folder)
    with editing(folder) as process:
        for number in range(1, count + 1):
            ask(process)
            expect(process, str(number))
        ask(process)
        time.sleep(wait_s)
        process.kill()
        process.wait()
    return folder


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.skipif(os.name != "posix", reason="there is no SIGKILL")
def test_a_viewer_that_is_killed_loses_at_most_the_last_edit(states, detected_made, tmp_path, opened):
    chance = random.Random(7)
    wanted = int(os.environ.get("SLICEMAP_KILLS", "3"))
    for count in sorted(chance.sample(range(1, COUNT + 1), min(wanted, COUNT))):
        folder = kill(detected_made, tmp_path / f"after {count}", count, chance.uniform(0, 0.04))
        check(states, folder, count, opened)


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_each_of_the_twenty_edits_is_on_disk_when_it_is_made(states):
    for number in range(1, COUNT + 1):
        assert states[number] != states[number - 1], f"edit {number}"
    assert states[6] == states[4], "undone"
    assert states[14]["rois"] == states[12]["rois"], "undone"
    last = states[COUNT]
    assert last["slices"] == states[0]["slices"] | {
        ("01", "notes"): "dim",
        ("02", "use"): "false",
        ("02", "notes"): "folded; dim",
        ("04", "use"): "false",
        ("04", "quality_score"): "0.250",
        ("04", "notes"): "looked at",
        ("05", "notes"): "dim; the last one",
    }
    assert [(one["name"], one["map_id"], one["comment"]) for one in last["rois"]] == [
        ("ROI_001", "01", "vessel, across two tiles"),
        ("ROI_002", "01", "follicle"),
        ("ROI_003", "", "border of follicle and T zone"),
        ("ROI_004", "02", "with, commas\nand lines"),
    ]
    assert last["profiles"]["profiles"]["bright"]["channels"]["CD3"]["contrast_limits"] == [200.0, 1800.0]
    assert last["decided"] == (7, False)


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_two_processes_edit_one_dataset_side_by_side(states, detected_made, tmp_path, opened):
    folder = Path(shutil.copytree(detected_made, tmp_path / "both"))
    mine, slices, _ = opened(folder)
    with editing(folder) as process:
        for number in range(1, COUNT + 1):
            ask(process)
            expect(process, str(number))
            if number % 5 == 0:
                mine.add_roi(box(f"mine {number}"))
                mine.edits.append_note(["00"], f"mine {number}")
                assert slices.editing.save() is None
        mine.save_profile("mine")
        found, alone = state_of(folder), states[COUNT]
    own = ("00", "notes")
    assert found["slices"] == alone["slices"] | {own: "calibration_slice; mine 5; mine 10; mine 15; mine 20"}
    assert [one for one in found["rois"] if not one["name"].startswith("mine")] == alone["rois"]
    assert sorted(one["name"] for one in found["rois"] if one["name"].startswith("mine")) == [
        "mine 10", "mine 15", "mine 20", "mine 5"]  # fmt: skip
    theirs = alone["profiles"]["profiles"]
    assert {name: one for name, one in found["profiles"]["profiles"].items() if name != "mine"} == theirs
    assert "mine" in found["profiles"]["profiles"]
    assert found["decided"] == alone["decided"]

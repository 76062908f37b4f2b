"""What was open is kept while it changes, and opens again as it was seen."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from napari.components import ViewerModel

from napari_slicemap.dataset import open_dataset
from napari_slicemap.viewer import commands, launch
from napari_slicemap.viewer.desk import DOCKS, docks_of, front_of, show_dock
from napari_slicemap.viewer.remembered import Remembered, read_remembered, remember
from napari_slicemap.viewer.remembering import WAIT_MS
from napari_slicemap.viewer.session import session_of

SOON_MS = 5_000


@pytest.fixture
def window(make_napari_viewer):
    """Makes shown viewers with their sessions."""

    def make():
        viewer = make_napari_viewer(show=True)
        viewer.window._qt_window.resize(1280, 800)
        return viewer, session_of(viewer)

    return make


def look_at_something(session, viewer) -> None:
    """Show something that no dataset opens with."""
    session.show_slice("04")
    session.set_display("composite")
    viewer.scene.camera.zoom = 6.5
    viewer.scene.camera.center = (0.0, 8170.0, 12_120.0)


def kept() -> dict:
    known = read_remembered()
    return known[0].model_dump() if known else {}


def seen(folder, **changed) -> Remembered:
    known = {"name": "Sample block", "map_id": "04", "slice_id": "04", "center": (8170.0, 12_120.0), "zoom": 6.5}
    return Remembered(**{"path": str(folder), "display": "composite", "profile": "tissue", **known, **changed})


# --- keeping ------------------------------------------------------------------------------------------------------
def test_each_change_is_on_disk_soon_after_and_nothing_while_nothing_changes(window, sample, state, qtbot):
    viewer, session = window()
    session.open(sample)
    qtbot.waitUntil(lambda: kept().get("path") == str(sample), timeout=SOON_MS)
    assert kept()["docks"] == ()
    look_at_something(session, viewer)
    qtbot.waitUntil(lambda: kept()["display"] == "composite", timeout=SOON_MS)
    found = kept()
    assert (found["map_id"], found["slice_id"], found["center"], found["zoom"]) == ("04", "04", (8170.0, 12_120.0), 6.5)
    assert found["profile"] == session.profile_name
    show_dock(viewer, "Slice config")
    show_dock(viewer, "ROI drawing")
    qtbot.waitUntil(lambda: kept()["docks"] == ("Slice config", "ROI drawing"), timeout=SOON_MS)
    assert kept()["front"] == "ROI drawing"
    show_dock(viewer, "Slice config")
    qtbot.waitUntil(lambda: kept()["front"] == "Slice config", timeout=SOON_MS)
    viewer.window.remove_dock_widget(viewer.window.dock_widgets["ROI drawing (napari-slicemap)"])
    qtbot.waitUntil(lambda: kept()["docks"] == ("Slice config",), timeout=SOON_MS)
    qtbot.wait(2 * WAIT_MS)
    before = state.stat().st_ino  # each write makes another file
    session.remembering.notice()
    session.remembering.notice_docks()
    qtbot.wait(2 * WAIT_MS)
    assert state.stat().st_ino == before
    assert not session.remembering._timer.isActive()


def test_the_window_that_changed_last_is_the_last(window, sample, tmp_path):
    other = Path(shutil.copytree(sample, tmp_path / "other"))
    (_, first), (_, second) = window(), window()
    first.open(sample)
    second.open(other)
    second.remembering.flush()
    first.show_slice("05")
    first.remembering.flush()
    assert [(found.path, found.map_id) for found in read_remembered()] == [(str(sample), "05"), (str(other), "01")]


def test_what_has_no_path_or_is_seen_by_nobody_is_not_kept(window, sample, state):
    viewer, session = window()
    dataset = open_dataset(sample)
    dataset.path = sample / "never written"
    session.open(dataset)
    session.show_slice("04")
    session.remembering.flush()
    viewer.window._qt_window.hide()
    session.open(sample)
    session.show_slice("04")
    session.remembering.notice_docks()
    session.remembering.flush()
    assert not state.exists()


# --- opening again ------------------------------------------------------------------------------------------------
def test_open_again_shows_what_was_seen_when_the_window_was_closed(window, sample):
    viewer, session = window()
    session.open(sample)
    profile = next(one for one in session.dataset.profiles.names if one != session.profile_name)
    session.activate_profile(profile)
    for name in ("ROI drawing", "Batch export", "Galvo inspector", "Batch export"):
        show_dock(viewer, name)
    look_at_something(session, viewer)
    session.edits.change("note", {"02": {"notes": "folded"}})
    viewer.close()

    viewer, session = window()
    assert session.dataset is None  # nothing opens unasked
    commands.open_again(viewer)
    assert session.dataset.path == sample
    assert (session.slice_id, session.display, session.profile_name) == ("04", "composite", profile)
    assert viewer.scene.camera.center == pytest.approx((0.0, 8170.0, 12_120.0))
    assert viewer.scene.camera.zoom == pytest.approx(6.5)
    assert docks_of(viewer) == ("ROI drawing", "Galvo inspector", "Batch export")
    assert front_of(viewer) == "Batch export"
    assert session.undo_stack.count() == 0
    assert session.edits.left_behind[0].edits["02"]["notes"].value == "folded"


def test_the_map_stays_where_it_was_when_the_galvo_inspector_has_found_its_tiles(window, sample, qtbot):
    remember(seen(sample, map_id="05", slice_id="05", docks=("Galvo inspector",), front="Galvo inspector"))
    viewer, session = window()
    session.remembering.open_again()
    dock = show_dock(viewer, "Galvo inspector")
    qtbot.waitUntil(lambda: bool(dock.slices.current), timeout=20_000)
    assert dock.slices.current == "03"  # the only one that has tiles
    assert session.slice_id == "05"


def test_what_the_dataset_has_no_more_is_left_out(window, sample):
    viewer, session = window()
    gone = {"map_id": "99", "slice_id": "99", "profile": "gone", "display": "hologram", "docks": ("Fog",)}
    session.remembering.show(seen(sample, **gone), open_dataset(sample))
    assert (session.slice_id, session.display, docks_of(viewer)) == ("01", "channels", ())
    assert viewer.scene.camera.zoom != pytest.approx(6.5)  # the camera of another map says nothing
    session.remembering.show(seen(sample, map_id="called otherwise", slice_id="5"), open_dataset(sample))
    assert session.slice_id == "05"


def test_a_fov_that_was_shown_alone_is_shown_again(window, sample):
    shutil.rmtree(sample / "maps")
    _, session = window()
    session.open(sample)
    session.viewer.dims.set_current_step(0, 7)
    session.remembering.flush()
    fov = session.map_layer.page(7).fov
    assert kept()["fov"] == fov
    session.viewer.dims.set_current_step(0, 2)
    session.remembering.show(seen(sample, map_id="", slice_id="", fov=fov), open_dataset(sample))
    assert session.page_number == 7


def test_without_a_window_there_is_no_dock_to_open(sample):
    remember(seen(sample, docks=("Batch export",)))
    model = ViewerModel()
    session = session_of(model)
    assert session.remembering.open_again().path == sample
    assert session.slice_id == "04"
    session.end()


# --- ways in ------------------------------------------------------------------------------------------------------
def nothing_of(viewer, name):
    dock = show_dock(viewer, name)
    return getattr(dock, "nothing", None) or dock.pages.nothing


def test_every_dock_offers_it_while_nothing_is_open(window, sample):
    viewer, session = window()
    for name in DOCKS:
        nothing = nothing_of(viewer, name)
        assert nothing.isVisible()
        assert "File ▸ Open Sample" in nothing.message.text()
        assert not nothing.again.isVisible()
    remember(seen(sample))
    viewer.window._qt_window.hide()
    viewer.window._qt_window.show()
    for name in DOCKS:
        nothing = nothing_of(viewer, name)
        assert nothing.again.isVisible()
        assert nothing.again.text() == "Open again: Sample block, slice 04"
        assert str(sample) in nothing.again.toolTip()
    nothing.again.click()
    assert session.slice_id == "04"
    assert not any(nothing_of(viewer, name).isVisible() for name in DOCKS)


def test_a_folder_that_is_gone_is_named_and_forgotten_by_nobody(window, sample, monkeypatch):
    remember(seen(sample))
    viewer, session = window()
    nothing = nothing_of(viewer, "ROI drawing")
    away = sample.rename(sample.with_name("moved"))
    nothing.again.click()  # it was there when it was offered
    assert f"{sample} was open last, and is not there now" in nothing.why.text()
    nothing = nothing_of(viewer, "Slice config")
    assert not nothing.again.isVisible()
    assert f"{sample} was open last, and is not there now" in nothing.why.text()
    told = []
    monkeypatch.setattr(commands, "show_error", told.append)
    commands.open_again(viewer)
    assert str(sample) in told[0]
    assert session.dataset is None
    away.rename(sample)
    commands.open_again(viewer)
    assert session.slice_id == "04"


def test_the_shell_opens_it_too(sample):
    remember(seen(sample))
    viewer = launch.launch_again(block=False)
    try:
        assert session_of(viewer).slice_id == "04"
        assert viewer.title == "Sample block - slicemap"
        assert docks_of(viewer) == DOCKS
    finally:
        viewer.close()


# --- a crash ------------------------------------------------------------------------------------------------------
WORK = """
import sys
import napari
from qtpy.QtCore import QTimer
from napari_slicemap.viewer.desk import show_dock
from napari_slicemap.viewer.session import session_of

folder, slice_id, y, x, zoom, display, front = sys.argv[1:]
viewer = napari.Viewer()
viewer.window._qt_window.resize(1280, 800)
session = session_of(viewer)
session.open(folder)
for name in ("Slice config", "ROI drawing", "Batch export", front):
    show_dock(viewer, name)
session.edits.change("note", {slice_id: {"notes": "folded"}})
session.show_slice(slice_id)
session.set_display(display)
viewer.scene.camera.center = (0.0, float(y), float(x))
viewer.scene.camera.zoom = float(zoom)
QTimer.singleShot(1000, lambda: print("changed a second ago", flush=True))
napari.run()
"""


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.skipif(os.name != "posix", reason="there is no SIGKILL")
def test_after_being_killed_it_opens_as_it_was_seen(window, sample, qtbot):
    for number in range(int(os.environ.get("SLICEMAP_KILLS", "3"))):
        slice_id, display = f"{1 + number % 5:02}", ("composite", "channels")[number % 2]
        front = ("ROI drawing", "Batch export")[number % 2]
        center, zoom = (8150.0 + 3 * number, 12_100.0 + 5 * number), 3.0 + number / 4
        words = [slice_id, *center, zoom, display, front]
        working = subprocess.Popen(
            [sys.executable, "-c", WORK, str(sample), *map(str, words)], stdout=subprocess.PIPE, text=True
        )
        assert "changed" in working.stdout.readline()
        time.sleep(0.2)
        working.send_signal(signal.SIGKILL)
        working.communicate()
        viewer, session = window()
        session.remembering.open_again()
        qtbot.wait(300)
        assert (session.slice_id, session.display) == (slice_id, display)
        _, y, x = viewer.scene.camera.center
        off = max(abs(y - center[0]), abs(x - center[1])) * zoom
        assert off <= 1
        assert viewer.scene.camera.zoom == pytest.approx(zoom)
        assert (docks_of(viewer), front_of(viewer)) == (("Slice config", "ROI drawing", "Batch export"), front)
        assert session.edits.left_behind[-1].edits[slice_id]["notes"].value == "folded"
        session.edits.forget_left_behind()
        viewer.close()

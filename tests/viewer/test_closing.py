"""A closed viewer lets go of everything: nothing is read any more, nothing is left behind, and Python ends in peace."""

from __future__ import annotations

import gc
import random
import subprocess
import sys
import threading
import weakref

import pytest

from napari_slicemap.rois.roi import roi_from_points
from napari_slicemap.viewer import session as sessions
from napari_slicemap.viewer.map_layer import VirtualMapLayer

DOCKS = ("Batch export", "Galvo inspector", "Slice config", "ROI drawing")
ROUNDS = 20

NEVER_CLOSED = """
import sys
import napari
from napari_slicemap.viewer.session import session_of

viewer = napari.Viewer(show=False)
session = session_of(viewer)
session.open(sys.argv[1])
if sys.argv[2] == "closed":
    viewer.close()
"""


def blocks_threads():
    return [one for one in threading.enumerate() if one.name == "slicemap-blocks"]


def test_closing_the_viewer_stops_reading_and_forgets_the_history(viewer, sample, qtbot, monkeypatch):
    slowly, reading = threading.Event(), threading.Event()
    read = VirtualMapLayer._read_channel

    def gated(self, channel, number, cells, step):
        if threading.current_thread().name == "slicemap-blocks":
            reading.set()
            assert slowly.wait(30)
        return read(self, channel, number, cells, step)

    monkeypatch.setattr(VirtualMapLayer, "_read_channel", gated)
    session = sessions.session_of(viewer)
    session.open(sample)
    session.add_roi(roi_from_points([(10, 10), (50, 10), (50, 50)], "polygon", name="mine", map_id="01"))
    qtbot.waitUntil(reading.is_set, timeout=20_000)
    assert blocks_threads()
    threading.Timer(0.1, slowly.set).start()
    viewer.close()
    assert not blocks_threads()
    assert session.dataset is None
    assert session.map_layer is None
    assert session.undo_stack.count() == 0
    assert viewer not in sessions._sessions


def test_a_closed_viewer_is_freed_with_what_was_open_in_it(make_napari_viewer, sample, qtbot):
    def used_and_closed():
        viewer = make_napari_viewer(show=True)
        session = sessions.session_of(viewer)
        session.open(sample)
        qtbot.waitUntil(lambda: not session.on_screen.loader.busy, timeout=20_000)
        viewer.close()
        return weakref.ref(session)

    known = [used_and_closed() for _ in range(2)]
    qtbot.wait(50)
    gc.collect()
    assert known[0]() is None  # napari itself holds on to the viewer that was closed last


@pytest.mark.parametrize("how", ["closed", "never closed"])
def test_python_ends_in_peace(sample, how):
    done = subprocess.run(
        [sys.executable, "-W", "error::RuntimeWarning", "-c", NEVER_CLOSED, str(sample), how],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "has been deleted" not in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_opening_and_closing_all_day_leaves_nothing_behind(sample, make_napari_viewer, qtbot):
    from qtpy.QtCore import QCoreApplication, QEvent, QTimer
    from qtpy.QtWidgets import QApplication

    def left() -> tuple[int, int, list[str]]:
        for _ in range(2):
            qtbot.wait(50)
            QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete.value)
            gc.collect()
        timers = sum(isinstance(one, QTimer) for one in gc.get_objects())
        mine = [one.name for one in threading.enumerate() if one.name.startswith("slicemap")]
        return len(QApplication.allWidgets()), timers, mine

    chance, found = random.Random(0), []
    for _ in range(ROUNDS):
        viewer = make_napari_viewer(show=True)
        session = sessions.session_of(viewer)
        session.open(sample)
        docks = [viewer.window.add_plugin_dock_widget("napari-slicemap", name)[0] for name in DOCKS]
        qtbot.wait(300)
        for dock in chance.sample(docks, chance.randrange(len(docks) + 1)):
            viewer.window.remove_dock_widget(dock)
        viewer.close()
        del viewer, session, docks
        dock = None
        found.append(left())
    widgets, timers, _ = found[1]
    assert all(one[0] <= widgets and one[1] <= timers and not one[2] for one in found[1:]), found

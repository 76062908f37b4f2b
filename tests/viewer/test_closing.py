"""A closed viewer lets go of everything: nothing is read any more, nothing is left behind, and Python ends in peace."""

from __future__ import annotations

import gc
import itertools
import random
import subprocess
import sys
import threading
import time
import weakref

import pytest

from napari_slicemap.rois.roi import roi_from_points
from napari_slicemap.viewer import session as sessions
from napari_slicemap.viewer.docks.background import Background
from napari_slicemap.viewer.map_layer import VirtualMapLayer

DOCKS = ("Batch export", "Galvo inspector", "Slice config", "ROI drawing")
ORDERS = list(itertools.permutations(range(len(DOCKS))))
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


# --- docks that are closed, while the viewer stays ----------------------------------------------------------------
def settle(qtbot):
    """Let Qt delete what is to be deleted."""
    from qtpy.QtCore import QCoreApplication, QEvent

    for _ in range(3):
        qtbot.wait(20)
        QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete.value)
        gc.unfreeze()  # what a dataset that is open keeps out of collections
        gc.collect()


def heard(stack):
    """How many listen to the undo history."""
    import qtpy

    if qtpy.PYSIDE6:
        from qtpy.QtCore import SIGNAL

        return stack.receivers(SIGNAL("indexChanged(int)"))
    return stack.receivers(stack.indexChanged)


def census(viewer, session):
    """What docks may leave behind: threads, timers, widgets, and who listens to session, history, viewer and layers."""
    from psygnal import SignalInstance
    from qtpy.QtCore import QTimer
    from qtpy.QtWidgets import QApplication

    parts = (session, session.edits, session.marking, session.galvo, session.map_layer)
    signals = {
        f"{type(part).__name__}.{name}": len(value)
        for part in parts
        for name in dir(type(part))
        if isinstance(value := getattr(part, name, None), SignalInstance)
    }
    emitters = (viewer.events.theme, viewer.dims.events.current_step, viewer.layers.events.inserted)
    layers = [one.mouse_drag_callbacks for one in viewer.layers] + [one.mouse_move_callbacks for one in viewer.layers]
    return {
        "threads": sorted(one.name for one in threading.enumerate() if one.name == "slicemap-dock"),
        "timers": sum(isinstance(one, QTimer) for one in gc.get_objects()),
        "widgets": len(QApplication.allWidgets()),
        "windows": len(QApplication.topLevelWidgets()),
        "history": heard(session.undo_stack),
        "events": [len(one.callbacks) for one in emitters],
        "layers": [len(one) for one in layers],
        **signals,
    }


def open_docks(viewer, qtbot):
    docks = [viewer.window.add_plugin_dock_widget("napari-slicemap", name) for name in DOCKS]
    qtbot.wait(100)
    return docks


def close_docks(viewer, docks, order, qtbot):
    for number in order:
        viewer.window.remove_dock_widget(docks[number][0])
        qtbot.wait(1)


def check_orders(viewer, session, qtbot, orders):
    close_docks(viewer, open_docks(viewer, qtbot), ORDERS[0], qtbot)  # what is made once, is made
    settle(qtbot)
    before = census(viewer, session)
    for order in orders:
        docks = open_docks(viewer, qtbot)
        opened = census(viewer, session)
        assert opened["widgets"] > before["widgets"] + 50
        assert opened["Session.slices_changed"] > before["Session.slices_changed"]
        close_docks(viewer, docks, order, qtbot)
        del docks
        settle(qtbot)
        assert census(viewer, session) == before, f"closed in the order {[DOCKS[number] for number in order]}"


@pytest.mark.timeout(600)
def test_docks_closed_in_some_orders_leave_nothing_behind(session, qtbot):
    check_orders(session.viewer, session, qtbot, [ORDERS[5], ORDERS[18]])


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_docks_closed_in_any_order_leave_nothing_behind(session, qtbot):
    check_orders(session.viewer, session, qtbot, ORDERS)


def detect_all(dock):
    dock.detect_all()


def show_thumbnails(dock):
    dock.table.show_column("picture")
    dock.thumbnails.get("01")


def export(dock):
    dock.picker("maps").tick(["01"])
    dock.start()


def draw_thumbnails(dock):
    dock.thumbnails.forget()


def preview(dock):
    dock.picker("maps").tick(["01"])
    dock.check()


@pytest.mark.parametrize("how", ["the dock", "the viewer"])
@pytest.mark.parametrize(
    ("name", "begin"),
    [
        pytest.param("Galvo inspector", detect_all, id="detect all"),
        pytest.param("Slice config", show_thumbnails, id="pictures of slices"),
        pytest.param("ROI drawing", draw_thumbnails, id="pictures of ROIs"),
        pytest.param("Batch export", export, id="export"),
        pytest.param("Batch export", preview, id="preview"),
    ],
)
def test_what_is_being_done_stops_with_the_dock_and_with_the_viewer(session, qtbot, monkeypatch, name, begin, how):
    run, begun = Background._run, []

    def late(self, work, stop):
        """Do it only when it is asked to stop, so that it is being done when the dock is closed."""
        begun.append(work)
        end = time.monotonic() + 20
        while not stop.is_set() and time.monotonic() < end:
            time.sleep(0.005)
        run(self, work, stop)

    viewer = session.viewer
    frame, dock = viewer.window.add_plugin_dock_widget("napari-slicemap", name)
    qtbot.waitUntil(lambda: not [one for one in threading.enumerate() if one.name == "slicemap-dock"], timeout=30_000)
    monkeypatch.setattr(Background, "_run", late)
    begin(dock)
    qtbot.waitUntil(lambda: bool(begun), timeout=10_000)
    if how == "the dock":
        viewer.window.remove_dock_widget(frame)
    else:
        viewer.close()
    del frame, dock
    settle(qtbot)
    assert not [one for one in threading.enumerate() if one.name == "slicemap-dock"]

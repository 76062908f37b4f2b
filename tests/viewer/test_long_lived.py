"""While a dataset is open, Python's full collections leave out what lives as long as it; afterwards nothing is kept."""

from __future__ import annotations

import gc
import weakref

import pytest

from napari_slicemap.viewer import long_lived
from napari_slicemap.viewer.session import session_of

pytestmark = pytest.mark.slow  # each opens and closes windows


@pytest.fixture
def soon(monkeypatch):
    monkeypatch.setattr(long_lived, "_MS", 100)
    assert gc.get_freeze_count() == 0


def frozen(more_than=0):
    return lambda: gc.get_freeze_count() > more_than


def test_what_is_there_is_left_out_until_the_dataset_is_closed(soon, session, qtbot):
    qtbot.waitUntil(frozen())
    before = gc.get_freeze_count()
    assert before > len(gc.get_objects())
    session.set_display("composite")
    qtbot.waitUntil(frozen(before))
    session.close()
    assert gc.get_freeze_count() == 0
    qtbot.wait(300)
    assert gc.get_freeze_count() == 0


def test_a_viewer_that_was_left_out_is_freed_when_it_is_closed(soon, make_napari_viewer, sample, qtbot):
    def used_and_closed():
        viewer = make_napari_viewer(show=True)
        session = session_of(viewer)
        session.open(sample)
        qtbot.waitUntil(frozen())
        viewer.close()
        return weakref.ref(session)

    known = [used_and_closed() for _ in range(2)]
    qtbot.wait(50)
    gc.collect()
    assert known[0]() is None  # napari itself holds on to the viewer that was closed last


def test_what_another_window_shows_is_left_out_again(soon, session, make_napari_viewer, sample, qtbot):
    other = session_of(make_napari_viewer(show=True))
    other.open(sample)
    qtbot.waitUntil(frozen())
    gone = weakref.ref(other.map_layer)
    other.close()
    assert gc.get_freeze_count() == 0
    qtbot.waitUntil(frozen())
    assert gone() is None


def test_another_dataset_in_its_place_is_left_out_in_turn(soon, session, sample, qtbot):
    qtbot.waitUntil(frozen())
    first = weakref.ref(session.map_layer)
    session.open(sample)
    assert gc.get_freeze_count() == 0
    qtbot.waitUntil(frozen())
    session.close()  # the first may have been left out with the second, but no longer than that
    gc.collect()
    assert first() is None

"""In a viewer: napari never waits for a file, what is stale is not read, and in the end everything is there."""

from __future__ import annotations

import gc
import threading
import weakref

import numpy as np
import pytest

from napari_slicemap.images.region import Window
from napari_slicemap.viewer.map_layer import VirtualMapLayer
from napari_slicemap.viewer.session import session_of


@pytest.fixture
def gate(viewer, monkeypatch):
    """Blocks of channels come only when the test sets this, and before the viewer closes, which waits for them.

    Readings in other threads do not wait.
    """
    opened = threading.Event()
    opened.reads = []
    read = VirtualMapLayer._read_channel

    def gated(self, channel, number, cells, step):
        thread = threading.current_thread().name
        opened.reads.append((thread, channel, number, step))
        if thread == "slicemap-blocks":
            assert opened.wait(30)
        return read(self, channel, number, cells, step)

    monkeypatch.setattr(VirtualMapLayer, "_read_channel", gated)
    yield opened
    opened.set()


@pytest.fixture
def loader(session):
    return session.on_screen.loader


def shown(layer):
    """Give what napari shows of a layer, and a view of its data that covers the same cells."""
    (number, top, left), (_, bottom, right) = layer.corner_pixels
    number = layer._slice_input.world_slice.point[0]
    level = layer.data[layer.data_level]
    return layer._slice.image.raw, level[round(number), top : bottom + 1, left : right + 1]


def test_napari_draws_what_is_there_and_the_rest_when_it_comes(gate, session, qtbot):
    layer, loader = session.map_layer.channel_layers["DAPI"], session.on_screen.loader
    qtbot.waitUntil(lambda: bool(gate.reads))
    assert {thread for thread, *_ in gate.reads} == {"slicemap-blocks"}, "the window's thread read a file"
    assert not shown(layer)[0].any()
    gate.set()
    qtbot.waitUntil(lambda: not loader.busy and shown(layer)[0].any(), timeout=20_000)
    qtbot.wait(150)
    raw, data = shown(layer)
    np.testing.assert_array_equal(raw, np.asarray(data))
    assert raw.max() > 100


def test_whoever_else_asks_gets_all_the_numbers(gate, session):
    """A script or another plugin must never be handed a picture that is half there."""
    asked = np.asarray(session.map_layer.channel_layers["DAPI"].data[0][1])
    page = session.map_layer.page(1)
    cells = Window(0, asked.shape[1], 0, asked.shape[0])
    np.testing.assert_array_equal(asked, page.map.read_stack(["DAPI"], cells, page.grid(1))[0])
    assert not gate.is_set()


def test_the_slider_forgets_what_it_has_left(gate, session, loader, qtbot):
    qtbot.waitUntil(lambda: bool(gate.reads))
    session.viewer.dims.set_current_step(0, 4)
    qtbot.wait(50)
    with loader._lock:
        left = {key.page for (rank, _), keys in loader._wanted.items() for key in keys if rank.name != "AHEAD"}
    assert left <= {4}
    gate.set()
    qtbot.waitUntil(lambda: not loader.busy, timeout=20_000)
    qtbot.wait(150)
    raw, data = shown(session.map_layer.channel_layers["DAPI"])
    np.testing.assert_array_equal(raw, np.asarray(data))


def test_the_neighbours_of_a_page_are_there_before_the_slider_comes(session, loader, qtbot):
    qtbot.waitUntil(lambda: not loader.busy, timeout=20_000)
    qtbot.wait(150)
    qtbot.waitUntil(lambda: not loader.busy, timeout=20_000)
    source = session.map_layer.sources["DAPI"]
    assert session.page_number == 1
    assert source.overview_keys(0) == source.overview_keys(2) == []
    assert source.overview_keys(4)


def test_what_is_hidden_is_not_read(gate, session, loader, qtbot):
    qtbot.waitUntil(lambda: bool(gate.reads))
    for layer in session.map_layer.channel_layers.values():
        layer.visible = False
    with loader._lock:
        assert not any(loader._wanted.values())


def test_the_memory_is_bounded_while_somebody_looks_around(viewer, sample, qtbot):
    session = session_of(viewer)
    session.cache_bytes = 150_000
    session.open(sample)
    loader, rng = session.on_screen.loader, np.random.default_rng(5)
    pages = session.map_layer.pages
    for _ in range(12):
        viewer.dims.set_current_step(0, int(rng.integers(len(pages.pages))))
        session.look_at(session.page_number)
        viewer.scene.camera.zoom *= float(2 ** rng.uniform(-1, 3))
        qtbot.wait(30)
        assert loader.cache.nbytes <= 150_000
    qtbot.waitUntil(lambda: not loader.busy, timeout=20_000)
    qtbot.wait(200)
    assert not loader.busy, "a view that is larger than the cache must not be read for ever"
    assert len(loader.cache)


def test_nothing_runs_after_the_dataset_is_closed(gate, session, loader, qtbot):
    qtbot.waitUntil(lambda: bool(gate.reads))
    on_screen = session.on_screen
    threading.Timer(0.1, gate.set).start()
    session.close()
    reads = len(gate.reads)
    assert not loader._threads
    assert not on_screen._repainter._timer.isActive()
    qtbot.wait(150)
    assert len(gate.reads) == reads
    assert not on_screen._repainter._timer.isActive()
    assert not [one for one in threading.enumerate() if one.name == "slicemap-blocks"]


def test_nothing_runs_while_nothing_comes(session, loader, qtbot):
    def quiet() -> bool:
        return not (loader.busy or loader._threads or session.on_screen._repainter._timer.isActive())

    for _ in range(10):  # a slow machine draws late, and asks for more then
        qtbot.waitUntil(quiet, timeout=20_000)
        qtbot.wait(250)
        if quiet():
            break
    assert quiet()


def test_what_goes_wrong_is_said_once(session, qtbot, monkeypatch):
    said = []
    monkeypatch.setattr("napari_slicemap.viewer.repaint.show_warning", said.append)

    def broken(*_, **__):
        raise OSError("the disk is gone")

    monkeypatch.setattr(session.map_layer.page(4).map, "read_stack", broken)
    session.viewer.dims.set_current_step(0, 4)
    qtbot.waitUntil(lambda: bool(said), timeout=20_000)
    qtbot.wait(200)
    assert said == ["A part of the map could not be read: OSError: the disk is gone"]


def test_masks_come_as_channels_do(session, loader, qtbot):
    layer = session.map_layer.mask_layers["cell"]
    layer.visible = True
    qtbot.waitUntil(lambda: not loader.busy and shown(layer)[0].any(), timeout=20_000)
    qtbot.wait(150)
    raw, data = shown(layer)
    np.testing.assert_array_equal(raw, np.asarray(data))


def test_without_its_layers_nothing_is_read(gate, session, loader, qtbot):
    """So it is when napari closes: first the layers go."""
    qtbot.waitUntil(lambda: bool(gate.reads))
    session.viewer.layers.clear()
    with loader._lock:
        assert not any(loader._wanted.values())


def test_a_closed_dataset_is_freed(session, loader, qtbot):
    qtbot.waitUntil(lambda: not loader.busy, timeout=20_000)
    session.set_display("composite")
    qtbot.wait(100)
    gone = weakref.ref(session.on_screen._maps), weakref.ref(session.on_screen)
    session.close()
    qtbot.wait(100)
    gc.collect()
    assert [one() for one in gone] == [None, None]

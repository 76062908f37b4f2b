"""What is framed stays in view when docks take room, until somebody moves the camera."""

from __future__ import annotations

import pytest

from napari_slicemap.viewer.desk import show_dock


def shown(viewer):
    """What the canvas shows: y0, y1, x0, x1, in the world."""
    camera, (height, width) = viewer.scene.camera, viewer.canvas.size
    _, y, x = camera.center
    return (
        y - height / 2 / camera.zoom,
        y + height / 2 / camera.zoom,
        x - width / 2 / camera.zoom,
        x + width / 2 / camera.zoom,
    )


def box_of(session, number):
    """Where a page's map lies: y0, y1, x0, x1, in the world."""
    pages = session.map_layer.pages
    window, size = pages.pages[number].window, pages.scale[1]
    _, top, left = pages.translate
    rows, columns = (
        ((one - 0.5) * size for one in (window.y0, window.y1)),
        ((one - 0.5) * size for one in (window.x0, window.x1)),
    )
    return *(top + one for one in rows), *(left + one for one in columns)


def encloses(outer, inner):
    return outer[0] <= inner[0] and outer[1] >= inner[1] and outer[2] <= inner[2] and outer[3] >= inner[3]


def test_a_map_that_is_framed_stays_so_beside_docks(session, viewer, qtbot):
    session.look_at(1)
    before = viewer.canvas.size
    show_dock(viewer, "Slice config")
    qtbot.waitUntil(lambda: viewer.canvas.size[1] < before[1] - 100)
    qtbot.waitUntil(lambda: encloses(shown(viewer), box_of(session, 1)))
    y0, y1, x0, x1 = shown(viewer)
    tight = max(
        (box_of(session, 1)[1] - box_of(session, 1)[0]) / (y1 - y0),
        (box_of(session, 1)[3] - box_of(session, 1)[2]) / (x1 - x0),
    )
    assert tight == pytest.approx(0.95)


def test_an_roi_that_is_looked_at_stays_framed(session, viewer, qtbot):
    roi = next(one for one in session.rois if one.on == "map")
    session.marking.look_at(roi.roi_id)
    center, zoom = viewer.scene.camera.center, viewer.scene.camera.zoom
    viewer.window._qt_window.resize(1000, 600)
    qtbot.waitUntil(lambda: viewer.scene.camera.zoom < zoom)
    assert viewer.scene.camera.center == pytest.approx(center)


@pytest.mark.parametrize("moved", ["center", "zoom"])
def test_a_camera_that_was_moved_is_left_alone(session, viewer, qtbot, moved):
    session.look_at(1)
    camera = viewer.scene.camera
    if moved == "zoom":
        camera.zoom *= 2
    else:
        camera.center = (0.0, camera.center[1] + 10, camera.center[2])
    before, size = (*camera.center, camera.zoom), viewer.canvas.size
    viewer.window._qt_window.resize(1000, 600)
    qtbot.waitUntil(lambda: viewer.canvas.size != size)
    qtbot.wait(50)
    assert (*camera.center, camera.zoom) == before


def test_nothing_listens_when_the_dataset_is_closed(session, viewer):
    before = len(viewer.canvas.events.size.callbacks)
    session.close()
    assert len(viewer.canvas.events.size.callbacks) == before - 1


def test_a_map_that_is_but_a_dot_is_framed_when_the_slider_comes_to_it(session, viewer):
    session.look_at(1)
    before = viewer.scene.camera.zoom
    viewer.scene.camera.zoom = before / 100  # as Home does where slides lie centimetres apart
    viewer.dims.set_current_step(0, 2)
    assert viewer.scene.camera.zoom == pytest.approx(before, rel=0.05)
    viewer.scene.camera.zoom = before / 4
    viewer.dims.set_current_step(0, 3)
    assert viewer.scene.camera.zoom == before / 4

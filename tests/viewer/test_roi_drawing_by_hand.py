"""The tools of the ROI drawing dock under the mouse, in a real window."""

from __future__ import annotations

import pytest
from qtpy.QtCore import QPoint, Qt
from qtpy.QtTest import QTest
from test_roi_layer import canvas_points

from napari_slicemap.rois.table import RoiTable

LEFT = Qt.MouseButton.LeftButton


@pytest.fixture
def dock(session):
    _, made = session.viewer.window.add_plugin_dock_widget("napari-slicemap", "ROI drawing")
    return made


@pytest.fixture
def canvas(dock, session, qtbot):
    qtbot.wait(200)
    session.look_at(session.page_number)
    qtbot.wait(100)
    return session.viewer.window._qt_viewer.canvas.native


def last(session):
    return list(RoiTable.read(session.dataset.places.written("rois")))[-1]


def click(qtbot, canvas, point, double=False):
    qtbot.mouseMove(canvas, point)
    qtbot.wait(60)  # napari takes the pointer's moves in at most thirty times a second
    (QTest.mouseDClick if double else QTest.mouseClick)(canvas, LEFT, Qt.KeyboardModifier.NoModifier, point)
    qtbot.wait(60)


def drag(qtbot, canvas, start, end):
    qtbot.mousePress(canvas, LEFT, pos=start)
    for share in (0.3, 0.6, 1.0, 1.0):
        qtbot.mouseMove(canvas, start + (end - start) * share)
        qtbot.wait(60)
    qtbot.mouseRelease(canvas, LEFT, pos=end)
    qtbot.wait(60)


def test_a_turned_rectangle_is_clicked_across_two_tiles(dock, session, canvas, qtbot):
    dock.tools.buttons["turned"].click()
    first, second, across = canvas_points(session, 1, [(100, 60), (150, 90), (138, 110)])
    click(qtbot, canvas, first)
    click(qtbot, canvas, second)
    click(qtbot, canvas, across)
    click(qtbot, canvas, across, double=True)
    made = last(session)
    assert (made.kind, made.name, made.map_id) == ("rotated-rectangle", "ROI_004", "01")
    assert made.points[0] == pytest.approx((100, 60), abs=1.5)
    assert made.points[1] == pytest.approx((150, 90), abs=1.5)
    assert made.points[2] == pytest.approx((138, 110), abs=2)
    tiles = [tile.name for tile in session.dataset.maps["01"].collect_visible_tiles(made.region)]
    assert {"s01_r0c0", "s01_r0c1"} <= set(tiles)
    assert [row.roi.name for row in dock.rows.rows][-1] == "ROI_004"


def test_a_click_stamps_and_a_drag_moves_the_view(dock, session, canvas, qtbot):
    dock.tools.buttons["stamp"].click()
    dock.tools.width.setValue(13)
    dock.tools.height.setValue(6.5)
    (point,) = canvas_points(session, 1, [(120, 100)])
    click(qtbot, canvas, point)
    made = last(session)
    size = session.dataset.maps["01"].base_pixel_size_um()
    assert made.kind == "rectangle"
    assert made.region.width * size == pytest.approx(13)
    assert made.region.height * size == pytest.approx(6.5)
    assert ((made.x_min + made.x_max) / 2, (made.y_min + made.y_max) / 2) == pytest.approx((120, 100), abs=1.5)
    assert session.marking.selected == (made.roi_id,)
    before = session.viewer.scene.camera.center
    drag(qtbot, canvas, point, point + QPoint(40, 20))
    assert last(session) == made
    assert session.viewer.scene.camera.center != before


def test_a_click_with_a_tool_that_is_dragged_draws_nothing(dock, session, canvas, qtbot):
    session.remove_rois([last(session).roi_id])
    session.undo_stack.undo()
    dock.tools.buttons["rectangle"].click()
    start, end = canvas_points(session, 1, [(100, 60), (150, 90)])
    click(qtbot, canvas, start)
    qtbot.wait(50)
    assert len(session.rois) == len(session.roi_layer.layer.data) == 3
    assert session.undo_stack.canRedo()
    drag(qtbot, canvas, start, end)
    assert len(session.rois) == 4
    assert last(session).x_max == pytest.approx(150, abs=1.5)


def test_a_shape_that_is_dragged_is_moved_on_disk(dock, session, canvas, qtbot):
    dock.tools.buttons["select"].click()
    roi = next(iter(session.rois))
    middle = ((roi.x_min + roi.x_max) / 2, (roi.y_min + roi.y_max) / 2)
    start, end = canvas_points(session, 1, [middle, (middle[0] - 30, middle[1] + 20)])
    click(qtbot, canvas, start)
    assert session.marking.selected == (roi.roi_id,)
    assert [index.row() for index in dock.view.selectionModel().selectedRows()] == [0]
    drag(qtbot, canvas, start, end)
    moved = next(iter(RoiTable.read(session.dataset.places.written("rois"))))
    assert (moved.x_min, moved.y_min) == pytest.approx((roi.x_min - 30, roi.y_min + 20), abs=1.5)
    assert moved.region.width == pytest.approx(roi.region.width)
    session.undo_stack.undo()
    assert next(iter(session.rois)) == roi


def test_closing_the_dock_and_the_viewer_leaves_nothing(dock, session, viewer):
    from napari_slicemap.viewer.session import session_of

    assert session_of(viewer) is session
    viewer.window.remove_dock_widget(dock)
    assert len(session.marking.told) == 0
    assert len(session.opened) == 0
    _, again = viewer.window.add_plugin_dock_widget("napari-slicemap", "ROI drawing")
    assert again is not dock
    assert again.rows.total == 3

"""What is drawn on the map becomes an ROI, and the other way round."""

from __future__ import annotations

import numpy as np
import pytest
from qtpy.QtCore import QPoint, Qt

from napari_slicemap.rois.table import RoiTable


def saved(session):
    return RoiTable.read(session.dataset.places.written("rois"))


def canvas_points(session, number, points):
    """Take map px of a page to positions on the canvas widget."""
    viewer, pages = session.viewer, session.map_layer.pages
    page = pages.pages[number]
    made = []
    for x, y in points:
        cx, cy = page.to_canvas(x, y)
        world = [pages.translate[1] + (cy - 0.5) * pages.scale[1], pages.translate[2] + (cx - 0.5) * pages.scale[2]]
        offset = (np.array(world) - viewer.scene.camera.center[1:]) * viewer.scene.camera.zoom
        row, column = offset + np.array(viewer.canvas.size) / 2
        made.append(QPoint(round(column), round(row)))
    return made


def test_a_rectangle_dragged_across_two_tiles_becomes_a_map_roi(session, qtbot):
    layer = session.viewer.layers["ROIs"]
    session.viewer.layers.selection.active = layer
    layer.mode = "add_rectangle"
    start, end = canvas_points(session, 1, [(100, 60), (150, 110)])
    canvas = session.viewer.window._qt_viewer.canvas.native
    qtbot.mousePress(canvas, Qt.MouseButton.LeftButton, pos=start)
    for share in (0.3, 0.6, 1.0, 1.0):
        qtbot.mouseMove(canvas, start + (end - start) * share)
        qtbot.wait(60)  # napari takes the pointer's moves in at most thirty times a second
    qtbot.mouseRelease(canvas, Qt.MouseButton.LeftButton, pos=end)
    qtbot.wait(50)
    made = list(saved(session))[-1]
    assert made.kind == "rectangle"
    assert (made.fov, made.map_id, made.name) == ("", "01", "ROI_004")
    box = (made.x_min, made.x_max, made.y_min, made.y_max)
    np.testing.assert_allclose(box, (100, 150, 60, 110), atol=1.5)
    tiles = [tile.name for tile in session.dataset.maps["01"].collect_visible_tiles(made.region)]
    assert {"s01_r0c0", "s01_r0c1"} <= set(tiles)


@pytest.mark.parametrize(
    ("shape_type", "corners", "kind"),
    [
        pytest.param("rectangle", [(20, 30), (20, 70), (60, 70), (60, 30)], "rectangle", id="rectangle"),
        pytest.param("rectangle", [(20, 50), (40, 70), (60, 50), (40, 30)], "rotated-rectangle", id="rotated"),
        pytest.param("polygon", [(20, 30), (20, 70), (60, 70)], "polygon", id="polygon"),
        pytest.param("ellipse", [(20, 30), (20, 70), (60, 70), (60, 30)], "polygon", id="ellipse"),
        pytest.param("path", [(20, 30), (20, 70), (60, 70)], "line", id="path"),
        pytest.param("line", [(20, 30), (50, 70)], "line", id="line"),
    ],
)
def test_each_tool_makes_its_kind_and_comes_back_from_disk_at_the_same_place(session, shape_type, corners, kind):
    layer, page = session.viewer.layers["ROIs"], session.map_layer.page(2)
    drawn = np.array([(2, *(np.array(page.to_canvas(x, y)) - 0.5)[::-1]) for y, x in corners])
    layer.add(drawn, shape_type=shape_type)
    made = list(saved(session))[-1]
    assert made.kind == kind
    assert made.map_id == "02"
    if shape_type != "ellipse":
        expected = {(float(x), float(y)) for y, x in corners}
        assert {(round(x, 6), round(y, 6)) for x, y in made.points} == expected
    session.open(session.dataset.path)
    shown = session.viewer.layers["ROIs"]
    again = shown.data[list(shown.features["roi_id"]).index(made.roi_id)]
    if shape_type not in ("ellipse", "rectangle"):
        np.testing.assert_allclose(again, drawn, atol=1e-6)
    np.testing.assert_allclose(again.mean(axis=0), drawn.mean(axis=0), atol=0.1)


def test_moving_a_shape_changes_its_roi_and_keeps_the_rest(session):
    layer = session.viewer.layers["ROIs"]
    before = list(session.rois)
    data = [np.array(one) for one in layer.data]
    data[0][:, 1:] += (5, 7)
    layer.data = data
    after = list(saved(session))
    assert after[0].roi_id == before[0].roi_id
    assert after[0].name == before[0].name
    assert after[0].x_min == pytest.approx(before[0].x_min + 7)
    assert after[0].y_max == pytest.approx(before[0].y_max + 5)
    assert after[1:] == before[1:]


def test_deleting_a_shape_removes_its_roi_and_undo_brings_it_back(session):
    layer = session.viewer.layers["ROIs"]
    before = list(session.rois)
    layer.selected_data = {1}
    layer.remove_selected()
    assert [roi.roi_id for roi in saved(session)] == [before[0].roi_id, before[2].roi_id]
    session.undo_stack.undo()
    assert list(saved(session)) == before
    assert sorted(layer.features["roi_id"]) == sorted(roi.roi_id for roi in before)


def test_a_shape_without_area_is_taken_back_in_words(session, qtbot, capsys):
    layer = session.viewer.layers["ROIs"]
    count = len(layer.data)
    layer.add(np.array([(1, 20, 30), (1, 20, 30), (1, 20, 30), (1, 20, 30)], dtype=float), shape_type="rectangle")
    qtbot.waitUntil(lambda: len(layer.data) == count)
    assert len(saved(session)) == 3

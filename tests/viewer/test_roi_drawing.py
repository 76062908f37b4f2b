"""The ROI drawing dock: what is done in it is on disk at once, and can be undone."""

from __future__ import annotations

import threading
from pathlib import Path

import numpy as np
import pytest
from napari.components import ViewerModel
from napari_builtins.io._read import csv_to_layer_data
from PIL import Image
from qtpy.QtCore import Qt
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication, QComboBox, QLineEdit

from napari_slicemap import ExportPlan, open_dataset, run_export
from napari_slicemap.rois.roi import roi_from_points
from napari_slicemap.rois.table import RoiTable
from napari_slicemap.viewer.docks.roi_drawing import RoiDrawingDock
from napari_slicemap.viewer.docks.roi_drawing.files import export_rois, import_rois
from napari_slicemap.viewer.docks.roi_drawing.pictures import picture_of
from napari_slicemap.viewer.docks.roi_drawing.rows import AREA, COMMENT, EMPTY, NAME, PICTURE, PROFILE, SLICE, TAGS
from napari_slicemap.viewer.docks.roi_drawing.view import LastWord
from napari_slicemap.viewer.session import session_of


@pytest.fixture
def make_dock(qtbot):
    """Open an acquisition in a viewer without a window, with the dock."""

    def make(path):
        model = ViewerModel()
        session_of(model).open(path, "01")
        made = RoiDrawingDock(model)
        made.model = model  # a session holds its viewer weakly
        qtbot.addWidget(made)
        made.resize(430, 700)
        made.show()
        return made

    return make


@pytest.fixture
def dock(make_dock, sample):
    return make_dock(sample)


@pytest.fixture
def session(dock):
    return session_of(dock.model)


def saved(path):
    return {roi.name: roi for roi in RoiTable.read(path / "rois.csv")}


def box(x, y, name, width=20.0, height=20.0, map_id="01"):
    points = [(x, y), (x + width, y), (x + width, y + height), (x, y + height)]
    return roi_from_points(points, "rectangle", name=name, map_id=map_id)


def write(dock, row, column, text):
    """Edit a cell as somebody does, by its editor."""
    dock.view.setCurrentIndex(dock.rows.index(row, column))
    dock.view.edit(dock.rows.index(row, column))
    (line,) = (one for one in dock.view.viewport().findChildren(QLineEdit) if one.isVisible())
    line.setText("")
    QTest.keyClicks(line, text)
    QTest.keyClick(line, Qt.Key.Key_Return)
    QApplication.processEvents()  # the editor is read when the key has been dealt with


def texts(dock, column):
    return [one.texts[column] for one in dock.rows.rows]


# --- the table ---------------------------------------------------------------------------------------------------
def test_it_says_what_there_is(dock):
    assert texts(dock, NAME) == ["ROI_001", "ROI_002", "ROI_003"]
    assert texts(dock, SLICE) == ["01", "01", "04 (s04_r0c1)"]
    assert texts(dock, AREA) == ["2163 µm²", "7024 µm²", "1731 µm²"]
    assert texts(dock, EMPTY) == ["", "", ""]
    assert dock.count.text() == "3 ROIs"


@pytest.mark.parametrize(
    ("column", "text", "field", "value"),
    [
        pytest.param(NAME, "core", "name", "core", id="name"),
        pytest.param(TAGS, "b, a; b", "tags", ("b", "a"), id="tags"),
        pytest.param(COMMENT, "seen twice", "comment", "seen twice", id="comment"),
    ],
)
def test_a_cell_is_written_at_once_and_undone(dock, session, sample, column, text, field, value):
    before = (sample / "rois.csv").read_bytes()
    write(dock, 1, column, text)
    after = list(RoiTable.read(sample / "rois.csv"))
    assert getattr(after[1], field) == value
    assert session.undo_stack.undoText() == f"change {field} of ROI_002"
    dock.undo.click()
    assert (sample / "rois.csv").read_bytes() == before
    assert texts(dock, NAME)[1] == "ROI_002"
    dock.redo.click()
    assert getattr(list(RoiTable.read(sample / "rois.csv"))[1], field) == value


def test_a_cell_that_is_not_changed_is_no_change(dock, session):
    write(dock, 0, NAME, "ROI_001")
    assert session.undo_stack.count() == 0


def test_a_profile_is_chosen_from_those_that_there_are(dock, sample):
    dock.view.edit(dock.rows.index(0, PROFILE))
    (choice,) = dock.view.viewport().findChildren(QComboBox)
    assert [choice.itemData(n) for n in range(choice.count())] == ["", "tissue", "T cells"]
    choice.setCurrentIndex(2)
    choice.activated.emit(2)
    assert saved(sample)["ROI_001"].profile == "T cells"


def test_tags_in_use_complete_the_last_word(dock, session, qtbot):
    assert session.marking.tags() == ["figure", "follicle", "vessel"]
    line = QLineEdit("vessel, fo")
    qtbot.addWidget(line)
    completer = LastWord(session.marking.tags(), line)
    line.setCompleter(completer)
    completer.setCompletionPrefix(completer.splitPath(line.text())[0])
    assert [completer.pathFromIndex(completer.completionModel().index(0, 0))] == ["vessel, follicle"]


def test_filter_and_sort_change_what_is_shown_and_not_the_file(dock, sample):
    before = (sample / "rois.csv").read_bytes()
    dock.filter.setText("figure 01")
    assert texts(dock, NAME) == ["ROI_001"]
    assert dock.count.text() == "1 of 3 ROIs"
    dock.filter.setText("")
    dock.view.sortByColumn(AREA, Qt.SortOrder.DescendingOrder)
    assert texts(dock, NAME) == ["ROI_002", "ROI_001", "ROI_003"]
    dock.view.sortByColumn(-1, Qt.SortOrder.AscendingOrder)
    assert texts(dock, NAME) == ["ROI_001", "ROI_002", "ROI_003"]
    assert (sample / "rois.csv").read_bytes() == before


def test_rows_are_selected_with_the_shapes(dock, session):
    layer = session.roi_layer.layer
    ids = list(layer.features["roi_id"])
    dock.view.selectRow(1)
    assert layer.selected_data == {ids.index(dock.rows.rows[1].roi.roi_id)}
    layer.selected_data = {0, 2}
    assert [index.row() for index in dock.view.selectionModel().selectedRows()] == [0, 2]
    dock.view.sortByColumn(NAME, Qt.SortOrder.DescendingOrder)
    chosen = {texts(dock, NAME)[index.row()] for index in dock.view.selectionModel().selectedRows()}
    assert chosen == {"ROI_001", "ROI_003"}
    layer.selected_data = set()
    assert not dock.view.selectionModel().hasSelection()


def test_a_double_click_looks_at_the_roi(dock, session):
    index = dock.rows.index(2, NAME)
    dock.view.doubleClicked.emit(index)
    assert session.slice_id == "04"
    shape = session.roi_layer.layer.data[2]
    middle = session.roi_layer.layer.data_to_world(shape.mean(axis=0))
    np.testing.assert_allclose(session.viewer.scene.camera.center[1:], middle[1:], atol=1e-6)
    height = np.ptp(shape[:, 1]) * session.map_layer.pages.scale[1]
    assert session.viewer.scene.camera.zoom * height <= min(session.viewer.canvas.size)


def test_deleting_rows_and_undoing(dock, session, sample):
    before = (sample / "rois.csv").read_bytes()
    dock.view.selectRow(0)
    QTest.keyClick(dock.view, Qt.Key.Key_Delete)
    assert list(saved(sample)) == ["ROI_002", "ROI_003"]
    assert texts(dock, NAME) == ["ROI_002", "ROI_003"]
    assert not dock.delete.isEnabled()
    session.undo_stack.undo()
    assert (sample / "rois.csv").read_bytes() == before


def test_an_empty_table_says_what_to_do(make_dock, sample):
    RoiTable().write(sample / "rois.csv")
    dock = make_dock(sample)
    assert "Choose a tool" in dock.message.text()
    session_of(dock.model).add_roi(box(20, 20, "a"))
    assert dock.message.text() == ""


# --- shapes ------------------------------------------------------------------------------------------------------
def test_an_roi_that_leaves_the_data_looks_so_and_the_table_says_how_much(dock, session):
    layer = session.roi_layer.layer
    width = session.dataset.maps["01"].shape[1]
    session.add_roi(box(width - 10, 100, "out"))
    session.add_roi(box(100, 100, "in"))
    assert texts(dock, EMPTY)[-2:] == ["50 %", ""]
    assert not np.allclose(layer.edge_color[-2], layer.edge_color[-1])
    assert layer.edge_width[-2] < layer.edge_width[-1]
    out = next(roi for roi in session.rois if roi.name == "out")
    shifted = {"x_min": out.x_min - 40, "x_max": out.x_max - 40}
    session.change_roi(out.model_copy(update=shifted))
    place = list(layer.features["name"]).index("out")
    np.testing.assert_allclose(layer.edge_color[place], layer.edge_color[list(layer.features["name"]).index("in")])
    assert texts(dock, EMPTY)[-2:] == ["", ""]


def test_a_shape_that_is_drawn_out_of_the_data_looks_so(dock, session, qtbot):
    layer, place = session.roi_layer.layer, session.roi_layer.places.of_page(1)
    drawn = place.to_canvas(((-30, 10), (10, 10), (10, 30), (-30, 30)))
    layer.add(np.array([(1, y - 0.5, x - 0.5) for x, y in drawn]), shape_type="rectangle")
    qtbot.waitUntil(lambda: layer.edge_width[-1] < layer.edge_width[0])
    assert texts(dock, EMPTY)[-1] == "75 %"
    assert layer.features["name"].iloc[-1] == "ROI_004"


def test_only_shapes_that_change_are_drawn_anew(dock, session):
    session.marking.add([box(20 + n, 20, f"r{n}") for n in range(60)])
    layer, seen = session.roi_layer.layer, []
    layer.events.data.connect(lambda event: seen.append((str(event.action), len(event.data_indices))))
    roi = next(iter(session.rois))
    session.change_roi(roi.model_copy(update={"comment": "x"}))
    assert seen == []
    session.change_roi(session.rois[roi.roi_id].model_copy(update={"x_max": roi.x_max + 5}))
    assert seen == [("removing", 1), ("removed", 1), ("adding", 1), ("added", 1)]
    assert sorted(layer.features["roi_id"]) == sorted(one.roi_id for one in session.rois)
    for index, roi_id in enumerate(layer.features["roi_id"]):
        drawn = session.roi_layer.places.of(session.rois[roi_id]).to_canvas(session.rois[roi_id].points)
        np.testing.assert_allclose(layer.data[index][:, :0:-1] + 0.5, drawn, atol=1e-4)


def test_names_are_written_on_the_map_unless_there_are_many(dock, session, monkeypatch):
    layer = session.roi_layer.layer
    assert list(layer.text.values) == ["ROI_001", "ROI_002", "ROI_003"]
    monkeypatch.setattr("napari_slicemap.viewer.roi_layer._LABELLED", 3)
    session.add_roi(box(20, 20, "a"))
    assert not np.any(np.char.str_len(layer.text.values))
    session.undo_stack.undo()
    assert list(layer.text.values) == ["ROI_001", "ROI_002", "ROI_003"]


# --- tools -------------------------------------------------------------------------------------------------------
def add(session, points, shape_type="polygon"):
    drawn = session.roi_layer.places.of_page(1).to_canvas(points)
    session.roi_layer.layer.add(np.array([(1, y - 0.5, x - 0.5) for x, y in drawn]), shape_type=shape_type)
    return list(session.rois)[-1]


@pytest.mark.parametrize(
    ("tool", "mode"),
    [("select", "select"), ("rectangle", "add_rectangle"), ("turned", "add_polygon"), ("polygon", "add_polygon"),
     ("line", "add_path"), ("stamp", "pan_zoom")],
)  # fmt: skip
def test_a_tool_is_a_mode_of_the_layer(dock, session, tool, mode):
    dock.tools.buttons[tool].click()
    assert str(session.roi_layer.layer.mode) == mode
    assert session.viewer.layers.selection.active is session.roi_layer.layer
    assert dock.tools.current == tool
    session.roi_layer.layer.mode = "direct"
    assert dock.tools.current == ""
    assert not session.marking.turned


def test_three_points_make_a_turned_rectangle(dock, session, qtbot):
    dock.hand.take("turned")
    made = add(session, ((100, 60), (140, 90), (128, 106)))
    assert made.kind == "rotated-rectangle"
    np.testing.assert_allclose(made.points, ((100, 60), (140, 90), (128, 106), (88, 76)), atol=1e-6)
    layer = session.roi_layer.layer
    qtbot.waitUntil(lambda: str(layer.shape_type[-1]) == "rectangle")
    assert len(layer.data) == len(session.rois)
    dock.hand.take("polygon")
    assert add(session, ((100, 60), (140, 90), (128, 106))).kind == "polygon"


def test_on_a_fov_px_are_those_of_the_fov(dock, session, sample):
    dock.tools.target.setCurrentIndex(1)
    tile = session.dataset.maps["01"].placement.tiles[1]
    x, y = tile.window.x0 + 40, tile.window.y0 + 30
    made = add(session, ((x, y), (x + 20, y), (x + 20, y + 10), (x, y + 10)), "rectangle")
    assert (made.fov, made.map_id) == (tile.name, "")
    assert (made.x_min, made.x_max, made.y_min, made.y_max) == pytest.approx((40, 60, 30, 40))
    dock.tools.target.setCurrentIndex(0)
    assert add(session, ((x, y), (x + 20, y), (x + 20, y + 10), (x, y + 10)), "rectangle").map_id == "01"


def test_names_follow_the_pattern(dock, session):
    dock.tools.pattern.setText("core {n}")
    dock.tools.pattern.editingFinished.emit()
    assert add(session, ((20, 20), (40, 20), (40, 50))).name == "core 1"
    dock.tools.pattern.setText("core")
    dock.tools.pattern.editingFinished.emit()
    assert "expected one number" in dock.message.text()
    assert dock.tools.pattern.text() == "core {n}"


# --- other slices ------------------------------------------------------------------------------------------------
def test_copies_lie_at_the_same_stage_place(dock, session):
    dock.view.selectRow(0)
    dialog = dock.ask_copy()
    assert "01" not in dialog.picker.model.keys()  # noqa: SIM118 - a method of the model
    dialog.picker.tick(["02", "03"])
    dialog.copy.click()
    made = list(session.rois)[3:]
    assert [(roi.name, roi.map_id, roi.profile, roi.tags) for roi in made] == [
        ("ROI_004", "02", "tissue", ("figure", "vessel")),
        ("ROI_005", "03", "tissue", ("figure", "vessel")),
    ]
    maps = session.dataset.maps
    corner = maps["01"].placement.stage_um(*next(iter(session.rois)).points[0])
    for roi in made:
        assert maps[roi.map_id].placement.stage_um(*roi.points[0]) == pytest.approx(corner)
    session.undo_stack.undo()
    assert len(session.rois) == 3


# --- pictures ----------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("number", [0, 1, 2])
def test_a_picture_is_what_the_export_writes(sample, tmp_path, number):
    dataset = open_dataset(sample)
    roi = list(dataset.rois)[number]
    plan = ExportPlan.model_validate({
        "select": [{"kind": "fov-roi" if roi.fov else "map-roi", "ids": [roi.roi_id]}], "profile": roi.profile,
        "downsample": 4, "output_folder": str(tmp_path / "out"),
    })  # fmt: skip
    (done,) = run_export(plan, dataset).results
    longest = max(roi.x_max - roi.x_min, roi.y_max - roi.y_min)
    made = picture_of(roi, dataset, "tissue", int(longest / 4) + 1)
    with Image.open(Path(done.output_path)) as written:
        np.testing.assert_array_equal(made, np.asarray(written))


def test_rows_in_sight_get_pictures_and_others_lose_them(dock, session, qtbot):
    def there(row):
        return dock.rows.index(row, PICTURE).data(Qt.ItemDataRole.DecorationRole)

    qtbot.waitUntil(lambda: all(there(row) is not None for row in range(3)), timeout=20_000)
    first = there(0)
    roi = dock.rows.rows[0].roi
    session.change_roi(roi.model_copy(update={"profile": "T cells"}))
    qtbot.waitUntil(lambda: there(0) is not None and there(0) != first, timeout=20_000)
    session.undo_stack.undo()
    assert there(0) == first


def test_a_picture_of_the_profile_before_is_not_kept(dock, session, qtbot, monkeypatch):
    began, go = threading.Event(), threading.Event()

    def late(*_):
        began.set()
        assert go.wait(20)
        return np.zeros((4, 4, 4), np.uint8)

    monkeypatch.setattr("napari_slicemap.viewer.docks.roi_drawing.pictures.picture_of", late)
    dock.thumbnails.forget()
    qtbot.waitUntil(began.is_set, timeout=20_000)
    told = []
    dock.thumbnails.made.connect(told.append)
    session.profiles_changed.emit()
    dock.thumbnails._timer.stop()
    go.set()
    qtbot.waitUntil(lambda: not dock._lane.busy, timeout=20_000)
    assert told == []


def test_a_tool_brings_back_the_layer_that_was_taken_out(dock, session):
    session.viewer.layers.remove(session.roi_layer.layer)
    dock.hand.take("rectangle")
    layer = session.viewer.layers["ROIs"]
    assert session.viewer.layers.selection.active is layer
    assert str(layer.mode) == "add_rectangle"
    session.set_display("composite")
    assert session.viewer.layers.selection.active is layer
    assert len(layer.data) == len(session.rois)


# --- files -------------------------------------------------------------------------------------------------------
def test_geojson_goes_out_and_in(dock, session, tmp_path):
    before = list(session.rois)
    said = export_rois(session, before, tmp_path / "r.geojson")
    assert said.startswith("3 ROIs written")
    assert "0 new ROIs, 0 changed, 3 as they were" in import_rois(session, tmp_path / "r.geojson")
    session.marking.remove([roi.roi_id for roi in before])
    assert "3 new ROIs" in import_rois(session, tmp_path / "r.geojson")
    assert list(session.rois) == before
    assert session.undo_stack.undoText() == "import 3 ROIs"


def test_napari_reads_the_shapes_that_are_written(dock, session, tmp_path):
    said = export_rois(session, list(session.rois), tmp_path / "s.csv", "shapes")
    assert "ROI ROI_003 is left out" in said
    data, options, kind = csv_to_layer_data(str(tmp_path / "s.csv"), require_type="shapes")
    assert kind == "shapes"
    assert options["shape_type"] == ["rectangle", "polygon"]
    np.testing.assert_allclose(data[0][:, 0], 1)
    np.testing.assert_allclose(data[0][0], (1, 65.5, 245.5))
    assert "2 new ROIs" in import_rois(session, tmp_path / "s.csv")
    assert [roi.name for roi in list(session.rois)[3:]] == ["ROI_004", "ROI_005"]


# --- two viewers, and closing ------------------------------------------------------------------------------------
def test_two_viewers_never_overwrite_each_other(make_dock, sample):
    mine, theirs = make_dock(sample), make_dock(sample)
    write(mine, 0, COMMENT, "mine")
    write(theirs, 1, COMMENT, "theirs")
    assert [roi.comment for roi in saved(sample).values()][:2] == ["mine", "theirs"]
    assert texts(theirs, COMMENT)[:2] == ["mine", "theirs"]
    write(mine, 1, COMMENT, "mine")
    assert saved(sample)["ROI_002"].comment == "theirs"
    assert "ROI_002 was changed by another program" in mine.message.text()
    assert texts(mine, COMMENT)[:2] == ["mine", "theirs"]
    assert session_of(mine.model).undo_stack.count() == 1
    session_of(theirs.model).undo_stack.undo()
    session_of(mine.model).marking.look_for_changes()
    assert texts(mine, COMMENT)[:2] == ["mine", "follicle"]


def test_what_another_one_changed_is_not_undone(make_dock, sample):
    mine, theirs = make_dock(sample), make_dock(sample)
    write(mine, 0, NAME, "a")
    write(theirs, 0, COMMENT, "x")
    session_of(theirs.model).marking.look_for_changes()
    write(theirs, 0, COMMENT, "x")
    session_of(mine.model).undo_stack.undo()
    assert "was changed by another program" in mine.message.text()
    assert saved(sample)["a"].comment == "x"
    assert not session_of(mine.model).undo_stack.canUndo()


def test_closing_leaves_no_thread_and_no_listener(dock, session):
    layer = session.roi_layer.layer
    callbacks = len(layer.mouse_drag_callbacks)
    dock.view.selectRow(0)
    dock.ask_copy()
    dock.thumbnails._start()
    dock.close()
    assert not [one for one in threading.enumerate() if one.name == "slicemap-dock"]
    assert len(layer.mouse_drag_callbacks) == callbacks - 1
    session.add_roi(box(20, 20, "a"))
    session.undo_stack.undo()
    assert dock.rows.total == 3
    assert len(session.marking.told) == 0
    assert len(session.opened) == 0


def test_it_follows_another_dataset(dock, session, sample):
    dock.hand.take("turned")
    session.open(sample, "02")
    assert dock.tools.current == ""
    dock.hand.take("rectangle")
    assert str(session.viewer.layers["ROIs"].mode) == "add_rectangle"
    assert texts(dock, NAME) == ["ROI_001", "ROI_002", "ROI_003"]


def test_it_fits_a_narrow_window(dock):
    assert dock.minimumSizeHint().width() <= 420


def test_its_icons_follow_the_theme(dock):
    def colour():
        image = dock.tools.buttons["stamp"].icon().pixmap(20, 20).toImage()
        return image.pixelColor(image.width() // 2, image.height() // 4).lightness()

    dark = colour()
    dock.model.theme = "light"
    assert colour() < dark - 60
    dock.close()
    dock.model.theme = "dark"
    assert colour() < dark - 60

"""What somebody types into a table stays there, whatever others do to its rows meanwhile."""

from __future__ import annotations

import shutil

import pytest
from napari.components import ViewerModel
from qtpy.QtCore import QPoint, Qt
from qtpy.QtWidgets import QApplication, QComboBox, QLineEdit

from napari_slicemap.rois.roi import roi_from_points
from napari_slicemap.rois.table import RoiTable
from napari_slicemap.rois.table_file import Change, RoiFile
from napari_slicemap.slices import slice_config
from napari_slicemap.slices.table_file import open_table
from napari_slicemap.viewer.desk import show_dock
from napari_slicemap.viewer.docks.roi_drawing import RoiDrawingDock
from napari_slicemap.viewer.docks.roi_drawing.rows import COMMENT, NAME, PROFILE
from napari_slicemap.viewer.docks.slice_config import SliceConfigDock
from napari_slicemap.viewer.session import session_of


def docked(kind, path, qtbot):
    """A dock on an acquisition, in a viewer without a window."""
    model = ViewerModel()
    session_of(model).open(path, "01")
    made = kind(model)
    made.model_of_viewer = model  # a session holds its viewer weakly
    qtbot.addWidget(made)
    made.resize(700, 600)
    made.show()
    made.activateWindow()
    qtbot.waitUntil(made.isActiveWindow)
    return made


@pytest.fixture
def table(sample):
    path = sample / "slice_config.csv"
    slice_config.write(path, slice_config.stamp(slice_config.read(path), "03", {"quality_score": 0.4}))
    return path


@pytest.fixture
def slices(table, sample, qtbot):
    return docked(SliceConfigDock, sample, qtbot)


@pytest.fixture
def rois(sample, qtbot):
    return docked(RoiDrawingDock, sample, qtbot)


def edit(view, index, kind=QLineEdit):
    """Open the editor of a cell."""
    view.setCurrentIndex(index)
    view.edit(index)
    (editor,) = (one for one in view.viewport().findChildren(kind) if one.isVisible())
    return editor


def cell(dock, slice_id, key):
    return dock.model.index(dock.model.row_of(slice_id), dock.model.number_of_column(key))


def note_begun(dock, qtbot, text="half a"):
    editor = edit(dock.table, cell(dock, "03", "notes"))
    editor.clear()
    qtbot.keyClicks(editor, text)
    return editor


def is_open(view, editor, text):
    """Whether the editor is there as it was."""
    QApplication.processEvents()
    return view.is_editing and editor.isVisible() and editor.text() == text


def finish(editor, qtbot, text=" word"):
    qtbot.keyClicks(editor, text)
    qtbot.keyClick(editor, Qt.Key.Key_Return)


def rewrite(path, make):
    """Change the slice table as a command does."""
    with open_table(path, None, in_place=True, by="a command") as job:
        job.save(make(job.rows))


def add_row(dock, table):
    rewrite(table, lambda rows: slice_config.stamp(rows, "99", {"notes": "new"}, add=True))
    dock.editing.look()


def add_column(dock, table):
    rewrite(table, lambda rows: slice_config.stamp(rows, "02", {"operator": "eva"}))
    dock.editing.look()


def change_the_same_row(dock, table):
    rewrite(table, lambda rows: slice_config.stamp(rows, "03", {"quality_score": 0.9}))
    dock.editing.look()


def sort(dock, _table):
    header = dock.table.horizontalHeader()
    header.setSortIndicator(dock.model.number_of_column("slice_id"), Qt.SortOrder.DescendingOrder)


def move_slider(dock, _table):
    dock._session.show_slice("05")


def records_come(dock, _table):
    dock.model.set_applied({"03": "fixed"})


# --- the slice table --------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("meanwhile", [add_row, add_column, change_the_same_row, sort, move_slider, records_come])
def test_a_note_is_typed_to_its_end(slices, table, qtbot, meanwhile):
    editor = note_begun(slices, qtbot)
    meanwhile(slices, table)
    assert is_open(slices.table, editor, "half a")
    finish(editor, qtbot)
    qtbot.waitUntil(lambda: slices._session.edits.count == 1)
    assert slices._session.edits.edits["03"]["notes"].value == "half a word"


def test_what_is_typed_stays_with_its_dataset(slices, sample, sample_made, tmp_path, qtbot):
    other, session = shutil.copytree(sample_made, tmp_path / "other"), slices._session
    note_begun(slices, qtbot)
    session.open(other)
    assert not slices.table.is_editing
    assert session.dataset.path == other
    assert session.edits.count == 0
    assert session.edits.left_behind == ()
    assert slices.model.data(cell(slices, "03", "notes")) == ""
    session.open(sample)
    (left,) = session.edits.left_behind
    assert left.edits["03"]["notes"].value == "half a"


def test_what_is_typed_outlives_the_dock(slices, qtbot):
    note_begun(slices, qtbot)
    slices.close()
    assert slices._session.edits.edits["03"]["notes"].value == "half a"


def test_what_is_typed_outlives_the_window(table, session, viewer, make_napari_viewer, qtbot):
    session.open(table.parent)
    dock = show_dock(viewer, "Slice config")
    note_begun(dock, qtbot)
    viewer.close()
    other = session_of(make_napari_viewer())
    other.open(table.parent)
    (left,) = other.edits.left_behind
    assert left.edits["03"]["notes"].value == "half a"


def test_what_is_typed_of_an_roi_stays_with_its_dataset(rois, sample, sample_made, tmp_path, qtbot):
    other, session = shutil.copytree(sample_made, tmp_path / "other"), rois._session
    editor = edit(rois.view, rois.rows.index(0, COMMENT))
    qtbot.keyClicks(editor, "half a")
    before = next(iter(RoiTable.read(other / "rois.csv")))
    session.open(other)
    assert not rois.view.is_editing
    assert next(iter(session.rois)) == before == next(iter(RoiTable.read(other / "rois.csv")))
    assert next(iter(RoiTable.read(sample / "rois.csv"))).comment.endswith("half a")


def test_what_waited_is_done_when_the_editor_is_closed(slices, table, qtbot):
    editor = note_begun(slices, qtbot)
    for meanwhile in (add_row, sort, move_slider):
        meanwhile(slices, table)
    slices.filter.line.textChanged.disconnect()
    slices.set_filter("id >= 3")
    assert slices.model.ids[0] == "00"
    finish(editor, qtbot)
    qtbot.waitUntil(lambda: slices.model.ids[0] == "99")
    assert slices.model.ids[-1] == "03"
    assert slices.table.current == "05"
    assert slices.filter.count.text().endswith(f"{len(slices.model.ids)} shown")


def test_the_watcher_takes_nothing_from_who_types(slices, table, qtbot):
    editor = note_begun(slices, qtbot)
    rewrite(table, lambda rows: slice_config.stamp(rows, "99", {}, add=True))
    qtbot.waitUntil(lambda: "taken over" in slices.desk.message.text(), timeout=5000)
    assert is_open(slices.table, editor, "half a")
    qtbot.keyClick(editor, Qt.Key.Key_Escape)
    qtbot.waitUntil(lambda: slices.model.row_of("99") >= 0)
    assert slices._session.edits.count == 0


def test_a_note_on_a_row_that_is_gone_is_refused_in_words(slices, table, qtbot):
    editor = note_begun(slices, qtbot)
    rewrite(table, lambda rows: {one: row for one, row in rows.items() if one != "03"})
    slices.editing.look()
    assert is_open(slices.table, editor, "half a")
    finish(editor, qtbot)
    qtbot.waitUntil(lambda: slices.model.row_of("03") < 0)
    assert slices.desk.message.text() == "slice 03 is no longer in the table, so its notes cannot be edited"
    assert slices._session.edits.count == 0


def test_a_click_elsewhere_leaves_no_cell_that_does_not_fit(slices, qtbot):
    view = slices.table
    editor = edit(view, cell(slices, "03", "quality_score"))
    editor.selectAll()
    qtbot.keyClicks(editor, "1.5")
    there = view.visualRect(cell(slices, "01", "notes")).center()
    for click in (qtbot.mouseClick, qtbot.mouseDClick):
        click(view.viewport(), Qt.MouseButton.LeftButton, pos=QPoint(there))
        assert is_open(view, editor, "1.5")
    assert view.current == "03"
    assert "a number from 0 to 1" in slices.desk.message.text()
    qtbot.keyClick(editor, Qt.Key.Key_Escape)
    qtbot.mouseClick(view.viewport(), Qt.MouseButton.LeftButton, pos=QPoint(there))
    assert view.current == "01"


def test_a_word_that_was_chosen_stays(slices, table, qtbot):
    slices.table.show_column("interpolation_method_used")
    box = edit(slices.table, cell(slices, "03", "interpolation_method_used"), QComboBox)
    box.setCurrentIndex(2)
    word = box.currentText()
    add_row(slices, table)
    change_the_same_row(slices, table)
    assert (box.isVisible(), box.currentText()) == (True, word)
    qtbot.keyClick(box, Qt.Key.Key_Return)
    qtbot.waitUntil(lambda: slices._session.edits.count == 1)
    assert slices._session.edits.edits["03"]["interpolation_method_used"].value == word


# --- the table of ROIs ------------------------------------------------------------------------------------------------
def another_program(path):
    """The ROIs as another program has them."""
    return RoiFile(path / "rois.csv", RoiTable.read(path / "rois.csv"))


def add_roi(path):
    new = roi_from_points([(5, 5), (25, 5), (25, 25)], "polygon", name="new", map_id="01")
    another_program(path).change([Change(None, new)])


def change_all(path):
    theirs = another_program(path)
    theirs.change([Change(one, one.model_copy(update={"comment": "theirs"})) for one in theirs.table])


def remove_others(path):
    theirs = another_program(path)
    theirs.change([Change(one, None) for one in list(theirs.table)[1:]])


@pytest.mark.parametrize("meanwhile", [add_roi, change_all, remove_others])
def test_an_roi_is_named_to_the_end(rois, sample, qtbot, meanwhile):
    editor = edit(rois.view, rois.rows.index(0, NAME))
    editor.clear()
    qtbot.keyClicks(editor, "half a")
    meanwhile(sample)
    wanted = RoiTable.read(sample / "rois.csv")
    qtbot.waitUntil(lambda: list(rois._session.rois) == list(wanted), timeout=5000)
    assert is_open(rois.view, editor, "half a")
    finish(editor, qtbot)
    named = next(iter(wanted))
    qtbot.waitUntil(lambda: rois._session.rois[named.roi_id].name == "half a word")
    saved = RoiTable.read(sample / "rois.csv")
    assert [one.comment for one in saved] == [one.comment for one in wanted], "what others wrote is gone"
    qtbot.waitUntil(lambda: [one.roi.roi_id for one in rois.rows.rows] == [one.roi_id for one in saved])


def test_an_roi_that_is_gone_is_not_named(rois, sample, qtbot):
    editor = edit(rois.view, rois.rows.index(0, COMMENT))
    qtbot.keyClicks(editor, "x")
    theirs = another_program(sample)
    first = next(iter(theirs.table))
    theirs.change([Change(first, None)])
    qtbot.waitUntil(lambda: first.roi_id not in rois._session.rois, timeout=5000)
    finish(editor, qtbot)
    said = f"ROI {first.label} is not there any more, so its comment cannot be edited"
    qtbot.waitUntil(lambda: rois.message.text() == said)
    qtbot.waitUntil(lambda: len(rois.rows.rows) == len(theirs.table))


def test_a_profile_that_was_chosen_stays(rois, sample, qtbot):
    box = edit(rois.view, rois.rows.index(0, PROFILE), QComboBox)
    other = next(n for n in range(box.count()) if n != box.currentIndex())
    box.setCurrentIndex(other)
    change_all(sample)
    rois._session.marking.look_for_changes()
    assert (box.isVisible(), box.currentIndex()) == (True, other)


def test_a_table_of_rois_that_cannot_be_read_is_told_once_and_kept(rois, sample, qtbot):
    path = sample / "rois.csv"
    kept, before = path.read_text(), list(rois._session.rois)
    path.write_text("what,is,this\n1,2,3\n")
    qtbot.waitUntil(lambda: "rois.csv was changed by another program" in rois.message.text(), timeout=5000)
    rois.say("")
    rois._session.marking.look_for_changes()
    assert rois.message.text() == ""
    assert list(rois._session.rois) == before
    path.write_text(kept.replace("mine", "theirs"))
    rois._session.marking.look_for_changes()
    assert list(rois._session.rois) == list(RoiTable.read(path))

"""The Slice config dock: what is edited in it is kept through all that happens beside it, and saved when asked to."""

from __future__ import annotations

import csv
import gc
import threading

import numpy as np
import pytest
from filelock import FileLock
from napari.components import ViewerModel
from qtpy.QtCore import QPoint, Qt
from qtpy.QtGui import QImage
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication, QLineEdit

from napari_slicemap.slices import slice_config
from napari_slicemap.slices.audit import read_trail
from napari_slicemap.slices.journal import find_left_behind, read_journal
from napari_slicemap.slices.table_file import open_table
from napari_slicemap.viewer.docks.slice_config import SliceConfigDock
from napari_slicemap.viewer.docks.slice_config.dialogs import ClashDialog, TrailDialog
from napari_slicemap.viewer.session import session_of

EXTRA = {
    "01": {"quality_score": 0.81, "operator": "eva"},
    "02": {"quality_score": 0.2, "galvo_confidence": 0.55, "rehomed": True, "rehoming_reliable": False},
    "03": {"galvo_confidence": 0.89, "galvo_fix": True},
    "04": {"auto_excluded": True, "auto_exclude_reason": "noisy cluster (3 consecutive)", "interpolated": True},
}


@pytest.fixture
def table(sample):
    """The sample's slice table, with something in most columns."""
    path = sample / "slice_config.csv"
    slice_config.write(path, slice_config.stamp_many(slice_config.read(path), EXTRA))
    return path


@pytest.fixture
def make_dock(qtbot):
    """Open the acquisition in a viewer without a window, with the dock."""

    kept = []  # they are closed, rather than collected while they are seen

    def make(path):
        model = ViewerModel()
        session = session_of(model)
        session.open(path)
        made = SliceConfigDock(model)
        made.model_of_viewer = model  # a session holds its viewer weakly
        qtbot.addWidget(made)
        made.resize(480, 500)
        made.show()
        kept.append(made)
        return made

    yield make
    kept.clear()


@pytest.fixture
def dock(make_dock, table, sample):
    return make_dock(sample)


def cells(path, slice_id):
    """Read a row of the file, without our reader."""
    with path.open(encoding="utf-8", newline="") as stream:
        return next(row for row in csv.DictReader(stream) if row["slice_id"] == slice_id)


def write_elsewhere(path, slice_id, **values):
    """Change the table as a command does."""
    with open_table(path, None, in_place=True, by="a command") as job:
        job.save(slice_config.stamp(job.rows, slice_id, values))


def session_in(dock):
    return dock._session


def shown(dock, slice_id, key):
    """What a cell shows."""
    model = dock.model
    return model.data(model.index(model.row_of(slice_id), model.number_of_column(key)))


def place(dock, slice_id, key):
    """The middle of a cell, in px of the table."""
    model = dock.model
    return dock.table.visualRect(model.index(model.row_of(slice_id), model.number_of_column(key)))


# --- in a window, by keys and clicks ----------------------------------------------------------------------------------
def test_a_slice_is_excluded_with_a_note_by_keys_and_saved(viewer, table, sample, qtbot):
    session = session_of(viewer)
    session.open(sample, "01")
    _, dock = viewer.window.add_plugin_dock_widget("napari-slicemap", "Slice config")
    viewer.window._qt_window.activateWindow()
    qtbot.waitUntil(viewer.window._qt_window.isActiveWindow)
    before = table.read_bytes()
    assert dock.table.current == "01"
    view = dock.table
    view.setFocus()
    qtbot.keyClick(view, Qt.Key.Key_Down)
    assert (view.current, session.slice_id) == ("02", "02")
    viewer.dims.set_current_step(0, 3)
    assert view.current == "03"
    qtbot.keyClick(view, Qt.Key.Key_Up)
    qtbot.keyClick(view, Qt.Key.Key_Space)
    assert session.dataset.why_excluded("02") == "use is false"
    assert "excluded" in viewer.canvas.overlays.text.text
    qtbot.keyClick(view, Qt.Key.Key_E)
    editor = view.findChild(QLineEdit)
    qtbot.keyClicks(editor, "folded")
    qtbot.keyClick(editor, Qt.Key.Key_Return)
    qtbot.waitUntil(lambda: dock.desk.unsaved.text() == "● 2 unsaved")
    assert table.read_bytes() == before
    qtbot.waitUntil(lambda: QApplication.focusWidget() is view)
    QTest.keyClick(view, Qt.Key.Key_S, Qt.KeyboardModifier.ControlModifier)
    assert "Saved 2 cells" in dock.desk.message.text()
    assert (cells(table, "02")["use"], cells(table, "02")["notes"]) == ("false", "folded")
    assert dock.desk.unsaved.text() == "all saved"
    assert [(one.column, one.old, one.new) for one in read_trail(table, "02")] == [
        ("use", "true", "false"), ("notes", "", "folded")]  # fmt: skip
    assert table.with_name("slice_config.csv.bak").read_bytes() == before


@pytest.mark.parametrize(
    ("key", "slice_id", "column", "new"),
    [
        pytest.param("use", "01", "use", False, id="use"),
        pytest.param("galvo", "03", "galvo_fix", False, id="galvo decision"),
        pytest.param("galvo", "01", "galvo_fix", True, id="galvo decision that nobody made"),
    ],
)
def test_a_click_turns_a_checkbox_over(dock, qtbot, key, slice_id, column, new):
    model, view = dock.model, dock.table
    at = view.cells.box(model.columns[model.number_of_column(key)], place(dock, slice_id, key)).center()
    QTest.mouseClick(view.viewport(), Qt.MouseButton.LeftButton, pos=at)
    assert session_in(dock).dataset.slices[slice_id][column] is new
    assert session_in(dock).edits.count == 1
    beside = QPoint(place(dock, slice_id, "notes").center())
    QTest.mouseClick(view.viewport(), Qt.MouseButton.LeftButton, pos=beside)
    assert session_in(dock).edits.count == 1


def test_a_cell_that_does_not_fit_keeps_the_focus_and_says_why(dock, qtbot):
    model, view = dock.model, dock.table
    dock.activateWindow()
    qtbot.waitUntil(dock.isActiveWindow)
    index = model.index(model.row_of("01"), model.number_of_column("quality_score"))
    view.setCurrentIndex(index)
    view.edit(index)
    editor = view.findChild(QLineEdit)
    editor.selectAll()
    qtbot.keyClicks(editor, "1.5")
    qtbot.keyClick(editor, Qt.Key.Key_Return)
    assert "a number from 0 to 1" in dock.desk.message.text()
    assert editor.isVisible()
    assert session_in(dock).edits.count == 0
    dock.filter.line.setFocus()
    qtbot.waitUntil(editor.hasFocus)
    editor.selectAll()
    qtbot.keyClicks(editor, "0.5")
    assert dock.desk.message.text() == ""
    qtbot.keyClick(editor, Qt.Key.Key_Return)
    qtbot.waitUntil(lambda: shown(dock, "01", "quality_score") == "0.500")
    view.edit(index)
    editor = next(one for one in view.findChildren(QLineEdit) if one.isVisible())
    qtbot.keyClicks(editor, "nonsense")
    qtbot.keyClick(editor, Qt.Key.Key_Escape)
    assert shown(dock, "01", "quality_score") == "0.500"


def test_words_are_chosen_from_a_list(dock, qtbot):
    dock.table.show_column("interpolation_method_used")
    model = dock.model
    index = model.index(model.row_of("04"), model.number_of_column("interpolation_method_used"))
    editor = dock.table.cells.createEditor(dock.table.viewport(), None, index)
    assert [editor.itemText(n) for n in range(editor.count())] == ["", "zmorph", "weighted", "average"]
    editor.setCurrentText("average")
    dock.table.cells.setModelData(editor, model, index)
    assert session_in(dock).dataset.slices["04"]["interpolation_method_used"] == "average"
    editor.deleteLater()


# --- several rows, undo -----------------------------------------------------------------------------------------------
def test_several_rows_are_one_step_of_the_history(dock):
    dataset, stack = session_in(dock).dataset, session_in(dock).undo_stack
    before = dict(dataset.slices)
    dock.table.select(["01", "02", "05"])
    dock.editing.toggle_use()
    dock.editing.append_note("batch 2")
    dock.editing.append_note("batch 2")  # it stands there already
    assert [dataset.slices[one]["use"] for one in ("01", "02", "05")] == [False] * 3
    assert {dataset.slices[one]["notes"] for one in ("01", "02", "05")} == {"batch 2"}
    assert [stack.text(n) for n in range(stack.count())] == ["exclude 3 slices", "note on 3 slices"]
    assert dock.table.selected == ["01", "02", "05"]
    dock.table.select(["00", "01"])
    dock.editing.toggle_use()
    assert dataset.slices["00"]["use"] is True
    for _ in range(3):
        dock.editing.undo()
    assert dict(dataset.slices) == before
    assert session_in(dock).edits.count == 0
    assert not dock.desk.save.isEnabled()
    dock.editing.redo()
    assert dataset.slices["05"]["use"] is False


@pytest.mark.parametrize(
    ("flag", "slice_id", "left"),
    [
        pytest.param("auto-excluded", "04", "interpolated", id="auto-excluded"),
        pytest.param("interpolated", "04", "auto-excluded", id="interpolated"),
        pytest.param("rehomed", "02", "", id="rehomed"),
    ],
)
def test_a_flag_is_cleared(dock, flag, slice_id, left):
    dock.table.select([slice_id])
    dock.editing.clear_flag(flag)
    assert shown(dock, slice_id, "flags") == left
    dock.editing.undo()
    assert flag in shown(dock, slice_id, "flags")


def test_undoing_after_a_save_is_an_edit_to_save(dock, table):
    dock.table.select(["01"])
    dock.editing.set_use(False)
    dock.editing.save()
    dock.editing.undo()
    assert session_in(dock).edits.count == 1
    assert cells(table, "01")["use"] == "false"
    dock.editing.save()
    assert cells(table, "01")["use"] == "true"


def test_undoing_leaves_alone_what_somebody_else_changed_since(dock, table):
    dock.table.select(["01"])
    dock.editing.append_note("mine")
    dock.editing.save()
    write_elsewhere(table, "01", notes="theirs")
    dock.editing.look()
    dock.editing.undo()
    assert shown(dock, "01", "notes") == "theirs"
    assert "changed since" in dock.desk.message.text()


# --- beside others ----------------------------------------------------------------------------------------------------
def test_a_decision_that_is_written_at_once_drops_no_edit(dock, table):
    session = session_in(dock)
    dock.table.select(["01"])
    dock.editing.set_use(False)
    session.galvo.note("02", "seen")
    assert cells(table, "01")["use"] == "true"
    assert shown(dock, "02", "notes") == "seen"
    assert (session.dataset.slices["01"]["use"], session.edits.count) == (False, 1)
    session.reload_slices()
    assert session.dataset.slices["01"]["use"] is False
    dock.editing.look()
    assert "changed" not in dock.desk.message.text()
    dock.editing.save()
    assert (cells(table, "01")["use"], cells(table, "02")["notes"]) == ("false", "seen")


def test_what_somebody_else_writes_is_taken_over_and_said(dock, table, qtbot):
    write_elsewhere(table, "02", notes="from elsewhere", use=False)
    qtbot.waitUntil(lambda: shown(dock, "02", "notes") == "from elsewhere", timeout=5000)
    assert "2 cells of 1 slice taken over" in dock.desk.message.text()
    write_elsewhere(table, "02", notes="again")  # the file is another one now
    qtbot.waitUntil(lambda: shown(dock, "02", "notes") == "again", timeout=5000)


@pytest.mark.parametrize(
    ("answer", "notes", "use", "left"),
    [
        pytest.param("reload", "theirs", "false", 0, id="reload"),
        pytest.param("keep", "mine", "false", 0, id="keep mine"),
        pytest.param("cancel", "theirs", "true", 2, id="cancel"),
    ],
)
def test_a_cell_that_both_changed_is_asked_about(dock, table, answer, notes, use, left):
    dock.table.select(["02"])
    dock.editing.append_note("mine")
    dock.editing.set_use(False)
    write_elsewhere(table, "02", notes="theirs")
    dialog = dock.editing.save()
    assert isinstance(dialog, ClashDialog)
    assert cells(table, "02")["notes"] == "theirs"
    assert not dialog.table.isVisible()
    dialog.difference.click()
    assert [dialog.table.item(0, n).text() for n in range(5)] == ["02", "notes", "–", "theirs", "mine"]
    getattr(dialog, answer).click()
    assert (cells(table, "02")["notes"], cells(table, "02")["use"]) == (notes, use)
    assert session_in(dock).edits.count == left


@pytest.mark.parametrize(
    ("answer", "has_row"),
    [pytest.param("reload", False, id="reload"), pytest.param("keep", True, id="keep mine")],
)
def test_a_row_that_is_gone_is_asked_about(dock, table, answer, has_row):
    dock.table.select(["05", "02"])
    dock.editing.append_note("mine")
    kept = [one for one in table.read_text().splitlines() if not one.startswith("05")]
    table.write_text("\n".join(kept) + "\n")
    dialog = dock.editing.save()
    assert [clash.slice_id for clash in dialog.clashes] == ["05"]
    getattr(dialog, answer).click()
    assert cells(table, "02")["notes"] == "mine"
    assert ("05" in slice_config.read(table)) == has_row
    assert session_in(dock).edits.count == 0
    assert ("05" in dock.model.ids) == has_row


def test_edits_of_a_row_that_is_gone_can_be_discarded(dock, table):
    dock.table.select(["05"])
    dock.editing.append_note("mine")
    table.write_text("slice_id,use\n01,true\n")
    dock.editing.look()
    dock.editing.discard()
    assert session_in(dock).edits.count == 0


def test_two_viewers_never_overwrite_each_other_unasked(make_dock, table, sample):
    ann, ben = make_dock(sample), make_dock(sample)
    for one, note in ((ann, "ann"), (ben, "ben")):
        one.table.select(["02"])
        one.editing.append_note(note)
    ben.table.select(["05"])
    ben.editing.set_use(False)
    assert not ben.offer.isVisible(), "the edits of a living session were offered"
    assert ann.editing.save() is None
    dialog = ben.editing.save()
    assert isinstance(dialog, ClashDialog)
    assert (cells(table, "02")["notes"], cells(table, "05")["use"]) == ("ann", "true")
    dialog.reload.click()
    assert (cells(table, "02")["notes"], cells(table, "05")["use"]) == ("ann", "false")


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        pytest.param(lambda path: path.write_text("slice_id,use\n03,perhaps\n"), "perhaps", id="broken"),
        pytest.param(lambda path: path.unlink(), "gone", id="gone"),
    ],
)
def test_a_file_that_is_no_table_any_more_is_told_and_the_edits_stay(dock, table, spoil, said):
    dock.table.select(["01"])
    dock.editing.set_use(False)
    spoil(table)
    for command in (dock.editing.look, dock.editing.save):
        command()
        assert session_in(dock).edits.count == 1
    assert shown(dock, "02", "slice_id") == "02"
    assert session_in(dock).dataset.slices["01"]["use"] is False


def test_a_table_that_is_being_written_is_told(dock, table):
    dock.table.select(["01"])
    dock.editing.set_use(False)
    with FileLock(table.with_name(f".{table.name}.lock")):
        dock.editing.save()
    assert "is being written" in dock.desk.message.text()
    dock.editing.save()
    assert cells(table, "01")["use"] == "false"


# --- after a crash ----------------------------------------------------------------------------------------------------
def test_each_of_twenty_edits_is_on_disk_before_the_next(dock, table, sample):
    session = session_in(dock)
    for number in range(20):
        dock.table.select([f"{number % 6:02d}"])
        dock.editing.append_note(f"edit {number}")
        (journal,) = (sample / ".slicemap-cache" / "edits").glob("*.jsonl")
        assert read_journal(journal)[1] == session.edits.edits
    assert "edit 19" in session.edits.edits["01"]["notes"].value


def crash(dock):
    """Let the session go as if its process had ended: the lock is free, and what is in memory is lost."""
    session_in(dock).edits._journal.leave()
    session_in(dock).edits._journal = None


def test_edits_left_behind_are_offered_and_taken_up(make_dock, table, sample):
    lost = make_dock(sample)
    lost.table.select(["01", "02"])
    lost.editing.set_use(False)
    lost.table.select(["05"])
    lost.editing.append_note("dark")
    crash(lost)
    write_elsewhere(table, "02", use=False)  # one of them stands there already
    dock = make_dock(sample)
    assert dock.offer.isVisible()
    assert dock.offer.message.text().startswith("2 unsaved edits from ")
    assert shown(dock, "05", "notes") == ""
    dock.offer.buttons[0].click()
    assert not dock.offer.isVisible()
    assert (shown(dock, "05", "notes"), session_in(dock).edits.count) == ("dark", 2)
    dock.editing.save()
    assert (cells(table, "01")["use"], cells(table, "05")["notes"]) == ("false", "dark")
    folder = sample / ".slicemap-cache" / "edits"
    assert find_left_behind(folder, table) == ([], [])
    assert list(folder.iterdir()) == []


def test_edits_left_behind_overwrite_nothing_unasked(make_dock, table, sample):
    lost = make_dock(sample)
    lost.table.select(["05"])
    lost.editing.append_note("mine")
    crash(lost)
    write_elsewhere(table, "05", notes="theirs")
    dock = make_dock(sample)
    dock.offer.buttons[0].click()
    dialog = dock.editing.save()
    assert isinstance(dialog, ClashDialog)
    dialog.close()
    assert cells(table, "05")["notes"] == "theirs"


def test_edits_left_behind_can_be_discarded(make_dock, table, sample):
    lost = make_dock(sample)
    lost.table.select(["05"])
    lost.editing.append_note("mine")
    crash(lost)
    dock = make_dock(sample)
    dock.offer.buttons[1].click()
    assert not dock.offer.isVisible()
    assert list((sample / ".slicemap-cache" / "edits").iterdir()) == []
    assert not make_dock(sample).offer.isVisible()


def test_another_dataset_is_opened_and_the_edits_wait(dock, sample):
    session = session_in(dock)
    dock.table.select(["05"])
    dock.editing.append_note("mine")
    dataset = session.dataset
    session.open(sample)
    assert session.edits.count == 0
    assert dock.offer.isVisible()
    session.open(dataset)  # the object that had the edits
    assert shown(dock, "05", "notes") == ""


def test_a_cache_that_cannot_be_written_is_told(dock, sample):
    (sample / ".slicemap-cache").mkdir(exist_ok=True)
    (sample / ".slicemap-cache" / "edits").write_text("in the way")
    session_in(dock).edits.set_value(["05"], "notes", "mine")
    assert "A crash would lose" in dock.desk.message.text()
    assert shown(dock, "05", "notes") == "mine"


# --- looking ----------------------------------------------------------------------------------------------------------
def test_the_filter_shows_what_is_asked_for_and_says_what_is_wrong(dock, qtbot):
    dock.table.setFocus()
    qtbot.keyClick(dock.table, Qt.Key.Key_Slash)
    assert dock.filter.line.hasFocus() or QApplication.focusWidget() is None
    qtbot.keyClicks(dock.filter.line, "quality < 0.3 and use")
    qtbot.keyClick(dock.filter.line, Qt.Key.Key_Return)
    assert dock.model.ids == ["02"]
    assert dock.filter.count.text() == "4 of 6 used · 1 shown"
    dock.set_filter("quality <")
    assert "no condition" in dock.filter.why.text()
    assert dock.model.ids == ["02"]
    dock.set_filter("noisy")
    assert dock.model.ids == ["04"]
    assert dock.filter.why.text() == ""
    dock.set_filter("")
    assert len(dock.model.ids) == 6


@pytest.mark.parametrize(
    ("key", "order"),
    [
        pytest.param("slice_id", "05 04 03 02 01 00", id="id"),
        pytest.param("quality_score", "01 02 00 03 04 05", id="number; empty last"),
        pytest.param("galvo", "03 02 00 01 04 05", id="galvo"),
        pytest.param("flags", "02 04 00 01 03 05", id="flags"),
        pytest.param("use", "01 02 03 04 05 00", id="use"),
        pytest.param("operator", "01 00 02 03 04 05", id="a column of its own"),
    ],
)
def test_sorting_never_changes_the_order_of_the_file(dock, table, key, order):
    before = [one.split(",")[0] for one in table.read_text().splitlines()]
    dock.table.choose("02")
    dock.table.sortByColumn(dock.model.number_of_column(key), Qt.SortOrder.DescendingOrder)
    assert " ".join(dock.model.ids) == order
    assert dock.table.current == "02"
    dock.table.select(["01"])
    dock.editing.append_note("n")
    dock.editing.save()
    assert [one.split(",")[0] for one in table.read_text().splitlines()] == before


def test_columns_are_shown_on_demand(dock):
    titles = [one.key for one in dock.model.columns]
    assert titles[:7] == ["picture", "use", "slice_id", "quality_score", "galvo", "flags", "notes"]
    assert set(slice_config.CANONICAL_COLUMNS) <= set(titles)
    number = dock.model.number_of_column("operator")
    assert dock.table.isColumnHidden(number)
    dock.table.show_column("operator")
    assert not dock.table.isColumnHidden(number)
    dock.menus._fill_more()
    assert [one.text() for one in dock.menus.more.actions() if one.text()] == [
        "Columns", "Import…", "Export…", "Look at the file", "Discard unsaved edits"]  # fmt: skip


def test_flags_and_unsaved_cells_say_why(dock):
    def tip(slice_id, key):
        model = dock.model
        index = model.index(model.row_of(slice_id), model.number_of_column(key))
        return model.data(index, Qt.ItemDataRole.ToolTipRole)

    assert tip("04", "flags") == (
        "auto-excluded: noisy cluster (3 consecutive)\nmade of its neighbours: method not stated"
    )
    assert tip("02", "flags") == "its shift was corrected, not reliably"
    assert tip("03", "galvo") == "confidence 0.890; to be fixed"
    dock.table.select(["03"])
    dock.editing.append_note("new")
    assert tip("03", "notes") == "new\nnot saved; the file says nothing"


def test_thumbnails_are_those_of_the_slice_and_only_of_rows_that_are_seen(dock, qtbot):
    assert dock.thumbnails._images == {}
    dock.table.show_column("picture")
    qtbot.waitUntil(lambda: len(dock.thumbnails._images) == 6, timeout=20_000)
    image = dock.thumbnails.get("01")
    assert isinstance(image, QImage)
    assert max(image.width(), image.height()) <= 96
    colours = {image.pixel(x, y) for x in range(image.width()) for y in range(image.height())}
    assert len(colours) > 50
    session_in(dock).profiles_changed.emit()
    assert dock.thumbnails._images == {}


def test_a_picture_of_the_profile_before_is_not_kept(dock, qtbot, monkeypatch):
    began, go = threading.Event(), threading.Event()

    def late(*_):
        began.set()
        assert go.wait(20)
        return np.zeros((4, 4, 4), np.uint8)

    monkeypatch.setattr("napari_slicemap.viewer.docks.slice_config.thumbnails.thumbnail", late)
    dock.thumbnails.get("01")
    qtbot.waitUntil(began.is_set, timeout=20_000)
    session_in(dock).profiles_changed.emit()
    go.set()
    qtbot.waitUntil(lambda: not dock._lanes["thumbnails"].busy, timeout=20_000)
    assert dock.thumbnails._images == {}


def test_a_filter_of_a_column_that_is_gone_says_so(dock, sample):
    table = sample / "slice_config.csv"
    before = table.read_text()
    head, *lines = before.splitlines()
    stains = ["stain", "he", *(["pas"] * (len(lines) - 1))]
    table.write_text("".join(f"{line},{stain}\n" for line, stain in zip([head, *lines], stains, strict=True)))
    dock.editing.look()
    dock.set_filter("stain == 'he'")
    assert len(dock.model.ids) == 1
    assert dock.filter.why.text() == ""
    table.write_text(before)
    dock.editing.look()
    assert len(dock.model.ids) == len(lines)
    assert "All slices are shown" in dock.filter.why.text()
    assert "stain" in dock.filter.why.text()


def test_a_table_that_may_not_be_read_is_said_in_words(dock, sample, monkeypatch):
    def denied(path):
        raise PermissionError(13, "Permission denied", str(path))

    session_in(dock).edits.set_value(["02"], "notes", "kept")
    (sample / "slice_config.csv").touch()
    monkeypatch.setattr(slice_config, "read", denied)
    dock.editing.save()
    assert dock.desk.message.text().endswith("slice_config.csv cannot be read: Permission denied")
    assert session_in(dock).edits.count == 1


# --- without a table, other tables, the trail -------------------------------------------------------------------------
def test_without_a_table_one_is_generated(make_dock, sample):
    (sample / "slice_config.csv").unlink()
    dock = make_dock(sample)
    assert dock.pages.currentIndex() == 1
    assert "6 slices" in dock.empty.message.text()
    dock.empty.exclude.setText("3, 77")
    dock.empty.generate.click()
    assert "77" in dock.empty.why.text()
    assert not (sample / "slice_config.csv").exists()
    dock.empty.exclude.setText("3")
    dock.empty.generate.click()
    assert dock.pages.currentIndex() == 0
    rows = slice_config.read(sample / "slice_config.csv")
    assert [(one["use"], one["notes"]) for one in rows.values()] == [
        (False, "calibration_slice"), (True, ""), (True, ""), (False, "manually_excluded"), (True, ""), (True, "")
    ]  # fmt: skip
    dock.table.select(["01"])
    dock.editing.set_use(False)
    dock.editing.save()
    assert cells(sample / "slice_config.csv", "01")["use"] == "false"


@pytest.mark.parametrize(
    ("named", "said", "can"),
    [("slide A", "slide A", False), ("7", "1 slice will be in it", True)],
    ids=["words", "digits"],
)
def test_a_table_is_offered_where_slices_have_numbers(make_dock, sample, tmp_path, named, said, can):
    tile = next(sample.glob("s01_r0c0/DAPI.tif"))
    (tmp_path / "tiles.csv").write_text(f"path,map_id,x_px,y_px\n{tile},{named},0,0\n")
    dock = make_dock(tmp_path / "tiles.csv")
    assert dock.pages.currentIndex() == 1
    assert said in dock.empty.message.text()
    assert dock.empty.generate.isVisible() is can


def test_it_says_what_to_do_when_nothing_is_open(qtbot):
    model = ViewerModel()
    dock = SliceConfigDock(model)
    qtbot.addWidget(dock)
    assert "Open Sample" in dock.nothing.message.text()
    for command in (dock.editing.toggle_use, dock.editing.save, dock.editing.undo, dock.editing.look):
        command()
    dock.close()


def test_another_table_is_imported_as_edits_and_this_one_exported(dock, table, tmp_path):
    other = tmp_path / "other.csv"
    other.write_text("slice_id,notes\n1,new\n2,\n99,x\n")
    before = table.read_bytes()
    dock.editing.import_from(other)
    assert (shown(dock, "01", "notes"), session_in(dock).edits.count) == ("new", 1)
    assert session_in(dock).dataset.slices["00"]["use"] is False, "a table without `use` decided it"
    for said in ("1 cell of 1 slice", "left out: 99", "Not in other.csv: 00, 03–05"):
        assert said in dock.desk.message.text()
    dock.editing.export_to(tmp_path / "out.csv")
    assert cells(tmp_path / "out.csv", "01")["notes"] == "new"
    assert table.read_bytes() == before
    dock.editing.export_to(table)
    assert "is the table that is open" in dock.desk.message.text()
    dock.editing.import_from(tmp_path / "none.csv")
    assert "none.csv" in dock.desk.message.text()
    dock.editing.discard()
    assert session_in(dock).edits.count == 0


def test_the_audit_trail_opens_from_the_row(dock, table):
    write_elsewhere(table, "02", use=False)
    dock.editing.look()
    dock.table.choose("02")
    dialog = dock.editing.show_trail()
    assert isinstance(dialog, TrailDialog)
    assert [dialog.table.item(0, n).text() for n in range(1, 5)] == ["a command", "use", "true", "false"]
    dialog.close()
    table.with_name("slice_config.audit.csv").write_text("what,is,this\n")
    assert dock.editing.show_trail() is None
    assert "audit" in dock.desk.message.text()


# --- closing ----------------------------------------------------------------------------------------------------------
def test_closing_leaves_no_listener_thread_or_watch_and_keeps_the_edits(dock, table):
    session = session_in(dock)
    dock.table.show_column("picture")
    dock.table.select(["01"])
    dock.editing.set_use(False)
    dock.editing.ask_note()
    dock.close()
    assert not [one for one in threading.enumerate() if one.name == "slicemap-dock"]
    assert (len(session.opened), len(session.edits.changed), len(session.edits.refused)) == (0, 0, 0)
    assert dock.watch._watcher.files() == dock.watch._watcher.directories() == []
    session.undo_stack.undo()
    assert session.edits.count == 0
    session.undo_stack.redo()
    assert session.edits.count == 1


@pytest.mark.parametrize("order", [(0, 1), (1, 0)], ids=["this one first", "this one last"])
def test_docks_are_closed_in_any_order_in_a_window(viewer, table, sample, qtbot, order):
    session = session_of(viewer)
    session.open(sample)
    docks = [
        viewer.window.add_plugin_dock_widget("napari-slicemap", name)[0] for name in ("Slice config", "Galvo inspector")
    ]
    qtbot.wait(50)
    for number in order:
        docks[number].close()
        viewer.window.remove_dock_widget(docks[number])
        session.set_slices(slice_config.read(table))
    del docks
    for _ in range(3):
        QApplication.processEvents()
        gc.collect()
    assert not [one for one in threading.enumerate() if one.name == "slicemap-dock"]
    assert (len(session.opened), len(session.edits.changed)) == (0, 0)


def test_it_fits_a_narrow_window(dock):
    assert dock.minimumSizeHint().width() <= 420

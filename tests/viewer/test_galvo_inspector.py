"""The Galvo inspector shows what the shell finds, and what is decided in it is on disk at once and can be undone."""

from __future__ import annotations

import csv
import gc
import json
import shutil
import subprocess
import sys
import threading

import numpy as np
import pytest
from filelock import FileLock
from napari.components import ViewerModel
from qtpy.QtCore import QPointF, Qt
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication

from napari_slicemap.cli import main
from napari_slicemap.errors import CancelledError
from napari_slicemap.images.oct.tile import find_raw_tiles
from napari_slicemap.slices.galvo import average_projection
from napari_slicemap.slices.galvo.decisions import find_returns
from napari_slicemap.slices.galvo.tile_slices import find_tile_slices
from napari_slicemap.viewer.docks.galvo_inspector import GalvoInspectorDock, reading
from napari_slicemap.viewer.session import session_of

SHIFT = 28
"""Of the sample's slice 03."""
LINES, RETURN = 60, 12
OTHERS = {"01": 5, "02": 40, "04": 0}
"""Slices that `more_slices` adds, and the shift that puts the return of each at its end."""


@pytest.fixture
def more_slices(sample):
    """The sample, with tiles of other slices: those of slice 03, rolled."""
    tiles = sample / "raw_tiles"
    for tile in find_raw_tiles(tiles):
        for slice_id, shift in OTHERS.items():
            made = tiles / tile.path.name.replace("_z03", f"_z{slice_id}")
            made.mkdir()
            shutil.copy(tile.path / "info.txt", made)
            moved = np.roll(np.asarray(tile.volume()), SHIFT - shift, axis=1)
            (made / "image_00000.bin").write_bytes(moved.astype("<f4").tobytes(order="F"))
    return sample


@pytest.fixture
def make_dock(qtbot):
    """Open an acquisition in a viewer without a window, with the dock, and wait until it has looked at a slice."""

    def make(path, wait=True):
        model = ViewerModel()
        session = session_of(model)
        session.open(path)
        made = GalvoInspectorDock(model)
        made.model = model  # a session holds its viewer weakly
        qtbot.addWidget(made)
        made.resize(480, 760)
        made.show()
        if wait:
            qtbot.waitUntil(lambda: made.panels.tile is not None, timeout=30_000)
        return made

    return make


@pytest.fixture
def dock(make_dock, sample):
    return make_dock(sample)


def cells(path, slice_id="03"):
    """Read the galvo cells and notes of a slice from the file, without our reader."""
    with (path / "slice_config.csv").open(encoding="utf-8", newline="") as stream:
        row = next(row for row in csv.DictReader(stream) if row["slice_id"] == slice_id)
    return row["galvo_confidence"], row["galvo_fix"], row["notes"]


def record(path, slice_id="03"):
    """Read what is on record of a slice, without our reader; ``None`` where nothing is."""
    file = path / "diagnostics" / f"slice_{slice_id}.json"
    return json.loads(file.read_text("utf-8"))["galvo"] if file.is_file() else None


def decided(path, slice_id="03"):
    one = record(path, slice_id)
    return None if one is None else (one["reviewer_shift"], one["decided_by"] != "detection")


def look_at(dock, qtbot, slice_id):
    dock.slices.choose(slice_id)
    qtbot.waitUntil(lambda: "Reading" not in dock.panels.said.text(), timeout=30_000)


def detect_all(dock, qtbot):
    with qtbot.waitSignal(dock.detected, timeout=60_000) as done:
        dock.all.detect.click()
    return done.args[0]


def line(dock, slice_id="03"):
    return dock.slices.line(slice_id)


def drag(dock, qtbot, start, stop):
    """Drag what is at one A-line of the plot to another one."""
    plot = dock.panels.profile
    view = plot._view.viewport()

    def place(at):
        height = np.mean(plot._box.viewRange()[1])
        return plot._view.mapFromScene(plot._box.mapViewToScene(QPointF(at, height)))

    qtbot.mousePress(view, Qt.MouseButton.LeftButton, pos=place(start))
    for at in np.linspace(start, stop, 5)[1:]:
        qtbot.mouseMove(view, place(at))
    qtbot.mouseRelease(view, Qt.MouseButton.LeftButton, pos=place(stop))


# --- a slice from the first look to the last undo ---------------------------------------------------------------------
def test_a_slice_is_looked_at_overridden_rejected_and_undone_in_a_window(session, sample, qtbot):
    viewer = session.viewer
    _, dock = viewer.window.add_plugin_dock_widget("napari-slicemap", "Galvo inspector")
    qtbot.waitUntil(lambda: dock.panels.tile is not None, timeout=30_000)
    untouched = (sample / "slice_config.csv").read_bytes()
    assert (dock.slices.current, session.slice_id) == ("03", "03")
    assert "not decided" in dock.panels.heading.text()
    assert dock.panels.shift.value() == SHIFT
    assert (line(dock).confidence, line(dock).agree) == (pytest.approx(1), (4, 4))

    drag(dock, qtbot, 26, 16)
    assert dock.panels.shift.value() == SHIFT + 10
    assert dock.desk.accept.text() == "Override (A)"
    assert (sample / "slice_config.csv").read_bytes() == untouched
    assert record(sample) is None

    dock.desk.note.setText("the band is further left")
    dock.desk.accept.click()
    assert cells(sample) == ("1.000", "true", "the band is further left")
    assert decided(sample) == (SHIFT + 10, True)
    assert record(sample)["shift"] == SHIFT
    assert (line(dock).decision, line(dock).standing.overridden) == (f"fix by {SHIFT + 10}", True)
    assert "override" in line(dock).by
    assert "override" in dock.panels.heading.text()

    dock.desk.reject.click()
    assert cells(sample)[1] == "false"
    assert decided(sample)[1]
    assert line(dock).decision == "leave"

    dock.desk.undo.click()
    assert cells(sample)[1:] == ("true", "the band is further left")
    assert decided(sample) == (SHIFT + 10, True)
    assert dock.panels.shift.value() == SHIFT + 10

    dock.desk.undo.click()
    assert (sample / "slice_config.csv").read_bytes() == untouched
    assert record(sample) is None
    assert line(dock).decision == "–"
    assert dock.panels.shift.value() == SHIFT

    dock.desk.redo.click()
    assert cells(sample) == ("1.000", "true", "the band is further left")
    assert decided(sample) == (SHIFT + 10, True)
    assert session.dataset.slices["03"]["galvo_fix"] is True
    with (sample / "slice_config.audit.csv").open(encoding="utf-8", newline="") as stream:
        trail = [(one["column"], one["old"], one["new"]) for one in csv.DictReader(stream)]
    assert [one for one in trail if one[0] == "galvo_fix"] == [
        ("galvo_fix", "", "true"), ("galvo_fix", "true", "false"), ("galvo_fix", "false", "true"),
        ("galvo_fix", "true", ""), ("galvo_fix", "", "true")]  # fmt: skip


def test_slider_and_list_go_together(session, qtbot):
    _, dock = session.viewer.window.add_plugin_dock_widget("napari-slicemap", "Galvo inspector")
    qtbot.waitUntil(lambda: dock.panels.tile is not None, timeout=30_000)
    session.viewer.dims.set_current_step(0, 1)
    assert dock.slices.current == "01"
    assert "no tiles" in dock.panels.said.text()
    assert not dock.desk.accept.isEnabled()
    dock.slices.choose("03")
    assert session.slice_id == "03"


def test_it_follows_the_theme_until_it_is_closed(dock):
    dark = dock.panels.profile._view.backgroundBrush().color()
    dock.model.theme = "light"
    light = dock.panels.profile._view.backgroundBrush().color()
    assert light.lightness() > dark.lightness() + 100
    dock.close()
    dock.model.theme = "dark"
    assert dock.panels.profile._view.backgroundBrush().color() == light


def test_what_is_seen_is_what_the_shell_finds(dock, sample):
    tiles = find_tile_slices(sample / "raw_tiles")
    (finding,) = find_returns(tiles, dock._session.dataset.slices, sample / "diagnostics")
    assert dock.panels.look.record == finding.record
    assert dock.panels.look.found.detection == finding.detection
    dock.deciding.accept()
    own = record(sample)
    subprocess.run(
        [sys.executable, "-m", "napari_slicemap", "galvo", "detect", str(sample), "--report-only"],
        check=True, capture_output=True,
    )  # fmt: skip
    assert record(sample) == own


def test_an_earlier_detection_is_shown_as_it_is_on_record(make_dock, sample, monkeypatch):
    words = ["slicemap", "galvo", "detect", str(sample), "--samples", "2", "--threshold", "0.7"]
    monkeypatch.setattr(sys, "argv", words)
    with pytest.raises(SystemExit) as stop:
        main()
    assert not stop.value.code
    known = record(sample)
    dock = make_dock(sample)
    look = dock.panels.look
    assert look.found is None
    assert look.record.model_dump(mode="json") == known
    assert len(look.sampled) == 2
    assert (line(dock).decision, line(dock).by, line(dock).threshold) == (f"fix by {SHIFT}", "detection", 0.7)
    dock.deciding.accept()
    now = record(sample)
    assert {**now, "reviewer_shift": None, "decided_by": "detection"} == known
    dock.deciding.withdraw()
    assert cells(sample)[1] == ""


# --- preview ----------------------------------------------------------------------------------------------------------
def test_the_score_follows_the_band(dock, qtbot):
    with qtbot.waitSignal(dock.looking.weighed, check_params_cb=lambda one: one.score.shift == 50):
        dock.panels.shift.setValue(50)
    assert dock.panels.profile.shift == 50
    assert dock.panels.bars._rows["confidence"].bar.value < 0.1
    with qtbot.waitSignal(dock.looking.weighed, check_params_cb=lambda one: one.score.shift == SHIFT):
        dock.panels.detected.click()
    assert dock.panels.bars._rows["confidence"].bar.value == pytest.approx(1)
    assert dock.panels.bars._rows["tiles"].bar.value == pytest.approx(dock.panels.look.record.tiles[0].share, abs=1e-5)


def test_the_patch_is_made_of_the_tile_and_those_around_it(dock, qtbot):
    qtbot.waitUntil(lambda: not dock._lanes["patch"].busy)
    assert set(dock.panels.before_after._mosaic) == {(0, 0), (0, 1), (1, 0), (1, 1)}


def test_other_slices_are_read_when_they_are_chosen_and_the_last_three_are_kept(make_dock, more_slices, qtbot):
    dock = make_dock(more_slices)
    for slice_id, shift in {**OTHERS, "03": SHIFT}.items():
        look_at(dock, qtbot, slice_id)
        assert dock.panels.look.slice_id == slice_id
        assert dock.panels.shift.value() == shift
    assert list(dock.looking._looks) == ["02", "04", "03"]


def test_reading_a_tile_can_be_stopped(sample):
    (tiles,) = find_tile_slices(sample / "raw_tiles").values()
    with pytest.raises(CancelledError):
        reading.read_aip(tiles, 0, lambda: True)
    np.testing.assert_array_equal(reading.read_aip(tiles, 0, lambda: False), average_projection(tiles.tiles[0].open()))


def test_a_slice_that_is_passed_over_is_never_shown(make_dock, more_slices, qtbot, monkeypatch):
    dock = make_dock(more_slices)
    begun, go_on = threading.Event(), threading.Event()
    read = reading.read_aip

    def slow(tiles, index, asked):
        if tiles.slice_id == "02":
            begun.set()
            assert go_on.wait(30)
        return read(tiles, index, asked)

    monkeypatch.setattr(reading, "read_aip", slow)
    seen = []
    dock.looking.shown.connect(seen.append)
    dock.slices.choose("02")
    qtbot.waitUntil(begun.is_set, timeout=30_000)
    assert "Reading" in dock.panels.said.text()
    assert not dock.desk.accept.isEnabled()
    dock.slices.choose("04")
    go_on.set()
    qtbot.waitUntil(lambda: "04" in seen, timeout=30_000)
    assert seen == ["04"]
    assert dock.panels.look.slice_id == "04"


def test_a_tile_that_cannot_be_read_is_named(make_dock, more_slices, qtbot):
    lost = more_slices / "raw_tiles" / "tile_x00_y00_z02" / "image_00000.bin"
    lost.write_bytes(lost.read_bytes()[:-100])
    dock = make_dock(more_slices)
    look_at(dock, qtbot, "02")
    assert "tile_x00_y00_z02" in dock.panels.said.text()
    assert not dock.desk.accept.isEnabled()
    assert dock.desk.reject.isEnabled()


# --- keys -------------------------------------------------------------------------------------------------------------
@pytest.fixture
def focused(make_dock, more_slices, qtbot):
    dock = make_dock(more_slices)
    dock.activateWindow()
    dock.slices.setFocus()
    qtbot.waitUntil(dock.slices.hasFocus)
    return dock


def test_keys_decide_and_walk(focused, more_slices, qtbot):
    dock = focused
    press = lambda key, held=Qt.KeyboardModifier.NoModifier: QTest.keyClick(QApplication.focusWidget(), key, held)  # noqa: E731
    look_at(dock, qtbot, "03")
    press(Qt.Key.Key_A)
    assert cells(more_slices)[1] == "true"
    press(Qt.Key.Key_R)
    assert cells(more_slices)[1] == "false"
    press(Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
    assert cells(more_slices)[1] == "true"
    press(Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier | Qt.KeyboardModifier.ShiftModifier)
    assert cells(more_slices)[1] == "false"
    press(Qt.Key.Key_N)
    assert dock.slices.current == "04"
    press(Qt.Key.Key_N)
    assert dock.slices.current == "04"
    assert "last slice" in dock.desk.message.text()
    press(Qt.Key.Key_P)
    assert dock.slices.current == "03"
    dock.panels.shift.setFocus()
    press(Qt.Key.Key_A)
    assert cells(more_slices)[1] == "true"
    assert dock.panels.shift.value() == SHIFT


def test_letters_of_a_note_are_no_keys(focused, more_slices, qtbot):
    dock = focused
    look_at(dock, qtbot, "03")
    QTest.keyClick(dock.slices, Qt.Key.Key_E)
    assert QApplication.focusWidget() is dock.desk.note
    QTest.keyClicks(dock.desk.note, "rapen B")
    assert cells(more_slices) == ("", "", "")
    assert dock.slices.current == "03"
    QTest.keyClick(dock.desk.note, Qt.Key.Key_Return)
    assert cells(more_slices) == ("", "", "rapen B")
    assert QApplication.focusWidget() is dock.slices
    dock.deciding.undo()
    assert cells(more_slices) == ("", "", "")


def test_a_note_waits_while_another_slice_is_looked_at(focused, qtbot):
    dock = focused
    look_at(dock, qtbot, "03")
    dock.desk.note.setText("later")
    dock.step(1)
    assert dock.desk.note.text() == ""
    dock.step(-1)
    assert dock.desk.note.text() == "later"


def test_holding_b_shows_what_it_was_before(focused):
    shown = []
    focused.panels.before_after.before_shown.connect(shown.append)
    QTest.keyPress(focused.slices, Qt.Key.Key_B)
    assert shown == [True]
    QTest.keyRelease(focused.slices, Qt.Key.Key_B)
    assert shown == [True, False]


# --- the table belongs to others, too ---------------------------------------------------------------------------------
def edit(path, slice_id, column, value):
    """Change a cell as a text editor would."""
    with (path / "slice_config.csv").open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    next(row for row in rows if row["slice_id"] == slice_id)[column] = value
    with (path / "slice_config.csv").open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, rows[0], lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def test_what_others_change_meanwhile_is_kept(dock, sample):
    edit(sample, "02", "use", "false")
    edit(sample, "03", "notes", "folded")
    dock.desk.note.setText("band")
    dock.deciding.accept()
    assert cells(sample) == ("1.000", "true", "folded; band")
    assert not dock._session.dataset.is_used("02")
    edit(sample, "04", "notes", "torn")
    dock.deciding.undo()
    assert cells(sample) == ("", "", "folded")
    assert cells(sample, "04")[2] == "torn"
    assert not dock._session.dataset.is_used("02")


def test_a_decision_of_somebody_else_is_not_undone(dock, sample, qtbot):
    dock.deciding.accept()
    edit(sample, "03", "galvo_fix", "false")
    before = (sample / "slice_config.csv").read_bytes()
    dock.deciding.undo()
    assert "somebody else set galvo_fix to false" in dock.desk.message.text()
    assert (sample / "slice_config.csv").read_bytes() == before
    qtbot.waitUntil(dock._session.undo_stack.canUndo)
    edit(sample, "03", "galvo_fix", "true")
    dock.deciding.undo()
    assert cells(sample) == ("", "", "")


def test_a_table_that_is_being_written_is_left_alone_and_said(dock, sample, qtbot):
    before = (sample / "slice_config.csv").read_bytes()
    with FileLock(sample / ".slice_config.csv.lock"):
        dock.desk.note.setText("band")
        dock.deciding.accept()
        assert "being written by another command" in dock.desk.message.text()
        assert dock.desk.note.text() == "band"
        assert not dock._session.undo_stack.canUndo()
    assert (sample / "slice_config.csv").read_bytes() == before
    assert record(sample) is None
    dock.deciding.accept()
    with FileLock(sample / ".slice_config.csv.lock"):
        dock.deciding.undo()
        assert "being written by another command" in dock.desk.message.text()
        qtbot.waitUntil(dock._session.undo_stack.canUndo)
    dock.deciding.undo()
    assert (sample / "slice_config.csv").read_bytes() == before


def test_an_unsaved_edit_of_the_decision_is_to_be_saved_first(dock, sample):
    session = dock._session
    before = (sample / "slice_config.csv").read_bytes()
    session.edits.set_value(["03"], "galvo_fix", False)
    assert line(dock).decision == "leave"
    dock.deciding.accept()
    assert "save or undo that first" in dock.desk.message.text()
    assert (sample / "slice_config.csv").read_bytes() == before
    dock.deciding.undo()
    dock.deciding.accept()
    session.edits.set_value(["02"], "notes", "torn")
    assert cells(sample)[1] == "true"
    assert cells(sample, "02")[2] == ""
    assert session.dataset.slices["02"]["notes"] == "torn"


def test_a_broken_table_is_told_and_nothing_is_written(dock, sample):
    (sample / "slice_config.csv").write_text("slice_id,use\n03,perhaps\n")
    dock.deciding.accept()
    assert "perhaps" in dock.desk.message.text()
    assert (sample / "slice_config.csv").read_text() == "slice_id,use\n03,perhaps\n"
    assert record(sample) is None


def test_without_a_table_the_first_decision_makes_one(make_dock, sample):
    (sample / "slice_config.csv").unlink()
    dock = make_dock(sample)
    dock.deciding.accept()
    assert "was not there yet" in dock.desk.message.text()
    with (sample / "slice_config.csv").open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert [(row["slice_id"], row["use"], row["galvo_fix"]) for row in rows] == [
        (f"{n:02d}", "true", "true" if n == 3 else "") for n in range(6)]  # fmt: skip
    dock.deciding.undo()
    assert cells(sample) == ("", "", "")


def test_a_table_changed_elsewhere_is_followed(dock, sample, qtbot):
    edit(sample, "03", "galvo_fix", "false")
    dock._session.reload_slices()
    qtbot.waitUntil(lambda: line(dock).decision == "leave")
    assert line(dock).by == "override, slice table"
    assert dock.desk.withdraw.isEnabled()


# --- all slices -------------------------------------------------------------------------------------------------------
def test_detect_all_fills_the_table_and_leaves_decisions_alone(make_dock, more_slices, qtbot):
    dock = make_dock(more_slices)
    look_at(dock, qtbot, "02")
    dock.deciding.reject()
    assert "4 of 4" in detect_all(dock, qtbot)
    assert {one: cells(more_slices, one)[:2] for one in ("00", "01", "02", "03", "04")} == {
        "00": ("", ""), "01": ("1.000", "true"), "02": ("1.000", "false"), "03": ("1.000", "true"),
        "04": ("1.000", "false")}  # fmt: skip
    assert {one: record(more_slices, one)["shift"] for one in OTHERS} == OTHERS
    assert decided(more_slices, "02")[1]
    assert [one.decision for one in dock.slices.lines.rows] == [
        "–",
        "fix by 5",
        "leave",
        f"fix by {SHIFT}",
        "leave",
        "–",
    ]


def test_undoing_a_decision_after_a_detection_gives_the_detection_its_word(make_dock, more_slices, qtbot):
    dock = make_dock(more_slices)
    look_at(dock, qtbot, "02")
    dock.deciding.reject()
    detect_all(dock, qtbot)
    dock.deciding.undo()
    assert cells(more_slices, "02")[:2] == ("1.000", "true")
    assert decided(more_slices, "02") == (None, False)
    dock.deciding.redo()
    assert cells(more_slices, "02")[:2] == ("1.000", "false")
    assert decided(more_slices, "02")[1]


def test_what_is_detected_before_cancelling_is_kept(make_dock, more_slices, qtbot, monkeypatch):
    dock = make_dock(more_slices)
    qtbot.waitUntil(lambda: not dock._lanes["patch"].busy)
    third, go_on = threading.Event(), threading.Event()
    read = reading.read_aip

    def slow(tiles, index, asked):
        if tiles.slice_id == "03":
            third.set()
            assert go_on.wait(30)
        return read(tiles, index, asked)

    monkeypatch.setattr(reading, "read_aip", slow)
    with qtbot.waitSignal(dock.detected, timeout=30_000) as done:
        dock.all.detect.click()
        qtbot.waitUntil(third.is_set, timeout=30_000)
        dock.all.cancel.click()
        go_on.set()
    assert "2 of 4 slices" in done.args[0]
    assert "cancelled" in done.args[0]
    assert cells(more_slices, "01")[1] == cells(more_slices, "02")[1] == "true"
    assert cells(more_slices, "03")[1] == cells(more_slices, "04")[1] == ""
    assert dock.all.detect.isVisible()


def test_a_slice_that_cannot_be_read_does_not_stop_the_others(make_dock, more_slices, qtbot):
    lost = more_slices / "raw_tiles" / "tile_x00_y00_z02" / "image_00000.bin"
    lost.write_bytes(b"")
    dock = make_dock(more_slices)
    said = detect_all(dock, qtbot)
    assert "3 of 4" in said
    assert "tile_x00_y00_z02" in said
    assert "cancelled" not in said
    assert cells(more_slices, "04")[0] == "1.000"


# --- fixes ------------------------------------------------------------------------------------------------------------
def test_fixes_are_listed_before_they_are_written(make_dock, more_slices, qtbot):
    dock = make_dock(more_slices)
    look_at(dock, qtbot, "03")
    dock.deciding.accept()
    look_at(dock, qtbot, "02")
    dock.deciding.reject()
    dialog = dock.show_fixes()
    qtbot.waitSignal(dialog.planned, timeout=30_000).wait()
    listed = [[dialog.table.item(n, column).text() for column in range(3)] for n in range(dialog.table.rowCount())]
    assert listed[0][:2] == ["03", f"rolled by {SHIFT} A-lines (a reviewer decided)"]
    assert "tile_x00_y00_z03" in listed[0][2]
    assert {one: what for one, what, _ in listed[1:]}["02"].startswith("left: not to be fixed")
    assert dialog.folder.text() == str(more_slices / "fixed")
    assert not (more_slices / "fixed").exists()

    before = (more_slices / "raw_tiles" / "tile_x00_y00_z03" / "image_00000.bin").read_bytes()
    with qtbot.waitSignal(dialog.written, timeout=60_000) as done:
        dialog.write.click()
    assert done.args[0] is not None
    assert sorted(one.name for one in (more_slices / "fixed").iterdir() if not one.name.startswith(".")) == [
        f"tile_x0{x}_y0{y}_z03" for x in (0, 1) for y in (0, 1)]  # fmt: skip
    was, fixed = (
        np.fromfile(more_slices / folder / "tile_x00_y00_z03" / "image_00000.bin", "<f4").reshape(
            6, LINES, -1, order="F"
        )
        for folder in ("raw_tiles", "fixed")
    )
    np.testing.assert_array_equal(fixed, np.roll(was, SHIFT, axis=1))
    assert (more_slices / "raw_tiles" / "tile_x00_y00_z03" / "image_00000.bin").read_bytes() == before
    assert record(more_slices)["applied"]["shift"] == SHIFT
    qtbot.waitUntil(lambda: bool(line(dock).applied))
    dialog.close()


def test_with_nothing_decided_there_is_nothing_to_write(dock, qtbot):
    dialog = dock.show_fixes()
    qtbot.waitSignal(dialog.planned, timeout=30_000).wait()
    assert not dialog.write.isEnabled()
    assert "nobody has decided" in dialog.table.item(0, 1).text()
    dialog.close()


# --- without tiles ----------------------------------------------------------------------------------------------------
def test_it_says_what_to_do_when_nothing_is_open(qtbot):
    model = ViewerModel()
    dock = GalvoInspectorDock(model)
    qtbot.addWidget(dock)
    assert "Open Sample" in dock.pages.nothing.message.text()
    assert not dock.all.detect.isEnabled()
    dock.deciding.accept()
    dock.close()


@pytest.mark.parametrize(
    ("edited", "said"),
    [
        pytest.param('raw_tiles = ""\nmosaics = ""\n', 'raw_tiles = "raw_tiles"', id="none named"),
        pytest.param('raw_tiles = "scans"\nmosaics = ""\n', "scans", id="not there"),
    ],
)
def test_without_tiles_it_says_where_they_are_looked_for(make_dock, sample, qtbot, edited, said):
    project = sample / "slicemap.toml"
    kept = [one for one in project.read_text().splitlines() if not one.startswith(("raw_tiles", "mosaics"))]
    project.write_text("\n".join(kept) + "\n" + edited)
    dock = make_dock(sample, wait=False)
    qtbot.waitSignal(dock.listed, timeout=30_000).wait()
    assert said in dock.panels.said.text()
    assert not dock.all.detect.isEnabled()


def test_mosaics_are_looked_at_where_there_are_no_raw_tiles(make_dock, sample):
    shutil.rmtree(sample / "raw_tiles")
    dock = make_dock(sample)
    assert dock.panels.look.tiles.kind == "mosaic"
    assert dock.panels.shift.value() == SHIFT


# --- closing ----------------------------------------------------------------------------------------------------------
def threads():
    return [one for one in threading.enumerate() if one.name == "slicemap-dock"]


def test_closing_while_tiles_are_read_leaves_no_thread_and_no_listener(make_dock, more_slices, qtbot):
    dock = make_dock(more_slices, wait=False)
    session = dock._session
    qtbot.waitSignal(dock.listed, timeout=30_000).wait()
    dock.looking._look()
    dock.detect_all()
    dock.show_fixes()
    dock.close()
    assert not threads()
    session.opened.emit()
    session.slices_changed.emit()
    session.page_changed.emit(2)
    assert len(session.opened) == 0
    assert len(session.slices_changed) == 1  # the veil
    assert len(session.galvo.refused) == 0


def test_a_decision_can_be_undone_after_the_dock_is_closed(make_dock, sample):
    dock = make_dock(sample)
    session = dock._session
    before = (sample / "slice_config.csv").read_bytes()
    dock.deciding.accept()
    dock.close()
    session.undo_stack.undo()
    assert (sample / "slice_config.csv").read_bytes() == before


def test_closing_the_viewer_while_slices_are_detected_leaves_no_thread(viewer, more_slices, qtbot):
    session = session_of(viewer)
    session.open(more_slices)
    _, dock = viewer.window.add_plugin_dock_widget("napari-slicemap", "Galvo inspector")
    qtbot.waitSignal(dock.listed, timeout=30_000).wait()
    dock.detect_all()
    viewer.close()
    del dock
    for _ in range(3):
        QApplication.processEvents()
        gc.collect()
    assert not threads()


def test_it_fits_a_narrow_window(dock):
    assert dock.minimumSizeHint().width() <= 420
    dock.resize(420, 600)
    QApplication.processEvents()
    assert dock.panels.minimumSizeHint().width() <= 420

"""What a dataset's files do not state is asked for, and is remembered where the user wants it."""

from __future__ import annotations

import tomllib

import pytest
from qtpy.QtCore import Qt
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QComboBox, QLineEdit

from builders import fov_folders, pixels, write_csv, write_tiff
from napari_slicemap import open_dataset
from napari_slicemap.viewer import missing_dialog
from napari_slicemap.viewer.commands import ask_for_missing
from napari_slicemap.viewer.contributions import read_acquisition
from napari_slicemap.viewer.missing_dialog import MissingDialog
from napari_slicemap.viewer.session import session_of


@pytest.fixture
def silent(tmp_path):
    """A table of two tiles at stage positions whose direction nobody states."""
    for n in range(2):
        write_tiff(tmp_path / f"t{n}.tif", pixels(n))
    rows = [(f"t{n}.tif", "1", 10 * n, 10 * n, 0.5) for n in range(2)]
    write_csv(tmp_path / "tiles.csv", ("path", "map_id", "x_um", "y_um", "pixel_size_um"), rows)
    return tmp_path


def asked(viewer):
    shown = [one for one in viewer.window._qt_window.findChildren(MissingDialog) if one.isVisible()]
    assert len(shown) < 2
    return shown[0] if shown else None


def test_it_asks_for_what_is_missing_and_remembers_the_answer(viewer, silent):
    read_acquisition(str(silent))
    dialog, session = asked(viewer), session_of(viewer)
    assert "tiles.csv lists tiles" in dialog.found.text()
    assert session.dataset.stage_y == "down"
    before = session.dataset.maps["1"].placement.windows[:, 2].tolist()
    combo = dialog._form.itemAt(0, dialog._form.ItemRole.FieldRole).widget()
    combo.setCurrentIndex(combo.findData("up"))
    dialog.use.click()
    assert session.dataset.stage_y == "up"
    assert session.dataset.missing == ()
    assert session.dataset.maps["1"].placement.windows[:, 2].tolist() == before[::-1]
    assert tomllib.loads((silent / "slicemap.toml").read_text("utf-8"))["stage_y"] == "up"


@pytest.mark.parametrize(
    ("text", "size", "message"),
    [("390 nm", 0.39, ""), ("5,5 um", None, "not a length"), ("", None, "Nothing is stated yet")],
    ids=["a length", "no length", "nothing"],
)
def test_a_pixel_size_is_a_length(viewer, tmp_path, text, size, message):
    fov_folders(tmp_path, maps=False)
    read_acquisition(str(tmp_path))
    dialog, session = asked(viewer), session_of(viewer)
    dialog.keep.setChecked(False)
    dialog._form.itemAt(0, dialog._form.ItemRole.FieldRole).widget().setText(text)
    dialog.use.click()
    assert session.dataset.fovs["a1"].pixel_size_um == (size and pytest.approx(size))
    assert message in dialog.message.text() if message else asked(viewer) is None
    assert not (tmp_path / "slicemap.toml").exists()


def test_nothing_is_asked_of_a_dataset_that_states_it_all(viewer, sample):
    read_acquisition(str(sample))
    assert asked(viewer) is None


def test_the_keyboard_is_enough(viewer, tmp_path):
    fov_folders(tmp_path, maps=False)
    read_acquisition(str(tmp_path))
    dialog, session = asked(viewer), session_of(viewer)
    field = dialog.findChild(QLineEdit)
    assert dialog.focusWidget() is field
    for after in (dialog.keep, dialog.later, dialog.use):
        QTest.keyClick(dialog.focusWidget(), Qt.Key.Key_Tab)
        assert dialog.focusWidget() is after
    QTest.keyClick(dialog, Qt.Key.Key_Escape)
    assert asked(viewer) is None
    assert session.dataset.missing
    ask_for_missing(viewer)
    dialog = asked(viewer)
    dialog.keep.setChecked(False)
    QTest.keyClicks(dialog.focusWidget(), "0.5")
    QTest.keyClick(dialog.focusWidget(), Qt.Key.Key_Return)
    assert session.dataset.fovs["a1"].pixel_size_um == 0.5
    assert asked(viewer) is None


def test_what_was_stated_before_is_shown_and_can_be_stated_anew(viewer, silent):
    session = session_of(viewer)
    session.open(open_dataset(silent, stage_y="up"))
    ask_for_missing(viewer)
    dialog = asked(viewer)
    assert "Stated before: stage direction." in dialog.found.text()
    choice = dialog.findChild(QComboBox)
    assert choice.currentData() == "up"
    choice.setCurrentIndex(choice.findData(None))
    dialog.keep.setChecked(False)
    dialog.use.click()
    assert [one.field for one in session.dataset.missing] == ["stage_y"]
    assert session.dataset.stage_y == "down"


def test_tiles_that_were_stated_are_shown(viewer, tmp_path):
    for n in range(4):
        write_tiff(tmp_path / f"tile_{n}.tif", pixels(n))
    tiles = {"pattern": "tile_{index}.tif", "rows": 2, "overlap": "10%", "order": "columns", "serpentine": True}
    session = session_of(viewer)
    session.open(open_dataset(tmp_path, tiles=tiles, pixel_size_um=0.5))
    ask_for_missing(viewer)
    dialog = asked(viewer)
    dialog.keep.setChecked(False)
    before = session.dataset.project.tiles
    dialog.use.click()
    assert session.dataset.project.tiles == before
    assert session.dataset.project.pixel_size_um == 0.5


def test_a_folder_that_cannot_be_written_to_is_said_with_what_to_do(viewer, silent, monkeypatch):
    def refuse(*_):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(missing_dialog, "write_project", refuse)
    read_acquisition(str(silent))
    dialog, session = asked(viewer), session_of(viewer)
    before = session.dataset
    choice = dialog.findChild(QComboBox)
    choice.setCurrentIndex(choice.findData("up"))
    dialog.use.click()
    assert "slicemap.toml cannot be written: Permission denied" in dialog.message.text()
    assert f"slicemap init {silent} --project-folder FOLDER" in dialog.message.text()
    assert session.dataset is before
    dialog.keep.setChecked(False)
    dialog.use.click()
    assert session.dataset.stage_y == "up"


def test_another_dataset_is_asked_about_anew_and_open_again_asks_nothing(viewer, silent, tmp_path):
    other = tmp_path / "other"
    other.mkdir()
    fov_folders(other, maps=False)
    read_acquisition(str(silent))
    first = asked(viewer)
    read_acquisition(str(other))
    assert asked(viewer) is not first
    assert "pixel size" in asked(viewer).found.text()
    asked(viewer).later.click()
    session_of(viewer).remembering.open_again()
    assert asked(viewer) is None

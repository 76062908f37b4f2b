"""What a dataset's files do not state is asked for, and is remembered where the user wants it."""

from __future__ import annotations

import tomllib

import pytest

from builders import fov_folders, pixels, write_csv, write_tiff
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
    return viewer.window._qt_window.findChild(MissingDialog)


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
    assert message in dialog.message.text() if message else asked(viewer) is not dialog or not dialog.isVisible()
    assert not (tmp_path / "slicemap.toml").exists()


def test_nothing_is_asked_of_a_dataset_that_states_it_all(viewer, sample):
    read_acquisition(str(sample))
    assert asked(viewer) is None

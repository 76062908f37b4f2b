"""The Batch export dock makes the same plan, and so the same bytes, as the shell."""

from __future__ import annotations

import shlex
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image
from qtpy.QtWidgets import QApplication

from napari_slicemap import run_export
from napari_slicemap.viewer.docks.batch_export import BatchExportDock


@pytest.fixture
def dock(session):
    _, widget = session.viewer.window.add_plugin_dock_widget("napari-slicemap", "Batch export")
    return widget


def run(dock, qtbot):
    with qtbot.waitSignal(dock.finished, timeout=60_000) as done:
        dock.start()
    return done.args[0]


def test_it_says_what_to_do_when_nothing_is_open(viewer):
    _, dock = viewer.window.add_plugin_dock_widget("napari-slicemap", "Batch export")
    dock.check()
    assert "Open Sample" in dock.message.text()
    assert not dock.export_button.isEnabled()


def test_it_lists_what_there_is_and_why_a_slice_is_left_out(dock):
    assert [dock.tabs.tabText(n) for n in range(4)] == ["Maps (6)", "ROIs (3)", "FOVs (36)", "Cells (36)"]
    dock.picker("maps").tick(["00", "01"])
    dock.check()
    assert "1 file, such as map_01.png" in dock.message.text()
    assert "calibration_slice" in dock.message.text()
    dock.excluded.setChecked(True)
    dock.check()
    assert "2 files" in dock.message.text()


def test_an_roi_drawn_on_the_map_is_exported_by_the_dock_and_by_the_shell_alike(dock, session, qtbot, tmp_path):
    page = session.map_layer.page(1)
    corners = [
        (1, *(np.array(page.to_canvas(x, y)) - 0.5)[::-1]) for x, y in [(90, 40), (170, 40), (170, 120), (90, 120)]
    ]
    session.viewer.layers["ROIs"].add(np.array(corners), shape_type="rectangle")
    drawn = list(session.rois)[-1]
    assert dock.tabs.tabText(1) == "ROIs (4)"
    dock.picker("rois").tick([drawn.roi_id])
    dock.mask_boxes["cell"].setChecked(True)
    dock.folder.setText(str(tmp_path / "dock"))
    report = run(dock, qtbot)
    assert dict(report.counts) == {"ok": 1, "failed": 0, "skipped": 0, "cancelled": 0}
    made = tmp_path / "dock" / "map_01_roi_ROI_004.png"
    with Image.open(made) as image:
        assert image.size == (80, 80)

    plan = dock.plan().model_copy(update={"output_folder": str(tmp_path / "python")})
    run_export(plan, session.dataset)
    assert (tmp_path / "python" / made.name).read_bytes() == made.read_bytes()

    dock.folder.setText(str(tmp_path / "shell"))
    words = shlex.split(dock.copy_command())
    assert QApplication.clipboard().text() == shlex.join(words)
    assert words[0] == "slicemap"
    subprocess.run([sys.executable, "-m", "napari_slicemap", *words[1:]], check=True, capture_output=True)
    assert (tmp_path / "shell" / made.name).read_bytes() == made.read_bytes()


def test_the_export_does_not_look_at_the_screen(dock, session, qtbot, tmp_path):
    dock.picker("maps").tick(["01"])
    dock.folder.setText(str(tmp_path / "before"))
    run(dock, qtbot)
    session.viewer.layers["DAPI"].visible = False
    session.viewer.layers["CD3"].contrast_limits = (0, 50)
    dock.folder.setText(str(tmp_path / "after"))
    run(dock, qtbot)
    assert (tmp_path / "before" / "map_01.png").read_bytes() == (tmp_path / "after" / "map_01.png").read_bytes()


def test_a_missing_tile_fails_its_item_by_name_and_the_others_are_written(dock, session, qtbot, tmp_path):
    (session.dataset.path / "s02_r0c1" / "CD3.tif").unlink()
    dock.picker("fovs").tick(["s02_r0c0", "s02_r0c1", "s02_r0c2"])
    dock.folder.setText(str(tmp_path / "out"))
    report = run(dock, qtbot)
    assert (report.counts["ok"], report.counts["failed"]) == (2, 1)
    assert "s02_r0c1" in dock.message.text()
    assert "Traceback" not in dock.message.text()
    assert [dock.results.item(row, 0).text() for row in range(3)] == ["✓", "✗", "✓"]


def test_cancel_leaves_the_rest_undone(dock, session, qtbot, tmp_path):
    dock.picker("fovs").tick(list(session.dataset.fovs))
    dock.excluded.setChecked(True)
    dock.folder.setText(str(tmp_path / "out"))
    dock._advanced.connect(lambda _result, done, _total: done == 3 and dock.cancel_button.click())
    report = run(dock, qtbot)
    assert report.counts["cancelled"] > 0
    assert report.counts["ok"] + report.counts["cancelled"] == 36
    assert "cancelled" in dock.message.text()
    assert not list((tmp_path / "out").glob(".slicemap-*"))


def test_files_that_are_there_stop_it_before_anything_is_written(dock, qtbot, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "map_01.png").write_text("precious")
    dock.picker("maps").tick(["01", "02"])
    dock.folder.setText(str(tmp_path / "out"))
    dock.check()
    assert "already holds map_01.png" in dock.message.text()
    assert not dock.export_button.isEnabled()
    assert run(dock, qtbot) is None
    assert (tmp_path / "out" / "map_01.png").read_text() == "precious"
    assert not (tmp_path / "out" / "map_02.png").exists()


def test_closing_the_dock_stops_it_from_listening(session, qtbot):
    dock = BatchExportDock(session.viewer)
    qtbot.addWidget(dock)
    dock.close()
    session.opened.emit()
    session.rois_changed.emit()
    assert len(session.opened) == 0

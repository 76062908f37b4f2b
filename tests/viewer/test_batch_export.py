"""The Batch export dock makes the same plan, and so the same bytes, as the shell."""

from __future__ import annotations

import gc
import shlex
import subprocess
import sys
import threading

import numpy as np
import pytest
from napari.components import ViewerModel
from PIL import Image
from qtpy.QtCore import QPoint, QPointF, Qt
from qtpy.QtGui import QShortcut, QWheelEvent
from qtpy.QtWidgets import QApplication, QMessageBox

from napari_slicemap import ExportPlan, run_export
from napari_slicemap.cli.plan_options import build_plans
from napari_slicemap.viewer.docks.batch_export import BatchExportDock
from napari_slicemap.viewer.docks.batch_export.preview import SIDE
from napari_slicemap.viewer.session import session_of


@pytest.fixture
def dock(sample, qtbot):
    """The dock on a viewer without a window, which is all that it needs."""
    model = ViewerModel()
    session = session_of(model)
    session.open(sample)
    made = BatchExportDock(model)
    made.model = model  # a session holds its viewer weakly
    qtbot.addWidget(made)
    made.resize(360, 800)
    made.show()
    qtbot.waitUntil(lambda: made.what.tabs.tabText(3) == "Cells 36")
    return made


@pytest.fixture
def docked(session):
    """The dock in a window of napari."""
    _, made = session.viewer.window.add_plugin_dock_widget("napari-slicemap", "Batch export")
    return made


def check(dock, qtbot):
    """Check, and give what was found."""
    with qtbot.waitSignal(dock.checked, timeout=30_000) as found:
        dock.check()
    return found.args[0]


def run(dock, qtbot):
    with qtbot.waitSignal(dock.finished, timeout=60_000) as done:
        dock.start()
    return done.args[0]


def dialogs(dock):
    """Give what the dialogs say that are open, and close them."""
    boxes = [box for box in dock.findChildren(QMessageBox) if box.isVisible()]
    said = [f"{box.text()}\n{box.informativeText()}" for box in boxes]
    for box in boxes:
        box.done(0)
    return said


# --- check ----------------------------------------------------------------------------------------------------------
def test_it_says_what_to_do_when_nothing_is_open(viewer):
    _, dock = viewer.window.add_plugin_dock_widget("napari-slicemap", "Batch export")
    dock.check()
    assert "Open Sample" in dock.desk.message.text()
    assert not dock.desk.export.isEnabled()


def test_it_lists_what_there_is_and_why_a_slice_is_left_out(dock, qtbot):
    assert [dock.what.tabs.tabText(n) for n in range(5)] == ["Maps 6", "ROIs 3", "FOVs 36", "Cells 36", "Stacks"]
    dock.picker("maps").tick(["00", "01"])
    check(dock, qtbot)
    assert dock.desk.message.text().startswith("1 file into ")
    assert "calibration_slice" in dock.desk.message.text()
    assert dock.where.example.text() == "map_01.png"
    dock.what.excluded.setChecked(True)
    check(dock, qtbot)
    assert "2 files" in dock.desk.message.text()


def test_the_name_is_tried_out_while_it_is_typed(dock, qtbot):
    dock.picker("maps").tick(["01", "02"])
    with qtbot.waitSignal(dock.checked, timeout=30_000):
        dock.where.template.setText("{number}_{map}_{profile}")
    assert dock.where.example.text() == "1_01_tissue.png, 2_02_tissue.png"
    dock.where.template.setText("{slice}")
    check(dock, qtbot)
    assert "unknown field {slice}" in dock.desk.message.text()
    assert not dock.desk.export.isEnabled()


def test_a_dry_run_lists_files_sizes_and_what_resuming_leaves(dock, qtbot, tmp_path):
    dock.where.folder.setText(str(tmp_path / "out"))
    dock.picker("maps").tick(["01"])
    run(dock, qtbot)
    dock.picker("maps").tick(["01", "02"])
    dock.where.resume.setChecked(True)
    check(dock, qtbot)
    dock.desk.dry_run.click()
    done, planned = dock.results.lines
    assert (done.path.name, done.state, done.said) == ("map_01.png", "skipped", "done already")
    assert (planned.path.name, planned.state) == ("map_02.png", "planned")
    assert planned.size.startswith("≤ ")
    assert "1 file into" in dock.desk.message.text()
    assert "1 done already" in dock.desk.message.text()
    assert not (tmp_path / "out" / "map_02.png").exists()


def test_files_that_are_there_stop_it_before_anything_is_written(dock, qtbot, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "map_01.png").write_text("precious")
    dock.picker("maps").tick(["01", "02"])
    dock.where.folder.setText(str(tmp_path / "out"))
    check(dock, qtbot)
    assert "already holds map_01.png" in dock.desk.message.text()
    assert not dock.desk.export.isEnabled()
    assert run(dock, qtbot) is None
    assert "already holds map_01.png" in dialogs(dock)[0]
    assert (tmp_path / "out" / "map_01.png").read_text() == "precious"
    assert not (tmp_path / "out" / "map_02.png").exists()


# --- the same plan as the shell -------------------------------------------------------------------------------------
def wish_maps(dock):
    dock.picker("maps").tick(["01", "02"])
    dock.how.downsample.setValue(4)
    dock.drawn.bar_style.fields["length_um"].setText("20 µm")
    dock.drawn.masks.choose(["cell"])
    dock.drawn.legend.setChecked(True)
    dock.drawn.title.setText("{map}")
    dock.where.template.setText("{number}_{stem}")
    return {"maps": ["01,02"], "downsample": 4, "scale_bar_um": "20", "masks": ["cell"], "legend": True,
            "title": "{map}", "name_template": "{number}_{stem}", "format": ["png"]}  # fmt: skip


def wish_rois(dock):
    rois = {roi.name: roi.roi_id for roi in dock._session.dataset.rois}
    dock.picker("rois").tick([rois["ROI_001"], rois["ROI_003"]])
    dock.what.clip.setCurrentIndex(dock.what.clip.findData("polygon"))
    dock.drawn.scale_bar.setChecked(False)
    dock.drawn.shapes.setChecked(True)
    dock.how.format.setCurrentText("jpg")
    dock.how.options.fields["quality"].setValue(80)
    dock.how.channel_files.setCurrentIndex(dock.how.channel_files.findData("both"))
    dock.where.overwrite.setCurrentIndex(dock.where.overwrite.findData("rename"))
    return {"rois": ["ROI_001,ROI_003"], "clip": "polygon", "show_rois": True, "format": ["jpg"],
            "option": ["quality=80"], "channel_files": "both", "overwrite": "rename"}  # fmt: skip


def wish_cells(dock):
    dock.picker("cells").tick(["s01_r0c1"])
    dock.what.query.setText("area > 50")
    dock.what.cell_size.setValue(32)
    dock.drawn.scale_bar.setChecked(False)
    dock.drawn.sheet.setChecked(True)
    dock.drawn.sheet_style.fields["columns"].setValue(8)
    dock.how.scale.setCurrentIndex(1)
    dock.how.target.setText("780 nm")
    dock.how.plane.setEditText("max")
    return {"cells": ["s01_r0c1"], "cell_query": "area > 50", "cell_size": 32, "columns": 8,
            "target_pixel_size": "0.78", "z": "max"}  # fmt: skip


def wish_stacks(dock):
    dock.picker("series").tick(["s01_r0c0"])
    dock.drawn.scale_bar.setChecked(False)
    dock.how.mark_missing.setChecked(True)
    dock.how.levels.setCurrentIndex(dock.how.levels.findData("stored"))
    dock.drawn.background.setText("white")
    dock.what.excluded.setChecked(True)
    return {"stacks": ["s01_r0c0"], "on_missing": "mark", "levels": "stored", "background": "white",
            "include_excluded": True}  # fmt: skip


def wish_slices(dock):
    roi = next(roi for roi in dock._session.dataset.rois if roi.name == "ROI_001")
    dock.picker("slices").tick(["01", "02", "03"])
    dock.what.stack_roi.setCurrentIndex(dock.what.stack_roi.findData(roi.roi_id))
    dock.drawn.scale_bar.setChecked(False)
    return {"slices": ["01,02,03"], "stack_roi": roi.roi_id}


WISHES = [wish_maps, wish_rois, wish_cells, wish_stacks, wish_slices]


@pytest.mark.parametrize("wish", [pytest.param(wish, id=wish.__name__.removeprefix("wish_")) for wish in WISHES])
def test_the_plan_is_the_one_that_the_shell_builds_and_survives_its_file(dock, tmp_path, wish):
    given = {"profile": "tissue", **wish(dock)}
    plan = dock.plan()
    (built,) = build_plans(given, None, dock._session.dataset)
    if "option" in given:  # words of a shell are text, until the writer's options make numbers of them
        built = built.model_copy(update={"options": {"quality": 80}})
    assert plan == built

    dock.plan_files.save(tmp_path / "plan.toml")
    assert ExportPlan.read(tmp_path / "plan.toml") == plan
    dock.show_plan(ExportPlan(select=[{"kind": "fov", "ids": ["s05_r0c0"]}], format="svg"))
    assert dock.plan() != plan
    dock.plan_files.load(tmp_path / "plan.toml")
    assert dock.plan() == plan
    assert not dialogs(dock)


def test_a_plan_that_says_more_than_the_dock_is_shown_with_a_warning(dock, tmp_path):
    more = ExportPlan(profile="tissue", select=[{"kind": "map", "ids": ["02", "01"]}], contact_sheet={"rows": 3})
    more.write(tmp_path / "more.json")
    dock.plan_files.load(tmp_path / "more.json")
    assert dock.picker("maps").ticked() == ["01", "02"]
    (said,) = dialogs(dock)
    assert "contact_sheet" in said
    assert "order" in said
    assert "--plan more.json" in said


def test_a_plan_that_is_none_is_refused_in_words(dock, tmp_path):
    (tmp_path / "wrong.toml").write_text('version = 1\nformt = "png"\n')
    before = dock._wishes()
    dock.plan_files._try("The plan cannot be loaded", lambda: dock.plan_files.load(tmp_path / "wrong.toml"))
    (said,) = dialogs(dock)
    assert "wrong.toml" in said
    assert "formt" in said
    assert dock._wishes() == before


# --- run ------------------------------------------------------------------------------------------------------------
def test_an_roi_drawn_on_the_map_is_exported_by_the_dock_and_by_the_shell_alike(docked, session, qtbot, tmp_path):
    dock = docked
    page = session.map_layer.page(1)
    corners = [
        (1, *(np.array(page.to_canvas(x, y)) - 0.5)[::-1]) for x, y in [(90, 40), (170, 40), (170, 120), (90, 120)]
    ]
    session.viewer.layers["ROIs"].add(np.array(corners), shape_type="rectangle")
    drawn = list(session.rois)[-1]
    assert dock.what.tabs.tabText(1) == "ROIs 4"
    dock.picker("rois").tick([drawn.roi_id])
    dock.drawn.masks.choose(["cell"])
    dock.where.folder.setText(str(tmp_path / "dock"))
    report = run(dock, qtbot)
    assert dict(report.counts) == {"ok": 1, "failed": 0, "skipped": 0, "cancelled": 0}
    made = tmp_path / "dock" / "map_01_roi_ROI_004.png"
    with Image.open(made) as image:
        assert image.size == (80, 80)

    plan = dock.plan().model_copy(update={"output_folder": str(tmp_path / "python")})
    run_export(plan, session.dataset)
    assert (tmp_path / "python" / made.name).read_bytes() == made.read_bytes()

    dock.where.folder.setText(str(tmp_path / "shell"))
    dock.where.runner.setCurrentIndex(dock.where.runner.findData("threads"))
    dock.where.workers.setValue(2)
    dock.where.resume.setChecked(True)
    words = shlex.split(dock.copy_command())
    assert QApplication.clipboard().text() == shlex.join(words)
    assert words[0] == "slicemap"
    assert words[-5:] == ["--runner", "threads", "--workers", "2", "--resume"]
    subprocess.run([sys.executable, "-m", "napari_slicemap", *words[1:]], check=True, capture_output=True)
    assert (tmp_path / "shell" / made.name).read_bytes() == made.read_bytes()


def test_the_export_does_not_look_at_the_screen(dock, qtbot, tmp_path):
    dock.picker("maps").tick(["01"])
    dock.where.folder.setText(str(tmp_path / "before"))
    run(dock, qtbot)
    dock._session.viewer.layers["DAPI"].visible = False
    dock._session.viewer.layers["CD3"].contrast_limits = (0, 50)
    dock.where.folder.setText(str(tmp_path / "after"))
    run(dock, qtbot)
    assert (tmp_path / "before" / "map_01.png").read_bytes() == (tmp_path / "after" / "map_01.png").read_bytes()


def test_keys_press_the_buttons(dock, qtbot, tmp_path):
    keys = {one.key().toString(): one for one in dock.findChildren(QShortcut)}
    dock.picker("maps").tick(["01"])
    dock.where.folder.setText(str(tmp_path / "out"))
    check(dock, qtbot)
    keys["Ctrl+Shift+Return"].activated.emit()
    assert [line.state for line in dock.results.lines] == ["planned"]
    with qtbot.waitSignal(dock.finished, timeout=60_000):
        keys["Ctrl+Return"].activated.emit()
    assert [line.state for line in dock.results.lines] == ["done"]


def test_threads_give_the_same_files(dock, qtbot, tmp_path):
    dock.picker("fovs").tick(["s01_r0c0", "s01_r0c1"])
    for runner in ("serial", "threads"):
        dock.where.runner.setCurrentIndex(dock.where.runner.findData(runner))
        dock.where.folder.setText(str(tmp_path / runner))
        assert run(dock, qtbot).counts["ok"] == 2
    for name in ("s01_r0c0.png", "s01_r0c1.png"):
        assert (tmp_path / "serial" / name).read_bytes() == (tmp_path / "threads" / name).read_bytes()


def test_what_failed_is_named_and_done_again_under_the_same_name(dock, qtbot, tmp_path):
    lost = dock._session.dataset.path / "s02_r0c1" / "CD3.tif"
    kept = lost.rename(tmp_path / "CD3.tif")
    dock.picker("fovs").tick(["s02_r0c0", "s02_r0c1", "s02_r0c2"])
    dock.where.template.setText("{number}")
    dock.where.folder.setText(str(tmp_path / "out"))
    report = run(dock, qtbot)
    assert (report.counts["ok"], report.counts["failed"]) == (2, 1)
    assert "s02_r0c1" in dock.desk.message.text()
    assert "Traceback" not in dock.desk.message.text()
    assert [line.state for line in dock.results.lines] == ["done", "failed", "done"]
    assert "CD3.tif" in dock.results.said.text()

    kept.rename(lost)
    with qtbot.waitSignal(dock.finished, timeout=60_000) as again:
        dock.desk.retry.click()
    assert dict(again.args[0].counts) == {"ok": 1, "failed": 0, "skipped": 0, "cancelled": 0}
    assert [(line.state, line.path.name) for line in dock.results.lines] == [
        ("done", "1.png"), ("done", "2.png"), ("done", "3.png")]  # fmt: skip
    assert not dock.desk.retry.isEnabled()
    whole = dock.plan().model_copy(update={"output_folder": str(tmp_path / "whole")})
    run_export(whole, dock._session.dataset)
    assert (tmp_path / "out" / "2.png").read_bytes() == (tmp_path / "whole" / "2.png").read_bytes()


def test_cancel_leaves_the_rest_undone(dock, qtbot, tmp_path):
    dock.picker("fovs").tick(list(dock._session.dataset.fovs))
    dock.what.excluded.setChecked(True)
    dock.where.folder.setText(str(tmp_path / "out"))
    lane, third = dock._lanes["run"], threading.Event()

    def tell(news):
        type(lane).tell(lane, news)
        if news.done == 3:
            third.set()
            assert stopped.wait(30)

    stopped = threading.Event()
    lane.tell = tell
    with qtbot.waitSignal(dock.finished, timeout=60_000) as done:
        dock.start()
        qtbot.waitUntil(third.is_set, timeout=30_000)
        dock.desk.cancel.click()
        stopped.set()
    report = done.args[0]
    assert dict(report.counts) == {"ok": 3, "failed": 0, "skipped": 0, "cancelled": 33}
    assert "33 not done (cancelled)" in dock.desk.message.text()
    assert len(list((tmp_path / "out").glob("*.png"))) == 3


def test_what_is_changed_during_a_run_is_checked_after_it(dock, qtbot, tmp_path):
    dock.picker("fovs").tick(["s01_r0c0", "s01_r0c1"])
    dock.where.folder.setText(str(tmp_path / "out"))
    dock.start()
    dock.where.folder.setText(str(tmp_path / "other"))
    dock.check()
    with qtbot.waitSignal(dock.checked, timeout=30_000) as found:
        pass
    assert found.args[0].prepared.folder == tmp_path / "other"
    assert len(list((tmp_path / "out").glob("*.png"))) == 2


# --- preview --------------------------------------------------------------------------------------------------------
def previewed(dock, qtbot):
    dock.sections["preview"].set_expanded(True)
    with qtbot.waitSignal(dock.preview.shown, timeout=30_000, check_params_cb=lambda one: one is not None) as shown:
        dock.check()
    return shown.args[0]


def premultiplied(path, factor):
    with Image.open(path) as image:
        pixels = np.asarray(image.convert("RGBA")).astype(float)
    pixels[..., :3] *= pixels[..., 3:] / 255
    height, width = (-(-side // factor) * factor for side in pixels.shape[:2])
    padded = np.full((height, width, 4), np.nan)
    padded[: pixels.shape[0], : pixels.shape[1]] = pixels
    return np.nanmean(padded.reshape(height // factor, factor, width // factor, factor, 4), axis=(1, 3))


@pytest.mark.parametrize("clip", ["box", "polygon"])
def test_the_preview_is_the_file(dock, qtbot, tmp_path, clip):
    roi = next(roi for roi in dock._session.rois if roi.name == "ROI_002")
    dock.picker("rois").tick([roi.roi_id])
    dock.what.clip.setCurrentIndex(dock.what.clip.findData(clip))
    dock.drawn.masks.choose(["cell"])
    dock.where.folder.setText(str(tmp_path / "out"))
    preview = previewed(dock, qtbot)
    run(dock, qtbot)
    (made,) = (tmp_path / "out").glob("*.png")
    expected = premultiplied(made, 1)
    assert preview.image.shape == expected.shape
    np.testing.assert_allclose(preview.image, expected, atol=0.51)


def test_the_preview_of_a_large_picture_is_its_means(dock, qtbot, tmp_path, monkeypatch):
    monkeypatch.setattr("napari_slicemap.viewer.docks.batch_export.preview.SIDE", 100)
    dock.picker("maps").tick(["01"])
    dock.where.folder.setText(str(tmp_path / "out"))
    preview = previewed(dock, qtbot)
    assert preview.shape == (244, 357)
    run(dock, qtbot)
    np.testing.assert_allclose(preview.image, premultiplied(tmp_path / "out" / "map_01.png", 4), atol=0.51)


def test_the_preview_of_a_huge_picture_is_rendered_coarser_and_says_so(dock, qtbot, monkeypatch):
    monkeypatch.setattr("napari_slicemap.viewer.docks.batch_export.preview._PAINTED", 10_000)
    dock.picker("maps").tick(["01"])
    preview = previewed(dock, qtbot)
    assert preview.shape == (244, 357)
    assert preview.image.shape[:2] == (82, 119)
    assert preview.note.startswith("Made 3 times coarser")


@pytest.mark.parametrize(("name", "said"), [("ome-tiff", "3 channels"), ("npz", "3 channels"), ("gif", "frame")])
def test_data_and_movies_have_a_preview_too(dock, qtbot, name, said):
    if dock.how.format.findData(name) < 0:
        pytest.skip(f"there is no format {name} yet")
    dock.picker("fovs").tick(["s01_r0c0"])
    dock.how.format.setCurrentText(name)
    preview = previewed(dock, qtbot)
    assert said in preview.note
    assert 0 < max(preview.image.shape[:2]) <= SIDE
    assert preview.image[..., :3].max() > 100


def test_what_would_fail_an_item_stands_in_place_of_its_preview(dock, qtbot):
    (dock._session.dataset.path / "s02_r0c1" / "CD3.tif").unlink()
    dock.picker("fovs").tick(["s02_r0c1", "s02_r0c2"])
    dock.sections["preview"].set_expanded(True)
    dock.check()
    qtbot.waitUntil(lambda: "CD3.tif" in dock.preview.caption.text(), timeout=30_000)
    assert dock.preview.preview is None
    dock.preview._on.click()
    qtbot.waitUntil(lambda: dock.preview.preview is not None, timeout=30_000)
    assert dock.preview.title.text() == "2 of 2:  s02_r0c2.png"


# --- closing --------------------------------------------------------------------------------------------------------
def test_what_was_set_survives_closing_the_dock(docked, session):
    dock = docked
    wish_rois(dock)
    dock.where.runner.setCurrentIndex(dock.where.runner.findData("threads"))
    dock.where.workers.setValue(3)
    dock.sections["how"].set_expanded(False)
    before = dock.plan(), dock.where.labour()
    session.viewer.window.remove_dock_widget(dock)
    _, again = session.viewer.window.add_plugin_dock_widget("napari-slicemap", "Batch export")
    assert again is not dock
    assert (again.plan(), again.where.labour()) == before
    assert not again.sections["how"].isExpanded()
    session.open(session.dataset.path)
    assert again.picker("rois").ticked() == []


def test_closing_the_dock_stops_it_from_listening_and_working(dock, tmp_path):
    session = dock._session
    dock.picker("fovs").tick(list(session.dataset.fovs))
    dock.where.folder.setText(str(tmp_path / "out"))
    dock.start()
    dock.close()
    assert not [one for one in threading.enumerate() if one.name == "slicemap-dock"]
    assert len(list((tmp_path / "out").glob("*.png"))) < 30
    session.opened.emit()
    session.rois_changed.emit()
    assert len(session.opened) == 0


def test_closing_the_viewer_during_a_run_leaves_no_thread(docked, session, tmp_path):
    dock = docked
    dock.picker("fovs").tick(list(session.dataset.fovs))
    dock.where.folder.setText(str(tmp_path / "out"))
    dock.start()
    session.viewer.close()
    del dock, docked
    for _ in range(3):
        QApplication.processEvents()
        gc.collect()
    assert not [one for one in threading.enumerate() if one.name == "slicemap-dock"]


def test_it_fits_a_narrow_window_in_every_state(docked):
    dock = docked
    for name in ("png", "svg", "tif"):
        dock.how.format.setCurrentText(name)
        for section in dock.sections.values():
            section.set_expanded(True)
        dock.drawn.sheet.setChecked(True)
        dock.where.runner.setCurrentIndex(dock.where.runner.findData("dask"))
        QApplication.processEvents()
        assert dock.minimumSizeHint().width() <= 360
        for section in dock.sections.values():
            assert section.minimumSizeHint().width() <= 338, section.text()


@pytest.mark.parametrize("clicked", [False, True], ids=["passed over", "clicked"])
def test_the_wheel_changes_only_what_is_clicked(dock, qtbot, clicked):
    box = dock.how.downsample
    if clicked:
        dock.activateWindow()
        box.setFocus()
        qtbot.waitUntil(box.hasFocus)
    place = QPointF(box.rect().center())
    wheel = QWheelEvent(
        place, QPointF(box.mapToGlobal(box.rect().center())), QPoint(), QPoint(0, 120), Qt.MouseButton.NoButton,
        Qt.KeyboardModifier.NoModifier, Qt.ScrollPhase.NoScrollPhase, False,
    )  # fmt: skip
    QApplication.sendEvent(box, wheel)
    assert box.value() == (2 if clicked else 1)

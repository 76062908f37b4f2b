"""Excluded slices are greyed on the screen, and nowhere else."""

from __future__ import annotations

import numpy as np
import pytest
from napari.components import ViewerModel
from qtpy.QtCore import Qt

from builders import fov_folders
from napari_slicemap import ExportPlan, open_dataset, run_export
from napari_slicemap.errors import FileFormatError
from napari_slicemap.export.choosing.resolve import resolve
from napari_slicemap.slices import slice_config
from napari_slicemap.viewer.session import session_of

GREY, SEEN_THROUGH = 128, 0.3
NOISY = {"auto_excluded": True, "auto_exclude_reason": "noisy cluster (3 consecutive)"}


@pytest.fixture
def unseen(qapp):
    """A viewer without a window: much faster, and enough where no pixel of the screen is looked at."""
    return ViewerModel()


@pytest.fixture
def opened(unseen, sample):
    one = session_of(unseen)
    one.open(sample)
    return one


@pytest.fixture
def veil(opened):
    return opened.viewer.layers["excluded slices"]


def stamped(session, slice_id, **values):
    return slice_config.stamp(session.dataset.slices, slice_id, values)


def photograph(session, qtbot, number):
    """The middle of a page's map as the screen shows it, ``(H, W, 3)``."""
    session.viewer.dims.set_current_step(0, number)
    session.look_at(number)
    qtbot.wait(100)
    shot = session.viewer.screenshot(canvas_only=True, flash=False)[..., :3].astype(float)
    rows, columns = shot.shape[0] // 4, shot.shape[1] // 4
    return shot[rows : 3 * rows, columns : 3 * columns]


def is_greyed(veil, number):
    """Whether the layer has a shape on the page that the slider shows."""
    return veil.visible and any(round(shape[0, 0]) == number for shape in veil.data)


def test_an_excluded_slice_is_greyed_and_a_used_one_is_not(session, qtbot):
    veil = session.viewer.layers["excluded slices"]
    session.viewer.layers["ROIs"].visible = False
    for theme in ("dark", "light"):
        session.viewer.theme = theme
        veil.visible = True
        shown = {number: photograph(session, qtbot, number) for number in (0, 1)}
        veil.visible = False
        plain = {number: photograph(session, qtbot, number) for number in (0, 1)}
        assert np.ptp(plain[0]) > 150
        np.testing.assert_array_equal(shown[1], plain[1])
        np.testing.assert_allclose(shown[0], SEEN_THROUGH * plain[0] + (1 - SEEN_THROUGH) * GREY, atol=2)


def test_the_grey_covers_the_map_and_nothing_else(session, qtbot):
    veil = session.viewer.layers["excluded slices"]
    for layer in session.viewer.layers:
        layer.visible = layer is veil
    session.viewer.canvas.overlays.scale_bar.visible = session.viewer.canvas.overlays.text.visible = False
    session.viewer.dims.set_current_step(0, 0)
    session.look_at(0)
    qtbot.wait(100)
    grey = session.viewer.screenshot(canvas_only=True, flash=False)[..., :3].max(axis=2) > 50
    page, pages = session.map_layer.page(0), session.map_layer.pages
    ratio = session.viewer.window._qt_window.devicePixelRatio()
    zoom = session.viewer.scene.camera.zoom * pages.scale[1] * ratio
    height, width = (side * zoom for side in page.window.shape)
    assert abs(grey.any(axis=1).sum() - height) <= 1
    assert abs(grey.any(axis=0).sum() - width) <= 1
    assert grey.sum() == grey.any(axis=1).sum() * grey.any(axis=0).sum()


def test_the_grey_comes_and_goes_with_the_table(session, qtbot):
    veil = session.viewer.layers["excluded slices"]
    told = []
    session.slices_changed.connect(lambda: told.append(session.dataset.why_excluded("02")))
    text = session.viewer.canvas.overlays.text
    before = photograph(session, qtbot, 2)
    session.set_slices(stamped(session, "02", use=False, notes="folded"))
    assert text.text == "slice 02 (excluded: use is false: folded)"
    assert np.ptp(photograph(session, qtbot, 2)) < 0.5 * np.ptp(before)
    session.set_slices(stamped(session, "02", use=True))
    assert text.text == "slice 02"
    np.testing.assert_array_equal(photograph(session, qtbot, 2), before)
    session.set_slices(stamped(session, "02", **NOISY))
    assert is_greyed(veil, 2)
    session.set_slices(None)
    assert len(veil.data) == 0
    assert told == ["use is false: folded", "", "auto_excluded: noisy cluster (3 consecutive)", ""]


def test_a_table_that_something_else_wrote_is_read_anew(opened, veil):
    file = opened.dataset.places.written("slice_config")
    slice_config.write(file, stamped(opened, "03", **NOISY))
    assert not is_greyed(veil, 3)
    opened.reload_slices()
    assert is_greyed(veil, 3)
    file.write_text("slice_id,use\n03,perhaps\n")
    with pytest.raises(FileFormatError, match=r"slice_config\.csv, line 2 \(slice 03\): use is 'perhaps'"):
        opened.reload_slices()
    assert is_greyed(veil, 3), "a table that cannot be read decided"


def test_nothing_is_written_by_looking(opened, veil):
    file = opened.dataset.places.written("slice_config")
    before = file.read_bytes()
    opened.set_slices(stamped(opened, "02", use=False))
    assert file.read_bytes() == before


def test_the_look_and_the_exports_are_the_users(opened, veil, tmp_path):
    """On an excluded slice, settings, saved profiles and exports are what they are on any other."""
    settings = opened.map_layer.settings()
    opacities = {layer.name: layer.opacity for layer in opened.viewer.layers}
    plan = ExportPlan(select=[{"kind": "map", "ids": ["00"]}], include_excluded=True, output_folder=str(tmp_path))
    (before,) = run_export(plan, open_dataset(opened.dataset.path)).results
    picture = before.output_path.read_bytes()
    opened.viewer.dims.set_current_step(0, 0)
    assert is_greyed(veil, 0)
    assert opened.map_layer.settings() == settings
    assert {layer.name: layer.opacity for layer in opened.viewer.layers} == opacities
    opened.save_profile("seen")
    assert dict(opened.dataset.profiles["seen"].channels) == settings
    (after,) = run_export(plan.model_copy(update={"overwrite": "overwrite"}), opened.dataset).results
    assert after.output_path.read_bytes() == picture


def test_rois_are_drawn_on_an_excluded_slice_as_on_any_other(opened):
    opened.viewer.dims.set_current_step(0, 0)
    assert opened.viewer.layers.selection.active is opened.roi_layer.layer
    before = len(opened.rois)
    corners = [(0, 10, 10), (0, 10, 40), (0, 30, 40), (0, 30, 10)]
    opened.roi_layer.layer.add(np.array(corners, float), shape_type="rectangle")
    assert len(opened.rois) == before + 1
    assert [roi.map_id for roi in opened.rois][-1] == "00"


def test_the_veil_cannot_be_drawn_on(opened, veil):
    for table in (opened.dataset.slices, stamped(opened, "02", use=False)):
        opened.set_slices(table)
        for mode in ("select", "direct", "add_rectangle", "add_polygon", "vertex_remove"):
            veil.mode = mode
            assert veil.mode == "pan_zoom"


def test_the_layer_that_is_worked_on_stays_chosen(opened, veil):
    opened.viewer.layers.selection.active = opened.viewer.layers["CD3"]
    opened.viewer.layers.remove(veil)
    opened.set_slices(stamped(opened, "02", use=False))
    names = [layer.name for layer in opened.viewer.layers]
    assert names[-2:] == ["excluded slices", "ROIs"], "it comes back beneath the ROIs"
    assert opened.viewer.layers.selection.active is opened.viewer.layers["CD3"]


def test_a_veil_that_was_hidden_stays_hidden(opened, veil):
    veil.visible = False
    opened.set_slices(stamped(opened, "02", use=False))
    opened.viewer.dims.set_current_step(0, 2)
    assert not veil.visible


def test_without_excluded_slices_there_is_no_such_layer(unseen, sample):
    (sample / "slice_config.csv").unlink()
    session = session_of(unseen)
    session.open(sample)
    assert "excluded slices" not in unseen.layers
    session.set_slices({"02": {"slice_id": "02", "use": False}})
    assert [layer.name for layer in unseen.layers][-2:] == ["excluded slices", "ROIs"]
    session.close()
    assert len(unseen.layers) == 0
    session.set_slices({"02": {"slice_id": "02", "use": False}})
    session.reload_slices()
    assert len(unseen.layers) == 0, "nothing is open, so nothing is decided"


def test_a_closed_dataset_leaves_no_listener(opened):
    for _ in range(2):
        opened.open(opened.dataset.path)
    opened.set_slices(stamped(opened, "02", use=False))
    assert [layer.name for layer in opened.viewer.layers].count("excluded slices") == 1
    assert len(opened.slices_changed) == 1


def test_the_veil_follows_maps_that_are_matched_by_number(unseen, sample):
    (sample / "slice_config.csv").write_text("slice_id,use\n0,true\n3,false\n")
    session = session_of(unseen)
    session.open(sample)
    assert [round(shape[0, 0]) for shape in unseen.layers["excluded slices"].data] == [3]
    assert session.page_number == 0


def test_fovs_that_are_shown_alone_are_of_no_slice(unseen, tmp_path):
    """An export of such a FOV does not ask the table, so the screen does not either."""
    folder = fov_folders(tmp_path / "data", maps=False)
    (folder / "slice_config.csv").write_text("slice_id,use\n01,false\n")
    (folder / "a1").rename(folder / "01")
    session = session_of(unseen)
    dataset = session.open(folder)
    assert list(dataset.fovs) == ["01", "a2"]
    assert session.why_excluded(0) == ""
    assert "excluded slices" not in unseen.layers
    assert unseen.canvas.overlays.text.text == "FOV 01"


def test_the_batch_export_dock_follows_the_table(session, qtbot):
    _, dock = session.viewer.window.add_plugin_dock_widget("napari-slicemap", "Batch export")

    def notes(kind, key):
        model = dock.picker(kind).model
        rows = ([model.index(n, c).data() for c in range(model.columnCount())] for n in range(model.rowCount()))
        return next(row for row in rows if row[0] == key)

    qtbot.waitUntil(lambda: dock.picker("cells").model.rowCount() > 0)
    dock.picker("maps").tick(["01", "02"])
    assert len(dock.plan().select[0].ids) == 2
    session.set_slices(stamped(session, "02", use=False, notes="folded"))
    assert notes("maps", "02")[-1] == "excluded: use is false: folded"
    assert dock.picker("maps").ticked() == ["01", "02"], "what was ticked stays ticked"
    assert "slice 02 is excluded" in resolve(dock.plan(), session.dataset).left_out[0]
    grey = Qt.ItemDataRole.ForegroundRole
    assert dock.picker("maps").model.index(2, 0).data(grey) == dock.picker("maps").model.index(0, 0).data(grey)
    assert dock.picker("maps").model.index(2, 0).data(grey) != dock.picker("maps").model.index(1, 0).data(grey)

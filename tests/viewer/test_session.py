"""One session per viewer: opening, looking, ROIs, undo, profiles."""

from __future__ import annotations

import numpy as np
import pytest

from napari_slicemap import open_dataset
from napari_slicemap.errors import SlicemapError
from napari_slicemap.rois import table_file
from napari_slicemap.rois.roi import roi_from_points
from napari_slicemap.rois.table import RoiTable
from napari_slicemap.viewer.session import session_of


def test_a_viewer_has_one_session(viewer):
    assert session_of(viewer) is session_of(viewer)


def test_opening_adds_a_layer_for_each_channel_with_the_profiles_look(session):
    viewer, profile = session.viewer, session.dataset.profiles["tissue"]
    for name, one in profile.channels.items():
        layer = viewer.layers[name]
        assert layer.blending == "additive"
        assert tuple(layer.contrast_limits) == one.contrast_limits
        assert layer.gamma == one.gamma
        assert layer.visible == one.visible
        assert layer.units == viewer.layers["ROIs"].units
        assert str(layer.units[1]) == "micrometer"
    assert session.map_layer.settings() == dict(profile.channels)
    assert viewer.canvas.overlays.scale_bar.visible


def test_the_first_slice_to_be_used_is_shown_first(session):
    assert session.page_number == 1  # 00 is a calibration slice


def test_the_layer_forwards_the_map(session):
    layer = session.map_layer
    assert layer.base_pixel_size_um() == 0.65
    assert layer.map_bounds(1) == session.dataset.maps["01"].map_bounds()
    page = layer.page(1)
    everything = layer.collect_visible_tiles(page.window.region, 1)
    assert [tile.name for tile in everything] == session.dataset.maps["01"].fov_names


# napari adds its layers up in 8 bits, so each may round by half a step: one layer is within 1, and three are within 2
@pytest.mark.parametrize(
    ("hidden", "most"),
    [
        pytest.param(["CD3", "CD45"], 1, id="DAPI alone"),
        pytest.param(["DAPI", "CD45"], 1, id="CD3 alone, with its gamma"),
        pytest.param([], 2, id="three additive layers"),
    ],
)
def test_the_screen_shows_what_an_export_gives(session, qtbot, hidden, most):
    """At 1:1, far from the edges of the canvas, the screen and the export agree."""
    viewer = session.viewer
    for name in hidden:
        viewer.layers[name].visible = False
    viewer.canvas.overlays.scale_bar.visible = False
    viewer.layers["ROIs"].visible = False
    page = session.map_layer.page(1)
    size = session.map_layer.base_pixel_size_um()
    height, width = page.window.shape
    top, left = (
        origin + start * size - size / 2
        for origin, start in zip(session.map_layer.pages.translate[1:], (page.window.y0, page.window.x0), strict=True)
    )
    ratio = viewer.window._qt_window.devicePixelRatio()
    viewer.scene.camera.zoom = 1 / size * ratio
    canvas = viewer.canvas.size
    # whole pixels of the map on whole pixels of the screen: the screen's corner lies on a corner of a map pixel
    rows, columns = (min(n, m) // 2 for n, m in zip(canvas, (height, width), strict=True))
    center_row, center_column = height // 2 + canvas[0] % 2 / 2, width // 2 + canvas[1] % 2 / 2
    viewer.scene.camera.center = (0.0, top + center_row * size, left + center_column * size)
    qtbot.wait(200)
    shot = viewer.screenshot(canvas_only=True, flash=False)[..., :3].astype(int)
    export = session.dataset.maps["01"].render_region(None, session.map_layer.settings()).astype(int)
    y, x = shot.shape[0] // 2, shot.shape[1] // 2
    rows, columns = rows - 20, columns - 20
    seen = shot[y - rows : y + rows, x - columns : x + columns]
    made = export[height // 2 - rows : height // 2 + rows, width // 2 - columns : width // 2 + columns]
    assert seen.max() > 100
    difference = np.abs(seen - made)
    assert difference.max() <= most
    assert (difference > 1).mean() < 0.01, "within 1 nearly everywhere"


def test_moving_the_slider_reads_the_other_slice(session, qtbot):
    pages = []
    session.page_changed.connect(pages.append)
    before = np.asarray(session.viewer.layers["DAPI"].data[0][1])
    session.viewer.dims.set_current_step(0, 4)
    qtbot.wait(50)
    assert pages[-1] == 4
    assert not np.array_equal(before, np.asarray(session.viewer.layers["DAPI"].data[0][4]))


def test_an_roi_is_saved_at_once_and_undone(session):
    file = session.dataset.places.written("rois")
    before = file.read_bytes()
    roi = roi_from_points([(10, 10), (60, 10), (60, 40), (10, 40)], "rectangle", name="mine", map_id="01")
    session.add_roi(roi)
    assert RoiTable.read(file)[roi.roi_id].name == "mine"
    assert list(session.viewer.layers["ROIs"].features["name"]).count("mine") == 1
    session.undo_stack.undo()
    assert file.read_bytes() == before
    assert "mine" not in list(session.viewer.layers["ROIs"].features["name"])
    session.undo_stack.redo()
    assert roi.roi_id in RoiTable.read(file)
    assert session.undo_stack.undoText() == "add mine"


def test_what_cannot_be_saved_is_kept_and_said(session, monkeypatch):
    def refuse(*_):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(table_file, "write_text", refuse)
    roi = roi_from_points([(10, 10), (60, 10), (60, 40), (10, 40)], "rectangle", name="mine", map_id="01")
    with pytest.warns(UserWarning, match=r"could not be saved .*\(Permission denied\)"):
        session.add_roi(roi)
    assert roi.roi_id in session.rois


def test_napari_s_controls_edit_the_profile(session):
    layer = session.viewer.layers["CD3"]
    layer.contrast_limits = (200, 1800)
    layer.gamma = 0.7
    session.viewer.layers["CD45"].visible = False
    session.save_profile("mine")
    saved = open_dataset(session.dataset.path).profiles["mine"]
    assert saved.channels["CD3"].contrast_limits == (200, 1800)
    assert saved.channels["CD3"].gamma == pytest.approx(0.7)
    assert not saved.channels["CD45"].visible
    session.activate_profile("tissue")
    assert session.map_layer.settings() == dict(session.dataset.profiles["tissue"].channels)


def test_a_dataset_that_does_not_open_leaves_the_open_one(session, tmp_path):
    layers = list(session.viewer.layers)
    with pytest.raises(SlicemapError, match="there is no such file or folder"):
        session.open(tmp_path / "nowhere")
    assert list(session.viewer.layers) == layers


def test_opening_another_dataset_replaces_the_layers(session):
    session.open(session.dataset.path)
    names = [layer.name for layer in session.viewer.layers]
    assert names == ["DAPI", "CD45", "CD3", "cell (mask)", "excluded slices", "ROIs"]


def test_slides_far_apart_are_looked_at_when_the_slider_comes_to_them(viewer, real_data):
    session = session_of(viewer)
    session.open(real_data / "imc" / "steinbock")
    for number in range(5):
        viewer.dims.set_current_step(0, number)
        window = session.map_layer.page(number).window
        size, translate = session.map_layer.pages.scale[1], session.map_layer.pages.translate
        middle = translate[2] + (window.x0 + window.x1) / 2 * size
        assert abs(viewer.scene.camera.center[2] - middle) < window.shape[1] * size


def test_a_profile_of_fewer_channels_stays_so(session):
    session.activate_profile("T cells")
    assert not session.profile_is_edited
    session.map_layer.channel_layers["DAPI"].gamma = 0.5
    assert session.profile_is_edited
    session.save_profile()
    assert list(open_dataset(session.dataset.path).profiles["T cells"].channels) == ["DAPI", "CD3"]
    session.map_layer.channel_layers["CD45"].visible = True
    assert session.profile_is_edited


def test_channels_that_a_dataset_lacks_stay_in_a_profile(session):
    known = session.dataset.profiles["tissue"]
    elsewhere = {**known.channels, "CD99": known.channels["CD3"]}
    profile = known.model_copy(update={"channels": elsewhere})
    session.dataset.profiles.with_profile(profile).write(session.dataset.places.written("profiles"))
    session.open(session.dataset.path)
    assert not session.profile_is_edited
    session.map_layer.channel_layers["DAPI"].gamma = 0.5
    session.save_profile()
    saved = open_dataset(session.dataset.path).profiles["tissue"].channels
    assert saved["CD99"] == elsewhere["CD99"]
    assert saved["DAPI"].gamma == 0.5


def test_a_save_that_is_made_again_is_what_is_shown(session):
    session.activate_profile("T cells")
    session.map_layer.channel_layers["DAPI"].gamma = 0.5
    session.save_profile()
    for _ in range(2):
        session.undo_stack.undo()
    assert session.map_layer.channel_layers["DAPI"].gamma == 1
    for _ in range(2):
        session.undo_stack.redo()
    assert session.map_layer.channel_layers["DAPI"].gamma == 0.5
    assert not session.profile_is_edited

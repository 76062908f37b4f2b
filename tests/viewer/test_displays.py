"""Channels, composite and export show the same; missing tiles are hatched; the status bar says what lies there."""

from __future__ import annotations

import random
import shutil

import numpy as np
import PIL.Image
import pytest
from napari.components import ViewerModel

from napari_slicemap.export.plan import ExportPlan
from napari_slicemap.export.run import run_export
from napari_slicemap.images.region import Grid, Window
from napari_slicemap.viewer.exact_colors import show_exactly
from napari_slicemap.viewer.session import session_of


def settled(session, qtbot):
    qtbot.waitUntil(lambda: not session.on_screen.loader.busy, timeout=20_000)
    qtbot.wait(200)


def one_to_one(session, qtbot, margin=20, at=None):
    """Give what the screen has at a px of the map for each of the screen, and which px of the map they are.

    Parameters
    ----------
    margin : int
        Px that are left out at the edges.
    at : tuple of float, optional
        Where on the page the middle of the screen lies, rows and columns from 0 to 1; by default in its middle.
    """
    viewer, maps, number = session.viewer, session.map_layer, session.page_number
    window, size = maps.page(number).window, maps.base_pixel_size_um()
    top, left = (
        origin + start * size - size / 2
        for origin, start in zip(maps.pages.translate[1:], (window.y0, window.x0), strict=True)
    )
    viewer.canvas.overlays.scale_bar.visible = viewer.canvas.overlays.text.visible = False
    viewer.layers["ROIs"].visible = False
    viewer.scene.camera.zoom = viewer.window._qt_window.devicePixelRatio() / size
    canvas = viewer.canvas.size
    middle = [int(extent * share) for extent, share in zip(window.shape, at or (0.5, 0.5), strict=True)]
    # whole pixels of the map on whole pixels of the screen: the screen's corner lies on a corner of a map pixel
    center = [px + extent % 2 / 2 for px, extent in zip(middle, canvas, strict=True)]
    viewer.scene.camera.center = (0.0, top + center[0] * size, left + center[1] * size)
    settled(session, qtbot)
    shot = viewer.screenshot(canvas_only=True, flash=False)[..., :3].astype(int)
    of_screen, of_map = [], []
    for px, extent, height in zip(middle, window.shape, shot.shape[:2], strict=True):
        first, last = max(px - height // 2, 0) + margin, min(px + height // 2, extent) - margin
        of_map.append(slice(first, last))
        of_screen.append(slice(first - px + height // 2, last - px + height // 2))
    return shot[tuple(of_screen)], tuple(of_map)


def alike(seen, export, display):
    """Say whether the screen shows an export: the composite to the bit.

    The frame buffer has 8 bits: each of three additive channels is rounded by up to half a step, and the export once.
    """
    return np.abs(seen - export).max() <= (0 if display == "composite" else 1)


def exported(session, folder):
    """Export the map of the page that is shown as a PNG, by the profile that its controls are saved to, and read it."""
    session.save_profile()
    name = session.map_layer.page(session.page_number).map.map_id
    chosen = {"kind": "map", "ids": [name]}
    plan = ExportPlan(select=[chosen], profile=session.profile_name, output_folder=str(folder / name))
    run_export(plan, session.dataset)
    (file,) = (folder / name).glob("*.png")
    with PIL.Image.open(file) as picture:
        return np.asarray(picture.convert("RGB")).astype(int)


@pytest.mark.parametrize("display", ["channels", "composite"])
def test_the_screen_shows_what_an_export_gives(session, qtbot, tmp_path, display):
    chance, used = random.Random(0), [n for n in range(5) if not session.why_excluded(n)]
    session.set_display(display)
    for number in chance.sample(used, 2):
        session.viewer.dims.set_current_step(0, number)
        export = exported(session, tmp_path)
        for _ in range(2):
            seen, at = one_to_one(session, qtbot, at=(chance.uniform(0.1, 0.9), chance.uniform(0.1, 0.9)))
            assert seen.max() > 100
            assert seen.size > 100_000
            assert alike(seen, export[at], display)


THREE_INTO_RED = {"DAPI": ("#ff8033", 0.5), "CD45": ("#cc40ff", 1.6), "CD3": ("#807f01", 0.8)}
"""Colours that are no whole tables, and that add up in each of red, green and blue."""


def test_the_channels_stay_exact_when_the_controls_are_used(session, qtbot, tmp_path):
    session.map_layer.channel_layers["CD3"].colormap = "viridis"
    settled(session, qtbot)
    for name, (color, gamma) in THREE_INTO_RED.items():
        layer = session.map_layer.channel_layers[name]
        layer.colormap = color
        layer.gamma = gamma
        layer.contrast_limits = (31, 977)
    assert {one.color for one in session.map_layer.settings().values()} == {one for one, _ in THREE_INTO_RED.values()}
    session.viewer.dims.ndisplay = 3
    settled(session, qtbot)
    session.viewer.dims.ndisplay = 2
    seen, at = one_to_one(session, qtbot)
    assert (seen.max(axis=(0, 1)) > 100).all()
    assert alike(seen, exported(session, tmp_path)[at], "channels")


def test_a_canvas_that_is_otherwise_keeps_its_own_colours_and_it_is_logged(viewer, caplog):
    image = viewer.add_image(np.eye(8), colormap="red")
    labels = viewer.add_labels(np.eye(8, dtype=int))
    visuals = viewer.window._qt_viewer.canvas.layer_to_visual
    before = visuals[image].node.cmap
    known = visuals.pop(image)
    show_exactly(viewer, image)
    visuals[image] = known
    assert known.node.cmap is before
    assert f"{image.name} may look 2 of 255 off" in caplog.text
    show_exactly(viewer, image)
    assert known.node.cmap is not before
    image.colormap = "viridis"  # no ramp: napari's own table
    assert len(known.node.cmap.colors) == len(image.colormap.colors)
    show_exactly(ViewerModel(), labels)


def test_the_composite_follows_the_controls_of_the_channels(session, qtbot):
    session.set_display("composite")
    settled(session, qtbot)
    layers, composite = session.map_layer.channel_layers, session.map_layer.composite_layer
    before = composite._slice.image.raw
    layers["CD3"].contrast_limits = (100, 700)
    layers["CD45"].visible = False
    qtbot.waitUntil(lambda: not np.array_equal(before, composite._slice.image.raw))
    qtbot.wait(100)
    page = session.map_layer.page(1)
    region = page.map.bounds.region
    level = np.asarray(composite.data[0][1])[page.window.slices_in(Window(0, 10**6, 0, 10**6))]
    np.testing.assert_array_equal(level, page.map.render_region(region, session.map_layer.settings()))
    assert not session.map_layer.settings()["CD45"].visible


def test_the_display_can_be_changed_and_changed_back(session, qtbot):
    heard = []
    session.map_layer.display_changed.connect(heard.append)
    settings = session.map_layer.settings()
    channels = list(session.map_layer.channel_layers.values())
    session.set_display("composite")
    session.set_display("composite")
    assert [layer.opacity for layer in channels] == [0] * 3
    names = [layer.name for layer in session.viewer.layers]
    assert names == ["DAPI", "CD45", "CD3", "composite", "cell (mask)", "excluded slices", "ROIs"]
    session.set_display("channels")
    assert [layer.opacity for layer in channels] == [1] * 3
    assert not session.map_layer.composite_layer.visible
    assert session.map_layer.settings() == settings
    assert heard == ["composite", "channels"]
    with pytest.raises(ValueError, match="expected channels or composite"):
        session.set_display("both")


@pytest.fixture
def holed(viewer, sample):
    """The sample without one tile of slice 01, and with a file that is no image in another."""
    shutil.rmtree(sample / "s01_r0c1")
    for file in (sample / "s01_r1c2").iterdir():
        file.write_bytes(b"no image")
    session = session_of(viewer)
    session.open(sample)
    return session


def test_missing_tiles_are_hatched_as_an_export_hatches_them(holed, qtbot):
    settled(holed, qtbot)
    assert "missing tiles" in holed.viewer.layers
    made = holed.dataset.maps["01"].render(None, holed.map_layer.settings(), on_missing="mark")
    assert len(made.missing) == 2
    export = made.image.astype(int)
    for display in ("channels", "composite"):
        holed.set_display(display)
        seen, at = one_to_one(holed, qtbot)
        assert alike(seen, export[at], display)
    grey = (export == 112).all(axis=-1) | (export == 48).all(axis=-1)
    assert grey[at].mean() > 0.1


def test_where_all_tiles_are_there_nothing_is_hatched(session, qtbot):
    settled(session, qtbot)
    assert "missing tiles" not in session.viewer.layers


def said(session, layer, fov, dx=5, dy=5):
    """Give what the status bar says at a px of a FOV."""
    page = session.map_layer.page(session.page_number)
    tile = next(one for one in page.map.placement.tiles if one.name == fov)
    pages = session.map_layer.pages
    x, y = (
        origin + (start + own + by) * pages.scale[1]
        for origin, start, own, by in zip(
            pages.translate[:0:-1], (page.dx, page.dy), (tile.window.x0, tile.window.y0), (dx, dy), strict=True
        )
    )
    status = session.viewer.layers[layer].get_status((session.page_number, y, x), world=True)
    return status["coordinates"]


def test_the_status_bar_names_slice_fov_place_and_values(session, qtbot):
    settled(session, qtbot)
    fov = session.dataset.fovs["s01_r1c1"]
    place = session.dataset.maps["01"]
    tile = next(one for one in place.placement.tiles if one.name == "s01_r1c1")
    x, y = place.placement.stage_um(tile.window.x0 + 5.5, tile.window.y0 + 5.5)
    values = {
        name: place.read_stack([name], Window(tile.window.x0 + 5, tile.window.x0 + 6, tile.window.y0 + 5,
                                              tile.window.y0 + 6), Grid())[0, 0, 0]
        for name in fov.channels
    }  # fmt: skip
    session.look_at(1)
    session.viewer.scene.camera.zoom = 3
    settled(session, qtbot)
    shown = session.map_layer.shown_channels()
    wanted = "  ".join(f"{name} {values[name]}" for name in shown)
    for layer in ("DAPI", "ROIs", "excluded slices"):
        assert said(session, layer, "s01_r1c1") == (f"slice 01 · FOV s01_r1c1 · x {x:.1f} y {y:.1f} µm · {wanted}")


def test_the_status_bar_says_why_a_slice_is_excluded_and_why_a_tile_is_missing(holed, qtbot):
    settled(holed, qtbot)
    assert "cannot be read: " in said(holed, "DAPI", "s01_r1c2", 60, 60)
    holed.viewer.dims.set_current_step(0, 0)
    settled(holed, qtbot)
    why = holed.why_excluded(0)
    assert why
    assert said(holed, "DAPI", "s00_r0c0").count(f"excluded: {why}") == 1


def test_the_status_bar_reads_no_file(session, qtbot, monkeypatch):
    settled(session, qtbot)

    def refuse(*_, **__):
        raise AssertionError("a file was read")

    monkeypatch.setattr(session.map_layer.page(4).map, "read_stack", refuse)
    session.viewer.layers["DAPI"].get_status((4, 100.0, 100.0), world=True)


def test_the_profile_is_marked_while_the_controls_show_something_else(session):
    heard = []
    session.look_changed.connect(lambda: heard.append(session.profile_is_edited))
    assert not session.profile_is_edited
    session.map_layer.channel_layers["CD3"].gamma = 0.5
    session.map_layer.channel_layers["CD45"].visible = False
    assert heard == [True, True]
    session.save_profile()
    assert not session.profile_is_edited
    session.map_layer.channel_layers["CD3"].gamma = 1.0
    session.activate_profile(session.profile_name)
    assert not session.profile_is_edited
    assert session.map_layer.channel_layers["CD3"].gamma == 0.5

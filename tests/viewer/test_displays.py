"""Channels, composite and export show the same; missing tiles are hatched; the status bar says what lies there."""

from __future__ import annotations

import shutil

import numpy as np
import pytest

from napari_slicemap.images.region import Grid, Window
from napari_slicemap.viewer.session import session_of


def settled(session, qtbot):
    qtbot.waitUntil(lambda: not session.on_screen.loader.busy, timeout=20_000)
    qtbot.wait(200)


def one_to_one(session, qtbot, margin=20):
    """Give the middle of a page as the screen has it at a px of the map for each of the screen, and where it lies."""
    viewer, maps, number = session.viewer, session.map_layer, session.page_number
    window, size = maps.page(number).window, maps.base_pixel_size_um()
    height, width = window.shape
    top, left = (
        origin + start * size - size / 2
        for origin, start in zip(maps.pages.translate[1:], (window.y0, window.x0), strict=True)
    )
    viewer.canvas.overlays.scale_bar.visible = viewer.canvas.overlays.text.visible = False
    viewer.layers["ROIs"].visible = False
    viewer.scene.camera.zoom = viewer.window._qt_window.devicePixelRatio() / size
    canvas = viewer.canvas.size
    # whole pixels of the map on whole pixels of the screen: the screen's corner lies on a corner of a map pixel
    center = [half // 2 + extent % 2 / 2 for half, extent in zip((height, width), canvas, strict=True)]
    viewer.scene.camera.center = (0.0, top + center[0] * size, left + center[1] * size)
    settled(session, qtbot)
    shot = viewer.screenshot(canvas_only=True, flash=False)[..., :3].astype(int)
    rows, columns = (min(n, m) // 2 - margin for n, m in zip(canvas, (height, width), strict=True))
    y, x = shot.shape[0] // 2, shot.shape[1] // 2
    seen = shot[y - rows : y + rows, x - columns : x + columns]
    y, x = height // 2, width // 2
    return seen, (slice(y - rows, y + rows), slice(x - columns, x + columns))


def alike(seen, export, display):
    """Say whether the screen shows an export: the composite to the bit.

    napari looks up the colours of each channel in a table of 8 bits: three additive channels are each rounded by up to
    half a step, and the export once, so that some values come out two steps apart.
    """
    difference = np.abs(seen - export)
    if display == "composite":
        return not difference.any()
    return difference.max() <= 2 and (difference > 1).mean() < 0.005


@pytest.mark.parametrize("display", ["channels", "composite"])
def test_the_screen_shows_what_an_export_gives(session, qtbot, display):
    session.set_display(display)
    seen, at = one_to_one(session, qtbot)
    export = session.dataset.maps["01"].render_region(None, session.map_layer.settings())[at].astype(int)
    assert seen.max() > 100
    assert alike(seen, export, display)


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

"""The same pictures with numba and without it."""

import builtins
import logging
import subprocess
import sys

import numpy as np
import pytest

from napari_slicemap import ChannelSettings, MaskOverlay
from napari_slicemap.images.area import area_mean
from napari_slicemap.images.region import Grid, Window
from napari_slicemap.render import engine, overlays
from napari_slicemap.render.composite import composite
from napari_slicemap.render.engine import choice

SAID = "numba is not installed, so pictures are made the slow way (pip install 'napari-slicemap[fast]')"


def fresh_choice():
    choice._imported.cache_clear()


@pytest.fixture(params=["numba", "switched off", "not installed"])
def way(request, monkeypatch):
    """Each way to make pixels."""
    monkeypatch.delenv(engine.SWITCH, raising=False)
    fresh_choice()
    if request.param == "numba":
        pytest.importorskip("numba")
    elif request.param == "switched off":
        monkeypatch.setenv(engine.SWITCH, "0")
    else:
        without_numba(monkeypatch)
    yield request.param
    fresh_choice()


def without_numba(monkeypatch):
    real = builtins.__import__

    def refuse(name, *args, **kwargs):
        if name.partition(".")[0] == "numba":
            raise ImportError(f"No module named {name!r}")
        return real(name, *args, **kwargs)

    import napari_slicemap.render as package

    for name in [name for name in sys.modules if name.startswith("napari_slicemap.render.kernel")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.delattr(package, "kernel", raising=False)
    monkeypatch.setattr(builtins, "__import__", refuse)


def noise(dtype, shape, seed=0):
    return np.random.default_rng(seed).uniform(0, 200, shape).astype(dtype)


def rgba(canvas):
    return np.ascontiguousarray(canvas).view(np.uint8).reshape(*canvas.shape, 4)


SETTINGS = [ChannelSettings("#ff2000", (10, 150)), ChannelSettings("#10ff90", (0, 190), gamma=0.6)]


def test_every_way_composites(way):
    stack = noise("uint16", (2, 9, 7))
    covered = noise("uint8", (9, 7)) > 90
    canvas = np.full((9, 7), 0x01020304, np.uint32)
    engine.composite_into(canvas, stack, SETTINGS, covered)
    assert np.abs(rgba(canvas)[..., :3][covered].astype(int) - composite(stack, SETTINGS)[covered]).max() <= 1
    assert (rgba(canvas)[..., 3][covered] == 255).all()
    assert (canvas[~covered] == 0x01020304).all()


def test_every_way_averages(way):
    stack, window, grid = noise("uint16", (2, 9, 7)), Window(-3, 4, 5, 14), Grid(4, 1, 2)
    valid = noise("uint8", (9, 7)) > 90
    for exists in (None, valid):
        means, covered = engine.area_means(stack, window, grid, exists)
        wanted, there = area_mean(stack, window, grid, exists)
        np.testing.assert_array_equal(means, wanted)
        np.testing.assert_array_equal(covered, there)
        sums, counts = engine.cell_sums(stack, window, grid, exists)
        with np.errstate(invalid="ignore"):
            np.testing.assert_array_equal((sums / counts).astype(np.float32), wanted)


def test_every_way_draws_masks(way):
    labels = noise("int64", (12, 11)) // 70
    margin = Window(1, 10, 2, 11)
    for overlay in (MaskOverlay("m", "outline", "#ffcc00", 0.4, 2), MaskOverlay("m", "fill", "#00ccff", 0.3)):
        image = noise("uint8", (9, 9, 4))
        canvas = image.copy().view(np.uint32)[..., 0].copy()
        engine.draw_mask_into(canvas, labels, overlay, 1, margin)
        wanted = image[..., :3].copy()
        chosen = labels > 0 if overlay.mode == "fill" else overlays.outline(labels, overlay.thickness_px)
        overlays.blend(wanted, chosen[margin.slices_in(Window(0, 0, 0, 0))], overlay.color, overlay.alpha)
        np.testing.assert_array_equal(rgba(canvas)[..., :3], wanted)
        np.testing.assert_array_equal(rgba(canvas)[..., 3], image[..., 3])


def test_every_way_takes_nothing_at_all(way):
    canvas = np.full((3, 4), 7, np.uint32)
    engine.composite_into(canvas, np.zeros((0, 3, 4), np.uint16), [])
    assert (rgba(canvas) == [0, 0, 0, 255]).all()
    engine.composite_into(np.zeros((0, 4), np.uint32), np.zeros((1, 0, 4), np.uint16), SETTINGS[:1])
    assert engine.outline(np.zeros((0, 4), np.int64), 1).shape == (0, 4)
    engine.blend_into(np.zeros((0, 4), np.uint32), np.zeros((0, 4), bool), "#ffffff", 1)
    sums, counts = engine.cell_sums(np.zeros((0, 3, 4), np.uint16), Window(0, 4, 0, 3), Grid(2))
    assert sums.shape == counts.shape == (0, 2, 2)


def frozen(canvas):
    canvas.flags.writeable = False
    return canvas


NO_CANVASES = [
    pytest.param(np.zeros((3, 4), np.int32), "uint32", id="another dtype"),
    pytest.param(frozen(np.zeros((3, 4), np.uint32)), "written to", id="read-only"),
    pytest.param(np.zeros((4, 3), np.uint32).T, "contiguous", id="transposed"),
    pytest.param(np.zeros((3, 8), np.uint32)[:, ::2], "contiguous", id="every other column"),
    pytest.param(np.zeros((3, 4), np.uint32)[::-1], "in order", id="upside down"),
]


@pytest.mark.parametrize(("canvas", "why"), NO_CANVASES)
def test_what_is_no_canvas(canvas, why):
    with pytest.raises(ValueError, match=why):
        engine.composite_into(canvas, np.zeros((1, 3, 4), np.uint16), SETTINGS[:1])
    with pytest.raises(ValueError, match=why):
        engine.blend_into(canvas, np.ones((3, 4), bool), "#ffffff", 1)


def test_shapes_that_do_not_fit():
    canvas = np.zeros((3, 4), np.uint32)
    with pytest.raises(ValueError, match=r"got a stack \(1, 3, 5\), expected \(1, 3, 4\)"):
        engine.composite_into(canvas, np.zeros((1, 3, 5), np.uint16), SETTINGS[:1])
    with pytest.raises(ValueError, match=r"and a mask \(2, 4\)"):
        engine.composite_into(canvas, np.zeros((1, 3, 4), np.uint16), SETTINGS[:1], np.ones((2, 4), bool))
    with pytest.raises(ValueError, match="for a canvas"):
        engine.blend_into(canvas, np.ones((2, 4), bool), "#ffffff", 1)


def test_that_numba_is_missing_is_said_once(monkeypatch, caplog):
    fresh_choice()
    monkeypatch.delenv(engine.SWITCH, raising=False)
    without_numba(monkeypatch)
    with caplog.at_level(logging.INFO, "napari_slicemap"):
        for _ in range(3):
            engine.outline(np.ones((3, 3), np.int64), 1)
            engine.composite_into(np.zeros((3, 4), np.uint32), np.zeros((1, 3, 4), np.uint16), SETTINGS[:1])
    assert [record.getMessage() for record in caplog.records] == [SAID]
    fresh_choice()


def test_that_numba_is_switched_off_is_not_said(monkeypatch, caplog):
    monkeypatch.setenv(engine.SWITCH, "0")
    with caplog.at_level(logging.INFO, "napari_slicemap"):
        engine.outline(np.ones((3, 3), np.int64), 1)
    assert not caplog.records


def test_importing_the_engine_loads_no_numba():
    code = "import sys, napari_slicemap.render.engine; assert not {'numba', 'llvmlite'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)

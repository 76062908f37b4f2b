"""The compiled loops, held against the obvious numpy ones."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from napari_slicemap import ChannelSettings
from napari_slicemap.images.area import area_mean
from napari_slicemap.images.region import Grid, Window
from napari_slicemap.render import engine, overlays
from napari_slicemap.render.composite import composite
from napari_slicemap.render.engine import choice

pytest.importorskip("numba")

COLOURS = ("#ff0000", "#00ff00", "#0000ff", "#ff00ff", "#00ffff", "#ffff00", "#777777", "#123456", "#fedcba")


@pytest.fixture(autouse=True)
def with_numba(monkeypatch):
    monkeypatch.delenv(engine.SWITCH, raising=False)
    assert choice.kernels() is not None


def made(stack, settings, covered=None, canvas=None):
    canvas = np.zeros(stack.shape[1:], np.uint32) if canvas is None else canvas
    engine.composite_into(canvas, stack, settings, covered)
    return np.ascontiguousarray(canvas).view(np.uint8).reshape(*canvas.shape, 4)


def distance(stack, settings):
    """How far each byte is from the numpy compositor's."""
    found = made(stack, settings)
    assert (found[..., 3] == 255).all()
    return np.abs(found[..., :3].astype(int) - composite(stack, settings))


def white(low, high, gamma=1.0):
    return ChannelSettings("#ffffff", (low, high), gamma)


def ramp(dtype, low, high):
    return np.linspace(low, high, 3001).astype(dtype)[None, None]


NASTY = [
    pytest.param(ramp("uint8", 0, 255), white(0, 255), id="the whole of 8 bits"),
    pytest.param(ramp("uint16", 0, 65535), white(100.3, 60000.7, 0.3), id="limits between whole numbers"),
    pytest.param(ramp("uint16", 64990, 65010), white(65000.3, 65000.4, 0.05), id="limits within one grey level"),
    pytest.param(ramp("int16", -32768, 32767), white(-20000.5, 12000), id="negative"),
    pytest.param(ramp("uint32", 4e9, 4e9 + 150), white(4e9 + 20, 4e9 + 120), id="narrow limits on large uint32"),
    pytest.param(ramp("int32", -2e9, 2e9), white(-1e9, 1e9, 2.0), id="int32"),
    pytest.param(ramp("float32", 1e8, 1e8 + 400), white(1e8 + 50.7, 1e8 + 300.2, 0.2), id="narrow on large float32"),
    pytest.param(ramp("float64", 1e8, 1e8 + 1e-3), white(1e8, 1e8 + 1e-3, 0.4), id="narrow on large float64"),
    pytest.param(ramp("float64", -1e300, 1e300), white(-1e299, 1e300), id="huge float64"),
    pytest.param(ramp("float64", -8e307, 8e307), white(-1.7e308, 1.7e308), id="limits too far apart for a float"),
    pytest.param(ramp("float64", 0, 4e-300), white(0, 3e-300), id="tiny float64"),
    pytest.param(ramp("float64", 0, 4e-310), white(0, 3e-310), id="subnormal float64"),
    pytest.param(ramp("float32", 0, 1e-38), white(0, 8e-39, 0.5), id="subnormal float32"),
    pytest.param(ramp("float32", -3e38, 3e38), white(-3e38, 3e38), id="the whole of float32"),
    pytest.param(np.float32(10) ** -np.arange(46, dtype=np.float32)[None, None], white(0, 1, 0.05), id="steep at 0"),
    pytest.param(ramp("float64", 0, 1), white(0, 1, 20), id="gamma 20"),
    pytest.param(ramp("float64", 0.999, 1), white(0, 1, 3e4), id="gamma 30000"),
    pytest.param(ramp("float64", 0, 1), white(0, 1, 1 + 1e-12), id="gamma next to 1"),
    pytest.param(ramp("float64", 0, 1), white(0, 1, 1e-300), id="no gamma to speak of"),
    pytest.param(ramp("uint16", 90, 110), white(100.5, 100.5), id="a step between grey levels"),
    pytest.param(ramp("uint16", 90, 110), white(100, 100, 3), id="a step on a grey level"),
    pytest.param(ramp("float32", 0, 0.2), white(0.1, 0.1), id="a step that float32 cannot hold"),
    pytest.param(ramp("float32", -0.2, 0), white(-0.1, -0.1), id="a negative step that float32 cannot hold"),
    pytest.param(np.array([[[np.nan, np.inf, -np.inf, 0, 1]]]), white(0, 2, 0.5), id="no numbers"),
    pytest.param(np.array([[[np.nan, np.inf, -np.inf, 0, 1]]], np.float32), white(0, 0), id="no numbers at a step"),
    pytest.param(np.array([[[True, False]]]), white(0, 1), id="bool"),
    pytest.param(ramp("int64", 0, 1e6), white(0, 1e6), id="int64"),
    pytest.param(ramp("float16", 0, 1e3), white(10, 900), id="float16"),
    pytest.param(ramp(">u2", 0, 1e3), white(10, 900), id="the other byte order"),
]


@pytest.mark.parametrize(("stack", "settings"), NASTY)
def test_nasty_values(stack, settings):
    off = distance(stack, [settings])
    assert off.max() <= 1
    assert (off > 0).mean() <= 0.03


@pytest.mark.parametrize("gamma", [1.0, 0.05, 0.45, 2.2, 20.0])
@pytest.mark.parametrize("channels", [1, 2, 3, 4, 5, 6, 8, 9])
def test_any_number_of_channels(channels, gamma):
    stack = np.random.default_rng(channels).integers(0, 4000, (channels, 40, 61)).astype(np.uint16)
    settings = [ChannelSettings(COLOURS[i], (50.5 * i, 5000 + 900 * i), gamma) for i in range(channels)]
    off = distance(stack, settings)
    assert off.max() <= 1
    assert (off > 0).mean() <= 0.012


def test_the_error_of_a_gamma():
    """Within 2.4e-4 of full: at a 255th apart no picture changes by more than rounding."""
    stack = np.linspace(0, 1, 200_001, dtype=np.float32)[None, None]
    for gamma in (0.05, 0.2, 0.5, 0.9, 1.1, 2.0, 5.0, 20.0):
        found = made(stack, [white(0, 1, gamma)])[0, :, 0]
        exact = 255 * stack[0, 0].astype(float) ** gamma
        assert np.abs(found - exact).max() <= 0.5 + 255 * 2.4e-4


def test_invisible_and_black_channels_add_nothing():
    stack = np.full((3, 4, 5), 80, np.uint16)
    settings = [
        ChannelSettings("#ff0000", (0, 100)),
        ChannelSettings("#00ff00", (0, 100), visible=False),
        ChannelSettings("#000000", (0, 100)),
    ]
    assert (made(stack, settings) == [204, 0, 0, 255]).all()
    assert (made(stack[1:], settings[1:]) == [0, 0, 0, 255]).all()


@given(
    stack=hnp.arrays(np.float32, (2, 3, 4), elements=st.floats(-1e6, 1e6, width=32)),
    low=st.floats(-1e5, 1e5),
    width=st.floats(0, 1e5),
    gamma=st.floats(0.05, 20),
)
def test_float32_against_numpy(stack, low, width, gamma):
    settings = [ChannelSettings("#ff8000", (low, low + width), gamma), ChannelSettings("#0040ff", (low, low + width))]
    assert distance(stack, settings).max() <= 1


@given(
    value=st.floats(allow_nan=True, allow_infinity=True),
    low=st.floats(-1e300, 1e300),
    width=st.floats(0, 1e300),
    gamma=st.floats(0.05, 20),
)
def test_any_float64_against_numpy(value, low, width, gamma):
    assert distance(np.array([[[value]]]), [white(low, low + width, gamma)]).max() <= 1


@given(
    value=st.integers(0, 2**32 - 1),
    low=st.floats(0, 2**32),
    width=st.floats(0, 200),
    gamma=st.floats(0.05, 20),
)
def test_any_uint32_against_numpy(value, low, width, gamma):
    assert distance(np.array([[[value]]], np.uint32), [white(low, low + width, gamma)]).max() <= 1


CROPS = [
    pytest.param(slice(0, 1), slice(0, 1), id="one pixel"),
    pytest.param(slice(3, 7), slice(1, 18), id="an odd start"),
    pytest.param(slice(1, 2), slice(5, 1100), id="across a block's end"),
    pytest.param(slice(0, 9), slice(1030, 1117), id="the end of rows"),
]


@pytest.mark.parametrize(("rows", "columns"), CROPS)
@pytest.mark.parametrize("dtype", ["uint16", "float32", "float64"])
@pytest.mark.parametrize("gamma", [1.0, 0.37])
@pytest.mark.parametrize("masked", [False, True])
def test_a_crop_is_composited_as_the_whole_is(rows, columns, dtype, gamma, masked):
    stack = np.random.default_rng(5).uniform(0, 4000, (5, 9, 1117)).astype(dtype)
    settings = [ChannelSettings(COLOURS[i + 3], (33.3 * i, 3000.1), gamma) for i in range(5)]
    whole = made(stack, settings)[rows, columns]
    part = np.ascontiguousarray(stack[:, rows, columns])
    covered = np.ones(part.shape[1:], bool) if masked else None
    np.testing.assert_array_equal(made(part, settings, covered), whole)
    room = np.zeros((20, 1200), np.uint32)
    inner = room[2 : 2 + part.shape[1], 3 : 3 + part.shape[2]]
    np.testing.assert_array_equal(made(part, settings, covered, inner), whole)
    inner[:] = 0
    assert not room.any()  # nothing but its own part of a larger canvas


@pytest.mark.parametrize("gamma", [1.0, 0.37])
def test_what_is_not_covered_stays(gamma):
    rng = np.random.default_rng(3)
    stack, covered = rng.integers(0, 4000, (2, 11, 5003)).astype(np.uint16), rng.random((11, 5003)) < 0.5
    canvas = rng.integers(0, 2**32, (11, 5003), dtype=np.uint32)
    settings = [ChannelSettings("#ff8000", (0, 4000), gamma), ChannelSettings("#0040ff", (500, 3000), gamma)]
    before, whole = canvas.copy(), made(stack, settings)
    found = made(stack, settings, covered, canvas)
    np.testing.assert_array_equal(canvas[~covered], before[~covered])
    np.testing.assert_array_equal(found[covered], whole[covered])


def test_arrays_that_cannot_be_written_to():
    stack, covered = np.full((1, 3, 4), 100, np.uint16), np.ones((3, 4), bool)
    stack.flags.writeable = covered.flags.writeable = False
    assert (made(stack, [white(0, 100)], covered) == 255).all()
    assert engine.area_means(stack, Window(0, 4, 0, 3), Grid(2), covered)[0].max() == 100
    assert engine.outline(np.broadcast_to(np.int64(3), (3, 4)), 1).sum() == 0


def test_arrays_that_are_not_contiguous():
    stack = np.arange(2 * 6 * 8, dtype=np.uint16).reshape(2, 6, 8)[:, ::2, 1::2]
    assert distance(stack, [white(0, 90), white(10, 50, 2.0)]).max() <= 1


# --- area means


def pixels_of(dtype, shape):
    rng = np.random.default_rng(8)
    if np.dtype(dtype).kind != "f":
        info = np.iinfo(dtype)
        return rng.integers(info.min, info.max, shape, dtype, endpoint=True)
    stack = rng.normal(0, 1e3, shape).astype(dtype)
    stack[rng.random(shape) < 0.1] = np.nan
    stack[..., :5, :5] = np.nan
    return stack


WINDOWS = [
    pytest.param(Window(0, 24, 0, 24), Grid(4), id="whole cells"),
    pytest.param(Window(5, 47, -7, 31), Grid(8), id="cells cut at every side"),
    pytest.param(Window(5, 47, -7, 31), Grid(7, 3, -2), id="a grid with an origin"),
    pytest.param(Window(5, 47, -7, 31), Grid(1), id="step 1"),
    pytest.param(Window(3, 9, 3, 9), Grid(16), id="within one cell"),
]


@pytest.mark.parametrize(("window", "grid"), WINDOWS)
@pytest.mark.parametrize("dtype", ["uint8", "uint16", "int16", "uint32", "float32"])
@pytest.mark.parametrize("masked", [False, True])
def test_means(window, grid, dtype, masked):
    stack = pixels_of(dtype, (2, *window.shape))
    valid = np.random.default_rng(2).random(window.shape) < 0.4 if masked else None
    if masked:
        valid[: min(8, len(valid)), :9] = False
    means, covered = engine.area_means(stack, window, grid, valid)
    wanted, there = area_mean(stack, window, grid, valid)
    if stack.dtype.kind == "f":  # numpy adds up in another order
        np.testing.assert_allclose(means, wanted, rtol=2e-6, atol=1e-9)
    else:
        np.testing.assert_array_equal(means, wanted)
    np.testing.assert_array_equal(covered, there)
    sums, counts = engine.cell_sums(stack, window, grid, valid)
    with np.errstate(invalid="ignore"):
        np.testing.assert_array_equal((sums / counts).astype(np.float32), means)


@given(
    stack=hnp.arrays(np.uint16, st.tuples(st.just(1), st.integers(1, 30), st.integers(1, 30))),
    x0=st.integers(-20, 20),
    y0=st.integers(-20, 20),
    step=st.integers(1, 12),
    origin=st.tuples(st.integers(-5, 5), st.integers(-5, 5)),
)
def test_means_of_any_window(stack, x0, y0, step, origin):
    window = Window(x0, x0 + stack.shape[2], y0, y0 + stack.shape[1])
    grid = Grid(step, *origin)
    np.testing.assert_array_equal(engine.area_means(stack, window, grid)[0], area_mean(stack, window, grid)[0])


@pytest.mark.parametrize("dtype", ["uint16", "float32"])
def test_a_cell_has_one_mean_whichever_window_is_asked(dtype):
    stack, whole, grid = pixels_of(dtype, (2, 90, 110)), Window(0, 110, 0, 90), Grid(5)
    part = Window(15, 85, 20, 70)
    crop = np.ascontiguousarray(stack[:, 20:70, 15:85])
    rows, columns = grid.cells(part).slices_in(grid.cells(whole))
    np.testing.assert_array_equal(
        engine.area_means(crop, part, grid)[0], engine.area_means(stack, whole, grid)[0][:, rows, columns]
    )


def test_sums_halve():
    stack, window = pixels_of("float32", (2, 64, 48)), Window(0, 48, 0, 64)
    fine, coarse = (engine.cell_sums(stack, window, Grid(step)) for step in (4, 8))
    for four, one in zip(fine, coarse, strict=True):
        np.testing.assert_allclose(four.reshape(2, 8, 2, 6, 2).sum((2, 4)), one, rtol=1e-12, atol=1e-9)


def test_sums_beyond_32_bits():
    stack = np.full((1, 70_000, 3), 65535, np.uint16)
    sums, counts = engine.cell_sums(stack, Window(0, 3, 0, 70_000), Grid(100_000))
    assert sums.item() == 65535 * 210_000
    assert counts.item() == 210_000


def test_infinities_are_averaged():
    stack = np.array([[[np.inf, 1.0, np.inf, -np.inf]]], np.float32)
    means, _ = engine.area_means(stack, Window(0, 4, 0, 1), Grid(2))
    assert means[0, 0, 0] == np.inf
    assert np.isnan(means[0, 0, 1])


# --- outlines

LABELS = ["uint16", "int32", "int64"]


@pytest.mark.parametrize("dtype", LABELS)
@pytest.mark.parametrize("thickness", [1, 2, 3])
@pytest.mark.parametrize("owned", [False, True])
def test_outlines(dtype, thickness, owned):
    rng = np.random.default_rng(thickness)
    labels = np.repeat(np.repeat(rng.integers(-1, 4, (9, 12)), 5, axis=0), 5, axis=1)
    labels = labels.clip(0) if dtype == "uint16" else labels
    owner = np.repeat(rng.integers(-1, 2, (9, 12)), 25).reshape(9, 12, 25)[..., 0].repeat(5, 0).repeat(5, 1)
    owner = owner.astype(np.int32) if owned else None
    found = engine.outline(labels.astype(dtype), thickness, owner)
    np.testing.assert_array_equal(found, overlays.outline(labels, thickness, owner))


@given(
    labels=hnp.arrays(np.int64, st.tuples(st.integers(1, 9), st.integers(1, 9)), elements=st.integers(-2, 3)),
    thickness=st.integers(1, 4),
    owned=st.booleans(),
    data=st.data(),
)
def test_any_outline(labels, thickness, owned, data):
    owner = data.draw(hnp.arrays(np.int32, labels.shape, elements=st.integers(-1, 2))) if owned else None
    np.testing.assert_array_equal(engine.outline(labels, thickness, owner), overlays.outline(labels, thickness, owner))


@given(
    image=hnp.arrays(np.uint8, (3, 4, 4)),
    chosen=hnp.arrays(np.bool_, (3, 4)),
    color=st.sampled_from(COLOURS),
    alpha=st.floats(0, 1),
)
def test_blending(image, chosen, color, alpha):
    canvas = image.view(np.uint32)[..., 0].copy()
    engine.blend_into(canvas, chosen, color, alpha)
    wanted = image.copy()
    overlays.blend(wanted[..., :3], chosen, color, alpha)
    np.testing.assert_array_equal(canvas.view(np.uint8).reshape(3, 4, 4), wanted)


def test_labels_are_filled_within_a_part_of_a_canvas():
    room = np.full((9, 9), 0xFF000000, np.uint32)
    labels = np.zeros((3, 4), np.int64)
    labels[1, 1:3], labels[2, 0] = 7, overlays.OUTSIDE
    engine.blend_into(room[2:5, 3:7], labels, "#ff0000", 1.0)
    assert (room == 0xFF0000FF).sum() == 2
    assert (room[3, 4:6] == 0xFF0000FF).all()

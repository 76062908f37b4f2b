"""GIFs of stacks, read back by Pillow."""

import logging
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageDraw, ImageFont

from napari_slicemap.errors import StackError, UnknownNameError
from napari_slicemap.export.movies.frame_marks import place_times, time_labels
from napari_slicemap.export.movies.timing import delays_ms
from napari_slicemap.export.stacks.figures import stack_frames
from napari_slicemap.export.stacks.gif import export_gif
from napari_slicemap.images.stack.image_stack import ImageStack
from napari_slicemap.render.fonts import FONT

SIDE = 96


def stack(data=None, times=(0.0, 0.5, 1.5, 2.0), pixel_size_nm=2.0, **fields):
    if data is None:
        data = np.random.default_rng(0).normal(5, 2, (len(times), SIDE, SIDE))
    metadata = [{} if time is None else {"timestamp": time} for time in times]
    return ImageStack(np.asarray(data), pixel_size_nm, "height", metadata, **fields)


def read(path):
    """Give frames (T, H, W, 3) as Pillow shows them, and delays in ms."""
    frames, delays = [], []
    with Image.open(path) as image:
        for number in range(image.n_frames):
            image.seek(number)
            frames.append(np.asarray(image.convert("RGB")))
            delays.append(image.info["duration"])
    return np.stack(frames), delays


@pytest.fixture
def made(tmp_path):
    """Write a GIF and read it back."""

    def make(one, **options):
        return read(export_gif(one, True, tmp_path, "made", **options))

    return make


@pytest.fixture
def plain(made):
    """The same without what is drawn over the data."""
    return lambda one, **options: made(one, scale_bar_nm=0, draw_ts=False, **options)


def afmhot(levels):
    """Give the colours of matplotlib's map, written out: red 2x, green 2x - 0.5, blue 2x - 1."""
    x = np.asarray(levels, float)[..., None] / 255
    return np.clip(2 * x - [0, 0.5, 1], 0, 1) * 255


# --- colours and limits -------------------------------------------------------------------------------------------
def test_afmhot_is_that_of_matplotlib(plain):
    ramp = np.arange(256.0).reshape(1, 16, 16)
    found, _ = plain(stack(ramp, (0.0,)))
    np.testing.assert_allclose(found[0], afmhot(ramp[0]), atol=0.5 + 1e-9)


@pytest.mark.parametrize("dtype", ["uint8", "int16", "uint16", "float32", "float64", "bool"])
def test_data_of_any_type(plain, dtype):
    data = np.array([[[0, 1], [1, 0]]]).astype(dtype)
    found, _ = plain(stack(data, (0.0,)))
    np.testing.assert_array_equal(found[0, :, :, 0], np.where(data[0], 255, 0))
    by_percentiles, _ = plain(stack(data, (0.0,)), zmin="p0", zmax="p100")
    np.testing.assert_array_equal(by_percentiles, found)


@pytest.mark.parametrize(
    ("name", "first", "last"),
    [
        pytest.param("gray", (0, 0, 0), (255, 255, 255), id="gray"),
        pytest.param("viridis", (68, 1, 84), (253, 231, 37), id="viridis"),
        pytest.param("inferno", (0, 0, 4), (252, 255, 164), id="inferno"),
        pytest.param("afmhot_r", (255, 255, 255), (0, 0, 0), id="reversed"),
    ],
)
def test_colour_maps(plain, name, first, last):
    found, _ = plain(stack([[[0.0, 1.0]]], (0.0,)), cmap=name)
    np.testing.assert_allclose(found[0, 0], [first, last], atol=1)


LIMITS = np.concatenate([np.arange(101.0), [np.nan, np.inf, -np.inf]]).reshape(1, 8, 13)


@pytest.mark.parametrize(
    ("zmin", "zmax", "low", "high"),
    [
        pytest.param("auto", "auto", 0, 100, id="auto"),
        pytest.param("p1", "p99", 1, 99, id="percentiles"),
        pytest.param("p12.5", "auto", 12.5, 100, id="a percentile with a decimal"),
        pytest.param(20, 60.0, 20, 60, id="numbers"),
        pytest.param("20", "6e1", 20, 60, id="numbers as text"),
        pytest.param(-50, 1000, -50, 1000, id="beyond the data"),
        pytest.param(np.float32(20), "auto", 20, 100, id="a number of numpy"),
    ],
)
def test_limits(plain, zmin, zmax, low, high):
    found, _ = plain(stack(LIMITS, (0.0,)), zmin=zmin, zmax=zmax, cmap="gray")
    share = np.clip((LIMITS[0].ravel()[:101] - low) / (high - low), 0, 1)
    found = found[0].reshape(-1, 3)
    np.testing.assert_allclose(found[:101, 0], share * 255, atol=0.5 + 1e-9)
    np.testing.assert_array_equal(found[101:], 0, err_msg="what is not finite is drawn as the lowest")


def test_limits_are_those_of_the_whole_stack(plain):
    data = np.stack([np.full((4, 4), value) for value in (0.0, 40.0, 100.0)])
    found, _ = plain(stack(data, (0.0, 1.0, 2.0)), cmap="gray")
    assert found[:, 0, 0, 0].tolist() == [0, 102, 255]


def test_a_stack_of_one_value_is_drawn_as_the_lowest(plain):
    found, _ = plain(stack(np.full((2, 4, 4), 7.0), (0.0, 1.0)))
    np.testing.assert_array_equal(found, 0)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        pytest.param(
            {"zmin": "p101"}, "zmin is 'p101', expected a finite number, 'auto' or a percentile", id="percentile"
        ),
        pytest.param({"zmax": "max"}, "zmax is 'max'", id="a word"),
        pytest.param({"zmax": float("nan")}, "zmax is nan", id="NaN"),
        pytest.param({"zmin": True}, "zmin is True", id="a truth value"),
        pytest.param({"zmin": None}, "zmin is None", id="nothing"),
        pytest.param({"zmin": 5, "zmax": 4}, "zmin is 5 and zmax is 4", id="upside down"),
        pytest.param({"scale_bar_nm": -1}, "scale bar is -1 nm", id="scale bar"),
        pytest.param({"fps": 0}, "fps is 0, expected a number above 0", id="fps"),
        pytest.param({"speed": float("inf")}, "speed is inf", id="speed"),
    ],
)
def test_wrong_options_name_the_stack(tmp_path, options, message):
    with pytest.raises(StackError, match=f"stack height: .*{message}"):
        export_gif(stack(), True, tmp_path, **options)
    assert list(tmp_path.iterdir()) == []


def test_a_stack_without_a_finite_value_needs_limits(plain):
    empty = stack(np.full((2, 4, 4), np.nan), (0.0, 1.0))
    with pytest.raises(StackError, match="stack height has no finite value, so zmin cannot be 'auto'"):
        plain(empty)
    found, _ = plain(empty, zmin=0, zmax=1)
    np.testing.assert_array_equal(found, 0)


def test_unknown_names(tmp_path):
    with pytest.raises(UnknownNameError, match=r"unknown colour map 'afmhott' \(there is afmhot, gray"):
        export_gif(stack(), True, tmp_path, cmap="afmhott")
    with pytest.raises(UnknownNameError, match=r"stack height: unknown layer 'x' \(there is none\)"):
        export_gif(stack(), True, tmp_path, layer="x")


# --- times ----------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("options", "delays"),
    [
        pytest.param({}, [500, 1000, 500, 500], id="as it happened"),
        pytest.param({"speed": 10}, [50, 100, 50, 50], id="ten times faster"),
        pytest.param({"speed": 0.5}, [1000, 2000, 1000, 1000], id="slow motion"),
        pytest.param({"fps": 25}, [40] * 4, id="fps"),
        pytest.param({"fps": 25, "speed": 3}, [40] * 4, id="fps overrides speed"),
    ],
)
def test_delays(made, options, delays):
    _, found = made(stack(), **options)
    assert found == delays


@given(st.lists(st.floats(0.05, 300), min_size=1, max_size=30), st.floats(0.5, 20))
def test_delays_follow_the_times(steps, speed):
    times = np.cumsum([3.0, *steps])
    delays = delays_ms(times, "stack", speed=speed)
    np.testing.assert_allclose(np.cumsum(delays[:-1]), (times[1:] - times[0]) * 1000 / speed)
    assert delays[-1] == delays[-2]


@pytest.mark.parametrize(
    ("times", "message"),
    [
        pytest.param((0.0, None, 2.0), r"1 of 3 frames have no time \(first: 1\); give fps", id="missing"),
        pytest.param((0.0, 1.0, float("nan")), r"1 of 3 frames have no time \(first: 2\)", id="NaN"),
        pytest.param((0.0, 1.0, 1.0), r"frame 2 at 1 s follows 1 s\); give fps", id="standing still"),
        pytest.param((0.0, 2.0, 1.0), r"frame 2 at 1 s follows 2 s", id="backwards"),
    ],
)
def test_without_valid_times_fps_is_needed(tmp_path, times, message):
    one = stack(times=times, file_path="scan_7.asd")
    with pytest.raises(StackError, match=f"stack scan_7: .*{message}"):
        export_gif(one, True, tmp_path)
    assert list(tmp_path.iterdir()) == []
    frames, delays = read(export_gif(one, True, tmp_path, fps=10))
    assert (len(frames), delays) == (3, [100, 100, 100])


@pytest.mark.parametrize(
    ("times", "labels"),
    [
        pytest.param([0.0, 1.0, 2.0], ["0 s", "1 s", "2 s"], id="whole seconds"),
        pytest.param([0.0, 0.5, 1.5], ["0.0 s", "0.5 s", "1.5 s"], id="halves"),
        pytest.param([0, 3.275, 6.55], ["0.0 s", "3.3 s", "6.5 s"], id="two digits of a step"),
        pytest.param([0.0, 0.05, 0.1034], ["0.000 s", "0.050 s", "0.103 s"], id="fast"),
        pytest.param([3600.0, 7200.0], ["3600 s", "7200 s"], id="hours"),
        pytest.param([1.25], ["1.25 s"], id="one frame"),
        pytest.param([None, None], ["1/2", "2/2"], id="no times"),
        pytest.param([0.0, None, 2.0], ["0 s", "2/3", "2 s"], id="one missing"),
    ],
)
def test_labels(times, labels):
    assert time_labels(stack(np.zeros((len(times), 1, 1)), times).times_s) == labels


@given(st.lists(st.floats(0, 1e5), min_size=2, max_size=20, unique=True))
def test_labels_tell_frames_apart(times):
    times = sorted(times)
    if min(np.diff(times)) > 1e-7:
        assert len(set(time_labels(times))) == len(times)


def test_each_frame_shows_its_own_time_in_the_corner(made, plain):
    one = stack(np.ones((3, SIDE, SIDE)), (0.0, 1.0, 2.0))
    found, _ = made(one, scale_bar_nm=0)
    for frame in found:
        rows, columns = np.nonzero(frame.any(axis=-1))
        assert rows.min() > 0
        assert rows.max() < SIDE // 3
        assert columns.min() > 0
        assert columns.max() < SIDE // 2
    assert len({frame.tobytes() for frame in found}) == 3
    np.testing.assert_array_equal(plain(one)[0], 0)


@settings(max_examples=40)
@given(st.integers(1, 140), st.integers(1, 140), st.sampled_from(["0.5 s", "123456.789 s", "3/1000"]))
def test_text_never_leaves_the_frame(height, width, label):
    placed, warning = place_times((height, width), ["0 s", label])
    if placed is None:
        assert warning == f"no times: {label!r} does not fit into {width} × {height} px"
        return
    mark = placed.mark(1)
    inside = np.zeros((height, width, 3), np.uint8) + np.uint8(77)
    wide = np.pad(inside, ((0, 200), (0, 200), (0, 0)), constant_values=77)
    mark.draw(wide)
    mark.draw(inside)
    np.testing.assert_array_equal(wide[:height, :width], inside)
    assert (wide[height:] == 77).all()
    assert (wide[:, width:] == 77).all()
    assert mark.top >= 0
    assert mark.left >= 0
    canvas = Image.new("L", (400, 100))
    font = ImageFont.truetype(FONT, placed.height_px, layout_engine=ImageFont.Layout.BASIC)
    ImageDraw.Draw(canvas).text((50, 50), label, 255, font, anchor="lt")
    assert (mark.tones > 0).sum() == (np.asarray(canvas) >= 255 / 6).sum(), "nothing is cut off at its own patch"


# --- scale bar ------------------------------------------------------------------------------------------------------
def test_the_scale_bar_has_its_length(made):
    one = stack(np.zeros((2, 200, 300)), (0.0, 1.0), pixel_size_nm=2.5)
    found, _ = made(one, scale_bar_nm=100, draw_ts=False)
    white = (found == 255).all(axis=-1)
    longest = max(int(row.sum()) for row in white[0] if (np.diff(np.flatnonzero(row)) == 1).all())
    assert longest == 40
    np.testing.assert_array_equal(found[0], found[1])
    rows, columns = np.nonzero(found[0].any(axis=-1))
    assert rows.min() > 100
    assert columns.min() > 150
    assert rows.max() < 199
    assert columns.max() < 299


@pytest.mark.parametrize("length", [98, 99, 100, 1000, 1e9])
def test_a_bar_as_long_as_the_frame_is_not_drawn_and_said_so(made, plain, caplog, length):
    one = stack(np.zeros((1, 40, 99)), (0.0,), pixel_size_nm=1.0)
    with caplog.at_level(logging.WARNING, "napari_slicemap"):
        found, _ = made(one, scale_bar_nm=length, draw_ts=False)
    np.testing.assert_array_equal(found, plain(one)[0])
    (record,) = caplog.records
    assert "no scale bar" in record.getMessage()
    assert "made.gif" in record.getMessage()


@settings(max_examples=25)
@given(st.integers(1, 120), st.integers(1, 120), st.floats(0.5, 500))
def test_the_bar_never_leaves_the_frame(height, width, length):
    frames = stack_frames(
        stack(np.zeros((1, height, width)), (0.0,), pixel_size_nm=1.0), scale_bar_nm=length, draw_ts=False
    )
    if frames.bar is None:
        assert frames.warnings[0].startswith("no scale bar")
        return
    bottom, right = frames.bar.top + frames.bar.tones.shape[0], frames.bar.left + frames.bar.tones.shape[1]
    assert 0 <= frames.bar.top < bottom <= height
    assert 0 <= frames.bar.left < right <= width
    row = np.flatnonzero((frames.bar.tones == 255).sum(axis=1) == np.floor(length + 0.5))
    assert len(row), "the bar is drawn in its full length"


# --- files ----------------------------------------------------------------------------------------------------------
STEP = {"step_1_x": np.full((4, SIDE, SIDE), 2.0)}
RAW = {"raw": np.full((4, SIDE, SIDE), 1.0)}


@pytest.mark.parametrize(
    ("fields", "name", "options", "file"),
    [
        pytest.param({}, "run", {}, "run.gif", id="not processed"),
        pytest.param({"processed": RAW}, "run", {}, "run.gif", id="only the raw snapshot"),
        pytest.param({"processed": RAW | STEP}, "run", {}, "run_filtered.gif", id="processed"),
        pytest.param({"processed": RAW | STEP}, "run_filtered", {}, "run_filtered.gif", id="suffix once"),
        pytest.param({"processed": RAW | STEP}, "run", {"raw": True}, "run.gif", id="raw"),
        pytest.param({"processed": RAW | STEP}, "run_0.5nm.final", {}, "run_0.5nm.final_filtered.gif", id="dots"),
        pytest.param({}, "a b/c", {}, "a_b_c.gif", id="signs"),
        pytest.param({"file_path": "data/scan_0.5nm.v2.asd"}, None, {}, "scan_0.5nm.v2.gif", id="named by its file"),
        pytest.param({}, None, {}, "height.gif", id="named by its channel"),
    ],
)
def test_names(tmp_path, fields, name, options, file):
    folder = tmp_path / "new" / "folder"
    path = export_gif(stack(**fields), True, str(folder), name, **options)
    assert path == folder / file
    assert [one.name for one in folder.iterdir()] == [file]


def test_what_is_shown(tmp_path):
    data = np.linspace(0, 3, 4 * SIDE * SIDE).reshape(4, SIDE, SIDE)
    one = stack(data, processed=RAW | STEP)
    options = {"scale_bar_nm": 0, "draw_ts": False, "zmin": 0, "zmax": 3, "cmap": "gray"}
    shown, raw, layer = (
        read(export_gif(one, True, tmp_path / name, **options, **more))[0][..., 0]
        for name, more in (("data", {}), ("raw", {"raw": True}), ("layer", {"layer": "step_1_x"}))
    )
    np.testing.assert_array_equal(shown, np.rint(data * 85))
    np.testing.assert_array_equal(raw, 85)
    np.testing.assert_array_equal(layer, 170)


def test_raw_frames_that_were_not_kept(tmp_path):
    with pytest.raises(StackError, match="raw frames were not kept"):
        export_gif(stack(processed=STEP), True, tmp_path, raw=True)


def test_nothing_is_made_unless_asked_for(tmp_path):
    assert export_gif(stack(), False, tmp_path / "none") is None
    assert not (tmp_path / "none").exists()


def test_the_default_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert export_gif(stack()) == Path("output/height.gif")
    assert (tmp_path / "output" / "height.gif").is_file()


@pytest.mark.parametrize("folder", [None, 3])
def test_a_folder_that_is_no_path(folder):
    with pytest.raises(TypeError):
        export_gif(stack(), True, folder)


def test_a_failure_leaves_the_old_file_whole(tmp_path):
    path = export_gif(stack(), True, tmp_path)
    before = path.read_bytes()
    late = stack(times=(0.0, 1.0, 900.0, 901.0))
    with pytest.raises(ValueError, match=r"frame 1 is to be shown for 899 s; GIF holds at most 655.35 s"):
        export_gif(late, True, tmp_path)
    assert path.read_bytes() == before
    assert [one.name for one in tmp_path.iterdir()] == [path.name]


def test_the_same_stack_gives_the_same_bytes(tmp_path):
    one, two = (export_gif(stack(), True, tmp_path / name).read_bytes() for name in ("a", "b"))
    assert one == two


@pytest.mark.parametrize("cmap", ["afmhot", "gray", "viridis", "jet", "tab10"])
def test_the_file_shows_the_very_frames(made, cmap):
    one = stack()
    found, _ = made(one, cmap=cmap, scale_bar_nm=50)
    frames = stack_frames(one, cmap=cmap, scale_bar_nm=50)
    assert len(frames.palette) <= 256
    for shown, painted in zip(found, (frames[n] for n in range(len(frames))), strict=True):
        np.testing.assert_array_equal(shown, painted)


def test_frames_too_short_for_viewers_are_told(tmp_path, caplog):
    with caplog.at_level(logging.WARNING, "napari_slicemap"):
        export_gif(stack(), True, tmp_path, fps=200)
    assert "4 of 4 frames last below 20 ms" in caplog.text


def test_frames_that_are_alike_are_kept(made):
    frames, _ = made(stack(np.zeros((9, 32, 32)), tuple(range(9))), draw_ts=False, scale_bar_nm=0)
    assert len(frames) == 9


def test_a_stack_is_left_alone(tmp_path):
    data = np.array([[[np.nan, 1.0], [2.0, np.inf]]])
    one = stack(data.copy(), (0.0,))
    export_gif(one, True, tmp_path)
    np.testing.assert_array_equal(one.data, data)

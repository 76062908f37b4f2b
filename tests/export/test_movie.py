"""MP4, decoded again."""

import sys

import numpy as np
import pytest

from napari_slicemap.errors import PlanError
from napari_slicemap.export.movies.mp4_encoder import encode_mp4
from napari_slicemap.export.movies.timing import delays_ms
from napari_slicemap.export.stacks.figures import stack_frames
from napari_slicemap.images.stack.image_stack import ImageStack

av = pytest.importorskip("av", reason="MP4 needs the extra video")


def scene(count, height, width):
    """Give three bands of colour, and a white square that moves."""
    frames = np.zeros((count, height, width, 3), np.uint8)
    frames[:, : height // 3] = (255, 0, 0)
    frames[:, height // 3 : 2 * height // 3] = (0, 200, 0)
    frames[:, 2 * height // 3 :] = (30, 60, 250)
    for t, frame in enumerate(frames):
        frame[10:26, 2 + 4 * t : 18 + 4 * t] = 255
    return frames


def read(path):
    """Give frames (T, H, W, 3), their times in s, and the length of the movie in s."""
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        assert (stream.codec_context.name, stream.codec_context.pix_fmt) == ("h264", "yuv420p")
        length = float(stream.duration * stream.time_base)
        found = [(frame.to_ndarray(format="rgb24"), float(frame.pts * frame.time_base)) for frame in container.decode()]
    return np.stack([frame for frame, _ in found]), np.array([time for _, time in found]), length


@pytest.mark.parametrize(
    "shape", [pytest.param((96, 128), id="even"), pytest.param((97, 127), id="odd"), pytest.param((96, 127), id="wide")]
)
def test_frames_colours_and_size(tmp_path, shape):
    frames = scene(9, *shape)
    encode_mp4(tmp_path / "m.mp4", frames, [100.0] * 9)
    found, _, _ = read(tmp_path / "m.mp4")
    even = tuple(side + side % 2 for side in shape)
    assert found.shape == (9, *even, 3)
    padded = np.pad(frames, ((0, 0), *((0, big - side) for big, side in zip(even, shape, strict=True)), (0, 0)), "edge")
    difference = np.abs(found.astype(int) - padded)
    assert difference.mean() < 3
    # away from edges, where colour is halved
    for y in (4, shape[0] // 2, shape[0] - 6, even[0] - 1):
        assert difference[:, y, even[1] - 1].max() <= 6
    for t in range(9):
        assert found[t, 18, 10 + 4 * t].min() > 240, "each frame shows its own square"


def test_a_stack_as_a_movie(tmp_path):
    data = np.random.default_rng(0).normal(size=(3, 70, 90)).cumsum(axis=1)
    stack = ImageStack(data, 2.0, "height", [{"timestamp": time} for time in (0.0, 0.5, 1.5)])
    frames = stack_frames(stack, scale_bar_nm=50, cmap="gray")
    encode_mp4(tmp_path / "m.mp4", frames, delays_ms(stack.times_s, str(stack)))
    found, times, length = read(tmp_path / "m.mp4")
    assert times.tolist() == pytest.approx([0.0, 0.5, 1.5])
    assert length == pytest.approx(2.5, abs=2e-3)
    for shown, painted in zip(found, (frames[n] for n in range(3)), strict=True):
        assert np.abs(shown.astype(int) - painted).mean() < 3


@pytest.mark.parametrize(
    "delays",
    [
        pytest.param([100.0] * 5, id="equal"),
        pytest.param([100.0, 50.0, 250.5, 1000 / 3, 20.0], id="unequal"),
        pytest.param([3_275.0] * 4 + [12.5], id="slow"),
        pytest.param([70.0], id="one frame"),
    ],
)
def test_times(tmp_path, delays):
    encode_mp4(tmp_path / "m.mp4", scene(len(delays), 64, 64), delays)
    found, times, length = read(tmp_path / "m.mp4")
    assert len(found) == len(delays)
    np.testing.assert_allclose(times, np.cumsum([0.0, *delays[:-1]]) / 1000, atol=1e-5)
    assert length == pytest.approx(sum(delays) / 1000, abs=2e-3)


def test_frames_without_duration_stay_apart(tmp_path):
    encode_mp4(tmp_path / "m.mp4", scene(3, 32, 32), [0.0, 0.0, 0.0])
    found, times, _ = read(tmp_path / "m.mp4")
    assert len(found) == 3
    assert (np.diff(times) > 0).all()


def test_frames_that_are_alike_are_kept(tmp_path):
    encode_mp4(tmp_path / "m.mp4", np.full((20, 32, 32, 3), 77, np.uint8), [40.0] * 20)
    found, _, _ = read(tmp_path / "m.mp4")
    assert len(found) == 20
    assert np.abs(found.astype(int) - 77).max() <= 2


def test_the_same_frames_give_the_same_bytes(tmp_path):
    frames = np.random.default_rng(0).integers(0, 256, (20, 64, 80, 3), dtype=np.uint8)
    for name in ("one", "two"):
        encode_mp4(tmp_path / name, frames, [40.0] * 20)
    content = (tmp_path / "one").read_bytes()
    assert content == (tmp_path / "two").read_bytes()
    assert b"Lavf" not in content, "the version of a library is no part of the movie"


def test_quality_decides_on_size(tmp_path):
    frames = np.random.default_rng(0).integers(0, 256, (4, 64, 80, 3), dtype=np.uint8)
    for quality in (10, 40):
        encode_mp4(tmp_path / f"{quality}", frames, [40.0] * 4, quality=quality)
    assert (tmp_path / "40").stat().st_size < (tmp_path / "10").stat().st_size / 2


@pytest.mark.parametrize(
    ("frames", "delays", "options", "message"),
    [
        pytest.param(scene(2, 32, 32), [5.0], {}, "2 frames and 1 delays", id="a delay too few"),
        pytest.param(np.zeros((1, 1, 16386, 3), np.uint8), [5.0], {}, "at most 16384 px", id="too wide"),
        pytest.param(scene(1, 32, 32), [5.0], {"quality": 52}, "quality is 52, expected 0", id="quality"),
    ],
)
def test_what_cannot_be_written_is_refused(tmp_path, frames, delays, options, message):
    with pytest.raises(ValueError, match=message):
        encode_mp4(tmp_path / "m.mp4", frames, delays, **options)


def test_without_the_extra_it_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(PlanError, match=r'pip install "napari-slicemap\[video\]"'):
        encode_mp4(tmp_path / "m.mp4", scene(1, 32, 32), [5.0])

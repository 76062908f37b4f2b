"""Animated GIF, read back by Pillow, which shares no code of the container with the encoder."""

import hashlib
import io
from itertools import pairwise

import numpy as np
import pytest
from cmap import Colormap
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from napari_slicemap.export.movies import gif_encoder
from napari_slicemap.export.movies.gif_encoder import encode_gif


def written(frames, delays, **options):
    stream = io.BytesIO()
    warning = encode_gif(stream, frames, delays, **options)
    return stream.getvalue(), warning


def read(content):
    """Give frames (T, H, W, 3) and their delays in ms."""
    frames, delays = [], []
    with Image.open(io.BytesIO(content)) as image:
        assert image.format == "GIF"
        for number in range(image.n_frames):
            image.seek(number)
            frames.append(np.asarray(image.convert("RGB")))
            delays.append(image.info["duration"])
    return np.stack(frames), delays


def noise(count, height, width, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (count, height, width, 3), dtype=np.uint8)


def blobs(count, side, seed=0):
    """Give smooth RGB that drifts, with far more than 256 colours and some noise."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:side, :side] / side
    image = np.stack([x, y, (x * y * 3) % 1], axis=-1) * 230
    frames = np.array([np.roll(image, 3 * t, axis=1) for t in range(count)])
    return np.clip(frames + rng.normal(0, 6, frames.shape), 0, 255).astype(np.uint8)


class Painted:
    """Frames made as they are asked for, which counts how many are wanted at a time."""

    def __init__(self, frames):
        self.frames, self.asked = frames, []

    def __len__(self):
        return len(self.frames)

    def __getitem__(self, index):
        self.asked.append(index)
        return self.frames[index].copy()


# --- pixels -------------------------------------------------------------------------------------------------------
_RAMP = np.repeat(np.arange(256, dtype=np.uint8)[:, None], 3, axis=1)
_AFMHOT = np.rint(Colormap("afmhot")(np.arange(256) / 255)[:, :3] * 255).astype(np.uint8)


@pytest.mark.parametrize(
    "palette",
    [
        pytest.param(_RAMP, id="greys"),
        pytest.param(_AFMHOT, id="afmhot"),
        pytest.param(noise(1, 16, 16)[0].reshape(-1, 3), id="256 colours at random"),
        pytest.param(np.array([[9, 9, 9], [10, 9, 9]], np.uint8), id="two neighbours"),
        pytest.param(np.array([[1, 2, 3]], np.uint8), id="one colour"),
    ],
)
@pytest.mark.parametrize("known", [True, False], ids=["known", "found"])
def test_few_colours_are_exact(palette, known):
    chosen = np.random.default_rng(1).integers(0, len(palette), (3, 61, 47))
    found, _ = read(written(palette[chosen], [50] * 3, palette=palette if known else None)[0])
    np.testing.assert_array_equal(found, palette[chosen])


def test_a_rare_colour_that_no_sample_holds_is_exact():
    frames = np.zeros((40, 300, 300, 3), np.uint8)
    frames[23, 117, 201] = (200, 10, 30)  # neither among the sampled frames nor among the sampled pixels
    found, _ = read(written(frames, [50] * 40)[0])
    np.testing.assert_array_equal(found, frames)


def rmse(found, frames):
    return np.sqrt(((found.astype(float) - frames) ** 2).mean())


@pytest.mark.parametrize(
    "frames", [pytest.param(blobs(5, 96), id="smooth"), pytest.param(noise(4, 64, 64), id="noise")]
)
def test_many_colours_come_nearer_than_with_pillow_alone(frames):
    images = [Image.fromarray(frame) for frame in frames]
    stream = io.BytesIO()
    images[0].save(stream, "GIF", save_all=True, append_images=images[1:], duration=50)
    theirs, _ = read(stream.getvalue())
    found, _ = read(written(frames, [50] * len(frames))[0])
    # in pure noise each frame of theirs has 256 colours of its own, which is of no help to it
    assert rmse(found, frames) <= 1.01 * rmse(theirs, frames)


def test_each_pixel_gets_the_nearest_colour_but_for_the_width_of_a_cell():
    frames = blobs(2, 64)
    content, _ = written(frames, [50] * 2)
    with Image.open(io.BytesIO(content)) as image:
        palette = np.array(image.getpalette()).reshape(-1, 3)
    found, _ = read(content)
    best = np.linalg.norm(frames[..., None, :].astype(float) - palette, axis=-1).min(axis=-1)
    chosen = np.linalg.norm(frames.astype(float) - found, axis=-1)
    assert (chosen - best).max() <= 2 * np.sqrt(3) * 1.5 + 1e-9, (
        "off by more than a colour from its cell's middle, twice"
    )


def test_a_colour_that_a_known_palette_has_not_becomes_one_near_it():
    palette = np.array([[0, 0, 0], [255, 255, 255], [200, 0, 0]], np.uint8)
    frame = np.array([[[10, 20, 10], [250, 230, 240], [180, 30, 20]]], np.uint8)
    found, _ = read(written([frame], [0], palette=palette)[0])
    np.testing.assert_array_equal(found[0, 0], palette)


@pytest.mark.parametrize(
    "shape",
    [
        pytest.param((1, 1), id="one pixel"),
        pytest.param((1, 70), id="one row"),
        pytest.param((70, 1), id="one column"),
        pytest.param((400, 500), id="more codes than a buffer takes"),
    ],
)
def test_sizes(shape):
    frames = _RAMP[np.random.default_rng(0).integers(0, 256, (2, *shape))]
    found, _ = read(written(frames, [50, 50])[0])
    np.testing.assert_array_equal(found, frames)


# --- frames and times ---------------------------------------------------------------------------------------------
def test_frames_that_are_alike_stay_apart():
    frames = np.zeros((6, 20, 30, 3), np.uint8)
    found, delays = read(written(frames, [100, 200, 300, 100, 100, 100])[0])
    assert found.shape == (6, 20, 30, 3)
    assert delays == [100, 200, 300, 100, 100, 100]


def test_one_frame():
    found, _ = read(written(_RAMP[None, :, None], [40])[0])
    np.testing.assert_array_equal(found[0], _RAMP[:, None])


def test_delays_that_gif_cannot_say_do_not_drift():
    delays = [33.3333] * 300
    _, found = read(written(np.zeros((300, 2, 2, 3), np.uint8), delays)[0])
    assert set(found) == {30, 40}
    assert sum(found) == pytest.approx(sum(delays), abs=10)


@given(st.lists(st.floats(0, 20_000), min_size=1, max_size=40))
def test_each_delay_and_their_sums_are_right_within_a_hundredth(delays):
    found = 10 * np.array(gif_encoder._hundredths(delays))
    tolerance = 1e-6
    assert np.abs(found - delays).max() <= 10 + tolerance
    assert np.abs(np.cumsum(found) - np.cumsum(delays)).max() <= 5 + tolerance


@given(st.lists(st.integers(0, 65535), min_size=1, max_size=8))
@settings(max_examples=15)
def test_delays_in_the_file_are_those_rounded(hundredths):
    _, found = read(written(np.zeros((len(hundredths), 1, 1, 3), np.uint8), [10.0 * one for one in hundredths])[0])
    assert found == [10 * one for one in hundredths]


@pytest.mark.parametrize(
    ("delays", "count"),
    [
        pytest.param([20.0] * 4, 0, id="as short as viewers take it"),
        pytest.param([100.0, 10.0, 100.0, 4.0], 2, id="two too short"),
        pytest.param([0.0], 0, id="one frame alone"),
    ],
)
def test_frames_too_short_for_viewers_are_told(delays, count):
    _, warning = written(np.zeros((len(delays), 2, 2, 3), np.uint8), delays)
    assert warning == (f"{count} of {len(delays)} frames last below 20 ms, which many viewers show as 100 ms: "
                       "play it slower" if count else "")  # fmt: skip


@pytest.mark.parametrize(("loop", "info"), [(0, 0), (3, 3), (None, None)])
def test_repeats(loop, info):
    content, _ = written(noise(2, 3, 3), [50, 50], loop=loop)
    with Image.open(io.BytesIO(content)) as image:
        assert image.info.get("loop") == info


def test_a_comment_of_any_length():
    comment = "made of µm " * 100
    content, _ = written(noise(2, 3, 3), [50, 50], comment=comment)
    with Image.open(io.BytesIO(content)) as image:
        assert image.info["comment"].decode() == comment


# --- promises -----------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("processors", [1, 2, 5])
def test_the_same_frames_give_the_same_bytes_in_any_number_of_threads(monkeypatch, processors):
    frames = blobs(7, 50)
    first, _ = written(frames, [50] * 7)
    monkeypatch.setattr("napari_slicemap.export.writers.ordered.processors", lambda: processors)
    again, _ = written(list(frames), [50] * 7)
    assert hashlib.sha256(first).digest() == hashlib.sha256(again).digest()


def test_frames_are_painted_only_a_few_ahead(monkeypatch):
    monkeypatch.setattr("napari_slicemap.export.writers.ordered.processors", lambda: 2)
    frames = Painted(_RAMP[np.random.default_rng(0).integers(0, 256, (60, 8, 8))])
    ahead = []

    class Stream(io.BytesIO):
        def write(self, content):
            if content[:1] == b"\x2c":
                images.append(len(content))
                ahead.append(len(frames.asked) - len(images))
            return super().write(content)

    images = []
    encode_gif(Stream(), frames, [50] * 60, palette=_RAMP)
    assert len(images) == 60
    assert max(ahead) <= 6


@pytest.mark.parametrize(
    ("frames", "delays", "options", "message"),
    [
        pytest.param([], [], {}, "0 frames and 0 delays", id="no frame"),
        pytest.param(noise(2, 3, 3), [5], {}, "2 frames and 1 delays", id="a delay too few"),
        pytest.param(noise(2, 3, 3), [5, float("nan")], {}, "frame 1 is to be shown for nan ms", id="NaN"),
        pytest.param(noise(2, 3, 3), [5, -1], {}, "frame 1 is to be shown for -1 ms", id="backwards"),
        pytest.param(noise(2, 3, 3), [5, 655_360], {}, "frame 1 .* at most 655.35 s", id="too long"),
        pytest.param(np.zeros((1, 1, 65536, 3), np.uint8), [5], {}, "65536 × 1 px; GIF holds at most 65535", id="wide"),
        pytest.param(noise(1, 3, 3).astype(float), [5], {}, "frame 0 is float64", id="not 8 bits"),
        pytest.param(noise(1, 3, 3)[..., :2], [5], {}, r"frame 0 is uint8 \(3, 3, 2\)", id="not RGB"),
        pytest.param([noise(1, 3, 3)[0], noise(1, 3, 4)[0]], [5, 5], {}, r"frame 1 is uint8 \(3, 4, 3\)", id="sizes"),
        pytest.param(noise(1, 3, 3), [5], {"loop": 65536}, "not 65536", id="repeats"),
        pytest.param(
            noise(1, 3, 3), [5], {"palette": noise(1, 1, 257)[0, 0]}, r"palette is uint8 \(257, 3\)", id="palette"
        ),
    ],
)
def test_what_gif_cannot_hold_is_refused(frames, delays, options, message):
    with pytest.raises(ValueError, match=message):
        written(frames, delays, **options)


def test_what_paints_a_frame_may_fail():
    class Broken(Painted):
        def __getitem__(self, index):
            if index == 3:
                raise OSError("frame 3 cannot be read")
            return super().__getitem__(index)

    with pytest.raises(OSError, match="frame 3 cannot be read"):
        written(Broken(noise(5, 4, 4)), [50] * 5, palette=_RAMP)


def test_sampling_takes_pixels_all_over_the_movie():
    frames = np.zeros((50, 400, 300, 3), np.uint8)
    frames[..., 0] = np.arange(50)[:, None, None] * 5
    frames[..., 1] = np.arange(400)[:, None] // 2
    frames[..., 2] = np.arange(300) // 2
    sample = gif_encoder._sampled(frames, (400, 300))
    assert len(sample) <= gif_encoder._SAMPLED_PIXELS
    for channel, largest in enumerate((245, 199, 149)):
        values = np.unique(sample[:, channel])
        assert (values[0], values[-1]) == (0, largest)
        assert max(b - a for a, b in pairwise(values.tolist())) <= (20 if channel == 0 else 1)


@pytest.mark.parametrize("numba", ["1", "0"])
@given(
    pixels=st.one_of(
        st.builds(
            lambda n, seed: np.random.default_rng(seed).integers(0, 256, n), st.integers(1, 20_000), st.integers(0, 9)
        ),
        st.builds(lambda n, every: np.arange(n) // every % 256, st.integers(1, 20_000), st.integers(1, 999)),
    )
)
def test_compressed_pixels_come_back(monkeypatch, numba, pixels):
    """Random and monotonous ones: codes of every width, and tables that are used up or never begun."""
    monkeypatch.setenv("SLICEMAP_NUMBA", numba)
    frame = np.repeat(pixels.astype(np.uint8)[None, :, None], 3, axis=2)
    stream = io.BytesIO()
    encode_gif(stream, [frame], [100.0])
    with Image.open(stream) as image:
        np.testing.assert_array_equal(np.asarray(image.convert("RGB")), frame)

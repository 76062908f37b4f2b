"""The scale bar: chosen, drawn, and measured in the picture."""

import math
import re
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_slicemap import ScaleBar, compute_scale_bar
from napari_slicemap.errors import PixelSizeUnknownError
from napari_slicemap.render.scale_bar import (
    ScaleBarStyle,
    draw_scale_bar,
    fitted_scale_bar,
    length_label,
    place_scale_bar,
)

EXAMPLES = [
    pytest.param(1024, 390, 51.28, "20 µm", id="1024 px at 390 nm"),
    pytest.param(1000, 1000, 100, "100 µm", id="exactly a tenth"),
    pytest.param(100, 50, 10, "500 nm", id="nanometres"),
    pytest.param(20000, 1000, 2000, "2 mm", id="millimetres"),
    pytest.param(64, 390, 5.128, "2 µm", id="a 64-px crop"),
    pytest.param(300, 33.3333333333333, 30, "1 µm", id="a product just below a whole number"),
    pytest.param(512, 0.005, 40, "0.2 nm", id="below a nanometre"),
]


@pytest.mark.parametrize(("width", "nm", "length", "label"), EXAMPLES)
def test_examples(width, nm, length, label):
    bar = compute_scale_bar(width, nm)
    assert bar.length_px == pytest.approx(length, abs=0.005)
    assert bar.label == label
    assert bar.length_nm == pytest.approx(bar.length_px * nm)


@given(
    width=st.integers(1, 10**6),
    nm=st.floats(1e-3, 1e7),
    fraction=st.sampled_from([0.01, 0.1, 0.25, 0.5]),
)
def test_the_longest_of_one_two_five_that_fits(width, nm, fraction):
    bar = compute_scale_bar(width, nm, fraction)
    longest = width * nm * fraction
    power = math.floor(math.log10(bar.length_nm) + 1e-9)
    factor = round(bar.length_nm / 10.0**power)
    assert factor in (1, 2, 5)
    assert bar.length_nm == pytest.approx(factor * 10.0**power)
    assert bar.length_nm <= longest * (1 + 1e-8)
    following = {1: 2, 2: 5, 5: 10}[factor] * 10.0**power
    assert following > longest * (1 - 1e-8), "a longer one would fit"


LABELS = [
    pytest.param(0.5, "0.5 nm", id="part of a nanometre"),
    pytest.param(500, "500 nm", id="nm"),
    pytest.param(999, "999 nm", id="just below a micrometre"),
    pytest.param(1000, "1 µm", id="a micrometre"),
    pytest.param(1000 - 1e-10, "1 µm", id="a micrometre but for rounding"),
    pytest.param(500_000, "500 µm", id="µm"),
    pytest.param(1_000_000, "1 mm", id="a millimetre"),
    pytest.param(50_000_000, "50 mm", id="a slide"),
    pytest.param(12_500, "12.5 µm", id="asked for"),
]


@pytest.mark.parametrize(("nm", "label"), LABELS)
def test_labels(nm, label):
    assert length_label(nm) == label


@pytest.mark.parametrize("size", [None, 0, -1, math.nan, math.inf])
def test_an_unknown_pixel_size_is_a_named_error(size):
    with pytest.raises(PixelSizeUnknownError, match="a scale bar needs a pixel size"):
        compute_scale_bar(1000, size)
    if size is None:
        for style in (ScaleBarStyle(), ScaleBarStyle(length_um=5)):
            with pytest.raises(PixelSizeUnknownError, match="a scale bar needs a pixel size"):
                fitted_scale_bar(style, 1000, None)


@pytest.mark.parametrize(
    ("width", "fraction"),
    [pytest.param(0, 0.1, id="no width"), pytest.param(9, 0, id="no share"), pytest.param(9, 0.51, id="too much")],
)
def test_refused(width, fraction):
    with pytest.raises(ValueError, match=r"needs a width above 0 px and a fraction up to 0.5"):
        compute_scale_bar(width, 1000, fraction)


STYLES = [
    pytest.param({"fraction": 0.6}, "fraction", id="fraction above a half"),
    pytest.param({"fraction": 0}, "fraction", id="fraction 0"),
    pytest.param({"length_um": -1}, "length_um", id="negative length"),
    pytest.param({"length_um": "5 apples"}, "is not a length", id="no length"),
    pytest.param({"position": "middle"}, "position", id="position"),
    pytest.param({"color": "nope"}, "is no colour", id="colour"),
    pytest.param({"colour": "red"}, "colour", id="unknown key"),
]


@pytest.mark.parametrize(("fields", "message"), STYLES)
def test_style_refuses(fields, message):
    with pytest.raises(ValueError, match=message):
        ScaleBarStyle(**fields)


def test_a_length_that_is_asked_for():
    bar = fitted_scale_bar(ScaleBarStyle(length_um="12500 nm"), 100, 500.0)
    assert bar == ScaleBar(25.0, 12500.0, "12.5 µm")


# --- drawn ----------------------------------------------------------------------------------------------------
COLOR = "#ff00ff"


def drawn_runs(image, color=(255, 0, 255)):
    """Length of the longest run of the exact colour in each row."""
    runs = []
    for row in (image[..., :3] == color).all(axis=-1):
        edges = np.flatnonzero(np.diff(np.concatenate([[False], row, [False]]).astype(int)))
        runs.append(int(max(edges[1::2] - edges[::2], default=0)))
    return runs


@pytest.mark.parametrize("size", [32, 33, 64, 100, 256, 299, 300, 301, 1024, 2049])
@pytest.mark.parametrize("position", ["lower-right", "lower-left", "upper-right", "upper-left"])
@pytest.mark.parametrize("channels", [3, 4])
def test_the_bar_is_exactly_as_long_as_it_says(size, position, channels):
    bar = compute_scale_bar(size, 390)
    style = ScaleBarStyle(position=position, color=COLOR, label=False)
    image = np.full((size, size, channels), 90, np.uint8)
    made, warning = draw_scale_bar(image, bar, style)
    assert warning == ""
    assert (image == 90).all(), "the image given is left alone"
    runs = [run for run in drawn_runs(made) if run]
    assert runs == [math.floor(bar.length_px + 0.5)] * max(2, round(0.008 * size))
    rows, columns = np.nonzero((made[..., :3] == (255, 0, 255)).all(axis=-1))
    assert (rows.mean() < size / 2) == position.startswith("upper")
    assert (columns.mean() < size / 2) == position.endswith("left")
    if channels == 4:
        assert (made[rows, columns, 3] == 255).all()


@pytest.mark.parametrize("size", [32, 64, 128, 300, 1000])
@pytest.mark.parametrize("nm", [390, 12, 800_000])
@pytest.mark.parametrize("position", ["lower-right", "upper-left"])
def test_with_its_label_the_bar_is_as_long_and_the_label_is_there(size, nm, position):
    bar = compute_scale_bar(size, nm)
    style = ScaleBarStyle(position=position, color=COLOR)
    made, warning = draw_scale_bar(np.zeros((size, size, 3), np.uint8), bar, style)
    assert warning == ""
    plain, _ = draw_scale_bar(np.zeros((size, size, 3), np.uint8), bar, style.model_copy(update={"label": False}))
    thick = max(2, round(0.008 * size))
    inked = np.flatnonzero((made == (255, 0, 255)).all(axis=-1).any(axis=1))
    bar_rows = range(inked[-1] - thick + 1, inked[-1] + 1)  # the label stands above the bar
    runs = drawn_runs(made)
    assert [runs[row] for row in bar_rows] == [math.floor(bar.length_px + 0.5)] * thick
    assert (made > 0).any(axis=-1).sum() > (plain > 0).any(axis=-1).sum() + 10, "digits and a unit"


def ink_of(label):
    """The label of a bar, as it is drawn on a large image."""
    style, bar = ScaleBarStyle(), ScaleBar(20, 1, label)
    return draw_scale_bar(np.zeros((400, 400, 3), np.uint8), bar, style)[0]


def test_the_micro_sign_is_a_glyph_of_its_own():
    assert not np.array_equal(ink_of("5 µm"), ink_of("5 m"))
    # a glyph that the font lacks is drawn as a box, the same for every such character
    assert not np.array_equal(ink_of("5 µm"), ink_of("5 \U000f0000m"))


def test_the_text_grows_with_the_image():
    heights = []
    for size in (64, 1000, 4000):
        made, _ = draw_scale_bar(np.zeros((size, size, 3), np.uint8), ScaleBar(4, 1, "5 µm"), ScaleBarStyle())
        heights.append(np.ptp(np.flatnonzero((made > 0).any(axis=(1, 2)))))
    assert heights[0] < heights[1] < heights[2]


UNFIT = [
    pytest.param((32, 32), 31, "50 µm", r"no scale bar: 50 µm \(31 px\) does not fit into 32 × 32 px", id="too long"),
    pytest.param((3, 64), 6, "5 µm", "no scale bar: 5 µm .* does not fit into 64 × 3 px", id="too flat"),
    pytest.param((32, 4), 0.3, "1 nm", r"no scale bar: 1 nm \(0 px\)", id="shorter than a pixel"),
    pytest.param((64, 12), 5, "500 µm", "scale bar of 500 µm .*without its label", id="too narrow for its label"),
    pytest.param((9, 64), 5, "5 µm", "scale bar of 5 µm .*without its label", id="too flat for its label"),
]


@pytest.mark.parametrize(("shape", "length", "label", "message"), UNFIT)
def test_what_does_not_fit_is_said(shape, length, label, message):
    image = np.zeros((*shape, 3), np.uint8)
    made, warning = draw_scale_bar(image, ScaleBar(length, 1.0, label), ScaleBarStyle(color=COLOR))
    assert re.match(message, warning)
    expected = 0 if warning.startswith("no scale bar") else length
    assert max(drawn_runs(made)) == expected


@given(
    height=st.integers(1, 90),
    width=st.integers(1, 90),
    length=st.floats(0, 100),
    alpha=st.booleans(),
    seed=st.booleans(),
)
def test_any_size_is_drawn_or_said(height, width, length, alpha, seed):
    image = np.full((height, width, 4 if alpha else 3), 255 * seed, np.uint8)
    made, warning = draw_scale_bar(image, ScaleBar(length, 1.0, "5 µm"), ScaleBarStyle(color=COLOR))
    assert made.shape == image.shape
    assert bool(warning.startswith("no scale bar")) == (max(drawn_runs(made)) == 0)


def test_it_is_legible_on_any_background():
    """White on white and black on black still show: a rim sets the bar off."""
    for tone, color in ((255, "#ffffff"), (0, "#000000")):
        image = np.full((200, 200, 3), tone, np.uint8)
        made, _ = draw_scale_bar(image, ScaleBar(40, 1.0, "5 µm"), ScaleBarStyle(color=color))
        assert np.ptp(made) > 100


@given(
    height=st.integers(1, 120),
    width=st.integers(1, 120),
    length=st.floats(0, 60),
    position=st.sampled_from(["lower-right", "lower-left", "upper-right", "upper-left"]),
    label=st.booleans(),
    alpha=st.booleans(),
    cuts=st.lists(st.integers(1, 119)),
)
def test_rows_cut_anywhere_get_the_same_pixels(height, width, length, position, label, alpha, cuts):
    image = np.random.default_rng(0).integers(0, 256, (height, width, 4 if alpha else 3), dtype=np.uint8)
    bar, style = ScaleBar(length, 1.0, "5 µm"), ScaleBarStyle(color="#40ff10", position=position, label=label)
    whole, said = draw_scale_bar(image, bar, style)
    placed, warning = place_scale_bar((height, width), bar, style)
    assert warning == said
    if placed is None:
        np.testing.assert_array_equal(whole, image)
        return
    edges = sorted({0, height, *(cut for cut in cuts if cut < height)})
    before, touched = image.copy(), []
    for top, bottom in pairwise(edges):
        rows = placed.stamp(image[top:bottom], top)
        np.testing.assert_array_equal(rows, whole[top:bottom])
        touched.append(not np.shares_memory(rows, image))
    np.testing.assert_array_equal(image, before)
    assert any(touched)


def test_rows_without_the_bar_come_back_as_they_are():
    placed, _ = place_scale_bar((500, 500), ScaleBar(50, 1.0, "5 µm"), ScaleBarStyle())
    rows = np.zeros((100, 500, 3), np.uint8)
    assert placed.stamp(rows, 0) is rows
    assert placed.stamp(rows, 400) is not rows


@pytest.mark.parametrize("position", ["lower-right", "upper-left"])
def test_what_is_drawn_is_small_and_lies_within_the_image(position):
    placed, _ = place_scale_bar((20_000, 20_000), ScaleBar(2000, 1.0, "5 µm"), ScaleBarStyle(position=position))
    height, width = placed.ink.shape
    assert placed.rim.shape == placed.ink.shape
    assert height < 2000
    assert width < 3000
    assert 0 <= placed.top <= 20_000 - height
    assert 0 <= placed.left <= 20_000 - width

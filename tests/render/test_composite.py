"""The formula of rendering.md, against a pixel-by-pixel float64 one."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_slicemap import ChannelSettings
from napari_slicemap.render.composite import composite, normalise
from scenes import reference_pixel

DTYPES = ("uint8", "uint16", "int16", "uint32", "float32", "float64")


def reference(stack, settings):
    """Float64, 0–255, one pixel at a time."""
    named = {str(i): one for i, one in enumerate(settings)}
    made = np.zeros((*stack.shape[1:], 3))
    for row in range(stack.shape[1]):
        for column in range(stack.shape[2]):
            values = {str(i): float(stack[i, row, column]) for i in range(len(settings))}
            made[row, column] = reference_pixel(values, named)
    return made


def values_of(dtype, rng):
    """Noise over the dtype's whole range with its extremes, and the odd values that floats have."""
    info = np.iinfo(dtype) if np.dtype(dtype).kind in "iu" else None
    low, high = (info.min, info.max) if info else (-1e3, 1e5)
    stack = rng.uniform(low, high, (3, 5, 6)).astype(dtype)
    stack[:, 0, 0], stack[:, 0, 1], stack[:, 0, 2] = (info.min, 0, info.max) if info else (np.nan, np.inf, -np.inf)
    return stack, float(low), float(high)


@pytest.mark.parametrize("dtype", DTYPES)
def test_every_dtype_against_the_reference(dtype):
    stack, low, high = values_of(dtype, np.random.default_rng(1))
    third = (high - low) / 3
    settings = [
        ChannelSettings("#ff3000", (low + third / 2, high - third)),
        ChannelSettings("#00ff90", (low, high), gamma=0.45),
        ChannelSettings("#5000ff", (low + third, low + third), gamma=2.2),
    ]
    made = composite(stack, settings)
    assert made.dtype == np.uint8
    assert made.shape == (5, 6, 3)
    assert np.abs(made - reference(stack, settings)).max() <= 0.5 + 1e-6  # rounding to the nearest, and no more


@given(
    value=st.floats(-1e6, 1e6),
    low=st.floats(-1e5, 1e5),
    width=st.floats(0, 1e5),
    gamma=st.floats(0.1, 5),
)
def test_one_pixel_against_the_reference(value, low, width, gamma):
    settings = ChannelSettings("#ffffff", (low, low + width), gamma=gamma)
    made = composite(np.array([[[value]]]), [settings])
    assert np.abs(made[0, 0] - reference_pixel({"a": value}, {"a": settings})).max() <= 0.5 + 1e-6


ODD = [
    pytest.param(np.nan, (0.0, 1.0), 0, id="NaN is dark"),
    pytest.param(np.nan, (-1.0, 1.0), 0, id="NaN is dark even where 0 is not"),
    pytest.param(np.inf, (0.0, 1.0), 255, id="infinity is full"),
    pytest.param(-np.inf, (0.0, 1.0), 0, id="minus infinity is dark"),
    pytest.param(5.0, (5.0, 5.0), 0, id="a step: at the limit dark"),
    pytest.param(np.nextafter(5.0, 6), (5.0, 5.0), 255, id="a step: just above it full"),
    pytest.param(4.0, (5.0, 5.0), 0, id="a step: below it dark"),
    pytest.param(np.nan, (5.0, 5.0), 0, id="a step: NaN is dark"),
    pytest.param(np.inf, (5.0, 5.0), 255, id="a step: infinity is full"),
    pytest.param(0.5, (0.0, 1.0), 128, id="the half rounds to even, 127.5 to 128"),
    pytest.param(-3.0, (0.0, 1.0), 0, id="below the limits"),
]


@pytest.mark.parametrize(("value", "limits", "expected"), ODD)
def test_odd_values(value, limits, expected):
    made = composite(np.array([[[value]]]), [ChannelSettings("#ffffff", limits)])
    assert made.tolist() == [[[expected] * 3]]


def test_gamma_of_a_negative_share_is_no_nan():
    made = normalise(np.array([[-5.0]]), ChannelSettings("red", (0, 1), gamma=0.5))
    assert made.tolist() == [[0.0]]


def test_channels_add_up_and_saturate():
    stack = np.array([[[100]], [[100]], [[100]]], np.uint8)
    settings = [ChannelSettings(color, (0, 100)) for color in ("#ff0000", "#800000", "#0000ff")]
    assert composite(stack, settings).tolist() == [[[255, 0, 255]]]


def test_an_invisible_channel_adds_nothing():
    stack = np.full((2, 1, 1), 100, np.uint8)
    settings = [ChannelSettings("#ff0000", (0, 100), visible=False), ChannelSettings("#00ff00", (0, 100))]
    assert composite(stack, settings).tolist() == [[[0, 255, 0]]]


def test_settings_must_fit_the_channels():
    with pytest.raises(ValueError, match="zip"):
        composite(np.zeros((2, 1, 1)), [ChannelSettings("red", (0, 1))])

"""Colours and channel settings."""

import dataclasses

import numpy as np
import pytest

from napari_slicemap import ChannelSettings
from napari_slicemap.render.channels import check_settings, hex_color, rgb

COLORS = [
    pytest.param("#4D7FFF", "#4d7fff", id="upper case"),
    pytest.param("#f0a", "#ff00aa", id="three digits"),
    pytest.param("magenta", "#ff00ff", id="CSS name"),
    pytest.param("Green", "#008000", id="CSS green is not lime"),
    pytest.param("  red ", "#ff0000", id="blanks around"),
]


@pytest.mark.parametrize(("text", "expected"), COLORS)
def test_hex_color(text, expected):
    assert hex_color(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("", id="empty"),
        pytest.param("reddish", id="no CSS name"),
        pytest.param("#12345", id="five digits"),
        pytest.param("#ff000080", id="with alpha"),
        pytest.param("rgba(1,2,3,4)", id="rgba"),
        pytest.param("#gg0000", id="no hex digits"),
    ],
)
def test_hex_color_refuses(text):
    with pytest.raises(ValueError, match="is no colour; write #rrggbb or a CSS name"):
        hex_color(text)


def test_rgb_is_within_0_and_1():
    np.testing.assert_allclose(rgb("#ff8000"), (1, 128 / 255, 0))


REFUSED = [
    pytest.param({"contrast_limits": (5, 1)}, "expected the lower one first", id="limits reversed"),
    pytest.param({"contrast_limits": (0, float("nan"))}, "must be finite", id="NaN limit"),
    pytest.param({"contrast_limits": (float("-inf"), 1)}, "must be finite", id="infinite limit"),
    pytest.param({"contrast_limits": (1,)}, "contrast_limits", id="one limit"),
    pytest.param({"gamma": 0}, "gamma", id="gamma 0"),
    pytest.param({"gamma": -1}, "gamma", id="gamma negative"),
    pytest.param({"gamma": float("inf")}, "gamma", id="gamma infinite"),
    pytest.param({"gamma": float("nan")}, "gamma", id="gamma NaN"),
    pytest.param({"color": "reddish"}, "is no colour", id="no colour"),
    pytest.param({"colour": "red"}, "colour", id="unknown key"),
]


@pytest.mark.parametrize(("fields", "message"), REFUSED)
def test_settings_refuse(fields, message):
    with pytest.raises((ValueError, TypeError), match=message):
        ChannelSettings(**{"color": "red", "contrast_limits": (0, 1), **fields})


def test_settings_are_frozen_and_compare_by_value():
    one = ChannelSettings("red", (0, 1))
    assert one == ChannelSettings("#ff0000", (0.0, 1.0), gamma=1, visible=True)
    with pytest.raises(dataclasses.FrozenInstanceError, match="gamma"):
        one.gamma = 2


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        pytest.param({}, "no channel settings", id="none"),
        pytest.param({"A": ("red", (0, 1))}, "settings of A must be ChannelSettings", id="a tuple"),
    ],
)
def test_check_settings(settings, message):
    with pytest.raises(ValueError, match=message):
        check_settings(settings)

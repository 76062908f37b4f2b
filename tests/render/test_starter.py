"""A starter profile from the pixels."""

import numpy as np
import pytest

from napari_slicemap import ChannelSettings
from napari_slicemap.errors import FileFormatError, TileReadError
from napari_slicemap.render.starter import (
    percentile_limits,
    spread,
    starter_profile,
    starter_profiles,
    stated_profile,
    stated_profiles,
)
from scenes import make_fov


def fov(name="a", broken=False, **channels):
    return make_fov(name, channels, broken=broken)


RAMP = np.arange(1000, dtype=np.uint16).reshape(20, 50)
LIMITS = [
    pytest.param(RAMP, np.percentile(RAMP, (1, 99.8)), id="percentiles"),
    pytest.param(np.where(RAMP == 7, 900, 0), (0, 900), id="mostly empty: up to the brightest"),
    pytest.param(np.full((9, 9), 5), (5, 6), id="flat"),
    pytest.param(np.full((9, 9), np.nan), (0, 1), id="nothing finite"),
    pytest.param(np.where(RAMP < 500, np.nan, 3.0), (3, 4), id="NaN does not count"),
    pytest.param(np.where(RAMP < 500, np.inf, 3.0), (3, 4), id="nor do infinities"),
]


@pytest.mark.parametrize(("pixels", "expected"), LIMITS)
def test_limits(pixels, expected):
    assert percentile_limits([fov(A=pixels)], "A") == pytest.approx(tuple(expected))


def test_a_channel_that_nobody_has():
    assert percentile_limits([fov(A=RAMP)], "B") == (0, 1)


def test_fovs_of_other_channels_have_profiles_that_fit_them():
    fovs = [fov(f"a{n}", A=RAMP, B=RAMP) for n in range(20)] + [fov("last", B=RAMP, **{"only here": RAMP * 2})]
    whole, first, second = starter_profiles(fovs, "auto")
    assert [one.name for one in (whole, first, second)] == ["auto", "auto A+B", "auto B+only here"]
    assert [list(one.channels) for one in (whole, first, second)] == [
        ["A", "B", "only here"],
        ["A", "B"],
        ["B", "only here"],
    ]
    assert whole.channels["only here"].contrast_limits == second.channels["only here"].contrast_limits
    assert whole.channels["only here"].contrast_limits[1] > 1900
    assert len(starter_profiles(fovs[:20])) == 1


def test_every_channel_has_settings_and_the_first_eight_are_shown():
    profile = starter_profile([fov("a", **{f"c{n}": RAMP for n in range(9)}), fov("b", c0=RAMP, late=RAMP)], "auto")
    assert profile.name == "auto"
    assert list(profile.channels) == [*(f"c{n}" for n in range(9)), "late"]
    assert [one.visible for one in profile.channels.values()] == [True] * 8 + [False, True]
    assert len({one.color for one in list(profile.channels.values())[:8]}) == 8


@pytest.mark.parametrize(
    ("channels", "colors", "hidden"),
    [
        pytest.param("A", ["#ffffff"], [], id="alone: grey"),
        pytest.param("RGB", ["#ff0000", "#00ff00", "#0000ff"], [], id="colour picture"),
        pytest.param("RGBA", ["#ff0000", "#00ff00", "#0000ff"], ["A"], id="transparency is no light"),
        pytest.param("RGX", ["#4d7fff", "#33d94d", "#ff4d4d"], [], id="no picture"),
    ],
)
def test_pictures_look_as_they_are(channels, colors, hidden):
    planes = {name: RAMP // (number + 1) for number, name in enumerate(channels)}
    made = starter_profile([fov("a", **planes)]).channels
    assert [one.color for one in made.values()][: len(colors)] == colors
    assert [name for name, one in made.items() if not one.visible] == hidden
    shared = len({made[name].contrast_limits for name in channels[:3]}) == 1
    assert shared == (channels[:3] != "RGX")


def test_unreadable_fovs_are_passed_over_unless_all_are():
    broken = fov("b", broken=True, A=RAMP)
    assert starter_profile([broken, fov("a", A=RAMP)]).channels["A"].contrast_limits[1] > 900
    with pytest.raises(TileReadError, match="no FOV can be read, so no profile can be made"):
        starter_profile([broken])
    with pytest.raises(TileReadError, match="no FOV can be read"):
        starter_profile([])


def test_one_broken_channel_of_a_fov_is_passed_over():
    half = fov("a", A=RAMP)
    half = type(half)("a", {**half.planes, "B": fov("x", broken=True, B=RAMP).planes["B"]})
    profile = starter_profile([half, fov("b", A=RAMP, B=RAMP)])
    assert profile.channels["B"].contrast_limits == pytest.approx(profile.channels["A"].contrast_limits)


def test_of_very_many_fovs_few_are_made():
    made = []

    class Many(dict):
        def __getitem__(self, name):
            made.append(name)
            return super().__getitem__(name)

    fovs = Many({f"f{n:03d}": fov(f"f{n:03d}", A=RAMP) for n in range(400)})
    odd = dict.__getitem__(fovs, "f007")
    chosen = [one.name for one in spread(fovs, [odd])]
    assert "f007" in chosen
    assert chosen == sorted(chosen)
    assert (chosen[0], chosen[-1], len(chosen)) == ("f000", "f399", 13)
    assert made == chosen
    assert spread({}, []) == []


def test_a_profile_of_what_files_state() -> None:
    stated = {
        "b": {"contrast_limits": (1, 9), "color": "#123456", "visible": False},
        "a": {"contrast_limits": (0, 5), "gamma": 2.0},
    }
    made = stated_profile(("a", "b"), stated)
    assert made is not None
    assert (made.name, list(made.channels)) == ("as acquired", ["a", "b"])
    assert made.channels["b"] == ChannelSettings("#123456", (1, 9), visible=False)
    assert (made.channels["a"].contrast_limits, made.channels["a"].gamma) == ((0, 5), 2.0)
    assert stated_profile(("a", "b", "c"), stated) is None, "c is not stated"
    assert stated_profile((), stated) is None
    with pytest.raises(FileFormatError, match=r"channel a is not shown as stated: .*colour"):
        stated_profile(("a",), {"a": {"contrast_limits": (0, 5), "color": "x"}})


def test_what_files_state_of_fovs_with_other_channels_fits_each_of_them() -> None:
    stated = {name: {"contrast_limits": (0, number)} for number, name in enumerate("abc", 1)}
    fovs = [fov("x", a=RAMP, b=RAMP), fov("y", c=RAMP), fov("z", a=RAMP, b=RAMP)]
    made = {one.name: list(one.channels) for one in stated_profiles(fovs, stated)}
    assert made == {"as acquired": ["a", "b", "c"], "as acquired a+b": ["a", "b"], "as acquired c": ["c"]}
    assert [one.name for one in stated_profiles(fovs[1:2], stated)] == ["as acquired"]
    assert stated_profiles([*fovs, fov("w", d=RAMP)], stated) == [], "d is not stated"

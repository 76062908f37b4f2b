"""Profiles and the file that holds them."""

import json
import os

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from napari_slicemap import ChannelSettings, Profile
from napari_slicemap.errors import FileFormatError, UnknownNameError
from napari_slicemap.render.profile import AnnotationStyle, MaskStyle, ProfileBook, profiles_from_marker_sets

numbers = st.floats(-1e12, 1e12)
names = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=8)
channels = st.builds(
    lambda color, pair, gamma, visible: ChannelSettings(color, (min(pair), max(pair)), gamma, visible),
    st.sampled_from(["#012345", "#ffffff", "magenta"]),
    st.tuples(numbers, numbers),
    st.floats(1e-3, 1e3),
    st.booleans(),
)
profiles = st.builds(
    Profile,
    name=names,
    channels=st.dictionaries(names, channels, min_size=1, max_size=4),
    masks=st.dictionaries(
        names,
        st.builds(MaskStyle, mode=st.sampled_from(["outline", "fill"]), thickness_px=st.integers(1, 9)),
        max_size=2,
    ),
    annotations=st.dictionaries(names, st.builds(AnnotationStyle, alpha=st.floats(0, 1)), max_size=2),
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(found=st.lists(profiles, min_size=1, max_size=3))
def test_round_trip(tmp_path, found):
    book = ProfileBook()
    for profile in found:
        book = book.with_profile(profile)
    book.write(tmp_path / "profiles.json")
    again = ProfileBook.read(tmp_path / "profiles.json")
    assert again == book
    for profile in {p.name: p for p in found}.values():
        assert again[profile.name] == profile
        assert list(again[profile.name].channels) == list(profile.channels), "the order is that of drawing"


def test_what_is_written_is_the_documented_file(tmp_path):
    book = ProfileBook().with_profile(
        Profile(
            name="tissue",
            channels={"DAPI": ChannelSettings("#4d7fff", (100, 3000))},
            masks={"cell": MaskStyle()},
        )
    )
    book.write(tmp_path / "profiles.json")
    assert json.loads((tmp_path / "profiles.json").read_text()) == {
        "version": 1,
        "default": "tissue",
        "profiles": {
            "tissue": {
                "channels": {
                    "DAPI": {"color": "#4d7fff", "contrast_limits": [100, 3000], "gamma": 1.0, "visible": True}
                },
                "masks": {"cell": {"mode": "outline", "color": "#ffffff", "alpha": 1.0, "thickness_px": 1}},
                "annotations": {},
            }
        },
    }


def book_text(**body):
    return json.dumps({"version": 1, "profiles": {"p": {"channels": {"A": {}}, **body}}})


def channel_text(**settings):
    return book_text(channels={"A": {"color": "red", "contrast_limits": [0, 1], **settings}})


BROKEN = [
    pytest.param("{", "line 1, column 2: .*no valid JSON", id="no JSON"),
    pytest.param("[]", "profiles.json: ", id="a list"),
    pytest.param('{"version": 2}', "version", id="another version"),
    pytest.param('{"profile": {}}', "profile: unknown key .known: version, default, profiles", id="unknown key"),
    pytest.param('{"default": "x"}', "default is 'x', but the profiles are none", id="default does not exist"),
    pytest.param(book_text(channels={}), "at least one channel", id="no channel"),
    pytest.param(book_text(colour="red"), r"profiles.p.colour: unknown key", id="unknown key of a profile"),
    pytest.param(channel_text(lut="viridis"), r"profiles.p.channels.A.*lut", id="unknown key of a channel"),
    pytest.param(channel_text(color="reddish"), r"profiles.p.channels.A.*'reddish' is no colour", id="colour"),
    pytest.param(channel_text(contrast_limits=[9, 1]), "expected the lower one first", id="limits reversed"),
    pytest.param(channel_text(contrast_limits=[None, 1]), r"channels.A.*contrast_limits", id="limit missing"),
    pytest.param(channel_text().replace("[0, 1]", "[0, NaN]"), "NaN is not valid JSON", id="NaN"),
    pytest.param(channel_text().replace("[0, 1]", "[0, 1e999]"), "must be finite", id="a number too large"),
    pytest.param(
        '{"profiles": {"p": {}, "p": {}}}', "key 'p' stands twice", id="a profile twice, of which one would be lost"
    ),
]


@pytest.mark.parametrize(("text", "message"), BROKEN)
def test_a_broken_file_is_told(tmp_path, text, message):
    (tmp_path / "profiles.json").write_text(text)
    with pytest.raises(FileFormatError, match=message) as caught:
        ProfileBook.read(tmp_path / "profiles.json")
    assert "profiles.json" in str(caught.value)
    assert "\n" not in str(caught.value)


def some(name="p"):
    return Profile(name=name, channels={"A": ChannelSettings("red", (0, 1))})


def test_default_is_the_named_one_else_the_first_else_none():
    assert ProfileBook().get_default() is None
    book = ProfileBook().with_profile(some("x")).with_profile(some("y"))
    assert book.get_default().name == "x"
    assert book.model_copy(update={"default": "y"}).get_default().name == "y"
    assert book.model_copy(update={"default": ""}).get_default().name == "x"


def test_an_unknown_profile_lists_those_there_are():
    with pytest.raises(UnknownNameError, match=r"unknown profile 'q' \(there is p\)"):
        ProfileBook().with_profile(some())["q"]


def test_a_failed_write_leaves_the_old_file(tmp_path, monkeypatch):
    book = ProfileBook().with_profile(some())
    book.write(tmp_path / "profiles.json")
    before = (tmp_path / "profiles.json").read_bytes()
    monkeypatch.setattr(os, "fsync", lambda _: (_ for _ in ()).throw(OSError("disk full")))
    with pytest.raises(OSError, match="disk full"):
        book.with_profile(some("q")).write(tmp_path / "profiles.json")
    assert (tmp_path / "profiles.json").read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["profiles.json"]


def test_check_matches_names_exactly():
    profile = Profile(name="p", channels={"tubulin": ChannelSettings("red", (0, 1))})
    profile.check(["DAPI", "tubulin"], "FOV a")
    with pytest.raises(UnknownNameError, match=r"FOV a, profile p: unknown channel 'tubulin' \(there is Beta-tubulin"):
        profile.check(["Beta-tubulin"], "FOV a")


# --- UELer's marker sets --------------------------------------------------------------------------------------
def marker_set(**changes):
    one = {
        "selected_channels": ["CD3", "DAPI"],
        "channel_settings": {
            "DAPI": {"color": "Blue", "contrast_min": 0, "contrast_max": 900},
            "CD3": {"color": "#FF0000", "contrast_min": 5, "contrast_max": 60},
            "CD8": {"color": "Green", "contrast_min": 0, "contrast_max": 1},
        },
    }
    return {"marker_sets": {"T cells": {**one, **changes}}, "roi_width": 3}


def test_marker_sets_become_profiles(tmp_path):
    book = profiles_from_marker_sets(marker_set(), tmp_path)
    assert book.default == "T cells"
    assert book["T cells"].channels == {
        "CD3": ChannelSettings("#ff0000", (5, 60)),
        "DAPI": ChannelSettings("#0000ff", (0, 900)),
    }
    assert list(book["T cells"].channels) == ["CD3", "DAPI"]


@pytest.mark.parametrize(
    "state",
    [
        pytest.param({}, id="no sets"),
        pytest.param({"marker_sets": None}, id="null"),
        pytest.param(marker_set(selected_channels=["CD4"]), id="nothing of it has settings"),
        pytest.param(marker_set(channel_settings={}), id="no settings"),
    ],
)
def test_no_marker_sets_no_profiles(tmp_path, state):
    assert profiles_from_marker_sets(state, tmp_path).names == []


WRONG = [
    pytest.param({"marker_sets": [1]}, "w.json: marker_sets: expected an object, found list", id="a list"),
    pytest.param({"marker_sets": {"s": 3}}, "w.json: marker set s: expected an object, found int", id="a number"),
    pytest.param(marker_set(channel_settings=[]), "marker set T cells: channel_settings: expected", id="settings"),
    pytest.param(
        marker_set(channel_settings={"CD3": "red"}), "marker set T cells: CD3: expected an object", id="a channel"
    ),
    pytest.param(
        marker_set(channel_settings={"CD3": {"color": "x"}}), r"w.json: profiles.T cells.*'x' is no colour", id="colour"
    ),
    pytest.param(
        marker_set(channel_settings={"CD3": {"contrast_min": None, "contrast_max": 1}}),
        "w.json: .*CD3.*contrast_limits",
        id="limit",
    ),
]


@pytest.mark.parametrize(("state", "message"), WRONG)
def test_wrong_marker_sets_are_told(state, message):
    with pytest.raises(FileFormatError, match=message):
        profiles_from_marker_sets(state, "w.json")

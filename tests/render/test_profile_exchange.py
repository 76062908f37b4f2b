"""Profiles to and from ``omero`` blocks of OME-Zarr and marker sets of UELer."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import zarr
from hypothesis import given
from hypothesis import strategies as st

from builders import pixels, write_ome_zarr
from napari_slicemap import ChannelSettings, Profile
from napari_slicemap.errors import FileFormatError, PlanError, TileReadError, UnknownNameError
from napari_slicemap.images.ome_zarr.writer import write_ome_zarr as write_own
from napari_slicemap.images.source import ImageSource
from napari_slicemap.render.marker_sets import write_marker_sets
from napari_slicemap.render.omero import profile_from_omero, write_into_image, write_omero
from napari_slicemap.render.profile import UELER_COLORS, MaskStyle, ProfileBook
from napari_slicemap.render.profile_exchange import read_profiles

numbers = st.floats(-1e12, 1e12)
names = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=8).filter(
    lambda text: text == text.strip()
)


def settings_of(colors: st.SearchStrategy[str], gammas: st.SearchStrategy[float]) -> st.SearchStrategy[ChannelSettings]:
    return st.builds(
        lambda color, low, width, gamma, visible: ChannelSettings(color, (low, low + width), gamma, visible),
        colors,
        numbers,
        st.floats(1.0, 1e9),
        gammas,
        st.booleans(),
    )


def profiles_of(settings: st.SearchStrategy[ChannelSettings]) -> st.SearchStrategy[Profile]:
    channels = st.dictionaries(names, settings, min_size=1, max_size=4)
    return st.builds(lambda name, channels: Profile(name=name, channels=channels), names, channels)


any_color = st.integers(0, 0xFFFFFF).map(lambda n: f"#{n:06x}")


# --- omero ---------------------------------------------------------------------------------------------------
@given(profile=profiles_of(settings_of(any_color, st.floats(1e-3, 1e3))))
def test_a_profile_comes_back_from_a_block_of_its_own(tmp_path: Path, profile: Profile) -> None:
    path = tmp_path / "p.json"
    told = write_omero(path, profile)
    found = read_profiles(path)
    assert (found.profiles, found.problems) == ((profile,), ())
    assert list(found.profiles[0].channels) == list(profile.channels)
    assert bool(told) == any(one.gamma != 1 for one in profile.channels.values())


def test_what_a_block_has_no_word_for_is_told(tmp_path: Path) -> None:
    channels = {"a": ChannelSettings("red", (5, 5), 0.5)}
    told = write_omero(tmp_path / "p.json", Profile(name="p", channels=channels, masks={"cell": MaskStyle()}))
    assert told == [
        "gamma of a is kept beside omero, where other viewers do not look",
        "omero has no word for how masks and annotations are drawn; left out: cell",
        "channel a: a window must have a width; 5 to 5 is written as 5 to 6",
    ]
    block = json.loads((tmp_path / "p.json").read_text())["omero"]
    assert block["channels"] == [
        {
            "label": "a",
            "color": "FF0000",
            "window": {"start": 5, "end": 6, "min": 5, "max": 6},
            "active": True,
            "coefficient": 1,
            "family": "linear",
            "inverted": False,
        }
    ]


PROFILE = Profile(
    name="tissue",
    channels={
        "CD3": ChannelSettings("#ff8000", (10, 900), 0.5),
        "DAPI": ChannelSettings("#0000ff", (0, 300), visible=False),
        "CD8": ChannelSettings("#00ff00", (1, 2)),
    },
)


def attributes(image: Path) -> dict[str, Any]:
    """What zarr-python reads, 0.5 brought into the form of 0.4."""
    found: dict[str, Any] = zarr.open_group(image, mode="r").attrs.asdict()
    return {**found, **found.get("ome", {})}


@pytest.mark.parametrize("version", ["0.4", "0.5"])
def test_an_image_shows_what_the_profile_says_and_keeps_the_rest(tmp_path: Path, version: str) -> None:
    image = tmp_path / "i.ome.zarr"
    source = ImageSource.of(
        pixels(1, (1, 3, 1, 8, 8)),
        ["DAPI", "CD3", "Ki67"],
        settings={"Ki67": {"color": "#123456", "contrast_limits": (7, 8), "gamma": 2.0}},
        pixel_size_um=0.5,
    )
    write_own(image, source, version=version)
    before = attributes(image)
    told = write_into_image(image, PROFILE)
    assert told == [
        "gamma of CD3 is kept beside omero, where other viewers do not look",
        f"{image}: channel Ki67 is not in the profile, and is hidden",
        f"{image}: it has no channel CD8; left out",
    ]
    after = attributes(image)
    assert after["multiscales"] == before["multiscales"]
    dapi, cd3, ki67 = after["omero"]["channels"]
    old = before["omero"]["channels"]
    assert (dapi["color"], dapi["active"], dapi["window"]["start"], dapi["window"]["end"]) == ("0000FF", False, 0, 300)
    assert [dapi["window"][key] for key in ("min", "max")] == [
        min(old[0]["window"]["min"], 0),
        max(old[0]["window"]["max"], 300),
    ]
    assert (cd3["color"], cd3["active"], cd3["label"]) == ("FF8000", True, "CD3")
    assert ki67 == {**old[2], "active": False}
    assert after["napari_slicemap"]["gamma"] == {"CD3": 0.5}
    assert after["omero"]["rdefs"] == before["omero"]["rdefs"]
    _valid(image, version)
    (found,) = read_profiles(image).profiles
    assert found.channels == {"DAPI": PROFILE.channels["DAPI"], "CD3": PROFILE.channels["CD3"]} | {
        "Ki67": ChannelSettings("#123456", (7, 8), visible=False)
    }
    assert not list(tmp_path.rglob(".slicemap-*"))


def _valid(image: Path, version: str) -> None:
    from ome_zarr_models import v04, v05

    group = zarr.open_group(image, mode="r")
    model = v04.Image if version == "0.4" else v05.Image
    model.from_zarr(group)


@pytest.mark.parametrize("version", [2, 3])
def test_an_image_that_names_no_channels_takes_them_in_order(tmp_path: Path, version: int) -> None:
    image = write_ome_zarr(tmp_path / "i.zarr", pixels(1, (3, 8, 8)), version=version)
    told = write_into_image(image, PROFILE)
    assert any("it named no channels, and has those of the profile now, in their order" in one for one in told)
    assert read_profiles(image).profiles[0].channels == PROFILE.channels


def test_channels_of_one_label_keep_it(tmp_path: Path) -> None:
    image = write_ome_zarr(tmp_path / "i.zarr", pixels(1, (2, 8, 8)), channels=("x", "x"))
    one = Profile(name="p", channels={"x (C1)": ChannelSettings("red", (3, 5), 2.0)})
    write_into_image(image, one)
    assert [(found["label"], found["active"]) for found in attributes(image)["omero"]["channels"]] == [
        ("x", False),
        ("x", True),
    ]
    assert read_profiles(image).profiles[0].channels["x (C1)"] == one.channels["x (C1)"]


def test_what_an_image_cannot_take(tmp_path: Path) -> None:
    other = write_ome_zarr(tmp_path / "a.zarr", pixels(1, (2, 8, 8)), channels=("x", "y"))
    before = (other / "zarr.json").read_bytes()
    with pytest.raises(UnknownNameError, match=r"a\.zarr: unknown channel 'CD3' \(there is x, y\)"):
        write_into_image(other, PROFILE)
    few = write_ome_zarr(tmp_path / "b.zarr", pixels(1, (2, 8, 8)), channels=("CD3",))
    with pytest.raises(FileFormatError, match="omero does not describe the 2 channels"):
        write_into_image(few, PROFILE)
    with pytest.raises(TileReadError, match="nowhere"):
        write_into_image(tmp_path / "nowhere.zarr", PROFILE)
    assert (other / "zarr.json").read_bytes() == before


def test_copies_of_the_metadata_are_renewed_or_told(tmp_path: Path) -> None:
    top = tmp_path / "top.zarr"
    zarr.create_group(top, zarr_format=2)
    image = write_ome_zarr(top / "0", pixels(1, (1, 8, 8)), channels=("CD3",), version=2)
    for folder in (image, top):
        zarr.consolidate_metadata(folder, zarr_format=2)
    told = write_into_image(image, PROFILE)
    assert told[-1] == f"{top / '.zmetadata'}: this consolidated metadata still says how channels were shown before"
    consolidated = zarr.open_group(image, mode="r", use_consolidated=True).attrs.asdict()
    assert consolidated["omero"]["channels"][0]["color"] == "FF8000"


def block(*channels: object, **more: object) -> dict[str, Any]:
    return {"omero": {"channels": list(channels), **more}}


def channel(label: str = "a", **changes: object) -> dict[str, Any]:
    return {"label": label, "color": "00FF00", "window": {"start": 1, "end": 5, "min": 0, "max": 9}, **changes}


TAKEN = [
    pytest.param(block(channel()), "a", id="0.4"),
    pytest.param({"ome": block(channel())}, "a", id="0.5"),
    pytest.param({"attributes": {"ome": block(channel())}}, "a", id="zarr.json"),
    pytest.param({"channels": [channel()]}, "a", id="the block itself"),
    pytest.param(block(channel("")), "C0", id="no label"),
]


@pytest.mark.parametrize(("data", "name"), TAKEN)
def test_blocks_of_others(tmp_path: Path, data: object, name: str) -> None:
    path = tmp_path / "settings.json"
    path.write_text(json.dumps(data))
    (found,) = read_profiles(path).profiles
    assert (found.name, found.channels) == ("settings", {name: ChannelSettings("#00ff00", (1, 5))})


LEFT_OUT = [
    pytest.param({"window": None}, "its window states no start and end", id="no window"),
    pytest.param({"window": {"start": True, "end": 3}}, "its window states no start and end", id="a truth"),
    pytest.param({"window": {"start": 0, "end": 10**400}}, "its window states no start and end", id="huge"),
    pytest.param({"window": {"start": 5, "end": 3}}, "its window starts at 5 and ends at 3", id="reversed"),
    pytest.param({"color": 255}, "its colour is 255, expected six hexadecimal digits", id="colour"),
]


@pytest.mark.parametrize(("changes", "message"), LEFT_OUT)
def test_a_channel_that_is_none_is_left_out_and_told(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    path = tmp_path / "s.json"
    path.write_text(json.dumps(block(channel("b", **changes), channel("a", family="exponential", inverted=True))))
    found = read_profiles(path)
    assert list(found.profiles[0].channels) == ["a"]
    assert [one.removeprefix(f"{path}: channel ") for one in found.problems] == [
        f"b is left out: {message}",
        "a: its curve is 'exponential', and is shown as a line",
        "a: it is inverted, and is shown as it is",
    ]


FILES = [
    pytest.param([], "there is no omero block", id="a list"),
    pytest.param({"multiscales": []}, "there is no omero block", id="an image without"),
    pytest.param({"omero": {"channels": 3}}, "omero has no list of channels", id="no list"),
    pytest.param({"omero": {"channels": [3]}}, "omero has no list of channels", id="no objects"),
    pytest.param(block(), "omero says of no channel how it is shown", id="empty"),
    pytest.param(block({"label": "a"}), "of no channel how it is shown; .*its window", id="nothing said"),
]


@pytest.mark.parametrize(("data", "message"), FILES)
def test_files_without_profiles_are_refused_by_name(tmp_path: Path, data: object, message: str) -> None:
    path = tmp_path / "s.json"
    path.write_text(json.dumps(data))
    with pytest.raises(FileFormatError, match=rf"s\.json: .*{message}"):
        read_profiles(path)
    with pytest.raises(FileFormatError, match=r"expected an OME-Zarr image"):
        read_profiles(tmp_path)


# --- marker sets ---------------------------------------------------------------------------------------------
theirs = st.sampled_from(list(UELER_COLORS.values()))
shown = settings_of(theirs, st.just(1.0)).map(lambda one: ChannelSettings(one.color, one.contrast_limits))


@given(found=st.lists(profiles_of(shown), min_size=1, max_size=3, unique_by=lambda one: one.name))
def test_marker_sets_come_back(tmp_path: Path, found: list[Profile]) -> None:
    book = ProfileBook()
    for profile in found:
        book = book.with_profile(profile)
    path = tmp_path / "widget_states.json"
    path.unlink(missing_ok=True)
    assert write_marker_sets(path, book) == []
    assert list(read_profiles(path).profiles) == found


def test_a_marker_set_has_their_colours_and_the_rest_is_told(tmp_path: Path) -> None:
    path = tmp_path / "widget_states.json"
    path.write_text(json.dumps({"roi_width": 3, "marker_sets": {"mine": {"selected_channels": ["a"]}}}))
    book = ProfileBook().with_profile(PROFILE.model_copy(update={"masks": {"cell": MaskStyle()}}))
    told = write_marker_sets(path, book)
    assert told == [
        "profile tissue: #ff8000 of channel CD3 is written as Orange",
        "profile tissue: a marker set has no word for gamma of CD3; left out",
        "profile tissue: a marker set has no word for the style of cell; left out",
    ]
    state = json.loads(path.read_text())
    assert (state["roi_width"], state["marker_sets"]["mine"]) == (3, {"selected_channels": ["a"]})
    assert state["marker_sets"]["tissue"] == {
        "selected_channels": ["CD3", "CD8"],
        "channel_settings": {
            "CD3": {"color": "Orange", "contrast_min": 10, "contrast_max": 900},
            "DAPI": {"color": "Blue", "contrast_min": 0, "contrast_max": 300},
            "CD8": {"color": "Green", "contrast_min": 1, "contrast_max": 2},
        },
    }
    (found,) = [one for one in read_profiles(path).profiles if one.name == "tissue"]
    assert found.channels["CD8"].color == "#00ff00", "the green of UELer, not that of CSS"


@pytest.mark.parametrize(
    ("color", "name"),
    [
        ("#ff2a6d", "Red"),
        ("#8cff3f", "Green"),
        ("#44506e", "Blue"),
        ("#ffe14d", "Yellow"),
        ("#ff00c0", "Magenta"),
        ("#f8f8ff", "White"),
        ("#141414", "Black"),
        ("#800080", "Purple"),
    ],
)
def test_a_colour_that_is_not_offered_becomes_the_one_of_its_hue(tmp_path: Path, color: str, name: str) -> None:
    path = tmp_path / "widget_states.json"
    one = Profile(name="p", channels={"a": ChannelSettings(color, (0, 1))})
    told = write_marker_sets(path, ProfileBook().with_profile(one))
    assert json.loads(path.read_text())["marker_sets"]["p"]["channel_settings"]["a"]["color"] == name
    assert len(told) == (UELER_COLORS[name] != color)


def test_other_marker_sets_are_not_replaced_unless_asked(tmp_path: Path) -> None:
    path, book = tmp_path / "widget_states.json", ProfileBook().with_profile(PROFILE)
    path.write_text(json.dumps({"marker_sets": {"tissue": {"selected_channels": ["a"]}}}))
    with pytest.raises(PlanError, match="holds another marker set tissue already"):
        write_marker_sets(path, book)
    write_marker_sets(path, book, replace=True)
    before = path.read_bytes()
    write_marker_sets(path, book)
    assert path.read_bytes() == before
    path.write_text("[]")
    with pytest.raises(FileFormatError, match="expected an object with marker_sets"):
        write_marker_sets(path, book)


def test_profiles_of_our_own_file(tmp_path: Path) -> None:
    ProfileBook().with_profile(PROFILE).write(tmp_path / "profiles.json")
    assert read_profiles(tmp_path / "profiles.json").profiles == (PROFILE,)


def test_the_block_of_a_real_image(real_data: Path) -> None:
    folder = real_data / "omezarr" / "6001240_labels_v0.5.zarr"
    stated = json.loads((folder / "zarr.json").read_text())["attributes"]["ome"]["omero"]["channels"]
    found = read_profiles(folder)
    (profile,) = found.profiles
    assert found.problems == ()
    assert [(name, one.color, one.contrast_limits, one.visible) for name, one in profile.channels.items()] == [
        (one["label"], f"#{one['color'].lower()}", (one["window"]["start"], one["window"]["end"]), one["active"])
        for one in stated
    ]


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)
keys = st.sampled_from(["label", "color", "window", "active", "family", "inverted"])
odd = st.dictionaries(keys, anything | st.just({"start": 1, "end": 2}) | st.just("00FF00"))


@given(
    block=st.one_of(
        anything,
        st.fixed_dictionaries({"channels": st.lists(odd, max_size=3)}, optional={"name": anything}),
    ),
    own=anything | st.fixed_dictionaries({"gamma": st.dictionaries(st.sampled_from(["C0", "C1"]), anything)}),
)
def test_odd_metadata_gives_a_profile_or_a_named_error(block: object, own: object) -> None:
    where = Path("odd.json")
    try:
        profile, problems = profile_from_omero({"omero": block, "napari_slicemap": own}, "p", where)
    except FileFormatError as error:
        problems, profile = [str(error)], None
    assert all(one.startswith("odd.json") for one in problems)
    assert profile is None or all(one.gamma > 0 for one in profile.channels.values())

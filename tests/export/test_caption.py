"""The strip above a picture."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_slicemap import ChannelSettings
from napari_slicemap.export.choosing.resolve import resolve
from napari_slicemap.export.content.caption import ink_on, lay_out
from napari_slicemap.export.content.figure import render_item
from napari_slicemap.render.drawings import Text
from napari_slicemap.render.picture import Picture

BLUE_AND_RED = {"DAPI": ChannelSettings("#4d7fff", (0, 1)), "CD3 epsilon": ChannelSettings("#ff0000", (0, 1))}


def lines_of(caption):
    rows = {}
    for text in caption.texts:
        rows.setdefault(text.baseline, []).append(text.text)
    return list(rows.values())


def test_a_title_stands_above_the_names_of_the_channels_in_their_colours():
    caption, warnings = lay_out("Map 7", BLUE_AND_RED, (600, 800), "#000000")
    assert warnings == []
    assert lines_of(caption) == [["Map 7"], ["DAPI", "CD3 epsilon"]]
    assert [text.color for text in caption.texts] == ["#ffffff", "#4d7fff", "#ff0000"]
    assert {text.size_px for text in caption.texts} == {21}
    assert all(text.rim is None for text in caption.texts)


def test_nothing_to_write_is_no_strip():
    assert lay_out(" \n", {}, (60, 80), "#000000") == (None, [])


@given(
    title=st.text(st.characters(codec="latin-1", exclude_categories=("Cc", "Cf")), max_size=80),
    names=st.lists(st.text("abcXYZ ", min_size=1, max_size=30), max_size=5, unique=True),
    height=st.integers(1, 400),
    width=st.integers(1, 400),
)
def test_no_letter_is_lost_and_none_leaves_the_strip(title, names, height, width):
    channels = {name: ChannelSettings("#00ff00", (0, 1)) for name in names}
    caption, warnings = lay_out(title, channels, (height, width), "#000000")
    said = "".join("".join([title, *names]).split())
    if not said:
        assert caption is None
    elif caption is None:
        assert any("does not fit" in warning for warning in warnings)
        assert width < 20
    else:
        assert "".join("".join(text.text.split()) for text in caption.texts) == said
        for text in caption.texts:
            assert text.size_px >= 8
            assert text.x >= 0
            assert text.x + text.length_px <= width
            assert text.box[1] >= -2
            assert text.box[3] <= caption.height + 1


def test_a_long_title_is_broken_between_words_and_a_long_word_made_smaller():
    title = "one two three four five six seven eight nine ten"
    caption, _ = lay_out(title, {}, (300, 120), "#000000")
    assert len(lines_of(caption)) > 1
    assert " ".join(line[0] for line in lines_of(caption)) == title
    short, _ = lay_out("word", {}, (1000, 200), "#000000")
    long, _ = lay_out("incomprehensibilities", {}, (1000, 1000), "#000000")
    tight, _ = lay_out("incomprehensibilities" * 2, {}, (1000, 400), "#000000")
    assert short.texts[0].size_px == 8
    assert long.texts[0].size_px == 35
    assert tight.texts[0].text == "incomprehensibilities" * 2
    broken, _ = lay_out("incomprehensibilities", {}, (100, 50), "#000000")
    assert len(broken.texts) > 1
    assert "".join(text.text for text in broken.texts) == "incomprehensibilities"


def test_what_the_font_lacks_is_said():
    caption, warnings = lay_out("切片 7", {}, (200, 200), "#000000")
    assert caption is not None
    assert warnings == ["caption: the font has no 切 片"]


def test_colours_that_would_not_show_get_a_rim():
    channels = {name: ChannelSettings(color, (0, 1)) for name, color in (("a", "#000000"), ("b", "#ffffff"))}
    for background, rimmed in (("#000000", "a"), ("#ffffff", "b"), ("#808080", "")):
        caption, _ = lay_out("", channels, (200, 200), background)
        assert [text.text for text in caption.texts if text.rim] == list(rimmed)
    assert (ink_on("#000000"), ink_on("#ffffff"), ink_on("#ffff00")) == ("#ffffff", "#000000", "#000000")


@pytest.mark.parametrize("samples", [3, 4])
@given(cuts=st.lists(st.integers(1, 90)))
def test_rows_are_the_same_however_they_are_cut(samples, cuts):
    image = np.random.default_rng(0).integers(0, 256, (50, 90, samples), dtype=np.uint8)
    caption, _ = lay_out("Map 7", BLUE_AND_RED, (50, 90), "#102030")
    picture = caption.above(Picture.of(image))
    height = 50 + caption.height
    assert picture.shape == (height, 90, samples)
    whole = picture.array()
    np.testing.assert_array_equal(whole[caption.height :], image)
    np.testing.assert_array_equal(whole[0, 0], (16, 32, 48, 255)[:samples])
    assert ((whole[: caption.height] == (255, 0, 0, 255)[:samples]).all(axis=-1)).any()
    edges = sorted({0, height, *(cut for cut in cuts if cut < height)})
    parts = [picture.paint(top, bottom) for top, bottom in pairwise(edges)]
    np.testing.assert_array_equal(np.concatenate(parts), whole)
    blank = caption.above(Picture.of(image), written=False).array()
    assert (blank[: caption.height, :, :3] == (16, 32, 48)).all()


def test_an_item_gets_the_title_and_the_legend_of_its_plan(dataset, plan):
    select = {"kind": "map", "ids": ["7"]}
    bare = plan(select, scale_bar={"enabled": True})
    captioned = plan(
        select, scale_bar={"enabled": True}, caption={"title": "map {map}, {profile}", "legend": True}, profile="tissue"
    )
    one, other = (
        render_item(resolve(some, dataset).items[0], some, dataset.profiles["tissue"], dataset)
        for some in (bare, captioned)
    )
    added = other.picture.shape[0] - one.picture.shape[0]
    assert added > 0
    np.testing.assert_array_equal(other.picture.array()[added:], one.picture.array())
    texts = " ".join(text.text for text in other.drawings if isinstance(text, Text))
    shown = [name for name, settings in dataset.profiles["tissue"].channels.items() if settings.visible]
    assert "map 7" in texts
    for name in shown:
        assert name in texts
    assert one.drawings[0].shifted(added) == other.drawings[0]
    assert other.plain.shape == other.picture.shape

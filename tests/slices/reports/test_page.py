"""Pages: well formed, escaped, complete, the same each time."""

import base64
import io
import re

import numpy as np
import pytest
from html_reading import parse
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from napari_slicemap.slices.reports.page import Page, Plot, Table, Thumbnail, page_html, write_page
from napari_slicemap.slices.reports.thumbnails import thumbnail_png

IDS = ("00", "01", "02", "03", "07")
VALUES = (0.1, None, 0.75, float("nan"), 0.9)
USED = (False, True, True, True, True)
PNG = thumbnail_png(np.arange(80 * 100.0).reshape(80, 100))


def plot(**changes):
    return Plot(**{"title": "Quality", "axis": "score", "ids": IDS, "values": VALUES, "used": USED} | changes)


def whole_page():
    return Page(
        title="Slices of a & b",
        facts={"Used": "4 of 5", "Excluded": "00 (low <quality>)"},
        plots=(plot(limit=0.5, limit_label="least"), plot(title="Shift", values=(-3.0, 4.0, None, 0.0, 12.5))),
        thumbnails=tuple(Thumbnail(one, PNG, "0.5", used) for one, used in zip(IDS, USED, strict=True)),
        table=Table(("slice_id", "notes"), tuple((one, f"note {one}") for one in IDS), USED),
    )


def test_a_page_holds_all_that_it_was_given(tmp_path):
    write_page(tmp_path / "new" / "page.html", whole_page())
    page = parse((tmp_path / "new" / "page.html").read_text(encoding="utf-8"))
    assert page.all("h1")[0].words == "Slices of a & b"
    assert page.all("title")[0].words == "Slices of a & b"
    assert page.all("dl")[0].words == "Used 4 of 5 Excluded 00 (low <quality>)"
    assert [one.words for one in page.all("h3")] == ["Quality", "Shift"]
    rows = [[cell.words for cell in row.children] for row in page.all("tbody")[0].children]
    assert rows == [[one, f"note {one}"] for one in IDS]
    assert [row.attributes.get("class") for row in page.all("tbody")[0].children] == ["out", None, None, None, None]


def test_a_plot_tells_each_slice(tmp_path):
    drawing = parse(page_html(Page("p", plots=(plot(limit=0.5, limit_label="least quality"),)))).all("svg")[-1]
    slices = drawing.all("g", class_="slice")
    assert [one.all("title")[0].words for one in slices] == [
        "slice 00: 0.1 (excluded)",
        "slice 01: no value",
        "slice 02: 0.75",
        "slice 03: no value",
        "slice 07: 0.9",
    ]
    assert [len(one.all("circle")) for one in slices] == [1, 0, 1, 0, 1], "a slice without a value leaves a gap"
    assert ["out" in one.attributes["class"].split() for one in slices] == [True, False, False, False, False]
    assert drawing.all("text", class_="of-limit")[0].words == "least quality 0.5"
    assert drawing.attributes["role"] == "img"
    assert "2 of 5 slices have no value" in drawing.attributes["aria-label"]


def test_dots_lie_where_the_axis_says():
    drawing = parse(page_html(Page("p", plots=(plot(limit=0.5),)))).all("svg")[-1]
    marks = {
        float(text.words): float(line.attributes["y1"])
        for line, text in zip(drawing.all("line", class_="grid"), drawing.all("text")[1:], strict=False)
    }
    low, high = min(marks), max(marks)
    circles = [float(one.attributes["cy"]) for one in drawing.all("circle")]
    for y, value in zip(circles, (0.1, 0.75, 0.9), strict=True):
        expected = marks[low] + (value - low) / (high - low) * (marks[high] - marks[low])
        assert y == pytest.approx(expected, abs=0.06)


def test_pictures_can_be_decoded_and_tell_excluded_slices():
    figures = parse(page_html(whole_page())).all("div", class_="strip")[0].all("figure")
    source = figures[0].all("img")[0].attributes["src"]
    assert source.startswith("data:image/png;base64,")
    with Image.open(io.BytesIO(base64.b64decode(source.split(",")[1], validate=True))) as picture:
        assert picture.size == (96, 77)
    assert [one.all("img")[0].attributes["alt"] for one in figures][:2] == ["Slice 00, excluded", "Slice 01"]
    assert figures[0].words == "00 excluded 0.5"


def test_a_page_needs_nothing_else():
    text = page_html(whole_page())
    assert not re.search(r"https?://|<script|<link|@import|url\(", text)
    assert "default-src 'none'" in text


NASTY = "<script>alert(1)</script>\"'&amp;]]>--><b>{{ 1 }}{% endraw %}"


def test_text_is_escaped_wherever_it_stands():
    page = Page(
        title=NASTY,
        facts={NASTY: NASTY},
        plots=(plot(title=NASTY, axis=NASTY, ids=(NASTY, *IDS[1:]), limit=0.5, limit_label=NASTY),),
        thumbnails=(Thumbnail(NASTY, PNG, NASTY, False),),
        table=Table((NASTY,), ((NASTY,),)),
    )
    read = parse(page_html(page))
    assert read.all("script") == []
    assert {one.words for one in read.all("b")} == {" ".join(NASTY.split())}, "the only bold text is an id"
    said = " ".join(NASTY.split())
    for tag in ("h1", "dt", "dd", "h3", "th", "figcaption"):
        assert said in read.all(tag)[0].words, tag
    assert said in read.all("img")[0].attributes["alt"]


@given(st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1))
def test_any_text_comes_back(note):
    read = parse(page_html(Page("p", table=Table(("slice_id", "notes"), (("00", note),)))))
    assert read.all("td")[0].words == " ".join(note.split())


@pytest.mark.parametrize("count", [0, 1, 5, 250, 251, 500])
def test_any_number_of_slices_can_be_drawn(count):
    ids = tuple(f"{n:02d}" for n in range(count))
    drawn = Page("p", plots=(plot(ids=ids, values=tuple(float(n) for n in range(count)), used=(True,) * count),))
    panels = parse(page_html(drawn)).all("figure", class_="plot")[0].all("svg")
    assert len(panels) == max(1, -(-count // 250))
    assert sum(len(panel.all("g", class_="slice")) for panel in panels) == count
    for panel in panels:
        labels = [one for one in panel.all("text") if one.attributes.get("text-anchor") == "middle"]
        at = [float(one.attributes["x"]) for one in labels]
        assert all(b - a >= 7 * len(one.words) for a, b, one in zip(at, at[1:], labels, strict=False)), "ids touch"
        assert bool(labels) == (count > 0)
        circles = [float(one.attributes["cx"]) for one in panel.all("circle")]
        assert all(0 < x < float(panel.attributes["width"]) for x in circles)


def test_the_same_page_gives_the_same_bytes(tmp_path):
    for name in ("a", "b"):
        write_page(tmp_path / name, whole_page())
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


@pytest.mark.parametrize(
    ("make", "said"),
    [
        pytest.param(lambda: plot(ids=IDS[1:]), "4 ids, 5 values and 5 decisions", id="too-few-ids"),
        pytest.param(lambda: plot(limit=float("nan")), "limit is nan", id="limit-nan"),
        pytest.param(lambda: Thumbnail("03", b"GIF89a", "", True), "slice 03: the bytes are no PNG", id="no-png"),
        pytest.param(lambda: Table(("a", "b"), (("1",),)), "row 1: 1 cells, expected 2", id="short-row"),
        pytest.param(lambda: Table(("a",), (("1",),), (True, False)), "2 decisions", id="too-many-decisions"),
    ],
)
def test_what_does_not_fit_is_refused(make, said):
    with pytest.raises(ValueError, match=said):
        make()

"""Contact sheets, held against their members rendered alone and put together by hand."""

from __future__ import annotations

import shutil
import tracemalloc
from xml.etree import ElementTree as ET

import numpy as np
import pypdfium2
import pytest

from export.runs import write_cells
from napari_slicemap import ExportPlan, open_dataset
from napari_slicemap.errors import PixelSizeUnknownError, PlanError
from napari_slicemap.export.choosing.resolve import resolve
from napari_slicemap.export.content.caption import ink_on
from napari_slicemap.export.content.figure import render_item
from napari_slicemap.export.content.sheet import render_sheet
from napari_slicemap.export.writers import find_writer
from napari_slicemap.render.drawings import Bar, Text, font
from napari_slicemap.render.picture import opaque
from scenes import write_dataset

RAGGED = (
    {"kind": "fov-roi", "all": True},
    {"kind": "map-roi", "all": True, "clip": "polygon"},
    {"kind": "cell", "all": True, "size_px": 20},
    {"kind": "fov", "ids": ["a"]},
)


@pytest.fixture
def ragged(folder, tmp_path):
    """The dataset without the ROI that lies on no pixel."""
    made = write_dataset(tmp_path / "ragged")
    lines = (made / "rois.csv").read_text().splitlines()
    (made / "rois.csv").write_text("\n".join(line for line in lines if not line.startswith("r6")) + "\n")
    return open_dataset(made)


def plan_of(*selects, sheet=None, **fields):
    return ExportPlan.model_validate({"select": selects, "contact_sheet": {"enabled": True, **(sheet or {})}, **fields})


def rendered(dataset, plan):
    """Give the only sheet of a plan, and its item."""
    (item,) = resolve(plan, dataset).items
    return render_sheet(item, plan, dataset.profiles.get_default(), dataset), item


def alone(dataset, plan, item):
    """Give each member as it is in a file of its own, without scale bar and caption, on the background."""
    plain = plan.model_copy(update={"scale_bar": plan.scale_bar.model_copy(update={"enabled": False})})
    plain = plain.model_copy(update={"caption": type(plan.caption)()})
    made = []
    for member in item.members:
        image = render_item(member, plain, dataset.profiles.get_default(), dataset).picture.array()
        made.append(opaque(image, plan.background))
    return made


def put_together(images, columns, gap, background, line=0, step=None):
    """Put images into a grid, whose columns are as wide as the widest and whose rows as high as their highest."""
    step = step or max(image.shape[1] for image in images) + gap
    rows = [images[at : at + columns] for at in range(0, len(images), columns)]
    height = gap + sum(max(len(image) for image in row) + line + gap for row in rows)
    made = np.empty((height, gap + step * min(columns, len(images)), 3), np.uint8)
    made[...] = background
    top = gap
    for row in rows:
        for number, image in enumerate(row):
            left = gap + number * step
            made[top : top + image.shape[0], left : left + image.shape[1]] = image
        top += max(len(image) for image in row) + line + gap
    return made


@pytest.mark.parametrize(
    ("sheet", "columns", "gap"),
    [
        pytest.param({}, 4, 8, id="about square"),
        pytest.param({"columns": 3, "gap_px": 0}, 3, 0, id="no gap"),
        pytest.param({"columns": 100, "gap_px": 5}, 100, 5, id="one row"),
        pytest.param({"columns": 1, "rows": 100}, 1, 8, id="one column"),
    ],
)
def test_members_lie_in_a_grid_and_are_what_they_are_alone(ragged, sheet, columns, gap):
    plan = plan_of(*RAGGED, sheet={**sheet, "labels": False}, background="#ff8000", overlays={"masks": ["cell"]})
    figure, item = rendered(ragged, plan)
    images = alone(ragged, plan, item)
    assert len({image.shape for image in images}) > 4, "ragged sizes"
    expected = put_together(images, columns, gap, (255, 128, 0))
    np.testing.assert_array_equal(figure.picture.array(), expected)
    assert figure.shape == expected.shape
    assert figure.pixel_size_um == 0.5


def test_clipped_members_lie_on_the_background(ragged):
    plan = plan_of(
        {"kind": "map-roi", "ids": ["tri"], "clip": "polygon"}, background="#ff8000", sheet={"labels": False}
    )
    image = rendered(ragged, plan)[0].picture.array()
    assert image.shape == (24 + 16, 24 + 16, 3)
    assert (image[8 + 20, 8 + 20] == (255, 128, 0)).all()
    assert (image[8 + 2, 8 + 2] != (255, 128, 0)).any()


def test_labels_lie_below_their_members_within_the_sheet(ragged):
    plan = plan_of(*RAGGED, sheet={"columns": 4}, background="#ffffff")
    figure, item = rendered(ragged, plan)
    texts = [one for one in figure.drawings if isinstance(one, Text)]
    assert [one.text for one in texts] == [
        *("core", "scratch", "ragged", "Edge", "Edge", "tri"),
        *("a: 1", "a: 2", "a: 3", "b: 1", "a"),
    ]
    (size,) = {one.size_px for one in texts}
    line, images = sum(font(size).getmetrics()), alone(ragged, plan, item)
    step = texts[1].x - texts[0].x
    assert step >= 8 + max(image.shape[1] for image in images)
    expected = put_together(images, 4, 8, (255, 255, 255), line, step)
    found = figure.picture.array()
    assert found.shape == expected.shape
    changed = (found != expected).any(axis=-1)
    for number, (text, image) in enumerate(zip(texts, images, strict=True)):
        left, top, right, bottom = text.box
        assert left >= 0
        assert right <= min(found.shape[1], 8 + step * (number % 4 + 1))
        assert bottom <= found.shape[0]
        assert text.baseline > image.shape[0]
        inked = changed[max(0, round(top)) : round(bottom) + 1, round(left) : round(right) + 1]
        assert inked.any(), "the label is drawn"
        inked[...] = False
    assert not changed.any(), "labels touch nothing but the room below their members"
    assert figure.ground.shape == figure.shape
    np.testing.assert_array_equal(figure.ground.array(), expected, "without what is drawn")


def test_long_labels_widen_their_column(tmp_path):
    folder = write_dataset(tmp_path / "set")
    name = "a_name_that_is_far_wider_than_its_picture"
    shutil.copytree(folder / "e", folder / name)
    figure, _ = rendered(open_dataset(folder), plan_of({"kind": "fov", "ids": [name, "e"]}))
    long, short = (one for one in figure.drawings if isinstance(one, Text))
    assert long.x + long.length_px + 8 <= short.x
    assert short.x + short.length_px <= figure.shape[1]


@pytest.mark.parametrize(("background", "ink"), [("#ffffff", "#000000"), ("#000000", "#ffffff")])
@pytest.mark.parametrize("position", ["lower-right", "upper-left"])
def test_the_scale_bar_lies_on_a_strip_below(ragged, background, ink, position):
    select = {"kind": "cell", "all": True, "size_px": 30}
    without, _ = rendered(ragged, plan_of(select, background=background))
    figure, _ = rendered(
        ragged, plan_of(select, background=background, scale_bar={"enabled": True, "position": position})
    )
    height = without.shape[0]
    np.testing.assert_array_equal(figure.picture.array()[:height], without.picture.array())
    strip = figure.picture.array()[height:]
    (bar,) = (one for one in figure.drawings if isinstance(one, Bar))
    (label,) = (one for one in figure.drawings if isinstance(one, Text) and "µm" in one.text)
    assert bar.width * 0.5 == float(label.text.removesuffix(" µm"))
    assert height <= label.box[1] < bar.y + bar.height <= figure.shape[0]
    assert bar.color == ink_on(background) == ink
    top, left = int(bar.y) - height, int(bar.x)
    value = 0 if ink == "#000000" else 255
    assert (strip[top : top + int(bar.height), left : left + int(bar.width)] == value).all()
    assert (left < figure.shape[1] / 2) == position.endswith("left")


def test_a_bar_of_unknown_length_is_an_error(dataset):
    plan = plan_of({"kind": "fov", "ids": ["e"]}, scale_bar={"enabled": True})
    with pytest.raises(PixelSizeUnknownError):
        rendered(dataset, plan)


def test_members_of_another_scale_are_refused(dataset):
    with pytest.raises(PlanError, match="a contact sheet has one scale"):
        resolve(plan_of({"kind": "fov", "ids": ["a", "e"]}), dataset)


def test_the_caption_is_the_sheets(ragged):
    select = {"kind": "fov", "ids": ["a", "b"]}
    plain, _ = rendered(ragged, plan_of(select))
    figure, _ = rendered(ragged, plan_of(select, caption={"title": "Sheet {number}", "legend": True}))
    strip = figure.shape[0] - plain.shape[0]
    assert strip > 0
    np.testing.assert_array_equal(figure.picture.array()[strip:], plain.picture.array())
    texts = [one.text for one in figure.drawings if isinstance(one, Text)]
    assert sorted(texts) == ["CD3", "DAPI", "Sheet 1", "a", "b"]


@pytest.mark.parametrize("rows", [1, 7, 50])
def test_bands_of_any_height_give_the_same_pixels(ragged, rows):
    plan = plan_of(*RAGGED, scale_bar={"enabled": True}, caption={"legend": True})
    figure, _ = rendered(ragged, plan)
    for picture in (figure.picture, figure.ground):
        np.testing.assert_array_equal(np.concatenate(list(picture.bands(rows))), picture.array())


@pytest.mark.parametrize("name", ["svg", "pdf"])
def test_labels_are_text_where_the_format_has_text(ragged, tmp_path, name):
    figure, _ = rendered(ragged, plan_of(*RAGGED, scale_bar={"enabled": True}))
    writer, path = find_writer(name), tmp_path / f"sheet.{name}"
    writer.write(path, figure, writer.Options())
    if name == "svg":
        found = [one.text for one in ET.parse(path).iter("{http://www.w3.org/2000/svg}text")]
    else:
        with pypdfium2.PdfDocument(path) as document:
            found = document[0].get_textpage().get_text_bounded().split("\r\n")
    for label in ("core", "tri", "a: 1", "b: 1", "µm"):
        assert any(label in line for line in found)


# --- many members, large members ----------------------------------------------------------------------------------


def test_a_sheet_of_many_cells_needs_little_memory(tmp_path, monkeypatch):
    folder = write_dataset(tmp_path / "set")
    write_cells(folder, 400)
    dataset = open_dataset(folder)
    plan = plan_of({"kind": "cell", "all": True, "size_px": 128}, sheet={"rows": 20, "columns": 20, "labels": False})
    monkeypatch.setattr("napari_slicemap.render.picture._BAND_PIXELS", 2**17)
    rendered(dataset, plan_of({"kind": "cell", "ids": ["a:1"]}))  # imports and opens what it needs
    tracemalloc.start()
    figure, _ = rendered(dataset, plan)
    rows = sum(len(band) for band in figure.picture.bands())
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert figure.shape == (rows, 20 * 136 + 8, 3)
    assert peak < 12 * 2**20, "the cells alone are 19 MB, the sheet is 21 MB"


def test_a_tile_that_cannot_be_read_is_told_of_once_it_was_painted(dataset):
    plan = plan_of({"kind": "map", "ids": ["7", "8"]}, on_missing="mark")
    figure, _ = rendered(dataset, plan)
    figure.picture.array()
    (missing,) = figure.missing
    assert "gone" in missing
    assert any("gone" in warning for warning in figure.warnings)

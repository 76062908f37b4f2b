"""Rotated boxes turned upright, held against scipy on a rendering of the whole frame."""

import json
import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from scipy.ndimage import map_coordinates

from napari_slicemap import ChannelSettings, render_fov_to_array
from napari_slicemap.errors import RegionError
from napari_slicemap.export.choosing.items import ExportItem
from napari_slicemap.export.content.figure import render_item
from napari_slicemap.export.content.upright import Turn, turned
from napari_slicemap.images.region import Region, Window
from napari_slicemap.render.drawings import Shape


def corners(centre, width, height, degrees):
    """Corners of a box turned clockwise as seen, its upper left one first."""
    angle = math.radians(degrees)
    along, down = (math.cos(angle), math.sin(angle)), (-math.sin(angle), math.cos(angle))
    return tuple(
        (
            centre[0] + x * width / 2 * along[0] + y * height / 2 * down[0],
            centre[1] + x * width / 2 * along[1] + y * height / 2 * down[1],
        )
        for x, y in ((-1, -1), (1, -1), (1, 1), (-1, 1))
    )


def reference(image, points, step, shape):
    """Each channel of a rendering read by scipy along the sides of a box."""
    (x0, y0), (x1, y1), _, (x3, y3) = points
    height, width = shape
    across = np.array([x1 - x0, y1 - y0]) / math.hypot(x1 - x0, y1 - y0)
    down = np.array([x3 - x0, y3 - y0]) / math.hypot(x3 - x0, y3 - y0)
    middle = np.mean(points, axis=0)
    i, j = np.arange(width) + 0.5 - width / 2, np.arange(height) + 0.5 - height / 2
    x = middle[0] / step - 0.5 + i[None] * across[0] + j[:, None] * down[0]
    y = middle[1] / step - 0.5 + i[None] * across[1] + j[:, None] * down[1]
    channels = [map_coordinates(image[..., c].astype(float), [y, x], order=1, mode="constant") for c in range(3)]
    return np.stack(channels, axis=-1)


def upright(image, points, step=1):
    """Turn a box of an image whose px are cells of `step` px; beyond it all is black."""

    def render(cells):
        made = np.zeros((*cells.shape, 3), np.uint8)
        inner = cells & Window(0, image.shape[1], 0, image.shape[0])
        if not inner.empty:
            made[inner.slices_in(cells)] = image[inner.y0 : inner.y1, inner.x0 : inner.x1]
        return made

    return turned(Turn.of(points, step), render)


NOISE = np.random.default_rng(0).integers(0, 256, (120, 150, 3), dtype=np.uint8)

# a box of 40 × 20 px whose upper left corner lies at (30, 20), read from another corner on
EXACT = [
    pytest.param(((30, 20), (70, 20), (70, 40), (30, 40)), lambda box: box, id="0°"),
    pytest.param(((70, 20), (70, 40), (30, 40), (30, 20)), lambda box: np.rot90(box), id="90°"),
    pytest.param(((70, 40), (30, 40), (30, 20), (70, 20)), lambda box: np.rot90(box, 2), id="180°"),
    pytest.param(((30, 40), (30, 20), (70, 20), (70, 40)), lambda box: np.rot90(box, 3), id="270°"),
]


@pytest.mark.parametrize(("points", "expected"), EXACT)
def test_right_angles_are_exact(points, expected):
    np.testing.assert_array_equal(upright(NOISE, points).array(), expected(NOISE[20:40, 30:70]))


@pytest.mark.parametrize(("points", "expected"), EXACT)
def test_corners_that_go_round_the_other_way_mirror_nothing(points, expected):
    swapped = (points[1], points[0], points[3], points[2])
    np.testing.assert_array_equal(upright(NOISE, swapped).array(), expected(NOISE[20:40, 30:70]))


@given(
    degrees=st.floats(-180, 180),
    width=st.floats(1, 90),
    height=st.floats(1, 90),
    x=st.floats(0, 150),
    y=st.floats(0, 120),
)
def test_it_is_what_scipy_reads(degrees, width, height, x, y):
    points = corners((x, y), width, height, degrees)
    found = upright(NOISE, points).array()
    assert found.shape == (math.floor(height + 0.5), math.floor(width + 0.5), 3)
    turn = Turn.of(points, 1)
    sx, sy = turn.sources(Window(0, found.shape[1], 0, found.shape[0]))
    # scipy knows no half px beyond the edge, nor that a place beyond it by a rounding error is on it
    near = 1e-9
    within = (sx >= near) & (sx <= 149 - near) & (sy >= near) & (sy <= 119 - near)
    expected = reference(NOISE, points, 1, found.shape[:2])
    assert np.abs(found - expected)[within].max(initial=0) <= 0.5 + 1e-4


@pytest.mark.parametrize("edges", [(0, 1, 90), (0, 13, 14, 60, 90), tuple(range(91))])
def test_rows_are_the_same_however_they_are_cut(monkeypatch, edges):
    picture = upright(NOISE, corners((70, 60), 60, 90, 33))
    whole = picture.array()
    for block in (512, 7):
        monkeypatch.setattr("napari_slicemap.export.content.upright._BLOCK", block)
        parts = [picture.paint(top, end) for top, end in pairwise(edges)]
        np.testing.assert_array_equal(np.concatenate(parts), whole)


def test_no_more_than_a_square_is_rendered_at_a_time():
    asked = []

    def render(cells):
        asked.append(cells.shape)
        return np.zeros((*cells.shape, 3), np.uint8)

    picture = turned(Turn.of(corners((0, 0), 20_000, 20_000, 45), 1), render)
    assert picture.shape == (20_000, 20_000, 3)
    assert picture.paint(5000, 5600).shape == (600, 20_000, 3)
    assert max(max(shape) for shape in asked) < 512 * math.sqrt(2) + 4


@given(degrees=st.floats(-179, 179), x=st.floats(-50, 50), y=st.floats(-50, 50))
def test_points_are_placed_where_their_pixels_come_to_lie(degrees, x, y):
    turn = Turn.of(corners((x, y), 80, 40, degrees), 2)
    assert turn.shape == (20, 40)
    assert turn.degrees == pytest.approx(-degrees, abs=1e-6)
    sx, sy = turn.sources(Window(5, 6, 7, 8))
    (placed,) = turn.placed(((float(sx[0, 0] + 0.5) * 2, float(sy[0, 0] + 0.5) * 2),))
    assert placed == pytest.approx((2 * 5.5, 2 * 7.5), abs=1e-6)


REFUSED = [
    pytest.param(((0, 0), (1, 0), (1, 1)), "4 corners", id="a triangle"),
    pytest.param(((0, 0), (0, 0), (0, 0), (0, 0)), "a width and a height", id="a point"),
    pytest.param(((0, 0), (5, 0), (5, 0), (0, 0)), "a width and a height", id="a line"),
]


@pytest.mark.parametrize(("points", "message"), REFUSED)
def test_what_is_no_box_is_refused(points, message):
    with pytest.raises(RegionError, match=message):
        Turn.of(points, 1)


# --- as an item -----------------------------------------------------------------------------------------------
def item_of(points, step=1, **fields):
    x, y = zip(*points, strict=True)
    return ExportItem(
        item_id="map-roi:x",
        kind="map-roi",
        stem="x",
        region=Region(min(x), max(x), min(y), max(y)),
        shape=points,
        upright=True,
        downsample=step,
        pixel_size_um=0.5,
        **fields,
    )


ANY = {"kind": "map", "ids": ["7"]}


@pytest.mark.parametrize("step", [1, 3])
@pytest.mark.parametrize("where", [{"map_id": "7"}, {"fov": "a"}])
@pytest.mark.parametrize("degrees", [0, 20, -65, 170])
def test_it_is_the_whole_rendering_turned(dataset, plan, step, where, degrees):
    profile, shown = dataset.profiles["tissue"], plan(ANY, overlays={"masks": ["cell"]}, background="#204060")
    whole = (
        render_item(ExportItem(item_id="", kind="map", stem="m", downsample=step, **where), shown, profile, dataset)
    ).picture.array()
    height, width = whole.shape[:2]
    points = corners((width * step / 2, height * step / 2), 15, 9, degrees)
    figure = render_item(item_of(points, step, **where), shown, profile, dataset)
    found = figure.picture.array()
    assert found.shape == (math.floor(9 / step + 0.5), math.floor(15 / step + 0.5), 3)
    assert figure.pixel_size_um == 0.5 * step
    assert np.abs(found - reference(whole, points, step, found.shape[:2])).max() <= 0.5 + 1e-6
    turned_by = [note for note in figure.notes if "clockwise" in note]
    assert turned_by == ([f"turned {'counter-' if degrees > 0 else ''}clockwise by {abs(degrees)}°"] if degrees else [])


def test_the_scale_bar_stays_upright_and_as_long(dataset, plan):
    profile, points = dataset.profiles["tissue"], corners((38, 16), 30, 20, 30)
    bare = render_item(item_of(points, map_id="7"), plan(ANY), profile, dataset)
    barred = render_item(
        item_of(points, map_id="7"), plan(ANY, scale_bar={"enabled": True, "length_um": 5}), profile, dataset
    )
    differs = (bare.picture.array() != barred.picture.array()).any(axis=-1)
    bar = barred.drawings[0]
    assert bar.width == 10
    assert differs[bar.y : bar.y + bar.height, bar.x : bar.x + bar.width].any()
    np.testing.assert_array_equal(barred.plain.array(), bare.picture.array())


def test_shapes_turn_with_it(dataset, plan):
    shown = plan(ANY, overlays={"rois": True})
    roi = next(roi for roi in dataset.rois if roi.name == "tri")
    middle = tuple(np.mean(roi.points, axis=0))
    points = corners(middle, 60, 60, 40)
    figure = render_item(item_of(points, map_id="7"), shown, dataset.profiles["tissue"], dataset)
    turn = Turn.of(points, 1)
    expected = np.array(turn.placed(roi.points))
    lines = [np.array(one.points) for one in figure.drawings if isinstance(one, Shape)]
    assert any(len(line) == len(expected) and np.abs(line - expected).max() <= 1 for line in lines)
    drawn = (figure.picture.array() == (255, 255, 0)).all(axis=-1)
    plain = (figure.plain.array() == (255, 255, 0)).all(axis=-1)
    assert (drawn & ~plain).sum() > 10


def test_what_lies_beyond_is_background_and_is_said(dataset, plan):
    profile, shown = dataset.profiles["tissue"], plan(ANY, background="#204060")
    for where, message in (({"map_id": "7"}, "shows no tile"), ({"fov": "a"}, "reaches beyond FOV a")):
        figure = render_item(item_of(corners((0, 0), 20, 20, 30), **where), shown, profile, dataset)
        assert any(message in note for note in figure.notes)
        np.testing.assert_array_equal(figure.picture.array()[0, 0], (32, 64, 96))
        with pytest.raises(RegionError, match="wholly outside the data"):
            render_item(item_of(corners((-500, 0), 20, 20, 30), **where), shown, profile, dataset)


def test_tiles_that_cannot_be_read_are_told_once(dataset, plan, monkeypatch):
    monkeypatch.setattr("napari_slicemap.export.content.upright._BLOCK", 4)
    height, width = dataset.maps["8"].shape
    points = corners((width / 2, height / 2), width, height, 5)
    figure = render_item(item_of(points, map_id="8"), plan(ANY, on_missing="mark"), dataset.profiles["tissue"], dataset)
    assert figure.missing == ()
    figure.picture.array()
    assert len(figure.missing) == 1
    assert "FOV gone" in figure.missing[0]


# --- a real wafer ---------------------------------------------------------------------------------------------
def test_sections_of_a_wafer_stand_upright(real_data):
    with Image.open(real_data / "wafer" / "wafer_example1.jpg") as file:
        wafer = np.asarray(file.convert("L"))
    sections = json.loads((real_data / "wafer" / "wafer_example1.mass.json").read_text())["sections"]
    settings = {"light": ChannelSettings("#ffffff", (0, 255))}
    whole = render_fov_to_array({"light": wafer}, settings)
    inside, below = [], wafer[wafer > 0].mean()
    for number in range(0, 433, 24):
        points = tuple(map(tuple, sections[str(number)]["sample"]["polygon"]))
        found = upright(whole, points)
        # its sides are drawn by hand: the box with right angles along the first one, in the same place
        (x0, y0), (x1, y1), middle = *points[:2], np.mean(points, axis=0)
        box = corners(middle, 10, 10, math.degrees(math.atan2(y1 - y0, x1 - x0)))
        expected = reference(whole, box, 1, found.shape[:2])
        assert np.abs(found.array() - expected).max() <= 0.5 + 1e-6
        inside.append(found.array().mean())
    assert np.mean(inside) < 0.6 * below, "sections are dark on a bright wafer"

"""``render_item``: a figure whose picture is painted as it is written."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from PIL import Image, ImageDraw
from scipy.ndimage import binary_dilation
from shapely.geometry import Point, Polygon

from napari_slicemap import compute_scale_bar, render_fov_to_array
from napari_slicemap.errors import PlanError, RegionError, UnknownNameError
from napari_slicemap.export.choosing.resolve import resolve
from napari_slicemap.export.content.figure import Figure, _clipped, render_item
from napari_slicemap.export.writers import find_writer
from napari_slicemap.render.drawings import Shape
from napari_slicemap.render.picture import Picture
from napari_slicemap.render.scale_bar import ScaleBarStyle, draw_scale_bar


def figure_of(plan, dataset):
    (item,) = resolve(plan, dataset).items
    return render_item(item, plan, dataset.profiles["tissue"], dataset)


def in_bands(picture, edges):
    inner = sorted({0, picture.shape[0], *(edge for edge in edges if edge < picture.shape[0])})
    return np.concatenate([picture.paint(top, end) for top, end in pairwise(inner)])


SELECTS = [
    pytest.param({"kind": "map", "ids": ["7"]}, id="map"),
    pytest.param({"kind": "map-roi", "ids": ["tri"], "clip": "polygon"}, id="clipped ROI on a map"),
    pytest.param({"kind": "fov", "ids": ["a"]}, id="FOV"),
    pytest.param({"kind": "fov-roi", "ids": ["ragged"], "clip": "polygon"}, id="ROI that its FOV cuts"),
    pytest.param({"kind": "cell", "ids": ["a:1"], "size_px": 33}, id="cell"),
]


@pytest.mark.parametrize("downsample", [1, 3])
@pytest.mark.parametrize("select", SELECTS)
def test_rows_are_the_same_however_they_are_cut(dataset, plan, select, downsample):
    shown = {"masks": ["cell"], "rois": True}
    made = plan(select, downsample=downsample, overlays=shown, scale_bar={"enabled": True})
    picture = figure_of(made, dataset).picture
    whole = picture.array()
    assert whole.shape == picture.shape
    for edges in ((1,), (2, 5, 7), range(40)):
        np.testing.assert_array_equal(in_bands(picture, edges), whole)


def test_nothing_of_a_map_is_read_before_it_is_painted(dataset, plan, monkeypatch):
    read = []
    monkeypatch.setattr("napari_slicemap.images.fov.Fov.read", lambda *a, **k: read.append(a), raising=False)
    monkeypatch.setattr("napari_slicemap.render.virtual_map.paint", lambda *a, **k: read.append(a))
    assert figure_of(plan({"kind": "map", "ids": ["7"]}), dataset).picture.shape == (32, 76, 3)
    assert read == []


def test_what_could_not_be_read_is_told_once_it_was_written(dataset, plan, tmp_path):
    writer = find_writer("png")
    figure = figure_of(plan({"kind": "map", "ids": ["8"]}, on_missing="mark"), dataset)
    writer.write(tmp_path / "f.png", figure, writer.Options())
    assert len(figure.missing) == 1
    assert "FOV gone" in figure.missing[0]
    assert figure.warnings == (f"not readable: {figure.missing[0]}",)


def test_warnings_say_first_what_could_not_be_read():
    missing = []
    figure = Figure(Picture((1, 1, 3), lambda *_: None, missing=missing), None, ("a note",))
    assert (figure.missing, figure.warnings) == ((), ("a note",))
    missing.append("FOV x: gone")
    assert figure.missing == ("FOV x: gone",)
    assert figure.warnings == ("not readable: FOV x: gone", "a note")


def test_a_region_in_a_gap_is_refused_before_it_is_painted(dataset, plan, monkeypatch):
    (item,) = resolve(plan({"kind": "map", "ids": ["7"]}), dataset).items
    empty = Picture((5, 5, 3), lambda *_: None, empty_fraction=1.0)
    monkeypatch.setattr("napari_slicemap.VirtualMap.picture", lambda *a, **k: empty)
    with pytest.raises(RegionError, match="map 7: no tile lies in the region"):
        render_item(item, plan({"kind": "map", "ids": ["7"]}), dataset.profiles["tissue"], dataset)


def test_the_scale_bar_is_that_of_the_whole_picture(dataset, plan):
    select = {"kind": "map-roi", "ids": ["tri"], "clip": "polygon"}
    plain = figure_of(plan(select), dataset).picture.array()
    barred = figure_of(plan(select, scale_bar={"enabled": True, "fraction": 0.5}), dataset)
    bar = compute_scale_bar(plain.shape[1], 500, 0.5)
    expected, warning = draw_scale_bar(plain, bar, ScaleBarStyle(enabled=True, fraction=0.5))
    np.testing.assert_array_equal(in_bands(barred.picture, range(0, 99, 2)), expected)
    assert [note for note in barred.warnings if "scale bar" in note] == ([warning] if warning else [])


# --- what is drawn apart from the pixels --------------------------------------------------------------------
@pytest.mark.parametrize("select", SELECTS)
def test_the_plain_picture_is_the_one_without_drawings(dataset, plan, select):
    masks = {"masks": ["cell"]}
    bare = figure_of(plan(select, overlays=masks), dataset)
    drawn = figure_of(plan(select, overlays={**masks, "rois": True}, scale_bar={"enabled": True}), dataset)
    assert (bare.plain, bare.drawings) == (None, ())
    assert bare.ground is bare.picture
    assert drawn.drawings
    assert drawn.plain.shape == drawn.picture.shape
    np.testing.assert_array_equal(drawn.ground.array(), bare.picture.array())
    assert drawn.name == bare.name != ""
    height, width, _ = drawn.picture.shape
    for one in drawn.drawings:
        if isinstance(one, Shape):
            (left, top), (right, bottom) = np.min(one.points, axis=0), np.max(one.points, axis=0)
            assert -1e-9 <= left <= right <= width + 1e-9
            assert -1e-9 <= top <= bottom <= height + 1e-9


def test_a_shape_lies_where_its_pixels_are(dataset, plan):
    figure = figure_of(plan({"kind": "map", "ids": ["7"]}, overlays={"rois": True}), dataset)
    drawn = (figure.picture.array() != figure.plain.array()).any(axis=-1)
    canvas = Image.new("1", drawn.shape[::-1])
    for shape in figure.drawings:
        points = [(int(x), int(y)) for x, y in shape.points]
        ImageDraw.Draw(canvas).line(points + points[:1] * shape.closed, fill=1)
    lines = np.asarray(canvas)
    assert lines.any()
    # the same lines but for rounding: none of either is further than one px from the other
    assert (binary_dilation(lines, np.ones((3, 3))) | ~drawn).mean() > 0.995
    assert (binary_dilation(drawn, np.ones((3, 3))) | ~lines).mean() > 0.995


def test_a_file_of_one_channel_shows_it_alone_though_it_is_invisible(dataset, plan):
    shown = plan({"kind": "fov", "ids": ["a"]})
    (item,) = resolve(shown, dataset).items
    profile = dataset.profiles["tissue"]
    for name, settings in profile.channels.items():
        hidden = profile.model_copy(update={"channels": {**profile.channels, name: replace(settings, visible=False)}})
        one = render_item(item.model_copy(update={"channels": (name,)}), shown, hidden, dataset)
        expected = render_fov_to_array(dataset.fovs["a"], {name: replace(settings, visible=True)})
        np.testing.assert_array_equal(one.picture.array(), expected)
    with pytest.raises(UnknownNameError, match="profile tissue: unknown channel 'nope'"):
        render_item(item.model_copy(update={"channels": ("nope",)}), shown, profile, dataset)


@pytest.mark.parametrize("when", [{"t": "all"}, {"z": "all"}])
def test_one_picture_shows_one_time_and_one_plane(dataset, plan, when):
    for select in ({"kind": "fov", "ids": ["a"]}, {"kind": "map", "ids": ["7"]}):
        (item,) = resolve(plan(select), dataset).items
        with pytest.raises(PlanError, match="one time point and one plane"):
            render_item(item, plan(select, **when), dataset.profiles["tissue"], dataset)


def test_where_a_format_has_no_transparency_it_is_said(dataset, plan):
    select = {"kind": "map-roi", "ids": ["tri"], "clip": "polygon"}
    notes = {form: figure_of(plan(select, format=form), dataset).notes for form in ("jpg", "png")}
    assert [note for note in notes["jpg"] if note not in notes["png"]] == [
        "jpg has no transparency; #000000 lies outside"
    ]


# --- the clip -------------------------------------------------------------------------------------------------
@st.composite
def stars(draw):
    """Corners of a simple polygon around (0, 0), at rising angles."""
    angles = sorted(draw(st.lists(st.integers(0, 359), min_size=3, max_size=12, unique=True)))
    radii = draw(st.lists(st.floats(2, 30), min_size=len(angles), max_size=len(angles)))
    return [
        (float(r * np.cos(np.radians(a))), float(r * np.sin(np.radians(a))))
        for a, r in zip(angles, radii, strict=True)
    ]  # fmt: skip


def clipped(points, downsample=1, half=32):
    """Alpha of a picture of the square around (0, 0) that is clipped to a polygon."""
    side = 2 * half // downsample
    rows = np.full((side, side, 3), 7, np.uint8)
    return _clipped(Picture.of(rows), tuple(((x + half) / downsample, (y + half) / downsample) for x, y in points))


@given(points=stars(), downsample=st.sampled_from([1, 4]), cuts=st.lists(st.integers(1, 60), max_size=4))
def test_px_are_opaque_where_their_centre_lies_inside(points, downsample, cuts):
    assume(Polygon(points).is_valid)  # of one that crosses itself, the reference keeps only a part
    picture = clipped(points, downsample)
    made = in_bands(picture, cuts)
    np.testing.assert_array_equal(made, picture.array())
    assert (made[..., :3] == 7).all()
    assert set(np.unique(made[..., 3])) <= {0, 255}
    polygon = Polygon(points)
    edge = Polygon(points).exterior
    for row, column in np.ndindex(made.shape[:2]):
        centre = Point((column + 0.5) * downsample - 32, (row + 0.5) * downsample - 32)
        if edge.distance(centre) > 1e-6:
            assert (made[row, column, 3] == 255) == polygon.contains(centre)


def test_a_shape_whose_lines_cross_is_filled_by_the_even_odd_rule():
    bow = clipped([(-20, -20), (20, 20), (20, -20), (-20, 20)]).array()[..., 3]
    assert bow[32, 14] == bow[32, 50] == 255
    assert bow[14, 32] == bow[50, 32] == 0


def test_neighbouring_shapes_share_no_px_and_leave_none_out():
    left, right = ([(x, -20), (0, -20), (5, 0), (0, 20), (x, 20)] for x in (-20, 20))
    covered = sum((clipped(points).array()[..., 3] == 255).astype(int) for points in (left, right))
    assert (covered[12:52, 12:52] == 1).all()


def test_a_shape_that_reaches_beyond_the_picture_is_cut():
    assert (clipped([(-99, -99), (99, -99), (99, 99), (-99, 99)]).array()[..., 3] == 255).all()
    assert (clipped([(50, 50), (60, 50), (60, 60)]).array()[..., 3] == 0).all()

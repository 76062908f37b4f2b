"""Masks, annotations and shapes over the channels."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_slicemap import AnnotationOverlay, ChannelSettings, MaskOverlay, Region, RoiOverlay, render_fov_to_array
from napari_slicemap.images.region import Grid, Window
from napari_slicemap.render.overlays import OUTSIDE, draw_shapes, halo, in_drawing_order, outline, output_thickness
from scenes import make_fov, make_map

BLACK = {"A": ChannelSettings("#ffffff", (1e6, 2e6))}

THICKNESS = [
    pytest.param(1, 1, 1, id="as asked at full size"),
    pytest.param(1, 8, 1, id="never below one"),
    pytest.param(3, 2, 2, id="the half rounds up"),
    pytest.param(4, 3, 1, id="four thirds"),
    pytest.param(5, 2, 3, id="two and a half"),
    pytest.param(10, 4, 3, id="again the half"),
]


@pytest.mark.parametrize(("asked", "step", "expected"), THICKNESS)
def test_thickness_in_output_px(asked, step, expected):
    assert output_thickness(asked, step) == expected


def shown(labels, thickness=1, owner=None):
    return ["".join(".#"[int(on)] for on in row) for row in outline(np.array(labels, np.int64), thickness, owner)]


def square(size, low, high):
    labels = np.zeros((size, size), int)
    labels[low:high, low:high] = 1
    return labels


OUTLINES = [
    pytest.param(square(5, 1, 4), 1, [".....", ".###.", ".#.#.", ".###.", "....."], id="inside the label, one px"),
    pytest.param(
        square(7, 1, 6), 2, [".......", *[".#####."] * 2, ".##.##.", *[".#####."] * 2, "......."], id="two px"
    ),
    pytest.param(square(5, 1, 4), 9, [".....", ".###.", ".###.", ".###.", "....."], id="thicker than the label"),
    pytest.param(square(3, 0, 3), 1, ["...", "...", "..."], id="the image edge is no boundary"),
    pytest.param([[1, 1, 0], [1, 1, 0]], 1, [".#.", ".#."], id="cut by the image"),
    pytest.param([[1, 1, 2, 2]], 1, [".##."], id="two labels touch: each has its line"),
    pytest.param([[1, 1, 2, 2]], 2, ["####"], id="thick lines stay in their labels"),
    pytest.param([[1, 1, OUTSIDE]], 1, ["..."], id="where no image is, is no boundary"),
    pytest.param([[0, 0], [0, 0]], 1, ["..", ".."], id="nothing there"),
]


@pytest.mark.parametrize(("labels", "thickness", "expected"), OUTLINES)
def test_outline(labels, thickness, expected):
    assert shown(labels, thickness) == expected


def slow_outline(labels, thickness):
    """Px of a label with another label within `thickness` steps, each to one of four neighbours, in the label."""
    height, width = labels.shape
    made = np.zeros(labels.shape, bool)
    for y, x in np.argwhere(labels > 0):
        near, seen = {(y, x)}, {(y, x)}
        for _ in range(thickness):
            around = {(i + di, j + dj) for i, j in near for di, dj in ((0, 1), (1, 0), (0, -1), (-1, 0))}
            around = {(i, j) for i, j in around - seen if 0 <= i < height and 0 <= j < width}
            made[y, x] |= any(labels[p] != labels[y, x] for p in around)
            near = {p for p in around if labels[p] == labels[y, x]}
            seen |= near
    return made


@given(
    labels=st.lists(st.lists(st.integers(0, 2), min_size=6, max_size=6), min_size=1, max_size=7),
    thickness=st.integers(1, 4),
)
def test_outline_equals_the_slow_reference(labels, thickness):
    labels = np.array(labels, np.int64)
    np.testing.assert_array_equal(outline(labels, thickness), slow_outline(labels, thickness))


# --- across tile borders --------------------------------------------------------------------------------------
def cut_in_two(labels, at, *, renumber):
    """Put an image of labels on a map as two tiles; the right one numbers its cells apart, as tools do."""
    labels = np.asarray(labels, np.uint16)
    right = np.where(labels[:, at:] > 0, labels[:, at:] + 40 * renumber, 0).astype(np.uint16)
    tiles = [
        make_fov(name, {"A": np.zeros(part.shape, np.uint8)}, masks={"cell": part})
        for name, part in (("left", labels[:, :at]), ("right", right))
    ]
    return make_map([(tiles[0], 0, 0), (tiles[1], at, 0)])


@pytest.mark.parametrize("at", [4, 5, 6, 9])
@pytest.mark.parametrize("thickness", [1, 2, 3])
@pytest.mark.parametrize("step", [1, 2])
def test_a_label_across_a_tile_border_has_no_doubled_or_broken_line(at, thickness, step):
    labels = np.zeros((12, 14), int)
    labels[2:10, 3:12] = 1
    how = {"overlays": [MaskOverlay("cell", thickness_px=thickness)], "downsample": step}
    uncut = render_fov_to_array(
        make_fov("f", {"A": np.zeros(labels.shape, np.uint8)}, masks={"cell": labels}), BLACK, **how
    )
    for renumber in (False, True):
        made = cut_in_two(labels, at, renumber=renumber).render_region(None, BLACK, **how)
        np.testing.assert_array_equal(made, uncut)


def test_a_label_that_ends_at_a_tile_border_is_closed_there():
    labels = np.zeros((6, 8), int)
    labels[1:5, 1:4] = 1
    made = cut_in_two(labels, 4, renumber=True).render_region(None, BLACK, overlays=[MaskOverlay("cell")])
    assert (made[1:5, 3] == 255).all()
    assert not made[:, 4:].any()


def test_a_mask_goes_over_an_annotation_and_shapes_over_both():
    fov = make_fov(
        "f",
        {"A": np.zeros((3, 3), np.uint8)},
        masks={"cell": np.full((3, 3), 1)},
        annotations={"zone": np.full((3, 3), 1)},
    )
    overlays = [
        RoiOverlay([[(0, 0), (2, 0)]], closed=False, color="#0000ff"),
        MaskOverlay("cell", "fill", color="#00ff00", alpha=0.5),
        AnnotationOverlay("zone", {1: "#ff0000"}, alpha=1),
    ]
    assert [type(o).__name__ for o in in_drawing_order(overlays)] == ["AnnotationOverlay", "MaskOverlay", "RoiOverlay"]
    made = render_fov_to_array(fov, BLACK, overlays=overlays)
    assert made[0].tolist() == [[0, 0, 255]] * 3
    assert made[1, 0].tolist() == [128, 128, 0]


def test_each_fov_of_a_map_has_its_own_annotation_colours(tmp_path):
    """The map shows what the FOVs alone show: label 1 may mean something else next door."""
    tiles = []
    for name, color in (("left", "#ff0000"), ("right", "#0000ff")):
        table = tmp_path / f"{name}_zone.csv"
        table.write_text(f"label,name,color\n1,x,{color}\n")
        zone = {"zone": np.ones((4, 4), np.uint8)}
        tiles.append(make_fov(name, {"A": np.zeros((4, 4), np.uint8)}, annotations=zone, tables={"zone": table}))
    drawn = [AnnotationOverlay("zone", alpha=1)]
    one = make_map([(tiles[0], 0, 0), (tiles[1], 4, 0)])
    made = one.render_region(None, BLACK, overlays=drawn)
    alone = [render_fov_to_array(fov, BLACK, overlays=drawn) for fov in tiles]
    np.testing.assert_array_equal(made, np.concatenate(alone, axis=1))


@pytest.mark.parametrize(
    ("overlay", "step", "expected"),
    [
        pytest.param(MaskOverlay("c", "fill"), 1, 0, id="a fill needs no halo"),
        pytest.param(MaskOverlay("c", thickness_px=6), 2, 3, id="an outline needs its thickness"),
        pytest.param(RoiOverlay([], thickness_px=9), 1, 0, id="a shape needs none"),
    ],
)
def test_halo(overlay, step, expected):
    assert halo([overlay], step) == expected


# --- shapes ---------------------------------------------------------------------------------------------------
@given(
    points=st.lists(st.tuples(st.integers(-300, 300), st.integers(-300, 300)), min_size=2, max_size=5),
    thickness=st.integers(1, 7),
    step=st.sampled_from([1, 3, 8]),
    at=st.tuples(st.integers(0, 90), st.integers(0, 90)),
    shift=st.sampled_from([0, 8 * 12345, -8 * 100_000]),
)
def test_shapes_are_the_same_in_every_part_however_far_from_the_corner(points, thickness, step, at, shift):
    moved = [(x + 3 * shift, y + 3 * shift) for x, y in points]
    cells = shift * 3 // step
    whole = np.zeros((100, 100, 3), np.uint8)
    overlay = RoiOverlay([moved], thickness_px=thickness)
    draw_shapes(whole, overlay, Grid(step), Window(cells, cells + 100, cells, cells + 100))
    part = np.zeros((10, 10, 3), np.uint8)
    x, y = cells + at[0], cells + at[1]
    draw_shapes(part, overlay, Grid(step), Window(x, x + 10, y, y + 10))
    np.testing.assert_array_equal(part, whole[at[1] : at[1] + 10, at[0] : at[0] + 10])


@pytest.mark.parametrize("thickness", [1, 2, 3, 4, 5])
def test_a_straight_line_has_its_thickness(thickness):
    image = np.zeros((20, 20, 3), np.uint8)
    overlay = RoiOverlay([[(2, 10), (17, 10)]], closed=False, color="#ffffff", thickness_px=thickness)
    draw_shapes(image, overlay, Grid(), Window(0, 20, 0, 20))
    assert (image[:, 10, 0] > 0).sum() == thickness
    assert np.flatnonzero(image[10, :, 0]).tolist() == list(range(2, 18))


def test_what_lies_left_of_the_corner_stays_outside():
    image = np.zeros((4, 4, 3), np.uint8)
    overlay = RoiOverlay([[(-4, -4), (-4, 30)], [(-4, -4), (30, -4)]], closed=False)
    draw_shapes(image, overlay, Grid(8), Window(0, 4, 0, 4))
    assert not image.any(), "px -4 belongs to cell -1"


def test_a_shape_is_closed_unless_it_is_a_line():
    one = make_map([(make_fov("f", {"A": np.zeros((9, 9), np.uint8)}), 0, 0)])
    corners = [[(1.0, 1.0), (7.0, 1.0), (7.0, 7.0)]]
    closed = one.render_region(None, BLACK, overlays=[RoiOverlay(corners)])
    opened = one.render_region(None, BLACK, overlays=[RoiOverlay(corners, closed=False)])
    assert closed[4, 4].any()
    assert not opened[4, 4].any()
    np.testing.assert_array_equal(closed[1, 1:7], opened[1, 1:7])


def test_the_line_of_a_box_lies_inside_the_half_open_box():
    one = make_map([(make_fov("f", {"A": np.zeros((9, 9), np.uint8)}), 0, 0)])
    box = RoiOverlay([[(2.0, 1.0), (7.0, 1.0), (7.0, 6.0), (2.0, 6.0)]])
    drawn = one.render_region(None, BLACK, overlays=[box]).any(axis=-1)
    expected = np.zeros((9, 9), bool)
    expected[1:6, 2:7] = True
    expected[2:5, 3:6] = False
    np.testing.assert_array_equal(drawn, expected)


REFUSED = [
    pytest.param(lambda: MaskOverlay("c", mode="dotted"), "mode", id="mode"),
    pytest.param(lambda: MaskOverlay("c", thickness_px=0), "thickness_px", id="thickness 0"),
    pytest.param(lambda: MaskOverlay("c", alpha=1.5), "alpha", id="alpha"),
    pytest.param(lambda: AnnotationOverlay("z", {1: "nope"}), "is no colour", id="colour"),
    pytest.param(lambda: RoiOverlay([[(0, 0)]], width=3), "width", id="unknown key"),
]


@pytest.mark.parametrize(("make", "message"), REFUSED)
def test_refused(make, message):
    with pytest.raises((ValueError, TypeError), match=message):
        make()


def test_overlays_reach_into_a_region_from_beyond_it():
    labels = np.zeros((9, 9), int)
    labels[:, 4:] = 1
    one = make_map([(make_fov("f", {"A": np.zeros((9, 9), np.uint8)}, masks={"cell": labels}), 0, 0)])
    made = one.render_region(Region(5, 9, 0, 9), BLACK, overlays=[MaskOverlay("cell", thickness_px=3)])
    assert [bool(column.any()) for column in made[4]] == [True, True, False, False]

"""A map rendered against slow loops, and every part of it against the whole."""

import itertools
import pickle
import re
from unittest import mock

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_slicemap import AnnotationOverlay, ChannelSettings, MaskOverlay, Region, RoiOverlay
from napari_slicemap.errors import PixelSizeUnknownError, RegionError, TileReadError, UnknownNameError
from napari_slicemap.images.region import Grid, Window
from scenes import (
    RULES,
    SETTINGS,
    Tile,
    make_fov,
    make_map,
    map_of,
    reference_map,
    reference_owner,
    tiles_from_seed,
)

STEPS = (1, 2, 3, 8)
OVERLAYS = {
    "none": [],
    "outline": [MaskOverlay("cell", color="#ffff00")],
    "thick outline": [MaskOverlay("cell", color="#00ffff", thickness_px=5, alpha=0.7)],
    "fill": [MaskOverlay("cell", mode="fill", alpha=0.5)],
    "annotation": [AnnotationOverlay("zone", {1: "#ff00ff", 2: "#ffffff"})],
    "shapes": [
        RoiOverlay([[(1.5, 2.5), (20.2, 4.0), (9.0, 19.7)], [(-6.0, 3.0), (40.0, 11.0)]], thickness_px=1),
        RoiOverlay([[(0.0, 0.0), (17.0, 17.0), (3.0, 12.0)]], closed=False, color="#ff0000", thickness_px=3),
    ],
}
OVERLAYS["all"] = [overlay for overlays in list(OVERLAYS.values()) for overlay in overlays]

boxes = st.lists(
    st.tuples(st.integers(0, 14), st.integers(0, 14), st.integers(1, 13), st.integers(1, 13)), min_size=1, max_size=4
)
seeds = st.integers(0, 2**32 - 1)
rules = st.sampled_from(RULES)
steps = st.sampled_from(STEPS)
small_blocks = st.sampled_from([1, 37, 2**22])


def blocks_of(samples):
    return mock.patch("napari_slicemap.render.scene._BLOCK_SAMPLES", samples)


@st.composite
def region_of(draw, shape):
    """A region that shares a pixel with a map of a shape, with fractional bounds, and often beyond its edges."""
    bounds = []
    for size in (shape[1], shape[0]):
        low = draw(st.floats(-6, size - 0.01, allow_subnormal=False))
        high = draw(st.floats(max(low, 0) + 0.01, size + 6, allow_subnormal=False))
        bounds += [low, high]
    return Region(*bounds)


def crop(whole, region, step, fill=0):
    """Crop the rendering of a whole map to a region, with a background around it."""
    pad = 16 // step + 16
    padded = np.pad(whole, [(pad, pad), (pad, pad)] + [(0, 0)] * (whole.ndim - 2), constant_values=fill)
    x0, x1 = int(np.floor(np.floor(region.x_min) / step)), int(np.ceil(np.ceil(region.x_max) / step))
    y0, y1 = int(np.floor(np.floor(region.y_min) / step)), int(np.ceil(np.ceil(region.y_max) / step))
    return padded[y0 + pad : y1 + pad, x0 + pad : x1 + pad]


# --- against the reference ------------------------------------------------------------------------------------
@given(boxes=boxes, seed=seeds, rule=rules, step=steps, nan=st.booleans(), block=small_blocks)
def test_whole_map_equals_the_slow_reference(boxes, seed, rule, step, nan, block):
    tiles = tiles_from_seed(seed, boxes, nan=nan)
    expected, covered = reference_map(tiles, SETTINGS, step, rule)
    with blocks_of(block):
        made = map_of(tiles).render(None, SETTINGS, downsample=step, overlap=rule)
    assert made.image.shape == expected.shape
    np.testing.assert_array_equal(made.covered, covered)
    assert np.abs(made.image - expected).max() <= 1  # float32 means, rounded once


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "int16", "uint32", "float32", "float64"])
@pytest.mark.parametrize("rule", RULES)
def test_every_dtype_equals_the_slow_reference(dtype, rule):
    tiles = tiles_from_seed(5, [(0, 0, 9, 7), (6, 2, 8, 8), (3, 9, 5, 4)], dtype=dtype)
    for step in (1, 3):
        expected, _ = reference_map(tiles, SETTINGS, step, rule)
        made = map_of(tiles).render_region(None, SETTINGS, downsample=step, overlap=rule)
        assert np.abs(made - expected).max() <= 1


@given(boxes=boxes, seed=seeds, rule=rules)
def test_locate_names_the_tile_that_painted(boxes, seed, rule):
    # flat tiles of different values: the colour of a pixel tells who painted it
    noisy = tiles_from_seed(seed, boxes)
    tiles = [Tile(t.name, t.x, t.y, {"A": np.full(t.size[::-1], 40.0 * (i + 1))}) for i, t in enumerate(noisy)]
    one = map_of(tiles)
    height, width = one.shape
    image = one.render_region(None, {"A": ChannelSettings("#ffffff", (0, 255))}, overlap=rule)[..., 0]
    for y, x in itertools.product(range(height), range(width)):
        owner = reference_owner(tiles, x, y, rule)
        assert one.locate(x + 0.99, y + 0.01, rule) == (None if owner is None else tiles[owner].name)
        if rule != "blend":
            assert image[y, x] == (0 if owner is None else 40 * (owner + 1))


@pytest.mark.parametrize(
    ("x", "y"),
    [
        pytest.param(-0.01, 3, id="left of it"),
        pytest.param(3, -0.01, id="above it"),
        pytest.param(8, 3, id="its right edge is beyond"),
        pytest.param(3, 6, id="its lower edge is beyond"),
    ],
)
def test_locate_beyond_the_map_is_none(x, y):
    one = map_of(tiles_from_seed(1, [(0, 0, 8, 6)]))
    assert one.locate(x, y) is None
    assert one.locate(7.99, 5.99) == "t0"


# --- a part is a crop of the whole ----------------------------------------------------------------------------
@given(data=st.data(), boxes=boxes, seed=seeds, rule=rules, step=steps, nan=st.booleans(), block=small_blocks)
def test_a_region_equals_the_crop_of_the_whole(data, boxes, seed, rule, step, nan, block):
    one = map_of(tiles_from_seed(seed, boxes, nan=nan))
    overlays = OVERLAYS[data.draw(st.sampled_from(sorted(OVERLAYS)))]
    region = data.draw(region_of(one.shape))
    whole = one.render(None, SETTINGS, downsample=step, overlap=rule, overlays=overlays)
    with blocks_of(block):
        made = one.render(region, SETTINGS, downsample=step, overlap=rule, overlays=overlays)
    np.testing.assert_array_equal(made.image, crop(whole.image, region, step))
    np.testing.assert_array_equal(made.covered, crop(whole.covered, region, step, False))


@given(data=st.data(), boxes=boxes, seed=seeds, rule=rules, step=steps, block=small_blocks)
def test_the_pieces_of_a_partition_put_together_are_the_whole(data, boxes, seed, rule, step, block):
    one = map_of(tiles_from_seed(seed, boxes))
    overlays = OVERLAYS[data.draw(st.sampled_from(sorted(OVERLAYS)))]
    height, width = one.shape
    cuts = [
        sorted({0, size, *data.draw(st.lists(st.integers(0, size // step).map(lambda n: n * step), max_size=3))})
        for size in (width, height)
    ]
    whole = one.render_region(None, SETTINGS, downsample=step, overlap=rule, overlays=overlays)
    with blocks_of(block):
        rows = [
            np.concatenate(
                [
                    one.render_region(
                        Region(x0, x1, y0, y1), SETTINGS, downsample=step, overlap=rule, overlays=overlays
                    )
                    for x0, x1 in itertools.pairwise(cuts[0])
                ],
                axis=1,
            )
            for y0, y1 in itertools.pairwise(cuts[1])
        ]
    np.testing.assert_array_equal(np.concatenate(rows), whole)


@given(data=st.data(), boxes=boxes, seed=seeds, rule=rules, step=steps, block=small_blocks)
def test_with_a_marked_tile_a_region_still_equals_the_crop(data, boxes, seed, rule, step, block):
    tiles = tiles_from_seed(seed, boxes)
    one = make_map([(t.fov, t.x, t.y) for t in tiles], missing=[("gone", 5, 4, 8, 7)])
    overlays = OVERLAYS[data.draw(st.sampled_from(sorted(OVERLAYS)))]
    region = data.draw(region_of(one.shape))
    how = {"downsample": step, "overlap": rule, "overlays": overlays, "on_missing": "mark"}
    whole = one.render(None, SETTINGS, **how)
    with blocks_of(block):
        made = one.render(region, SETTINGS, **how)
    np.testing.assert_array_equal(made.image, crop(whole.image, region, step))
    np.testing.assert_array_equal(made.covered, crop(whole.covered, region, step, False))


@given(data=st.data(), boxes=boxes, seed=seeds, step=steps, rule=rules, block=small_blocks)
def test_uncomposited_channels_of_a_region_equal_the_crop(data, boxes, seed, step, rule, block):
    one = map_of(tiles_from_seed(seed, boxes, dtype="uint16"))
    grid = Grid(step)
    height, width = one.shape
    cells = grid.cells(data.draw(region_of(one.shape)).window())
    inner = grid.cells(Window(0, width, 0, height))
    whole = one.read_stack(list(SETTINGS), inner, grid, overlap=rule)
    with blocks_of(block):
        made = one.read_stack(list(SETTINGS), cells, grid, overlap=rule)
    shared = cells & inner
    rows, columns = shared.slices_in(cells)
    np.testing.assert_array_equal(made[:, rows, columns], whole[(slice(None), *shared.slices_in(inner))])
    made[:, rows, columns] = 0
    assert not made.any()


@given(boxes=boxes, seed=seeds, rule=rules, step=st.sampled_from([4, 5, 9]), nan=st.booleans())
def test_cells_too_large_for_memory_are_put_together_from_pieces(boxes, seed, rule, step, nan):
    one = map_of(tiles_from_seed(seed, boxes, nan=nan))
    whole = one.render(None, SETTINGS, downsample=step, overlap=rule, overlays=OVERLAYS["all"])
    with mock.patch("napari_slicemap.render.scene._LARGEST_STEP", 3):
        pieces = one.render(None, SETTINGS, downsample=step, overlap=rule, overlays=OVERLAYS["all"])
    # the mean of float32 pixels may differ in its last bit
    assert np.abs(pieces.image.astype(int) - whole.image).max() <= 1
    np.testing.assert_array_equal(pieces.covered, whole.covered)


@given(data=st.data(), boxes=boxes, seed=seeds, step=steps)
def test_how_much_is_empty_is_known_before_anything_is_read(data, boxes, seed, step):
    one = map_of(tiles_from_seed(seed, boxes))
    region = data.draw(region_of(one.shape))
    with mock.patch("napari_slicemap.render.overlap._FEW", data.draw(st.sampled_from([1, 256]))):
        told = one.picture(region, SETTINGS, downsample=step).empty_fraction
    assert told == pytest.approx(one.render(region, SETTINGS, downsample=step).empty_fraction, abs=1e-12)


# --- what lies beyond -----------------------------------------------------------------------------------------
def test_beyond_the_map_is_background_and_told():
    one = map_of(tiles_from_seed(2, [(0, 0, 8, 6)]))
    made = one.render(Region(-8, 8, 0, 6), SETTINGS, background="#102030")
    assert made.image.shape == (6, 16, 3)
    assert (made.image[:, :8] == (16, 32, 48)).all()
    np.testing.assert_array_equal(made.image[:, 8:], one.render_region(None, SETTINGS))
    assert made.empty_fraction == 0.5


def test_alpha_is_zero_where_no_tile_lies():
    one = map_of(tiles_from_seed(2, [(0, 0, 5, 6), (9, 0, 5, 6)]))
    made = one.render_region(Region(0, 16, 0, 6), SETTINGS, alpha=True)
    assert made.shape == (6, 16, 4)
    assert made[0, :, 3].tolist() == [255] * 5 + [0] * 4 + [255] * 5 + [0] * 2


@pytest.mark.parametrize(
    "region",
    [
        pytest.param(Region(-5, 0, 0, 6), id="left of it, touching"),
        pytest.param(Region(8, 12, 0, 6), id="right of it, touching"),
        pytest.param(Region(0, 8, -9, -1), id="above it"),
        pytest.param(Region(0, 8, 600, 700), id="far below it"),
    ],
)
def test_a_region_wholly_outside_is_an_error(region):
    one = map_of(tiles_from_seed(2, [(0, 0, 8, 6)]))
    with pytest.raises(RegionError, match=r"map m: the region .* lies wholly outside the data \(x 0–8, y 0–6 px\)"):
        one.render_region(region, SETTINGS)


SIZES = [
    pytest.param(Region(0, 10, 0, 10), 3, (4, 4), id="edge cell cut by the map"),
    pytest.param(Region(2.5, 3.5, 0, 1), 1, (1, 2), id="fractional goes outward"),
    pytest.param(Region(2, 4, 2, 4), 3, (2, 2), id="across a grid line"),
    pytest.param(Region(-1, 1, 0, 1), 8, (1, 2), id="cells at a negative index"),
    pytest.param(Region(-0.5, 0.5, -8.5, 0.5), 8, (3, 2), id="fractional and negative"),
]


@pytest.mark.parametrize(("region", "step", "shape"), SIZES)
def test_output_size(region, step, shape):
    one = map_of(tiles_from_seed(2, [(0, 0, 10, 10)]))
    assert one.render_region(region, SETTINGS, downsample=step).shape == (*shape, 3)


# --- tiles that cannot be read --------------------------------------------------------------------------------
def white(step=1):
    return {"A": ChannelSettings("#ffffff", (0, 100))}


def pair(**second):
    """Two tiles of 8 × 8 px side by side, the left one white (100); `second` changes the right one."""
    left = make_fov("left", {"A": np.full((8, 8), 100, np.uint8)}, masks={"cell": np.ones((8, 8), int)})
    right = make_fov("right", {"A": np.full((8, 8), 100, np.uint8), **second.pop("channels", {})}, **second)
    return make_map([(left, 0, 0), (right, 8, 0)])


MISSING = [
    pytest.param(
        lambda: make_map([(pair().placement.tiles[0].fov, 0, 0)], missing=[("gone", 8, 0, 8, 8)]),
        TileReadError,
        r"FOV gone: map m names it \(row of gone\), but it is not on disk",
        id="named, but not on disk",
    ),
    pytest.param(lambda: pair(broken=True), TileReadError, "FOV right: right_A.tif: cannot be read", id="broken file"),
    pytest.param(
        lambda: make_map(
            [
                (make_fov("left", {"A": np.full((8, 8), 100, np.uint8)}), 0, 0),
                (make_fov("right", {"B": np.full((8, 8), 100, np.uint8)}), 8, 0),
            ]
        ),
        UnknownNameError,
        r"FOV right: unknown channel 'A' \(there is B\)",
        id="lacks the channel",
    ),
]


@pytest.mark.parametrize(("make", "error", "message"), MISSING)
def test_an_unreadable_tile_raises_by_name(make, error, message):
    with pytest.raises(error, match=message):
        make().render_region(None, white())


@pytest.mark.parametrize(("make", "error", "message"), MISSING)
@pytest.mark.parametrize("step", STEPS)
def test_an_unreadable_tile_is_hatched_and_reported(make, error, message, step):
    made = make().render(None, white(), downsample=step, on_missing="mark")
    cut = 8 // step
    assert (made.image[:, :cut] == 255).all(), "the tile that can be read stays what it is"
    hatch = made.image[:, cut + bool(8 % step) :]
    assert set(np.unique(hatch)) <= {48, 112}
    assert made.covered.all()
    assert len(made.missing) == 1
    assert re.fullmatch(message, made.missing[0])


def test_a_hatched_tile_does_not_darken_its_neighbour():
    one = make_map([(pair().placement.tiles[0].fov, 0, 0)], missing=[("gone", 8, 0, 8, 8)])
    made = one.render_region(None, white(), downsample=6, on_missing="mark")
    # the second cell covers two columns of the good tile and four of the missing one
    assert made[0, 0].tolist() == [255] * 3
    assert made[0, 1, 0] in (48, 112)
    assert one.render_region(None, white(), downsample=5, on_missing="mark")[0, 1].tolist() == [255] * 3


def test_a_region_beside_a_missing_tile_is_none_of_its_business():
    one = make_map([(pair().placement.tiles[0].fov, 0, 0)], missing=[("gone", 8, 0, 8, 8)])
    for how in ("raise", "mark"):
        made = one.render(Region(2, 8, 0, 8), white(), overlays=[MaskOverlay("cell")], on_missing=how)
        assert made.missing == ()


def test_a_mask_that_a_tile_lacks_fails_or_is_told():
    one = pair()
    outlines = [MaskOverlay("cell", color="#ff0000")]
    with pytest.raises(UnknownNameError, match=r"FOV right: unknown mask 'cell' \(there is none\)"):
        one.render_region(None, white(), overlays=outlines)
    made = one.render(None, white(), overlays=outlines, on_missing="mark")
    assert made.missing == ("FOV right: unknown mask 'cell' (there is none)",)
    assert (made.image == 255).all(), "pixels that are there are not hatched, and unknown labels make no boundary"


# --- odd tiles ------------------------------------------------------------------------------------------------
def test_a_tile_of_another_pixel_size_is_resampled_and_never_dropped():
    base = make_fov("base", {"A": np.full((8, 8), 50, np.uint8)}, pixel_size_um=1.0)
    usual = make_fov("usual", {"A": np.full((8, 8), 50, np.uint8)}, pixel_size_um=1.0)
    ramp = np.repeat(np.arange(16, dtype=np.uint16)[None], 16, axis=0)
    fine = make_fov("fine", {"A": ramp}, masks={"cell": (ramp >= 8).astype(int)}, pixel_size_um=0.5)
    one = make_map([(base, 0, 0), (usual, 8, 0), (fine, 16, 0)])
    assert one.shape == (8, 24)
    assert one.base_pixel_size_um() == 1.0
    stack = one.read_stack(["A"], Window(16, 24, 0, 8), Grid())
    np.testing.assert_allclose(stack[0], np.repeat((np.arange(8) * 2 + 0.5)[None], 8, axis=0))
    assert one.locate(23, 7) == "fine"
    labels = one.render_region(
        Region(16, 24, 0, 8), {"A": ChannelSettings("red", (1e6, 2e6))}, overlays=[MaskOverlay("cell", "fill")]
    )
    assert labels[0, :, 1].tolist() == [0] * 4 + [255] * 4


def test_tiles_of_several_dtypes_keep_their_values_in_every_band():
    low = make_fov("low", {"A": np.full((4, 4), 200, np.uint8)})
    high = make_fov("high", {"A": np.full((4, 4), 60000, np.uint16)})
    real = make_fov("real", {"A": np.full((4, 4), 0.25, np.float64)})
    one = make_map([(low, 0, 0), (high, 0, 4), (real, 0, 8)])
    with blocks_of(1):
        stack = one.read_stack(["A"], Window(0, 4, 0, 12), Grid())
    assert stack[0, ::4, 0].tolist() == [200, 60000, 0.25]


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "int16", "uint32", "float32", "float64"])
def test_uncomposited_channels_keep_their_dtype_at_full_size(dtype):
    one = map_of(tiles_from_seed(4, [(0, 5, 6, 6), (9, 0, 6, 6)], dtype=dtype))
    with blocks_of(1):
        assert one.read_stack(["A"], Window(0, 15, 0, 11), Grid()).dtype == np.dtype(dtype)
        assert one.read_stack(["A"], Window(0, 5, 0, 4), Grid(3)).dtype == np.float32


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("step", [1, 2])
def test_a_pixel_that_is_nan_in_every_tile_is_dark(rule, step):
    nan = {"A": np.full((4, 4), np.nan, np.float32)}
    one = make_map([(make_fov("a", nan), 0, 0), (make_fov("b", nan), 2, 0)])
    made = one.render_region(None, {"A": ChannelSettings("#ffffff", (-1, 1))}, downsample=step, overlap=rule)
    assert not made.any()


def test_blending_takes_what_is_known():
    nan = make_fov("a", {"A": np.full((4, 4), np.nan, np.float32)})
    ten = make_fov("b", {"A": np.full((4, 4), 10, np.float32)})
    one = make_map([(nan, 0, 0), (ten, 0, 0)])
    np.testing.assert_array_equal(one.read_stack(["A"], Window(0, 4, 0, 4), Grid(), overlap="blend"), 10)


def test_time_and_depth_are_chosen():
    array = np.arange(2 * 3 * 4 * 4, dtype=np.float32).reshape(2, 3, 4, 4)
    one = make_map([(make_fov("a", {"A": array}), 0, 0)])
    for t, z, expected in ((1, 2, array[1, 2]), (0, "max", array[0].max(0)), (1, "mean", array[1].mean(0))):
        np.testing.assert_array_equal(one.read_stack(["A"], Window(0, 4, 0, 4), Grid(), t=t, z=z)[0], expected)
    with pytest.raises(RegionError, match=r"FOV a: t = 2 does not exist \(0 to 1 do\)"):
        one.render_region(None, white(), t=2)


# --- the rest of its face -------------------------------------------------------------------------------------
def test_bounds_and_pixel_size():
    one = make_map([(make_fov("a", {"A": np.zeros((4, 6))}, pixel_size_um=0.5), 2, 1)])
    assert one.map_bounds() == (1.0, 4.0, 0.5, 2.5)
    assert one.base_pixel_size_um() == 0.5
    unknown = map_of(tiles_from_seed(1, [(0, 0, 4, 4)]))
    assert unknown.base_pixel_size_um() is None
    with pytest.raises(PixelSizeUnknownError, match="map m: its pixel size is unknown"):
        unknown.map_bounds()


VISIBLE = [
    pytest.param(Region(0, 1, 0, 1), ["t0"], id="in one"),
    pytest.param(Region(3.5, 4.5, 0, 1), ["t0", "t1"], id="across a border, in painting order"),
    pytest.param(Region(4, 8, 0, 4), ["t1"], id="touching is not sharing"),
    pytest.param(Region(-5, 0, 0, 4), [], id="outside"),
]


@pytest.mark.parametrize(("region", "expected"), VISIBLE)
def test_visible_tiles(region, expected):
    one = map_of(tiles_from_seed(1, [(0, 0, 4, 4), (4, 0, 4, 4)]))
    assert [tile.name for tile in one.collect_visible_tiles(region)] == expected


def test_invalidate_reads_the_tile_anew():
    array = np.zeros((4, 4), np.uint8)
    one = make_map([(make_fov("a", {"A": array}), 0, 0)])
    before = one.render_region(None, white())
    array[:] = 100
    np.testing.assert_array_equal(one.render_region(None, white()), before)
    one.invalidate("a")
    assert (one.render_region(None, white()) == 255).all()


REFUSED = [
    pytest.param({"downsample": 0}, "downsample is 0, expected a whole number of at least 1", id="downsample 0"),
    pytest.param({"downsample": 1.5}, "valid integer", id="downsample is no whole number"),
    pytest.param({"overlap": "max"}, "overlap is 'max', expected last, first, nearest-centre or blend", id="overlap"),
    pytest.param({"levels": "fast"}, "levels is 'fast', expected exact or stored", id="levels"),
]


@pytest.mark.parametrize(("how", "message"), REFUSED)
def test_refused(how, message):
    with pytest.raises(ValueError, match=message):
        map_of(tiles_from_seed(1, [(0, 0, 4, 4)])).render_region(None, SETTINGS, **how)


def test_a_map_can_be_sent_to_another_process():
    one = map_of(tiles_from_seed(1, [(0, 0, 9, 9)]))
    again = pickle.loads(pickle.dumps(one))
    np.testing.assert_array_equal(again.render_region(None, SETTINGS), one.render_region(None, SETTINGS))

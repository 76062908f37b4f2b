"""``render_fov_to_array``: FOVs and plain arrays."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_slicemap import AnnotationOverlay, ChannelSettings, MaskOverlay, Region, RoiOverlay, render_fov_to_array
from napari_slicemap.errors import FileFormatError, RegionError, TileReadError, UnknownNameError
from napari_slicemap.images.cache import ChunkCache
from scenes import SETTINGS, make_fov, reference_map, tiles_from_seed

WHITE = {"A": ChannelSettings("#ffffff", (0, 100))}
STEPS = st.sampled_from([1, 2, 3, 8])


@given(seed=st.integers(0, 999), width=st.integers(1, 20), height=st.integers(1, 20), step=STEPS, nan=st.booleans())
def test_a_fov_and_its_arrays_equal_the_slow_reference(seed, width, height, step, nan):
    tile = tiles_from_seed(seed, [(0, 0, width, height)], nan=nan)[0]
    expected, _ = reference_map([tile], SETTINGS, step, "last")
    for source in (tile.fov, tile.channels):
        made = render_fov_to_array(source, SETTINGS, downsample=step)
        assert made.dtype == np.uint8
        assert np.abs(made - expected).max() <= 1


@given(
    seed=st.integers(0, 999),
    step=STEPS,
    x=st.tuples(st.floats(0, 16.9), st.floats(0.1, 20)),
    y=st.tuples(st.floats(0, 12.9), st.floats(0.1, 20)),
    origin=st.tuples(st.integers(-9, 9), st.integers(-9, 9)),
)
def test_a_region_equals_the_crop_of_the_whole_on_any_grid(seed, step, x, y, origin):
    tile = tiles_from_seed(seed, [(0, 0, 17, 13)])[0]
    overlays = [
        AnnotationOverlay("zone", {1: "#ff00ff"}),
        MaskOverlay("cell", thickness_px=3),
        RoiOverlay([[(2, 3), (14, 9), (5, 11)]]),
    ]
    region = Region(x[0], x[0] + x[1], y[0], y[0] + y[1])
    whole = render_fov_to_array(tile.fov, SETTINGS, downsample=step, overlays=overlays, grid_origin=origin)
    made = render_fov_to_array(
        tile.fov, SETTINGS, region=region, downsample=step, overlays=overlays, grid_origin=origin
    )
    first_column, first_row = (-(origin[0]) // step, -(origin[1]) // step)
    columns = (np.floor(region.x_min), min(17, np.ceil(region.x_max)))
    rows = (np.floor(region.y_min), min(13, np.ceil(region.y_max)))
    x0, x1 = (int(columns[0] - origin[0]) // step, -int(-(columns[1] - origin[0]) // step))
    y0, y1 = (int(rows[0] - origin[1]) // step, -int(-(rows[1] - origin[1]) // step))
    expected = whole[y0 - first_row : y1 - first_row, x0 - first_column : x1 - first_column]
    np.testing.assert_array_equal(made, expected)


def test_nearest_takes_one_pixel_of_each_cell():
    plane = np.arange(49, dtype=np.uint8).reshape(7, 7)
    made = render_fov_to_array({"A": plane}, WHITE, downsample=3, method="nearest", composite=False)
    assert made.dtype == np.uint8
    np.testing.assert_array_equal(made[0], plane[[1, 4, 6]][:, [1, 4, 6]])


def test_uncomposited_is_source_dtype_then_float32():
    plane = np.arange(16, dtype=np.uint16).reshape(4, 4) * 1000
    full = render_fov_to_array({"A": plane}, WHITE, composite=False)
    half = render_fov_to_array({"A": plane}, WHITE, composite=False, downsample=2)
    assert (full.dtype, half.dtype) == (np.uint16, np.float32)
    np.testing.assert_array_equal(half[0], plane.reshape(2, 2, 2, 2).mean(axis=(1, 3)))


def test_invisible_channels_are_not_read_for_a_picture_but_are_for_a_stack():
    fov = make_fov("a", {"A": np.full((2, 2), 100, np.uint8), "B": np.full((2, 2), 7, np.uint8)})
    hidden = {"B": ChannelSettings("red", (0, 1), visible=False)}
    assert (render_fov_to_array(fov, {**WHITE, **hidden}) == 255).all()
    assert not render_fov_to_array(fov, hidden).any()
    assert render_fov_to_array(fov, {**WHITE, **hidden}, composite=False)[:, 0, 0].tolist() == [100, 7]


def test_padding_keeps_the_size_and_shows_the_background():
    plane = np.full((4, 4), 100, np.uint8)
    how = {"region": Region(-2, 2, 2, 6), "pad": True, "background": "#0000ff"}
    made = render_fov_to_array({"A": plane}, WHITE, **how, alpha=True)
    assert made.shape == (4, 4, 4)
    assert (made[:2, 2:] == 255).all()
    assert (made[2:] == (0, 0, 255, 0)).all()
    assert (made[:, :2] == (0, 0, 255, 0)).all()
    assert render_fov_to_array({"A": plane}, WHITE, region=how["region"]).shape == (2, 2, 3)


def test_shapes_lie_right_on_a_grid_with_another_origin():
    plane = np.zeros((40, 40), np.uint8)
    shape = RoiOverlay([[(20, 24), (27, 24)]], closed=False, color="#ffffff")
    made = render_fov_to_array(
        {"A": plane}, WHITE, region=Region(18, 30, 20, 32), grid_origin=(18, 20), overlays=[shape]
    )
    assert np.argwhere(made[..., 0] == 255).tolist() == [[4, column] for column in range(2, 10)]
    half = render_fov_to_array(
        {"A": plane}, WHITE, region=Region(18, 30, 20, 32), downsample=2, grid_origin=(18, 20), overlays=[shape]
    )
    assert np.argwhere(half[..., 0] == 255).tolist() == [[2, column] for column in range(1, 5)]


def test_labels_may_be_given_with_arrays():
    plane, labels = np.zeros((3, 3), np.uint8), np.array([[1, 1, 0]] * 3)
    fill = [MaskOverlay("cell", "fill", color="#ff0000")]
    made = render_fov_to_array({"A": plane}, WHITE, overlays=fill, labels={"cell": labels})
    assert made[0, :, 0].tolist() == [255, 255, 0]


def test_a_cache_changes_no_pixel_and_stays_within_its_bytes():
    tile = tiles_from_seed(3, [(0, 0, 30, 30)])[0]
    plain = render_fov_to_array(tile.fov, SETTINGS)
    for size in (0, 3600, 5000, 20000, 2**20):
        cache = ChunkCache(size)
        for _ in range(2):
            np.testing.assert_array_equal(render_fov_to_array(tile.fov, SETTINGS, cache=cache), plain)
        assert cache.nbytes <= size
    assert len(cache) > 0
    cache.drop({Path(f"{tile.name}_A.tif"), Path(f"{tile.name}_B.tif")})
    assert len(cache) == 0


FOV = make_fov("f", {"A": np.zeros((4, 6), np.uint8), "tubulin": np.zeros((4, 6), np.uint8)})
REFUSED = [
    pytest.param(
        FOV,
        {"Beta-tubulin": WHITE["A"]},
        {},
        UnknownNameError,
        r"FOV f: unknown channel 'Beta-tubulin' \(there is A, tubulin\)",
        id="a channel whose name only contains one",
    ),
    pytest.param({"A": np.zeros((2, 2))}, {"B": WHITE["A"]}, {}, UnknownNameError, "unknown channel 'B'", id="array"),
    pytest.param(FOV, {}, {}, ValueError, "no channel settings", id="no settings"),
    pytest.param({}, WHITE, {}, ValueError, "no channel was given", id="no arrays"),
    pytest.param(
        {"A": np.zeros((2, 2)), "B": np.zeros((2, 3))}, WHITE, {}, ValueError, "of one shape", id="two shapes"
    ),
    pytest.param({"A": np.zeros((2, 2, 3))}, WHITE, {}, ValueError, "2-D arrays", id="three axes"),
    pytest.param(FOV, WHITE, {"region": Region(6, 9, 0, 4)}, RegionError, "FOV f: .*wholly outside", id="outside"),
    pytest.param(FOV, WHITE, {"downsample": 0}, ValueError, "at least 1", id="downsample 0"),
    pytest.param(FOV, WHITE, {"t": 1}, RegionError, "t = 1 does not exist", id="t"),
    pytest.param(FOV, WHITE, {"z": -1}, RegionError, "z = -1 does not exist", id="z"),
    pytest.param({"A": np.zeros((2, 2))}, WHITE, {"t": 1}, RegionError, "one time and one plane", id="t of arrays"),
    pytest.param(FOV, WHITE, {"background": "nope"}, ValueError, "is no colour", id="background"),
    pytest.param(
        FOV, WHITE, {"overlays": [MaskOverlay("cell")]}, UnknownNameError, "FOV f: unknown mask 'cell'", id="mask"
    ),
    pytest.param(
        FOV,
        WHITE,
        {"overlays": [AnnotationOverlay("zone")]},
        UnknownNameError,
        "FOV f: unknown annotation 'zone'",
        id="annotation",
    ),
    pytest.param(
        FOV,
        WHITE,
        {"overlays": [MaskOverlay("cell")], "composite": False},
        ValueError,
        "overlays are drawn on a composite",
        id="overlays without composite",
    ),
    pytest.param(
        {"A": np.zeros((2, 2))},
        WHITE,
        {"overlays": [MaskOverlay("cell")], "labels": {"cell": np.zeros((3, 3), int)}},
        ValueError,
        r"mask cell is \(3, 3\), the channels are \(2, 2\)",
        id="labels of another shape",
    ),
    pytest.param(FOV, WHITE, {"labels": {"cell": np.zeros((4, 6))}}, ValueError, "labels go with arrays", id="labels"),
    pytest.param(
        make_fov("f", {"A": np.zeros((2, 2))}, masks={"cell": np.zeros((2, 2))}),
        WHITE,
        {"overlays": [MaskOverlay("cell")]},
        TileReadError,
        "FOV f: f_cell.tif: a mask holds whole numbers, not float64",
        id="a mask of floats",
    ),
]


@pytest.mark.parametrize(("source", "channels", "how", "error", "message"), REFUSED)
def test_refused(source, channels, how, error, message):
    with pytest.raises(error, match=message):
        render_fov_to_array(source, channels, **how)


def test_an_annotations_own_colours(tmp_path):
    table = tmp_path / "f_zone.csv"
    table.write_text("label,name,color\n1,tumour,red\n2,stroma,#00ff00\n")
    zones = np.array([[0, 1, 2, 3]])
    fov = make_fov("f", {"A": np.zeros((1, 4), np.uint8)}, annotations={"zone": zones}, tables={"zone": table})
    made = render_fov_to_array(fov, WHITE, overlays=[AnnotationOverlay("zone", alpha=1.0)])
    assert made[0].tolist() == [[0, 0, 0], [255, 0, 0], [0, 255, 0], [0, 0, 0]]
    table.write_text("label,name,color\n1,tumour,reddish\n")
    with pytest.raises(FileFormatError, match=r"f_zone.csv: label 1: 'reddish' is no colour"):
        render_fov_to_array(fov, WHITE, overlays=[AnnotationOverlay("zone")])

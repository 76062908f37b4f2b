"""Placement: no gap, no overlap, no extra column; the right way up; every tile somewhere."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from builders import pixels, write_tiff
from napari_slicemap.errors import PixelSizeUnknownError, PlacementError
from napari_slicemap.images.acquisition import TilePosition
from napari_slicemap.images.fov import Fov
from napari_slicemap.images.image import ImagePlane
from napari_slicemap.images.region import Window
from napari_slicemap.images.tiff.tiff_image import TiffImage
from napari_slicemap.maps.placement import Placement, place


def tile(
    name: str, center: tuple[float, float], size: tuple[int, int] = (24, 20), um: float | None = 0.5
) -> TilePosition:
    return TilePosition("m", name, f"m.json ({name})", center_um=center, size_px=size, pixel_size_um=um)


def px_tile(name: str, origin: tuple[float, float], **changes: Any) -> TilePosition:
    return TilePosition("m", name, f"tiles.csv ({name})", origin_px=origin, **{"size_px": (24, 20), **changes})


def windows(placement: Placement) -> dict[str, Window]:
    return {one.name: one.window for one in placement.tiles}


# --- regular grids -------------------------------------------------------------------------------------------
@given(
    um=st.sampled_from([0.39, 0.325, 0.65]),
    rows=st.integers(1, 9),
    columns=st.integers(1, 9),
    width=st.integers(1, 2048),
    height=st.integers(1, 2048),
    x=st.floats(-1e5, 1e5),
    y=st.floats(-1e5, 1e5),
    stage_y=st.sampled_from(["down", "up"]),
    stated=st.booleans(),
)
def test_a_regular_grid_has_no_gap_no_overlap_and_no_extra_column(
    um: float,
    rows: int,
    columns: int,
    width: int,
    height: int,
    x: float,
    y: float,
    stage_y: Any,
    stated: bool,
) -> None:
    # the pixel size as a descriptor gives it, by dividing, or as a table states it
    size = um if stated else (um * width) / width
    positions = [
        tile(f"{r},{c}", (x + (c + 0.5) * width * um, y + (r + 0.5) * height * um), (width, height), size)
        for r in range(rows)
        for c in range(columns)
    ]
    made = place("m", positions, {}, stage_y=stage_y)
    assert made.shape == (rows * height, columns * width)
    for name, window in windows(made).items():
        r, c = map(int, name.split(","))
        r = rows - 1 - r if stage_y == "up" else r
        assert window == Window(c * width, (c + 1) * width, r * height, (r + 1) * height)


@given(
    um=st.sampled_from([0.39, 0.325, 0.65, 1.0]),
    steps=st.lists(st.tuples(st.integers(0, 3000), st.integers(0, 3000)), min_size=1, max_size=8),
    jitter=st.lists(st.tuples(st.floats(-0.49, 0.49), st.floats(-0.49, 0.49)), min_size=8, max_size=8),
    x=st.floats(-1e5, 1e5),
    y=st.floats(-1e5, 1e5),
)
def test_jitter_moves_a_tile_to_the_nearest_pixel(
    um: float, steps: list[tuple[int, int]], jitter: list[tuple[float, float]], x: float, y: float
) -> None:
    """Each tile lies within half a pixel of where the stage was, counted from the corner of the map."""
    centers = [(x + (i + u) * um, y + (j + v) * um) for (i, j), (u, v) in zip(steps, jitter, strict=False)]
    made = place("m", [tile(str(n), center, um=um) for n, center in enumerate(centers)], {})
    left, top = min(c[0] for c in centers), min(c[1] for c in centers)
    for one, (cx, cy) in zip(made.tiles, centers, strict=True):
        assert abs(one.window.x0 - (cx - left) / um) <= 0.5 + 1e-5
        assert abs(one.window.y0 - (cy - top) / um) <= 0.5 + 1e-5
        assert one.window.shape == (20, 24)


@given(st.lists(st.tuples(st.floats(-500, 500), st.floats(-500, 500)), min_size=1, max_size=8))
def test_up_is_down_of_the_mirrored_stage(centers: list[tuple[float, float]]) -> None:
    up = place("m", [tile(str(n), c) for n, c in enumerate(centers)], {}, stage_y="up")
    down = place("m", [tile(str(n), (x, -y)) for n, (x, y) in enumerate(centers)], {}, stage_y="down")
    assert windows(up) == windows(down)
    assert up.bounds_um is not None
    assert down.bounds_um is not None
    assert up.bounds_um[2:] == pytest.approx((-down.bounds_um[3], -down.bounds_um[2]))


@pytest.mark.parametrize(
    ("stage_y", "high", "low"),
    [
        pytest.param("down", Window(0, 24, 40, 60), Window(0, 24, 0, 20), id="down: the greater y lies below"),
        pytest.param("up", Window(0, 24, 0, 20), Window(0, 24, 40, 60), id="up: the greater y lies above"),
    ],
)
def test_which_way_is_up(stage_y: Any, high: Window, low: Window) -> None:
    made = place("m", [tile("high", (0, 20)), tile("low", (0, 0))], {}, stage_y=stage_y)
    assert windows(made) == {"high": high, "low": low}
    assert made.bounds_um == (-6, 6, -5, 25)


@given(
    st.lists(st.tuples(st.floats(-500, 500), st.floats(-500, 500)), min_size=1, max_size=5),
    st.sampled_from(["down", "up"]),
)
def test_stage_and_map_px_go_both_ways(centers: list[tuple[float, float]], stage_y: Any) -> None:
    made = place("m", [tile(str(n), c) for n, c in enumerate(centers)], {}, stage_y=stage_y)
    for one, (x, y) in zip(made.tiles, centers, strict=True):
        window = one.window
        found = made.stage_um((window.x0 + window.x1) / 2, (window.y0 + window.y1) / 2)
        assert found == pytest.approx((x, y), abs=0.5 * 0.5 + 1e-5)  # half a pixel of 0.5 µm
    height, width = made.shape
    corners = [made.stage_um(0, 0), made.stage_um(width, height)]
    x_min, x_max, y_min, y_max = made.bounds_um  # type: ignore[misc]
    assert sorted(p[0] for p in corners) == pytest.approx([x_min, x_max], abs=0.26)
    assert sorted(p[1] for p in corners) == pytest.approx([y_min, y_max], abs=0.26)


@given(
    um=st.sampled_from([0.39, 0.325, 0.65]),
    halves=st.integers(1, 4001),
    count=st.integers(2, 30),
    x=st.floats(-1e5, 1e5),
)
def test_halves_are_rounded_one_way_whatever_the_noise(um: float, halves: int, count: int, x: float) -> None:
    """A step of n + ½ px: float noise must not send one tile up and the next one down."""
    made = place("m", [tile(str(n), (x + n * halves / 2 * um, 0.0), um=um) for n in range(count)], {})
    assert [one.window.x0 for one in made.tiles] == [(n * halves + 1) // 2 for n in range(count)]


# --- positions in px -----------------------------------------------------------------------------------------
def test_positions_in_px_begin_at_the_corner_and_have_y_down() -> None:
    made = place("m", [px_tile("a", (18, 7)), px_tile("b", (41.6, 3.2))], {}, stage_y="up")
    assert windows(made) == {"a": Window(0, 24, 4, 24), "b": Window(24, 48, 0, 20)}
    assert made.stage_y == "down"
    assert (made.pixel_size_um, made.bounds_um) == (None, None)
    with pytest.raises(PixelSizeUnknownError, match="map m: its pixel size is unknown"):
        made.stage_um(0, 0)


def test_positions_in_px_with_a_pixel_size() -> None:
    made = place("m", [px_tile("a", (10, 20), pixel_size_um=0.5), px_tile("b", (34, 20), pixel_size_um=0.5)], {})
    assert made.bounds_um == (5, 29, 10, 20)
    assert made.stage_um(0, 0) == (5, 10)


def test_positions_in_px_of_differing_pixel_size() -> None:
    sizes = {"a": 0.5, "b": 0.5, "c": 1.0}
    made = place("m", [px_tile(n, (24 * k, 0), pixel_size_um=s) for k, (n, s) in enumerate(sizes.items())], {})
    assert windows(made)["c"] == Window(48, 96, 0, 40)
    assert made.shape == (40, 96)
    assert made.bounds_um == (0, 48, 0, 20)


# --- differing pixel sizes -----------------------------------------------------------------------------------
def test_a_tile_of_another_pixel_size_is_resampled_never_dropped() -> None:
    made = place("m", [tile("a", (6, 5)), tile("b", (18, 5)), tile("odd", (30, 5), (12, 10), 1.0)], {})
    assert made.pixel_size_um == 0.5
    assert [one.ratio for one in made.tiles] == [1.0, 1.0, 0.5]
    assert windows(made)["odd"] == Window(48, 72, 0, 20)
    assert made.shape == (20, 72)


@pytest.mark.parametrize(
    ("relative", "ratio_is_one"),
    [
        pytest.param(0, True, id="equal"),
        pytest.param(9e-7, True, id="within 1e-6"),
        pytest.param(-9e-7, True, id="within 1e-6, below"),
        pytest.param(2e-6, False, id="beyond"),
        pytest.param(-2e-6, False, id="beyond, below"),
    ],
)
def test_the_tolerance_of_pixel_sizes(relative: float, ratio_is_one: bool) -> None:
    positions = [tile("a", (6, 5)), tile("b", (18, 5)), tile("c", (30, 5), um=0.5 * (1 + relative))]
    assert (place("m", positions, {}).tiles[2].ratio == 1.0) == ratio_is_one
    if ratio_is_one:
        place("m", positions, {}, strict=True)
    else:
        with pytest.raises(PlacementError, match=r"map m: FOV c has 0\.\d+ µm/px, the map 0\.5 µm/px"):
            place("m", positions, {}, strict=True)


@pytest.mark.parametrize(
    ("sizes", "base"),
    [
        pytest.param([0.5, 1.0, 0.5], 0.5, id="the most usual"),
        pytest.param([1.0, 0.5], 0.5, id="the finest, if in doubt"),
        pytest.param([1.0, 1.0, 0.5], 1.0, id="the most usual though coarser"),
        # the two 0.5's fell into neighbouring bins of a logarithm once
        pytest.param([0.5, 0.5 * (1 + 4e-7), 0.5, 0.5 * (1 + 4e-7), 1.0, 1.0, 1.0], 0.5, id="noise does not divide"),
    ],
)
def test_the_maps_own_pixel_size(sizes: Sequence[float], base: float) -> None:
    made = place("m", [tile(str(n), (n * 50, 0), um=um) for n, um in enumerate(sizes)], {})
    assert made.pixel_size_um == pytest.approx(base, rel=1e-6)


@given(st.integers(-3_000_000, 100_000), st.floats(1e-9, 9e-7))
def test_sizes_within_the_tolerance_are_one_wherever_they_lie(n: int, apart: float) -> None:
    size = float(np.exp((n + 0.5) * 1e-6))
    low, high = size * (1 - apart / 2), size * (1 + apart / 2)
    sizes = [low, high, low, high, 2 * size, 2 * size, 2 * size]
    made = place("m", [tile(str(k), (k * 50, 0), um=um) for k, um in enumerate(sizes)], {})
    assert made.pixel_size_um == low


def test_a_grid_of_another_pixel_size_can_be_asked_for() -> None:
    made = place("m", [tile("a", (6, 5)), tile("b", (18, 5))], {}, pixel_size_um=1.0)
    assert made.pixel_size_um == 1.0
    assert made.shape == (10, 24)
    assert {one.ratio for one in made.tiles} == {2.0}


# --- what is missing -----------------------------------------------------------------------------------------
def test_a_fov_that_is_not_on_disk_keeps_its_place() -> None:
    made = place("m", [tile("here", (0, 0)), tile("gone", (12, 0))], {})
    assert [one.fov for one in made.tiles] == [None, None]
    assert windows(made)["gone"] == Window(24, 48, 0, 20)


def on_disk(folder: Path, name: str, um: float | None = None, **changes: Any) -> Fov:
    said = {"axes": "YX", **({} if um is None else {"PhysicalSizeX": um})}
    path = write_tiff(folder / f"{name}.tif", pixels(0), ome=True, metadata=said)
    return Fov(name, {"c": ImagePlane(TiffImage(path))}, **changes)


def test_the_image_says_what_the_descriptor_leaves_out(tmp_path: Path) -> None:
    positions = [TilePosition("m", "a", "m.json", center_um=(0, 0))]
    made = place("m", positions, {"a": on_disk(tmp_path, "a", 0.5)})
    assert (made.shape, made.pixel_size_um) == ((20, 24), 0.5)


def test_an_unreadable_or_missing_tile_does_not_take_the_map_with_it(tmp_path: Path) -> None:
    broken = tmp_path / "broken.tif"
    broken.write_text("not an image")
    fovs = {"a": on_disk(tmp_path, "a", 0.5), "b": Fov("b", {"c": ImagePlane(TiffImage(broken))})}
    positions = [tile(name, (12 * n, 0), um=None) for n, name in enumerate("abc")]
    made = place("m", positions, fovs)
    assert windows(made) == {"a": Window(0, 24, 0, 20), "b": Window(24, 48, 0, 20), "c": Window(48, 72, 0, 20)}


def test_nothing_is_opened_where_everything_is_stated(tmp_path: Path) -> None:
    fov = Fov("a", {"c": ImagePlane(TiffImage(tmp_path / "gone.tif"))})
    assert place("m", [tile("a", (0, 0))], {"a": fov}).tiles[0].fov is fov


@pytest.mark.parametrize(
    ("positions", "message"),
    [
        pytest.param([], "map m: it has no tile", id="no tile"),
        pytest.param([tile("a", (0, 0)), px_tile("b", (0, 0))], "some tiles are placed in px and some", id="mixed"),
        pytest.param(
            [tile("a", (0, 0), um=None)], r"FOV a lies at a stage .*state fovSizeMicrons in m\.json", id="size"
        ),
        pytest.param([TilePosition("m", "a", "m.json")], "is not on disk, and m.json states no size", id="no frame"),
        pytest.param([TilePosition("m", "a", "x", size_px=(1, 1))], "x gives FOV a no position", id="no position"),
    ],
)
def test_what_cannot_be_placed(positions: list[TilePosition], message: str) -> None:
    with pytest.raises(PlacementError, match=message):
        place("m", positions, {})


def test_an_image_on_disk_that_states_no_pixel_size_is_not_given_that_of_its_neighbours(tmp_path: Path) -> None:
    fovs = {"a": on_disk(tmp_path, "a", 0.5), "b": on_disk(tmp_path, "b")}
    with pytest.raises(PlacementError, match="FOV b lies at a stage position, but its pixel size is unknown"):
        place("m", [tile("a", (0, 0), um=None), tile("b", (12, 0), um=None)], fovs)


# --- the index -----------------------------------------------------------------------------------------------
corners = st.lists(st.tuples(st.integers(0, 60), st.integers(0, 60)), min_size=1, max_size=12)


@given(corners, st.integers(-5, 90), st.integers(-5, 90), st.integers(0, 40), st.integers(0, 40))
def test_the_visible_tiles_are_those_that_share_a_pixel(
    origins: list[tuple[int, int]], x: int, y: int, width: int, height: int
) -> None:
    made = place("m", [px_tile(str(n), at) for n, at in enumerate(origins)], {})
    window = Window(x, x + width, y, y + height)
    expected = [n for n, one in enumerate(made.tiles) if not (one.window & window).empty]
    assert made.visible(window) == expected


def test_a_large_map_is_searched_by_its_index() -> None:
    """10,000 tiles: what is found is found without looking at each of them."""
    positions = [px_tile(str(n), (24.0 * (n % 100), 20.0 * (n // 100))) for n in range(10_000)]
    made = place("m", positions, {})
    assert made.shape == (2000, 2400)
    assert made.visible(Window(24, 48, 20, 40)) == [101]
    assert made.visible(Window(23, 25, 19, 21)) == [0, 1, 100, 101]

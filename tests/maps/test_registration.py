"""Registration: tiles cut from one ground come back to where they were cut, and what says nothing changes nothing."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from scipy import ndimage

from napari_slicemap.dataset import open_dataset
from napari_slicemap.errors import CancelledError, PlacementError, RegionError, UnknownNameError
from napari_slicemap.maps.placement import place
from napari_slicemap.maps.registration import Registration, register_map
from napari_slicemap.maps.registration.matching import _correlations, match, reach
from napari_slicemap.maps.registration.solving import solve

from .tile_grids import HEIGHT, STEP, WIDTH, cut, ground, off_by, true_corners, write_tiles

NOMINAL = true_corners(3, 2, jitter=0)
TRUE = true_corners(3, 2)


def registered(folder: Path, map_id: str = "m", **options: Any) -> Registration:
    dataset = open_dataset(folder)
    return register_map(dataset.maps[map_id].placement, dataset.positions[map_id], **options)


def corners(found: Registration) -> list[Any]:
    return [position.origin_px for position in found.positions]


@pytest.fixture(scope="module")
def image() -> np.ndarray:
    return ground(160, 230)


def test_tiles_come_back_to_where_they_were_cut(tmp_path: Path, image: np.ndarray) -> None:
    found = registered(write_tiles(tmp_path, cut(image, TRUE), NOMINAL))
    assert np.abs(off_by(corners(found), TRUE)).max() < 0.1
    assert (len(found.pairs), len(found.trusted), found.stayed, found.problems) == (7, 7, (), ())
    assert np.abs(np.mean(found.moves_px, axis=0)).max() < 1e-9, "the map as a whole stays"
    assert found.rms_px is not None
    assert found.rms_px < 0.1
    assert found.largest_move_px >= found.median_move_px > 1
    pair = found.pairs[0]
    assert (pair.first, pair.second) == ("m_t0", "m_t1")
    assert pair.nominal_px == (STEP[0], 0)
    assert pair.shift_px == pytest.approx(TRUE[1] - TRUE[0] - (STEP[0], 0), abs=0.1)
    assert pair.correlation > 0.99


@pytest.mark.parametrize("stage_y", ["down", "up"])
def test_stage_positions_move_in_micrometres_and_the_right_way(tmp_path: Path, image: np.ndarray, stage_y: str) -> None:
    size, up = 0.39, -1 if stage_y == "up" else 1
    centres = (NOMINAL + np.array((WIDTH / 2, HEIGHT / 2))) * size * (1, up) + (1000, 500)
    write_tiles(tmp_path, cut(image, TRUE), centres, ("x_um", "y_um"), size)
    dataset = open_dataset(tmp_path, stage_y=stage_y)
    before = dataset.maps["m"].placement
    found = register_map(before, dataset.positions["m"])
    assert all(position.origin_px is None for position in found.positions)
    after = place("m", found.positions, dataset.fovs, stage_y=before.stage_y)
    assert np.abs(off_by([(tile.window.x0, tile.window.y0) for tile in after.tiles], TRUE)).max() <= 1
    exact = np.array([position.center_um for position in found.positions]) / size * (1, up)
    assert np.abs(off_by(exact, TRUE)).max() < 0.1


def test_a_fraction_of_a_pixel_is_found(tmp_path: Path, image: np.ndarray) -> None:
    smooth = ndimage.gaussian_filter(image.astype(float), 1)
    shift = np.array([(0, 0), (0.4, -0.3), (-0.25, 0.45), (0.3, 0.2), (0.5, 0.0), (-0.4, -0.4)])
    tiles = [
        ndimage.shift(smooth, (-dy, -dx), order=3)[y : y + HEIGHT, x : x + WIDTH].astype(np.float32)
        for (dx, dy), (x, y) in zip(shift, NOMINAL, strict=True)
    ]
    found = registered(write_tiles(tmp_path, tiles, NOMINAL + np.array((0.4, 0.2))))
    assert np.abs(off_by(corners(found), NOMINAL + shift)).max() < 0.2


def test_what_shares_nothing_stays_exactly_where_it_was(tmp_path: Path) -> None:
    tiles = [ground(HEIGHT, WIDTH, seed) for seed in range(6)]
    found = registered(write_tiles(tmp_path, tiles, NOMINAL + 0.3))
    assert not found.refined
    assert corners(found) == [tuple(place) for place in NOMINAL + 0.3]
    assert found.stayed == tuple(f"m_t{n}" for n in range(6))
    assert found.rms_px is None
    assert {pair.why_not for pair in found.pairs} == {"no better than by chance"}


STRANGE = {
    "flat": np.full((HEIGHT, WIDTH), 7, np.uint16),
    "empty": np.zeros((HEIGHT, WIDTH), np.uint16),
    "one bright pixel": np.pad(np.full((1, 1), 60000, np.uint16), ((30, HEIGHT - 31), (60, WIDTH - 61))),
    "stripes": np.tile(np.arange(WIDTH, dtype=np.uint16) % 6 * 100, (HEIGHT, 1)),
    "no numbers": np.full((HEIGHT, WIDTH), np.nan, np.float32),
    "huge": np.random.default_rng(0).choice([-1e300, 1e300], (HEIGHT, WIDTH)),
}


@pytest.mark.parametrize("name", STRANGE)
def test_a_tile_that_says_nothing_is_placed_by_its_neighbours(tmp_path: Path, image: np.ndarray, name: str) -> None:
    """All steps are 6 px too wide across and 3 too narrow down: the tile in the middle is where a grid has it."""
    true = true_corners(3, 3, jitter=0)
    nominal = true * (1 + 6 / STEP[0], 1 - 3 / STEP[1])
    tiles: list[np.ndarray] = cut(ground(200, 230), true)
    tiles[4] = STRANGE[name]
    found = registered(write_tiles(tmp_path, tiles, nominal), max_shift_px=12)
    assert found.stayed == ("m_t4",)
    assert np.abs(off_by(corners(found), true)).max() < 0.2


@pytest.mark.parametrize(("most", "trusted"), [(3, 0), (9, 1)])
def test_no_shift_beyond_what_is_allowed(tmp_path: Path, image: np.ndarray, most: float, trusted: int) -> None:
    true = np.array([(10, 10), (60, 10)])
    folder = write_tiles(tmp_path, cut(image, true), true + np.array([(0, 0), (6, 0)]))
    found = registered(folder, max_shift_px=most)
    assert len(found.trusted) == trusted
    assert abs(found.pairs[0].shift_px[0]) <= most


def test_tiles_that_only_come_near_are_compared_when_so_much_is_allowed(tmp_path: Path, image: np.ndarray) -> None:
    true = np.array([(10, 10), (60, 12)])
    folder = write_tiles(tmp_path, cut(image, true), [(0, 0), (WIDTH + 5, 0)])
    assert registered(folder).pairs == ()
    found = registered(folder, max_shift_px=30)
    assert np.abs(off_by(corners(found), true)).max() < 0.1


def test_tiles_that_meet_at_a_corner_are_no_neighbours(tmp_path: Path, image: np.ndarray) -> None:
    found = registered(write_tiles(tmp_path, cut(image, TRUE[[0, 4]]), NOMINAL[[0, 4]]))
    assert found.pairs == ()
    assert not found.refined


def test_a_shift_without_limit_is_limited_by_the_tiles(tmp_path: Path, image: np.ndarray) -> None:
    found = registered(write_tiles(tmp_path, cut(image, TRUE[:2]), NOMINAL[:2]), max_shift_px=1e300)
    assert found.pairs[0].shift_px == pytest.approx(TRUE[1] - TRUE[0] - (STEP[0], 0), abs=0.1)


def test_a_heap_of_tiles_is_not_compared_each_with_each(tmp_path: Path, image: np.ndarray) -> None:
    place_of_all = np.zeros((10, 2))
    found = registered(write_tiles(tmp_path, cut(image, place_of_all.astype(int) + 10), place_of_all))
    assert len(found.pairs) == 8 + 8 + sum(range(8))
    assert found.largest_move_px < 0.1


def test_what_cannot_be_compared_is_told_and_the_rest_is_refined(tmp_path: Path, image: np.ndarray) -> None:
    folder = write_tiles(tmp_path, cut(image, TRUE), NOMINAL)
    dataset = open_dataset(folder)
    placement, positions = dataset.maps["m"].placement, dataset.positions["m"]
    tiles = list(placement.tiles)
    (folder / "m_t0.tif").write_bytes(b"no image")
    tiles[2] = replace(tiles[2], fov=None)
    tiles[5] = replace(tiles[5], ratio=2.0)
    found = register_map(replace(placement, tiles=tuple(tiles)), positions)
    assert found.stayed == ("m_t0", "m_t2", "m_t5")
    assert {(pair.first, pair.second) for pair in found.trusted} == {("m_t1", "m_t4"), ("m_t3", "m_t4")}
    told = "\n".join(found.problems)
    for what in (r"FOV m_t0: .*m_t0\.tif", "FOV m_t2 is not on disk", "FOV m_t5 has another pixel size"):
        assert re.search(f"map m: {what}", told), told


def test_threads_change_nothing_and_progress_is_told(tmp_path: Path, image: np.ndarray) -> None:
    folder = write_tiles(tmp_path, cut(image, TRUE), NOMINAL)
    told: list[tuple[int, int]] = []
    one = registered(folder, on_progress=lambda *done: told.append(done))
    assert registered(folder, workers=3) == one
    assert told == [(n, 7) for n in range(1, 8)]
    with pytest.raises(CancelledError, match="registration of map m was cancelled"):
        registered(folder, workers=2, cancel=lambda: True)


def test_channel_time_and_plane_are_chosen(tmp_path: Path, image: np.ndarray) -> None:
    """Only the second channel shows the ground, and only over all z planes."""
    other = [ground(HEIGHT, WIDTH, seed) for seed in range(12)]
    for n, tile in enumerate(cut(image, TRUE)):
        halves = np.stack([np.where(np.arange(WIDTH) % 2 == half, tile, 0) for half in (0, 1)])
        stack = np.stack([np.stack([other[n], other[n + 6]]), halves]).transpose(1, 0, 2, 3).astype(np.uint16)
        tifffile.imwrite(
            tmp_path / f"m_t{n}.tif", stack, ome=True, metadata={"axes": "ZCYX", "Channel": {"Name": ["a", "b"]}}
        )
    lines = [f"m_t{n}.tif,m,{x},{y}" for n, (x, y) in enumerate(NOMINAL)]
    (tmp_path / "tiles.csv").write_text("\n".join(["path,map_id,x_px,y_px", *lines]) + "\n")
    assert not registered(tmp_path).refined
    found = registered(tmp_path, channel="b", z="max")
    assert len(found.trusted) == 7
    assert np.abs(off_by(corners(found), TRUE)).max() < 0.1
    assert {key: found.settings[key] for key in ("channel", "t", "z")} == {"channel": "b", "t": 0, "z": "max"}
    with pytest.raises(RegionError, match="t = 1 does not exist"):
        registered(tmp_path, t=1)


def test_what_is_asked_for_wrongly_is_refused(tmp_path: Path, image: np.ndarray) -> None:
    folder = write_tiles(tmp_path, cut(image, TRUE), NOMINAL)
    with pytest.raises(UnknownNameError, match="unknown channel 'CD3'"):
        registered(folder, channel="CD3")
    for most in (0, -1, float("nan"), float("inf")):
        with pytest.raises(PlacementError, match="the largest shift is"):
            registered(folder, max_shift_px=most)
    dataset = open_dataset(folder)
    with pytest.raises(PlacementError, match="positions are not those of its tiles"):
        register_map(dataset.maps["m"].placement, dataset.positions["m"][1:])


# --- the parts, held against slow and obvious ones ------------------------------------------------------------
@pytest.mark.parametrize(
    ("first", "second", "offset", "most"),
    [
        pytest.param((30, 24), (30, 24), (22, 1), 16, id="side by side"),
        pytest.param((30, 24), (30, 24), (-2, 17), 16, id="one above the other"),
        pytest.param((30, 24), (20, 40), (25, -9), 16, id="of different sizes"),
        pytest.param((30, 24), (26, 21), (1, 1), 20, id="almost all shared"),
        pytest.param((30, 24), (30, 24), (40, 0), 16, id="apart"),
    ],
)
def test_correlation_at_every_shift(
    first: tuple[int, int], second: tuple[int, int], offset: tuple[int, int], most: int
) -> None:
    rng = np.random.default_rng(3)
    a, b = (rng.normal(size=size[::-1]) for size in (first, second))
    where = reach(first, second, offset, most)
    one, other = where.first, where.second
    found, shared = _correlations(
        a[one.y0 : one.y1, one.x0 : one.x1], b[other.y0 : other.y1, other.x0 : other.x1], where
    )
    for row, column in np.ndindex(found.shape):
        x, y = column - most + offset[0], row - most + offset[1]
        x0, x1, y0, y1 = max(0, x), min(first[0], x + second[0]), max(0, y), min(first[1], y + second[1])
        count = max(0, x1 - x0) * max(0, y1 - y0)
        assert shared[row, column] == count
        if count >= 100:
            pair = a[y0:y1, x0:x1].ravel(), b[y0 - y : y1 - y, x0 - x : x1 - x].ravel()
            assert found[row, column] == pytest.approx(np.corrcoef(*pair)[0, 1], abs=1e-9)
        else:
            assert found[row, column] == 0


def test_a_dim_and_shaded_tile_matches_as_well(image: np.ndarray) -> None:
    where = reach((WIDTH, HEIGHT), (WIDTH, HEIGHT), (50, 0), 8)
    a, b = cut(image, np.array([(10, 10), (63, 12)]))
    shaded = b * np.linspace(0.2, 1.0, WIDTH) + 500
    one, other = where.first, where.second
    found = match(a[one.y0 : one.y1, one.x0 : one.x1], shaded[other.y0 : other.y1, other.x0 : other.x1], where, 8)
    assert found.shift == pytest.approx((3, 2), abs=0.2)
    assert found.score > 3


def test_moves_are_those_of_least_squares() -> None:
    rng = np.random.default_rng(5)
    pairs = np.array([(0, 1), (1, 2), (0, 3), (1, 4), (2, 5), (3, 4), (4, 5)])
    shifts = rng.normal(0, 0.5, (7, 2))
    moves, kept, left = solve(
        6, pairs, shifts, np.ones(7, bool), np.array([True, True, False, False, False, True, True])
    )
    matrix = np.zeros((7, 6))
    matrix[np.arange(7), pairs[:, 1]], matrix[np.arange(7), pairs[:, 0]] = 1, -1
    wanted = np.linalg.lstsq(matrix, shifts, rcond=None)[0]  # the shortest solution: its mean is 0
    assert kept.all()
    assert moves == pytest.approx(wanted, abs=1e-9)
    assert left == pytest.approx(np.hypot(*(matrix @ wanted - shifts).T), abs=1e-9)


def test_a_pair_that_the_others_contradict_is_dropped() -> None:
    n = 4
    across = [(y * n + x, y * n + x + 1) for y in range(n) for x in range(n - 1)]
    down = [(y * n + x, y * n + x + n) for y in range(n - 1) for x in range(n)]
    pairs = np.array(across + down)
    true = np.random.default_rng(2).normal(0, 5, (n * n, 2))
    shifts = true[pairs[:, 1]] - true[pairs[:, 0]]
    wrong = 4  # between the two tiles in the middle of the second row
    shifts[wrong] += (15, -8)
    ways = np.array([True] * len(across) + [False] * len(down))
    moves, kept, _ = solve(n * n, pairs, shifts, np.ones(len(pairs), bool), ways)
    assert np.flatnonzero(~kept).tolist() == [wrong]
    assert np.abs(off_by(moves, true)).max() < 1e-4


def test_groups_that_do_not_hang_together_each_keep_their_mean() -> None:
    pairs = np.array([(0, 1), (2, 3), (4, 5)])
    shifts = np.array([(2.0, 0.0), (0.0, -4.0), (9.0, 9.0)])
    moves, *_ = solve(7, pairs, shifts, np.array([True, True, False]), np.array([True, False, True]))
    assert moves.tolist() == [[-1, 0], [1, 0], [0, 2], [0, -2], [0, 0], [0, 0], [0, 0]]


# --- real acquisitions --------------------------------------------------------------------------------------
def test_mist_comes_within_a_pixel_of_the_solved_positions(real_data: Path) -> None:
    tiles = {"pattern": "ImageName_t01_p{index}.tif", "overlap": "10%", "rows": 5, "columns": 5, "order": "columns"}
    dataset = open_dataset(real_data / "mist", tiles=tiles)
    (one,) = dataset.maps.values()
    found = register_map(one.placement, dataset.positions[one.map_id])
    text = (real_data / "mist" / "stitched" / "global-positions-1.txt").read_text()
    solved = {n: (int(x), int(y)) for n, x, y in re.findall(r"_p(\d+)\.tif; .*position: \((\d+), (\d+)\)", text)}
    off = np.abs(off_by(corners(found), [solved[position.fov[-2:]] for position in found.positions])).max(axis=1)
    assert (off <= 1).sum() >= 23
    # of the others, the solved positions are off themselves: at ours, what both tiles show is the same
    odd = [position.fov for position, far in zip(found.positions, off, strict=True) if far > 1]
    assert all(pair.correlation > 0.9 for pair in found.trusted if pair.first in odd or pair.second in odd)
    assert len(found.trusted) >= 38


@pytest.mark.parametrize("channel", ["DAPI", "FITC"])
def test_imagexpress_overlap(real_data: Path, channel: str) -> None:
    """Sites lie 315 µm apart on the stage, 25.6 px of overlap; well B02 has nothing to go by."""
    plate = real_data / "imagexpress" / "ImageXpress_exported" / "9987_Plate_3434"
    (x, y), (right, low) = (
        (px / 1.3672, py / 1.3672) for px, py in _centres(registered(plate, "B03", channel=channel))
    )
    assert 256 - (right - x) == pytest.approx(24, abs=1)
    assert abs(low - y) < 1
    assert not registered(plate, "B02", channel=channel).refined


def _centres(found: Registration) -> list[Any]:
    return [position.center_um for position in found.positions]

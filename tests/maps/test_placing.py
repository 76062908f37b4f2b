"""Many tiles placed at once: the same numbers as tile by tile."""

from __future__ import annotations

import pickle
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from napari_slicemap.errors import PlacementError
from napari_slicemap.images.acquisition import TilePosition
from napari_slicemap.images.tiles.position_table import PositionTable
from napari_slicemap.maps.placement import PlacedTile, Placement, place
from napari_slicemap.maps.placing import MadeOnce, round_px, rounded_px

NEAR_HALVES = st.builds(
    lambda whole, noise: whole + 0.5 + noise,
    st.integers(-(2**40), 2**40) | st.integers(-3000, 3000),
    st.floats(-2e-5, 2e-5) | st.sampled_from([0.0, 5e-7, -5e-7, 4.999999e-7, -1e-6, 1e-6]),
)


@given(st.lists(NEAR_HALVES | st.floats(-(2.0**52), 2.0**52), min_size=1))
@example([0.4999995, 0.49999949999, 2.5, -2.5, 1.0000005, 2.0**33 + 0.5])
def test_pixels_are_rounded_as_one_by_one(values: list[float]) -> None:
    assert rounded_px(np.array(values)).tolist() == [round_px(value) for value in values]


def table(
    places: Sequence[tuple[float, float]],
    sizes: Sequence[tuple[int, int]],
    pixel_sizes: Sequence[float],
    *,
    in_um: bool,
) -> PositionTable:
    count = len(places)
    return PositionTable(
        file=Path("tiles.csv"),
        fovs=[f"f{n}" for n in range(count)],
        map_ids=["m"] * count,
        slice_ids=["03"] * count,
        in_um=in_um,
        places=np.array(places, float),
        sizes_px=np.array(sizes, np.int64),
        pixel_sizes_um=np.array(pixel_sizes, float),
        lines=np.arange(2, count + 2),
    )


@st.composite
def tables(draw: st.DrawFn) -> PositionTable:
    count = draw(st.integers(1, 12))

    def many(each: st.SearchStrategy[Any]) -> list[Any]:
        return draw(st.lists(each, min_size=count, max_size=count))

    step = draw(st.sampled_from([0.5, 9.36, 1.0]))
    place = st.integers(-40, 40).map(lambda n: n * step) | st.floats(-1e5, 1e5)
    far = st.sampled_from([1e18, -1.7e308, 1.7e308])
    in_um = draw(st.booleans())
    pixel_size = st.sampled_from([0.39, 0.39, 0.39 * (1 + 5e-7), 0.5, 1e-300] + ([] if in_um else [float("nan")]))
    if not draw(st.integers(0, 9)):
        place |= far
    if not draw(st.integers(0, 9)) or not in_um:
        pixel_size |= st.just(float("nan"))
    side = st.integers(1, 3000) | st.just(2**52)
    if draw(st.booleans()):
        pixel_size, side = st.just(0.39), st.just(24)
    return table(many(st.tuples(place, place)), many(st.tuples(side, side)), many(pixel_size), in_um=in_um)


def told(positions: Sequence[TilePosition], **asked: Any) -> object:
    try:
        made = place("m", positions, {}, **asked)
    except PlacementError as error:
        return str(error)
    return made, list(made.tiles), made.windows.tolist(), made.names, made.shape


def parts(made: Any) -> Any:
    if isinstance(made, str):
        return made
    one: Placement = made[0]
    return (one.map_id, one.pixel_size_um, one.bounds_um, one.stage_y, one.slice_id, *made[1:])


@given(
    positions=tables(),
    stage_y=st.sampled_from(["down", "up"]),
    pixel_size_um=st.sampled_from([None, 0.39, 1.0]),
    strict=st.booleans(),
)
def test_many_are_placed_as_one_by_one(positions: PositionTable, **asked: Any) -> None:
    assert parts(told(positions, **asked)) == parts(told(list(positions), **asked))


def test_a_table_of_positions_is_a_sequence_of_them() -> None:
    made = table([(1, 2), (3, 4), (5, 6)], [(24, 20)] * 3, [0.5, float("nan"), 1], in_um=False)
    first = TilePosition("m", "f0", "tiles.csv, line 2", None, (1, 2), (24, 20), 0.5, "03")
    assert (made[0], len(made), made[-1].origin_px, made[1].pixel_size_um) == (first, 3, (5, 6), None)
    assert [one.fov for one in made[1:]] == ["f1", "f2"]
    assert made[:2] == table([(1, 2), (3, 4)], [(24, 20)] * 2, [0.5, float("nan")], in_um=False) != made
    with pytest.raises(IndexError):
        made[3]


def test_the_tiles_of_each_map_keep_their_order() -> None:
    made = table([(n, 0) for n in range(5)], [(24, 20)] * 5, [0.5] * 5, in_um=True)
    made.map_ids[:] = ["b", "a", "b", "c", "a"]
    found = made.by_map()
    assert {name: one.fovs for name, one in found.items()} == {"b": ["f0", "f2"], "a": ["f1", "f4"], "c": ["f3"]}
    assert found["a"][1] == made[4]


def test_tiles_are_made_once_and_pickled_alone() -> None:
    placement = place("m", table([(n, 0) for n in range(3)], [(24, 20)] * 3, [0.5] * 3, in_um=True), {})
    tiles = placement.tiles
    assert isinstance(tiles, MadeOnce)
    assert tiles[1] is tiles[-2] is list(tiles)[1]
    assert tiles[1:] == (tiles[1], tiles[2])
    assert tiles[0].source == "tiles.csv, line 2"
    with pytest.raises(IndexError):
        tiles[3]
    again = pickle.loads(pickle.dumps(placement))
    assert (type(again.tiles), again.tiles, again.names) == (tuple, tuple(tiles), placement.names)
    assert all(isinstance(one, PlacedTile) for one in again.tiles)
    np.testing.assert_array_equal(again.windows, placement.windows)

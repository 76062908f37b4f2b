"""Rectangles of pixels, and the grid that downsampling averages over."""

from __future__ import annotations

import math
from dataclasses import FrozenInstanceError

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from napari_slicemap.errors import RegionError
from napari_slicemap.images.region import Grid, Region, Window, blocks, inside

whole = st.integers(-60, 60)
sizes = st.integers(1, 50)


@st.composite
def windows(draw: st.DrawFn) -> Window:
    x, y = draw(whole), draw(whole)
    return Window(x, x + draw(sizes), y, y + draw(sizes))


def pixels_of(window: Window) -> set[tuple[int, int]]:
    return {(x, y) for x in range(window.x0, window.x1) for y in range(window.y0, window.y1)}


@pytest.mark.parametrize(
    ("bounds", "message"),
    [
        pytest.param((1, 1, 0, 2), "is empty", id="no width"),
        pytest.param((0, 2, 3, 1), "is empty", id="upside down"),
        pytest.param((0, math.nan, 0, 1), "must be finite", id="nan"),
        pytest.param((0, math.inf, 0, 1), "must be finite", id="inf"),
        pytest.param((0, "wide", 0, 1), "valid number", id="text"),
    ],
)
def test_regions_refused(bounds: tuple[float, ...], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        Region(*bounds)


@pytest.mark.parametrize(
    ("region", "window"),
    [
        pytest.param(Region(0, 4, 0, 3), Window(0, 4, 0, 3), id="whole stays"),
        pytest.param(Region(0.2, 3.1, 0.9, 2.0), Window(0, 4, 0, 2), id="outward"),
        pytest.param(Region(-0.5, 0.5, -2.5, -1.5), Window(-1, 1, -3, -1), id="below zero"),
        pytest.param(Region(1.2, 1.3, 1.2, 1.3), Window(1, 2, 1, 2), id="within one pixel"),
    ],
)
def test_fractional_bounds_go_outward(region: Region, window: Window) -> None:
    assert region.window() == window


def test_a_region_is_frozen_and_refuses_unknown_keys() -> None:
    region = Region(0, 1, 0, 2)
    with pytest.raises(FrozenInstanceError, match="x_min"):
        region.x_min = 3  # type: ignore[misc]
    with pytest.raises(ValidationError, match="unexpected"):
        Region(x_min=0, x_max=1, y_min=0, y_max=1, z=3)  # type: ignore[call-arg]
    assert (region.width, region.height) == (1, 2)


@given(windows(), windows())
def test_what_two_windows_share(one: Window, other: Window) -> None:
    shared = one & other
    assert pixels_of(shared) == pixels_of(one) & pixels_of(other)
    assert shared.empty == (not pixels_of(shared))
    assert one.shape[0] * one.shape[1] == len(pixels_of(one))


@given(windows(), windows(), whole, whole)
def test_slices_address_the_same_pixels(outer: Window, other: Window, dx: int, dy: int) -> None:
    inner = outer & other
    if inner.empty:
        return
    rows, columns = inner.slices_in(outer)
    found = {(x, y) for y in range(outer.y0, outer.y1)[rows] for x in range(outer.x0, outer.x1)[columns]}
    assert found == pixels_of(inner)
    assert inner.shifted(dx, dy).shifted(-dx, -dy) == inner
    assert inner.grown(2) & outer == inner.grown(2) & outer.grown(2) & outer


@given(windows(), st.integers(1, 9), whole, whole)
def test_the_cells_of_a_grid(window: Window, step: int, x0: int, y0: int) -> None:
    grid = Grid(step, x0, y0)
    cells = grid.cells(window)
    # ceil(x_max / d) − floor(x_min / d), on the grid
    assert cells.x1 - cells.x0 == math.ceil((window.x1 - x0) / step) - math.floor((window.x0 - x0) / step)
    assert cells.y1 - cells.y0 == math.ceil((window.y1 - y0) / step) - math.floor((window.y0 - y0) / step)
    covered = grid.pixels(cells)
    assert covered & window == window
    assert grid.cells(covered) == cells
    # no cell is there without need
    for smaller in (cells._replace(x0=cells.x0 + 1), cells._replace(y1=cells.y1 - 1)):
        assert grid.pixels(smaller) & window != window


@given(windows(), windows(), st.integers(1, 9))
def test_neighbours_meet_on_the_grid(one: Window, other: Window, step: int) -> None:
    """The cells of a part are among the cells of the whole."""
    grid = Grid(step)
    if not (one & other).empty:
        part = grid.cells(one & other)
        assert part & grid.cells(one) == part


@pytest.mark.parametrize("step", [0, -1])
def test_a_grid_step_below_one_is_refused(step: int) -> None:
    with pytest.raises(ValidationError, match=f"downsample is {step}, expected a whole number of at least 1"):
        Grid(step)


@given(windows(), st.integers(1, 20))
def test_blocks_cover_each_pixel_once_and_start_alike(cells: Window, side: int) -> None:
    cut = list(blocks(cells, side))
    assert sorted(pixel for block in cut for pixel in pixels_of(block)) == sorted(pixels_of(cells))
    assert all(block.x0 // side == (block.x1 - 1) // side for block in cut), "none crosses a multiple of the side"
    assert all(block.y0 // side == (block.y1 - 1) // side for block in cut)


@pytest.mark.parametrize(
    "region",
    [
        pytest.param(Region(10, 12, 0, 5), id="right of it, touching"),
        pytest.param(Region(-3, 0, 0, 5), id="left of it, touching"),
        pytest.param(Region(0, 5, 8, 9), id="below"),
    ],
)
def test_a_region_wholly_outside_is_refused(region: Region) -> None:
    with pytest.raises(RegionError, match=r"FOV a: the region .* lies wholly outside the data"):
        inside(region, Window(0, 10, 0, 8), "FOV a")


def test_a_region_partly_outside_keeps_its_bounds() -> None:
    assert inside(Region(-2.5, 0.5, 7.9, 20), Window(0, 10, 0, 8), "FOV a") == Window(-3, 1, 7, 20)

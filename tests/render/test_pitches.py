"""Maps in stage µm at the pitches of real microscopes: no seam, gap, doubled column or shifted tile."""

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_slicemap import ChannelSettings, Region, VirtualMap
from napari_slicemap.images.acquisition import TilePosition
from napari_slicemap.images.region import Grid, Window
from napari_slicemap.maps.placement import place
from scenes import make_fov

PITCHES = ["0.39", "0.325", "0.65", "0.1083333", "1"]
WHITE = {"A": ChannelSettings("#ffffff", (0, 255))}


def stage_map(pitch, columns, rows, side, step, *, jitter=None, stage_y="down"):
    """A grid of tiles `step` px apart, each of one grey value, at stage positions as a microscope writes them."""
    size = float(pitch)
    fovs, positions = {}, []
    for row in range(rows):
        for column in range(columns):
            name = f"r{row:02}c{column:02}"
            dx, dy = (0.0, 0.0) if jitter is None else jitter[row * columns + column]
            x, y = column * step * size + dx, row * step * size + dy
            grey = 1 + (row * columns + column) % 255
            fovs[name] = make_fov(name, {"A": np.full((side, side), grey, np.uint8)})
            centre = (x + side * size / 2, (-1 if stage_y == "up" else 1) * (y + side * size / 2))
            positions.append(TilePosition("m", name, "row", center_um=centre, size_px=(side, side), pixel_size_um=size))
    return VirtualMap(place("m", positions, fovs, stage_y=stage_y))


@pytest.mark.parametrize("stage_y", ["down", "up"])
@pytest.mark.parametrize("pitch", PITCHES)
def test_a_regular_grid_has_no_seam_and_no_extra_column(pitch, stage_y):
    one = stage_map(pitch, 9, 7, 16, 16, stage_y=stage_y)
    assert one.shape == (7 * 16, 9 * 16)
    made = one.read_stack(["A"], Window(0, 144, 0, 112), Grid())[0]
    grey = 1 + np.arange(63).reshape(7, 9)
    np.testing.assert_array_equal(made, np.kron(grey, np.ones((16, 16), int)))


@given(
    pitch=st.sampled_from(PITCHES),
    rule=st.sampled_from(["last", "first", "nearest-centre", "blend"]),
    downsample=st.sampled_from([1, 2, 3, 5]),
    overlap=st.integers(0, 4),
    seed=st.integers(0, 10**6),
    data=st.data(),
)
def test_jittered_stages(pitch, rule, downsample, overlap, seed, data):
    rng = np.random.default_rng(seed)
    jitter = [tuple(xy) for xy in rng.uniform(-2.4, 2.4, (12, 2)) * float(pitch)]
    one = stage_map(pitch, 4, 3, 12, 12 - overlap, jitter=jitter)
    # every tile lies at its stage position to half a pixel, and the map's corner is that of the outermost tile
    corner = min(x for x, _ in ((c * (12 - overlap) * Fraction(pitch) + Fraction(jitter[r * 4 + c][0]), 0)
                                for r in range(3) for c in range(4)))  # fmt: skip
    for number, tile in enumerate(one.placement.tiles):
        exact = (number % 4 * (12 - overlap) * Fraction(pitch) + Fraction(jitter[number][0]) - corner) / Fraction(pitch)
        assert abs(tile.window.x0 - exact) <= Fraction(1, 2) + Fraction(1, 10**5)
        assert tile.window.shape == (12, 12)
    whole = one.render_region(None, WHITE, downsample=downsample, overlap=rule)
    height, width = one.shape
    x0, y0 = data.draw(st.integers(0, width - 1)), data.draw(st.integers(0, height - 1))
    region = Region(x0, data.draw(st.integers(x0 + 1, width)), y0, data.draw(st.integers(y0 + 1, height)))
    part = one.render_region(region, WHITE, downsample=downsample, overlap=rule)
    d = downsample
    crop = whole[y0 // d : math.ceil(region.y_max / d), x0 // d : math.ceil(region.x_max / d)]
    np.testing.assert_array_equal(part, crop)
    if downsample == 1 and rule != "blend":
        x, y = data.draw(st.integers(0, width - 1)), data.draw(st.integers(0, height - 1))
        name = one.locate(x, y, rule)
        grey = 0 if name is None else 1 + int(name[1:3]) * 4 + int(name[4:6])
        assert whole[y, x, 0] == grey

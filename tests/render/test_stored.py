"""Coarse levels kept on disk: the same pictures from fewer reads, and never a stale one."""

import dataclasses
import os
import shutil
from pathlib import Path
from unittest import mock

import numpy as np
import pytest
import tifffile
import zarr
from hypothesis import given
from hypothesis import strategies as st

from napari_slicemap import MaskOverlay, Region, VirtualMap, open_dataset
from napari_slicemap.errors import CancelledError, TileReadError
from napari_slicemap.images.region import Grid, Window
from napari_slicemap.render.build_levels import build_levels
from napari_slicemap.render.stored import StoredLevels, steps_for
from scenes import SETTINGS, Tile, make_map

seeds = st.integers(0, 2**32 - 1)


def tiles_of(seed, boxes, dtype="uint16", nan=False):
    rng = np.random.default_rng(seed)
    made = []
    for n, (x, y, width, height) in enumerate(boxes):
        values = {c: rng.integers(0, 200, (height, width)).astype(dtype) for c in "AB"}
        if nan:
            for plane in values.values():
                plane[rng.random(plane.shape) < 0.3] = np.nan
        masks = {"cell": rng.integers(0, 3, (height, width))}
        made.append(Tile(f"t{n}", x, y, values, masks))
    return made


def stored_map(folder, tiles, *, overlap="last", missing=()):
    one = make_map([(tile.fov, tile.x, tile.y) for tile in tiles], missing=missing)
    return VirtualMap(one.placement, one.cache, StoredLevels(Path(folder), one.placement, overlap, one.cache))


@pytest.mark.parametrize(
    ("shape", "steps"),
    [
        pytest.param((1, 1), [8], id="tiny"),
        pytest.param((8192, 100), [8], id="an overview of 1024"),
        pytest.param((8193, 100), [8, 16], id="a px more"),
        pytest.param((100_000, 100_000), [8, 16, 32, 64, 128], id="large"),
        pytest.param((10**8, 10), [8, 16, 32, 64, 128, 256, 512, 1024, 2048], id="no coarser than a piece"),
    ],
)
def test_steps(shape, steps):
    assert steps_for(shape) == steps


@given(
    seed=seeds,
    boxes=st.lists(st.tuples(*[st.integers(0, 60)] * 2, *[st.integers(1, 50)] * 2), min_size=1, max_size=4),
    overlap=st.sampled_from(["last", "first", "nearest-centre", "blend"]),
    kind=st.sampled_from([("uint16", False), ("float32", True)]),
    stay=st.booleans(),
    data=st.data(),
)
def test_stored_levels_give_the_same_picture(tmp_path_factory, seed, boxes, overlap, kind, stay, data):
    one = stored_map(tmp_path_factory.mktemp("levels"), tiles_of(seed, boxes, *kind), overlap=overlap)
    patches = {"stored._OVERVIEW": 3, "build_levels._SIDE": 32, "build_levels._IN_MEMORY": 2**25 if stay else 0}
    with contextlib_patches({f"napari_slicemap.render.{name}": value for name, value in patches.items()}):
        build_levels(one)
    outlines = [MaskOverlay("cell")]
    for step in (8, 16, 24, 32):
        how = {"downsample": step, "overlap": overlap, "overlays": outlines}
        exact, stored = one.render(None, SETTINGS, **how), one.render(None, SETTINGS, **how, levels="stored")
        np.testing.assert_array_equal(stored.covered, exact.covered)
        own = step in one.stored.levels
        if own and overlap != "blend":
            # sums of float32 in another order differ in their last bit
            assert np.abs(stored.image.astype(int) - exact.image).max() <= (1 if kind[1] else 0)
        elif not kind[1]:
            assert np.abs(stored.image.astype(int) - exact.image).max() <= 1
        height, width = one.shape
        x, y = data.draw(st.integers(0, width - 1)), data.draw(st.integers(0, height - 1))
        region = Region(x, data.draw(st.integers(x + 1, width + 9)), y, data.draw(st.integers(y + 1, height + 9)))
        part = one.render(region, SETTINGS, **how, levels="stored").image
        cells = Grid(step).cells(region.window()) & Grid(step).cells(one.bounds)
        inner = part[: cells.y1 - cells.y0, : cells.x1 - cells.x0]
        np.testing.assert_array_equal(inner, stored.image[cells.slices_in(Window(0, 0, 0, 0))])


def contextlib_patches(values):
    from contextlib import ExitStack

    stack = ExitStack()
    for name, value in values.items():
        stack.enter_context(mock.patch(name, value))
    return stack


def test_levels_are_read_and_the_tiles_are_not(tmp_path):
    one = stored_map(tmp_path, tiles_of(1, [(0, 0, 64, 64)]))
    build_levels(one)
    with mock.patch("napari_slicemap.render.map_scene.MapScene.pixels", side_effect=AssertionError("a tile was read")):
        one.render_region(None, SETTINGS, downsample=16, levels="stored")
        one.read_stack(["A"], Window(0, 4, 0, 4), Grid(16), levels="stored")
        for exact in (
            {"downsample": 4, "levels": "stored"},
            {"downsample": 12, "levels": "stored"},
            {"downsample": 8},
            {"downsample": 8, "levels": "stored", "overlap": "first"},
            {"downsample": 8, "levels": "stored", "z": "max"},
        ):
            with pytest.raises(AssertionError, match="a tile was read"):
                one.render_region(None, SETTINGS, **exact)


@pytest.mark.parametrize("origin", [(0, 0), (-24, 0), (8, -16), (-40, -8), (-3, 0)])
@pytest.mark.parametrize("step", [8, 16])
def test_levels_lie_right_on_a_grid_with_another_origin(tmp_path, origin, step):
    one = stored_map(tmp_path, tiles_of(3, [(0, 0, 64, 48), (64, 5, 40, 40)]))
    build_levels(one)
    grid = Grid(step, *origin)
    cells = grid.cells(one.bounds)
    exact = one.read_stack(["A"], cells, grid)
    np.testing.assert_allclose(one.read_stack(["A"], cells, grid, levels="stored"), exact, rtol=1e-6)


def test_a_missing_tile_is_told_from_stored_levels_too(tmp_path):
    one = stored_map(tmp_path, tiles_of(2, [(0, 0, 64, 64)]), missing=[("gone", 64, 0, 64, 64)])
    build_levels(one)
    made = one.render(None, SETTINGS, downsample=8, levels="stored", on_missing="mark")
    exact = one.render(None, SETTINGS, downsample=8, on_missing="mark")
    np.testing.assert_array_equal(made.image, exact.image)
    np.testing.assert_array_equal(made.covered, exact.covered)
    assert made.missing == exact.missing != ()
    with pytest.raises(TileReadError, match="FOV gone"):
        one.render_region(None, SETTINGS, downsample=8, levels="stored")
    one.render_region(Region(0, 64, 0, 64), SETTINGS, downsample=8, levels="stored")


@pytest.fixture
def dataset_folder(tmp_path):
    folder = tmp_path / "data"
    folder.mkdir()
    for n in range(2):
        plane = np.full((40, 40), 50 * (n + 1), np.uint16)
        tifffile.imwrite(folder / f"t{n}.tif", plane, metadata={"axes": "YX"})
    (folder / "tiles.csv").write_text("path,map_id,x_px,y_px\nt0.tif,m,0,0\nt1.tif,m,40,0\n", encoding="utf-8")
    return folder


def touch_later(path):
    later = path.stat().st_mtime_ns + 10**9
    os.utime(path, ns=(later, later))


CHANGES = [
    pytest.param(lambda folder: None, True, id="nothing"),
    pytest.param(lambda folder: touch_later(folder / "t1.tif"), False, id="a tile was written anew"),
    pytest.param(
        lambda folder: (folder / "tiles.csv").write_text("path,map_id,x_px,y_px\nt0.tif,m,0,0\nt1.tif,m,41,0\n"),
        False,
        id="a tile was moved on the map",
    ),
    pytest.param(
        lambda folder: (folder / "slicemap.toml").write_text('version = 1\noverlap = "first"\n'), False, id="overlap"
    ),
    pytest.param(lambda folder: (folder / "t1.tif").unlink(), False, id="a tile is gone"),
    pytest.param(lambda folder: shutil.rmtree(folder / ".slicemap-cache"), False, id="the cache was deleted"),
    pytest.param(
        lambda folder: (folder / ".slicemap-cache" / "levels" / "m.ome.zarr" / "zarr.json").write_text("{"),
        False,
        id="the record is broken",
    ),
]


@pytest.mark.parametrize(("change", "kept"), CHANGES)
def test_levels_hold_as_long_as_their_sources(dataset_folder, change, kept):
    build_levels(open_dataset(dataset_folder).maps["m"])
    change(dataset_folder)
    assert bool(open_dataset(dataset_folder).maps["m"].stored.levels) == kept


def test_a_moved_dataset_keeps_its_levels(dataset_folder, tmp_path):
    build_levels(open_dataset(dataset_folder).maps["m"])
    dataset_folder.rename(tmp_path / "elsewhere")
    assert open_dataset(tmp_path / "elsewhere").maps["m"].stored.levels


def test_invalidate_looks_anew(dataset_folder):
    one = open_dataset(dataset_folder).maps["m"]
    build_levels(one)
    assert one.stored.levels
    touch_later(dataset_folder / "t0.tif")
    one.invalidate("t0")
    assert not one.stored.levels


def test_independent_readers_see_ome_zarr(dataset_folder):
    one = open_dataset(dataset_folder).maps["m"]
    made = build_levels(one)
    group = zarr.open_group(made.path, mode="r")
    (scales,) = group.attrs["ome"]["multiscales"]
    assert [axis["name"] for axis in scales["axes"]] == ["c", "y", "x"]
    (level,) = scales["datasets"]
    assert level["coordinateTransformations"][0] == {"type": "scale", "scale": [1.0, 8.0, 8.0]}
    np.testing.assert_array_equal(group[level["path"]][0], [[50.0] * 5 + [100.0] * 5] * 5)


def test_progress_is_told_and_a_cancelled_run_keeps_nothing(tmp_path):
    one = stored_map(tmp_path, tiles_of(1, [(0, 0, 64, 64)]))
    seen = []
    with mock.patch("napari_slicemap.render.build_levels._SIDE", 32):
        build_levels(one, on_progress=lambda done, total: seen.append((done, total)))
        assert seen == [(n, 4) for n in range(1, 5)]
        before = one.stored.levels
        with pytest.raises(CancelledError, match="map m was cancelled"):
            build_levels(one, cancel=lambda: True)
    one.stored.forget()
    assert one.stored.levels.keys() == before.keys()
    assert [path.name for path in tmp_path.iterdir()] == ["m.ome.zarr"]


def test_a_map_without_a_dataset_has_nowhere_to_keep_levels():
    one = make_map([(tiles_of(1, [(0, 0, 8, 8)])[0].fov, 0, 0)])
    with pytest.raises(ValueError, match="map m: levels are kept in a dataset's cache folder"):
        build_levels(one)


def test_a_stored_level_is_plain_data(tmp_path):
    one = stored_map(tmp_path, tiles_of(1, [(0, 0, 16, 16)]))
    level = build_levels(one).levels[8]
    assert dataclasses.is_dataclass(level)
    assert level.bounds == Window(0, 2, 0, 2)

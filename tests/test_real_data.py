"""Real acquisitions, held against what their own files say and against pixels read by tifffile alone."""

from __future__ import annotations

import csv
import re
from pathlib import Path

import numpy as np
import pytest
import tifffile

from builders import write_csv
from napari_slicemap import ChannelSettings, Dataset, Region, open_dataset
from napari_slicemap.images.region import Window

PANEL = ("Ag107", "Cytokeratin 5", "Laminin", "YBX1", "H3K27Ac")
# every pixel of every channel shown to the last count that 8 bits can tell apart
HISTONE = {"H3K27Ac": ChannelSettings("white", (0, 12))}


def mapped(raw: np.ndarray, low: float, high: float) -> np.ndarray:
    """The contrast mapping, written out once more."""
    return np.round(np.clip((raw.astype(np.float64) - low) / (high - low), 0, 1) * 255).astype(np.uint8)


# --- steinbock -----------------------------------------------------------------------------------------------
@pytest.fixture(scope="module")
def steinbock(real_data: Path) -> Dataset:
    return open_dataset(real_data / "imc" / "steinbock")


@pytest.fixture(scope="module")
def images(real_data: Path) -> dict[str, dict[str, str]]:
    with (real_data / "imc" / "steinbock" / "images.csv").open(newline="") as stream:
        return {row["image"].removesuffix(".tiff"): row for row in csv.DictReader(stream)}


def test_what_is_in_it(steinbock: Dataset, images: dict[str, dict[str, str]]) -> None:
    assert (steinbock.layout, steinbock.stage_y, steinbock.problems) == ("steinbock", "up", [])
    assert list(steinbock.fovs) == list(images)
    assert len(steinbock.fovs) == 15
    assert sorted(steinbock.maps) == [f"20210305_NE_mockData{n}" for n in range(1, 6)]
    assert [len(one.fov_names) for one in steinbock.maps.values()] == [3] * 5
    assert steinbock.channels == PANEL
    assert {fov.pixel_size_um for fov in steinbock.fovs.values()} == {1.0}
    assert {one.base_pixel_size_um() for one in steinbock.maps.values()} == {1.0}
    assert {tuple(sorted(fov.masks)) for fov in steinbock.fovs.values()} == {("deepcell", "ilastik")}
    assert {str(fov.dtype) for fov in steinbock.fovs.values()} == {"float32"}


def test_its_cells_are_those_of_the_mask(steinbock: Dataset, real_data: Path) -> None:
    cells = steinbock.cells
    assert cells is not None
    assert len(cells) == 404
    assert set(cells["fov"]) <= set(steinbock.fovs)
    for name, some in cells.groupby("fov"):
        mask = tifffile.imread(real_data / "imc" / "steinbock" / "masks_deepcell" / f"{name}.tiff")
        assert sorted(some["label"]) == sorted(set(np.unique(mask)) - {0})
        for label, x, y in some[["label", "x", "y"]].itertuples(index=False):
            rows, columns = np.nonzero(mask == label)
            assert (x, y) == pytest.approx((columns.mean(), rows.mean()))


def test_pixels_and_masks_are_tifffiles(steinbock: Dataset, real_data: Path) -> None:
    for name, fov in steinbock.fovs.items():
        raw = tifffile.imread(real_data / "imc" / "steinbock" / "img" / f"{name}.tiff")
        np.testing.assert_array_equal(fov.read(), raw)
        for mask in ("ilastik", "deepcell"):
            labels = tifffile.imread(real_data / "imc" / "steinbock" / f"masks_{mask}" / f"{name}.tiff")
            np.testing.assert_array_equal(fov.read_labels("mask", mask, fov.bounds), labels)


@pytest.mark.parametrize("slide", range(1, 6))
def test_painted_pixels_lie_where_images_csv_says_with_y_up(
    steinbock: Dataset, images: dict[str, dict[str, str]], real_data: Path, slide: int
) -> None:
    """A canvas is put together from the table and tifffile alone, and equals the map, every pixel of it."""
    rows = {name: row for name, row in images.items() if row["source_file"] == f"20210305_NE_mockData{slide}.mcd"}
    assert len(rows) == 3
    x0 = min(float(row["acquisition_start_x_um"]) for row in rows.values())
    top = max(float(row["acquisition_start_y_um"]) for row in rows.values())
    right = max(float(row["acquisition_end_x_um"]) for row in rows.values())
    bottom = min(float(row["acquisition_end_y_um"]) for row in rows.values())
    canvas = np.zeros((round(top - bottom), round(right - x0)), np.float32)
    for name, row in rows.items():
        raw = tifffile.imread(real_data / "imc" / "steinbock" / "img" / f"{name}.tiff")[PANEL.index("H3K27Ac")]
        # stage y falls from the image's first row to its last
        assert float(row["acquisition_start_y_um"]) - float(row["acquisition_end_y_um"]) == raw.shape[0]
        column = round(float(row["acquisition_start_x_um"]) - x0)
        line = round(top - float(row["acquisition_start_y_um"]))
        canvas[line : line + raw.shape[0], column : column + raw.shape[1]] = raw
    one = steinbock.maps[f"20210305_NE_mockData{slide}"]
    assert one.map_bounds() == (x0, right, bottom, top)
    painted = one.render_region(None, HISTONE)
    expected = mapped(canvas, 0, 12)
    assert painted.shape == (*canvas.shape, 3)
    assert len(np.unique(expected)) > 20  # there is something to tell apart
    for channel in range(3):
        np.testing.assert_allclose(painted[..., channel].astype(int), expected.astype(int), atol=1)
    # the wrong way up would be seen
    assert not np.allclose(painted[::-1, :, 0], expected, atol=1)


def test_a_crop_of_a_map_is_the_fov(steinbock: Dataset, real_data: Path) -> None:
    for one in steinbock.maps.values():
        for tile in one.placement.tiles:
            raw = tifffile.imread(real_data / "imc" / "steinbock" / "img" / f"{tile.name}.tiff")
            painted = one.render_region(tile.window.region, HISTONE, overlap="last")
            owners = {one.locate(tile.window.x0 + x, tile.window.y0 + y) for x in (0, 10) for y in (0, 10)}
            assert owners == {tile.name}
            np.testing.assert_allclose(painted[..., 0].astype(int), mapped(raw[-1], 0, 12).astype(int), atol=1)


# --- MIST ----------------------------------------------------------------------------------------------------
@pytest.fixture(scope="module")
def mist(real_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """A ``tiles.csv`` made from the positions that MIST solved; the tiles stay where they are."""
    folder = tmp_path_factory.mktemp("mist")
    positions = (real_data / "mist" / "stitched" / "global-positions-1.txt").read_text()
    found = re.findall(r"file: (\S+); .*?position: \((\d+), (\d+)\)", positions)
    assert len(found) == 25
    (tile,) = {path.parent for path in (real_data / "mist").rglob("ImageName_t01_p01.tif")}
    write_csv(
        folder / "tiles.csv",
        ("path", "map_id", "x_px", "y_px"),
        [(tile / name, "plate", x, y) for name, x, y in found],
    )
    return open_dataset(folder / "tiles.csv")


def own_interior(window: Window, others: list[Window]) -> np.ndarray:
    """Which pixels of a tile no other tile covers."""
    free = np.ones(window.shape, bool)
    for other in others:
        shared = window & other
        if not shared.empty:
            free[shared.slices_in(window)] = False
    return free


def test_mist_mosaic_equals_the_stitched_image_in_every_tiles_interior(mist: Dataset, real_data: Path) -> None:
    one = mist.maps["plate"]
    assert one.shape == (888, 1185)
    (channel,) = mist.channels
    stitched = tifffile.imread(real_data / "mist" / "stitched" / "img-stitched-1.tif")
    low, high = np.percentile(stitched[stitched > 0], (1, 99))
    painted = one.render_region(None, {channel: ChannelSettings("white", (low, high))})[..., 0]
    expected = mapped(stitched, low, high)
    assert len(np.unique(expected)) > 60  # there is something to tell apart
    tiles = {tile.name: tile.window for tile in one.placement.tiles}
    assert len(tiles) == 25
    raw_of = {name: mist.fovs[name].read()[0] for name in tiles}
    for name, window in tiles.items():
        free = own_interior(window, [other for key, other in tiles.items() if key != name])
        assert free.mean() > 0.6
        rows, columns = window.slices_in(one.bounds)
        np.testing.assert_array_equal(painted[rows, columns][free], expected[rows, columns][free], err_msg=name)
        # the mapping hides nothing: the raw pixels are the same too
        np.testing.assert_array_equal(raw_of[name][free], stitched[rows, columns][free], err_msg=name)


def test_mist_pixels_by_downsampling_are_means_of_the_stitched_image(mist: Dataset, real_data: Path) -> None:
    one = mist.maps["plate"]
    tiles = {tile.name: tile.window for tile in one.placement.tiles}
    stitched = tifffile.imread(real_data / "mist" / "stitched" / "img-stitched-1.tif").astype(np.float64)
    (channel,) = mist.channels
    settings = {channel: ChannelSettings("white", (stitched.min(), stitched.max()))}
    window = tiles["ImageName_t01_p13"]
    # well inside the tile, on the grid of four
    inner = Window(*(4 * (bound // 4) for bound in (window.x0 + 44, window.x1 - 40, window.y0 + 44, window.y1 - 40)))
    painted = one.render_region(Region(inner.x0, inner.x1, inner.y0, inner.y1), settings, downsample=4)[..., 0]
    raw = stitched[inner.slices_in(one.bounds)]
    means = raw.reshape(raw.shape[0] // 4, 4, raw.shape[1] // 4, 4).mean(axis=(1, 3))
    np.testing.assert_allclose(painted.astype(int), mapped(means, stitched.min(), stitched.max()).astype(int), atol=1)

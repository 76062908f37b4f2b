"""Folders of raw OCT tiles as datasets."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from builders import pixels, write_tiff
from napari_slicemap import ChannelSettings, ExportPlan, open_dataset, run_export
from napari_slicemap.cli.info import describe
from napari_slicemap.dataset import init_dataset
from napari_slicemap.errors import FileFormatError, TileReadError
from napari_slicemap.images.image import ImagePlane
from napari_slicemap.images.oct.tile import find_raw_tiles
from napari_slicemap.images.plane import read_window
from napari_slicemap.images.readers import find_reader
from napari_slicemap.images.readers.raw_tiles import RawTileImage, RawTiles
from napari_slicemap.images.region import Region, Window
from napari_slicemap.sample import make_sample

from .oct_files import DEPTH, EXTRA, NX, NY, volume, write_slice, write_tile
from .test_readers import ReaderContract, options

TILE, OTHER = "tile_x00_y00_z03", "tile_x01_y00_z03"


def read_tile(folder: Path, **changes: Any) -> Any:
    """The one FOV of a folder with a single tile."""
    (fov,) = RawTiles().read(folder, options(folder, **changes)).fovs.values()
    return fov


class TestRawTiles(ReaderContract):
    reader = RawTiles()

    def build(self, root: Path) -> Path:
        return write_slice(root)

    def image_of(self, root: Path, fov: str, channel: str) -> np.ndarray:
        flat = np.fromfile(root / fov / "image_00000.bin", "<f4")
        return flat.reshape((DEPTH, NX + EXTRA, NY), order="F")[0, :NX].T

    def test_a_missing_image_fails_its_own_fov_only(self, tmp_path: Path) -> None:
        fovs = self.read(tmp_path).fovs
        (tmp_path / TILE / "image_00000.bin").unlink()
        fovs[OTHER].read()
        with pytest.raises(TileReadError, match=rf"^FOV {TILE}: .*{TILE}: .*it holds no pixels"):
            fovs[TILE].read()

    def test_positions(self, tmp_path: Path) -> None:
        one, two = self.read(tmp_path).positions
        assert (one.map_id, one.fov, one.slice_id) == ("03", TILE, "")
        # the stage stood at the first A-line and B-scan
        assert one.center_um == pytest.approx((12000 + 3.5 * NX / 2, 8500 + 3.5 * NY / 2))
        assert two.center_um == pytest.approx((12000 + 3.5 * NX * 1.5, 8500 + 3.5 * NY / 2))
        assert (one.origin_px, one.size_px, one.pixel_size_um) == (None, (NX, NY), 3.5)
        assert one.source.endswith(f"{TILE}/info.txt")


# --- pixels --------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("cuts", [(), (1, 3)], ids=["one file", "three files"])
def test_every_plane_and_projection(tmp_path: Path, cuts: tuple[int, ...]) -> None:
    depth = 35  # more than are read together
    raw = volume(shape=(depth, NX + EXTRA, NY))
    write_tile(tmp_path / TILE, raw, cuts=cuts, bottom_z=10 + depth - 1)
    fov, kept = read_tile(tmp_path), raw[:, :NX].transpose(0, 2, 1)
    assert (fov.shape, fov.dtype, fov.pixel_size_um, fov.z_step_um) == ((1, 1, depth, NY, NX), np.float32, 3.5, None)
    for z in range(depth):
        np.testing.assert_array_equal(fov.read(z=z)[0], kept[z])
    np.testing.assert_array_equal(fov.read(z="max")[0], kept.max(axis=0))
    np.testing.assert_allclose(fov.read(z="mean")[0], kept.mean(axis=0, dtype=np.float64), rtol=1e-6)
    np.testing.assert_array_equal(fov.read(region=Region(2, 6, 1, 3), z=20)[0], kept[20, 1:3, 2:6])


@pytest.mark.parametrize("cuts", [(), (3, 5)], ids=["one file", "cut within a repeat"])
def test_repeats_are_averaged(tmp_path: Path, cuts: tuple[int, ...]) -> None:
    raw = volume(repeats=3)
    write_tile(tmp_path / TILE, raw, n_repeat=3, cuts=cuts)
    fov = read_tile(tmp_path)
    assert fov.shape == (1, 1, DEPTH, NY, NX)
    for z in range(DEPTH):
        for y in range(NY):
            expected = raw[z, :NX, 3 * y : 3 * y + 3].astype(np.float64).mean(axis=1).astype(np.float32)
            np.testing.assert_array_equal(fov.read(z=z)[0, y], expected)


def test_a_plane_of_many_chunks(tmp_path: Path) -> None:
    lines, scans = 1100, 70
    raw = volume(shape=(3, lines, scans))
    write_tile(tmp_path / TILE, raw, nx=1000, n_extra=100, ny=scans, bottom_z=12, width=1000, height=scans)
    image = RawTileImage(find_raw_tiles(tmp_path)[0])
    assert image.info.chunk_shape == (32, 1000)
    for window in (Window(0, 1000, 0, 70), Window(990, 1000, 30, 66), Window(0, 1, 69, 70)):
        made = read_window(ImagePlane(image), 0, 2, window)
        np.testing.assert_array_equal(made, raw[2, window.x0 : window.x1, window.y0 : window.y1].T)


def test_planes_that_do_not_exist(tmp_path: Path) -> None:
    write_tile(tmp_path / TILE, volume())
    image = RawTileImage(find_raw_tiles(tmp_path)[0])
    for channel, z in ((0, DEPTH), (0, -1), (1, 0)):
        with pytest.raises(TileReadError, match=rf"{TILE}: .*out of bounds"):
            image.chunks(channel, 0, z)


def test_what_changes_is_seen(tmp_path: Path) -> None:
    write_tile(tmp_path / TILE, volume(0))
    fov = read_tile(tmp_path)
    before = fov.read()
    write_tile(tmp_path / TILE, np.roll(volume(0), 1, axis=1))
    again = fov.read()
    assert not np.array_equal(again, before)
    np.testing.assert_array_equal(again[0], np.roll(volume(0), 1, axis=1)[0, :NX].T)
    write_tile(tmp_path / TILE, volume(0), nx=NX + 1, n_extra=EXTRA - 1)
    with pytest.raises(TileReadError, match="the file has changed since it was first read; open the dataset again"):
        fov.read()


# --- which tiles, and where ----------------------------------------------------------------------------------
def test_tiles_of_several_slices_in_folders(tmp_path: Path) -> None:
    for z in ("07", "112"):
        write_slice(tmp_path / f"z{z}", z)
    dataset = open_dataset(tmp_path)
    assert (dataset.layout, dataset.problems, dataset.stage_y) == ("raw-tiles", [], "down")
    assert {one: two.fov_names for one, two in dataset.maps.items()} == {
        z: [f"tile_x00_y00_z{z}", f"tile_x01_y00_z{z}"] for z in ("07", "112")
    }
    assert [one.slice_id for one in dataset.maps.values()] == ["07", "112"]


def test_without_stage_positions_names_say_where(tmp_path: Path) -> None:
    for x, y in ((2, 5), (3, 5), (3, 6)):
        write_tile(tmp_path / f"tile_x{x:02d}_y{y:02d}_z03", volume(x + y))
    dataset = open_dataset(tmp_path)
    tiles = {tile.name: tile.window for tile in dataset.maps["03"].placement.tiles}
    assert dataset.problems == []
    assert tiles == {
        "tile_x02_y05_z03": Window(0, NX, 0, NY),
        "tile_x03_y05_z03": Window(NX, 2 * NX, 0, NY),
        "tile_x03_y06_z03": Window(NX, 2 * NX, NY, 2 * NY),
    }
    assert dataset.maps["03"].base_pixel_size_um() == 3.5


def test_a_slice_with_one_tile_that_does_not_say_where(tmp_path: Path) -> None:
    write_slice(tmp_path)
    write_slice(tmp_path, "04")
    write_tile(tmp_path / OTHER, volume(1))
    made = RawTiles().read(tmp_path, options(tmp_path))
    assert [position.center_um is None for position in made.positions] == [True, True, False, False]
    assert [position.origin_px for position in made.positions[:2]] == [(0, 0), (NX, 0)]
    assert made.problems == (
        f"{tmp_path / OTHER / 'info.txt'}: no stage position, so slice 03 is laid out by the names of its tiles",
    )


def test_pixels_that_are_not_square(tmp_path: Path) -> None:
    write_slice(tmp_path, height=7 * NY)
    dataset = open_dataset(tmp_path)
    assert [fov.pixel_size_um for fov in dataset.fovs.values()] == [None, None]
    assert len(dataset.problems) == 2
    assert f"{TILE}/info.txt: its pixels are 3.5 × 7 µm; only square" in dataset.problems[0]
    assert "(and those of 1 more tiles); it counts as unknown" in dataset.problems[0]
    assert f"{TILE}/info.txt: no pixel size, so slice 03 is laid out by the names" in dataset.problems[1]
    assert dataset.maps["03"].shape == (NY, 2 * NX)
    told = RawTiles().read(tmp_path, options(tmp_path, pixel_size_um=3.5))
    assert len(told.problems) == 1
    assert told.positions[0].center_um == pytest.approx((12000 + 3.5 * NX / 2, 8500 + 3.5 * NY / 2))


def test_a_tile_whose_info_is_wrong_is_left_out_by_name(tmp_path: Path) -> None:
    write_slice(tmp_path)
    (tmp_path / TILE / "info.txt").write_text("nx: many\n")
    dataset = open_dataset(tmp_path)
    assert list(dataset.fovs) == [OTHER]
    assert len(dataset.problems) == 1
    assert f"{TILE}/info.txt: " in dataset.problems[0]
    assert dataset.problems[0].endswith("; left out")


@pytest.mark.parametrize(
    ("make", "says"),
    [
        pytest.param(
            lambda root: write_slice(root, nx="many"), "none of its tiles can be read: .*nx is 'many'", id="bad"
        ),
        pytest.param(lambda root: None, "it holds no folder tile_x<NN>_y<NN>_z<NN>", id="empty"),
        pytest.param(lambda root: write_slice(root, "03") and write_slice(root, "003"), "name it in one way", id="z"),
    ],
)
def test_folders_that_are_refused(tmp_path: Path, make: Any, says: str) -> None:
    make(tmp_path)
    with pytest.raises(FileFormatError, match=says):
        RawTiles().read(tmp_path, options(tmp_path))


def test_a_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FileFormatError, match=r"a\.tif: expected a folder of raw tiles"):
        RawTiles().read(write_tiff(tmp_path / "a.tif", pixels(1)), options(tmp_path))


@pytest.mark.parametrize(
    ("make", "layout"),
    [
        pytest.param(lambda root: write_tiff(root / "a1" / "DAPI.tif", pixels(1)), "fov-folders", id="FOV folders"),
        pytest.param(
            lambda root: write_tiff(root / TILE / "DAPI.tif", pixels(1)), "fov-folders", id="FOVs that are named so"
        ),
        pytest.param(
            lambda root: (root / "tiles.csv").write_text("path,map_id,x_px,y_px\n"), "tiles-csv", id="a table"
        ),
    ],
)
def test_raw_tiles_beside_another_layout_leave_it_what_it_is(tmp_path: Path, make: Any, layout: str) -> None:
    write_slice(tmp_path)
    assert find_reader(tmp_path)[0].name == "raw-tiles"
    make(tmp_path)
    assert find_reader(tmp_path)[0].name == layout


@pytest.mark.parametrize("lost", ["info.txt", "image_00000.bin"])
def test_folders_that_are_only_named_so_are_not_recognised(tmp_path: Path, lost: str) -> None:
    write_tile(tmp_path / TILE, volume())
    (tmp_path / TILE / lost).unlink()
    assert RawTiles().detect(tmp_path) == ""


# --- the sample ----------------------------------------------------------------------------------------------
@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_sample(tmp_path_factory.mktemp("sample") / "block")


def test_a_project_that_names_its_raw_tiles_stays_what_it_is(sample: Path) -> None:
    dataset = open_dataset(sample)
    assert (dataset.layout, dataset.project.raw_tiles) == ("fov-folders", "raw_tiles")
    assert not any("tile_x" in name for name in dataset.fovs)


def test_the_map_shows_the_return_until_it_is_rolled_away(sample: Path, tmp_path: Path) -> None:
    shutil.copytree(sample / "raw_tiles", tmp_path / "fixed")
    for path in (tmp_path / "fixed").glob("*/image_*.bin"):
        raw = np.fromfile(path, "<f4").reshape((6, 60, 48), order="F")
        path.write_bytes(np.roll(raw, 28, axis=1).tobytes(order="F"))  # the band begins at A-line 20
    look = {"OCT": ChannelSettings("white", (0.0, 160.0))}
    steps = {}
    for folder in (sample / "raw_tiles", tmp_path / "fixed"):
        dataset = open_dataset(folder)
        assert (dataset.problems, dataset.maps["03"].shape) == ([], (96, 96))
        seen = dataset.maps["03"].render_region(None, look, z="mean")[..., 0].mean(axis=0)
        steps[folder.name] = np.diff(seen)
    # the band is A-lines 20 to 32 of each tile, and darker
    for at in (19, 67):
        assert steps["raw_tiles"][at] < -8 < steps["fixed"][at]
        assert steps["raw_tiles"][at + 12] > 8 > steps["fixed"][at + 12]


def test_what_info_says_and_what_is_exported(sample: Path, tmp_path: Path) -> None:
    shutil.copytree(sample / "raw_tiles", tmp_path / "run")
    init_dataset(tmp_path / "run")
    dataset = open_dataset(tmp_path / "run")
    facts = describe(dataset)
    assert (facts["layout"], facts["channels"], facts["dtype"]) == ("raw-tiles", ["OCT"], "float32")
    assert (facts["pixel_size_um"], facts["problems"]) == (1.3, [])
    plan = ExportPlan(output_folder=str(tmp_path / "out"), select=({"kind": "map", "all": True},), z="max")
    assert run_export(plan, dataset).counts["ok"] == 1
    with Image.open(tmp_path / "out" / "map_03.png") as made:
        shown = np.asarray(made.convert("RGB"))
    profile = dataset.profiles.get_default()
    assert profile is not None
    np.testing.assert_array_equal(shown, dataset.maps["03"].render_region(None, profile.channels, z="max")[..., :3])

"""Tiles whose names say where they lie."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st

from builders import CHANNELS, fov_folders, pixels, write_tiff
from napari_slicemap import ChannelSettings, Dataset, open_dataset
from napari_slicemap.dataset import init_dataset
from napari_slicemap.errors import FileFormatError, SlicemapError, TileReadError
from napari_slicemap.images.acquisition import Acquisition
from napari_slicemap.images.readers import find_reader
from napari_slicemap.images.readers.tile_files import TileFiles
from napari_slicemap.images.tiles.names import TileNames

from .reader_contract import ReaderContract, options


class TestTileFiles(ReaderContract):
    reader = TileFiles()

    def build(self, root: Path) -> Path:
        return write_tiles(root, *(f"S03_{place}_{word}.tif" for place in ("r0_c0", "r1_c1") for word in CHANNELS))

    def image_of(self, root: Path, fov: str, channel: str) -> np.ndarray:
        return tifffile.imread(root / f"S{fov}_{channel}.tif")


def write_tiles(root: Path, *names: str, shape: tuple[int, ...] = (20, 24), **options: Any) -> Path:
    for seed, name in enumerate(names):
        write_tiff(root / name, pixels(seed, shape), **options)
    return root


def read(root: Path, **tiles: Any) -> Acquisition:
    return TileFiles().read(root, options(root, tiles=TileNames(**tiles) if tiles else None))


def corners(made: Acquisition) -> dict[str, tuple[float, float]]:
    return {one.fov: one.origin_px for one in made.positions if one.origin_px is not None}


@pytest.mark.parametrize(
    ("overlap", "step"),
    [
        pytest.param("0 %", (24, 20), id="none"),
        pytest.param("10 %", (21.6, 18), id="per cent of each side"),
        pytest.param("5 px", (19, 15), id="px"),
    ],
)
def test_where_tiles_lie(tmp_path: Path, overlap: str, step: tuple[float, float]) -> None:
    write_tiles(
        tmp_path, *(f"{slice_id}_{row}_{col}.tif" for slice_id in ("07", "8") for row in (3, 4) for col in "56")
    )
    made = read(tmp_path, overlap=overlap)
    assert [(one.map_id, one.fov) for one in made.positions[:5]] == [
        ("07", "07_r3_c5"),
        ("07", "07_r3_c6"),
        ("07", "07_r4_c5"),
        ("07", "07_r4_c6"),
        ("8", "8_r3_c5"),
    ]
    assert list(corners(made).values()) == [(x, y) for y in (0, step[1]) for x in (0, step[0])] * 2
    assert {one.size_px for one in made.positions} == {(24, 20)}
    assert made.missing == ()


def test_an_overlap_that_nobody_states_is_told(tmp_path: Path) -> None:
    write_tiles(tmp_path, "a_x0_y0.tif", "a_x1_y1.tif")
    for stated in ({}, {"pattern": "a_x{col}_y{row}.tif"}):
        (one,) = read(tmp_path, **stated).missing
        assert (one.what, one.option, one.field) == ("overlap of the tiles", "--overlap 10%", "tiles")


def test_channels_planes_and_times_in_files_of_their_own(tmp_path: Path) -> None:
    names = [f"r0_c{c}_z{z}_t{t:02}_{w}.tif" for c in range(2) for z in (3, 5) for t in (9, 10) for w in CHANNELS]
    write_tiles(tmp_path, *names)
    made = read(tmp_path)
    assert TileFiles().detect(tmp_path) == "names read as r{row}_c{col}_z{z}_t{t}_{channel}.tif"
    fov = made.fovs["r0_c1"]
    assert (fov.shape, set(fov.channels)) == ((2, 2, 2, 20, 24), set(CHANNELS))
    for t, z, channel in ((0, 0, "DAPI"), (1, 0, "CD3"), (1, 1, "DAPI")):
        expected = tifffile.imread(tmp_path / f"r0_c1_z{(3, 5)[z]}_t{(9, 10)[t]:02}_{channel}.tif")
        np.testing.assert_array_equal(fov.read([channel], t=t, z=z)[0], expected)


def test_a_plane_that_is_missing_fails_when_it_is_read(tmp_path: Path) -> None:
    write_tiles(tmp_path, *(f"r{n}_c{n}_z{z}.tif" for n in range(2) for z in range(2)))
    (tmp_path / "r1_c1_z1.tif").unlink()
    fov = read(tmp_path).fovs["r1_c1"]
    fov.read(z=0)
    with pytest.raises(TileReadError, match=r"FOV r1_c1: .*plane t = 0, z = 1 is missing"):
        fov.read(z=1)


@pytest.mark.parametrize(
    ("names", "stated", "expected"),
    [
        pytest.param("1 2 3 4 5 6", {"columns": 3}, {"1": (0, 0), "4": (0, 1), "6": (2, 1)}, id="from 1"),
        pytest.param("0 1 2 3 4 5", {"columns": 3}, {"0": (0, 0), "5": (2, 1)}, id="from 0"),
        pytest.param("26 27 28 29", {"rows": 2, "columns": 2}, {"26": (0, 0), "29": (1, 1)}, id="counted on"),
        pytest.param("7 8 9 10", {"columns": 2}, {"7": (0, 0), "10": (1, 1)}, id="from anywhere"),
        pytest.param("2 3 4", {"rows": 2, "columns": 2}, {"2": (1, 0), "4": (1, 1)}, id="the first is missing"),
        pytest.param("1 4", {"rows": 2}, {"1": (0, 0), "4": (1, 1)}, id="holes"),
        pytest.param("1 2 3 4", {"rows": 2, "order": "columns"}, {"2": (0, 1), "3": (1, 0)}, id="down columns"),
    ],
)
def test_counted_tiles(
    tmp_path: Path, names: str, stated: dict[str, Any], expected: dict[str, tuple[int, int]]
) -> None:
    write_tiles(tmp_path, *(f"p{number}.tif" for number in names.split()))
    made = corners(read(tmp_path, pattern="p{index}.tif", **stated))
    assert {name: made[f"tile_{name}"] for name in expected} == {
        name: (24 * column, 20 * row) for name, (column, row) in expected.items()
    }


def test_counted_tiles_of_slices_that_count_on_or_anew(tmp_path: Path) -> None:
    write_tiles(tmp_path, *(f"a/{n}.tif" for n in (1, 2, 4)), "b/3.tif", "c/5.tif", "c/6.tif")
    made = corners(read(tmp_path, pattern="{slice}/{index}.tif", rows=2, columns=2))
    expected = {"a_tile_4": (24, 20), "b_tile_3": (0, 20), "c_tile_5": (0, 0), "c_tile_6": (24, 0)}
    assert {name: made[name] for name in expected} == expected


def test_a_stated_grid_counts_names_that_only_count(tmp_path: Path) -> None:
    write_tiles(tmp_path, "a_t01_p01.tif", "a_t01_p02.tif", "a_t01_p03.tif")
    assert find_reader(tmp_path)[0].name == "section-images"
    made = open_dataset(tmp_path, tiles={"columns": 2, "overlap": "4 px"})
    assert (made.layout, made.why) == ("tile-files", "as stated")
    assert made.maps[tmp_path.name].shape == (36, 44)


def test_a_project_keeps_how_names_are_read(tmp_path: Path) -> None:
    write_tiles(tmp_path, "a_1.tif", "a_2.tif")
    init_dataset(tmp_path, tiles={"pattern": "a_{index}.tif", "columns": 1, "overlap": "5 px"})
    made = open_dataset(tmp_path)
    assert (made.layout, [one.shape for one in made.maps.values()]) == ("tile-files", [(35, 24)])


def test_files_named_otherwise_are_told(tmp_path: Path) -> None:
    write_tiles(tmp_path, "r0_c0.tif", "r0_c1.tif", "r1_c0.tif", "overview.tif")
    (tmp_path / "notes.txt").write_text("x")
    made = read(tmp_path)
    assert made.problems == (f"{tmp_path}: named otherwise than r{{row}}_c{{col}}.tif, and left out: overview.tif",)
    assert len(made.fovs) == 3


@pytest.mark.parametrize(
    ("names", "stated", "message"),
    [
        pytest.param(
            ["a1.tif", "a2.tif"],
            {"pattern": "b{row}_{col}.tif"},
            r"no image is named b\{row\}.*there is a1\.tif, a2",
            id="no match",
        ),
        pytest.param(
            ["r1_c1.tif", "r01_c1.tif"],
            {"pattern": "r{row}_c{col}.tif"},
            r"r1_c1\.tif: by its name it lies where r01_c1\.tif does|r01_c1\.tif: by its name it lies where r1_c1\.tif",
            id="the same place",
        ),
        pytest.param(
            ["1.tif", "5.tif"],
            {"pattern": "{index}.tif", "rows": 2, "columns": 2},
            r"5\.tif: tile 5 has no place in a grid of 2 × 2; its number is 5, the first one 1",
            id="beyond the grid",
        ),
        pytest.param(
            ["r0_c0.tif", "r1_c1.tif"], {"overlap": "30 px"}, "tiles of 24 px cannot share 30 px", id="overlap"
        ),
        pytest.param(["a.tif", "b.tif"], {"overlap": "1 px"}, "do not say where they lie; state it", id="no scheme"),
        pytest.param(["a.tif", "b.tif"], {"rows": 2}, "do not say where they lie", id="nothing counts"),
    ],
)
def test_wrong_names(tmp_path: Path, names: list[str], stated: dict[str, Any], message: str) -> None:
    with pytest.raises(FileFormatError, match=message):
        read(write_tiles(tmp_path, *names), **stated)


def test_a_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FileFormatError, match=r"a\.tif: expected a folder of tiles"):
        TileFiles().read(write_tiff(tmp_path / "a.tif", pixels(1)), options(tmp_path))


def test_a_tile_of_another_size_fails_when_it_is_read(tmp_path: Path) -> None:
    write_tiles(tmp_path, "r0_c0.tif", "r0_c1.tif")
    write_tiff(tmp_path / "r0_c1.tif", pixels(1, (20, 25)))
    made = read(tmp_path)
    with pytest.raises(TileReadError, match=r"FOV r0_c1: .*is 25 × 20 px, but the FOV is stated as 24 × 20 px"):
        made.fovs["r0_c1"].read()


def test_the_pixel_size_is_the_images(tmp_path: Path) -> None:
    write_tiles(tmp_path, "r0_c0.tif", "r1_c1.tif", imagej=True, resolution=(2, 2), metadata={"unit": "um"})
    assert {fov.pixel_size_um for fov in read(tmp_path).fovs.values()} == {0.5}


def test_the_map_is_put_together(tmp_path: Path) -> None:
    write_tiles(tmp_path, "03_0_0.tif", "03_0_1.tif", "03_1_0.tif", "03_1_1.tif")
    made = open_dataset(tmp_path)
    assert (made.layout, made.why) == ("tile-files", "names read as {slice}_{row}_{col}.tif")
    canvas = np.block([[pixels(0), pixels(1)], [pixels(2), pixels(3)]])
    painted = made.maps["03"].render_region(None, {"C0": ChannelSettings("white", (0, 65535))})
    np.testing.assert_array_equal(painted[..., 0], np.round(canvas / 65535 * 255))


@pytest.mark.parametrize(
    ("make", "layout"),
    [
        pytest.param(lambda root: fov_folders(root, ("R1C1", "R2C2")), "fov-folders", id="cores named by row"),
        pytest.param(
            lambda root: [write_tiles(root, "a1.tif", "a2.tif"), write_tiles(root / "out", "mean.tif")],
            "section-images",
            id="sections with a folder beside",
        ),
        pytest.param(
            lambda root: [write_tiles(root, "overview.tif"), fov_folders(root)], "fov-folders", id="an overview"
        ),
    ],
)
def test_what_is_another_layout(tmp_path: Path, make: Any, layout: str) -> None:
    make(tmp_path)
    assert find_reader(tmp_path)[0].name == layout


@settings(max_examples=25)
@given(
    names=st.lists(st.from_regex(r"[sr_\-0-9]{0,4}[0-9]{1,3}_[0-9]{1,30}(_[a-z{}*]{1,3})?", fullmatch=True), max_size=6)
)
def test_any_names_are_placed_or_refused_by_name(names: list[str]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        for name in names:
            (root / f"{name}.tif").touch()
        if not TileFiles().detect(root):
            return
        with pytest.raises(SlicemapError, match=r"cannot be read as a TIFF|lies where"):
            TileFiles().read(root, options(root))


# --- real tiles ----------------------------------------------------------------------------------------------
@pytest.fixture(scope="module")
def mist(real_data: Path) -> Dataset:
    tiles = {
        "pattern": "ImageName_t01_p{index}.tif",
        "rows": 5,
        "columns": 5,
        "order": "columns",
        "overlap": "10 %",
    }
    return open_dataset(real_data / "mist", tiles=tiles)


def test_mist_by_a_nominal_grid(mist: Dataset, real_data: Path) -> None:
    assert (mist.layout, len(mist.fovs), [one.field for one in mist.missing]) == ("tile-files", 25, ["pixel_size_um"])
    (one,) = mist.maps.values()
    # 5 tiles of 245 × 183 px that share a tenth, rounded once
    assert one.shape == (round(183 * 4.6), round(245 * 4.6))
    windows = {tile.name: tile.window for tile in one.placement.tiles}
    for name, cell in (("tile_01", (0, 0)), ("tile_05", (4, 0)), ("tile_06", (0, 1)), ("tile_25", (4, 4))):
        window = windows[name]
        assert (window.y0, window.x0) == pytest.approx((183 * 0.9 * cell[0], 245 * 0.9 * cell[1]), abs=0.5)
        raw = tifffile.imread(real_data / "mist" / f"ImageName_t01_p{name[-2:]}.tif")
        np.testing.assert_array_equal(mist.fovs[name].read()[0], raw)

"""Raw mosaics whose chunks are tiles; each tile held against zarr-python's own reading of the mosaic."""

from __future__ import annotations

import json
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr

from builders import pixels, read_chunk, write_ome_zarr, write_zarr
from napari_slicemap import open_dataset
from napari_slicemap.errors import FileFormatError, PlacementError, TileReadError
from napari_slicemap.images.acquisition import Acquisition
from napari_slicemap.images.image import ImagePlane
from napari_slicemap.images.ome_zarr.zarr_image import ZarrImage
from napari_slicemap.images.plane import read_window
from napari_slicemap.images.readers import find_reader
from napari_slicemap.images.readers.mosaic_grid import MosaicGrid
from napari_slicemap.images.region import Window
from napari_slicemap.images.tiles.names import TileNames
from napari_slicemap.images.window_image import WindowImage

from .reader_contract import ReaderContract, options

NAME = "mosaic_grid_3d_z{:02d}.ome.zarr"


def write_mosaic(
    root: Path, number: int = 3, shape: tuple[int, ...] = (2, 40, 48), tile: tuple[int, int] = (20, 24), **said: Any
) -> Path:
    data = pixels(number, shape)
    path = root / NAME.format(number)
    chunks = (*shape[: len(shape) - 2], *tile)
    return write_ome_zarr(path, data, axes="zyx", pixel_size=(5, 5), **{"chunks": chunks, **said})


def read(path: Path, **changes: Any) -> Acquisition:
    return MosaicGrid().read(path, options(path, **changes))


def origins(made: Acquisition) -> dict[str, Any]:
    return {one.fov: one.origin_px for one in made.positions}


class TestMosaicGrid(ReaderContract):
    reader = MosaicGrid()
    kind = "a Zarr image"

    def build(self, root: Path) -> Path:
        """Two mosaics of one tile each."""
        for number in (3, 4):
            write_mosaic(root, number, (2, 20, 24))
        return root

    def image_of(self, root: Path, fov: str, channel: str) -> np.ndarray:
        return np.asarray(zarr.open_array(root / NAME.format(int(fov[1:3])) / "0", mode="r")[0])

    def spoil(self, source: Path) -> None:
        (source / "zarr.json").write_text("not an image")


@pytest.mark.parametrize("version", [2, 3])
@pytest.mark.parametrize(
    "said",
    [
        pytest.param({}, id="one chunk deep"),
        pytest.param({"chunks": (1, 20, 24)}, id="chunks of one plane"),
        pytest.param({"chunks": (1, 20, 24), "shards": (2, 40, 48)}, id="sharded"),
    ],
)
def test_each_chunk_is_a_tile(tmp_path: Path, version: int, said: dict[str, Any]) -> None:
    if version == 2 and "shards" in said:
        said = {**said, "shards": None}
    path = write_mosaic(tmp_path, version=version, **said)
    made = open_dataset(path)
    assert (made.layout, made.why) == ("mosaic-grid", f"{path.name} is a mosaic whose chunks are tiles")
    assert list(made.fovs) == ["z03_r00_c00", "z03_r00_c01", "z03_r01_c00", "z03_r01_c01"]
    whole = np.asarray(zarr.open_array(path / "0", mode="r")[...])
    for n, fov in enumerate(made.fovs.values()):
        y, x = 20 * (n // 2), 24 * (n % 2)
        assert (fov.shape, fov.pixel_size_um) == ((1, 1, 2, 20, 24), 5)
        for z in (0, 1):
            np.testing.assert_array_equal(fov.read(z=z)[0], whole[z, y : y + 20, x : x + 24])
    # side by side, they are the mosaic
    (found,) = made.maps.values()
    assert (found.map_id, found.shape) == ("03", (40, 48))
    assert [tuple(tile.window) for tile in found.placement.tiles][3] == (24, 48, 20, 40)


def test_tiles_at_the_ends_hold_what_is_left(tmp_path: Path) -> None:
    path = write_mosaic(tmp_path, shape=(1, 30, 40))
    made = read(path)
    assert {name: fov.size_px for name, fov in made.fovs.items()} == {
        "z03_r00_c00": (24, 20),
        "z03_r00_c01": (16, 20),
        "z03_r01_c00": (24, 10),
        "z03_r01_c01": (16, 10),
    }
    whole = np.asarray(zarr.open_array(path / "0", mode="r")[0])
    np.testing.assert_array_equal(made.fovs["z03_r01_c01"].read()[0], whole[20:, 24:])


def test_a_tile_that_was_never_written_is_still_a_tile(tmp_path: Path) -> None:
    path = write_ome_zarr(tmp_path / NAME.format(7), np.zeros((1, 20, 48), np.uint16), axes="zyx", chunks=(1, 20, 24))
    assert not (path / "0" / "c").exists()
    fov = read(path).fovs["z07_r00_c01"]
    assert not fov.read().any()


@pytest.mark.parametrize(
    ("overlap", "step"),
    [
        pytest.param("25 %", (18, 15), id="per cent"),
        pytest.param("4px", (20, 16), id="px"),
        pytest.param("0 %", (24, 20), id="none, as stated"),
    ],
)
def test_overlap(tmp_path: Path, overlap: str, step: tuple[int, int]) -> None:
    made = read(write_mosaic(tmp_path), tiles=TileNames(overlap=overlap))
    x, y = step
    assert list(origins(made).values()) == [(0, 0), (x, 0), (0, y), (x, y)]
    assert made.missing == ()


def test_an_overlap_that_is_not_stated_is_asked_for(tmp_path: Path) -> None:
    path = write_mosaic(tmp_path)
    for changes in ({}, {"tiles": TileNames(columns=3)}):
        (missing,) = read(path, **changes).missing
        assert (missing.what, missing.option) == ("overlap of tiles", "--overlap 10%")
    with pytest.raises(PlacementError, match=r"z03\.ome\.zarr: tiles of 20 px cannot share 20 px"):
        read(path, tiles=TileNames(overlap="20 px"))


def test_a_mosaic_that_cannot_be_read_is_taken_to_be_like_another(tmp_path: Path) -> None:
    for number in (3, 4):
        write_mosaic(tmp_path, number)
    (tmp_path / NAME.format(3) / "0" / "zarr.json").write_text("{")
    made = read(tmp_path)
    assert len(made.fovs) == 8
    (problem,) = made.problems
    assert NAME.format(3) in problem
    with pytest.raises(TileReadError, match=r"^FOV z03_r01_c00: .*z03\.ome\.zarr: cannot be read as a Zarr image"):
        made.fovs["z03_r01_c00"].read()


def test_two_mosaics_of_one_slice_are_refused(tmp_path: Path) -> None:
    write_mosaic(tmp_path, 3)
    write_ome_zarr(tmp_path / "mosaic_grid_b_z3.ome.zarr", pixels(1, (1, 20, 24)), axes="zyx")
    with pytest.raises(FileFormatError, match=r"is of slice 03, as .* is; keep one of them"):
        read(tmp_path)


def test_mosaics_of_other_names_open_where_the_layout_is_named(tmp_path: Path) -> None:
    write_ome_zarr(tmp_path / "block.zarr", pixels(1, (40, 24)), axes="yx", chunks=(20, 24))
    write_zarr(tmp_path / "bare_z9.zarr", pixels(2, (2, 20, 24)), chunks=(2, 20, 24))
    assert find_reader(tmp_path)[0].name == "ome-zarr"
    made = open_dataset(tmp_path, layout="mosaic-grid")
    assert {one: found.fov_names for one, found in made.maps.items()} == {
        "09": ["z09_r00_c00"],
        "block": ["block_r00_c00", "block_r01_c00"],
    }
    assert made.fovs["z09_r00_c00"].shape == (1, 1, 2, 20, 24)


def test_more_chunks_than_a_mosaic_has_are_refused(tmp_path: Path) -> None:
    path = write_mosaic(tmp_path)
    said = json.loads((path / "0" / "zarr.json").read_text())
    (path / "0" / "zarr.json").write_text(json.dumps({**said, "shape": [2, 20 * 400, 24 * 300]}))
    with pytest.raises(TileReadError, match=r"its chunks are of 24 × 20 px, 120000 in all; these are no tiles"):
        read(path)


# --- windows of images ---------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    "window",
    [
        pytest.param(Window(0, 53, 0, 40), id="all"),
        pytest.param(Window(16, 32, 16, 32), id="one chunk"),
        pytest.param(Window(5, 50, 3, 39), id="across chunks"),
    ],
)
def test_a_window_of_an_image(tmp_path: Path, window: Window) -> None:
    data = pixels(1, (3, 40, 53))
    image = WindowImage(ZarrImage(write_zarr(tmp_path / "a.zarr", data)), window)
    part = data[:, window.y0 : window.y1, window.x0 : window.x1]
    assert image.info.shape == (1, 3, 1, *window.shape)
    again = pickle.loads(pickle.dumps(image))
    for channel in range(3):
        found = read_window(ImagePlane(again, channel, 3), 0, 0, Window(0, window.shape[1], 0, window.shape[0]))
        np.testing.assert_array_equal(found, part[channel])
    with pytest.raises(TileReadError, match="a window is one chunk"):
        read_chunk(image, 0, 0, 0, 0, 1)


def test_a_window_that_the_image_does_not_hold(tmp_path: Path) -> None:
    image = ZarrImage(write_zarr(tmp_path / "a.zarr", pixels(1, (40, 53))))
    with pytest.raises(TileReadError, match=r"a\.zarr: it is 53 × 40 px, and holds no tile from x 48 to 64, y 0 to 16"):
        _ = WindowImage(image, Window(48, 64, 0, 16)).info


def test_windows_differ_in_their_keys(tmp_path: Path) -> None:
    image = ZarrImage(write_zarr(tmp_path / "a.zarr", pixels(1, (40, 53))))
    assert len({WindowImage(image, Window(x, x + 16, 0, 16)).key for x in (0, 16, 32)}) == 3

"""Raw OCT tiles: names, ``info.txt``, and pixels held against what NumPy reads of the same files."""

from __future__ import annotations

import os
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_slicemap.errors import DatasetNotFoundError, FileFormatError, TileReadError
from napari_slicemap.images.oct.info import TileInfo
from napari_slicemap.images.oct.tile import (
    RawTile,
    TileFrames,
    TilePlace,
    find_raw_tiles,
    tile_folders,
    tile_place,
)

from .oct_files import DEPTH, EXTRA, NX, NY, volume, write_tile

NAME = "tile_x02_y11_z03"
FRAME_BYTES = DEPTH * (NX + EXTRA) * 4


def tile_at(folder: Path) -> RawTile:
    return RawTile(folder, TilePlace(2, 11, "03"))


def parts(size: int) -> st.SearchStrategy[slice]:
    ends = st.one_of(st.none(), st.integers(-size - 2, size + 2))
    return st.builds(slice, ends, ends)


# --- names ---------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("name", "place"),
    [
        pytest.param("tile_x02_y11_z03", TilePlace(2, 11, "03"), id="padded"),
        pytest.param("tile_x2_y11_z3", TilePlace(2, 11, "03"), id="not padded"),
        pytest.param("TILE_X00_Y00_Z120", TilePlace(0, 0, "120"), id="capitals, three digits"),
        pytest.param("tile_x02_y11_z003", TilePlace(2, 11, "003"), id="padded more"),
        pytest.param("tile_x02_y11", None, id="no slice"),
        pytest.param("tile_x02_y11_z03.bak", None, id="more"),
        pytest.param("a_tile_x02_y11_z03", None, id="more before"),
        pytest.param("tile_x-2_y11_z03", None, id="below 0"),
        pytest.param("tile_x٢_y11_z03", None, id="digits of another script"),
    ],
)
def test_places(name: str, place: TilePlace | None) -> None:
    assert tile_place(name) == place


def folders(root: Path, *names: str) -> Path:
    for name in names:
        (root / name).mkdir(parents=True)
    return root


def test_tiles_are_found_in_order_and_none_is_opened(tmp_path: Path) -> None:
    names = ("tile_x00_y00_z10", "z9/tile_x01_y00_z09", "z9/tile_x00_y01_z09", "tile_x10_y00_z10", "tile_x2_y00_z10")
    folders(tmp_path, *names, "notes", "z9/other", "deeper/tile_x00_y00_z01", "zz/tile_x00_y00_z02")
    (tmp_path / "tile_x05_y05_z05").write_text("a file")
    found = find_raw_tiles(str(tmp_path))
    assert [tile.path.name for tile in found] == [
        "tile_x01_y00_z09",
        "tile_x00_y01_z09",
        "tile_x00_y00_z10",
        "tile_x2_y00_z10",
        "tile_x10_y00_z10",
    ]
    assert [tile.place for tile in found[:3]] == [TilePlace(1, 0, "09"), TilePlace(0, 1, "09"), TilePlace(0, 0, "10")]
    assert {tile.path for tile in found} == set(tile_folders(tmp_path))


def test_a_folder_without_tiles(tmp_path: Path) -> None:
    assert find_raw_tiles(tmp_path) == []


@pytest.mark.parametrize(
    ("names", "says"),
    [
        pytest.param(("z04/tile_x00_y00_z05",), "tile of slice 05, expected those of z04", id="another slice's folder"),
        pytest.param(
            ("tile_x00_y00_z05", "tile_x01_y00_z005"), "slice 005 is 05 in tile_x00_y00_z05", id="written in two ways"
        ),
        pytest.param(("tile_x0_y0_z05", "tile_x00_y00_z05"), "it has the place of .*keep one", id="one place"),
        pytest.param(("tile_x00_y00_z05", "z05/tile_x00_y00_z05"), "it has the place of .*keep one", id="in and above"),
    ],
)
def test_wrong_folders_are_refused(tmp_path: Path, names: tuple[str, ...], says: str) -> None:
    with pytest.raises(FileFormatError, match=says):
        find_raw_tiles(folders(tmp_path, *names))


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(DatasetNotFoundError, match="nowhere: there is no such folder"):
        find_raw_tiles(tmp_path / "nowhere")


# --- info.txt ------------------------------------------------------------------------------------------------
def test_what_a_tile_says(tmp_path: Path) -> None:
    at = {"stage_x_pos_mm": "12.0345", "stage_y_pos_mm": "-8", "stage_z_pos_mm": "lost", "n_repeat": "2.0"}
    found = tile_at(write_tile(tmp_path / NAME, volume(), **at)).info
    assert found == TileInfo(NX, NY, 2, 3.5 * NX, 3.5 * NY, EXTRA, DEPTH, (12034.5, -8000.0))
    assert (found.lines, found.frames) == (NX + EXTRA, 2 * NY)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("\ufeffnx: 7\r\nny: 4\r\n", id="marked, and lines of Windows"),
        pytest.param("nx:7\n\n  ny :  4  \n# a note\nwithout colon\nnote: 1: 2\n", id="spaces, notes"),
        pytest.param("nx: 7\nny: 4\nnx: 7\n", id="the same twice"),
        pytest.param("nx: 7\nny: 4\ncomment: \udcb5m\n", id="other bytes than UTF-8"),
    ],
)
def test_lines_as_people_write_them(tmp_path: Path, text: str) -> None:
    folder = write_tile(tmp_path / NAME, volume(), nx=None, ny=None)
    said = text.encode("utf-8", "surrogateescape") + (folder / "info.txt").read_bytes()
    (folder / "info.txt").write_bytes(said)
    assert (tile_at(folder).info.nx, tile_at(folder).info.ny, tile_at(folder).info.stage_um) == (7, 4, None)


def test_a_whole_tile_without_a_return(tmp_path: Path) -> None:
    pixels = volume()
    tile = tile_at(write_tile(tmp_path / NAME, pixels, nx=NX + EXTRA, n_extra=0))
    np.testing.assert_array_equal(tile.volume(), pixels)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        pytest.param({"nx": None}, "does not state nx, expected a line `nx: number`", id="no nx"),
        pytest.param({"nx": None, "top_z": None}, "does not state nx, top_z,", id="two missing"),
        pytest.param({"nx": "seven"}, "nx is 'seven', expected a number", id="text"),
        pytest.param({"nx": ""}, "nx is '', expected a number", id="empty"),
        pytest.param({"nx": "nan"}, "nx is 'nan', expected a number", id="nan"),
        pytest.param({"nx": "1_0"}, "nx is '1_0', expected a number", id="as Python writes numbers"),
        pytest.param({"width": "24.5 um"}, "width is '24.5 um', expected a number", id="with a unit"),
        pytest.param({"nx": "7.5"}, "nx is '7.5', expected a whole number from 1 to", id="half a px"),
        pytest.param({"nx": 0}, "nx is '0', expected a whole number from 1 to", id="no A-line"),
        pytest.param({"ny": -4}, "ny is '-4', expected a whole number from 1 to", id="below 0"),
        pytest.param({"n_repeat": 0}, "n_repeat is '0', expected a whole number from 1 to", id="never"),
        pytest.param({"n_extra": -1}, "n_extra is '-1', expected a whole number from 0 to", id="less than no return"),
        pytest.param({"nx": 2**20 + 1}, "nx is '1048577', expected a whole number from 1 to", id="too wide"),
        pytest.param({"nx": "1e999"}, "nx is '1e999', expected a whole number from 1 to", id="without end"),
        pytest.param({"bottom_z": 9}, "bottom_z is 9, expected at least top_z, which is 10", id="no depth"),
        pytest.param({"nx": 2**19, "ny": 2**19, "n_repeat": 2**19}, "px, more than any tile has", id="too large"),
        pytest.param({"width": 0}, "width is '0', expected µm from 0.001 to", id="no width"),
        pytest.param({"height": "-3"}, "height is '-3', expected µm from 0.001 to", id="no height"),
        pytest.param({"height": "1e12"}, "height is '1e12', expected µm from 0.001 to", id="a thousand km"),
        pytest.param({"width": "1e-320"}, "width is '1e-320', expected µm from 0.001 to", id="next to no width"),
        pytest.param({"stage_x_pos_mm": 3}, "it states stage_x_pos_mm alone, expected both", id="x without y"),
        pytest.param({"stage_x_pos_mm": 3, "stage_y_pos_mm": "a"}, "stage_y_pos_mm is 'a', expected a number", id="y"),
        pytest.param({"stage_x_pos_mm": 3, "stage_y_pos_mm": 1e9}, "which is no place on a stage", id="far away"),
    ],
)
def test_what_cannot_be_is_refused_by_name(tmp_path: Path, changes: dict[str, Any], says: str) -> None:
    tile = tile_at(write_tile(tmp_path / NAME, volume(), **changes))
    for ask in (lambda: tile.info, tile.volume):
        with pytest.raises(TileReadError, match=rf"{NAME}/info\.txt: .*{says}"):
            ask()


def drop(name: str) -> Callable[[Path], object]:
    return lambda folder: (folder / name).unlink()


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        pytest.param(drop("info.txt"), r"info\.txt: there is no such file", id="no info.txt"),
        pytest.param(
            lambda folder: (drop("info.txt")(folder), os.mkfifo(folder / "info.txt")),
            r"info\.txt: .*a pipe or a device",
            id="a pipe",
        ),
        pytest.param(
            lambda folder: (drop("info.txt")(folder), (folder / "info.txt").mkdir()), r"info\.txt: ", id="a folder"
        ),
        pytest.param(
            lambda folder: (folder / "info.txt").write_bytes(b"\n" * (2**20 + 1)), r"1048577 bytes, more", id="long"
        ),
        pytest.param(
            lambda folder: (folder / "info.txt").write_text("nx: 7\nnx: 8\n"), "nx is '7' and '8'", id="two words"
        ),
        pytest.param(drop("image_00000.bin"), r"it holds no pixels, expected image_\*\.bin", id="no pixels"),
        pytest.param(
            lambda folder: os.truncate(folder / "image_00000.bin", 4 * FRAME_BYTES - 4),
            rf"image_00000\.bin has {4 * FRAME_BYTES - 4} bytes, expected whole B-scans of {FRAME_BYTES} bytes",
            id="cut short",
        ),
        pytest.param(
            lambda folder: os.truncate(folder / "image_00000.bin", 3 * FRAME_BYTES),
            r"it holds 3 B-scans, expected ny × n_repeat = 4 × 1 = 4",
            id="a B-scan is missing",
        ),
        pytest.param(lambda folder: os.truncate(folder / "image_00000.bin", 0), "has 0 bytes", id="empty"),
        pytest.param(
            lambda folder: (folder / "image_0.bin").write_bytes(bytes(FRAME_BYTES)),
            r"image_0+\.bin and image_0+\.bin have one number",
            id="a number twice",
        ),
        pytest.param(
            lambda folder: (folder / "image_1.bin").write_bytes(bytes(FRAME_BYTES)), "it holds 5 B-scans", id="more"
        ),
        pytest.param(lambda folder: (folder / "image_1.bin").mkdir(), r"image_1\.bin|B-scans", id="a folder of pixels"),
    ],
)
def test_files_that_are_not_right(tmp_path: Path, spoil: Callable[[Path], object], says: str) -> None:
    folder = write_tile(tmp_path / NAME, volume())
    spoil(folder)
    with pytest.raises(TileReadError, match=rf"{NAME}.*{says}"):
        tile_at(folder).volume()


def test_a_folder_that_went(tmp_path: Path) -> None:
    with pytest.raises(TileReadError, match=f"{NAME}.*there is no such file"):
        tile_at(tmp_path / NAME).volume()
    assert tile_at(tmp_path / NAME).state == ()


# --- pixels --------------------------------------------------------------------------------------------------
def test_one_file_is_a_memory_map(tmp_path: Path) -> None:
    folder = write_tile(tmp_path / NAME, volume())
    made = tile_at(folder).volume()
    flat = np.fromfile(folder / "image_00000.bin", "<f4")
    assert isinstance(made, np.memmap)
    assert made.shape == (DEPTH, NX + EXTRA, NY)
    assert made.strides == (4, 4 * DEPTH, 4 * DEPTH * (NX + EXTRA))
    assert not made.flags.writeable
    for z, line, scan in np.ndindex(made.shape):
        assert made[z, line, scan] == flat[z + DEPTH * (line + (NX + EXTRA) * scan)]


@pytest.mark.parametrize(
    "names",
    [
        pytest.param(("image_00002.bin", "image_00010.bin", "image_00100.bin"), id="padded"),
        pytest.param(("image_2.bin", "image_10.bin", "image_100.bin"), id="not padded"),
        pytest.param(("image_9.bin", "image_010.bin", "image_11.bin"), id="some padded"),
        pytest.param(("image_a1_2.bin", "image_a1_10.bin", "image_a10_1.bin"), id="numbers of numbers"),
    ],
)
def test_several_files_are_one_volume_in_the_order_of_their_numbers(tmp_path: Path, names: tuple[str, ...]) -> None:
    folder = write_tile(tmp_path / NAME, volume(), cuts=(1, 3), names=names)
    (folder / "notes.bin").write_bytes(b"no pixels")
    made = tile_at(folder).volume()
    assert isinstance(made, TileFrames)
    each = [np.fromfile(folder / name, "<f4").reshape((DEPTH, NX + EXTRA, -1), order="F") for name in names]
    np.testing.assert_array_equal(made[:, :, :], np.concatenate(each, axis=2))
    assert (made.shape, made.dtype) == ((DEPTH, NX + EXTRA, NY), np.float32)
    assert made.strides == np.asarray(volume(), order="F").strides


@given(parts(DEPTH), parts(NX + EXTRA), parts(NY))
def test_any_part_of_several_files(tmp_path: Path, z: slice, lines: slice, scans: slice) -> None:
    folder, pixels = tmp_path / NAME, volume()
    if not folder.exists():
        write_tile(folder, pixels, cuts=(1, 3))
    made = tile_at(folder).volume()[z, lines, scans]
    np.testing.assert_array_equal(made, pixels[z, lines, scans])
    assert made.dtype == np.float32


def test_steps_are_refused(tmp_path: Path) -> None:
    made = tile_at(write_tile(tmp_path / NAME, volume(), cuts=(1, 3))).volume()
    with pytest.raises(TileReadError, match=f"{NAME}: pixels are read side by side, and not by steps"):
        _ = made[:, ::2, :]


def test_a_file_that_goes_while_the_tile_is_open(tmp_path: Path) -> None:
    folder = write_tile(tmp_path / NAME, volume(), cuts=(1, 3))
    made = tile_at(folder).volume()
    (folder / "image_00001.bin").unlink()
    np.testing.assert_array_equal(made[:, :, :1], volume()[:, :, :1])
    with pytest.raises(TileReadError, match=r"image_00001\.bin: there is no such file"):
        _ = made[:, :, :2]


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="the system does not list open files")
def test_no_file_is_held_open(tmp_path: Path) -> None:
    pixels = volume(shape=(DEPTH, NX + EXTRA, 300))
    names = [f"image_{n}.bin" for n in range(300)]
    folder = write_tile(tmp_path / NAME, pixels, cuts=range(1, 300), names=names, ny=300)
    before = len([*Path("/proc/self/fd").iterdir()])
    made = tile_at(folder).volume()
    read = made[:, :, :]
    assert len([*Path("/proc/self/fd").iterdir()]) == before
    np.testing.assert_array_equal(read, pixels)


def test_tiles_survive_pickling(tmp_path: Path) -> None:
    tile = tile_at(write_tile(tmp_path / NAME, volume()))
    _ = tile.info
    again = pickle.loads(pickle.dumps(tile))
    assert (again, again.info) == (tile, tile.info)


@pytest.mark.parametrize("name", ["info.txt", "image_00001.bin", "a new one"])
def test_the_state_tells_of_a_change(tmp_path: Path, name: str) -> None:
    folder = write_tile(tmp_path / NAME, volume(), cuts=(1, 3))
    before = tile_at(folder).state
    assert before == tile_at(folder).state
    if name == "a new one":
        (folder / "image_00009.bin").write_bytes(bytes(FRAME_BYTES))
    else:
        (folder / name).write_bytes((folder / name).read_bytes() + b"\n")
    assert before != tile_at(folder).state


# --- hostile -------------------------------------------------------------------------------------------------
@given(st.data())
def test_flipped_bytes_of_info_give_a_named_error_or_the_same_pixels(tmp_path: Path, data: st.DataObject) -> None:
    folder, pixels = tmp_path / NAME, volume(repeats=2)
    if not folder.exists():
        write_tile(folder, pixels, n_repeat=2, stage_x_pos_mm=1.5, stage_y_pos_mm=2.5, cuts=(3,))
        (tmp_path / "whole.txt").write_bytes((folder / "info.txt").read_bytes())
    whole = bytearray((tmp_path / "whole.txt").read_bytes())
    whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    (folder / "info.txt").write_bytes(whole)
    tile, refused = tile_at(folder), ""
    try:
        made = tile.volume()[:, :, :]
    except TileReadError as error:
        refused = str(error)
    if refused:
        assert NAME in refused
        return
    np.testing.assert_array_equal(made, pixels)
    assert (tile.info.nx, tile.info.ny, tile.info.n_repeat, tile.info.n_extra) == (NX, NY, 2, EXTRA)


@given(st.integers(0, NY * FRAME_BYTES + 40), st.booleans())
def test_files_of_any_length(tmp_path: Path, length: int, one: bool) -> None:
    folder, pixels = tmp_path / f"{NAME}{one}", volume()
    if not folder.exists():
        write_tile(folder, pixels, cuts=() if one else (NY - 1,))
    name = "image_00000.bin" if one else "image_00001.bin"
    kept = NY * FRAME_BYTES if one else FRAME_BYTES
    os.truncate(folder / name, length)
    if length == kept:
        assert tile_at(folder).volume().shape == pixels.shape
    else:
        with pytest.raises(TileReadError, match=NAME):
            tile_at(folder).volume()

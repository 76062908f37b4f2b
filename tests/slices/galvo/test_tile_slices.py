"""The tiles of each slice, found in folders of raw tiles and in mosaics."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from builders import write_ome_zarr, write_tiff
from napari_slicemap.errors import DatasetNotFoundError, FileFormatError, SlicemapError, TileReadError, UnknownNameError
from napari_slicemap.slices.galvo.decisions import GalvoSettings, detect_tiles
from napari_slicemap.slices.galvo.tile_slices import find_tile_slices
from oct_slices import DEPTH, EXTRA, LINES, SCANS, SHIFT, make_tiles, write_mosaic, write_raw

ALL = np.s_[:, :, :]


# --- raw tiles -----------------------------------------------------------------------------------------------
@pytest.mark.parametrize("kind", ["raw", "mosaics"])
def test_slices_that_are_not_asked_for_may_be_broken(tmp_path: Path, kind: str) -> None:
    for z in ("03", "10"):
        tiles = make_tiles(rows=1, columns=1)
        if kind == "raw":
            write_raw(tmp_path, tiles, z)
        else:
            write_mosaic(tmp_path / f"mosaic_z{z}.ome.zarr", tiles)
    for metadata in [*tmp_path.glob("tile_*_z10/info.txt"), *tmp_path.glob("*_z10.ome.zarr/[z.]*")]:
        metadata.unlink()
    with pytest.raises(SlicemapError, match="z10"):
        find_tile_slices(tmp_path)
    assert list(find_tile_slices(tmp_path, only=["3"])) == ["03"]
    with pytest.raises(UnknownNameError, match="'04'"):
        find_tile_slices(tmp_path, only=["04"])


@pytest.mark.parametrize("groups", [False, True], ids=["in the folder", "in folders of slices"])
def test_raw_tiles(tmp_path: Path, groups: bool) -> None:
    tiles = {"10": make_tiles(seed=1), "03": make_tiles(seed=2, columns=1)}
    for z, own in tiles.items():
        write_raw(tmp_path / "raw", own, z, groups=groups)
    found = find_tile_slices(tmp_path / "raw")
    assert list(found) == ["03", "10"]
    for z, one in found.items():
        assert (one.slice_id, one.kind, one.axis, one.lines, one.n_extra) == (z, "raw", "x", LINES, EXTRA)
        assert one.path == (tmp_path / "raw" / f"z{z}" if groups else tmp_path / "raw")
        assert [(tile.row, tile.column) for tile in one.tiles] == sorted(tiles[z])
        assert one.whole == tuple(range(len(tiles[z])))
        for tile in one.tiles:
            assert tile.name == f"tile_x{tile.column:02d}_y{tile.row:02d}_z{z}"
            assert tile.shape == (DEPTH, LINES, SCANS)
            np.testing.assert_array_equal(tile.open()[ALL], tiles[z][tile.row, tile.column])


def test_an_option_says_how_long_the_return_is(tmp_path: Path) -> None:
    write_raw(tmp_path, make_tiles())
    found = find_tile_slices(tmp_path, n_extra=7)["03"]
    assert (found.n_extra, found.lines) == (7, LINES)


def test_repeated_b_scans_are_all_there(tmp_path: Path) -> None:
    write_raw(tmp_path, make_tiles(), ny=SCANS // 2, n_repeat=2)
    assert find_tile_slices(tmp_path)["03"].tiles[0].shape == (DEPTH, LINES, SCANS)


def test_tiles_of_one_slice_are_of_one_kind(tmp_path: Path) -> None:
    write_raw(tmp_path, make_tiles())
    said = (tmp_path / "tile_x01_y00_z03" / "info.txt").read_text()
    (tmp_path / "tile_x01_y00_z03" / "info.txt").write_text(said.replace(f"nx: {LINES - EXTRA}", "nx: 47"))
    with pytest.raises(FileFormatError, match=r"tile_x01_y00_z03: it has 47 A-lines and 12 of the return.* 48 and 12"):
        find_tile_slices(tmp_path)


@pytest.mark.parametrize(
    ("changes", "options", "says"),
    [
        pytest.param({"n_extra": 0, "nx": LINES}, {}, "60 A-lines and the return 0", id="no return"),
        pytest.param({}, {"n_extra": LINES}, "60 A-lines and the return 60", id="a return of all A-lines"),
        pytest.param({}, {"axis": "y"}, "A-lines of raw tiles go along x, and axis is y", id="another axis"),
        pytest.param({"n_extra": "twelve"}, {}, "n_extra is 'twelve'", id="a return in words"),
        pytest.param({"nx": None}, {}, "does not state nx", id="no nx"),
    ],
)
def test_raw_tiles_that_cannot_be(tmp_path: Path, changes: dict, options: dict, says: str) -> None:
    write_raw(tmp_path, make_tiles(columns=1), **changes)
    with pytest.raises(SlicemapError, match=says) as error:
        find_tile_slices(tmp_path, **options)
    assert str(tmp_path if "axis" in options else tmp_path / "tile_x00_y00_z03") in str(error.value)


def test_a_file_that_was_cut_short_is_named_when_it_is_looked_at(tmp_path: Path) -> None:
    write_raw(tmp_path, make_tiles())
    culprit = tmp_path / "tile_x02_y01_z03" / "image_00000.bin"
    culprit.write_bytes(culprit.read_bytes()[:-5])
    found = find_tile_slices(tmp_path)["03"]
    with pytest.raises(TileReadError, match=r"tile_x02_y01_z03.*image_00000.bin has \d+ bytes, expected whole B-scans"):
        detect_tiles(found, GalvoSettings(n_samples=6))


# --- mosaics -------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("axis", ["x", "y"])
@pytest.mark.parametrize(
    "options",
    [
        pytest.param({"version": 2}, id="zarr v2"),
        pytest.param({"version": 3}, id="zarr v3"),
        pytest.param({"chunks": (1, 40, 60)}, id="planes in chunks of their own"),
        pytest.param({"dtype": ">u2"}, id="whole numbers, big-endian"),
    ],
)
def test_mosaics(tmp_path: Path, axis: str, options: dict[str, Any]) -> None:
    tiles = make_tiles()
    if "chunks" in options:
        options = {"chunks": (1, SCANS, LINES) if axis == "x" else (1, LINES, SCANS)}
    write_mosaic(tmp_path / "m" / "mosaic_z07.ome.zarr", tiles, axis, **options)
    found = find_tile_slices(tmp_path / "m")
    assert list(found) == ["07"]
    one = found["07"]
    assert (one.kind, one.axis, one.lines, one.n_extra) == ("mosaic", axis, LINES, EXTRA)
    assert one.path == tmp_path / "m" / "mosaic_z07.ome.zarr"
    assert [(tile.row, tile.column) for tile in one.tiles] == sorted(tiles)
    for tile in one.tiles:
        pixels = tile.open()
        assert tile.name == f"row {tile.row}, column {tile.column}"
        assert tile.shape == pixels.shape == (DEPTH, LINES, SCANS)
        assert pixels.chunks == (1 if "chunks" in options else DEPTH, LINES, SCANS)  # type: ignore[attr-defined]
        expected = tiles[tile.row, tile.column]
        np.testing.assert_array_equal(pixels[ALL], expected.astype(pixels.dtype) if "dtype" in options else expected)


def test_one_mosaic(tmp_path: Path) -> None:
    path = write_mosaic(tmp_path / "mosaic_grid_3d_z07.ome.zarr", make_tiles())
    assert list(find_tile_slices(path)) == ["07"]


@pytest.fixture(scope="module")
def mosaics(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Of either axis; half a row and a third of a column of tiles are missing at the ends."""
    folder = tmp_path_factory.mktemp("mosaics")
    return {axis: write_mosaic(folder / f"{axis}_z01.ome.zarr", make_tiles(), axis, cut=(20, 20)) for axis in "xy"}


def _ranges(size: int) -> st.SearchStrategy[slice]:
    ends = st.tuples(st.integers(-size, size), st.integers(-size, size)).map(sorted)
    return st.none().map(lambda _: slice(None)) | ends.map(lambda two: slice(*two)) | st.just(slice(3, 10**6))


@given(st.data(), st.sampled_from("xy"), st.sampled_from([(0, 0), (0, 2), (1, 0), (1, 2)]))
def test_part_of_a_tile(mosaics: dict[str, Path], data: st.DataObject, axis: str, place: tuple[int, int]) -> None:
    one = find_tile_slices(mosaics[axis])["01"]
    tile = next(tile for tile in one.tiles if (tile.row, tile.column) == place)
    _, lines, scans = tile.shape
    index = tuple(data.draw(_ranges(size)) for size in tile.shape)
    np.testing.assert_array_equal(tile.open()[index], make_tiles()[place][:, :lines, :scans][index])


@pytest.mark.parametrize("axis", ["x", "y"])
def test_tiles_cut_short_along_their_a_lines_are_never_looked_at(mosaics: dict[str, Path], axis: str) -> None:
    one = find_tile_slices(mosaics[axis])["01"]
    last_lines, last_scans = (2, 1) if axis == "x" else (1, 2)
    line_at, scan_at = ("column", "row") if axis == "x" else ("row", "column")
    for tile in one.tiles:
        cut_lines, cut_scans = getattr(tile, line_at) == last_lines, getattr(tile, scan_at) == last_scans
        assert tile.shape == (DEPTH, LINES - 20 * cut_lines, SCANS - 20 * cut_scans)
    assert one.whole == tuple(n for n, tile in enumerate(one.tiles) if getattr(tile, line_at) < last_lines)
    found = detect_tiles(one, GalvoSettings(n_samples=6))
    assert tuple(tile.index for tile in found.tiles) == one.whole
    assert (found.shift, found.best is not None and found.best.index in one.whole) == (SHIFT, True)


def test_background_is_told_by_the_index_of_the_slice(tmp_path: Path) -> None:
    tiles = make_tiles(empty=[(1, 0)])
    one = find_tile_slices(write_mosaic(tmp_path / "m_z01.ome.zarr", tiles, "x", cut=(0, 20)))["01"]
    found = detect_tiles(one, GalvoSettings(n_samples=6))
    assert [one.tiles[n].name for n in found.background] == ["row 1, column 0"]
    assert [tile.index for tile in found.tiles] == [0, 1, 4]


def test_a_chunk_that_was_never_written_is_background(tmp_path: Path) -> None:
    path = write_mosaic(tmp_path / "m_z01.ome.zarr", make_tiles())
    (path / "0" / "c" / "0" / "0" / "1").unlink()
    found = detect_tiles(find_tile_slices(path)["01"], GalvoSettings(n_samples=6))
    assert (found.background, found.shift) == ((1,), SHIFT)


def test_a_chunk_that_was_cut_short_is_named(tmp_path: Path) -> None:
    path = write_mosaic(tmp_path / "m_z01.ome.zarr", make_tiles())
    chunk = path / "0" / "c" / "0" / "0" / "1"
    chunk.write_bytes(chunk.read_bytes()[:50])
    with pytest.raises(TileReadError, match=r"m_z01\.ome\.zarr"):
        detect_tiles(find_tile_slices(path)["01"], GalvoSettings(n_samples=6))


def test_pixels_that_are_no_real_numbers_are_named(tmp_path: Path) -> None:
    write_mosaic(tmp_path / "m_z01.ome.zarr", make_tiles(), dtype="complex64")
    with pytest.raises(SlicemapError, match=r"m_z01\.ome\.zarr.*complex64"):
        detect_tiles(find_tile_slices(tmp_path)["01"])


# --- what a mosaic says of its A-lines -----------------------------------------------------------------------
def test_options_say_what_the_metadata_do_not(tmp_path: Path) -> None:
    path = write_mosaic(tmp_path / "m_z01.ome.zarr", make_tiles(), "y", galvo=None)
    one = find_tile_slices(path, axis="y", n_extra=EXTRA)["01"]
    assert (one.axis, one.n_extra, one.lines) == ("y", EXTRA, LINES)


def test_options_win(tmp_path: Path) -> None:
    path = write_mosaic(tmp_path / "m_z01.ome.zarr", make_tiles(), "x")
    one = find_tile_slices(path, axis="y", n_extra=5)["01"]
    assert (one.axis, one.n_extra, one.lines) == ("y", 5, SCANS)


@pytest.mark.parametrize(
    ("galvo", "says"),
    [
        pytest.param(None, "state axis (x or y) and n_extra", id="nothing"),
        pytest.param({"axis": "x"}, "state n_extra", id="no length"),
        pytest.param({"n_extra": 12}, "state axis (x or y)", id="no axis"),
        pytest.param({"axis": "z", "n_extra": 12}, "the axis of its \"galvo\" is 'z', expected x or y", id="axis z"),
        pytest.param({"axis": 1, "n_extra": 12}, "is 1, expected x or y", id="an axis by number"),
        pytest.param({"axis": ["x"], "n_extra": 12}, "is ['x'], expected x or y", id="a list of axes"),
        pytest.param({"axis": "x", "n_extra": "12"}, "is '12', expected a whole number", id="a length in text"),
        pytest.param({"axis": "x", "n_extra": 12.5}, "is 12.5, expected a whole number", id="half an A-line"),
        pytest.param({"axis": "x", "n_extra": True}, "is True, expected a whole number", id="yes"),
        pytest.param({"axis": "x", "n_extra": 0}, "the return 0: expected at least 1", id="no A-lines"),
        pytest.param({"axis": "x", "n_extra": -3}, "the return -3", id="less than none"),
        pytest.param({"axis": "x", "n_extra": 60}, "a tile has 60 A-lines and the return 60", id="all A-lines"),
        pytest.param({"axis": "y", "n_extra": 40}, "a tile has 40 A-lines and the return 40", id="the other axis"),
        pytest.param(["x", 12], "is ['x', 12], expected {", id="a list"),
        pytest.param("x", "is 'x', expected {", id="a word"),
    ],
)
def test_metadata_that_cannot_be(tmp_path: Path, galvo: object, says: str) -> None:
    write_mosaic(tmp_path / "m_z01.ome.zarr", make_tiles(columns=1), galvo=galvo)
    with pytest.raises(FileFormatError) as error:
        find_tile_slices(tmp_path)
    assert "m_z01.ome.zarr" in str(error.value)
    assert says in str(error.value)


def test_a_chunk_that_is_no_tile(tmp_path: Path) -> None:
    write_mosaic(tmp_path / "m_z01.ome.zarr", make_tiles(), chunks=(DEPTH, 512, 512))
    with pytest.raises(FileFormatError, match=r"its chunks have 512 A-lines, and it has none whole; a chunk is to be"):
        find_tile_slices(tmp_path)


# --- what is no source ---------------------------------------------------------------------------------------
def _several_channels(folder: Path) -> None:
    write_ome_zarr(folder / "m_z01.ome.zarr", np.zeros((2, 8, 8), np.uint8))


def _broken_metadata(folder: Path) -> None:
    path = write_mosaic(folder / "m_z01.ome.zarr", make_tiles(columns=1))
    (path / "zarr.json").write_text(json.dumps({"zarr_format": 3, "node_type": "group"}))


@pytest.mark.parametrize(
    ("make", "source", "kind", "says"),
    [
        pytest.param(lambda _: None, "no", DatasetNotFoundError, "there is no such folder", id="nothing"),
        pytest.param(lambda f: (f / "a").touch(), "a", DatasetNotFoundError, "it is a file", id="a file"),
        pytest.param(lambda f: (f / "a.txt").touch(), "", DatasetNotFoundError, "neither raw tiles.*a.txt", id="text"),
        pytest.param(
            lambda f: write_tiff(f / "s_01.tif", np.zeros((4, 4), np.uint8)),
            "",
            DatasetNotFoundError,
            "neither raw tiles",
            id="section images",
        ),
        pytest.param(
            lambda f: write_mosaic(f / "m.ome.zarr", make_tiles(columns=1)),
            "m.ome.zarr",
            FileFormatError,
            "does not say which slice",
            id="a mosaic without a number",
        ),
        pytest.param(_several_channels, "", TileReadError, "m_z01.ome.zarr", id="channels"),
        pytest.param(_broken_metadata, "", TileReadError, "m_z01.ome.zarr", id="broken metadata"),
    ],
)
def test_no_source(tmp_path: Path, make: Any, source: str, kind: type[Exception], says: str) -> None:
    make(tmp_path)
    with pytest.raises(kind, match=says):
        find_tile_slices(tmp_path / source)

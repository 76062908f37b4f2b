"""``tiles.csv`` of very many tiles: read by columns, kept, and the same as row by row."""

from __future__ import annotations

import csv
import hashlib
import io
import pickle
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st

from builders import pixels, tile_table, write_hdf5, write_npy, write_tiff
from napari_slicemap import open_dataset
from napari_slicemap.cli.info import describe
from napari_slicemap.errors import SlicemapError, TileReadError
from napari_slicemap.files import write_text
from napari_slicemap.images.acquisition import Acquisition
from napari_slicemap.images.readers import tile_table as reading
from napari_slicemap.images.readers.tile_table import TileTable
from napari_slicemap.images.tiles import columns_file as tile_columns_file
from napari_slicemap.images.tiles.columns import read_tile_columns
from napari_slicemap.images.tiles.position_table import PositionTable
from napari_slicemap.images.tiles.sharing import Shared

from .reader_contract import ReaderContract, options

ROW_BY_ROW = 2**60


def read_as(large: int, table: Path, **changes: Any) -> Acquisition:
    """Read a table where those of so many bytes count as large."""
    with mock.patch.object(reading, "_LARGE", large):
        return TileTable().read(table, options(table, **changes))


def told(acquisition: Acquisition) -> tuple[Any, ...]:
    """What two readings of one table must agree in."""
    fovs = dict(acquisition.fovs)
    return list(fovs), fovs, list(acquisition.positions), acquisition.problems, acquisition.stage_y_stated


def write_rows(table: Path, rows: list[dict[str, Any]]) -> Path:
    """Write rows that need not have the same columns."""
    out = io.StringIO(newline="")
    writer = csv.DictWriter(out, list(dict.fromkeys(name for row in rows for name in row)))
    writer.writeheader()
    writer.writerows(rows)
    write_text(table, out.getvalue())
    return table


@pytest.fixture
def by_columns() -> Iterator[None]:
    with mock.patch.object(reading, "_LARGE", 0):
        yield


@pytest.mark.usefixtures("by_columns")
class TestManyTiles(ReaderContract):
    reader = TileTable()

    def build(self, root: Path) -> Path:
        return tile_table(root)

    def image_of(self, root: Path, fov: str, channel: str) -> np.ndarray:
        return tifffile.imread(root / f"{fov}.tif")

    def test_what_one_tile_says_is_held_against_the_others(self, tmp_path: Path) -> None:
        for name, shape in {"t1.tif": (20, 24), "other.tif": (20, 25), "rgb.tif": (20, 24, 3)}.items():
            write_tiff(tmp_path / name, pixels(1, shape))
        rows = [{"path": name, "map_id": "m", "x_px": 0, "y_px": 0} for name in ("t1.tif", "other.tif", "rgb.tif")]
        fovs = self.reader.read(write_rows(tmp_path / "tiles.csv", rows), options(tmp_path)).fovs
        assert fovs["t1"].read().shape == (1, 20, 24)
        with pytest.raises(TileReadError, match=r"FOV other: .*is 25 × 20 px, but the FOV is stated as 24 × 20 px"):
            fovs["other"].read()
        with pytest.raises(TileReadError, match=r"FOV rgb: .*it holds 3 channels"):
            fovs["rgb"].read()


# --- the same as row by row ----------------------------------------------------------------------------------
def row(path: str, **cells: Any) -> dict[str, Any]:
    return {"path": path, "map_id": "m", "x_um": 1.5, "y_um": -2, "pixel_size_um": "0.5", **cells}


def in_px(path: str, **cells: Any) -> dict[str, Any]:
    return {"path": path, "map_id": "m", "x_px": 1, "y_px": 2.25, **cells}


SIZED = {"width_px": 24, "height_px": 20}
TABLES = {
    "stage": [row("t1.tif"), row("t2.tif", x_um=1e-3)],
    "map px": [in_px("t1.tif"), in_px("t2.tif", slice_id="7")],
    "units": [row("t1.tif", pixel_size_um="390 nm"), row("t2.tif", pixel_size_um=0.39)],
    "all stated": [row("gone.tif", channel="A", **SIZED), row("gone too.tif", channel="B", **SIZED)],
    "only pixel sizes left out": [in_px("gone.tif", channel="A", **SIZED)],
    "sizes of some": [row("t1.tif", **SIZED), row("t2.tif", width_px=24), row("t3.tif", height_px="20.0")],
    "complete ones first": [row("gone.tif", channel="A", **SIZED), row("t1.tif"), row("t2.tif", channel="B")],
    "the fallback": [row("t1.tif", pixel_size_um=""), row("t2.tif")],
    "alike in two maps": [row("t1.tif"), row("below/t1.tif", map_id="n"), row("t2.tif", fov="named")],
    "a row for each channel": [
        in_px("t1.tif", fov="a", channel="A", page=0),
        in_px("t2.tif", fov="b", channel="B", x_px=5),
        in_px("t3.tif", fov="a", channel="B", series="0"),
    ],
    "other formats": [row("n.npy"), row("h.h5/one"), row("T.1.TIFF"), row(".tif"), row("a/../t1.tif")],
    "quotes": [row("t1.tif", fov="a, b\nc"), row(" t2.tif ", map_id="0 "), row("ü\u2028.tif")],
    "a slice for a map": [{"path": "t1.tif", "slice_id": "03", "x_px": 0, "y_px": 0}],
}


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("images")
    for n, name in enumerate(("t1.tif", "t2.tif", "t3.tif", "below/t1.tif")):
        write_tiff(folder / name, pixels(n))
    write_npy(folder / "n.npy", pixels(4))
    write_hdf5(folder / "h.h5", {"one": pixels(5)})
    for kind in ("masks", "annotations"):
        write_tiff(folder / kind / "t2_own.tif", pixels(6))
    return folder


@pytest.mark.parametrize("name", TABLES)
def test_it_gives_what_rows_give(images: Path, name: str) -> None:
    table = write_rows(images / "tiles.csv", TABLES[name])
    rows, columns = (read_as(large, table, pixel_size_um=0.7) for large in (ROW_BY_ROW, 0))
    assert (type(rows.positions), type(columns.positions)) == (tuple, PositionTable)
    assert told(columns) == told(rows)
    assert told(read_as(0, table, pixel_size_um=0.7, cache=images / "cache")) == told(rows)
    assert told(read_as(0, table, pixel_size_um=0.7, cache=images / "cache")) == told(rows)


NUMBERS = st.sampled_from(["0", "1", "24", "2.5", "-3", "1e3", "1_0", "nan", "inf", "1e300", "", "x", "５", " 7 "])
CELLS = {
    "path": st.sampled_from(["t1.tif", "t2.tif", "t1.tif", "n.npy", "gone.tif", "", "below/t1.tif", "x.zarr"]),
    "map_id": st.sampled_from(["m", "m", "n", ""]),
    "slice_id": st.sampled_from(["", "m", "03"]),
    "fov": st.sampled_from(["", "", "a", "b", "t1"]),
    "channel": st.sampled_from(["", "A", "B"]),
    **dict.fromkeys(("x_px", "y_px", "x_um", "y_um", "width_px", "height_px", "page", "series"), NUMBERS),
    "pixel_size_um": st.sampled_from(["0.5", "390 nm", "", "-1", "0", "big", "1e999"]),
}
LIKELY = {
    "map_id": "m",
    "x_px": "3",
    "y_px": "4",
    "x_um": "5",
    "y_um": "6",
    "width_px": "24",
    "height_px": "20",
    "pixel_size_um": "0.5",
}


@st.composite
def tables(draw: st.DrawFn) -> list[dict[str, str]]:
    """Tables that are mostly right."""
    pair = draw(st.sampled_from([("x_px", "y_px"), ("x_um", "y_um"), ("x_px", "y_um")]))
    others = [name for name in CELLS if name not in ("path", "x_px", "y_px", "x_um", "y_um")]
    columns = ["path", *pair, *draw(st.lists(st.sampled_from(others), unique=True))]
    odd = draw(st.sets(st.sampled_from(columns), max_size=3))
    count = draw(st.integers(1, 4))
    return [
        {
            name: draw(CELLS[name]) if name in odd or name not in LIKELY else LIKELY[name]
            for name in ["map_id", *columns]
        }
        for _ in range(count)
    ]


def outcome(large: int, table: Path) -> object:
    try:
        return told(read_as(large, table))
    except SlicemapError as error:
        return type(error), str(error)


@settings(max_examples=150)
@given(rows=tables())
def test_whatever_the_table_says_it_is_what_rows_say(images: Path, rows: list[dict[str, str]]) -> None:
    table = write_rows(images / "drawn.csv", rows)
    assert outcome(0, table) == outcome(ROW_BY_ROW, table)


@pytest.mark.parametrize(
    "spoiled",
    [
        pytest.param({"x_um": "nan"}, id="no number"),
        pytest.param({"x_um": "inf"}, id="infinite"),
        pytest.param({"y_um": ""}, id="no place"),
        pytest.param({"path": ""}, id="no path"),
        pytest.param({"map_id": ""}, id="no map"),
        pytest.param({"width_px": "1.5"}, id="half a pixel"),
        pytest.param({"width_px": "1e300"}, id="wider than can be counted"),
        pytest.param({"pixel_size_um": "-1"}, id="negative"),
        pytest.param({"page": "-1"}, id="page from behind"),
        pytest.param({"path": "n.npy", "page": "0"}, id="page of another format"),
        pytest.param({"path": "t1.tif"}, id="twice"),
        pytest.param({"fov": "t1", "channel": "A"}, id="one channel named"),
    ],
)
def test_one_bad_row_is_left_to_be_told(images: Path, spoiled: dict[str, str]) -> None:
    table = write_rows(images / "bad.csv", [row("t1.tif"), row("t2.tif") | spoiled])
    assert read_tile_columns(table) is None


# --- as part of a dataset ------------------------------------------------------------------------------------
@pytest.mark.parametrize("name", ["units", "map px", "alike in two maps", "a row for each channel"])
def test_a_dataset_of_it_is_the_same(images: Path, name: str) -> None:
    table = write_rows(images / "tiles.csv", TABLES[name])
    with mock.patch.object(reading, "_LARGE", ROW_BY_ROW):
        rows = open_dataset(table)
    with mock.patch.object(reading, "_LARGE", 0):
        columns = open_dataset(table)
    assert describe(columns) == describe(rows)
    for map_id, one in columns.maps.items():
        assert list(one.placement.tiles) == list(rows.maps[map_id].placement.tiles)
        np.testing.assert_array_equal(one.placement.windows, rows.maps[map_id].placement.windows)
        assert one.stored.state() == rows.maps[map_id].stored.state()


@pytest.mark.usefixtures("by_columns")
def test_no_fov_is_made_before_it_is_asked_for(tmp_path: Path) -> None:
    with mock.patch.object(Shared, "fov", side_effect=AssertionError("a FOV was made")):
        dataset = open_dataset(tile_table(tmp_path))
        one = dataset.maps["m1"]
        assert (len(dataset.fovs), "t1" in dataset.fovs, dataset.fovs.get("t3")) == (2, True, None)
        assert (one.shape, one.fov_names, dataset.slice_ids) == ((23, 44), ["t1", "t2"], ["m1"])
        assert dataset.map_of("t2") is one
    assert dataset.fovs["t2"] is dataset.fovs["t2"] is one.placement.tiles[1].fov
    assert [fov.name for fov in dataset.distinct_fovs] == ["t1"]  # the other is like it
    assert [fov.name for fov in pickle.loads(pickle.dumps(dataset.fovs)).values()] == ["t1", "t2"]


# --- what is kept --------------------------------------------------------------------------------------------
@pytest.fixture
def kept(tmp_path: Path) -> tuple[Path, Path]:
    """A table that was read once, and where it is kept."""
    table = tile_table(tmp_path)
    read_as(0, table, cache=tmp_path / "cache")
    return table, tmp_path / "cache" / "tables" / "tiles.csv.columns"


def test_a_table_that_is_kept_is_not_read_again(kept: tuple[Path, Path]) -> None:
    table, file = kept
    with mock.patch.object(tile_columns_file, "read_tile_columns", side_effect=AssertionError("it was read")):
        again = read_as(0, table, cache=file.parents[1])
    assert told(again) == told(read_as(ROW_BY_ROW, table))


def test_what_is_kept_is_arrays_and_a_checksum(kept: tuple[Path, Path]) -> None:
    table, file = kept
    raw = file.read_bytes()
    arrays = np.load(io.BytesIO(raw[32:]), allow_pickle=False)
    key = f"1 {hashlib.sha256(table.read_bytes()).hexdigest()}".encode()
    assert raw[:32] == hashlib.sha256(key + raw[32:]).digest()
    assert arrays["fovs"].tobytes() == b"t1\0t2"
    assert arrays["places"].tolist() == [[0, 0], [20, 3]]


def test_a_table_that_has_changed_is_read_anew(kept: tuple[Path, Path]) -> None:
    table, file = kept
    before = table.stat()
    write_text(table, table.read_text().replace("20,3", "21,4"))
    assert table.stat().st_size == before.st_size
    for _ in range(2):
        assert read_as(0, table, cache=file.parents[1]).positions[1].origin_px == (21, 4)


@pytest.mark.parametrize(
    "damage",
    [
        pytest.param(lambda raw: b"", id="empty"),
        pytest.param(lambda raw: raw[:20], id="short"),
        pytest.param(lambda raw: raw[:-1], id="cut"),
        pytest.param(lambda raw: raw[:-200] + b"\xff" + raw[-199:], id="one byte"),
        pytest.param(lambda raw: bytes(len(raw)), id="zeros"),
    ],
)
def test_what_was_damaged_is_made_anew(kept: tuple[Path, Path], damage: Any) -> None:
    table, file = kept
    file.write_bytes(damage(file.read_bytes()))
    assert told(read_as(0, table, cache=file.parents[1])) == told(read_as(ROW_BY_ROW, table))
    with mock.patch.object(tile_columns_file, "read_tile_columns", side_effect=AssertionError("it was read")):
        read_as(0, table, cache=file.parents[1])


def test_where_nothing_can_be_kept_it_is_done_without(tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("a file where the folder would be")
    table = tile_table(tmp_path)
    assert told(read_as(0, table, cache=tmp_path / "cache")) == told(read_as(ROW_BY_ROW, table))


def test_names_that_cannot_be_told_apart_are_not_kept(tmp_path: Path) -> None:
    table = write_rows(tmp_path / "tiles.csv", [row("a.tif", fov="a\0b", channel="A", **SIZED)])
    assert list(read_as(0, table, cache=tmp_path / "cache").fovs) == ["a\0b"]
    assert not (tmp_path / "cache").exists()


def test_small_tables_are_not_kept(tmp_path: Path) -> None:
    open_dataset(tile_table(tmp_path))
    assert not (tmp_path / ".slicemap-cache").exists()


def test_a_table_is_kept_beside_the_project_file(tmp_path: Path) -> None:
    rows = [row(f"t{n}.tif", channel="A", **SIZED, x_um=12 * n) for n in range(8000)]
    write_rows(tmp_path / "tiles.csv", rows)
    dataset = open_dataset(tmp_path)
    assert dataset.maps["m"].shape == (20, 24 * 8000)
    assert [path.name for path in (tmp_path / ".slicemap-cache").rglob("*.*")] == ["tiles.csv.columns"]

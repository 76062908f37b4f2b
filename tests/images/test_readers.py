"""Readers of layouts: one contract that each passes, then what is special to each."""

from __future__ import annotations

import csv
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import pytest
import tifffile

from builders import (
    CHANNELS,
    fov_folders,
    pixels,
    steinbock,
    tile_table,
    write_csv,
    write_hdf5,
    write_npy,
    write_ome_zarr,
    write_tiff,
)
from napari_slicemap.errors import DatasetNotFoundError, FileFormatError, SlicemapError, TileReadError, UnknownNameError
from napari_slicemap.images.acquisition import Acquisition, CellColumns
from napari_slicemap.images.readers import _registered, find_reader
from napari_slicemap.images.readers.fov_folders import FovFolders
from napari_slicemap.images.readers.steinbock import Steinbock
from napari_slicemap.images.readers.tile_table import TileTable
from napari_slicemap.images.tiff.tiff_image import TiffImage

from .reader_contract import ReaderContract, options


class TestFovFolders(ReaderContract):
    reader = FovFolders()

    def build(self, root: Path) -> Path:
        return fov_folders(root, masks=False)

    def image_of(self, root: Path, fov: str, channel: str) -> np.ndarray:
        return tifffile.imread(root / fov / f"{channel}.tiff")

    def test_reading_opens_nothing_at_all(self, tmp_path: Path) -> None:
        path = self.build(tmp_path)
        with mock.patch.object(tifffile, "TiffFile", side_effect=AssertionError("an image was opened")):
            self.reader.read(path, options(path))

    def test_names_stay_text(self, tmp_path: Path) -> None:
        fov_folders(tmp_path, ("001", "NA", "nan", "1.0"), channels=("Beta-tubulin", "007"))
        made = self.reader.read(tmp_path, options(tmp_path))
        assert list(made.fovs) == ["001", "1.0", "NA", "nan"]
        assert made.fovs["001"].channels == ("007", "Beta-tubulin")
        with pytest.raises(UnknownNameError, match="unknown channel 'tubulin'"):
            made.fovs["001"].read(["tubulin"])

    def test_the_rescaled_folder_goes_first(self, tmp_path: Path) -> None:
        write_tiff(tmp_path / "a" / "DAPI.tif", pixels(1))
        write_tiff(tmp_path / "a" / "rescaled" / "DAPI.tif", pixels(2))
        np.testing.assert_array_equal(self.reader.read(tmp_path, options(tmp_path)).fovs["a"].read()[0], pixels(2))

    def test_hidden_and_other_files_are_left_alone(self, tmp_path: Path) -> None:
        self.build(tmp_path)
        write_tiff(tmp_path / ".hidden" / "DAPI.tif", pixels(1))
        write_tiff(tmp_path / "a1" / "._DAPI.tiff", pixels(1))
        (tmp_path / "a1" / "notes.txt").write_text("x")
        (tmp_path / "empty").mkdir()
        made = self.reader.read(tmp_path, options(tmp_path))
        assert list(made.fovs) == ["a1", "a2"]
        assert made.fovs["a1"].channels == tuple(sorted(CHANNELS))

    def test_a_channel_that_is_there_twice(self, tmp_path: Path) -> None:
        self.build(tmp_path)
        write_tiff(tmp_path / "a1" / "DAPI.tif", pixels(1))
        assert self.reader.detect(tmp_path)
        with pytest.raises(FileFormatError, match=r"a1: channel DAPI stands twice, DAPI\.tif and DAPI\.tiff"):
            self.reader.read(tmp_path, options(tmp_path))

    def test_a_channel_file_of_many_channels_is_refused_when_read(self, tmp_path: Path) -> None:
        write_tiff(tmp_path / "a" / "DAPI.tif", pixels(1, (20, 24, 3)), photometric="rgb")
        with pytest.raises(TileReadError, match=r"FOV a: .*DAPI\.tif: it holds 3 channels \(R, G, B\), expected 1"):
            self.reader.read(tmp_path, options(tmp_path)).fovs["a"].read()

    @pytest.mark.parametrize("what", ["empty", "only masks", "a file"])
    def test_a_folder_without_fovs_is_refused(self, tmp_path: Path, what: str) -> None:
        if what == "only masks":
            write_tiff(tmp_path / "masks" / "a_cell.tif", pixels(1))
        path = write_tiff(tmp_path / "a.tif", pixels(1)) if what == "a file" else tmp_path
        message = "expected a folder of FOV folders" if what == "a file" else "there is no FOV"
        with pytest.raises(FileFormatError, match=message):
            self.reader.read(path, options(path))


def edit(path: Path, change: Callable[[list[dict[str, str]]], object]) -> None:
    """Change the rows of a CSV file in place."""
    with path.open(newline="", encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    change(rows)
    write_csv(path, list(rows[0]), [list(row.values()) for row in rows])


def changed(row: int, **cells: str) -> Callable[[list[dict[str, str]]], object]:
    return lambda rows: rows[row].update(cells)


class TestSteinbock(ReaderContract):
    reader = Steinbock()
    stage_y = "up"

    def build(self, root: Path) -> Path:
        return steinbock(root)

    def image_of(self, root: Path, fov: str, channel: str) -> np.ndarray:
        return tifffile.imread(root / "img" / f"{fov}.tiff")[CHANNELS.index(channel)]

    def test_positions(self, tmp_path: Path) -> None:
        one, two = self.read(tmp_path).positions
        assert (one.map_id, one.fov, one.center_um) == ("slide1", "slide1_001", (112.0, 490.0))
        assert (two.map_id, two.fov, two.center_um) == ("slide1", "slide1_002", (172.0, 460.0))
        assert (one.size_px, one.pixel_size_um) == ((24, 20), 1.0)
        assert one.source.endswith("images.csv, line 2")

    def test_masks_and_cells(self, tmp_path: Path) -> None:
        made = self.read(tmp_path)
        assert [sorted(fov.masks) for fov in made.fovs.values()] == [["deepcell"], ["deepcell"]]
        assert made.cells == tmp_path / "cells.csv"
        assert made.cell_columns == CellColumns(fov="Image", label="Object", x="centroid-1", y="centroid-0")

    def test_cells_of_the_project_keep_its_columns(self, tmp_path: Path) -> None:
        own = write_csv(tmp_path / "mine.csv", ("fov", "label", "X", "Y"), [])
        made = self.read(tmp_path, cells=own)
        assert (made.cells, made.cell_columns) == (own, CellColumns())

    def test_names_with_dots(self, tmp_path: Path) -> None:
        steinbock(tmp_path, {"a.b_001": (0, 50), "001": (100, 50)})
        made = self.reader.read(tmp_path, options(tmp_path))
        assert list(made.fovs) == ["a.b_001", "001"]
        assert made.problems == ()

    def test_an_image_that_is_not_listed_is_told(self, tmp_path: Path) -> None:
        path = self.build(tmp_path)
        write_tiff(tmp_path / "img" / "extra.tiff", pixels(1))
        problems = self.reader.read(path, options(path)).problems
        assert len(problems) == 1
        assert problems[0].endswith("extra.tiff: not listed in images.csv; left out")

    @pytest.mark.parametrize(
        ("keep", "channels"),
        [
            pytest.param(["1", "0", "1"], ["A", "C"], id="numbers"),
            pytest.param(["TRUE", "FALSE", "True"], ["A", "C"], id="as R writes them"),
            pytest.param(["1.0", "", "0.0"], ["A", "B"], id="as pandas writes them"),
        ],
    )
    def test_the_channels_that_the_panel_keeps(self, tmp_path: Path, keep: list[str], channels: list[str]) -> None:
        self.build(tmp_path)
        write_csv(tmp_path / "panel.csv", ("channel", "name", "keep"), zip("xyz", "ABC", keep, strict=True))
        assert list(next(iter(self.reader.read(tmp_path, options(tmp_path)).fovs.values())).planes) == channels

    @pytest.mark.parametrize(
        ("rows", "message"),
        [
            pytest.param([("M", "A", 0), ("N", "B", 0)], r"panel\.csv: the panel keeps no channel", id="none"),
            pytest.param([("M", "A", 1), ("N", "A", 1)], r"line 2: channel A stands twice", id="twice"),
            pytest.param([("", "", 1), ("N", "B", 1)], r"line 2: a channel needs a name", id="no name"),
            pytest.param([("M", "A", "maybe")], r"line 2: keep is 'maybe', expected 1 or 0", id="keep"),
            pytest.param(
                [("M", "A", 1)], r"slide1_001\.tiff: 2 channels, but panel\.csv keeps 1 \(A\)", id="one too few"
            ),
        ],
    )
    def test_bad_panels(self, tmp_path: Path, rows: list[Any], message: str) -> None:
        self.build(tmp_path)
        write_csv(tmp_path / "panel.csv", ("channel", "name", "keep"), rows)
        with pytest.raises(FileFormatError, match=message):
            self.reader.read(tmp_path, options(tmp_path))

    @pytest.mark.parametrize(
        ("cells", "message"),
        [
            pytest.param({"width_px": ""}, "image, width_px and height_px are needed", id="no width"),
            pytest.param({"image": ""}, "image, width_px and height_px are needed", id="no image"),
            pytest.param({"width_px": "24.5"}, "width_px is '24.5', expected a whole number", id="half a pixel"),
            pytest.param({"height_px": "-20"}, "height_px is '-20', expected a whole number", id="negative"),
            pytest.param(
                {"acquisition_width_um": "-24"}, "acquisition_width_um is -24, expected a length", id="extent"
            ),
            pytest.param({"acquisition_start_x_um": "left"}, "start_x_um: 'left' is not a length", id="position"),
            pytest.param({"image": "slide1_001.tiff"}, r"image slide1_001\.tiff stands twice", id="twice"),
        ],
    )
    def test_bad_rows(self, tmp_path: Path, cells: dict[str, str], message: str) -> None:
        self.build(tmp_path)
        edit(tmp_path / "images.csv", changed(1, **cells))
        with pytest.raises(FileFormatError, match=rf"images\.csv, line 3: .*{message}"):
            self.reader.read(tmp_path, options(tmp_path))

    def test_a_table_without_images(self, tmp_path: Path) -> None:
        self.build(tmp_path)
        write_csv(tmp_path / "images.csv", ("image", "width_px", "height_px"), [])
        with pytest.raises(FileFormatError, match=r"images\.csv: the table lists no image"):
            self.reader.read(tmp_path, options(tmp_path))

    def test_an_image_without_position_is_kept(self, tmp_path: Path) -> None:
        self.build(tmp_path)
        edit(tmp_path / "images.csv", changed(1, acquisition_end_y_um=""))
        made = self.reader.read(tmp_path, options(tmp_path))
        assert list(made.fovs) == ["slide1_001", "slide1_002"]
        assert [position.fov for position in made.positions] == ["slide1_001"]

    def test_a_later_image_of_other_channels_fails_when_read(self, tmp_path: Path) -> None:
        path = self.build(tmp_path)
        write_tiff(tmp_path / "img" / "slide1_002.tiff", pixels(1, (3, 20, 24)), photometric="minisblack")
        fovs = self.reader.read(path, options(path)).fovs
        fovs["slide1_001"].read()
        with pytest.raises(TileReadError, match=r"FOV slide1_002: .*it holds 3 channels"):
            fovs["slide1_002"].read()


class TestTileTable(ReaderContract):
    reader = TileTable()

    def build(self, root: Path) -> Path:
        return tile_table(root)

    def image_of(self, root: Path, fov: str, channel: str) -> np.ndarray:
        return tifffile.imread(root / f"{fov}.tif")

    def read_rows(self, root: Path, header: str, *rows: str) -> Acquisition:
        (root / "tiles.csv").write_text("\n".join([header, *rows]) + "\n", encoding="utf-8")
        return self.reader.read(root, options(root))

    def test_the_folder_and_the_file_are_the_same(self, tmp_path: Path) -> None:
        path = self.build(tmp_path)
        assert list(self.reader.read(tmp_path, options(tmp_path)).fovs) == list(
            self.reader.read(path, options(path)).fovs
        )

    def test_another_name_with_the_right_columns(self, tmp_path: Path) -> None:
        path = self.build(tmp_path).rename(tmp_path / "positions.csv")
        assert find_reader(path)[0].name == "tiles-csv"

    def test_positions_in_px(self, tmp_path: Path) -> None:
        one, two = self.read(tmp_path).positions
        assert (one.origin_px, two.origin_px) == ((0, 0), (20, 3))
        assert (one.center_um, one.size_px, one.pixel_size_um, one.map_id) == (None, (24, 20), None, "m1")

    def test_positions_in_um(self, tmp_path: Path) -> None:
        tile_table(tmp_path, {"t1.tif": (1.5, -2)}, columns=("x_um", "y_um"), pixel_size_um=0.39)
        (one,) = self.reader.read(tmp_path, options(tmp_path)).positions
        assert (one.center_um, one.origin_px, one.pixel_size_um) == ((1.5, -2), None, 0.39)

    @pytest.mark.parametrize("text", ["390 nm", "0.39", "0.39 µm"])
    def test_pixel_sizes_with_a_unit(self, tmp_path: Path, text: str) -> None:
        write_tiff(tmp_path / "t1.tif", pixels(1))
        made = self.read_rows(tmp_path, "path,map_id,x_um,y_um,pixel_size_um", f"t1.tif,m,0,0,{text}")
        assert made.fovs["t1"].pixel_size_um == pytest.approx(0.39)

    def test_slice_id_in_place_of_map_id(self, tmp_path: Path) -> None:
        write_tiff(tmp_path / "t1.tif", pixels(1))
        made = self.read_rows(tmp_path, "path,slice_id,x_px,y_px", "t1.tif,03,0,0")
        assert (made.positions[0].map_id, made.positions[0].slice_id) == ("03", "03")

    def test_one_row_a_channel(self, tmp_path: Path) -> None:
        for n, name in enumerate(("a.tif", "b.tif")):
            write_tiff(tmp_path / name, pixels(n))
        made = self.read_rows(
            tmp_path,
            "path,map_id,fov,channel,x_px,y_px",
            "a.tif,m,001,Beta-tubulin,0,0",
            "b.tif,m,001,tubulin,0,0",
        )
        assert list(made.fovs) == ["001"]
        assert made.fovs["001"].channels == ("Beta-tubulin", "tubulin")
        np.testing.assert_array_equal(made.fovs["001"].read(["tubulin", "Beta-tubulin"]), [pixels(1), pixels(0)])
        assert len(made.positions) == 1

    def test_pages_and_series(self, tmp_path: Path) -> None:
        stack = pixels(1, (3, 20, 24))
        write_tiff(tmp_path / "a.tif", stack, photometric="minisblack", metadata=None)
        header = "path,map_id,fov,channel,page,x_px,y_px"
        made = self.read_rows(tmp_path, header, "a.tif,m,f,A,2,0,0", "a.tif,m,f,B,0,0,0")
        np.testing.assert_array_equal(made.fovs["f"].read(), stack[[2, 0]])

    def test_tiles_of_other_formats(self, tmp_path: Path) -> None:
        write_ome_zarr(tmp_path / "z1.ome.zarr", pixels(1, (1, 20, 24)), pixel_size=(0.5, 0.5))
        write_npy(tmp_path / "n1.npy", pixels(2))
        write_hdf5(tmp_path / "h.h5", {"one": pixels(3), "two": pixels(4)})
        write_tiff(tmp_path / "t1.tif", pixels(5))
        names = {"z1.ome.zarr": "z1", "n1.npy": "n1", "h.h5/one": "h_one", "h.h5/two": "h_two", "t1.tif": "t1"}
        rows = [f"{name},m,{n},0,0.5" for n, name in enumerate(names)]
        made = self.read_rows(tmp_path, "path,map_id,x_px,y_px,pixel_size_um", *rows)
        assert list(made.fovs) == list(names.values())
        for seed, fov in enumerate(made.fovs.values(), 1):
            np.testing.assert_array_equal(fov.read()[0], pixels(seed))

    def test_a_page_of_a_file_that_has_none(self, tmp_path: Path) -> None:
        with pytest.raises(FileFormatError, match=r"tiles\.csv, line 2: .*n1\.npy: series and page are of TIFF files"):
            self.read_rows(tmp_path, "path,map_id,page,x_px,y_px", "n1.npy,m,1,0,0")

    def test_the_same_file_name_in_two_slices(self, tmp_path: Path) -> None:
        for n, folder in enumerate("pq"):
            write_tiff(tmp_path / folder / "tile.tif", pixels(n))
        made = self.read_rows(tmp_path, "path,map_id,x_px,y_px", "p/tile.tif,1,0,0", "q/tile.tif,2,0,0")
        assert list(made.fovs) == ["1_tile", "2_tile"]
        np.testing.assert_array_equal(made.fovs["2_tile"].read()[0], pixels(1))

    def test_a_complete_table_opens_nothing(self, tmp_path: Path) -> None:
        header = "path,map_id,channel,width_px,height_px,pixel_size_um,x_um,y_um"
        made = self.read_rows(tmp_path, header, "gone.tif,m,DAPI,24,20,0.5,0,0")
        assert made.positions[0].size_px == (24, 20)

    def test_what_one_tile_says_is_held_against_the_others(self, tmp_path: Path) -> None:
        def write(name: str, channels: list[str], size: float, shape: tuple[int, int] = (20, 24)) -> None:
            said = {"axes": "CYX", "Channel": {"Name": channels}, "PhysicalSizeX": size}
            write_tiff(tmp_path / name, pixels(1, (2, *shape)), ome=True, metadata=said, photometric="minisblack")

        write("t1.tif", ["A", "B"], 0.5)
        write("names.tif", ["B", "A"], 0.5)
        write("size.tif", ["A", "B"], 0.4)
        write("shape.tif", ["A", "B"], 0.5, (20, 25))
        rows = [f"{name}.tif,m,{n},0" for n, name in enumerate(("t1", "names", "size", "shape"))]
        fovs = self.read_rows(tmp_path, "path,map_id,x_um,y_um", *rows).fovs
        assert fovs["t1"].read().shape == (2, 20, 24)
        for name, message in {
            "names": r"channels \(B, A\), expected 2 \(A, B\)",
            "size": r"states 0\.4 µm/px, but 0\.5 µm/px was taken from .*t1\.tif",
            "shape": "is 25 × 20 px, but the FOV is stated as 24 × 20 px",
        }.items():
            with pytest.raises(TileReadError, match=rf"FOV {name}: .*{message}"):
                fovs[name].read()

    def test_a_tile_that_is_missing_does_not_hinder_the_others(self, tmp_path: Path) -> None:
        tile_table(tmp_path)
        (tmp_path / "t1.tif").unlink()
        fovs = self.reader.read(tmp_path, options(tmp_path)).fovs
        np.testing.assert_array_equal(fovs["t2"].read()[0], pixels(1))
        with pytest.raises(TileReadError, match=r"FOV t1: .*t1\.tif: there is no such file"):
            fovs["t1"].read()

    @pytest.mark.parametrize(
        ("table", "message"),
        [
            pytest.param("path,map_id,x_px,y_px\n", r"tiles\.csv: the table lists no tile", id="no row"),
            pytest.param("map_id,x_px,y_px\nm,0,0\n", r"line 1: no column path", id="no path"),
            pytest.param("path,map_id\nt1.tif,m\n", r"x_um,y_um or x_px,y_px; neither is there", id="no position"),
            pytest.param("path,map_id,x_px,y_um\nt1.tif,m,0,0\n", "neither is there", id="mixed axes"),
            pytest.param("path,map_id,x_px,y_px,x_um,y_um\nt1.tif,m,0,0,0,0\n", "both are there", id="both"),
            pytest.param("path,map_id,x_px,y_px\n,m,0,0\n", "line 2: path is empty", id="empty path"),
            pytest.param("path,x_px,y_px\nt1.tif,0,0\n", r"line 2: map_id \(or slice_id\) is empty", id="no map"),
            pytest.param("path,map_id,x_px,y_px\nt1.tif,m,,0\n", "line 2: x_px and y_px are needed", id="no x"),
            pytest.param("path,map_id,x_px,y_px\nt1.tif,m,left,0\n", "line 2: x_px is 'left'", id="x is text"),
            pytest.param("path,map_id,x_px,y_px\nt1.tif,m,nan,0\n", "line 2: x_px is 'nan'", id="x is nan"),
            pytest.param("path,map_id,x_um,y_um\nt1.tif,m,0,0\n", "line 2: no pixel_size_um", id="no pixel size"),
            pytest.param("path,map_id,x_um,y_um,pixel_size_um\nt1.tif,m,0,0,big\n", "pixel_size_um: 'big'", id="size"),
            pytest.param(
                "path,map_id,x_um,y_um,pixel_size_um\nt1.tif,m,0,0,-1\n", "is -1, expected a len", id="size < 0"
            ),
            pytest.param("path,map_id,x_px,y_px,width_px\nt1.tif,m,0,0,1.5\n", "width_px is '1.5'", id="width"),
            pytest.param("path,map_id,x_px,y_px,page\nt1.tif,m,0,0,-1\n", "page is '-1'", id="page from behind"),
            pytest.param(
                "path,map_id,x_px,y_px\nt1.tif,m,0,0\nt1.tif,m,0,0\n", "line 3: FOV t1 stands twice", id="twice"
            ),
            pytest.param(
                "path,map_id,x_px,y_px\nt1.tif,m,0,0\nt1.tif,m,9,0\n", "line 3: FOV t1 lies else", id="elsewhere"
            ),
            pytest.param(
                "path,map_id,fov,x_px,y_px\nt1.tif,m,f,0,0\nt2.tif,n,f,0,0\n", "FOV f is on map n, but", id="two maps"
            ),
            pytest.param(
                "path,map_id,fov,channel,x_px,y_px\nt1.tif,m,f,A,0,0\nt2.tif,m,f,A,0,0\n",
                "line 3: channel A of FOV f stands twice",
                id="channel twice",
            ),
            pytest.param(
                "path,map_id,fov,channel,x_px,y_px\nt1.tif,m,f,A,0,0\nt2.tif,m,f,,0,0\n",
                "line 3: FOV f stands twice",
                id="channel named once",
            ),
        ],
    )
    def test_bad_tables(self, tmp_path: Path, table: str, message: str) -> None:
        for n in (1, 2):
            write_tiff(tmp_path / f"t{n}.tif", pixels(n))
        (tmp_path / "tiles.csv").write_text(table)
        with pytest.raises(FileFormatError, match=message):
            self.reader.read(tmp_path, options(tmp_path))

    def test_no_tile_can_be_opened(self, tmp_path: Path) -> None:
        with pytest.raises(TileReadError, match=r"gone\.tif: there is no such file"):
            self.read_rows(tmp_path, "path,map_id,x_px,y_px", "gone.tif,m,0,0")


# --- finding a reader ----------------------------------------------------------------------------------------
def test_the_table_goes_before_the_folders(tmp_path: Path) -> None:
    fov_folders(tmp_path)
    tile_table(tmp_path)
    assert find_reader(tmp_path)[0].name == "tiles-csv"
    assert find_reader(tmp_path, "fov-folders")[0].name == "fov-folders"


@pytest.mark.parametrize(
    ("path", "layout", "error", "message"),
    [
        pytest.param("gone", None, DatasetNotFoundError, "gone: there is no such file or folder", id="nothing there"),
        pytest.param(
            ".", None, DatasetNotFoundError, "no acquisition recognised here.*tiles-csv, steinbock", id="empty"
        ),
        pytest.param(
            ".", "zeiss", UnknownNameError, r"unknown layout 'zeiss' \(there is tiles-csv, s", id="no such reader"
        ),
    ],
)
def test_no_reader(tmp_path: Path, path: str, layout: str | None, error: type[SlicemapError], message: str) -> None:
    with pytest.raises(error, match=message):
        find_reader(tmp_path / path, layout)


def test_a_reader_of_another_package(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    class Mine(FovFolders):
        name = "mine"

        def detect(self, path: Path) -> str:
            return "mine.txt is there" if (path / "mine.txt").is_file() else ""

    point = mock.Mock(load=lambda: Mine)
    monkeypatch.setattr("napari_slicemap.images.readers.entry_points", lambda group: [point])
    _registered.cache_clear()
    try:
        (tmp_path / "mine.txt").touch()
        assert find_reader(tmp_path)[0].name == "mine"
    finally:
        monkeypatch.undo()
        _registered.cache_clear()


def test_a_reader_that_may_not_look_into_a_folder_does_not_recognise_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def refused(_: object, path: Path) -> str:
        raise PermissionError(13, "Permission denied", str(path))

    fov_folders(tmp_path)
    assert find_reader(tmp_path)[0].name == "fov-folders"
    monkeypatch.setattr(FovFolders, "detect", refused)
    with pytest.raises(DatasetNotFoundError, match="no acquisition recognised"):
        find_reader(tmp_path)
    monkeypatch.setattr(TileTable, "detect", refused)
    (tmp_path / "a.companion.ome").touch()
    assert find_reader(tmp_path)[0].name == "ome-tiff"


def test_planes_of_a_file_share_its_metadata(tmp_path: Path) -> None:
    """A multichannel file is described once, however many channels it has."""
    steinbock(tmp_path)
    fov = next(iter(Steinbock().read(tmp_path, options(tmp_path)).fovs.values()))
    described = mock.patch.object(TiffImage, "_describe", autospec=True, side_effect=TiffImage._describe)
    with described as calls:
        assert (fov.shape, fov.dtype) == ((1, 2, 1, 20, 24), np.float32)
    assert calls.call_count <= 1


def test_a_folder_may_vanish_between_listing_and_reading(tmp_path: Path) -> None:
    fov_folders(tmp_path)
    fovs = FovFolders().read(tmp_path, options(tmp_path)).fovs
    shutil.rmtree(tmp_path / "a1")
    with pytest.raises(TileReadError, match=r"FOV a1: .*there is no such file"):
        fovs["a1"].read()

"""Wafers: an image and its ``.magc`` file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tifffile

from builders import pixels, write_tiff
from napari_slicemap import open_dataset
from napari_slicemap.errors import FileFormatError, TileReadError
from napari_slicemap.images.readers.wafer import Wafer
from napari_slicemap.rois.roi import roi_from_points
from napari_slicemap.rois.table import RoiTable

from .reader_contract import ReaderContract, options

SECTION = "[sections.0000]\npolygon = 1,2,5,2,5,4\n"


def wafer(folder: Path, name: str, seed: int = 0) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.magc").write_text(SECTION)
    write_tiff(folder / f"{name}.tif", pixels(seed, (20, 24), np.uint8))
    return folder


class TestWafer(ReaderContract):
    reader = Wafer()
    images_opened = 2

    def build(self, root: Path) -> Path:
        wafer(root, "w1", 1)
        return wafer(root, "w2", 2)

    def image_of(self, root: Path, fov: str, channel: str) -> np.ndarray:
        return tifffile.imread(root / f"{fov}.tif")

    def test_each_wafer_is_a_map_with_its_rois(self, tmp_path: Path) -> None:
        opened = open_dataset(self.build(tmp_path))
        assert list(opened.maps) == list(opened.fovs) == ["w1", "w2"]
        assert [(roi.name, roi.map_id) for roi in opened.rois] == [("section 0000", "w1"), ("section 0000", "w2")]
        assert opened.fovs["w1"].pixel_size_um is None
        assert opened.maps["w2"].fov_names == ["w2"]

    @pytest.mark.parametrize("what", ["folder", "w.magc"])
    def test_one_wafer_whose_image_is_called_otherwise(self, tmp_path: Path, what: str) -> None:
        wafer(tmp_path, "w")
        (tmp_path / "w.tif").rename(tmp_path / "overview.tif")
        path = tmp_path if what == "folder" else tmp_path / what
        made = self.reader.read(path, options(path))
        assert list(made.fovs) == ["w"]
        assert made.roi_file == tmp_path / "w.magc"
        assert made.fovs["w"].sources() == [tmp_path / "overview.tif"]

    def test_one_of_two_wafers(self, tmp_path: Path) -> None:
        self.build(tmp_path)
        opened = open_dataset(tmp_path / "w2.magc")
        assert (list(opened.maps), len(opened.rois)) == (["w2"], 1)

    def test_a_folder_of_images_of_which_none_is_the_wafer(self, tmp_path: Path) -> None:
        self.build(tmp_path)
        for name in ("w1", "w2"):
            (tmp_path / f"{name}.magc").rename(tmp_path / f"x{name}.magc")
        assert self.reader.detect(tmp_path) == ""
        with pytest.raises(FileFormatError, match=r"expected <wafer>\.magc"):
            self.reader.read(tmp_path, options(tmp_path))

    def test_a_wafer_without_a_readable_image(self, tmp_path: Path) -> None:
        wafer(tmp_path, "w")
        self.spoil(tmp_path / "w.tif")
        with pytest.raises(TileReadError, match=r"w\.tif: cannot be read as a TIFF image"):
            self.reader.read(tmp_path, options(tmp_path))

    def test_own_rois_go_first_and_broken_ones_leave_the_image(self, tmp_path: Path) -> None:
        wafer(tmp_path, "w")
        (tmp_path / "w.magc").write_text("nothing of the kind")
        opened = open_dataset(tmp_path)
        assert len(opened.rois) == 0
        assert any("w.magc" in problem for problem in opened.problems)
        mine = roi_from_points([(0, 0), (4, 0), (4, 4)], "polygon", map_id="w")
        RoiTable([mine]).write(tmp_path / "rois.csv")
        assert list(open_dataset(tmp_path).rois) == [mine]


def test_polygons_of_the_real_wafer_lie_on_its_sections(real_data: Path) -> None:
    from skimage.draw import polygon

    opened = open_dataset(real_data / "wafer")
    assert (opened.layout, len(opened.rois), list(opened.maps)) == ("wafer", 866, ["wafer_example1"])
    grey = opened.fovs["wafer_example1"].read()[0]
    assert grey.shape == (4987, 5380)
    inside = np.zeros(grey.shape, bool)
    for roi in opened.rois:
        if "section" in roi.tags:
            x, y = np.transpose(roi.points)
            inside[polygon(y, x, grey.shape)] = True
    assert grey[inside].mean() == pytest.approx(76, abs=1)
    assert grey[grey > 0].mean() == pytest.approx(190, abs=1), "where no image was taken it is black"

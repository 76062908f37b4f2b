"""Images of sections, one a slice."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

from builders import pixels, write_tiff
from napari_slicemap import Dataset, open_dataset
from napari_slicemap.errors import FileFormatError, TileReadError
from napari_slicemap.images.acquisition import Acquisition
from napari_slicemap.images.readers.section_images import SectionImages

from .reader_contract import ReaderContract, options


def read(path: Path) -> Acquisition:
    return SectionImages().read(path, options(path))


def ids(made: Acquisition) -> dict[str, str]:
    return {one.fov: one.map_id for one in made.positions}


class TestSectionImages(ReaderContract):
    reader = SectionImages()
    images_opened = 2

    def build(self, root: Path) -> Path:
        write_tiff(root / "image_0116.tif", pixels(1))
        write_tiff(root / "image_0117.tif", pixels(2, (22, 19)))
        return root

    def image_of(self, root: Path, fov: str, channel: str) -> np.ndarray:
        return tifffile.imread(root / f"{fov}.tif")

    def test_one_map_a_slice(self, tmp_path: Path) -> None:
        made = self.read(tmp_path)
        assert ids(made) == {"image_0116": "0116", "image_0117": "0117"}
        assert {(one.origin_px, one.size_px) for one in made.positions} == {((0, 0), (24, 20)), ((0, 0), (19, 22))}
        (one,) = made.missing
        assert (one.what, one.field) == ("whether the images are tiles of one map", "tiles")
        assert one.option == "--tiles 'image_{index}.tif' --grid 1x2 --overlap 10%"

    def test_what_it_proposes_opens_tiles(self, tmp_path: Path) -> None:
        for number in range(1, 5):
            write_tiff(tmp_path / f"image_{number}.tif", pixels(number))
        assert len(open_dataset(tmp_path).maps) == 4
        made = open_dataset(tmp_path, tiles={"pattern": "image_{index}.tif", "rows": 2, "columns": 2})
        assert {name: one.shape for name, one in made.maps.items()} == {tmp_path.name: (40, 48)}

    def test_an_overlap_of_sections_is_told_to_be_no_use(self, tmp_path: Path) -> None:
        (problem,) = open_dataset(self.build(tmp_path), tiles={"overlap": "10 %"}).problems
        assert "each image is taken for a slice; state --tiles as well" in problem


@pytest.mark.parametrize(
    ("names", "slices"),
    [
        pytest.param(["s_07_b_1.tif", "s_07_b_2.tif"], ["1", "2"], id="the number that differs"),
        pytest.param(["s9.tif", "s10.tif"], ["10", "9"], id="any length"),
        pytest.param(["a_1_2.tif", "a_3_4.tif"], ["a_1_2", "a_3_4"], id="two numbers differ"),
        pytest.param(["front.tif", "back.tif"], ["back", "front"], id="no number"),
        pytest.param(["s1.tif", "s2.tif", "overview.tif"], ["overview", "1", "2"], id="one that has none"),
        pytest.param(["s1.tif", "s01.tif"], ["s01", "s1"], id="the same number"),
        pytest.param(["s1.tif", "s2.tif", "1.tif"], ["1", "s1", "s2"], id="a name like another's number"),
    ],
)
def test_ids_of_slices(tmp_path: Path, names: list[str], slices: list[str]) -> None:
    for name in names:
        write_tiff(tmp_path / name, pixels(1))
    assert list(ids(read(tmp_path)).values()) == slices


def test_pictures_and_channels_of_their_own(tmp_path: Path) -> None:
    grey, colour = pixels(1, (20, 24), np.uint8), pixels(2, (10, 12, 3), np.uint8)
    Image.fromarray(grey).save(tmp_path / "s1.png", dpi=(300, 300))
    Image.fromarray(colour).save(tmp_path / "s2.bmp")
    made = open_dataset(tmp_path)
    assert {name: fov.channels for name, fov in made.fovs.items()} == {"s1": ("C0",), "s2": ("R", "G", "B")}
    assert {fov.pixel_size_um for fov in made.fovs.values()} == {None}
    np.testing.assert_array_equal(made.fovs["s1"].read()[0], grey)
    np.testing.assert_array_equal(made.fovs["s2"].read(), np.moveaxis(colour, -1, 0))
    assert {name: one.shape for name, one in made.maps.items()} == {"1": (20, 24), "2": (10, 12)}


def test_pixel_sizes_are_each_images_own(tmp_path: Path) -> None:
    for number, px_per_um in ((1, 2), (2, 4)):
        path = tmp_path / f"s{number}.tif"
        write_tiff(path, pixels(1), imagej=True, resolution=(px_per_um,) * 2, metadata={"unit": "um"})
    assert [one.pixel_size_um for one in read(tmp_path).positions] == [0.5, 0.25]


def test_pictures_made_from_the_images_are_left_out(tmp_path: Path) -> None:
    for number in (1, 2):
        write_tiff(tmp_path / f"s{number}.tif", pixels(number))
        Image.fromarray(pixels(1, (5, 5), np.uint8)).save(tmp_path / f"s{number}.jpg")
    made = read(tmp_path)
    assert [fov.sources()[0].name for fov in made.fovs.values()] == ["s1.tif", "s2.tif"]
    assert made.problems == (f"{tmp_path}: there are images of the same names, and left out are s1.jpg, s2.jpg",)


def test_an_image_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    for number in range(3):
        write_tiff(tmp_path / f"s{number}.tif", pixels(number))
    (tmp_path / "s0.tif").write_bytes(b"II*\0 and no more")
    made = open_dataset(tmp_path)
    assert len(made.maps) == 3
    (problem,) = made.problems
    assert problem.startswith(f"{tmp_path / 's0.tif'}: cannot be read as a TIFF image")
    with pytest.raises(TileReadError, match=r"FOV s0: .*cannot be read as a TIFF image"):
        made.fovs["s0"].read()
    np.testing.assert_array_equal(made.fovs["s2"].read()[0], pixels(2))


def test_no_image_can_be_read(tmp_path: Path) -> None:
    for name in ("s1.tif", "s2.png"):
        (tmp_path / name).touch()
    with pytest.raises(TileReadError, match=r"s1\.tif: cannot be read as a TIFF image"):
        read(tmp_path)


@pytest.mark.parametrize("name", ["a.tif", "a.PNG"])
def test_a_single_image(tmp_path: Path, name: str) -> None:
    data = pixels(1, (20, 24), np.uint8)
    if name == "a.tif":
        write_tiff(tmp_path / name, data)
    else:
        Image.fromarray(data).save(tmp_path / name)
    made = open_dataset(tmp_path / name)
    assert (made.layout, made.why, list(made.maps)) == ("section-images", "a single image", ["a"])
    np.testing.assert_array_equal(made.fovs["a"].read()[0], data)
    assert [one.field for one in made.missing] == ["pixel_size_um"]
    assert SectionImages().detect(tmp_path) == ""


def test_nothing_to_read(tmp_path: Path) -> None:
    with pytest.raises(FileFormatError, match=r"expected an image \(\.tif, \.tiff, \.png"):
        read(tmp_path)


# --- real sections -------------------------------------------------------------------------------------------
@pytest.fixture(scope="module")
def brain(real_data: Path) -> Dataset:
    return open_dataset(real_data / "brain_sections")


def test_brain_sections(brain: Dataset, real_data: Path) -> None:
    assert (brain.layout, brain.problems, len(brain.fovs)) == ("section-images", [], 270)
    assert brain.slice_ids == [f"{number:04}" for number in range(270)]
    assert {one.shape for one in brain.maps.values()} == {(193, 271)}
    assert {one.base_pixel_size_um() for one in brain.maps.values()} == {None}
    assert {str(fov.dtype) for fov in brain.fovs.values()} == {"uint16"}
    assert [one.what for one in brain.missing] == ["whether the images are tiles of one map", "pixel size"]
    for number in (0, 116, 269):
        raw = tifffile.imread(real_data / "brain_sections" / f"image_{number:04}.tif")
        np.testing.assert_array_equal(brain.fovs[f"image_{number:04}"].read()[0], raw)


def test_info_sums_up_a_long_list_of_maps(brain: Dataset) -> None:
    from napari_slicemap.cli.info import _text, describe

    lines = _text(describe(brain)).splitlines()
    assert "    0011         1 FOV, 271 × 193 px" in lines
    assert "    and 258 more, to 0269: 258 FOVs, 271 × 193 px" in lines
    assert len(lines) < 40

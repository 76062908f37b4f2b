"""Tiles with the positions that Fiji or MIST solved."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st

from builders import pixels, write_tiff
from napari_slicemap import Dataset, open_dataset
from napari_slicemap.errors import FileFormatError, SlicemapError
from napari_slicemap.images.acquisition import Acquisition
from napari_slicemap.images.readers.tile_positions import TilePositions

from .reader_contract import ReaderContract, options

FIJI = """# Define the number of dimensions we are working on
dim = 2

# Define the image coordinates
a.tif; ; (0.0, 0.0)
b.tif; ; (-20.25, 3e0)
"""
MIST = """file: a.tif; corr: -1.0000000000; position: (18, 0); grid: (0, 0);
file: b.tif; corr: 0.1001881698; position: (40, 3); grid: (1, 0);
"""


def images(root: Path, *names: str) -> Path:
    for seed, name in enumerate(names):
        write_tiff(root / name, pixels(seed))
    return root


def read(path: Path) -> Acquisition:
    return TilePositions().read(path, options(path))


def corners(made: Acquisition) -> dict[str, tuple[str, tuple[float, float] | None]]:
    return {one.fov: (one.map_id, one.origin_px) for one in made.positions}


class TestTilePositions(ReaderContract):
    reader = TilePositions()

    def build(self, root: Path) -> Path:
        (images(root, "a.tif", "b.tif") / "TileConfiguration.txt").write_text(FIJI)
        return root

    def image_of(self, root: Path, fov: str, channel: str) -> np.ndarray:
        return tifffile.imread(root / f"{fov}.tif")

    def test_positions(self, tmp_path: Path) -> None:
        made = self.read(tmp_path)
        assert corners(made) == {"a": (tmp_path.name, (0, 0)), "b": (tmp_path.name, (-20.25, 3))}
        assert made.positions[1].source == f"{tmp_path / 'TileConfiguration.txt'}, line 6"
        assert made.missing == ()

    def test_the_file_and_the_folder_are_the_same(self, tmp_path: Path) -> None:
        path = self.build(tmp_path) / "TileConfiguration.txt"
        assert self.reader.detect(path) == "TileConfiguration.txt says where the tiles lie"
        assert corners(read(path)) == corners(read(tmp_path))

    def test_what_was_solved_goes_first(self, tmp_path: Path) -> None:
        self.build(tmp_path)
        (tmp_path / "TileConfiguration.registered.txt").write_text(FIJI.replace("(0.0, 0.0)", "(1.5, 0.0)"))
        assert self.reader.detect(tmp_path).startswith("TileConfiguration.registered.txt says")
        assert corners(read(tmp_path))["a"][1] == (1.5, 0)


@pytest.mark.parametrize("folder", [".", "stitched"])
def test_mist_positions(tmp_path: Path, folder: str) -> None:
    images(tmp_path, "a.tif", "b.tif")
    (tmp_path / folder).mkdir(exist_ok=True)
    (tmp_path / folder / "img-global-positions-1.txt").write_text(MIST)
    expected = {"a": (tmp_path.name, (18, 0)), "b": (tmp_path.name, (40, 3))}
    assert corners(read(tmp_path)) == expected
    assert corners(read(tmp_path / folder)) == expected
    assert corners(read(tmp_path / folder / "img-global-positions-1.txt")) == expected


def test_time_slices_of_mist_are_maps(tmp_path: Path) -> None:
    images(tmp_path, "a.tif", "b.tif", "c.tif", "d.tif")
    for number, text in ((2, MIST), (10, MIST.replace("a.tif", "c.tif").replace("b.tif", "d.tif"))):
        (tmp_path / f"global-positions-{number}.txt").write_text(text)
    assert TilePositions().detect(tmp_path) == "global-positions-2.txt and 1 more says where the tiles lie"
    assert [(one.map_id, one.fov) for one in read(tmp_path).positions] == [
        ("2", "a"),
        ("2", "b"),
        ("10", "c"),
        ("10", "d"),
    ]


def test_folders_of_slices_are_maps(tmp_path: Path) -> None:
    for name in ("s1", "s2"):
        (images(tmp_path / name, "a.tif", "b.tif") / "TileConfiguration.txt").write_text(FIJI)
    made = read(tmp_path)
    assert list(corners(made)) == ["s1_a", "s1_b", "s2_a", "s2_b"]
    assert [one.map_id for one in made.positions] == ["s1", "s1", "s2", "s2"]
    np.testing.assert_array_equal(made.fovs["s2_b"].read()[0], pixels(1))


def test_a_wrong_file_among_others_is_told(tmp_path: Path) -> None:
    for name, text in (("s1", FIJI), ("s2", "dim = 2\na.tif; ; (x, 0)\n")):
        (images(tmp_path / name, "a.tif", "b.tif") / "TileConfiguration.txt").write_text(text)
    made = read(tmp_path)
    assert list(made.fovs) == ["a", "b"]
    (problem,) = made.problems
    assert problem == f"{tmp_path / 's2' / 'TileConfiguration.txt'}, line 2: 'x' is no position in px"


def test_series_of_one_file(tmp_path: Path) -> None:
    with tifffile.TiffWriter(tmp_path / "a.tif") as writer:
        for seed in range(2):
            writer.write(pixels(seed))
    text = "dim = 2\nmultiseries = true\na.tif; 0; (0, 0)\na.tif; 1; (24, 0)\n"
    (tmp_path / "TileConfiguration.txt").write_text(text)
    made = read(tmp_path)
    assert list(made.fovs) == ["a", "a_s1"]
    for seed, fov in enumerate(made.fovs.values()):
        np.testing.assert_array_equal(fov.read()[0], pixels(seed))


def test_a_tile_that_is_named_and_missing_keeps_its_place(tmp_path: Path) -> None:
    images(tmp_path, "a.tif")
    (tmp_path / "TileConfiguration.txt").write_text(FIJI)
    made = open_dataset(tmp_path)
    assert made.problems == [f"{tmp_path / 'TileConfiguration.txt'}: 1 of its images are not there: b.tif"]
    (one,) = made.maps.values()
    assert one.shape == (23, 44)
    assert [(tile.name, tile.fov is None) for tile in one.placement.tiles] == [("a", False), ("b", True)]


def test_depths_are_left_out_and_told(tmp_path: Path) -> None:
    images(tmp_path, "a.tif", "b.tif")
    text = "dim = 3\na.tif; ; (0, 0, 0)\nb.tif; ; (24, 0, {z})\n"
    (tmp_path / "TileConfiguration.txt").write_text(text.format(z="0.0"))
    assert read(tmp_path).problems == ()
    (tmp_path / "TileConfiguration.txt").write_text(text.format(z="2.5"))
    (problem,) = read(tmp_path).problems
    assert "different depths, which are left out" in problem


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        pytest.param("TileConfiguration.txt", "", "names no tile", id="empty"),
        pytest.param(
            "TileConfiguration.txt", "a.tif (0, 0)", r"line 1: 'a\.tif \(0, 0\)' is no pos.*name; ;", id="form"
        ),
        pytest.param("TileConfiguration.txt", "a.tif; ; (nan, 0)", "line 1: 'nan' is no position in px", id="nan"),
        pytest.param("TileConfiguration.txt", "a.tif; ; (1e999, 0)", "line 1: '1e999' is no position", id="infinite"),
        pytest.param("TileConfiguration.txt", "a.tif; -1; (0, 0)", "series is '-1', expected a whole", id="series"),
        pytest.param("TileConfiguration.txt", f"a.tif; {'9' * 30}; (0, 0)", "expected a whole number", id="huge"),
        pytest.param(
            "TileConfiguration.txt",
            FIJI.replace("b.tif", "a.tif"),
            r"line 6: a\.tif stands twice, first in .*line 5",
            id="twice",
        ),
        pytest.param(
            "TileConfiguration.txt", "x.tif; ; (0, 0)", "none of the images that it names.*: x.tif", id="gone"
        ),
        pytest.param("TileConfiguration.txt", f"{'x' * 999}; ; (0, 0)", "none of the images", id="long name"),
        pytest.param("TileConfiguration.txt", ".; ; (0, 0)", "none of the images", id="a folder"),
        pytest.param("global-positions-0.txt", "a.tif; ; (0, 0)", r"is no position; expected file: name", id="Fiji's"),
    ],
)
def test_wrong_files(tmp_path: Path, name: str, text: str, message: str) -> None:
    (images(tmp_path, "a.tif", "b.tif") / name).write_text(text)
    assert TilePositions().detect(tmp_path)
    with pytest.raises(FileFormatError, match=rf"{re.escape(name)}.*{message}"):
        read(tmp_path)


def test_no_file_of_positions(tmp_path: Path) -> None:
    with pytest.raises(FileFormatError, match=r"expected TileConfiguration\.txt or global-positions-1\.txt"):
        read(images(tmp_path, "a.tif"))


@settings(max_examples=100)
@given(at=st.integers(0, len(FIJI) - 1), byte=st.integers(0, 255))
def test_a_changed_byte_gives_positions_or_a_named_error(tmp_path: Path, at: int, byte: int) -> None:
    if not (tmp_path / "a.tif").exists():
        images(tmp_path, "a.tif", "b.tif")
    text = bytearray(FIJI.encode())
    text[at] = byte
    (tmp_path / "TileConfiguration.txt").write_bytes(text)
    try:
        made = read(tmp_path)
    except SlicemapError as error:
        made, said = None, str(error)
    if made is None:
        assert said.startswith(str(tmp_path / "TileConfiguration.txt"))
    else:
        assert all(np.isfinite(one.origin_px or np.nan).all() for one in made.positions)


# --- real tiles ----------------------------------------------------------------------------------------------
@pytest.fixture(scope="module")
def mist(real_data: Path) -> Dataset:
    return open_dataset(real_data / "mist")


def test_mist_lies_where_its_own_file_says(mist: Dataset, real_data: Path) -> None:
    assert (mist.layout, mist.problems, list(mist.maps)) == ("tile-positions", [], ["mist"])
    assert mist.why == "stitched/global-positions-1.txt says where the tiles lie"
    assert [one.field for one in mist.missing] == ["pixel_size_um"]  # 72 dpi is how it is printed
    (one,) = mist.maps.values()
    assert one.shape == (888, 1185)
    text = (real_data / "mist" / "stitched" / "global-positions-1.txt").read_text()
    said = {name: (int(x), int(y)) for name, x, y in re.findall(r"file: (\S+)\.tif;.*?\((\d+), (\d+)\)", text)}
    left, top = min(x for x, _ in said.values()), min(y for _, y in said.values())
    assert {tile.name: (tile.window.x0 + left, tile.window.y0 + top) for tile in one.placement.tiles} == said
    assert len(said) == 25
    for name, fov in mist.fovs.items():
        np.testing.assert_array_equal(fov.read()[0], tifffile.imread(real_data / "mist" / f"{name}.tif"))

"""One contract for every writer of figures; a package that adds a format inherits :class:`WriterContract`."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest
import tifffile
from PIL import Image

from napari_slicemap.errors import UnknownNameError
from napari_slicemap.export.figure import Figure
from napari_slicemap.export.writers import find_writer, writers
from napari_slicemap.files import FileModel


class WriterContract:
    """What each writer promises. A subclass names its writer, and reads files back with another library."""

    writer_class: type
    lossless = True

    @staticmethod
    def read(path) -> tuple[np.ndarray, float | None]:
        """Give ``(H, W, 3 or 4)`` uint8 pixels and the pixel size in µm (``None`` if the file states none)."""
        raise NotImplementedError

    @pytest.fixture
    def writer(self):
        return self.writer_class()

    @staticmethod
    def picture(height, width, channels, seed=0):
        return np.random.default_rng(seed).integers(0, 256, (height, width, channels), dtype=np.uint8)

    def written(self, writer, path, image, size=0.5, **options):
        writer.write(path, Figure(image, size), writer.Options.model_validate(options))
        return self.read(path)

    SHAPES = (
        pytest.param((1, 1, 3), id="one pixel"),
        pytest.param((1, 40, 3), id="one row"),
        pytest.param((40, 1, 3), id="one column"),
        pytest.param((3, 4, 3), id="a shape that could be channels first"),
        pytest.param((4, 4, 4), id="RGBA that could be anything"),
        pytest.param((37, 53, 3), id="RGB"),
        pytest.param((37, 53, 4), id="RGBA"),
        pytest.param((700, 900, 3), id="several strips"),
    )

    @pytest.mark.parametrize("shape", SHAPES)
    def test_pixels_come_back(self, writer, tmp_path, shape):
        image = self.picture(*shape)
        found, _ = self.written(writer, tmp_path / f"f{writer.suffix}", image)
        assert found.dtype == np.uint8
        assert found.shape == image.shape
        if self.lossless:
            np.testing.assert_array_equal(found, image)

    def test_transparent_pixels_keep_their_colour(self, writer, tmp_path):
        image = self.picture(9, 9, 4)
        image[..., 3] = 0
        found, _ = self.written(writer, tmp_path / f"f{writer.suffix}", image)
        np.testing.assert_array_equal(found, image)

    SIZES = (
        pytest.param(0.39, id="0.39 µm"),
        pytest.param(0.325, id="0.325 µm"),
        pytest.param(1.0, id="1 µm"),
        pytest.param(2 / 3, id="two thirds of a µm"),
        pytest.param(12.0, id="12 µm"),
        pytest.param(0.001, id="1 nm"),
    )

    @pytest.mark.parametrize("size", SIZES)
    def test_the_pixel_size_comes_back(self, writer, tmp_path, size):
        _, found = self.written(writer, tmp_path / f"f{writer.suffix}", self.picture(5, 5, 3), size)
        assert found == pytest.approx(size, rel=1e-5)

    def test_an_unknown_pixel_size_is_not_invented(self, writer, tmp_path):
        _, found = self.written(writer, tmp_path / f"f{writer.suffix}", self.picture(5, 5, 3), None)
        assert found is None

    @pytest.mark.parametrize("size", [5e-6, 1e5])
    def test_no_pixel_size_is_too_odd_to_be_written(self, writer, tmp_path, size):
        image = self.picture(5, 5, 3)
        found, stated = self.written(writer, tmp_path / f"f{writer.suffix}", image, size)
        assert found.shape == image.shape
        assert stated is None or stated == pytest.approx(size, rel=0.05), "rather none than a wrong one"

    @pytest.mark.parametrize("channels", [3, 4])
    def test_the_same_figure_gives_the_same_bytes(self, writer, tmp_path, channels):
        image = self.picture(60, 70, channels)
        digests = set()
        for name in ("one", "two"):
            self.written(writer, tmp_path / f"{name}{writer.suffix}", image)
            digests.add(hashlib.sha256((tmp_path / f"{name}{writer.suffix}").read_bytes()).hexdigest())
        assert len(digests) == 1

    def test_a_file_that_is_there_is_written_over_whole(self, writer, tmp_path):
        path, image = tmp_path / f"f{writer.suffix}", self.picture(5, 5, 3)
        path.write_bytes(b"x" * 10**6)
        found, _ = self.written(writer, path, image)
        assert found.shape == image.shape
        assert path.stat().st_size < 10**5

    def test_memory_that_is_not_contiguous_or_writable_will_do(self, writer, tmp_path):
        image = self.picture(20, 30, 3)[::2, ::-1]
        image.setflags(write=False)
        found, _ = self.written(writer, tmp_path / f"f{writer.suffix}", image)
        assert found.shape == image.shape
        if self.lossless:
            np.testing.assert_array_equal(found, image)

    def test_unknown_options_are_refused(self, writer):
        assert issubclass(writer.Options, FileModel)
        with pytest.raises(ValueError, match="no_such_option"):
            writer.Options.model_validate({"no_such_option": 1})

    def test_it_says_what_it_is(self, writer):
        assert writer.name == writer.name.lower()
        assert writer.suffix.startswith(".")
        assert writer.summary


def pillow_png(path):
    with Image.open(path) as image:
        assert image.format == "PNG"
        dpi = image.info.get("dpi")
        return np.asarray(image), None if dpi is None else 25400 / dpi[0]


def tifffile_tiff(path):
    with tifffile.TiffFile(path) as tif:
        (page,) = tif.pages
        assert page.photometric == tifffile.PHOTOMETRIC.RGB
        unit, (number, by) = page.tags["ResolutionUnit"].value, page.tags["XResolution"].value
        assert page.tags["YResolution"].value == (number, by)
        return page.asarray(), {1: None, 3: 10_000 * by / number}[int(unit)]


class TestPng(WriterContract):
    writer_class = type(find_writer("png"))
    read = staticmethod(pillow_png)

    @pytest.mark.parametrize("level", [0, 9])
    def test_every_level_is_lossless(self, writer, tmp_path, level):
        image = self.picture(50, 50, 3)
        found, _ = self.written(writer, tmp_path / "f.png", image, compress_level=level)
        np.testing.assert_array_equal(found, image)

    @pytest.mark.parametrize("level", [-1, 10, "high"])
    def test_other_levels_are_refused(self, writer, level):
        with pytest.raises(ValueError, match="compress_level"):
            writer.Options.model_validate({"compress_level": level})

    def test_the_chunk_itself_counts_px_a_metre(self, writer, tmp_path):
        self.written(writer, tmp_path / "f.png", self.picture(5, 5, 3), 0.5)
        raw = (tmp_path / "f.png").read_bytes()
        at = raw.index(b"pHYs") + 4
        assert (int.from_bytes(raw[at : at + 4]), int.from_bytes(raw[at + 4 : at + 8]), raw[at + 8]) == (
            2_000_000,
            2_000_000,
            1,
        )


class TestTiff(WriterContract):
    writer_class = type(find_writer("tif"))
    read = staticmethod(tifffile_tiff)

    @pytest.mark.parametrize("compression", ["none", "deflate", "lzw", "zstd"])
    @pytest.mark.parametrize("channels", [3, 4])
    def test_every_compression_is_lossless(self, writer, tmp_path, compression, channels):
        image = self.picture(300, 500, channels)
        found, _ = self.written(writer, tmp_path / "f.tif", image, compression=compression)
        np.testing.assert_array_equal(found, image)

    @pytest.mark.parametrize("compression", ["none", "deflate", "lzw"])
    @pytest.mark.parametrize("channels", [3, 4])
    def test_pillow_reads_it_too(self, writer, tmp_path, compression, channels):
        image = self.picture(30, 50, channels)
        self.written(writer, tmp_path / "f.tif", image, compression=compression)
        with Image.open(tmp_path / "f.tif") as found:
            np.testing.assert_array_equal(np.asarray(found), image)
            assert found.info["dpi"][0] == pytest.approx(25400 / 0.5)

    def test_another_compression_is_refused(self, writer):
        with pytest.raises(ValueError, match="compression"):
            writer.Options.model_validate({"compression": "jpeg"})

    def test_no_date_is_embedded(self, writer, tmp_path):
        self.written(writer, tmp_path / "f.tif", self.picture(5, 5, 3))
        with tifffile.TiffFile(tmp_path / "f.tif") as tif:
            assert "DateTime" not in tif.pages[0].tags
            assert tif.pages[0].tags["Software"].value == "napari-slicemap"


def test_the_formats_there_are():
    assert set(writers()) >= {"png", "tif"}
    for name, writer in writers().items():
        assert find_writer(name) is writer
        assert writer.name == name


def test_an_unknown_format_lists_those_there_are():
    with pytest.raises(UnknownNameError, match=r"unknown format 'bmp' \(there is png, tif"):
        find_writer("bmp")

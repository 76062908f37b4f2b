"""One contract for every writer of figures; a package that adds a format inherits :class:`WriterContract`."""

from __future__ import annotations

import hashlib
import struct
import threading
import tracemalloc
import zlib

import imagecodecs
import numpy as np
import pytest
import tifffile
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from napari_slicemap.errors import TileReadError, UnknownNameError
from napari_slicemap.export.figure import Figure
from napari_slicemap.export.writers import find_writer, png_encoder, writers
from napari_slicemap.export.writers.ordered import in_order
from napari_slicemap.files import FileModel
from napari_slicemap.render.picture import Picture


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
        writer.write(path, Figure(Picture.of(image), size), writer.Options.model_validate(options))
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

    @pytest.mark.parametrize("channels", [3, 4])
    def test_bands_of_any_height_give_the_same_bytes(self, writer, tmp_path, monkeypatch, channels):
        image = self.picture(701, 900, channels)
        digests = set()
        for pixels in (2**24, 900 * 389, 900 * 13, 1):
            monkeypatch.setattr("napari_slicemap.render.picture._BAND_PIXELS", pixels)
            found, _ = self.written(writer, tmp_path / f"f{writer.suffix}", image)
            digests.add(hashlib.sha256((tmp_path / f"f{writer.suffix}").read_bytes()).hexdigest())
        assert len(digests) == 1
        if self.lossless:
            np.testing.assert_array_equal(found, image)

    @staticmethod
    def on_demand(shape, asked):
        """A picture whose pixels exist only when they are asked for; notes the rows that were."""
        x = np.arange(shape[1])[:, None] * (3, 5, 7, 0)[: shape[2]]

        def paint(top, bottom):
            asked.append((top, bottom))
            rows = np.arange(top, bottom)[:, None, None]
            return ((x + 11 * rows) % 251).astype(np.uint8)

        return Picture(shape, paint)

    @pytest.mark.parametrize("shape", [(1, 5000, 3), (1001, 333, 4), (997, 1, 3), (3001, 701, 3)])
    def test_a_picture_is_painted_once_from_the_top_in_bands(self, writer, tmp_path, monkeypatch, shape):
        monkeypatch.setattr("napari_slicemap.render.picture._BAND_PIXELS", 2**19)
        asked = []
        picture, path = self.on_demand(shape, asked), tmp_path / f"f{writer.suffix}"
        writer.write(path, Figure(picture, 0.5), writer.Options())
        assert [top for top, _ in asked] == [0, *(bottom for _, bottom in asked[:-1])]
        assert asked[-1][1] == shape[0]
        assert max(bottom - top for top, bottom in asked) * shape[1] <= 2**19
        found, _ = self.read(path)
        if self.lossless:
            np.testing.assert_array_equal(found, picture.array())

    def test_memory_does_not_grow_with_the_picture(self, writer, tmp_path, monkeypatch):
        monkeypatch.setattr("napari_slicemap.render.picture._BAND_PIXELS", 2**17)
        path, peaks = tmp_path / f"f{writer.suffix}", []
        for height in (2000, 8000):
            tracemalloc.start()
            writer.write(path, Figure(self.on_demand((height, 3000, 3), []), 0.5), writer.Options())
            peaks.append(tracemalloc.get_traced_memory()[1])
            tracemalloc.stop()
        assert peaks[1] < peaks[0] + 4 * 2**20, "four times the rows: 54 MB more"

    def test_what_fails_while_it_is_painted_fails_as_it_is(self, writer, tmp_path, monkeypatch):
        monkeypatch.setattr("napari_slicemap.render.picture._BAND_PIXELS", 1)

        def paint(top, bottom):
            if top > 2000:
                raise TileReadError("FOV x: cannot be read")
            return np.zeros((bottom - top, 700, 3), np.uint8)

        with pytest.raises(TileReadError, match="FOV x: cannot be read"):
            writer.write(tmp_path / "f", Figure(Picture((9000, 700, 3), paint), 0.5), writer.Options())
        assert not [one for one in threading.enumerate() if one.name.startswith("slicemap-write")]

    def test_it_says_how_large_a_picture_may_be(self, writer):
        assert writer.largest_side >= 2**15

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

    @pytest.mark.parametrize("level", range(10))
    def test_every_level_is_lossless(self, writer, tmp_path, level):
        image = self.picture(700, 700, 3) // 16
        image[:50] = 7
        found, _ = self.written(writer, tmp_path / "f.png", image, compress_level=level)
        np.testing.assert_array_equal(found, image)

    def test_levels_go_from_large_to_small(self, writer, tmp_path):
        image, sizes = np.cumsum(self.picture(400, 400, 3) % 5, axis=1, dtype=np.uint8), []
        for level in (0, 2, 9):
            self.written(writer, tmp_path / "f.png", image, compress_level=level)
            sizes.append((tmp_path / "f.png").stat().st_size)
        assert sizes[0] > image.size > sizes[1] > sizes[2]

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

    @pytest.mark.parametrize("shape", [(1, 1, 3), (701, 900, 4)])
    def test_chunks_are_in_order_and_their_checksums_are_right(self, writer, tmp_path, shape):
        self.written(writer, tmp_path / "f.png", self.picture(*shape))
        raw, at, chunks = (tmp_path / "f.png").read_bytes(), 8, []
        while at < len(raw):
            (size,) = struct.unpack_from(">I", raw, at)
            assert zlib.crc32(raw[at + 4 : at + 8 + size]) == struct.unpack_from(">I", raw, at + 8 + size)[0]
            chunks.append((raw[at + 4 : at + 8], raw[at + 8 : at + 8 + size]))
            at += size + 12
        assert list(dict.fromkeys(kind for kind, _ in chunks)) == [b"IHDR", b"pHYs", b"IDAT", b"IEND"]
        height, width, channels = shape
        inflated = zlib.decompress(b"".join(content for kind, content in chunks if kind == b"IDAT"))
        assert len(inflated) == height * (1 + width * channels)

    @pytest.mark.parametrize("channels", [3, 4])
    def test_another_library_reads_it_too(self, writer, tmp_path, channels):
        image = self.picture(701, 900, channels)
        self.written(writer, tmp_path / "f.png", image)
        np.testing.assert_array_equal(imagecodecs.png_decode((tmp_path / "f.png").read_bytes()), image)

    @pytest.mark.parametrize("processors", [1, 3, 100])
    def test_bytes_do_not_depend_on_the_number_of_threads(self, writer, tmp_path, monkeypatch, processors):
        image = self.picture(300, 400, 3)
        monkeypatch.setattr(png_encoder, "_STRIP_BYTES", 2**13)
        self.written(writer, tmp_path / "f.png", image)
        monkeypatch.setattr("napari_slicemap.export.writers.ordered.processors", lambda: processors)
        self.written(writer, tmp_path / "g.png", image)
        assert (tmp_path / "f.png").read_bytes() == (tmp_path / "g.png").read_bytes()

    RAMPS = (
        pytest.param(1, lambda y, x: 3 * x + 40 * y * y, id="to the right: Sub"),
        pytest.param(2, lambda y, x: 3 * y + 40 * x * x, id="downwards: Up"),
        pytest.param(3, lambda y, x: np.random.default_rng(0).integers(0, 20, y.shape), id="noise: Average"),
        pytest.param(4, lambda y, x: 40 * ((y // 8 + x // 8) % 5), id="squares: Paeth"),
    )

    @pytest.mark.parametrize(("number", "values"), RAMPS)
    def test_the_filter_fits_the_picture(self, writer, tmp_path, number, values):
        image = np.repeat(values(*np.mgrid[:64, :80]).astype(np.uint8)[..., None], 3, axis=2)
        found, _ = self.written(writer, tmp_path / "f.png", image)
        np.testing.assert_array_equal(found, image)
        raw = (tmp_path / "f.png").read_bytes()
        content = b"".join(part[: -8 if part[-4:] != b"IEND" else -12] for part in raw.split(b"IDAT")[1:])
        assert zlib.decompressobj().decompress(content)[0] == number

    def test_the_guess_of_paeth(self):
        a, b, c = np.mgrid[:256, :256, :256].reshape(3, -1).astype(np.uint8)[:, ::7]
        p, (x, y, z) = a.astype(int) + b - c, (one.astype(int) for one in (a, b, c))
        near_a, near_b, near_c = abs(p - x), abs(p - y), abs(p - z)
        expected = np.where((near_a <= near_b) & (near_a <= near_c), a, np.where(near_b <= near_c, b, c))
        np.testing.assert_array_equal(png_encoder._paeth(a, b, c), expected)

    @given(parts=st.lists(st.binary(max_size=300), max_size=5))
    def test_checksums_are_put_together(self, parts):
        found = 1
        for part in parts:
            found = png_encoder._adler_combined(found, zlib.adler32(part), len(part))
        assert found == zlib.adler32(b"".join(parts))

    @pytest.mark.parametrize("size", [1e-7, 1e6 / 2**31, 3e6])
    def test_a_resolution_that_cannot_be_stated_is_left_out(self, writer, tmp_path, size):
        self.written(writer, tmp_path / "f.png", self.picture(5, 5, 3), size)
        assert b"pHYs" not in (tmp_path / "f.png").read_bytes()


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

    @pytest.mark.parametrize("compression", ["none", "deflate", "lzw", "zstd"])
    def test_what_might_not_fit_into_four_gib_is_a_bigtiff(self, writer, tmp_path, monkeypatch, compression):
        image = self.picture(300, 500, 3)
        for limit, big in ((300 * 500 * 3 * 3 // 2, False), (300 * 500 * 3 * 3 // 2 - 1, True)):
            monkeypatch.setattr("napari_slicemap.export.writers.tiff._CLASSIC_BYTES", limit)
            found, _ = self.written(writer, tmp_path / "f.tif", image, compression=compression)
            np.testing.assert_array_equal(found, image)
            with tifffile.TiffFile(tmp_path / "f.tif") as tif:
                assert tif.is_bigtiff == big
                assert len(tif.pages[0].dataoffsets) > 1

    def test_another_compression_is_refused(self, writer):
        with pytest.raises(ValueError, match="compression"):
            writer.Options.model_validate({"compression": "jpeg"})

    def test_no_date_is_embedded(self, writer, tmp_path):
        self.written(writer, tmp_path / "f.tif", self.picture(5, 5, 3))
        with tifffile.TiffFile(tmp_path / "f.tif") as tif:
            assert "DateTime" not in tif.pages[0].tags
            assert tif.pages[0].tags["Software"].value == "napari-slicemap"


# --- threads --------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(("processors", "threads"), [(1, 1), (3, 3), (100, 8)])
def test_results_come_in_order_and_little_is_taken_up_in_advance(monkeypatch, processors, threads):
    monkeypatch.setattr("napari_slicemap.export.writers.ordered.processors", lambda: processors)
    taken, ahead = [], []

    def items():
        for number in range(60):
            taken.append(number)
            yield number

    def double(number):
        threading.Event().wait(0.002 * (number % 3))
        return 2 * number

    found = []
    for made in in_order(double, items()):
        ahead.append(len(taken) - len(found))
        found.append(made)
    assert found == [2 * number for number in range(60)]
    assert max(ahead) <= 2 * threads + 1


def test_the_first_fault_is_raised_and_the_rest_is_left_undone(monkeypatch):
    monkeypatch.setattr("napari_slicemap.export.writers.ordered.processors", lambda: 2)
    begun = []

    def fail(number):
        begun.append(number)
        raise ValueError(f"item {number}")

    with pytest.raises(ValueError, match="item 0"):
        list(in_order(fail, range(100)))
    assert len(begun) <= 6


def test_the_formats_there_are():
    assert set(writers()) >= {"png", "tif"}
    for name, writer in writers().items():
        assert find_writer(name) is writer
        assert writer.name == name


def test_an_unknown_format_lists_those_there_are():
    with pytest.raises(UnknownNameError, match=r"unknown format 'bmp' \(there is png, tif"):
        find_writer("bmp")

"""PNG and TIFF, by the contract of all writers and by what is their own; and the threads that encode them."""

from __future__ import annotations

import json
import struct
import threading
import zlib

import imagecodecs
import numpy as np
import pytest
import tifffile
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from napari_slicemap.errors import UnknownNameError
from napari_slicemap.export.content.figure import Figure
from napari_slicemap.export.writers import find_writer, png_encoder, writers
from napari_slicemap.export.writers.contract import PictureContract
from napari_slicemap.export.writers.ordered import in_order
from napari_slicemap.render.picture import Picture


def pillow_png(path):
    with Image.open(path) as image:
        assert image.format == "PNG"
        dpi = image.info.get("dpi")
        return np.asarray(image), None if dpi is None else 25400 / dpi[0]


def png_provenance(path):
    with Image.open(path) as image:
        return json.loads(image.text["napari-slicemap"]) if "napari-slicemap" in image.text else None


def tiff_provenance(path):
    with tifffile.TiffFile(path) as tif:
        tag = tif.pages[0].tags.get(65000)
        assert tag is None or tag.dtype == 7
        return None if tag is None else json.loads(tag.value)


def tifffile_tiff(path):
    with tifffile.TiffFile(path) as tif:
        (page,) = tif.pages
        assert page.photometric == tifffile.PHOTOMETRIC.RGB
        unit, (number, by) = page.tags["ResolutionUnit"].value, page.tags["XResolution"].value
        assert page.tags["YResolution"].value == (number, by)
        return page.asarray(), {1: None, 3: 10_000 * by / number}[int(unit)]


class TestPng(PictureContract):
    writer_class = type(find_writer("png"))
    read = staticmethod(pillow_png)
    read_provenance = staticmethod(png_provenance)

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
            found = png_encoder.adler_combined(found, zlib.adler32(part), len(part))
        assert found == zlib.adler32(b"".join(parts))

    @pytest.mark.parametrize("size", [1e-7, 1e6 / 2**31, 3e6])
    def test_a_resolution_that_cannot_be_stated_is_left_out(self, writer, tmp_path, size):
        self.written(writer, tmp_path / "f.png", self.picture(5, 5, 3), size)
        assert b"pHYs" not in (tmp_path / "f.png").read_bytes()


class TestTiff(PictureContract):
    writer_class = type(find_writer("tif"))
    read = staticmethod(tifffile_tiff)
    read_provenance = staticmethod(tiff_provenance)

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

    def test_the_description_is_the_name_and_nothing_more(self, writer, tmp_path):
        for name, description in (("map_7", "map_7"), ("Δ", "?"), ("", None)):
            figure = Figure(Picture.of(self.picture(5, 5, 3)), 0.5, provenance={"a": 1}, name=name)
            writer.write(tmp_path / "f.tif", figure, writer.Options())
            with tifffile.TiffFile(tmp_path / "f.tif") as tif:
                found = tif.pages[0].tags.get("ImageDescription")
                assert (found and found.value) == description

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
    assert set(writers()) >= {"png", "tif", "jpg", "pdf", "svg"}
    for name, writer in writers().items():
        assert find_writer(name) is writer
        assert writer.name == name


def test_an_unknown_format_lists_those_there_are():
    with pytest.raises(UnknownNameError, match=r"unknown format 'bmp' \(there is png, .*tif, .*svg"):
        find_writer("bmp")

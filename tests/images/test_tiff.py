"""TIFF files of every make, each read compared with tifffile's own."""

from __future__ import annotations

import logging
import math
import os
import struct
import threading
from pathlib import Path
from typing import Any
from unittest import mock

import imagecodecs
import numpy as np
import pytest
import tifffile
from hypothesis import given
from hypothesis import strategies as st

from builders import pixels, read_chunk, write_tiff
from napari_slicemap.errors import TileReadError
from napari_slicemap.images.format_tools import own_buffer, read_bytes
from napari_slicemap.images.image import ImagePlane
from napari_slicemap.images.plane import read_window
from napari_slicemap.images.region import Window
from napari_slicemap.images.tiff.layout import Page
from napari_slicemap.images.tiff.tiff_image import TiffImage


def read_all(image: TiffImage) -> np.ndarray:
    """``(T, C, Z, Y, X)``, plane by plane."""
    t, c, z, y, x = image.info.shape
    whole = Window(0, x, 0, y)
    planes = [read(image, k, i, j, whole) for i in range(t) for k in range(c) for j in range(z)]
    return np.array(planes).reshape(image.info.shape)


def read(image: TiffImage, channel: int, t: int, z: int, window: Window) -> np.ndarray:
    return read_window(ImagePlane(image, channel), t, z, window)


def by_tifffile(path: Path, axes: str) -> np.ndarray:
    """The same by ``tifffile.imread``, brought to ``(T, C, Z, Y, X)`` by naming each of its axes."""
    data = tifffile.imread(path)
    order = sorted(range(len(axes)), key=lambda n: "TCZYX".index("C" if axes[n] in "SQI" else axes[n]))
    data = data.transpose(order)
    sizes = dict.fromkeys("TCZYX", 1)
    for axis, size in zip((axes[n] for n in order), data.shape, strict=True):
        sizes["C" if axis in "CSQI" else axis] *= size
    return data.reshape([sizes[axis] for axis in "TCZYX"])


grey: dict[str, Any] = {"photometric": "minisblack"}
OME = {"axes": "TCZYX", "Channel": {"Name": ["DAPI", "CD3", "Beta-tubulin"]}}
FILES = [
    # shape written, options, axes as tifffile's imread gives them, shape expected
    pytest.param((20, 24), {}, "YX", (1, 1, 1, 20, 24), id="YX"),
    pytest.param((1, 24), {}, "YX", (1, 1, 1, 1, 24), id="one row"),
    pytest.param((1, 1), {}, "YX", (1, 1, 1, 1, 1), id="one pixel"),
    pytest.param((3, 20, 24), {**grey, "metadata": {"axes": "CYX"}}, "CYX", (1, 3, 1, 20, 24), id="CYX"),
    pytest.param((5, 20, 24), {**grey, "metadata": {"axes": "ZYX"}}, "ZYX", (1, 1, 5, 20, 24), id="ZYX"),
    pytest.param((5, 20, 24), {**grey, "metadata": {"axes": "TYX"}}, "TYX", (5, 1, 1, 20, 24), id="TYX"),
    pytest.param(
        (4, 3, 20, 24), {**grey, "metadata": {"axes": "ZCYX"}}, "ZCYX", (1, 3, 4, 20, 24), id="ZCYX, channels within z"
    ),
    pytest.param((5, 20, 24), grey, "QYX", (1, 5, 1, 20, 24), id="axes not stated"),
    pytest.param((2, 5, 20, 24), grey, "QQYX", (1, 10, 1, 20, 24), id="two axes not stated"),
    pytest.param((5, 20, 24), {**grey, "metadata": None}, "IYX", (1, 5, 1, 20, 24), id="multi-page, nothing stated"),
    pytest.param((20, 24, 3), {"photometric": "rgb"}, "YXS", (1, 3, 1, 20, 24), id="RGB"),
    pytest.param(
        (3, 20, 24), {"photometric": "rgb", "planarconfig": "separate"}, "SYX", (1, 3, 1, 20, 24), id="planar RGB"
    ),
    pytest.param((20, 24, 3), {"photometric": "rgb", "ome": True}, "YXS", (1, 3, 1, 20, 24), id="RGB in OME"),
    pytest.param((2, 3, 4, 20, 24), {"ome": True, "metadata": OME}, "TCZYX", (2, 3, 4, 20, 24), id="OME TCZYX"),
    pytest.param(
        (2, 4, 3, 20, 24), {"imagej": True, "metadata": {"axes": "TZCYX"}}, "TZCYX", (2, 3, 4, 20, 24), id="ImageJ"
    ),
    pytest.param((40, 70), {"tile": (16, 16)}, "YX", (1, 1, 1, 40, 70), id="tiled"),
    pytest.param((40, 70), {"rowsperstrip": 7}, "YX", (1, 1, 1, 40, 70), id="strips"),
    pytest.param((40, 70), {"compression": "lzw"}, "YX", (1, 1, 1, 40, 70), id="LZW"),
    pytest.param((40, 70), {"compression": "zlib", "predictor": True}, "YX", (1, 1, 1, 40, 70), id="deflate"),
    pytest.param((40, 70), {"compression": "zstd", "tile": (32, 32)}, "YX", (1, 1, 1, 40, 70), id="zstd tiles"),
    pytest.param((20, 24), {"byteorder": ">"}, "YX", (1, 1, 1, 20, 24), id="big-endian"),
    pytest.param((20, 24), {"bigtiff": True}, "YX", (1, 1, 1, 20, 24), id="BigTIFF"),
    pytest.param((40, 70, 3), {"photometric": "rgb", "tile": (16, 32)}, "YXS", (1, 3, 1, 40, 70), id="RGB tiles"),
    pytest.param(
        (40, 70, 3),
        {"photometric": "rgb", "rowsperstrip": 9, "compression": "lzw"},
        "YXS",
        (1, 3, 1, 40, 70),
        id="RGB LZW",
    ),
    pytest.param(
        (3, 40, 70),
        {"photometric": "rgb", "planarconfig": "separate", "tile": (16, 32), "compression": "zlib"},
        "SYX",
        (1, 3, 1, 40, 70),
        id="planar RGB tiles",
    ),
    pytest.param(
        (3, 40, 70),
        {"photometric": "rgb", "planarconfig": "separate", "rowsperstrip": 9, "compression": "zlib"},
        "SYX",
        (1, 3, 1, 40, 70),
        id="planar RGB strips",
    ),
    pytest.param((4, 40, 70), {"tile": (2, 16, 32), **grey}, "ZYX", (1, 1, 4, 40, 70), id="tiles of several z"),
    pytest.param(
        (5, 40, 70),
        {"imagej": True, "byteorder": "<", "metadata": {"axes": "ZYX"}},
        "ZYX",
        (1, 1, 5, 40, 70),
        id="ImageJ, little-endian",
    ),
    pytest.param(
        (5, 40, 70),
        {"metadata": {"truncate": True, "axes": "TYX"}, **grey},
        "TYX",
        (5, 1, 1, 40, 70),
        id="one page for all",
    ),
    pytest.param((2, 40, 70, 3), {"photometric": "rgb"}, "QYXS", (1, 6, 1, 40, 70), id="a stack of RGB"),
    pytest.param((40, 70), {"byteorder": ">", "compression": "zstd"}, "YX", (1, 1, 1, 40, 70), id="big-endian zstd"),
    pytest.param(
        (40, 70),
        {"byteorder": ">", "predictor": True, "compression": "zstd"},
        "YX",
        (1, 1, 1, 40, 70),
        id="with predictor",
    ),
    pytest.param((130, 24), {"metadata": None, "rowsperstrip": 1}, "YX", (1, 1, 1, 130, 24), id="strips of one row"),
    pytest.param((70, 3, 40, 48), {"compression": "zlib", **grey}, "QQYX", (1, 210, 1, 40, 48), id="210 pages"),
]


@pytest.mark.parametrize(("shape", "options", "axes", "expected"), FILES)
def test_every_plane_is_tifffiles(
    tmp_path: Path, shape: tuple[int, ...], options: dict[str, Any], axes: str, expected: tuple[int, ...]
) -> None:
    image = TiffImage(write_tiff(tmp_path / "a.tif", pixels(3, shape), **options))
    assert image.info.shape == expected
    made = read_all(image)
    np.testing.assert_array_equal(made, by_tifffile(image.path, axes))
    assert made.dtype == image.info.dtype == np.uint16
    assert made.dtype.isnative


def test_a_stack_of_imagej_that_says_only_where_it_begins(tmp_path: Path) -> None:
    """As ImageJ writes stacks above 4 GB: a single page, and all planes behind it."""
    data = pixels(3, (6, 20, 24))
    path = write_tiff(tmp_path / "a.tif", data, imagej=True, metadata={"axes": "ZYX"})
    with tifffile.TiffFile(path, mode="r+b") as tif:
        second, next_page = tif.pages[1].offset, tif.pages[0].offset
        tif.filehandle.seek(next_page)
        tags = int.from_bytes(tif.filehandle.read(2), "big" if tif.byteorder == ">" else "little")
        tif.filehandle.seek(next_page + 2 + 12 * tags)
        tif.filehandle.write(b"\0" * 4)
        assert second
    image = TiffImage(path)
    assert image.info.shape == (1, 1, 6, 20, 24)
    np.testing.assert_array_equal(read_all(image)[0, 0], data)


@pytest.mark.parametrize(
    ("shape", "options", "chunk_shape"),
    [
        pytest.param((600, 700), {}, (374, 700), id="uncompressed: rows"),
        pytest.param((600, 700, 3), {"photometric": "rgb"}, (124, 700), id="uncompressed RGB: rows"),
        pytest.param((600, 700), {"tile": (256, 256)}, (256, 256), id="tiles"),
        pytest.param((600, 700), {"tile": (256, 256), "compression": "zstd"}, (256, 256), id="compressed tiles"),
        pytest.param((600, 700), {"tile": (64, 128)}, (256, 256), id="small tiles in groups"),
        pytest.param((200, 220), {"tile": (256, 256)}, (200, 220), id="a tile larger than the image"),
        pytest.param((600, 700), {"compression": "lzw", "rowsperstrip": 100}, (100, 700), id="strips"),
        pytest.param((600, 700), {"compression": "lzw", "rowsperstrip": 4}, (92, 700), id="small strips in groups"),
        pytest.param((600, 700), {"compression": "lzw", "rowsperstrip": 600}, (600, 700), id="one strip"),
        pytest.param((4, 64, 96), {"tile": (2, 16, 32), **grey}, (64, 96), id="anything else: the plane"),
    ],
)
def test_chunks(tmp_path: Path, shape: tuple[int, ...], options: dict[str, Any], chunk_shape: tuple[int, int]) -> None:
    image = TiffImage(write_tiff(tmp_path / "a.tif", pixels(3, shape), **options))
    assert image.info.chunk_shape == chunk_shape
    np.testing.assert_array_equal(read_all(image), by_tifffile(image.path, image.info.axes))
    first = read_chunk(image, 0, 0, 0, 0, 0)
    assert first.shape == chunk_shape
    # it keeps nothing else in memory than what is stored of a tile beyond the edge
    stored = max(first.nbytes, math.prod(options.get("tile", ())) * first.itemsize)
    assert first.base is None or first.base.nbytes <= stored


@pytest.mark.parametrize(("row", "column"), [(-1, 0), (0, -1), (9, 0), (0, 9)])
@pytest.mark.parametrize("options", [pytest.param({}, id="rows"), pytest.param({"tile": (16, 16)}, id="tiles")])
def test_a_chunk_that_does_not_exist(tmp_path: Path, options: dict[str, Any], row: int, column: int) -> None:
    image = TiffImage(write_tiff(tmp_path / "a.tif", pixels(3), **options))
    with pytest.raises(TileReadError, match=r"a\.tif: .*out of bounds"):
        read_chunk(image, 0, 0, 0, row, column)


@pytest.mark.parametrize(
    ("photometric", "compression"),
    [("rgb", "jpeg"), ("ycbcr", "jpeg"), ("minisblack", "jpeg"), ("rgb", "webp"), ("rgb", "jpeg2000"), ("rgb", "png")],
)
def test_pictures_of_other_codecs(tmp_path: Path, photometric: str, compression: str) -> None:
    shape = (300, 280) if photometric == "minisblack" else (300, 280, 3)
    data = pixels(3, shape, np.uint8)
    path = write_tiff(tmp_path / "a.tif", data, photometric=photometric, compression=compression, tile=(256, 256))
    image = TiffImage(path)
    np.testing.assert_array_equal(read_all(image), by_tifffile(path, image.info.axes))


def test_pixels_of_twelve_bits(tmp_path: Path) -> None:
    data = pixels(3, (40, 48)) % 4096
    path = write_tiff(tmp_path / "a.tif", data, bitspersample=12, tile=(16, 16))
    np.testing.assert_array_equal(read_all(TiffImage(path))[0, 0, 0], data)


def test_segments_that_were_never_written_are_zero(tmp_path: Path) -> None:
    """The convention for sparse files: offset and byte count 0."""
    data = pixels(3, (512, 512))
    data[:256, 256:] = 0
    path = write_tiff(tmp_path / "a.tif", data, tile=(256, 256), compression="zlib")
    with tifffile.TiffFile(path, mode="r+b") as tif:
        for name in ("TileOffsets", "TileByteCounts"):
            tag = tif.pages.first.tags[name]
            tag.overwrite([0 if n == 1 else value for n, value in enumerate(tag.value)])
    np.testing.assert_array_equal(read_all(TiffImage(path))[0, 0, 0], data)


def test_strips_that_lie_scattered(tmp_path: Path) -> None:
    """Uncompressed strips need not follow one another."""
    data = pixels(3, (40, 24))
    path = write_tiff(tmp_path / "a.tif", data, rowsperstrip=10)
    with tifffile.TiffFile(path, mode="r+b") as tif:
        tag = tif.pages.first.tags["StripOffsets"]
        tag.overwrite(tag.value[::-1])
    np.testing.assert_array_equal(read_all(TiffImage(path))[0, 0, 0], data.reshape(4, 10, 24)[::-1].reshape(40, 24))


def test_a_file_is_opened_once(tmp_path: Path) -> None:
    path = write_tiff(tmp_path / "a.tif", pixels(1, (3, 64, 64)), photometric="minisblack", compression="zlib")
    with mock.patch.object(tifffile, "TiffFile", wraps=tifffile.TiffFile) as opened:
        for _ in range(3):
            read_all(TiffImage(path))
    assert opened.call_count == 1


def test_a_long_stack_is_not_read_whole_to_show_a_plane(tmp_path: Path) -> None:
    data = pixels(1, (300, 16, 16), np.uint8)
    image = TiffImage(write_tiff(tmp_path / "a.tif", data, photometric="minisblack", compression="zlib"))
    assert image.info.shape[1] == 300
    for channel in (0, 63, 64, 299):
        np.testing.assert_array_equal(read_chunk(image, channel, 0, 0, 0, 0), data[channel])


# --- segments that are decoded without tifffile ---------------------------------------------------------------
SEGMENTS = [
    pytest.param((300, 280), {"tile": (256, 256)}, id="tiles"),
    pytest.param((300, 280), {"tile": (64, 128)}, id="small tiles"),
    pytest.param((40, 50), {"tile": (256, 64)}, id="a tile larger than the image"),
    pytest.param((300, 280), {"rowsperstrip": 250}, id="strips"),
    pytest.param((300, 280), {"rowsperstrip": 7}, id="small strips"),
    pytest.param((300, 280), {"rowsperstrip": 300}, id="one strip"),
]


def decoded_by_tifffile() -> Any:
    return mock.patch.object(Page, "decoded", autospec=True, side_effect=Page.decoded)


@pytest.mark.parametrize(("shape", "options"), SEGMENTS)
@pytest.mark.parametrize("compression", ["zstd", "zlib", "lzw"])
@pytest.mark.parametrize("predictor", [pytest.param(False, id="plain"), pytest.param(True, id="differences")])
@pytest.mark.parametrize("byteorder", [pytest.param("<", id="little"), pytest.param(">", id="big")])
def test_the_usual_segments(
    tmp_path: Path, shape: tuple[int, int], options: dict[str, Any], compression: str, predictor: bool, byteorder: Any
) -> None:
    said = {**options, "compression": compression, "predictor": predictor, "byteorder": byteorder}
    path = write_tiff(tmp_path / "a.tif", pixels(3, shape), **said)
    with decoded_by_tifffile() as called:
        made = read_all(TiffImage(path))[0, 0, 0]
    np.testing.assert_array_equal(made, tifffile.imread(path))
    assert called.call_count == 0


@pytest.mark.parametrize(
    "dtype", ["uint8", "int8", "uint16", "int16", "uint32", "int32", "uint64", "int64", "float16", "float32", "float64"]
)
@pytest.mark.parametrize("byteorder", [pytest.param("<", id="little"), pytest.param(">", id="big")])
@pytest.mark.parametrize(
    "options",
    [
        pytest.param({"tile": (16, 32)}, id="tiles"),
        pytest.param({"tile": (16, 32), "compression": "zstd", "predictor": True}, id="zstd, predictor"),
        pytest.param({"rowsperstrip": 9, "compression": "zlib"}, id="zlib"),
        pytest.param({"rowsperstrip": 9, "compression": "lzw", "predictor": True}, id="LZW, predictor"),
    ],
)
def test_the_usual_types(tmp_path: Path, dtype: str, byteorder: Any, options: dict[str, Any]) -> None:
    if dtype in ("int64", "uint64"):  # tifffile does not write these with a predictor
        options = {**options, "predictor": False}
    path = write_tiff(tmp_path / "a.tif", pixels(3, (40, 70), dtype), byteorder=byteorder, **options)
    with decoded_by_tifffile() as called:
        made = read_all(TiffImage(path))[0, 0, 0]
    np.testing.assert_array_equal(made, tifffile.imread(path))
    assert made.dtype == np.dtype(dtype)
    # what predictors make of floats, tifffile knows
    assert (called.call_count > 0) == (options.get("predictor", False) and dtype.startswith("float"))


@pytest.mark.parametrize(
    ("dtype", "options"),
    [
        pytest.param("float32", {"compression": "zstd", "predictor": 3}, id="predictor of floats"),
        pytest.param("uint16", {"compression": "lzma"}, id="LZMA"),
        pytest.param("uint8", {"compression": "packbits"}, id="PackBits"),
        pytest.param("uint16", {"bitspersample": 12}, id="12 bits"),
        pytest.param("bool", {}, id="1 bit"),
    ],
)
@pytest.mark.parametrize("tile", [(16, 32), (256, 256)])
def test_what_is_unusual_is_left_to_tifffile(
    tmp_path: Path, dtype: str, options: dict[str, Any], tile: tuple[int, int]
) -> None:
    data = pixels(3, (300, 280), np.uint16) % 2 == 0 if dtype == "bool" else pixels(3, (300, 280), dtype)
    path = write_tiff(tmp_path / "a.tif", data % 4096 if "bitspersample" in options else data, tile=tile, **options)
    with decoded_by_tifffile() as called:
        made = read_all(TiffImage(path))[0, 0, 0]
    np.testing.assert_array_equal(made, tifffile.imread(path))
    assert called.call_count > 0


def one_strip_of(path: Path, raw: bytes, rows: int, compression: int, bits: int = 8, predictor: int = 1) -> Path:
    """A file that says of these bytes that they are its only strip, 16 px wide."""
    tags = {256: 16, 257: rows, 258: bits, 259: compression, 262: 1, 273: 134, 278: rows, 279: len(raw), 317: predictor}
    table = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags.items())
    head = struct.pack("<2sHIH", b"II", 42, 8, len(tags)) + table + b"\0" * 4
    path.write_bytes(head.ljust(134, b"\0") + raw)
    return path


def test_differences_of_64_bits(tmp_path: Path) -> None:
    data = pixels(1, (20, 16), np.uint64)
    raw = np.diff(data, axis=1, prepend=np.uint64(0)).astype("<u8").tobytes()
    path = one_strip_of(tmp_path / "a.tif", bytes(imagecodecs.zstd_encode(raw)), 20, 50000, 64, 2)
    with decoded_by_tifffile() as called:
        np.testing.assert_array_equal(read_all(TiffImage(path))[0, 0, 0], data)
    np.testing.assert_array_equal(tifffile.imread(path), data)
    assert called.call_count == 0


COMPRESSIONS = [
    pytest.param(5, imagecodecs.lzw_encode, id="LZW"),
    pytest.param(8, imagecodecs.zlib_encode, id="zlib"),
    pytest.param(32946, imagecodecs.zlib_encode, id="zlib by its old number"),
    pytest.param(50000, imagecodecs.zstd_encode, id="zstd"),
]


@pytest.mark.parametrize(("compression", "encode"), COMPRESSIONS)
@pytest.mark.parametrize("more", [0, 16, 100])
def test_a_strip_that_holds_more_rows_than_the_image(tmp_path: Path, compression: int, encode: Any, more: int) -> None:
    """It is read where tifffile reads it, and refused where tifffile refuses it."""
    data = pixels(1, (20 * 16 + more,), np.uint8)
    image = TiffImage(one_strip_of(tmp_path / "a.tif", bytes(encode(data.tobytes())), 20, compression))
    if more and compression != 5:
        with pytest.raises(TileReadError, match=r"a\.tif"):
            read_all(image)
    else:
        np.testing.assert_array_equal(read_all(image)[0, 0, 0], data[:320].reshape(20, 16))


@pytest.mark.parametrize(("compression", "encode"), COMPRESSIONS)
@pytest.mark.parametrize("rows", [1, 7, 19])
def test_a_strip_that_holds_fewer_rows_than_the_image(tmp_path: Path, compression: int, encode: Any, rows: int) -> None:
    raw = bytes(encode(pixels(1, (rows * 16,), np.uint8).tobytes()))
    image = TiffImage(one_strip_of(tmp_path / "a.tif", raw, 20, compression))
    with pytest.raises(TileReadError, match=r"a\.tif"):
        read_all(image)


@pytest.mark.parametrize("tile", [(16, 16), (256, 256)])
@pytest.mark.parametrize("compression", [None, "zstd", "zlib", "lzw"])
def test_a_segment_that_is_cut_short(tmp_path: Path, compression: str | None, tile: tuple[int, int]) -> None:
    """The file is whole, but the table of its segments says less of one."""
    path = write_tiff(tmp_path / "a.tif", pixels(3, (300, 280)), tile=tile, compression=compression)
    with tifffile.TiffFile(path, mode="r+b") as tif:
        tag = tif.pages.first.tags["TileByteCounts"]
        tag.overwrite([value // 2 if n == 1 else value for n, value in enumerate(tag.value)])
    with pytest.raises(TileReadError, match=r"a\.tif"):
        read_all(TiffImage(path))


@pytest.mark.parametrize("compression", ["zstd", "zlib"])
def test_a_segment_of_other_bytes(tmp_path: Path, compression: str) -> None:
    path = write_tiff(tmp_path / "a.tif", pixels(3, (300, 280)), tile=(128, 128), compression=compression)
    with tifffile.TiffFile(path) as tif:
        offset, count = tif.pages.first.dataoffsets[2], tif.pages.first.databytecounts[2]
    raw = bytearray(path.read_bytes())
    raw[offset : offset + count] = b"\x55" * count
    path.write_bytes(raw)
    with pytest.raises(TileReadError, match=r"a\.tif: cannot be read as a TIFF image"):
        read_all(TiffImage(path))


@pytest.mark.parametrize("order", [slice(None), slice(None, None, -1), slice(3, None)])
@pytest.mark.parametrize(("run", "gap"), [(2**22, 2**14), (2**22, 0), (3000, 2**14), (0, 0)])
def test_segments_are_read_together_where_they_follow_one_another(
    tmp_path: Path, order: slice, run: int, gap: int
) -> None:
    """Whatever their order in the file, with gaps between them, and however much is read at once."""
    data = pixels(3, (100, 130))
    path = write_tiff(tmp_path / "a.tif", data, tile=(32, 32), compression="zlib")
    with tifffile.TiffFile(path, mode="r+b") as tif:
        page = tif.pages.first
        numbers = list(range(len(page.dataoffsets)))
        numbers = numbers[order] + [n for n in numbers if n not in numbers[order]]
        raw, places = path.read_bytes(), {}
        end = len(raw)
        for n in numbers:
            places[n] = end + 5 * (n % 3)
            tif.filehandle.seek(places[n])
            tif.filehandle.write(raw[page.dataoffsets[n] : page.dataoffsets[n] + page.databytecounts[n]])
            end = places[n] + page.databytecounts[n]
        page.tags["TileOffsets"].overwrite([places[n] for n in sorted(places)])
    with mock.patch.multiple("napari_slicemap.images.tiff.layout", _RUN=run, _GAP=gap):
        np.testing.assert_array_equal(read_all(TiffImage(path))[0, 0, 0], data)


def test_a_window_of_many_tiles_takes_one_read(tmp_path: Path) -> None:
    path = write_tiff(tmp_path / "a.tif", pixels(3, (1000, 1000)), tile=(256, 256), compression="zstd")
    with mock.patch("napari_slicemap.images.tiff.layout.own_buffer", wraps=own_buffer) as called:
        read_all(TiffImage(path))
    assert called.call_count == 1


# --- files that change ---------------------------------------------------------------------------------------
def rewrite(path: Path, data: np.ndarray, **options: Any) -> None:
    """Write a file anew; its time of change is one that no other has had."""
    before = path.stat().st_mtime_ns
    write_tiff(path, data, **options)
    os.utime(path, ns=(before + 10**9, before + 10**9))


def test_a_file_that_changed_is_read_anew(tmp_path: Path) -> None:
    path = write_tiff(tmp_path / "a.tif", pixels(1))
    image = TiffImage(path)
    before = image.key
    np.testing.assert_array_equal(read_all(image)[0, 0, 0], pixels(1))
    rewrite(path, pixels(2))
    assert image.key != before
    np.testing.assert_array_equal(read_all(image)[0, 0, 0], pixels(2))


@pytest.mark.parametrize(
    ("shape", "options"),
    [
        pytest.param((300, 321), {"tile": (256, 256)}, id="size"),
        pytest.param((2, 300, 320), {"tile": (256, 256), **grey}, id="channels"),
        pytest.param((300, 320), {"tile": (128, 512)}, id="chunks"),
    ],
)
def test_a_file_of_another_shape_than_before(tmp_path: Path, shape: tuple[int, ...], options: dict[str, Any]) -> None:
    path = write_tiff(tmp_path / "a.tif", pixels(1, (300, 320)), tile=(256, 256))
    image = TiffImage(path)
    read_all(image)
    rewrite(path, pixels(1, shape), **options)
    with pytest.raises(TileReadError, match=r"a\.tif: the file has changed since it was first read"):
        read_chunk(image, 0, 0, 0, 0, 0)


# --- OME-TIFF in several files -------------------------------------------------------------------------------
def two_files(folder: Path, **options: Any) -> np.ndarray:
    """``a.tif`` describes two planes; the second lies in ``b.tif``."""
    data = pixels(3, (2, 40, 48))
    write_tiff(folder / "b.tif", data[1], metadata=None, **options)
    xml = (
        '<OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06"><Image ID="Image:0"><Pixels ID="Pixels:0" '
        'DimensionOrder="XYZCT" Type="uint16" SizeX="48" SizeY="40" SizeZ="1" SizeC="2" SizeT="1">'
        '<Channel ID="Channel:0:0" SamplesPerPixel="1"/><Channel ID="Channel:0:1" SamplesPerPixel="1"/>'
        '<TiffData FirstC="0" IFD="0" PlaneCount="1"><UUID FileName="a.tif">urn:uuid:a</UUID></TiffData>'
        '<TiffData FirstC="1" IFD="0" PlaneCount="1"><UUID FileName="b.tif">urn:uuid:b</UUID></TiffData>'
        "</Pixels></Image></OME>"
    )
    write_tiff(folder / "a.tif", data[0], metadata=None, description=xml, **options)
    return data


PARTS = [pytest.param({}, id="rows"), pytest.param({"compression": "zlib", "tile": (16, 16)}, id="tiles")]


@pytest.mark.parametrize("options", PARTS)
def test_planes_in_another_file(tmp_path: Path, options: dict[str, Any]) -> None:
    data = two_files(tmp_path, **options)
    np.testing.assert_array_equal(read_all(TiffImage(tmp_path / "a.tif"))[0, :, 0], data)


@pytest.mark.parametrize("options", PARTS)
def test_a_missing_file_of_several(tmp_path: Path, options: dict[str, Any]) -> None:
    data = two_files(tmp_path, **options)
    (tmp_path / "b.tif").unlink()
    image = TiffImage(tmp_path / "a.tif")
    np.testing.assert_array_equal(read_chunk(image, 0, 0, 0, 0, 0), data[0])
    with pytest.raises(TileReadError, match=r"a\.tif: .*page 1 lies in another file, which is missing"):
        read_chunk(image, 1, 0, 0, 0, 0)


def test_another_file_that_comes_and_changes(tmp_path: Path) -> None:
    data = two_files(tmp_path)
    image = TiffImage(tmp_path / "a.tif")
    (tmp_path / "b.tif").rename(tmp_path / "away.tif")
    with pytest.raises(TileReadError, match="page 1 lies in another file"):
        read_chunk(image, 1, 0, 0, 0, 0)
    (tmp_path / "away.tif").rename(tmp_path / "b.tif")
    np.testing.assert_array_equal(read_chunk(image, 1, 0, 0, 0, 0), data[1])
    rewrite(tmp_path / "b.tif", pixels(9, (40, 48)), metadata=None)
    np.testing.assert_array_equal(read_chunk(image, 1, 0, 0, 0, 0), pixels(9, (40, 48)))


def test_samples_of_a_pixel_are_decoded_once(tmp_path: Path) -> None:
    data = pixels(1, (64, 64, 3))
    path = write_tiff(tmp_path / "a.tif", data, photometric="rgb", compression="zlib", tile=(64, 64))
    with mock.patch("napari_slicemap.images.tiff.layout.read_bytes", wraps=read_bytes) as called:
        np.testing.assert_array_equal(read_all(TiffImage(path))[0, :, 0], np.moveaxis(data, 2, 0))
    assert called.call_count == 1


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "int16", "uint32", "float32", "float64", "bool"])
@pytest.mark.parametrize("byteorder", [pytest.param("<", id="little"), pytest.param(">", id="big")])
def test_dtypes(tmp_path: Path, dtype: str, byteorder: str) -> None:
    data = pixels(1).astype(dtype) if dtype != "bool" else pixels(1) % 2 == 0
    image = TiffImage(write_tiff(tmp_path / "a.tif", data, byteorder=byteorder))
    assert image.info.dtype == np.dtype(dtype)
    np.testing.assert_array_equal(read_all(image)[0, 0, 0], tifffile.imread(image.path))


def test_complex_pixels_are_refused(tmp_path: Path) -> None:
    image = TiffImage(write_tiff(tmp_path / "a.tif", pixels(1).astype(np.complex64)))
    with pytest.raises(TileReadError, match=r"a\.tif: .*pixels of type complex64 cannot be shown"):
        _ = image.info


@given(st.integers(0, 39), st.integers(0, 69), st.integers(1, 40), st.integers(1, 70), st.sampled_from([(), (16, 16)]))
def test_windows(tmp_path: Path, y: int, x: int, height: int, width: int, tile: tuple[int, ...]) -> None:
    data = pixels(2, (40, 70))
    path = write_tiff(tmp_path / "a.tif", data, **({"tile": tile} if tile else {}))
    window = Window(x, min(x + width, 70), y, min(y + height, 40))
    np.testing.assert_array_equal(read(TiffImage(path), 0, 0, 0, window), data[y : y + height, x : x + width])


def test_pages_and_series(tmp_path: Path) -> None:
    small, stack = pixels(1, (10, 12)), pixels(2, (4, 20, 24))
    with tifffile.TiffWriter(tmp_path / "a.tif") as writer:
        writer.write(small)
        writer.write(stack, photometric="minisblack")
    np.testing.assert_array_equal(read_all(TiffImage(tmp_path / "a.tif"))[0, 0, 0], small)
    np.testing.assert_array_equal(read_all(TiffImage(tmp_path / "a.tif", series=1))[0, :, 0], stack)
    third = TiffImage(tmp_path / "a.tif", series=1, page=2)
    assert third.info.shape == (1, 1, 1, 20, 24)
    np.testing.assert_array_equal(read_all(third)[0, 0, 0], stack[2])


@pytest.mark.parametrize(
    ("which", "message"),
    [
        pytest.param({"series": 1}, r"series 1 does not exist \(there are 1, counted from 0\)", id="series"),
        pytest.param({"page": 3}, r"page 3 does not exist \(there are 3, counted from 0\)", id="page"),
    ],
)
def test_a_part_that_is_not_there(tmp_path: Path, which: dict[str, int], message: str) -> None:
    path = write_tiff(tmp_path / "a.tif", pixels(0, (3, 20, 24)), photometric="minisblack", metadata=None)
    with pytest.raises(TileReadError, match=rf"a\.tif: .*{message}"):
        _ = TiffImage(path, **which).info


def names_of(tmp_path: Path, shape: tuple[int, ...], **options: Any) -> tuple[str, ...]:
    return TiffImage(write_tiff(tmp_path / "a.tif", pixels(0, shape), **options)).info.channel_names


def ome(*names: str) -> dict[str, Any]:
    return {**grey, "ome": True, "metadata": {"axes": "CYX", "Channel": {"Name": list(names)}}}


@pytest.mark.parametrize(
    ("shape", "options", "names"),
    [
        pytest.param((2, 20, 24), ome("DAPI", "Beta-tubulin"), ("DAPI", "Beta-tubulin"), id="OME"),
        pytest.param((3, 20, 24), ome("001", "NA", "1e5"), ("001", "NA", "1e5"), id="OME names like numbers"),
        pytest.param((3, 20, 24), ome("nan", "True", "µ & <x>"), ("nan", "True", "µ & <x>"), id="OME odd names"),
        pytest.param((3, 20, 24), ome("D", "D", "E"), ("D (C0)", "D (C1)", "E"), id="OME names twice"),
        pytest.param((2, 20, 24), ome("D", ""), ("C0", "C1"), id="OME a name missing"),
        pytest.param((20, 24, 3), {"photometric": "rgb", "ome": True}, ("R", "G", "B"), id="OME RGB"),
        pytest.param((20, 24, 4), {"photometric": "rgb", "extrasamples": [2]}, ("R", "G", "B", "A"), id="RGBA"),
        pytest.param((3, 20, 24), grey, ("C0", "C1", "C2"), id="none stated"),
        pytest.param(
            (2, 20, 24), {"imagej": True, "metadata": {"axes": "CYX", "Labels": ["a", "b"]}}, ("a", "b"), id="ImageJ"
        ),
        pytest.param(
            (2, 20, 24),
            {"imagej": True, "metadata": {"axes": "CYX", "Labels": ["a", "a"]}},
            ("C0", "C1"),
            id="ImageJ twice",
        ),
        pytest.param(
            (3, 2, 20, 24),
            {"imagej": True, "metadata": {"axes": "ZCYX", "Labels": [f"p{n}" for n in range(6)]}},
            ("C0", "C1"),
            id="ImageJ labels of planes",
        ),
    ],
)
def test_channel_names(tmp_path: Path, shape: tuple[int, ...], options: dict[str, Any], names: tuple[str, ...]) -> None:
    assert names_of(tmp_path, shape, **options) == names


def ome_size(size: float, unit: str | None, height: float | None = None) -> dict[str, Any]:
    said: dict[str, Any] = {"axes": "YX", "PhysicalSizeX": size, "PhysicalSizeY": size if height is None else height}
    if unit is not None:
        said |= {"PhysicalSizeXUnit": unit, "PhysicalSizeYUnit": unit}
    return {"ome": True, "metadata": said}


def imagej(size: float, unit: str) -> dict[str, Any]:
    return {"imagej": True, "resolution": (1 / size, 1 / size), "metadata": {"axes": "YX", "unit": unit}}


@pytest.mark.parametrize(
    ("options", "size"),
    [
        pytest.param(ome_size(390, "nm"), 0.39, id="OME nm"),
        pytest.param(ome_size(0.39, None), 0.39, id="OME without unit is µm"),
        pytest.param(ome_size(0.39, "µm"), 0.39, id="OME µm"),
        pytest.param(ome_size(0.00039, "mm"), 0.39, id="OME mm"),
        pytest.param(ome_size(3900, "Å"), 0.39, id="OME angstrom"),
        pytest.param(ome_size(1, "pixel"), None, id="OME pixel is no length"),
        pytest.param(ome_size(0, "µm"), None, id="OME 0 is no size"),
        pytest.param(ome_size(-1, "µm"), None, id="OME -1 is no size"),
        pytest.param(ome_size(1, "reference frame"), None, id="OME reference frame is no length"),
        pytest.param(imagej(0.39, "micron"), 0.39, id="ImageJ micron"),
        pytest.param(imagej(0.39, "um"), 0.39, id="ImageJ um"),
        pytest.param(imagej(0.39, "\\u00B5m"), 0.39, id="ImageJ µ as it is escaped"),
        pytest.param(imagej(390, "nm"), 0.39, id="ImageJ nm"),
        pytest.param(imagej(0.39 / 25400, "inch"), 0.39, id="ImageJ inch"),
        pytest.param(imagej(1, "pixel"), None, id="ImageJ pixel"),
        pytest.param({"imagej": True, "metadata": {"axes": "YX"}}, None, id="ImageJ without unit"),
        pytest.param({"resolution": (72, 72), "resolutionunit": "inch"}, None, id="print resolution says nothing"),
        pytest.param({}, None, id="nothing stated"),
    ],
)
def test_pixel_size(tmp_path: Path, options: dict[str, Any], size: float | None) -> None:
    found = TiffImage(write_tiff(tmp_path / "a.tif", pixels(0), **options)).info.pixel_size_um
    # TIFF keeps a resolution as a fraction of two 32-bit numbers
    assert found == (None if size is None else pytest.approx(size, rel=1e-6))


@pytest.mark.parametrize(
    "options",
    [
        pytest.param(ome_size(0.39, "µm", 0.78), id="OME"),
        pytest.param({**imagej(0.39, "um"), "resolution": (1 / 0.39, 1 / 0.78)}, id="ImageJ"),
    ],
)
def test_pixels_that_are_not_square_are_refused(tmp_path: Path, options: dict[str, Any]) -> None:
    image = TiffImage(write_tiff(tmp_path / "a.tif", pixels(0), **options))
    with pytest.raises(TileReadError, match=r"a\.tif: .*0\.39 × 0\.78 µm; only square pixels"):
        _ = image.info


def test_each_series_of_an_ome_file_has_its_own_names_and_size(tmp_path: Path) -> None:
    with tifffile.TiffWriter(tmp_path / "a.tif", ome=True) as writer:
        for names, size in ((["a", "b"], 1.0), (["c", "d"], 2.0)):
            said = {"axes": "CYX", "Channel": {"Name": names}, "PhysicalSizeX": size}
            writer.write(pixels(0, (2, 20, 24)), metadata=said, photometric="minisblack")
    infos = [TiffImage(tmp_path / "a.tif", series=n).info for n in (0, 1)]
    assert [info.channel_names for info in infos] == [("a", "b"), ("c", "d")]
    assert [info.pixel_size_um for info in infos] == [1.0, 2.0]


# --- what is no image ----------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("raw", "message"),
    [
        pytest.param(b"channel,name\n1,DAPI\n", "not a TIFF file", id="text called .tif"),
        pytest.param(b"", "not a TIFF file", id="empty"),
        pytest.param(b"II*\x00", "cannot be read as a TIFF image", id="a header alone"),
        pytest.param(b"\x89PNG\r\n\x1a\n" + b"\0" * 64, "not a TIFF file", id="PNG called .tif"),
    ],
)
def test_files_that_are_no_tiff(tmp_path: Path, raw: bytes, message: str) -> None:
    (tmp_path / "a.tif").write_bytes(raw)
    with pytest.raises(TileReadError, match=rf"a\.tif: .*{message}"):
        _ = TiffImage(tmp_path / "a.tif").info


def test_a_missing_file_and_a_folder(tmp_path: Path) -> None:
    with pytest.raises(TileReadError, match=r"gone\.tif: there is no such file"):
        _ = TiffImage(tmp_path / "gone.tif").info
    with pytest.raises(TileReadError, match="cannot be read as a TIFF image"):
        _ = TiffImage(tmp_path).info


@pytest.mark.parametrize("share", [0.02, 0.3, 0.6, 0.95, 0.999])
@pytest.mark.parametrize(
    "options",
    [
        pytest.param({}, id="raw"),
        pytest.param({"compression": "lzw"}, id="LZW"),
        pytest.param({"tile": (16, 16)}, id="tiles"),
        pytest.param({"tile": (16, 16), "compression": "zstd"}, id="zstd tiles"),
        pytest.param({"ome": True}, id="OME"),
        pytest.param({"imagej": True}, id="ImageJ"),
    ],
)
def test_a_truncated_file_never_gives_pixels_that_are_not_its(
    tmp_path: Path, share: float, options: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    path = write_tiff(tmp_path / "a.tif", pixels(0, (3, 64, 64)), photometric="minisblack", **options)
    raw = path.read_bytes()
    path.write_bytes(raw[: int(len(raw) * share)])
    with pytest.raises(TileReadError, match=r"a\.tif"):
        read_all(TiffImage(path))


@pytest.mark.parametrize("share", [0.3, 0.55, 0.7])
def test_a_file_that_lost_its_last_pages_is_not_taken_for_a_shorter_one(tmp_path: Path, share: float) -> None:
    with tifffile.TiffWriter(tmp_path / "a.tif") as writer:
        for n in range(4):
            writer.write(pixels(n), metadata=None)
    raw = (tmp_path / "a.tif").read_bytes()
    (tmp_path / "a.tif").write_bytes(raw[: int(len(raw) * share)])
    with pytest.raises(TileReadError, match=r"a\.tif: .*cut short: some of its pages"):
        _ = TiffImage(tmp_path / "a.tif").info


def test_what_tifffile_grumbles_stays_off_the_terminal(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    path = write_tiff(tmp_path / "a.tif", pixels(0), compression="zstd", tile=(16, 16))
    path.write_bytes(path.read_bytes()[:180])
    with pytest.raises(TileReadError, match=r"a\.tif"):
        _ = TiffImage(path).info
    assert capfd.readouterr().err == ""
    assert logging.getLogger("tifffile").handlers == []


def test_a_channel_that_does_not_exist(tmp_path: Path) -> None:
    image = TiffImage(write_tiff(tmp_path / "a.tif", pixels(0, (2, 20, 24)), photometric="minisblack"))
    with pytest.raises(TileReadError, match=r"a\.tif: .*out of bounds"):
        read(image, 2, 0, 0, Window(0, 24, 0, 20))


def test_many_threads_read_one_image(tmp_path: Path) -> None:
    data = pixels(0, (8, 64, 64))
    image = TiffImage(write_tiff(tmp_path / "a.tif", data, photometric="minisblack"))
    found: dict[int, np.ndarray] = {}

    def read_one(channel: int) -> None:
        found[channel] = read(image, channel, 0, 0, Window(0, 64, 0, 64))

    threads = [threading.Thread(target=read_one, args=(channel,)) for channel in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    np.testing.assert_array_equal(np.stack([found[n] for n in range(8)]), data)
    assert math.prod(image.info.shape) == data.size

"""Zarr arrays and OME-Zarr images of every make, each read compared with zarr-python's own."""

from __future__ import annotations

import json
import os
import pickle
import shutil
import threading
from pathlib import Path
from typing import Any
from unittest import mock

import numcodecs
import numpy as np
import pytest
import zarr
from hypothesis import given
from hypothesis import strategies as st
from zarr.codecs import BloscCodec, Crc32cCodec, GzipCodec, ShardingCodec, TransposeCodec, ZstdCodec

from builders import pixels, read_chunk, write_ome_zarr, write_zarr
from napari_slicemap.errors import TileReadError
from napari_slicemap.images.image import ImagePlane
from napari_slicemap.images.ome_zarr.zarr_chunks import ChunkFiles
from napari_slicemap.images.ome_zarr.zarr_image import ZarrImage
from napari_slicemap.images.plane import read_window
from napari_slicemap.images.region import Window


def read(image: ZarrImage, channel: int, t: int, z: int, window: Window | None = None) -> np.ndarray:
    return read_window(
        ImagePlane(image, channel), t, z, window or Window(0, image.info.shape[4], 0, image.info.shape[3])
    )


def read_all(image: ZarrImage) -> np.ndarray:
    """``(T, C, Z, Y, X)``, plane by plane."""
    t, c, z, _, _ = image.info.shape
    planes = [read(image, k, i, j) for i in range(t) for k in range(c) for j in range(z)]
    return np.array(planes).reshape(image.info.shape)


def by_zarr(path: Path, axes: str) -> np.ndarray:
    """The same by zarr-python, brought to ``(T, C, Z, Y, X)``."""
    data = np.asarray(zarr.open_array(path, mode="r")[...])
    data = data.transpose([axes.index(axis) for axis in "TCZYX" if axis in axes])
    return data.reshape(
        [dict(zip(sorted(axes, key="TCZYX".index), data.shape, strict=True)).get(a, 1) for a in "TCZYX"]
    )


def is_direct(image: ZarrImage) -> bool:
    """Whether the chunks are decoded without zarr-python."""
    return image._opened().chunks is not None


CYX, V2 = (3, 40, 53), {"zarr_format": 2}
LZ4 = numcodecs.Blosc(cname="lz4", shuffle=numcodecs.Blosc.BITSHUFFLE)
DIRECT = [
    # shape, dtype, options of zarr.create_array
    pytest.param(CYX, "u2", {}, id="v3"),
    pytest.param(CYX, "u2", {"compressors": None}, id="v3 raw"),
    pytest.param(
        CYX, "u2", {"compressors": BloscCodec(cname="lz4", shuffle="bitshuffle")}, id="v3 blosc lz4 bitshuffle"
    ),
    pytest.param(CYX, "f4", {"compressors": BloscCodec(cname="zstd", shuffle="shuffle")}, id="v3 blosc zstd"),
    pytest.param(CYX, "u1", {"compressors": BloscCodec(cname="lz4hc", shuffle="noshuffle")}, id="v3 blosc lz4hc"),
    pytest.param(CYX, "i4", {"compressors": ZstdCodec(level=3, checksum=True)}, id="v3 zstd with a checksum"),
    pytest.param(CYX, "f8", {"compressors": GzipCodec(level=1)}, id="v3 gzip"),
    pytest.param(CYX, "u2", {"compressors": [ZstdCodec(), Crc32cCodec()]}, id="v3 crc32c outside"),
    pytest.param(CYX, "u2", {"compressors": [Crc32cCodec(), ZstdCodec()]}, id="v3 crc32c inside"),
    pytest.param(CYX, "u2", {"compressors": [GzipCodec(), ZstdCodec()]}, id="v3 two compressors"),
    pytest.param(CYX, "u2", {"serializer": zarr.codecs.BytesCodec(endian="big")}, id="v3 big-endian"),
    pytest.param(CYX, "?", {}, id="v3 bool"),
    pytest.param(CYX, "f2", {}, id="v3 half floats"),
    pytest.param(CYX, "i8", {}, id="v3 int64"),
    pytest.param(CYX, "u2", {"chunk_key_encoding": {"name": "default", "separator": "."}}, id="v3 dots"),
    pytest.param(CYX, "u2", {"chunk_key_encoding": {"name": "v2", "separator": "."}}, id="v3 names as in v2"),
    pytest.param(CYX, "u2", {"shards": (1, 32, 64)}, id="v3 sharded"),
    pytest.param(CYX, "u2", {"shards": (3, 48, 64), "chunks": (3, 16, 32)}, id="v3 sharded, channels together"),
    pytest.param(CYX, "f4", {"shards": (2, 32, 32), "compressors": BloscCodec(cname="lz4")}, id="v3 sharded blosc"),
    pytest.param(
        CYX,
        "u2",
        {
            "chunks": (1, 32, 32),
            "compressors": None,
            "serializer": ShardingCodec(
                chunk_shape=(1, 16, 16), codecs=[zarr.codecs.BytesCodec(), ZstdCodec()], index_location="start"
            ),
        },
        id="v3 sharded, table first",
    ),
    pytest.param(
        CYX,
        "u2",
        {
            "chunks": (1, 32, 32),
            "compressors": None,
            "serializer": ShardingCodec(chunk_shape=(1, 16, 16), index_codecs=[zarr.codecs.BytesCodec()]),
        },
        id="v3 sharded, table without a checksum",
    ),
    pytest.param((40, 53), "u2", {}, id="YX"),
    pytest.param((2, 3, 40, 53), "u2", {}, id="TCYX"),
    pytest.param((2, 3, 2, 40, 53), "u2", {}, id="TCZYX"),
    pytest.param(CYX, "u2", {"chunks": (3, 16, 16)}, id="channels together"),
    pytest.param((4, 3, 2, 20, 23), "u2", {"chunks": (3, 2, 2, 16, 16)}, id="all together"),
    pytest.param(CYX, "u2", {"chunks": (1, 1, 53)}, id="chunks of one row"),
    pytest.param(CYX, "u2", {"chunks": CYX}, id="one chunk"),
    pytest.param(CYX, "u2", {"chunks": (1, 64, 64)}, id="chunks larger than the image"),
    pytest.param((1, 300, 520), "u2", {"chunks": (1, 256, 256)}, id="large chunks"),
    pytest.param((520, 300, 3), "u1", {"chunks": (256, 256, 3), "dimension_names": list("yxc")}, id="channels last"),
    pytest.param((3, 53, 40), "u2", {"dimension_names": list("CXY")}, id="x before y"),
    pytest.param(CYX, "u2", {"dimension_names": list("Zyx")}, id="named ZYX"),
    pytest.param(CYX, "u2", {"dimension_names": ["a", "b", "c"]}, id="names that say nothing"),
    pytest.param(CYX, "u2", V2, id="v2"),
    pytest.param(CYX, "u2", {**V2, "compressors": None}, id="v2 raw"),
    pytest.param(CYX, "u2", {**V2, "compressors": LZ4}, id="v2 blosc lz4 bitshuffle"),
    pytest.param(CYX, "f4", {**V2, "compressors": numcodecs.Zstd(3)}, id="v2 zstd"),
    pytest.param(CYX, "u2", {**V2, "compressors": numcodecs.GZip()}, id="v2 gzip"),
    pytest.param(CYX, "u2", {**V2, "compressors": numcodecs.Zlib()}, id="v2 zlib"),
    pytest.param(CYX, "u2", {**V2, "compressors": numcodecs.LZ4()}, id="v2 lz4"),
    pytest.param(CYX, ">u2", V2, id="v2 big-endian"),
    pytest.param(CYX, ">f8", {**V2, "compressors": LZ4}, id="v2 big-endian blosc"),
    pytest.param(CYX, "u2", {**V2, "order": "F"}, id="v2 Fortran order"),
    pytest.param(CYX, "u2", {**V2, "order": "F", "chunks": (3, 16, 16)}, id="v2 Fortran order, channels together"),
    pytest.param(CYX, "u2", {**V2, "chunk_key_encoding": {"name": "v2", "separator": "/"}}, id="v2 slashes"),
    pytest.param(CYX, "u2", {**V2, "fill_value": None}, id="v2 no fill value"),
]
BY_ZARR_PYTHON = [
    pytest.param(CYX, "u2", {**V2, "filters": [numcodecs.Delta("u2")]}, id="v2 filter"),
    pytest.param(CYX, "u2", {**V2, "compressors": numcodecs.BZ2()}, id="v2 bz2"),
    pytest.param(CYX, "u2", {"filters": [TransposeCodec(order=(0, 2, 1))]}, id="v3 transposed"),
    pytest.param(
        CYX, "u2", {"chunks": (3, 16, 16), "filters": [TransposeCodec(order=(2, 1, 0))]}, id="v3 transposed all"
    ),
    pytest.param(
        CYX,
        "u2",
        {
            "chunks": (1, 32, 32),
            "compressors": None,
            "serializer": ShardingCodec(chunk_shape=(1, 16, 16), codecs=[ShardingCodec(chunk_shape=(1, 8, 8))]),
        },
        id="v3 shards in shards",
    ),
    pytest.param(
        (3, 53, 40),
        "u2",
        {"dimension_names": list("cxy"), "filters": [TransposeCodec(order=(2, 1, 0))]},
        id="x before y",
    ),
]


def sample(shape: tuple[int, ...], dtype: str) -> np.ndarray:
    data = pixels(3, shape)
    return data % 2 == 0 if dtype == "?" else (data // 3).astype(dtype)


@pytest.mark.parametrize(("shape", "dtype", "options"), DIRECT)
def test_every_plane_is_zarr_pythons(
    tmp_path: Path, shape: tuple[int, ...], dtype: str, options: dict[str, Any]
) -> None:
    image = ZarrImage(write_zarr(tmp_path / "a.zarr", sample(shape, dtype), **options))
    assert is_direct(image)
    made = read_all(image)
    np.testing.assert_array_equal(made, by_zarr(image.path, image.info.axes))
    assert made.dtype == image.info.dtype == np.dtype(dtype).newbyteorder("=")
    assert made.any()


STRAIGHT = [
    pytest.param("u2", {}, id="v3"),
    pytest.param("f4", {"compressors": ZstdCodec(level=3, checksum=True)}, id="v3 zstd with a checksum"),
    pytest.param("f8", {"compressors": GzipCodec(level=1)}, id="v3 gzip"),
    pytest.param("u1", {"compressors": BloscCodec(cname="lz4")}, id="v3 blosc"),
    pytest.param("?", {}, id="v3 bool"),
    pytest.param("u2", {**V2, "compressors": LZ4}, id="v2 blosc"),
    pytest.param("i4", {**V2, "compressors": numcodecs.Zstd(3)}, id="v2 zstd"),
    pytest.param("u2", {**V2, "compressors": numcodecs.GZip()}, id="v2 gzip"),
    pytest.param("u2", {**V2, "compressors": numcodecs.Zlib()}, id="v2 zlib"),
]
BY_COPY = [
    pytest.param("u2", {"compressors": None}, id="v3 raw"),
    pytest.param("u2", {"compressors": [ZstdCodec(), Crc32cCodec()]}, id="v3 crc32c outside"),
    pytest.param("u2", {"serializer": zarr.codecs.BytesCodec(endian="big")}, id="v3 big-endian"),
    pytest.param(">f8", {**V2, "compressors": LZ4}, id="v2 big-endian blosc"),
    pytest.param("u2", {**V2, "order": "F"}, id="v2 Fortran order"),
    pytest.param("u2", {**V2, "compressors": numcodecs.LZ4()}, id="v2 lz4"),
    pytest.param("u2", {"shards": (1, 512, 512)}, id="v3 sharded"),
]


def read_large(tmp_path: Path, dtype: str, options: dict[str, Any]) -> int:
    """Read chunks that are large enough to be read one by one; how many times several were decoded without a copy."""
    options = {"chunks": (1, 256, 256), **options}
    image = ZarrImage(write_zarr(tmp_path / "a.zarr", sample((2, 300, 520), dtype), **options))
    with mock.patch.object(ChunkFiles, "read_straight", autospec=True, side_effect=ChunkFiles.read_straight) as called:
        made = read_all(image)
    np.testing.assert_array_equal(made, by_zarr(image.path, image.info.axes))
    assert is_direct(image)
    return called.call_count


@pytest.mark.parametrize(("dtype", "options"), STRAIGHT)
def test_large_chunks_that_are_decoded_without_a_copy(tmp_path: Path, dtype: str, options: dict[str, Any]) -> None:
    assert read_large(tmp_path, dtype, options) == 2


@pytest.mark.parametrize(("dtype", "options"), BY_COPY)
def test_large_chunks_that_take_a_copy(tmp_path: Path, dtype: str, options: dict[str, Any]) -> None:
    assert read_large(tmp_path, dtype, options) == 0


@pytest.mark.parametrize("options", [{"compressors": ZstdCodec()}, {"compressors": GzipCodec()}])
@pytest.mark.parametrize("px", [2**16 - 1, 2**16 + 1])
def test_a_large_chunk_of_another_size(tmp_path: Path, options: dict[str, Any], px: int) -> None:
    path = write_zarr(tmp_path / "a.zarr", pixels(1, (1, 512, 512)), chunks=(1, 256, 256), **options)
    other = write_zarr(tmp_path / "b.zarr", pixels(1, (1, 1, px)), chunks=(1, 1, px), **options)
    shutil.copy(other / "c" / "0" / "0" / "0", path / "c" / "0" / "1" / "0")
    with pytest.raises(TileReadError, match=r"a\.zarr: .*chunk c/0/1/0: "):
        read_all(ZarrImage(path))


@pytest.mark.parametrize(("shape", "dtype", "options"), BY_ZARR_PYTHON)
def test_what_is_unusual_is_left_to_zarr_python(
    tmp_path: Path, shape: tuple[int, ...], dtype: str, options: dict[str, Any]
) -> None:
    image = ZarrImage(write_zarr(tmp_path / "a.zarr", sample(shape, dtype), **options))
    assert not is_direct(image)
    np.testing.assert_array_equal(read_all(image), by_zarr(image.path, image.info.axes))


@pytest.mark.parametrize(
    "options",
    [
        pytest.param({}, id="v3"),
        pytest.param(V2, id="v2"),
        pytest.param({"shards": (1, 32, 32)}, id="sharded"),
        pytest.param({"chunks": (3, 16, 16)}, id="channels together"),
        pytest.param({"filters": [TransposeCodec(order=(0, 2, 1))]}, id="by zarr-python"),
    ],
)
@given(st.integers(0, 39), st.integers(0, 52), st.integers(1, 40), st.integers(1, 53), st.integers(0, 2))
def test_windows(
    tmp_path: Path, options: dict[str, Any], y: int, x: int, height: int, width: int, channel: int
) -> None:
    data, path = pixels(2, CYX), tmp_path / "a.zarr"
    if not path.exists():
        write_zarr(path, data, **options)
    window = Window(x, min(x + width, 53), y, min(y + height, 40))
    made = read(ZarrImage(path), channel, 0, 0, window)
    np.testing.assert_array_equal(made, data[channel, y : y + height, x : x + width])


@pytest.mark.parametrize("fill", [0, 7, 65535])
@pytest.mark.parametrize("options", [{}, V2, {"shards": (1, 32, 32)}, {"shards": (1, 48, 64)}, {"chunks": (3, 16, 16)}])
def test_chunks_that_were_never_written(tmp_path: Path, options: dict[str, Any], fill: int) -> None:
    data = np.full(CYX, fill, np.uint16)
    data[1, 20:30, 20:50] = pixels(1, (10, 30))
    path = write_zarr(tmp_path / "a.zarr", data, fill_value=fill, **options)
    np.testing.assert_array_equal(read_all(ZarrImage(path))[0, :, 0], data)


@pytest.mark.parametrize("fill", [np.nan, np.inf, -np.inf, 1.5])
@pytest.mark.parametrize("version", [2, 3])
def test_fill_values_of_floats(tmp_path: Path, fill: float, version: int) -> None:
    path = tmp_path / "a.zarr"
    zarr.create_array(path, shape=(20, 24), chunks=(16, 16), dtype="f4", fill_value=fill, zarr_format=version)
    np.testing.assert_array_equal(read_all(ZarrImage(path)), np.full((1, 1, 1, 20, 24), fill, np.float32))


@pytest.mark.parametrize(
    ("shape", "chunks", "shards", "chunk_shape"),
    [
        pytest.param((600, 700), (256, 256), None, (256, 256), id="as stored"),
        pytest.param((600, 700), (64, 64), None, (256, 256), id="small ones in groups"),
        pytest.param((600, 700), (1, 700), None, (94, 700), id="rows in groups"),
        pytest.param((600, 700), (256, 128), (512, 512), (256, 256), id="those within a shard"),
        pytest.param((600, 700), (600, 700), None, (600, 700), id="the whole"),
        pytest.param((60, 70), (256, 256), None, (60, 70), id="larger than the image"),
    ],
)
def test_chunk_shapes(tmp_path: Path, shape: Any, chunks: Any, shards: Any, chunk_shape: tuple[int, int]) -> None:
    image = ZarrImage(write_zarr(tmp_path / "a.zarr", pixels(1, shape), chunks=chunks, shards=shards))
    assert image.info.chunk_shape == chunk_shape
    first = read_chunk(image, 0, 0, 0, 0, 0)
    assert first.shape == chunk_shape
    # it keeps nothing else in memory than what is stored of a chunk beyond the edge
    stored = max(first.nbytes, np.prod(chunks) * first.itemsize)
    assert first.base is None or first.base.nbytes <= stored


def test_channels_in_one_chunk_are_decoded_once(tmp_path: Path) -> None:
    image = ZarrImage(write_zarr(tmp_path / "a.zarr", pixels(1, (5, 40, 53)), chunks=(5, 16, 16)))
    encoding = type(image._opened().chunks.encoding)  # type: ignore[union-attr]
    with mock.patch.object(encoding, "decode", autospec=True, side_effect=encoding.decode) as decoded:
        read_all(image)
    assert decoded.call_count == 3 * 4


@pytest.mark.parametrize(("row", "column"), [(-1, 0), (0, -1), (9, 0), (0, 9)])
def test_a_chunk_that_does_not_exist(tmp_path: Path, row: int, column: int) -> None:
    image = ZarrImage(write_zarr(tmp_path / "a.zarr", pixels(3)))
    with pytest.raises(TileReadError, match=r"a\.zarr: .*out of bounds"):
        read_chunk(image, 0, 0, 0, row, column)


@pytest.mark.parametrize(("channel", "t", "z"), [(3, 0, 0), (-1, 0, 0), (0, 2, 0), (0, 0, 4), (0, -1, 0), (0, 0, -1)])
def test_a_plane_that_does_not_exist(tmp_path: Path, channel: int, t: int, z: int) -> None:
    image = ZarrImage(write_zarr(tmp_path / "a.zarr", pixels(3, (2, 3, 4, 20, 24))))
    with pytest.raises(TileReadError, match=r"a\.zarr: .*out of bounds"):
        read_chunk(image, channel, t, z, 0, 0)


# --- OME-Zarr ------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("version", [2, 3])
@pytest.mark.parametrize(
    ("axes", "shape", "expected"),
    [
        pytest.param("yx", (20, 24), (1, 1, 1, 20, 24), id="YX"),
        pytest.param("cyx", (3, 20, 24), (1, 3, 1, 20, 24), id="CYX"),
        pytest.param("zyx", (3, 20, 24), (1, 1, 3, 20, 24), id="ZYX"),
        pytest.param("czyx", (2, 3, 20, 24), (1, 2, 3, 20, 24), id="CZYX"),
        pytest.param("tczyx", (2, 3, 4, 20, 24), (2, 3, 4, 20, 24), id="TCZYX"),
    ],
)
def test_the_full_resolution_of_an_image(
    tmp_path: Path, version: int, axes: str, shape: tuple[int, ...], expected: tuple[int, ...]
) -> None:
    data = pixels(3, shape)
    image = ZarrImage(
        write_ome_zarr(tmp_path / "a.ome.zarr", data, axes=axes, version=version, pixel_size=(0.39, 0.39))
    )
    assert image.info.shape == expected
    assert image.info.pixel_size_um == pytest.approx(0.39)
    np.testing.assert_array_equal(read_all(image), data.reshape(expected))


@pytest.mark.parametrize(
    ("channels", "names"),
    [
        pytest.param(("DAPI", "CD3"), ("DAPI", "CD3"), id="stated"),
        pytest.param(("D", "D"), ("D (C0)", "D (C1)"), id="twice"),
        pytest.param(("D", ""), ("C0", "C1"), id="one is empty"),
        pytest.param(("D",), ("C0", "C1"), id="too few"),
        pytest.param((), ("C0", "C1"), id="none"),
    ],
)
@pytest.mark.parametrize("version", [2, 3])
def test_channel_names(tmp_path: Path, channels: tuple[str, ...], names: tuple[str, ...], version: int) -> None:
    path = write_ome_zarr(tmp_path / "a.zarr", pixels(3, (2, 20, 24)), channels=channels, version=version)
    assert ZarrImage(path).info.channel_names == names


@pytest.mark.parametrize(
    ("size", "unit", "expected"),
    [
        pytest.param(0.39, "micrometer", 0.39, id="micrometer"),
        pytest.param(390, "nanometer", 0.39, id="nanometer"),
        pytest.param(0.00039, "millimeter", 0.39, id="millimeter"),
        pytest.param(3900, "angstrom", 0.39, id="angstrom"),
        pytest.param(0.39e-6, "meter", 0.39, id="meter"),
        pytest.param(0.39, "", None, id="no unit"),
        pytest.param(0.39, "pixel", None, id="no length"),
        pytest.param(0, "micrometer", None, id="0 is no size"),
    ],
)
def test_pixel_size(tmp_path: Path, size: float, unit: str, expected: float | None) -> None:
    path = write_ome_zarr(tmp_path / "a.zarr", pixels(3, (2, 20, 24)), pixel_size=(size, size), unit=unit)
    assert ZarrImage(path).info.pixel_size_um == (None if expected is None else pytest.approx(expected))


def edit(path: Path, change: Any) -> None:
    """Change the metadata of an OME-Zarr 0.5 image."""
    said = json.loads((path / "zarr.json").read_text())
    change(said["attributes"]["ome"])
    (path / "zarr.json").write_text(json.dumps(said))


def test_the_scale_of_all_levels_counts_too(tmp_path: Path) -> None:
    path = write_ome_zarr(tmp_path / "a.zarr", pixels(3, (2, 20, 24)), pixel_size=(2, 2))
    extra = [{"type": "scale", "scale": [1, 0.25, 0.25]}]
    edit(path, lambda ome: ome["multiscales"][0].update(coordinateTransformations=extra))
    assert ZarrImage(path).info.pixel_size_um == 0.5


@pytest.mark.parametrize(
    ("change", "message"),
    [
        pytest.param(
            lambda ome: ome["multiscales"][0]["datasets"][0].update(path="7"), "the array '7', is missing", id="level"
        ),
        pytest.param(lambda ome: ome.update(multiscales=[]), "no multiscales", id="no multiscales"),
        pytest.param(lambda ome: ome["multiscales"][0]["axes"].pop(), "names 2 axes, but its array has 3", id="axes"),
        pytest.param(
            lambda ome: ome["multiscales"][0]["axes"][0].update(name="q", type="odd"), "Q is no T, C", id="axis"
        ),
        pytest.param(lambda ome: ome["multiscales"][0].update(axes=["y", "y", "x"]), "twice", id="an axis twice"),
        pytest.param(lambda ome: ome["multiscales"][0].pop("datasets"), "datasets", id="no datasets"),
    ],
)
def test_bad_metadata(tmp_path: Path, change: Any, message: str) -> None:
    path = write_ome_zarr(tmp_path / "a.zarr", pixels(3, (2, 20, 24)))
    edit(path, change)
    with pytest.raises(TileReadError, match=rf"a\.zarr: cannot be read as a Zarr image .*{message}"):
        _ = ZarrImage(path).info


@pytest.mark.parametrize("version", [2, 3])
def test_a_level_by_its_path(tmp_path: Path, version: int) -> None:
    path = write_ome_zarr(tmp_path / "a.zarr", pixels(3, (2, 20, 24)), version=version)
    write_zarr(path / "half", pixels(4, (2, 10, 12)), zarr_format=version)
    step = {"type": "scale", "scale": [1, 2, 2]}
    file = path / ("zarr.json" if version == 3 else ".zattrs")
    said = json.loads(file.read_text())
    ome = said["attributes"]["ome"] if version == 3 else said
    ome["multiscales"][0]["datasets"].append({"path": "half", "coordinateTransformations": [step]})
    file.write_text(json.dumps(said))
    half = ZarrImage(path, level="half")
    assert (half.info.shape, half.info.pixel_size_um) == ((1, 2, 1, 10, 12), 2.0)
    np.testing.assert_array_equal(read_all(half)[0, :, 0], pixels(4, (2, 10, 12)))
    assert half.key != ZarrImage(path).key
    with pytest.raises(TileReadError, match=r"a\.zarr: .*it has no level '7' \(there is 0, half\)"):
        _ = ZarrImage(path, level="7").info


@pytest.mark.parametrize(
    ("unit", "times"),
    [
        pytest.param("second", (0.0, 2.5), id="second"),
        pytest.param("seconds", (0.0, 2.5), id="seconds"),
        pytest.param("minute", (0.0, 150.0), id="minute"),
        pytest.param("ms", (0.0, 0.0025), id="ms"),
        pytest.param("frame", None, id="no time"),
        pytest.param("", None, id="no unit"),
    ],
)
def test_times(tmp_path: Path, unit: str, times: Any) -> None:
    path = write_ome_zarr(tmp_path / "a.zarr", pixels(3, (2, 20, 24)), axes="tyx")

    def change(ome: Any) -> None:
        ome["multiscales"][0]["axes"][0]["unit"] = unit
        ome["multiscales"][0]["datasets"][0]["coordinateTransformations"][0]["scale"][0] = 2.5

    edit(path, change)
    assert ZarrImage(path).info.times_s == (None if times is None else pytest.approx(times))


def test_axes_that_have_names_only(tmp_path: Path) -> None:
    """As OME-Zarr 0.3 has them."""
    path = write_ome_zarr(tmp_path / "a.zarr", pixels(3, (2, 20, 24)))
    edit(path, lambda ome: ome["multiscales"][0].update(axes=["z", "y", "x"]))
    assert (ZarrImage(path).info.axes, ZarrImage(path).info.pixel_size_um) == ("ZYX", None)


def test_pixels_that_are_not_square_are_refused(tmp_path: Path) -> None:
    image = ZarrImage(write_ome_zarr(tmp_path / "a.zarr", pixels(3, (2, 20, 24)), pixel_size=(0.78, 0.39)))
    with pytest.raises(TileReadError, match=r"a\.zarr: .*0\.39 × 0\.78 µm; only square pixels"):
        _ = image.info


def test_real_images(real_data: Path) -> None:
    tubhis = ZarrImage(real_data / "omezarr" / "tubhiswt4D_sub.zarr")
    assert tubhis.info.shape == (3, 1, 2, 512, 512)
    np.testing.assert_array_equal(read_all(tubhis), by_zarr(tubhis.path / "0", "TCZYX"))
    sharded = ZarrImage(real_data / "omezarr" / "6001240_labels_v0.5.zarr")
    assert sharded.info.channel_names == ("LaminB1", "Dapi")
    assert sharded.info.pixel_size_um == pytest.approx(1.4415926)
    np.testing.assert_array_equal(read_all(sharded), by_zarr(sharded.path / "2", "CZYX"))
    assert is_direct(sharded)
    assert is_direct(tubhis)


# --- what is no image, or damaged ----------------------------------------------------------------------------
def test_a_missing_folder_a_file_and_an_empty_folder(tmp_path: Path) -> None:
    with pytest.raises(TileReadError, match=r"gone\.zarr: there is no such file"):
        _ = ZarrImage(tmp_path / "gone.zarr").info
    (tmp_path / "a.zarr").write_text("hello")
    with pytest.raises(TileReadError, match=r"a\.zarr: .*it is a file, and not a folder"):
        _ = ZarrImage(tmp_path / "a.zarr").info
    (tmp_path / "b.zarr").mkdir()
    with pytest.raises(TileReadError, match=r"b\.zarr: .*it holds no Zarr metadata \(zarr\.json, \.zarray"):
        _ = ZarrImage(tmp_path / "b.zarr").info
    (tmp_path / "b.zarr" / "zarr.json").write_text("{")
    with pytest.raises(TileReadError, match=r"b\.zarr: cannot be read as a Zarr image"):
        _ = ZarrImage(tmp_path / "b.zarr").info


@pytest.mark.parametrize(
    ("data", "message"),
    [
        pytest.param(np.zeros((20, 24), np.complex64), "pixels of type complex64 cannot be shown", id="complex"),
        pytest.param(np.zeros(20, np.uint8), "2 to 5 axes, and this array has 1", id="1-D"),
        pytest.param(np.zeros((1, 1, 1, 1, 20, 24), np.uint8), "2 to 5 axes, and this array has 6", id="6-D"),
    ],
)
def test_arrays_that_are_no_image(tmp_path: Path, data: np.ndarray, message: str) -> None:
    image = ZarrImage(write_zarr(tmp_path / "a.zarr", data, chunks=data.shape))
    with pytest.raises(TileReadError, match=rf"a\.zarr: .*{message}"):
        _ = image.info


@pytest.mark.parametrize("share", [0, 0.3, 0.9, 0.999])
@pytest.mark.parametrize(
    "options",
    [
        pytest.param({"compressors": None}, id="raw"),
        pytest.param({"compressors": BloscCodec(cname="lz4")}, id="blosc"),
        pytest.param({"compressors": ZstdCodec()}, id="zstd"),
        pytest.param({"compressors": GzipCodec()}, id="gzip"),
        pytest.param({"compressors": [ZstdCodec(), Crc32cCodec()]}, id="crc32c"),
        pytest.param({"chunks": (16, 16), "shards": (32, 32)}, id="sharded"),
    ],
)
def test_a_truncated_chunk(tmp_path: Path, share: float, options: dict[str, Any]) -> None:
    path = write_zarr(tmp_path / "a.zarr", pixels(1, (32, 32)), **{"chunks": (32, 32), **options})
    file = path / "c" / "0" / "0"
    raw = file.read_bytes()
    file.write_bytes(raw[: int(len(raw) * share)])
    with pytest.raises(TileReadError, match=r"a\.zarr: .*chunk c/0/0"):
        read_chunk(ZarrImage(path), 0, 0, 0, 0, 0)


def test_a_chunk_whose_checksum_is_wrong(tmp_path: Path) -> None:
    path = write_zarr(tmp_path / "a.zarr", pixels(1, (16, 16)), compressors=[Crc32cCodec()])
    file = path / "c" / "0" / "0"
    raw = bytearray(file.read_bytes())
    raw[5] ^= 1
    file.write_bytes(raw)
    with pytest.raises(TileReadError, match=r"chunk c/0/0: its checksum is wrong"):
        read_chunk(ZarrImage(path), 0, 0, 0, 0, 0)


# --- kept, shared, changed -----------------------------------------------------------------------------------
def test_metadata_is_read_once(tmp_path: Path) -> None:
    path = write_zarr(tmp_path / "a.zarr", pixels(1, CYX))
    with mock.patch.object(zarr, "open", wraps=zarr.open) as opened:
        for _ in range(3):
            read_all(ZarrImage(path))
    assert opened.call_count == 1


def test_an_array_of_another_shape_than_before(tmp_path: Path) -> None:
    path = write_zarr(tmp_path / "a.zarr", pixels(1))
    image = ZarrImage(path)
    before = image.key
    read_all(image)
    shutil.rmtree(path)
    write_zarr(path, pixels(1, (20, 25)))
    os.utime(path / "zarr.json", ns=(1, 1))
    assert image.key != before
    with pytest.raises(TileReadError, match=r"a\.zarr: the file has changed since it was first read"):
        read_chunk(image, 0, 0, 0, 0, 0)
    np.testing.assert_array_equal(read_all(ZarrImage(path))[0, 0, 0], pixels(1, (20, 25)))


@pytest.mark.parametrize("version", [2, 3])
def test_a_level_of_another_shape_than_before(tmp_path: Path, version: int) -> None:
    path = write_ome_zarr(tmp_path / "a.zarr", pixels(1, (2, 20, 24)), version=version)
    image = ZarrImage(path)
    before = image.key
    read_all(image)
    shutil.rmtree(path / "0")
    write_zarr(path / "0", pixels(1, (2, 20, 25)), zarr_format=version)
    assert image.key != before
    with pytest.raises(TileReadError, match=r"a\.zarr: the file has changed since it was first read"):
        read_chunk(image, 0, 0, 0, 0, 0)


@pytest.mark.parametrize("options", [{}, {"chunks": (8, 16, 16)}, {"shards": (4, 32, 32)}])
def test_many_threads_read_one_image(tmp_path: Path, options: dict[str, Any]) -> None:
    data = pixels(0, (8, 64, 64))
    image = ZarrImage(write_zarr(tmp_path / "a.zarr", data, **options))
    found: dict[int, np.ndarray] = {}

    def read_one(channel: int) -> None:
        found[channel] = read(image, channel, 0, 0)

    threads = [threading.Thread(target=read_one, args=(channel,)) for channel in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    np.testing.assert_array_equal(np.stack([found[n] for n in range(8)]), data)


def test_an_image_survives_pickling(tmp_path: Path) -> None:
    image = ZarrImage(write_ome_zarr(tmp_path / "a.zarr", pixels(3, (2, 20, 24))))
    before = read_all(image)
    np.testing.assert_array_equal(read_all(pickle.loads(pickle.dumps(image))), before)

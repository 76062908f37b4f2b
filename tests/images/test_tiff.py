"""TIFF files of every make, each read compared with tifffile's own."""

from __future__ import annotations

import logging
import math
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from hypothesis import given
from hypothesis import strategies as st

from builders import pixels, write_tiff
from napari_slicemap.errors import TileReadError
from napari_slicemap.images.region import Window
from napari_slicemap.images.tiff import TiffImage


def read_all(image: TiffImage) -> np.ndarray:
    """``(T, C, Z, Y, X)``, plane by plane."""
    t, c, z, y, x = image.info.shape
    whole = Window(0, x, 0, y)
    planes = [image.read(k, i, j, whole) for i in range(t) for k in range(c) for j in range(z)]
    return np.array(planes).reshape(image.info.shape)


def by_tifffile(path: Path, axes: str) -> np.ndarray:
    """The same by ``tifffile.imread``, brought to ``(T, C, Z, Y, X)`` by naming each of its axes."""
    data = tifffile.imread(path)
    order = sorted(range(len(axes)), key=lambda n: "TCSQIZYX".index(axes[n]))
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
    np.testing.assert_array_equal(TiffImage(path).read(0, 0, 0, window), data[y : y + height, x : x + width])


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


def test_pixels_that_are_not_square_are_refused(tmp_path: Path) -> None:
    image = TiffImage(write_tiff(tmp_path / "a.tif", pixels(0), **ome_size(0.39, "µm", 0.78)))
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
        image.read(2, 0, 0, Window(0, 24, 0, 20))


def test_many_threads_read_one_image(tmp_path: Path) -> None:
    data = pixels(0, (8, 64, 64))
    image = TiffImage(write_tiff(tmp_path / "a.tif", data, photometric="minisblack"))
    found: dict[int, np.ndarray] = {}

    def read(channel: int) -> None:
        found[channel] = image.read(channel, 0, 0, Window(0, 64, 0, 64))

    threads = [threading.Thread(target=read, args=(channel,)) for channel in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    np.testing.assert_array_equal(np.stack([found[n] for n in range(8)]), data)
    assert math.prod(image.info.shape) == data.size

"""OME-TIFF, each file reopened by tifffile, ome-types, OME's schema and Pillow."""

from __future__ import annotations

import json
import math
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst
from PIL import Image

from napari_slicemap.errors import PlanError, UnknownNameError
from napari_slicemap.images.area import area_mean
from napari_slicemap.images.image import ImagePlane
from napari_slicemap.images.plane import read_window
from napari_slicemap.images.region import Grid, Window
from napari_slicemap.images.source import ImageSource
from napari_slicemap.images.tiff.ome_tiff import halved, level_sizes, resolution, write_ome_tiff
from napari_slicemap.images.tiff.ome_xml import read_ome_xml
from napari_slicemap.images.tiff.tiff_image import TiffImage

from .ome_schema import valid_ome


def noise(shape: tuple[int, ...], dtype: str = "uint16") -> np.ndarray:
    rng = np.random.default_rng(7)
    kind = np.dtype(dtype)
    if kind.kind == "f":
        return rng.normal(0, 100, shape).astype(kind)
    high = 2 if kind.kind == "b" else min(np.iinfo(kind).max, 2**40)
    return rng.integers(0, high, shape).astype(kind)


def source(data: np.ndarray, **known: Any) -> ImageSource:
    return ImageSource.of(data, [f"channel {n}" for n in range(data.shape[1])], **known)


def series(path: Path) -> np.ndarray:
    with tifffile.TiffFile(path) as tif:
        assert len(tif.series) == 1
        assert tif.series[0].keyframe.photometric.name == "MINISBLACK"
        return tif.series[0].asarray()


# --- pixels --------------------------------------------------------------------------------------------------------
SHAPES = [
    pytest.param((1, 1, 1, 1, 1), id="one px"),
    pytest.param((1, 1, 1, 5, 3), id="three columns, no RGB"),
    pytest.param((1, 3, 1, 7, 4), id="smaller than a tile"),
    pytest.param((2, 3, 4, 17, 33), id="all axes"),
    pytest.param((1, 1, 1, 600, 530), id="tiles cut at the edges"),
    pytest.param((1, 1, 1, 1, 2000), id="one row with levels"),
    pytest.param((1, 1, 1, 1500, 1), id="one column with levels"),
    pytest.param((2, 1, 1, 1025, 70), id="planes with levels"),
]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("compression", ["zstd", "deflate", "lzw", "none"])
def test_pixels_come_back(tmp_path, shape, compression):
    path = tmp_path / "a.ome.tif"
    data = noise(shape)
    write_ome_tiff(path, source(data), compression=compression)
    np.testing.assert_array_equal(series(path).reshape(shape), data)
    pixels = valid_ome(path).images[0].pixels
    assert (pixels.size_t, pixels.size_c, pixels.size_z, pixels.size_y, pixels.size_x) == shape


@pytest.mark.parametrize(
    ("dtype", "stored"),
    [(one, one) for one in ("uint8", "int8", "uint16", "int16", "uint32", "int32", "float32", "float64")]
    + [("bool", "uint8"), ("float16", "float32"), ("int64", "float64"), ("uint64", "float64"), (">u2", "uint16")],
)
def test_types(tmp_path, dtype, stored):
    path = tmp_path / "a.ome.tif"
    data = noise((1, 2, 1, 40, 50), dtype)
    write_ome_tiff(path, source(data))
    found = series(path)
    assert found.dtype == stored
    np.testing.assert_array_equal(found, data[0, :, 0])
    assert valid_ome(path).images[0].pixels.type.value == {"float32": "float", "float64": "double"}.get(stored, stored)


@pytest.mark.parametrize("dtype", ["complex64", "complex128"])
def test_complex_is_refused(tmp_path, dtype):
    with pytest.raises(PlanError, match=f"image cells: OME-TIFF holds no pixels of type {dtype}"):
        write_ome_tiff(tmp_path / "a.tif", source(np.zeros((1, 1, 1, 4, 4), dtype), name="cells"))


@pytest.mark.parametrize(("dtype", "value"), [("int64", 2**53 + 1), ("int64", -(2**60)), ("uint64", 2**64 - 1)])
def test_whole_numbers_that_float64_cannot_hold_are_refused(tmp_path, dtype, value):
    data = np.zeros((1, 1, 1, 4, 4), dtype)
    data[..., 2, 2] = value
    with pytest.raises(PlanError, match=r"image cells: OME-TIFF holds u?int64 as float64, which is not exact"):
        write_ome_tiff(tmp_path / "a.tif", source(data, name="cells"))


@pytest.mark.parametrize("pyramid", [True, False])
def test_own_reader_and_pillow(tmp_path, pyramid):
    path = tmp_path / "a.ome.tif"
    data = noise((2, 2, 1, 1030, 40))
    write_ome_tiff(path, source(data, pixel_size_um=0.5), compression="deflate", pyramid=pyramid)
    image = TiffImage(path)
    assert image.info.shape == data.shape
    assert image.info.channel_names == ("channel 0", "channel 1")
    assert image.info.pixel_size_um == 0.5
    found = read_window(ImagePlane(image, 1), 1, 0, Window(3, 40, 500, 1030))
    np.testing.assert_array_equal(found, data[1, 1, 0, 500:1030, 3:40])
    with Image.open(path) as opened:
        assert opened.n_frames == 4
        np.testing.assert_array_equal(np.asarray(opened), data[0, 0, 0])


def test_scikit_image(tmp_path):
    from skimage.io import imread

    data = noise((1, 2, 1, 20, 30), "float32")
    write_ome_tiff(tmp_path / "a.tif", source(data))
    np.testing.assert_array_equal(imread(tmp_path / "a.tif"), data[0, :, 0])


# --- bands and levels ----------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("shape", "sizes"),
    [
        ((1024, 1024), [(1024, 1024)]),
        ((1025, 3), [(1025, 3), (513, 2), (257, 1)]),
        ((4096, 4096), [(4096, 4096), (2048, 2048), (1024, 1024), (512, 512)]),
    ],
)
def test_level_sizes(shape, sizes):
    assert level_sizes(shape) == sizes


@pytest.mark.parametrize("dtype", ["uint8", "int16", "float32"])
def test_levels_are_means_of_the_level_before(tmp_path, dtype):
    path = tmp_path / "a.ome.tif"
    data = noise((1, 2, 1, 1301, 1100), dtype)
    write_ome_tiff(path, source(data, pixel_size_um=0.5), tile=64)
    with tifffile.TiffFile(path) as tif:
        levels = [level.asarray() for level in tif.series[0].levels]
        subs = [sub for page in tif.pages for sub in page.aspage().pages]
        assert [sub.subfiletype for sub in subs] == [1] * 4
        assert [sub.tags["XResolution"].value for sub in subs] == [(10_000, 1), (5_000, 1)] * 2
    assert [level.shape for level in levels] == [(2, 1301, 1100), (2, 651, 550), (2, 326, 275)]
    for before, after in pairwise(levels):
        np.testing.assert_array_equal(after, [halved(plane) for plane in before])


PLANES = npst.arrays(
    st.sampled_from([np.uint8, np.int8, np.uint16, np.int16, np.uint32, np.int32, np.float32]),
    st.tuples(st.integers(1, 7), st.integers(1, 7)),
)


@given(PLANES)
def test_halves_equal_the_area_mean(plane):
    height, width = plane.shape
    wanted, _ = area_mean(plane[None].astype(np.float64), Window(0, width, 0, height), Grid(2))
    found = halved(plane)
    assert found.dtype == plane.dtype
    if plane.dtype.kind == "f":
        np.testing.assert_allclose(found, wanted[0], rtol=1e-6)
    else:
        exact = [
            [math.floor(np.mean(plane[y : y + 2, x : x + 2], dtype=np.float64) + 0.5) for x in range(0, width, 2)]
            for y in range(0, height, 2)
        ]
        np.testing.assert_array_equal(found, exact)


def test_nan_counts_as_no_px():
    plane = np.array([[1, np.nan, np.nan, np.nan, 3], [2, 3, np.nan, np.nan, np.inf]], np.float32)
    np.testing.assert_array_equal(halved(plane), [[2, np.nan, np.inf]])


def test_bands_make_the_same_file_and_little_is_held(tmp_path, monkeypatch):
    data = noise((1, 1, 1, 1600, 1300))
    whole = source(data)
    write_ome_tiff(tmp_path / "whole.tif", whole, tile=128)
    asked: list[int] = []

    def read(t: int, c: int, z: int, top: int, bottom: int) -> np.ndarray:
        asked.append(bottom - top)
        return data[t, c, z, top:bottom]

    monkeypatch.setattr("napari_slicemap.images.source._BAND_BYTES", 2**19)
    monkeypatch.setattr("napari_slicemap.images.tiff.ome_tiff._HELD", 2**17)
    banded = ImageSource("image", data.shape, data.dtype, whole.channels, read)
    write_ome_tiff(tmp_path / "banded.tif", banded, tile=128, threads=3)
    assert len(asked) > 5
    assert max(asked) <= 256
    assert (tmp_path / "whole.tif").read_bytes() == (tmp_path / "banded.tif").read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["banded.tif", "whole.tif"]


@pytest.mark.parametrize("compression", ["zstd", "none"])
def test_big_tiff_where_it_might_be_needed(tmp_path, monkeypatch, compression):
    data = noise((3, 1, 1, 64, 64))
    write_ome_tiff(tmp_path / "small.tif", source(data), compression=compression)
    monkeypatch.setattr("napari_slicemap.images.tiff.ome_tiff._CLASSIC_BYTES", data.nbytes)
    write_ome_tiff(tmp_path / "big.tif", source(data), compression=compression)
    with tifffile.TiffFile(tmp_path / "small.tif") as small, tifffile.TiffFile(tmp_path / "big.tif") as big:
        assert (small.is_bigtiff, big.is_bigtiff) == (False, True)
        np.testing.assert_array_equal(big.asarray(), data[:, 0, 0])


def test_unknown_compression_and_odd_tile(tmp_path):
    data = noise((1, 1, 1, 4, 4))
    with pytest.raises(UnknownNameError, match="unknown compression 'jpeg'"):
        write_ome_tiff(tmp_path / "a.tif", source(data), compression="jpeg")
    with pytest.raises(ValueError, match="tile is 100 px, expected a multiple of 16"):
        write_ome_tiff(tmp_path / "a.tif", source(data), tile=100)
    assert not list(tmp_path.iterdir())


# --- what the file says of itself ------------------------------------------------------------------------------------
NAMES = ("DAPI", "<a> & \"b\" 'c'", "µ-Tubulin Ωδ 核 🧠", "line\nbreak\ttab")


def test_metadata(tmp_path):
    path = tmp_path / "a.ome.tif"
    made = ImageSource.of(
        noise((3, 4, 2, 10, 12)),
        NAMES,
        name="tile <3>",
        pixel_size_um=0.39,
        z_step_um=2.5,
        times_s=(0.0, 3.275, 7.0),
        position_um=(-1250.5, 1e-7),
        settings={"DAPI": {"color": "#4d7fff"}, NAMES[1]: {"gamma": 1.0}, NAMES[2]: {"color": "#FF8000"}},
        provenance={"version": 1, "who": "µ"},
    )
    write_ome_tiff(path, made, extratags=[(65001, b"[]")])
    image = valid_ome(path).images[0]
    pixels = image.pixels
    assert image.name == "tile <3>"
    assert image.acquisition_date is None
    assert tuple(channel.name for channel in pixels.channels) == NAMES
    assert [channel.color.as_hex(format="long") for channel in pixels.channels[:3]] == ["#4d7fff", "#ffffff", "#ff8000"]
    assert [pixels.physical_size_x, pixels.physical_size_y, pixels.physical_size_z] == [0.39, 0.39, 2.5]
    assert {pixels.physical_size_x_unit.value, pixels.physical_size_z_unit.value} == {"µm"}
    assert pixels.time_increment is None
    planes = {(plane.the_t, plane.the_c, plane.the_z): plane for plane in pixels.planes}
    assert sorted(planes) == sorted(made.planes())
    assert all(plane.delta_t == made.times_s[t] for (t, _, _), plane in planes.items())
    assert {(plane.position_x, plane.position_y) for plane in planes.values()} == {(-1250.5, 1e-7)}
    assert {plane.position_x_unit.value for plane in planes.values()} == {"µm"}
    with tifffile.TiffFile(path) as tif:
        tags = tif.pages[0].tags
        assert (tags[65000].dtype, tags[65001].dtype) == (7, 7)
        assert json.loads(tags[65000].value) == {"version": 1, "who": "µ"}
        assert tags[65001].value == b"[]"
        assert tags["ResolutionUnit"].value == 3
        assert math.isclose(tags["XResolution"].value[0] / tags["XResolution"].value[1], 1e4 / 0.39)
        assert "DateTime" not in tags
        assert 65000 not in tif.pages[1].tags


def test_nothing_known(tmp_path):
    path = tmp_path / "a.ome.tif"
    write_ome_tiff(path, source(noise((2, 1, 1, 4, 4))))
    pixels = valid_ome(path).images[0].pixels
    assert pixels.planes == []
    assert pixels.physical_size_x is None
    assert pixels.time_increment is None


def test_order_of_planes(tmp_path):
    path = tmp_path / "a.ome.tif"
    data = noise((2, 3, 4, 5, 6))
    write_ome_tiff(path, source(data))
    assert valid_ome(path).images[0].pixels.dimension_order.value == "XYZCT"
    with tifffile.TiffFile(path) as tif:
        assert tif.series[0].axes == "TCZYX"
        np.testing.assert_array_equal(tif.pages[1 * 12 + 2 * 4 + 3].asarray(), data[1, 2, 3])


@pytest.mark.parametrize(
    ("times", "step"),
    [
        pytest.param((0.0, 0.5, 1.0), 0.5, id="equal"),
        pytest.param(tuple(n * 0.1 for n in range(100)), 0.1, id="equal but for rounding"),
        pytest.param((1.7e9, 1.7e9 + 0.1, 1.7e9 + 0.2), 0.1, id="equal, long after zero"),
        pytest.param((0.0, 0.5, 1.1), None, id="unequal"),
        pytest.param((0.0, math.nan, 1.0), None, id="one unknown"),
        pytest.param((3.0,), None, id="one time"),
        pytest.param((0.0, 0.0), None, id="no step"),
        pytest.param((1.0, 0.0), None, id="backwards"),
    ],
)
def test_times(tmp_path, times, step):
    path = tmp_path / "a.ome.tif"
    image = source(noise((len(times), 1, 1, 4, 4)), times_s=times)
    write_ome_tiff(path, image)
    pixels = valid_ome(path).images[0].pixels
    stated = {plane.the_t: plane.delta_t for plane in pixels.planes}
    assert stated == {t: time for t, time in enumerate(times) if math.isfinite(time)}
    assert pixels.time_increment == (None if step is None else pytest.approx(step, rel=1e-6))
    assert image.time_increment_s == pixels.time_increment


@given(st.floats(1e-9, 1e9))
def test_pixel_sizes_come_back(nm):
    text = (
        '<OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06"><Image><Pixels SizeT="1" '
        f'PhysicalSizeX="{nm / 1000!r}" PhysicalSizeY="{nm / 1000!r}"/></Image></OME>'
    )
    assert read_ome_xml(text).pixel_size_nm == pytest.approx(nm, rel=1e-15)


@pytest.mark.parametrize("pixel_size_um", [5e-6, 1e-4 / 3, 0.39, 1234.5, 2.4e-6, 2.3e-6, 1e12, 1e14, 1e-9, None])
def test_resolution_fits_into_its_tags(tmp_path, pixel_size_um):
    path = tmp_path / "a.ome.tif"
    write_ome_tiff(path, source(noise((1, 1, 1, 4, 4)), pixel_size_um=pixel_size_um))
    assert valid_ome(path).images[0].pixels.physical_size_x == pixel_size_um
    with tifffile.TiffFile(path) as tif:
        tags = tif.pages[0].tags
        pixels, per = tags["XResolution"].value
        if tags["ResolutionUnit"].value == 3:
            assert pixels / per == pytest.approx(1e4 / pixel_size_um, rel=1e-6)
        else:
            assert pixel_size_um in (1e14, 2.3e-6, 1e-9, None)


@given(st.floats(1e-6, 1e12))
def test_resolution_is_near(pixel_size_um):
    stated = resolution(pixel_size_um)
    if stated["resolutionunit"] == "CENTIMETER":
        pixels, per = stated["resolution"][0]
        assert 0 < pixels < 2**32
        assert 0 < per < 2**32
        # the coarsest fractions of 32 bits lie near 2⁻³²
        assert pixels / per == pytest.approx(1e4 / pixel_size_um, rel=max(1e-9, pixel_size_um / 1e4 / 2**32))


@pytest.mark.parametrize(
    ("known", "message"),
    [
        ({"pixel_size_um": 0.0}, "image cells: its size of a px in X is 0.0 µm, expected above 0"),
        ({"pixel_size_um": math.nan}, "image cells: its size of a px in X is nan"),
        ({"z_step_um": -1.0}, "image cells: its size of a px in Z is -1.0 µm"),
        ({"position_um": (0.0, math.inf)}, "image cells: its position is"),
        ({"settings": {"channel 0": {"color": "red"}}}, "image cells: colour 'red' is not #rrggbb"),
    ],
)
def test_what_cannot_be_true_is_refused(tmp_path, known, message):
    with pytest.raises(ValueError, match=message):
        write_ome_tiff(tmp_path / "a.tif", source(noise((1, 1, 1, 4, 4)), name="cells", **known))


@given(st.text(st.characters(codec=None)))
def test_any_name_is_valid(tmp_path, name):
    path = tmp_path / "a.ome.tif"
    write_ome_tiff(path, ImageSource.of(noise((1, 1, 1, 1, 1)), [name], name=name))
    image = valid_ome(path).images[0]
    if name.isprintable():
        assert image.pixels.channels[0].name == image.name == name


@pytest.mark.parametrize(
    ("inner", "message"),
    [
        ("<Pixels SizeT='x'/>", "'x' where a number should be"),
        ("<Pixels SizeT='1' PhysicalSizeX='inf' PhysicalSizeY='1'/>", "'inf' where a number should be"),
        ("<Pixels SizeT='1' PhysicalSizeX='2' PhysicalSizeY='1'/>", "only square pixels"),
        ("<Pixels SizeT='1'><Plane TheT='1' DeltaT='0'/></Pixels>", "a plane at T 1, and 1 time points"),
        ("<Pixels SizeT='1'><Plane TheT='0' DeltaT='0' DeltaTUnit='pixel'/></Pixels>", "DeltaT in 'pixel'"),
        ("", "describes no image"),
        ("<", "not valid"),
    ],
)
def test_what_others_state_wrongly(inner, message):
    with pytest.raises(ValueError, match=message):
        read_ome_xml(f"<OME><Image>{inner}</Image></OME>")


def test_what_others_state_in_other_units():
    text = (
        "<OME><Image><Pixels SizeT='2' PhysicalSizeX='5' PhysicalSizeXUnit='nm' PhysicalSizeY='0.005' "
        "TimeIncrement='500' TimeIncrementUnit='ms'><Channel/></Pixels></Image></OME>"
    )
    found = read_ome_xml(text)
    assert (found.pixel_size_nm, found.times_s, found.channels) == (5.0, (0.0, 0.5), ("",))

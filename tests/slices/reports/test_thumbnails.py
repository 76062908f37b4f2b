"""Small pictures of planes."""

import io

import numpy as np
import pytest
import zarr
from PIL import Image

from napari_slicemap.errors import TileReadError
from napari_slicemap.slices.reports import thumbnails
from napari_slicemap.slices.reports.thumbnails import thumbnail_png, volume_png
from napari_slicemap.slices.volumes import SliceVolume


def grey(png):
    with Image.open(io.BytesIO(png)) as picture:
        assert picture.format == "PNG"
        assert picture.mode == "L"
        return np.asarray(picture)


RAMP = np.tile(np.linspace(0, 1000, 480), (240, 1))


@pytest.mark.parametrize(
    ("shape", "size"),
    [
        pytest.param((480, 480), (96, 96), id="square"),
        pytest.param((240, 480), (48, 96), id="wide"),
        pytest.param((1000, 7), (96, 1), id="thin"),
        pytest.param((143, 100), (96, 67), id="no-whole-step"),
        pytest.param((20, 30), (20, 30), id="small"),
        pytest.param((1, 1), (1, 1), id="one-pixel"),
    ],
)
def test_the_longer_side_is_as_asked(shape, size):
    assert grey(thumbnail_png(np.random.default_rng(0).random(shape))).shape == size


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "int16", "float32", "float64"])
def test_contrast_spans_the_percentiles(dtype):
    picture = grey(thumbnail_png((RAMP / 8).astype(dtype)))
    assert picture[0, 0] == 0
    assert picture[0, -1] == 255
    assert (np.diff(picture[0].astype(int)) >= 0).all()


def test_a_bright_spot_does_not_take_the_contrast():
    plane = RAMP.copy()
    plane[0, 0] = 1e9
    assert np.abs(grey(thumbnail_png(plane))[1:].astype(int) - grey(thumbnail_png(RAMP))[1:]).max() <= 1


@pytest.mark.parametrize(
    ("plane", "level"),
    [
        pytest.param(np.full((50, 60), 7, np.uint16), 128, id="constant"),
        pytest.param(np.zeros((500, 600), np.float32), 128, id="zeros"),
        pytest.param(np.full((50, 60), np.nan, np.float32), 0, id="nan"),
        pytest.param(np.full((50, 60), np.inf), 0, id="infinite"),
    ],
)
def test_planes_without_contrast_are_even(plane, level):
    assert set(np.unique(grey(thumbnail_png(plane)))) == {level}


def test_sparse_spots_on_an_even_ground_are_seen():
    plane = np.zeros((90, 90))
    plane[40:42, 40:42] = 5
    picture = grey(thumbnail_png(plane))
    assert picture[41, 41] == 255
    assert picture[0, 0] == 0


@pytest.mark.parametrize("hole", [np.nan, np.inf, -np.inf])
def test_pixels_that_are_no_number_do_not_count(hole):
    plane = RAMP.copy()
    plane[::3, ::3] = hole
    plane[:100, :100] = hole
    picture = grey(thumbnail_png(plane)).astype(int)
    assert picture[0, 0] == 0, "nothing is there"
    assert np.abs(picture[30:] - grey(thumbnail_png(RAMP))[30:]).max() <= 4


@pytest.mark.parametrize("shape", [(3, 4, 5), (7,), (0, 4)])
def test_what_is_no_plane_is_refused(shape):
    with pytest.raises(ValueError, match="cannot be shown, expected"):
        thumbnail_png(np.zeros(shape))


def test_the_same_plane_gives_the_same_bytes():
    assert thumbnail_png(RAMP) == thumbnail_png(RAMP.copy())


@pytest.fixture
def volume(tmp_path):
    pixels = np.random.default_rng(3).integers(0, 4000, (5, 301, 517)).astype(np.uint16)
    array = zarr.create_array(tmp_path / "z03.zarr", shape=pixels.shape, chunks=(5, 64, 64), dtype="u2")
    array[:] = pixels
    return SliceVolume("03", tmp_path / "z03.zarr"), pixels


@pytest.mark.parametrize("band_px", [1, 5000, 2**23])
def test_bands_change_nothing(volume, band_px, monkeypatch):
    stored, pixels = volume
    monkeypatch.setattr(thumbnails, "_BAND_PX", band_px)
    assert volume_png(stored) == thumbnail_png(pixels[2])


def test_a_volume_that_cannot_be_read_is_named(tmp_path):
    with pytest.raises(TileReadError, match="z04"):
        volume_png(SliceVolume("04", tmp_path / "z04.zarr"))

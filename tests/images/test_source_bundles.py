"""Images as NPZ and HDF5, read back by NumPy and h5py."""

from __future__ import annotations

import math

import h5py
import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from napari_slicemap.errors import PlanError
from napari_slicemap.images.source import ImageSource
from napari_slicemap.images.source_bundles import write_h5, write_npz


def keys_of_npz(path):
    with np.load(path, allow_pickle=False) as file:
        return {key: np.asarray(array) for key, array in file.items()}


def keys_of_h5(path):
    """Give datasets by the names that NPZ has for them, and the attributes among them."""
    made = {}
    with h5py.File(path) as file:
        file.visititems(
            lambda name, one: made.update({name.replace("/", "__"): one[()]}) if hasattr(one, "dtype") else None
        )
        made |= {key: np.asarray(value) for key, value in file.attrs.items()}
    return made


FORMATS = [pytest.param(write_npz, keys_of_npz, id="npz"), pytest.param(write_h5, keys_of_h5, id="h5")]
each_format = pytest.mark.parametrize(("write", "keys_of"), FORMATS)


def image(shape=(2, 2, 3, 7, 5), **known):
    data = np.arange(math.prod(shape), dtype=np.uint16).reshape(shape)
    names = [f"c{number}" for number in range(shape[1])]
    return ImageSource.of(data, names, **known), data


@each_format
def test_all_that_is_known_has_a_key(tmp_path, write, keys_of):
    mask = np.arange(105, dtype=np.uint8).reshape(3, 7, 5)
    source, data = image(
        name="film",
        pixel_size_um=0.325,
        z_step_um=2.0,
        times_s=(0.5, math.nan),
        position_um=(12.5, -3.0),
        labels={"cell": lambda t, z, top, bottom: mask[z, top:bottom]},
        provenance={"made": "so"},
    )
    write(tmp_path / "f", source)
    found = keys_of(tmp_path / "f")
    assert set(found) == {
        *("data", "labels__cell", "axes", "channel", "channels", "timestamps"),
        *("pixel_size_nm", "z_step_um", "position_um", "frame_metadata_json", "provenance_json"),
    }
    np.testing.assert_array_equal(found["data"], data, strict=True)
    np.testing.assert_array_equal(found["labels__cell"], mask)
    np.testing.assert_array_equal(found["timestamps"], (0.5, math.nan))
    np.testing.assert_array_equal(found["position_um"], (12.5, -3.0))
    assert found["labels__cell"].dtype == np.uint32
    assert (float(found["pixel_size_nm"]), float(found["z_step_um"])) == (325.0, 2.0)
    assert (str(found["axes"]), str(found["channel"])) == ("TCZYX", "c0, c1")
    assert found["channels"].tolist() == ["c0", "c1"]


@each_format
def test_what_is_unknown_is_nan(tmp_path, write, keys_of):
    write(tmp_path / "f", image()[0])
    found = keys_of(tmp_path / "f")
    for key in ("pixel_size_nm", "z_step_um", "position_um", "timestamps"):
        assert np.isnan(found[key]).all(), key


@each_format
@pytest.mark.parametrize(
    ("shape", "axes", "stored", "mask"),
    [
        pytest.param((4, 1, 1, 7, 5), "TYX", (4, 7, 5), (7, 5), id="frames"),
        pytest.param((1, 1, 1, 1, 1), "TYX", (1, 1, 1), (1, 1), id="one pixel"),
        pytest.param((1, 2, 1, 7, 5), "TCZYX", (1, 2, 1, 7, 5), (7, 5), id="channels"),
        pytest.param((1, 1, 3, 7, 5), "TCZYX", (1, 1, 3, 7, 5), (3, 7, 5), id="planes"),
    ],
)
def test_the_axes_say_what_they_are(tmp_path, write, keys_of, shape, axes, stored, mask):
    source, _ = image(shape, labels={"m": lambda t, z, top, bottom: np.ones((bottom - top, shape[4]), bool)})
    write(tmp_path / "f", source)
    found = keys_of(tmp_path / "f")
    assert (str(found["axes"]), found["data"].shape, found["labels__m"].shape) == (axes, stored, mask)


@each_format
@pytest.mark.parametrize(
    ("label", "fits"),
    [
        pytest.param(2**32 - 1, True, id="the largest"),
        pytest.param(2**31, True, id="beyond 31 bits"),
        pytest.param(2**32, False, id="too large"),
        pytest.param(-1, False, id="negative"),
    ],
)
def test_labels_are_kept_or_told(tmp_path, write, keys_of, label, fits):
    source, _ = image(
        (1, 1, 1, 7, 5),
        name="x",
        labels={"m": lambda t, z, top, bottom: np.full((bottom - top, 5), label, np.int64)},
    )
    if fits:
        write(tmp_path / "f", source)
        assert (keys_of(tmp_path / "f")["labels__m"] == label).all()
    else:
        with pytest.raises(PlanError, match=rf"image x, mask m: labels go from {label} to {label}, expected 0 to"):
            write(tmp_path / "f", source)


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    data=hnp.arrays(
        st.sampled_from(["u1", "<u2", ">i2", "<u4", "f4", ">f8", "?", "f2", "i8"]),
        hnp.array_shapes(min_dims=5, max_dims=5, max_side=4),
    ),
    as_floats=st.booleans(),
)
@each_format
def test_pixels_come_back(tmp_path, write, keys_of, data, as_floats):
    with np.errstate(over="ignore"):
        floats = data.astype(np.float32)
    assume(not as_floats or np.array_equal(np.isinf(floats), np.isinf(data)))  # what does not fit is another test's
    source = ImageSource.of(data, [str(number) for number in range(data.shape[1])])
    write(tmp_path / "f", source, "float32" if as_floats else "source")
    found = keys_of(tmp_path / "f")
    expected = floats if as_floats else data
    assert found["data"].dtype == expected.dtype.newbyteorder("=")
    np.testing.assert_array_equal(as_image(found["data"], str(found["axes"])), expected)


def as_image(array, axes):
    return array if axes == "TCZYX" else array[:, None, None]


@each_format
def test_a_number_too_large_for_float32_is_told(tmp_path, write, keys_of):
    data = np.full((1, 1, 1, 2, 2), 1e39)
    source = ImageSource.of(data, ("a",), name="big")
    with pytest.raises(PlanError, match="image big: a number is too large for float32; dtype = source keeps it"):
        write(tmp_path / "f", source, "float32")
    data[...] = np.inf  # which float32 has
    write(tmp_path / "f", source, "float32")


@each_format
def test_bytes_follow_from_the_image_alone(tmp_path, monkeypatch, write, keys_of):
    rng = np.random.default_rng(0)
    data = rng.normal(100, 10, (1, 2, 1, 700, 900)).astype(np.uint16)
    mask = rng.integers(0, 9, (700, 900))
    source = ImageSource.of(data, ("a", "b"), labels={"m": lambda t, z, top, bottom: mask[top:bottom]})
    found = set()
    for size in (2**26, 900 * 2 * 333, 1):
        monkeypatch.setattr("napari_slicemap.images.source._BAND_BYTES", size)
        write(tmp_path / "f", source)
        found.add((tmp_path / "f").read_bytes())
    assert len(found) == 1

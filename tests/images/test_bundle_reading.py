"""Images read from bundles: lazily, and only where their parts agree."""

from __future__ import annotations

import zipfile

import h5py
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from napari_slicemap.errors import FileFormatError
from napari_slicemap.images.bundle_reading import bundle_kind, read_image_bundle
from napari_slicemap.images.source import ImageSource
from napari_slicemap.images.source_bundles import write_h5, write_npz


def an_image():
    data = np.arange(60, dtype=np.uint16).reshape(1, 2, 1, 6, 5)
    mask = np.arange(30).reshape(6, 5) // 7
    labels = {"cell": lambda t, z, top, bottom: mask[top:bottom]}
    return ImageSource.of(data, ["c0", "c1"], labels=labels)


@pytest.mark.parametrize(
    ("write", "suffix"), [pytest.param(write_npz, ".npz", id="npz"), pytest.param(write_h5, ".h5", id="h5")]
)
def test_all_that_was_written_is_read(tmp_path, write, suffix):
    data = np.arange(360, dtype=np.int16).reshape(3, 2, 2, 6, 5)
    mask = np.arange(60).reshape(2, 6, 5)
    known = {"pixel_size_um": 0.5, "z_step_um": 2.0, "times_s": (0.0, 1.5, 2.0), "position_um": (12.5, -3.0)}
    labels = {"a/b": lambda t, z, top, bottom: mask[z, top:bottom]}
    path = tmp_path / f"f{suffix}"
    write(path, ImageSource.of(data, ["c0", "größer"], labels=labels, provenance={"made": "so"}, **known))
    found = read_image_bundle(path)
    assert (found.axes, found.frame_axes, found.channels) == ("TCZYX", "TZYX", ("c0", "größer"))
    for channel in range(2):
        np.testing.assert_array_equal(np.asarray(found.frames(channel)), data[:, channel])
    assert list(found.labels) == ["a/b"]
    np.testing.assert_array_equal(found.labels["a/b"], mask)
    assert {key: getattr(found, key) for key in known if key != "times_s"} == {
        key: value for key, value in known.items() if key != "times_s"
    }
    np.testing.assert_array_equal(found.times_s, known["times_s"])
    assert found.provenance == {"made": "so"}


@pytest.mark.parametrize(
    ("write", "suffix"), [pytest.param(write_npz, ".npz", id="npz"), pytest.param(write_h5, ".h5", id="h5")]
)
def test_what_is_unknown_is_not_made_up(tmp_path, write, suffix):
    path = tmp_path / f"f{suffix}"
    write(path, an_image())
    found = read_image_bundle(path)
    assert (found.pixel_size_um, found.z_step_um, found.position_um) == (None, None, None)
    assert np.isnan(found.times_s).all()


@st.composite
def indices(draw, shape):
    """What napari asks arrays for: places, ranges, and dots for the rest."""

    def one(size):
        ranges = st.tuples(st.integers(0, size), st.integers(0, size)).map(lambda ends: slice(*sorted(ends)))
        return st.integers(-size, size - 1) | ranges | st.just(slice(None))

    whole = [draw(one(size)) for size in shape]
    first, last = draw(st.integers(0, len(shape))), draw(st.integers(0, len(shape)))
    return tuple(whole) if first > last else (*whole[:first], ..., *whole[last:])


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(at=st.data(), times=st.integers(1, 3), depth=st.integers(1, 3), channel=st.integers(0, 1))
def test_lazy_frames_are_indexed_as_those_in_memory(tmp_path, at, times, depth, channel):
    data = np.arange(times * 2 * depth * 30, dtype=np.int16).reshape(times, 2, depth, 6, 5)
    write_h5(tmp_path / "f.h5", ImageSource.of(data, ["c0", "c1"]))
    wanted = data[:, channel].squeeze(tuple(axis for axis, size in enumerate((times, depth)) if size == 1))
    lazy = read_image_bundle(tmp_path / "f.h5").frames(channel)
    assert (lazy.shape, lazy.ndim, lazy.size) == (wanted.shape, wanted.ndim, wanted.size)
    index = at.draw(indices(wanted.shape))
    np.testing.assert_array_equal(lazy[index], wanted[index])


def without(key):
    def change(file):
        del file[key]

    return change


def replaced(key, value):
    def change(file):
        del file[key]
        file[key] = value

    return change


def outside(file):
    del file["data"]
    file["data"] = h5py.ExternalLink("other.h5", "data")


@pytest.mark.parametrize("start", [b"II*\0", b"MM\0+", b"II+\0\x08\0\0\0", b"II*\0\x08\0\0\0\xff\xff", b""])
def test_a_tiff_that_is_cut_off_is_left_to_other_readers(tmp_path, start):
    path = tmp_path / "cut.ome.tif"
    path.write_bytes(start)
    assert bundle_kind(path) is None


def test_an_npz_that_claims_more_than_it_has_is_refused_before_memory_is_taken(tmp_path):
    path = tmp_path / "f.npz"
    write_npz(path, an_image())
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(tmp_path / "g.npz", "w") as new:
        for name in old.namelist():
            content = old.read(name)
            claim = content.replace(b"(1, 2, 1, 6, 5), }          ", b"(1, 2, 1, 6, 500000000000), }")
            new.writestr(name, claim[: len(content)] if name == "data.npy" else content)
    with pytest.raises(FileFormatError, match=r"g\.npz: data\.npy has not the \d+ bytes that uint16"):
        read_image_bundle(tmp_path / "g.npz")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        pytest.param(without("timestamps"), "no timestamps", id="no times"),
        pytest.param(lambda file: file.attrs.pop("z_step_um"), "no z_step_um", id="no step in z"),
        pytest.param(lambda file: file.attrs.update(axes="XY"), "axes 'XY', expected real numbers", id="other axes"),
        pytest.param(lambda file: file.attrs.update(channels=["one"]), "names 1 channels, data has 2", id="names"),
        pytest.param(replaced("timestamps", [1.0, 2.0]), r"timestamps is float64 \(2,\), expected 1", id="times"),
        pytest.param(replaced("labels/cell", np.zeros((2, 2), np.uint32)), "mask cell is uint32", id="other mask"),
        pytest.param(replaced("labels/cell", np.zeros((6, 5))), "mask cell is float64", id="no labels"),
        pytest.param(replaced("provenance_json", b"[1]"), "provenance_json is list", id="record of another kind"),
        pytest.param(replaced("provenance_json", b"{"), "provenance_json is no valid JSON", id="broken record"),
        pytest.param(outside, "data is no dataset of this file", id="pixels elsewhere"),
    ],
)
def test_an_image_whose_parts_do_not_agree_is_refused_by_name(tmp_path, change, message):
    path = tmp_path / "f.h5"
    write_h5(path, an_image())
    with h5py.File(path, "a") as file:
        change(file)
    assert bundle_kind(path) == "image"
    with pytest.raises(FileFormatError, match=rf"f\.h5: .*{message}"):
        read_image_bundle(path)

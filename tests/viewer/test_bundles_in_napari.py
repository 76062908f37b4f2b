"""Bundles opened in napari: which files, which layers, where they lie."""

from __future__ import annotations

import math

import h5py
import npe2
import numpy as np
import pytest
import tifffile
from napari.components import ViewerModel

from napari_slicemap import ImageStack, save_h5_bundle, save_npz_bundle, save_ome_tiff_stack
from napari_slicemap.errors import FileFormatError
from napari_slicemap.images.bundle_reading import LazyFrames
from napari_slicemap.images.source import ImageSource
from napari_slicemap.images.source_bundles import write_h5, write_npz
from napari_slicemap.viewer.files.reading import get_reader, read_bundle

PLUGIN = "napari-slicemap"


@pytest.fixture(scope="module", autouse=True)
def _plugins():
    """As napari does it when it starts; a viewer without a window does not."""
    npe2.PluginManager.instance().discover()


def frames(count=4, shape=(6, 5), seed=0):
    return np.random.default_rng(seed).normal(3, 2, (count, *shape)).astype(np.float32)


def a_stack(times=(1.0, 1.5, 2.0, 2.5), **changes):
    known = {
        "data": frames(),
        "pixel_size_nm": 1.5,
        "channel": "height_trace",
        "frame_metadata": [{"timestamp": time, "speed": 3} for time in times],
        "processed": {"raw": frames(seed=1), "step_1_remove/plane": frames(seed=2)},
        "masks": {"bright": frames(seed=3) > 3},
        "provenance": {"processing": {"steps": [{"index": 1, "name": "remove_plane"}]}},
    }
    return ImageStack(**{**known, **changes})


def an_image(shape=(1, 2, 1, 6, 5), **known):
    data = np.arange(math.prod(shape), dtype=np.uint16).reshape(shape)
    mask = np.arange(shape[-2] * shape[-1]).reshape(shape[-2:]) // 7
    names = [f"c{number}" for number in range(shape[1])]
    labels = {"cell": lambda t, z, top, bottom: mask[top:bottom]}
    return ImageSource.of(data, names, labels=labels, **known), data, mask


def opened(path, viewer=None):
    viewer = viewer or ViewerModel()
    viewer.open(path, plugin=PLUGIN)
    return {layer.name: layer for layer in viewer.layers}


def units_of(layer):
    return [str(unit) for unit in layer.units]


def save_hdf5(path, stack):
    """Under the other suffix that HDF5 has."""
    return save_h5_bundle(path, stack).rename(path.with_suffix(".hdf5"))


each_bundle = pytest.mark.parametrize(
    "save",
    [
        pytest.param(save_npz_bundle, id="npz"),
        pytest.param(save_h5_bundle, id="h5"),
        pytest.param(save_hdf5, id="hdf5"),
    ],
)
each_image = pytest.mark.parametrize(
    ("write", "suffix"), [pytest.param(write_npz, ".npz", id="npz"), pytest.param(write_h5, ".h5", id="h5")]
)


# --- stacks -----------------------------------------------------------------------------------------------------
@each_bundle
def test_a_stack_opens_as_data_hidden_steps_and_masks(tmp_path, save):
    stack = a_stack()
    layers = opened(save(tmp_path / "run", stack))
    assert list(layers) == ["run", "run: raw", "run: step_1_remove/plane", "run: bright"]
    assert [layer._type_string for layer in layers.values()] == ["image", "image", "image", "labels"]
    assert [layer.visible for layer in layers.values()] == [True, False, False, False]
    wanted = [stack.data, *stack.processed.values(), stack.masks["bright"]]
    for layer, array in zip(layers.values(), wanted, strict=True):
        np.testing.assert_array_equal(layer.data, array)
        assert tuple(layer.scale) == (0.5, 0.0015, 0.0015)
        assert units_of(layer) == ["second", "micrometer", "micrometer"]
        assert layer.translate[0] == 1.0
        assert layer.axis_labels == ("time", "y", "x")


def test_the_data_layer_knows_where_it_comes_from(tmp_path):
    stack = a_stack()
    path = save_npz_bundle(tmp_path / "run", stack)
    known = opened(path)["run"].metadata
    assert known["file"] == str(path)
    assert known["timestamps_s"] == [1.0, 1.5, 2.0, 2.5]
    assert known["pixel_size_nm"] == 1.5
    assert known["channel"] == "height_trace"
    assert known["provenance"] == stack.provenance
    assert known["frame_metadata"] == stack.frame_metadata


def test_an_ome_tiff_stack_opens(tmp_path):
    stack = a_stack(processed={}, masks={}, provenance={})
    layers = opened(save_ome_tiff_stack(tmp_path / "run.0", stack))
    assert list(layers) == ["run.0"]
    np.testing.assert_array_equal(layers["run.0"].data, stack.data)
    assert tuple(layers["run.0"].scale) == pytest.approx((0.5, 0.0015, 0.0015), rel=1e-12)


@pytest.mark.parametrize(
    ("changes", "axis"),
    [
        pytest.param({"times": (0.0, 0.1, 0.2, 0.1 + 0.2)}, (0.1, 0.0, "second"), id="equal up to rounding"),
        pytest.param({"times": (5.0, 6.0, 7.0, 9.0)}, (1.0, 0.0, "pixel"), id="unequal"),
        pytest.param({"times": (5.0, 6.0, None, 8.0)}, (1.0, 0.0, "pixel"), id="one unknown"),
        pytest.param({"times": (5.0, 4.0, 3.0, 2.0)}, (1.0, 0.0, "pixel"), id="backwards"),
        pytest.param({"times": (5.0, 5.0, 5.0, 5.0)}, (1.0, 0.0, "pixel"), id="standing still"),
        pytest.param({"processed": {"raw": frames(5)}}, (1.0, 0.0, "pixel"), id="a layer of more frames"),
        pytest.param(
            {"data": frames(1), "times": (5.0,), "processed": {}, "masks": {}}, (1.0, 0.0, "pixel"), id="one frame"
        ),
    ],
)
def test_frames_lie_in_seconds_only_where_that_is_true_of_all(tmp_path, changes, axis):
    layers = opened(save_npz_bundle(tmp_path / "run", a_stack(**changes)))
    for layer in layers.values():
        assert (layer.scale[0], layer.translate[0], units_of(layer)[0]) == pytest.approx(axis)


def test_beside_a_map_frames_are_counted_so_that_napari_keeps_all_units(session, tmp_path):
    layer = opened(save_npz_bundle(tmp_path / "run", a_stack()), session.viewer)["run"]
    assert units_of(layer) == ["pixel", "micrometer", "micrometer"]
    assert session.viewer.layers.extent.units is not None
    assert session.viewer.dims.axis_labels == ("slice", "y", "x")


# --- images -----------------------------------------------------------------------------------------------------
@each_image
def test_an_exported_image_opens_as_channels_and_labels(tmp_path, write, suffix):
    source, data, mask = an_image(pixel_size_um=0.65, position_um=(120.0, 40.5))
    path = tmp_path / f"map_01{suffix}"
    write(path, source)
    layers = opened(path)
    assert list(layers) == ["map_01: c0", "map_01: c1", "map_01: cell"]
    for number in range(2):
        layer = layers[f"map_01: c{number}"]
        np.testing.assert_array_equal(np.asarray(layer.data), data[0, number, 0])
        assert tuple(layer.scale) == (0.65, 0.65)
        assert tuple(layer.translate) == (40.5, 120.0)
        assert units_of(layer) == ["micrometer", "micrometer"]
        assert layer.blending == "additive"
        assert layer.metadata["channel"] == f"c{number}"
    np.testing.assert_array_equal(layers["map_01: cell"].data, mask)
    assert tuple(layers["map_01: cell"].translate) == (40.5, 120.0)


@each_image
@pytest.mark.parametrize(
    ("shape", "known", "scale", "units"),
    [
        pytest.param((1, 1, 1, 6, 5), {}, (1, 1), ["pixel", "pixel"], id="one plane, nothing known"),
        pytest.param(
            (3, 2, 1, 6, 5),
            {"pixel_size_um": 0.5, "times_s": (0.0, 2.0, 4.0)},
            (2, 0.5, 0.5),
            ["second", "micrometer", "micrometer"],
            id="times",
        ),
        pytest.param(
            (3, 1, 1, 6, 5),
            {"pixel_size_um": 0.5, "times_s": (0.0, 2.0, 9.0)},
            (1, 0.5, 0.5),
            ["pixel", "micrometer", "micrometer"],
            id="unequal times of one channel",
        ),
        pytest.param(
            (1, 2, 4, 6, 5),
            {"pixel_size_um": 0.5, "z_step_um": 200.0},
            (200, 0.5, 0.5),
            ["micrometer"] * 3,
            id="planes",
        ),
        pytest.param((2, 2, 3, 6, 5), {}, (1, 1, 1, 1), ["pixel"] * 4, id="times and planes"),
    ],
)
def test_axes_of_one_place_are_left_out(tmp_path, write, suffix, shape, known, scale, units):
    source, data, _ = an_image(shape, **known)
    path = tmp_path / f"f{suffix}"
    if shape[2] > 1:  # labels have planes, too
        source = ImageSource.of(data, source.channels, **known)
    write(path, source)
    layer = next(iter(opened(path).values()))
    wanted = data[:, 0].squeeze()
    np.testing.assert_array_equal(np.asarray(layer.data), wanted)
    np.testing.assert_array_equal(np.asarray(layer.data[..., 2:4, 1]), wanted[..., 2:4, 1])
    assert tuple(layer.scale) == scale
    assert units_of(layer) == units


def test_labels_with_planes_lie_where_the_planes_do(tmp_path):
    mask = np.arange(90).reshape(3, 6, 5)
    _, data, _ = an_image((1, 1, 3, 6, 5))
    labels = {"cell": lambda t, z, top, bottom: mask[z, top:bottom]}
    write_npz(tmp_path / "f.npz", ImageSource.of(data, ["c0"], labels=labels, pixel_size_um=0.5, z_step_um=3.0))
    layer = opened(tmp_path / "f.npz")["f: cell"]
    np.testing.assert_array_equal(layer.data, mask)
    assert tuple(layer.scale) == (3.0, 0.5, 0.5)


def test_pixels_of_hdf5_are_read_when_they_are_shown(tmp_path):
    source, data, _ = an_image((2, 2, 1, 6, 5))
    write_h5(tmp_path / "f.h5", source)
    layer = opened(tmp_path / "f.h5")["f: c1"]
    assert isinstance(layer.data, LazyFrames)
    np.testing.assert_array_equal(layer.data[1], data[1, 1, 0])
    write_h5(tmp_path / "f.h5", an_image((2, 2, 1, 4, 4))[0])
    with pytest.raises(FileFormatError, match=r"f\.h5: data is another one since the file was opened"):
        layer.data[0]


@pytest.mark.parametrize(
    ("stage_y", "y"), [pytest.param("down", 40.5, id="down"), pytest.param("up", -40.5, id="turned over")]
)
def test_an_export_lies_where_its_map_does_and_looks_like_its_profile(tmp_path, stage_y, y):
    look = {"color": "#ff0000", "contrast_limits": [2, 9], "gamma": 0.5, "visible": False}
    made = {"map": {"stage_y": stage_y}, "profile": {"channels": {"c1": look}}}
    source, _, _ = an_image(pixel_size_um=0.65, position_um=(120.0, 40.5), provenance=made)
    write_npz(tmp_path / "f.npz", source)
    layers = opened(tmp_path / "f.npz")
    assert tuple(layers["f: c0"].translate) == (y, 120.0)
    assert layers["f: c0"].contrast_limits == [0, 29]
    assert layers["f: c1"].contrast_limits == [2, 9]
    assert (layers["f: c1"].gamma, layers["f: c1"].visible) == (0.5, False)
    np.testing.assert_allclose(layers["f: c1"].colormap.colors[-1], [1, 0, 0, 1])


def test_a_plane_that_napari_could_not_hold_is_refused(tmp_path, monkeypatch):
    write_h5(tmp_path / "f.h5", an_image()[0])
    monkeypatch.setattr("napari_slicemap.viewer.files.reading._MOST_BYTES", 59)
    with pytest.raises(FileFormatError, match=r"f\.h5: a plane of 5 × 6 px is too large .* tiles\.csv"):
        read_bundle(str(tmp_path / "f.h5"))


# --- other files --------------------------------------------------------------------------------------------------
def foreign_npz(path):
    np.savez(path, data=np.zeros((2, 3, 4)))


def foreign_h5(path):
    with h5py.File(path, "w") as file:
        file["data"] = np.zeros((2, 3, 4))


def foreign_tiff(path):
    tifffile.imwrite(path, np.zeros((2, 30, 40), np.uint8), ome=True, metadata={"axes": "TYX"})


def nothing(path):
    path.write_bytes(b"")


@pytest.mark.parametrize(
    ("name", "make"),
    [
        pytest.param("a.npz", foreign_npz, id="arrays of NumPy"),
        pytest.param("a.h5", foreign_h5, id="HDF5"),
        pytest.param("a.ome.tif", foreign_tiff, id="OME-TIFF"),
        pytest.param("a.npz", nothing, id="empty npz"),
        pytest.param("a.h5", nothing, id="empty h5"),
        pytest.param("a.ome.tif", nothing, id="empty OME-TIFF"),
        pytest.param("a.png", nothing, id="another suffix"),
        pytest.param("a.npz", lambda path: path.mkdir(), id="a folder"),
        pytest.param("a.h5", lambda _: None, id="not there"),
    ],
)
def test_files_that_are_no_bundles_are_left_to_others(tmp_path, name, make):
    make(tmp_path / name)
    assert get_reader(str(tmp_path / name)) is None


def test_several_files_are_left_to_others_and_one_in_a_list_is_taken(tmp_path):
    path = str(save_npz_bundle(tmp_path / "run", a_stack()))
    assert get_reader([path, path]) is None
    assert len(get_reader([path])([path])) == 4


@each_bundle
@pytest.mark.parametrize("share", [0.3, 0.95])
def test_a_bundle_that_is_cut_off_says_so(tmp_path, save, share):
    path = save(tmp_path / "run", a_stack())
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * share)])
    with pytest.raises(FileFormatError, match=rf"{path.name}: it cannot be read as an? \w+ bundle"):
        get_reader(str(path))(str(path))
